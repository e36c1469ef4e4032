package record

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sort"
	"strconv"
)

// Names of the dictionary's tables: what users define is kept as records of these.
const (
	ObjectTable     = "sys_db_object"
	DictionaryTable = "sys_dictionary"
	ChoiceTable     = "sys_choice"
	IndexTable      = "sys_index"
)

// collection is the type of the entry that the dictionary has for a table itself.
const collection = "collection"

func dictionaryTables() []Table {
	text := func(name, label string) Field { return Field{Name: name, Label: label, Type: String} }
	flag := func(name, label, preset string) Field {
		return Field{Name: name, Label: label, Type: Boolean, Default: preset}
	}
	number := func(name, label string) Field { return Field{Name: name, Label: label, Type: Integer} }
	byName := []Index{{Fields: []string{"name"}}}
	return []Table{
		{Name: ObjectTable, Label: "Table", Fields: []Field{text("name", "Name"),
			{Name: "label", Label: "Label", Type: String, Display: true},
			{Name: "super_class", Label: "Extends table", Type: Reference, Reference: ObjectTable}, flag("is_extendable", "Extensible", "false")},
			Indexes: byName},
		{Name: DictionaryTable, Label: "Dictionary Entry", Fields: []Field{text("name", "Table"), text("element", "Column name"),
			{Name: "column_label", Label: "Column label", Type: String, Display: true}, text("internal_type", "Type"), number("max_length", "Max length"),
			text("reference", "Reference"), text("default_value", "Default value"), flag("mandatory", "Mandatory", "false"),
			flag("read_only", "Read only", "false"), flag("display", "Display", "false"), flag("unique", "Unique", "false"), text("comments", "Comments"),
			number("order", "Order"), flag("active", "Active", "true"), flag("primary", "Primary", "false"), flag("array", "Array", "false"), number("choice", "Choice"),
			text("attributes", "Attributes")}, Indexes: byName},
		{Name: ChoiceTable, Label: "Choice", Fields: []Field{text("name", "Table"), text("element", "Element"),
			text("value", "Value"), {Name: "label", Label: "Label", Type: String, Display: true}, number("sequence", "Sequence"),
			{Name: "language", Label: "Language", Type: String, Default: "en"}, text("dependent_value", "Dependent value"),
			text("hint", "Hint"), flag("inactive", "Inactive", "false")}, Indexes: byName},
		{Name: IndexTable, Label: "Index", Fields: []Field{text("name", "Table"), text("fields", "Fields"), flag("unique", "Unique", "false")},
			Indexes: byName},
	}
}

// isDictionary reports whether the records of t are definitions.
func isDictionary(t *Table) bool {
	switch t.Name {
	case ObjectTable, DictionaryTable, ChoiceTable, IndexTable:
		return true
	}
	return false
}

// definitions are the records of the dictionary, by table.
type definitions map[string][]*Record

// readDefinitions reads the records of the dictionary, those of some tables or of all.
func readDefinitions(ctx context.Context, tx Tx, c *Catalog, names ...string) (definitions, error) {
	out := definitions{}
	for _, name := range []string{ObjectTable, DictionaryTable, ChoiceTable, IndexTable} {
		t := c.Table(name)
		q := &Query{Table: t, Fields: t.Names()}
		if len(names) > 0 {
			q.Keys = keyed("name", names...)
			q.Keys.Fold[0] = true // as the index has them; names are folded already
		}
		for row, err := range tx.Select(ctx, q) {
			if err != nil {
				return nil, err
			}
			out[name] = append(out[name], &Record{Table: t, Values: slices.Clone(row)})
		}
	}
	return out, nil
}

// tables gives the tables that the dictionary describes, as they were defined. known finds tables it need not describe.
func (d definitions) tables(known *Catalog) []Table {
	names := map[string]string{} // of tables, by id
	for _, r := range d[ObjectTable] {
		names[r.ID()] = r.Get("name").Text
	}
	byName := map[string]*Table{}
	for _, r := range d[ObjectTable] {
		parent := r.Get("super_class").Text
		if name, ok := names[parent]; ok {
			parent = name
		}
		name := r.Get("name").Text
		if t := known.Table(name); t == nil || !t.Bare {
			byName[name] = &Table{Name: name, Label: r.Get("label").Text, Extends: parent, Extendable: isTrue(r, "is_extendable")}
		}
	}
	d.addFields(known, byName)
	for _, r := range d[IndexTable] {
		t := byName[r.Get("name").Text]
		var fields []string
		if t != nil && json.Unmarshal([]byte(r.Get("fields").Text), &fields) == nil {
			t.Indexes = append(t.Indexes, Index{Fields: fields, Unique: isTrue(r, "unique")})
		}
	}
	var out []Table
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		out = append(out, *byName[name])
	}
	return out
}

func (d definitions) addFields(known *Catalog, byName map[string]*Table) {
	choices := d.choices()
	entries := slices.Clone(d[DictionaryTable])
	sort.SliceStable(entries, func(i, j int) bool { return number(entries[i], "order") < number(entries[j], "order") })
	for _, r := range entries {
		t, name := byName[r.Get("name").Text], r.Get("element").Text
		if t == nil || name == "" || IsSystemField(name) || t.Field(name) != nil {
			continue
		}
		f := fieldOf(r)
		f.Choices = choices[t.Name+"."+name]
		delete(choices, t.Name+"."+name)
		if product := declared(known, t.Name, name); product == nil || product.Type == f.Type {
			t.Fields = append(t.Fields, f)
		}
	}
	// Choices of a field that a table inherits are its own list.
	for _, t := range byName {
		for at := byName[t.Extends]; at != nil; at = byName[at.Extends] {
			for _, f := range at.Fields {
				if list := choices[t.Name+"."+f.Name]; len(list) > 0 && t.Field(f.Name) == nil {
					f.Choices = list
					t.Fields = append(t.Fields, f)
				}
			}
		}
	}
}

// declared finds a field that the product's own tables have.
func declared(known *Catalog, table, field string) *Field {
	if t := known.Table(table); t != nil {
		return t.Field(field)
	}
	return nil
}

func fieldOf(r *Record) Field {
	return Field{Name: r.Get("element").Text, Label: r.Get("column_label").Text, Type: Type(r.Get("internal_type").Text),
		Length: number(r, "max_length"), Reference: r.Get("reference").Text, Default: r.Get("default_value").Text,
		Help: r.Get("comments").Text, Mandatory: isTrue(r, "mandatory"), ReadOnly: isTrue(r, "read_only"),
		Display: isTrue(r, "display"), Unique: isTrue(r, "unique")}
}

// choices gives the lists of choices, in order, by table and field.
func (d definitions) choices() map[string][]Option {
	list := slices.Clone(d[ChoiceTable])
	sort.SliceStable(list, func(i, j int) bool { return number(list[i], "sequence") < number(list[j], "sequence") })
	out := map[string][]Option{}
	for _, r := range list {
		language := r.Get("language").Text
		if isTrue(r, "inactive") || language != "" && language != "en" {
			continue
		}
		key := r.Get("name").Text + "." + r.Get("element").Text
		out[key] = append(out[key], Option{Value: r.Get("value").Text, Label: r.Get("label").Text})
	}
	return out
}

func isTrue(r *Record, field string) bool { return r.Get(field).Text == "true" }

func number(r *Record, field string) int {
	n, err := strconv.Atoi(r.Get(field).Text)
	if err != nil {
		return 0
	}
	return n
}
