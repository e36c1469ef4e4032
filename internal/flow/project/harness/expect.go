package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"headrace/internal/connect/mock"
	"headrace/internal/core/record"
	"headrace/internal/flow/event"
)

// expect holds what has come about to what is expected. What differs is noted; an error is that it could not look.
func (t *trial) expect(ctx context.Context, e *expect, path string) error {
	for _, name := range slices.Sorted(maps.Keys(e.Events)) {
		if err := t.expectEvent(ctx, name, e.Events[name], path+".events.'"+name+"'"); err != nil {
			return err
		}
	}
	for i := range e.Requests {
		t.expectRequest(&e.Requests[i], fmt.Sprintf("%s.requests[%d]", path, i))
	}
	for i := range e.Records {
		if err := t.expectRecords(ctx, &e.Records[i], fmt.Sprintf("%s.records[%d]", path, i)); err != nil {
			return err
		}
	}
	if err := t.expectPlaces(ctx, e, path); err != nil {
		return err
	}
	for i, line := range e.Logs {
		if !t.logged(line) {
			t.fail(fmt.Sprintf("%s.logs[%d]", path, i), "nothing was logged that says %q", line)
		}
	}
	for i, line := range e.NoLogs {
		if t.logged(line) {
			t.fail(fmt.Sprintf("%s.noLogs[%d]", path, i), "a line was logged that says %q", line)
		}
	}
	return t.expectRules(ctx, e.Rules, path+".rules")
}

// expectPlaces looks at files, data sources and schedules.
func (t *trial) expectPlaces(ctx context.Context, e *expect, path string) error {
	for _, name := range slices.Sorted(maps.Keys(e.Files)) {
		if err := t.expectFiles(ctx, name, e.Files[name], path+".files.'"+name+"'"); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.Sources)) {
		if err := t.expectSource(ctx, name, e.Sources[name], path+".sources.'"+name+"'"); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.Schedules)) {
		if err := t.expectSchedule(ctx, name, e.Schedules[name], path+".schedules.'"+name+"'"); err != nil {
			return err
		}
	}
	return nil
}

func (t *trial) logged(part string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range t.logs {
		if strings.Contains(e.Message, part) {
			return true
		}
	}
	return false
}

func (t *trial) expectEvent(ctx context.Context, name string, want expectedEvent, path string) error {
	found, err := t.find(ctx, event.Table, "name="+name)
	if err != nil {
		return err
	}
	if want.Count != nil && len(found) != *want.Count {
		t.fail(path, "event %s was fired %d times, expected %d", name, len(found), *want.Count)
		return nil
	}
	if want.Count == nil && len(found) == 0 {
		t.fail(path, "event %s was not fired", name)
	}
	t.compare(found, "event "+name, want.Values, path)
	return nil
}

// compare wants each value in one of the records: all in the same one.
func (t *trial) compare(found []*record.Record, what string, values map[string]string, path string) {
	if len(found) == 0 || len(values) == 0 {
		return
	}
	var differ []string
	for _, r := range found {
		differ = nil
		for _, field := range slices.Sorted(maps.Keys(values)) {
			want := values[field]
			if name, is := strings.CutPrefix(want, "@"); is && name != "" {
				want = t.records[name].id
			}
			if r.Table.Field(field) == nil {
				differ = append(differ, fmt.Sprintf("table %s has no field %s", r.Table.Name, field))
			} else if got := r.Get(field).Text; got != want {
				differ = append(differ, fmt.Sprintf("%s is %q, expected %q", field, got, want))
			}
		}
		if len(differ) == 0 {
			return
		}
	}
	if len(found) > 1 {
		what = fmt.Sprintf("none of %d: the last %s", len(found), what)
	}
	t.fail(path, "%s: %s", what, strings.Join(differ, "; "))
}

func (t *trial) expectRecords(ctx context.Context, want *expectedRecord, path string) error {
	if want.Record != "" {
		at, err := t.named(want.Record)
		if err != nil {
			return err
		}
		found, err := t.find(ctx, at.table.Name, record.SysID+"="+at.id)
		if err != nil {
			return err
		}
		if want.Count == nil && len(found) == 0 {
			t.fail(path, "the record %s is gone", want.Record)
		}
		t.count(found, want.Count, "records "+want.Record, path)
		t.compare(found, at.table.Name+" "+want.Record, want.Values, path)
		return nil
	}
	found, err := t.find(ctx, want.Table, want.Query)
	if err != nil {
		return err
	}
	what := strings.TrimSpace(want.Table + " " + want.Query)
	if want.Count == nil && len(found) == 0 {
		t.fail(path, "there is no record of %s", what)
	}
	t.count(found, want.Count, "records of "+what, path)
	t.compare(found, want.Table, want.Values, path)
	return nil
}

func (t *trial) count(found []*record.Record, want *int, what, path string) {
	if want != nil && len(found) != *want {
		t.fail(path, "there are %d %s, expected %d", len(found), what, *want)
	}
}

func (t *trial) expectRequest(want *expectedRequest, path string) {
	var met []mock.Received
	for _, r := range t.partner.Received() {
		if want.meets(r) {
			met = append(met, r)
		}
	}
	what := strings.TrimSpace(want.Method + " " + want.Path + " " + want.Route)
	switch {
	case want.Count != nil && len(met) != *want.Count:
		t.fail(path, "%d requests %s were made, expected %d", len(met), what, *want.Count)
		return
	case len(met) == 0 && (want.Count == nil || *want.Count > 0):
		t.fail(path, "no request %s was made", what)
		return
	}
	var status []int
	keys := map[string]bool{}
	for _, r := range met {
		status = append(status, r.Status)
		keys[r.Header.Get("Idempotency-Key")] = true
	}
	if want.Status != nil && !slices.Equal(status, want.Status) {
		t.fail(path, "the requests %s were answered with %v, expected %v", what, status, want.Status)
	}
	if want.SameKey && (len(keys) != 1 || keys[""]) {
		t.fail(path, "the requests %s have not one idempotency key in common", what)
	}
	if len(met) > 0 {
		t.content(&met[len(met)-1], want, what, path)
	}
}

func (e *expectedRequest) meets(r mock.Received) bool {
	path, _, _ := strings.Cut(r.Path, "?")
	return (e.Route == "" || e.Route == r.Route) && (e.Method == "" || strings.EqualFold(e.Method, r.Method)) && (e.Path == "" || e.Path == path || e.Path == r.Path)
}

// content looks at what the last request said.
func (t *trial) content(r *mock.Received, want *expectedRequest, what, path string) {
	for _, name := range slices.Sorted(maps.Keys(want.Headers)) {
		if got := r.Header.Get(name); !strings.Contains(got, want.Headers[name]) {
			t.fail(path, "header %s of request %s is %q, expected %q", name, what, got, want.Headers[name])
		}
	}
	if !strings.Contains(r.Body, want.Body) {
		t.fail(path, "the body of request %s does not contain %q: %s", what, want.Body, r.Body)
	}
	if want.JSON == nil {
		return
	}
	var got any
	if err := json.Unmarshal([]byte(r.Body), &got); err != nil {
		t.fail(path, "the body of request %s is no JSON: %s", what, r.Body)
		return
	}
	if why := lacks(want.JSON, got, false); why != "" {
		t.fail(path, "the body of request %s is %s%s", what, r.Body, why)
	}
}

// expectRules reads the rule log: which rules were looked at, and whether they ran.
func (t *trial) expectRules(ctx context.Context, rules map[string]string, path string) error {
	if len(rules) == 0 {
		return nil
	}
	log, err := t.ruleLog(ctx)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		var got []string
		for _, line := range log {
			if line.rule == name {
				got = append(got, line.outcome)
			}
		}
		if want := rules[name]; !slices.Contains(got, want) && !(want == "unseen" && len(got) == 0) {
			if len(got) == 0 {
				got = []string{"unseen"}
			}
			t.fail(path, "rule %s: %s, expected %s", name, strings.Join(got, ", "), want)
		}
	}
	return nil
}

// lacks tells what of the value wanted is not in the one got, "" when all is. Of maps, got may have more, unless whole.
func lacks(want, got any, whole bool) string {
	w, g := normal(want), normal(got)
	if path := difference(w, g, whole); path != "" {
		return ", " + path
	}
	return ""
}

// normal makes values of YAML, JSON and scripts comparable.
func normal(v any) any {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	var out any
	if err := json.Unmarshal(b, &out); err != nil {
		return string(b)
	}
	return out
}

func difference(want, got any, whole bool) string {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || whole && len(g) != len(w) {
			return "expected " + shown(want)
		}
		for _, name := range slices.Sorted(maps.Keys(w)) {
			if why := difference(w[name], g[name], whole); why != "" {
				return name + ": " + why
			}
		}
		return ""
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return "expected " + shown(want)
		}
		for i := range w {
			if why := difference(w[i], g[i], whole); why != "" {
				return fmt.Sprintf("[%d]: %s", i, why)
			}
		}
		return ""
	}
	if want != got {
		return "expected " + shown(want)
	}
	return ""
}

func shown(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}
