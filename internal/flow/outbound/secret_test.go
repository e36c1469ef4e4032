package outbound_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"headrace/internal/core/record"
	"headrace/internal/flow/outbound"
	"headrace/internal/store/sqlstore"
	"headrace/internal/store/storetest/stores"
)

// The planted secrets. Nothing but the partner may ever see them.
var planted = map[string]string{"password": "pla\"nted & pass/word", "inline": "planted-inline-password", "key": "planted-api-key-77", "client": "planted-client-secret",
	"user": "planted-user-password", "access": "planted-access-token", "refresh": "planted-refresh-token", "bearer": "planted-bearer-header", "declared": "planted-declared-pin",
	"wss": "planted-wss-password"}

// dump writes every record of every table.
func (w *world) dump(t testing.TB) string {
	t.Helper()
	var b strings.Builder
	for _, name := range w.db.Catalog().Names() {
		table := w.db.Catalog().Table(name)
		for row, err := range w.db.As(record.System).Select(t.Context(), &record.Query{Table: table, Fields: table.Names()}) {
			check(t, err)
			for i, v := range row {
				fmt.Fprintf(&b, "%s.%s=%s\n", name, table.Fields[i].Name, v.Text)
			}
		}
	}
	return b.String()
}

// echo is a partner that says everything back that it was told, and gives tokens.
func echo(t testing.TB) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body bytes.Buffer
		if _, err := body.ReadFrom(r.Body); err != nil {
			t.Error(err)
		}
		if r.URL.Path == "/token" {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"access_token":%q,"refresh_token":%q,"token_type":"Bearer","expires_in":3600}`, planted["access"], planted["refresh"])
			return
		}
		heard, err := json.Marshal(map[string]any{"headers": r.Header, "body": body.String(), "query": r.URL.RawQuery})
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Heard", r.Header.Get("Authorization"))
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write(heard) // the test sees what is missing
	}))
	t.Cleanup(s.Close)
	return s
}

func TestPlantedSecretsAreFoundNowhere(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		var logs bytes.Buffer
		w := open(t, cfg, "routes: []", func(c *outbound.Config, _ *record.Config) {
			c.Log = slog.New(slog.NewTextHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
		})
		at := echo(t)
		w.make(t, outbound.BasicTable, "basic", "name", "basic", "username", "us", "password", planted["password"])
		w.make(t, outbound.APIKeyTable, "key", "name", "key", "api_key", planted["key"])
		w.make(t, outbound.ProviderTable, "provider", "name", "provider", "client_id", "me", "client_secret", planted["client"], "token_url", at.URL+"/token")
		w.make(t, outbound.ProfileTable, "oauth", "name", "oauth", "oauth_entity", "@provider", "grant_type", "password", "username", "us", "password", planted["user"])
		w.make(t, outbound.MessageTable, "m", "name", "partner", "rest_endpoint", at.URL+"/x", "log_level", "all", "redact", "pin")
		w.make(t, outbound.FunctionTable, "f", "rest_message", "@m", "function_name", "create", "http_method", "post", "content", `{"pin": "${pin}", "text": "hello"}`)
		for _, change := range []func(*outbound.Request){
			func(r *outbound.Request) { r.Profile, r.ProfileID = "basic", "basic" },
			func(r *outbound.Request) { r.Profile, r.ProfileID = "api_key", w.ids["key"] },
			func(r *outbound.Request) { r.Profile, r.ProfileID = "oauth2", "oauth" },
			func(r *outbound.Request) { r.Basic = &outbound.Basic{User: "u", Password: planted["inline"]} },
			func(r *outbound.Request) {
				r.Header = []outbound.Pair{{Name: "Authorization", Value: "Bearer " + planted["bearer"]}}
			},
			func(r *outbound.Request) {
				body := `<Envelope><Body/></Envelope>`
				r.Body, r.UsernameToken = &body, &outbound.Basic{User: "u", Password: planted["wss"]}
			},
		} {
			r := create()
			r.Variables = map[string]outbound.Variable{"pin": {Value: planted["declared"]}}
			change(&r)
			id := w.enqueue(t, r)
			w.drain(t)
			d := w.state(t, id, outbound.Dead, 1)
			if got := string(d.Tries[0].Answer); !strings.Contains(got, "Content-Length") && !strings.Contains(got, "headers") {
				t.Fatalf("the answer is not kept: %s", got)
			}
			fmt.Fprintf(&logs, "%+v %s %s\n", d, d.Tries[0].Request, d.Tries[0].Answer)
			if _, err := w.Do(t.Context(), r); err != nil {
				t.Error(err)
			}
		}
		dump := w.dump(t)
		if !strings.Contains(dump, "hello") || !strings.Contains(dump, "***") {
			t.Fatal("the calls are not in the dump")
		}
		for name, secret := range planted {
			for _, form := range []string{secret, escaped(secret), base64.StdEncoding.EncodeToString([]byte("us:" + secret)), base64.StdEncoding.EncodeToString([]byte("u:" + secret))} {
				for where, text := range map[string]string{"dump": dump, "log or answer": logs.String()} {
					if at := strings.Index(text, form); at >= 0 {
						t.Errorf("the secret %s stands in the %s: %s", name, where, text[max(0, at-200):at+len(form)])
					}
				}
			}
		}
	})
}

func escaped(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return strings.Trim(string(b), `"`)
}

// provider is an OAuth provider whose tokens can be revoked.
type provider struct {
	*httptest.Server
	mu      sync.Mutex
	valid   string
	granted atomic.Int64
	grants  []string
	refuse  map[string]bool
}

func newProvider(t testing.TB) *provider {
	p := &provider{refuse: map[string]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		grant := r.PostFormValue("grant_type")
		p.grants = append(p.grants, grant)
		w.Header().Set("Content-Type", "application/json")
		if p.refuse[grant] {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"error":"invalid_grant"}`)
			return
		}
		p.valid = fmt.Sprintf("token-%d", p.granted.Add(1))
		fmt.Fprintf(w, `{"access_token":%q,"refresh_token":"refresh-%d","token_type":"bearer","expires_in":600}`, p.valid, p.granted.Load())
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if r.Header.Get("Authorization") != "Bearer "+p.valid || p.valid == "" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

func (p *provider) revoke(grants ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.valid = ""
	for _, g := range grants {
		p.refuse[g] = true
	}
}

func (p *provider) asked() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.grants, " ")
}

// behind makes a message at a provider.
func (w *world) behind(t testing.TB, p *provider, grant string) {
	t.Helper()
	w.make(t, outbound.ProviderTable, "provider", "name", "provider", "client_id", "me", "client_secret", "it", "token_url", p.URL+"/token")
	w.make(t, outbound.ProfileTable, "oauth", "name", "oauth", "oauth_entity", "@provider", "grant_type", grant, "username", "us", "password", "word", "refresh_token", "first-refresh")
	w.make(t, outbound.MessageTable, "m", "name", "partner", "rest_endpoint", p.URL+"/x", "authentication_type", "oauth2", "oauth2_profile", "@oauth")
	w.make(t, outbound.FunctionTable, "f", "rest_message", "@m", "function_name", "create", "http_method", "get")
}

func TestTokensAreGrantedRefreshedAndKept(t *testing.T) {
	for grant, want := range map[string]string{"client_credentials": "client_credentials refresh_token refresh_token refresh_token client_credentials",
		"password": "password refresh_token refresh_token refresh_token password", "refresh_token": ""} {
		t.Run(grant, func(t *testing.T) {
			w := open(t, stores.SQLite(t), "routes: []")
			p := newProvider(t)
			w.behind(t, p, grant)
			do := func(want int) {
				t.Helper()
				r, err := w.Do(t.Context(), create())
				if err != nil || r.Status != want {
					t.Fatal(r, err)
				}
			}
			do(200)
			do(200) // with the token that is kept
			w.clock.pass(time.Hour)
			do(200) // the token has run out: refreshed
			p.revoke()
			do(200) // refused: refreshed
			p.revoke("refresh_token")
			_, err := w.Do(t.Context(), create())
			if grant == "refresh_token" {
				if err == nil || !strings.Contains(err.Error(), "invalid_grant") {
					t.Errorf("got %v", err)
				}
				return
			}
			check(t, err)
			if got := p.asked(); got != want {
				t.Errorf("asked for %s, want %s", got, want)
			}
		})
	}
}

func TestManyCallsRefreshATokenOnce(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		w := open(t, cfg, "routes: []")
		p := newProvider(t)
		w.behind(t, p, "client_credentials")
		for round := range 2 {
			var calls sync.WaitGroup
			for range 16 {
				calls.Go(func() {
					if r, err := w.Do(t.Context(), create()); err != nil || r.Status != 200 {
						t.Error(r, err)
					}
				})
			}
			calls.Wait()
			if n := p.granted.Load(); n != int64(round+1) {
				t.Fatalf("%d tokens after round %d", n, round)
			}
			w.clock.pass(time.Hour)
		}
	})
}

func TestDeliveryWhoseCredentialsAreRefusedIsDeadWithTheReason(t *testing.T) {
	w := open(t, stores.SQLite(t), "routes: []")
	p := newProvider(t)
	w.behind(t, p, "client_credentials")
	p.revoke("client_credentials")
	id := w.enqueue(t, create())
	w.drain(t)
	if d := w.state(t, id, outbound.Dead, 1); d.Reason != "credentials" || !strings.Contains(d.Error, "invalid_grant") {
		t.Errorf("%s: %s", d.Reason, d.Error)
	}
}
