// Package queue is River on the store of the records: jobs are inserted in the transaction of the records that ask for
// them, so that a job exists if and only if that transaction commits, and are worked by any number of nodes.
package queue

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/store/sqlstore"
)

// Job is work to do after the transaction that inserts it has committed.
type Job struct {
	Kind        string          // which Worker does it
	Args        json.RawMessage // what the Worker is told
	Queue       string          // "" is Default
	At          time.Time       // not before; zero is at once. It is met to within five seconds
	Priority    int             // 1 (first) to 4; 0 is 1
	MaxAttempts int             // runs before an erring job is given up; 0 is 25. Snoozing does not count
	Unique      string          // at most one job of this kind and text, finished ones of the last hour included
}

// Running is a job that is being worked.
type Running struct {
	Job
	ID      int64
	Attempt int // 1 is the first; what a dying process began counts
}

// Worker does a job. It may run again after the death of its process. nil ends the job; Snooze and Cancel say
// otherwise; another error is tried again with growing delays.
type Worker func(ctx context.Context, job Running) error

// Default is the queue of jobs that name none.
const Default = "default"

// Config says who works and how.
type Config struct {
	Workers map[string]Worker // by kind
	// Queues says how many jobs of a queue a node works at once. Jobs of queues not listed wait for a node that lists
	// them. None is Default with defaultWorkers.
	Queues  map[string]int
	Timeout time.Duration // of one job; 0 is a minute. It stays well below the two minutes of rescue
	// Unhurried are kinds of jobs that may take as long as they need. Nobody takes them from a node that lives.
	Unhurried []string
	Log       *slog.Logger // nil is slog.Default()
	// Clock is when jobs are due that name no time; nil is the machine's. One that is not the machine's wants Drain.
	Clock func() time.Time
}

// Queue inserts jobs and works them.
type Queue struct {
	store record.Store
	cfg   Config
	river engine

	mu      sync.Mutex
	started bool
}

// engine is River over one of the two databases.
type engine interface {
	migrate(ctx context.Context) error
	insert(ctx context.Context, tx *sqlstore.Tx, jobs []Job) error
	start(ctx context.Context, only []string) error
	stop(ctx context.Context) error
	next(ctx context.Context, until time.Time, only []string) (*Running, error)
	settle(ctx context.Context, job *Running, outcome error, now time.Time) error
	pending(ctx context.Context) (map[string]int, error)
	nextDue(ctx context.Context, of []string) (time.Time, bool, error)
}

const (
	defaultWorkers = 16
	defaultTimeout = time.Minute
)

// New makes the Queue of a store and brings River's tables up to date; where they are, that costs one query.
func New(ctx context.Context, store record.Store, cfg Config) (*Queue, error) {
	s, ok := store.(*sqlstore.Store)
	if !ok {
		return nil, fault.New(fault.Internal, "the queue does not know stores of the kind %T", store)
	}
	if len(cfg.Queues) == 0 {
		cfg.Queues = map[string]int{Default: defaultWorkers}
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Workers == nil {
		cfg.Workers = map[string]Worker{}
	}
	q := &Queue{store: store, cfg: cfg}
	var err error
	if pool := s.Pool(); pool.SQL != nil {
		q.river, err = newSQLite(q, pool)
	} else {
		q.river, err = newPostgres(q, pool)
	}
	if err != nil {
		return nil, err
	}
	return q, q.river.migrate(ctx)
}

// Handle names the Worker of a kind, before Start and Drain.
func (q *Queue) Handle(kind string, w Worker) { q.cfg.Workers[kind] = w }

// Insert adds jobs to the transaction of records.
func (q *Queue) Insert(ctx context.Context, tx record.Tx, jobs ...Job) error {
	t, ok := tx.(*sqlstore.Tx)
	switch {
	case !ok:
		return fault.New(fault.Internal, "the queue does not know transactions of the kind %T", tx)
	case len(jobs) == 0:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	jobs = q.dated(jobs)
	return q.river.insert(ctx, t, jobs)
}

// dated gives the jobs with the times that River is told: none for those that are due, for with one it lets them wait for
// its scheduler, which looks every five seconds. By a clock that is not the machine's every job has its time.
func (q *Queue) dated(jobs []Job) []Job {
	out := slices.Clone(jobs)
	for i := range out {
		switch {
		case q.cfg.Clock == nil && !out[i].At.After(time.Now()):
			out[i].At = time.Time{}
		case q.cfg.Clock != nil && out[i].At.IsZero():
			out[i].At = q.cfg.Clock()
		}
	}
	return out
}

// Start begins to work jobs, until Stop: those of the queues named, or of all. ctx is only for starting.
func (q *Queue) Start(ctx context.Context, only ...string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.started {
		return fault.New(fault.Internal, "the queue is started already")
	}
	if err := q.river.start(context.WithoutCancel(ctx), only); err != nil {
		return fault.Wrap(fault.Unavailable, err, "the queue does not start: %v", err)
	}
	q.started = true
	return nil
}

// Stop takes no more jobs and waits for those that run. When ctx is done they are cancelled, and run again on another
// node or later.
func (q *Queue) Stop(ctx context.Context) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.started {
		return nil
	}
	q.started = false
	return q.river.stop(ctx)
}

// Waiting counts the jobs that are not finished, by kind.
func (q *Queue) Waiting(ctx context.Context) (map[string]int, error) { return q.river.pending(ctx) }

// NextDue tells when the next job is due that waits for its time; ok is false when none does. Jobs of the queues named by
// but are left out.
func (q *Queue) NextDue(ctx context.Context, but ...string) (at time.Time, ok bool, err error) {
	if len(but) == 0 {
		return q.river.nextDue(ctx, nil)
	}
	of := slices.DeleteFunc(slices.Sorted(maps.Keys(q.cfg.Queues)), func(name string) bool { return slices.Contains(but, name) })
	if len(of) == 0 {
		return at, false, nil
	}
	return q.river.nextDue(ctx, of)
}

// Drain works, one after the other on the caller's goroutine, the jobs that are due at the time until, those they give rise
// to included, and tells how many: those of all queues, or only of some. It is for tests and for a clock that is not the machine's; the
// Queue must not be started.
func (q *Queue) Drain(ctx context.Context, until time.Time, only ...string) (int, error) {
	for n := 0; ; n++ {
		job, err := q.river.next(ctx, until, only)
		if err != nil || job == nil {
			return n, err
		}
		if err := q.river.settle(ctx, job, q.work(ctx, job), until); err != nil {
			return n, err
		}
	}
}

// work runs the Worker of a job; a panic is its error.
func (q *Queue) work(ctx context.Context, job *Running) (err error) {
	worker := q.cfg.Workers[job.Kind]
	if worker == nil {
		// Another version of the program may know it.
		return Snooze(time.Minute)
	}
	defer func() {
		if p := recover(); p != nil {
			err = fault.New(fault.Internal, "panic: %v", p)
			q.cfg.Log.ErrorContext(ctx, "a job panicked", "kind", job.Kind, "job", job.ID, "panic", p)
		}
	}()
	return worker(ctx, *job)
}
