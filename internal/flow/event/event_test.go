package event_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/event"
	"headrace/internal/store/queue"
	"headrace/internal/store/sqlstore"
	"headrace/internal/store/storetest/stores"
)

func TestMain(m *testing.M) { stores.Main(m) }

// handler is a kind of handler written in Go: what its targets do is the test's to say.
type handler struct {
	mu      sync.Mutex
	targets map[string][]event.Target
	do      func(ctx context.Context, r *event.Run) error
	policy  event.Policy
	ran     []string
	keys    map[string]bool
}

func (h *handler) Kind() string { return "test" }

func (h *handler) Targets(_ context.Context, name string) ([]event.Target, error) {
	return h.targets[name], nil
}

func (h *handler) Policy(context.Context, string) event.Policy { return h.policy }

func (h *handler) Handle(ctx context.Context, r *event.Run) error {
	h.mu.Lock()
	h.ran = append(h.ran, fmt.Sprintf("%s/%s.%d", r.Event.Get("parm1").Text, r.Target[:1], r.Attempt))
	h.keys[r.Key] = true
	h.mu.Unlock()
	if h.do == nil {
		return nil
	}
	return h.do(ctx, r)
}

func (h *handler) take() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := strings.Join(h.ran, " ")
	h.ran = nil
	return out
}

// node is one process with events.
type node struct {
	t      testing.TB
	db     *record.DB
	queue  *queue.Queue
	events *event.Service
	*handler
	now time.Time
}

// open opens a node whose clock stands still; live takes the machine's.
func open(t testing.TB, cfg sqlstore.Config, live bool) *node {
	t.Helper()
	n := &node{t: t, events: event.New(), now: time.Now().UTC().Truncate(time.Second)}
	store := stores.Open(t, cfg)
	clock := func() time.Time { return n.now }
	if live {
		clock = nil
	}
	plain := record.Table{Name: "u_plain", Fields: []record.Field{{Name: "title", Type: record.String}}}
	var err error
	n.db, err = record.Open(context.Background(), store, record.Config{Tables: append(event.Tables(), plain), Hooks: []record.Hook{n.events},
		Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	n.queue, err = queue.New(context.Background(), store, queue.Config{Clock: clock, Queues: map[string]int{event.JobQueue: 8}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	n.events.Use(n.db, n.queue)
	n.events.LogTo(slog.New(slog.DiscardHandler))
	n.reset()
	n.events.Add(n.handler)
	return n
}

// reset gives the node one handler for the event one, and three for the event three.
func (n *node) reset() {
	target := func(id string) event.Target { return event.Target{ID: strings.Repeat(id, 32), Name: "handler " + id} }
	if n.handler == nil {
		n.handler = &handler{}
	}
	n.targets = map[string][]event.Target{"one": {target("a")}, "three": {target("a"), target("b"), target("c")}}
	n.do, n.policy, n.ran, n.keys = nil, event.Policy{Base: 10 * time.Second}, nil, map[string]bool{}
}

func (n *node) table(name string) *record.Table { return n.db.Catalog().Table(name) }

func (n *node) session() record.Session { return n.db.As(record.System) }

func (n *node) fire(events ...event.Event) []string {
	n.t.Helper()
	var ids []string
	err := n.session().Write(context.Background(), func(w *record.Writer) error {
		for _, e := range events {
			id, err := n.events.Fire(context.Background(), w, e)
			if err != nil {
				return err
			}
			ids = append(ids, id)
		}
		return nil
	})
	if err != nil {
		n.t.Fatal(err)
	}
	return ids
}

func (n *node) insert(table string, pairs ...string) {
	n.t.Helper()
	var values []record.Assignment
	for i := 0; i < len(pairs); i += 2 {
		values = append(values, record.Assignment{Field: pairs[i], Value: record.Text(pairs[i+1])})
	}
	if _, err := n.session().Insert(context.Background(), n.table(table), values); err != nil {
		n.t.Fatal(err)
	}
}

// pass lets time go on and works what is due then.
func (n *node) pass(d time.Duration) {
	n.t.Helper()
	n.now = n.now.Add(d)
	if _, err := n.queue.Drain(context.Background(), n.now); err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) get(table, id string) *record.Record {
	n.t.Helper()
	r, err := n.session().Get(context.Background(), n.table(table), id)
	if err != nil {
		n.t.Fatal(err)
	}
	return r
}

func (n *node) runs(eventID string) []*record.Record {
	n.t.Helper()
	t := n.table(event.RunTable)
	var out []*record.Record
	for row, err := range n.session().Select(context.Background(), &record.Query{Table: t, Fields: t.Names(), OrderBy: []query.Order{{Field: record.SysID}},
		Where: &query.Term{Field: "event", Op: query.Equal, Values: []string{eventID}}}) {
		if err != nil {
			n.t.Fatal(err)
		}
		out = append(out, &record.Record{Table: t, Values: slices.Clone(row)})
	}
	return out
}

func want(t testing.TB, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// laws share one node on each kind of store.
var laws = map[string]func(*testing.T, *node){
	"an event exists if its transaction commits":                    lawTransaction,
	"the handlers of an event begin in order":                       lawOrderOfHandlers,
	"a failed run is tried again and its event is in error":         lawRetry,
	"a run is dead after its attempts, and replay does it again":    lawDead,
	"only failed handlers are replayed, unless all are asked for":   lawReplay,
	"a handler says when to try again, or never":                    lawScriptControl,
	"an event without a handler is processed, and says so":          lawNoHandler,
	"a scheduled event waits for its time":                          lawScheduled,
	"a sequential queue handles one event after the other":          lawSequential,
	"a queue that is sequential per key blocks that key alone":      lawSequentialKey,
	"a record of sysevent that is inserted like any other is fired": lawInsertedRecord,
	"the key of a run is that of all its attempts":                  lawKey,
	"a panic in a handler is its error":                             lawPanic,
	"a handler is given the event as it is written":                 lawGiven,
	"an event that is removed in time is not handled":               lawRemoved,
}

func TestEvents(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		n := open(t, cfg, false)
		for name, law := range laws {
			t.Run(name, func(t *testing.T) {
				n.t = t
				n.reset()
				law(t, n)
				n.reset()
				n.pass(1000 * time.Hour)
			})
		}
	})
}

func lawGiven(t *testing.T, n *node) {
	var given *record.Record
	n.do = func(_ context.Context, r *event.Run) error {
		given = r.Event
		return nil
	}
	check := func(how string) {
		t.Helper()
		n.pass(time.Second)
		if given == nil {
			t.Fatalf("%s: not handled", how)
		}
		written := n.get(event.Table, given.ID())
		for i, f := range given.Table.Names() {
			if got, is := given.Values[i], written.Get(f); got != is && !slices.Contains([]string{"state", "processed", "processing_duration", record.SysUpdatedOn, record.SysModCount, record.SysClassName}, f) {
				t.Errorf("%s: field %s is given as %v and written as %v", how, f, got, is)
			}
		}
		given = nil
	}
	n.fire(event.Event{Name: "one", Parm1: "p", Parm2: "\u00e9\"\n", Table: "u_plain", Instance: strings.Repeat("0", 32)})
	check("fired")
	n.insert(event.Table, "name", "one", "parm1", "inserted")
	check("inserted")
	n.fire(event.Event{Name: "one", At: n.now.Add(time.Hour)})
	n.pass(2 * time.Hour)
	if given == nil {
		t.Fatal("the scheduled event is not handled")
	}
	check("scheduled")
}

func lawRemoved(t *testing.T, n *node) {
	id := n.fire(event.Event{Name: "one", At: n.now.Add(time.Minute)})[0]
	for _, r := range n.runs(id) {
		if err := n.session().Delete(context.Background(), r.Table, r.ID()); err != nil {
			t.Fatal(err)
		}
	}
	n.pass(time.Hour)
	want(t, "ran", n.take(), "")
}

func lawTransaction(t *testing.T, n *node) {
	failed := errors.New("no")
	var lost []string
	err := n.session().Write(t.Context(), func(w *record.Writer) error {
		id, err := n.events.Fire(t.Context(), w, event.Event{Name: "one", Parm1: "rolled back"})
		lost = append(lost, id)
		return errors.Join(err, failed)
	})
	if !errors.Is(err, failed) {
		t.Fatal(err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = n.session().Write(t.Context(), func(w *record.Writer) error {
			id, err := n.events.Fire(t.Context(), w, event.Event{Name: "one", Parm1: "panicked"})
			if err != nil {
				t.Error(err)
			}
			lost = append(lost, id)
			panic("in the transaction")
		})
	}()
	err = n.session().Write(t.Context(), func(w *record.Writer) error {
		if err := w.Tx().Nest(t.Context(), func(record.Tx) error {
			_, err := n.events.Fire(t.Context(), w, event.Event{Name: "one", Parm1: "nested"})
			return errors.Join(err, failed)
		}); !errors.Is(err, failed) {
			return err
		}
		_, err := n.events.Fire(t.Context(), w, event.Event{Name: "one", Parm1: "kept"})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	n.pass(0)
	want(t, "handled", n.take(), "kept/a.1")
	for _, id := range lost {
		if _, err := n.session().Get(t.Context(), n.table(event.Table), id); err == nil {
			t.Errorf("the event %s of a transaction that did not commit is there", id)
		}
	}
}

func lawOrderOfHandlers(t *testing.T, n *node) {
	id := n.fire(event.Event{Name: "three", Parm1: "x"})[0]
	n.pass(0)
	want(t, "handled", n.take(), "x/a.1 x/b.1 x/c.1")
	want(t, "the event", n.get(event.Table, id).Get("state").Text, event.EventProcessed)
}

func lawRetry(t *testing.T, n *node) {
	n.do = func(_ context.Context, r *event.Run) error {
		if r.Target[0] == 'a' && r.Attempt < 3 {
			r.Log("a line of the attempt")
			return errors.New("partner is down")
		}
		return nil
	}
	id := n.fire(event.Event{Name: "three", Parm1: "x"})[0]
	n.pass(0)
	want(t, "handled", n.take(), "x/a.1 x/b.1 x/c.1")
	want(t, "the event", n.get(event.Table, id).Get("state").Text, event.EventError)
	run := n.runs(id)[0]
	want(t, "the run", run.Get("state").Text+" "+run.Get("error").Text, "retry partner is down")
	if !strings.Contains(run.Get("history").Text, "a line of the attempt") {
		t.Errorf("the history: %s", run.Get("history").Text)
	}
	n.pass(11 * time.Second)
	n.pass(31 * time.Second)
	want(t, "tried again", n.take(), "x/a.2 x/a.3")
	want(t, "the event", n.get(event.Table, id).Get("state").Text, event.EventProcessed)
}

func lawDead(t *testing.T, n *node) {
	n.policy.Attempts = 2
	n.do = func(context.Context, *event.Run) error { return errors.New("never works") }
	id := n.fire(event.Event{Name: "one", Parm1: "x"})[0]
	n.pass(0)
	n.pass(time.Hour)
	n.pass(100 * time.Hour)
	want(t, "handled", n.take(), "x/a.1 x/a.2")
	want(t, "the run", n.runs(id)[0].Get("state").Text, event.Dead)
	want(t, "its error", n.runs(id)[0].Get("error").Text, "never works (given up after 2 attempts)")
	n.do = nil
	n.replay(id, false, 1)
	n.pass(0)
	want(t, "replayed", n.take(), "x/a.1")
	want(t, "the event", n.get(event.Table, id).Get("state").Text, event.EventProcessed)
}

func (n *node) replay(id string, all bool, runs int) {
	n.t.Helper()
	err := n.session().Write(context.Background(), func(w *record.Writer) error {
		got, err := n.events.Replay(context.Background(), w, id, all)
		if err == nil && got != runs {
			n.t.Errorf("%d runs are replayed, want %d", got, runs)
		}
		return err
	})
	if err != nil {
		n.t.Fatal(err)
	}
}

func lawReplay(t *testing.T, n *node) {
	n.policy.Attempts = 1
	n.do = func(_ context.Context, r *event.Run) error {
		if r.Target[0] == 'b' {
			return errors.New("broken")
		}
		return nil
	}
	id := n.fire(event.Event{Name: "three", Parm1: "x"})[0]
	n.pass(0)
	n.take()
	n.do = nil
	n.replay(id, false, 1)
	n.pass(0)
	want(t, "replayed", n.take(), "x/b.1")
	n.replay(id, false, 0)
	n.replay(id, true, 3)
	n.pass(0)
	if got := strings.Fields(n.take()); len(got) != 3 {
		t.Errorf("all: %v", got)
	}
}

func lawScriptControl(t *testing.T, n *node) {
	n.do = func(_ context.Context, r *event.Run) error {
		if r.Attempt == 1 {
			return event.RetryLater(time.Minute, "busy")
		}
		return event.Permanent(errors.New("gone"))
	}
	id := n.fire(event.Event{Name: "one", Parm1: "x"})[0]
	n.pass(0)
	n.pass(59 * time.Second)
	want(t, "before its time", n.take(), "x/a.1")
	n.pass(2 * time.Second)
	n.pass(time.Hour)
	want(t, "after it", n.take(), "x/a.2")
	want(t, "the run", n.runs(id)[0].Get("state").Text+" "+n.runs(id)[0].Get("error").Text, "dead gone")
}

func lawNoHandler(t *testing.T, n *node) {
	id := n.fire(event.Event{Name: "nobody.listens"})[0]
	e := n.get(event.Table, id)
	want(t, "state", e.Get("state").Text, event.EventProcessed)
	if note := e.Get("note").Text; !strings.Contains(note, "no handler") || !strings.Contains(note, "unregistered") {
		t.Errorf("the note: %q", note)
	}
	n.targets["nobody.listens"] = n.targets["one"]
	n.replay(id, false, 1)
	n.pass(0)
	want(t, "a handler that came later", n.take(), "/a.1")
}

func lawScheduled(t *testing.T, n *node) {
	n.fire(event.Event{Name: "one", Parm1: "later", At: n.now.Add(time.Hour)}, event.Event{Name: "one", Parm1: "now"})
	n.pass(0)
	want(t, "at once", n.take(), "now/a.1")
	n.pass(59 * time.Minute)
	want(t, "early", n.take(), "")
	n.pass(2 * time.Minute)
	want(t, "at its time", n.take(), "later/a.1")
}

func lawSequential(t *testing.T, n *node) {
	n.insert(event.QueueTable, "queue", "one_by_one", "processing_order", event.Sequential)
	broken := true
	n.do = func(_ context.Context, r *event.Run) error {
		if broken && r.Event.Get("parm1").Text == "1" {
			return event.RetryLater(time.Minute, "busy")
		}
		return nil
	}
	for i := range 3 {
		n.fire(event.Event{Name: "one", Parm1: fmt.Sprint(i), Queue: "one_by_one"})
	}
	n.pass(0)
	want(t, "up to the one that fails", n.take(), "0/a.1 1/a.1")
	broken = false
	n.pass(time.Minute + time.Second)
	n.pass(10 * time.Second)
	want(t, "the rest", n.take(), "1/a.2 2/a.1")
}

func lawSequentialKey(t *testing.T, n *node) {
	n.insert(event.QueueTable, "queue", "by_key", "processing_order", event.SequentialKey)
	n.insert(event.RegisterTable, "event_name", "one", "queue", "by_key")
	n.do = func(_ context.Context, r *event.Run) error {
		if r.Event.Get("parm1").Text == "x1" && r.Attempt == 1 {
			return event.RetryLater(time.Minute, "busy")
		}
		return nil
	}
	for _, p := range []string{"x1", "x2", "y1", "y2"} {
		n.fire(event.Event{Name: "one", Parm1: p, Table: "u_plain", Instance: strings.Repeat(p[:1], 32)})
	}
	n.pass(0)
	n.pass(6 * time.Second)
	got := strings.Fields(n.take())
	slices.Sort(got)
	if !slices.Equal(got, []string{"x1/a.1", "y1/a.1", "y2/a.1"}) {
		t.Errorf("while x fails: %v", got)
	}
	n.pass(time.Minute)
	n.pass(10 * time.Second)
	want(t, "afterwards", n.take(), "x1/a.2 x2/a.1")
}

func lawInsertedRecord(t *testing.T, n *node) {
	n.insert(event.Table, "name", "one", "parm1", "by the table api")
	n.pass(0)
	want(t, "handled", n.take(), "by the table api/a.1")
}

func lawKey(t *testing.T, n *node) {
	n.do = func(_ context.Context, r *event.Run) error {
		if r.Attempt < 4 {
			return errors.New("again")
		}
		return nil
	}
	id := n.fire(event.Event{Name: "one"})[0]
	for range 5 {
		n.pass(time.Hour)
	}
	n.replay(id, true, 1)
	n.pass(0)
	if len(n.keys) != 1 {
		t.Errorf("%d keys", len(n.keys))
	}
}

func lawPanic(t *testing.T, n *node) {
	n.do = func(context.Context, *event.Run) error { panic("oh") }
	id := n.fire(event.Event{Name: "one"})[0]
	n.pass(0)
	want(t, "the run", n.runs(id)[0].Get("state").Text+" "+n.runs(id)[0].Get("error").Text, "retry panic: oh")
}

// Two nodes over one PostgreSQL queue handle every event once, and events of one key in order.
func TestNodesShareEvents(t *testing.T) {
	const events, keys = 120, 6
	cfg := stores.Postgres(t)
	one, two := open(t, cfg, true), open(t, cfg, true)
	one.insert(event.QueueTable, "queue", "by_key", "processing_order", event.SequentialKey)
	var mu sync.Mutex
	seen := map[string][]string{}
	running := map[string]int{}
	done := make(chan struct{}, events*2)
	do := func(_ context.Context, r *event.Run) error {
		key := r.Event.Get("order_key").Text
		mu.Lock()
		if running[key]++; running[key] > 1 {
			t.Errorf("two events of %s are handled at once", key)
		}
		seen[key] = append(seen[key], r.Event.Get("parm1").Text)
		mu.Unlock()
		defer func() { mu.Lock(); running[key]--; mu.Unlock(); done <- struct{}{} }()
		return nil
	}
	one.do, two.do = do, do
	for _, n := range []*node{one, two} {
		if err := n.queue.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for i := range events {
		one.fire(event.Event{Name: "one", Parm1: fmt.Sprintf("%03d", i), Queue: "by_key", Key: fmt.Sprint("key ", i%keys)})
	}
	for range events {
		<-done
	}
	for _, n := range []*node{one, two} {
		if err := n.queue.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	total := 0
	for key, list := range seen {
		total += len(list)
		if !slices.IsSorted(list) {
			t.Errorf("%s: %v", key, list)
		}
	}
	if total != events {
		t.Errorf("%d events were handled, %d fired", total, events)
	}
}
