package datasource

import (
	"cmp"
	"context"
	"strconv"

	"headrace/internal/connect/source"
	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// delivery is one file of a source, or one gathering of rows, as the store knows it. It is written before each step, so
// that whoever comes after the end of the process goes on from there.
type delivery struct {
	record *record.Record
	source.File
	bytes              int64 // of the copy, where the listing tells no size; not kept
	sum, state, reason string
	run                int64
	since, mark        string // of gathered rows: where they were read from, and where the next reading goes on
	spool              string
	at                 string
}

// rowsPath stands for the rows of a source that has no files.
const rowsPath = ""

// deliveries reads what is known of the files of a source, the oldest first.
func (s *Service) deliveries(ctx context.Context, sourceID string) ([]*delivery, error) {
	t := s.DB.Catalog().Table(FileTable)
	found, err := s.read(ctx, &record.Query{Table: t, Fields: t.Names(), OrderBy: []query.Order{{Field: record.SysID}},
		Where: &query.Term{Field: "source", Op: query.Equal, Values: []string{sourceID}}})
	var out []*delivery
	for _, r := range found {
		d := &delivery{record: r, sum: r.Get("sha256").Text, state: r.Get("state").Text, reason: r.Get("reason").Text, since: r.Get("since").Text, mark: r.Get("mark").Text,
			spool: r.Get("spool").Text, at: r.Get("at").Text}
		d.Path, d.Version, d.Size = r.Get("path").Text, r.Get("version").Text, number(r, "size")
		d.Modified = parseStamp(r.Get("modified").Text)
		d.run = number(r, "run")
		out = append(out, d)
	}
	return out, err
}

func number(r *record.Record, field string) int64 {
	n, err := strconv.ParseInt(r.Get(field).Text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// latest finds what is known of a file, the newest of its path; nil when nothing is.
func latest(all []*delivery, path string) *delivery {
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Path == path {
			return all[i]
		}
	}
	return nil
}

// keep writes the state of a delivery. The record is book-keeping, so it leaves no change row.
func (s *Service) keep(ctx context.Context, sourceID string, d *delivery) error {
	t := s.DB.Catalog().Table(FileTable)
	return s.DB.As(record.System).Write(context.WithoutCancel(ctx), func(w *record.Writer) error {
		if err := s.hold(ctx, w, sourceID); err != nil {
			return err
		}
		now := record.Text(w.Now().Format(record.DateTimeLayout))
		values := map[string]string{"source": sourceID, "path": d.Path, "size": strconv.FormatInt(d.Size, 10), "modified": stamp(d.Modified), "version": d.Version,
			"sha256": d.sum, "state": d.state, "reason": d.reason, "since": d.since, "mark": d.mark, "spool": d.spool, "at": cmp.Or(d.at, now.Text)}
		if d.run > 0 {
			values["run"] = strconv.FormatInt(d.run, 10)
		}
		if d.record != nil {
			return s.rekeep(ctx, w, d, values, now)
		}
		r := record.NewRecord(t)
		r.Set(record.SysID, record.Text(record.NewID()))
		for _, f := range []string{record.SysCreatedOn, record.SysUpdatedOn} {
			r.Set(f, now)
		}
		for _, f := range []string{record.SysCreatedBy, record.SysUpdatedBy} {
			r.Set(f, record.Text(record.System.Name))
		}
		r.Set(record.SysModCount, record.Text("0"))
		for name, v := range values {
			r.Set(name, record.Value{Text: v, Valid: v != ""})
		}
		d.record = r
		return w.Tx().Insert(ctx, t, &record.Rows{Fields: t.Names(), Values: r.Values})
	})
}

func (s *Service) rekeep(ctx context.Context, w *record.Writer, d *delivery, values map[string]string, now record.Value) error {
	rows := &record.Rows{Fields: []string{record.SysID, record.SysModCount, record.SysUpdatedOn}, Values: []record.Value{record.Text(d.record.ID()), record.Null, now}}
	for name, v := range values {
		rows.Fields = append(rows.Fields, name)
		rows.Values = append(rows.Values, record.Value{Text: v, Valid: v != ""})
	}
	stale, err := w.Tx().Update(ctx, d.record.Table, rows)
	if err == nil && len(stale) > 0 {
		err = fault.New(fault.NotFound, "the state of %s is gone", d.Path)
	}
	return err
}

// advance remembers up to where the rows of a source are transformed, and gives where the next reading goes on. It is
// written beside the source, without rules: it is book-keeping, though where people can see and set it. What somebody has
// set since the reading began stays.
func (s *Service) advance(ctx context.Context, d *saved, mark string) (string, error) {
	const field = "last_run_datetime"
	if mark == "" || mark == d.get(field) {
		return mark, nil
	}
	t := s.DB.Catalog().Table(SourceTable)
	err := s.DB.As(record.System).Quiet("where the next reading goes on").Write(context.WithoutCancel(ctx), func(w *record.Writer) error {
		if err := s.hold(ctx, w, d.id); err != nil {
			return err
		}
		now, err := selected(ctx, w.Tx(), t, &query.Term{Field: record.SysID, Op: query.Equal, Values: []string{d.id}})
		if err != nil || len(now) == 0 {
			return err
		}
		if set := now[0].Get(field).Text; set != d.get(field) {
			mark = set
			return nil
		}
		_, _, err = w.Update(ctx, t, d.id, []record.Assignment{{Field: field, Value: record.Text(mark)}})
		return err
	})
	if err == nil {
		d.record.Set(field, record.Value{Text: mark, Valid: mark != ""})
	}
	return mark, err
}
