package outbound

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// answerOf opens the stored answer of a delivery; a NotFound fault when there is none.
func (s *Service) answerOf(d *delivery) (*kept, error) {
	sealed := d.Get("answer").Text
	if sealed == "" {
		return nil, fault.New(fault.NotFound, "the answer of delivery %s was not kept", d.ID())
	}
	text, err := s.vault.Open(sealed)
	if err != nil {
		return nil, err
	}
	out := &kept{}
	return out, json.Unmarshal([]byte(text), out)
}

// Delivery is a delivery as people see it: nothing in it is secret.
type Delivery struct {
	ID, Message, Function, Partner string
	State                          State
	Method, Endpoint               string
	Key, Trace, AnswerTrace        string
	Attempts, Status               int
	Reason, Error                  string
	SourceTable, SourceID, Handler string
	ImportSet, ImportRows          string
	Created, NextTry, Completed    time.Time
	Request                        json.RawMessage // redacted
	Tries                          []Attempt       // only by Show
}

// Attempt is one call of a delivery.
type Attempt struct {
	Number  int             `json:"attempt"`
	Outcome string          `json:"outcome"`
	Status  int             `json:"status,omitempty"`
	Error   string          `json:"error,omitempty"`
	Started time.Time       `json:"started"`
	Took    time.Duration   `json:"-"`
	Millis  int             `json:"millis"`
	Request json.RawMessage `json:"request,omitempty"`
	Answer  json.RawMessage `json:"answer,omitempty"`
}

var shownFields = []string{record.SysID, record.SysCreatedOn, "message", "function_name", "partner", "state", "method", "endpoint", "idempotency_key", "trace",
	"answer_trace", "attempts", "status", "reason", "error", "source_table", "source_record", "handler", "import_set", "import_rows", "next_try", "completed", "request"}

// List gives the deliveries that match an encoded query, the newest first; limit 0 is no limit.
func (s *Service) List(ctx context.Context, where query.Node, limit int) ([]Delivery, error) {
	t := s.db.Catalog().Table(DeliveryTable)
	q := &record.Query{Table: t, Fields: shownFields, Where: where, Limit: limit, OrderBy: []query.Order{{Field: record.SysCreatedOn, Desc: true}, {Field: record.SysID, Desc: true}}}
	var out []Delivery
	for row, err := range s.db.As(record.System).Select(ctx, q) {
		if err != nil {
			return nil, err
		}
		r := record.NewRecord(t)
		for i, f := range shownFields {
			r.Set(f, row[i])
		}
		out = append(out, deliveryOf(r))
	}
	return out, nil
}

func deliveryOf(r *record.Record) Delivery {
	text := func(f string) string { return r.Get(f).Text }
	d := &delivery{Record: r}
	return Delivery{ID: r.ID(), Message: text("message"), Function: text("function_name"), Partner: text("partner"), State: State(text("state")), Method: text("method"),
		Endpoint: text("endpoint"), Key: text("idempotency_key"), Trace: text("trace"), AnswerTrace: text("answer_trace"), Attempts: number(r, "attempts"),
		Status: number(r, "status"), Reason: text("reason"), Error: text("error"), SourceTable: text("source_table"), SourceID: text("source_record"),
		Handler: text("handler"), ImportSet: text("import_set"), ImportRows: text("import_rows"), Created: d.when(record.SysCreatedOn), NextTry: d.when("next_try"),
		Completed: d.when("completed"), Request: json.RawMessage(text("request"))}
}

// Show gives a delivery with its attempts; id may be the beginning of one, if there is only one such.
func (s *Service) Show(ctx context.Context, id string) (*Delivery, error) {
	found, err := s.List(ctx, &query.Term{Field: record.SysID, Op: query.StartsWith, Values: []string{id}}, 2)
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0 || id == "":
		return nil, fault.New(fault.NotFound, "there is no delivery %q", record.Clip(id)).WithHint("`headrace delivery list` shows them")
	case len(found) > 1:
		return nil, fault.New(fault.Invalid, "several deliveries begin with %q", id).WithHint("give more of the id")
	}
	d := &found[0]
	d.Tries, err = s.attempts(ctx, d.ID)
	return d, err
}

func (s *Service) attempts(ctx context.Context, id string) ([]Attempt, error) {
	var out []Attempt
	err := s.db.Store().Read(ctx, func(tx record.Tx) error {
		found, err := loader{s, tx}.find(ctx, AttemptTable, "delivery", id)
		for _, r := range found {
			d := &delivery{Record: r}
			millis := number(r, "millis")
			out = append(out, Attempt{Number: number(r, "attempt"), Outcome: r.Get("outcome").Text, Status: number(r, "status"), Error: r.Get("error").Text,
				Started: d.when("started"), Took: time.Duration(millis) * time.Millisecond, Millis: millis,
				Request: json.RawMessage(r.Get("request").Text), Answer: json.RawMessage(r.Get("answer").Text)})
		}
		return err
	})
	slices.SortStableFunc(out, func(a, b Attempt) int { return a.Number - b.Number })
	return out, err
}

// Replay puts deliveries back to work: dead and cancelled ones are sent again with the same key; those with a stored
// success are not sent, their answer is fed into the import again. Those under way are left alone. It tells how many
// there were.
func (s *Service) Replay(ctx context.Context, where query.Node) (int, error) {
	return s.change(ctx, where, func(ctx context.Context, w *record.Writer, d *delivery) (bool, error) {
		values := map[string]string{"counted": "0", "next_try": stamp(s.clock()), "completed": "", "reason": "", "error": "",
			"expires": stamp(s.clock().Add(time.Duration(d.call.Policy.MaxAge) * time.Second))}
		succeeded := d.Get("answer").Text != ""
		switch state := d.state(); {
		case succeeded && d.call.Table == "", state == Withheld, slices.Contains(open, string(state)), state == Done && !succeeded:
			return false, nil
		case succeeded:
			values["state"] = string(Answered)
		default:
			values["state"] = string(Ready)
		}
		if err := s.update(ctx, w, d, values); err != nil {
			return false, err
		}
		return true, s.queueUp(ctx, w.Tx(), d.ID(), time.Time{})
	})
}

// Cancel calls deliveries off that are still to be sent, dead ones included. It tells how many there were.
func (s *Service) Cancel(ctx context.Context, where query.Node) (int, error) {
	return s.change(ctx, where, func(ctx context.Context, w *record.Writer, d *delivery) (bool, error) {
		if st := d.state(); st == Done || st == Canceled || st == Withheld {
			return false, nil
		}
		return true, s.update(ctx, w, d, map[string]string{"state": string(Canceled), "reason": "cancelled", "next_try": "", "completed": stamp(s.clock())})
	})
}

// atOnce is how many deliveries are changed in one transaction.
const atOnce = 500

// change does something to all deliveries that match, the oldest first, in transactions of atOnce.
func (s *Service) change(ctx context.Context, where query.Node, do func(context.Context, *record.Writer, *delivery) (bool, error)) (n int, err error) {
	t := s.db.Catalog().Table(DeliveryTable)
	var ids []string
	for row, err := range s.db.As(record.System).Select(ctx, &record.Query{Table: t, Fields: []string{record.SysID}, Where: where, OrderBy: []query.Order{{Field: record.SysID}}}) {
		if err != nil {
			return 0, err
		}
		ids = append(ids, row[0].Text)
	}
	for block := range slices.Chunk(ids, atOnce) {
		done := 0
		err := s.db.As(record.System).Write(ctx, func(w *record.Writer) error {
			done = 0
			for _, id := range block {
				d, err := s.read(ctx, w.Tx(), id)
				if err != nil || d == nil {
					return err
				}
				changed, err := do(ctx, w, d)
				if err != nil {
					return err
				}
				if changed {
					done++
				}
			}
			return nil
		})
		if err != nil {
			return n, err
		}
		n += done
	}
	return n, nil
}

// Await waits until a delivery is settled, and gives its answer: what a script gets that asked for a call and waits. It
// looks at intervals, holding nothing. A Canceled fault when ctx is done before; nil when the call failed for good.
func (s *Service) Await(ctx context.Context, id string) (*Response, error) {
	const interval = 20 * time.Millisecond
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		var d *delivery
		err := s.db.Store().Read(ctx, func(tx record.Tx) (err error) { d, err = s.read(ctx, tx, id); return err })
		switch {
		case err != nil:
			return nil, err
		case d == nil || d.state() == Dead || d.state() == Canceled || d.state() == Withheld:
			return nil, s.undelivered(d, id)
		case d.state() == Done || d.state() == Answered:
			return s.recall(d)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, fault.Wrap(fault.Canceled, ctx.Err(), "no answer in time")
		}
	}
}

func (s *Service) undelivered(d *delivery, id string) error {
	if d == nil {
		return fault.New(fault.NotFound, "there is no delivery %s", id)
	}
	return fault.New(fault.Unavailable, "%s: %s", d.call.title(), d.Get("error").Text)
}

// recall makes the response of a delivery from its stored answer.
func (s *Service) recall(d *delivery) (*Response, error) {
	a, err := s.answerOf(d)
	if err != nil {
		return nil, err
	}
	return &Response{Status: a.Status, Header: a.Header, Body: a.Body,
		Request: Sent{Method: d.call.Method, Endpoint: d.call.URL, Body: string(d.call.Body), Header: d.call.Header}}, nil
}
