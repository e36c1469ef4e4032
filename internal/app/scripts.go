package app

import (
	"context"
	"errors"
	"time"

	"headrace/internal/app/basetables"
	"headrace/internal/core/record"
	"headrace/internal/flow/access"
	"headrace/internal/flow/outbound/trace"
	"headrace/internal/flow/script"
	"headrace/internal/flow/script/glide"
)

// Scripts of rules run inside the transaction of a write, where others wait for them; those of handlers and of schedules
// run by themselves, the latter often over whole tables.
const (
	ruleTime    = 5 * time.Second
	handlerTime = 30 * time.Second
	jobTime     = 15 * time.Minute
)

// scripts are the engines: one for scripts inside a write, one for those of schedules, one for all others.
type scripts struct {
	rules, handlers, jobs *script.Engine
	library               *glide.Library
}

func newScripts(who *access.Service, out Outside) *scripts {
	made := func(limit time.Duration) *script.Engine {
		return script.New(script.Config{Access: who, Limits: script.Limits{Time: limit}, Clock: out.Clock, Log: out.Log})
	}
	return &scripts{rules: made(ruleTime), handlers: made(handlerTime), jobs: made(jobTime)}
}

// use completes the engines with the database and what scripts may call.
func (s *scripts) use(db *record.DB, who *access.Service, sealer glide.Sealer, out Outside, modules ...script.Module) {
	s.library = glide.New(glide.Config{DB: db, Access: who, Sealer: sealer, Clock: out.Clock})
	for _, e := range []*script.Engine{s.rules, s.handlers, s.jobs} {
		e.Use(db)
		e.LogTo(s.library.Record)
		e.Add(s.library)
		e.Add(modules...)
	}
}

// errUndone undoes the transaction of a dry run.
var errUndone = errors.New("a dry run keeps nothing")

// RunScript runs a script as the system, on a store with the base tables, and gives its last value as text. log gets what it logs. A dry run reads and writes
// in one transaction that is undone, and lets no call leave the machine.
func (a *App) RunScript(ctx context.Context, name, text string, dryRun bool, log func(script.LogEntry)) (value string, err error) {
	if _, err := basetables.Install(ctx, a.DB); err != nil {
		return "", err
	}
	env := script.Env{Session: a.DB.As(record.System), DryRun: dryRun, Log: log}
	run := func(env script.Env) error {
		scope, err := a.scripts.handlers.Open(ctx, env)
		if err != nil {
			return err
		}
		defer scope.Close()
		v, err := scope.Run(script.Source{Name: name, Text: text})
		if err == nil {
			value = scope.Text(v)
		}
		return err
	}
	if !dryRun {
		err = run(env)
	} else {
		err = env.Session.Write(ctx, func(w *record.Writer) error {
			env.Writer = w
			if err := run(env); err != nil {
				return err
			}
			return errUndone
		})
	}
	if errors.Is(err, errUndone) {
		err = nil
	}
	return value, errors.Join(err, a.scripts.library.Flush(context.WithoutCancel(ctx)))
}

// Trace follows the changes of a record to all that they led to.
func (a *App) Trace(ctx context.Context, id string) ([]trace.Change, error) {
	return trace.Of(ctx, a.Outbound, a.Imports, id)
}
