package outbound_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"headrace/internal/connect/format"
	"headrace/internal/connect/format/csv"
	"headrace/internal/connect/format/json"
	"headrace/internal/connect/format/xml"
	"headrace/internal/connect/mock"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/access/vault"
	"headrace/internal/flow/importset"
	"headrace/internal/flow/outbound"
	"headrace/internal/store/queue"
	"headrace/internal/store/sqlstore"
	"headrace/internal/store/storetest/stores"
)

func TestMain(m *testing.M) { stores.Main(m) }

// clock is a clock that only moves when it is told to.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// world is a service over an empty store, with a partner on the loopback.
type world struct {
	*outbound.Service
	db      *record.DB
	store   *sqlstore.Store
	queue   *queue.Queue
	imports *importset.Service
	clock   *clock
	partner *mock.Server
	ids     map[string]string // of what was made, by name
}

type option func(*outbound.Config, *record.Config)

type sealer struct{ *vault.Vault }

func (s sealer) Seal(_ *record.Table, _ *record.Field, text string) (string, error) {
	return s.Vault.Seal(text)
}

const testKey = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

// open makes a world. routes are what the partner answers.
func open(t testing.TB, cfg sqlstore.Config, routes string, options ...option) *world {
	t.Helper()
	w := &world{clock: &clock{at: time.Now().Truncate(time.Second).Add(time.Minute)}, store: stores.Open(t, cfg), ids: map[string]string{}}
	secrets, err := vault.FromText(testKey)
	check(t, err)
	rc := record.Config{Tables: append(append(importset.Tables(), outbound.Tables()...), ticketTable(), propertyTable()), Sealer: sealer{secrets}}
	oc := outbound.Config{Vault: secrets, Clock: w.clock.now, Formats: []format.Format{json.Format{}, xml.Format{}, csv.Format{}}, Dice: func() float64 { return 0.5 }}
	for _, o := range options {
		o(&oc, &rc)
	}
	w.db, err = record.Open(t.Context(), w.store, rc)
	check(t, err)
	w.queue, err = queue.New(t.Context(), w.store, queue.Config{Queues: map[string]int{outbound.Queue: outbound.Workers}})
	check(t, err)
	w.imports = importset.New(w.db)
	oc.DB, oc.Queue, oc.Imports = w.db, w.queue, w.imports
	w.Service = outbound.New(oc)
	w.partner = start(t, routes)
	t.Cleanup(w.Close)
	return w
}

// start lets a partner listen.
func start(t testing.TB, routes string) *mock.Server {
	t.Helper()
	parsed, err := mock.Parse("partner.yaml", []byte(routes))
	check(t, err)
	s, err := mock.Start(context.Background(), mock.New(parsed, nil), "")
	check(t, err)
	t.Cleanup(func() { check(t, s.Close()) })
	return s
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func ticketTable() record.Table {
	return record.Table{Name: "u_ticket", Label: "Ticket", Fields: []record.Field{{Name: "number", Type: record.String, Display: true},
		{Name: "correlation_id", Type: record.String}, {Name: "state", Type: record.String}}}
}

func propertyTable() record.Table {
	return record.Table{Name: "sys_properties", Fields: []record.Field{{Name: "name", Type: record.String}, {Name: "value", Type: record.String}}}
}

// make inserts a record from pairs of field and value, and gives its id. @name stands for the id of what was made as name.
func (w *world) make(t testing.TB, table, name string, pairs ...string) string {
	t.Helper()
	tab, err := w.db.Table(table)
	check(t, err)
	var values []record.Assignment
	for i := 0; i < len(pairs); i += 2 {
		v := pairs[i+1]
		if id, ok := strings.CutPrefix(v, "@"); ok {
			v = w.ids[id]
		}
		values = append(values, record.Assignment{Field: pairs[i], Value: record.Text(v)})
	}
	r, err := w.db.As(record.System).Insert(t.Context(), tab, values)
	check(t, err)
	w.ids[name] = r.ID()
	return r.ID()
}

// message makes a REST message "partner" with a function "create" that posts to a path of the partner.
func (w *world) message(t testing.TB, method, path string, pairs ...string) {
	t.Helper()
	w.make(t, outbound.MessageTable, "partner", append([]string{"name", "partner", "rest_endpoint", w.partner.URL + path}, pick(pairs, "message.")...)...)
	w.make(t, outbound.FunctionTable, "create", append([]string{"rest_message", "@partner", "function_name", "create", "http_method", method}, pick(pairs, "fn.")...)...)
}

// pick gives the pairs whose names begin with a prefix.
func pick(pairs []string, prefix string) []string {
	var out []string
	for i := 0; i < len(pairs); i += 2 {
		if name, ok := strings.CutPrefix(pairs[i], prefix); ok {
			out = append(out, name, pairs[i+1])
		}
	}
	return out
}

// enqueue makes a delivery in a transaction of its own.
func (w *world) enqueue(t testing.TB, r outbound.Request) string {
	t.Helper()
	var id string
	check(t, w.db.As(record.System).Write(t.Context(), func(wr *record.Writer) (err error) {
		id, err = w.Enqueue(t.Context(), wr, r)
		return err
	}))
	return id
}

func create() outbound.Request { return outbound.Request{Message: "partner", Function: "create"} }

// drain runs the jobs that are due.
func (w *world) drain(t testing.TB) {
	t.Helper()
	_, err := w.queue.Drain(t.Context(), w.clock.now())
	check(t, err)
}

// later lets time pass and runs what is due then.
func (w *world) later(t testing.TB, d time.Duration) {
	t.Helper()
	w.clock.pass(d)
	w.drain(t)
}

// shown reads a delivery.
func (w *world) shown(t testing.TB, id string) *outbound.Delivery {
	t.Helper()
	d, err := w.Show(t.Context(), id)
	check(t, err)
	return d
}

// state checks where a delivery stands.
func (w *world) state(t testing.TB, id string, want outbound.State, attempts int) *outbound.Delivery {
	t.Helper()
	d := w.shown(t, id)
	if d.State != want || d.Attempts != attempts {
		t.Fatalf("delivery is %s after %d attempts (%s: %s), want %s after %d", d.State, d.Attempts, d.Reason, d.Error, want, attempts)
	}
	return d
}

// rows reads fields of all records of a table.
func (w *world) rows(t testing.TB, table string, fields ...string) [][]string {
	t.Helper()
	tab, err := w.db.Table(table)
	check(t, err)
	var out [][]string
	q := &record.Query{Table: tab, Fields: fields}
	if !tab.Bare {
		q.OrderBy = []query.Order{{Field: record.SysID}}
	}
	for row, err := range w.db.As(record.System).Select(t.Context(), q) {
		check(t, err)
		line := make([]string, len(row))
		for i, v := range row {
			line[i] = v.Text
		}
		out = append(out, line)
	}
	return out
}

func byID(id string) query.Node {
	return &query.Term{Field: record.SysID, Op: query.Equal, Values: []string{id}}
}
