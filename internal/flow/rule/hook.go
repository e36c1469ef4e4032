package rule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/event"
	"headrace/internal/flow/script"
)

// write is one record being written, as its rules see it.
type write struct {
	*chain
	change   *record.Change
	old      *record.Record // as it was before the chain touched it
	rules    []*rule
	log      []logged
	current  *script.GlideRecord
	previous *script.GlideRecord
	aborted  bool
}

// logged is what became of a rule.
type logged struct {
	Rule    string `json:"rule"`
	Name    string `json:"name"`
	When    string `json:"when"`
	Order   int    `json:"order"`
	Outcome string `json:"outcome"`
	Why     string `json:"why,omitempty"`
	Millis  int64  `json:"ms,omitempty"`
}

// The outcomes of a rule.
const (
	fired   = "fired"
	skipped = "skipped"
	failed  = "failed"
	aborted = "aborted"
)

// Sees makes Service a record.Hook: on tables that rules are about.
func (s *Service) Sees(t *record.Table) bool { return s.book.Get().sees(t) }

// Before runs the rules before a write; a fault of kind Refused, whose cause is a record.AbortError, says that one of
// them refuses it.
func (s *Service) Before(ctx context.Context, c *record.Change) error {
	w, outermost := s.begin(ctx, c)
	if w == nil {
		return nil
	}
	defer w.leave(outermost)
	c.Writer.Trace() // so that the change row has it
	var by *rule
	for _, u := range w.rules {
		if u.when != before {
			continue
		}
		if err := w.consider(u); err != nil {
			return err
		}
		if w.aborted && by == nil {
			by = u
		}
	}
	if by != nil {
		return refusal(w, by)
	}
	c.Memo = w.log
	return nil
}

// refusal tells that a rule has refused a write, in its words if it has some.
func refusal(w *write, by *rule) error {
	r := subject(w.change)
	w.s.cfg.Log.InfoContext(w.ctx, "a business rule refused a write", "rule", by.name, "table", r.Table.Name, "record", r.ID(), "operation", string(w.change.Operation))
	err := fault.Wrap(fault.Refused, &record.AbortError{Rule: by.name}, "the business rule %s refused the write on %s", by.name, r.Table.Name)
	if by.message != "" {
		err = err.WithHint("%s", by.message)
	}
	return err
}

// After runs the rules after a write, queues async ones, and logs what became of all.
func (s *Service) After(ctx context.Context, c *record.Change) error {
	w, outermost := s.begin(ctx, c)
	if w == nil {
		return nil
	}
	defer w.leave(outermost)
	if kept, ok := c.Memo.([]logged); ok {
		w.log = kept
	}
	for _, when := range []string{after, async} {
		for _, u := range w.rules {
			if u.when != when {
				continue
			}
			if err := w.consider(u); err != nil {
				return err
			}
		}
	}
	return w.keepLog()
}

// begin gives the write with the rules that are about its operation; nil when there are none.
func (s *Service) begin(ctx context.Context, c *record.Change) (w *write, outermost bool) {
	r := subject(c)
	var rules []*rule
	for _, u := range s.book.Get().chain(classOf(r)) {
		if u.on[c.Operation] {
			rules = append(rules, u)
		}
	}
	if len(rules) == 0 {
		return nil, false
	}
	w = &write{change: c, rules: rules}
	w.chain, outermost = s.enter(ctx)
	w.old = w.first(c)
	return w, outermost
}

// consider runs a rule if its conditions hold. The error is one that ends the write.
func (w *write) consider(u *rule) error {
	began := time.Now()
	entry := logged{Rule: u.id, Name: u.name, When: u.when, Order: u.order}
	outcome, why, err := w.attempt(u)
	switch {
	case err != nil && w.fatal(u, err):
		return err
	case err != nil:
		outcome, why = failed, err.Error()
		r := subject(w.change)
		w.s.cfg.Log.ErrorContext(w.ctx, "a business rule failed; the write goes on", "rule", u.name, "table", r.Table.Name, "record", r.ID(), "error", err)
		w.logFailure(u, err)
	}
	entry.Outcome, entry.Why, entry.Millis = outcome, why, time.Since(began).Milliseconds()
	w.log = append(w.log, entry)
	return nil
}

// logFailure writes into the log of scripts, where their authors look.
func (w *write) logFailure(u *rule, err error) {
	if w.scope != nil {
		r := subject(w.change)
		w.scope.Log(script.LogEntry{Level: "error", Source: "business rule " + u.name, Message: r.Table.Name + " " + r.ID() + ": " + err.Error()})
	}
}

// fatal tells whether an error of a rule ends the write: in strict mode that of any rule before it, always the end of the
// context, and what says that rules set each other off without end.
func (w *write) fatal(u *rule, err error) bool {
	var at *script.Error
	return w.ctx.Err() != nil || w.s.cfg.Strict && u.when == before || fault.KindOf(err) == fault.Limit && !errors.As(err, &at)
}

// attempt evaluates the conditions of a rule, cheapest first, and runs it.
func (w *write) attempt(u *rule) (outcome, why string, err error) {
	id := subject(w.change).ID()
	if w.recurs(u, id) {
		return skipped, "it runs for this record already", nil
	}
	if ok, err := w.s.hasRole(w.ctx, w.change.Writer.Session().Actor(), u); err != nil || !ok {
		return skipped, "role conditions: " + strings.Join(u.roles, ", "), err
	}
	actor := w.change.Writer.Session().Actor()
	env := query.Env{Now: w.change.Writer.Now(), UserID: actor.ID, UserName: actor.Name}
	if ok, err := u.matches(w.ctx, w.change, w.old, env); err != nil || !ok {
		return skipped, "filter condition: " + u.filter, err
	}
	if err := w.push(u, id); err != nil {
		return "", "", err
	}
	defer w.pop()
	outer := w.watch.Change
	w.watch.Change = w.change
	defer func() { w.watch.Change = outer }()
	if u.condition.Text != "" {
		if ok, err := w.holds(u); err != nil || !ok {
			return skipped, "condition: " + u.condition.Text, err
		}
	}
	return w.run(u)
}

// hasRole reports whether a rule is for the actor.
func (s *Service) hasRole(ctx context.Context, actor record.Actor, u *rule) (bool, error) {
	if len(u.roles) == 0 || actor.ID == record.System.ID {
		return true, nil
	}
	who, err := s.cfg.Access.Holder(ctx, actor.ID)
	return err == nil && who.HasRole(u.roles...), err
}

func (w *write) holds(u *rule) (bool, error) {
	scope, done, err := w.scopeFor(u)
	if err != nil {
		return false, err
	}
	defer done()
	v, err := scope.Run(u.condition)
	return err == nil && scope.Truth(v), err
}

// run does what a rule does when its conditions hold.
func (w *write) run(u *rule) (outcome, why string, err error) {
	if u.when == async {
		return fired, "", w.submit(u)
	}
	if u.when == before && u.abort {
		w.aborted = true
		return aborted, u.message, nil
	}
	if u.when == before && u.template != "" && w.change.New != nil {
		if err := apply(u.template, w.change.New); err != nil {
			return "", "", err
		}
	}
	if strings.TrimSpace(u.script.Text) == "" {
		return fired, "", nil
	}
	scope, done, err := w.scopeFor(u)
	if err != nil {
		return "", "", err
	}
	defer done()
	was := w.aborted
	if _, err = scope.Run(u.script); err == nil && u.call != "" {
		_, err = scope.Run(script.Source{Name: u.script.Name, Text: u.call})
	}
	if err == nil && w.aborted && !was {
		return aborted, "setAbortAction(true)", nil
	}
	return fired, "", err
}

// scopeFor readies the scope of the chain for a script of this write.
func (w *write) scopeFor(u *rule) (scope *script.Scope, done func(), err error) {
	if scope, err = w.open(w.change.Writer); err != nil {
		return nil, nil, err
	}
	if w.current == nil {
		w.bind(scope)
	} else { // what the rule before updated still counts as changed
		w.current.Use(w.current.Current(), w.old, string(w.change.Operation))
	}
	return scope, globals(scope, w.current, w.previous), nil
}

// bind makes the records that scripts see. That of a record that goes, or is written already, is a copy.
func (w *write) bind(scope *script.Scope) {
	c := w.change
	o := script.RecordOptions{Old: w.old, Operation: string(c.Operation)}
	r := subject(c)
	if c.New == nil {
		r = r.Clone()
	}
	if c.Memo == nil {
		o.Abort = &w.aborted
	}
	w.current = scope.Record(r, o)
	if w.old != nil {
		w.previous = scope.Record(w.old.Clone(), script.RecordOptions{Old: w.old})
	}
}

// asyncInput is what an async rule is told of its write.
type asyncInput struct {
	Operation record.Operation `json:"operation"`
	Snapshot  *event.Snapshot  `json:"snapshot"`
}

// submit queues an async rule.
func (w *write) submit(u *rule) error {
	change := *w.change
	change.Old = w.old
	input, err := json.Marshal(asyncInput{w.change.Operation, event.Of(&change)})
	if err != nil {
		return err
	}
	return w.s.cfg.Events.Submit(w.ctx, w.change.Writer, asyncKind, event.Target{ID: u.id, Name: u.name}, subject(w.change), input, jobPriority(u.priority))
}

// jobPriority turns a priority, 100 being usual and less being earlier, into one of the queue's four.
func jobPriority(p int) int {
	switch {
	case p == 0 || p == 100:
		return 2
	case p < 100:
		return 1
	case p <= 200:
		return 3
	}
	return 4
}

// keepLog writes what became of the rules, in the transaction of the write.
func (w *write) keepLog() error {
	text, err := json.Marshal(w.log)
	if err != nil {
		return err
	}
	c, r := w.change, subject(w.change)
	now := record.Text(c.Writer.Now().Format(record.DateTimeLayout))
	by := record.Text(c.Writer.Session().Actor().Name)
	rows := &record.Rows{Fields: []string{record.SysID, "table_name", "record", "operation", "trace", "rules",
		record.SysCreatedOn, record.SysCreatedBy, record.SysUpdatedOn, record.SysUpdatedBy, record.SysModCount},
		Values: []record.Value{record.Text(record.NewID()), record.Text(r.Table.Name), record.Text(r.ID()), record.Text(string(c.Operation)),
			record.Text(c.Writer.Trace()), record.Text(string(text)), now, by, now, by, record.Text("0")}}
	if err := c.Writer.Tx().Insert(w.ctx, w.s.table(LogTable), rows); err != nil {
		return fmt.Errorf("the log of business rules: %w", err)
	}
	return nil
}
