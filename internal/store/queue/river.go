package queue

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"slices"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// Settings of River, see the decisions on dependencies for the measurements behind them.
const (
	fetchCooldown   = 2 * time.Millisecond
	sqlitePoll      = 100 * time.Millisecond // for jobs of other processes: those of this one ring a bell
	postgresPoll    = 20 * time.Millisecond
	rescueAfter     = 2 * time.Minute
	keepFinished    = time.Hour
	defaultAttempts = 25
)

// rivers is an engine but for what the databases do differently.
type rivers[T any] struct {
	q        *Queue
	driver   riverdriver.Driver[T]
	schema   string
	poll     time.Duration
	inserter *river.Client[T]
	worker   *river.Client[T] // while started
}

func newRivers[T any](q *Queue, driver riverdriver.Driver[T], schema string, poll time.Duration) (*rivers[T], error) {
	r := &rivers[T]{q: q, driver: driver, schema: schema, poll: poll}
	var err error
	r.inserter, err = river.NewClient(driver, r.config())
	return r, err
}

// config is what inserting and working have in common.
func (r *rivers[T]) config() *river.Config {
	return &river.Config{
		FetchCooldown: fetchCooldown, FetchPollInterval: r.poll, Schema: r.schema, JobTimeout: r.q.cfg.Timeout,
		RescueStuckJobsAfter: max(rescueAfter, r.q.cfg.Timeout+rescueAfter/2), CompletedJobRetentionPeriod: keepFinished,
		Logger: slog.New(quietHandler{r.q.cfg.Log.Handler()}), SkipUnknownJobCheck: true,
	}
}

// quietHandler drops what River tells of its ordinary life.
type quietHandler struct{ slog.Handler }

// Enabled makes quietHandler a slog.Handler that is asked about warnings and worse only.
func (h quietHandler) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && h.Handler.Enabled(ctx, l)
}

func (h quietHandler) WithAttrs(a []slog.Attr) slog.Handler {
	return quietHandler{h.Handler.WithAttrs(a)}
}
func (h quietHandler) WithGroup(name string) slog.Handler {
	return quietHandler{h.Handler.WithGroup(name)}
}

// behind tells whether River's tables are missing or old.
func (r *rivers[T]) behind(ctx context.Context) (bool, *rivermigrate.Migrator[T], error) {
	m, err := rivermigrate.New(r.driver, &rivermigrate.Config{Schema: r.schema, Logger: r.config().Logger})
	if err != nil {
		return false, nil, err
	}
	have, err := m.ExistingVersions(ctx)
	return len(have) < len(m.AllVersions()), m, err
}

// params turns jobs into River's.
func params(jobs []Job) []river.InsertManyParams {
	out := make([]river.InsertManyParams, len(jobs))
	for i, j := range jobs {
		o := &river.InsertOpts{Queue: j.Queue, Priority: j.Priority, MaxAttempts: j.MaxAttempts, ScheduledAt: j.At}
		if o.MaxAttempts == 0 {
			o.MaxAttempts = defaultAttempts
		}
		if o.Queue == "" {
			o.Queue = Default
		}
		if j.Unique != "" {
			o.UniqueOpts = river.UniqueOpts{ByArgs: true}
		}
		out[i] = river.InsertManyParams{Args: envelope{Name: j.Kind, Args: j.Args, Unique: j.Unique}, InsertOpts: o}
	}
	return out
}

func (r *rivers[T]) insertInto(ctx context.Context, tx T, jobs []Job) error {
	if slices.ContainsFunc(jobs, func(j Job) bool { return j.Unique != "" }) {
		_, err := r.inserter.InsertManyTx(ctx, tx, params(jobs))
		return err
	}
	_, err := r.inserter.InsertManyFastTx(ctx, tx, params(jobs))
	return err
}

// worker has River's jobs done by the Workers of their kinds.
type worker struct {
	river.WorkerDefaults[envelope]
	q *Queue
}

// Work makes worker a river.Worker.
func (w *worker) Work(ctx context.Context, job *river.Job[envelope]) error {
	return inRiver(w.q.work(ctx, running(job.JobRow, job.Args)))
}

// Timeout says how long a job may take: 0 is what the client says, less than that is for ever. River takes no job from
// its node before that.
func (w *worker) Timeout(job *river.Job[envelope]) time.Duration {
	if slices.Contains(w.q.cfg.Unhurried, job.Args.Name) {
		return -1
	}
	return 0
}

// startAs begins to work the queues named, or all, under the name of a node.
func (r *rivers[T]) startAs(ctx context.Context, id string, only []string) error {
	cfg := r.config()
	cfg.ID = id
	cfg.Workers = river.NewWorkers()
	cfg.Queues = map[string]river.QueueConfig{}
	for name, n := range r.q.cfg.Queues {
		if len(only) == 0 || slices.Contains(only, name) {
			cfg.Queues[name] = river.QueueConfig{MaxWorkers: n}
		}
	}
	river.AddWorker(cfg.Workers, &worker{q: r.q})
	worker, err := river.NewClient(r.driver, cfg)
	if err != nil {
		return err
	}
	if err := worker.Start(ctx); err != nil {
		return err
	}
	r.worker = worker
	return nil
}

// inRiver says an outcome in River's terms.
func inRiver(err error) error {
	var s *snooze
	var c *cancelled
	switch {
	case errors.As(err, &s):
		return river.JobSnooze(max(s.after, 0))
	case errors.As(err, &c):
		return river.JobCancel(c.err)
	}
	return err
}

func running(row *rivertype.JobRow, e envelope) *Running {
	return &Running{ID: row.ID, Attempt: row.Attempt, Job: Job{Kind: e.Name, Args: e.Args, Queue: row.Queue, At: row.ScheduledAt,
		Priority: row.Priority, MaxAttempts: row.MaxAttempts, Unique: e.Unique}}
}

func (r *rivers[T]) stop(ctx context.Context) error {
	worker := r.worker
	r.worker = nil
	if worker == nil {
		return nil
	}
	err := worker.Stop(ctx)
	if err == nil || ctx.Err() == nil {
		return err
	}
	r.q.cfg.Log.Warn("jobs are cut off; they will run again")
	hard, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.q.cfg.Timeout)
	defer cancel()
	return worker.StopAndCancel(hard)
}

// next takes the first job that is due, for Drain.
func (r *rivers[T]) next(ctx context.Context, until time.Time, only []string) (*Running, error) {
	exec := r.driver.GetExecutor()
	if _, err := exec.JobSchedule(ctx, &riverdriver.JobScheduleParams{Max: math.MaxInt32, Now: &until, Schema: r.schema}); err != nil {
		return nil, err
	}
	name, err := r.firstQueue(ctx, until, only)
	if err != nil || name == "" {
		return nil, err
	}
	got, err := exec.JobGetAvailable(ctx, &riverdriver.JobGetAvailableParams{ClientID: "drain", MaxAttemptedBy: 1, MaxToLock: 1,
		Now: &until, Queue: name, Schema: r.schema})
	if err != nil || len(got.Jobs) == 0 {
		return nil, err
	}
	row := got.Jobs[0]
	var e envelope
	if err := json.Unmarshal(row.EncodedArgs, &e); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "job %d cannot be read", row.ID)
	}
	return running(row, e), nil
}

// unfinished are the states of jobs that will run.
var unfinished = []rivertype.JobState{rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable,
	rivertype.JobStateRunning, rivertype.JobStateScheduled}

// firstQueue finds the queue of the job that has been due longest.
func (r *rivers[T]) firstQueue(ctx context.Context, until time.Time, only []string) (string, error) {
	list, err := r.inserter.JobList(ctx, earliest(only, rivertype.JobStateAvailable))
	if err != nil || len(list.Jobs) == 0 || list.Jobs[0].ScheduledAt.After(until) {
		return "", err
	}
	return list.Jobs[0].Queue, nil
}

// earliest asks for the job that is due first, of some queues or of all.
func earliest(of []string, states ...rivertype.JobState) *river.JobListParams {
	p := river.NewJobListParams().States(states...).OrderBy(river.JobListOrderByScheduledAt, river.SortOrderAsc).First(1)
	if len(of) > 0 {
		p = p.Queues(of...)
	}
	return p
}

// settle ends a job that Drain has run.
func (r *rivers[T]) settle(ctx context.Context, job *Running, outcome error, now time.Time) error {
	set := riverdriver.JobSetStateCompleted(job.ID, now, nil)
	var s *snooze
	var c *cancelled
	switch {
	case outcome == nil:
	case errors.As(outcome, &s):
		set = riverdriver.JobSetStateSnoozed(job.ID, now.Add(s.after), job.Attempt-1, nil)
	case errors.As(outcome, &c), job.Attempt >= job.MaxAttempts:
		set = riverdriver.JobSetStateCancelled(job.ID, now, attemptError(job, outcome, now), nil)
	default:
		set = riverdriver.JobSetStateErrorRetryable(job.ID, now.Add(backOff(job.Attempt)), attemptError(job, outcome, now), nil)
	}
	_, err := r.driver.GetExecutor().JobSetStateIfRunningMany(ctx, &riverdriver.JobSetStateIfRunningManyParams{
		ID: []int64{set.ID}, Attempt: []*int{set.Attempt}, ErrData: [][]byte{set.ErrData}, FinalizedAt: []*time.Time{set.FinalizedAt},
		MetadataDoMerge: []bool{false}, MetadataUpdates: [][]byte{nil}, Now: &now, ScheduledAt: []*time.Time{set.ScheduledAt},
		Schema: r.schema, State: []rivertype.JobState{set.State}})
	return err
}

// backOff is River's own: the fourth power of the attempt, in seconds.
func backOff(attempt int) time.Duration {
	return time.Duration(math.Pow(float64(attempt), 4)) * time.Second
}

func attemptError(job *Running, err error, now time.Time) []byte {
	text, failed := json.Marshal(rivertype.AttemptError{At: now, Attempt: job.Attempt, Error: err.Error()})
	if failed != nil { // texts and numbers always marshal
		panic(failed)
	}
	return text
}

func (r *rivers[T]) pending(ctx context.Context) (map[string]int, error) {
	out := map[string]int{}
	p := river.NewJobListParams().States(unfinished...).First(10_000)
	for {
		list, err := r.inserter.JobList(ctx, p)
		if err != nil {
			return nil, err
		}
		for _, row := range list.Jobs {
			var e envelope
			if json.Unmarshal(row.EncodedArgs, &e) == nil {
				out[e.Name]++
			}
		}
		if len(list.Jobs) < 10_000 {
			return out, nil
		}
		p = p.After(list.LastCursor)
	}
}

func (r *rivers[T]) nextDue(ctx context.Context, of []string) (time.Time, bool, error) {
	list, err := r.inserter.JobList(ctx, earliest(of, rivertype.JobStateAvailable, rivertype.JobStateRetryable, rivertype.JobStateScheduled))
	if err != nil || len(list.Jobs) == 0 {
		return time.Time{}, false, err
	}
	return list.Jobs[0].ScheduledAt, true, nil
}

// inOneWrite runs fn in a write transaction of the store.
func (q *Queue) inOneWrite(ctx context.Context, fn func(record.Tx) error) error {
	return q.store.Write(ctx, record.Durable, fn)
}
