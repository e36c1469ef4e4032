package table

import (
	"cmp"
	"context"
	"iter"
	"slices"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/door/rest/wire"
)

// source yields the records of a view, each with every field; the condition may be used to look at fewer.
type source func(ctx context.Context, where query.Node) iter.Seq2[[]record.Value, error]

// find finds a table, or a view: the audit, a staging table, rejected rows. The source is nil for tables.
func (a *api) find(r *wire.Request, name string) (*record.Table, source, error) {
	if name == AuditTable {
		t := a.deps.DB.Catalog().View(auditTable())
		return t, func(ctx context.Context, where query.Node) iter.Seq2[[]record.Value, error] {
			return audit(ctx, r.Session, a.deps.DB.Catalog(), where)
		}, nil
	}
	t, err := r.Table(name)
	if err == nil || a.deps.Imports == nil {
		return t, nil, err
	}
	view, viewErr := a.deps.Imports.View(r.Context(), name)
	if viewErr != nil {
		if fault.KindOf(viewErr) != fault.NotFound {
			err = viewErr
		}
		return nil, nil, err
	}
	return view, func(ctx context.Context, where query.Node) iter.Seq2[[]record.Value, error] {
		return a.deps.Imports.Viewed(ctx, view, where)
	}, nil
}

// viewed reads a page of a view, and how many records there are in all. Who may read none of it finds none.
func (a *api) viewed(r *wire.Request, p *plan, from source, q *query.Query, w window) (*rows, int64, error) {
	out := newRows(p)
	where, err := a.mayView(r, p.table, q.Where)
	if err != nil || where == nil {
		return out, 0, err
	}
	match, err := query.Compile(where, p.table)
	if err != nil {
		return nil, 0, fault.New(fault.Invalid, "%s is a view: conditions on it look at no other tables", p.table.Name)
	}
	var found [][]record.Value
	seen := 0
	for row, err := range from(r.Context(), where) {
		if err != nil {
			return nil, 0, err
		}
		if seen++; seen > mostViewed {
			return nil, 0, tooMany(p.table)
		}
		if match.Match(lookup(p.table, row)) {
			found = append(found, row)
		}
	}
	sortRows(p.table, found, q.OrderBy)
	for _, row := range found[min(w.offset, len(found)):min(w.offset+w.limit, len(found))] {
		for _, name := range p.selected {
			v, _ := value(p.table, row, name)
			out.values = append(out.values, v)
		}
		out.count++
	}
	return out, int64(len(found)), out.completeView(r.Context(), r.Session)
}

// completeView is complete for views: a field that is open on some records only is hidden on all.
func (o *rows) completeView(ctx context.Context, s record.Session) (err error) {
	if o.hidden, err = s.Hidden(ctx, o.plan.table, o.guarded(), nil); err == nil && o.plan.mode != storedOnly {
		o.shown, err = look(ctx, s, o)
	}
	return err
}

// mayView narrows a condition to what the caller may read of a view; nil is nothing.
func (a *api) mayView(r *wire.Request, t *record.Table, where query.Node) (query.Node, error) {
	permit, err := r.Session.Permit(r.Context(), t, record.Read)
	if err != nil || permit.Denied {
		return nil, err
	}
	all := &query.And{}
	for _, n := range []query.Node{where, permit.Where} {
		if n != nil {
			all.Parts = append(all.Parts, n)
		}
	}
	return all, nil
}

func value(t *record.Table, row []record.Value, name string) (record.Value, bool) {
	i := slices.IndexFunc(t.Fields, func(f record.Field) bool { return f.Name == name })
	if i < 0 {
		return record.Null, false
	}
	return row[i], true
}

func lookup(t *record.Table, row []record.Value) query.Lookup {
	return func(path string) (string, bool) {
		v, _ := value(t, row, path)
		return v.Text, v.Valid
	}
}

// sortRows puts records into order; those that are alike stay as they came.
func sortRows(t *record.Table, rows [][]record.Value, by []query.Order) {
	slices.SortStableFunc(rows, func(a, b []record.Value) int {
		for _, o := range by {
			x, _ := value(t, a, o.Field)
			y, _ := value(t, b, o.Field)
			c := cmp.Compare(query.Fold(x.Text), query.Fold(y.Text))
			if kind, _ := t.Kind(o.Field); kind == query.Number {
				c = cmp.Or(cmp.Compare(len(x.Text), len(y.Text)), cmp.Compare(x.Text, y.Text)) // none is below 0
			}
			if o.Desc {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return 0
	})
}

// one reads one record of a view, or none.
func (from source) one(a *api) func(r *wire.Request, t *record.Table, id string) (*rows, error) {
	return func(r *wire.Request, t *record.Table, id string) (*rows, error) {
		q := &query.Query{Where: &query.Term{Field: record.SysID, Op: query.Equal, Values: []string{id}}}
		out, _, err := a.viewed(r, newPlan(r, t, a.deps), from, q, window{limit: 1})
		if err == nil {
			out.single = true
		}
		return out, err
	}
}
