package record

import "strings"

// Record is one record of a table: a value for each of the table's fields.
type Record struct {
	Table  *Table
	Values []Value // in the order of Table.Fields
}

// NewRecord makes an empty record of t.
func NewRecord(t *Table) *Record { return &Record{Table: t, Values: make([]Value, len(t.Fields))} }

// Get gives the value of a field; null when the table has no such field.
func (r *Record) Get(name string) Value {
	if i, ok := r.Table.byName[name]; ok {
		return r.Values[i]
	}
	return Null
}

// Set sets the value of a field; it reports whether the table has it.
func (r *Record) Set(name string, v Value) bool {
	i, ok := r.Table.byName[name]
	if ok {
		r.Values[i] = v
	}
	return ok
}

// ID is the record's sys_id.
func (r *Record) ID() string { return r.Get(SysID).Text }

// Display is the value that stands for the record.
func (r *Record) Display() string { return r.Get(r.Table.DisplayField().Name).Text }

// Clone gives a copy that can be changed.
func (r *Record) Clone() *Record {
	return &Record{Table: r.Table, Values: append([]Value(nil), r.Values...)}
}

// Names lists the table's fields by name.
func (t *Table) Names() []string {
	names := make([]string, len(t.Fields))
	for i := range t.Fields {
		names[i] = t.Fields[i].Name
	}
	return names
}

// Title is the label of the table, or its name made readable.
func (t *Table) Title() string {
	if t.Label != "" {
		return t.Label
	}
	return strings.ReplaceAll(t.Name, "_", " ")
}
