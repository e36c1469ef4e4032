package queue

import (
	"context"
	"regexp"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"headrace/internal/core/record"
	"headrace/internal/store/sqlstore"
)

// postgresEngine is River on PostgreSQL.
type postgresEngine struct {
	*rivers[pgx.Tx]
	pool   *pgxpool.Pool
	prefix string // of River's tables
	node   *node  // while started
}

// riverSchema is what River takes as the name of a schema; it finds others by the search path.
var riverSchema = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]{0,40}$`)

func newPostgres(q *Queue, pool sqlstore.Pool) (engine, error) {
	schema, prefix := pool.Schema, pgx.Identifier{pool.Schema}.Sanitize()+"."
	if !riverSchema.MatchString(schema) {
		schema = ""
	}
	r, err := newRivers[pgx.Tx](q, riverpgxv5.New(pool.PGX), schema, postgresPoll)
	if err != nil {
		return nil, err
	}
	return &postgresEngine{rivers: r, pool: pool.PGX, prefix: prefix}, nil
}

// migrate takes a lock, for several nodes may open a new store at once. River's steps must be transactions of their own.
func (e *postgresEngine) migrate(ctx context.Context) error {
	behind, m, err := e.behind(ctx)
	if err != nil || !behind {
		return err
	}
	return e.q.inOneWrite(ctx, func(tx record.Tx) error {
		if _, err := tx.(*sqlstore.Tx).PGX().Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended('headrace queue ' || $1, 0))", e.prefix); err != nil {
			return err
		}
		if _, err := m.Migrate(ctx, "up", nil); err != nil {
			return err
		}
		return e.dropUnused(ctx)
	})
}

// unused are River's indexes for people who look for jobs by what is in them. Nobody does here, what there is to see is
// in the records, and they are a fifth of what a job costs.
var unused = []string{"river_job_args_index", "river_job_metadata_index"}

func (e *postgresEngine) dropUnused(ctx context.Context) error {
	for _, name := range unused {
		if _, err := e.pool.Exec(ctx, "DROP INDEX IF EXISTS "+e.prefix+name); err != nil {
			return err
		}
	}
	return nil
}

func (e *postgresEngine) insert(ctx context.Context, tx *sqlstore.Tx, jobs []Job) error {
	return e.insertInto(ctx, tx.PGX(), jobs)
}

func (e *postgresEngine) start(ctx context.Context, only []string) error {
	n, err := e.enter(ctx)
	if err != nil {
		return err
	}
	if err := e.startAs(ctx, n.id, only); err != nil {
		n.leave()
		return err
	}
	e.node = n
	return nil
}

func (e *postgresEngine) stop(ctx context.Context) error {
	err := e.rivers.stop(ctx)
	if e.node != nil {
		e.node.leave()
		e.node = nil
	}
	return err
}
