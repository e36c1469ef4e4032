package record

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"time"
)

// Operation is what happened to a record.
type Operation string

// The operations.
const (
	Inserted Operation = "insert"
	Updated  Operation = "update"
	Deleted  Operation = "delete"
)

// Change is one record being written, as hooks see it.
type Change struct {
	Operation Operation
	Old       *Record // nil on insert
	New       *Record // nil on delete; a Before hook may alter it
	Writer    *Writer // for further writes in the same transaction
}

// Hook is how rules take part in writing: in order, around every write, in its transaction.
type Hook interface {
	// Sees reports whether the hook wants the writes on t. When no hook does, batches go straight to the store.
	Sees(t *Table) bool
	// Before may alter c.New or refuse the write by an error.
	Before(ctx context.Context, c *Change) error
	// After runs when the record is written; an error undoes the whole transaction.
	After(ctx context.Context, c *Change) error
}

// ChangeTable is the name of the table of change rows: before-images and audit at once.
const ChangeTable = "sys_change"

// changeTable describes the change rows. They are keyed by run first, so that the changes of one run lie together;
// writes outside a run have run 0.
func changeTable() Table {
	return Table{Name: ChangeTable, Label: "Change", Bare: true, Key: []string{"run", "sequence"},
		Fields: []Field{
			{Name: "run", Label: "Run", Type: Integer},
			{Name: "sequence", Label: "Sequence", Type: Reference},
			{Name: "table_name", Label: "Table", Type: Reference},
			{Name: "record", Label: "Record", Type: Reference},
			{Name: "operation", Label: "Operation", Type: Reference},
			{Name: "actor", Label: "Actor", Type: String},
			{Name: "trace", Label: "Trace", Type: Reference},
			{Name: "at", Label: "At", Type: DateTime},
			{Name: "mod_count", Label: "Updates after", Type: Integer},
			{Name: "old", Label: "Old values", Type: JSON},
		},
		Indexes: []Index{{Fields: []string{"record"}}},
	}
}

var changeFields = []string{"sequence", "record", "operation", "mod_count", "old"}

// changeRows starts a block of change rows for one table.
func (w *Writer) changeRows(t *Table) *Rows {
	s := w.session
	return &Rows{Fields: changeFields, Shared: []Assignment{
		{"run", Text(strconv.FormatInt(s.run, 10))},
		{"table_name", Text(t.Name)},
		{"actor", Text(s.actor.Name)},
		{"trace", Value{Text: s.trace, Valid: s.trace != ""}},
		{"at", Text(w.now.Format(DateTimeLayout))},
	}}
}

// addChange notes one write on a record of t. Secrets are not kept: a change row is read by more people than may know
// them.
func addChange(rows *Rows, t *Table, id string, op Operation, modCount string, old []Assignment) {
	secret := func(a Assignment) bool { f := t.Field(a.Field); return f != nil && f.Type == Secret }
	if slices.ContainsFunc(old, secret) {
		old = slices.DeleteFunc(slices.Clone(old), secret)
	}
	rows.Values = append(rows.Values, Text(NewID()), Text(id), Text(string(op)),
		Value{Text: modCount, Valid: modCount != ""}, encodeOld(old))
}

// encodeOld writes old values as a JSON object in the order given.
func encodeOld(old []Assignment) Value {
	if len(old) == 0 {
		return Null
	}
	b := []byte{'{'}
	for i, a := range old {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSON(b, a.Field)
		b = append(b, ':')
		if a.Value.Valid {
			b = appendJSON(b, a.Value.Text)
		} else {
			b = append(b, "null"...)
		}
	}
	return Text(string(append(b, '}')))
}

func appendJSON(b []byte, s string) []byte {
	enc, err := json.Marshal(s)
	if err != nil { // strings always marshal
		panic(err)
	}
	return append(b, enc...)
}

// Removed tells which of the records with these ids were there once and have been deleted.
func (w *Writer) Removed(ctx context.Context, ids ...string) (map[string]bool, error) {
	t := w.session.db.Catalog().Table(ChangeTable)
	gone := map[string]bool{}
	for row, err := range w.tx.Select(ctx, &Query{Table: t, Fields: []string{"record", "operation"}, Keys: keyed("record", ids...)}) {
		if err != nil {
			return nil, err
		}
		if row[1].Text == string(Deleted) {
			gone[row[0].Text] = true
		}
	}
	return gone, nil
}

// DecodeOld reads what a change row says of old values.
func DecodeOld(text string) (map[string]Value, error) {
	raw := map[string]*string{}
	if text != "" {
		if err := json.Unmarshal([]byte(text), &raw); err != nil {
			return nil, err
		}
	}
	old := make(map[string]Value, len(raw))
	for name, s := range raw {
		if s != nil {
			old[name] = Text(*s)
		} else {
			old[name] = Null
		}
	}
	return old, nil
}

// nowUTC is cut to whole seconds, as all date-times are.
func nowUTC(clock func() time.Time) time.Time { return clock().UTC().Truncate(time.Second) }
