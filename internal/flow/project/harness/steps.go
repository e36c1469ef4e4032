package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/event"
	"headrace/internal/flow/importset"
	"headrace/internal/flow/outbound"
	"headrace/internal/flow/rule"
	"headrace/internal/flow/schedule"
	"headrace/internal/flow/script"
)

func (t *trial) session() record.Session { return t.DB.As(record.System) }

// isolate turns off the rules and script actions that the test does not name, where it names some.
func (t *trial) isolate(ctx context.Context) error {
	if t.test.Only == nil {
		return nil
	}
	for table, names := range map[string]*[]string{rule.Table: t.test.Only.Rules, rule.ActionTable: t.test.Only.Actions} {
		if names == nil {
			continue
		}
		records, err := t.find(ctx, table, "active=true")
		if err != nil {
			return err
		}
		left := slices.Clone(*names)
		for _, r := range records {
			name := r.Get("name").Text
			if slices.Contains(*names, name) {
				left = slices.DeleteFunc(left, func(n string) bool { return n == name })
				continue
			}
			if _, _, err := t.session().Update(ctx, r.Table, r.ID(), []record.Assignment{{Field: "active", Value: record.Text("false")}}); err != nil {
				return err
			}
		}
		if len(left) > 0 {
			return fault.New(fault.Invalid, "only: no active record of %s is called %q", table, left[0])
		}
	}
	return nil
}

// fixtures adds the records that are there before the test, those that others refer to first. It names the table whose
// record cannot be made.
func (t *trial) fixtures(ctx context.Context) (table string, err error) {
	type waiting struct {
		table  string
		values map[string]string
	}
	var left []waiting
	for _, table := range slices.Sorted(maps.Keys(t.test.Fixtures)) {
		for _, values := range t.test.Fixtures[table] {
			left = append(left, waiting{table, values})
		}
	}
	for len(left) > 0 {
		// Where all wait for each other, the first one says for whom.
		next := max(0, slices.IndexFunc(left, func(w waiting) bool { return t.complete(w.values) }))
		if err := t.fixture(ctx, left[next].table, left[next].values); err != nil {
			return left[next].table, err
		}
		left = slices.Delete(left, next, next+1)
	}
	return "", nil
}

// complete reports whether all records are there that values refer to.
func (t *trial) complete(values map[string]string) bool {
	for _, text := range values {
		if name, is := strings.CutPrefix(text, "@"); is && name != "" {
			if _, there := t.records[name]; !there {
				return false
			}
		}
	}
	return true
}

// fixture adds a record that is there before the test, without rules. Its name in the test is the value of "as".
func (t *trial) fixture(ctx context.Context, table string, values map[string]string) error {
	values = maps.Clone(values)
	as := values["as"]
	delete(values, "as")
	return t.create(ctx, &step{Create: table, As: as, Values: values, Quiet: true})
}

// step does one step.
func (t *trial) step(ctx context.Context, s *step, path string) error {
	switch {
	case s.Create != "":
		return t.create(ctx, s)
	case s.Update != "":
		return t.update(ctx, s)
	case s.Delete != "":
		r, err := t.named(s.Delete)
		if err != nil {
			return err
		}
		return t.acting(s).Delete(ctx, r.table, r.id)
	case s.Fire != "":
		return t.fire(ctx, s)
	case s.Call != "":
		return t.call(ctx, s, path)
	case s.Send != "":
		return t.send(ctx, s, path)
	case s.Push != "":
		return t.push(ctx, s, path)
	case s.Import != "":
		return t.bring(ctx, s, path)
	case s.Run != "":
		return t.runSchedule(ctx, s, path)
	case s.Export != "":
		return t.leaveExport(ctx, s, path)
	case s.Put != "":
		return t.putFiles(ctx, s)
	case s.SQL != "":
		return t.changeDatabase(ctx, s)
	case s.Drain != "":
		return t.drain(ctx, s.Drain)
	case s.Advance != "":
		d, err := duration(s.Advance)
		t.clock.set(t.clock.Now().Add(d))
		return err
	case s.Expect != nil:
		return t.expect(ctx, s.Expect, path+".expect")
	}
	return fault.New(fault.Invalid, "the step does nothing").WithHint("create, update, delete, fire, call, send, push, import, run, export, put, sql, drain, advance or expect")
}

func (t *trial) acting(s *step) record.Session {
	if s.Quiet {
		return t.session().Quiet("test")
	}
	return t.session()
}

// assignments gives values; "@name" stands for a record that the test has named.
func (t *trial) assignments(values map[string]string) ([]record.Assignment, error) {
	var out []record.Assignment
	for _, field := range slices.Sorted(maps.Keys(values)) {
		text := values[field]
		if name, is := strings.CutPrefix(text, "@"); is && name != "" {
			r, err := t.named(name)
			if err != nil {
				return nil, err
			}
			text = r.id
		}
		out = append(out, record.Assignment{Field: field, Value: record.Text(text)})
	}
	return out, nil
}

func (t *trial) named(name string) (named, error) {
	r, ok := t.records[name]
	if !ok {
		return r, fault.New(fault.Invalid, "no record of this test is called %q", name).WithHint("as: %s names one where it is created", name)
	}
	return r, nil
}

func (t *trial) create(ctx context.Context, s *step) error {
	table, err := t.DB.Table(s.Create)
	if err != nil {
		return err
	}
	values, err := t.assignments(s.Values)
	if err != nil {
		return err
	}
	r, err := t.acting(s).Insert(ctx, table, values)
	if err == nil && s.As != "" {
		t.records[s.As] = named{table, r.ID()}
	}
	return err
}

func (t *trial) update(ctx context.Context, s *step) error {
	r, err := t.named(s.Update)
	if err != nil {
		return err
	}
	values, err := t.assignments(s.Values)
	if err == nil {
		_, _, err = t.acting(s).Update(ctx, r.table, r.id, values)
	}
	return err
}

func (t *trial) fire(ctx context.Context, s *step) error {
	e := event.Event{Name: s.Fire, Parm1: s.Parm1, Parm2: s.Parm2}
	if s.Record != "" {
		r, err := t.named(s.Record)
		if err != nil {
			return err
		}
		if e.Record, err = t.session().Get(ctx, r.table, r.id); err != nil {
			return err
		}
	}
	return t.session().Write(ctx, func(w *record.Writer) error {
		_, err := t.Events.Fire(ctx, w, e)
		return err
	})
}

// call runs a script and compares the value of its last expression.
func (t *trial) call(ctx context.Context, s *step, path string) error {
	scope, err := t.Scripts.Open(ctx, script.Env{Session: t.session()})
	if err != nil {
		return err
	}
	defer scope.Close()
	if s.Record != "" {
		r, err := t.named(s.Record)
		if err != nil {
			return err
		}
		current, err := t.session().Get(ctx, r.table, r.id)
		if err != nil {
			return err
		}
		scope.Set("current", scope.Record(current, script.RecordOptions{}).Object())
	}
	for name, v := range s.With {
		scope.Set(name, v)
	}
	v, err := scope.Run(script.Source{Name: path + ".call", Text: s.Call, Expression: true})
	if err != nil || s.Gives == nil {
		return err
	}
	got := any(scope.Text(v))
	if _, isText := s.Gives.(string); !isText && v != nil {
		got = v.Export()
	}
	if why := lacks(s.Gives, got, true); why != "" {
		t.fail(path+".gives", "the call gives %s%s", shown(got), why)
	}
	return nil
}

// send makes the call of one message, by itself.
func (t *trial) send(ctx context.Context, s *step, path string) error {
	message, function, _ := strings.Cut(s.Send, "/")
	soap, err := t.find(ctx, outbound.SOAPTable, "name="+message)
	if err != nil {
		return err
	}
	r := outbound.Request{Message: message, Function: function, SOAP: len(soap) > 0, Body: s.Body, Variables: map[string]outbound.Variable{}}
	for name, value := range s.Variables {
		r.Variables[name] = outbound.Variable{Value: value}
	}
	answer, err := t.Outbound.Do(ctx, r)
	if err != nil || s.Gives == nil {
		return err
	}
	got := map[string]any{"status": answer.Status, "body": string(answer.Body)}
	var parsed any
	if json.Unmarshal(answer.Body, &parsed) == nil {
		got["json"] = parsed
	}
	if why := lacks(s.Gives, got, false); why != "" {
		t.fail(path+".gives", "the answer is %s%s", shown(got), why)
	}
	return nil
}

// push gives rows to a staging table and compares their fates.
func (t *trial) push(ctx context.Context, s *step, path string) error {
	var columns []string
	for _, row := range s.Rows {
		for _, name := range slices.Sorted(maps.Keys(row)) {
			if !slices.Contains(columns, name) {
				columns = append(columns, name)
			}
		}
	}
	var rows [][]record.Value
	for _, row := range s.Rows {
		values := make([]record.Value, len(columns))
		for i, name := range columns {
			if v, ok := row[name]; ok && v != nil {
				values[i] = record.Text(text(v))
			}
		}
		rows = append(rows, values)
	}
	done, err := t.Imports.Push(ctx, importset.PushRequest{Table: s.Push, Columns: columns, Rows: rows, Actor: record.System})
	if err != nil || s.Fates == nil {
		return err
	}
	var got []string
	for _, row := range done.Rows {
		for _, o := range row.Outcomes {
			fate := o.Fate.String()
			if o.Reject != nil && o.Reject.Code != "" {
				fate += " " + o.Reject.Code
			}
			got = append(got, fate)
		}
	}
	same := len(got) == len(s.Fates)
	for i := range got {
		same = same && (got[i] == s.Fates[i] || strings.HasPrefix(got[i], s.Fates[i]+" "))
	}
	if !same {
		t.fail(path+".fates", "the fates are [%s], expected [%s]", strings.Join(got, ", "), strings.Join(s.Fates, ", "))
	}
	return nil
}

// mostDrained bounds how often the clock is moved to the next due work, so that work which puts itself off for ever ends.
const mostDrained = 10_000

// drainAll is the span that ends when nothing is left to do of what has begun, or after a day. Schedules that wait for
// their time have not begun.
const drainAll = "all"

// drain works everything that is due, and moves the clock to what becomes due within the span.
func (t *trial) drain(ctx context.Context, span string) error {
	d, but := 24*time.Hour, []string{schedule.DueQueue}
	if span != drainAll {
		var err error
		if d, err = duration(span); err != nil {
			return err
		}
		but = nil
	}
	end := t.clock.Now().Add(d)
	for range mostDrained {
		if err := t.work(ctx); err != nil {
			return err
		}
		next, more, err := t.nextDue(ctx, but...)
		switch {
		case err != nil:
			return err
		case more && !next.After(end):
			t.clock.set(next)
			continue
		case span == drainAll:
			return nil
		}
		t.clock.set(end)
		return t.work(ctx)
	}
	return endless()
}

// duration reads a length of time, such as 90s, 2h or 1d12h. A day is 24 hours.
func duration(text string) (time.Duration, error) {
	days, rest, found := strings.Cut(text, "d")
	if !found {
		days, rest = "0", text
	}
	n, err := strconv.ParseUint(days, 10, 16)
	d := time.Duration(0)
	if err == nil && (rest != "" || !found) {
		d, err = time.ParseDuration(rest)
	}
	if err != nil || d < 0 {
		return 0, fault.New(fault.Invalid, "%q is no length of time", text).WithHint("such as 30s, 10m, 2h, 1d")
	}
	return time.Duration(n)*24*time.Hour + d, nil
}

// find reads records by an encoded query.
func (t *trial) find(ctx context.Context, table, where string) ([]*record.Record, error) {
	tab, err := t.DB.Table(table)
	if err != nil {
		return nil, err
	}
	q, err := query.Parse(where, tab, query.Env{UserID: record.System.ID, Now: t.clock.Now()})
	if err != nil {
		return nil, err
	}
	if len(q.Invalid) > 0 {
		return nil, fault.New(fault.Invalid, "the query on %s has terms without meaning: %s", table, strings.Join(q.Invalid, ", "))
	}
	order := q.OrderBy
	if len(order) == 0 {
		order = []query.Order{{Field: record.SysID}}
	}
	var out []*record.Record
	for row, err := range t.session().Select(ctx, &record.Query{Table: tab, Fields: tab.Names(), Where: q.Where, OrderBy: order}) {
		if err != nil {
			return nil, err
		}
		out = append(out, &record.Record{Table: tab, Values: slices.Clone(row)})
	}
	return out, nil
}

// text is a value of YAML or JSON as a field holds it.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case map[string]any, []any:
		b, err := json.Marshal(v)
		if err != nil {
			return fmt.Sprint(v)
		}
		return string(b)
	}
	return fmt.Sprint(v)
}
