package basetables

import (
	"context"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// seeds are records of one table. Key is the field that tells them apart; their ids are derived from it.
type seeds struct {
	Table string              `yaml:"table"`
	Key   string              `yaml:"key"`
	Once  bool                `yaml:"once"` // never brought up to date: the product counts in them
	Rows  []map[string]string `yaml:"rows"`
}

// plant adds the records that are missing and brings those up to date that nobody else has changed. A record that
// somebody has deleted stays deleted.
func (s seeds) plant(ctx context.Context, w *record.Writer, db *record.DB) error {
	t, err := db.Table(s.Table)
	if err != nil {
		return err
	}
	have, err := s.present(ctx, w, t)
	if err != nil {
		return err
	}
	gone, err := s.deleted(ctx, w)
	if err != nil {
		return err
	}
	for _, row := range s.Rows {
		id := s.id(row)
		values := make([]record.Assignment, 0, len(row)+1)
		for field, text := range row {
			values = append(values, record.Assignment{Field: field, Value: record.Text(text)})
		}
		by, there := have[query.Fold(row[s.Key])]
		switch {
		case !there && !gone[id]:
			_, err = w.Insert(ctx, t, append(values, record.Assignment{Field: record.SysID, Value: record.Text(id)}))
		case there && !s.Once && by == actor.Name:
			_, _, err = w.Update(ctx, t, id, values)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s seeds) id(row map[string]string) string { return record.IDFrom(s.Table, row[s.Key]) }

// present tells who wrote the records that are there, by their key.
func (s seeds) present(ctx context.Context, w *record.Writer, t *record.Table) (map[string]string, error) {
	keys := &record.Keys{Fields: []string{s.Key}, Fold: []bool{true}}
	for _, row := range s.Rows {
		keys.Tuples = append(keys.Tuples, record.Text(query.Fold(row[s.Key])))
	}
	by := map[string]string{}
	for row, err := range w.Tx().Select(ctx, &record.Query{Table: t, Fields: []string{s.Key, record.SysUpdatedBy}, Keys: keys}) {
		if err != nil {
			return nil, err
		}
		by[query.Fold(row[0].Text)] = row[1].Text
	}
	return by, nil
}

// deleted finds the records that were there once, by their ids.
func (s seeds) deleted(ctx context.Context, w *record.Writer) (map[string]bool, error) {
	ids := make([]string, len(s.Rows))
	for i, row := range s.Rows {
		ids[i] = s.id(row)
	}
	return w.Removed(ctx, ids...)
}
