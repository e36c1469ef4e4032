package schedule

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/store/queue"
)

// Why a run was not made.
const (
	reasonMissed    = "missed"
	reasonDrift     = "drift"
	reasonOverlap   = "overlap"
	reasonCondition = "condition"
	reasonParent    = "parent"
)

// What caused a run.
const (
	causeSchedule = "schedule"
	causeNow      = "now"
	causeParent   = "parent"
)

const (
	// punctual is how late a run may begin and still not count as missed.
	punctual = time.Minute
	// again is when a run that waits for another is looked at, should nobody wake it.
	again = 5 * time.Second
)

// workDue does the job of a due run.
func (s *Service) workDue(ctx context.Context, job queue.Running) error {
	var a dueArgs
	if err := json.Unmarshal(job.Args, &a); err != nil {
		return queue.Cancel(fault.Wrap(fault.Internal, err, "the job of a schedule cannot be read"))
	}
	waits, err := s.fire(ctx, a)
	if err == nil && waits {
		return queue.Snooze(again)
	}
	return err
}

// due is a run whose time has come.
type due struct {
	*Schedule
	trigger *record.Record
	at      time.Time // of the schedule
	now     time.Time
	late    time.Duration
}

// verdict is what becomes of a due run.
type verdict struct {
	waits   bool
	reason  string // why it is not made; "" when it is
	message string
	next    time.Time
}

// fire makes the run of a trigger, or writes why not, and plans the next one: all in one transaction. Whoever comes second
// with the same time finds the trigger gone further. waits says that the run has to wait for the one before.
func (s *Service) fire(ctx context.Context, a dueArgs) (waits bool, err error) {
	err = s.session().Write(ctx, func(w *record.Writer) error {
		t, err := s.one(ctx, w.Tx(), TriggerTable, triggerOf(a.Schedule))
		if err != nil || t == nil || t.Get("due").Text != a.Due {
			return err
		}
		if stale, err := s.update(ctx, w, TriggerTable, t.ID(), t.Get(record.SysModCount).Text, map[string]string{"claimed_by": s.node}); err != nil || stale {
			return err
		}
		c, err := s.schedule(ctx, w.Tx(), a.Schedule)
		switch {
		case c != nil && fault.KindOf(err) == fault.Invalid && err != nil:
			return s.unplan(ctx, w, c, t, err)
		case err != nil:
			return err
		case c == nil || !c.Active:
			return s.setNext(ctx, w, nil, t, time.Time{})
		}
		waits, err = s.settle(ctx, w, &due{Schedule: c, trigger: t, at: moment(a.Due), now: w.Now(), late: w.Now().Sub(moment(t.Get("next_action").Text))})
		return err
	})
	return waits, err
}

// unplan ends the planning of a schedule that cannot run any more, such as one whose zone is gone.
func (s *Service) unplan(ctx context.Context, w *record.Writer, c *Schedule, t *record.Record, why error) error {
	line := s.newLine(c, causeSchedule, record.NewID())
	line["due"], line["state"], line["message"], line["finished"] = t.Get("due").Text, string(Failed), why.Error(), textOf(w.Now())
	if err := s.insert(ctx, w, HistoryTable, line); err != nil {
		return err
	}
	return s.setNext(ctx, w, nil, t, time.Time{})
}

// settle carries out the verdict on a due run.
func (s *Service) settle(ctx context.Context, w *record.Writer, d *due) (waits bool, err error) {
	v, err := s.judge(ctx, w, d)
	if err != nil {
		return false, err
	}
	if v.waits {
		_, err := s.update(ctx, w, TriggerTable, d.trigger.ID(), "", map[string]string{"state": triggerQueued})
		return true, err
	}
	// The id of a run follows from its schedule and time: the store itself has no room for a second one.
	line := s.newLine(d.Schedule, causeSchedule, record.IDFrom("scheduled run", d.ID+" "+textOf(d.at)))
	line["due"], line["message"] = textOf(d.at), v.message
	if made, err := s.one(ctx, w.Tx(), HistoryTable, line[record.SysID]); err != nil || made != nil {
		if err == nil {
			err = s.setNext(ctx, w, d.Schedule, d.trigger, v.next)
		}
		return false, err
	}
	if v.reason != "" {
		err = s.writeSkipped(ctx, w, line, v.reason)
	} else {
		err = s.begin(ctx, w, d.Schedule, line)
	}
	if err == nil {
		err = s.setNext(ctx, w, d.Schedule, d.trigger, v.next)
	}
	return false, err
}

// judge says what becomes of a due run. It writes nothing.
func (s *Service) judge(ctx context.Context, w *record.Writer, d *due) (verdict, error) {
	queued := d.trigger.Get("state").Text == triggerQueued
	// A run that waited for another was there in time.
	missed := d.late > punctual && !queued
	latest := d.at
	if d.now.After(latest) {
		latest = d.now
	}
	v := verdict{next: d.Timing.After(latest)}
	if d.Missed == MissedAll {
		v.next = d.Timing.After(d.at)
	}
	switch {
	case d.MaxDrift > 0 && d.late > d.MaxDrift:
		v.reason = reasonDrift
		v.message = fmt.Sprintf("it could not begin within %s of its time%s", d.MaxDrift, d.more(v.next))
		return v, nil
	case missed && d.Missed == MissedSkip:
		v.reason, v.message = reasonMissed, "no server made it in time"+d.more(v.next)
		return v, nil
	}
	if missed {
		v.message = fmt.Sprintf("%s late%s", d.late, d.more(v.next))
	}
	if d.Overlap == OverlapAllow {
		return v, nil
	}
	busy, err := s.busy(ctx, w, d.ID)
	if err != nil || busy == nil {
		return v, err
	}
	if d.Overlap == OverlapQueue || queued || missed && d.Missed == MissedAll {
		return verdict{waits: true}, nil
	}
	v.reason, v.message = reasonOverlap, overlapText(busy)
	return v, nil
}

func overlapText(busy *record.Record) string {
	return "the run that began " + busy.Get(record.SysCreatedOn).Text + " is still going"
}

// mostCounted bounds how many missed times are counted.
const mostCounted = 1000

// more tells how many further times a run stands for: those that have passed too and will get no run of their own.
func (d *due) more(next time.Time) string {
	n, end := 0, d.now.Add(time.Second)
	if !next.IsZero() && next.Before(end) {
		end = next
	}
	for range Occurrences(&d.Timing, d.at.Add(time.Nanosecond), end) {
		if n++; n == mostCounted {
			return fmt.Sprintf("; with it %d times or more have passed", mostCounted)
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("; %d further times have passed with it", n)
}

// busy finds the first run of a schedule that is not finished; nil when there is none. Asking is taking a turn: others who
// ask wait until this transaction ends.
func (s *Service) busy(ctx context.Context, w *record.Writer, schedule string) (*record.Record, error) {
	if _, err := w.Bump(ctx, "schedule "+schedule); err != nil {
		return nil, err
	}
	where := &query.And{Parts: []query.Node{equal("document_key", schedule), equal("state", string(Ready), string(Running))}}
	found, err := all(ctx, w.Tx(), &record.Query{Table: s.table(HistoryTable), Where: where, OrderBy: []query.Order{{Field: record.SysCreatedOn}, {Field: record.SysID}}, Limit: 1})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

// newLine is a line of history that is about to be written.
func (s *Service) newLine(c *Schedule, cause, id string) map[string]string {
	return map[string]string{record.SysID: id, "name": c.Name, "document": c.Table, "document_key": c.ID, "cause": cause, "trace": record.NewID(),
		"attempts": "0", "resumed": "false"}
}

// writeSkipped writes the line of a run that is not made.
func (s *Service) writeSkipped(ctx context.Context, w *record.Writer, line map[string]string, reason string) error {
	line["state"], line["reason"], line["finished"], line["system_id"] = string(Skipped), reason, textOf(w.Now()), s.node
	return s.insert(ctx, w, HistoryTable, line)
}

// begin writes the line of a run that begins a chain, with what follows it, and the job that does it.
func (s *Service) begin(ctx context.Context, w *record.Writer, c *Schedule, line map[string]string) error {
	chain, err := s.chainOf(ctx, w.Tx(), c)
	if err != nil {
		return err
	}
	if len(chain) > 0 {
		text, err := json.Marshal(chain)
		if err != nil {
			return err
		}
		line["chain"], line["root"] = string(text), line[record.SysID]
	}
	return s.enqueue(ctx, w, c, line)
}

// enqueue writes the line of a run that is to be made, and its job.
func (s *Service) enqueue(ctx context.Context, w *record.Writer, c *Schedule, line map[string]string) error {
	line["state"] = string(Ready)
	if err := s.insert(ctx, w, HistoryTable, line); err != nil {
		return err
	}
	args, err := json.Marshal(line[record.SysID])
	if err != nil {
		return err
	}
	return s.cfg.Queue.Insert(ctx, w.Tx(), queue.Job{Kind: runKind, Args: args, Queue: RunQueue, Priority: jobPriority(c), At: w.Now()})
}

// jobPriority turns a priority, 100 being usual and less being earlier, into one of the queue's four.
func jobPriority(c *Schedule) int {
	p := number(c.record.Get("priority").Text)
	switch {
	case p == 0 || p == 100:
		return 2
	case p < 100:
		return 1
	case p <= 200:
		return 3
	}
	return 4
}

// RunNow begins a run in the transaction of w, whatever the times of the schedule, and gives the id of its line of history.
func (s *Service) RunNow(ctx context.Context, w *record.Writer, id string) (string, error) {
	c, err := s.schedule(ctx, w.Tx(), id)
	if err != nil && c == nil {
		return "", err
	}
	if c == nil {
		return "", fault.New(fault.NotFound, "there is no schedule %s", id).WithHint("`headrace schedule list` shows them")
	}
	if c.Overlap == OverlapSkip {
		busy, err := s.busy(ctx, w, id)
		if err != nil {
			return "", err
		}
		if busy != nil {
			return "", fault.New(fault.Conflict, "schedule %s: %s", c.Name, overlapText(busy)).WithHint("with overlap queue or allow it would be made")
		}
	}
	line := s.newLine(c, causeNow, record.NewID())
	line["due"], line["trace"] = textOf(w.Now()), w.Trace()
	return line[record.SysID], s.begin(ctx, w, c, line)
}
