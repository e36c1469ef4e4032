package export

import (
	"context"
	"fmt"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset/alert"
)

// Kinds of alerts about an export set. Both are over when a file of it is delivered, or there is nothing to deliver.
const (
	AlertFailed = "failed" // a file could not be made
	AlertDead   = "dead"   // a file could not be delivered, and nobody tries any more
)

// Events that alerts fire, so that a script action can tell others: about the alert's record, with the name of the export
// set in parm1 and the kind in parm2.
const (
	EventAlert    = "export.alert"
	EventResolved = "export.resolved"
)

// book keeps the alerts about export sets.
func (s *Service) book() alert.Book {
	return alert.Book{DB: s.cfg.DB, Table: AlertTable, Owner: "export_set", FiredBy: "export sets",
		Raised:   alert.Event{Name: EventAlert, Description: "A file of an export set could not be made or delivered: parm1 the name of the set, parm2 the kind of alert"},
		Resolved: alert.Event{Name: EventResolved, Description: "A file of an export set is delivered again: parm1 the name of the set, parm2 the kind of alert"}}
}

// Register makes the events of alerts known before the first is fired, so that projects can have script actions on them.
func (s *Service) Register(ctx context.Context) error { return s.book().Register(ctx) }

func alertTable() record.Table {
	return alert.Table(AlertTable, "Alert of an export set", link("export_set", "Export set", SetTable))
}

// Alerts lists the open alerts of an export set, the oldest first.
func (s *Service) Alerts(ctx context.Context, set string) ([]alert.Alert, error) {
	return s.book().Open(ctx, set)
}

// tell raises an alert when a run comes to nothing, and resolves those of its set when one comes to something, in the
// transaction that says so.
func (s *Service) tell(ctx context.Context, w *record.Writer, j *job, values map[string]string) error {
	var alerts []alert.Alert
	var judged []string
	switch state := State(values["state"]); state {
	case Failed:
		alerts = []alert.Alert{{Kind: AlertFailed, Message: fmt.Sprintf("the file of export run %s was not made: %s", j.ID(), values["error"]), Hint: fault.HintOf(j.cause)}}
	case Dead:
		alerts = []alert.Alert{{Kind: AlertDead, Message: fmt.Sprintf("export run %s is given up: %s", j.ID(), values["error"]),
			Hint: fmt.Sprintf("once that is mended: headrace export replay %s", j.ID())}}
	case Done, Empty:
		judged = []string{AlertFailed, AlertDead}
	default:
		return nil
	}
	return s.book().Tell(ctx, w, j.text("export_set"), j.text("name"), alerts, judged)
}
