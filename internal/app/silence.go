package app

import (
	"context"
	"time"
)

// listenEvery is how often the server looks for data sources that have been silent for too long.
const listenEvery = time.Minute

// listen raises alerts about silent data sources while the server runs. On several nodes each does so; an alert is raised
// once all the same.
func (s *serving) listen(ctx context.Context) {
	tick := time.NewTicker(listenEvery)
	defer tick.Stop()
	for {
		if err := s.Sources.Overdue(ctx, s.DB.Now()); err != nil && ctx.Err() == nil {
			s.own.Log.WarnContext(ctx, "looking for silent data sources", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
