package app

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"headrace/internal/connect/source"
	"headrace/internal/core/record"
	"headrace/internal/flow/access"
	"headrace/internal/flow/access/vault"
	"headrace/internal/flow/attachment"
	"headrace/internal/flow/event"
	"headrace/internal/flow/importset"
	"headrace/internal/flow/importset/datasource"
	"headrace/internal/flow/outbound"
	"headrace/internal/flow/outbound/snws"
	"headrace/internal/flow/rule"
	"headrace/internal/flow/schedule"
	"headrace/internal/flow/script"
	"headrace/internal/store/queue"
)

// Outside is what stands in the place of the world, for tests. Its zero value is the world.
type Outside struct {
	Clock   func() time.Time
	Through http.RoundTripper                                // in the place of the network
	Log     func(ctx context.Context, e script.LogEntry)     // of scripts
	Getenv  func(name string) (string, bool)                 // secrets of projects
	Dice    func() float64                                   // jitter of waits
	Warn    *slog.Logger                                     // of what goes wrong in the background; nil is slog.Default
	Wait    func(ctx context.Context, d time.Duration) error // between two attempts at a source
	Stand   func(name string, k source.Kind) source.Kind     // what is read from, or written to, in the place of a kind of source
}

// flows are the parts in which what happens to a record leads to more: rules, events, scripts, calls. They are made before
// the database, whose hooks they are, and completed when it is open.
type flows struct {
	access    *access.Service
	events    *event.Service
	rules     *rule.Service
	schedules *schedule.Service
	scripts   *scripts
}

func newFlows(out Outside) *flows {
	who := access.New(nil)
	return &flows{access: who, events: event.New(), rules: rule.New(), schedules: schedule.New(), scripts: newScripts(who, out)}
}

// hooks are in the order in which they see a write: what keeps configuration in order first, then rules.
func (f *flows) hooks() []record.Hook {
	return []record.Hook{f.rules.Keeper(), f.scripts.rules.Hook(), f.scripts.handlers.Hook(), f.scripts.jobs.Hook(), f.schedules, f.events, f.rules, f.access}
}

// use completes the parts.
func (f *flows) use(a *App, secrets *vault.Vault, jobs *queue.Queue, cfg Config) {
	out := cfg.Outside
	f.access.Use(a.DB)
	f.events.Use(a.DB, jobs)
	a.Access, a.Events, a.Rules, a.Queue, a.scripts = f.access, f.events, f.rules, jobs, f.scripts
	a.Imports = importset.New(a.DB)
	a.Outbound = outbound.New(outbound.Config{DB: a.DB, Vault: secrets, Queue: jobs, Imports: a.Imports, Formats: Formats(), Through: out.Through, Clock: out.Clock, Dice: out.Dice, Log: out.Warn})
	a.Sources = datasource.New(datasource.Config{DB: a.DB, Imports: a.Imports, Kinds: Sources(out), Formats: Formats(), Reveal: secrets.Open, Grant: a.Outbound.Grant,
		Spool: ownFolder(cfg, "fetched"), Clock: out.Clock, Wait: out.Wait, Through: out.Through, Stand: out.Stand})
	a.Exports = newExports(a, cfg)
	f.scripts.use(a.DB, f.access, secrets, out, f.events.Module(), f.schedules.Module(), snws.New(a.Outbound, attachment.New(a.DB)))
	f.rules.Use(rule.Config{DB: a.DB, Access: f.access, Events: f.events, Rules: f.scripts.rules, Handlers: f.scripts.handlers, Log: out.Warn})
	a.Imports.UseScripts(f.scripts.handlers)
	a.Schedules = f.schedules
	f.schedules.Use(schedule.Config{DB: a.DB, Queue: jobs, Scripts: f.scripts.jobs, Importer: importer{a.Sources}, Exporter: exporter{a.Exports}, Log: out.Warn})
}
