package sqlstore_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/store/sqlstore"
	"headrace/internal/store/storetest/stores"
)

// What must be answered by walking an index however large the table is.
func TestIndexedQueriesDoNotScan(t *testing.T) {
	keys := func(n int, fields ...string) *record.Keys {
		k := &record.Keys{Fields: fields, Fold: []bool{true, false}[:len(fields)]}
		for i := range n {
			k.Tuples = append(k.Tuples, record.Text(fmt.Sprintf("name %d", i)))
			if len(fields) > 1 {
				k.Tuples = append(k.Tuples, record.Text(fmt.Sprint(i)))
			}
		}
		return k
	}
	byID := &record.Keys{Fields: []string{record.SysID}, Fold: []bool{false}, Tuples: []record.Value{record.Text("1"), record.Text("2")}}
	withEmpty := keys(3, "name")
	withEmpty.Tuples = append(withEmpty.Tuples, record.Null)
	exactly := keys(3, "name")
	exactly.Fold[0] = false
	cases := map[string]*record.Query{
		"equality":          {Where: &query.Term{Field: "name", Op: query.Equal, Values: []string{"Name 5"}}},
		"list":              {Where: &query.Term{Field: "name", Op: query.In, Values: []string{"Name 5", "name 6"}}},
		"prefix":            {Where: &query.Term{Field: "name", Op: query.StartsWith, Values: []string{"Name 55"}}},
		"id":                {Where: &query.Term{Field: "sys_id", Op: query.Equal, Values: []string{"1"}}},
		"reference":         {Where: &query.Term{Field: "link", Op: query.Equal, Values: []string{"1"}}},
		"one key":           {Keys: keys(1, "name")},
		"500 keys":          {Keys: keys(500, "name")},
		"keys of a pair":    {Keys: keys(500, "name", "count")},
		"ids":               {Keys: byID},
		"keys, one empty":   {Keys: withEmpty},
		"keys, exactly":     {Keys: exactly},
		"related records":   {Where: &query.And{Parts: []query.Node{&query.Term{Field: "sys_id", Op: query.Equal, Values: []string{"1"}}, &query.Related{Table: "thing", Field: "link", Op: ">=", Count: 1}}}},
		"the first by name": {OrderBy: []query.Order{{Field: "sys_id"}}, Limit: 5},
	}
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		s := stores.Open(t, cfg)
		table := planTable(t, s)
		for name, q := range cases {
			q.Table, q.Fields = table, []string{"sys_id", "note", "count"}
			plan, err := s.Explain(context.Background(), q)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s: %s", name, strings.ReplaceAll(plan, "\n", " / "))
			for line := range strings.SplitSeq(plan, "\n") {
				line = strings.TrimSpace(line)
				if strings.HasPrefix(line, "SCAN ") && !strings.Contains(line, "VIRTUAL TABLE") && !strings.Contains(line, "USING INDEX") || strings.Contains(line, "Seq Scan") {
					t.Errorf("%s scans:\n%s", name, plan)
				}
			}
		}
	})
}

// The order of an index holds within one value of its first field: the next in a line is its first entry, however long
// the table and the line are.
func TestFirstOfOneKeyIsFoundByItsIndex(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		s := stores.Open(t, cfg)
		q := &record.Query{Table: planTable(t, s), Fields: []string{"sys_id"}, OrderBy: []query.Order{{Field: "sys_id"}}, Limit: 25,
			Keys: &record.Keys{Fields: []string{"link"}, Fold: []bool{false}, Tuples: []record.Value{record.Text("1")}}}
		plan, err := s.Explain(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(plan, "ix_thing_link") || strings.Contains(plan, "Sort") || strings.Contains(plan, "TEMP B-TREE") {
			t.Error(plan)
		}
	})
}

func planTable(t *testing.T, s *sqlstore.Store) *record.Table {
	ctx := context.Background()
	cat, err := record.NewCatalog(record.Table{Name: "thing", Fields: []record.Field{{Name: "name", Type: record.String}, {Name: "note", Type: record.String},
		{Name: "count", Type: record.Integer}, {Name: "link", Type: record.Reference, Reference: "thing"}},
		Indexes: []record.Index{{Fields: []string{"name"}}, {Fields: []string{"name", "count"}}, {Fields: []string{"link", "sys_id"}}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Reshape(ctx, cat, false); err != nil {
		t.Fatal(err)
	}
	table := cat.Table("thing")
	rows := &record.Rows{Fields: []string{"sys_id", "name", "note", "count", "link"}}
	for i := range 20_000 {
		for _, v := range []string{fmt.Sprintf("%032x", i), fmt.Sprintf("Name %d", i), "a note of some length, as notes are", fmt.Sprint(i), fmt.Sprintf("%032x", i/3)} {
			rows.Values = append(rows.Values, record.Text(v))
		}
	}
	err = s.Write(ctx, record.Durable, func(tx record.Tx) error {
		if err := tx.Insert(ctx, table, rows); err != nil {
			return err
		}
		if p := tx.(*sqlstore.Tx).PGX(); p != nil {
			_, err := p.Exec(ctx, "ANALYZE thing")
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return table
}
