package sqlstore_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/store/sqlstore"
	"headrace/internal/store/storetest/stores"
)

// openDB opens the store as one process does, with these tables defined.
func openDB(t testing.TB, cfg sqlstore.Config, tables ...record.Table) *record.DB {
	t.Helper()
	db, err := record.Open(t.Context(), stores.Open(t, cfg), record.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if len(tables) > 0 {
		if _, err := db.Define(t.Context(), record.System, false, tables...); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

func given(values ...string) []record.Assignment {
	var out []record.Assignment
	for i := 0; i < len(values); i += 2 {
		out = append(out, record.Assignment{Field: values[i], Value: record.Text(values[i+1])})
	}
	return out
}

func mustInsert(t testing.TB, db *record.DB, table string, values ...string) *record.Record {
	t.Helper()
	r, err := db.As(record.System).Insert(t.Context(), db.Catalog().Table(table), given(values...))
	if err != nil {
		t.Fatalf("%s %v: %v", table, values, err)
	}
	return r
}

// column reads one field of all records of a table, sorted.
func column(t testing.TB, db *record.DB, table, field string) []string {
	t.Helper()
	var out []string
	for row, err := range db.As(record.System).Select(context.Background(), &record.Query{Table: db.Catalog().Table(table), Fields: []string{field}}) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, row[0].Text)
	}
	slices.Sort(out)
	return out
}

var jobs = []record.Table{
	{Name: "job", Extendable: true, Fields: []record.Field{{Name: "number", Type: record.String, Display: true}, {Name: "note", Type: record.String}}},
	{Name: "repair", Extends: "job"}, {Name: "tyre", Extends: "repair"}, {Name: "visit", Extends: "job"}}

func numbered(t testing.TB, db *record.DB) {
	mustInsert(t, db, record.NumberTable, "category", "job", "prefix", "J", "number", "10", "maximum_digits", "4")
	mustInsert(t, db, record.NumberTable, "category", "repair", "prefix", "REP", "maximum_digits", "2")
}

func TestTheNearestTableWithANumberingWins(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		db := openDB(t, cfg, append(jobs, record.Table{Name: "free", Fields: []record.Field{{Name: "number", Type: record.String}}})...)
		numbered(t, db)
		for _, c := range [][2]string{{"job", "J0011"}, {"visit", "J0012"}, {"repair", "REP01"}, {"tyre", "REP02"}, {"free", ""}} {
			if got := mustInsert(t, db, c[0]).Get("number").Text; got != c[1] {
				t.Errorf("%s is numbered %q, want %q", c[0], got, c[1])
			}
		}
		if got := mustInsert(t, db, "job", "number", "MINE").Get("number").Text; got != "MINE" {
			t.Errorf("a number that was given became %q", got)
		}
		if got := mustInsert(t, db, "job", record.SysClassName, "repair").Get("number").Text; got != "REP03" {
			t.Errorf("a repair inserted as a job is numbered %q", got)
		}
		for range 97 {
			mustInsert(t, db, "repair")
		}
		if got := mustInsert(t, db, "repair").Get("number").Text; got != "REP101" {
			t.Errorf("past the digits comes %q", got)
		}
	})
}

func TestNumbersAreGivenOnceWhoeverInserts(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		db := openDB(t, cfg, jobs...)
		numbered(t, db)
		dbs := []*record.DB{db, openDB(t, cfg), openDB(t, cfg)}
		var all sync.WaitGroup
		for i := range 6 {
			all.Go(func() {
				s := dbs[i%len(dbs)].As(record.System)
				job := dbs[i%len(dbs)].Catalog().Table("job")
				for range 15 {
					if _, err := s.Insert(t.Context(), job, nil); err != nil {
						t.Error(err)
					}
				}
				err := s.Write(t.Context(), func(w *record.Writer) error { return w.InsertRows(t.Context(), job, blockOf(10)) })
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		got := column(t, db, "job", "number")
		if slices.Contains(got, "") || len(slices.Compact(slices.Clone(got))) != 6*25 {
			t.Errorf("%d records have the numbers %v", len(got), got)
		}
	})
}

// blockOf is a block of new records without numbers.
func blockOf(n int) *record.Rows {
	rows := &record.Rows{Fields: []string{record.SysID, "note"}}
	for i := range n {
		rows.Values = append(rows.Values, record.Text(record.NewID()), record.Text(fmt.Sprint(i)))
	}
	return rows
}

func TestABlockIsNumberedAtOnce(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		db := openDB(t, cfg, jobs...)
		numbered(t, db)
		job := db.Catalog().Table("job")
		write := func(rows *record.Rows) {
			t.Helper()
			if err := db.As(record.System).Write(t.Context(), func(w *record.Writer) error { return w.InsertRows(t.Context(), job, rows) }); err != nil {
				t.Fatal(err)
			}
		}
		write(blockOf(3))
		write(&record.Rows{Fields: []string{record.SysID, "number"}, Values: []record.Value{record.Text(record.NewID()), record.Text("MINE"), record.Text(record.NewID()), record.Null}})
		if got := fmt.Sprint(column(t, db, "job", "number")); got != "[J0011 J0012 J0013 J0014 MINE]" {
			t.Errorf("the numbers are %s", got)
		}
		if got := column(t, db, record.NumberTable, record.SysModCount); !slices.Contains(got, "2") {
			t.Errorf("two blocks moved the counters %v times", got)
		}
	})
}

func TestANumberThatWasNotUsedIsGivenAgain(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		db := openDB(t, cfg, jobs...)
		numbered(t, db)
		err := db.As(record.System).Write(t.Context(), func(w *record.Writer) error {
			if _, err := w.Insert(t.Context(), db.Catalog().Table("job"), nil); err != nil {
				return err
			}
			return errUndo
		})
		if err == nil {
			t.Fatal("the transaction went through")
		}
		if got := mustInsert(t, db, "job").Get("number").Text; got != "J0011" {
			t.Errorf("after a failed transaction comes %s", got)
		}
	})
}

func TestNothingIsNumberedThatIsNotThere(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		db := openDB(t, cfg)
		_, err := db.As(record.System).Insert(t.Context(), db.Catalog().Table(record.NumberTable), given("category", "nowhere"))
		if fault.KindOf(err) != fault.Invalid {
			t.Errorf("got %v", err)
		}
	})
}
