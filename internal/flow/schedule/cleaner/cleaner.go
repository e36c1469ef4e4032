// Package cleaner removes records that have been kept long enough: the table cleaner of the platform. What is removed
// when stands in records of sys_auto_flush, one a table or several; those that ship keep book-keeping from growing for ever.
package cleaner

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strconv"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// Table is the table of what is removed when.
const Table = "sys_auto_flush"

// Child is a table whose records belong to those of another and go with them.
type Child struct{ Table, Field string }

// Owner removes one record, and what belongs to it, by its sys_id.
type Owner func(ctx context.Context, id string) error

// Config says how the records of some tables are removed. All others are removed as by a person who writes without rules:
// with a change row each.
type Config struct {
	DB *record.DB
	// Books are tables of book-keeping, with what belongs to their records: they leave no change rows.
	Books map[string][]Child
	// Owners remove what is more than a record.
	Owners map[string]Owner
}

// Service is the table cleaner.
type Service struct{ Config }

// New makes a Service.
func New(cfg Config) *Service { return &Service{cfg} }

// Tables lists the tables of this package, for the composition root.
func Tables() []record.Table {
	return []record.Table{{Name: Table, Label: "Table cleaner", Fields: []record.Field{
		{Name: "tablename", Label: "Table", Type: record.String, Mandatory: true, Display: true},
		{Name: "matchfield", Label: "Match field", Type: record.String, Default: record.SysCreatedOn, Help: "the date-time from which the age counts"},
		{Name: "age", Label: "Age", Type: record.Integer, Mandatory: true, Help: "seconds; older records are removed"},
		{Name: "conditions", Label: "Conditions", Type: record.String, Help: "an encoded query: only records that it finds"},
		{Name: "active", Label: "Active", Type: record.Boolean, Default: "true"},
		{Name: "last_run", Label: "Last run", Type: record.DateTime, ReadOnly: true},
		{Name: "removed", Label: "Removed by the last run", Type: record.Integer, ReadOnly: true},
		{Name: "message", Label: "Message", Type: record.String, ReadOnly: true},
	}}}
}

const (
	// Every is how often each rule is followed, whatever the number of nodes.
	Every = time.Hour
	// batch is how many records one transaction removes: short enough for writers who wait.
	batch = 500
)

// Sweep follows every active rule that nobody has followed for an hour. It returns what went wrong; a rule that cannot
// be followed says so in its message and does not keep the others.
func (s *Service) Sweep(ctx context.Context) (removed int64, err error) {
	t := s.DB.Catalog().Table(Table)
	var rules []*record.Record
	q := &record.Query{Table: t, Fields: t.Names(), OrderBy: []query.Order{{Field: record.SysID}}, Where: is("active", "true")}
	for row, err := range s.DB.As(record.System).Select(ctx, q) {
		if err != nil {
			return 0, err
		}
		rules = append(rules, &record.Record{Table: t, Values: append([]record.Value(nil), row...)})
	}
	for _, r := range rules {
		n, failed := s.follow(ctx, r)
		removed += n
		err = errors.Join(err, failed)
	}
	return removed, err
}

// follow follows one rule, if it is due and no other node has it in hand.
func (s *Service) follow(ctx context.Context, rule *record.Record) (int64, error) {
	last, err := time.Parse(record.DateTimeLayout, rule.Get("last_run").Text)
	if err == nil && s.DB.Now().Sub(last) < Every {
		return 0, nil
	}
	mine, err := s.note(ctx, rule, rule.Get(record.SysModCount).Text, "", 0)
	if err != nil || !mine {
		return 0, err
	}
	removed, err := s.clean(ctx, rule)
	if ctx.Err() != nil {
		return removed, ctx.Err()
	}
	message := ""
	if err != nil {
		err = fault.During("cleaning "+rule.Get("tablename").Text, err)
		message = err.Error()
	}
	_, failed := s.note(ctx, rule, "", message, removed)
	return removed, errors.Join(err, failed)
}

// note writes how a rule fares; it is a record of configuration, but this is book-keeping and leaves no change row. It
// tells whether the rule was still as seen.
func (s *Service) note(ctx context.Context, rule *record.Record, seen, message string, removed int64) (bool, error) {
	mine := false
	rows := &record.Rows{Fields: []string{record.SysID, record.SysModCount, "last_run", "removed", "message"}, Values: []record.Value{
		record.Text(rule.ID()), record.Null, record.Text(s.DB.Now().Format(record.DateTimeLayout)), record.Text(strconv.FormatInt(removed, 10)), record.Text(message)}}
	if seen != "" {
		rows.Values[1] = record.Text(seen)
	}
	err := s.DB.As(record.System).Write(ctx, func(w *record.Writer) error {
		stale, err := w.Tx().Update(ctx, rule.Table, rows)
		mine = len(stale) == 0
		return err
	})
	return mine, err
}

// clean removes what a rule finds, batch by batch.
func (s *Service) clean(ctx context.Context, rule *record.Record) (removed int64, err error) {
	t, where, err := s.read(rule)
	if err != nil {
		return 0, err
	}
	for after := ""; ; {
		found, err := s.page(ctx, t, where, after)
		if err != nil || len(found) == 0 {
			return removed, err
		}
		n, err := s.remove(ctx, t, found)
		removed += int64(n)
		if err != nil {
			return removed, err
		}
		after = found[len(found)-1].ID()
	}
}

// read checks a rule and gives its table and condition.
func (s *Service) read(rule *record.Record) (*record.Table, query.Node, error) {
	t, err := s.DB.Table(rule.Get("tablename").Text)
	if err != nil {
		return nil, nil, err
	}
	f := t.Field(rule.Get("matchfield").Text)
	if f == nil || f.Type != record.DateTime && f.Type != record.Date {
		return nil, nil, fault.New(fault.Invalid, "%q is no date of table %s", rule.Get("matchfield").Text, t.Name).WithHint("matchfield names the date-time from which the age counts")
	}
	if t.Bare && (len(t.Key) != 1 || t.Key[0] != record.SysID) {
		return nil, nil, fault.New(fault.Refused, "the records of table %s are not removed by age", t.Name)
	}
	age, err := strconv.ParseInt(rule.Get("age").Text, 10, 64)
	if err != nil || age <= 0 {
		return nil, nil, fault.New(fault.Invalid, "the age %q is no number of seconds above 0", rule.Get("age").Text)
	}
	parts := []query.Node{&query.Term{Field: f.Name, Op: query.Less, Values: []string{s.DB.Now().Add(-time.Duration(age) * time.Second).Format(record.DateTimeLayout)}}}
	if text := rule.Get("conditions").Text; text != "" {
		q, err := query.Parse(text, t, query.Env{Now: s.DB.Now(), UserID: record.System.ID, UserName: record.System.Name})
		if err != nil {
			return nil, nil, err
		}
		if len(q.Invalid) > 0 { // what is left would find more than was meant
			return nil, nil, fault.New(fault.Invalid, "table %s has nothing for the conditions %q", t.Name, q.Invalid)
		}
		parts = append(parts, q.Where)
	}
	return t, &query.And{Parts: parts}, nil
}

// page finds the next records to remove, by id.
func (s *Service) page(ctx context.Context, t *record.Table, where query.Node, after string) (out []*record.Record, err error) {
	if after != "" {
		where = &query.And{Parts: []query.Node{where, &query.Term{Field: record.SysID, Op: query.Greater, Values: []string{after}}}}
	}
	q := &record.Query{Table: t, Fields: t.Names(), Where: where, OrderBy: []query.Order{{Field: record.SysID}}, Limit: batch}
	for row, err := range s.DB.As(record.System).Select(ctx, q) {
		if err != nil {
			return nil, err
		}
		out = append(out, &record.Record{Table: t, Values: append([]record.Value(nil), row...)})
	}
	return out, nil
}

// remove removes records the way that goes for their table.
func (s *Service) remove(ctx context.Context, t *record.Table, found []*record.Record) (removed int, err error) {
	if owner := s.Owners[t.Name]; owner != nil {
		for i, r := range found {
			if err := owner(ctx, r.ID()); err != nil {
				return i, err
			}
		}
		return len(found), nil
	}
	children, book := s.Books[t.Name]
	err = s.DB.As(record.System).Quiet("table cleaner: "+t.Name).Write(ctx, func(w *record.Writer) error {
		if !book {
			removed, err = w.DeleteRows(ctx, t, found)
			return err
		}
		ids := make([]record.Value, len(found))
		for i, r := range found {
			ids[i] = record.Text(r.ID())
		}
		for _, c := range children {
			if err := s.orphans(ctx, w.Tx(), c, ids); err != nil {
				return err
			}
		}
		removed, err = w.Tx().Delete(ctx, t, ids)
		return err
	})
	return removed, err
}

// orphans removes what belongs to records that go.
func (s *Service) orphans(ctx context.Context, tx record.Tx, c Child, parents []record.Value) error {
	t := s.DB.Catalog().Table(c.Table)
	if t == nil {
		return fault.New(fault.Internal, "there is no table %s", c.Table)
	}
	var ids []record.Value
	q := &record.Query{Table: t, Fields: []string{record.SysID}, Keys: &record.Keys{Fields: []string{c.Field}, Fold: []bool{false}, Tuples: parents}}
	for row, err := range tx.Select(ctx, q) {
		if err != nil {
			return err
		}
		ids = append(ids, row[0])
	}
	if len(ids) == 0 {
		return nil
	}
	_, err := tx.Delete(ctx, t, ids)
	return err
}

func is(field, value string) query.Node {
	return &query.Term{Field: field, Op: query.Equal, Values: []string{value}}
}

// Rule is one that ships.
type Rule struct {
	Table, Field, Conditions string
	Age                      time.Duration
}

// Seed makes the rules that ship and are not there. One that was removed comes back at the next start: to keep records
// for ever, make its rule inactive.
func Seed(ctx context.Context, db *record.DB, rules []Rule) error {
	missing, err := unseeded(ctx, db, db.As(record.System).Select, rules)
	if err != nil || len(missing) == 0 {
		return err
	}
	t := db.Catalog().Table(Table)
	return db.As(record.System).Write(ctx, func(w *record.Writer) error {
		if _, err := w.Bump(ctx, "table cleaner seeds"); err != nil { // another node that seeds waits here
			return err
		}
		missing, err := unseeded(ctx, db, w.Select, rules)
		for i := 0; i < len(missing) && err == nil; i++ {
			_, err = w.Insert(ctx, t, missing[i].values())
		}
		return err
	})
}

func (r Rule) id() string { return record.IDFrom(Table, r.Table+" "+r.Conditions) }

func (r Rule) values() []record.Assignment {
	set := func(field, value string) record.Assignment {
		return record.Assignment{Field: field, Value: record.Text(value)}
	}
	return []record.Assignment{set(record.SysID, r.id()), set("tablename", r.Table), set("matchfield", r.Field), set("conditions", r.Conditions),
		set("age", strconv.FormatInt(int64(r.Age/time.Second), 10))}
}

// unseeded lists the rules that are not there.
func unseeded(ctx context.Context, db *record.DB, read func(context.Context, *record.Query) iter.Seq2[[]record.Value, error], rules []Rule) (missing []Rule, err error) {
	there := map[string]bool{}
	for row, err := range read(ctx, &record.Query{Table: db.Catalog().Table(Table), Fields: []string{record.SysID}}) {
		if err != nil {
			return nil, err
		}
		there[row[0].Text] = true
	}
	return slices.DeleteFunc(slices.Clone(rules), func(r Rule) bool { return there[r.id()] }), nil
}
