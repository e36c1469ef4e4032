package sqldb

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// statement is the SELECT of one reading.
type statement struct {
	sql      string
	columns  []column // nil: as the result says
	mark     int      // index of the watermark's column, -1 when there is none
	unstable bool     // nothing settles the order of the rows
}

// plan asks the database what there is to read and makes the statement of it. A query that needs nothing is run as it is.
func (g *reading) plan(ctx context.Context, s session) (*statement, error) {
	asIs := g.table == nil && g.watermark == "" && len(g.order) == 0
	if asIs && g.cell == nil {
		return &statement{sql: g.query, mark: -1}, nil
	}
	from := g.from()
	columns, err := s.describe(ctx, "SELECT * FROM "+from)
	if err != nil {
		return nil, g.missing(ctx, s, err)
	}
	st := &statement{columns: columns, mark: -1}
	if asIs && !slices.ContainsFunc(columns, func(c column) bool { return g.cell(c) != "" }) {
		st.sql = g.query
		return st, nil
	}
	var where string
	if g.watermark != "" {
		if st.mark, where, err = g.begins(columns); err != nil {
			return nil, err
		}
	}
	order, err := g.sorted(ctx, s, st)
	if err != nil {
		return nil, err
	}
	st.sql = "SELECT " + g.selected(columns) + " FROM " + from + where + order
	return st, nil
}

// from is what is selected from: a table, or a query as a table. The line end is for a comment at its end.
func (g *reading) from() string {
	if g.table == nil {
		return "(" + g.query + "\n) headrace_query"
	}
	return g.quoted(g.table)
}

func (db *database) quoted(t tableName) string {
	parts := make([]string, len(t))
	for i, part := range t {
		parts[i] = db.quote(part)
	}
	return strings.Join(parts, ".")
}

func (g *reading) selected(columns []column) string {
	list := make([]string, len(columns))
	for i, c := range columns {
		name := g.quote(c.name)
		list[i] = name
		if g.cell == nil {
			continue
		}
		if cell := g.cell(c); cell != "" {
			list[i] = cell + " AS " + name
		}
	}
	return strings.Join(list, ", ")
}

// begins finds the watermark's column and says from where on is read. Rows without a mark are read every time: nobody
// knows when they changed.
func (g *reading) begins(columns []column) (int, string, error) {
	i, err := find(columns, "watermark", g.watermark)
	if err != nil {
		return 0, "", err
	}
	c := columns[i]
	if err := g.comparable(c); err != nil {
		return 0, "", err
	}
	if g.since == "" {
		return i, "", nil
	}
	from, err := g.bound(c, g.since)
	if err != nil {
		return 0, "", err
	}
	name := g.quote(c.name)
	return i, fmt.Sprintf(" WHERE (%s >= %s OR %s IS NULL)", name, g.literal(c, from), name), nil
}

// sorted is the ORDER BY: what was asked for, else the watermark and the primary key.
func (g *reading) sorted(ctx context.Context, s session, st *statement) (string, error) {
	var by []string
	if st.mark >= 0 && !g.ordered {
		by = append(by, st.columns[st.mark].name)
	}
	for _, name := range g.order {
		i, err := find(st.columns, "order", name)
		if err != nil {
			return "", err
		}
		by = append(by, st.columns[i].name)
	}
	if g.table != nil && !g.ordered {
		keys, err := list(ctx, s, g.keys(g.table))
		if err != nil {
			return "", err
		}
		st.unstable = len(keys) == 0
		for _, key := range keys {
			if !slices.Contains(by, key[0]) {
				by = append(by, key[0])
			}
		}
	}
	if len(by) == 0 || g.trial {
		return "", nil
	}
	for i, name := range by {
		by[i] = g.quote(name)
	}
	return " ORDER BY " + strings.Join(by, ", "), nil
}

// find looks for a column, by its name and else by its name in another case.
func find(columns []column, option, name string) (int, error) {
	if i := slices.IndexFunc(columns, func(c column) bool { return c.name == name }); i >= 0 {
		return i, nil
	}
	if i := slices.IndexFunc(columns, func(c column) bool { return strings.EqualFold(c.name, name) }); i >= 0 {
		return i, nil
	}
	var names []string
	for _, c := range columns {
		names = append(names, c.name)
	}
	f := fault.New(fault.Invalid, "option %s: there is no column %q", option, name)
	if near := record.Nearest(name, names); near != "" {
		return 0, f.WithHint("did you mean %q?", near)
	}
	return 0, f.WithHint("columns are %s", strings.Join(names, ", "))
}

// missing gives an error about a table that is not there the names of those that are.
func (g *reading) missing(ctx context.Context, s session, err error) error {
	f := g.classify(err)
	if f == nil || f.Kind != fault.NotFound || g.table == nil {
		return err
	}
	f = fault.New(fault.NotFound, "there is no %s that may be read", g.what()).WithHint("name it with its schema, as schema.table")
	there, listErr := list(ctx, s, g.tables)
	if listErr != nil {
		return f
	}
	wanted := strings.ToLower(strings.Join(g.table, "."))
	var names []string
	for _, t := range there {
		if g.table.schema() == "" {
			names = append(names, t[1])
		}
		names = append(names, t[0]+"."+t[1])
	}
	for _, n := range names {
		if strings.ToLower(n) == wanted || strings.HasSuffix(strings.ToLower(n), "."+wanted) {
			return f.WithHint("did you mean %q?", n)
		}
	}
	if near := record.Nearest(strings.Join(g.table, "."), names); near != "" {
		return f.WithHint("did you mean %q?", near)
	}
	return f
}
