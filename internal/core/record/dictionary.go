package record

import (
	"context"
	"encoding/json"
	"sort"
	"strconv"

	"headrace/internal/core/fault"
)

// Names of the dictionary's tables: what users define is kept as records of these.
const (
	ObjectTable     = "sys_db_object"
	DictionaryTable = "sys_dictionary"
	ChoiceTable     = "sys_choice"
	IndexTable      = "sys_index"
)

func dictionaryTables() []Table {
	text := func(name, label string) Field { return Field{Name: name, Label: label, Type: String} }
	flag := func(name, label string) Field { return Field{Name: name, Label: label, Type: Boolean} }
	number := func(name, label string) Field { return Field{Name: name, Label: label, Type: Integer} }
	return []Table{
		{Name: ObjectTable, Label: "Table", Fields: []Field{text("name", "Name"), text("label", "Label"),
			text("super_class", "Extends"), flag("is_extendable", "Extensible")}},
		{Name: DictionaryTable, Label: "Dictionary entry", Fields: []Field{text("name", "Table"), text("element", "Column name"),
			text("column_label", "Column label"), text("internal_type", "Type"), number("max_length", "Max length"),
			text("reference", "Reference"), text("default_value", "Default value"), flag("mandatory", "Mandatory"),
			flag("read_only", "Read only"), flag("display", "Display"), flag("unique", "Unique"), text("comments", "Comments"),
			number("order", "Order")}},
		{Name: ChoiceTable, Label: "Choice", Fields: []Field{text("name", "Table"), text("element", "Element"),
			text("value", "Value"), text("label", "Label"), number("sequence", "Sequence")}},
		{Name: IndexTable, Label: "Index", Fields: []Field{text("name", "Table"), text("fields", "Fields"), flag("unique", "Unique")}},
	}
}

// writeDictionary remembers the definitions, one record each, under ids derived from the names.
func writeDictionary(ctx context.Context, s Session, tables []Table) error {
	return s.Write(ctx, func(w *Writer) error {
		c := w.session.db.Catalog()
		put := func(table, key string, values ...Assignment) error {
			return w.put(ctx, c.Table(table), IDFrom(table, key), values)
		}
		for i := range tables {
			if err := putTable(put, &tables[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// put inserts the record or brings it up to date. It may come to be there between the look and the insert: another
// process has defined the same.
func (w *Writer) put(ctx context.Context, t *Table, id string, values []Assignment) error {
	_, err := get(ctx, w.tx, t, id)
	if err != nil {
		err = w.tx.Nest(ctx, func(Tx) error {
			_, err := w.Insert(ctx, t, append(values[:len(values):len(values)], Assignment{SysID, Text(id)}))
			return err
		})
		if err == nil || fault.KindOf(err) != fault.Conflict {
			return err
		}
	}
	_, _, err = w.Update(ctx, t, id, values)
	return err
}

func putTable(put func(table, key string, values ...Assignment) error, t *Table) error {
	if err := put(ObjectTable, t.Name, Assignment{"name", Text(t.Name)}, Assignment{"label", Text(t.Label)},
		Assignment{"super_class", Text(t.Extends)}, flagOf("is_extendable", t.Extendable)); err != nil {
		return err
	}
	for n := range t.Fields {
		if err := putField(put, t.Name, &t.Fields[n], n); err != nil {
			return err
		}
	}
	for _, ix := range t.Indexes {
		fields, err := json.Marshal(ix.Fields)
		if err != nil {
			return err
		}
		if err := put(IndexTable, t.Name+"\x00"+string(fields), Assignment{"name", Text(t.Name)},
			Assignment{"fields", Text(string(fields))}, flagOf("unique", ix.Unique)); err != nil {
			return err
		}
	}
	return nil
}

func putField(put func(table, key string, values ...Assignment) error, table string, f *Field, order int) error {
	err := put(DictionaryTable, table+"."+f.Name, Assignment{"name", Text(table)}, Assignment{"element", Text(f.Name)},
		Assignment{"column_label", Text(f.Label)}, Assignment{"internal_type", Text(string(f.Type))},
		Assignment{"max_length", Text(strconv.Itoa(f.Length))}, Assignment{"reference", Text(f.Reference)},
		Assignment{"default_value", Text(f.Default)}, Assignment{"comments", Text(f.Help)},
		flagOf("mandatory", f.Mandatory), flagOf("read_only", f.ReadOnly), flagOf("display", f.Display), flagOf("unique", f.Unique),
		Assignment{"order", Text(strconv.Itoa(order))})
	for n, o := range f.Choices {
		if err != nil {
			return err
		}
		err = put(ChoiceTable, table+"."+f.Name+"="+o.Value, Assignment{"name", Text(table)}, Assignment{"element", Text(f.Name)},
			Assignment{"value", Text(o.Value)}, Assignment{"label", Text(o.Label)}, Assignment{"sequence", Text(strconv.Itoa(n))})
	}
	return err
}

func flagOf(field string, v bool) Assignment { return Assignment{field, Text(strconv.FormatBool(v))} }

// readDictionary gives the tables that users defined, as they defined them.
func readDictionary(ctx context.Context, db *DB) ([]Table, error) {
	byName := map[string]*Table{}
	var names []string
	err := db.each(ctx, ObjectTable, func(r *Record) {
		t := &Table{Name: r.Get("name").Text, Label: r.Get("label").Text, Extends: r.Get("super_class").Text,
			Extendable: r.Get("is_extendable").Text == "true"}
		byName[t.Name] = t
		names = append(names, t.Name)
	})
	if err != nil {
		return nil, err
	}
	if err := readFields(ctx, db, byName); err != nil {
		return nil, err
	}
	err = db.each(ctx, IndexTable, func(r *Record) {
		t := byName[r.Get("name").Text]
		var fields []string
		if t != nil && json.Unmarshal([]byte(r.Get("fields").Text), &fields) == nil {
			t.Indexes = append(t.Indexes, Index{Fields: fields, Unique: r.Get("unique").Text == "true"})
		}
	})
	sort.Strings(names)
	out := make([]Table, len(names))
	for i, n := range names {
		out[i] = *byName[n]
	}
	return out, err
}

func readFields(ctx context.Context, db *DB, byName map[string]*Table) error {
	choices := map[string][]*Record{}
	if err := db.each(ctx, ChoiceTable, func(r *Record) {
		key := r.Get("name").Text + "." + r.Get("element").Text
		choices[key] = append(choices[key], r)
	}); err != nil {
		return err
	}
	orders := map[string]int{}
	err := db.each(ctx, DictionaryTable, func(r *Record) {
		t := byName[r.Get("name").Text]
		if t == nil {
			return
		}
		f := Field{Name: r.Get("element").Text, Label: r.Get("column_label").Text, Type: Type(r.Get("internal_type").Text),
			Length: number(r, "max_length"), Reference: r.Get("reference").Text, Default: r.Get("default_value").Text,
			Help: r.Get("comments").Text, Mandatory: r.Get("mandatory").Text == "true", ReadOnly: r.Get("read_only").Text == "true",
			Display: r.Get("display").Text == "true", Unique: r.Get("unique").Text == "true"}
		key := t.Name + "." + f.Name
		orders[key] = number(r, "order")
		list := choices[key]
		sort.Slice(list, func(i, j int) bool { return number(list[i], "sequence") < number(list[j], "sequence") })
		for _, c := range list {
			f.Choices = append(f.Choices, Option{Value: c.Get("value").Text, Label: c.Get("label").Text})
		}
		t.Fields = append(t.Fields, f)
	})
	for _, t := range byName {
		sort.SliceStable(t.Fields, func(i, j int) bool {
			return orders[t.Name+"."+t.Fields[i].Name] < orders[t.Name+"."+t.Fields[j].Name]
		})
	}
	return err
}

func number(r *Record, field string) int {
	n, err := strconv.Atoi(r.Get(field).Text)
	if err != nil {
		return 0
	}
	return n
}

// each visits the records of a dictionary table.
func (db *DB) each(ctx context.Context, table string, visit func(*Record)) error {
	t := db.Catalog().Table(table)
	for row, err := range db.As(System).Select(ctx, &Query{Table: t, Fields: t.Names()}) {
		if err != nil {
			return err
		}
		visit(&Record{Table: t, Values: append([]Value(nil), row...)})
	}
	return nil
}
