package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/mattn/go-sqlite3"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// sqliteStore is a backend: one connection that writes, some that read, all on one file in WAL mode.
type sqliteStore struct {
	path    string
	busy    time.Duration
	writer  *sql.DB
	readers *sql.DB
	turn    chan struct{} // who holds what is in it may write
	open    *joint        // the turn's
	log     logKeeper
}

const (
	defaultReaders = 4
	defaultBusy    = 10 * time.Second
)

func openSQLite(ctx context.Context, cfg Config) (*Store, error) {
	if err := usablePath(cfg.Path); err != nil {
		return nil, err
	}
	if err := installNative(); err != nil {
		return nil, err
	}
	s := &sqliteStore{path: cfg.Path, busy: cfg.Busy, turn: make(chan struct{}, 1)}
	s.pass()
	if s.busy == 0 {
		s.busy = defaultBusy
	}
	readers := cfg.Readers
	if readers == 0 {
		readers = defaultReaders
	}
	s.writer, s.readers = s.pool(1, true), s.pool(readers, false)
	// The writer first: it makes the file and puts it into WAL mode, which readers find in it.
	for _, db := range []*sql.DB{s.writer, s.readers} {
		if err := db.PingContext(ctx); err != nil {
			f := s.fault(err)
			s.close()
			if f == nil {
				return nil, err
			}
			return nil, f
		}
	}
	s.log.start(s)
	return &Store{d: sqliteDialect(), b: s}, nil
}

// usablePath tells apart what SQLite calls "unable to open database file".
func usablePath(path string) error {
	dir := filepath.Dir(path)
	at, err := os.Stat(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fault.New(fault.Unavailable, "the directory %s does not exist", dir).WithHint("make it, or name another data directory")
	case err != nil:
		return fault.Wrap(fault.Unavailable, err, "the directory %s cannot be looked into", dir).
			WithHint("give this user the right to it, or name another data directory")
	case !at.IsDir():
		return fault.New(fault.Unavailable, "%s is no directory", dir).WithHint("name another data directory")
	}
	if file, err := os.Stat(path); err == nil && file.IsDir() {
		return fault.New(fault.Unavailable, "%s is a directory, not a database file", path).WithHint("name a file in it")
	}
	return nil
}

// Settings of the connections. Pages of 8 kB instead of 4 make inserts a fifth faster and look-ups a tenth slower.
const (
	pageSize      = 8 << 10
	writerCacheKB = 48 << 10
	readerCacheKB = 8 << 10 // each: all connections together stay within 80 MB
)

func (s *sqliteStore) pool(size int, write bool) *sql.DB {
	escaped := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(s.path)
	settings := url.Values{
		"_busy_timeout": {strconv.Itoa(int(s.busy.Milliseconds()))},
		"_mutex":        {"no"}, // a connection is in one hand at a time
		"_foreign_keys": {"0"},
	}
	setup := "PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0; PRAGMA trusted_schema = ON;"
	if write {
		settings.Set("_txlock", "immediate")
		settings.Set("_cache_size", strconv.Itoa(-writerCacheKB))
		setup = "PRAGMA page_size = " + strconv.Itoa(pageSize) + "; PRAGMA journal_mode = WAL;" + synchronous("FULL") + setup
	} else {
		settings.Set("_cache_size", strconv.Itoa(-readerCacheKB))
		setup += "PRAGMA query_only = ON;"
	}
	db := sql.OpenDB(&connector{s: s, dsn: "file:" + escaped + "?" + settings.Encode(), setup: setup})
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	return db
}

// connector opens connections that have our functions.
type connector struct {
	s     *sqliteStore
	dsn   string
	setup string
}

func (c *connector) Driver() driver.Driver { return &sqlite3.SQLiteDriver{} }

func (c *connector) Connect(context.Context) (driver.Conn, error) {
	d := sqlite3.SQLiteDriver{ConnectHook: c.prepare}
	opened, err := d.Open(c.dsn)
	if err != nil {
		return nil, err
	}
	conn, ok := opened.(*sqlite3.SQLiteConn)
	if !ok {
		return nil, errors.Join(fault.New(fault.Internal, "a connection of the unknown kind %T", opened), opened.Close())
	}
	n, err := newNative(conn)
	if err == nil {
		err = n.watchLog(mostLog)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &connection{conn, n}, nil
}

func (c *connector) prepare(conn *sqlite3.SQLiteConn) error {
	if _, err := conn.Exec(c.setup, nil); err != nil {
		return err
	}
	return conn.RegisterAggregator("hr_sum", newDecimalSum, true)
}

// close ends both pools. Their connections end with them.
func (s *sqliteStore) close() error {
	s.log.end()
	return errors.Join(s.readers.Close(), s.writer.Close())
}

// connection is the Go driver's connection and ours beside it. It leaves transactions to us: the driver would compile
// BEGIN and COMMIT each time, and database/sql start a goroutine for each transaction, which is most of what a small one
// costs.
type connection struct {
	*sqlite3.SQLiteConn
	n *native
}

// BeginTx gives database/sql a part in the transaction that is open, if one is; how that ends is not for it to say.
func (c *connection) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	if c.AutoCommit() {
		return c.SQLiteConn.BeginTx(ctx, o)
	}
	return part{}, nil
}

// Close ends the connection.
func (c *connection) Close() error {
	c.n.close()
	err := c.SQLiteConn.Close()
	c.n.unwatchLog()
	return err
}

type part struct{}

// Commit leaves it to the transaction.
func (part) Commit() error { return nil }

// Rollback leaves it to the transaction.
func (part) Rollback() error { return nil }

func nativeOf(c *sql.Conn) (n *native, err error) {
	err = c.Raw(func(raw any) error {
		conn, ok := raw.(*connection)
		if !ok {
			return fault.New(fault.Internal, "a connection of the unknown kind %T", raw)
		}
		n = conn.n
		return nil
	})
	return n, err
}

func (s *sqliteStore) read(ctx context.Context, fn func(conn) error) error {
	c, err := s.readers.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	return transact(ctx, c, "BEGIN", fn)
}

// transact lends the connection in a transaction. database/sql is kept from watching ctx, which would roll back under our
// feet; instead a done ctx interrupts the statement that is running, and none is begun.
func transact(ctx context.Context, c *sql.Conn, begin string, fn func(conn) error) error {
	n, err := nativeOf(c)
	if err != nil {
		return err
	}
	if _, err := n.exec(begin, nil); err != nil {
		return err
	}
	done, stop := false, n.interruptible(ctx)
	defer func() {
		if !done {
			stop()
			n.rollback() // fn failed or panicked, which is what is told
		}
	}()
	if err := lend(ctx, c, n, fn); err != nil {
		return err
	}
	stop()
	done = true
	return n.commit()
}

// lend runs fn in the open transaction.
func lend(ctx context.Context, c *sql.Conn, n *native, fn func(conn) error) error {
	lent := &sqliteConn{n: n, c: c}
	defer lent.end()
	if err := fn(lent); err != nil {
		return err
	}
	return ctx.Err()
}

// sqliteConn is a conn.
type sqliteConn struct {
	n  *native
	c  *sql.Conn
	tx *sql.Tx // when somebody asked for it
}

// sqlTx takes database/sql into the transaction; nil when the connection is gone.
func (c *sqliteConn) sqlTx() *sql.Tx {
	if c.tx == nil {
		c.tx, _ = c.c.BeginTx(context.Background(), nil)
	}
	return c.tx
}

// end lets go of what sqlTx gave, so that no row or statement of it is open when the transaction ends.
func (c *sqliteConn) end() {
	if c.tx != nil {
		_ = c.tx.Commit() // does nothing; who has ended it before should not have
	}
}

func (c *sqliteConn) pgxTx() pgx.Tx { return nil }

// later holds nothing back: there is no way to go.
func (c *sqliteConn) later(fn func() error) error { return fn() }
func (c *sqliteConn) flush(context.Context) error { return nil }
func (c *sqliteConn) drop()                       {}

// lockShape has nothing to do: there is one writer.
func (c *sqliteConn) lockShape(context.Context) error { return nil }

func (c *sqliteConn) exec(ctx context.Context, text string, args []record.Value) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	return c.n.exec(text, args)
}

func (c *sqliteConn) query(ctx context.Context, text string, args []record.Value, yield func([]record.Value) bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return c.n.query(text, args, yield)
}
