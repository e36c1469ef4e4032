package record

import (
	"context"
)

// JournalTable is where the entries of journal fields are kept, one record an entry.
const JournalTable = "sys_journal_field"

func journalTable() Table {
	return Table{Name: JournalTable, Label: "Journal entry", Fields: []Field{
		{Name: "name", Label: "Name", Type: String, Length: MaxName, Help: "the table of the record"},
		{Name: "element", Label: "Element", Type: String, Length: MaxName, Help: "the journal field"},
		{Name: "element_id", Label: "Element ID", Type: Document, Help: "the record"},
		{Name: "value", Label: "Value", Type: String},
	}, Indexes: []Index{{Fields: []string{"element_id", "element"}}}}
}

// takeJournal empties the journal fields of a record about to be written and gives what they held.
func takeJournal(r *Record) []Assignment {
	var entries []Assignment
	for i := range r.Table.Fields {
		if f := &r.Table.Fields[i]; f.Type.IsJournal() && !r.Values[i].Empty() {
			entries = append(entries, Assignment{f.Name, r.Values[i]})
			r.Values[i] = Null
		}
	}
	return entries
}

// addJournal appends entries to the journal of a record.
func (w *Writer) addJournal(ctx context.Context, r *Record, entries []Assignment) error {
	t := w.session.db.Catalog().Table(JournalTable)
	for _, e := range entries {
		if _, err := w.insert(ctx, t, []Assignment{{"name", Text(r.Table.Name)}, {"element", Text(e.Field)},
			{"element_id", Text(r.ID())}, {"value", e.Value}}); err != nil {
			return err
		}
	}
	return nil
}

// afterWith ends the write of a record: its journal gets the entries, and hooks see the record with what was just said.
func (w *Writer) afterWith(ctx context.Context, c *Change, entries []Assignment) error {
	if err := w.addJournal(ctx, c.New, entries); err != nil {
		return err
	}
	for _, e := range entries {
		c.New.Set(e.Field, e.Value)
	}
	err := w.after(ctx, c)
	takeJournal(c.New)
	return err
}

// journals reports whether a block writes a journal field of t: each row is then written by itself.
func journals(t *Table, rows *Rows) bool {
	for _, name := range rows.Fields {
		if f := t.Field(name); f != nil && f.Type.IsJournal() {
			return true
		}
	}
	for _, a := range rows.Shared {
		if f := t.Field(a.Field); f != nil && f.Type.IsJournal() {
			return true
		}
	}
	return false
}
