package sqlstore

import (
	"context"
	"strings"

	"headrace/internal/core/record"
)

// Explain tells how the database would answer q, in its own words, one step a line. Inspect and doctor use it to find
// look-ups without an index.
func (s *Store) Explain(ctx context.Context, q *record.Query) (string, error) {
	st, err := s.selection(q)
	if err != nil {
		return "", err
	}
	prefix := "EXPLAIN "
	if s.d.name == "sqlite" {
		prefix = "EXPLAIN QUERY PLAN "
	}
	var lines []string
	err = s.Read(ctx, func(tx record.Tx) error {
		return tx.(*Tx).c.query(ctx, prefix+st.sql, st.args, func(row []record.Value) bool {
			lines = append(lines, row[len(row)-1].Text)
			return true
		})
	})
	return strings.Join(lines, "\n"), s.inside(err)
}
