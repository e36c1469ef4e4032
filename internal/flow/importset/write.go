package importset

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/transform"
)

// writer puts matched blocks into the store: one transaction for a block, holding its staging rows, their fates, the
// records and the run's progress, so that a block is there whole or not at all.
type writer struct {
	x     *matcher
	rows  *record.Table
	fence *fence // of the target

	known *known // what rows of the block may rest on; nil when nothing is known

	careful bool // each write that may fail is nested, so that a row the store refuses spoils only itself
}

// write writes a block. It may change outcomes: of rows whose record somebody else changed since it was read, and of
// rows that the store refuses.
func (w *writer) write(ctx context.Context, rw *record.Writer, b *matched) error {
	if err := w.fence.pass(ctx, rw.Tx()); err != nil {
		return err
	}
	if w.fence.others > b.looked { // keys that were missing may be there by now
		if err := w.again(ctx, rw, b); err != nil {
			return err
		}
	}
	for {
		if err := w.createReferences(ctx, rw, b.created); err != nil {
			return err
		}
		b.created = nil
		if err := w.insert(ctx, rw, b); err != nil {
			return err
		}
		stale, err := w.update(ctx, rw, b)
		if err != nil {
			return err
		}
		todo := append(stale, b.deferred...)
		if len(todo) == 0 {
			return nil
		}
		slices.Sort(todo)
		next, err := w.x.match(ctx, rw.Tx(), b.block, todo)
		if err != nil {
			return err
		}
		b.take(w.x, next, todo)
	}
}

// again matches the rows that are to be inserted anew inside the transaction and puts their outcomes in the place of the
// old ones. What was to be updated stays, unless it refers to records that were to be created: those are decided anew. So
// are rows that were known to be unchanged, because somebody else may have touched their records.
func (w *writer) again(ctx context.Context, rw *record.Writer, b *matched) error {
	rows, updates := slices.Clone(b.insertRows), b.updateRows
	if len(b.created) > 0 {
		rows, updates = append(rows, updates...), nil
	}
	if w.known != nil {
		w.known.overtaken.Store(true)
		for i := range b.out {
			if b.out[i].shown != 0 {
				rows = append(rows, i)
			}
		}
	}
	slices.Sort(rows)
	if len(rows) == 0 {
		return nil
	}
	next, err := w.x.match(ctx, rw.Tx(), b.block, rows)
	if err != nil {
		return err
	}
	deferred := b.deferred
	b.take(w.x, next, rows)
	b.updateRows = append(b.updateRows, updates...)
	b.deferred = append(b.deferred, deferred...)
	return nil
}

// take replaces what is to be written by what next says, and the outcomes and values of rows by next's.
func (b *matched) take(x *matcher, next *matched, rows []int) {
	for _, i := range rows {
		b.out[i] = next.out[i]
		copy(x.rowValues(b, i), x.rowValues(next, i))
	}
	b.inserts, b.insertRows = next.inserts, next.insertRows
	b.updateRows = next.updateRows
	b.created, b.deferred = next.created, next.deferred
}

// createReferences inserts the records that rows refer to and that their map says to create.
func (w *writer) createReferences(ctx context.Context, rw *record.Writer, created []transform.Created) error {
	for _, c := range created {
		if _, err := rw.Insert(ctx, c.Table, []record.Assignment{{Field: record.SysID, Value: record.Text(c.ID)},
			{Field: c.Field, Value: record.Text(c.Value)}}); err != nil {
			return fault.During("creating the "+c.Table.Name+" "+strconv.Quote(c.Value)+" that a row refers to", err)
		}
	}
	return nil
}

// errSpoiled says that the store refused some row of a block that was trusted.
var errSpoiled = errors.New("a row of the block is refused")

// try writes: nested when careful, else as it is, where a refusal spoils the transaction.
func (w *writer) try(ctx context.Context, tx record.Tx, write func() error) error {
	if w.careful {
		return tx.Nest(ctx, func(record.Tx) error { return write() })
	}
	err := write()
	if err != nil && spoilsRow(err) {
		return errSpoiled
	}
	return err
}

// insert adds the new records: all at once, or, when the store refuses, one by one, so that a bad row spoils only itself.
func (w *writer) insert(ctx context.Context, rw *record.Writer, b *matched) error {
	if len(b.insertRows) == 0 {
		return nil
	}
	t := w.x.m.Target
	b.inserts.Shared = w.x.m.Defaults()
	err := w.try(ctx, rw.Tx(), func() error { return rw.InsertRows(ctx, t, &b.inserts) })
	if err == nil || !spoilsRow(err) {
		return err
	}
	for n, i := range b.insertRows {
		one := record.Rows{Fields: b.inserts.Fields, Values: b.inserts.Row(n), Shared: b.inserts.Shared, Checked: true}
		err := rw.Tx().Nest(ctx, func(record.Tx) error { return rw.InsertRows(ctx, t, &one) })
		switch {
		case err == nil:
		case spoilsRow(err):
			b.out[i] = outcome{fate: Rejected, reject: refusal(err)}
		default:
			return err
		}
	}
	return nil
}

// update changes the records that differ. It returns the rows whose record is not any more what was read.
func (w *writer) update(ctx context.Context, rw *record.Writer, b *matched) (stale []int, err error) {
	if len(b.updateRows) == 0 {
		return nil, nil
	}
	var gone []int
	rows, old := w.updateBlock(b)
	err = w.try(ctx, rw.Tx(), func() error { gone, err = rw.UpdateRows(ctx, w.x.m.Target, rows, old); return err })
	if err != nil && spoilsRow(err) {
		return w.updateEach(ctx, rw, b, rows, old)
	}
	for _, n := range gone {
		stale = append(stale, b.updateRows[n])
	}
	return stale, err
}

func (w *writer) updateEach(ctx context.Context, rw *record.Writer, b *matched, rows *record.Rows, old func(int) []record.Assignment) (stale []int, err error) {
	for n, i := range b.updateRows {
		one := &record.Rows{Fields: rows.Fields, Values: rows.Row(n)}
		var gone []int
		err := rw.Tx().Nest(ctx, func(record.Tx) error {
			gone, err = rw.UpdateRows(ctx, w.x.m.Target, one, func(int) []record.Assignment { return old(n) })
			return err
		})
		switch {
		case err != nil && spoilsRow(err):
			b.out[i] = outcome{fate: Rejected, reject: refusal(err)}
		case err != nil:
			return nil, err
		case len(gone) > 0:
			stale = append(stale, i)
		}
	}
	return stale, nil
}

// updateBlock lays the updates out as rows. Fields that differ in none of them are left out: setting a key field to
// what it is would still make the store touch its index.
func (w *writer) updateBlock(b *matched) (*record.Rows, func(int) []record.Assignment) {
	changed := make(map[string]bool)
	for _, i := range b.updateRows {
		for _, a := range b.out[i].old {
			changed[a.Field] = true
		}
	}
	rows := &record.Rows{Fields: []string{record.SysID, record.SysModCount}, Checked: true}
	var at []int
	for n, name := range w.x.m.Fields {
		if changed[name] {
			rows.Fields = append(rows.Fields, name)
			at = append(at, n)
		}
	}
	rows.Values = make([]record.Value, 0, len(b.updateRows)*len(rows.Fields))
	for _, i := range b.updateRows {
		rows.Values = append(rows.Values, record.Text(b.out[i].target), b.out[i].mod)
		values := w.x.rowValues(b, i)
		for _, k := range at {
			rows.Values = append(rows.Values, values[k])
		}
	}
	return rows, func(n int) []record.Assignment { return b.out[b.updateRows[n]].old }
}

// spoilsRow tells errors that are about one row from those that end the run.
func spoilsRow(err error) bool {
	switch fault.KindOf(err) {
	case fault.Conflict, fault.Invalid, fault.Refused:
		return true
	}
	return false
}

func refusal(err error) *transform.Reject {
	code := map[fault.Kind]string{fault.Conflict: reasonConflict, fault.Refused: "rule_aborted"}[fault.KindOf(err)]
	if code == "" {
		code = "invalid_target"
	}
	return &transform.Reject{Code: code, Msg: err.Error(), Hint: fault.HintOf(err)}
}

// stagedWidth is how many fields of a staging row are written.
const stagedWidth = 7

// stage writes the staging rows of a block with their fates. Rows that earlier ones show have none.
func (w *writer) stage(ctx context.Context, tx record.Tx, run int64, b *matched) error {
	b.draft(run)
	rows := &record.Rows{Fields: []string{"id", "line", "payload", "state", "reason", "note", "target"}, Checked: true, Values: b.staged}
	if rows.Len() == 0 {
		return nil
	}
	v := rows.Values
	for i := range b.out {
		if b.out[i].shown == 0 {
			v[3], v[4], v[5], v[6] = b.out[i].columns()
			v = v[stagedWidth:]
		}
	}
	return tx.Insert(ctx, w.rows, rows)
}

// draft lays out the staging rows of a block, leaving room for their fates. The matching goroutine does so, because the
// database waits for the writing one; it is done anew when rows are not known any more.
func (b *matched) draft(run int64) {
	own := 0
	for i := range b.lines {
		if b.out == nil || b.out[i].shown == 0 {
			own++
		}
	}
	if b.staged != nil && own == b.own {
		return
	}
	b.own = own
	y := b.memory
	if y == nil {
		y = &memory{}
	}
	y.staged = slices.Grow(y.staged[:0], own*stagedWidth)
	for i := range b.lines {
		if b.out != nil && b.out[i].shown != 0 {
			continue
		}
		y.staged = append(y.staged, record.Text(strconv.FormatInt(rowID(run, b.row(i)), 10)), record.Text(strconv.FormatInt(b.lines[i], 10)),
			record.Text(b.payload[i]), record.Null, record.Null, record.Null, record.Null)
	}
	b.staged = y.staged
}

// columns gives an outcome as the staging row keeps it.
func (o *outcome) columns() (state, reason, note, target record.Value) {
	state = record.Text(o.fate.String())
	if o.reject != nil {
		reason, note = record.Text(o.reject.Code), record.Text(o.reject.Raw)
		if note.Text == "" {
			note.Text = mustJSON(o.reject)
		}
	}
	if o.fate != Rejected && o.target != "" {
		target = record.Text(o.target)
	}
	return state, reason, note, target
}
