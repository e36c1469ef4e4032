package event

import (
	"context"
	"slices"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// List gives the events that meet a condition, the newest first; limit 0 is all.
func (s *Service) List(ctx context.Context, where query.Node, limit int) ([]*record.Record, error) {
	t := s.table(Table)
	return s.all(ctx, &record.Query{Table: t, Fields: t.Names(), Where: where, Limit: limit, OrderBy: []query.Order{{Field: record.SysID, Desc: true}}})
}

// Show gives an event and its handler runs.
func (s *Service) Show(ctx context.Context, id string) (e *record.Record, runs []*record.Record, err error) {
	t := s.table(Table)
	found, err := s.all(ctx, &record.Query{Table: t, Fields: t.Names(), Keys: keyed(record.SysID, id)})
	if err == nil && len(found) == 0 {
		err = fault.New(fault.NotFound, "no event %s", id).WithHint("`headrace event list` shows them")
	}
	if err != nil {
		return nil, nil, err
	}
	t = s.table(RunTable)
	runs, err = s.all(ctx, &record.Query{Table: t, Fields: t.Names(), Keys: keyed("event", id), OrderBy: []query.Order{{Field: record.SysID}}})
	return found[0], runs, err
}

func (s *Service) all(ctx context.Context, q *record.Query) (out []*record.Record, err error) {
	for row, err := range s.db.As(record.System).Select(ctx, q) {
		if err != nil {
			return nil, err
		}
		out = append(out, &record.Record{Table: q.Table, Values: slices.Clone(row)})
	}
	return out, nil
}
