package tds

import (
	"database/sql"
	"fmt"
	"regexp"
	"strings"
)

var (
	top       = regexp.MustCompile(`^SELECT TOP (\d+) `)
	converted = regexp.MustCompile(`CONVERT\(\w+, '([^']*)', 126\)`)
	objectID  = regexp.MustCompile(`OBJECT_ID\(N'(?:\[\w+\]\.)?\[([^']*)\]'\)`)
	noTable   = regexp.MustCompile(`no such table: (.*)`)
)

// translate makes a query of SQLite of one of SQL Server.
func translate(q string) string {
	switch {
	case strings.Contains(q, "sys.indexes"):
		name := objectID.FindStringSubmatch(q)
		if name == nil {
			return q
		}
		return "SELECT name FROM pragma_table_info('" + strings.ReplaceAll(name[1], "]]", "]") + "') WHERE pk > 0 ORDER BY pk"
	case strings.Contains(q, "information_schema.tables"):
		return "SELECT 'dbo', name FROM sqlite_master"
	}
	q = strings.ReplaceAll(q, "CONVERT(varchar(27), SYSUTCDATETIME(), 121)", "strftime('%Y-%m-%d %H:%M:%f', 'now')")
	q = strings.ReplaceAll(q, "[dbo].", "")
	q = converted.ReplaceAllStringFunc(q, func(c string) string {
		return strings.Replace(strings.TrimSuffix(c[strings.IndexByte(c, '\''):], ", 126)"), "T", " ", 1)
	})
	if m := top.FindStringSubmatch(q); m != nil {
		q = "SELECT " + q[len(m[0]):] + " LIMIT " + m[1]
	}
	return q
}

func (k *conn) query(q string) error {
	if k.Asked != nil {
		k.Asked(q)
	}
	if k.Hidden != "" && strings.Contains(q, "FROM ["+k.Hidden+"]") {
		return k.fail(229, 14, "The SELECT permission was denied on the object '"+k.Hidden+"', database '"+k.Database+"', schema 'dbo'.")
	}
	rows, err := k.DB.Query(translate(q))
	if err != nil {
		return k.refuse(err)
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return err
	}
	n, err := k.rows(rows, types)
	switch {
	case k.interrupted.Load():
		return nil // the end is the answer to the attention
	case err != nil:
		return err
	case rows.Err() != nil:
		return k.refuse(rows.Err())
	}
	return k.done(0x10, n)
}

func (k *conn) rows(rows *sql.Rows, types []*sql.ColumnType) (n uint64, err error) {
	var columns []column
	values, into := make([]any, len(types)), make([]any, len(types))
	for i := range values {
		into[i] = &values[i]
	}
	for more := rows.Next(); ; more = rows.Next() {
		if more {
			if err := rows.Scan(into...); err != nil {
				return n, err
			}
		}
		if columns == nil {
			if columns, err = described(types, values); err != nil {
				return n, err
			}
			if err := k.out.put(metadata(columns)...); err != nil {
				return n, err
			}
		}
		if !more || k.interrupted.Load() {
			return n, nil
		}
		row := []byte{0xd1}
		for i, c := range columns {
			if row, err = c.append(row, values[i]); err != nil {
				return n, fmt.Errorf("column %s: %w", c.name, err)
			}
		}
		if err := k.out.put(row...); err != nil {
			return n, err
		}
		n++
	}
}

func (k *conn) refuse(err error) error {
	text := err.Error()
	switch m := noTable.FindStringSubmatch(text); {
	case m != nil:
		return k.fail(208, 16, "Invalid object name '"+m[1]+"'.")
	case strings.Contains(text, "no such column"):
		return k.fail(207, 16, text)
	}
	return k.fail(102, 15, text)
}
