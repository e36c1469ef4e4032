package event

import (
	"cmp"
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/store/queue"
)

// plan completes an event that is about to be written: its queue and state, a handler run for each handler, and their
// jobs.
func (s *Service) plan(ctx context.Context, w *record.Writer, r *record.Record) error {
	b := s.book.Get()
	name := r.Get("name").Text
	reg, registered := b.registered(name)
	queueName := cmp.Or(r.Get("queue").Text, reg.queue)
	r.Set("queue", record.Value{Text: queueName, Valid: queueName != ""})
	if reg.priority != "" {
		r.Set("priority", record.Text(reg.priority))
	}
	if r.Get("process_on").Empty() {
		r.Set("process_on", record.Text(w.Now().Format(record.DateTimeLayout)))
	}
	r.Set("trace", record.Text(cmp.Or(r.Get("trace").Text, w.Trace())))
	var notes []string
	if !registered {
		notes = append(notes, "unregistered: no event of this name in "+RegisterTable)
	}
	if len(name) > 40 {
		notes = append(notes, "the name is longer than 40 characters, which other platforms cut")
	}
	runs, err := s.runsFor(ctx, r, b.order(queueName))
	if err != nil {
		return err
	}
	r.Set("state", record.Text(EventReady))
	if len(runs) == 0 {
		notes = append(notes, "no handler")
		r.Set("state", record.Text(EventProcessed))
		r.Set("processed", record.Text(w.Now().Format(record.DateTimeLayout)))
	}
	r.Set("handlers", record.Text(strconv.Itoa(len(runs))))
	if len(notes) > 0 {
		r.Set("note", record.Text(strings.Join(notes, "; ")))
	}
	return s.queueUp(ctx, w, r, runs)
}

// runsFor makes a handler run for each handler of an event.
func (s *Service) runsFor(ctx context.Context, e *record.Record, order string) ([]*record.Record, error) {
	var runs []*record.Record
	for _, h := range s.handlers {
		targets, err := h.Targets(ctx, e.Get("name").Text)
		if err != nil {
			return nil, err
		}
		for _, t := range targets {
			runs = append(runs, s.newRun(h.Kind(), t, e))
		}
	}
	for _, r := range runs {
		switch {
		case order == Sequential:
			r.Set("place", record.Text(record.IDFrom("queue", e.Get("queue").Text)))
		case order == SequentialKey:
			r.Set("place", record.Text(record.IDFrom("queue key", e.Get("queue").Text+"\x00"+orderKey(e))))
		case len(runs) > 1:
			r.Set("place", record.Text(e.ID()))
			continue
		default:
			continue
		}
		r.Set("in_order", record.Text("true"))
	}
	return runs, nil
}

// orderKey is the key given, else the record's.
func orderKey(e *record.Record) string {
	return cmp.Or(e.Get("order_key").Text, e.Get("table").Text+":"+e.Get("instance").Text)
}

func (s *Service) newRun(kind string, t Target, e *record.Record) *record.Record {
	r := record.NewRecord(s.table(RunTable))
	r.Set(record.SysID, record.Text(record.NewID()))
	for name, v := range map[string]string{"event": e.ID(), "kind": kind, "handler": t.ID, "name": t.Name, "table": e.Get("table").Text,
		"instance": e.Get("instance").Text, "state": Ready, "attempts": "0", "crashes": "0", "next_try": e.Get("process_on").Text,
		"trace": e.Get("trace").Text, "user_id": e.Get("user_id").Text, "in_order": "false",
		"idempotency_key": record.IDFrom("handler run", e.ID()+" "+t.ID)} {
		if v != "" {
			r.Set(name, record.Text(v))
		}
	}
	return r
}

// behind is when a run that stands behind others of its own transaction is looked at though nobody has woken it.
const behind = 30 * time.Second

// queueUp writes runs and their jobs. e is the event they are of when this transaction fires it, else nil.
func (s *Service) queueUp(ctx context.Context, w *record.Writer, e *record.Record, runs []*record.Record) error {
	if len(runs) == 0 {
		return nil
	}
	jobs := make([]queue.Job, 0, len(runs))
	seen := map[string]bool{}
	for _, r := range runs {
		at, err := time.Parse(record.DateTimeLayout, r.Get("next_try").Text)
		if err != nil {
			return err
		}
		if place := r.Get("place").Text; place != "" {
			if seen[place] {
				at = at.Add(behind)
			}
			seen[place] = true
		}
		jobs = append(jobs, jobOf(r.ID(), at))
	}
	if err := s.insert(ctx, w, runs...); err != nil {
		return err
	}
	if e != nil && len(runs) == 1 && runs[0].Get("place").Empty() && !jobs[0].At.After(w.Now()) {
		stamp(e, w)
		jobs[0].Args = told(runs[0], e)
	}
	return s.queue.Insert(ctx, w.Tx(), jobs...)
}

func jobOf(run string, at time.Time) queue.Job {
	args, err := json.Marshal(run)
	if err != nil { // a text always marshals
		panic(err)
	}
	return queue.Job{Kind: JobKind, Args: args, Queue: JobQueue, At: at}
}

// JobQueue is the queue of the jobs of handler runs.
const JobQueue = "events"

// line gives the runs that stand in a line, but for those whose time has not come: the first mostLooked.
func (s *Service) line(ctx context.Context, tx record.Tx, place string, now time.Time) (ids []string, err error) {
	t := s.table(RunTable)
	due := &query.Or{Parts: []query.Node{
		&query.Term{Field: "state", Op: query.NotEqual, Values: []string{Ready}},
		&query.Term{Field: "next_try", Op: query.LessEqual, Values: []string{now.UTC().Format(record.DateTimeLayout)}},
	}}
	q := &record.Query{Table: t, Fields: []string{record.SysID}, Where: due, Limit: mostLooked, OrderBy: []query.Order{{Field: record.SysID}}, Keys: keyed("place", place)}
	for row, err := range tx.Select(ctx, q) {
		if err != nil {
			return nil, err
		}
		ids = append(ids, row[0].Text)
	}
	return ids, nil
}

const mostLooked = 25

// Submit makes a handler run that no event causes, in the transaction of w: an async business rule is one.
func (s *Service) Submit(ctx context.Context, w *record.Writer, kind string, t Target, about *record.Record, input json.RawMessage, priority int) error {
	e := record.NewRecord(s.table(Table))
	id := record.NewID()
	actor := w.Session().Actor()
	for name, v := range map[string]string{"table": about.Table.Name, "instance": about.ID(), "trace": w.Trace(), "user_id": actor.ID,
		"process_on": w.Now().Format(record.DateTimeLayout)} {
		e.Set(name, record.Value{Text: v, Valid: v != ""})
	}
	r := s.newRun(kind, t, e)
	r.Set("event", record.Null)
	r.Set("idempotency_key", record.Text(record.IDFrom("handler run", id+" "+t.ID)))
	if len(input) > 0 {
		r.Set("input", record.Text(string(input)))
	}
	if err := s.insert(ctx, w, r); err != nil {
		return err
	}
	job := jobOf(r.ID(), w.Now())
	job.Priority = priority
	return s.queue.Insert(ctx, w.Tx(), job)
}
