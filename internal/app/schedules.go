package app

import (
	"context"
	"errors"
	"fmt"

	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
	"headrace/internal/flow/importset/datasource"
	"headrace/internal/flow/schedule"
)

// importer lets schedules bring in data sources.
type importer struct{ sources *datasource.Service }

// RunSource makes importer a schedule.Importer. It waits for whoever brings the source in at the moment: that may be a
// node that has died, and is known to be dead in a while.
func (i importer) RunSource(ctx context.Context, name string, actor record.Actor, began func(run int64)) (schedule.Outcome, error) {
	result, err := i.sources.Run(ctx, datasource.Request{Name: name, Actor: actor, Patient: true, Began: func(r *importset.Run) { began(r.Number) }})
	var out schedule.Outcome
	if result == nil {
		return out, err
	}
	out.Message, out.State = result.Message, schedule.Done
	if result.State == datasource.StateFailed {
		out.State = schedule.Failed
		if err == nil && out.Message == "" {
			err = errors.New("the import failed")
		}
	}
	for _, r := range result.Runs {
		out.Run = r.Number
		out.Read += r.Ledger.Read
		out.Rejected += r.Ledger.Rejected
	}
	if out.Message == "" && len(result.Runs) > 0 {
		out.Message = fmt.Sprintf("%d rows read, %d rejected", out.Read, out.Rejected)
	}
	return out, err
}
