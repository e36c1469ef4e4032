package importset

import (
	"context"
	"iter"
	"strconv"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// staged yields the rows of a run from one number up to another, those with one of the fates, or all when none is given:
// its own staging rows, and between them those that earlier ones show. Each page is read in a transaction of its own, so a
// slow consumer holds nothing.
func (s *Service) staged(ctx context.Context, run, from, to int64, fates []Fate) iter.Seq2[*StagedRow, error] {
	own := s.stagedItself(ctx, run, from, to, fates)
	if len(fates) > 0 && !wants(fates, Unchanged) {
		return own
	}
	return func(yield func(*StagedRow, error) bool) {
		shares, err := s.shares(ctx, run)
		switch {
		case err != nil:
			yield(nil, err)
		case shares:
			merge(own, s.shownElsewhere(ctx, run, from, to))(yield)
		default:
			own(yield)
		}
	}
}

func wants(fates []Fate, fate Fate) bool {
	for _, f := range fates {
		if f == fate {
			return true
		}
	}
	return false
}

// merge yields the rows of two sequences in their order.
func merge(a, b iter.Seq2[*StagedRow, error]) iter.Seq2[*StagedRow, error] {
	return func(yield func(*StagedRow, error) bool) {
		next, stop := iter.Pull2(b)
		defer stop()
		other, err, more := next()
		before := func(row *StagedRow) bool { // yields what comes before row, all when it is nil
			for ; more && (err != nil || row == nil || other.Row < row.Row); other, err, more = next() {
				if !yield(other, err) || err != nil {
					return false
				}
			}
			return true
		}
		for row, err := range a {
			if err == nil && !before(row) || !yield(row, err) || err != nil {
				return
			}
		}
		before(nil)
	}
}

// ofRun is the condition that an id is of a run and not below one of its rows.
func ofRun(run, from int64) *query.And {
	bound := func(op query.Op, id int64) query.Node {
		return &query.Term{Field: "id", Op: op, Values: []string{strconv.FormatInt(id, 10)}}
	}
	return &query.And{Parts: []query.Node{bound(query.GreaterEqual, rowID(run, from)), bound(query.Less, rowID(run+1, 0))}}
}

// shares reports whether some rows of a run are shown by staging rows of earlier runs.
func (s *Service) shares(ctx context.Context, run int64) (bool, error) {
	where := ofRun(run, 0)
	where.Parts = append(where.Parts, &query.Term{Field: "shown", Op: query.IsNotEmpty})
	for row, err := range s.db.As(record.System).Select(ctx, &record.Query{Table: s.db.Catalog().Table(PageTable), Fields: []string{"id"}, Where: where, Limit: 1}) {
		return row != nil, err
	}
	return false, nil
}

// shownElsewhere yields the rows of a run that staging rows of earlier runs show. All of them are unchanged.
func (s *Service) shownElsewhere(ctx context.Context, run, from, to int64) iter.Seq2[*StagedRow, error] {
	return func(yield func(*StagedRow, error) bool) {
		var batch []*StagedRow
		var ids []record.Value
		flush := func() bool {
			err := s.showAll(ctx, batch, ids)
			for _, row := range batch {
				if !yield(row, err) || err != nil {
					return false
				}
			}
			batch, ids = nil, nil
			return true
		}
		for p, err := range s.shownPages(ctx, run, from) {
			if err != nil {
				yield(nil, err)
				return
			}
			for _, st := range p.stretches {
				for i := range st.rows {
					row := p.first + st.at + i
					if row < from || row >= to {
						continue
					}
					batch = append(batch, &StagedRow{Row: row, Line: st.line + i, Fate: Unchanged, shown: st.shown + i})
					ids = append(ids, record.Text(strconv.FormatInt(st.shown+i, 10)))
					if len(batch) == stagedPage && !flush() {
						return
					}
				}
			}
			if p.first >= to {
				break
			}
		}
		if len(batch) > 0 {
			flush()
		}
	}
}

// showAll fills in what the staging rows with these ids hold.
func (s *Service) showAll(ctx context.Context, rows []*StagedRow, ids []record.Value) error {
	at := make(map[int64]*StagedRow, len(rows))
	for _, row := range rows {
		at[row.shown] = row
	}
	q := &record.Query{Table: s.db.Catalog().Table(RowTable), Fields: []string{"id", "payload", "target"},
		Keys: &record.Keys{Fields: []string{"id"}, Fold: []bool{false}, Tuples: ids}}
	for v, err := range s.db.As(record.System).Select(ctx, q) {
		if err != nil {
			return err
		}
		row := at[whole64(v[0])]
		row.text, row.Target = v[1].Text, v[2].Text
		if row.Cells, err = parsePayload(row.text, nil); err != nil {
			return err
		}
	}
	for _, row := range rows {
		if row.text == "" {
			return fault.New(fault.Internal, "the staging row that shows row %d of a run is gone", row.Row)
		}
	}
	return nil
}

// shownPage is where a page says that rows are shown elsewhere.
type shownPage struct {
	first     int64
	stretches []stretch
}

// shownPages yields what the pages of a run say of rows shown elsewhere, in order, from the page that holds row from on.
func (s *Service) shownPages(ctx context.Context, run, from int64) iter.Seq2[*shownPage, error] {
	const most = 100 // pages that are read at a time
	return func(yield func(*shownPage, error) bool) {
		from := max(0, from-blockRows) // a page may begin that far before the row
		for {
			where := ofRun(run, from)
			where.Parts = append(where.Parts, &query.Term{Field: "shown", Op: query.IsNotEmpty})
			q := &record.Query{Table: s.db.Catalog().Table(PageTable), Fields: []string{"id", "shown"}, Where: where, OrderBy: []query.Order{{Field: "id"}}, Limit: most}
			var list []*shownPage
			for row, err := range s.db.As(record.System).Select(ctx, q) {
				var p shownPage
				if err == nil {
					p.first = whole64(row[0]) & MaxRows
					p.stretches, err = unpackStretches(row[1].Text)
				}
				if err != nil {
					yield(nil, err)
					return
				}
				list = append(list, &p)
			}
			for _, p := range list {
				if !yield(p, nil) {
					return
				}
			}
			if len(list) < most {
				return
			}
			from = list[most-1].first + 1
		}
	}
}
