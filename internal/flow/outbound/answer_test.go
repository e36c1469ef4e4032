package outbound_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
	"headrace/internal/flow/outbound"
	"headrace/internal/store/sqlstore"
	"headrace/internal/store/storetest/stores"
)

const answersWithRows = `
routes:
  - name: create
    path: /tickets
    answers:
      - {status: 201, json: {result: {items: [{id: EXT-7, number: T1}, {id: EXT-8, number: T2}]}}}
`

// takesAnswers makes the message whose answer becomes tickets.
func (w *world) takesAnswers(t testing.TB, pairs ...string) {
	t.Helper()
	w.message(t, "post", "/tickets", append([]string{"fn.response_format", "json", "fn.response_path", "/result/items", "fn.response_table", "u_partner_answer"}, pairs...)...)
	w.make(t, importset.MapTable, "map", "name", "partner_answer", "source_table", "u_partner_answer", "target_table", "u_ticket")
	w.make(t, importset.EntryTable, "entry 1", "map", "@map", "source_field", "number", "target_field", "number", "coalesce", "true")
	w.make(t, importset.EntryTable, "entry 2", "map", "@map", "source_field", "id", "target_field", "correlation_id")
}

func TestAnswerBecomesRecordsInTheTransactionThatMarksTheDeliveryDone(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		w := open(t, cfg, answersWithRows)
		w.takesAnswers(t)
		id := w.enqueue(t, create())
		w.drain(t)
		d := w.state(t, id, outbound.Done, 1)
		if got := w.rows(t, "u_ticket", "number", "correlation_id"); len(got) != 2 || got[0][1] != "EXT-7" || got[1][0] != "T2" {
			t.Fatalf("tickets %v", got)
		}
		if d.ImportSet == "" || strings.Count(d.ImportRows, ",") != 1 || d.AnswerTrace == "" || d.AnswerTrace == d.Trace {
			t.Errorf("delivery %+v", d)
		}
		for _, change := range w.rows(t, record.ChangeTable, "table_name", "trace", "run") {
			if change[0] == "u_ticket" && change[1] != d.AnswerTrace {
				t.Errorf("change %v does not lead to the delivery", change)
			}
		}
	})
}

func TestFailedTransformIsRepeatedWithoutASecondCall(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		w := open(t, cfg, answersWithRows)
		w.takesAnswers(t)
		target := w.make(t, importset.MapTable, "broken", "name", "broken", "source_table", "u_partner_answer", "target_table", "u_nowhere")
		id := w.enqueue(t, create())
		w.drain(t)
		d := w.state(t, id, outbound.Answered, 1)
		if d.Reason != "import" || !strings.Contains(d.Error, "map broken") {
			t.Errorf("reason %s: %s", d.Reason, d.Error)
		}
		w.later(t, time.Second)
		w.state(t, id, outbound.Answered, 1)
		maps, err := w.db.Table(importset.MapTable)
		check(t, err)
		check(t, w.db.As(record.System).Delete(t.Context(), maps, target))
		w.later(t, time.Minute)
		w.state(t, id, outbound.Done, 1)
		if n := len(w.partner.Received()); n != 1 {
			t.Errorf("the partner was called %d times", n)
		}
		if n := len(w.rows(t, "u_ticket", "number")); n != 2 {
			t.Errorf("%d tickets", n)
		}
	})
}

func TestReplayOfASuccessFeedsTheAnswerAgainAndCallsNobody(t *testing.T) {
	w := open(t, stores.SQLite(t), answersWithRows)
	w.takesAnswers(t)
	id := w.enqueue(t, create())
	w.drain(t)
	for _, row := range w.rows(t, "u_ticket", record.SysID) {
		table, err := w.db.Table("u_ticket")
		check(t, err)
		check(t, w.db.As(record.System).Delete(t.Context(), table, row[0]))
	}
	if n, err := w.Replay(t.Context(), byID(id)); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	w.drain(t)
	w.state(t, id, outbound.Done, 1)
	if len(w.rows(t, "u_ticket", "number")) != 2 || len(w.partner.Received()) != 1 {
		t.Errorf("%d tickets, %d calls", len(w.rows(t, "u_ticket", "number")), len(w.partner.Received()))
	}
}

func TestAnswerThatIsNotWhatItShouldBeIsAFailedAttempt(t *testing.T) {
	w := open(t, stores.SQLite(t), `
routes:
  - path: /tickets
    answers:
      - {status: 200, headers: {Content-Type: application/json}, body: '{"result": {"items": [{"id":'}
      - {status: 200, headers: {Content-Type: text/html}, body: '<html><body>Your instance is asleep</body></html>'}
      - {status: 200, json: {result: {items: [{id: E, number: T}]}}}
`)
	w.takesAnswers(t)
	id := w.enqueue(t, create())
	w.drain(t)
	w.state(t, id, outbound.Retry, 1)
	w.later(t, time.Minute)
	w.state(t, id, outbound.Retry, 2)
	w.later(t, time.Minute)
	d := w.state(t, id, outbound.Done, 3)
	if d.Tries[0].Outcome != "answer" || d.Tries[1].Outcome != "answer" || len(w.rows(t, "u_ticket", "number")) != 1 {
		t.Errorf("tries %+v", d.Tries)
	}
}

// tells is a hook that calls partners about every ticket that is written: what a rule would do.
type tells struct {
	w       *world
	partner func() []outbound.Request
}

func (tells) Sees(t *record.Table) bool                           { return t.Name == "u_ticket" }
func (tells) Before(context.Context, *record.Change) error        { return nil }
func (h tells) After(ctx context.Context, c *record.Change) error { return h.tell(ctx, c.Writer) }

func (h tells) tell(ctx context.Context, w *record.Writer) error {
	for _, r := range h.partner() {
		r.Trace = w.Trace()
		if _, err := h.w.Enqueue(ctx, w, r); err != nil {
			return err
		}
	}
	return nil
}

func TestWhatAnAnswerWritesCallsItsPartnerNoMoreButOthers(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		hook := &tells{}
		hook.partner = func() []outbound.Request {
			return []outbound.Request{create(), {Message: "other", Function: "create"}}
		}
		w := open(t, cfg, answersWithRows, func(_ *outbound.Config, rc *record.Config) { rc.Hooks = []record.Hook{hook} })
		hook.w = w
		w.takesAnswers(t)
		w.make(t, outbound.MessageTable, "other", "name", "other", "rest_endpoint", w.partner.URL+"/tickets")
		w.make(t, outbound.FunctionTable, "other create", "rest_message", "@other", "function_name", "create", "http_method", "post",
			"response_format", "json", "response_path", "/result/items", "response_table", "u_partner_answer")
		w.make(t, "u_ticket", "first", "number", "T0")
		for range 4 {
			w.later(t, time.Minute)
		}
		states := map[string]int{}
		for _, r := range w.rows(t, outbound.DeliveryTable, "message", "state", "reason") {
			states[strings.Join(r, " ")]++
		}
		// T0 is told to both. The first answer writes T1 and T2: that is told to the other alone, whose answers say the same
		// again and write nothing.
		one := states["partner done "] == 1 && states["partner withheld loop"] == 2 && states["other done "] == 3
		two := states["other done "] == 1 && states["other withheld loop"] == 2 && states["partner done "] == 3
		if !one && !two {
			t.Errorf("deliveries %v", states)
		}
		if n := len(w.partner.Received()); n != 4 {
			t.Errorf("%d calls", n)
		}
	})
}

func TestMessageWhoseAnswerCannotBeImportedIsRefusedWhenItIsUsed(t *testing.T) {
	w := open(t, stores.SQLite(t), answersWithRows)
	w.message(t, "post", "/tickets", "fn.response_table", "u_partner_answer")
	err := w.db.As(record.System).Write(t.Context(), func(wr *record.Writer) error {
		_, err := w.Enqueue(t.Context(), wr, create())
		return err
	})
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(fault.HintOf(err), "response_format") {
		t.Errorf("got %v", err)
	}
}
