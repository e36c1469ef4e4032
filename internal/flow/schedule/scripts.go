package schedule

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/dop251/goja"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
	"headrace/internal/flow/script"
)

// open readies the scope in which all scripts of a run are run, so that they see each other's variables.
func (s *Service) open(ctx context.Context, a *attempt) (*script.Scope, error) {
	if s.cfg.Scripts == nil {
		return nil, fault.New(fault.Refused, "this server runs no scripts")
	}
	trace := a.line.Get("trace").Text
	scope, err := s.cfg.Scripts.Open(ctx, script.Env{Session: s.cfg.DB.As(a.actor).WithTrace(trace), User: a.actor.ID, Key: a.line.ID(), Trace: trace,
		Zone: a.record.Get("user_time_zone").Text, Log: func(e script.LogEntry) { a.output.WriteString(e.Level + " " + e.Message + "\n") }})
	if err != nil {
		return nil, err
	}
	scope.Set("current", scope.Record(a.record.Clone(), script.RecordOptions{Old: a.record}).Object())
	scope.Set("resumed", a.resumed)
	scope.Set("run_key", a.line.ID())
	return scope, nil
}

// importSet is what scripts see of the run: before there is one, only which table it will be about.
type importSet struct {
	number, id, state, table string
}

func (i importSet) show(scope *script.Scope) {
	scope.Set("import_set", map[string]any{"number": i.number, "sys_id": i.id, "state": i.state, "table_name": i.table})
}

// before runs the script that comes before an import or export; cancelled says that it does not want it.
func (s *Service) before(a *attempt, scope *script.Scope, about *record.Record) (cancelled bool, err error) {
	scope.Set("cancel", false)
	name := "data_source"
	if a.Table == ExportTable {
		name = "export_set"
	}
	scope.Set(name, scope.Record(about.Clone(), script.RecordOptions{Old: about}).Object())
	importSet{table: about.Get("import_set_table_name").Text}.show(scope)
	src := a.source("pre_script", false)
	if strings.TrimSpace(src.Text) == "" || a.record.Get("pre_script_bool").Text != "true" {
		return false, nil
	}
	if _, err := scope.Run(src); err != nil {
		return false, fault.During("pre script", err)
	}
	return scope.Truth(scope.Get("cancel")), nil
}

// showRun sets what the script after an import sees of it.
func (s *Service) showRun(ctx context.Context, scope *script.Scope, out Outcome) error {
	t := s.table(importset.SetTable)
	if out.Run == 0 || t == nil {
		return nil
	}
	return s.cfg.DB.Store().Read(ctx, func(tx record.Tx) error {
		found, err := all(ctx, tx, &record.Query{Table: t, Where: equal("run", strconv.FormatInt(out.Run, 10)), Limit: 1})
		if err == nil && len(found) > 0 {
			r := found[0]
			importSet{r.Get("number").Text, r.ID(), r.Get("state").Text, r.Get("table_name").Text}.show(scope)
		}
		return err
	})
}

// Module adds what scripts run schedules with: gs.executeNow and SncTriggerSynchronizer.executeNow. It binds after the
// module that makes gs.
func (s *Service) Module() script.Module { return &module{s} }

type module struct{ schedules *Service }

// Bind adds the names to a scope.
func (m *module) Bind(scope *script.Scope) error {
	execute := func(c goja.FunctionCall) goja.Value { return m.executeNow(scope, c) }
	return errors.Join(scope.Define("gs.executeNow", execute), scope.Define("SncTriggerSynchronizer.executeNow", execute))
}

// executeNow begins a run of the schedule whose record is given, and gives the id of its line of history.
func (m *module) executeNow(scope *script.Scope, c goja.FunctionCall) goja.Value {
	g, ok := scope.RecordOf(c.Argument(0))
	if !ok || g.Table() == nil || g.Table().Physical != Table || g.Current() == nil {
		scope.Throw(refused("executeNow: that is no schedule").WithHint("give the GlideRecord of a schedule, of %s for example", ScriptTable))
	}
	id := ""
	err := scope.Write(func(w *record.Writer) (err error) {
		id, err = m.schedules.RunNow(scope.Context(), w, g.Current().ID())
		return err
	})
	if err != nil {
		scope.Throw(err)
	}
	return scope.VM().ToValue(id)
}
