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
// stays, and cannot be taken back any more. A set whose rows may still be wanted is Refused: it must be done, undone,
// cancelled or failed. Cut off, it goes on when asked again.
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
	run := whole(set, "run")
	for _, name := range []string{OutcomeTable, RowTable} {
		if err := s.forgetRows(ctx, s.db.Catalog().Table(name), run); err != nil {
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
		_, err := w.Tx().Delete(ctx, set.Table, []record.Value{record.Text(set.ID())})
		return err
	})
}

// forgetRows removes the rows of a run from a table keyed by their ids, block by block.
func (s *Service) forgetRows(ctx context.Context, t *record.Table, run int64) error {
	bound := func(op query.Op, id int64) query.Node {
		return &query.Term{Field: "id", Op: op, Values: []string{strconv.FormatInt(id, 10)}}
	}
	q := &record.Query{Table: t, Fields: t.Key, Limit: forgetRows, OrderBy: []query.Order{{Field: "id"}},
		Where: &query.And{Parts: []query.Node{bound(query.GreaterEqual, rowID(run, 0)), bound(query.Less, rowID(run+1, 0))}}}
	for {
		removed := 0
		err := s.db.As(record.System).Write(ctx, func(w *record.Writer) error {
			var keys []record.Value
			for row, err := range w.Tx().Select(ctx, q) {
				if err != nil {
					return err
				}
				keys = append(keys, row...)
			}
			removed = len(keys)
			if removed == 0 {
				return nil
			}
			_, err := w.Tx().Delete(ctx, t, keys)
			return err
		})
		if err != nil || removed == 0 {
			return err
		}
	}
}
