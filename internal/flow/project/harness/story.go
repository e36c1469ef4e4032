package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/event"
	"headrace/internal/flow/importset"
	"headrace/internal/flow/importset/datasource"
	"headrace/internal/flow/outbound"
	"headrace/internal/flow/outbound/export"
	"headrace/internal/flow/rule"
	"headrace/internal/flow/schedule"
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
	out = append(out, t.feeds(ctx)...)
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range t.logs {
		add("log      %s %s: %s", e.Level, e.Source, e.Message)
	}
	for i := range out {
		out[i] = strings.TrimSpace(t.doubles.hide(out[i]))
	}
	return out
}

// feeds tells of imports, of how their sources are, of schedules and of exported files.
func (t *trial) feeds(ctx context.Context) []string {
	var out []string
	for _, of := range []struct{ table, where, line string }{
		{importset.SetTable, "", "import   {source} {state}: {read} read, {inserted} inserted, {updated} updated, {unchanged} unchanged, {skipped} skipped, {rejected} rejected"},
		{datasource.HealthTable, "stateNOT INhealthy", "source   {source} {state}: {message}"},
		{datasource.AlertTable, "", "alert    {kind} {state}: {message}"},
		{schedule.HistoryTable, "", "schedule {name} {due} {state} {reason} {message}"},
		{export.RunTable, "", "export   {name} {state} {file_name} {rows_written} rows {error}"},
	} {
		found, err := t.find(ctx, of.table, of.where)
		if err != nil {
			continue
		}
		for _, r := range found {
			pairs := []string{}
			for i := range r.Table.Fields {
				pairs = append(pairs, "{"+r.Table.Fields[i].Name+"}", t.shownIn(ctx, r, i))
			}
			out = append(out, strings.NewReplacer(pairs...).Replace(of.line))
		}
	}
	return out
}

// shownIn is the value of a field for people: of a data source its name.
func (t *trial) shownIn(ctx context.Context, r *record.Record, field int) string {
	text := r.Values[field].Text
	if r.Table.Fields[field].Reference != datasource.SourceTable {
		return text
	}
	if found, err := t.find(ctx, datasource.SourceTable, record.SysID+"="+text); err == nil && len(found) > 0 {
		return found[0].Get("name").Text
	}
	return text
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
