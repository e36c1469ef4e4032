// Package trace follows a change of a record through everything that it led to: the rules that were looked at, the events
// they fired, the runs of their handlers, the calls to other systems with their attempts, and what the answers wrote.
package trace

import (
	"context"
	"encoding/json"
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
)

// Change is one change of a record and what it led to.
type Change struct {
	Table      string            `json:"table"`
	Record     string            `json:"sys_id"`
	Operation  string            `json:"operation"`
	Actor      string            `json:"actor"`
	At         time.Time         `json:"at"`
	Run        int64             `json:"run,omitempty"`
	Trace      string            `json:"trace,omitempty"`
	Suppressed string            `json:"suppressed,omitempty"` // why rules were not asked
	Old        map[string]string `json:"old,omitempty"`
	Rules      []Rule            `json:"rules,omitempty"`
	Events     []Event           `json:"events,omitempty"`
	Runs       []HandlerRun      `json:"runs,omitempty"` // of async rules, which need no event
	Deliveries []Delivery        `json:"deliveries,omitempty"`
}

// Rule is a business rule that was looked at.
type Rule struct {
	Name    string `json:"name"`
	When    string `json:"when"`
	Order   int    `json:"order"`
	Outcome string `json:"outcome"` // fired, skipped, failed, aborted
	Why     string `json:"why,omitempty"`
}

// Event is an event that was fired.
type Event struct {
	ID    string       `json:"sys_id"`
	Name  string       `json:"name"`
	State string       `json:"state"`
	Parm1 string       `json:"parm1,omitempty"`
	Parm2 string       `json:"parm2,omitempty"`
	Note  string       `json:"note,omitempty"`
	Runs  []HandlerRun `json:"runs,omitempty"`
}

// HandlerRun is the run of one handler of an event.
type HandlerRun struct {
	ID       string `json:"sys_id"`
	Kind     string `json:"kind"`
	Name     string `json:"name"`
	State    string `json:"state"`
	Attempts int    `json:"attempts"`
	Error    string `json:"error,omitempty"`
	Key      string `json:"key,omitempty"`
}

// Delivery is a call to another system.
type Delivery struct {
	ID        string             `json:"sys_id"`
	State     string             `json:"state"`
	Method    string             `json:"method"`
	Endpoint  string             `json:"endpoint"`
	Key       string             `json:"key,omitempty"`
	Reason    string             `json:"reason,omitempty"`
	Error     string             `json:"error,omitempty"`
	Attempts  []outbound.Attempt `json:"attempts,omitempty"`
	ImportSet string             `json:"importSet,omitempty"`
	Rows      string             `json:"rows,omitempty"`
	Wrote     []Change           `json:"wrote,omitempty"` // what the answer changed
}

// Took is the time from the first attempt to the end of the last.
func (d *Delivery) Took() time.Duration {
	if len(d.Attempts) == 0 {
		return 0
	}
	last := d.Attempts[len(d.Attempts)-1]
	return last.Started.Add(last.Took).Sub(d.Attempts[0].Started)
}

// Of follows the changes of a record, the oldest first.
func Of(ctx context.Context, calls *outbound.Service, rows *importset.Service, id string) ([]Change, error) {
	f := &follower{db: calls.DB(), calls: calls, rows: rows}
	changes, err := f.changes(ctx, "record", id)
	if err != nil {
		return nil, err
	}
	for i := range changes {
		if c := &changes[i]; c.Trace != "" {
			if err := f.follow(ctx, c); err != nil {
				return nil, err
			}
		}
	}
	return changes, nil
}

type follower struct {
	db    *record.DB
	calls *outbound.Service
	rows  *importset.Service
}

// wrote gives the changes that the import of a delivery's answer made, by way of its import set rows.
func (f *follower) wrote(ctx context.Context, d outbound.Delivery) ([]Change, error) {
	var out []Change
	for _, key := range strings.FieldsFunc(d.ImportRows, func(r rune) bool { return r == ',' || r == ' ' }) {
		pushed, err := f.rows.Pushed(ctx, "", key)
		if fault.KindOf(err) == fault.NotFound && err != nil {
			continue // cleaned away since
		}
		if err != nil {
			return nil, err
		}
		for _, row := range pushed.Rows {
			for _, o := range row.Outcomes {
				made, err := f.changes(ctx, "record", o.Record)
				if err != nil {
					return nil, err
				}
				if o.Fate == importset.Inserted { // the import set row says it: there is no change row
					out = append(out, Change{Table: o.Target, Record: o.Record, Operation: string(record.Inserted), Trace: d.AnswerTrace, At: d.Completed})
				}
				out = append(out, slices.DeleteFunc(made, func(c Change) bool { return c.Trace != d.AnswerTrace })...)
			}
		}
	}
	return out, nil
}

// find gives the records of a table that have a value in a field, oldest first, as field -> text.
func (f *follower) find(ctx context.Context, table, field, value, order string) ([]map[string]string, error) {
	t := f.db.Catalog().Table(table)
	if t == nil {
		return nil, nil
	}
	names := t.Names()
	q := &record.Query{Table: t, Fields: names, OrderBy: []query.Order{{Field: order}}, Where: &query.Term{Field: field, Op: query.Equal, Values: []string{value}}}
	var out []map[string]string
	for row, err := range f.db.As(record.System).Select(ctx, q) {
		if err != nil {
			return nil, err
		}
		r := make(map[string]string, len(names))
		for i, name := range names {
			r[name] = row[i].Text
		}
		out = append(out, r)
	}
	return out, nil
}

func whole(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}

// changes reads change rows by the record or by the trace.
func (f *follower) changes(ctx context.Context, field, value string) ([]Change, error) {
	rows, err := f.find(ctx, record.ChangeTable, field, value, "sequence")
	if err != nil {
		return nil, err
	}
	var out []Change
	for _, r := range rows {
		c := Change{Table: r["table_name"], Record: r["record"], Operation: r["operation"], Actor: r["actor"], Trace: r["trace"],
			Run: int64(whole(r["run"])), Suppressed: r["quiet"], Old: map[string]string{}}
		if c.At, err = time.Parse(record.DateTimeLayout, r["at"]); err != nil {
			return nil, err
		}
		old, err := record.DecodeOld(r["old"])
		if err != nil {
			return nil, err
		}
		for name, v := range old {
			c.Old[name] = v.Text
		}
		out = append(out, c)
	}
	return out, nil
}

// follow adds what a change led to.
func (f *follower) follow(ctx context.Context, c *Change) error {
	if err := f.rules(ctx, c); err != nil {
		return err
	}
	runs, err := f.find(ctx, event.RunTable, "trace", c.Trace, record.SysID)
	if err != nil {
		return err
	}
	events, err := f.find(ctx, event.Table, "trace", c.Trace, record.SysID)
	if err != nil {
		return err
	}
	for _, e := range events {
		if e["instance"] != "" && e["instance"] != c.Record {
			continue
		}
		one := Event{ID: e[record.SysID], Name: e["name"], State: e["state"], Parm1: e["parm1"], Parm2: e["parm2"], Note: e["note"]}
		one.Runs = runsOf(runs, one.ID, c.Record)
		c.Events = append(c.Events, one)
	}
	c.Runs = runsOf(runs, "", c.Record)
	return f.deliveries(ctx, c)
}

func runsOf(all []map[string]string, event, about string) []HandlerRun {
	var out []HandlerRun
	for _, r := range all {
		if r["event"] != event || event == "" && r["instance"] != about {
			continue
		}
		out = append(out, HandlerRun{ID: r[record.SysID], Kind: r["kind"], Name: r["name"], State: r["state"], Attempts: whole(r["attempts"]),
			Error: r["error"], Key: r["idempotency_key"]})
	}
	return out
}

func (f *follower) rules(ctx context.Context, c *Change) error {
	logs, err := f.find(ctx, rule.LogTable, "trace", c.Trace, record.SysID)
	if err != nil {
		return err
	}
	for _, l := range logs {
		if l["record"] != c.Record || l["operation"] != c.Operation {
			continue
		}
		var rules []Rule
		if err := json.Unmarshal([]byte(l["rules"]), &rules); err != nil {
			return err
		}
		c.Rules = append(c.Rules, rules...)
	}
	return nil
}

func (f *follower) deliveries(ctx context.Context, c *Change) error {
	found, err := f.calls.List(ctx, &query.Term{Field: "trace", Op: query.Equal, Values: []string{c.Trace}}, 0)
	if err != nil {
		return err
	}
	slices.Reverse(found) // the oldest first
	for _, d := range found {
		if d.SourceID != "" && d.SourceID != c.Record {
			continue
		}
		full, err := f.calls.Show(ctx, d.ID)
		if err != nil {
			return err
		}
		one := Delivery{ID: d.ID, State: string(d.State), Method: d.Method, Endpoint: d.Endpoint, Key: d.Key, Reason: d.Reason, Error: d.Error,
			Attempts: full.Tries, ImportSet: d.ImportSet, Rows: d.ImportRows}
		if one.Wrote, err = f.wrote(ctx, d); err != nil {
			return err
		}
		c.Deliveries = append(c.Deliveries, one)
	}
	return nil
}
