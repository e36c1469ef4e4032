package importset

import (
	"context"
	"strconv"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// forgetRows is how many staging rows one transaction removes.
const forgetRows = 5000

// Forget removes what an import set kept: its staging rows, what each map made of them, its runs, itself. What it wrote
// stays, and cannot be taken back any more. A staging row that shows rows of later import sets stays until the last of
// those is forgotten. A set whose rows may still be wanted is Refused: it must be done, undone, cancelled or failed, and no
// running import may rest on it. Cut off, it goes on when asked again.
func (s *Service) Forget(ctx context.Context, setID string) error {
	set, err := s.setByID(ctx, setID)
	if err != nil {
		return err
	}
	switch State(set.Get("state").Text) {
	case Done, Undone, Cancelled, Failed:
	default:
		return fault.New(fault.Refused, "import set %s is %s", set.Get("number").Text, set.Get("state").Text).WithHint("only what has ended is removed; `headrace run cancel` ends it")
	}
	if err := s.retire(ctx, set); err != nil {
		return err
	}
	run := whole(set, "run")
	if err := s.sweep(ctx, set); err != nil {
		return err
	}
	for _, name := range []string{OutcomeTable, PageTable} {
		if err := s.forgetRows(ctx, s.db.Catalog().Table(name), run, nil); err != nil {
			return err
		}
	}
	return s.db.As(record.System).Write(ctx, func(w *record.Writer) error {
		t := s.db.Catalog().Table(RunTable)
		var ids []record.Value
		q := &record.Query{Table: t, Fields: []string{record.SysID}, Where: &query.Term{Field: "run", Op: query.Equal, Values: []string{strconv.FormatInt(run, 10)}}}
		for row, err := range w.Tx().Select(ctx, q) {
			if err != nil {
				return err
			}
			ids = append(ids, row[0])
		}
		if len(ids) > 0 {
			if _, err := w.Tx().Delete(ctx, t, ids); err != nil {
				return err
			}
		}
		if _, err := w.Tx().Delete(ctx, s.db.Catalog().Table(FenceTable), []record.Value{record.Text(s.late(run).name)}); err != nil {
			return err
		}
		_, err := w.Tx().Delete(ctx, set.Table, []record.Value{record.Text(set.ID())})
		return err
	})
}

// retire keeps later runs from beginning to rest on the one of a set; see stillThere.
func (s *Service) retire(ctx context.Context, set *record.Record) error {
	run := set.Get("run").Text
	return s.db.As(record.System).Write(ctx, func(w *record.Writer) error {
		if err := (&importer{Service: s}).fence(SetTable).pass(ctx, w.Tx()); err != nil {
			return err
		}
		resting, err := recordsOf(ctx, w.Tx(), &record.Query{Table: set.Table, Fields: set.Table.Names(), Where: &query.And{Parts: []query.Node{
			&query.Term{Field: "rests_on", Op: query.Equal, Values: []string{run}},
			&query.Term{Field: "state", Op: query.Equal, Values: []string{string(Running)}}}}})
		if err != nil {
			return err
		}
		for _, r := range resting {
			if s.alive(r) {
				return fault.New(fault.Refused, "run %s shows rows of import set %s, and is running", r.Get("run").Text, set.Get("number").Text).
					WithHint("try again when it is done")
			}
		}
		return updateBook(ctx, w.Tx(), set, []record.Assignment{{Field: "moves", Value: record.Null}, {Field: "hash", Value: record.Null}})
	})
}

// sweep removes the staging rows of a set that no other shows, and those of sets that are forgotten already and that only
// this one still showed.
func (s *Service) sweep(ctx context.Context, set *record.Record) error {
	t, run := s.db.Catalog().Table(RowTable), whole(set, "run")
	if set.Get("mapped").Empty() { // its rows are shown nowhere else, and it shows no others
		return s.forgetRows(ctx, t, run, nil)
	}
	kin, err := s.sets(ctx, &query.Term{Field: "mapped", Op: query.Equal, Values: []string{set.Get("mapped").Text}})
	if err != nil {
		return err
	}
	wanted, kept := map[int64]*rowSet{run: {}}, map[int64]bool{}
	for p, err := range s.shownPages(ctx, run, 0) {
		if err != nil {
			return err
		}
		for _, st := range p.stretches {
			wanted[st.shown>>rowBits] = &rowSet{}
		}
	}
	for _, other := range kin {
		if kept[whole(other, "run")] = whole(other, "run") != run; kept[whole(other, "run")] {
			if err := s.note(ctx, whole(other, "run"), wanted); err != nil {
				return err
			}
		}
	}
	for from, rows := range wanted {
		if kept[from] {
			continue
		}
		if err := s.forgetRows(ctx, t, from, rows); err != nil {
			return err
		}
	}
	return nil
}

// note adds the rows that a run shows to those that are wanted of each run.
func (s *Service) note(ctx context.Context, run int64, wanted map[int64]*rowSet) error {
	for p, err := range s.shownPages(ctx, run, 0) {
		if err != nil {
			return err
		}
		for _, st := range p.stretches {
			if rows := wanted[st.shown>>rowBits]; rows != nil {
				for i := range st.rows {
					rows.add((st.shown + i) & MaxRows)
				}
			}
		}
	}
	return nil
}

// rowSet is numbers of rows, a bit each.
type rowSet struct{ bits []uint64 }

func (s *rowSet) add(row int64) {
	for int64(len(s.bits)) <= row/64 {
		s.bits = append(s.bits, 0)
	}
	s.bits[row/64] |= 1 << (row % 64)
}

func (s *rowSet) has(row int64) bool {
	return s != nil && row/64 < int64(len(s.bits)) && s.bits[row/64]>>(row%64)&1 == 1
}

// forgetRows removes the rows of a run from a table keyed by their ids, block by block, but for those that are kept.
func (s *Service) forgetRows(ctx context.Context, t *record.Table, run int64, kept *rowSet) error {
	next := int64(0)
	for more := true; more; {
		err := s.db.As(record.System).Write(ctx, func(w *record.Writer) error {
			var keys []record.Value
			from, n, last := next, 0, next
			q := &record.Query{Table: t, Fields: t.Key, Limit: forgetRows, OrderBy: []query.Order{{Field: "id"}}, Where: ofRun(run, from)}
			for row, err := range w.Tx().Select(ctx, q) {
				if err != nil {
					return err
				}
				n, last = n+1, whole64(row[0])&MaxRows
				if !kept.has(last) {
					keys = append(keys, row...)
				}
			}
			if more = n == forgetRows; len(keys) == 0 {
				next = last
				return nil
			}
			_, err := w.Tx().Delete(ctx, t, keys)
			next = last
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
