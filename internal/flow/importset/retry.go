package importset

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"headrace/internal/connect/format"
	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/transform"
)

// Stored is what a run was given, so that it can be given again.
type Stored struct {
	Source  string
	Format  string
	Options format.Options
	Maps    []transform.Def
	Plan    string // the plan it applied, if any
}

// Stored reads what a run was given.
func (s *Service) Stored(ctx context.Context, number int64) (*Stored, error) {
	run, err := s.Run(ctx, number)
	if err != nil {
		return nil, err
	}
	out := &Stored{Source: run.Source, Format: run.Format, Plan: run.record.Get("plan").Text}
	for field, into := range map[string]any{"maps": &out.Maps, "options": &out.Options} {
		text := run.record.Get(field).Text
		if text == "" {
			continue // rows that were pushed have no format, and may have no map
		}
		if err := json.Unmarshal([]byte(text), into); err != nil {
			return nil, fmt.Errorf("run %d: its %s cannot be read: %w", number, field, err)
		}
	}
	return out, nil
}

// RetryRequest says what to try again.
type RetryRequest struct {
	Run      int64
	Maps     []transform.Def // mended maps in the place of the run's own; nil means those
	Actor    record.Actor
	Progress func(*Run)
}

// Retry takes the rejected rows of a run through its maps again, and no others. Their fates, and the run's counts, become
// what they are now. Rows that the format could not read, and duplicates, stay rejected: their source must be mended.
func (s *Service) Retry(ctx context.Context, req RetryRequest) (*Run, error) {
	run, err := s.Run(ctx, req.Run)
	if err != nil {
		return nil, err
	}
	if err := s.settlePushes(ctx, run); err != nil {
		return run, err
	}
	if run.State != Done {
		return run, fault.New(fault.Refused, "run %d is %s", run.Number, run.State).WithHint("only runs that are done have rows to retry")
	}
	stored, err := s.Stored(ctx, req.Run)
	if err != nil {
		return nil, err
	}
	defs := stored.Maps
	if req.Maps != nil {
		if defs, err = s.order(req.Maps); err != nil {
			return nil, err
		}
		if len(defs) != len(stored.Maps) {
			return nil, fault.New(fault.Invalid, "run %d was made with %d maps, these are %d", run.Number, len(stored.Maps), len(defs))
		}
	}
	im := &importer{Service: s, run_: run, req: Request{Maps: defs, Actor: req.Actor, Progress: req.Progress}, column: run.Columns,
		began: time.Now(), before: run.Took}
	im.most.Store(blockRows)
	im.book = resumeBook(im, run.record)
	im.book.start = [2]int64{}
	for k := range defs {
		if err := im.retry(ctx, k); err != nil {
			return run, err
		}
	}
	return run, im.book.touch(ctx, Done, run.Message)
}

// retry takes the rows that map k rejected through it again.
func (im *importer) retry(ctx context.Context, k int) error {
	m, err := transform.Compile(im.req.Maps[k], im.column, im.target(k))
	if err != nil {
		return err
	}
	p := im.pass(k, m)
	p.sequential, p.w.x, p.w.careful = true, p.x, true
	return p.flow(ctx, func(ctx context.Context, emit func(*block) bool) error {
		var b *block
		for row, err := range im.rejected(ctx, k) {
			if err != nil {
				return err
			}
			if !mendable(row.Reject, m) {
				continue
			}
			if b == nil {
				b = &block{}
			}
			b.take(row)
			b.numbers = append(b.numbers, row.Row)
			if b.len() >= blockRows && !emit(b) {
				return ctx.Err()
			} else if b.len() >= blockRows {
				b = nil
			}
		}
		if b != nil && !emit(b) {
			return ctx.Err()
		}
		return nil
	}, p.again)
}

// mendable reports whether a row may come to something else through the map.
func mendable(r *transform.Reject, m *transform.Map) bool {
	switch {
	case r == nil:
		return false
	case r.Code == reasonDuplicate:
		return m.OnDuplicate() == "apply"
	case r.Field == "" && (r.Code == "row_ragged" || r.Code == "row_malformed" || r.Code == "invalid_utf8" || r.Code == "cell_too_long"):
		return false
	}
	return true
}

// rejected yields the rows that map k rejected.
func (im *importer) rejected(ctx context.Context, k int) func(func(*StagedRow, error) bool) {
	all := im.Rows(ctx, im.run_.Number, Rejected)
	if len(im.req.Maps) == 1 {
		return all
	}
	return func(yield func(*StagedRow, error) bool) {
		for row, err := range all { // rejected by some map; by this one?
			if err == nil {
				var outcomes map[int]outcomeRow
				if outcomes, err = im.outcomes(ctx, row.Row); err == nil {
					o := outcomes[k]
					if o.fate != Rejected {
						continue
					}
					row.Reject = o.reject
				}
			}
			if !yield(row, err) || err != nil {
				return
			}
		}
	}
}

// outcomeRow is what one of several maps made of a row.
type outcomeRow struct {
	fate   Fate
	reject *transform.Reject
	target string
}

// outcomes reads what each of several maps made of a row.
func (im *importer) outcomes(ctx context.Context, row int64) (map[int]outcomeRow, error) {
	out := map[int]outcomeRow{}
	q := &record.Query{Table: im.db.Catalog().Table(OutcomeTable), Fields: []string{"position", "state", "reason", "note", "target"},
		Where: &query.Term{Field: "id", Op: query.Equal, Values: []string{strconv.FormatInt(rowID(im.run_.Number, row), 10)}}}
	for v, err := range im.db.As(record.System).Select(ctx, q) {
		if err != nil {
			return nil, err
		}
		k, err := strconv.Atoi(v[0].Text)
		if err != nil {
			return nil, err
		}
		o := outcomeRow{target: v[4].Text}
		o.fate, _ = ParseFate(v[1].Text)
		if v[2].Valid {
			o.reject = &transform.Reject{}
			if err := json.Unmarshal([]byte(v[3].Text), o.reject); err != nil {
				return nil, err
			}
			o.reject.Code = v[2].Text
		}
		out[k] = o
	}
	return out, nil
}

// again writes rows that were tried again: records, new fates, moved counts, in one transaction.
func (p *pass) again(ctx context.Context, m *matched) error {
	im := p.im
	for i := range m.old {
		if len(im.req.Maps) > 1 {
			others, err := im.outcomes(ctx, m.row(i))
			if err != nil {
				return err
			}
			for k, o := range others {
				if k != p.k {
					m.old[i].rest = max(m.old[i].rest, o.fate)
				}
			}
		}
	}
	var top, of Ledger
	err := im.session(p.k).Write(ctx, func(rw *record.Writer) error {
		if err := im.late(im.run_.Number).pass(ctx, rw.Tx()); err != nil {
			return err
		}
		fresh, err := p.now(ctx, rw, m.block)
		if err != nil {
			return err
		}
		top, of = im.run_.Ledger, im.run_.Maps[p.k].Ledger
		for i := range fresh.out {
			of.move(Rejected, fresh.out[i].fate)
			top.move(m.old[i].fate, max(m.old[i].rest, fresh.out[i].fate))
		}
		if err := p.w.refate(ctx, rw.Tx(), im.run_.Number, fresh); err != nil {
			return err
		}
		if len(im.req.Maps) > 1 {
			if err := p.w.refateOutcome(ctx, rw.Tx(), im.db.Catalog().Table(OutcomeTable), im.run_.Number, p.k, fresh); err != nil {
				return err
			}
		}
		if err := updateBook(ctx, rw.Tx(), im.book.set, top.assignments()); err != nil {
			return err
		}
		return updateBook(ctx, rw.Tx(), im.run_.Maps[p.k].record, of.assignments())
	})
	if err != nil {
		return err
	}
	im.run_.Ledger, im.run_.Maps[p.k].Ledger = top, of
	im.progress()
	return nil
}

// refate writes the new fates of rows that were tried again. Where another map's fate is stronger, that one stays.
func (w *writer) refate(ctx context.Context, tx record.Tx, run int64, m *matched) error {
	rows := &record.Rows{Fields: []string{"id", "state", "reason", "note", "target"}}
	for i := range m.out {
		o := m.out[i]
		if m.old[i].rest > o.fate {
			o = outcome{fate: m.old[i].rest}
		}
		state, reason, note, target := o.columns()
		rows.Values = append(rows.Values, record.Text(strconv.FormatInt(rowID(run, m.row(i)), 10)), state, reason, note, target)
	}
	_, err := tx.Update(ctx, w.rows, rows)
	return err
}

func (w *writer) refateOutcome(ctx context.Context, tx record.Tx, t *record.Table, run int64, k int, m *matched) error {
	rows := &record.Rows{Fields: []string{"id", "position", "state", "reason", "note", "target"}}
	for i := range m.out {
		state, reason, note, target := m.out[i].columns()
		rows.Values = append(rows.Values, record.Text(strconv.FormatInt(rowID(run, m.row(i)), 10)), record.Text(strconv.Itoa(k)), state, reason, note, target)
	}
	_, err := tx.Update(ctx, t, rows)
	return err
}
