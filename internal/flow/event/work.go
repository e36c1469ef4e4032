package event

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/store/queue"
)

// attempt is one entry of a run's history.
type attempt struct {
	Number  int    `json:"number"`
	At      string `json:"at"`
	Millis  int64  `json:"ms"`
	Outcome string `json:"outcome"`
	Error   string `json:"error,omitempty"`
	Log     string `json:"log,omitempty"`
	Next    string `json:"next,omitempty"`
}

const (
	mostHistory = 50 // attempts kept, the newest
	mostCrashes = 5  // deaths of the process within a run before it is given up
)

// patience is when a run is looked at again that is not first in its line. The one before wakes it, unless that ended while
// the transaction that fired the event was still open: then nobody does.
func patience(position int) time.Duration {
	if position < 0 || position >= mostLooked {
		return 5*time.Second + time.Duration(rand.Int64N(int64(10*time.Second)))
	}
	return time.Duration(position) * 100 * time.Millisecond
}

// claimed is when a run that another job has claimed is looked at again.
const claimed = 5 * time.Second

// work does the job of a handler run.
func (s *Service) work(ctx context.Context, job queue.Running) error {
	id, row, e, err := s.hear(job)
	if err != nil {
		return queue.Cancel(fault.Wrap(fault.Internal, err, "the job of a handler run cannot be read"))
	}
	position := 0
	if row == nil {
		row, e, position, err = s.read(ctx, id)
	}
	switch {
	case err != nil:
		return err
	case row == nil, row.Get("state").Text == Done, row.Get("state").Text == Dead:
		return nil // by another job, or removed
	case position != 0:
		return queue.Snooze(patience(position))
	case row.Get("state").Text == Retry && s.early(row) > 0: // by a job that was to wake it
		return queue.Snooze(s.early(row))
	case row.Get("state").Text == Running && row.Get("job").Text != jobName(job):
		return queue.Snooze(claimed) // until it is done, or the queue gives the job of a dead node to another
	}
	if mine, err := s.claim(ctx, row, job); err != nil || !mine {
		return orSnooze(err)
	}
	r := s.runOf(row, e)
	began := time.Now()
	failure := s.handle(ctx, r, job)
	if ctx.Err() != nil && failure != nil { // the node stops
		return failure
	}
	return s.finish(ctx, row, r, job, failure, time.Since(began))
}

// early is how long it is until a run is to be tried again.
func (s *Service) early(row *record.Record) time.Duration {
	at, err := time.Parse(record.DateTimeLayout, row.Get("next_try").Text)
	if err != nil {
		return 0
	}
	return at.Sub(s.db.Now())
}

func orSnooze(err error) error {
	if err != nil {
		return err
	}
	return queue.Snooze(claimed)
}

func jobName(job queue.Running) string { return strconv.FormatInt(job.ID, 10) }

// read gives a run, its event, and its position in its line: 0 is first, -1 far behind.
func (s *Service) read(ctx context.Context, id string) (run, e *record.Record, position int, err error) {
	err = s.db.Store().Read(ctx, func(tx record.Tx) error {
		if run, err = s.one(ctx, tx, RunTable, id); err != nil || run == nil {
			return err
		}
		if place := run.Get("place").Text; place != "" {
			line, err := s.line(ctx, tx, place, s.db.Now())
			if err != nil {
				return err
			}
			position = slices.Index(line, id)
		}
		if ev := run.Get("event").Text; ev != "" {
			e, err = s.one(ctx, tx, Table, ev)
		}
		return err
	})
	return run, e, position, err
}

// one reads a record; nil when there is none.
func (s *Service) one(ctx context.Context, tx record.Tx, table, id string) (*record.Record, error) {
	t := s.table(table)
	q := &record.Query{Table: t, Fields: t.Names(), Keys: keyed(record.SysID, id)}
	for row, err := range tx.Select(ctx, q) {
		if err != nil {
			return nil, err
		}
		return &record.Record{Table: t, Values: append([]record.Value(nil), row...)}, nil
	}
	return nil, nil
}

func keyed(field string, values ...string) *record.Keys {
	k := &record.Keys{Fields: []string{field}, Fold: []bool{false}}
	for _, v := range values {
		k.Tuples = append(k.Tuples, record.Text(v))
	}
	return k
}

// claim marks a run that more than one job may come for. A run in no line that was not tried yet has one job, which the
// queue gives to one node at a time.
func (s *Service) claim(ctx context.Context, row *record.Record, job queue.Running) (mine bool, err error) {
	if row.Get("place").Empty() && row.Get("state").Text == Ready && row.Get("history").Empty() {
		return true, nil
	}
	err = s.db.As(record.System).Write(ctx, func(w *record.Writer) error {
		stale, err := s.update(ctx, w, RunTable, row.ID(), row.Get(record.SysModCount).Text, set("state", Running), set("job", jobName(job)))
		mine = !stale
		return err
	})
	return mine, err
}

func (s *Service) runOf(row, e *record.Record) *Run {
	get := func(name string) string { return row.Get(name).Text }
	tried, _ := strconv.Atoi(get("attempts"))
	return &Run{ID: row.ID(), Kind: get("kind"), Target: get("handler"), Name: get("name"), Event: e, Table: get("table"),
		Instance: get("instance"), Input: json.RawMessage(get("input")), Attempt: tried + 1, Key: get("idempotency_key"),
		Trace: get("trace"), UserID: get("user_id")}
}

// handle runs the handler; a panic is its error.
func (s *Service) handle(ctx context.Context, r *Run, job queue.Running) (err error) {
	if job.Attempt > mostCrashes {
		return Permanent(fault.New(fault.Internal, "the process died %d times during this run", job.Attempt-1))
	}
	h := s.handler(r.Kind)
	if h == nil {
		return fault.New(fault.Internal, "this version knows no handlers of the kind %q", r.Kind)
	}
	defer func() {
		if p := recover(); p != nil {
			err = fault.New(fault.Internal, "panic: %v", p)
		}
	}()
	return h.Handle(ctx, r)
}

// finish writes what became of an attempt, and wakes the next in line.
func (s *Service) finish(ctx context.Context, row *record.Record, r *Run, job queue.Running, failure error, took time.Duration) error {
	var policy Policy
	if h := s.handler(r.Kind); h != nil {
		policy = h.Policy(ctx, r.Target)
	}
	v := policy.judge(r, failure)
	if failure != nil {
		s.log.WarnContext(ctx, "a handler run failed", "run", r.ID, "handler", r.Name, "attempt", r.Attempt, "state", v.state, "error", failure, "trace", r.Trace)
	}
	err := s.db.As(record.System).Write(ctx, func(w *record.Writer) error {
		values, leaves := s.outcome(w, row, r, job, v, took)
		err := w.Tx().Later(ctx, func(record.Tx) error {
			if _, err := s.update(ctx, w, RunTable, r.ID, "", values...); err != nil || r.Event == nil {
				return err
			}
			return s.settle(ctx, w, r.Event, v.state)
		})
		if err != nil {
			return err
		}
		if place := row.Get("place").Text; place != "" && leaves {
			return s.wake(ctx, w, place)
		}
		return nil
	})
	if err == nil && v.state == Retry {
		return queue.Snooze(v.after)
	}
	return err
}

// outcome is what an attempt changes of a run; leaves says that it gives up its place in the line.
func (s *Service) outcome(w *record.Writer, row *record.Record, r *Run, job queue.Running, v verdict, took time.Duration) (values []record.Assignment, leaves bool) {
	next := time.Time{}
	if v.state == Retry {
		next = w.Now().Add(v.after)
	}
	var history []attempt
	if text := row.Get("history").Text; text != "" {
		_ = json.Unmarshal([]byte(text), &history) // what cannot be read any more is begun anew
	}
	a := attempt{Number: len(history) + 1, At: w.Now().Format(record.DateTimeLayout), Millis: took.Milliseconds(), Outcome: v.state, Error: v.text, Log: string(r.log)}
	if v.state == Retry {
		a.Next = next.Format(record.DateTimeLayout)
	}
	history = append(history, a)
	text, err := json.Marshal(history[max(0, len(history)-mostHistory):])
	if err != nil { // texts and numbers always marshal
		panic(err)
	}
	values = []record.Assignment{set("state", v.state), setInt("attempts", r.Attempt), setInt("crashes", job.Attempt-1), set("error", v.text),
		set("history", string(text)), setTime("next_try", next), set("duration", strconv.FormatInt(took.Milliseconds(), 10)), set("job", "")}
	finished := v.state == Done || v.state == Dead
	if finished {
		values = append(values, setTime("finished", w.Now()))
	}
	if leaves = finished || row.Get("in_order").Text != "true"; leaves {
		values = append(values, set("place", ""))
	}
	return values, leaves
}

// settle derives the state of an event from those of its runs.
func (s *Service) settle(ctx context.Context, w *record.Writer, e *record.Record, state string) error {
	if e.Get("handlers").Text != "1" {
		// The first write takes the lock of the event, so that whoever comes last sees the states of all.
		if _, err := s.update(ctx, w, Table, e.ID(), "", set("state", EventProcessing)); err != nil {
			return err
		}
		states, err := s.states(ctx, w.Tx(), e.ID())
		if err != nil {
			return err
		}
		state = worst(states)
	}
	values := []record.Assignment{set("state", EventProcessing)}
	switch state {
	case Done:
		values = []record.Assignment{set("state", EventProcessed), setTime("processed", w.Now()), s.sinceFired(e, w.Now())}
	case Dead, Retry:
		values = []record.Assignment{set("state", EventError)}
	}
	_, err := s.update(ctx, w, Table, e.ID(), "", values...)
	return err
}

// sinceFired is how long an event took from when it was to be handled.
func (s *Service) sinceFired(e *record.Record, now time.Time) record.Assignment {
	at, err := time.Parse(record.DateTimeLayout, e.Get("process_on").Text)
	if err != nil {
		return set("processing_duration", "")
	}
	return set("processing_duration", strconv.FormatInt(max(now.Sub(at), 0).Milliseconds(), 10))
}

// states gives the states of the runs of an event.
func (s *Service) states(ctx context.Context, tx record.Tx, event string) (map[string]int, error) {
	out := map[string]int{}
	q := &record.Query{Table: s.table(RunTable), Fields: []string{"state"}, Keys: keyed("event", event)}
	for row, err := range tx.Select(ctx, q) {
		if err != nil {
			return nil, err
		}
		out[row[0].Text]++
	}
	return out, nil
}

// worst is the state that decides that of the event: a failure, else what is still to do.
func worst(states map[string]int) string {
	for _, s := range []string{Dead, Retry, Running, Ready} {
		if states[s] > 0 {
			return s
		}
	}
	return Done
}

// wake gives a job to the run that is now first in a line.
func (s *Service) wake(ctx context.Context, w *record.Writer, place string) error {
	line, err := s.line(ctx, w.Tx(), place, w.Now())
	if err != nil || len(line) == 0 {
		return err
	}
	return s.queue.Insert(ctx, w.Tx(), jobOf(line[0], w.Now()))
}

// Replay has the failed runs of an event done again, or, with all, every run; handlers that the event has had no run for
// get one. It tells how many runs that makes. Their keys are what they were.
func (s *Service) Replay(ctx context.Context, w *record.Writer, id string, all bool) (int, error) {
	e, err := s.one(ctx, w.Tx(), Table, id)
	if err != nil {
		return 0, err
	}
	if e == nil {
		return 0, fault.New(fault.NotFound, "no event %s", id).WithHint("`headrace event list` shows them")
	}
	runs, err := s.replayed(ctx, w, e, all)
	if err != nil {
		return 0, err
	}
	missing, err := s.missing(ctx, w, e)
	if err != nil || runs+missing == 0 {
		return 0, err
	}
	_, err = s.update(ctx, w, Table, id, "", set("state", EventProcessing), set("note", "replayed "+w.Now().Format(record.DateTimeLayout)))
	return runs + missing, err
}

// replayed sets runs back to where they can be tried again.
func (s *Service) replayed(ctx context.Context, w *record.Writer, e *record.Record, all bool) (n int, err error) {
	var ids []string
	wanted := []string{Dead, Retry}
	if all {
		wanted = append(wanted, Done)
	}
	q := &record.Query{Table: s.table(RunTable), Fields: []string{record.SysID}, Keys: keyed("event", e.ID()),
		Where: &query.Term{Field: "state", Op: query.In, Values: wanted}}
	for row, err := range w.Tx().Select(ctx, q) {
		if err != nil {
			return 0, err
		}
		ids = append(ids, row[0].Text)
	}
	for _, id := range ids {
		_, err := s.update(ctx, w, RunTable, id, "", set("state", Ready), setInt("attempts", 0), set("place", ""), setTime("next_try", w.Now()), set("finished", ""))
		if err == nil {
			err = s.queue.Insert(ctx, w.Tx(), jobOf(id, w.Now()))
		}
		if err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}

// missing makes the runs of handlers that came after the event.
func (s *Service) missing(ctx context.Context, w *record.Writer, e *record.Record) (int, error) {
	have := map[string]bool{}
	for row, err := range w.Tx().Select(ctx, &record.Query{Table: s.table(RunTable), Fields: []string{"handler"}, Keys: keyed("event", e.ID())}) {
		if err != nil {
			return 0, err
		}
		have[row[0].Text] = true
	}
	runs, err := s.runsFor(ctx, e, Parallel)
	if err != nil {
		return 0, err
	}
	var fresh []*record.Record
	for _, r := range runs {
		if !have[r.Get("handler").Text] {
			r.Set("place", record.Null)
			r.Set("next_try", record.Text(w.Now().Format(record.DateTimeLayout)))
			fresh = append(fresh, r)
		}
	}
	if len(fresh) == 0 {
		return 0, nil
	}
	if _, err := s.update(ctx, w, Table, e.ID(), "", setInt("handlers", len(have)+len(fresh))); err != nil {
		return 0, err
	}
	return len(fresh), s.queueUp(ctx, w, nil, fresh)
}

// String tells a run in a log.
func (r *Run) String() string { return fmt.Sprintf("%s %s", r.Kind, r.Name) }
