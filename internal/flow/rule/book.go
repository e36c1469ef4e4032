package rule

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/event"
	"headrace/internal/flow/script"
)

const revisionName = "rules"

// The times at which rules run.
const (
	before = "before"
	after  = "after"
	async  = "async"
)

// rule is a business rule, compiled.
type rule struct {
	id, name, table string
	when            string
	created         string
	order           int
	priority        int
	on              map[record.Operation]bool
	filter          string
	roles           []string
	template        string
	message         string
	abort           bool
	condition       script.Source
	script          script.Source
	call            string // a function that the script makes and that is to be called; "" for none

	filters sync.Map // *record.Table -> *query.Matcher, of filters that mean the same at any time
}

// action is a script action.
type action struct {
	id, name, event string
	condition       script.Source
	script          script.Source
	policy          event.Policy
}

// book is all rules and script actions that are active, in the order in which they run.
type book struct {
	rules   map[string][]*rule // by table
	queries map[string][]*rule // those about queries, by table
	byID    map[string]*rule
	actions map[string][]*action // by event
	action  map[string]*action
	chains  sync.Map // class name -> []*rule: the rules of a class and of those it extends
	seen    sync.Map // *record.Table -> bool: whether any rule is about records of the table
}

func (s *Service) load(ctx context.Context, tx record.Tx) (*book, error) {
	b := &book{rules: map[string][]*rule{}, queries: map[string][]*rule{}, byID: map[string]*rule{}, actions: map[string][]*action{}, action: map[string]*action{}}
	for _, table := range []string{Table, ActionTable} {
		t := s.table(table)
		q := &record.Query{Table: t, Fields: t.Names(), Where: &query.Term{Field: "active", Op: query.Equal, Values: []string{"true"}},
			OrderBy: []query.Order{{Field: "order"}, {Field: record.SysCreatedOn}, {Field: record.SysID}}}
		for row, err := range tx.Select(ctx, q) {
			if err != nil {
				return nil, err
			}
			r := &record.Record{Table: t, Values: row}
			if table == Table {
				b.addRule(r)
			} else {
				b.addAction(r)
			}
		}
	}
	return b, nil
}

func (b *book) addRule(r *record.Record) {
	get := func(name string) string { return strings.Clone(r.Get(name).Text) }
	is := func(name string) bool { return r.Get(name).Text == "true" }
	u := &rule{id: r.ID(), name: get("name"), table: get("collection"), when: get("when"), created: get(record.SysCreatedOn), order: number(r, "order"), priority: number(r, "priority"),
		on:     map[record.Operation]bool{record.Inserted: is("action_insert"), record.Updated: is("action_update"), record.Deleted: is("action_delete")},
		filter: strings.TrimSuffix(get("filter_condition"), "^EQ"), template: strings.TrimSuffix(get("template"), "^EQ"), abort: is("abort_action")}
	switch u.when {
	case before, after:
	case async, "async_always":
		u.when = async
	default: // display: there are no forms
		return
	}
	if is("add_message") {
		u.message = get("message")
	}
	u.roles = strings.FieldsFunc(get("role_conditions"), func(c rune) bool { return c == ',' || c == ' ' })
	u.condition = conditionOf("business rule "+u.name, r.Get("condition").Text)
	u.script = script.Source{Name: "business rule " + u.name, Text: get("script")}
	if is("execute_function") {
		u.call = map[string]string{before: "onBefore", after: "onAfter", async: "onAsync"}[u.when] + "(current, previous)"
	}
	if is("action_query") && u.when == before {
		b.queries[u.table] = append(b.queries[u.table], u)
	}
	if u.on[record.Inserted] || u.on[record.Updated] || u.on[record.Deleted] {
		b.rules[u.table] = append(b.rules[u.table], u)
	}
	b.byID[u.id] = u
}

func (b *book) addAction(r *record.Record) {
	a := &action{id: r.ID(), name: strings.Clone(r.Get("name").Text), event: strings.Clone(r.Get("event_name").Text),
		policy: event.Policy{Attempts: number(r, "max_attempts"), Base: time.Duration(number(r, "retry_delay")) * time.Second}}
	a.condition = conditionOf("script action "+a.name, r.Get("condition_script").Text)
	a.script = script.Source{Name: "script action " + a.name, Text: strings.Clone(r.Get("script").Text)}
	b.actions[a.event] = append(b.actions[a.event], a)
	b.action[a.id] = a
}

func conditionOf(name, text string) script.Source {
	return script.Source{Name: name + " (condition)", Text: strings.TrimSpace(strings.Clone(text)), Expression: true}
}

// number reads a number; 0 where there is none.
func number(r *record.Record, field string) int {
	n, err := strconv.Atoi(r.Get(field).Text)
	if err != nil {
		return 0
	}
	return n
}

// sees reports whether a rule may be about records of t: its own, those of the tables it extends and, for the records of
// a table may be of any class below it, of those that extend it.
func (b *book) sees(t *record.Table) bool {
	if b == nil || len(b.rules) == 0 {
		return false
	}
	if known, ok := b.seen.Load(t); ok {
		return known.(bool)
	}
	found := len(b.chain(t)) > 0 || slices.ContainsFunc(t.Classes, func(class string) bool { return len(b.rules[class]) > 0 })
	b.seen.Store(t, found)
	return found
}

// chain gives the rules of a table and of those it extends, in the order in which they run.
func (b *book) chain(t *record.Table) []*rule {
	if known, ok := b.chains.Load(t.Name); ok {
		return known.([]*rule)
	}
	out := inOrder(b.rules, t)
	b.chains.Store(t.Name, out)
	return out
}

// inOrder lists the rules of a table and of those it extends.
func inOrder(rules map[string][]*rule, t *record.Table) []*rule {
	var out []*rule
	for at := t; at != nil; {
		out = append(out, rules[at.Name]...)
		if at.Extends == "" || at.Catalog() == nil {
			break
		}
		at = at.Catalog().Table(at.Extends)
	}
	slices.SortFunc(out, func(x, y *rule) int {
		return cmp.Or(cmp.Compare(x.order, y.order), cmp.Compare(x.created, y.created), cmp.Compare(x.id, y.id))
	})
	return out
}

// classOf is the table that a record is of: that of its class, when it is read as one of a table above.
func classOf(r *record.Record) *record.Table {
	class := r.Get(record.SysClassName).Text
	if class == "" || class == r.Table.Name || r.Table.Catalog() == nil {
		return r.Table
	}
	if t := r.Table.Catalog().Table(class); t != nil {
		return t
	}
	return r.Table
}
