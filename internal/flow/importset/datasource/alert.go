package datasource

import (
	"context"

	"headrace/internal/core/record"
	"headrace/internal/flow/importset/alert"
)

// Alert is something about a source that somebody should look at.
type Alert = alert.Alert

// Events that alerts fire, so that a script action can tell others: about the alert's record, with the name of the source
// in parm1 and the kind in parm2.
const (
	EventAlert    = "data_source.alert"    // something is wrong
	EventResolved = "data_source.resolved" // and is over
)

// book keeps the alerts about sources.
func (s *Service) book() alert.Book {
	return alert.Book{DB: s.DB, Table: AlertTable, Owner: "source", FiredBy: "data sources",
		Raised:   alert.Event{Name: EventAlert, Description: "A data source is late, fails, or is not what it was: parm1 its name, parm2 the kind of alert"},
		Resolved: alert.Event{Name: EventResolved, Description: "An alert of a data source is over: parm1 its name, parm2 the kind of alert"}}
}

func alertTable() record.Table {
	return alert.Table(AlertTable, "Alert of a data source", record.Field{Name: "source", Label: "Data source", Type: record.Reference, Reference: SourceTable})
}

// Alerts lists the open alerts of a source, the oldest first.
func (s *Service) Alerts(ctx context.Context, sourceID string) ([]Alert, error) {
	return s.book().Open(ctx, sourceID)
}

// Register makes the events of alerts known before the first is fired, so that projects can have script actions on them.
func (s *Service) Register(ctx context.Context) error { return s.book().Register(ctx) }
