package record

import (
	"context"
	"strconv"

	"headrace/internal/core/fault"
)

// RevisionTable tells how often each kind of configuration was changed, one row a kind. Who caches configuration looks
// there whether it is still true; every change moves the row in its own transaction.
const RevisionTable = "sys_revision"

func revisionTable() Table {
	return Table{Name: RevisionTable, Label: "Revision", Bare: true, Key: []string{"name"}, Fields: []Field{
		{Name: "name", Label: "Name", Type: Reference},
		{Name: "number", Label: "Number", Type: Integer},
		{Name: "held", Label: "Held", Type: Integer}, // only ever written, to lock the row
	}}
}

// Revision tells how often the configuration of this name was changed; 0 is never.
func (db *DB) Revision(ctx context.Context, name string) (n int64, err error) {
	err = db.store.Read(ctx, func(tx Tx) error {
		n, err = revision(ctx, tx, db.Catalog().Table(RevisionTable), name)
		return err
	})
	return n, err
}

func revision(ctx context.Context, tx Tx, t *Table, name string) (int64, error) {
	q := &Query{Table: t, Fields: []string{"number"}, Keys: keyed("name", name)}
	for row, err := range tx.Select(ctx, q) {
		if err != nil {
			return 0, err
		}
		return strconv.ParseInt(row[0].Text, 10, 64)
	}
	return 0, nil
}

// Bump says that the configuration of this name changes in this transaction, and gives its new revision. Others who
// say so wait until the transaction ends, and then read what it wrote.
func (w *Writer) Bump(ctx context.Context, name string) (int64, error) {
	t := w.session.db.Catalog().Table(RevisionTable)
	set := func(field string, n int64) *Rows {
		return &Rows{Fields: []string{"name", field}, Values: []Value{Text(name), Text(strconv.FormatInt(n, 10))}}
	}
	for {
		missing, err := w.tx.Update(ctx, t, set("held", 1))
		if err != nil {
			return 0, err
		}
		if len(missing) == 0 {
			break
		}
		err = w.tx.Nest(ctx, func(tx Tx) error { return tx.Insert(ctx, t, set("number", 0)) })
		if err != nil && fault.KindOf(err) != fault.Conflict {
			return 0, err
		}
	}
	n, err := revision(ctx, w.tx, t, name)
	if err == nil {
		n++
		_, err = w.tx.Update(ctx, t, set("number", n))
	}
	return n, err
}

// keyed is the condition that a field has one of these values, exactly.
func keyed(field string, values ...string) *Keys {
	k := &Keys{Fields: []string{field}, Fold: []bool{false}}
	for _, v := range values {
		k.Tuples = append(k.Tuples, Text(v))
	}
	return k
}
