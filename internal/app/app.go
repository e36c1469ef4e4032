// Package app is the composition root: it lists every part by hand, opens the store and puts the services over it.
package app

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"headrace/internal/connect/format"
	"headrace/internal/connect/format/csv"
	"headrace/internal/connect/format/json"
	"headrace/internal/connect/format/xlsx"
	"headrace/internal/connect/format/xml"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/door/rest/table"
	"headrace/internal/door/rest/v1"
	"headrace/internal/flow/access"
	"headrace/internal/flow/access/vault"
	"headrace/internal/flow/event"
	"headrace/internal/flow/importset"
	"headrace/internal/flow/importset/datasource"
	"headrace/internal/flow/outbound"
	"headrace/internal/flow/outbound/export"
	"headrace/internal/flow/project"
	"headrace/internal/flow/rule"
	"headrace/internal/flow/schedule"
	"headrace/internal/flow/schedule/cleaner"
	"headrace/internal/flow/script"
	"headrace/internal/flow/script/glide"
	"headrace/internal/store/queue"
	"headrace/internal/store/sqlstore"
)

// Config says where the state is kept: in a folder, or in a database when Database is set.
type Config struct {
	Data     string // folder of the embedded store; it is made when missing
	Database string // postgres://user:password@host/database
	Outside  Outside
}

// App is the product put together.
type App struct {
	DB       *record.DB
	Imports  *importset.Service
	Sources  *datasource.Service // brings data in from where it is
	Access   *access.Service
	Vault    *vault.Vault // opens secrets that records hold
	Queue    *queue.Queue // jobs; worked by Serve
	Events   *event.Service
	Rules    *rule.Service
	Outbound *outbound.Service // calls other systems
	Exports  *export.Service   // leaves files for others
	// Schedules run imports, scripts and exports when they are due, while Serve runs.
	Schedules *schedule.Service
	Project   *project.Service
	scripts   *scripts
	store     record.Store
	scratch   string // folder that goes when the App is closed
}

// DatabaseFile is the embedded store inside the data folder.
const DatabaseFile = "headrace.db"

// handlers is how many jobs, other than deliveries, a server works at once.
const handlers = 16

// Open opens the store, makes the product's own tables in it where they are missing, and starts the services.
func Open(ctx context.Context, cfg Config) (*App, error) {
	secrets, err := openVault(cfg)
	if err != nil {
		return nil, err
	}
	store, err := openStore(ctx, cfg)
	if err != nil {
		return nil, err
	}
	f := newFlows(cfg.Outside)
	db, err := record.Open(ctx, store, record.Config{Tables: tables(), Hooks: f.hooks(), Guard: f.access, Narrow: f.rules, Sealer: sealer{secrets}, Clock: cfg.Outside.Clock})
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	queues := map[string]int{queue.Default: handlers, event.JobQueue: handlers, outbound.Queue: outbound.Workers}
	maps.Copy(queues, schedule.Queues())
	jobs, err := queue.New(ctx, store, queue.Config{Clock: cfg.Outside.Clock, Queues: queues, Unhurried: []string{schedule.Unhurried}})
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	a := &App{DB: db, Vault: secrets, store: store}
	f.use(a, secrets, jobs, cfg)
	a.Project = project.New(project.Config{DB: db, Open: secrets.Open, Check: a.checkScript, Getenv: cfg.Outside.Getenv, Editor: editorFiles()})
	return a, nil
}

// tables lists the tables of all parts.
func tables() []record.Table {
	return slices.Concat(importset.Tables(), access.Tables(), table.Tables(), v1.Tables(), script.Tables(), glide.Tables(), event.Tables(), rule.Tables(),
		outbound.Tables(), export.Tables(), datasource.Tables(), schedule.Tables(), project.Tables(), cleaner.Tables())
}

// checkScript tells whether a script of a project's file is one.
func (a *App) checkScript(name, text string, expression bool) error {
	return a.scripts.handlers.Check(script.Source{Name: name, Text: text, Expression: expression})
}

// openVault finds the key of the secrets: in the environment, else in the data folder. With a database alone and no key in
// the environment, there is none: a file beside one of the nodes would be of no use to the others.
func openVault(cfg Config) (*vault.Vault, error) {
	if text := os.Getenv(vault.Variable); text != "" {
		return vault.FromText(text)
	}
	if cfg.Data == "" {
		return vault.InFile(""), nil
	}
	return vault.InFile(filepath.Join(cfg.Data, vault.FileName)), nil
}

// sealer seals all secrets but those that are digests already.
type sealer struct{ *vault.Vault }

// Seal makes sealer a record.Sealer.
func (s sealer) Seal(t *record.Table, f *record.Field, text string) (string, error) {
	if access.IsDigest(t, f) {
		return text, nil
	}
	return s.Vault.Seal(text)
}

func openStore(ctx context.Context, cfg Config) (record.Store, error) {
	if cfg.Database != "" {
		if !strings.HasPrefix(cfg.Database, "postgres://") && !strings.HasPrefix(cfg.Database, "postgresql://") {
			return nil, fault.New(fault.Invalid, "the database is not given as postgres://user:password@host/database").
				WithHint("for the embedded store give --data DIR instead")
		}
		return sqlstore.Open(ctx, sqlstore.Config{URL: cfg.Database})
	}
	if err := makeFolder(cfg.Data); err != nil {
		return nil, err
	}
	return sqlstore.Open(ctx, sqlstore.Config{Path: filepath.Join(cfg.Data, DatabaseFile)})
}

func makeFolder(path string) error {
	err := os.MkdirAll(path, 0o755)
	var at *fs.PathError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &at):
		return fault.New(fault.Unavailable, "the data folder %s cannot be made: %s: %v", path, at.Path, at.Err).
			WithHint("give this user the right to write there, or name another folder: --data DIR")
	}
	return fault.Wrap(fault.Unavailable, err, "the data folder %s cannot be made", path)
}

// Scratch opens the product over an empty store that goes away when it is closed: to try out what would happen where
// there is nothing yet.
func Scratch(ctx context.Context) (*App, error) {
	dir, err := os.MkdirTemp("", "headrace-scratch-*")
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "there is no room for a temporary folder").WithHint("TMPDIR names another folder")
	}
	a, err := Open(ctx, Config{Data: dir})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	a.scratch = dir
	return a, nil
}

// Close ends the services and closes the store.
func (a *App) Close() error {
	a.Outbound.Close()
	err := errors.Join(a.scripts.library.Flush(context.Background()), a.store.Close())
	if a.scratch != "" {
		err = errors.Join(err, os.RemoveAll(a.scratch))
	}
	return err
}

// Formats lists the formats, the more particular first.
func Formats() []format.Format {
	return []format.Format{xlsx.Format{}, xml.Format{}, json.Format{}, csv.Format{}}
}

// FormatNamed finds a format by its name.
func FormatNamed(name string) (format.Format, error) { return format.Named(name, Formats()) }

// Plan plans an import. Where its table is still to be made, the plan is made in a scratch store, so that nothing, not
// even an empty table, is left in the real one; the saved plan carries the table.
func (a *App) Plan(ctx context.Context, req importset.Request, made *record.Table, save string) (*importset.PlanReport, error) {
	if made == nil {
		return a.Imports.Plan(ctx, req, save)
	}
	scratch, err := Scratch(ctx)
	if err != nil {
		return nil, err
	}
	req.Tables = []record.Table{*made}
	var report *importset.PlanReport
	if _, err = scratch.DB.Define(ctx, record.System, false, *made); err == nil {
		report, err = scratch.Imports.Plan(ctx, req, save)
	}
	if closing := scratch.Close(); err == nil {
		err = closing
	}
	return report, err
}
