package basetables_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"headrace/internal/app/basetables"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/access"
	"headrace/internal/flow/importset"
	"headrace/internal/store/sqlstore"
	"headrace/internal/store/storetest/stores"
)

func TestMain(m *testing.M) { stores.Main(m) }

// open opens the store as one process does.
func open(t testing.TB, cfg sqlstore.Config) *record.DB {
	t.Helper()
	db, err := record.Open(t.Context(), stores.Open(t, cfg), record.Config{Tables: append(importset.Tables(), access.Tables()...)})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func install(t testing.TB, db *record.DB) bool {
	t.Helper()
	made, err := basetables.Install(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// user is somebody who is not the product.
var user = record.Actor{ID: "u", Name: "ann", Trusted: true}

func table(t testing.TB, db *record.DB, name string) *record.Table {
	t.Helper()
	found, err := db.Table(name)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func insert(t testing.TB, db *record.DB, name string, values ...string) *record.Record {
	t.Helper()
	r, err := db.As(user).Insert(t.Context(), table(t, db, name), pairs(values))
	if err != nil {
		t.Fatalf("%s %v: %v", name, values, err)
	}
	return r
}

func pairs(values []string) []record.Assignment {
	var out []record.Assignment
	for i := 0; i < len(values); i += 2 {
		out = append(out, record.Assignment{Field: values[i], Value: record.Text(values[i+1])})
	}
	return out
}

// count counts the records that an encoded query finds.
func count(t testing.TB, db *record.DB, name string, where ...string) int64 {
	t.Helper()
	var parts []query.Node
	for i := 0; i < len(where); i += 2 {
		parts = append(parts, &query.Term{Field: where[i], Op: query.Equal, Values: []string{where[i+1]}})
	}
	n, err := db.As(record.System).Count(context.Background(), table(t, db, name), &query.And{Parts: parts})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestInstallingIsOnceAndForAll(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		db := open(t, cfg)
		start := time.Now()
		if !install(t, db) {
			t.Error("an empty store needed nothing")
		}
		t.Logf("the first time took %v", time.Since(start))
		start = time.Now()
		if install(t, db) {
			t.Error("the second time did something")
		}
		t.Logf("the second time took %v", time.Since(start))
		again := open(t, cfg)
		if install(t, again) {
			t.Error("after a restart it did something")
		}
		tables, err := basetables.Tables()
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range append(tables, db.Product()...) {
			if got := table(t, again, want.Name); got.Extends != want.Extends || got.Title() != want.Title() {
				t.Errorf("%s came back as %q extending %q", want.Name, got.Title(), got.Extends)
			}
			for _, f := range want.Fields {
				if got := table(t, again, want.Name).Field(f.Name); got == nil || got.Type != f.Type || got.Default != f.Default || len(got.Choices) != len(f.Choices) || got.Reference != f.Reference {
					t.Errorf("%s.%s came back as %+v", want.Name, f.Name, got)
				}
			}
		}
	})
}

// Every reference leads to a table that exists, and every default is a value of its field.
func TestBaseTablesAreSound(t *testing.T) {
	db := open(t, stores.SQLite(t))
	install(t, db)
	for _, name := range db.Catalog().Names() {
		for _, f := range table(t, db, name).Fields {
			if f.Reference != "" && db.Catalog().Table(f.Reference) == nil {
				t.Errorf("%s.%s refers to %s, which is not there", name, f.Name, f.Reference)
			}
			if _, err := f.Value(record.Text(f.Default)); err != nil {
				t.Errorf("%s.%s: the default %q: %v", name, f.Name, f.Default, err)
			}
			if len(f.Choices) > 0 && f.Default != "" && !f.HasChoice(f.Default) {
				t.Errorf("%s.%s: the default %q is no choice", name, f.Name, f.Default)
			}
		}
	}
}

func TestProcessesInstallAtOnce(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		dbs := []*record.DB{open(t, cfg), open(t, cfg), open(t, cfg)}
		var all sync.WaitGroup
		for _, db := range dbs {
			all.Go(func() {
				if _, err := basetables.Install(t.Context(), db); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		for _, db := range dbs {
			for where, want := range map[[3]string]int64{{"sys_number", "category", "incident"}: 1, {"sys_db_object", "name", "incident"}: 1,
				{"sys_properties", "name", "glide.war"}: 1, {"cmdb_rel_type", "name", "Runs on::Runs"}: 1} {
				if n := count(t, db, where[0], where[1], where[2]); n != want {
					t.Errorf("%v: %d records", where, n)
				}
			}
		}
	})
}

// A newer product brings its tables up to date and leaves alone what users have changed, removed or made themselves.
func TestInstallingANewerProductKeepsWhatUsersChanged(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		db := open(t, cfg)
		install(t, db)
		ctx := t.Context()
		property := table(t, db, "sys_properties")
		change := func(tab *record.Table, id string, values ...string) {
			t.Helper()
			if _, _, err := db.As(user).Update(ctx, tab, id, pairs(values)); err != nil {
				t.Fatal(err)
			}
		}
		change(property, record.IDFrom("sys_properties", "glide.war"), "value", "mine")
		change(table(t, db, "sys_dictionary"), record.IDFrom("sys_dictionary", "task.short_description"), "column_label", "Summary")
		gone := record.IDFrom("sys_choice", "incident.category=database")
		if err := db.As(user).Delete(ctx, table(t, db, "sys_choice"), gone); err != nil {
			t.Fatal(err)
		}
		if err := db.As(user).Delete(ctx, table(t, db, "cmdb_rel_type"), record.IDFrom("cmdb_rel_type", "Owns::Owned by")); err != nil {
			t.Fatal(err)
		}
		insert(t, db, "incident")
		change(property, record.IDFrom("sys_properties", "headrace.base.revision"), "value", "older")

		if !install(t, db) {
			t.Fatal("an older revision needed nothing")
		}
		db = open(t, cfg)
		if n := count(t, db, "sys_properties", "name", "glide.war", "value", "mine"); n != 1 {
			t.Error("a changed property was overwritten")
		}
		incident := table(t, db, "incident")
		if label := incident.Field("short_description").Label; label != "Summary" {
			t.Errorf("a changed label became %q", label)
		}
		if incident.Field("category").HasChoice("database") {
			t.Error("a removed choice came back")
		}
		if count(t, db, "cmdb_rel_type", "name", "Owns::Owned by") != 0 {
			t.Error("a removed record came back")
		}
		if got := insert(t, db, "incident").Get("number").Text; got != "INC0010002" {
			t.Errorf("numbering went on with %s", got)
		}
	})
}

// What users have made under names of the base tables stays, and what extends it is not made over it.
func TestInstallingLeavesTablesThatAreThere(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		db := open(t, cfg)
		for _, mine := range []record.Table{
			{Name: "cmdb_ci_server", Fields: []record.Field{{Name: "name", Type: record.String}, {Name: "ram", Type: record.String}}},
			{Name: "cmn_location", Fields: []record.Field{{Name: "name", Type: record.String}, {Name: "latitude", Type: record.String}}}} {
			if _, err := db.Define(t.Context(), user, false, mine); err != nil {
				t.Fatal(err)
			}
		}
		kept := insert(t, db, "cmdb_ci_server", "name", "alpha", "ram", "much")
		install(t, db)
		db = open(t, cfg)
		if server := table(t, db, "cmdb_ci_server"); server.Extends != "" || server.Field("ram").Type != record.String {
			t.Errorf("the table that was there is %+v", server)
		}
		if r, err := db.As(user).Get(t.Context(), table(t, db, "cmdb_ci_server"), kept.ID()); err != nil || r.Get("ram").Text != "much" {
			t.Errorf("%v %v", r, err)
		}
		if db.Catalog().Table("cmdb_ci_linux_server") != nil {
			t.Error("a class was put over a table that has none")
		}
		location := table(t, db, "cmn_location")
		if location.Field("latitude").Type != record.String || location.Field("city") == nil {
			t.Errorf("the location is %v", location.Names())
		}
		insert(t, db, "cmdb_ci_computer", "name", "beta")
	})
}

// Stores of older versions keep the parent of a table by its name.
func TestParentsByNameAreUnderstoodAndLinked(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		db := open(t, cfg)
		if _, err := db.Define(t.Context(), user, false, record.Table{Name: "u_old", Extendable: true, Fields: []record.Field{{Name: "name", Type: record.String}}},
			record.Table{Name: "u_child", Extends: "u_old"}); err != nil {
			t.Fatal(err)
		}
		object := table(t, db, "sys_db_object")
		err := db.Store().Write(t.Context(), record.Durable, func(tx record.Tx) error {
			_, err := tx.Update(t.Context(), object, &record.Rows{Fields: []string{record.SysID, record.SysModCount, "super_class"},
				Values: []record.Value{record.Text(record.IDFrom("sys_db_object", "u_child")), record.Null, record.Text("u_old")}})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			db = open(t, cfg)
			if got := table(t, db, "u_child"); got.Extends != "u_old" || got.Field("name") == nil {
				t.Errorf("the child is %+v", got)
			}
			install(t, db)
		}
		if n := count(t, db, "sys_db_object", "name", "u_child", "super_class", record.IDFrom("sys_db_object", "u_old")); n != 1 {
			t.Error("the parent is still kept by its name")
		}
	})
}
