package access_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/access"
)

// restrict gives u_case rules of every kind: rows by owner, a field by role, one by condition, deny unless.
func restrict(f *fixture) {
	f.rule("read", "u_case", "owner=javascript:gs.getUserName()")
	f.rule("read", "u_case", "", "u_boss")
	f.rule("create", "u_case", "owner=javascript:gs.getUserName()")
	f.rule("create", "u_case", "", "u_boss")
	f.rule("write", "u_case", "owner=javascript:gs.getUserName()")
	f.rule("write", "u_case", "", "u_boss")
	f.rule("delete", "u_case", "", "u_boss")
	f.rule("read", "u_case.salary", "", "u_payroll")
	f.rule("write", "u_case.salary", "", "u_payroll")
	f.rule("create", "u_case.salary", "", "u_payroll")
	f.rule("read", "u_case.note", "owner=javascript:gs.getUserName()")
	f.ruleWith("read", "u_case", nil, "condition", "name!=sealed", "decision_type", "deny")
	f.rule("read", "u_audit_task", "", "u_boss")
	f.rule("write", "u_audit_task", "", "u_boss")
}

// fill makes records, trusted.
func fill(f *fixture) {
	parent := f.add("u_case", "name", "ben1", "owner", "ben", "salary", "7700", "note", "bens-note", "token", "s3cret")
	mine := f.add("u_case", "name", "ann1", "owner", "ann", "salary", "8800", "note", "anns-note", "parent", parent)
	f.add("u_case", "name", "sealed", "owner", "ann", "salary", "9900", "note", "sealed-note", "parent", mine)
	f.add("incident", "number", "INC1", "case", parent)
	f.add("u_audit_task", "number", "AUD1", "finding", "hidden-finding")
	f.add("u_unnamed", "name", "unnamed")
}

func TestAccessMatrix(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		restrict(f)
		sessions := map[string]record.Session{"ann": f.user("ann"), "boss": f.user("boss", f.made("u_boss")),
			"itil": f.user("ines", "itil"), "payroll": f.user("paul", f.made("u_payroll"), "u_boss"), "admin": f.user("root", "admin")}
		fill(f)
		for _, c := range []struct {
			who, table string
			read       string // display values of the records that are read, sorted
			salaries   string // what is read of the salary of these
			verbs      string // what he may do with a record of his own: c, w, d; upper case: with one of ben's
		}{
			{"ann", "u_case", "ann1", "-", "cw"},
			{"boss", "u_case", "ann1 ben1", "- -", "cwdCWD"},
			{"payroll", "u_case", "ann1 ben1", "7700 8800", "cwdCWD"},
			{"itil", "u_case", "", "", "cw"},
			{"admin", "u_case", "ann1 ben1 sealed", "7700 8800 9900", "cwdCWD"},
			{"ann", "u_unnamed", "", "", ""},
			{"itil", "u_unnamed", "", "", ""},
			{"admin", "u_unnamed", "unnamed", "", "cwd"},
			{"ann", "task", "", "", ""},
			{"itil", "task", "INC1", "", "cwd"},
			{"itil", "u_audit_task", "", "", "c"},
			{"boss", "task", "AUD1", "", ""},
			{"admin", "task", "AUD1 INC1", "", "cwd"},
		} {
			t.Run(c.who+" "+c.table, func(t *testing.T) {
				g := &fixture{T: t, Service: f.Service, db: f.db, clock: f.clock}
				s := sessions[c.who]
				display := f.table(c.table).DisplayField().Name
				if got := strings.Join(g.names(s, c.table, display), " "); got != c.read {
					t.Errorf("reads %q, want %q", got, c.read)
				}
				n, err := s.Count(t.Context(), g.table(c.table), nil)
				if err != nil || int(n) != len(strings.Fields(c.read)) {
					t.Errorf("counts %d, %v", n, err)
				}
				if c.table == "u_case" {
					if got := strings.Join(g.names(s, c.table, "salary"), " "); got != c.salaries {
						t.Errorf("reads salaries %q, want %q", got, c.salaries)
					}
				}
				if got := g.verbs(s, c.who, c.table, display); got != c.verbs {
					t.Errorf("may %q, want %q", got, c.verbs)
				}
			})
		}
	})
}

// made makes a role and gives its name.
func (f *fixture) made(role string) string { f.role(role); return role }

// verbs tries what somebody may do, with a record of his own and with one of ben's, and takes it back.
func (f *fixture) verbs(s record.Session, who, table, display string) string {
	f.Helper()
	out := ""
	owner := map[string]string{"itil": "ines", "payroll": "paul", "admin": "root"}[who]
	if owner == "" {
		owner = who
	}
	owners := []string{owner, "ben"}
	if table != "u_case" {
		owners = owners[:1]
	}
	for i, name := range owners {
		values := assign(display, "tried")
		if table == "u_case" {
			values = append(values, assign("owner", name)...)
		}
		did := ""
		if r, err := s.Insert(f.Context(), f.table(table), values); f.permitted(err, record.DeniedInsert) {
			did += "c"
			f.must(f.db.As(record.System).Delete(f.Context(), f.table(table), r.ID()))
		}
		r, err := f.db.As(record.System).Insert(f.Context(), f.table(table), values)
		f.must(err)
		if _, _, err := s.Update(f.Context(), f.table(table), r.ID(), assign(display, "written")); f.permitted(err, record.DeniedUpdate) {
			did += "w"
		}
		if err := s.Delete(f.Context(), f.table(table), r.ID()); f.permitted(err, record.DeniedDelete) {
			did += "d"
		} else {
			f.must(f.db.As(record.System).Delete(f.Context(), f.table(table), r.ID()))
		}
		if i == 1 {
			did = strings.ToUpper(did)
		}
		out += did
	}
	return out
}

// permitted tells a success from a refusal by rules; anything else is a failure of the test.
func (f *fixture) permitted(err error, message string) bool {
	f.Helper()
	kind := fault.KindOf(err)
	if err != nil && kind != fault.NotFound && (kind != fault.Denied || !strings.Contains(err.Error(), message)) {
		f.Errorf("refused by %v", err)
	}
	return err == nil
}

func TestARefusedWriteLeavesNothingAndTheTransactionGoesOn(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		restrict(f)
		ann := f.user("ann")
		cases := f.table("u_case")
		var kept *record.Record
		err := ann.Write(t.Context(), func(w *record.Writer) error {
			if _, err := w.Insert(t.Context(), cases, assign("name", "bens", "owner", "ben")); fault.KindOf(err) != fault.Denied || err == nil {
				t.Errorf("made for another: %v", err)
			}
			var err error
			kept, err = w.Insert(t.Context(), cases, assign("name", "mine", "owner", "ann", "salary", "5"))
			return err
		})
		f.must(err)
		system := f.db.As(record.System)
		if got := f.names(system, "u_case", "name"); !slices.Equal(got, []string{"mine"}) {
			t.Errorf("there is %v", got)
		}
		if got := f.names(system, "u_case", "salary"); got[0] != "-" {
			t.Errorf("a field that may not be written was: %v", got)
		}
		if n, err := system.Count(t.Context(), f.table(record.ChangeTable), is("table_name", "u_case")); n != 1 || err != nil {
			t.Errorf("%d change rows, %v", n, err)
		}
		rows := &record.Rows{Fields: []string{"sys_id", "name", "owner"}, Values: []record.Value{
			record.Text(record.NewID()), record.Text("a"), record.Text("ann"), record.Text(record.NewID()), record.Text("b"), record.Text("ben")}}
		err = ann.Write(t.Context(), func(w *record.Writer) error { return w.InsertRows(t.Context(), cases, rows) })
		if fault.KindOf(err) != fault.Denied || err == nil {
			t.Errorf("a block with a record of another: %v", err)
		}
		other := f.add("u_case", "name", "bens", "owner", "ben")
		err = ann.Write(t.Context(), func(w *record.Writer) error {
			stale, err := w.UpdateRows(t.Context(), cases, &record.Rows{Fields: []string{"sys_id", "sys_mod_count", "name"},
				Values: []record.Value{record.Text(other), record.Null, record.Text("taken")}}, nil)
			if err == nil && len(stale) == 0 {
				t.Error("a block changes the record of another")
			}
			r := record.NewRecord(cases)
			r.Set(record.SysID, record.Text(kept.ID()))
			n, derr := w.DeleteRows(t.Context(), cases, []*record.Record{r})
			if n != 0 || fault.KindOf(derr) != fault.Denied {
				t.Errorf("a block removes what may not be removed: %d, %v", n, derr)
			}
			return nil
		})
		f.must(err)
		if got := f.names(system, "u_case", "name"); !slices.Equal(got, []string{"bens", "mine"}) {
			t.Errorf("there is %v", got)
		}
	})
}

func TestAClassIsNotMadeByWayOfItsParent(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.rule("create", "u_audit_task", "", f.made("u_boss"))
		itil := f.user("ines", "itil")
		if _, err := itil.Insert(t.Context(), f.table("task"), assign("number", "x", "sys_class_name", "u_audit_task")); fault.KindOf(err) != fault.Denied || err == nil {
			t.Errorf("made: %v", err)
		}
		if _, err := itil.Insert(t.Context(), f.table("task"), assign("number", "x", "sys_class_name", "incident")); err != nil {
			t.Error(err)
		}
	})
}

func TestRulesThatCannotBeMetRefuse(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.add("u_unnamed", "name", "x")
		ann := f.user("ann")
		for _, c := range []struct {
			what  string
			pairs []string
		}{
			{"a script", []string{"script", "answer = true"}},
			{"a condition without meaning", []string{"condition", "no_such_field=1"}},
			{"a condition partly without meaning", []string{"condition", "name=x^no_such_field=1"}},
			{"inactive", []string{"active", "false"}},
		} {
			id := f.ruleWith("read", "u_unnamed", nil, c.pairs...)
			if got := f.names(ann, "u_unnamed", "name"); len(got) != 0 {
				t.Errorf("%s: reads %v", c.what, got)
			}
			f.must(f.db.As(record.System).Delete(t.Context(), f.table(access.RuleTable), id))
		}
		role := f.made("u_gone")
		f.rule("read", "u_unnamed", "", role)
		f.must(f.db.As(record.System).Delete(t.Context(), f.table(access.RoleTable), f.role(role)))
		if got := f.names(ann, "u_unnamed", "name"); len(got) != 0 {
			t.Errorf("a rule whose role is gone: reads %v", got)
		}
		id := f.rule("read", "u_unnamed", "")
		if got := f.names(ann, "u_unnamed", "name"); len(got) != 1 {
			t.Errorf("a rule without anything: reads %v", got)
		}
		f.must(f.db.As(record.System).Delete(t.Context(), f.table(access.RuleTable), id))
		if got := f.names(ann, "u_unnamed", "name"); len(got) != 0 {
			t.Errorf("a rule removed: reads %v", got)
		}
	})
}

func TestAdminOverridesCanBeOff(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.add("u_unnamed", "name", "x")
		f.add("u_unnamed", "name", "y")
		admin := f.user("root", "admin")
		f.ruleWith("read", "u_unnamed", nil, "condition", "name=x", "admin_overrides", "false")
		if got := f.names(admin, "u_unnamed", "name"); !slices.Equal(got, []string{"x"}) {
			t.Errorf("admin reads %v", got)
		}
	})
}

func TestUsersReadThemselvesAndTheBasicsOfOthers(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ann, ben := f.user("ann"), f.user("ben")
		for _, s := range []record.Session{ann, ben} {
			f.db.As(record.System).Update(t.Context(), f.table("sys_user"), s.Actor().ID, assign("phone", "123", "email", "a@b.ch"))
		}
		got := f.rows(ann, &record.Query{Table: f.table("sys_user"), Fields: []string{"user_name", "email", "phone"}, OrderBy: []query.Order{{Field: "user_name"}}})
		if want := "[[ann a@b.ch 123] [ben a@b.ch -]]"; fmt.Sprint(got) != want {
			t.Errorf("reads %v, want %s", got, want)
		}
		hidden, err := ann.Hidden(t.Context(), f.table("sys_user"), []string{"email", "phone", "manager.phone", "user_password"}, []string{ann.Actor().ID, ben.Actor().ID})
		f.must(err)
		for _, c := range []struct {
			field, id string
			want      bool
		}{{"email", ben.Actor().ID, false}, {"phone", ben.Actor().ID, true}, {"phone", ann.Actor().ID, false}, {"user_password", ann.Actor().ID, true}, {"manager.phone", ben.Actor().ID, false}} {
			if hidden(c.field, c.id) != c.want {
				t.Errorf("hidden %s of %s: %v", c.field, c.id, !c.want)
			}
		}
		if _, _, err := ann.Update(t.Context(), f.table("sys_user"), ann.Actor().ID, assign("email", "x@y.ch")); fault.KindOf(err) != fault.Denied || err == nil {
			t.Errorf("changes: %v", err)
		}
	})
}

func TestWhoIsNobodyDoesNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		fill(f)
		f.rule("read", "u_unnamed", "")
		ann := f.user("ann", "admin")
		f.must(f.SetActive(t.Context(), "ann", false))
		for name, s := range map[string]record.Session{"unknown": f.db.As(record.Actor{}), "no user": f.db.As(record.Actor{ID: "x", Name: "admin"}), "inactive": ann} {
			for _, table := range []string{"u_case", "u_unnamed", "task", "sys_user", "sys_properties"} {
				if f.db.Catalog().Table(table) == nil {
					continue
				}
				if n, err := s.Count(t.Context(), f.table(table), nil); n != 0 || err != nil {
					t.Errorf("%s counts %d in %s, %v", name, n, table, err)
				}
			}
			if _, err := s.Insert(t.Context(), f.table("u_unnamed"), assign("name", "x")); fault.KindOf(err) != fault.Denied || err == nil {
				t.Errorf("%s inserts: %v", name, err)
			}
			if _, err := f.db.Define(t.Context(), s.Actor(), false, record.Table{Name: "u_new", Fields: []record.Field{field("a", record.String)}}); fault.KindOf(err) != fault.Denied || err == nil {
				t.Errorf("%s defines: %v", name, err)
			}
		}
	})
}

func TestManyWritersAtOnceDoNotWaitForEachOthersRules(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		admin := f.user("root", "admin")
		const writers = 40
		failed := make(chan error, writers)
		for i := range writers {
			go func() {
				_, err := admin.Insert(t.Context(), f.table("sys_user"), assign("user_name", fmt.Sprint("u", i)))
				failed <- err
			}()
		}
		for range writers {
			if err := <-failed; err != nil {
				t.Error(err)
			}
		}
		if n := len(f.names(f.db.As(record.System), "sys_user", "user_name")); n != writers+1 {
			t.Errorf("%d users", n)
		}
	})
}

func TestAChangeByAnEnforcedSessionCountsAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.add("u_unnamed", "name", "x")
		admin, ann := f.user("root", "admin"), f.user("ann")
		role := f.role("u_reader")
		rule := f.rule("read", "u_unnamed", "", "u_reader")
		for range 5 {
			given, err := admin.Insert(t.Context(), f.table(access.UserRoleTable), assign("user", ann.Actor().ID, "role", role))
			f.must(err)
			if got := f.names(ann, "u_unnamed", "name"); len(got) != 1 {
				t.Fatalf("the role given: reads %v", got)
			}
			_, _, err = admin.Update(t.Context(), f.table(access.RuleTable), rule, assign("active", "false"))
			f.must(err)
			if got := f.names(ann, "u_unnamed", "name"); len(got) != 0 {
				t.Fatalf("the rule off: reads %v", got)
			}
			_, _, err = admin.Update(t.Context(), f.table(access.RuleTable), rule, assign("active", "true"))
			f.must(err)
			f.must(admin.Delete(t.Context(), f.table(access.UserRoleTable), given.ID()))
			if got := f.names(ann, "u_unnamed", "name"); len(got) != 0 {
				t.Fatalf("the role taken: reads %v", got)
			}
		}
	})
}
