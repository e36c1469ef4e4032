package sqlstore_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"headrace/internal/core/record"
	"headrace/internal/store/sqlstore"
)

func TestProcessesDefineOneTableAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, cfg sqlstore.Config) {
		var dbs []*record.DB
		for range 4 {
			db, err := record.Open(t.Context(), open(t, cfg), record.Config{})
			if err != nil {
				t.Fatal(err)
			}
			dbs = append(dbs, db)
		}
		for round := range 5 {
			want := record.Table{Name: fmt.Sprintf("city_%d", round), Fields: []record.Field{{Name: "name", Type: record.String}, {Name: "land", Type: record.String}},
				Indexes: []record.Index{{Fields: []string{"name"}}, {Fields: []string{"land", "name"}}}}
			var all sync.WaitGroup
			for _, db := range dbs {
				all.Go(func() {
					if _, err := db.Define(t.Context(), record.System, false, want); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			for table, records := range map[string]int64{record.ObjectTable: 1, record.DictionaryTable: 1 + 6 + 2, record.IndexTable: 2} {
				if n := defined(t, dbs[0], table, want.Name); n != records {
					t.Errorf("%s has %d records of %s, want %d", table, n, want.Name, records)
				}
			}
		}
	})
}

// defined counts the records that a table of the dictionary has of one name.
func defined(t *testing.T, db *record.DB, table, name string) int64 {
	t.Helper()
	n := int64(0)
	for row, err := range db.As(record.System).Select(context.Background(), &record.Query{Table: db.Catalog().Table(table), Fields: []string{"name"}}) {
		if err != nil {
			t.Fatal(err)
		}
		if row[0].Text == name {
			n++
		}
	}
	return n
}
