package schedule_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/access"
	"headrace/internal/flow/schedule"
	"headrace/internal/flow/script"
	"headrace/internal/store/queue"
	"headrace/internal/store/sqlstore"
	"headrace/internal/store/storetest/stores"
)

func TestMain(m *testing.M) { stores.Main(m) }

// partner is what schedules import from and export to: what happens there is the test's to say.
type partner struct {
	mu  sync.Mutex
	did []string
	do  func(ctx context.Context, name string, began func(int64)) (schedule.Outcome, error)
}

func (p *partner) RunSource(ctx context.Context, name string, actor record.Actor, began func(int64)) (schedule.Outcome, error) {
	return p.run(ctx, "import "+name+" as "+actor.Name, name, began)
}

func (p *partner) RunExport(ctx context.Context, name string, actor record.Actor, _ string) (schedule.Outcome, error) {
	return p.run(ctx, "export "+name+" as "+actor.Name, name, func(int64) {})
}

func (p *partner) run(ctx context.Context, what, name string, began func(int64)) (schedule.Outcome, error) {
	p.mu.Lock()
	p.did = append(p.did, what)
	p.mu.Unlock()
	if p.do == nil {
		return schedule.Outcome{State: schedule.Done, Read: 10}, nil
	}
	return p.do(ctx, name, began)
}

func (p *partner) take() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := strings.Join(p.did, ", ")
	p.did = nil
	return out
}

// node is one process with schedules, and a clock that stands still.
type node struct {
	t         *testing.T
	db        *record.DB
	queue     *queue.Queue
	schedules *schedule.Service
	now       time.Time
	*partner
}

// monday is when the tests begin.
var monday = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

func open(t *testing.T, cfg sqlstore.Config) *node {
	t.Helper()
	n := &node{t: t, schedules: schedule.New(), now: monday, partner: &partner{}}
	clock := func() time.Time { return n.now }
	who := access.New(nil)
	name := []record.Field{{Name: "name", Type: record.String, Display: true}}
	tables := append(schedule.Tables(), record.Table{Name: "sys_data_source", Fields: name}, record.Table{Name: "sys_export_set", Fields: name},
		record.Table{Name: "u_mark", Fields: append([]record.Field{{Name: "by", Type: record.String}}, name...)}, record.Table{Name: "sys_properties", Fields: []record.Field{{Name: "name", Type: record.String}, {Name: "value", Type: record.String}}})
	tables = append(append(tables, access.Tables()...), script.Tables()...)
	store := stores.Open(t, cfg)
	var err error
	n.db, err = record.Open(context.Background(), store, record.Config{Tables: tables, Hooks: []record.Hook{n.schedules, who}, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	n.queue, err = queue.New(context.Background(), store, queue.Config{Clock: clock, Queues: schedule.Queues(), Unhurried: []string{schedule.Unhurried}, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	who.Use(n.db)
	engine := script.New(script.Config{DB: n.db, Clock: clock, Modules: []script.Module{n.schedules.Module()}, Limits: script.Limits{Time: time.Minute}})
	n.schedules.Use(schedule.Config{DB: n.db, Queue: n.queue, Scripts: engine, Importer: n.partner, Exporter: n.partner, Log: quiet})
	return n
}

func (n *node) table(name string) *record.Table { return n.db.Catalog().Table(name) }

func (n *node) session() record.Session { return n.db.As(record.System) }

// fields makes assignments of name, value, name, value ...
func fields(pairs ...string) []record.Assignment {
	var out []record.Assignment
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, record.Assignment{Field: pairs[i], Value: record.Text(pairs[i+1])})
	}
	return out
}

func (n *node) insert(table string, pairs ...string) *record.Record {
	n.t.Helper()
	r, err := n.session().Insert(context.Background(), n.table(table), fields(pairs...))
	if err != nil {
		n.t.Fatal(err)
	}
	return r
}

func (n *node) update(r *record.Record, pairs ...string) {
	n.t.Helper()
	if _, _, err := n.session().Update(context.Background(), r.Table, r.ID(), fields(pairs...)); err != nil {
		n.t.Fatal(err)
	}
}

// job makes a script job. Its script, unless pairs give another, marks that it ran.
func (n *node) job(name string, pairs ...string) *record.Record {
	n.t.Helper()
	base := []string{"name", name, "time_zone", "UTC", "script", "var m = new GlideRecord('u_mark'); m.name = '" + name + "'; m.insert();"}
	return n.insert(schedule.ScriptTable, append(base, pairs...)...)
}

// imports makes a scheduled import of a data source of the same name.
func (n *node) imports(name string, pairs ...string) *record.Record {
	n.t.Helper()
	source := n.insert("sys_data_source", "name", name)
	return n.insert(schedule.ImportTable, append([]string{"name", name, "time_zone", "UTC", "run_as", n.user(), "data_source", source.ID()}, pairs...)...)
}

// user gives a user to run as.
func (n *node) user() string {
	n.t.Helper()
	if have := n.all(access.UserTable, "user_name", "loader"); len(have) > 0 {
		return have[0].ID()
	}
	return n.insert(access.UserTable, "user_name", "loader", "name", "Loader").ID()
}

// all gives records by a field, in the order in which they were made.
func (n *node) all(table, field, value string) (out []*record.Record) {
	n.t.Helper()
	t := n.table(table)
	q := &record.Query{Table: t, Fields: t.Names(), OrderBy: []query.Order{{Field: record.SysCreatedOn}, {Field: record.SysID}}}
	if t.Field("due") != nil {
		q.OrderBy = []query.Order{{Field: "due"}, {Field: record.SysID}}
	}
	if field != "" {
		q.Where = &query.Term{Field: field, Op: query.Equal, Values: []string{value}}
	}
	for row, err := range n.session().Select(context.Background(), q) {
		if err != nil {
			n.t.Fatal(err)
		}
		out = append(out, &record.Record{Table: t, Values: append([]record.Value(nil), row...)})
	}
	return out
}

// drain works what is due.
func (n *node) drain() {
	n.t.Helper()
	if _, err := n.queue.Drain(context.Background(), n.now); err != nil {
		n.t.Fatal(err)
	}
}

// until moves the clock to a time of the day on which the tests begin, or of a later one ("3 08:00": the third of March),
// working what becomes due on the way, when it becomes due.
func (n *node) until(text string) {
	n.t.Helper()
	end := at(n.t, text)
	for {
		n.drain()
		next, more, err := n.queue.NextDue(context.Background())
		if err != nil {
			n.t.Fatal(err)
		}
		if !more || next.After(end) {
			break
		}
		if next.After(n.now) {
			n.now = next.UTC()
		}
	}
	n.now = end
}

// sleep moves the clock while nobody works.
func (n *node) sleep(text string) { n.now = at(n.t, text) }

func at(t *testing.T, text string) time.Time {
	t.Helper()
	if len(text) == 5 {
		text = "2 " + text
	}
	out, err := time.Parse("2006-01 2 15:04", "2026-03 "+text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// history tells the lines of a schedule: due time, state and reason.
func (n *node) history(r *record.Record) string {
	n.t.Helper()
	var out []string
	for _, l := range n.all(schedule.HistoryTable, "document_key", r.ID()) {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s", l.Get("due").Text[8:16], l.Get("state").Text, l.Get("reason").Text)))
	}
	return strings.Join(out, ", ")
}

// next is when a schedule runs next; "" when it does not.
func (n *node) next(r *record.Record) string {
	n.t.Helper()
	found := n.all(schedule.TriggerTable, "document_key", r.ID())
	if len(found) == 0 {
		return ""
	}
	return found[0].Get("next_action").Text
}

func (n *node) want(what, got, want string) {
	n.t.Helper()
	if got != want {
		n.t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

// clear removes what a law has left behind.
func (n *node) clear() {
	n.now, n.do = monday, nil
	n.take()
	for _, r := range n.all(schedule.Table, "", "") {
		if err := n.session().Delete(context.Background(), r.Table, r.ID()); err != nil {
			n.t.Fatal(err)
		}
	}
	for _, table := range []string{schedule.HistoryTable, "u_mark", "sys_data_source", "sys_properties"} {
		for _, r := range n.all(table, "", "") {
			if err := n.session().Delete(context.Background(), r.Table, r.ID()); err != nil {
				n.t.Fatal(err)
			}
		}
	}
}
