package storetest

import (
	"fmt"
	"slices"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

var conditionLaws = []law{
	{"null is in no comparison, and in every complement", "state!=7 keeps records without a state", func(b *bench) {
		b.reshape(things())
		b.insert("thing", "sys_id count active at", "1", "5", "true", "2024-01-01 10:00:00", "2", "7", "false", "2024-01-02 10:00:00", "3", "~", "~", "~")
		for _, c := range []struct {
			where query.Node
			want  []string
		}{
			{term("count", query.NotEqual, "7"), []string{"1", "3"}},
			{term("count", query.NotIn, "7", "8"), []string{"1", "3"}},
			{term("count", query.NotIn), []string{"1", "2", "3"}},
			{term("count", query.In), nil},
			{term("count", query.Less, "100"), []string{"1", "2"}},
			{term("active", query.NotEqual, "true"), []string{"2", "3"}},
			{term("at", query.NotOn, "2024-01-01 00:00:00", "2024-01-01 23:59:59"), []string{"2", "3"}},
			{term("at", query.On, "2024-01-01 00:00:00", "2024-01-01 23:59:59"), []string{"1"}},
			{term("count", query.Between, "5", "7"), []string{"1", "2"}},
			{term("count", query.Anything), []string{"1", "2", "3"}},
		} {
			b.finds("thing", c.where, c.want...)
		}
	}},
	{"numbers compare exactly", "the largest 64-bit number and its neighbour are two", func(b *bench) {
		b.reshape(things())
		b.insert("thing", "sys_id count price", "1", "9223372036854775807", "0.1", "2", "9223372036854775806", "0.10000000000000001", "3", "-5", "-2.5", "4", "0", "0")
		b.finds("thing", term("count", query.Equal, "9223372036854775807"), "1")
		b.finds("thing", term("count", query.Greater, "9223372036854775806"), "1")
		b.finds("thing", term("count", query.Less, "9223372036854775808"), "1", "2", "3", "4")
		b.finds("thing", term("count", query.Greater, "9223372036854775808"))
		b.finds("thing", term("count", query.Greater, "-9223372036854775809.5"), "1", "2", "3", "4")
		b.finds("thing", term("count", query.Less, "0.5"), "3", "4")
		b.finds("thing", term("count", query.GreaterEqual, "0.5"), "1", "2")
		b.finds("thing", term("count", query.Greater, "-5.5"), "1", "2", "3", "4")
		b.finds("thing", term("count", query.LessEqual, "-4.5"), "3")
		b.finds("thing", term("count", query.Less, "-0.5"), "3")
		b.finds("thing", term("price", query.Equal, "0.10"), "1")
		b.finds("thing", term("price", query.Greater, "0.1"), "2")
		b.finds("thing", term("price", query.Less, "-2.49"), "3")
		b.finds("thing", term("price", query.GreaterEqual, "-2.5"), "1", "2", "3", "4")
	}},
	{"types that are kept as another behave as that one", "a duration sorted as text, or a long cut short, is a wrong answer", func(b *bench) {
		f := func(name string, t record.Type) record.Field { return record.Field{Name: name, Type: t} }
		b.reshape(record.Table{Name: "thing", Fields: []record.Field{f("size", record.Long), f("ratio", record.Float), f("took", record.Duration),
			f("watchers", record.List), f("body", record.HTML), f("code", record.Script), f("phone", record.Phone), f("about", record.Document), f("notes", record.Journal)},
			Indexes: []record.Index{{Fields: []string{"size"}}, {Fields: []string{"ratio", "took"}}}})
		b.insert("thing", "sys_id size ratio took watchers body code phone about notes", "1", "9223372036854775807", "0.5", "1970-01-01 00:02:17", "a,b", "<b>x</b>", "x > 1", "+15551234", "c", "~",
			"2", "70", "10", "1970-01-02 00:00:00", "~", "~", "~", "~", "~", "~")
		all := []string{"size", "ratio", "took", "watchers", "body", "code", "phone", "about", "notes"}
		b.is(&record.Query{Table: b.table("thing"), Fields: all, OrderBy: []query.Order{{Field: "ratio"}}},
			"9223372036854775807|0.5|1970-01-01 00:02:17|a,b|<b>x</b>|x > 1|+15551234|c|~", "70|10|1970-01-02 00:00:00|~|~|~|~|~|~")
		b.finds("thing", term("size", query.Greater, "9"), "1", "2")
		b.finds("thing", term("ratio", query.Less, "9"), "1")
		b.finds("thing", term("took", query.Greater, "1970-01-01 12:00:00"), "2")
		b.is(&record.Query{Table: b.table("thing"), Measures: []record.Measure{{Func: "max", Field: "took"}, {Func: "sum", Field: "ratio"}}}, "1970-01-02 00:00:00|10.5")
		if again, err := b.store.Reshape(b.Context(), b.cat, false); err != nil || len(again) != 0 {
			b.failf("the table is not recognized: %q, %v", again, err)
		}
	}},
	{"what is no value of the field equals nothing", "priority=abc must not fail nor match", func(b *bench) {
		b.reshape(things())
		b.insert("thing", "sys_id count price active day at", "1", "1", "1", "true", "2024-01-01", "2024-01-01 00:00:00", "2", "~", "~", "~", "~", "~")
		for _, f := range []string{"count", "price", "active", "day", "at"} {
			b.finds("thing", term(f, query.Equal, "abc"))
			b.finds("thing", term(f, query.Less, "abc"))
			b.finds("thing", term(f, query.Between, "abc", "2025-01-01"))
			b.finds("thing", term(f, query.In, "abc", "x"))
			b.finds("thing", term(f, query.NotEqual, "abc"), "1", "2")
			b.finds("thing", term(f, query.NotIn, "abc", "x"), "1", "2")
		}
		b.finds("thing", term("count", query.Equal, "1.5"))
		b.finds("thing", term("count", query.NotEqual, "99999999999999999999"), "1", "2")
	}},
	{"an empty link makes conditions false except on emptiness", "assigned_to.name!=Bob wants somebody assigned", func(b *bench) {
		b.reshape(things())
		b.insert("thing", "sys_id name link", "1", "a", "~", "2", "b", "1", "3", "~", "2", "4", "d", "gone", "5", "e", "3")
		b.finds("thing", term("link.name", query.NotEqual, "a"), "3", "5")
		b.finds("thing", term("link.name", query.NotIn, "a", "x"), "3", "5")
		b.finds("thing", term("link.name", query.IsEmpty), "1", "4", "5")
		b.finds("thing", term("link.name", query.IsNotEmpty), "2", "3")
		b.finds("thing", term("link.name", query.NotSameAs, "name"), "2", "3", "5")
		b.finds("thing", term("link.name", query.NotLike, "q"), "2", "3")
	}},
	{"text operators on a reference look at the display value", "assigned_toLIKEbob", func(b *bench) {
		b.reshape(things())
		b.insert("thing", "sys_id name link", "1", "Root", "~", "2", "b", "1", "3", "c", "gone")
		b.finds("thing", term("link", query.StartsWith, "ro"), "2")
		b.finds("thing", term("link", query.Like, "1"))
		b.finds("thing", term("link", query.Equal, "1"), "2")
		b.finds("thing", term("link", query.NotLike, "x"), "2")
	}},
	{"conditions nest", "(a or b) and (c or d)", func(b *bench) {
		b.reshape(things())
		b.insert("thing", "sys_id name count", "1", "a", "1", "2", "a", "2", "3", "b", "1", "4", "c", "3")
		or := func(parts ...query.Node) query.Node { return &query.Or{Parts: parts} }
		b.finds("thing", &query.And{Parts: []query.Node{or(term("name", query.Equal, "a"), term("name", query.Equal, "b")), or(term("count", query.Equal, "1"), term("count", query.Equal, "3"))}}, "1", "3")
		b.finds("thing", &query.And{}, "1", "2", "3", "4")
		b.finds("thing", or())
	}},
	{"a hundred thousand terms answer or are refused clearly", "generated queries are long", func(b *bench) {
		b.reshape(things())
		b.insert("thing", "sys_id name count", "1", "n5", "1", "2", "n99999", "2", "3", "x", "3")
		var equal, like []query.Node
		var list []string
		for i := range 100_000 {
			equal = append(equal, term("name", query.Equal, fmt.Sprintf("n%d", i)))
			like = append(like, term("name", query.Like, fmt.Sprintf("n%d", i)))
			list = append(list, fmt.Sprintf("N%d", i))
		}
		b.finds("thing", &query.Or{Parts: equal}, "1", "2")
		b.finds("thing", term("name", query.In, list...), "1", "2")
		b.finds("thing", term("name", query.NotIn, list...), "3")
		b.finds("thing", &query.Or{Parts: like[:5000]}, "1", "2")
		_, err := b.query(&record.Query{Table: b.table("thing"), Fields: []string{"sys_id"}, Where: &query.Or{Parts: like}})
		if fault.KindOf(err) != fault.Limit {
			b.failf("100,000 different conditions: %v", err)
		}
		deep := term("name", query.Like, "n5")
		for range 100_000 {
			deep = &query.And{Parts: []query.Node{deep, term("count", query.Less, "9")}}
		}
		_, err = b.query(&record.Query{Table: b.table("thing"), Fields: []string{"sys_id"}, Where: deep})
		if fault.KindOf(err) != fault.Limit {
			b.failf("a condition 100,000 levels deep: %v", err)
		}
	}},
	{"two fields compare by their kinds", "closed before due", func(b *bench) {
		b.reshape(things())
		b.insert("thing", "sys_id name note count price day at", "1", "Ab", "aB", "5", "5", "2024-01-01", "2024-01-01 00:00:00",
			"2", "a", "b", "10", "9.5", "2024-01-03", "2024-01-02 12:00:00", "3", "~", "~", "~", "1", "~", "2024-01-01 00:00:00")
		b.finds("thing", term("name", query.SameAs, "note"), "1")
		b.finds("thing", term("name", query.NotSameAs, "note"), "2", "3")
		b.finds("thing", term("name", query.LTField, "note"), "2")
		b.finds("thing", term("count", query.SameAs, "price"), "1")
		b.finds("thing", term("count", query.GTField, "price"), "2")
		b.finds("thing", term("day", query.SameAs, "at"), "1")
		b.finds("thing", term("day", query.GTField, "at"), "2")
		b.finds("thing", term("day", query.SameAs, "at", "week"), "1", "2")
		b.finds("thing", term("day", query.NotSameAs, "at", "day"), "2", "3")
	}},
	{"parts of dates and differences", "opened on a Monday, closed within a day", func(b *bench) {
		b.reshape(things())
		b.insert("thing", "sys_id day at", "1", "2024-12-30", "2024-12-30 23:59:58", "2", "2021-01-03", "2021-01-04 05:06:07", "3", "~", "~")
		for unit, n := range map[string][2]string{"minute": {"59", "6"}, "hour": {"23", "5"}, "dayofweek": {"1", "1"}, "dayofmonth": {"30", "4"},
			"week": {"1", "1"}, "month": {"12", "1"}, "quarter": {"4", "1"}, "year": {"2024", "2021"}} {
			for i, id := range []string{"1", "2"} {
				got, err := b.query(&record.Query{Table: b.table("thing"), Fields: []string{"sys_id"}, Where: term("at", query.DatePart, unit, "=", n[i])})
				b.must(err)
				if !slices.Contains(got, id) {
					b.failf("%s of record %s is not %s", unit, id, n[i])
				}
			}
		}
		b.finds("thing", term("day", query.DatePart, "week", ">", "50"), "2")
		b.finds("thing", term("day", query.DatePart, "hour", "=", "0"), "1", "2")
		b.finds("thing", term("at", query.MoreThan, "day", "hour", "after", "23"), "1", "2")
		b.finds("thing", term("at", query.MoreThan, "day", "day", "after", "1"), "2")
		b.finds("thing", term("at", query.LessThan, "day", "day", "after", "1"), "1")
		b.finds("thing", term("day", query.MoreThan, "at", "day", "before", "1"), "2")
	}},
	{"other tables are looked at", "problems with an active incident", func(b *bench) {
		b.reshape(things())
		b.insert("thing", "sys_id name note count link", "1", "a", "q", "1", "~", "2", "b", "A", "2", "1", "3", "c", "~", "3", "1", "4", "d", "x", "4", "2")
		related := func(op query.Op, n int, where query.Node) query.Node {
			return &query.Related{Table: "thing", Field: "link", Op: op, Count: n, Where: where}
		}
		b.finds("thing", related(query.GreaterEqual, 1, nil), "1", "2")
		b.finds("thing", related(query.Equal, 2, nil), "1")
		b.finds("thing", related(query.Less, 1, nil), "3", "4")
		b.finds("thing", related(query.Equal, 1, term("link.name", query.Equal, "A")))
		b.finds("thing", related(query.GreaterEqual, 1, term("count", query.Greater, "3")), "2")
		b.finds("thing", &query.And{Parts: []query.Node{term("count", query.Less, "9"), &query.Exists{Field: "name", Table: "thing", Path: "note",
			Where: term("link.name", query.Equal, "A")}, term("name", query.NotEqual, "zz")}}, "1")
	}},
	{"a class and its subclasses", "sys_class_nameINSTANCEOFcomputer", func(b *bench) {
		b.hierarchy()
		b.finds("item", term("sys_class_name", query.InstanceOf, "computer"), "2", "3")
		b.finds("item", term("sys_class_name", query.Equal, "Computer"))
		b.finds("item", term("sys_class_name", query.Equal, "computer"), "2")
		b.is(&record.Query{Table: b.table("cable"), Fields: []string{"end.name"}}, "s")
	}},
}

var keyLaws = []law{
	{"keys find every tuple once", "the import looks a batch of keys up at once", func(b *bench) {
		t := things()
		t.Indexes = []record.Index{{Fields: []string{"name"}}, {Fields: []string{"name", "count"}}}
		b.reshape(t)
		var block []string
		for i := range 3000 {
			block = append(block, fmt.Sprintf("%05d", i), fmt.Sprintf("Name %d", i), itoa(i%7))
		}
		b.insert("thing", "sys_id name count", block...)
		one := &record.Keys{Fields: []string{"name"}, Fold: []bool{true}}
		two := &record.Keys{Fields: []string{"name", "count"}, Fold: []bool{true, false}}
		for i := 2999; i >= 0; i-- {
			one.Tuples = append(one.Tuples, vals(fmt.Sprintf("name %d", i*2))...)
			two.Tuples = append(two.Tuples, vals(fmt.Sprintf("name %d", i), itoa(i%5))...)
		}
		one.Tuples = append(one.Tuples, one.Tuples[:500]...)
		count := func(k *record.Keys) []string {
			got, err := b.query(&record.Query{Table: b.table("thing"), Fields: []string{"sys_id"}, Keys: k})
			b.must(err)
			slices.Sort(got)
			if len(slices.Compact(slices.Clone(got))) != len(got) {
				b.failf("records came twice")
			}
			return got
		}
		if got := count(one); len(got) != 1500 {
			b.failf("%d of 1500 found", len(got))
		}
		want := 0
		for i := range 3000 {
			if i%5 == i%7 {
				want++
			}
		}
		if got := count(two); len(got) != want {
			b.failf("%d of %d found by two fields", len(got), want)
		}
	}},
	{"a null in a key is null or empty text", "an empty serial number is a key when the policy says so", func(b *bench) {
		b.reshape(things())
		b.insert("thing", "sys_id name count", "1", "", "1", "2", "~", "1", "3", "x", "~", "4", "~", "~", "5", "x", "1")
		keys := func(fields []string, tuples ...string) *record.Query {
			return &record.Query{Table: b.table("thing"), Fields: []string{"sys_id"}, OrderBy: byID,
				Keys: &record.Keys{Fields: fields, Fold: []bool{true, true}, Tuples: vals(tuples...)}}
		}
		b.is(keys([]string{"name"}, "~"), "1", "2", "4")
		b.is(keys([]string{"name"}, "~", "x"), "1", "2", "3", "4", "5")
		b.is(keys([]string{"name", "count"}, "~", "1"), "1", "2")
		b.is(keys([]string{"name", "count"}, "~", "1", "x", "~"), "1", "2", "3")
		b.is(keys([]string{"name", "count"}, "~", "~"), "4")
		b.is(keys([]string{"name", "count"}, "~", "~", "x", "1"), "4", "5")
		b.is(keys([]string{"name"}))
	}},
	{"keys compare case-blind only where asked", "some keys tell a from A", func(b *bench) {
		b.reshape(things())
		b.insert("thing", "sys_id name note", "1", "Ab", "X", "2", "aB", "X", "3", "ab", "x")
		keys := func(fold ...bool) *record.Query {
			return &record.Query{Table: b.table("thing"), Fields: []string{"sys_id"}, OrderBy: byID,
				Keys: &record.Keys{Fields: []string{"name", "note"}[:len(fold)], Fold: fold, Tuples: vals("ab", "x")[:len(fold)]}}
		}
		b.is(keys(true), "1", "2", "3")
		b.is(keys(false), "3")
		b.is(keys(true, true), "1", "2", "3")
		b.is(keys(true, false), "3")
	}},
	{"keys of every type", "coalesce fields are dates and numbers too", func(b *bench) {
		b.reshape(things())
		b.insert("thing", "sys_id count price active day at link", "1", "5", "0.5", "true", "2024-01-01", "2024-01-01 10:00:00", "abc",
			"2", "6", "1.5", "false", "2024-01-02", "2024-01-02 10:00:00", "abd")
		for _, f := range []string{"count", "price", "active", "day", "at", "link", "sys_id"} {
			v, err := b.query(&record.Query{Table: b.table("thing"), Fields: []string{f}, OrderBy: byID})
			b.must(err)
			var many []string
			for i := range 40 {
				many = append(many, map[bool]string{true: v[0], false: "zzz"}[i%2 == 0])
			}
			for _, list := range [][]string{{v[0]}, {v[0], "not a value"}, many} {
				b.is(&record.Query{Table: b.table("thing"), Fields: []string{"sys_id"}, Keys: &record.Keys{Fields: []string{f}, Fold: []bool{false}, Tuples: vals(list...)}}, "1")
			}
			b.is(&record.Query{Table: b.table("thing"), Fields: []string{"sys_id"},
				Keys: &record.Keys{Fields: []string{f, "count"}, Fold: []bool{false, false}, Tuples: vals(v[0], "5", v[1], "5")}}, "1")
		}
	}},
	{"keys are counted, sorted and limited like conditions", "ambiguous matches take the first by creation", func(b *bench) {
		b.reshape(things())
		b.insert("thing", "sys_id name state", "3", "a", "x", "1", "A", "y", "2", "b", "x", "4", "c", "x")
		q := &record.Query{Table: b.table("thing"), Fields: []string{"sys_id"}, OrderBy: byID, Limit: 2,
			Keys: &record.Keys{Fields: []string{"name"}, Fold: []bool{true}, Tuples: vals("b", "a")}}
		b.is(q, "1", "2")
		q.Where = term("state", query.Equal, "x")
		b.is(q, "2", "3")
		q.Limit, q.OrderBy, q.Fields, q.Measures = 0, nil, nil, []record.Measure{{Func: "count"}}
		b.is(q, "2")
	}},
}
