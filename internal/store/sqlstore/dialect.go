package sqlstore

import (
	"strconv"
	"strings"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// dialect is what the two databases say differently. Everything else in this package is said once.
type dialect struct {
	name     string
	types    map[record.Type]string // physical type of a field; what is missing is plain text
	text     string                 // physical type of text
	collate  string                 // put behind a text expression that has no collation of its own
	param    func(n int) string
	position string // function that finds a text in a text, 1 being its start
	tail     func(text, n string) string
	asText   func(sql string, t record.Type) string // the canonical text of an expression
	element  func(column string, n int) string      // element of a JSON array, as text
	inList   func(b *builder, sql string, t record.Type, values []string) string
	inTuples func(b *builder, columns []column, folded bool, tuples []string) string
	datePart func(sql, unit string) string           // number of a part of a date; "" for no unit
	floor    func(c *column, unit query.Unit) string // the same for two dates if and only if the unit is
	midnight func(c column) string                   // a date as a date-time
	decimal  func(c column) string                   // a number, comparable with any
	seconds  func(sql string) string                 // since 1970
	minmax   func(fn, sql string, t record.Type) string
	sum      string
	most     int    // parameters a statement may have
	first    string // put behind an ascending order so that nulls come first
	last     string
	encode   func(t record.Type, v record.Value) record.Value // canonical text to what is bound
	decode   func(t record.Type) decoder                      // what is read to canonical text, nil when it is the same
	tableEnd string                                           // end of a CREATE TABLE
	bareEnd  string                                           // the same for a bare table, which is keyed by what it is read by
}

type decoder func(text string) string

func (d *dialect) physicalType(t record.Type) string {
	if s := d.types[t.Stored()]; s != "" {
		return s
	}
	return d.text
}

// ident quotes a name. It is the only place that does.
func ident(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func physical(t *record.Table) string {
	if t.Physical != "" {
		return t.Physical
	}
	return t.Name
}

func columnOf(f *record.Field) string {
	if f.Column != "" {
		return f.Column
	}
	return f.Name
}

// keyOf lists the fields of the primary key.
func keyOf(t *record.Table) []string {
	if t.Bare {
		return t.Key
	}
	return []string{record.SysID}
}

func sqliteDialect() *dialect {
	return &dialect{
		name: "sqlite",
		// The names differ where the affinity does not, so that a change of type is noticed. TEXT and INT decide the
		// affinity.
		types: map[record.Type]string{record.Integer: "INTEGER", record.Boolean: "INT_BOOLEAN", record.Date: "TEXT_DATE",
			record.DateTime: "TEXT_DATETIME", record.Decimal: "TEXT_DECIMAL COLLATE hr_decimal"},
		text:     "TEXT",
		param:    func(n int) string { return "?" + strconv.Itoa(n) },
		position: "instr",
		tail:     func(text, n string) string { return "substr(" + text + ", -CAST(" + n + " AS INTEGER))" },
		asText: func(sql string, t record.Type) string {
			switch t {
			case record.Integer:
				return "CAST(" + sql + " AS TEXT)"
			case record.Boolean:
				return "CASE " + sql + " WHEN 1 THEN 'true' WHEN 0 THEN 'false' END"
			case record.Decimal:
				return sql + " COLLATE BINARY"
			}
			return sql
		},
		element: func(column string, n int) string {
			return "CAST(" + column + " ->> '$[" + strconv.Itoa(n) + "]' AS TEXT)"
		},
		inList:   sqliteInList,
		inTuples: sqliteInTuples,
		minmax:   func(fn, sql string, t record.Type) string { return fn + "(" + sql + ")" },
		datePart: sqliteDatePart,
		floor:    sqliteFloor,
		seconds:  func(sql string) string { return "unixepoch(" + sql + ")" },
		midnight: sqliteMidnight,
		decimal:  sqliteDecimal,
		sum:      "hr_sum",
		most:     32000,
		encode: func(t record.Type, v record.Value) record.Value {
			if t == record.Boolean && v.Valid {
				v.Text = boolDigits[v.Text]
			}
			return v
		},
		decode: func(t record.Type) decoder {
			if t == record.Boolean {
				return func(s string) string {
					if s == "1" {
						return "true"
					}
					return "false"
				}
			}
			return nil
		},
		bareEnd: " WITHOUT ROWID",
	}
}

var boolDigits = map[string]string{"true": "1", "false": "0"}

// shortList is how many values of an IN stand in the statement as parameters; more go as one.
const shortList = 16

func sqliteInList(b *builder, sql string, t record.Type, values []string) string {
	if len(values) <= shortList {
		return sql + " IN (" + b.paramList(t, values) + ")"
	}
	number := t == record.Integer || t == record.Boolean
	for i, v := range values {
		values[i] = b.d.encode(t, record.Text(v)).Text
	}
	return sql + " IN (SELECT value FROM json_each(" + b.arg(record.Text(jsonArray(values, number))) + "))"
}

func postgresDialect() *dialect {
	return &dialect{
		name: "postgres",
		types: map[record.Type]string{record.Integer: "bigint", record.Boolean: "boolean", record.Date: "date",
			record.DateTime: "timestamp(0) without time zone", record.Decimal: "numeric"},
		text:     `text COLLATE "C"`,
		collate:  ` COLLATE "C"`,
		param:    func(n int) string { return "$" + strconv.Itoa(n) },
		position: "strpos",
		tail:     func(text, n string) string { return "right(" + text + ", (" + n + ")::integer)" },
		asText: func(sql string, t record.Type) string {
			switch t {
			case record.Integer, record.Boolean, record.Date, record.DateTime, record.Decimal:
				return "(" + sql + ")::text"
			}
			return sql
		},
		element: func(column string, n int) string {
			return "((" + column + ")::json ->> " + strconv.Itoa(n) + `) COLLATE "C"`
		},
		inList: func(b *builder, sql string, t record.Type, values []string) string {
			if len(values) == 1 { // an order by what follows in an index holds within one value, not within several
				return sql + " = " + b.arg(record.Text(values[0])) + "::" + pgCast(t)
			}
			return sql + " = ANY(" + b.arg(record.Text(pgArray(values))) + "::" + pgCast(t) + "[])"
		},
		inTuples: postgresInTuples,
		minmax: func(fn, sql string, t record.Type) string {
			if t == record.Boolean {
				return map[string]string{"min": "bool_and", "max": "bool_or"}[fn] + "(" + sql + ")"
			}
			return fn + "(" + sql + ")"
		},
		datePart: postgresDatePart,
		floor: func(c *column, unit query.Unit) string {
			return "date_trunc('" + string(unit) + "', (" + c.sql + ")::timestamp)"
		},
		seconds:  func(sql string) string { return "extract(epoch FROM (" + sql + ")::timestamp)" },
		midnight: asItIs,
		decimal:  asItIs,
		sum:      "sum",
		most:     65000,
		first:    " NULLS FIRST",
		// Room in each page for new versions of its rows: without it every update writes every index. Updates of 20,000
		// of 200,000 records took half the time, inserts the same.
		tableEnd: " WITH (fillfactor = 85)",
		last:     " NULLS LAST",
		encode:   func(_ record.Type, v record.Value) record.Value { return v },
		decode: func(t record.Type) decoder {
			switch t {
			case record.Boolean:
				return func(s string) string {
					if s == "t" {
						return "true"
					}
					return "false"
				}
			case record.Decimal:
				return trimDecimal
			}
			return nil
		},
	}
}

// pgCast is the type to cast to, without collation.
func pgCast(t record.Type) string {
	switch t {
	case record.Integer:
		return "bigint"
	case record.Boolean:
		return "boolean"
	case record.Date:
		return "date"
	case record.DateTime:
		return "timestamp"
	case record.Decimal:
		return "numeric"
	}
	return "text"
}

// trimDecimal takes the zeros off the end of a fraction, which sums of fractions leave there.
func trimDecimal(s string) string {
	if strings.IndexByte(s, '.') < 0 {
		return s
	}
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// jsonArray writes texts, or numbers, as a JSON array.
func jsonArray(values []string, number bool) string {
	var b strings.Builder
	b.WriteByte('[')
	for i, v := range values {
		if i > 0 {
			b.WriteByte(',')
		}
		if number {
			b.WriteString(v)
		} else {
			writeJSONString(&b, v)
		}
	}
	b.WriteByte(']')
	return b.String()
}

func writeJSONString(b *strings.Builder, s string) {
	const hex = "0123456789abcdef"
	b.WriteByte('"')
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		b.WriteString(s[from:i])
		from = i + 1
		if c < 0x20 {
			b.WriteString(`\u00`)
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		} else {
			b.WriteByte('\\')
			b.WriteByte(c)
		}
	}
	b.WriteString(s[from:])
	b.WriteByte('"')
}

// pgArray writes texts as an array literal.
func pgArray(values []string) string {
	size := 2
	for _, v := range values {
		size += len(v) + 3
	}
	out := make([]byte, 0, size)
	out = append(out, '{')
	for i, v := range values {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendArrayText(out, v)
	}
	return string(append(out, '}'))
}

func appendArrayText(out []byte, v string) []byte {
	out = append(out, '"')
	for i := 0; i < len(v); i++ {
		if v[i] == '"' || v[i] == '\\' {
			out = append(out, '\\')
		}
		out = append(out, v[i])
	}
	return append(out, '"')
}
