package sqlstore

import (
	"slices"
	"strings"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// keys writes the condition that a record's fields equal one of many tuples. All tuples travel as one parameter (or
// one a field), so that twenty thousand are one statement, and the database walks the index with them.
func (b *builder) keys(k *record.Keys) (string, error) {
	w := len(k.Fields)
	if w == 0 || len(k.Tuples)%w != 0 {
		return "", fault.New(fault.Internal, "%d key values for %d fields", len(k.Tuples), w)
	}
	columns := make([]column, w)
	for i, f := range k.Fields {
		c, err := b.column(f)
		if err != nil {
			return "", err
		}
		columns[i] = c
	}
	var parts []string
	for _, g := range groupByEmpties(columns, k.Tuples) {
		parts = append(parts, b.keyGroup(columns, k.Fold, g))
	}
	if len(parts) == 0 {
		return never, nil
	}
	return balanced(parts, " OR "), nil
}

// keyGroup is a list of tuples that are empty in the same places.
type keyGroup struct {
	empty  []bool
	tuples []string // flat, only the places that are not empty
}

// groupByEmpties sorts tuples by their empty places and drops those that no record can equal.
func groupByEmpties(columns []column, tuples []record.Value) []*keyGroup {
	w := len(columns)
	var groups []*keyGroup
	byMask := map[string]*keyGroup{}
	mask, texts := make([]byte, w), make([]string, 0, w)
next:
	for ; len(tuples) > 0; tuples = tuples[w:] {
		texts = texts[:0]
		for i, v := range tuples[:w] {
			mask[i] = '0'
			if v.Empty() {
				mask[i] = '1'
				continue
			}
			text, ok := keyText(columns[i], v.Text)
			if !ok {
				continue next
			}
			texts = append(texts, text)
		}
		g := byMask[string(mask)]
		if g == nil {
			g = &keyGroup{empty: make([]bool, w)}
			for i := range mask {
				g.empty[i] = mask[i] == '1'
			}
			byMask[string(mask)] = g
			groups = append(groups, g)
		}
		g.tuples = append(g.tuples, texts...)
	}
	return groups
}

func keyText(c column, v string) (string, bool) {
	if c.kind == query.Text {
		return v, storable(v)
	}
	return operand(c, v)
}

func (b *builder) keyGroup(columns []column, fold []bool, g *keyGroup) string {
	var parts []string
	var full []column
	exact := false
	for i, c := range columns {
		if g.empty[i] {
			parts = append(parts, emptiness(c, query.IsEmpty))
			continue
		}
		full = append(full, c)
		exact = exact || c.kind == query.Text && (i >= len(fold) || !fold[i])
	}
	if len(full) > 0 {
		parts = append(parts, b.tuplesIn(full, g.tuples, true))
		if exact { // the index is on folded text: look up there, then compare exactly
			parts = append(parts, b.tuplesIn(full, g.tuples, false))
		}
	}
	return "(" + strings.Join(parts, " AND ") + ")"
}

func (b *builder) tuplesIn(columns []column, tuples []string, folded bool) string {
	if folded {
		tuples = foldTuples(columns, tuples)
	}
	if len(columns) == 1 {
		return b.d.inList(b, columns[0].expr(folded), columns[0].typ, slices.Clone(tuples))
	}
	return b.d.inTuples(b, columns, folded, tuples)
}

// expr is the folded expression or the plain one.
func (c *column) expr(folded bool) string {
	if folded {
		return c.fold()
	}
	return c.sql
}

func exprs(columns []column, folded bool) string {
	out := make([]string, len(columns))
	for i := range columns {
		out[i] = columns[i].expr(folded)
	}
	return strings.Join(out, ", ")
}

func foldTuples(columns []column, tuples []string) []string {
	out := make([]string, len(tuples))
	for i, v := range tuples {
		if columns[i%len(columns)].kind == query.Text {
			v = query.Fold(v)
		}
		out[i] = v
	}
	return out
}

// sqliteInTuples looks the tuples up in a statement of its own, from the list to the table: SQLite does not walk an
// index of expressions for a list of tuples.
func sqliteInTuples(b *builder, columns []column, folded bool, tuples []string) string {
	list := b.textArg(jsonTuples(b.d, columns, tuples))
	in := b.inner(b.t)
	values, match := make([]string, len(columns)), make([]string, len(columns))
	for i, c := range columns {
		values[i] = "k.value ->> " + itoa(i)
		if c.reached != "" { // on another table: no index of this one serves
			return "(" + exprs(columns, folded) + ") IN (SELECT " + strings.Join(values, ", ") + " FROM json_each(" + list + ") AS k)"
		}
		c.sql = in.qualify(c.field)
		match[i] = c.expr(folded) + " = " + values[i]
	}
	return "(" + b.rowKey() + ") IN (SELECT " + in.rowKey() + " FROM json_each(" + list + ") AS k CROSS JOIN " + in.source() +
		" WHERE " + strings.Join(match, " AND ") + ")"
}

// rowKey is what tells rows of the table apart soonest: the rowid where there is one.
func (b *builder) rowKey() string {
	if !b.t.Bare || len(b.t.Key) == 0 {
		return b.alias + ".rowid"
	}
	parts := make([]string, len(b.t.Key))
	for i, k := range b.t.Key {
		parts[i] = b.qualify(b.t.Field(k))
	}
	return strings.Join(parts, ", ")
}

// jsonTuples is an array of arrays.
func jsonTuples(d *dialect, columns []column, tuples []string) string {
	w := len(columns)
	var json strings.Builder
	json.WriteByte('[')
	for i, v := range tuples {
		switch {
		case i == 0:
			json.WriteByte('[')
		case i%w == 0:
			json.WriteString("],[")
		default:
			json.WriteByte(',')
		}
		if t := columns[i%w].typ; t == record.Integer || t == record.Boolean {
			json.WriteString(d.encode(t, record.Text(v)).Text)
		} else {
			writeJSONString(&json, v)
		}
	}
	json.WriteString("]]")
	return json.String()
}

func postgresInTuples(b *builder, columns []column, folded bool, tuples []string) string {
	w := len(columns)
	arrays := make([]string, w)
	one := make([]string, 0, len(tuples)/w)
	for i, c := range columns {
		one = one[:0]
		for at := i; at < len(tuples); at += w {
			one = append(one, tuples[at])
		}
		arrays[i] = b.textArg(pgArray(one)) + "::" + pgCast(c.typ) + "[]"
	}
	return "(" + exprs(columns, folded) + ") IN (SELECT * FROM unnest(" + strings.Join(arrays, ", ") + "))"
}
