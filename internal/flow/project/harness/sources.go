package harness

import (
	"cmp"
	"context"
	"path"
	"strconv"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
	"headrace/internal/flow/importset/datasource"
	"headrace/internal/flow/outbound/export"
	"headrace/internal/flow/schedule"
)

// bring runs a saved data source.
func (t *trial) bring(ctx context.Context, s *step, path string) error {
	result, err := t.Sources.Run(ctx, datasource.Request{Name: s.Import, Actor: record.System})
	if result == nil || err != nil && !s.looksAt() {
		return err
	}
	if err != nil {
		result.Message = describe(err)
	}
	t.gives(s, importOutcome(result), "the import of "+s.Import, path)
	return nil
}

// looksAt tells that a step says what it comes to, so that coming to nothing good is no reason to stop.
func (s *step) looksAt() bool { return s.Gives != nil && s.Fails == "" }

// gives compares what a step has come to with what it should.
func (t *trial) gives(s *step, got map[string]any, what, path string) {
	if s.Gives == nil {
		return
	}
	if why := lacks(s.Gives, got, false); why != "" {
		t.fail(path+".gives", "%s gives %s%s", what, shown(got), why)
	}
}

// importOutcome is what an import came to, in the words of the ledger. The numbers are those of all its runs.
func importOutcome(r *datasource.Result) map[string]any {
	var sum importset.Ledger
	for _, run := range r.Runs {
		l := run.Ledger
		sum.Read, sum.Inserted, sum.Updated = sum.Read+l.Read, sum.Inserted+l.Inserted, sum.Updated+l.Updated
		sum.Unchanged, sum.Skipped, sum.Rejected = sum.Unchanged+l.Unchanged, sum.Skipped+l.Skipped, sum.Rejected+l.Rejected
	}
	out := map[string]any{"state": r.State, "message": r.Message, "watermark": r.Mark, "read": sum.Read, "inserted": sum.Inserted, "updated": sum.Updated,
		"unchanged": sum.Unchanged, "skipped": sum.Skipped, "rejected": sum.Rejected}
	var files []map[string]any
	for _, f := range r.Files {
		files = append(files, map[string]any{"file": path.Base(f.Path), "state": f.State, "reason": f.Reason})
	}
	if files != nil {
		out["files"] = files
	}
	if r.Drift != nil {
		out["drift"] = r.Drift
	}
	if r.Absent != nil {
		out["absent"] = r.Absent
	}
	return out
}

// runSchedule makes a run of a schedule and those that follow it in its chain.
func (t *trial) runSchedule(ctx context.Context, s *step, path string) error {
	found, err := t.Schedules.List(ctx, s.Run)
	if err != nil {
		return err
	}
	var line string
	err = t.session().Write(ctx, func(w *record.Writer) (err error) {
		line, err = t.Schedules.RunNow(ctx, w, found[0].ID)
		return err
	})
	if err != nil {
		return err
	}
	if _, err := t.Queue.Drain(ctx, t.clock.Now(), schedule.RunQueue); err != nil {
		return err
	}
	made, err := t.Schedules.Runs(ctx, line)
	if err != nil {
		return err
	}
	for _, r := range made {
		if state := schedule.State(r.Get("state").Text); state != schedule.Done && !s.looksAt() {
			return fault.New(fault.Refused, "schedule %s is %s: %s", r.Get("name").Text, state, r.Get("message").Text)
		}
	}
	t.gives(s, fieldsOf(made[0]), "the run of "+s.Run, path)
	return nil
}

// fieldsOf are the fields of a record as JSON writes them.
func fieldsOf(r *record.Record) map[string]any {
	out := map[string]any{}
	for i := range r.Table.Fields {
		f, v := &r.Table.Fields[i], r.Values[i]
		out[f.Name] = v.Text
		if n, err := strconv.ParseInt(v.Text, 10, 64); err == nil && f.Type.Stored() == record.Integer {
			out[f.Name] = n
		}
		if f.Type.Stored() == record.Boolean {
			out[f.Name] = v.Text == "true"
		}
	}
	return out
}

// leaveExport runs an export set.
func (t *trial) leaveExport(ctx context.Context, s *step, path string) error {
	run, err := t.Exports.Run(ctx, s.Export, record.System)
	if run == nil || err != nil && !s.looksAt() {
		return err
	}
	t.gives(s, map[string]any{"state": run.State, "rows": run.Rows, "file": run.FileName, "bytes": run.Bytes, "attempts": run.Attempts, "error": run.Error},
		"the export of "+s.Export, path)
	return nil
}

// pass lets time pass for whoever waits for a source.
func (c *clock) pass(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return ctx.Err()
}

// work does all that is due by now, and what comes of it.
func (t *trial) work(ctx context.Context) error {
	for range mostDrained {
		now := t.clock.Now()
		if err := t.Sources.Overdue(ctx, now); err != nil {
			return err
		}
		left, err := t.Exports.Due(ctx)
		if err != nil {
			return err
		}
		done, err := t.Queue.Drain(ctx, now)
		if err != nil || left+done == 0 {
			return err
		}
	}
	return endless()
}

func endless() error { return fault.New(fault.Limit, "the work does not end") }

// nextDue is when something becomes due, but for the queues named; ok is false when nothing does.
func (t *trial) nextDue(ctx context.Context, but ...string) (next time.Time, ok bool, err error) {
	next, ok, err = t.Queue.NextDue(ctx, but...)
	if err != nil {
		return next, ok, err
	}
	waiting, err := t.find(ctx, export.RunTable, "state="+string(export.Retry))
	for _, r := range waiting {
		at, bad := time.Parse(record.DateTimeLayout, r.Get("next_try").Text)
		if bad == nil && (!ok || at.Before(next)) {
			next, ok = at, true
		}
	}
	return next, ok, err
}

// expectSource looks at how a data source is.
func (t *trial) expectSource(ctx context.Context, name string, want expectedSource, path string) error {
	is, err := t.Sources.Describe(ctx, name)
	if err != nil {
		return err
	}
	if got := cmp.Or(is.State, "unknown"); want.State != "" && got != want.State {
		t.fail(path+".state", "data source %s is %s, expected %s: %s", name, got, want.State, is.Message)
	}
	if want.Watermark != nil && is.Mark != *want.Watermark {
		t.fail(path+".watermark", "the watermark of %s is %q, expected %q", name, is.Mark, *want.Watermark)
	}
	if want.Alerts == nil {
		return nil
	}
	open := []string{}
	for _, a := range is.Alerts {
		open = append(open, a.Kind)
	}
	if !sameSet(open, *want.Alerts) {
		t.fail(path+".alerts", "the open alerts of %s are %v, expected %v", name, open, *want.Alerts)
	}
	return nil
}

// expectSchedule looks at what a schedule has done, and when it runs next.
func (t *trial) expectSchedule(ctx context.Context, name string, want expectedSchedule, path string) error {
	found, err := t.Schedules.List(ctx, name)
	if err != nil {
		return err
	}
	is := found[0]
	made, err := t.Schedules.History(ctx, is.ID, 0)
	if err != nil {
		return err
	}
	if want.Runs != nil && len(made) != *want.Runs {
		t.fail(path+".runs", "schedule %s was run %d times, expected %d", name, len(made), *want.Runs)
	}
	state, message := "never run", ""
	if len(made) > 0 {
		state, message = made[0].Get("state").Text, made[0].Get("message").Text
	}
	if want.State != "" && state != want.State {
		t.fail(path+".state", "schedule %s is %s, expected %s: %s", name, state, want.State, message)
	}
	next := ""
	if !is.Next.IsZero() {
		next = is.Next.UTC().Format(record.DateTimeLayout)
	}
	if want.Next != nil && next != *want.Next {
		t.fail(path+".next", "schedule %s runs next at %q, expected %q", name, next, *want.Next)
	}
	return nil
}
