// Package alert keeps what somebody should look at: as a record from the moment on at which it is noticed, until it is
// over, and as an event at both ends, so that a script action can tell others.
package alert

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// Alert is something that somebody should look at. It is one alert as long as it lasts.
type Alert struct {
	Kind    string `json:"kind"`
	Subject string `json:"subject,omitempty"` // what it is about, where a thing may have several of a kind
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	Run     int64  `json:"run,omitempty"`
	Since   string `json:"since,omitempty"`
}

// Key tells an alert from others about the same thing.
func (a *Alert) Key() string { return a.Kind + "\x00" + a.Subject }

// Event is one that alerts fire: about the alert's record, with the name of the thing in parm1 and the kind in parm2.
type Event struct{ Name, Description string }

// Book keeps the alerts about one kind of thing.
type Book struct {
	DB       *record.DB
	Table    string // of Table
	Owner    string // the field of it that refers to the thing
	Raised   Event
	Resolved Event
	FiredBy  string // for people: who fires the events
}

// Table is a table of alerts about what a field refers to.
func Table(name, label string, owner record.Field) record.Table {
	text := func(name, label string) record.Field {
		return record.Field{Name: name, Label: label, Type: record.String}
	}
	moment := func(name, label string) record.Field {
		return record.Field{Name: name, Label: label, Type: record.DateTime}
	}
	owner.Mandatory = true
	return record.Table{Name: name, Label: label, Fields: []record.Field{owner, text("kind", "Kind"),
		{Name: "subject", Label: "Subject", Type: record.String, Help: "what it is about, where there may be several of a kind: a column"},
		{Name: "state", Label: "State", Type: record.Choice, Default: "open", Choices: []record.Option{{Value: "open", Label: "Open"}, {Value: "resolved", Label: "Resolved"}}},
		{Name: "message", Label: "Message", Type: record.String, Display: true}, text("hint", "Hint"), {Name: "run", Label: "Run", Type: record.Integer},
		moment("at", "At"), moment("last_seen", "Last seen"), moment("resolved_at", "Resolved at"),
		{Name: "times", Label: "Times seen", Type: record.Integer, Default: "1"}},
		Indexes: []record.Index{{Fields: []string{owner.Name, "state"}}}}
}

// Tables of the events, which stand above this package.
const (
	eventTable    = "sysevent"
	registerTable = "sysevent_register"
)

// Tell raises the alerts about a thing that are not open yet, and resolves the open ones of the kinds judged that hold no
// more.
func (b Book) Tell(ctx context.Context, w *record.Writer, id, name string, alerts []Alert, judged []string) error {
	open, err := selected(ctx, w.Tx(), b.DB.Catalog().Table(b.Table), b.of(id))
	if err != nil {
		return err
	}
	lasts := map[string]*record.Record{}
	for _, r := range open {
		lasts[r.Get("kind").Text+"\x00"+r.Get("subject").Text] = r
	}
	for i := range alerts {
		a := &alerts[i]
		if r := lasts[a.Key()]; r != nil {
			delete(lasts, a.Key())
			err = b.seen(ctx, w, r, a)
		} else {
			err = b.raise(ctx, w, id, name, a)
		}
		if err != nil {
			return err
		}
	}
	for _, r := range open {
		if lasts[r.Get("kind").Text+"\x00"+r.Get("subject").Text] == r && slices.Contains(judged, r.Get("kind").Text) {
			if err := b.resolve(ctx, w, r, name); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b Book) of(id string) query.Node {
	return &query.And{Parts: []query.Node{&query.Term{Field: b.Owner, Op: query.Equal, Values: []string{id}}, &query.Term{Field: "state", Op: query.Equal, Values: []string{"open"}}}}
}

// Open lists the open alerts about a thing, the oldest first.
func (b Book) Open(ctx context.Context, id string) (out []Alert, err error) {
	err = b.DB.Store().Read(ctx, func(tx record.Tx) error {
		all, err := selected(ctx, tx, b.DB.Catalog().Table(b.Table), b.of(id))
		for _, r := range all {
			get := func(field string) string { return r.Get(field).Text }
			out = append(out, Alert{Kind: get("kind"), Subject: get("subject"), Message: get("message"), Hint: get("hint"), Run: number(r, "run"), Since: get("at")})
		}
		return err
	})
	return out, err
}

func (b Book) raise(ctx context.Context, w *record.Writer, id, name string, a *Alert) error {
	now := w.Now().Format(record.DateTimeLayout)
	values := []record.Assignment{}
	for field, v := range map[string]string{b.Owner: id, "kind": a.Kind, "subject": a.Subject, "message": a.Message, "hint": a.Hint, "at": now, "last_seen": now} {
		values = append(values, record.Assignment{Field: field, Value: record.Value{Text: v, Valid: v != ""}})
	}
	if a.Run > 0 {
		values = append(values, record.Assignment{Field: "run", Value: record.Text(strconv.FormatInt(a.Run, 10))})
	}
	r, err := w.Insert(ctx, b.DB.Catalog().Table(b.Table), values)
	if err != nil {
		return err
	}
	return b.fire(ctx, w, b.Raised, r.ID(), name, a.Kind)
}

// seen notes that an alert lasts.
func (b Book) seen(ctx context.Context, w *record.Writer, r *record.Record, a *Alert) error {
	values := map[string]string{"message": a.Message, "hint": a.Hint, "last_seen": w.Now().Format(record.DateTimeLayout),
		"times": strconv.FormatInt(number(r, "times")+1, 10)}
	if a.Run > 0 {
		values["run"] = strconv.FormatInt(a.Run, 10)
	}
	return rewrite(ctx, w, r, values)
}

func (b Book) resolve(ctx context.Context, w *record.Writer, r *record.Record, name string) error {
	values := []record.Assignment{{Field: "state", Value: record.Text("resolved")}, {Field: "resolved_at", Value: record.Text(w.Now().Format(record.DateTimeLayout))}}
	if _, _, err := w.Update(ctx, r.Table, r.ID(), values); err != nil {
		return err
	}
	return b.fire(ctx, w, b.Resolved, r.ID(), name, r.Get("kind").Text)
}

// fire makes an event about an alert, in the transaction that raises it: it is there if and only if the alert is.
func (b Book) fire(ctx context.Context, w *record.Writer, event Event, alertID, name, kind string) error {
	t := b.DB.Catalog().Table(eventTable)
	if t == nil { // a store without events
		return nil
	}
	if err := b.register(ctx, w, event); err != nil {
		return err
	}
	_, err := w.Insert(ctx, t, []record.Assignment{{Field: "name", Value: record.Text(event.Name)}, {Field: "table", Value: record.Text(b.Table)},
		{Field: "instance", Value: record.Text(alertID)}, {Field: "parm1", Value: record.Text(name)}, {Field: "parm2", Value: record.Text(kind)}})
	return err
}

// Register makes the events of alerts known before the first is fired, so that projects can have script actions on them.
func (b Book) Register(ctx context.Context) error {
	if b.DB.Catalog().Table(registerTable) == nil {
		return nil
	}
	return b.DB.As(record.System).Write(ctx, func(w *record.Writer) error {
		return errors.Join(b.register(ctx, w, b.Raised), b.register(ctx, w, b.Resolved))
	})
}

// register makes an event known where nobody has done so.
func (b Book) register(ctx context.Context, w *record.Writer, event Event) error {
	t := b.DB.Catalog().Table(registerTable)
	known, err := selected(ctx, w.Tx(), t, &query.Term{Field: "event_name", Op: query.Equal, Values: []string{event.Name}})
	if err != nil || len(known) > 0 {
		return err
	}
	err = w.Tx().Nest(ctx, func(record.Tx) error {
		_, err := w.Insert(ctx, t, []record.Assignment{{Field: "event_name", Value: record.Text(event.Name)}, {Field: "table", Value: record.Text(b.Table)},
			{Field: "fired_by", Value: record.Text(b.FiredBy)}, {Field: "description", Value: record.Text(event.Description)}})
		return err
	})
	if fault.KindOf(err) == fault.Conflict && err != nil {
		return nil
	}
	return err
}

// rewrite writes fields of an alert. That it lasts is book-keeping, so it leaves no change row.
func rewrite(ctx context.Context, w *record.Writer, r *record.Record, values map[string]string) error {
	rows := &record.Rows{Fields: []string{record.SysID, record.SysModCount, record.SysUpdatedOn},
		Values: []record.Value{record.Text(r.ID()), record.Null, record.Text(w.Now().Format(record.DateTimeLayout))}}
	for name, v := range values {
		rows.Fields, rows.Values = append(rows.Fields, name), append(rows.Values, record.Value{Text: v, Valid: v != ""})
	}
	_, err := w.Tx().Update(ctx, r.Table, rows)
	return err
}

// selected reads whole records, the oldest first.
func selected(ctx context.Context, tx record.Tx, t *record.Table, where query.Node) (out []*record.Record, err error) {
	for row, err := range tx.Select(ctx, &record.Query{Table: t, Fields: t.Names(), Where: where, OrderBy: []query.Order{{Field: record.SysID}}}) {
		if err != nil {
			return nil, err
		}
		out = append(out, &record.Record{Table: t, Values: slices.Clone(row)})
	}
	return out, nil
}

func number(r *record.Record, field string) int64 {
	n, err := strconv.ParseInt(r.Get(field).Text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
