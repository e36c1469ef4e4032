package rule

import (
	"context"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/script"
)

// narrowingKey marks the context of rules about queries: what they ask themselves is not narrowed.
type narrowingKey struct{}

// Narrow makes Service a record.Narrower: rules about queries add conditions to current. One that fails, or aborts, leaves
// nothing to be found: it may be what keeps records from being seen.
func (s *Service) Narrow(ctx context.Context, actor record.Actor, t *record.Table) (query.Node, error) {
	if s.cfg.DB == nil || ctx.Value(narrowingKey{}) != nil {
		return nil, nil
	}
	b, err := s.current(ctx)
	if err != nil || b == nil || len(b.queries) == 0 {
		return nil, err
	}
	rules := inOrder(b.queries, t)
	if len(rules) == 0 {
		return nil, nil
	}
	ctx = context.WithValue(ctx, narrowingKey{}, true)
	scope, err := s.cfg.Rules.Open(ctx, script.Env{Session: s.cfg.DB.As(actor), ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer scope.Close()
	n := &narrowing{s: s, scope: scope, actor: actor}
	n.current = scope.Query(t, &n.aborted)
	scope.Set("current", n.current.Object())
	scope.Set("previous", nil)
	for _, u := range rules {
		if err := n.consider(ctx, u); err != nil {
			if ctx.Err() != nil {
				return nil, err
			}
			n.aborted = true
			s.cfg.Log.ErrorContext(ctx, "a business rule about queries failed; nothing is found", "rule", u.name, "table", t.Name, "error", err)
			scope.Log(script.LogEntry{Level: "error", Source: "business rule " + u.name, Message: "query of " + t.Name + ": " + err.Error()})
		}
	}
	if n.aborted {
		return &query.Or{}, nil
	}
	return n.current.Where(), nil
}

// narrowing is one query with its rules.
type narrowing struct {
	s       *Service
	scope   *script.Scope
	actor   record.Actor
	current *script.GlideRecord
	aborted bool
}

// consider runs a rule if it is for the actor and its condition holds.
func (n *narrowing) consider(ctx context.Context, u *rule) error {
	if ok, err := n.s.hasRole(ctx, n.actor, u); err != nil || !ok {
		return err
	}
	if u.condition.Text != "" {
		v, err := n.scope.Run(u.condition)
		if err != nil || !n.scope.Truth(v) {
			return err
		}
	}
	if u.abort {
		n.aborted = true
		return nil
	}
	_, err := n.scope.Run(u.script)
	if err == nil && u.call != "" {
		_, err = n.scope.Run(script.Source{Name: u.script.Name, Text: u.call})
	}
	return err
}
