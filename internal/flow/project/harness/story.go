package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"headrace/internal/core/fault"
	"headrace/internal/flow/event"
	"headrace/internal/flow/outbound"
	"headrace/internal/flow/rule"
)

// ruleLine is one rule that was looked at, as the rule log says.
type ruleLine struct{ rule, outcome, why string }

// story tells what happened in a test that failed: events and how their handlers fared, calls, log lines.
func (t *trial) story(ctx context.Context) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if rules, err := t.ruleLog(ctx); err == nil {
		for _, r := range rules {
			add("rule     %s %s %s", r.rule, r.outcome, r.why)
		}
	}
	if events, err := t.find(ctx, event.Table, ""); err == nil {
		for _, e := range events {
			add("event    %s %s", e.Get("name").Text, e.Get("state").Text)
		}
	}
	if runs, err := t.find(ctx, event.RunTable, ""); err == nil {
		for _, r := range runs {
			add("handler  %s %s after %s attempts %s", r.Get("name").Text, r.Get("state").Text, r.Get("attempts").Text, r.Get("error").Text)
		}
	}
	for _, r := range t.partner.Received() {
		add("request  %s %s%s answered %d", r.Method, r.Host, r.Path, r.Status)
	}
	if deliveries, err := t.find(ctx, outbound.DeliveryTable, ""); err == nil {
		for _, d := range deliveries {
			add("delivery %s %s %s %s", d.Get("message").Text, d.Get("state").Text, d.Get("reason").Text, d.Get("error").Text)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range t.logs {
		add("log      %s %s: %s", e.Level, e.Source, e.Message)
	}
	for i := range out {
		out[i] = strings.TrimSpace(out[i])
	}
	return out
}

// ruleLog reads what became of rules, in the order in which they were looked at.
func (t *trial) ruleLog(ctx context.Context) ([]ruleLine, error) {
	found, err := t.find(ctx, rule.LogTable, "")
	if err != nil {
		return nil, err
	}
	var out []ruleLine
	for _, r := range found {
		var rules []struct{ Name, Outcome, Why string }
		if err := json.Unmarshal([]byte(r.Get("rules").Text), &rules); err != nil {
			return nil, fault.Wrap(fault.Internal, err, "the rule log cannot be read")
		}
		for _, u := range rules {
			out = append(out, ruleLine{u.Name, u.Outcome, u.Why})
		}
	}
	return out, nil
}
