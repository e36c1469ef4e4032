package outbound

import (
	"bytes"
	"context"
	"strconv"
	"strings"

	channel "headrace/internal/connect/channel/http"
	"headrace/internal/connect/format"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
	"headrace/internal/store/queue"
)

// storedAnswer seals an answer so that it can be fed into the import again. Without a key to seal by, and where it is
// larger than what is kept, there is none.
func (s *Service) storedAnswer(resp *channel.Response) string {
	if len(resp.Body) > mostStored {
		return ""
	}
	sealed, err := s.vault.Seal(mustJSON(kept{Status: resp.Status, Header: resp.Header, Body: resp.Body}))
	if err != nil {
		return ""
	}
	return sealed
}

// mostStored is how large an answer may be to be kept whole, in bytes.
const mostStored = channel.MaxAnswer

// kept is an answer as a delivery keeps it.
type kept struct {
	Status int                 `json:"status"`
	Header map[string][]string `json:"header,omitempty"`
	Body   []byte              `json:"body,omitempty"`
}

// checkAnswer refuses a message whose answer could not be imported.
func (s *Service) checkAnswer(c *call) error {
	if s.imports == nil {
		return fault.New(fault.Invalid, "%s: answers cannot be imported here", c.title())
	}
	if c.Format == "" {
		return fault.New(fault.Invalid, "%s has a table for its answer and no format", c.title()).WithHint("set response_format: json, xml or csv")
	}
	_, err := format.Named(c.Format, s.formats)
	return err
}

// mostRows bounds the rows of one answer: they are one transaction.
const mostRows = 20_000

// rows reads the rows of an answer.
func (s *Service) rows(ctx context.Context, c *call, body []byte) (columns []string, rows [][]record.Value, err error) {
	f, err := format.Named(c.Format, s.formats)
	if err != nil {
		return nil, nil, err
	}
	options := format.Options{}
	if c.Path != "" {
		options["path"] = c.Path
	}
	for row, err := range f.Rows(ctx, bytes.NewReader(body), options) {
		switch {
		case err != nil:
			return nil, nil, err
		case row.Err != nil:
			return nil, nil, fault.New(fault.Invalid, "row %d of the answer: %s", len(rows)+1, row.Err.Msg)
		case len(rows) == mostRows:
			return nil, nil, fault.New(fault.Limit, "the answer has more than %d rows", mostRows)
		}
		columns = row.Header.Columns
		if row.Cells != nil {
			rows = append(rows, append([]record.Value(nil), row.Cells...))
		}
	}
	for i, r := range rows {
		for len(r) < len(columns) {
			r = append(r, record.Null)
		}
		rows[i] = r
	}
	return columns, rows, nil
}

// settleAnswer writes a success and feeds its answer into the import, in one transaction. When the rows cannot be taken,
// the success is written all the same, and only the import is tried again.
func (s *Service) settleAnswer(ctx context.Context, d *delivery, g *sending, v verdict) error {
	columns, rows, err := s.rows(ctx, d.call, g.resp.Body)
	if err != nil && fault.KindOf(err) == fault.Invalid {
		return s.settleBroken(ctx, d, g, err)
	}
	done := s.next(d, g, v).values
	if err == nil {
		err = s.take(ctx, d, columns, rows, done, func(w *record.Writer) error { return s.attempted(ctx, w, d, g, v) })
	}
	if err == nil || isMoot(err) {
		return nil
	}
	next := s.importLater(d, err)
	for name, value := range next.values {
		done[name] = value
	}
	werr := s.session(d).Write(ctx, func(w *record.Writer) error {
		if err := s.attempted(ctx, w, d, g, v); err != nil {
			return err
		}
		return s.update(ctx, w, d, done)
	})
	if werr != nil || next.wait == 0 {
		return werr
	}
	return queue.Snooze(next.wait)
}

// settleBroken ends an attempt whose answer is a success by its status, and cannot be read: half of it, or something else.
func (s *Service) settleBroken(ctx context.Context, d *delivery, g *sending, cause error) error {
	broken := *d.call
	broken.Table = ""
	v := verdict{again: true, reason: "answer", msg: "the answer is no " + d.call.Format + ": " + cause.Error()}
	if g.unclear() && (broken.Policy.AtMostOnce || !broken.repeatable()) {
		v.again = false
	}
	next := s.next(d, g, v)
	err := s.session(d).Write(ctx, func(w *record.Writer) error {
		if err := s.attempted(ctx, w, d, g, v); err != nil {
			return err
		}
		return s.update(ctx, w, d, next.values)
	})
	if err != nil || next.wait == 0 {
		return err
	}
	return queue.Snooze(next.wait)
}

// take pushes the rows of an answer and marks the delivery done, in one transaction. What the rows write carries a trace of
// its own, which leads to this delivery: so that it can be told what came of it, and that it calls the partner no more.
func (s *Service) take(ctx context.Context, d *delivery, columns []string, rows [][]record.Value, done map[string]string, also func(*record.Writer) error) error {
	finish := func(w *record.Writer, pushed *importset.Pushed) error {
		values := map[string]string{"state": string(Done), "completed": stamp(s.clock()), "next_try": "", "reason": "", "error": ""}
		for name, v := range done {
			if _, mine := values[name]; !mine {
				values[name] = v
			}
		}
		if pushed != nil && len(pushed.Rows) > 0 {
			values["import_set"] = pushed.Number
			values["import_rows"] = rowKeys(pushed)
		}
		if also != nil {
			if err := also(w); err != nil {
				return err
			}
		}
		return s.update(ctx, w, d, values)
	}
	if len(rows) == 0 {
		return s.session(d).Write(ctx, func(w *record.Writer) error { return finish(w, nil) })
	}
	_, err := s.imports.PushWith(ctx, importset.PushRequest{Table: d.call.Table, Columns: columns, Rows: rows, Trace: d.Get("answer_trace").Text}, finish)
	return err
}

// mostKeys bounds how many rows a delivery names.
const mostKeys = 50

func rowKeys(p *importset.Pushed) string {
	var keys []string
	for _, r := range p.Rows[:min(len(p.Rows), mostKeys)] {
		keys = append(keys, r.Key)
	}
	return strings.Join(keys, ",")
}

// importLater decides when the import of an answer is tried again: by the waits of the policy, counted by themselves.
func (s *Service) importLater(d *delivery, cause error) step {
	tries := 1
	if d.state() == Answered {
		tries = number(d.Record, "counted") + 1
	}
	out := step{values: map[string]string{"state": string(Answered), "reason": "import", "completed": "", "counted": strconv.Itoa(tries),
		"error": redactorOf(d.call.Secrets, d.call.Redact).text("the answer is not imported: "+cause.Error(), mostHeader)}}
	if tries >= d.call.Policy.Attempts {
		out.values["state"], out.values["completed"] = string(Dead), stamp(s.clock())
		return out
	}
	out.wait = max(d.call.Policy.wait(tries, s.dice()), 1)
	out.values["next_try"] = stamp(s.clock().Add(out.wait))
	return out
}

// importAgain feeds the stored answer of a delivery into the import. The partner is not called.
func (s *Service) importAgain(ctx context.Context, d *delivery) error {
	if early := d.when("next_try").Sub(s.clock()); early > 0 {
		return queue.Snooze(early)
	}
	answer, err := s.answerOf(d)
	if err != nil {
		return s.finish(ctx, d, Dead, "import", err.Error())
	}
	columns, rows, err := s.rows(ctx, d.call, answer.Body)
	if err == nil {
		err = s.take(ctx, d, columns, rows, nil, nil)
	}
	if err == nil || isMoot(err) {
		return nil
	}
	next := s.importLater(d, err)
	werr := s.session(d).Write(ctx, func(w *record.Writer) error { return s.update(ctx, w, d, next.values) })
	if werr != nil || next.wait == 0 {
		return werr
	}
	return queue.Snooze(next.wait)
}
