package app

import (
	"context"

	"headrace/internal/app/basetables"
	"headrace/internal/flow/project/harness"
)

// TestProject runs the tests of a project, those whose file and name contain match, and tells each result as it comes.
func TestProject(ctx context.Context, dir, match string, told func(harness.Result)) (*harness.Report, error) {
	return harness.Run(ctx, harness.Config{Dir: dir, Match: match, Open: openWorld, Ready: func(ctx context.Context, w *harness.World) error {
		_, err := basetables.Install(ctx, w.DB)
		return err
	}}, told)
}

// openWorld opens the product for one test.
func openWorld(ctx context.Context, s harness.Surroundings) (*harness.World, error) {
	even := func() float64 { return 0.5 }
	a, err := Open(ctx, Config{Data: s.Data, Outside: Outside{Clock: s.Clock, Through: s.Through, Log: s.Log, Getenv: s.Getenv, Dice: even, Wait: s.Wait, Stand: s.Stand}})
	if err != nil {
		return nil, err
	}
	return &harness.World{DB: a.DB, Imports: a.Imports, Queue: a.Queue, Scripts: a.scripts.handlers, Events: a.Events, Outbound: a.Outbound, Sources: a.Sources, Exports: a.Exports, Schedules: a.Schedules, Project: a.Project, Close: a.Close}, nil
}
