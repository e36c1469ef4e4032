package schedule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/access"
	"headrace/internal/flow/script"
	"headrace/internal/store/queue"
)

// mostCrashes is how many deaths of its process a run survives.
const mostCrashes = 5

// attempt is one attempt at a run.
type attempt struct {
	*Schedule
	line    *record.Record // of history
	actor   record.Actor
	resumed bool
	output  strings.Builder
}

// workRun does the job of a run. It may begin again after its node has died or stopped.
func (s *Service) workRun(ctx context.Context, job queue.Running) error {
	var id string
	if err := json.Unmarshal(job.Args, &id); err != nil {
		return queue.Cancel(fault.Wrap(fault.Internal, err, "the job of a run cannot be read"))
	}
	a, waits, err := s.take(ctx, id)
	if err != nil || a == nil {
		return err
	}
	if waits {
		return queue.Snooze(again)
	}
	began := time.Now()
	out, err := s.attempt(ctx, a, job.Attempt)
	if cut := ctx.Err() != nil || s.life.Err() != nil && a.Table != ScriptTable; err != nil && cut {
		return queue.Snooze(0) // the node stops: another goes on
	}
	if err != nil {
		out.State, out.Message = Failed, err.Error()
		if hint := fault.HintOf(err); hint != "" {
			out.Message += " (" + hint + ")"
		}
		s.cfg.Log.WarnContext(ctx, "a scheduled run failed", "schedule", a.Name, "line", id, "error", err)
	}
	return s.finish(context.WithoutCancel(ctx), a, out, time.Since(began))
}

// take marks a run as running; nil when there is nothing to do, waits when another run of its schedule comes first.
func (s *Service) take(ctx context.Context, id string) (a *attempt, waits bool, err error) {
	err = s.session().Write(ctx, func(w *record.Writer) error {
		line, err := s.one(ctx, w.Tx(), HistoryTable, id)
		if err != nil || line == nil || line.Get("state").Text != string(Ready) && line.Get("state").Text != string(Running) {
			return err
		}
		c, err := s.schedule(ctx, w.Tx(), line.Get("document_key").Text)
		if c == nil && err == nil {
			c = &Schedule{ID: line.Get("document_key").Text, Name: line.Get("name").Text, Overlap: OverlapAllow}
		} else if c == nil {
			return err
		}
		a = &attempt{Schedule: c, line: line, resumed: whole(line, "attempts") > 0}
		if c.Overlap == OverlapQueue {
			first, err := s.busy(ctx, w, c.ID)
			if waits = err == nil && first != nil && first.ID() != id; err != nil || waits {
				return err
			}
		}
		values := map[string]string{"state": string(Running), "attempts": strconv.FormatInt(whole(line, "attempts")+1, 10), "system_id": s.node,
			"resumed": strconv.FormatBool(a.resumed)}
		if line.Get("started").Empty() {
			values["started"] = textOf(w.Now())
		}
		_, err = s.update(ctx, w, HistoryTable, id, "", values)
		return err
	})
	return a, waits, err
}

// attempt makes a run; a panic is its error.
func (s *Service) attempt(ctx context.Context, a *attempt, number int) (out Outcome, err error) {
	if number > mostCrashes {
		return Outcome{}, fault.New(fault.Internal, "the process died %d times during this run", number-1)
	}
	if a.record == nil {
		return Outcome{}, fault.New(fault.NotFound, "the schedule is not there any more")
	}
	defer func() {
		if p := recover(); p != nil {
			err = fault.New(fault.Internal, "panic: %v", p)
		}
	}()
	if a.actor, err = s.actor(ctx, a.Schedule); err != nil {
		return Outcome{}, err
	}
	scope, err := s.open(ctx, a)
	if err != nil {
		return Outcome{}, err
	}
	defer scope.Close()
	if src := a.condition(); src.Text != "" {
		v, err := scope.Run(src)
		if err != nil || !scope.Truth(v) {
			return Outcome{State: Skipped, Message: "the condition does not hold"}, err
		}
	}
	return s.do(ctx, a, scope)
}

// do does what the kind of schedule is for.
func (s *Service) do(ctx context.Context, a *attempt, scope *script.Scope) (Outcome, error) {
	switch a.Table {
	case ScriptTable:
		return s.runScript(a, scope)
	case ImportTable:
		return s.runImport(ctx, a, scope)
	case ExportTable:
		return s.runExport(ctx, a, scope)
	}
	return Outcome{}, fault.New(fault.Refused, "schedules of the table %s do nothing", a.Table).WithHint("make it one of %s, %s or %s", ScriptTable, ImportTable, ExportTable)
}

// actor finds who a run is made as: the user of run_as, else the system; with mode strict a scheduled import is the
// guest's, as on the platform.
func (s *Service) actor(ctx context.Context, c *Schedule) (who record.Actor, err error) {
	id := c.record.Get("run_as").Text
	if id == record.System.ID || id == "" && c.Table != ImportTable {
		return record.System, nil
	}
	err = s.cfg.DB.Store().Read(ctx, func(tx record.Tx) error {
		field, value := record.SysID, id
		if id == "" {
			field, value = "user_name", "guest"
		}
		found, err := s.first(ctx, tx, access.UserTable, field, value)
		switch {
		case err != nil:
			return err
		case found == nil && id == "":
			who = record.Actor{ID: "guest", Name: "guest", Trusted: true}
		case found == nil:
			return fault.New(fault.NotFound, "the user that the schedule runs as is not there any more").WithHint("give the schedule another run_as")
		case found.Get("active").Text == "false":
			return fault.New(fault.Denied, "the user %s, that the schedule runs as, is not active", found.Get("user_name").Text).WithHint("give the schedule another run_as")
		default:
			who = record.Actor{ID: found.ID(), Name: found.Get("user_name").Text, Trusted: true}
		}
		return nil
	})
	return who, err
}

// finish writes what a run has come to, begins what follows it and wakes what waits for it, in one transaction.
func (s *Service) finish(ctx context.Context, a *attempt, out Outcome, took time.Duration) error {
	values := map[string]string{"state": string(out.State), "message": joined(a.line.Get("message").Text, out.Message), "duration": strconv.FormatInt(took.Milliseconds(), 10),
		"output": clip(a.output.String()), "run_as": a.actor.Name, "rows_read": strconv.FormatInt(out.Read, 10), "rows_rejected": strconv.FormatInt(out.Rejected, 10)}
	if out.State == Skipped {
		values["reason"] = reasonCondition
	}
	if out.Run > 0 {
		values["run"] = strconv.FormatInt(out.Run, 10)
	}
	return s.session().Write(ctx, func(w *record.Writer) error {
		values["finished"] = textOf(w.Now())
		if gone, err := s.update(ctx, w, HistoryTable, a.line.ID(), "", values); err != nil || gone {
			return err
		}
		line, err := s.one(ctx, w.Tx(), HistoryTable, a.line.ID())
		if err == nil {
			err = s.advance(ctx, w, line)
		}
		if err == nil {
			err = s.wake(ctx, w, a.Schedule)
		}
		return err
	})
}

func joined(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}

// wake gives a job to the due run that waits for this schedule's.
func (s *Service) wake(ctx context.Context, w *record.Writer, c *Schedule) error {
	t, err := s.one(ctx, w.Tx(), TriggerTable, triggerOf(c.ID))
	if err != nil || t == nil || t.Get("state").Text != triggerQueued {
		return err
	}
	job := dueJob(c, moment(t.Get("due").Text), w.Now())
	job.Unique = ""
	return s.cfg.Queue.Insert(ctx, w.Tx(), job)
}

// note tells the line of history which import run it is about, as soon as there is one.
func (s *Service) note(ctx context.Context, a *attempt, run int64) {
	err := s.session().Write(ctx, func(w *record.Writer) error {
		_, err := s.update(ctx, w, HistoryTable, a.line.ID(), "", map[string]string{"run": strconv.FormatInt(run, 10)})
		return err
	})
	if err != nil {
		s.cfg.Log.WarnContext(ctx, "the history of a schedule does not know its run", "schedule", a.Name, "run", run, "error", err)
	}
}

// mostOutput is how much is kept of what the scripts of a run logged, bytes: the last of it.
const mostOutput = 8 << 10

func clip(text string) string {
	if len(text) <= mostOutput {
		return text
	}
	return "..." + strings.ToValidUTF8(text[len(text)-mostOutput:], "")
}

// runImport brings in the data source, between the scripts of the schedule.
func (s *Service) runImport(ctx context.Context, a *attempt, scope *script.Scope) (Outcome, error) {
	if s.cfg.Importer == nil {
		return Outcome{}, fault.New(fault.Refused, "this server imports no data sources")
	}
	source, err := s.referred(ctx, a, "data_source")
	if err != nil {
		return Outcome{}, err
	}
	if cancelled, err := s.before(a, scope, source); err != nil || cancelled {
		return Outcome{State: Cancelled, Message: "the pre script set cancel"}, err
	}
	ctx, cut := s.cuttable(ctx)
	defer cut()
	out, err := s.cfg.Importer.RunSource(ctx, source.Display(), a.actor, func(run int64) { s.note(ctx, a, run) })
	if out.Run > 0 {
		s.note(ctx, a, out.Run)
	}
	return s.after(ctx, a, scope, out, err)
}

// runExport writes a file, between the scripts of the schedule.
func (s *Service) runExport(ctx context.Context, a *attempt, scope *script.Scope) (Outcome, error) {
	if s.cfg.Exporter == nil {
		return Outcome{}, fault.New(fault.Refused, "this server exports nothing")
	}
	set, err := s.referred(ctx, a, "export_set")
	if err != nil {
		return Outcome{}, err
	}
	if cancelled, err := s.before(a, scope, set); err != nil || cancelled {
		return Outcome{State: Cancelled, Message: "the pre script set cancel"}, err
	}
	actor := a.actor
	if a.record.Get("run_as").Empty() {
		actor = record.Actor{}
	}
	ctx, cut := s.cuttable(ctx)
	defer cut()
	out, err := s.cfg.Exporter.RunExport(ctx, set.Display(), actor, a.line.ID())
	return s.after(ctx, a, scope, out, err)
}

// cuttable gives a context that ends when this process is about to.
func (s *Service) cuttable(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.life, cancel)
	return ctx, func() { stop(); cancel() }
}

// referred reads the record that a schedule is about.
func (s *Service) referred(ctx context.Context, a *attempt, field string) (*record.Record, error) {
	t := s.table(a.record.Table.Field(field).Reference)
	if t == nil || a.record.Get(field).Empty() {
		return nil, fault.New(fault.Invalid, "the schedule has no %s", field)
	}
	r, err := s.session().Get(ctx, t, a.record.Get(field).Text)
	return r, fault.During(field, err)
}

func (s *Service) runScript(a *attempt, scope *script.Scope) (Outcome, error) {
	src := a.source("script", false)
	if strings.TrimSpace(src.Text) == "" {
		return Outcome{State: Done, Message: "there is no script"}, nil
	}
	_, err := scope.Run(src)
	return Outcome{State: Done}, err
}

// after runs the script that comes after an import or export. It runs after a failed one too: import_set.state says so.
func (s *Service) after(ctx context.Context, a *attempt, scope *script.Scope, out Outcome, failed error) (Outcome, error) {
	src := a.source("post_script", false)
	if strings.TrimSpace(src.Text) == "" || a.record.Get("post_script_bool").Text != "true" || ctx.Err() != nil {
		return out, failed
	}
	if err := s.showRun(ctx, scope, out); err != nil {
		return out, errors.Join(failed, err)
	}
	if _, err := scope.Run(src); err != nil {
		return out, errors.Join(failed, fmt.Errorf("post script: %w", err))
	}
	return out, failed
}
