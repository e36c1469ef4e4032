package table

import (
	"slices"
	"strings"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/door/rest/wire"
)

// filter reads which records are asked for: the encoded query or, without one, the parameters named like fields.
func (a *api) filter(r *wire.Request, t *record.Table) (*query.Query, error) {
	text := r.Param("sysparm_query")
	if text == "" {
		return &query.Query{Where: byName(r, t)}, nil
	}
	q, err := query.Parse(text, t, a.env(r))
	if err != nil {
		return nil, err
	}
	if n := terms(q.Where) + len(q.OrderBy); n > mostTerms {
		return nil, fault.New(fault.Limit, "the query has %d terms; the most are %d", n, mostTerms).WithHint("a list of values is one term: fieldINa,b,c")
	}
	if len(q.Invalid) > 0 && a.deps.NoRowsOnInvalid {
		q.Where = &query.Or{}
	}
	return q, nil
}

// mostTerms is the most terms of a query over the wire: databases take more than in proportion longer to plan many. A
// list of values is one.
const mostTerms = 5000

func terms(n query.Node) int {
	count := 0
	switch n := n.(type) {
	case nil:
		return 0
	case *query.And:
		for _, p := range n.Parts {
			count += terms(p)
		}
		return count
	case *query.Or:
		for _, p := range n.Parts {
			count += terms(p)
		}
		return count
	case *query.Related:
		return 1 + terms(n.Where)
	case *query.Exists:
		return 1 + terms(n.Where)
	}
	return 1
}

// env is what values of a query may depend on.
func (a *api) env(r *wire.Request) query.Env {
	who := r.Identity
	return query.Env{Now: a.deps.Now(), Zone: who.Zone, UserID: who.UserID, UserName: who.UserName, UserDisplay: who.DisplayName,
		IDValue: func(table, display string) (string, bool) {
			t := a.deps.DB.Catalog().Table(table)
			if t == nil {
				return "", false
			}
			return idByDisplay(r, t, display)
		}}
}

// idByDisplay finds the oldest record that is displayed like that, or whose id it is.
func idByDisplay(r *wire.Request, t *record.Table, display string) (string, bool) {
	if t.Field(record.SysID) == nil {
		return "", false
	}
	where := &query.Or{Parts: []query.Node{
		&query.Term{Field: t.DisplayField().Name, Op: query.Equal, Values: []string{display}},
		&query.Term{Field: record.SysID, Op: query.Equal, Values: []string{display}},
	}}
	for row, err := range r.Session.Select(r.Context(), &record.Query{Table: t, Fields: []string{record.SysID}, Where: where, Limit: 1}) {
		return row[0].Text, err == nil
	}
	return "", false
}

// byName makes a condition of the parameters that are named like fields; others are no filters. Fields with choices
// and references take what is displayed of them, too.
func byName(r *wire.Request, t *record.Table) query.Node {
	var names []string
	for name := range r.Query() {
		if !strings.HasPrefix(name, "sysparm_") && t.Path(name) != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	all := &query.And{}
	for _, name := range names {
		all.Parts = append(all.Parts, equals(t, name, r.Query()[name][0]))
	}
	if len(all.Parts) == 0 {
		return nil
	}
	return all
}

func equals(t *record.Table, path, value string) query.Node {
	steps := t.Path(path)
	f := steps[len(steps)-1]
	kind, _ := t.Kind(path)
	canonical, _ := query.Canonical(kind, value)
	stored := &query.Term{Field: path, Op: query.Equal, Values: []string{canonical}}
	either := &query.Or{Parts: []query.Node{stored}}
	for _, c := range f.Choices {
		if query.Fold(c.Label) == query.Fold(value) && c.Value != canonical {
			either.Parts = append(either.Parts, &query.Term{Field: path, Op: query.Equal, Values: []string{c.Value}})
		}
	}
	if f.Type == record.Reference && value != "" {
		if other := t.Catalog().Table(f.Reference); other != nil {
			shown := path + "." + other.DisplayField().Name
			either.Parts = append(either.Parts, &query.Term{Field: shown, Op: query.Equal, Values: []string{value}})
		}
	}
	if len(either.Parts) == 1 {
		return stored
	}
	return either
}
