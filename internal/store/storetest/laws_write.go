package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// samples are values at the edges of their types.
var samples = map[string][]string{
	"name":   {"", "plain", " blanks ", "tab\tline\nreturn\rback\\slash", `quote"'`, "Ünïcödé 漢字 🎉", "{a,b}", `\N`, `\.`, "%_", "NULL", "it's"},
	"count":  {"0", "-1", "9223372036854775807", "-9223372036854775808"},
	"price":  {"0", "0.1", "-0.5", "7", "10000", "99999", "100000000.0001", "-123456.00005", "0.00000001", "1000000000000", "12345678901234567890.123456789", strings.Repeat("9", 38) + "." + strings.Repeat("9", 18)},
	"active": {"true", "false"},
	"day":    {"0001-01-01", "2024-02-29", "9999-12-31"},
	"at":     {"0001-01-01 00:00:00", "2024-02-29 23:59:59", "9999-12-31 23:59:59"},
	"link":   {"00000000000000000000000000000001"},
	"data":   {`{"a":[1,2,{"b":null}]}`, `["\\u0000"]`},
	"secret": {"CaseStays"},
}

var writeLaws = []law{
	{"what is written is read back", "an import that alters values is worse than none", func(b *bench) {
		b.reshape(things())
		id := 0
		for _, field := range b.table("thing").Fields {
			if record.IsSystemField(field.Name) {
				continue
			}
			for _, v := range append([]string{"~"}, samples[field.Name]...) {
				id++
				one := itoa(id)
				b.insert("thing", "sys_id "+field.Name, one, v)
				b.is(&record.Query{Table: b.table("thing"), Fields: []string{field.Name}, Where: term("sys_id", query.Equal, one)}, v)
			}
		}
	}},
	{"large blocks carry the same values as single rows", "many rows take another way than few", func(b *bench) {
		b.reshape(things())
		fields := []string{"name", "count", "price", "active", "day", "at", "link", "data", "secret"}
		var block, want []string
		for i := range 2000 {
			block = append(block, fmt.Sprintf("%05d", i))
			var cells []string
			for n, f := range fields {
				v := "~"
				if s := samples[f]; (i+n)%5 > 0 {
					v = s[(i+n)%len(s)]
				}
				cells = append(cells, v)
			}
			block = append(block, cells...)
			want = append(want, strings.Join(cells, "|"))
		}
		b.insert("thing", "sys_id "+strings.Join(fields, " "), block...)
		b.is(&record.Query{Table: b.table("thing"), Fields: fields, OrderBy: byID}, want...)
	}},
	{"values that no store could keep are refused and named", "a NUL in a cell must spoil its row with a reason, not the import", func(b *bench) {
		b.reshape(things())
		for _, c := range [][2]string{{"name", "a\x00b"}, {"name", "a\xffb"}, {"data", `["\u0000"]`}, {"count", "1.5"}, {"count", "9223372036854775808"},
			{"count", "01"}, {"price", "1.50"}, {"price", "1e3"}, {"active", "1"}, {"day", "2023-02-29"}, {"day", "0000-01-01"},
			{"at", "2024-01-01"}, {"at", "2024-01-01 24:00:00"}, {"secret", "\x00"}} {
			err := b.tryInsert("thing", "sys_id "+c[0], "1", c[1])
			if fault.KindOf(err) != fault.Invalid || !strings.Contains(fmt.Sprint(err), c[0]) {
				b.failf("%s = %q: %v", c[0], c[1], err)
			}
		}
		b.finds("thing", nil)
	}},
	{"what is too long for an index is refused and named", "a cell of megabytes in a key column must spoil its row only", func(b *bench) {
		t := things()
		t.Indexes = []record.Index{{Fields: []string{"name"}}}
		b.reshape(t)
		long := strings.Repeat("0123456789abcdefghijklmnopqrstuvwxyzÄ", 1700/38)
		b.insert("thing", "sys_id name", "1", long)
		b.finds("thing", term("name", query.Equal, strings.ToLower(long)), "1")
		err := b.tryInsert("thing", "sys_id name note", "2", strings.Repeat("long", 1<<20), "x")
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(fmt.Sprint(err), "name") {
			b.failf("got %v", err)
		}
		b.insert("thing", "sys_id name note", "2", "x", strings.Repeat("long", 1<<20))
	}},
	{"an empty text is null where the field is no text", "a date has no empty text, and the platform writes one", func(b *bench) {
		b.reshape(things())
		b.insert("thing", "sys_id name count price active day at", "1", "", "", "", "", "", "")
		b.is(&record.Query{Table: b.table("thing"), Fields: []string{"name", "count", "price", "active", "day", "at"}}, "|~|~|~|~|~")
	}},
	{"shared values reach every row", "a batch's author and time are given once", func(b *bench) {
		b.reshape(things())
		for _, n := range []int{1, 3, 40} {
			block := bare("sys_id")
			block.Shared = []record.Assignment{{Field: "name", Value: val("same")}, {Field: "active", Value: val("true")}, {Field: "note", Value: val("~")}}
			for i := range n {
				block.Values = append(block.Values, val(fmt.Sprintf("%d-%d", n, i)))
			}
			b.must(b.write(func(tx record.Tx) error { return tx.Insert(b.Context(), b.table("thing"), block) }))
		}
		b.is(&record.Query{Table: b.table("thing"), Fields: []string{"name", "active", "note"}, Measures: []record.Measure{{Func: "count"}}}, "same|true|~|44")
	}},
	{"a broken unique index is a conflict that names the field", "the import turns it into a rejected row", func(b *bench) {
		t := things()
		t.Fields[0].Unique = true
		t.Indexes = []record.Index{{Fields: []string{"link", "count"}, Unique: true}}
		b.reshape(t)
		b.insert("thing", "sys_id name link count", "1", "Ärger", "a", "1", "2", "~", "a", "~", "3", "~", "~", "1", "4", "~", "~", "1")
		for _, c := range []struct{ fields, id, value, more string }{
			{"sys_id name count", "5", "äRGER", "7"}, {"sys_id link count", "5", "a", "1"}, {"sys_id link count", "1", "b", "1"}} {
			err := b.tryInsert("thing", c.fields, c.id, c.value, c.more)
			want := strings.Fields(c.fields)[1]
			if c.id == "1" {
				want = "sys_id"
			}
			if fault.KindOf(err) != fault.Conflict || !strings.Contains(fmt.Sprint(err), "same "+want) {
				b.failf("%v: %v", c, err)
			}
		}
	}},
	{"none of the rows is added when one breaks an index", "half a batch would be counted twice", func(b *bench) {
		b.reshape(things())
		b.insert("thing", "sys_id", "0500")
		var ids []string
		for i := range 1000 {
			ids = append(ids, fmt.Sprintf("%04d", i))
		}
		for _, part := range [][]string{ids, ids[495:505]} {
			err := b.write(func(tx record.Tx) error {
				err := tx.Nest(b.Context(), func(tx record.Tx) error { return tx.Insert(b.Context(), b.table("thing"), rows("sys_id", part...)) })
				if fault.KindOf(err) != fault.Conflict {
					b.failf("got %v", err)
				}
				return nil
			})
			b.must(err)
			b.finds("thing", nil, "0500")
		}
	}},
	{"an update that saw another state is stale", "two writers must not overwrite each other", func(b *bench) {
		b.reshape(things())
		b.insert("thing", "sys_id name note", "1", "a", "x", "2", "b", "x", "3", "c", "x")
		var stale []int
		b.must(b.write(func(tx record.Tx) (err error) {
			stale, err = tx.Update(b.Context(), b.table("thing"), bare("sys_id sys_mod_count name",
				"1", "0", "A", "2", "7", "B", "3", "~", "~", "4", "0", "D", "5", "~", "E"))
			return err
		}))
		if !slices.Equal(stale, []int{1, 3, 4}) {
			b.failf("stale are %v", stale)
		}
		b.is(&record.Query{Table: b.table("thing"), Fields: []string{"name", "note", "sys_mod_count"}, OrderBy: byID}, "A|x|1", "b|x|0", "~|x|1")
	}},
	{"updates carry every type and shared values", "an update takes another way than an insert", func(b *bench) {
		b.reshape(things())
		var ids []string
		for i := range 30 {
			ids = append(ids, fmt.Sprintf("%02d", i))
		}
		b.insert("thing", "sys_id", ids...)
		fields := []string{"name", "count", "price", "active", "day", "at", "link", "data", "secret"}
		block := bare("sys_id sys_mod_count " + strings.Join(fields, " "))
		block.Shared = []record.Assignment{{Field: "note", Value: val("shared")}, {Field: "state", Value: record.Null}}
		var want []string
		for i, id := range ids {
			cells := []string{}
			for n, f := range fields {
				v := "~"
				if (i+n)%4 > 0 {
					v = samples[f][(i+n)%len(samples[f])]
				}
				cells = append(cells, v)
			}
			block.Values = append(append(block.Values, vals(id, "0")...), vals(cells...)...)
			want = append(want, strings.Join(cells, "|")+"|shared|~")
		}
		b.must(b.write(func(tx record.Tx) error {
			stale, err := tx.Update(b.Context(), b.table("thing"), block)
			if len(stale) > 0 {
				b.failf("stale are %v", stale)
			}
			return err
		}))
		b.is(&record.Query{Table: b.table("thing"), Fields: append(fields, "note", "state"), OrderBy: byID}, want...)
	}},
	{"deleting tells how many there were", "undo reports what it removed", func(b *bench) {
		b.reshape(things())
		b.insert("thing", "sys_id", "1", "2", "3")
		b.must(b.write(func(tx record.Tx) error {
			n, err := tx.Delete(b.Context(), b.table("thing"), vals("1", "3", "9"))
			if n != 2 {
				b.failf("deleted %d", n)
			}
			return err
		}))
		b.finds("thing", nil, "2")
	}},
	{"bare tables are keyed by what they say", "staging rows are found by import set and row", func(b *bench) {
		b.staging()
		b.is(&record.Query{Table: b.table("stage"), Fields: []string{"row", "payload"}, Where: term("import_set", query.Equal, "1"),
			OrderBy: []query.Order{{Field: "row", Desc: true}}}, `2|["x",null,"3"]`, `1|["a","B"]`)
		if err := b.tryInsert("stage", "import_set row payload", "1", "2", "[]"); fault.KindOf(err) != fault.Conflict {
			b.failf("a second row with the key: %v", err)
		}
		b.must(b.write(func(tx record.Tx) error {
			stale, err := tx.Update(b.Context(), b.table("stage"), bare("import_set row fate", "1", "1", "inserted", "9", "9", "x"))
			if !slices.Equal(stale, []int{1}) {
				b.failf("stale are %v", stale)
			}
			if err != nil {
				return err
			}
			n, err := tx.Delete(b.Context(), b.table("stage"), vals("1", "2", "2", "1", "3", "3"))
			if n != 2 {
				b.failf("deleted %d", n)
			}
			return err
		}))
		b.is(&record.Query{Table: b.table("stage"), Fields: []string{"row", "fate"}}, "1|inserted")
	}},
	{"elements of a JSON array are fields", "staging columns are selected and searched by name", func(b *bench) {
		b.staging()
		all := &record.Query{Table: b.table("stage"), Fields: []string{"first", "second", "third"}, OrderBy: []query.Order{{Field: "row"}}}
		b.is(all, "a|B|~", "1|2|3", "x|~|3")
		all.Where = term("second", query.Equal, "b")
		b.is(all, "a|B|~")
		all.Where = term("third", query.IsEmpty)
		b.is(all, "a|B|~")
		all.Where = term("second", query.NotEqual, "b")
		b.is(all, "1|2|3", "x|~|3")
		if err := b.tryInsert("stage", "import_set row second", "5", "5", "x"); err == nil {
			b.failf("an element was written by itself")
		}
	}},
	{"writing what does not exist is an error", "a typo must not vanish", func(b *bench) {
		b.reshape(things())
		if err := b.tryInsert("thing", "sys_id nope", "1", "x"); fault.KindOf(err) != fault.Invalid {
			b.failf("got %v", err)
		}
	}},
}

// staging is a bare table with a payload, whose elements are fields.
func (b *bench) staging() {
	b.Helper()
	element := func(name string, n int) record.Field {
		return record.Field{Name: name, Type: record.String, Column: "payload", Element: n}
	}
	b.reshape(record.Table{Name: "stage", Bare: true, Key: []string{"import_set", "row"}, Fields: []record.Field{
		{Name: "import_set", Type: record.Integer}, {Name: "row", Type: record.Integer}, {Name: "fate", Type: record.String},
		{Name: "payload", Type: record.JSON}, element("first", 1), element("second", 2), element("third", 3)}})
	b.insert("stage", "import_set row payload", "1", "2", `["x",null,"3"]`, "1", "1", `["a","B"]`, "2", "1", `["1","2","3"]`)
}

var errOurs = errors.New("ours")

var transactionLaws = []law{
	{"a transaction that fails leaves nothing", "nothing half-written", func(b *bench) {
		b.reshape(things())
		err := b.write(func(tx record.Tx) error {
			if err := tx.Insert(b.Context(), b.table("thing"), rows("sys_id", "1")); err != nil {
				return err
			}
			return errOurs
		})
		if !errors.Is(err, errOurs) {
			b.failf("the caller's error came back as %v", err)
		}
		b.finds("thing", nil)
	}},
	{"writers who come at once are each kept whole or not at all", "one who fails, gives up or panics must not take others along, nor block them", func(b *bench) {
		b.reshape(things())
		var kept sync.Map
		var wait sync.WaitGroup
		for i := range 200 {
			wait.Go(func() {
				if b.writeOneOfMany(i) {
					kept.Store(fmt.Sprintf("%03d-a", i), true)
					kept.Store(fmt.Sprintf("%03d-b", i), true)
				}
			})
		}
		wait.Wait()
		var want []string
		kept.Range(func(id, _ any) bool { want = append(want, id.(string)); return true })
		slices.Sort(want)
		if len(want) < 2*200/5 {
			b.failf("only %d records were kept", len(want))
		}
		b.is(&record.Query{Table: b.table("thing"), Fields: []string{"sys_id"}, OrderBy: byID}, want...)
	}},
	{"a transaction sees its own writes and others do not", "plan and apply run beside each other", func(b *bench) {
		b.reshape(things())
		b.must(b.write(func(tx record.Tx) error {
			if err := tx.Insert(b.Context(), b.table("thing"), rows("sys_id", "1")); err != nil {
				return err
			}
			got, err := collect(b.Context(), tx, &record.Query{Table: b.table("thing"), Fields: []string{"sys_id"}})
			if !slices.Equal(got, []string{"1"}) {
				b.failf("inside: %q", got)
			}
			b.finds("thing", nil)
			return err
		}))
		b.finds("thing", nil, "1")
	}},
	{"a read keeps its view while others write", "an export must not tear", func(b *bench) {
		b.reshape(things())
		b.insert("thing", "sys_id", "1")
		b.must(b.store.Read(b.Context(), func(tx record.Tx) error {
			q := &record.Query{Table: b.table("thing"), Measures: []record.Measure{{Func: "count"}}}
			before, err := collect(b.Context(), tx, q)
			if err != nil {
				return err
			}
			b.insert("thing", "sys_id", "2")
			after, err := collect(b.Context(), tx, q)
			if !slices.Equal(before, after) {
				b.failf("%q, then %q", before, after)
			}
			return err
		}))
	}},
	{"what fails inside Nest leaves the rest alive", "a spoiled row spoils that row only", func(b *bench) {
		b.reshape(things())
		insert := func(tx record.Tx, ids ...string) error {
			return tx.Insert(b.Context(), b.table("thing"), rows("sys_id", ids...))
		}
		b.must(b.write(func(tx record.Tx) error {
			if err := insert(tx, "1"); err != nil {
				return err
			}
			for _, id := range []string{"2", "3"} {
				err := tx.Nest(b.Context(), func(tx record.Tx) error {
					if err := insert(tx, id); err != nil {
						return err
					}
					return tx.Nest(b.Context(), func(tx record.Tx) error { return insert(tx, id+"a", "1") })
				})
				if fault.KindOf(err) != fault.Conflict {
					b.failf("got %v", err)
				}
			}
			err := tx.Nest(b.Context(), func(tx record.Tx) error {
				if err := tx.Nest(b.Context(), func(tx record.Tx) error { return insert(tx, "1") }); err == nil {
					b.failf("no conflict")
				}
				return insert(tx, "4")
			})
			return errors.Join(err, insert(tx, "5"))
		}))
		b.finds("thing", nil, "1", "4", "5")
	}},
	{"what is written later is there when it is looked for, and when the transaction ends", "events are written so", func(b *bench) {
		b.reshape(things())
		late := func(tx record.Tx, ids ...string) error {
			return tx.Later(b.Context(), func(tx record.Tx) error { return tx.Insert(b.Context(), b.table("thing"), rows("sys_id", ids...)) })
		}
		b.must(b.write(func(tx record.Tx) error { return errors.Join(late(tx, "1"), late(tx, "2")) }))
		b.must(b.write(func(tx record.Tx) error {
			if err := late(tx, "3"); err != nil {
				return err
			}
			n := 0
			for _, err := range tx.Select(b.Context(), &record.Query{Table: b.table("thing"), Fields: []string{"sys_id"}}) {
				if err != nil {
					return err
				}
				n++
			}
			if n != 3 {
				b.failf("%d records", n)
			}
			return late(tx, "4")
		}))
		b.finds("thing", nil, "1", "2", "3", "4")
		gone := errors.New("given up")
		if err := b.write(func(tx record.Tx) error { return errors.Join(late(tx, "5"), gone) }); !errors.Is(err, gone) {
			b.failf("got %v", err)
		}
		b.finds("thing", nil, "1", "2", "3", "4")
	}},
	{"what fails later fails the transaction, or the Nest it was asked for in", "nothing is lost in silence", func(b *bench) {
		b.reshape(things())
		late := func(tx record.Tx, ids ...string) error {
			return tx.Later(b.Context(), func(tx record.Tx) error { return tx.Insert(b.Context(), b.table("thing"), rows("sys_id", ids...)) })
		}
		if err := b.write(func(tx record.Tx) error { return errors.Join(late(tx, "1"), late(tx, "1")) }); fault.KindOf(err) != fault.Conflict {
			b.failf("got %v", err)
		}
		b.finds("thing", nil)
		b.must(b.write(func(tx record.Tx) error {
			if err := late(tx, "1"); err != nil {
				return err
			}
			for _, also := range []error{nil, errors.New("given up")} {
				err := tx.Nest(b.Context(), func(tx record.Tx) error { return errors.Join(late(tx, "2"), late(tx, "1"), also) })
				if err == nil {
					b.failf("no conflict")
				}
			}
			return late(tx, "3")
		}))
		b.finds("thing", nil, "1", "3")
	}},
	{"a failed write outside Nest fails the transaction", "both stores must agree what is kept", func(b *bench) {
		b.reshape(things())
		err := b.write(func(tx record.Tx) error {
			if err := tx.Insert(b.Context(), b.table("thing"), rows("sys_id", "1", "1")); err == nil {
				b.failf("no conflict")
			}
			return nil
		})
		if fault.KindOf(err) != fault.Conflict {
			b.failf("got %v", err)
		}
		b.finds("thing", nil)
	}},
	{"a done context ends statements and keeps nothing", "cancel means cancel", func(b *bench) {
		b.reshape(things())
		ctx, cancel := context.WithCancel(b.Context())
		err := b.store.Write(ctx, record.Durable, func(tx record.Tx) error {
			if err := tx.Insert(ctx, b.table("thing"), rows("sys_id", "1")); err != nil {
				return err
			}
			cancel()
			return tx.Insert(ctx, b.table("thing"), rows("sys_id", "2"))
		})
		if fault.KindOf(err) != fault.Canceled {
			b.failf("got %v", err)
		}
		b.insert("thing", "sys_id", "3")
		b.finds("thing", nil, "3")
	}},
	{"writing inside a loop over records is refused", "one connection reads or writes", func(b *bench) {
		b.reshape(things())
		b.insert("thing", "sys_id", "1", "2")
		b.must(b.write(func(tx record.Tx) error {
			for range tx.Select(b.Context(), &record.Query{Table: b.table("thing"), Fields: []string{"sys_id"}}) {
				if err := tx.Insert(b.Context(), b.table("thing"), rows("sys_id", "9")); err == nil {
					b.failf("it was taken")
				}
			}
			return nil
		}))
		b.finds("thing", nil, "1", "2")
	}},
	{"reading writes nothing", "a plan must not be able to change records", func(b *bench) {
		b.reshape(things())
		err := b.store.Read(b.Context(), func(tx record.Tx) error {
			return tx.Insert(b.Context(), b.table("thing"), rows("sys_id", "1"))
		})
		if err == nil {
			b.failf("it was taken")
		}
	}},
	{"resumable commits are seen like durable ones", "batches read what batches wrote", func(b *bench) {
		b.reshape(things())
		for i, d := range []record.Durability{record.Resumable, record.Durable, record.Resumable} {
			b.must(b.store.Write(b.Context(), d, func(tx record.Tx) error {
				return tx.Insert(b.Context(), b.table("thing"), rows("sys_id", itoa(i)))
			}))
		}
		b.finds("thing", nil, "0", "1", "2")
	}},
	{"writers wait for each other", "the command line runs beside the server", func(b *bench) {
		b.reshape(things())
		const writers, each = 4, 10
		failed := make(chan error, writers)
		for w := range writers {
			go func() {
				var err error
				for i := range each {
					err = errors.Join(err, b.tryInsert("thing", "sys_id", fmt.Sprintf("%d-%02d", w, i)))
				}
				failed <- err
			}()
		}
		for range writers {
			b.must(<-failed)
		}
		b.is(&record.Query{Table: b.table("thing"), Measures: []record.Measure{{Func: "count"}}}, itoa(writers*each))
	}},
}

// writeOneOfMany writes two records in one transaction and reports whether it was told that they are kept. Every fifth
// writer fails between them, every fifth panics there, every fifth gives up there, and every tenth has the lesser durability.
func (b *bench) writeOneOfMany(i int) (kept bool) {
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	defer func() {
		if p := recover(); p != nil && p != "on purpose" {
			panic(p)
		}
	}()
	durability := record.Durable
	if i%10 == 9 {
		durability = record.Resumable
	}
	t := b.table("thing")
	err := b.store.Write(ctx, durability, func(tx record.Tx) error {
		if err := tx.Insert(ctx, t, rows("sys_id name", fmt.Sprintf("%03d-a", i), "first")); err != nil {
			return err
		}
		switch i % 5 {
		case 1:
			return errOnPurpose
		case 2:
			panic("on purpose")
		case 3:
			cancel()
		}
		return tx.Insert(ctx, t, rows("sys_id name", fmt.Sprintf("%03d-b", i), "second"))
	})
	if failing := i%5 == 1 || i%5 == 3; (err != nil) != failing {
		b.failf("writer %d: %v", i, err)
	}
	return err == nil
}

var errOnPurpose = errors.New("on purpose")
