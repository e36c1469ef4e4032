package sqlstore

import (
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
	w := len(columns)
	exprs := make([]string, w)
	for i, c := range columns {
		exprs[i] = c.sql
		if folded {
			exprs[i] = c.fold()
		}
	}
	if folded {
		tuples = foldTuples(columns, tuples)
	}
	if w == 1 {
		return b.d.inList(b, exprs[0], columns[0].typ, append([]string(nil), tuples...))
	}
	return b.d.inTuples(b, exprs, columns, tuples)
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

func sqliteInTuples(b *builder, exprs []string, columns []column, tuples []string) string {
	w := len(columns)
	var json strings.Builder
	json.WriteByte('[')
	for i, v := range tuples {
		t := columns[i%w].typ
		switch {
		case i == 0:
			json.WriteByte('[')
		case i%w == 0:
			json.WriteString("],[")
		default:
			json.WriteByte(',')
		}
		if t == record.Integer || t == record.Boolean {
			json.WriteString(b.d.encode(t, record.Text(v)).Text)
		} else {
			writeJSONString(&json, v)
		}
	}
	json.WriteString("]]")
	values := make([]string, w)
	for i := range values {
		values[i] = "value ->> " + itoa(i)
	}
	return "(" + strings.Join(exprs, ", ") + ") IN (SELECT " + strings.Join(values, ", ") + " FROM json_each(" + b.textArg(json.String()) + "))"
}

func postgresInTuples(b *builder, exprs []string, columns []column, tuples []string) string {
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
	return "(" + strings.Join(exprs, ", ") + ") IN (SELECT * FROM unnest(" + strings.Join(arrays, ", ") + "))"
}
