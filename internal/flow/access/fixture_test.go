package access_test

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/access"
	"headrace/internal/store/sqlstore"
	"headrace/internal/store/storetest/stores"
)

func TestMain(m *testing.M) { stores.Main(m) }

func onBoth(t *testing.T, fn func(t *testing.T, f *fixture)) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) { fn(t, open(t, cfg)) })
}

// clock is a time that tests move by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// fixture is the service over a store with the shipped rules, some tables and some users.
type fixture struct {
	*testing.T
	*access.Service
	db    *record.DB
	clock *clock
}

func field(name string, kind record.Type) record.Field {
	return record.Field{Name: name, Label: name, Type: kind}
}

func reference(name, table string) record.Field {
	return record.Field{Name: name, Label: name, Type: record.Reference, Reference: table}
}

// tables are a task that others extend, one of them with a rule of its own, a table that no rule names, and one whose
// records and fields are restricted in every way there is.
func tables() []record.Table {
	return []record.Table{
		{Name: "task", Extendable: true, Fields: []record.Field{field("number", record.String), field("short_description", record.String),
			field("active", record.Boolean), reference("opened_by", "sys_user"), reference("case", "u_case")}},
		{Name: "incident", Extends: "task", Fields: []record.Field{field("severity", record.Integer)}},
		{Name: "u_audit_task", Extends: "task", Fields: []record.Field{field("finding", record.String)}},
		{Name: "u_unnamed", Fields: []record.Field{field("name", record.String)}},
		{Name: "u_case", Fields: []record.Field{field("name", record.String), field("owner", record.String), field("salary", record.Integer),
			field("note", record.String), field("token", record.Secret), reference("parent", "u_case")}},
	}
}

func open(t *testing.T, cfg sqlstore.Config) *fixture {
	t.Helper()
	f := &fixture{T: t, Service: access.New(nil), clock: &clock{now: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)}}
	var err error
	f.db, err = record.Open(t.Context(), stores.Open(t, cfg), record.Config{Tables: append(access.Tables(), tables()...), Hooks: []record.Hook{f.Service},
		Guard: f.Service, Clock: f.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	f.Use(f.db)
	f.LogTo(slog.New(slog.DiscardHandler))
	if err := access.Seed(t.Context(), f.db); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func assign(pairs ...string) []record.Assignment {
	var out []record.Assignment
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, record.Assignment{Field: pairs[i], Value: record.Text(pairs[i+1])})
	}
	return out
}

// add makes a record, trusted, and gives its id.
func (f *fixture) add(table string, pairs ...string) string {
	f.Helper()
	r, err := f.db.As(record.System).Insert(f.Context(), f.table(table), assign(pairs...))
	f.must(err)
	return r.ID()
}

func (f *fixture) table(name string) *record.Table {
	f.Helper()
	t, err := f.db.Table(name)
	f.must(err)
	return t
}

// user makes a user without a password and gives his session.
func (f *fixture) user(name string, roles ...string) record.Session {
	f.Helper()
	_, err := f.CreateUser(f.Context(), access.NewUser{UserName: name, Roles: roles})
	f.must(err)
	return f.as(name)
}

func (f *fixture) as(name string) record.Session {
	f.Helper()
	who, err := f.IdentityOf(f.Context(), name)
	f.must(err)
	return f.db.As(who.Actor)
}

// rule makes an access rule and gives its id.
func (f *fixture) rule(operation, name, condition string, roles ...string) string {
	f.Helper()
	return f.ruleWith(operation, name, roles, "condition", condition)
}

func (f *fixture) ruleWith(operation, name string, roles []string, pairs ...string) string {
	f.Helper()
	id := f.add(access.RuleTable, append([]string{"operation", operation, "name", name}, pairs...)...)
	for _, role := range roles {
		f.add(access.RuleRoleTable, "sys_security_acl", id, "sys_user_role", f.role(role))
	}
	return id
}

// role finds a role, or makes it.
func (f *fixture) role(name string) string {
	f.Helper()
	for _, row := range f.rows(f.db.As(record.System), &record.Query{Table: f.table(access.RoleTable), Fields: []string{"sys_id"}, Where: is("name", name)}) {
		return row[0]
	}
	return f.add(access.RoleTable, "name", name)
}

func is(field, value string) query.Node {
	return &query.Term{Field: field, Op: query.Equal, Values: []string{value}}
}

// read gives what a query answers, nulls as "-".
func read(ctx context.Context, s record.Session, q *record.Query) ([][]string, error) {
	var out [][]string
	for row, err := range s.Select(ctx, q) {
		if err != nil {
			return nil, err
		}
		texts := make([]string, len(row))
		for i, v := range row {
			if texts[i] = v.Text; !v.Valid {
				texts[i] = "-"
			}
		}
		out = append(out, texts)
	}
	return out, nil
}

func (f *fixture) rows(s record.Session, q *record.Query) [][]string {
	f.Helper()
	rows, err := read(f.Context(), s, q)
	f.must(err)
	return rows
}

// names reads the names in a table, sorted.
func (f *fixture) names(s record.Session, table, field string) []string {
	f.Helper()
	var out []string
	for _, row := range f.rows(s, &record.Query{Table: f.table(table), Fields: []string{field}}) {
		out = append(out, row[0])
	}
	slices.Sort(out)
	return out
}
