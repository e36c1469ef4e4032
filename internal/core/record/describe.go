package record

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
)

// entry is a record that the dictionary should have. Its key is what it is found by; its id is derived from it.
type entry struct {
	table, key string
	values     []Assignment
}

// describe brings the dictionary to what the tables are, but for records that keep says stay as they are. It reports
// whether anything was to do.
func (w *Writer) describe(ctx context.Context, c *Catalog, tables []Table, keep func(*Record) bool) (changed bool, err error) {
	if len(tables) == 0 {
		return false, nil
	}
	have, err := w.described(ctx, c, tables)
	if err != nil {
		return false, err
	}
	ids, err := w.objectIDs(ctx, c)
	if err != nil {
		return false, err
	}
	missing := map[string][]entry{}
	for i := range tables {
		for _, e := range entriesOf(c, &tables[i], ids) {
			r := have[e.table+"\x00"+e.key]
			switch {
			case r == nil:
				missing[e.table] = append(missing[e.table], e)
			case !keep(r):
				_, did, err := w.update(ctx, r.Table, r.ID(), e.values)
				if err != nil {
					return false, err
				}
				changed = changed || did
			}
		}
	}
	for table, list := range missing {
		changed = true
		if err := w.insertEntries(ctx, c.Table(table), list); err != nil {
			return false, err
		}
	}
	return changed, nil
}

// described gives the records that describe tables, by table and key.
func (w *Writer) described(ctx context.Context, c *Catalog, tables []Table) (map[string]*Record, error) {
	names := make([]string, len(tables))
	for i := range tables {
		names[i] = tables[i].Name
	}
	is, err := readDefinitions(ctx, w.tx, c, names...)
	if err != nil {
		return nil, err
	}
	have := map[string]*Record{}
	for table, records := range is {
		for _, r := range records {
			have[table+"\x00"+keyOfEntry(r)] = r
		}
	}
	return have, nil
}

// objectIDs gives the ids that tables have in the dictionary.
func (w *Writer) objectIDs(ctx context.Context, c *Catalog) (func(name string) string, error) {
	ids := map[string]string{}
	for row, err := range w.tx.Select(ctx, &Query{Table: c.Table(ObjectTable), Fields: []string{"name", SysID}}) {
		if err != nil {
			return nil, err
		}
		ids[row[0].Text] = row[1].Text
	}
	return func(name string) string {
		if id := ids[name]; id != "" || name == "" {
			return id
		}
		return IDFrom(ObjectTable, name)
	}, nil
}

// insertEntries adds records of one dictionary table at once, with their change rows. What somebody has removed does
// not come back with the product.
func (w *Writer) insertEntries(ctx context.Context, t *Table, list []entry) error {
	ids := make([]string, len(list))
	for i, e := range list {
		ids[i] = IDFrom(t.Name, e.key)
	}
	gone := map[string]bool{}
	if w.notes.product {
		var err error
		if gone, err = w.Removed(ctx, ids...); err != nil {
			return err
		}
	}
	rows := &Rows{Fields: t.Names()}
	log := w.changeRows(t)
	for i, e := range list {
		if gone[ids[i]] {
			continue
		}
		r, err := newDraft(t, e.values)
		if err != nil {
			return err
		}
		r.Set(SysID, Text(ids[i]))
		w.stampInsert(r)
		rows.Values = append(rows.Values, r.Values...)
		addChange(log, t, r.ID(), Inserted, "0", nil)
	}
	if rows.Len() == 0 {
		return nil
	}
	if err := w.tx.Insert(ctx, t, rows); err != nil {
		return err
	}
	return w.insertChanges(ctx, log)
}

// keyOfEntry is the key by which a definition is found; see entry.
func keyOfEntry(r *Record) string {
	name, element := r.Get("name").Text, r.Get("element").Text
	switch r.Table.Name {
	case DictionaryTable:
		return name + "." + element
	case ChoiceTable:
		return name + "." + element + "=" + r.Get("value").Text
	case IndexTable:
		return name + "\x00" + r.Get("fields").Text
	}
	return name
}

// entriesOf lists the records that describe one table: the table, an entry for it and for each of its own fields, the
// system fields where the hierarchy begins, choices and indexes.
func entriesOf(c *Catalog, t *Table, ids func(string) string) []entry {
	out := []entry{{ObjectTable, t.Name, []Assignment{{"name", Text(t.Name)}, {"label", Text(t.Title())},
		{"super_class", Text(ids(t.Extends))}, flagOf("is_extendable", t.Extendable)}},
		{DictionaryTable, t.Name + ".", []Assignment{{"name", Text(t.Name)}, {"internal_type", Text(collection)},
			{"column_label", Text(t.Title())}}}}
	if full := c.Table(t.Name); full != nil && t.Extends == "" {
		for i := range full.Fields {
			if f := &full.Fields[i]; IsSystemField(f.Name) {
				e := fieldEntry(t.Name, f, i-len(full.Fields))
				e.values = append(e.values, flagOf("primary", f.Name == SysID))
				out = append(out, e)
			}
		}
	}
	for n := range t.Fields {
		f := &t.Fields[n]
		if IsSystemField(f.Name) {
			continue
		}
		out = append(out, fieldEntry(t.Name, f, n))
		for at, o := range f.Choices {
			out = append(out, entry{ChoiceTable, t.Name + "." + f.Name + "=" + o.Value, []Assignment{{"name", Text(t.Name)},
				{"element", Text(f.Name)}, {"value", Text(o.Value)}, {"label", Text(o.Label)}, {"sequence", Text(strconv.Itoa(at))}}})
		}
	}
	for _, ix := range t.Indexes {
		fields, err := json.Marshal(ix.Fields)
		if err != nil { // strings always marshal
			panic(err)
		}
		out = append(out, entry{IndexTable, t.Name + "\x00" + string(fields),
			[]Assignment{{"name", Text(t.Name)}, {"fields", Text(string(fields))}, flagOf("unique", ix.Unique)}})
	}
	return out
}

func fieldEntry(table string, f *Field, order int) entry {
	return entry{DictionaryTable, table + "." + f.Name, []Assignment{{"name", Text(table)}, {"element", Text(f.Name)},
		{"column_label", Text(f.Label)}, {"internal_type", Text(string(f.Type))},
		{"max_length", Text(strconv.Itoa(f.Length))}, {"reference", Text(f.Reference)},
		{"default_value", Text(f.Default)}, {"comments", Text(f.Help)},
		flagOf("mandatory", f.Mandatory), flagOf("read_only", f.ReadOnly), flagOf("display", f.Display), flagOf("unique", f.Unique),
		{"order", Text(strconv.Itoa(order))}, {"choice", Text(choiceKind(f))}}}
}

// choiceKind is how the platform says what choices mean: none, the only values, or suggestions.
func choiceKind(f *Field) string {
	switch {
	case f.Chosen():
		return "1"
	case len(f.Choices) > 0:
		return "2"
	}
	return "0"
}

func flagOf(field string, v bool) Assignment { return Assignment{field, Text(strconv.FormatBool(v))} }

// own gives the declared form of tables: their own fields, as they stand in c.
func (c *Catalog) own(names ...string) []Table {
	var out []Table
	for _, t := range c.declared {
		if slices.Contains(names, t.Name) && !t.Bare {
			out = append(out, t)
		}
	}
	return out
}
