package schedule

import (
	"context"
	"encoding/json"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/script"
	"headrace/internal/store/queue"
)

// Sees makes Service a record.Hook: on schedules of every kind.
func (s *Service) Sees(t *record.Table) bool { return t.Physical == Table }

// Keeps makes Service a record.Keeper: a schedule without its trigger would never run.
func (s *Service) Keeps() {}

// Before refuses schedules that cannot run. Inactive ones are drafts, and may be anything.
func (s *Service) Before(ctx context.Context, c *record.Change) error {
	if c.New == nil || c.New.Get("active").Text != "true" {
		return nil
	}
	err := s.check(ctx, c.Writer.Tx(), c.New)
	if err == nil && (c.Old == nil || !sameTimes(c.New, c.Old)) {
		err = s.checkAhead(ctx, c.Writer, c.New)
	}
	return fault.During("schedule "+c.New.Get("name").Text, err)
}

func (s *Service) check(ctx context.Context, tx record.Tx, r *record.Record) error {
	c, err := s.compile(ctx, tx, r)
	if err != nil {
		return err
	}
	if err := s.checkScripts(c); err != nil {
		return err
	}
	if zone := r.Get("user_time_zone").Text; zone != "" {
		if _, err := location(zone); err != nil {
			return err
		}
	}
	if r.Table.Name == ImportTable && r.Get("run_as").Empty() && !c.Strict {
		return refused("run_as is empty: a scheduled import says whose rights it has").
			WithHint("name a user; with mode strict it would be the guest, as on the platform")
	}
	for table, field := range map[string]string{ImportTable: "data_source", ExportTable: "export_set"} {
		if r.Table.Name == table && r.Get(field).Empty() && !c.Strict {
			return refused("%s is empty: there is nothing to run", field).WithHint("name one, or make the schedule inactive until there is one")
		}
	}
	if c.Timing.Type == AfterParent {
		return s.checkParent(ctx, tx, c)
	}
	return nil
}

type lenient struct{}

// LetPast allows schedules whose last time has passed, which are refused otherwise: those of files that were right when
// they were written.
func LetPast(ctx context.Context) context.Context { return context.WithValue(ctx, lenient{}, true) }

// checkAhead refuses a schedule whose last time has passed: whoever saves it would wait for a run that never comes. The
// platform takes it.
func (s *Service) checkAhead(ctx context.Context, w *record.Writer, r *record.Record) error {
	c, err := s.compile(ctx, w.Tx(), r)
	if err != nil || c.Strict || ctx.Value(lenient{}) != nil || c.Timing.Type == OnDemand || c.Timing.Type == AfterParent {
		return err
	}
	if !c.Timing.After(w.Now()).IsZero() {
		return nil
	}
	last := c.Timing.End
	if c.Timing.Type == Once {
		last = c.Timing.Start
	}
	return refused("the schedule can never run: its last time has passed, %s UTC, and it is %s", textOf(last), textOf(w.Now())).
		WithHint("times are UTC: give a later run_start or run_end, or make it inactive")
}

func (s *Service) checkScripts(c *Schedule) error {
	if s.cfg.Scripts == nil {
		return nil
	}
	for _, src := range []script.Source{c.condition(), c.source("script", false), c.source("pre_script", false), c.source("post_script", false)} {
		if strings.TrimSpace(src.Text) == "" {
			continue
		}
		if err := s.cfg.Scripts.Check(src); err != nil {
			return err
		}
	}
	return nil
}

// mostDeep is how long a chain may be.
const mostDeep = 100

// checkParent refuses chains that come back to themselves.
func (s *Service) checkParent(ctx context.Context, tx record.Tx, c *Schedule) error {
	if c.Parent == "" {
		return refused("a schedule that runs after its parent needs a parent")
	}
	names := []string{c.Name}
	for at, n := c.Parent, 0; at != ""; n++ {
		if at == c.ID || n > mostDeep {
			return refused("the schedule comes after itself: %s", strings.Join(names, " after ")).WithHint("give one of them another parent or run type")
		}
		p, err := s.one(ctx, tx, Table, at)
		if err != nil || p == nil {
			return err // a parent that comes later is found when the chain begins
		}
		names = append(names, p.Get("name").Text)
		if at = ""; p.Get("run_type").Text == string(AfterParent) {
			at = p.Get("parent").Text
		}
	}
	return nil
}

// After plans the next run of a schedule that has changed, in the transaction of the change.
func (s *Service) After(ctx context.Context, c *record.Change) error {
	if c.New == nil {
		_, err := c.Writer.Tx().Delete(ctx, s.table(TriggerTable), []record.Value{record.Text(triggerOf(c.Old.ID()))})
		return err
	}
	return s.replan(ctx, c.Writer, c.New, c.Old)
}

// triggerOf is the id of the trigger of a schedule.
func triggerOf(schedule string) string { return record.IDFrom("schedule trigger", schedule) }

// replan plans the next run of a schedule anew, unless nothing that times depend on has changed: then a run that is due
// is not forgotten.
func (s *Service) replan(ctx context.Context, w *record.Writer, r, old *record.Record) error {
	t, err := s.one(ctx, w.Tx(), TriggerTable, triggerOf(r.ID()))
	if err != nil || t != nil && old != nil && sameTimes(r, old) {
		return err
	}
	if r.Get("active").Text != "true" {
		return s.setNext(ctx, w, &Schedule{ID: r.ID()}, t, time.Time{})
	}
	c, err := s.compile(ctx, w.Tx(), r)
	if err != nil {
		return err
	}
	return s.setNext(ctx, w, c, t, c.Timing.After(w.Now()))
}

// sameTimes tells whether the times of a schedule are what they were.
func sameTimes(r, old *record.Record) bool {
	names := []string{"active", "run_as", "jitter"}
	for _, f := range timeFields() {
		names = append(names, f.Name)
	}
	for _, name := range names {
		if !r.Get(name).Same(old.Get(name)) {
			return false
		}
	}
	return true
}

// setNext writes when a schedule runs next, with the job that will see to it; never is the zero time.
func (s *Service) setNext(ctx context.Context, w *record.Writer, c *Schedule, t *record.Record, due time.Time) error {
	table := s.table(TriggerTable)
	if due.IsZero() {
		if t == nil {
			return nil
		}
		_, err := w.Tx().Delete(ctx, table, []record.Value{record.Text(t.ID())})
		return err
	}
	begin := due.Add(c.delay(due))
	kind := "1"
	if c.Timing.Type == Once {
		kind = "0"
	}
	values := map[string]string{"name": c.Name, "document": c.Table, "document_key": c.ID, "trigger_type": kind, "next_action": textOf(begin),
		"due": textOf(due), "state": triggerReady, "priority": c.record.Get("priority").Text, "system_id": s.node}
	if t == nil {
		values[record.SysID] = triggerOf(c.ID)
		if err := s.insert(ctx, w, TriggerTable, values); err != nil {
			return err
		}
	} else if _, err := s.update(ctx, w, TriggerTable, t.ID(), "", values); err != nil {
		return err
	}
	return s.cfg.Queue.Insert(ctx, w.Tx(), dueJob(c, due, begin))
}

// dueArgs say which run of which schedule a job is about.
type dueArgs struct {
	Schedule string `json:"schedule"`
	Due      string `json:"due"`
}

// dueJob is the job of a due run: there is one for a schedule and a time.
func dueJob(c *Schedule, due, begin time.Time) queue.Job {
	args, err := json.Marshal(dueArgs{c.ID, textOf(due)})
	if err != nil { // texts always marshal
		panic(err)
	}
	return queue.Job{Kind: dueKind, Args: args, Queue: DueQueue, At: begin, Unique: c.ID + " " + textOf(due)}
}

// delay is the jitter of a run: the same for whoever asks.
func (c *Schedule) delay(due time.Time) time.Duration {
	seconds := uint64(c.Jitter / time.Second)
	if seconds == 0 {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(c.ID + textOf(due))) // which never fails
	return time.Duration(h.Sum64()%(seconds+1)) * time.Second
}

// insert writes a record of our own: no hooks, no change row.
func (s *Service) insert(ctx context.Context, w *record.Writer, table string, values map[string]string) error {
	t := s.table(table)
	r := record.NewRecord(t)
	now, by := textOf(w.Now()), w.Session().Actor().Name
	for name, v := range map[string]string{record.SysCreatedOn: now, record.SysCreatedBy: by, record.SysUpdatedOn: now, record.SysUpdatedBy: by, record.SysModCount: "0"} {
		r.Set(name, record.Text(v))
	}
	for name, v := range values {
		r.Set(name, record.Value{Text: v, Valid: v != ""})
	}
	return w.Tx().Insert(ctx, t, &record.Rows{Fields: t.Names(), Values: r.Values})
}

// update changes a record of our own. It is stale when it is gone, or somebody has changed it since mods was read; ""
// does not ask.
func (s *Service) update(ctx context.Context, w *record.Writer, table, id, mods string, values map[string]string) (stale bool, err error) {
	rows := &record.Rows{Fields: []string{record.SysID, record.SysModCount, record.SysUpdatedOn},
		Values: []record.Value{record.Text(id), {Text: mods, Valid: mods != ""}, record.Text(textOf(w.Now()))}}
	for name, v := range values {
		rows.Fields, rows.Values = append(rows.Fields, name), append(rows.Values, record.Value{Text: v, Valid: v != ""})
	}
	gone, err := w.Tx().Update(ctx, s.table(table), rows)
	return len(gone) > 0, err
}

// Reconcile plans the schedules that have no trigger, as in a store that another version has written, and those whose
// next time is another by now, as when a zone has changed its rules. Runs that are due already are left as they are.
func (s *Service) Reconcile(ctx context.Context) error {
	var wrong []string
	err := s.cfg.DB.Store().Read(ctx, func(tx record.Tx) error {
		active, err := all(ctx, tx, &record.Query{Table: s.table(Table), Where: equal("active", "true"), OrderBy: []query.Order{{Field: record.SysID}}})
		for i := 0; i < len(active) && err == nil; i++ {
			var p *planned
			if p, err = s.look(ctx, tx, active[i].ID(), s.cfg.DB.Now()); p != nil {
				wrong = append(wrong, active[i].ID())
			}
		}
		return err
	})
	for i := 0; i < len(wrong) && err == nil; i++ {
		err = s.session().Write(ctx, func(w *record.Writer) error {
			p, err := s.look(ctx, w.Tx(), wrong[i], w.Now())
			if err != nil || p == nil {
				return err
			}
			return s.setNext(ctx, w, p.schedule, p.trigger, p.next)
		})
		if fault.KindOf(err) == fault.Conflict { // another node does the same
			err = nil
		}
	}
	return err
}

// planned is a plan that a schedule should have and has not.
type planned struct {
	schedule *Schedule
	trigger  *record.Record
	next     time.Time
}

// look compares the plan of a schedule with its times; nil when it is right, or its run is due.
func (s *Service) look(ctx context.Context, tx record.Tx, id string, now time.Time) (*planned, error) {
	c, err := s.schedule(ctx, tx, id)
	if fault.KindOf(err) == fault.Invalid && err != nil {
		s.cfg.Log.WarnContext(ctx, "a schedule cannot be planned", "schedule", c.Name, "error", err)
		return nil, nil
	}
	if err != nil || c == nil || !c.Active {
		return nil, err
	}
	t, err := s.one(ctx, tx, TriggerTable, triggerOf(id))
	if err != nil || t != nil && !moment(t.Get("due").Text).After(now) {
		return nil, err
	}
	next := c.Timing.After(now)
	if t != nil && t.Get("due").Text == textOf(next) || t == nil && next.IsZero() {
		return nil, nil
	}
	return &planned{c, t, next}, nil
}

func whole(r *record.Record, field string) int64 {
	n, err := strconv.ParseInt(r.Get(field).Text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
