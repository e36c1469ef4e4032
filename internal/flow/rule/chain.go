package rule

import (
	"context"

	"github.com/dop251/goja"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/event"
	"headrace/internal/flow/script"
)

// chain is the rules of one write and of those that they give rise to: one global object for their scripts, and what
// bounds them. It is used by one goroutine.
type chain struct {
	s      *Service
	scope  *script.Scope // nil until a script runs
	ctx    context.Context
	watch  event.Watch
	stack  []frame
	runs   int
	firsts map[string]*record.Record // records as they were before the first update in the chain
}

// frame is a rule that runs.
type frame struct{ rule, record string }

// mostDepth is how deep rules run within each other.
const mostDepth = 20

type chainKey struct{}

// enter gives the chain that ctx belongs to, or begins one.
func (s *Service) enter(ctx context.Context) (c *chain, outermost bool) {
	if c, ok := ctx.Value(chainKey{}).(*chain); ok {
		return c, false
	}
	c = &chain{s: s, firsts: map[string]*record.Record{}}
	c.ctx = event.Watching(context.WithValue(ctx, chainKey{}, c), &c.watch)
	return c, true
}

// leave ends the chain that the outermost write began.
func (c *chain) leave(outermost bool) {
	if outermost && c.scope != nil {
		c.scope.Close()
	}
}

// first gives the record as it was before the chain touched it.
func (c *chain) first(ch *record.Change) *record.Record {
	if ch.Operation != record.Updated {
		return ch.Old
	}
	key := ch.Old.Table.Name + " " + ch.Old.ID()
	if c.firsts[key] == nil {
		c.firsts[key] = ch.Old
	}
	return c.firsts[key]
}

// recurs reports whether a rule runs for the record already.
func (c *chain) recurs(u *rule, id string) bool {
	for _, f := range c.stack {
		if f.rule == u.id && f.record == id {
			return true
		}
	}
	return false
}

// push notes that a rule runs; a Limit fault says that rules have gone too far.
func (c *chain) push(u *rule, id string) error {
	if c.runs++; c.runs > c.s.cfg.MostRuns {
		return fault.New(fault.Limit, "one write has set off more than %d business rules", c.s.cfg.MostRuns).WithHint("the last was %s: does it write records that run it again?", u.name)
	}
	if len(c.stack) >= mostDepth {
		return fault.New(fault.Limit, "business rules run within each other %d deep", mostDepth).WithHint("the innermost is %s: does it write records that run it again?", u.name)
	}
	c.stack = append(c.stack, frame{u.id, id})
	return nil
}

func (c *chain) pop() { c.stack = c.stack[:len(c.stack)-1] }

// open gives the scope of the chain, opening it at the first script.
func (c *chain) open(w *record.Writer) (*script.Scope, error) {
	if c.scope != nil {
		return c.scope, nil
	}
	actor := w.Session().Actor()
	scope, err := c.s.cfg.Rules.Open(c.ctx, script.Env{Session: w.Session().WithTrace(w.Trace()), Writer: w, User: actor.ID, Trace: w.Trace()})
	if err == nil {
		c.scope = scope
		scope.Set("g_scratchpad", scope.VM().NewObject())
	}
	return scope, err
}

// globals sets what scripts of a write see, and gives what puts back what was there.
func globals(s *script.Scope, current, previous *script.GlideRecord) (restore func()) {
	names := []string{"current", "previous"}
	var was [2]goja.Value
	for i, name := range names {
		was[i] = s.Get(name)
	}
	for i, g := range []*script.GlideRecord{current, previous} {
		var v any = goja.Null()
		if g != nil {
			v = g.Object()
		}
		s.Set(names[i], v)
	}
	return func() {
		for i, name := range names {
			if was[i] != nil {
				s.Set(name, was[i])
			}
		}
	}
}
