package schedule

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/access"
	"headrace/internal/flow/script"
)

// Schedule is a schedule as its record says.
type Schedule struct {
	ID     string
	Name   string
	Table  string // whose records are its kind: script, import or export
	Active bool
	Timing Timing

	Missed, Overlap  string
	MaxDrift, Jitter time.Duration
	Parent, Link     string
	Order            int
	Percent          float64 // of LinkBelow
	Strict           bool

	record *record.Record
}

// floating as the time zone of a schedule is the system's at each run.
const floating = "floating"

// compile reads a schedule; an Invalid fault says why it cannot run.
func (s *Service) compile(ctx context.Context, tx record.Tx, r *record.Record) (*Schedule, error) {
	get := func(name string) string { return r.Get(name).Text }
	c := &Schedule{ID: r.ID(), Name: get("name"), Table: classOf(r), Active: get("active") == "true", record: r,
		Missed: cmp.Or(get("missed"), MissedOnce), Overlap: cmp.Or(get("overlap"), OverlapSkip), MaxDrift: span(get("max_drift")), Jitter: span(get("jitter")),
		Parent: get("parent"), Link: cmp.Or(get("on_parent_error"), LinkStop), Order: number(get("order")), Strict: get("mode") == "strict"}
	if text := get("parent_error_percent"); text != "" {
		c.Percent, _ = strconv.ParseFloat(text, 64) // a decimal always reads
	}
	zone, err := s.zone(ctx, tx, r)
	if err != nil {
		return c, err
	}
	c.Timing, err = timing(r, zone)
	return c, err
}

func classOf(r *record.Record) string { return cmp.Or(r.Get(record.SysClassName).Text, r.Table.Name) }

// zone finds the zone of a schedule: its own, else that of whom it runs as, of who made it, of the system.
func (s *Service) zone(ctx context.Context, tx record.Tx, r *record.Record) (*time.Location, error) {
	name := strings.TrimSpace(r.Get("time_zone").Text)
	if name != "" && !strings.EqualFold(name, floating) {
		return location(name)
	}
	var names []string
	if name == "" {
		for field, value := range map[string]string{record.SysID: r.Get("run_as").Text, "user_name": r.Get(record.SysCreatedBy).Text} {
			zone, err := s.value(ctx, tx, access.UserTable, field, value, "time_zone")
			if err != nil {
				return nil, err
			}
			if field == record.SysID {
				names = slices.Insert(names, 0, zone)
			} else {
				names = append(names, zone)
			}
		}
	}
	system, err := s.value(ctx, tx, "sys_properties", "name", "glide.sys.default.tz", "value")
	if err != nil {
		return nil, err
	}
	for _, n := range append(names, system) {
		if zone, err := location(n); err == nil {
			return zone, nil
		}
	}
	return time.UTC, nil
}

// value reads a field of the record whose other field has a value; "" when there is none.
func (s *Service) value(ctx context.Context, tx record.Tx, table, field, value, wanted string) (string, error) {
	found, err := s.first(ctx, tx, table, field, value)
	if err != nil || found == nil {
		return "", err
	}
	return found.Get(wanted).Text, nil
}

// first reads the record whose field has a value, the oldest of several; nil when there is none, or no such table.
func (s *Service) first(ctx context.Context, tx record.Tx, table, field, value string) (*record.Record, error) {
	t := s.table(table)
	if t == nil || value == "" {
		return nil, nil
	}
	found, err := all(ctx, tx, &record.Query{Table: t, Where: equal(field, value), OrderBy: []query.Order{{Field: record.SysCreatedOn}, {Field: record.SysID}}, Limit: 1})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

func equal(field string, values ...string) query.Node {
	return &query.Term{Field: field, Op: query.In, Values: values}
}

// all reads whole records.
func all(ctx context.Context, tx record.Tx, q *record.Query) (out []*record.Record, err error) {
	q.Fields = q.Table.Names()
	for row, err := range tx.Select(ctx, q) {
		if err != nil {
			return nil, err
		}
		out = append(out, &record.Record{Table: q.Table, Values: slices.Clone(row)})
	}
	return out, nil
}

// one reads a record by its id; nil when there is none.
func (s *Service) one(ctx context.Context, tx record.Tx, table, id string) (*record.Record, error) {
	found, err := all(ctx, tx, &record.Query{Table: s.table(table), Keys: &record.Keys{Fields: []string{record.SysID}, Fold: []bool{false}, Tuples: []record.Value{record.Text(id)}}})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

// schedule reads a schedule with all fields of its class; nil when it is gone.
func (s *Service) schedule(ctx context.Context, tx record.Tx, id string) (*Schedule, error) {
	r, err := s.one(ctx, tx, Table, id)
	if err != nil || r == nil {
		return nil, err
	}
	if class := classOf(r); class != Table && s.table(class) != nil {
		if r, err = s.one(ctx, tx, class, id); err != nil || r == nil {
			return nil, err
		}
	}
	return s.compile(ctx, tx, r)
}

// source is a script of a schedule.
func (c *Schedule) source(field string, expression bool) script.Source {
	return script.Source{Name: "schedule " + c.Name + map[bool]string{true: " (condition)"}[expression], Text: c.record.Get(field).Text, Expression: expression}
}

// condition is the script that decides whether a due run is made; one without text when nothing does.
func (c *Schedule) condition() script.Source {
	src := c.source("condition", true)
	if src.Text = strings.TrimSpace(src.Text); c.record.Get("conditional").Text != "true" {
		src.Text = ""
	}
	return src
}
