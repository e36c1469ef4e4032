package record

import (
	"context"
	"encoding/json"
	"errors"
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
	Memo      any     // what the hook of the rules keeps between Before and After; other hooks leave it alone
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

// Keeper is a Hook that keeps the product's own records in order, so that quiet writes do not skip it.
type Keeper interface {
	Hook
	Keeps()
}

// Refresher is a Hook that keeps what it reads of the store. Refresh is called when a write transaction begins, and must
// be quick where there is nothing to read.
type Refresher interface {
	Refresh(ctx context.Context, tx Tx) error
}

func (db *DB) refresh(ctx context.Context, tx Tx) error {
	for _, h := range db.hooks {
		if r, ok := h.(Refresher); ok {
			if err := r.Refresh(ctx, tx); err != nil {
				return err
			}
		}
	}
	return nil
}

// AbortError refuses one write on the word of a rule. The transaction may go on, when what the rules of that write did
// is undone (see Tx.Nest). Doors answer it like something that may not be done; it is wrapped in a fault of kind Denied.
type AbortError struct{ Rule string }

func (e *AbortError) Error() string { return "aborted by the business rule " + e.Rule }

// Aborted reports whether a rule has refused the write.
func Aborted(err error) bool {
	var a *AbortError
	return errors.As(err, &a)
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
			{Name: "quiet", Label: "Without rules", Type: String, Help: "why business rules did not see the write"},
		},
		Indexes: []Index{{Fields: []string{"record"}}},
	}
}

var changeFields = []string{"sequence", "record", "operation", "mod_count", "old"}

// changeRows starts a block of change rows for one table.
func (w *Writer) changeRows(t *Table) *Rows {
	s := w.session
	trace := w.traced()
	return &Rows{Fields: changeFields, Shared: []Assignment{
		{"run", Text(strconv.FormatInt(s.run, 10))},
		{"table_name", Text(t.Name)},
		{"actor", Text(s.actor.Name)},
		{"trace", Value{Text: trace, Valid: trace != ""}},
		{"at", Text(w.now.Format(DateTimeLayout))},
		{"quiet", Value{Text: s.quiet, Valid: s.quiet != ""}},
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
