package record

import (
	"regexp"
	"slices"
	"sort"

	"headrace/internal/core/fault"
)

// Catalog is a set of resolved tables. It never changes: adding a table makes a new catalog.
type Catalog struct {
	declared []Table
	tables   map[string]*Table
	names    []string
	revision int64 // of the dictionary it was made from
}

// MaxName is the longest name of a table or field, in bytes. PostgreSQL cuts identifiers at 63.
const MaxName = 63

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// ValidName reports whether name may name a table or a field: lower-case letters, digits and underscores, starting
// with a letter, at most MaxName bytes.
func ValidName(name string) bool { return len(name) <= MaxName && nameForm.MatchString(name) }

// NewCatalog resolves tables: inheritance, system fields, physical names. A later declaration of a table adds its
// fields and indexes to the earlier one.
func NewCatalog(declared ...Table) (*Catalog, error) {
	c := &Catalog{tables: map[string]*Table{}}
	merged, err := mergeDeclarations(declared)
	if err != nil {
		return nil, err
	}
	c.declared = merged
	byName := map[string]*Table{}
	for i := range merged {
		byName[merged[i].Name] = &merged[i]
	}
	for i := range merged {
		if _, err := c.resolve(byName, merged[i].Name, nil); err != nil {
			return nil, err
		}
	}
	for name := range c.tables {
		c.names = append(c.names, name)
	}
	sort.Strings(c.names)
	c.linkClasses()
	return c, c.assignColumns()
}

// With gives a catalog that has more tables, or more fields on tables it has.
func (c *Catalog) With(more ...Table) (*Catalog, error) {
	return NewCatalog(append(slices.Clone(c.declared), more...)...)
}

// Table finds a table by name, or nil.
func (c *Catalog) Table(name string) *Table {
	if c == nil {
		return nil
	}
	return c.tables[name]
}

// Names lists the tables in order of name.
func (c *Catalog) Names() []string { return c.names }

// Declared gives the tables as they were declared, before resolution.
func (c *Catalog) Declared() []Table { return c.declared }

func mergeDeclarations(declared []Table) ([]Table, error) {
	var out []Table
	at := map[string]int{}
	for _, t := range declared {
		if !ValidName(t.Name) {
			return nil, fault.New(fault.Invalid, "table name %q is not usable", t.Name).
				WithHint("use lower-case letters, digits and _, starting with a letter, at most %d", MaxName)
		}
		i, known := at[t.Name]
		if !known {
			at[t.Name] = len(out)
			c := t
			c.Fields = nil
			c.Indexes = slices.Clone(t.Indexes)
			out = append(out, c)
			i = len(out) - 1
		} else {
			if t.Extends != "" && t.Extends != out[i].Extends {
				return nil, fault.New(fault.Conflict, "table %s extends %q and cannot be made to extend %q", t.Name, out[i].Extends, t.Extends)
			}
			out[i].Extendable = out[i].Extendable || t.Extendable
			if t.Label != "" {
				out[i].Label = t.Label
			}
			for _, ix := range t.Indexes {
				if !slices.ContainsFunc(out[i].Indexes, func(o Index) bool { return o.Unique == ix.Unique && slices.Equal(o.Fields, ix.Fields) }) {
					out[i].Indexes = append(out[i].Indexes, ix)
				}
			}
		}
		for _, f := range t.Fields {
			if err := mergeField(&out[i], f); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func mergeField(t *Table, f Field) error {
	if !ValidName(f.Name) {
		return fault.New(fault.Invalid, "field name %q of table %s is not usable", f.Name, t.Name).
			WithHint("use lower-case letters, digits and _, starting with a letter, at most %d", MaxName)
	}
	if !slices.Contains(Types, f.Type) {
		return fault.New(fault.Invalid, "field %s.%s has the unknown type %q", t.Name, f.Name, f.Type).
			WithHint("the types are %v", Types)
	}
	for i := range t.Fields {
		if t.Fields[i].Name != f.Name {
			continue
		}
		if t.Fields[i].Type != f.Type {
			return fault.New(fault.Conflict, "field %s.%s is %s and cannot become %s", t.Name, f.Name, t.Fields[i].Type, f.Type).
				WithHint("reshaping only adds; make a new field and import into it")
		}
		t.Fields[i] = f
		return nil
	}
	t.Fields = append(t.Fields, f)
	return nil
}

// resolve computes the full table: parent's fields first, then its own; system fields at the front.
func (c *Catalog) resolve(declared map[string]*Table, name string, below []string) (*Table, error) {
	if t := c.tables[name]; t != nil {
		return t, nil
	}
	if slices.Contains(below, name) {
		return nil, fault.New(fault.Invalid, "table %s extends itself, by way of %v", name, below)
	}
	d := declared[name]
	if d == nil {
		return nil, fault.New(fault.Invalid, "table %s extends %s, which does not exist", below[len(below)-1], name)
	}
	t := *d
	t.catalog = c
	t.Physical = t.Name
	t.Fields = nil
	if d.Extends != "" {
		parent, err := c.resolve(declared, d.Extends, append(below, name))
		if err != nil {
			return nil, err
		}
		if parent.Bare {
			return nil, fault.New(fault.Invalid, "table %s cannot extend %s, which is book-keeping", name, parent.Name)
		}
		parent.Extendable = true
		t.Physical = parent.Physical
		t.Fields = slices.Clone(parent.Fields)
		t.Indexes = append(slices.Clone(parent.Indexes), d.Indexes...)
	} else if !t.Bare {
		t.Fields = systemFields()
	}
	t.Own = len(t.Fields)
	for _, f := range d.Fields {
		if i := slices.IndexFunc(t.Fields, func(o Field) bool { return o.Name == f.Name }); i >= 0 {
			if t.Fields[i].Type != f.Type {
				return nil, fault.New(fault.Conflict, "field %s.%s is %s where it is inherited from, and %s here", name, f.Name, t.Fields[i].Type, f.Type)
			}
			if i >= len(systemNames) || t.Bare { // an override of label, default, choices
				t.Fields[i] = f
			}
			continue
		}
		t.Fields = append(t.Fields, f)
	}
	c.tables[name] = &t
	return &t, nil
}

var systemNames = []string{SysID, SysCreatedOn, SysCreatedBy, SysUpdatedOn, SysUpdatedBy, SysModCount}

func systemFields() []Field {
	return []Field{
		{Name: SysID, Label: "Sys ID", Type: String, Length: 32, ReadOnly: true},
		{Name: SysCreatedOn, Label: "Created", Type: DateTime, ReadOnly: true},
		{Name: SysCreatedBy, Label: "Created by", Type: String, ReadOnly: true},
		{Name: SysUpdatedOn, Label: "Updated", Type: DateTime, ReadOnly: true},
		{Name: SysUpdatedBy, Label: "Updated by", Type: String, ReadOnly: true},
		{Name: SysModCount, Label: "Updates", Type: Integer, ReadOnly: true},
	}
}

// IsSystemField reports whether name is a field that Headrace keeps itself.
func IsSystemField(name string) bool {
	return name == SysClassName || slices.Contains(systemNames, name)
}

// linkClasses gives hierarchies their sys_class_name field and each table the list of classes it covers.
func (c *Catalog) linkClasses() {
	below := map[string][]string{}
	for _, name := range c.names {
		for at := c.tables[name]; at != nil; at = c.tables[at.Extends] {
			below[at.Name] = append(below[at.Name], name)
		}
	}
	for _, name := range c.names {
		t := c.tables[name]
		if root := c.tables[t.Physical]; root.Extendable || t.Extends != "" {
			t.Extendable = true
			t.Classes = below[name]
			class := Field{Name: SysClassName, Label: "Class", Type: String, ReadOnly: true}
			t.Fields = slices.Insert(t.Fields, len(systemNames), class)
			t.Own++
		}
	}
}

// assignColumns gives each field its physical column: its own name, or class__field where a sibling class has a field
// of that name and another type.
func (c *Catalog) assignColumns() error {
	taken := map[string]Type{} // physical table + column -> type
	for _, depth := range []bool{true, false} {
		for _, name := range c.names {
			t := c.tables[name]
			if (t.Extends == "") != depth {
				continue
			}
			if err := c.assignTable(t, taken); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Catalog) assignTable(t *Table, taken map[string]Type) error {
	if t.byName != nil {
		return nil
	}
	parent := c.tables[t.Extends]
	if parent != nil {
		if err := c.assignTable(parent, taken); err != nil {
			return err
		}
	}
	t.byName = make(map[string]int, len(t.Fields))
	for i := range t.Fields {
		f := &t.Fields[i]
		t.byName[f.Name] = i
		if f.Column != "" && f.Element > 0 {
			continue
		}
		if parent != nil && parent.Field(f.Name) != nil {
			f.Column = parent.Field(f.Name).Column
			continue
		}
		f.Column = f.Name
		key := t.Physical + "\x00" + f.Column
		if was, used := taken[key]; used && was != f.Type {
			f.Column = t.Name + "__" + f.Name
			if len(f.Column) > MaxName {
				f.Column = f.Column[:MaxName-17] + "_" + IDFrom(t.Name, f.Name)[:16]
			}
			key = t.Physical + "\x00" + f.Column
		}
		taken[key] = f.Type
	}
	return nil
}
