package outbound_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"headrace/internal/core/record"
	"headrace/internal/flow/outbound"
	"headrace/internal/store/sqlstore"
	"headrace/internal/store/storetest/stores"
)

const failsTwice = `
routes:
  - name: create
    method: POST
    path: /tickets
    key: Idempotency-Key
    answers:
      - {status: 503, times: 2}
      - {status: 201, json: {id: EXT-7, number: T1}}
`

func TestDeliveryIsTriedAgainUntilItSucceedsAndKeepsItsKey(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		w := open(t, cfg, failsTwice)
		w.message(t, "post", "/tickets", "fn.content", `{"text": "${text}"}`)
		r := create()
		r.Variables = map[string]outbound.Variable{"text": {Value: `He said "no" & left`}}
		r.KeyStem = "handler 1"
		id := w.enqueue(t, r)
		w.drain(t)
		w.state(t, id, outbound.Retry, 1)
		w.drain(t)
		w.state(t, id, outbound.Retry, 1) // it is not its time yet
		w.later(t, 500*time.Millisecond)
		w.state(t, id, outbound.Retry, 2)
		w.later(t, time.Second)
		d := w.state(t, id, outbound.Done, 3)
		got := w.partner.Received()
		if len(got) != 3 || w.partner.Counted("create") != 1 {
			t.Fatalf("the partner got %d requests and did %d", len(got), w.partner.Counted("create"))
		}
		for _, r := range got {
			if r.Key != d.Key || d.Key == "" || r.Body != `{"text": "He said \"no\" & left"}` || r.Header.Get("Content-Type") != "application/json" {
				t.Errorf("sent %+v, key %s", r, d.Key)
			}
		}
		if len(d.Tries) != 3 || d.Tries[0].Status != 503 || d.Tries[2].Outcome != "done" || d.Status != 201 {
			t.Errorf("attempts %+v", d.Tries)
		}
		if logged := w.rows(t, outbound.LogTable, "response_status", "delivery"); len(logged) != 3 || logged[0][1] != id {
			t.Errorf("the log has %v", logged)
		}
	})
}

func TestDeliveryExistsIfAndOnlyIfItsTransactionCommits(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		w := open(t, cfg, failsTwice)
		w.message(t, "post", "/tickets")
		no := errors.New("no")
		err := w.db.As(record.System).Write(t.Context(), func(wr *record.Writer) error {
			if _, err := w.Enqueue(t.Context(), wr, create()); err != nil {
				return err
			}
			return no
		})
		if !errors.Is(err, no) {
			t.Fatal(err)
		}
		w.drain(t)
		if n := len(w.rows(t, outbound.DeliveryTable, "state")); n != 0 || len(w.partner.Received()) != 0 {
			t.Errorf("%d deliveries, %d requests", n, len(w.partner.Received()))
		}
	})
}

func TestWhatTheStatusMeansForADelivery(t *testing.T) {
	tests := map[string]struct {
		answer, method string
		policy         []string
		want           outbound.State
		reason         string
	}{
		"not found is final":                          {"{status: 404}", "post", nil, outbound.Dead, "status"},
		"429 is tried again":                          {"{status: 429}", "post", nil, outbound.Retry, "status"},
		"425 is tried again":                          {"{status: 425}", "post", nil, outbound.Retry, "status"},
		"500 is tried again":                          {"{status: 500}", "post", nil, outbound.Retry, "status"},
		"501 is final":                                {"{status: 501}", "post", nil, outbound.Dead, "status"},
		"dropped with key is tried again":             {"{drop: before}", "post", nil, outbound.Retry, "connect"},
		"dropped without key is unclear":              {"{drop: before}", "post", []string{"key_header", ""}, outbound.Dead, "unclear"},
		"503 without key was not carried out":         {"{status: 503}", "post", []string{"key_header", ""}, outbound.Retry, "status"},
		"500 without key is unclear":                  {"{status: 500}", "post", []string{"key_header", ""}, outbound.Dead, "unclear"},
		"a put without key is tried again":            {"{status: 500}", "put", []string{"key_header", ""}, outbound.Retry, "status"},
		"at most once, a drop is for a person":        {"{drop: before}", "put", []string{"at_most_once", "true"}, outbound.Dead, "unclear"},
		"at most once, 503 was not carried out":       {"{status: 503}", "post", []string{"at_most_once", "true"}, outbound.Retry, "status"},
		"half an answer is tried again":               {"{status: 200, drop: half, body: 'abcdefgh'}", "post", nil, outbound.Retry, "answer"},
		"an answer too large is final":                {"{status: 200, body: 'abcdefghij', repeat: 10}", "post", []string{"max_answer", "50"}, outbound.Dead, "answer"},
		"no more attempts than the policy gives":      {"{status: 503}", "post", []string{"attempts", "1"}, outbound.Dead, "status"},
		"the next attempt must come within its time":  {"{status: 503, headers: {Retry-After: '100'}}", "post", []string{"max_age", "60"}, outbound.Dead, "status"},
		"a redirect that never ends is given up":      {"{status: 302, headers: {Location: /tickets}}", "get", nil, outbound.Dead, "redirect"},
		"an answer that does not come is a time-out":  {"{hold: true}", "post", []string{"first_byte_timeout", "100"}, outbound.Retry, "timeout"},
		"an answer that does not end is broken off":   {"{status: 200, latency: 10s}", "post", []string{"total_timeout", "100"}, outbound.Retry, "timeout"},
		"a status the policy names is tried again":    {"{status: 418}", "post", []string{"statuses", "418"}, outbound.Retry, "status"},
		"a status the policy does not name is final":  {"{status: 503}", "post", []string{"statuses", "418"}, outbound.Dead, "status"},
		"a web page where JSON was expected is again": {"{status: 200, headers: {Content-Type: text/html}, body: '<html>asleep</html>'}", "post", []string{"json", ""}, outbound.Retry, "answer"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := open(t, stores.SQLite(t), "routes: [{path: /tickets, answers: ["+tt.answer+"]}]")
			pairs := []string{"message.delivery_policy", ""}
			if len(tt.policy) > 0 && tt.policy[0] == "json" {
				pairs = []string{"fn.response_format", "json"}
			} else if tt.policy != nil {
				w.make(t, outbound.PolicyTable, "policy", append([]string{"name", "mine"}, tt.policy...)...)
				pairs = []string{"message.delivery_policy", "@policy"}
			}
			w.message(t, tt.method, "/tickets", pairs...)
			id := w.enqueue(t, create())
			w.drain(t)
			d := w.state(t, id, tt.want, 1)
			if d.Reason != tt.reason || d.Error == "" {
				t.Errorf("reason %q (%s), want %q", d.Reason, d.Error, tt.reason)
			}
		})
	}
}

func TestWaitsFollowThePolicyAndRetryAfter(t *testing.T) {
	date := time.Now().Add(4 * time.Minute).UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")
	w := open(t, stores.SQLite(t), fmt.Sprintf(`
routes:
  - path: /
    answers:
      - {status: 503}
      - {status: 503}
      - {status: 503}
      - {status: 429, headers: {Retry-After: "40"}}
      - {status: 503, headers: {Retry-After: %q}}
      - {status: 200}
`, date))
	w.make(t, outbound.PolicyTable, "policy", "name", "mine", "base", "4000", "factor", "3", "cap", "20000")
	w.message(t, "post", "/", "message.delivery_policy", "@policy")
	id := w.enqueue(t, create())
	w.drain(t)
	// Half of the bound, as the dice say: 4 s, 12 s, and the cap of 20 s. The host is left alone after five failures.
	for n, wait := range []time.Duration{2 * time.Second, 6 * time.Second, 10 * time.Second, 40 * time.Second} {
		w.later(t, wait-time.Second)
		w.state(t, id, outbound.Retry, n+1)
		w.later(t, time.Second)
		w.state(t, id, outbound.Retry, n+2)
	}
	at := w.shown(t, id).NextTry
	if want, err := time.Parse(time.RFC1123, date); err != nil || !at.Equal(want) {
		t.Errorf("tried again at %s, want %s", at, date)
	}
	w.later(t, 5*time.Minute)
	w.state(t, id, outbound.Done, 6)
}

func TestDeadDeliveriesAreReplayedWithTheSameKey(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		w := open(t, cfg, "routes: [{name: create, path: /, key: Idempotency-Key, answers: [{status: 400, times: 3}, {status: 201}]}]")
		w.message(t, "post", "/")
		ids := []string{w.enqueue(t, create()), w.enqueue(t, create()), w.enqueue(t, create())}
		w.drain(t)
		for _, id := range ids {
			w.state(t, id, outbound.Dead, 1)
		}
		if n, err := w.Replay(t.Context(), byID(ids[0])); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		w.drain(t)
		first := w.state(t, ids[0], outbound.Done, 2)
		if n, err := w.Cancel(t.Context(), byID(ids[1])); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		w.state(t, ids[1], outbound.Canceled, 1)
		if n, err := w.Replay(t.Context(), nil); n != 2 || err != nil { // the one that succeeded is not sent again
			t.Fatal(n, err)
		}
		w.drain(t)
		w.state(t, ids[1], outbound.Done, 2)
		w.state(t, ids[2], outbound.Done, 2)
		if w.partner.Counted("create") != 3 || first.Tries[0].Number != 1 || first.Tries[1].Number != 2 {
			t.Errorf("the partner did %d; tries %+v", w.partner.Counted("create"), first.Tries)
		}
		keys := map[string]int{}
		for _, r := range w.partner.Received() {
			keys[r.Key]++
		}
		if len(keys) != 3 || keys[first.Key] != 2 {
			t.Errorf("keys %v", keys)
		}
	})
}

func TestHostThatFailsIsLeftAloneWithoutCountingAttempts(t *testing.T) {
	w := open(t, stores.SQLite(t), "routes: [{path: /, answers: [{status: 503, times: 3}, {status: 200}]}]")
	w.make(t, outbound.HostTable, "host", "name", strings.TrimPrefix(w.partner.URL, "http://"), "breaker_failures", "3", "breaker_seconds", "60")
	w.make(t, outbound.PolicyTable, "policy", "name", "mine", "base", "1000", "factor", "1", "cap", "1000")
	w.message(t, "post", "/", "message.delivery_policy", "@policy")
	var ids []string
	for range 5 {
		ids = append(ids, w.enqueue(t, create()))
	}
	w.drain(t)
	if n := len(w.partner.Received()); n != 3 {
		t.Fatalf("%d requests before the circuit opened", n)
	}
	waiting := w.state(t, ids[4], outbound.Ready, 0)
	if waiting.Reason != "circuit" {
		t.Errorf("waits because of %q", waiting.Reason)
	}
	w.later(t, 59*time.Second)
	if n := len(w.partner.Received()); n != 3 {
		t.Fatalf("%d requests while the circuit was open", n)
	}
	w.later(t, 2*time.Second)
	w.later(t, 10*time.Second)
	for _, id := range ids[3:] {
		w.state(t, id, outbound.Done, 1)
	}
	for _, id := range ids[:3] {
		w.state(t, id, outbound.Done, 2)
	}
}

func TestRateOfAHostIsKeptByWaiting(t *testing.T) {
	w := open(t, stores.SQLite(t), "routes: [{path: /, answers: [{status: 200}]}]")
	w.make(t, outbound.HostTable, "host", "name", strings.TrimPrefix(w.partner.URL, "http://"), "rate", "2", "burst", "1")
	w.message(t, "post", "/")
	for range 7 {
		w.enqueue(t, create())
	}
	w.drain(t)
	for sent := 1; sent <= 7; sent++ {
		if n := len(w.partner.Received()); n != sent {
			t.Fatalf("%d requests, want %d", n, sent)
		}
		w.later(t, 500*time.Millisecond)
	}
	for _, r := range w.rows(t, outbound.DeliveryTable, "state", "attempts") {
		if r[0] != string(outbound.Done) || r[1] != "1" {
			t.Errorf("delivery %v", r)
		}
	}
}

func TestSlowPartnersNeverDelayAnother(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		w := open(t, cfg, "routes: [{path: /, answers: [{status: 200}]}]")
		w.message(t, "post", "/")
		w.make(t, "sys_properties", "allowed", "name", outbound.AllowedProperty, "value", "127.0.0.1")
		for range 4 { // hosts whose calls would take all workers
			slow := start(t, "routes: [{answers: [{hold: true}]}]")
			t.Cleanup(slow.Release)
			for range outbound.Workers / 2 {
				w.enqueue(t, outbound.Request{Method: "POST", Endpoint: slow.URL})
			}
			defer slow.Release()
		}
		check(t, w.queue.Start(t.Context()))
		var last string
		for range 20 {
			last = w.enqueue(t, create())
		}
		if _, err := w.Await(t.Context(), last); err != nil { // no slow one has answered a single call yet
			t.Error(err)
		}
		stopping, cancel := context.WithCancel(t.Context())
		cancel() // what is held is cut off
		_ = w.queue.Stop(stopping)
	})
}

func TestCancelledDeliveryIsNotSent(t *testing.T) {
	w := open(t, stores.SQLite(t), "routes: [{path: /, answers: [{status: 200}]}]")
	w.message(t, "post", "/")
	id := w.enqueue(t, create())
	if n, err := w.Cancel(t.Context(), byID(id)); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	w.drain(t)
	w.state(t, id, outbound.Canceled, 0)
	if len(w.partner.Received()) != 0 {
		t.Error("it was sent")
	}
}
