// Package sqlstore keeps records in a SQL database: SQLite, embedded, or PostgreSQL, shared. It is one store over two
// dialects; what a statement says is decided once, how rows travel is decided for each database by measurement.
package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"iter"
	"time"

	"github.com/jackc/pgx/v5"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// Config says where the database is. Exactly one of Path and URL is set; zero values of the others are good.
type Config struct {
	Path string // SQLite: the file; it is made when its directory exists
	URL  string // PostgreSQL: postgres://user:password@host/database, with an optional search_path
	// Schema is the PostgreSQL schema everything lives in; it is made when missing. Empty is the first schema of the
	// URL's search_path, else public.
	Schema  string
	Readers int           // connections for reading, SQLite; for each of reading, writing and the queue, PostgreSQL. 0 is 4, and 8, 12 and 6
	Busy    time.Duration // how long to wait for another process's lock, SQLite; 0 is 10 s
}

// Store is a record.Store over SQL. It is safe for use by many goroutines.
type Store struct {
	d *dialect
	b backend
}

// backend is one of the two databases: it lends connections that are in a transaction.
type backend interface {
	read(ctx context.Context, fn func(conn) error) error
	write(ctx context.Context, durability record.Durability, fn func(conn) error) error
	fault(err error) *fault.Error // tells what an error of the database means; nil when it is none
	close() error
}

// conn is a connection in a transaction. Statements and rows have been checked by the time they come here, errors are
// as the database gave them.
type conn interface {
	exec(ctx context.Context, sql string, args []record.Value) (int64, error)
	query(ctx context.Context, sql string, args []record.Value, yield func([]record.Value) bool) error
	insert(ctx context.Context, l *layout, rows *record.Rows) error
	update(ctx context.Context, l *layout, rows *record.Rows) (stale []int, err error)
	delete(ctx context.Context, l *layout, keys []record.Value) (int, error)
	shape(ctx context.Context) (*shape, error)
	lockShape(ctx context.Context) error // keeps other processes from reshaping until the transaction ends
	later(fn func() error) error         // lets what fn writes wait for the next statement that somebody waits for
	flush(ctx context.Context) error     // writes what waits
	drop()                               // forgets what waits
	sqlTx() *sql.Tx
	pgxTx() pgx.Tx
}

// Open connects to the database. What stands in the way is a fault of kind Unavailable or Invalid that says how to
// mend it.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	switch {
	case (cfg.Path == "") == (cfg.URL == ""):
		return nil, fault.New(fault.Invalid, "a store is a file or a database URL: give one of them")
	case cfg.URL != "":
		return openPostgres(ctx, cfg)
	}
	return openSQLite(ctx, cfg)
}

// Close ends all connections. Transactions must have ended.
func (s *Store) Close() error { return s.b.close() }

// Read gives fn a consistent view of the store. It never waits for writers.
func (s *Store) Read(ctx context.Context, fn func(record.Tx) error) error {
	return s.inside(s.b.read(ctx, func(c conn) error { return fn(&Tx{s: s, c: c}) }))
}

// Write runs fn in one read-write transaction and commits when fn returns nil. fn is run once: a transaction that lost
// against another one is a fault of kind Unavailable, for the caller to repeat. A write that failed outside Nest fails
// the transaction, whatever fn returns.
func (s *Store) Write(ctx context.Context, durability record.Durability, fn func(record.Tx) error) error {
	return s.inside(s.b.write(ctx, durability, func(c conn) error {
		tx := &Tx{s: s, c: c, writing: true}
		if err := fn(tx); err != nil {
			return err
		}
		return tx.broken
	}))
}

// inside gives errors of the database their meaning, and leaves those that have one alone.
func (s *Store) inside(err error) error {
	var known *fault.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	if f := s.b.fault(err); f != nil {
		return f
	}
	return err
}

// Tx is one transaction, a record.Tx. SQL and PGX unwrap it for what must happen in the same transaction.
type Tx struct {
	s       *Store
	c       conn
	writing bool
	reading int   // loops over Select that have not ended
	broken  error // the first write that failed, until Nest rolls it back
}

// SQL gives the transaction of a SQLite store, nil on PostgreSQL. It must not be committed or rolled back.
func (tx *Tx) SQL() *sql.Tx { return tx.c.sqlTx() }

// PGX gives the transaction of a PostgreSQL store, nil on SQLite. It must not be committed or rolled back.
func (tx *Tx) PGX() pgx.Tx { return tx.c.pgxTx() }

// Select yields the records q asks for. With neither OrderBy nor Limit nor Offset their order is left to the database;
// otherwise the key of the table decides what OrderBy leaves open. Text is sorted case-blind, then by code point;
// references by display value; nulls come first ascending and last descending. A loop inside the loop may select.
func (tx *Tx) Select(ctx context.Context, q *record.Query) iter.Seq2[[]record.Value, error] {
	return func(yield func([]record.Value, error) bool) {
		if tx.broken != nil {
			yield(nil, tx.broken)
			return
		}
		st, err := tx.s.selection(q)
		if err == nil {
			err = tx.wrote(ctx, tx.c.flush(ctx), nil)
		}
		if err != nil {
			yield(nil, err)
			return
		}
		tx.reading++
		defer func() { tx.reading-- }()
		err = tx.c.query(ctx, st.sql, st.args, func(row []record.Value) bool { return yield(st.answer(row), nil) })
		if err != nil {
			yield(nil, tx.failed(ctx, err, q.Table))
		}
	}
}

// answer turns a row as it was read into the row that was asked for.
func (st *statement) answer(row []record.Value) []record.Value {
	for i, d := range st.decode {
		if d != nil && row[i].Valid {
			row[i].Text = d(row[i].Text)
		}
	}
	if st.finish != nil {
		return st.finish(row)
	}
	return row
}

// Insert adds rows. The first value the database refuses is named; a broken unique index is a Conflict.
func (tx *Tx) Insert(ctx context.Context, t *record.Table, rows *record.Rows) error {
	if err := tx.mayWrite(); err != nil {
		return err
	}
	l, err := tx.s.layoutFor(t, rows, true)
	if err != nil {
		return err
	}
	if rows.Len() == 0 {
		return nil
	}
	if err := l.check(rows); err != nil {
		return err
	}
	return tx.wrote(ctx, tx.c.insert(ctx, l, rows), t)
}

// Update sets fields of records by key; see record.Tx. A block has at most one row for a record.
func (tx *Tx) Update(ctx context.Context, t *record.Table, rows *record.Rows) ([]int, error) {
	if err := tx.mayWrite(); err != nil {
		return nil, err
	}
	l, err := tx.s.layoutFor(t, rows, false)
	if err != nil {
		return nil, err
	}
	if rows.Len() == 0 {
		return nil, nil
	}
	if err := l.check(rows); err != nil {
		return nil, err
	}
	stale, err := tx.c.update(ctx, l, rows)
	return stale, tx.wrote(ctx, err, t)
}

// Delete removes records by key.
func (tx *Tx) Delete(ctx context.Context, t *record.Table, keys []record.Value) (int, error) {
	if err := tx.mayWrite(); err != nil {
		return 0, err
	}
	block := &record.Rows{Fields: keyOf(t), Values: keys}
	l, err := tx.s.layoutFor(t, block, true)
	if err != nil || len(keys) == 0 {
		return 0, err
	}
	if err := l.check(block); err != nil {
		return 0, err
	}
	n, err := tx.c.delete(ctx, l, keys)
	return n, tx.wrote(ctx, err, t)
}

// Later runs fn, whose writes of single rows and jobs may wait for the next statement of the transaction, or for its end:
// there is one way to the database for all of them, and none at all to be waited for. What is wrong with them is said
// then, and their updates call nothing stale.
func (tx *Tx) Later(_ context.Context, fn func(record.Tx) error) error {
	return tx.c.later(func() error { return fn(tx) })
}

// Nest runs fn so that its writes vanish if it fails, while the transaction lives on.
func (tx *Tx) Nest(ctx context.Context, fn func(record.Tx) error) error {
	if err := tx.mayWrite(); err != nil {
		return err
	}
	if _, err := tx.c.exec(ctx, "SAVEPOINT hr_nest", nil); err != nil {
		return tx.wrote(ctx, err, nil)
	}
	err := fn(tx)
	if err == nil {
		err = tx.broken
	}
	if err == nil {
		err = tx.wrote(ctx, tx.c.flush(ctx), nil)
	}
	if err == nil {
		_, release := tx.c.exec(ctx, "RELEASE SAVEPOINT hr_nest", nil)
		return tx.wrote(ctx, release, nil)
	}
	// Even when ctx is done: the transaction goes on under the caller's context.
	after := context.WithoutCancel(ctx)
	tx.c.drop()
	if _, back := tx.c.exec(after, "ROLLBACK TO SAVEPOINT hr_nest", nil); back != nil {
		return tx.wrote(ctx, back, nil)
	}
	tx.broken = nil
	_, release := tx.c.exec(after, "RELEASE SAVEPOINT hr_nest", nil)
	if release != nil {
		return tx.wrote(ctx, release, nil)
	}
	return err
}

func (tx *Tx) mayWrite() error {
	switch {
	case tx.broken != nil:
		return tx.broken
	case !tx.writing:
		return fault.New(fault.Internal, "a write in a transaction that only reads")
	case tx.reading > 0:
		return fault.New(fault.Internal, "a write inside a loop over what is being read")
	}
	return nil
}

// wrote remembers a failed write: PostgreSQL takes nothing more in the transaction, so neither does SQLite.
func (tx *Tx) wrote(ctx context.Context, err error, t *record.Table) error {
	if err == nil {
		return nil
	}
	tx.broken = tx.failed(ctx, err, t)
	return tx.broken
}

// failed gives an error of the database its meaning, in the words of the table.
func (tx *Tx) failed(ctx context.Context, err error, t *record.Table) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if f := tx.s.b.fault(err); f != nil {
		if f.Kind == fault.Conflict && t != nil {
			return conflict(t, err)
		}
		return f
	}
	return err
}
