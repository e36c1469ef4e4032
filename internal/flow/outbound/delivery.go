package outbound

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/store/queue"
)

// State is where a delivery stands.
type State string

// The states of a delivery.
const (
	Ready    State = "ready"     // to be sent
	Sending  State = "sending"   // under way; only marked where it is sent at most once
	Retry    State = "retry"     // to be sent again
	Answered State = "answered"  // sent with success; its answer is still to be imported
	Done     State = "done"      // nothing left to do
	Dead     State = "dead"      // given up: somebody must look at it
	Canceled State = "cancelled" // called off
	Withheld State = "withheld"  // never sent: the change came from the partner itself
)

// open are the states in which there is something left to do.
var open = []string{string(Ready), string(Sending), string(Retry), string(Answered)}

// The jobs of deliveries: their kind, their queue, and how many a node works at once. A slow partner holds only as many
// of them as HostTable gives its host.
const (
	JobKind = "delivery"
	Queue   = "delivery"
	Workers = 64
)

// delivery is a record of DeliveryTable, read for work on it.
type delivery struct {
	*record.Record
	call *call
}

func (d *delivery) state() State { return State(d.Get("state").Text) }

func (d *delivery) when(field string) time.Time {
	at, err := time.Parse(record.DateTimeLayout, d.Get(field).Text)
	if err != nil {
		return time.Time{}
	}
	return at
}

// enter makes the record of a delivery and its job.
func (s *Service) enter(ctx context.Context, w *record.Writer, c *call) (string, error) {
	if c.Table != "" {
		if err := s.checkAnswer(c); err != nil {
			return "", err
		}
	}
	state, reason, err := Ready, "", error(nil)
	if c.Key == "" {
		c.Key = record.NewID()
		c.sendKey()
	}
	if c.Trace == "" {
		c.Trace = record.NewID()
	}
	if c.Timeouts.Total == 0 || c.Timeouts.Total > mostTotal {
		c.Timeouts.Total = mostTotal
	}
	if looped, err := s.loops(ctx, w.Tx(), c); err != nil {
		return "", err
	} else if looped != "" {
		state, reason = Withheld, "the change came from an answer of "+c.Partner+", delivery "+looped
	}
	now := s.clock()
	values, err := s.written(c)
	if err != nil {
		return "", err
	}
	for name, v := range map[string]string{"state": string(state), "message": c.Message, "function_name": c.Function, "partner": c.Partner, "method": c.Method,
		"host": host(c.URL), "idempotency_key": c.Key, "trace": c.Trace, "attempts": "0", "counted": "0", "next_try": stamp(now), "source_table": c.SourceType,
		"source_record": c.SourceID, "handler": c.Handler, "expires": stamp(now.Add(time.Duration(c.Policy.MaxAge) * time.Second)), "error": reason} {
		values[name] = v
	}
	if state == Withheld {
		values["reason"] = "loop"
	}
	if c.Table != "" {
		values["answer_trace"] = record.NewID()
	}
	id, err := s.add(ctx, w, DeliveryTable, values)
	if err != nil || state == Withheld {
		return id, err
	}
	return id, s.queueUp(ctx, w.Tx(), id, time.Time{})
}

// sendKey puts a key that was drawn late into the header.
func (c *call) sendKey() {
	if c.Policy.KeyHeader != "" && !slices.Contains([]string{"GET", "HEAD", "OPTIONS"}, c.Method) {
		c.Header = override(c.Header, []Pair{{c.Policy.KeyHeader, c.Key}})
	}
}

// written gives the fields that hold what is sent: sealed whole, and redacted for people. Without a key to seal by, only
// calls that carry no secrets are kept.
func (s *Service) written(c *call) (map[string]string, error) {
	r := redactorOf(c.Secrets, c.Redact)
	shown := mustJSON(c.show(r, c.Header))
	whole := mustJSON(c)
	sealed, err := s.vault.Seal(whole)
	if err != nil && (len(c.Secrets) > 0 || fault.KindOf(err) != fault.Unavailable) {
		return nil, err
	}
	if err != nil {
		sealed = whole
	}
	return map[string]string{"endpoint": r.url(c.URL), "request": shown, "sealed": sealed}, nil
}

func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil { // what is written here always marshals
		panic(err)
	}
	return string(b)
}

func stamp(at time.Time) string { return at.UTC().Format(record.DateTimeLayout) }

type jobArgs struct {
	Delivery string `json:"delivery"`
}

func (s *Service) queueUp(ctx context.Context, tx record.Tx, id string, at time.Time) error {
	return s.queue.Insert(ctx, tx, queue.Job{Kind: JobKind, Queue: Queue, Args: json.RawMessage(mustJSON(jobArgs{id})), At: at})
}

// read reads a delivery; nil when it is gone.
func (s *Service) read(ctx context.Context, tx record.Tx, id string) (*delivery, error) {
	found, err := loader{s, tx}.find(ctx, DeliveryTable, record.SysID, id)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	d := &delivery{Record: found[0], call: &call{}}
	whole, err := s.vault.Open(d.Get("sealed").Text)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(whole), d.call); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the request of delivery %s cannot be read", id)
	}
	return d, nil
}

// update changes a delivery if it is still as it was read; a Conflict fault when somebody else was faster.
func (s *Service) update(ctx context.Context, w *record.Writer, d *delivery, values map[string]string) error {
	rows := &record.Rows{Fields: []string{record.SysID, record.SysModCount}, Values: []record.Value{d.Get(record.SysID), d.Get(record.SysModCount)},
		Shared: []record.Assignment{{Field: record.SysUpdatedOn, Value: record.Text(stamp(w.Now()))}, {Field: record.SysUpdatedBy, Value: record.Text(record.System.Name)}}}
	for name, v := range values {
		rows.Fields = append(rows.Fields, name)
		rows.Values = append(rows.Values, record.Value{Text: v, Valid: v != ""})
	}
	stale, err := w.Tx().Update(ctx, d.Table, rows)
	if err == nil && len(stale) > 0 {
		err = fault.Wrap(fault.Conflict, errMoot, "delivery %s was changed by somebody else meanwhile", d.ID())
	}
	return err
}

// errMoot says that somebody else has taken a delivery further, so that what was to be written of it counts no more.
var errMoot = errors.New("the delivery is another")

func isMoot(err error) bool { return errors.Is(err, errMoot) }

// mostChain bounds how far back the loop guard looks.
const mostChain = 16

// loops looks whether what a call is about was written by an answer of its own partner, directly or through the answers of
// others, and gives the delivery that was answered. An answer's writes carry a trace of their own, which leads back.
func (s *Service) loops(ctx context.Context, tx record.Tx, c *call) (string, error) {
	if !c.Guard || c.Trace == "" {
		return "", nil
	}
	t := s.db.Catalog().Table(DeliveryTable)
	trace := c.Trace
	for range mostChain {
		q := &record.Query{Table: t, Fields: []string{record.SysID, "partner", "trace"}, // one at most: no limit, which would have PostgreSQL walk the ids
			Where: &query.Term{Field: "answer_trace", Op: query.Equal, Values: []string{trace}}}
		found := ""
		for row, err := range tx.Select(ctx, q) {
			if err != nil {
				return "", err
			}
			if row[1].Text == c.Partner {
				return row[0].Text, nil
			}
			found = row[2].Text
		}
		if found == "" {
			return "", nil
		}
		trace = found
	}
	return "", nil
}

func (s *Service) refuseLoop(ctx context.Context, tx record.Tx, c *call) error {
	looped, err := s.loops(ctx, tx, c)
	if err == nil && looped != "" {
		err = fault.New(fault.Refused, "%s is not called: the change came from its own answer, delivery %s", c.Partner, looped).
			WithHint("set loop_guard of the message to false if the partner is to be told")
	}
	return err
}

// attempted writes an attempt and the row of the HTTP log.
func (s *Service) attempted(ctx context.Context, w *record.Writer, d *delivery, g *sending, v verdict) error {
	c := d.call
	logged, err := s.logIn(ctx, w, c, g, d.ID())
	if err != nil {
		return err
	}
	r := redactorOf(c.secretsOf(g), c.Redact)
	outcome := "done"
	if !v.done {
		outcome = v.reason
	}
	values := map[string]string{"delivery": d.ID(), "attempt": strconv.Itoa(number(d.Record, "attempts") + 1), "outcome": outcome, "error": r.text(v.msg, mostHeader),
		"started": stamp(g.began), "millis": strconv.FormatInt(g.took.Milliseconds(), 10), "request": mustJSON(c.show(r, g.sent)), "http_log": logged}
	if a := showAnswer(r, g.resp); a != nil {
		values["answer"], values["status"] = mustJSON(a), strconv.Itoa(a.Status)
	}
	_, err = s.add(ctx, w, AttemptTable, values)
	return err
}
