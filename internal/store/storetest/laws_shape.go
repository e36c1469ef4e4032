package storetest

import (
	"strings"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

var shapeLaws = []law{
	{"reshaping twice changes nothing", "every start of the program reshapes", func(b *bench) {
		b.reshape(things())
		again, err := b.store.Reshape(b.Context(), b.cat, false)
		b.must(err)
		if len(again) != 0 {
			b.failf("the second time it ran %q", again)
		}
	}},
	{"a dry run tells and does nothing", "table create --plan shows what would happen", func(b *bench) {
		cat, err := record.NewCatalog(things())
		b.must(err)
		plan, err := b.store.Reshape(b.Context(), cat, true)
		b.must(err)
		done, err := b.store.Reshape(b.Context(), cat, false)
		b.must(err)
		if len(plan) == 0 || strings.Join(plan, ";") != strings.Join(done, ";") {
			b.failf("planned %q, did %q", plan, done)
		}
	}},
	{"a new field is added to a table with records", "users add columns to live tables", func(b *bench) {
		b.reshape(record.Table{Name: "thing", Fields: []record.Field{{Name: "name", Type: record.String}}})
		b.insert("thing", "sys_id name", "1", "old")
		b.reshape(things())
		b.is(&record.Query{Table: b.table("thing"), Fields: []string{"name", "count"}}, "old|~")
	}},
	{"a field does not change its type", "values would change meaning without a word", func(b *bench) {
		for _, types := range [][2]record.Type{{record.String, record.Integer}, {record.Integer, record.Decimal},
			{record.String, record.Date}, {record.Date, record.DateTime}, {record.Boolean, record.Integer}, {record.Decimal, record.String}} {
			name := "t_" + strings.ReplaceAll(string(types[0]+"_"+types[1]), " ", "")
			b.reshape(record.Table{Name: name, Fields: []record.Field{{Name: "f", Type: types[0]}}})
			cat, err := record.NewCatalog(record.Table{Name: name, Fields: []record.Field{{Name: "f", Type: types[1]}}})
			b.must(err)
			if _, err = b.store.Reshape(b.Context(), cat, false); fault.KindOf(err) != fault.Conflict {
				b.failf("%s became %s: %v", types[0], types[1], err)
			}
		}
	}},
	{"any valid name names a table and a field", "users' columns are called order, select and user", func(b *bench) {
		long := strings.Repeat("x", record.MaxName)
		for _, name := range []string{"order", "select", "user", "table", "group", "t", "j1", "excluded", long} {
			b.reshape(record.Table{Name: name, Fields: []record.Field{{Name: name, Type: record.String, Unique: true}, {Name: "where", Type: record.Integer}},
				Indexes: []record.Index{{Fields: []string{name, "where"}}}})
			b.insert(name, "sys_id where "+name, "1", "5", "value")
			b.is(&record.Query{Table: b.table(name), Fields: []string{name, "where"}}, "value|5")
			if again, err := b.store.Reshape(b.Context(), b.cat, false); err != nil || len(again) != 0 {
				b.failf("%s is not recognized: %q, %v", name, again, err)
			}
		}
	}},
	{"a table too wide is refused before anything is made", "files have thousands of columns", func(b *bench) {
		t := record.Table{Name: "wide"}
		for i := range 3000 {
			t.Fields = append(t.Fields, record.Field{Name: "f" + itoa(i), Type: record.String})
		}
		cat, err := record.NewCatalog(t)
		b.must(err)
		if _, err := b.store.Reshape(b.Context(), cat, false); fault.KindOf(err) != fault.Limit {
			b.failf("got %v", err)
		}
	}},
	{"a unique index over equal records is refused", "the data decide, not the order of the changes", func(b *bench) {
		plain := record.Table{Name: "thing", Fields: []record.Field{{Name: "name", Type: record.String}}}
		b.reshape(plain)
		b.insert("thing", "sys_id name", "1", "same", "2", "SAME")
		plain.Indexes = []record.Index{{Fields: []string{"name"}, Unique: true}}
		cat, err := record.NewCatalog(plain)
		b.must(err)
		if _, err := b.store.Reshape(b.Context(), cat, false); fault.KindOf(err) != fault.Conflict {
			b.failf("got %v", err)
		}
		plan, err := b.store.Reshape(b.Context(), cat, true)
		b.must(err)
		if len(plan) != 1 {
			b.failf("half of it was done: %q is left", plan)
		}
	}},
	{"classes of a hierarchy share a table and are told apart", "a server is a computer, and a computer is not a server", func(b *bench) {
		b.hierarchy()
		b.is(&record.Query{Table: b.table("item"), Fields: []string{"sys_id", "sys_class_name"}, OrderBy: byID},
			"1|item", "2|computer", "3|server", "4|cable")
		b.is(&record.Query{Table: b.table("computer"), Fields: []string{"sys_id"}, OrderBy: byID}, "2", "3")
		b.is(&record.Query{Table: b.table("server"), Fields: []string{"sys_id", "name", "slots"}, OrderBy: byID}, "3|s|8")
		b.is(&record.Query{Table: b.table("cable"), Fields: []string{"slots"}, OrderBy: byID}, "long")
		b.is(&record.Query{Table: b.table("computer"), Measures: []record.Measure{{Func: "count"}}}, "2")
	}},
}

// hierarchy makes item with the classes computer, server (a computer) and cable, and a record of each.
func (b *bench) hierarchy() {
	b.Helper()
	name := record.Field{Name: "name", Type: record.String}
	b.reshape(record.Table{Name: "item", Extendable: true, Fields: []record.Field{name}},
		record.Table{Name: "computer", Extends: "item", Fields: []record.Field{{Name: "cpu", Type: record.String}}},
		record.Table{Name: "server", Extends: "computer", Fields: []record.Field{{Name: "slots", Type: record.Integer}}},
		record.Table{Name: "cable", Extends: "item", Fields: []record.Field{{Name: "slots", Type: record.String},
			{Name: "end", Type: record.Reference, Reference: "computer"}}})
	b.insert("item", "sys_id name", "1", "i")
	b.insert("computer", "sys_id name cpu", "2", "c", "x86")
	b.insert("server", "sys_id name slots", "3", "s", "8")
	b.insert("cable", "sys_id name slots end", "4", "k", "long", "3")
}
