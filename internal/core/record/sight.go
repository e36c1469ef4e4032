package record

import (
	"context"

	"headrace/internal/core/query"
)

// sight is a query as its actor may ask it, and what to hide of the answer.
type sight struct {
	query *Query
	width int // fields asked for; behind them stand those that the masks look at
	masks []mask
	at    map[string]int // where in a row the masks find what they look at
	free  bool           // every record may be read
}

// mask hides one field, always or where its permit does not hold.
type mask struct {
	field int
	when  *query.Matcher // nil hides always
}

// see prepares a query: narrowed to what the actor may read, or refused when it looks at what he may not.
func (s Session) see(ctx context.Context, q *Query) (*sight, error) {
	if !s.guarded() {
		return &sight{query: q, free: true}, nil
	}
	v := s.viewer()
	narrow := *q
	where, err := v.narrow(ctx, q.Table, q.Where, asked(q))
	if err != nil {
		return nil, err
	}
	added, err := s.Narrow(ctx, q.Table)
	if err != nil {
		return nil, err
	}
	narrow.Where = both(where, added)
	out := &sight{query: &narrow, width: len(q.Fields), at: map[string]int{}, free: v.rows[q.Table.Name].Free() && added == nil}
	if len(q.Measures) > 0 {
		return out, nil
	}
	narrow.Fields = narrow.Fields[:len(narrow.Fields):len(narrow.Fields)]
	for i, f := range q.Fields {
		permit, err := v.path(ctx, q.Table, f)
		if err != nil {
			return nil, err
		}
		if !permit.Free() {
			out.mask(q.Table, i, permit)
		}
	}
	return out, nil
}

// asked lists the paths besides those of the condition that shape an answer, and so tell what is in them.
func asked(q *Query) []string {
	var paths []string
	for _, o := range q.OrderBy {
		paths = append(paths, o.Field)
	}
	if q.Keys != nil {
		paths = append(paths, q.Keys.Fields...)
	}
	if len(q.Measures) > 0 {
		paths = append(paths, q.Fields...)
		for _, m := range q.Measures {
			if m.Field != "" {
				paths = append(paths, m.Field)
			}
		}
	}
	return paths
}

// mask hides the field where its permit does not hold. A condition that takes a store to decide hides it everywhere.
func (v *sight) mask(t *Table, field int, p Permit) {
	m := mask{field: field}
	if !p.Denied {
		if when, err := query.Compile(p.Where, t); err == nil {
			m.when = when
			for _, path := range lookedAt(t, p.Where) {
				v.fetch(path)
			}
		}
	}
	v.masks = append(v.masks, m)
}

func (v *sight) fetch(path string) {
	if _, known := v.at[path]; !known {
		v.at[path] = len(v.query.Fields)
		v.query.Fields = append(v.query.Fields, path)
	}
}

// show hides what is to be hidden in a row, in place, and cuts it to what was asked for.
func (v *sight) show(t *Table, row []Value) []Value {
	if v.masks == nil {
		return row
	}
	look := func(path string) (string, bool) {
		if reference, ok := query.IsDisplayPath(path); ok {
			path = displayPath(t, reference)
		}
		i, known := v.at[path]
		if !known {
			return "", false
		}
		return row[i].Text, row[i].Valid
	}
	for _, m := range v.masks {
		if m.when == nil || !m.when.Match(look) {
			row[m.field] = Null
		}
	}
	return row[:v.width]
}

// lookedAt lists the paths that a matcher of the condition may ask for.
func lookedAt(t *Table, n query.Node) []string {
	var paths []string
	add := func(path string) {
		if t.Path(path) != nil {
			paths = append(paths, path)
		}
	}
	eachTerm(n, func(term *query.Term) {
		for _, path := range termPaths(term) {
			add(path)
			add(displayPath(t, path))
			if dot := lastDot(path); dot >= 0 {
				add(path[:dot+1] + SysID)
			}
		}
	})
	return paths
}

func lastDot(path string) int {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '.' {
			return i
		}
	}
	return -1
}

func eachTerm(n query.Node, visit func(*query.Term)) {
	switch n := n.(type) {
	case *query.And:
		for _, p := range n.Parts {
			eachTerm(p, visit)
		}
	case *query.Or:
		for _, p := range n.Parts {
			eachTerm(p, visit)
		}
	case *query.Term:
		visit(n)
	}
}

func termPaths(t *query.Term) []string {
	if comparesFields(t.Op) && len(t.Values) > 0 {
		return []string{t.Field, t.Values[0]}
	}
	return []string{t.Field}
}

// narrow rewrites a condition on t so that it tells nothing that the actor may not read: restricted fields in it, and
// those of the paths, refuse it or narrow it to the records on which they may be read.
func (v *viewer) narrow(ctx context.Context, t *Table, n query.Node, paths []string) (query.Node, error) {
	c := &scope{viewer: v, table: t, seen: map[string]bool{}}
	out, err := c.rewrite(ctx, n)
	for i := 0; i < len(paths) && err == nil; i++ {
		err = c.use(ctx, paths[i])
	}
	if err != nil {
		return nil, err
	}
	rows, err := v.records(ctx, t)
	if err != nil {
		return nil, err
	}
	if rows.Denied {
		return never(), nil
	}
	return both(both(out, c.where), rows.Where), nil
}

// scope is one table's part of a condition.
type scope struct {
	*viewer
	table *Table
	where query.Node // what the fields used ask for
	seen  map[string]bool
}

func (c *scope) use(ctx context.Context, path string) error {
	if c.seen[path] {
		return nil
	}
	c.seen[path] = true
	p, err := c.path(ctx, c.table, path)
	if err != nil {
		return err
	}
	if p.Denied {
		return denied(DeniedQuery)
	}
	c.where = both(c.where, p.Where)
	return nil
}

func (c *scope) rewrite(ctx context.Context, n query.Node) (query.Node, error) {
	switch n := n.(type) {
	case *query.And:
		parts, err := c.rewriteParts(ctx, n.Parts)
		return &query.And{Parts: parts}, err
	case *query.Or:
		parts, err := c.rewriteParts(ctx, n.Parts)
		return &query.Or{Parts: parts}, err
	case *query.Term:
		return n, c.useTerm(ctx, n)
	case *query.Related:
		r := *n
		var err error
		r.Where, err = c.elsewhere(ctx, n.Table, n.Field, n.Where)
		return &r, err
	case *query.Exists:
		e := *n
		err := c.use(ctx, n.Field)
		if err == nil {
			e.Where, err = c.elsewhere(ctx, n.Table, n.Path, n.Where)
		}
		return &e, err
	}
	return n, nil
}

func (c *scope) rewriteParts(ctx context.Context, parts []query.Node) ([]query.Node, error) {
	out := make([]query.Node, len(parts))
	for i, part := range parts {
		var err error
		if out[i], err = c.rewrite(ctx, part); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// useTerm uses the fields of a term. Terms on a reference may look at the display value of the record referred to,
// except those that only compare the reference itself.
func (c *scope) useTerm(ctx context.Context, t *query.Term) error {
	for _, path := range termPaths(t) {
		if err := c.use(ctx, path); err != nil {
			return err
		}
	}
	switch t.Op {
	case query.Equal, query.NotEqual, query.In, query.NotIn, query.IsEmpty, query.IsNotEmpty, query.EmptyString,
		query.Anything, query.SameAs, query.NotSameAs, query.InstanceOf:
		return nil
	}
	if kind, ok := c.table.Kind(t.Field); ok && kind == query.Reference {
		return c.use(ctx, displayPath(c.table, t.Field))
	}
	return nil
}

// elsewhere narrows a condition on another table, with the field there that leads back.
func (c *scope) elsewhere(ctx context.Context, table, field string, where query.Node) (query.Node, error) {
	t := c.table.catalog.Table(table)
	if t == nil {
		return where, nil
	}
	return c.narrow(ctx, t, where, []string{field})
}
