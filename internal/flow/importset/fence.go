package importset

import (
	"context"
	"strconv"
	"strings"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// fence serialises transactions of several imports, whatever processes they run in, and tells whether others have been
// there. Each hierarchy of target tables has one, which every batch into any of them moves.
type fence struct {
	table  *record.Table // FenceTable
	name   string        // of what it is around
	mine   int64         // where it stood after this import last passed; 0 before
	others int64         // the last place where somebody else had put it
}

func (im *importer) fence(name string) *fence {
	return &fence{table: im.db.Catalog().Table(FenceTable), name: name}
}

// around gives the fence of a table. All tables of a hierarchy have one: the same records are in several of them.
func (im *importer) around(t *record.Table) *fence { return im.fence(t.Physical) }

// latePrefix begins the names of the fences of runs that wrote after their end: see late.
const latePrefix = "late run "

// late gives the fence that a run passes in each transaction in which it writes after it had ended, be it resumed, tried
// again or to deal with absent records: whoever looks for what was written since some moment looks at such runs too.
func (s *Service) late(run int64) *fence {
	return (&importer{Service: s}).fence(latePrefix + strconv.FormatInt(run, 10))
}

// lateRuns lists the numbers of runs that wrote after their end.
func (s *Service) lateRuns(ctx context.Context, tx record.Tx) (numbers []string, err error) {
	q := &record.Query{Table: s.db.Catalog().Table(FenceTable), Fields: []string{"table_name"},
		Where: &query.Term{Field: "table_name", Op: query.StartsWith, Values: []string{latePrefix}}}
	for row, err := range tx.Select(ctx, q) {
		if err != nil {
			return nil, err
		}
		numbers = append(numbers, strings.TrimPrefix(row[0].Text, latePrefix))
	}
	return numbers, nil
}

// look tells where the fence stands. What the transaction reads afterwards holds at least the writes of all who have
// moved it so far.
func (f *fence) look(ctx context.Context, tx record.Tx) (int64, error) {
	q := &record.Query{Table: f.table, Fields: []string{"moves"}, Keys: &record.Keys{Fields: []string{"table_name"}, Fold: []bool{false}, Tuples: []record.Value{record.Text(f.name)}}}
	for row, err := range tx.Select(ctx, q) {
		if err != nil {
			return 0, err
		}
		return strconv.ParseInt(row[0].Text, 10, 64)
	}
	return 0, nil
}

// pass waits until nobody else is inside, and moves the fence; it stays closed until the transaction ends. What others
// wrote is unknown to those who looked before f.others.
func (f *fence) pass(ctx context.Context, tx record.Tx) error {
	if err := f.close(ctx, tx); err != nil {
		return err
	}
	now, err := f.look(ctx, tx)
	if err != nil {
		return err
	}
	if now != f.mine {
		f.others = now
	}
	f.mine = now + 1
	_, err = tx.Update(ctx, f.table, f.row("moves", f.mine))
	return err
}

// close locks the row of the fence by writing to it, before its moves are read: read first, they could be another's by
// the time of the writing.
func (f *fence) close(ctx context.Context, tx record.Tx) error {
	for {
		missing, err := tx.Update(ctx, f.table, f.row("closed", 1))
		if err != nil || len(missing) == 0 {
			return err
		}
		err = tx.Nest(ctx, func(tx record.Tx) error { return tx.Insert(ctx, f.table, f.row("moves", 0)) })
		if err != nil && fault.KindOf(err) != fault.Conflict {
			return err
		}
	}
}

func (f *fence) row(field string, n int64) *record.Rows {
	return &record.Rows{Fields: []string{"table_name", field}, Values: []record.Value{record.Text(f.name), record.Text(strconv.FormatInt(n, 10))}}
}
