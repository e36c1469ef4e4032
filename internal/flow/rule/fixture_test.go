package rule_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dop251/goja"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/access"
	"headrace/internal/flow/event"
	"headrace/internal/flow/rule"
	"headrace/internal/flow/script"
	"headrace/internal/store/queue"
	"headrace/internal/store/sqlstore"
	"headrace/internal/store/storetest/stores"
)

func TestMain(m *testing.M) { stores.Main(m) }

// notes is a script module: note(text) keeps a line, so that a test sees what ran.
type notes struct {
	mu    sync.Mutex
	lines []string
	seen  func() // nil, or told of each line instead of keeping it
}

func (n *notes) Bind(s *script.Scope) error {
	return s.Define("note", func(c goja.FunctionCall) goja.Value {
		if n.seen != nil {
			n.seen()
			return goja.Undefined()
		}
		n.mu.Lock()
		defer n.mu.Unlock()
		n.lines = append(n.lines, s.Text(c.Argument(0)))
		return goja.Undefined()
	})
}

func (n *notes) take() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := strings.Join(n.lines, " ")
	n.lines = nil
	return out
}

// node is one process with everything that rules need.
type node struct {
	t      testing.TB
	db     *record.DB
	store  *sqlstore.Store
	queue  *queue.Queue
	events *event.Service
	rules  *rule.Service
	access *access.Service
	*notes
}

func task() record.Table {
	text := func(name string) record.Field { return record.Field{Name: name, Type: record.String} }
	return record.Table{Name: "u_task", Extendable: true, Fields: []record.Field{{Name: "title", Type: record.String, Display: true},
		{Name: "priority", Type: record.Integer}, text("state"), text("log"), {Name: "parent", Type: record.Reference, Reference: "u_task"}}}
}

func incident() record.Table {
	return record.Table{Name: "u_incident", Extends: "u_task", Fields: []record.Field{{Name: "impact", Type: record.String}}}
}

func plainTable() record.Table {
	return record.Table{Name: "u_plain", Fields: []record.Field{{Name: "title", Type: record.String}}}
}

func open(t testing.TB, cfg sqlstore.Config, strict bool) *node {
	t.Helper()
	n := &node{t: t, store: stores.Open(t, cfg), events: event.New(), rules: rule.New(), access: access.New(nil), notes: &notes{}}
	tables := append(append(event.Tables(), rule.Tables()...), task(), incident(), plainTable())
	tables = append(append(tables, script.Tables()...), access.Tables()...)
	var err error
	n.db, err = record.Open(context.Background(), n.store, record.Config{Tables: tables, Guard: n.access, Narrow: n.rules,
		Hooks: []record.Hook{n.rules.Keeper(), n.events, n.rules, n.access}})
	if err != nil {
		t.Fatal(err)
	}
	n.queue, err = queue.New(context.Background(), n.store, queue.Config{Queues: map[string]int{event.JobQueue: 8}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	n.access.Use(n.db)
	n.events.Use(n.db, n.queue)
	n.events.LogTo(slog.New(slog.DiscardHandler))
	engine := script.New(script.Config{DB: n.db, Modules: []script.Module{n.events.Module(), n.notes}, Limits: script.Limits{Time: 5 * time.Second}})
	n.rules.Use(rule.Config{DB: n.db, Access: n.access, Events: n.events, Rules: engine, Handlers: engine, Strict: strict, MostRuns: 300, Log: slog.New(slog.DiscardHandler)})
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

func (n *node) update(r *record.Record, pairs ...string) *record.Record {
	n.t.Helper()
	out, _, err := n.session().Update(context.Background(), r.Table, r.ID(), fields(pairs...))
	if err != nil {
		n.t.Fatal(err)
	}
	return out
}

// rule makes a business rule on u_task for inserts and updates, unless pairs say otherwise.
func (n *node) rule(name, when, script string, pairs ...string) *record.Record {
	n.t.Helper()
	base := []string{"name", name, "collection", "u_task", "when", when, "action_insert", "true", "action_update", "true", "script", script}
	return n.insert(rule.Table, append(base, pairs...)...)
}

func (n *node) action(name, eventName, script string, pairs ...string) *record.Record {
	n.t.Helper()
	return n.insert(rule.ActionTable, append([]string{"name", name, "event_name", eventName, "script", script}, pairs...)...)
}

func (n *node) drain(until time.Time) {
	n.t.Helper()
	if _, err := n.queue.Drain(context.Background(), until); err != nil {
		n.t.Fatal(err)
	}
}

// all gives the records of a table in the order of their ids.
func (n *node) all(table string) []*record.Record {
	n.t.Helper()
	t := n.table(table)
	var out []*record.Record
	for row, err := range n.session().Select(context.Background(), &record.Query{Table: t, Fields: t.Names(), OrderBy: []query.Order{{Field: record.SysID}}}) {
		if err != nil {
			n.t.Fatal(err)
		}
		out = append(out, &record.Record{Table: t, Values: append([]record.Value(nil), row...)})
	}
	return out
}

// laws are tests that share one node on each kind of store: opening one takes longer than what they do.
var laws = map[string]func(*testing.T, *node){
	"ConditionsDecideWhichRulesRun":                        lawConditionsDecideWhichRulesRun,
	"BeforeRulesChangeWhatIsWritten":                       lawBeforeRulesChangeWhatIsWritten,
	"AllShapesOfScriptsRun":                                lawAllShapesOfScriptsRun,
	"AnAbortCancelsTheWriteAndAllThatItsRulesDid":          lawAnAbortCancelsTheWriteAndAllThatItsRulesDid,
	"AnAbortInsideARuleCancelsOnlyItsOwnWrite":             lawAnAbortInsideARuleCancelsOnlyItsOwnWrite,
	"TheAbortBoxShowsItsMessageAndRunsNothingElse":         lawTheAbortBoxShowsItsMessageAndRunsNothingElse,
	"ARuleThatUpdatesItsOwnRecordRunsOnce":                 lawARuleThatUpdatesItsOwnRecordRunsOnce,
	"RulesThatSetEachOtherOffWithoutEndAreStopped":         lawRulesThatSetEachOtherOffWithoutEndAreStopped,
	"PreviousIsTheRecordAsOfTheFirstUpdate":                lawPreviousIsTheRecordAsOfTheFirstUpdate,
	"DeletesRunRulesWithTheOldValues":                      lawDeletesRunRulesWithTheOldValues,
	"RoleConditionsAskForOneOfTheRoles":                    lawRoleConditionsAskForOneOfTheRoles,
	"RulesAboutQueriesNarrowWhatPeopleFind":                lawRulesAboutQueriesNarrowWhatPeopleFind,
	"AQuietWriteSkipsRulesAndItsChangeRowSaysWhy":          lawAQuietWriteSkipsRulesAndItsChangeRowSaysWhy,
	"WhatCannotRunIsRefusedWhenItIsSavedWithItsLine":       lawWhatCannotRunIsRefusedWhenItIsSavedWithItsLine,
	"TheRuleLogSaysWhatFiredAndWhatWasSkippedAndWhy":       lawTheRuleLogSaysWhatFiredAndWhatWasSkippedAndWhy,
	"ARuleThatIsRolledBackNeverRuns":                       lawARuleThatIsRolledBackNeverRuns,
	"AsyncRulesSeeTheRecordAsItIsAndTheSnapshotOfTheWrite": lawAsyncRulesSeeTheRecordAsItIsAndTheSnapshotOfTheWrite,
	"TheLogOfRulesIsPartOfItsTransaction":                  lawTheLogOfRulesIsPartOfItsTransaction,
	"RulesRunInTheDocumentedOrder":                         lawRulesRunInTheDocumentedOrder,
	"ParentsRulesRunForChildrenAmongTheirOwn":              lawParentsRulesRunForChildrenAmongTheirOwn,
}

func TestRules(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		n := open(t, cfg, false)
		for name, law := range laws {
			t.Run(name, func(t *testing.T) {
				n.t = t
				defer n.clear()
				law(t, n)
			})
		}
	})
}

// clear removes what a law has left behind.
func (n *node) clear() {
	n.drain(time.Now().Add(100 * time.Hour))
	n.take()
	for _, table := range []string{rule.Table, rule.ActionTable, event.RegisterTable, event.QueueTable} {
		for _, r := range n.all(table) {
			if err := n.session().Delete(context.Background(), r.Table, r.ID()); err != nil {
				n.t.Fatal(err)
			}
		}
	}
	for table, key := range map[string][]string{"u_task": {record.SysID}, "u_plain": {record.SysID}, event.Table: {record.SysID},
		event.RunTable: {record.SysID}, rule.LogTable: {record.SysID}, record.ChangeTable: {"run", "sequence"}} {
		t := n.table(table)
		var keys []record.Value
		for row, err := range n.session().Select(context.Background(), &record.Query{Table: t, Fields: key}) {
			if err != nil {
				n.t.Fatal(err)
			}
			keys = append(keys, row...)
		}
		err := n.store.Write(context.Background(), record.Resumable, func(tx record.Tx) error {
			_, err := tx.Delete(context.Background(), t, keys)
			return err
		})
		if err != nil {
			n.t.Fatal(err)
		}
	}
}

func wantText(t testing.TB, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

var errRolledBack = errors.New("rolled back")
