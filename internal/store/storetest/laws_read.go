package storetest

import (
	"fmt"
	"slices"
	"strings"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

var readLaws = []law{
	{"nulls come first ascending and last descending", "pages must not differ between databases", func(b *bench) {
		b.reshape(things())
		b.insert("thing", "sys_id name count", "1", "b", "2", "2", "~", "~", "3", "", "-5", "4", "a", "10")
		for _, c := range []struct{ field, up string }{{"name", "2 3 4 1"}, {"count", "2 3 1 4"}} {
			want := strings.Fields(c.up)
			q := &record.Query{Table: b.table("thing"), Fields: []string{"sys_id"}, OrderBy: []query.Order{{Field: c.field}}}
			b.is(q, want...)
			q.OrderBy[0].Desc = true
			slices.Reverse(want)
			b.is(q, want...)
		}
	}},
	{"every type sorts by its meaning", "10 comes after 9, and -10 before -9", func(b *bench) {
		b.reshape(things())
		for field, sorted := range map[string][]string{
			"count":  {"-10", "-9", "0", "9", "10", "9223372036854775807"},
			"price":  {"-10.5", "-10.25", "-10", "-9.75", "0", "0.05", "0.5", "9.99", "10", "123456789012345678901"},
			"active": {"false", "true"},
			"day":    {"0999-01-01", "2023-12-31", "2024-01-01"},
			"at":     {"2023-12-31 23:59:59", "2024-01-01 00:00:00", "2024-01-01 00:00:01"}} {
			for i := range sorted {
				at := (i*7 + 3) % len(sorted) // in another order
				b.insert("thing", "sys_id "+field, fmt.Sprintf("%s%d", field, i), sorted[at])
			}
			b.is(&record.Query{Table: b.table("thing"), Fields: []string{field}, Where: term(field, query.IsNotEmpty),
				OrderBy: []query.Order{{Field: field}}}, sorted...)
		}
	}},
	{"the key settles what the order leaves open", "a record must not be on two pages", func(b *bench) {
		b.reshape(things())
		b.insert("thing", "sys_id state", "3", "x", "1", "x", "2", "x")
		b.is(&record.Query{Table: b.table("thing"), Fields: []string{"sys_id"}, OrderBy: []query.Order{{Field: "state"}}}, "1", "2", "3")
		b.is(&record.Query{Table: b.table("thing"), Fields: []string{"sys_id"}, Limit: 2}, "1", "2")
		b.is(&record.Query{Table: b.table("thing"), Fields: []string{"sys_id"}, Offset: 1}, "2", "3")
		b.is(&record.Query{Table: b.table("thing"), Fields: []string{"sys_id"}, Limit: 1, Offset: 1}, "2")
	}},
	{"references are followed any distance", "dot-walking is how the platform joins", func(b *bench) {
		b.reshape(things())
		b.insert("thing", "sys_id name link count", "1", "root", "~", "5", "2", "mid", "1", "6", "3", "leaf", "2", "~", "4", "lost", "nowhere", "~")
		q := &record.Query{Table: b.table("thing"), Fields: []string{"name", "link.name", "link.link.name", "link.link.count"}, OrderBy: byID}
		b.is(q, "root|~|~|~", "mid|root|~|~", "leaf|mid|root|5", "lost|~|~|~")
		q.Where = term("link.link.count", query.Equal, "5")
		b.is(q, "leaf|mid|root|5")
		q.Where, q.OrderBy = nil, []query.Order{{Field: "link.name", Desc: true}}
		b.is(q, "mid|root|~|~", "leaf|mid|root|5", "root|~|~|~", "lost|~|~|~")
	}},
	{"references sort by display value", "people sort by what they see", func(b *bench) {
		b.reshape(things())
		b.insert("thing", "sys_id name link", "1", "z", "~", "2", "A", "~", "3", "p", "1", "4", "q", "2")
		b.is(&record.Query{Table: b.table("thing"), Fields: []string{"sys_id"}, OrderBy: []query.Order{{Field: "link"}}}, "1", "2", "4", "3")
	}},
	{"aggregates are exact", "totals are read by auditors", func(b *bench) {
		b.reshape(things())
		b.insert("thing", "sys_id state count price at active",
			"1", "a", "9223372036854775807", "0.1", "2024-01-01 00:00:00", "true",
			"2", "a", "9223372036854775807", "0.2", "2024-01-02 00:00:00", "false",
			"3", "b", "-1", "-0.3", "~", "true", "4", "~", "~", "~", "~", "~")
		m := func(list ...string) (out []record.Measure) {
			for _, s := range list {
				f, field, _ := strings.Cut(s, " ")
				out = append(out, record.Measure{Func: f, Field: field})
			}
			return out
		}
		b.is(&record.Query{Table: b.table("thing"), Measures: m("count", "count price", "sum count", "sum price", "max at", "min active", "distinct active")},
			"4|3|18446744073709551613|0|2024-01-02 00:00:00|false|2")
		b.is(&record.Query{Table: b.table("thing"), Fields: []string{"state"}, Measures: m("count", "avg price", "sum count", "max price"), OrderBy: []query.Order{{Field: "state", Desc: true}}},
			"b|1|-0.3|-1|-0.3", "a|2|0.15|18446744073709551614|0.2", "~|1|~|~|~")
		b.is(&record.Query{Table: b.table("thing"), Measures: m("avg count"), Where: term("sys_id", query.In, "2", "3", "1")}, "6148914691236517204.333333333333333333")
		b.is(&record.Query{Table: b.table("thing"), Measures: m("count", "sum count", "max price"), Where: term("sys_id", query.Equal, "9")}, "0|~|~")
		b.is(&record.Query{Table: b.table("thing"), Fields: []string{"link.state"}, Measures: m("count")}, "~|4")
	}},
	{"a loop may read inside a loop", "a join in Go is a loop in a loop", func(b *bench) {
		b.reshape(things())
		var ids []string
		for i := range 100 {
			ids = append(ids, fmt.Sprintf("%03d", i))
		}
		b.insert("thing", "sys_id", ids...)
		outer := 0
		b.must(b.store.Read(b.Context(), func(tx record.Tx) error {
			for row, err := range tx.Select(b.Context(), &record.Query{Table: b.table("thing"), Fields: []string{"sys_id"}, OrderBy: byID}) {
				if err != nil {
					return err
				}
				if row[0].Text != ids[outer] {
					b.failf("row %d is %s", outer, row[0].Text)
				}
				outer++
				got, err := collect(b.Context(), tx, &record.Query{Table: b.table("thing"), Fields: []string{"sys_id"}, Where: term("sys_id", query.Less, row[0].Text)})
				if err != nil {
					return err
				}
				if len(got) != outer-1 {
					b.failf("%d before %s", len(got), row[0].Text)
				}
			}
			return nil
		}))
		if outer != len(ids) {
			b.failf("%d of %d rows", outer, len(ids))
		}
	}},
	{"a loop may end early", "most queries want the first rows", func(b *bench) {
		b.reshape(things())
		b.insert("thing", "sys_id", "1", "2", "3")
		b.must(b.write(func(tx record.Tx) error {
			for range tx.Select(b.Context(), &record.Query{Table: b.table("thing"), Fields: []string{"sys_id"}}) {
				break
			}
			return tx.Insert(b.Context(), b.table("thing"), rows("sys_id", "4"))
		}))
		b.finds("thing", nil, "1", "2", "3", "4")
	}},
	{"a value of 20 MB comes back whole", "descriptions and attachments are large", func(b *bench) {
		b.reshape(things())
		large := strings.Repeat("0123456789abcdef", 20<<16)
		b.insert("thing", "sys_id note", "1", large, "2", "small")
		b.is(&record.Query{Table: b.table("thing"), Fields: []string{"note"}, OrderBy: byID}, large, "small")
	}},
	{"the texts of a row stay valid", "look-ups keep what they read", func(b *bench) {
		b.reshape(things())
		var block []string
		for i := range 3000 {
			block = append(block, fmt.Sprintf("%05d", i), fmt.Sprintf("name %d", i))
		}
		b.insert("thing", "sys_id name", block...)
		var kept []record.Value
		b.must(b.store.Read(b.Context(), func(tx record.Tx) error {
			for row, err := range tx.Select(b.Context(), &record.Query{Table: b.table("thing"), Fields: []string{"name"}, OrderBy: byID}) {
				if err != nil {
					return err
				}
				kept = append(kept, row[0])
			}
			return nil
		}))
		for i, v := range kept {
			if v.Text != fmt.Sprintf("name %d", i) {
				b.Fatalf("row %d is %q", i, v.Text)
			}
		}
	}},
	{"asking for what does not exist is an error", "a typo must not return everything", func(b *bench) {
		b.reshape(things())
		for _, q := range []*record.Query{{Fields: []string{"nope"}}, {Fields: []string{"name.x"}}, {Where: term("nope", query.Equal, "1")},
			{OrderBy: []query.Order{{Field: "nope"}}}, {Measures: []record.Measure{{Func: "median", Field: "count"}}}, {Measures: []record.Measure{{Func: "sum", Field: "name"}}}} {
			q.Table = b.table("thing")
			if _, err := b.query(q); fault.KindOf(err) != fault.Invalid {
				b.failf("%+v: %v", q, err)
			}
		}
	}},
}

var textLaws = []law{
	{"text compares case-blind and keeps accents", "STRASSE finds strasse, and Ärger is not Arger", func(b *bench) {
		b.reshape(things())
		b.insert("thing", "sys_id name", "1", "Ärger", "2", "ÄRGER", "3", "arger", "4", "Straße", "5", "STRASSE", "6", "ΣΊΣΥΦΟΣ", "7", "σίσυφος", "8", "İ", "9", "K")
		b.finds("thing", term("name", query.Equal, "äRger"), "1", "2")
		b.finds("thing", term("name", query.Equal, "straSSe"), "5")
		b.finds("thing", term("name", query.Equal, "σίσυφοσ"), "6")
		b.finds("thing", term("name", query.In, "I", "k"), "8", "9")
		b.finds("thing", term("name", query.NotEqual, "ÄRGER"), "3", "4", "5", "6", "7", "8", "9")
	}},
	{"text sorts case-blind, then by code point", "sorting by bytes puts Z before a", func(b *bench) {
		b.reshape(things())
		sorted := []string{" ", "0", "A", "a", "B", "b", "Z", "z", "É", "é", "Ω", "ω", "漢", "\uFFFD", "🎉"}
		for i, s := range sorted {
			b.insert("thing", "sys_id name", fmt.Sprintf("%02d", 99-i), s)
		}
		b.is(&record.Query{Table: b.table("thing"), Fields: []string{"name"}, OrderBy: []query.Order{{Field: "name"}}}, sorted...)
	}},
	{"text operators take every character literally", "a % in a value is a per cent sign", func(b *bench) {
		b.reshape(things())
		b.insert("thing", "sys_id name", "1", "100%", "2", "100 of 100", "3", "a_b", "4", "aXb", "5", `back\slash`, "6", "*", "7", "", "8", "~", "9", "ÄÖÜ")
		b.finds("thing", term("name", query.Like, "%"), "1")
		b.finds("thing", term("name", query.Like, "_"), "3")
		b.finds("thing", term("name", query.Like, `\`), "5")
		b.finds("thing", term("name", query.Like, "*"), "6")
		b.finds("thing", term("name", query.StartsWith, "100"), "1", "2")
		b.finds("thing", term("name", query.StartsWith, "äö"), "9")
		b.finds("thing", term("name", query.EndsWith, "100"), "2")
		b.finds("thing", term("name", query.EndsWith, "öü"), "9")
		b.finds("thing", term("name", query.EndsWith, "äöüx"))
		b.finds("thing", term("name", query.NotLike, "0"), "3", "4", "5", "6", "7", "9")
		b.finds("thing", term("name", query.Like, ""), "1", "2", "3", "4", "5", "6", "7", "9")
		b.finds("thing", term("name", query.NotLike, ""))
	}},
	{"a prefix ends where the next begins", "the range that serves an index must be exact", func(b *bench) {
		b.reshape(things())
		b.insert("thing", "sys_id name", "1", "a", "2", "a\U0010FFFF", "3", "a\U0010FFFFx", "4", "b", "5", "\uD7FF", "6", "\uD7FFx", "7", "\uE000", "8", "\U0010FFFF", "9", "\U0010FFFFz")
		b.finds("thing", term("name", query.StartsWith, "a"), "1", "2", "3")
		b.finds("thing", term("name", query.StartsWith, "a\U0010FFFF"), "2", "3")
		b.finds("thing", term("name", query.StartsWith, "\uD7FF"), "5", "6")
		b.finds("thing", term("name", query.StartsWith, "\U0010FFFF"), "8", "9")
	}},
	{"empty text and null are both empty, and not the same", "the platform's forms write one, its imports the other", func(b *bench) {
		b.reshape(things())
		b.insert("thing", "sys_id name count", "1", "", "0", "2", "~", "~", "3", "x", "1")
		b.finds("thing", term("name", query.IsEmpty), "1", "2")
		b.finds("thing", term("name", query.Equal, ""), "1", "2")
		b.finds("thing", term("name", query.IsNotEmpty), "3")
		b.finds("thing", term("name", query.NotEqual, ""), "3")
		b.finds("thing", term("name", query.EmptyString), "1")
		b.finds("thing", term("count", query.IsEmpty), "2")
		b.finds("thing", term("count", query.EmptyString))
		b.finds("thing", term("count", query.Equal, ""), "2")
	}},
	{"text that cannot be stored is found nowhere", "a query from the network holds anything", func(b *bench) {
		b.reshape(things())
		b.insert("thing", "sys_id name", "1", "a", "2", "~")
		for _, v := range []string{"a\x00", "\xff"} {
			b.finds("thing", term("name", query.Equal, v))
			b.finds("thing", term("name", query.NotEqual, v), "1", "2")
			b.finds("thing", term("name", query.Like, v))
			b.finds("thing", term("name", query.NotLike, v), "1")
			b.finds("thing", term("name", query.In, v, "a"), "1")
			b.finds("thing", term("sys_id", query.Less, v))
		}
	}},
}
