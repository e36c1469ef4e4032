package sqlstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// postgresStore is a backend: connections to one schema of one database. Readers, writers and the queue have pools of their
// own: a writer that has to read something waits for readers alone, who wait for nobody. With one pool, writers who wait
// for each other's rows could hold every connection that the one at work needs.
type postgresStore struct {
	readers, writers, queue *pgxpool.Pool

	schema string
	where  string // host and database, for messages
}

// The sizes of the pools. Connections are made when they are needed.
const (
	defaultPostgresReaders = 8
	defaultPostgresWriters = 12
	defaultPostgresQueue   = 6
)

func openPostgres(ctx context.Context, cfg Config) (*Store, error) {
	pc, err := pgxpool.ParseConfig(cfg.URL)
	if err != nil {
		return nil, fault.New(fault.Invalid, "the database URL cannot be read").
			WithHint("it looks like postgres://user:password@host:5432/database")
	}
	s := &postgresStore{schema: schemaOf(cfg, pc), where: fmt.Sprintf("%s on %s", pc.ConnConfig.Database, pc.ConnConfig.Host)}
	for name, value := range map[string]string{
		"search_path": ident(s.schema), "datestyle": "ISO, YMD", "timezone": "UTC", "application_name": "headrace",
		"jit":              "off", // compiling a plan takes longer than running ours
		"random_page_cost": "1.1", // look-ups of a batch's keys walk the index even where the table is small
	} {
		pc.ConnConfig.RuntimeParams[name] = value
	}
	if err := s.connect(ctx, cfg, pc); err != nil {
		return nil, s.fault(err)
	}
	if err := s.prepare(ctx); err != nil {
		s.disconnect()
		if f := s.fault(err); f != nil {
			return nil, f
		}
		return nil, err
	}
	return &Store{d: postgresDialect(), b: s}, nil
}

// connect makes the pools. pool_max_conns in the URL, and cfg.Readers before it, bound each of them.
func (s *postgresStore) connect(ctx context.Context, cfg Config, pc *pgxpool.Config) error {
	bounded := strings.Contains(cfg.URL, "pool_max_conns")
	if cfg.Readers > 0 {
		bounded, pc.MaxConns = true, int32(cfg.Readers)
	}
	for _, p := range []struct {
		pool **pgxpool.Pool
		most int32
	}{{&s.readers, defaultPostgresReaders}, {&s.writers, defaultPostgresWriters}, {&s.queue, defaultPostgresQueue}} {
		own := pc.Copy()
		if !bounded {
			own.MaxConns = p.most
		}
		var err error
		if *p.pool, err = pgxpool.NewWithConfig(ctx, own); err != nil {
			s.disconnect()
			return err
		}
	}
	return nil
}

func (s *postgresStore) disconnect() {
	for _, p := range []*pgxpool.Pool{s.readers, s.writers, s.queue} {
		if p != nil {
			p.Close()
		}
	}
}

// schemaOf is the schema asked for, else the first of the URL's search_path, else public.
func schemaOf(cfg Config, pc *pgxpool.Config) string {
	if cfg.Schema != "" {
		return cfg.Schema
	}
	first, _, _ := strings.Cut(pc.ConnConfig.RuntimeParams["search_path"], ",")
	if first = strings.Trim(strings.TrimSpace(first), `"`); first != "" {
		return first
	}
	return "public"
}

// prepare makes the schema and the fold function, unless they are there. Several processes may do so at once.
func (s *postgresStore) prepare(ctx context.Context) error {
	var encoding, have string
	var exists bool
	want := foldVersion()
	err := s.readers.QueryRow(ctx, `SELECT current_setting('server_encoding'), EXISTS (SELECT FROM pg_namespace WHERE nspname = $1),
		coalesce((SELECT obj_description(p.oid, 'pg_proc')
		FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = $1 AND p.proname = 'hr_fold'), '')`, s.schema).
		Scan(&encoding, &exists, &have)
	if err != nil {
		return err
	}
	if encoding != "UTF8" {
		return fault.New(fault.Invalid, "the database %s keeps text as %s", s.where, encoding).WithHint("make a database with ENCODING 'UTF8'")
	}
	if have == want {
		return nil
	}
	if have != "" {
		// Indexes hold text folded the old way; replacing the function under them would hide records.
		return fault.New(fault.Unavailable, "the database %s folds text by %s and this program by %s", s.where, have, want).
			WithHint("use the version of the program that made it, or export the data and import them into a new schema")
	}
	return pgx.BeginFunc(ctx, s.writers, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, shapeLock, s.schema); err != nil {
			return err
		}
		steps := s.foundation(want)
		if exists { // asking again would take the right to make schemas
			steps = steps[1:]
		}
		for _, sql := range steps {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return err
			}
		}
		return nil
	})
}

const shapeLock = "SELECT pg_advisory_xact_lock(hashtextextended('headrace ' || $1, 0))"

func (s *postgresStore) foundation(version string) []string {
	schema := ident(s.schema)
	return []string{
		"CREATE SCHEMA IF NOT EXISTS " + schema,
		"CREATE OR REPLACE FUNCTION " + schema + ".hr_fold_rest(text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS " +
			"$hr$" + foldRest() + "$hr$",
		// Not STRICT: then PostgreSQL writes the CASE into the query, and ASCII costs no call.
		"CREATE OR REPLACE FUNCTION " + schema + ".hr_fold(text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS " +
			"$hr$SELECT CASE WHEN octet_length($1) = char_length($1) THEN lower($1 COLLATE \"C\") ELSE " + schema + ".hr_fold_rest($1) END$hr$",
		"COMMENT ON FUNCTION " + schema + ".hr_fold(text) IS '" + version + "'",
	}
}

// foldTiers are scripts whose capitals alone are translated when a text has no others: the time that translate takes
// grows with the capitals it knows.
var foldTiers = [][2]uint32{{0xC0, 0xDE}, {0x400, 0x42F}, {0x370, 0x3FF}, {0xC0, 0x17F}, {0x370, 0x52F}}

// foldRest is the body of the function that folds text beyond ASCII. In the collation "C", lower knows ASCII only.
func foldRest() string {
	from, to := foldPairs()
	pick := func(inside func(uint32) bool) (a, b string) {
		var f, t []rune
		for i := range from {
			if inside(from[i]) {
				f, t = append(f, rune(from[i])), append(t, rune(to[i]))
			}
		}
		return string(f), string(t)
	}
	all, lower := pick(func(uint32) bool { return true })
	var b strings.Builder
	b.WriteString("BEGIN\nIF $1 COLLATE \"C\" !~ '[" + all + "]' THEN RETURN lower($1 COLLATE \"C\"); END IF;\n")
	for _, tier := range foldTiers {
		others, _ := pick(func(r uint32) bool { return r < tier[0] || r > tier[1] })
		these, those := pick(func(r uint32) bool { return r >= tier[0] && r <= tier[1] })
		b.WriteString("IF $1 COLLATE \"C\" !~ '[" + others + "]' THEN RETURN translate(lower($1 COLLATE \"C\"), '" + these + "', '" + those + "'); END IF;\n")
	}
	b.WriteString("RETURN translate(lower($1 COLLATE \"C\"), '" + all + "', '" + lower + "');\nEND")
	return b.String()
}

// foldVersion names the table of capitals.
func foldVersion() string {
	sum := sha256.New()
	from, to := foldPairs()
	for i := range from {
		fmt.Fprintln(sum, from[i], to[i])
	}
	return "fold " + hex.EncodeToString(sum.Sum(nil)[:8])
}

func (s *postgresStore) close() error {
	s.disconnect()
	return nil
}

func (s *postgresStore) read(ctx context.Context, fn func(conn) error) error {
	tx, err := s.readers.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return err
	}
	return s.transact(ctx, tx, fn)
}

func (s *postgresStore) write(ctx context.Context, durability record.Durability, fn func(conn) error) error {
	tx := &postgresTx{}
	if durability == record.Resumable {
		tx.begin.BeginQuery = "begin; set local synchronous_commit = off" // in one message: a round trip is dear where both ends are busy
	}
	var err error
	if tx.conn, err = s.writers.Acquire(ctx); err != nil {
		return err
	}
	defer tx.conn.Release()
	return s.transact(ctx, tx, fn)
}

func (s *postgresStore) transact(ctx context.Context, tx pgx.Tx, fn func(conn) error) error {
	// After a commit this does nothing; a context that is done must not keep the connection from being put back.
	defer tx.Rollback(context.WithoutCancel(ctx))
	c := newPostgresConn(tx, s.schema)
	if err := fn(c); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return c.lost(tx.Commit(ctx))
}
