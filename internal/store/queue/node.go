package queue

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"headrace/internal/core/record"
)

// node is this process among those that share a PostgreSQL queue. It holds a lock of its own connection for as long as
// it lives, and takes back the jobs of nodes whose lock is free: they died.
type node struct {
	e      *postgresEngine
	id     string
	conn   *pgx.Conn
	cancel context.CancelFunc
	tasks  sync.WaitGroup
}

// lookEvery is how often nodes look for dead ones.
const lookEvery = 3 * time.Second

// enter makes this process a node.
func (e *postgresEngine) enter(ctx context.Context) (*node, error) {
	n := &node{e: e, id: record.NewID()}
	if err := n.connect(ctx); err != nil {
		return nil, err
	}
	ctx, n.cancel = context.WithCancel(ctx)
	n.tasks.Go(func() { n.watch(ctx) })
	return n, nil
}

// connect takes the lock on a new connection.
func (n *node) connect(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, n.e.pool.Config().ConnConfig)
	if err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock("+nodeLock+")", n.e.prefix+n.id); err != nil {
		_ = conn.Close(ctx)
		return err
	}
	n.conn = conn
	return nil
}

const nodeLock = "hashtextextended('headrace node ' || $1, 0)"

// leave gives up the lock.
func (n *node) leave() {
	n.cancel()
	n.tasks.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), lookEvery)
	defer cancel()
	_ = n.conn.Close(ctx) // the server ends the connection, and the lock, whatever it answers
}

// watch takes back the jobs of dead nodes, at once and then every lookEvery.
func (n *node) watch(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if err := n.look(ctx); err != nil && ctx.Err() == nil {
			n.e.q.cfg.Log.WarnContext(ctx, "looking for dead nodes", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// look asks who has running jobs and whether he lives.
func (n *node) look(ctx context.Context) error {
	if n.conn.IsClosed() {
		if err := n.connect(ctx); err != nil {
			return err
		}
	}
	rows, err := n.conn.Query(ctx, "SELECT DISTINCT attempted_by[array_upper(attempted_by, 1)] FROM "+n.e.prefix+"river_job WHERE state = 'running'")
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	for i := 0; i < len(names) && err == nil; i++ {
		if names[i] != n.id {
			err = n.takeOver(ctx, names[i])
		}
	}
	return err
}

// takeOver frees the jobs of a node if its lock is free.
func (n *node) takeOver(ctx context.Context, id string) error {
	var dead bool
	if err := n.conn.QueryRow(ctx, "SELECT pg_try_advisory_lock("+nodeLock+")", n.e.prefix+id).Scan(&dead); err != nil || !dead {
		return err
	}
	_, err := n.conn.Exec(ctx, "UPDATE "+n.e.prefix+"river_job SET state = 'available', scheduled_at = now() "+
		"WHERE state = 'running' AND attempted_by[array_upper(attempted_by, 1)] = $1", id)
	if _, unlock := n.conn.Exec(ctx, "SELECT pg_advisory_unlock("+nodeLock+")", n.e.prefix+id); err == nil {
		err = unlock
	}
	return err
}
