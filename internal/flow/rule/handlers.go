package rule

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/dop251/goja"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/event"
	"headrace/internal/flow/script"
)

// Kinds of handlers.
const (
	actionKind = "script action"
	asyncKind  = "business rule"
)

// actions makes script actions handlers of events.
type actions struct{ s *Service }

// Kind makes actions an event.Handler.
func (actions) Kind() string { return actionKind }

// Targets lists the active script actions of an event, in order.
func (a actions) Targets(_ context.Context, name string) ([]event.Target, error) {
	b := a.s.book.Get()
	if b == nil {
		return nil, nil
	}
	out := make([]event.Target, 0, len(b.actions[name]))
	for _, x := range b.actions[name] {
		out = append(out, event.Target{ID: x.id, Name: x.name, Policy: x.policy})
	}
	return out, nil
}

// Policy gives how often a script action is tried.
func (a actions) Policy(_ context.Context, id string) event.Policy {
	if b := a.s.book.Get(); b != nil && b.action[id] != nil {
		return b.action[id].policy
	}
	return event.Policy{}
}

// Handle runs a script action for an event, as the system and outside a transaction: each write is one of its own.
func (a actions) Handle(ctx context.Context, r *event.Run) error {
	b, err := a.s.current(ctx)
	if err != nil {
		return err
	}
	x := b.action[r.Target]
	if x == nil {
		return event.Permanent(fault.New(fault.NotFound, "the script action %s is not there any more, or not active", r.Name))
	}
	current, err := a.s.record(ctx, r)
	if err != nil {
		return err
	}
	scope, err := a.s.cfg.Handlers.Open(event.Handling(ctx, r), script.Env{Session: a.s.cfg.DB.As(record.System).WithTrace(r.Trace), User: record.System.ID, Key: r.Key, Trace: r.Trace, Log: logTo(r)})
	if err != nil {
		return err
	}
	defer scope.Close()
	ev := scope.Record(r.Event.Clone(), script.RecordOptions{Old: r.Event}).Object()
	retry := func(c goja.FunctionCall) goja.Value {
		r.RetryAfter(time.Duration(c.Argument(0).ToFloat() * float64(time.Second)))
		return goja.Undefined()
	}
	if err := ev.Set("retryAfter", retry); err != nil {
		return err
	}
	scope.Set("event", ev)
	scope.Set("current", goja.Null())
	if current != nil {
		scope.Set("current", scope.Record(current.Clone(), script.RecordOptions{Old: current}).Object())
	} else if t := a.s.table(r.Table); t != nil {
		scope.Set("current", scope.Record(record.NewRecord(t), script.RecordOptions{}).Object())
	}
	return runHandler(scope, x.condition, x.script, r)
}

// logTo keeps what scripts log with the attempt.
func logTo(r *event.Run) func(script.LogEntry) {
	return func(e script.LogEntry) { r.Log(e.Level + " " + e.Message) }
}

// runHandler runs a script if its condition holds.
func runHandler(scope *script.Scope, condition, body script.Source, r *event.Run) error {
	if condition.Text != "" {
		v, err := scope.Run(condition)
		if err != nil {
			return event.Thrown(scope, err)
		}
		if !scope.Truth(v) {
			r.Log("the condition does not hold")
			return nil
		}
	}
	if strings.TrimSpace(body.Text) == "" {
		return nil
	}
	_, err := scope.Run(body)
	return event.Thrown(scope, err)
}

// record reads the record that a run is about; nil when it is gone or there is none.
func (s *Service) record(ctx context.Context, r *event.Run) (found *record.Record, err error) {
	t := s.table(r.Table)
	if t == nil || r.Instance == "" {
		return nil, nil
	}
	found, err = s.cfg.DB.As(record.System).Get(ctx, t, r.Instance)
	if err != nil && fault.KindOf(err) == fault.NotFound {
		return nil, nil
	}
	return found, err
}

// asyncs makes async business rules handlers of the writes that they are about.
type asyncs struct{ s *Service }

// Kind makes asyncs an event.Handler.
func (asyncs) Kind() string { return asyncKind }

// Targets says that no event has async rules: writes have.
func (asyncs) Targets(context.Context, string) ([]event.Target, error) { return nil, nil }

// Policy gives how often an async rule is tried.
func (asyncs) Policy(context.Context, string) event.Policy { return event.Policy{} }

// Handle runs an async rule on the record as it is now, as the user who wrote it. What the write changed is in the global
// snapshot.
func (a asyncs) Handle(ctx context.Context, r *event.Run) error {
	b, err := a.s.current(ctx)
	if err != nil {
		return err
	}
	u := b.byID[r.Target]
	if u == nil {
		return event.Permanent(fault.New(fault.NotFound, "the business rule %s is not there any more, or not active", r.Name))
	}
	var in asyncInput
	if err := json.Unmarshal(r.Input, &in); err != nil {
		return event.Permanent(fault.Wrap(fault.Internal, err, "the input of an async rule cannot be read"))
	}
	current, err := a.s.record(ctx, r)
	if err != nil {
		return err
	}
	actor, err := a.s.actor(ctx, r.UserID)
	if err != nil {
		return err
	}
	scope, err := a.s.cfg.Handlers.Open(event.Handling(ctx, r), script.Env{Session: a.s.cfg.DB.As(actor).WithTrace(r.Trace), User: actor.ID, Key: r.Key, Trace: r.Trace, Log: logTo(r)})
	if err != nil {
		return err
	}
	defer scope.Close()
	bindAsync(scope, current, a.s.table(r.Table), in)
	body := u.script
	if u.call != "" {
		body.Text += "\n" + u.call
	}
	return runHandler(scope, script.Source{}, body, r)
}

// bindAsync sets what the script of an async rule sees.
func bindAsync(scope *script.Scope, current *record.Record, t *record.Table, in asyncInput) {
	scope.Set("previous", goja.Null())
	scope.Set("current", goja.Null())
	switch {
	case current != nil:
		scope.Set("current", scope.Record(current.Clone(), script.RecordOptions{Old: current, Operation: string(in.Operation)}).Object())
	case t != nil:
		scope.Set("current", scope.Record(record.NewRecord(t), script.RecordOptions{}).Object())
	}
	changes := map[string]any{}
	if in.Snapshot != nil {
		for name, c := range in.Snapshot.Changes {
			changes[name] = map[string]any{"old": c.Old, "new": c.New}
		}
	}
	scope.Set("snapshot", map[string]any{"operation": string(in.Operation), "changes": changes})
}

// actor gives who a run acts for.
func (s *Service) actor(ctx context.Context, id string) (record.Actor, error) {
	if id == "" || id == record.System.ID || s.cfg.Access == nil {
		return record.System, nil
	}
	who, err := s.cfg.Access.Holder(ctx, id)
	if err != nil {
		return record.Actor{}, err
	}
	return record.Actor{ID: id, Name: who.UserName, Trusted: true}, nil
}

// keeper checks rules and script actions when they are saved, and notes that they have changed.
type keeper struct{ s *Service }

// Sees makes keeper a record.Hook.
func (keeper) Sees(t *record.Table) bool { return t.Name == Table || t.Name == ActionTable }

// Keeps makes keeper a record.Keeper.
func (keeper) Keeps() {}

// Before refuses scripts that cannot be compiled and filters that say nothing, with the line.
func (k keeper) Before(_ context.Context, c *record.Change) error {
	if c.New == nil {
		return nil
	}
	name, condition := "business rule ", "condition"
	if c.New.Table.Name == ActionTable {
		name, condition = "script action ", "condition_script"
	}
	name += c.New.Get("name").Text
	if err := k.s.check(script.Source{Name: name, Text: c.New.Get("script").Text}); err != nil {
		return err
	}
	if err := k.s.check(conditionOf(name, c.New.Get(condition).Text)); err != nil {
		return err
	}
	if c.New.Table.Name != Table {
		return nil
	}
	t := k.s.table(c.New.Get("collection").Text)
	if filter := strings.TrimSuffix(c.New.Get("filter_condition").Text, "^EQ"); t != nil && filter != "" {
		where, err := parse(filter, t, query.Env{})
		if err == nil {
			_, err = query.Compile(where, dictionary{t})
		}
		if err != nil && !c.Writer.Redefines() { // else the fields may come with it
			return err
		}
	}
	return nil
}

func (s *Service) check(src script.Source) error {
	if strings.TrimSpace(src.Text) == "" || s.cfg.Rules == nil {
		return nil
	}
	return s.cfg.Rules.Check(src)
}

// After notes that rules have changed.
func (k keeper) After(ctx context.Context, c *record.Change) error {
	return k.s.book.Touch(ctx, c.Writer, revisionName)
}
