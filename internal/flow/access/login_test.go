package access_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/access"
	"headrace/internal/store/storetest/stores"
)

func TestNobodyEntersByDefault(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		for _, c := range [][2]string{{"admin", "admin"}, {"admin", ""}, {"", ""}, {"system", ""}, {"guest", "guest"}} {
			if who, err := f.Basic(t.Context(), c[0], c[1]); fault.KindOf(err) != fault.Denied || err == nil {
				t.Errorf("%v entered as %+v, %v", c, who, err)
			}
		}
		made, err := f.CreateAdmin(t.Context(), "first")
		if err != nil || !made {
			t.Fatal(made, err)
		}
		if made, err := f.CreateAdmin(t.Context(), "second"); made || err != nil {
			t.Errorf("admin was made twice: %v, %v", made, err)
		}
		who, err := f.Basic(t.Context(), "Admin", "first")
		if err != nil || !who.HasRole("itil") || who.DisplayName != "System Administrator" || who.Actor.Trusted {
			t.Errorf("admin: %+v, %v", who, err)
		}
		if _, err := f.Basic(t.Context(), "admin", "second"); fault.KindOf(err) != fault.Denied || err == nil {
			t.Errorf("a password that never was: %v", err)
		}
	})
}

func TestPasswordsAreKeptAsHashesThatNoSessionReads(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		_, err := f.CreateAdmin(t.Context(), "a pass word")
		f.must(err)
		stored := f.names(f.db.As(record.System), "sys_user", "user_password")
		if len(stored) != 1 || !strings.HasPrefix(stored[0], "$argon2id$") {
			t.Errorf("stored: %q", stored)
		}
		admin := f.as("admin")
		if seen := f.names(admin, "sys_user", "user_password"); !slices.Equal(seen, []string{"-"}) {
			t.Errorf("admin reads %q", seen)
		}
		r, _, err := admin.Update(t.Context(), f.table("sys_user"), admin.Actor().ID, assign("user_password", "other"))
		if err != nil || r.Get("user_password").Valid {
			t.Errorf("the answer to a change shows %v, %v", r, err)
		}
		if _, err := f.Basic(t.Context(), "admin", "other"); err != nil {
			t.Errorf("a password set by a session: %v", err)
		}
		if _, err := f.Basic(t.Context(), "admin", "a pass word"); err == nil {
			t.Error("the password before it still counts")
		}
		for _, row := range f.rows(f.db.As(record.System), &record.Query{Table: f.table(record.ChangeTable), Fields: []string{"old"}}) {
			if strings.Contains(row[0], "argon2id") {
				t.Errorf("a change row keeps %s", row[0])
			}
		}
	})
}

func TestWhatWasVerifiedIsNotVerifiedAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		_, err := f.CreateAdmin(t.Context(), "pass")
		f.must(err)
		begin := time.Now()
		_, err = f.Basic(t.Context(), "admin", "pass")
		f.must(err)
		full := time.Since(begin)
		begin = time.Now()
		for range 10 {
			_, err := f.Basic(t.Context(), "admin", "pass")
			f.must(err)
		}
		if again := time.Since(begin) / 10; again > full/2 {
			t.Errorf("first %v, again %v", full, again)
		}
		f.must(f.SetActive(t.Context(), "admin", false))
		if _, err := f.Basic(t.Context(), "admin", "pass"); fault.KindOf(err) != fault.Denied || err == nil {
			t.Errorf("an inactive user enters: %v", err)
		}
		f.must(f.SetActive(t.Context(), "admin", true))
		f.must(f.SetPassword(t.Context(), "admin", "new"))
		if _, err := f.Basic(t.Context(), "admin", "pass"); fault.KindOf(err) != fault.Denied || err == nil {
			t.Errorf("the old password enters: %v", err)
		}
	})
}

func TestManyWhoComeAtOnceWithOnePasswordAreVerifiedOnce(t *testing.T) {
	f := open(t, stores.SQLite(t))
	user := func(name string) {
		_, err := f.CreateUser(t.Context(), access.NewUser{UserName: name, Password: "pass"})
		f.must(err)
	}
	const callers = 64
	begin := time.Now()
	for i := range callers / 4 { // verified one by one
		user(fmt.Sprint("u", i))
		_, err := f.Basic(t.Context(), fmt.Sprint("u", i), "pass")
		f.must(err)
	}
	each := time.Since(begin)
	user("many")
	begin = time.Now()
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			if _, err := f.Basic(t.Context(), "many", "pass"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if took := time.Since(begin); took > each {
		t.Errorf("%d at once took %v, a quarter of them one by one %v", callers, took, each)
	}
}

func TestTooManyWrongPasswordsLockOutForAWhile(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		_, err := f.CreateAdmin(t.Context(), "pass")
		f.must(err)
		for range 4 {
			if _, err := f.Basic(t.Context(), "admin", "wrong"); err == nil {
				t.Fatal("a wrong password enters")
			}
		}
		_, err = f.Basic(t.Context(), "admin", "pass")
		f.must(err)
		for range 5 {
			f.Basic(t.Context(), "admin", "wrong")
		}
		if _, err := f.Basic(t.Context(), "admin", "pass"); fault.KindOf(err) != fault.Denied || err == nil {
			t.Errorf("locked out, and yet: %v", err)
		}
		if _, err := f.IdentityOf(t.Context(), "admin"); err == nil {
			t.Error("who is locked out acts")
		}
		f.clock.Advance(16 * time.Minute)
		_, err = f.Basic(t.Context(), "admin", "pass")
		f.must(err)
		if locked := f.names(f.db.As(record.System), "sys_user", "locked_out"); locked[0] != "false" {
			t.Error("the lock stays after a login")
		}
		for range 5 {
			f.Basic(t.Context(), "admin", "wrong")
		}
		f.must(f.Unlock(t.Context(), "admin"))
		_, err = f.Basic(t.Context(), "admin", "pass")
		f.must(err)
		// A lock that somebody set by hand has no end.
		_, _, err = f.db.As(record.System).Update(t.Context(), f.table("sys_user"), f.as("admin").Actor().ID, assign("locked_out", "true"))
		f.must(err)
		f.clock.Advance(1000 * time.Hour)
		if _, err := f.Basic(t.Context(), "admin", "pass"); err == nil {
			t.Error("a lock by hand has ended by itself")
		}
	})
}

func TestRolesComeFromUsersAndGroupsAndContainOthers(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.user("una")
		una := f.as("una").Actor().ID
		a, b, c, g, p := f.role("a"), f.role("b"), f.role("c"), f.role("g"), f.role("p")
		f.add(access.RoleContainsTable, "role", a, "contains", b)
		f.add(access.RoleContainsTable, "role", b, "contains", c)
		f.add(access.RoleContainsTable, "role", c, "contains", a)
		parent := f.add(access.GroupTable, "name", "parent")
		group := f.add(access.GroupTable, "name", "group", "parent", parent)
		f.add(access.GroupRoleTable, "group", group, "role", g)
		f.add(access.GroupRoleTable, "group", parent, "role", p)
		expect := func(want ...string) {
			t.Helper()
			who, err := f.IdentityOf(t.Context(), "una")
			f.must(err)
			if got := who.Roles(); !slices.Equal(got, want) {
				t.Errorf("roles %v, want %v", got, want)
			}
		}
		expect()
		given := f.add(access.UserRoleTable, "user", una, "role", b)
		expect("a", "b", "c")
		member := f.add(access.MemberTable, "user", una, "group", group)
		expect("a", "b", "c", "g", "p")
		f.must(f.db.As(record.System).Delete(t.Context(), f.table(access.UserRoleTable), given))
		expect("g", "p")
		f.must(f.db.As(record.System).Delete(t.Context(), f.table(access.MemberTable), member))
		expect()
		if added, err := f.AddRole(t.Context(), "una", "itil"); !added || err != nil {
			t.Error(added, err)
		}
		if added, err := f.AddRole(t.Context(), "una", "itil"); added || err != nil {
			t.Errorf("a role given twice: %v, %v", added, err)
		}
		expect("itil")
		if removed, err := f.RemoveRole(t.Context(), "una", "itil"); !removed || err != nil {
			t.Error(removed, err)
		}
		expect()
		if _, err := f.AddRole(t.Context(), "una", "ittil"); fault.KindOf(err) != fault.NotFound || !strings.Contains(fault.HintOf(err), "itil") {
			t.Errorf("a role that is none: %v, hint %q", err, fault.HintOf(err))
		}
	})
}

func TestTokens(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		_, err := f.CreateAdmin(t.Context(), "pass")
		f.must(err)
		f.user("robot")
		_, clientID, secret, err := f.CreateClient(t.Context(), "shop", "robot")
		f.must(err)
		ask := access.GrantRequest{GrantType: "password", ClientID: clientID, ClientSecret: secret, UserName: "admin", Password: "pass"}
		first, err := f.Grant(t.Context(), ask)
		f.must(err)
		if first.ExpiresIn != 1799 || first.Scope != "useraccount" || first.TokenType != "Bearer" || first.RefreshToken == "" {
			t.Errorf("granted: %+v", first)
		}
		if who, err := f.Bearer(t.Context(), first.AccessToken); err != nil || who.UserName != "admin" {
			t.Errorf("bearer: %+v, %v", who, err)
		}
		f.clock.Advance(10 * time.Minute)
		again, err := f.Grant(t.Context(), ask)
		f.must(err)
		if again.AccessToken != first.AccessToken || again.RefreshToken != first.RefreshToken || again.ExpiresIn != 1200 {
			t.Errorf("again: %+v, first %+v", again, first)
		}
		ask.GrantType, ask.RefreshToken = "refresh_token", first.RefreshToken
		fresh, err := f.Grant(t.Context(), ask)
		f.must(err)
		if fresh.AccessToken == first.AccessToken || fresh.RefreshToken != first.RefreshToken || fresh.ExpiresIn != 1799 {
			t.Errorf("refreshed: %+v", fresh)
		}
		f.clock.Advance(25 * time.Minute)
		if _, err := f.Bearer(t.Context(), first.AccessToken); fault.KindOf(err) != fault.Denied || err == nil {
			t.Errorf("an expired token enters: %v", err)
		}
		if _, err := f.Bearer(t.Context(), fresh.AccessToken); err != nil {
			t.Error(err)
		}
		if _, err := f.Bearer(t.Context(), fresh.RefreshToken); err == nil {
			t.Error("a refresh token enters as an access token")
		}
		ask.GrantType = "client_credentials"
		own, err := f.Grant(t.Context(), ask)
		f.must(err)
		if who, err := f.Bearer(t.Context(), own.AccessToken); err != nil || who.UserName != "robot" || own.RefreshToken != "" {
			t.Errorf("client credentials: %+v %+v, %v", own, who, err)
		}
		for _, row := range f.rows(f.db.As(record.System), &record.Query{Table: f.table("oauth_credential"), Fields: f.table("oauth_credential").Names()}) {
			text := strings.Join(row, " ")
			for _, token := range []string{first.AccessToken, first.RefreshToken, fresh.AccessToken, own.AccessToken} {
				if strings.Contains(text, token[32:]) {
					t.Error("a token is kept as it is")
				}
			}
		}
		f.must(f.Revoke(t.Context(), fresh.RefreshToken))
		if _, err := f.Bearer(t.Context(), fresh.AccessToken); err == nil {
			t.Error("an access token outlives its refresh token's end")
		}
		f.must(f.Revoke(t.Context(), "no token at all, and long enough to be one of them"))
	})
}

func TestGrantsAreRefusedInOAuthsWords(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		_, err := f.CreateAdmin(t.Context(), "pass")
		f.must(err)
		_, id, secret, err := f.CreateClient(t.Context(), "shop", "")
		f.must(err)
		for _, c := range []struct {
			what string
			ask  access.GrantRequest
			code string
		}{
			{"no client", access.GrantRequest{GrantType: "password", UserName: "admin", Password: "pass"}, "invalid_client"},
			{"unknown client", access.GrantRequest{GrantType: "password", ClientID: "x", ClientSecret: secret, UserName: "admin", Password: "pass"}, "server_error"},
			{"wrong secret", access.GrantRequest{GrantType: "password", ClientID: id, ClientSecret: "x", UserName: "admin", Password: "pass"}, "server_error"},
			{"no secret", access.GrantRequest{GrantType: "password", ClientID: id, UserName: "admin", Password: "pass"}, "server_error"},
			{"wrong password", access.GrantRequest{GrantType: "password", ClientID: id, ClientSecret: secret, UserName: "admin", Password: "x"}, "server_error"},
			{"no user for the client", access.GrantRequest{GrantType: "client_credentials", ClientID: id, ClientSecret: secret}, "unauthorized_client"},
			{"unknown refresh token", access.GrantRequest{GrantType: "refresh_token", ClientID: id, ClientSecret: secret, RefreshToken: strings.Repeat("a", 75)}, "invalid_grant"},
			{"unknown grant", access.GrantRequest{GrantType: "magic", ClientID: id, ClientSecret: secret}, "unsupported_grant_type"},
		} {
			token, err := f.Grant(t.Context(), c.ask)
			var refused *access.GrantError
			if !errors.As(err, &refused) || refused.Code != c.code {
				t.Errorf("%s: %+v, %v, want %s", c.what, token, err, c.code)
			}
		}
	})
}

func TestAPIKeysStandForTheirUserUntilTheyEnd(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.user("robot", "itil")
		id, key, err := f.CreateKey(t.Context(), "nightly", "robot", f.clock.Now().Add(time.Hour))
		f.must(err)
		who, err := f.Key(t.Context(), key)
		if err != nil || who.UserName != "robot" || !who.HasRole("itil") || who.HasRole("admin") {
			t.Errorf("%+v, %v", who, err)
		}
		for _, bad := range []string{"", "x", key[:len(key)-1], key + "x", "hrk_" + id, strings.ToUpper(key)} {
			if who, err := f.Key(t.Context(), bad); fault.KindOf(err) != fault.Denied || err == nil {
				t.Errorf("%q enters as %+v, %v", bad, who, err)
			}
		}
		f.clock.Advance(61 * time.Minute)
		if _, err := f.Key(t.Context(), key); err == nil {
			t.Error("an expired key enters")
		}
		id, key, err = f.CreateKey(t.Context(), "forever", "robot", time.Time{})
		f.must(err)
		_, err = f.Key(t.Context(), key)
		f.must(err)
		f.must(f.RemoveToken(t.Context(), id))
		if _, err := f.Key(t.Context(), key); err == nil {
			t.Error("a removed key enters")
		}
	})
}

func TestTheMostParticularRateLimitCounts(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.user("una", "itil")
		f.user("otto")
		una, err := f.IdentityOf(t.Context(), "una")
		f.must(err)
		otto, err := f.IdentityOf(t.Context(), "otto")
		f.must(err)
		allow := func(who *access.Identity, api string) *access.Rate {
			t.Helper()
			r, err := f.Allow(t.Context(), who, api)
			f.must(err)
			return r
		}
		if r := allow(una, "table"); r != nil {
			t.Errorf("without a rule: %+v", r)
		}
		everybody := f.add(access.RateTable, "name", "all", "rate_limit", "2")
		role := f.add(access.RateTable, "name", "role", "role", f.role("itil"), "rate_limit", "5")
		lower := f.add(access.RateTable, "name", "lower", "role", f.role("itil"), "rate_limit", "4")
		user := f.add(access.RateTable, "name", "user", "user", una.UserID, "api", "table", "rate_limit", "3")
		f.add(access.RateTable, "name", "off", "user", una.UserID, "active", "false", "rate_limit", "0")
		if r := allow(una, "table"); r.Rule != user || r.Limit != 3 || r.Remaining != 2 || r.Exceeded {
			t.Errorf("user: %+v", r)
		}
		if r := allow(una, "stats"); r.Rule != lower {
			t.Errorf("role: %+v, rules %s %s", r, role, lower)
		}
		for i := range 3 {
			r := allow(otto, "table")
			if r.Rule != everybody || r.Exceeded != (i == 2) || !r.Reset.Equal(time.Date(2026, 3, 4, 6, 0, 0, 0, time.UTC)) {
				t.Errorf("request %d: %+v", i, r)
			}
		}
		f.clock.Advance(time.Hour)
		if r := allow(otto, "table"); r.Exceeded || r.Remaining != 1 {
			t.Errorf("the next hour: %+v", r)
		}
	})
}

func TestSeedingTwiceLeavesChangesAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		system := f.db.As(record.System)
		rules := f.rows(system, &record.Query{Table: f.table(access.RuleTable), Fields: []string{"sys_id"}, Where: is("name", "task")})
		_, _, err := system.Update(t.Context(), f.table(access.RuleTable), rules[0][0], assign("active", "false"))
		f.must(err)
		f.must(system.Delete(t.Context(), f.table(access.RuleTable), rules[1][0]))
		before := f.rows(system, &record.Query{Table: f.table(access.RuleTable), Fields: []string{"sys_id", "active", "sys_mod_count"}})
		f.must(access.Seed(t.Context(), f.db))
		after := f.rows(system, &record.Query{Table: f.table(access.RuleTable), Fields: []string{"sys_id", "active", "sys_mod_count"}})
		if !slices.EqualFunc(before, after, slices.Equal) {
			t.Error("seeding again changes what was changed")
		}
	})
}
