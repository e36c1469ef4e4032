package sqlstore_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/store/sqlstore"
	"headrace/internal/store/storetest/stores"
)

func TestProcessesDefineOneTableAtOnce(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		var dbs []*record.DB
		for range 4 {
			db, err := record.Open(t.Context(), stores.Open(t, cfg), record.Config{})
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

// Tables, fields and choices are made by records of the dictionary, in the transaction that writes them.
func TestRecordsOfTheDictionaryMakeTables(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		db := openDB(t, cfg, jobs...)
		other := openDB(t, cfg)
		object := mustInsert(t, db, record.ObjectTable, "name", "u_call", "label", "Call", "super_class", "job")
		if object.Get("super_class").Text != record.IDFrom(record.ObjectTable, "job") {
			t.Errorf("the parent is kept as %q", object.Get("super_class").Text)
		}
		mustInsert(t, db, record.DictionaryTable, "name", "u_call", "element", "u_length", "internal_type", "integer", "column_label", "Length", "default_value", "7")
		mustInsert(t, db, record.DictionaryTable, "name", "job", "element", "u_state", "internal_type", "choice")
		for _, c := range []string{"open", "shut"} {
			mustInsert(t, db, record.ChoiceTable, "name", "job", "element", "u_state", "value", c, "label", "is "+c)
		}
		mustInsert(t, db, record.ChoiceTable, "name", "u_call", "element", "u_state", "value", "ringing", "label", "Ringing")
		if err := other.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		for name, p := range map[string]*record.DB{"the same process": db, "another process": other, "a new process": openDB(t, cfg)} {
			call := p.Catalog().Table("u_call")
			if call == nil || call.Extends != "job" || call.Title() != "Call" || call.Field("number") == nil {
				t.Fatalf("%s has %+v", name, call)
			}
			if r := mustInsert(t, p, "u_call", "u_state", "ringing", "note", name); r.Get("u_length").Text != "7" || r.Get(record.SysClassName).Text != "u_call" {
				t.Errorf("%s made %v", name, r.Values)
			}
			if _, err := p.As(record.System).Insert(t.Context(), p.Catalog().Table("job"), given("u_state", "ringing")); fault.KindOf(err) != fault.Invalid {
				t.Errorf("%s took a choice of another table: %v", name, err)
			}
		}
		if n := defined(t, db, record.DictionaryTable, "u_call"); n != 3 {
			t.Errorf("the dictionary has %d entries of u_call, want one for the table, its field, and the field with choices of its own", n)
		}
	})
}

func TestWhatTablesCannotFollowIsRefused(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		db := openDB(t, cfg, jobs...)
		mustInsert(t, db, "job", "note", "same")
		mustInsert(t, db, "job", "note", "same")
		for _, c := range []struct {
			table  string
			values []string
			want   fault.Kind
		}{
			{record.ObjectTable, []string{"name", "Bad Name"}, fault.Invalid},
			{record.ObjectTable, []string{"name", "sys_mine"}, fault.Refused},
			{record.ObjectTable, []string{"name", "job"}, fault.Conflict},
			{record.ObjectTable, []string{"name", "u_child", "super_class", "nowhere"}, fault.Invalid},
			{record.ObjectTable, []string{"name", "u_change", "super_class", record.ChangeTable}, fault.Invalid},
			{record.DictionaryTable, []string{"name", "nowhere", "element", "u_x", "internal_type", "string"}, fault.Invalid},
			{record.DictionaryTable, []string{"name", "job", "element", "u_x", "internal_type", "colour"}, fault.Invalid},
			{record.DictionaryTable, []string{"name", "job", "internal_type", "string"}, fault.Invalid},
			{record.DictionaryTable, []string{"name", "job", "element", "note", "internal_type", "string"}, fault.Conflict},
			{record.DictionaryTable, []string{"name", "repair", "element", "note", "internal_type", "integer"}, fault.Conflict},
			{record.DictionaryTable, []string{"name", record.ChangeTable, "element", "u_x", "internal_type", "string"}, fault.Refused},
			{record.IndexTable, []string{"name", "job", "fields", `["note"]`, "unique", "true"}, fault.Conflict},
		} {
			_, err := db.As(record.System).Insert(t.Context(), db.Catalog().Table(c.table), given(c.values...))
			if fault.KindOf(err) != c.want || err == nil {
				t.Errorf("%s %v: %v", c.table, c.values, err)
			}
		}
		s, entry := db.As(record.System), record.IDFrom(record.DictionaryTable, "job.note")
		dictionary := db.Catalog().Table(record.DictionaryTable)
		if _, _, err := s.Update(t.Context(), dictionary, entry, given("element", "u_renamed")); fault.KindOf(err) != fault.Refused {
			t.Errorf("a field was renamed: %v", err)
		}
		if _, _, err := s.Update(t.Context(), dictionary, entry, given("internal_type", "integer")); fault.KindOf(err) != fault.Conflict {
			t.Errorf("a field changed its type: %v", err)
		}
		if err := s.Delete(t.Context(), dictionary, entry); fault.KindOf(err) != fault.Refused {
			t.Errorf("a field was removed: %v", err)
		}
		if _, _, err := s.Update(t.Context(), dictionary, entry, given("column_label", "Remark")); err != nil {
			t.Error(err)
		}
		again := openDB(t, cfg)
		if f := again.Catalog().Table("tyre").Field("note"); f == nil || f.Label != "Remark" || again.Catalog().Table("job").Field("u_x") != nil {
			t.Errorf("the store is left with %+v", f)
		}
		mustInsert(t, again, "job", "note", "still works")
	})
}
