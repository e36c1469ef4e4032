package schedule

import (
	"context"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// Entry is a schedule as people look at it.
type Entry struct {
	*Schedule
	Next time.Time      // when its next run begins; zero when there is none
	Last *record.Record // the newest line of its history; nil when there is none
	Bad  error          // why it cannot run, when it cannot
}

// List gives the schedules by name; with names, only those.
func (s *Service) List(ctx context.Context, names ...string) (out []Entry, err error) {
	err = s.cfg.DB.Store().Read(ctx, func(tx record.Tx) error {
		q := &record.Query{Table: s.table(Table), OrderBy: []query.Order{{Field: "name"}, {Field: record.SysID}}}
		if len(names) > 0 {
			q.Where = equal("name", names...)
		}
		found, err := all(ctx, tx, q)
		for i := 0; i < len(found) && err == nil; i++ {
			var e Entry
			if e, err = s.entry(ctx, tx, found[i].ID()); err == nil {
				out = append(out, e)
			}
		}
		return err
	})
	if err == nil && len(names) > 0 && len(out) == 0 {
		err = fault.New(fault.NotFound, "there is no schedule %q", names[0]).WithHint("`headrace schedule list` shows them")
	}
	return out, err
}

// Over reports whether a schedule will not run any more by itself although it is active.
func (e *Entry) Over() bool {
	byTime := e.Timing.Type != OnDemand && e.Timing.Type != AfterParent
	return e.Bad == nil && e.Active && byTime && e.Next.IsZero()
}

func (s *Service) entry(ctx context.Context, tx record.Tx, id string) (e Entry, err error) {
	e.Schedule, e.Bad = s.schedule(ctx, tx, id)
	if e.Schedule == nil {
		return e, e.Bad
	}
	t, err := s.one(ctx, tx, TriggerTable, triggerOf(id))
	if err != nil {
		return e, err
	}
	if t != nil {
		e.Next = moment(t.Get("next_action").Text)
	}
	lines, err := s.lines(ctx, tx, equal("document_key", id), 1)
	if len(lines) > 0 {
		e.Last = lines[0]
	}
	return e, err
}

// lines reads lines of history, the newest first.
func (s *Service) lines(ctx context.Context, tx record.Tx, where query.Node, most int) ([]*record.Record, error) {
	return all(ctx, tx, &record.Query{Table: s.table(HistoryTable), Where: where, Limit: most,
		OrderBy: []query.Order{{Field: record.SysCreatedOn, Desc: true}, {Field: "due", Desc: true}, {Field: record.SysID, Desc: true}}})
}

// History gives the newest lines of the history of a schedule, the newest first.
func (s *Service) History(ctx context.Context, id string, most int) (out []*record.Record, err error) {
	err = s.cfg.DB.Store().Read(ctx, func(tx record.Tx) error {
		out, err = s.lines(ctx, tx, equal("document_key", id), most)
		return err
	})
	return out, err
}

// Runs gives the lines of a run and of all that followed it in its chain, in the order in which they were made.
func (s *Service) Runs(ctx context.Context, line string) (out []*record.Record, err error) {
	err = s.cfg.DB.Store().Read(ctx, func(tx record.Tx) error {
		first, err := s.one(ctx, tx, HistoryTable, line)
		if err != nil || first == nil {
			return err
		}
		out = append(out, first)
		followers, err := all(ctx, tx, &record.Query{Table: s.table(HistoryTable), Where: equal("root", line), OrderBy: []query.Order{{Field: record.SysCreatedOn}, {Field: "started"}, {Field: record.SysID}}})
		for _, r := range followers {
			if r.ID() != line {
				out = append(out, r)
			}
		}
		return err
	})
	return out, err
}

// Kind is what a schedule does: import, export or script.
func (c *Schedule) Kind() string {
	return map[string]string{ImportTable: "import", ExportTable: "export", ScriptTable: "script"}[c.Table]
}

// Field reads a field of the record.
func (c *Schedule) Field(name string) string { return c.record.Get(name).Text }

// Change tells by how much the clocks of the schedule's zone are set forward on the day of a time; back when it is less
// than nothing.
func (d *Timing) Change(at time.Time) time.Duration {
	day := int64(dayOf(at.In(d.Zone))) * secondsOfDay
	return 24*time.Hour - firstShown(day+secondsOfDay, d.Zone).Sub(firstShown(day, d.Zone))
}
