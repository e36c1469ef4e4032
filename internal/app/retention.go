package app

import (
	"time"

	"headrace/internal/flow/event"
	"headrace/internal/flow/importset"
	"headrace/internal/flow/outbound"
	"headrace/internal/flow/rule"
	"headrace/internal/flow/schedule"
	"headrace/internal/flow/schedule/cleaner"
	"headrace/internal/flow/script/glide"
)

const (
	week  = 7 * 24 * time.Hour
	month = 30 * 24 * time.Hour
)

// retention is how long what went well is kept. What failed is kept until somebody has looked at it: dead handler runs and
// deliveries, events in error, halted imports.
func retention() []cleaner.Rule {
	return []cleaner.Rule{
		{Table: event.Table, Field: "processed", Conditions: "state=processed", Age: week},
		{Table: event.RunTable, Field: "finished", Conditions: "state=done", Age: week},
		{Table: rule.LogTable, Field: "sys_created_on", Age: week},
		{Table: glide.LogTable, Field: "sys_created_on", Age: month},
		{Table: outbound.DeliveryTable, Field: "completed", Conditions: "stateINdone,cancelled", Age: month},
		{Table: outbound.LogTable, Field: "sys_created_on", Age: month},
		{Table: importset.SetTable, Field: "completed", Conditions: "stateINdone,undone,cancelled,failed", Age: month},
		{Table: schedule.HistoryTable, Field: "finished", Age: month},
	}
}

// newCleaner makes the table cleaner over the tables of all parts.
func (a *App) newCleaner() *cleaner.Service {
	return cleaner.New(cleaner.Config{DB: a.DB,
		Books: map[string][]cleaner.Child{event.Table: nil, event.RunTable: nil, rule.LogTable: nil, glide.LogTable: nil, outbound.LogTable: nil, schedule.HistoryTable: nil,
			outbound.DeliveryTable: {{Table: outbound.AttemptTable, Field: "delivery"}}},
		Owners: map[string]cleaner.Owner{importset.SetTable: a.Imports.Forget}})
}
