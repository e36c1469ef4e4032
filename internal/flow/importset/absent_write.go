package importset

import (
	"cmp"
	"context"
	"slices"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// carryOut does to the absent records what the policy says.
func (a *absence) carryOut(ctx context.Context) error {
	a.report.State, a.report.Why = AbsentRunning, ""
	if err := a.noteAbsent(ctx, a.run, a.req.Actor, a.report); err != nil {
		return err
	}
	size := cmp.Or(a.req.Batch, undoPage)
	for len(a.ids) > 0 {
		last := a.ids[len(a.ids)-1]
		more := len(a.ids) == mostAbsentAtOnce
		for ids := a.ids; len(ids) > 0; {
			page := ids[:min(len(ids), size)]
			ids = ids[len(page):]
			if err := a.batch(ctx, page); err != nil {
				return err
			}
			if a.req.Progress != nil {
				a.req.Progress(a.report)
			}
		}
		if !more {
			break
		}
		if _, _, err := a.list(ctx, last); err != nil {
			return err
		}
	}
	a.report.State = AbsentDone
	if err := a.noteAbsent(ctx, a.run, a.req.Actor, a.report); err != nil {
		return err
	}
	return a.keepProof(ctx)
}

// keepProof lets later imports go on resting on the run: nobody but it and this has moved the fence, and no record that it
// proves is among the absent ones.
func (a *absence) keepProof(ctx context.Context) error {
	if r := a.run.record; a.fence.mine == 0 || r.Get("moves").Empty() || whole(r, "moves") != a.fence.others {
		return nil
	}
	return a.db.As(a.req.Actor).Write(ctx, func(w *record.Writer) error {
		return updateBook(ctx, w.Tx(), a.run.record, []record.Assignment{count("moves", a.fence.mine)})
	})
}

func (a *absence) session() record.Session {
	s := a.db.As(a.req.Actor).ForRun(a.run.Number)
	if a.quiet != "" {
		s = s.Quiet(a.quiet)
	}
	return s
}

// batch deals with some records in one transaction, which counts them too. Records that are not any more as they were
// listed are left out.
func (a *absence) batch(ctx context.Context, ids []string) error {
	before := *a.report
	before.List = slices.Clone(a.report.List)
	return a.session().Write(ctx, func(w *record.Writer) error {
		*a.report = before
		a.report.List = slices.Clone(before.List)
		if err := a.fence.pass(ctx, w.Tx()); err != nil {
			return err
		}
		if err := a.late(a.run.Number).pass(ctx, w.Tx()); err != nil {
			return err
		}
		if err := a.stillDone(ctx, w.Tx()); err != nil {
			return err
		}
		todo, err := a.listed(ctx, w.Tx(), ids)
		if err != nil {
			return err
		}
		refused := map[string]bool{}
		for _, class := range todo {
			if err := a.class(ctx, w, class, refused); err != nil {
				return err
			}
		}
		if err := a.tally(ctx, w.Tx(), ids, todo, refused); err != nil {
			return err
		}
		return updateBook(ctx, w.Tx(), a.run.record, []record.Assignment{{Field: "absent", Value: record.Text(mustJSON(a.report))}})
	})
}

// stillDone makes sure that nobody has taken the run back meanwhile, and takes over what another process has counted.
func (a *absence) stillDone(ctx context.Context, tx record.Tx) error {
	now, err := read(ctx, tx, a.run.record.Table, []string{a.run.record.ID()})
	if err != nil {
		return err
	}
	r := now[a.run.record.ID()]
	if r == nil || State(r.Get("state").Text) != Done {
		return fault.New(fault.Conflict, "run %d is not done any more", a.run.Number)
	}
	if kept := absentOf(r); kept != nil {
		a.report.Flagged, a.report.Deactivated, a.report.Deleted = kept.Flagged, kept.Deactivated, kept.Deleted
	}
	return nil
}

// sameClass is records of one class: rules, and the change rows that undo reads, want each under the table it is of.
type sameClass struct {
	table *record.Table
	ids   []string
}

// listed gives those of the records that are still to be dealt with, by class.
func (a *absence) listed(ctx context.Context, tx record.Tx, ids []string) ([]sameClass, error) {
	var out []sameClass
	q := &record.Query{Table: a.t, Fields: []string{record.SysID, record.SysClassName}, Where: a.where, Keys: byIDs(ids), OrderBy: []query.Order{{Field: record.SysID}}}
	if a.t.Field(record.SysClassName) == nil {
		q.Fields = q.Fields[:1]
	}
	for row, err := range tx.Select(ctx, q) {
		if err != nil {
			return nil, err
		}
		t := a.t
		if len(row) > 1 && row[1].Text != "" && row[1].Text != t.Name {
			if own := a.db.Catalog().Table(row[1].Text); own != nil {
				t = own
			}
		}
		at := slices.IndexFunc(out, func(c sameClass) bool { return c.table == t })
		if at < 0 {
			at, out = len(out), append(out, sameClass{table: t})
		}
		out[at].ids = append(out[at].ids, row[0].Text)
	}
	return out, nil
}

func byIDs(ids []string) *record.Keys {
	keys := &record.Keys{Fields: []string{record.SysID}, Fold: []bool{false}}
	for _, id := range ids {
		keys.Tuples = append(keys.Tuples, record.Text(id))
	}
	return keys
}

// class deals with records of one class: all at once, or, when a rule refuses, one by one.
func (a *absence) class(ctx context.Context, w *record.Writer, c sameClass, refused map[string]bool) error {
	found, err := read(ctx, w.Tx(), c.table, c.ids)
	if err != nil {
		return err
	}
	var records []*record.Record
	for _, id := range c.ids {
		if r := found[id]; r != nil {
			records = append(records, r)
		}
	}
	err = w.Tx().Nest(ctx, func(record.Tx) error { return a.write(ctx, w, c.table, records) })
	if err == nil || !spoilsRow(err) {
		return err
	}
	for _, r := range records {
		err := w.Tx().Nest(ctx, func(record.Tx) error { return a.write(ctx, w, c.table, []*record.Record{r}) })
		switch {
		case err == nil:
		case spoilsRow(err):
			refused[r.ID()] = true
			a.report.keep(c.table.Name, r.ID(), err.Error())
		default:
			return err
		}
	}
	return nil
}

func (a *absence) write(ctx context.Context, w *record.Writer, t *record.Table, records []*record.Record) error {
	if a.req.Terms.Policy == DeleteAbsent {
		_, err := w.DeleteRows(ctx, t, records)
		return err
	}
	field := a.req.Terms.Field
	rows := &record.Rows{Fields: []string{record.SysID, record.SysModCount, field}}
	for _, r := range records {
		rows.Values = append(rows.Values, record.Text(r.ID()), r.Get(record.SysModCount), a.value)
	}
	_, err := w.UpdateRows(ctx, t, rows, func(i int) []record.Assignment {
		return []record.Assignment{{Field: field, Value: records[i].Get(field)}}
	})
	return err
}

// tally counts what has come of a batch by looking: rules may have kept a record without a word.
func (a *absence) tally(ctx context.Context, tx record.Tx, ids []string, todo []sameClass, refused map[string]bool) error {
	left := map[string]bool{}
	for row, err := range tx.Select(ctx, &record.Query{Table: a.t, Fields: []string{record.SysID}, Where: a.where, Keys: byIDs(ids)}) {
		if err != nil {
			return err
		}
		left[row[0].Text] = true
	}
	dealt := 0
	for _, c := range todo {
		dealt += len(c.ids)
		for _, id := range c.ids {
			if left[id] && !refused[id] {
				a.report.keep(c.table.Name, id, "a rule left it as it was")
			}
		}
	}
	a.report.count(int64(dealt - len(left)))
	a.report.Kept += int64(len(left))
	return nil
}
