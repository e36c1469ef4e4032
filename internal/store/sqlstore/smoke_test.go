package sqlstore_test

import (
	"context"
	"path/filepath"
	"testing"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/store/sqlstore"
)

func TestSmoke(t *testing.T) {
	ctx := context.Background()
	s, err := sqlstore.Open(ctx, sqlstore.Config{Path: filepath.Join(t.TempDir(), "a.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	cat, err := record.NewCatalog(record.Table{Name: "thing", Fields: []record.Field{{Name: "name", Type: record.String, Unique: true}, {Name: "n", Type: record.Integer},
		{Name: "d", Type: record.Decimal}, {Name: "b", Type: record.Boolean}, {Name: "parent", Type: record.Reference, Reference: "thing"}}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Reshape(ctx, cat, false)
	t.Log(got, err)
	th := cat.Table("thing")
	err = s.Write(ctx, record.Durable, func(tx record.Tx) error {
		rows := &record.Rows{Fields: []string{"sys_id", "name", "n", "d", "b", "parent"}, Shared: []record.Assignment{{"sys_mod_count", record.Text("0")}}}
		rows.Values = append(rows.Values, record.Text("1"), record.Text("Änn"), record.Text("5"), record.Text("1.5"), record.Text("true"), record.Null)
		rows.Values = append(rows.Values, record.Text("2"), record.Text("Bob"), record.Text("-7"), record.Text("-12.25"), record.Text("false"), record.Text("1"))
		if err := tx.Insert(ctx, th, rows); err != nil {
			return err
		}
		err := tx.Nest(ctx, func(tx record.Tx) error { rows.Values[0].Text = "3"; return tx.Insert(ctx, th, rows) })
		t.Log(err)
		stale, err := tx.Update(ctx, th, &record.Rows{Fields: []string{"sys_id", "sys_mod_count", "n"}, Values: []record.Value{record.Text("1"), record.Text("0"), record.Text("6"),
			record.Text("2"), record.Text("4"), record.Text("6")}})
		t.Log(stale, err)
		for row, err := range tx.Select(ctx, &record.Query{Table: th, Fields: []string{"sys_id", "name", "n", "d", "b", "parent.name", "sys_mod_count"},
			Keys:    &record.Keys{Fields: []string{"name", "d"}, Fold: []bool{true}, Tuples: []record.Value{record.Text("änn"), record.Text("1.5"), record.Text("bob"), record.Text("-12.25")}},
			OrderBy: []query.Order{{Field: "d"}}}) {
			t.Log(row, err)
		}
		for row, err := range tx.Select(ctx, &record.Query{Table: th, Measures: []record.Measure{{"count", ""}, {"sum", "d"}, {"avg", "n"}, {"avg", "d"}, {"max", "d"}}}) {
			t.Log(row, err)
		}
		return nil
	})
	t.Log(err)
}
