package query_test

import (
	"strings"
	"testing"
	"time"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// incident gives the table that the tests ask about.
func incident(t testing.TB) *record.Table {
	t.Helper()
	field := func(name string, typ record.Type) record.Field { return record.Field{Name: name, Type: typ} }
	ref := func(name, table string) record.Field {
		return record.Field{Name: name, Type: record.Reference, Reference: table}
	}
	c, err := record.NewCatalog(
		record.Table{Name: "sys_user", Fields: []record.Field{field("name", record.String), field("email", record.Email),
			field("active", record.Boolean), ref("manager", "sys_user"), field("age", record.Integer)}},
		record.Table{Name: "problem", Fields: []record.Field{field("number", record.String), field("active", record.Boolean)}},
		record.Table{Name: "task", Extendable: true, Fields: []record.Field{
			field("number", record.String), field("short_description", record.String), field("short", record.String),
			field("state", record.Integer), field("priority", record.Integer), field("cost", record.Decimal),
			field("active", record.Boolean), field("opened_at", record.DateTime), field("closed_at", record.DateTime),
			field("due", record.Date), ref("assigned_to", "sys_user"), ref("caller_id", "sys_user")}},
		record.Table{Name: "incident", Extends: "task", Extendable: true, Fields: []record.Field{ref("problem_id", "problem")}},
		record.Table{Name: "major_incident", Extends: "incident"},
	)
	if err != nil {
		t.Fatal(err)
	}
	return c.Table("incident")
}

// env is a Wednesday morning in Berlin, two hours ahead of UTC.
func env(t testing.TB) query.Env {
	t.Helper()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return query.Env{
		Now: time.Date(2024, 5, 15, 8, 30, 45, 0, time.UTC), Zone: berlin,
		UserID: "0123456789abcdef0123456789abcdef", UserName: "abel.tuter", UserDisplay: "Abel Tuter",
		Dynamic: func(id string) ([]string, bool) { return []string{"u1", "u2"}, id == "mine" },
		IDValue: func(table, display string) (string, bool) {
			return "id of " + display, table == "sys_user" && display == "Beth"
		},
	}
}

func parse(t testing.TB, text string) *query.Query {
	t.Helper()
	q, err := query.Parse(text, incident(t), env(t))
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// shape writes a condition with its structure in plain sight.
func shape(n query.Node) string {
	list := func(word string, parts []query.Node) string {
		texts := make([]string, len(parts))
		for i, p := range parts {
			texts[i] = shape(p)
		}
		return word + "(" + strings.Join(texts, " ") + ")"
	}
	switch n := n.(type) {
	case nil:
		return "all"
	case *query.And:
		return list("and", n.Parts)
	case *query.Or:
		return list("or", n.Parts)
	case *query.Related:
		return "related[" + n.Table + " " + n.Field + " " + string(n.Op) + string(rune('0'+n.Count)) + " " + shape(n.Where) + "]"
	case *query.Exists:
		return "exists[" + n.Field + " " + n.Table + " " + n.Path + " " + shape(n.Where) + "]"
	}
	text, _ := query.Encode(n)
	return text
}
