package access_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// secrets are values that ann must never see, nor anything that depends on them.
var secrets = []string{"7700", "8800", "9900", "bens-note", "sealed-note", "s3cret", "hidden-finding", "unnamed", "AUD1"}

// dice draws queries over everything there is to ask.
type dice struct {
	*rand.Rand
	db *record.DB
}

var asked = map[string][]string{
	"u_case": {"name", "owner", "salary", "note", "token", "parent", "parent.name", "parent.salary", "parent.note", "parent.parent.salary",
		"parent.token", "sys_created_by"},
	"incident":     {"number", "severity", "case", "case.name", "case.salary", "case.note", "opened_by", "opened_by.user_password", "opened_by.phone"},
	"task":         {"number", "case.salary", "case.parent.note", "opened_by.failed_attempts"},
	"u_audit_task": {"number", "finding"},
	"u_unnamed":    {"name"},
}

func (d *dice) pick(from []string) string { return from[d.IntN(len(from))] }

// condition draws a term that tells something when it is asked: its values are the secrets and pieces of them.
func (d *dice) condition(table string) string {
	field := d.pick(asked[table])
	value := d.pick(secrets)
	if d.IntN(2) == 0 {
		value = value[:1+d.IntN(len(value))]
	}
	switch d.IntN(9) {
	case 0:
		return field + "ISNOTEMPTY"
	case 1:
		return field + "BETWEEN1@" + value
	case 2:
		return field + "GT_FIELD" + d.pick(asked[table])
	case 3:
		return field + "SAMEAS" + d.pick(asked[table])
	case 4:
		return "RLQUERYu_case.parent,>=1^" + d.pick([]string{"salary=" + value, "note=" + value, "name=" + value, "token=" + value}) + "^ENDRLQUERY"
	case 5:
		return "JOIN" + table + ".sys_id=u_case.parent!" + d.pick([]string{"salary=" + value, "noteLIKE" + value, "owner=ben"})
	}
	return field + d.pick([]string{"=", "!=", "LIKE", "STARTSWITH", "ENDSWITH", "NOT LIKE", "<", ">=", "IN", "NOT IN"}) + value
}

func (d *dice) query(table string) (*record.Query, string, error) {
	parts := []string{} // often none: then nothing but what is asked for can be refused
	for range d.IntN(4) {
		parts = append(parts, d.condition(table))
	}
	text := strings.Join(parts, d.pick([]string{"^", "^OR", "^NQ"}))
	t, err := d.db.Table(table)
	if err != nil {
		return nil, "", err
	}
	parsed, err := query.Parse(text, t, query.Env{})
	if err != nil {
		return nil, "", err
	}
	q := &record.Query{Table: t, Where: parsed.Where}
	field := d.pick(asked[table])
	switch d.IntN(4) {
	case 0:
		q.Measures = []record.Measure{{Func: d.pick([]string{"min", "max", "count", "distinct"}), Field: field}}
	case 1:
		q.Fields = []string{field}
		q.Measures = []record.Measure{{Func: "count"}}
	case 2:
		q.Fields = asked[table]
		q.OrderBy = []query.Order{{Field: field, Desc: d.IntN(2) == 0}}
		q.Limit = d.IntN(3)
	default:
		q.Fields = asked[table]
	}
	return q, text, nil
}

// TestNoQueryTellsWhatMayNotBeRead asks the same questions in two worlds that differ only in what ann may not read:
// whatever she asks, she gets the same answers.
func TestNoQueryTellsWhatMayNotBeRead(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		restrict(f)
		sessions := []record.Session{f.user("ann"), f.user("ines", "itil")}
		fill(f)
		f.add("u_case", "name", "ann2", "owner", "ann", "salary", "6600", "note", "anns-other")
		var asks []*record.Query
		var texts []string
		d := &dice{rand.New(rand.NewPCG(3, 4)), f.db}
		for range 300 {
			for _, table := range []string{"u_case", "incident", "task", "u_audit_task", "u_unnamed"} {
				q, text, err := d.query(table)
				f.must(err)
				asks, texts = append(asks, q), append(texts, text)
			}
		}
		first := answers(f, sessions, asks)
		change(f)
		denied := 0
		for i, got := range answers(f, sessions, asks) {
			q := asks[i/len(sessions)]
			if got != first[i] {
				t.Errorf("%s %q, fields %v, measures %v, order %v: first %s, then %s", q.Table.Name, texts[i/len(sessions)], q.Fields, q.Measures, q.OrderBy, first[i], got)
			}
			for _, s := range secrets {
				if i%len(sessions) == 0 && strings.Contains(first[i], s) {
					t.Errorf("%s %q: %s", q.Table.Name, texts[i/len(sessions)], first[i])
				}
			}
			if got == "denied" {
				denied++
			}
		}
		if all := len(first); denied == 0 || denied == all {
			t.Errorf("%d of %d questions denied", denied, all)
		}
	})
}

// change gives other values to all that neither ann nor ines may read.
func change(f *fixture) {
	system := f.db.As(record.System)
	for _, row := range f.rows(system, &record.Query{Table: f.table("u_case"), Fields: []string{"sys_id", "owner", "name"}}) {
		values := assign("salary", map[string]string{"ann1": "100", "ann2": "200"}[row[2]], "token", "other")
		if row[1] != "ann" || row[2] == "sealed" {
			values = append(values, assign("note", "other")...)
		}
		_, _, err := system.Quiet("test").Update(f.Context(), f.table("u_case"), row[0], values)
		f.must(err)
	}
	for table, field := range map[string]string{"u_audit_task": "finding", "u_unnamed": "name"} {
		for _, row := range f.rows(system, &record.Query{Table: f.table(table), Fields: []string{"sys_id"}}) {
			_, _, err := system.Update(f.Context(), f.table(table), row[0], assign(field, "other"))
			f.must(err)
		}
	}
}

// answers asks everything as everybody.
func answers(f *fixture, sessions []record.Session, asks []*record.Query) []string {
	var out []string
	for _, q := range asks {
		for _, s := range sessions {
			rows, err := read(f.Context(), s, q)
			switch {
			case err == nil:
				out = append(out, fmt.Sprint(rows))
			case fault.KindOf(err) == fault.Denied:
				out = append(out, "denied")
			default:
				out = append(out, fault.KindOf(err).String())
			}
		}
	}
	return out
}
