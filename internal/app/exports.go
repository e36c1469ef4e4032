package app

import (
	"context"
	"fmt"

	"headrace/internal/connect/source"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset/datasource"
	"headrace/internal/flow/outbound/export"
	"headrace/internal/flow/schedule"
)

// newExports makes the service that leaves files for others.
func newExports(a *App, cfg Config) *export.Service {
	return export.New(export.Config{DB: a.DB, Access: a.Access, Outbound: a.Outbound, Formats: Formats(), Spool: ownFolder(cfg, "exports"), Clock: cfg.Outside.Clock, Log: cfg.Outside.Warn,
		Open: func(ctx context.Context, p export.Place) (source.Files, error) {
			return a.Sources.Place(ctx, datasource.Place(p))
		}})
}

// exporter lets schedules write the files of export sets.
type exporter struct{ exports *export.Service }

// RunExport makes exporter a schedule.Exporter. A file that is made and still to be delivered is no failure of the
// schedule: the delivery goes on by itself, and its run says how.
func (e exporter) RunExport(ctx context.Context, name string, actor record.Actor, key string) (schedule.Outcome, error) {
	run, err := e.exports.Start(ctx, export.Request{Name: name, Actor: actor, Key: key, Patient: true})
	if run == nil {
		return schedule.Outcome{}, err
	}
	out := schedule.Outcome{State: schedule.Done, Read: run.Rows, Message: fmt.Sprintf("export run %s is %s: %d records in %s", run.ID, run.State, run.Rows, run.FileName)}
	if err != nil {
		out.State = schedule.Failed
	}
	return out, err
}
