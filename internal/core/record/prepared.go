package record

import (
	"context"
	"errors"
	"iter"
	"strconv"

	"headrace/internal/core/query"
)

// Prepared is a query narrowed to what its actor may read. Several can be answered in one transaction: the Guard has
// been asked before it began, so that no transaction waits for another.
type Prepared struct{ sight *sight }

// Prepare narrows a query to what the session's actor may read; see Select for what it refuses.
func (s Session) Prepare(ctx context.Context, q *Query) (*Prepared, error) {
	sight, err := s.see(ctx, q)
	return &Prepared{sight: sight}, err
}

// PrepareCount is Prepare for the count of records.
func (s Session) PrepareCount(ctx context.Context, t *Table, where query.Node) (*Prepared, error) {
	return s.Prepare(ctx, &Query{Table: t, Where: where, Measures: []Measure{{Func: "count"}}})
}

// Rows answers the query; see Session.Select.
func (p *Prepared) Rows(ctx context.Context, tx Tx) iter.Seq2[[]Value, error] {
	return func(yield func([]Value, error) bool) {
		for row, err := range tx.Select(ctx, p.sight.query) {
			if err == nil {
				row = p.sight.show(p.sight.query.Table, row)
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

// Select reads what the session's actor may read, as Session.Select does, within the transaction: with what was written in
// it, and without a second one.
func (w *Writer) Select(ctx context.Context, q *Query) iter.Seq2[[]Value, error] {
	p, err := w.session.Prepare(ctx, q)
	if err != nil {
		return func(yield func([]Value, error) bool) { yield(nil, err) }
	}
	return p.Rows(ctx, w.tx)
}

// Count answers a query of PrepareCount.
func (p *Prepared) Count(ctx context.Context, tx Tx) (int64, error) {
	for row, err := range tx.Select(ctx, p.sight.query) {
		if err != nil {
			return 0, err
		}
		return strconv.ParseInt(row[0].Text, 10, 64)
	}
	return 0, nil
}

// MandatoryError is the cause of a fault of kind Invalid: a field that must hold something holds nothing.
type MandatoryError struct{ Field *Field }

// Error makes MandatoryError an error.
func (e *MandatoryError) Error() string { return "is mandatory and empty" }

// ErrStale is the cause of a fault of kind Conflict: the record was changed between reading and writing it. Trying
// again may help.
var ErrStale = errors.New("changed meanwhile")
