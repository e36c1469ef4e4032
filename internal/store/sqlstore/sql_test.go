package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"headrace/internal/core/record"
	"headrace/internal/store/sqlstore"
	"headrace/internal/store/storetest/stores"
)

// What is done through database/sql in a transaction of the store lives and dies with it, whatever is done to the *sql.Tx.
func TestDatabaseSQLTakesPartInTheTransaction(t *testing.T) {
	ctx, stop := context.Background(), errors.New("stop")
	s := stores.Open(t, stores.SQLite(t))
	write := func(outcome error, do func(*sql.Tx) error) {
		t.Helper()
		err := s.Write(ctx, record.Durable, func(tx record.Tx) error {
			if err := do(tx.(*sqlstore.Tx).SQL()); err != nil {
				return err
			}
			return outcome
		})
		if !errors.Is(err, outcome) {
			t.Fatalf("%v, want %v", err, outcome)
		}
	}
	insert := func(tx *sql.Tx) error { _, err := tx.ExecContext(ctx, "INSERT INTO mark VALUES (1)"); return err }
	write(nil, func(tx *sql.Tx) error { _, err := tx.ExecContext(ctx, "CREATE TABLE mark (n)"); return err })
	write(nil, insert)
	write(stop, insert)
	write(stop, func(tx *sql.Tx) error { return errors.Join(insert(tx), tx.Commit()) })
	write(nil, func(tx *sql.Tx) error { return errors.Join(insert(tx), tx.Rollback()) })
	write(nil, func(tx *sql.Tx) error { // rows that nobody closes do not keep it open
		_, err := tx.QueryContext(ctx, "SELECT n FROM mark")
		return err
	})
	var rows int
	if err := s.Pool().SQL.QueryRowContext(ctx, "SELECT count(*) FROM mark").Scan(&rows); err != nil || rows != 2 {
		t.Errorf("%d rows, %v, want the 2 of the transactions that were committed", rows, err)
	}
}

// Others begin transactions of their own on the connection that writes.
func TestDatabaseSQLBeginsTransactionsOfItsOwn(t *testing.T) {
	ctx := context.Background()
	s := stores.Open(t, stores.SQLite(t))
	db := s.Pool().SQL
	for _, end := range []func(*sql.Tx) error{(*sql.Tx).Rollback, (*sql.Tx).Commit} {
		tx, err := db.BeginTx(ctx, nil)
		if err == nil {
			_, err = tx.ExecContext(ctx, "CREATE TABLE mark (n)")
		}
		if err = errors.Join(err, end(tx)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.ExecContext(ctx, "INSERT INTO mark VALUES (1)"); err != nil {
		t.Error(err)
	}
}
