package queue

import (
	"context"
	"database/sql"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riversqlite"

	"headrace/internal/core/record"
	"headrace/internal/store/sqlstore"
)

// sqliteEngine is River on the writing connection of SQLite.
type sqliteEngine struct {
	*rivers[*sql.Tx]
	path string
	life *lock // while started: tells other processes that this one lives
	bell *bell
}

// sqliteDriver is River's, but hears of new jobs within the process: its own notifications would be rows to write and to
// poll for. Jobs of other processes are found by polling.
type sqliteDriver struct {
	*riversqlite.Driver
	bell *bell
}

// SupportsListener says that there is something to listen to.
func (sqliteDriver) SupportsListener() bool { return true }

// SupportsListenNotify says that the database carries no notifications.
func (sqliteDriver) SupportsListenNotify() bool { return false }

// GetListener gives what hears of new jobs.
func (d sqliteDriver) GetListener(*riverdriver.GetListenenerParams) riverdriver.Listener {
	return &listener{bell: d.bell}
}

func newSQLite(q *Queue, pool sqlstore.Pool) (engine, error) {
	b := &bell{hearing: map[*listener]chan string{}}
	r, err := newRivers[*sql.Tx](q, sqliteDriver{riversqlite.New(pool.SQL), b}, "", sqlitePoll)
	if err != nil {
		return nil, err
	}
	return &sqliteEngine{rivers: r, path: pool.Path, bell: b}, nil
}

func (e *sqliteEngine) migrate(ctx context.Context) error {
	behind, m, err := e.behind(ctx)
	if err != nil || !behind {
		return err
	}
	return e.q.inOneWrite(ctx, func(tx record.Tx) error {
		//lint:ignore SA1019 Migrate begins a transaction of its own, for which SQLite has no second writer; all steps for SQLite may run in one
		_, err := m.MigrateTx(context.WithoutCancel(ctx), tx.(*sqlstore.Tx).SQL(), "up", nil)
		return err
	})
}

// insert does not let ctx interrupt River's statement: on SQLite that would take back what other writers have in the
// same transaction.
func (e *sqliteEngine) insert(ctx context.Context, tx *sqlstore.Tx, jobs []Job) error {
	err := e.insertInto(context.WithoutCancel(ctx), tx.SQL(), jobs)
	if err == nil {
		e.bell.ring(jobs)
	}
	return err
}

// start frees what a process left running that died: where nobody else works on the file, everything.
func (e *sqliteEngine) start(ctx context.Context, only []string) error {
	life, err := takeLock(e.path + "-queue")
	if err != nil {
		return err
	}
	e.life = life
	if life != nil {
		err = e.q.inOneWrite(ctx, func(tx record.Tx) error {
			_, err := tx.(*sqlstore.Tx).SQL().ExecContext(ctx, "UPDATE river_job SET state = 'available' WHERE state = 'running'")
			return err
		})
	}
	if err == nil {
		err = e.startAs(ctx, record.NewID(), only)
	}
	if err != nil {
		e.life.release()
	}
	return err
}

func (e *sqliteEngine) stop(ctx context.Context) error {
	defer e.life.release()
	return e.rivers.stop(ctx)
}
