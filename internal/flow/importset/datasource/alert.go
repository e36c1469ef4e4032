package datasource

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// Events that alerts fire, so that a script action can tell others: about the alert's record, with the name of the source
// in parm1 and the kind in parm2.
const (
	EventAlert    = "data_source.alert"    // something is wrong
	EventResolved = "data_source.resolved" // and is over
)

// Tables of the events, which stand above this package.
const (
	eventTable    = "sysevent"
	registerTable = "sysevent_register"
)

// tellAll raises the alerts of a source that are not open yet, and resolves the open ones of the kinds judged that hold
// no more.
func (s *Service) tellAll(ctx context.Context, w *record.Writer, sourceID, name string, alerts []Alert, judged []string) error {
	open, err := selected(ctx, w.Tx(), s.DB.Catalog().Table(AlertTable), &query.And{Parts: []query.Node{
		&query.Term{Field: "source", Op: query.Equal, Values: []string{sourceID}}, &query.Term{Field: "state", Op: query.Equal, Values: []string{"open"}}}})
	if err != nil {
		return err
	}
	lasts := map[string]*record.Record{}
	for _, r := range open {
		lasts[r.Get("kind").Text+"\x00"+r.Get("subject").Text] = r
	}
	for i := range alerts {
		a := &alerts[i]
		if r := lasts[a.key()]; r != nil {
			delete(lasts, a.key())
			err = s.seen(ctx, w, r, a)
		} else {
			err = s.raise(ctx, w, sourceID, name, a)
		}
		if err != nil {
			return err
		}
	}
	for _, r := range open {
		if lasts[r.Get("kind").Text+"\x00"+r.Get("subject").Text] == r && slices.Contains(judged, r.Get("kind").Text) {
			if err := s.resolve(ctx, w, r, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// Alerts lists the open alerts of a source, the oldest first.
func (s *Service) Alerts(ctx context.Context, sourceID string) ([]Alert, error) {
	t := s.DB.Catalog().Table(AlertTable)
	all, err := s.read(ctx, &record.Query{Table: t, Fields: t.Names(), OrderBy: []query.Order{{Field: record.SysID}}, Where: &query.And{Parts: []query.Node{
		&query.Term{Field: "source", Op: query.Equal, Values: []string{sourceID}}, &query.Term{Field: "state", Op: query.Equal, Values: []string{"open"}}}}})
	var out []Alert
	for _, r := range all {
		get := func(field string) string { return r.Get(field).Text }
		out = append(out, Alert{Kind: get("kind"), Subject: get("subject"), Message: get("message"), Hint: get("hint"), Run: number(r, "run"), Since: get("at")})
	}
	return out, err
}

func (s *Service) raise(ctx context.Context, w *record.Writer, sourceID, name string, a *Alert) error {
	now := w.Now().Format(record.DateTimeLayout)
	values := []record.Assignment{}
	for field, v := range map[string]string{"source": sourceID, "kind": a.Kind, "subject": a.Subject, "message": a.Message, "hint": a.Hint, "at": now, "last_seen": now} {
		values = append(values, record.Assignment{Field: field, Value: record.Value{Text: v, Valid: v != ""}})
	}
	if a.Run > 0 {
		values = append(values, record.Assignment{Field: "run", Value: record.Text(strconv.FormatInt(a.Run, 10))})
	}
	r, err := w.Insert(ctx, s.DB.Catalog().Table(AlertTable), values)
	if err != nil {
		return err
	}
	return s.fire(ctx, w, EventAlert, r.ID(), name, a.Kind)
}

// seen notes that an alert lasts.
func (s *Service) seen(ctx context.Context, w *record.Writer, r *record.Record, a *Alert) error {
	values := map[string]string{"message": a.Message, "hint": a.Hint, "last_seen": w.Now().Format(record.DateTimeLayout),
		"times": strconv.FormatInt(number(r, "times")+1, 10)}
	if a.Run > 0 {
		values["run"] = strconv.FormatInt(a.Run, 10)
	}
	return rewrite(ctx, w, r, values)
}

func (s *Service) resolve(ctx context.Context, w *record.Writer, r *record.Record, name string) error {
	values := []record.Assignment{{Field: "state", Value: record.Text("resolved")}, {Field: "resolved_at", Value: record.Text(w.Now().Format(record.DateTimeLayout))}}
	if _, _, err := w.Update(ctx, r.Table, r.ID(), values); err != nil {
		return err
	}
	return s.fire(ctx, w, EventResolved, r.ID(), name, r.Get("kind").Text)
}

// fire makes an event about an alert, in the transaction that raises it: it is there if and only if the alert is.
func (s *Service) fire(ctx context.Context, w *record.Writer, event, alertID, source, kind string) error {
	t := s.DB.Catalog().Table(eventTable)
	if t == nil { // a store without events
		return nil
	}
	if err := s.register(ctx, w, event); err != nil {
		return err
	}
	_, err := w.Insert(ctx, t, []record.Assignment{{Field: "name", Value: record.Text(event)}, {Field: "table", Value: record.Text(AlertTable)},
		{Field: "instance", Value: record.Text(alertID)}, {Field: "parm1", Value: record.Text(source)}, {Field: "parm2", Value: record.Text(kind)}})
	return err
}

// Register makes the events of alerts known before the first is fired, so that projects can have script actions on them.
func (s *Service) Register(ctx context.Context) error {
	if s.DB.Catalog().Table(registerTable) == nil {
		return nil
	}
	return s.DB.As(record.System).Write(ctx, func(w *record.Writer) error {
		return errors.Join(s.register(ctx, w, EventAlert), s.register(ctx, w, EventResolved))
	})
}

// register makes an event known where nobody has done so.
func (s *Service) register(ctx context.Context, w *record.Writer, event string) error {
	t := s.DB.Catalog().Table(registerTable)
	known, err := selected(ctx, w.Tx(), t, &query.Term{Field: "event_name", Op: query.Equal, Values: []string{event}})
	if err != nil || len(known) > 0 {
		return err
	}
	err = w.Tx().Nest(ctx, func(record.Tx) error {
		_, err := w.Insert(ctx, t, []record.Assignment{{Field: "event_name", Value: record.Text(event)}, {Field: "table", Value: record.Text(AlertTable)},
			{Field: "fired_by", Value: record.Text("data sources")}, {Field: "description", Value: record.Text(described[event])}})
		return err
	})
	if fault.KindOf(err) == fault.Conflict && err != nil {
		return nil
	}
	return err
}

var described = map[string]string{EventAlert: "A data source is late, fails, or is not what it was: parm1 its name, parm2 the kind of alert",
	EventResolved: "An alert of a data source is over: parm1 its name, parm2 the kind of alert"}
