package app

import (
	"context"
	"time"

	"headrace/internal/core/record"
	"headrace/internal/flow/schedule"
)

// lookAgain is how often a run under way is looked at.
const lookAgain = 100 * time.Millisecond

// RunSchedule makes a run of a schedule at once, and those that follow it in its chain, and waits until they have ended;
// told is given the lines of their history whenever one has changed. The work is done by this process, or by a server on
// the same store: whoever comes first. When ctx is done the run is left to whoever works the store next.
func (a *App) RunSchedule(ctx context.Context, id string, told func([]*record.Record)) (lines []*record.Record, err error) {
	var line string
	err = a.DB.As(record.System).Write(ctx, func(w *record.Writer) (err error) {
		line, err = a.Schedules.RunNow(ctx, w, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := a.Queue.Start(ctx, schedule.RunQueue); err != nil {
		return nil, err
	}
	defer func() {
		a.Schedules.Halt()
		if stopping := a.Queue.Stop(context.WithoutCancel(ctx)); err == nil {
			err = stopping
		}
	}()
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		if lines, err = a.Schedules.Runs(ctx, line); err != nil {
			return lines, err
		}
		told(lines)
		if ended(lines) {
			return lines, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return lines, ctx.Err()
		}
	}
}

// ended tells whether all runs of a chain are over.
func ended(lines []*record.Record) bool {
	for _, l := range lines {
		if s := schedule.State(l.Get("state").Text); s == schedule.Ready || s == schedule.Running {
			return false
		}
	}
	return true
}
