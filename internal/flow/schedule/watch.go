package schedule

import (
	"context"
	"time"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

const (
	// lookEvery is how often a node looks for runs that are overdue, and overdueAfter when a run is that. The queue moves
	// jobs to where they are worked every five seconds, and not at all while its leader has died and no other is chosen:
	// this way runs begin within two seconds of their time all the same.
	lookEvery    = time.Second
	overdueAfter = time.Second
	// mostOverdue is how many are looked at at a time, the most overdue first.
	mostOverdue = 100
)

// Watch begins runs that are overdue, until ctx is done. Several nodes may: a run begins once whoever comes for it.
func (s *Service) Watch(ctx context.Context) {
	if err := s.Reconcile(ctx); err != nil && ctx.Err() == nil {
		s.cfg.Log.WarnContext(ctx, "schedules are not planned", "error", err)
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if _, err := s.FireOverdue(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Log.WarnContext(ctx, "overdue schedules are not begun", "error", err)
		}
	}
}

// FireOverdue begins the runs whose time has passed and whose job has not come, and tells how many triggers it looked at.
func (s *Service) FireOverdue(ctx context.Context) (int, error) {
	var late []*record.Record
	before := textOf(s.cfg.DB.Now().Add(-overdueAfter))
	err := s.cfg.DB.Store().Read(ctx, func(tx record.Tx) (err error) {
		where := &query.And{Parts: []query.Node{equal("state", triggerReady), &query.Term{Field: "next_action", Op: query.LessEqual, Values: []string{before}}}}
		late, err = all(ctx, tx, &record.Query{Table: s.table(TriggerTable), Where: where, Limit: mostOverdue, OrderBy: []query.Order{{Field: "next_action"}, {Field: record.SysID}}})
		return err
	})
	for i := 0; i < len(late) && err == nil; i++ {
		a := dueArgs{late[i].Get("document_key").Text, late[i].Get("due").Text}
		var waits bool
		if waits, err = s.fire(ctx, a); waits {
			s.cfg.Log.DebugContext(ctx, "a scheduled run waits for the one before", "schedule", late[i].Get("name").Text)
		}
	}
	return len(late), err
}
