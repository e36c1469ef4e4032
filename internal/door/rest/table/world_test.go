package table_test

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/door/rest/table"
	"headrace/internal/door/rest/wire"
	"headrace/internal/flow/access"
	"headrace/internal/store/sqlstore"
	"headrace/internal/store/storetest/stores"
)

func TestMain(m *testing.M) { stores.Main(m) }

// Ids of the records of the world.
var (
	sales = strings.Repeat("d", 32)
	abel  = strings.Repeat("a", 32)
	beth  = strings.Repeat("b", 32)
	first = strings.Repeat("1", 32)
	next  = strings.Repeat("2", 32)
	third = strings.Repeat("3", 32)
)

// world is a small service desk: tables as the platform has them.
func world() []record.Table {
	text := func(name, label string) record.Field {
		return record.Field{Name: name, Label: label, Type: record.String}
	}
	of := func(name, label string, t record.Type) record.Field {
		return record.Field{Name: name, Label: label, Type: t}
	}
	link := func(name, label, table string) record.Field {
		return record.Field{Name: name, Label: label, Type: record.Reference, Reference: table}
	}
	return []record.Table{
		{Name: "cmn_department", Label: "Department", Fields: []record.Field{text("name", "Name")}},
		{Name: "sys_user", Label: "User", Fields: []record.Field{text("name", "Name"), text("user_name", "User ID"), text("email", "Email"),
			link("department", "Department", "cmn_department"), link("manager", "Manager", "sys_user"), of("user_password", "Password", record.Secret)}},
		{Name: "task", Label: "Task", Extendable: true, Fields: []record.Field{
			{Name: "number", Label: "Number", Type: record.String, Display: true}, {Name: "short_description", Label: "Short description", Type: record.String, Length: 20},
			{Name: "state", Label: "State", Type: record.Choice, Default: "1", Choices: []record.Option{{Value: "1", Label: "New"}, {Value: "2", Label: "In Progress"}, {Value: "7", Label: "Closed"}}},
			{Name: "active", Label: "Active", Type: record.Boolean, Default: "true"}, of("opened_at", "Opened", record.DateTime), of("due", "Due", record.Date),
		}},
		{Name: "incident", Label: "Incident", Extends: "task", Fields: []record.Field{link("caller_id", "Caller", "sys_user"), of("reassignment_count", "Reassignment count", record.Integer),
			of("effort", "Effort", record.Duration), {Name: "watch_list", Label: "Watch list", Type: record.List, Reference: "sys_user"},
			of("cost", "Cost", record.Decimal), of("comments", "Additional comments", record.JournalInput)}},
		{Name: "problem", Label: "Problem", Extends: "task"},
		{Name: "u_note", Label: "Note", Fields: []record.Field{{Name: "u_key", Label: "Key", Type: record.String, Unique: true, Display: true}, text("u_text", "Text"),
			{Name: "u_must", Label: "Must", Type: record.String, Mandatory: true, Default: "x"}, of("u_count", "Count", record.Integer), of("u_on", "On", record.DateTime),
			link("u_user", "User", "sys_user"), of("u_secret", "Secret", record.Secret), {Name: "u_short", Label: "Short", Type: record.String, Length: 5},
			{Name: "u_kind", Label: "Kind", Type: record.Choice, Choices: []record.Option{{Value: "a", Label: "Alpha"}, {Value: "b", Label: "Beta"}}}}},
		{Name: "u_shut", Label: "Shut", Fields: []record.Field{text("u_name", "Name")}},
	}
}

func set(pairs ...string) []record.Assignment {
	var out []record.Assignment
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, record.Assignment{Field: pairs[i], Value: record.Text(pairs[i+1])})
	}
	return out
}

func seed(t testing.TB, db *record.DB) {
	for _, r := range []struct {
		table  string
		values []record.Assignment
	}{
		{"cmn_department", set("sys_id", sales, "name", "Sales")},
		{"sys_user", set("sys_id", abel, "name", "Abel Tuter", "user_name", "abel.tuter", "email", "abel@example.com", "department", sales, "user_password", "hash")},
		{"sys_user", set("sys_id", beth, "name", "Beth Anglin", "user_name", "beth.anglin")},
		{"incident", set("sys_id", first, "number", "INC0000001", "short_description", "Net down", "state", "2", "caller_id", abel, "opened_at", "2026-11-01 10:00:00",
			"due", "2026-11-05", "reassignment_count", "3", "effort", "1970-01-01 00:02:17", "watch_list", abel+","+beth, "cost", "0.75", "comments", "Called back")},
		{"incident", set("sys_id", next, "number", "INC0000002", "short_description", `He said "net" ü`, "state", "1", "caller_id", beth, "reassignment_count", "0")},
		{"incident", set("sys_id", third, "number", "INC0000003", "short_description", "Printer", "state", "7", "active", "false", "reassignment_count", "1")},
		{"problem", set("number", "PRB0000001", "short_description", "Root", "state", "1")},
		{"u_shut", set("u_name", "seen by no guest")},
	} {
		table, err := db.Table(r.table)
		if err == nil {
			_, err = db.As(record.System).Insert(context.Background(), table, r.values)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// guard lets guests read active tasks but not what they are about, and write notes they cannot take back.
type guard struct{}

func (guard) Records(_ context.Context, a record.Actor, t *record.Table, what record.Access) (record.Permit, error) {
	switch {
	case a.Name != "guest" || what == record.Read && t.Name != "u_shut" && t.Name != "incident":
		return record.Permit{}, nil
	case what == record.Read && t.Name == "incident":
		return record.Permit{Where: &query.Term{Field: "active", Op: query.Equal, Values: []string{"true"}}}, nil
	}
	return record.Permit{Denied: true}, nil
}

func (guard) Fields(_ context.Context, a record.Actor, t *record.Table, what record.Access) (map[string]record.Permit, error) {
	if a.Name == "guest" && t.Name == "incident" && what == record.Read {
		return map[string]record.Permit{"short_description": {Denied: true}}, nil
	}
	return nil, nil
}

// rule refuses notes that say so, and breaks down over others.
type rule struct{}

func (rule) Sees(t *record.Table) bool { return t.Name == "u_note" }

func (rule) Before(_ context.Context, c *record.Change) error {
	switch {
	case c.New == nil:
		return nil
	case c.New.Get("u_text").Text == "refuse":
		return fault.New(fault.Refused, "the rule says no")
	case c.New.Get("u_text").Text == "panic":
		panic("a defect in /secret/place")
	case c.New.Get("u_text").Text == "shout":
		c.New.Set("u_text", record.Text("SHOUT"))
	}
	return nil
}

func (rule) After(context.Context, *record.Change) error { return nil }

// noon is the time in the world.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return noon }

// server is the APIs over a store.
type server struct {
	*httptest.Server
	db *record.DB
}

func serve(t testing.TB, cfg sqlstore.Config, adjust func(*wire.Deps)) *server {
	t.Helper()
	db, err := record.Open(context.Background(), stores.Open(t, cfg), record.Config{Tables: append(world(), table.Tables()...), Hooks: []record.Hook{rule{}}, Guard: guard{}, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	seed(t, db)
	d := wire.Deps{DB: db, Clock: clock, Log: slog.New(slog.DiscardHandler)}
	if adjust != nil {
		adjust(&d)
	}
	mux := http.NewServeMux()
	wire.Mount(mux, d, table.Routes(d))
	s := &server{Server: httptest.NewServer(known(mux)), db: db}
	t.Cleanup(s.Close)
	return s
}

// known puts the identity that a header names on each request: who somebody is, is not decided here.
func known(next http.Handler) http.Handler {
	who := map[string]*access.Identity{
		"admin": {Actor: record.Actor{ID: abel, Name: "abel.tuter"}, UserID: abel, UserName: "abel.tuter", DisplayName: "Abel Tuter", Zone: time.FixedZone("", 3600)},
		"guest": {Actor: record.Actor{ID: beth, Name: "guest"}, UserID: beth, UserName: "guest", DisplayName: "Guest"},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id := who[cmp.Or(r.Header.Get("As"), "admin")]; id != nil {
			r = r.WithContext(wire.WithIdentity(r.Context(), id))
		}
		next.ServeHTTP(w, r)
	})
}

// call sends "METHOD /path" with headers written "Name: value".
func (s *server) call(t testing.TB, do, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	method, path, _ := strings.Cut(do, " ")
	req, err := http.NewRequestWithContext(context.Background(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	resp, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(got)
}
