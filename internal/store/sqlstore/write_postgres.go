package sqlstore

import (
	"context"
	"strconv"
	"strings"

	"headrace/internal/core/record"
)

// copyFrom is how many rows make COPY, with its three round trips, faster than INSERT.
const copyFrom = 16

func (c *postgresConn) insert(ctx context.Context, l *layout, rows *record.Rows) error {
	into := ident(physical(l.t)) + " (" + strings.Join(l.identifiers(), ", ") + ")"
	if rows.Len() >= copyFrom {
		if err := c.settle(ctx); err != nil {
			return err
		}
		in, err := newCopyReader(l, rows)
		if err != nil {
			return err
		}
		_, err = c.pg.CopyFrom(ctx, in, "COPY "+into+" FROM STDIN (FORMAT binary)")
		return c.lost(err)
	}
	var sql strings.Builder
	sql.WriteString("INSERT INTO " + into + " VALUES ")
	var args []record.Value
	w := len(l.fields)
	for at := 0; at < len(rows.Values); at += w {
		if at > 0 {
			sql.WriteString(", ")
		}
		sql.WriteByte('(')
		for i, v := range rows.Values[at : at+w] {
			args = append(args, l.bound(i, v))
		}
		args = append(args, l.values...)
		for i := range w + len(l.shared) {
			if i > 0 {
				sql.WriteString(", ")
			}
			sql.WriteString("$" + itoa(len(args)-w-len(l.shared)+i+1))
		}
		sql.WriteByte(')')
	}
	if c.holding() {
		c.hold(sql.String(), args)
		return nil
	}
	_, err := c.exec(ctx, sql.String(), args)
	return err
}

// updateOne is update for one row, which needs no arrays.
func (c *postgresConn) updateOne(ctx context.Context, l *layout, rows *record.Rows) ([]int, error) {
	var set, match []string
	args := make([]record.Value, 0, len(l.fields)+len(l.values))
	for i, f := range l.fields {
		name, value := ident(columnOf(f)), "$"+itoa(i+1)+"::"+pgCast(f.Type.Stored())
		args = append(args, l.bound(i, rows.Values[i]))
		switch {
		case i < l.keys:
			match = append(match, name+" = "+value)
		case i == l.keys && l.rev:
			match = append(match, "("+value+" IS NULL OR "+name+" = "+value+")")
			set = append(set, name+" = coalesce("+name+", 0) + 1")
		default:
			set = append(set, name+" = "+value)
		}
	}
	for _, f := range l.shared {
		args = append(args, l.values[len(args)-len(l.fields)])
		set = append(set, ident(columnOf(f))+" = $"+itoa(len(args)))
	}
	sql := "UPDATE " + ident(physical(l.t)) + " SET " + strings.Join(set, ", ") + " WHERE " + strings.Join(match, " AND ")
	if c.holding() {
		c.hold(sql, args)
		return nil, nil
	}
	n, err := c.exec(ctx, sql, args)
	if err == nil && n == 0 {
		return []int{0}, nil
	}
	return nil, err
}

// update is one statement: an array a field, joined by the key. It returns the places of the rows it did not write.
func (c *postgresConn) update(ctx context.Context, l *layout, rows *record.Rows) ([]int, error) {
	if rows.Len() == 1 {
		return c.updateOne(ctx, l, rows)
	}
	var arrays, names, set, match []string
	args := l.arrays(rows.Values)
	for i, f := range l.fields {
		name, u := ident(columnOf(f)), "u.c"+itoa(i)
		arrays = append(arrays, "$"+itoa(i+1)+"::"+pgCast(f.Type.Stored())+"[]")
		names = append(names, "c"+itoa(i))
		switch {
		case i < l.keys:
			match = append(match, "t."+name+" = "+u)
		case i == l.keys && l.rev:
			match = append(match, "("+u+" IS NULL OR t."+name+" = "+u+")")
			set = append(set, name+" = coalesce(t."+name+", 0) + 1")
		default:
			set = append(set, name+" = "+u)
		}
	}
	for i, f := range l.shared {
		set = append(set, ident(columnOf(f))+" = $"+itoa(len(args)+i+1))
	}
	sql := "UPDATE " + ident(physical(l.t)) + " AS t SET " + strings.Join(set, ", ") + " FROM unnest(" + strings.Join(arrays, ", ") +
		") WITH ORDINALITY AS u(" + strings.Join(names, ", ") + ", place) WHERE " + strings.Join(match, " AND ") + " RETURNING u.place"
	written := make([]bool, rows.Len())
	var bad error
	err := c.query(ctx, sql, append(args, l.values...), func(row []record.Value) bool {
		var place int
		if place, bad = strconv.Atoi(row[0].Text); bad == nil {
			written[place-1] = true
		}
		return bad == nil
	})
	if err == nil {
		err = bad
	}
	if err != nil {
		return nil, err
	}
	var stale []int
	for i, w := range written {
		if !w {
			stale = append(stale, i)
		}
	}
	return stale, nil
}

// arrays writes one array literal a field over all rows.
func (l *layout) arrays(values []record.Value) []record.Value {
	w := len(l.fields)
	out := make([]record.Value, w)
	var buf []byte
	for i := range l.fields {
		buf = append(buf[:0], '{')
		for at := i; at < len(values); at += w {
			if at > i {
				buf = append(buf, ',')
			}
			if v := l.bound(i, values[at]); v.Valid {
				buf = appendArrayText(buf, v.Text)
			} else {
				buf = append(buf, "NULL"...)
			}
		}
		out[i] = record.Text(string(append(buf, '}')))
	}
	return out
}

func (c *postgresConn) delete(ctx context.Context, l *layout, keys []record.Value) (int, error) {
	var names, arrays []string
	for i, f := range l.fields {
		names = append(names, ident(columnOf(f)))
		arrays = append(arrays, "$"+itoa(i+1)+"::"+pgCast(f.Type.Stored())+"[]")
	}
	sql := "DELETE FROM " + ident(physical(l.t)) + " WHERE (" + strings.Join(names, ", ") + ") IN (SELECT * FROM unnest(" + strings.Join(arrays, ", ") + "))"
	n, err := c.exec(ctx, sql, l.arrays(keys))
	return int(n), err
}
