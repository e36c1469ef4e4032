package sqlstore

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// postgresTx is a write transaction whose round trips are few: it begins with its first statement, and statements that
// nobody waits for are held back until the next one that somebody does, or the commit. Where nobody waits for any, the
// whole transaction is one message. It is a pgx.Tx, so that the queue's statements can be held back too.
type postgresTx struct {
	pgx.Tx // nil until it has begun
	conn   *pgxpool.Conn
	begin  pgx.TxOptions
	later  pgx.Batch
	holds  int // how many calls of Later it is in
}

// hold puts off a statement.
func (t *postgresTx) hold(sql string, args ...any) { t.later.Queue(sql, args...) }

// ready begins the transaction and sends what was held back.
func (t *postgresTx) ready(ctx context.Context) error {
	if t.Tx == nil {
		var err error
		if t.Tx, err = t.conn.BeginTx(ctx, t.begin); err != nil {
			return err
		}
	}
	return t.send(ctx)
}

// send sends what was held back, in one message.
func (t *postgresTx) send(ctx context.Context) error {
	if t.later.Len() == 0 {
		return nil
	}
	batch := t.later
	t.later = pgx.Batch{}
	results := t.conn.SendBatch(ctx, &batch)
	for range batch.Len() {
		if _, err := results.Exec(); err != nil {
			_ = results.Close() // says the same
			return err
		}
	}
	return results.Close()
}

// Commit ends the transaction, together with what is still held back.
func (t *postgresTx) Commit(ctx context.Context) error {
	held := t.later.Len() > 0
	switch {
	case t.Tx == nil && !held:
		return nil
	case !held:
		return t.Tx.Commit(ctx)
	case t.Tx == nil:
		first := pgx.Batch{}
		for _, sql := range strings.Split(beginText(t.begin), ";") {
			first.Queue(sql)
		}
		first.QueuedQueries = append(first.QueuedQueries, t.later.QueuedQueries...)
		t.later = first
	}
	t.hold("commit")
	return t.send(ctx)
}

func beginText(o pgx.TxOptions) string {
	if o.BeginQuery != "" {
		return o.BeginQuery
	}
	return "begin"
}

// Rollback gives up what was not committed.
func (t *postgresTx) Rollback(ctx context.Context) error {
	t.later = pgx.Batch{}
	if c := t.conn.Conn(); c.IsClosed() || c.PgConn().TxStatus() == 'I' {
		return nil
	}
	_, err := t.conn.Exec(ctx, "rollback")
	return err
}

// Conn gives the connection.
func (t *postgresTx) Conn() *pgx.Conn { return t.conn.Conn() }

// Exec runs a statement, or holds it back; then it tells nothing of how many rows it was about.
func (t *postgresTx) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if t.holds > 0 {
		t.hold(sql, args...)
		return pgconn.CommandTag{}, nil
	}
	if err := t.ready(ctx); err != nil {
		return pgconn.CommandTag{}, err
	}
	return t.Tx.Exec(ctx, sql, args...)
}

// CopyFrom inserts rows. Held back they are INSERTs, which need no answer on the way.
func (t *postgresTx) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error) {
	if t.holds == 0 {
		if err := t.ready(ctx); err != nil {
			return 0, err
		}
		return t.Tx.CopyFrom(ctx, table, columns, rows)
	}
	var names, places []string
	for i, c := range columns {
		names, places = append(names, ident(c)), append(places, "$"+itoa(i+1))
	}
	sql := "INSERT INTO " + table.Sanitize() + " (" + strings.Join(names, ", ") + ") VALUES (" + strings.Join(places, ", ") + ")"
	n := int64(0)
	for ; rows.Next(); n++ {
		values, err := rows.Values()
		if err != nil {
			return n, err
		}
		t.hold(sql, values...)
	}
	return n, rows.Err()
}

// Query runs a query.
func (t *postgresTx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if err := t.ready(ctx); err != nil {
		return nil, err
	}
	return t.Tx.Query(ctx, sql, args...)
}

// QueryRow runs a query for one row.
func (t *postgresTx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if err := t.ready(ctx); err != nil {
		return failedRow{err}
	}
	return t.Tx.QueryRow(ctx, sql, args...)
}

// failedRow is the pgx.Row of a query that could not be asked.
type failedRow struct{ err error }

func (r failedRow) Scan(...any) error { return r.err }

// SendBatch runs several statements.
func (t *postgresTx) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	if err := t.ready(ctx); err != nil {
		return failedBatch{failedRow{err}}
	}
	return t.Tx.SendBatch(ctx, b)
}

// failedBatch is the pgx.BatchResults of statements that could not be sent.
type failedBatch struct{ failedRow }

func (b failedBatch) Exec() (pgconn.CommandTag, error) { return pgconn.CommandTag{}, b.err }
func (b failedBatch) Query() (pgx.Rows, error)         { return nil, b.err }
func (b failedBatch) QueryRow() pgx.Row                { return b.failedRow }
func (b failedBatch) Close() error                     { return b.err }
func (b failedBatch) Tx() pgx.Tx                       { return nil }

// Begin begins a transaction inside this one.
func (t *postgresTx) Begin(ctx context.Context) (pgx.Tx, error) {
	if err := t.ready(ctx); err != nil {
		return nil, err
	}
	return t.Tx.Begin(ctx)
}
