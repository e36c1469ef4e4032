package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"headrace/internal/core/record"
)

// postgresConn is a conn. Values travel as text both ways, below pgx's mapping of types.
type postgresConn struct {
	tx     pgx.Tx
	writes *postgresTx // tx, when it writes
	pg     *pgconn.PgConn
	schema string
	known  *knownStatements
	active *postgresRows // the result that is being read, if any
	params [][]byte
	text   []byte
}

// knownStatements are the statements of a connection that came more than once: they are prepared.
type knownStatements struct {
	seen  map[string]string // text -> name, "" when it came once
	count int
}

const (
	stateKey      = "headrace"
	mostPrepared  = 200
	mostSeen      = 2000
	longStatement = 10_000 // longer texts hardly come again
)

func newPostgresConn(tx pgx.Tx, schema string) *postgresConn {
	pg := tx.Conn().PgConn()
	known, ok := pg.CustomData()[stateKey].(*knownStatements)
	if !ok {
		known = &knownStatements{seen: map[string]string{}}
		pg.CustomData()[stateKey] = known
	}
	writes, _ := tx.(*postgresTx)
	return &postgresConn{tx: tx, writes: writes, pg: pg, schema: schema, known: known}
}

// later has the inserts and updates of single rows that fn makes wait for the next statement, or for the commit.
func (c *postgresConn) later(fn func() error) error {
	if c.writes == nil {
		return fn()
	}
	c.writes.holds++
	defer func() { c.writes.holds-- }()
	return fn()
}

func (c *postgresConn) holding() bool { return c.writes != nil && c.writes.holds > 0 }

// hold puts off a statement.
func (c *postgresConn) hold(text string, args []record.Value) {
	values := make([]any, len(args))
	for i, v := range args {
		if v.Valid {
			values[i] = v.Text
		}
	}
	c.writes.hold(text, values...)
}

// flush sends what was put off.
func (c *postgresConn) flush(ctx context.Context) error {
	if c.writes == nil {
		return nil
	}
	return c.lost(c.writes.send(ctx))
}

// drop forgets what was put off.
func (c *postgresConn) drop() {
	if c.writes != nil {
		c.writes.later = pgx.Batch{}
	}
}

func (c *postgresConn) sqlTx() *sql.Tx { return nil }
func (c *postgresConn) pgxTx() pgx.Tx  { return c.tx }

// lostError says that the connection went away under a statement.
type lostError struct{ err error }

func (e *lostError) Error() string { return "connection lost: " + e.err.Error() }
func (e *lostError) Unwrap() error { return e.err }

func (c *postgresConn) lost(err error) error {
	if err != nil && c.pg.IsClosed() {
		return &lostError{err}
	}
	return err
}

func (c *postgresConn) lockShape(ctx context.Context) error {
	_, err := c.exec(ctx, shapeLock, []record.Value{record.Text(c.schema)})
	return err
}

func (c *postgresConn) shape(ctx context.Context) (*shape, error) {
	out := &shape{columns: map[string]map[string]string{}, indexes: map[string]bool{}}
	err := c.query(ctx, `SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_class c
		JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
		WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped`,
		[]record.Value{record.Text(c.schema)}, out.addColumn)
	if err != nil {
		return nil, err
	}
	return out, c.query(ctx, `SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relkind IN ('i', 'I')`, []record.Value{record.Text(c.schema)}, out.addIndex)
}

func (c *postgresConn) exec(ctx context.Context, text string, args []record.Value) (int64, error) {
	rr, err := c.start(ctx, text, args)
	if err != nil {
		return 0, c.lost(err)
	}
	tag, err := rr.Close()
	return tag.RowsAffected(), c.lost(err)
}

// start sends a statement, prepared when it has come before.
func (c *postgresConn) start(ctx context.Context, text string, args []record.Value) (*pgconn.ResultReader, error) {
	if err := c.settle(ctx); err != nil {
		return nil, err
	}
	name, err := c.prepared(ctx, text)
	if err != nil {
		return nil, err
	}
	c.bind(args)
	if name != "" {
		return c.pg.ExecPrepared(ctx, name, c.params, nil, nil), nil
	}
	return c.pg.ExecParams(ctx, text, c.params, nil, nil, nil), nil
}

func (c *postgresConn) prepared(ctx context.Context, text string) (string, error) {
	k := c.known
	name, seen := k.seen[text]
	switch {
	case name != "" || len(text) > longStatement || !seen && len(k.seen) >= mostSeen || k.count >= mostPrepared:
		return name, nil
	case !seen:
		k.seen[text] = ""
		return "", nil
	}
	name = fmt.Sprintf("hr_%d", k.count)
	if _, err := c.pg.Prepare(ctx, name, text, nil); err != nil {
		return "", err
	}
	k.count++
	k.seen[text] = name
	return name, nil
}

// bind lays the arguments out one behind the other.
func (c *postgresConn) bind(args []record.Value) {
	size := 0
	for _, v := range args {
		size += len(v.Text)
	}
	c.text, c.params = slices.Grow(c.text[:0], size+1), c.params[:0]
	for _, v := range args {
		if !v.Valid {
			c.params = append(c.params, nil)
			continue
		}
		at := len(c.text)
		c.text = append(c.text, v.Text...)
		c.params = append(c.params, c.text[at:len(c.text):len(c.text)])
	}
}

func (c *postgresConn) query(ctx context.Context, text string, args []record.Value, yield func([]record.Value) bool) error {
	rr, err := c.start(ctx, text, args)
	if err != nil {
		return c.lost(err)
	}
	rows := &postgresRows{rr: rr}
	c.active = rows
	for rows.next() {
		if !yield(rows.row) {
			break
		}
	}
	if c.active == rows {
		c.active = nil
	}
	return c.lost(rows.close())
}

// settle makes the connection ready for a statement. What is left of a result that is being read it takes into memory: a
// connection answers one statement at a time.
func (c *postgresConn) settle(ctx context.Context) error {
	if c.active != nil {
		err := c.active.spill()
		c.active = nil
		if err != nil {
			return c.lost(err)
		}
	}
	if c.writes == nil {
		return nil
	}
	return c.lost(c.writes.ready(ctx))
}

// postgresRows reads a result. The texts of a row share one allocation.
type postgresRows struct {
	rr     *pgconn.ResultReader
	row    []record.Value
	text   []byte
	kept   [][]record.Value
	spilt  bool
	ended  bool
	result error
}

func (r *postgresRows) next() bool {
	if r.spilt {
		if len(r.kept) == 0 {
			return false
		}
		r.row, r.kept = r.kept[0], r.kept[1:]
		return true
	}
	if !r.rr.NextRow() {
		return false
	}
	r.take(r.rr.Values())
	return true
}

func (r *postgresRows) take(values [][]byte) {
	if r.row == nil {
		r.row = make([]record.Value, len(values))
	}
	r.text = r.text[:0]
	for _, v := range values {
		r.text = append(r.text, v...)
	}
	text := string(r.text)
	for i, v := range values {
		if v == nil {
			r.row[i] = record.Value{}
			continue
		}
		r.row[i] = record.Value{Text: text[:len(v)], Valid: true}
		text = text[len(v):]
	}
}

func (r *postgresRows) spill() error {
	current := r.row
	for r.rr.NextRow() {
		r.row = nil
		r.take(r.rr.Values())
		r.kept = append(r.kept, r.row)
	}
	r.row, r.spilt = current, true
	return r.close()
}

func (r *postgresRows) close() error {
	if !r.ended {
		r.ended = true
		_, r.result = r.rr.Close()
	}
	return r.result
}
