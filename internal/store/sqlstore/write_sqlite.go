package sqlstore

import (
	"context"
	"strings"

	"headrace/internal/core/record"
)

// insert runs one prepared statement for row after row. A block of rows crosses into C once; the shared values are
// bound once and stay bound.
func (c *sqliteConn) insert(ctx context.Context, l *layout, rows *record.Rows) error {
	marks := make([]string, len(l.fields)+len(l.shared))
	for i := range marks {
		marks[i] = "?" + itoa(i+1)
	}
	sql := "INSERT INTO " + ident(physical(l.t)) + " (" + strings.Join(l.identifiers(), ", ") + ") VALUES (" + strings.Join(marks, ", ") + ")"
	return c.runRows(ctx, sql, l, rows.Values, nil)
}

func (c *sqliteConn) update(ctx context.Context, l *layout, rows *record.Rows) ([]int, error) {
	var set, match []string
	for i, f := range l.fields {
		name, mark := ident(columnOf(f)), "?"+itoa(i+1)
		switch {
		case i < l.keys:
			match = append(match, name+" = "+mark)
		case i == l.keys && l.rev:
			match = append(match, "("+mark+" IS NULL OR "+name+" = "+mark+")")
			set = append(set, name+" = coalesce("+name+", 0) + 1")
		default:
			set = append(set, name+" = "+mark)
		}
	}
	for i, f := range l.shared {
		set = append(set, ident(columnOf(f))+" = ?"+itoa(len(l.fields)+i+1))
	}
	sql := "UPDATE " + ident(physical(l.t)) + " SET " + strings.Join(set, ", ") + " WHERE " + strings.Join(match, " AND ")
	var stale []int
	err := c.runRows(ctx, sql, l, rows.Values, func(row int, changed bool) {
		if !changed {
			stale = append(stale, row)
		}
	})
	return stale, err
}

func (c *sqliteConn) delete(ctx context.Context, l *layout, keys []record.Value) (int, error) {
	match := make([]string, len(l.fields))
	for i, f := range l.fields {
		match[i] = ident(columnOf(f)) + " = ?" + itoa(i+1)
	}
	only := *l
	only.values = nil // what an insert would add
	gone := 0
	err := c.runRows(ctx, "DELETE FROM "+ident(physical(l.t))+" WHERE "+strings.Join(match, " AND "), &only, keys, func(_ int, changed bool) {
		if changed {
			gone++
		}
	})
	return gone, err
}

// runRows runs a statement for each row of values, telling ran, when given, whether it changed anything. It looks at
// ctx between blocks.
func (c *sqliteConn) runRows(ctx context.Context, sql string, l *layout, values []record.Value, ran func(row int, changed bool)) error {
	p, err := c.n.take(sql)
	if err != nil {
		return err
	}
	defer c.n.put(p)
	w := len(l.fields)
	if err := c.n.bind(p, w+1, l.values); err != nil {
		return err
	}
	for at, total := 0, len(values)/w; at < total; at += runRows {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(runRows, total-at)
		c.n.args.reset()
		for i, v := range values[at*w : (at+n)*w] {
			c.n.args.add(l.bound(i%w, v))
		}
		if _, err := c.n.run(p, 1, w, n, ran != nil); err != nil {
			return err
		}
		for i := 0; ran != nil && i < n; i++ {
			ran(at+i, c.n.flags[i] != 0)
		}
	}
	return nil
}
