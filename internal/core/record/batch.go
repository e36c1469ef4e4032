package record

import (
	"context"
	"slices"
	"strconv"

	"headrace/internal/core/fault"
)

// InsertRows adds a block of records: rows.Fields must hold sys_id; values are in canonical form. System fields are
// stamped here. No change rows are written: the caller's own rows (a staging row with fate and target) say it.
func (w *Writer) InsertRows(ctx context.Context, t *Table, rows *Rows) error {
	if rows.Len() == 0 {
		return nil
	}
	rows, err := w.numberRows(ctx, t, rows)
	if err != nil {
		return err
	}
	if w.singly(t, rows) {
		return w.insertEach(ctx, t, rows)
	}
	if rows, err = w.sealRows(t, rows); err != nil {
		return err
	}
	block := *rows
	block.Shared = append(w.stampNew(), rows.Shared...)
	return w.tx.Insert(ctx, t, &block)
}

// UpdateRows updates a block of records: rows.Fields begins with sys_id and sys_mod_count. old gives the old values of
// the fields of row i that differ, for its change row. It returns the positions of rows whose record is gone or was
// changed by somebody else; nothing is written for those.
func (w *Writer) UpdateRows(ctx context.Context, t *Table, rows *Rows, old func(i int) []Assignment) (stale []int, err error) {
	if rows.Len() == 0 {
		return nil, nil
	}
	if w.singly(t, rows) {
		return w.updateEach(ctx, t, rows)
	}
	if rows, err = w.sealRows(t, rows); err != nil {
		return nil, err
	}
	block := *rows
	block.Shared = append(w.stampUpdate(), rows.Shared...)
	return w.writeUpdates(ctx, t, &block, old)
}

// writeUpdates writes records and their change rows.
func (w *Writer) writeUpdates(ctx context.Context, t *Table, rows *Rows, old func(int) []Assignment) ([]int, error) {
	stale, err := w.tx.Update(ctx, t, rows)
	if err != nil {
		return nil, err
	}
	log := w.changeRows(t)
	skip := stale
	for i := 0; i < rows.Len(); i++ {
		if len(skip) > 0 && skip[0] == i {
			skip = skip[1:]
			continue
		}
		row := rows.Row(i)
		addChange(log, t, row[0].Text, Updated, nextCount(row[1]), old(i))
	}
	return stale, w.insertChanges(ctx, log)
}

func nextCount(v Value) string {
	n, err := strconv.ParseInt(v.Text, 10, 64)
	if err != nil {
		return ""
	}
	return strconv.FormatInt(n+1, 10)
}

// DeleteRows removes records by id, with their before-images in the change rows. Ids of records that are gone are
// passed over; it tells how many were removed.
func (w *Writer) DeleteRows(ctx context.Context, t *Table, olds []*Record) (int, error) {
	if len(olds) == 0 {
		return 0, nil
	}
	if w.session.guarded() {
		return w.deleteEach(ctx, t, olds)
	}
	ids := make([]Value, len(olds))
	changes := make([]*Change, len(olds))
	for i, r := range olds {
		ids[i] = Text(r.ID())
		changes[i] = &Change{Operation: Deleted, Old: r, Writer: w.trusted()}
		if err := w.before(ctx, changes[i]); err != nil {
			return 0, err
		}
	}
	n, err := w.tx.Delete(ctx, t, ids)
	if err != nil {
		return 0, err
	}
	log := w.changeRows(t)
	for _, r := range olds {
		addChange(log, t, r.ID(), Deleted, r.Get(SysModCount).Text, everything(r))
	}
	if err := w.insertChanges(ctx, log); err != nil {
		return 0, err
	}
	for _, c := range changes {
		if err := w.after(ctx, c); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// singly reports whether somebody must see each row of a block.
func (w *Writer) singly(t *Table, rows *Rows) bool {
	return w.hooked(t) || w.session.guarded() || isDictionary(t) || journals(t, rows)
}

func (w *Writer) hooked(t *Table) bool {
	return slices.ContainsFunc(w.session.db.hooks, func(h Hook) bool { return w.heeds(h) && h.Sees(t) })
}

// heeds reports whether the session's writes go by the hook.
func (w *Writer) heeds(h Hook) bool {
	if w.session.quiet == "" {
		return true
	}
	_, keeper := h.(Keeper)
	return keeper
}

// Hooked reports whether a hook wants to see the writes on t.
func (db *DB) Hooked(t *Table) bool {
	return slices.ContainsFunc(db.hooks, func(h Hook) bool { return h.Sees(t) })
}

func (w *Writer) insertEach(ctx context.Context, t *Table, rows *Rows) error {
	for i := 0; i < rows.Len(); i++ {
		if _, err := w.Insert(ctx, t, assignments(rows, i, 0)); err != nil {
			return err
		}
	}
	return nil
}

func (w *Writer) updateEach(ctx context.Context, t *Table, rows *Rows) (stale []int, err error) {
	for i := 0; i < rows.Len(); i++ {
		id, seen := rows.Row(i)[0].Text, rows.Row(i)[1]
		now, err := get(ctx, w.tx, t, id)
		switch {
		case fault.KindOf(err) == fault.NotFound && err != nil, err == nil && seen.Valid && now.Get(SysModCount) != seen:
			stale = append(stale, i)
			continue
		case err != nil:
			return nil, err
		}
		if _, _, err := w.Update(ctx, t, id, assignments(rows, i, 2)); err != nil {
			return nil, err
		}
	}
	return stale, nil
}

func assignments(rows *Rows, i, from int) []Assignment {
	row := rows.Row(i)
	out := make([]Assignment, 0, len(row)+len(rows.Shared))
	for j := from; j < len(row); j++ {
		out = append(out, Assignment{rows.Fields[j], row[j]})
	}
	return append(out, rows.Shared...)
}

// Verbatim reports whether blocks of these fields of t go into the store just as they are given: nobody sees the rows
// one by one, and no field is numbered, sealed or a journal.
func (w *Writer) Verbatim(t *Table, fields []string) bool {
	kept := func(name string) bool {
		f := t.Field(name)
		return f == nil || f.Type == Secret || name == numberField && t.Numbered()
	}
	return !w.singly(t, &Rows{Fields: fields}) && !slices.ContainsFunc(fields, kept)
}
