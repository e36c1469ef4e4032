package app

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/url"
	"strings"

	"headrace/internal/core/fault"
	"headrace/internal/flow/project/harness"
	"headrace/internal/store/sqlstore"
)

// TestConfig says which tests of a project are run, and where.
type TestConfig struct {
	Dir   string // the project's folder
	Match string // only those whose file and name contain it
	// Database is a PostgreSQL database in which each test has a schema of its own, which goes when the test ends; "" runs
	// them on the embedded store.
	Database string
}

// TestProject runs the tests of a project and tells each result as it comes.
func TestProject(ctx context.Context, cfg TestConfig, told func(harness.Result)) (*harness.Report, error) {
	run := harness.Config{Dir: cfg.Dir, Match: cfg.Match, Open: openWorld, Ready: func(ctx context.Context, w *harness.World) error {
		return ground(ctx, w.DB, w.Sources, w.Exports)
	}}
	if cfg.Database != "" {
		run.Place = func(context.Context) (string, func(context.Context) error, error) { return ownSchema(cfg.Database) }
	}
	return harness.Run(ctx, run, told)
}

// ownSchema names a schema of a database that nobody uses, and how it goes again.
func ownSchema(database string) (in string, drop func(context.Context) error, err error) {
	u, err := url.Parse(database)
	if err != nil {
		return "", nil, fault.New(fault.Invalid, "the database URL cannot be read").WithHint("it looks like postgres://user:password@host:5432/database")
	}
	schema := "headrace_test_" + strings.ToLower(rand.Text()[:12])
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return u.String(), func(ctx context.Context) error {
		return sqlstore.DropSchema(ctx, sqlstore.Config{URL: database, Schema: schema})
	}, nil
}

// openWorld opens the product for one test.
func openWorld(ctx context.Context, s harness.Surroundings) (*harness.World, error) {
	even := func() float64 { return 0.5 }
	a, err := Open(ctx, Config{Data: s.Data, Database: s.Database,
		Outside: Outside{Clock: s.Clock, Through: s.Through, Log: s.Log, Getenv: s.Getenv, Dice: even, Wait: s.Wait, Stand: s.Stand, Warn: slog.New(slog.DiscardHandler)}})
	if err != nil {
		return nil, err
	}
	return &harness.World{DB: a.DB, Imports: a.Imports, Queue: a.Queue, Scripts: a.scripts.handlers, Events: a.Events, Outbound: a.Outbound, Sources: a.Sources, Exports: a.Exports,
		Schedules: a.Schedules, Project: a.Project, Close: a.Close}, nil
}
