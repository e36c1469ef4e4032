package sqlstore

import (
	"strings"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// layout is how the rows of a block lie in a table: the columns of the rows first, then those with one value for all.
type layout struct {
	d      *dialect
	t      *record.Table
	fields []*record.Field // of the rows
	shared []*record.Field
	values []record.Value // of shared, checked and encoded
	most   []int          // bytes that a value of each field may have; 0 is any number
	keys   int            // leading fields that identify the record (updates)
	rev    bool           // the field behind the keys is the expected sys_mod_count (updates)
}

// mostIndexed is how many bytes the values in an index may have together. PostgreSQL takes 2704 of folded text, and
// folding makes text up to half as long again.
const mostIndexed = 1700

// indexedBytes gives the share of each indexed field in its index.
func indexedBytes(t *record.Table) map[string]int {
	most := map[string]int{}
	for _, ix := range append(indexesOf(t), record.Index{Fields: keyOf(t)}) {
		for _, f := range ix.Fields {
			if share := mostIndexed / len(ix.Fields); most[f] == 0 || share < most[f] {
				most[f] = share
			}
		}
	}
	return most
}

// layoutFor finds the columns of a block. inserting adds what every new record has; otherwise the block is an update,
// which begins with the key.
func (s *Store) layoutFor(t *record.Table, rows *record.Rows, inserting bool) (*layout, error) {
	l := &layout{d: s.d, t: t}
	most := indexedBytes(t)
	taken := make(map[string]bool, len(rows.Fields))
	for _, name := range rows.Fields {
		f, err := writable(t, name, taken)
		if err != nil {
			return nil, err
		}
		l.fields, l.most = append(l.fields, f), append(l.most, most[name])
	}
	shared := rows.Shared
	if inserting && t.Hierarchical() && !t.Bare && !taken[record.SysClassName] && !sharedHas(shared, record.SysClassName) {
		shared = append(shared[:len(shared):len(shared)], record.Assignment{Field: record.SysClassName, Value: record.Text(t.Name)})
	}
	for _, a := range shared {
		f, err := writable(t, a.Field, taken)
		if err != nil {
			return nil, err
		}
		v, err := checked(f, a.Value)
		if err != nil {
			return nil, err
		}
		if err := fits(f, v, most[a.Field]); err != nil {
			return nil, err
		}
		l.shared, l.values = append(l.shared, f), append(l.values, s.d.encode(f.Type.Stored(), v))
	}
	if len(rows.Fields) > 0 && len(rows.Values)%len(rows.Fields) != 0 {
		return nil, fault.New(fault.Internal, "%d values for %d fields of table %s", len(rows.Values), len(rows.Fields), t.Name)
	}
	if inserting {
		return l, nil
	}
	return l, l.forUpdate()
}

// forUpdate finds the key in front of the fields.
func (l *layout) forUpdate() error {
	keys := keyOf(l.t)
	want := keys
	if !l.t.Bare {
		want = append(want[:len(want):len(want)], record.SysModCount)
	}
	if len(l.fields) < len(want) {
		return fault.New(fault.Internal, "an update of %s begins with %s", l.t.Name, strings.Join(want, ", "))
	}
	for i, name := range want {
		if l.fields[i].Name != name {
			return fault.New(fault.Internal, "an update of %s begins with %s", l.t.Name, strings.Join(want, ", "))
		}
	}
	l.keys, l.rev = len(keys), !l.t.Bare
	return nil
}

func sharedHas(shared []record.Assignment, field string) bool {
	for _, a := range shared {
		if a.Field == field {
			return true
		}
	}
	return false
}

func writable(t *record.Table, name string, taken map[string]bool) (*record.Field, error) {
	f := t.Field(name)
	switch {
	case f == nil:
		return nil, fault.New(fault.Invalid, "table %s has no field %s", t.Name, name)
	case f.Element > 0:
		return nil, fault.New(fault.Internal, "field %s of table %s is part of %s and cannot be written by itself", name, t.Name, f.Column)
	case taken[name]:
		return nil, fault.New(fault.Internal, "field %s of table %s is given twice", name, t.Name)
	}
	taken[name] = true
	return f, nil
}

// check looks at every value before the first is written, so that both stores refuse the same and name the field. It
// encodes nothing: the fields that are no text come out empty as null when they are written.
func (l *layout) check(rows *record.Rows) error {
	if rows.Checked {
		return nil
	}
	w := len(l.fields)
	for at := 0; at < len(rows.Values); at += w {
		for i, f := range l.fields {
			v, err := checked(f, rows.Values[at+i])
			if err == nil {
				err = fits(f, v, l.most[i])
			}
			if err != nil {
				return fault.During("row "+itoa(at/w+1), err)
			}
		}
	}
	return nil
}

// fits refuses what one of the databases could not index.
func fits(f *record.Field, v record.Value, most int) error {
	if most == 0 || len(v.Text) <= most {
		return nil
	}
	return fault.New(fault.Invalid, "field %s: a value of %d bytes is too long for an index, which takes %d of this field", f.Name, len(v.Text), most).
		WithHint("shorten the value, or keep long texts in a field without an index")
}

// bound is the value as it is bound, after check.
func (l *layout) bound(i int, v record.Value) record.Value {
	switch t := l.fields[i].Type.Stored(); t {
	case record.Integer, record.Decimal, record.Boolean, record.Date, record.DateTime:
		if v.Text == "" {
			return record.Null
		}
		return l.d.encode(t, v)
	}
	return v
}

// identifiers quotes the columns of the fields, the shared ones last.
func (l *layout) identifiers() []string {
	out := make([]string, 0, len(l.fields)+len(l.shared))
	for _, f := range l.fields {
		out = append(out, ident(columnOf(f)))
	}
	for _, f := range l.shared {
		out = append(out, ident(columnOf(f)))
	}
	return out
}
