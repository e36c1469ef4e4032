package record

import (
	"strings"

	"headrace/internal/core/query"
)

// Names of the fields that every record carries.
const (
	SysID        = "sys_id"
	SysCreatedOn = "sys_created_on"
	SysCreatedBy = "sys_created_by"
	SysUpdatedOn = "sys_updated_on"
	SysUpdatedBy = "sys_updated_by"
	SysModCount  = "sys_mod_count"
	SysClassName = "sys_class_name" // only on tables that extend or are extended
)

// Index asks for an index over fields, in this order. Text fields are indexed by their folded form.
type Index struct {
	Fields []string `yaml:"fields" json:"fields"`
	Unique bool     `yaml:"unique,omitempty" json:"unique,omitempty"`
}

// Table describes a table. Written by hand or derived, it holds only the table's own fields; once resolved by a
// Catalog, Fields holds the inherited and system fields too, and the physical names are set.
type Table struct {
	Name    string  `yaml:"name" json:"name"`
	Label   string  `yaml:"label,omitempty" json:"label,omitempty"`
	Extends string  `yaml:"extends,omitempty" json:"extends,omitempty"`
	Fields  []Field `yaml:"fields" json:"fields"`
	Indexes []Index `yaml:"indexes,omitempty" json:"indexes,omitempty"`
	// Extendable gives the table a sys_class_name from the start, so that tables may extend it later.
	Extendable bool `yaml:"extendable,omitempty" json:"extendable,omitempty"`
	// Bare tables are transport and book-keeping (staging, change rows): they carry no system fields, are keyed
	// by Key and are written by their owner alone, without hooks or change rows.
	Bare bool     `yaml:"-" json:"-"`
	Key  []string `yaml:"-" json:"-"`

	Physical string   `yaml:"-" json:"-"` // the physical table: that of the root of the hierarchy; set by the Catalog
	Classes  []string `yaml:"-" json:"-"` // this table and all that extend it; nil when it stands alone
	Own      int      `yaml:"-" json:"-"` // index in Fields of the first field that is the table's own
	catalog  *Catalog
	byName   map[string]int
}

// Field finds a field by name. It returns nil when there is none.
func (t *Table) Field(name string) *Field {
	if t.byName == nil {
		for i := range t.Fields {
			if t.Fields[i].Name == name {
				return &t.Fields[i]
			}
		}
		return nil
	}
	if i, ok := t.byName[name]; ok {
		return &t.Fields[i]
	}
	return nil
}

// DisplayField is the field that stands for a record where it is referred to: the one marked Display, else
// "number", "name" or "u_name", else sys_id.
func (t *Table) DisplayField() *Field {
	for i := range t.Fields {
		if t.Fields[i].Display {
			return &t.Fields[i]
		}
	}
	for _, n := range []string{"number", "name", "u_name", SysID} {
		if f := t.Field(n); f != nil {
			return f
		}
	}
	return &t.Fields[0]
}

// Catalog gives the catalog the table was resolved by, or nil.
func (t *Table) Catalog() *Catalog { return t.catalog }

// Hierarchical reports whether the table shares its physical table with others and so has a sys_class_name.
func (t *Table) Hierarchical() bool { return t.Extends != "" || t.Extendable || len(t.Classes) > 1 }

// Path follows a dotted path over references. It returns the fields passed, the last one being the field named; nil
// when any part does not exist or a part before the last is no reference.
func (t *Table) Path(path string) []*Field {
	var out []*Field
	at := t
	for {
		name, rest, more := strings.Cut(path, ".")
		f := at.Field(name)
		if f == nil {
			return nil
		}
		out = append(out, f)
		if !more {
			return out
		}
		if f.Type != Reference || at.catalog == nil {
			return nil
		}
		if at = at.catalog.Table(f.Reference); at == nil {
			return nil
		}
		path = rest
	}
}

// Kind makes Table a query.Dictionary.
func (t *Table) Kind(path string) (query.Kind, bool) {
	last := t.Field(path) // which most paths are
	if last == nil {
		fs := t.Path(path)
		if fs == nil {
			return 0, false
		}
		last = fs[len(fs)-1]
	}
	switch last.Name {
	case SysID, SysClassName:
		return query.Exact, true
	}
	return last.Type.Kind(), true
}
