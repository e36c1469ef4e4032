// Package storetest states what every record.Store must do, once for all databases.
package storetest

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// Open gives a store over a new, empty database that ends with the test.
type Open func(t testing.TB) record.Store

// law is something that holds for every store. Why says what breaks for whom when it does not.
type law struct {
	name, why string
	fn        func(*bench)
}

// Run checks all laws, each on a database of its own.
func Run(t *testing.T, open Open) {
	for _, group := range [][]law{shapeLaws, writeLaws, readLaws, textLaws, conditionLaws, keyLaws, transactionLaws} {
		for _, l := range group {
			t.Run(strings.ReplaceAll(l.name, " ", "_"), func(t *testing.T) {
				b := &bench{T: t, store: open(t), why: l.why}
				l.fn(b)
			})
		}
	}
}

// bench is a store with a few tables, and short ways to use it.
type bench struct {
	*testing.T
	store record.Store
	why   string
	cat   *record.Catalog
}

func (b *bench) failf(format string, args ...any) {
	b.Helper()
	b.Errorf(format+"\n\twhy it matters: "+b.why, args...)
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatalf("%v\n\twhy it matters: %s", err, b.why)
	}
}

// reshape brings the store to these tables.
func (b *bench) reshape(tables ...record.Table) {
	b.Helper()
	cat, err := record.NewCatalog(tables...)
	b.must(err)
	_, err = b.store.Reshape(b.Context(), cat, false)
	b.must(err)
	b.cat = cat
}

// things is a table with a field of every type.
func things() record.Table {
	f := func(name string, t record.Type) record.Field { return record.Field{Name: name, Type: t} }
	link := f("link", record.Reference)
	link.Reference = "thing"
	display := f("name", record.String)
	display.Display = true
	return record.Table{Name: "thing", Fields: []record.Field{display, f("note", record.String), f("count", record.Integer),
		f("price", record.Decimal), f("active", record.Boolean), f("day", record.Date), f("at", record.DateTime),
		f("state", record.Choice), link, f("url", record.URL), f("email", record.Email), f("ip", record.IP),
		f("data", record.JSON), f("secret", record.Secret)}}
}

func (b *bench) table(name string) *record.Table {
	b.Helper()
	t := b.cat.Table(name)
	if t == nil {
		b.Fatalf("no table %s", name)
	}
	return t
}

// val reads "~" as null, and anything else as text.
func val(s string) record.Value {
	if s == "~" {
		return record.Null
	}
	return record.Text(s)
}

func vals(list ...string) []record.Value {
	out := make([]record.Value, len(list))
	for i, s := range list {
		out[i] = val(s)
	}
	return out
}

// rows makes a block; fields in one string, values row by row.
func rows(fields string, values ...string) *record.Rows {
	return &record.Rows{Fields: strings.Fields(fields), Values: vals(values...),
		Shared: []record.Assignment{{Field: record.SysModCount, Value: record.Text("0")}}}
}

func bare(fields string, values ...string) *record.Rows {
	return &record.Rows{Fields: strings.Fields(fields), Values: vals(values...)}
}

func (b *bench) write(fn func(tx record.Tx) error) error {
	return b.store.Write(b.Context(), record.Durable, fn)
}

func (b *bench) insert(table, fields string, values ...string) {
	b.Helper()
	b.must(b.tryInsert(table, fields, values...))
}

func (b *bench) tryInsert(table, fields string, values ...string) error {
	t := b.table(table)
	block := rows(fields, values...)
	if t.Bare {
		block.Shared = nil
	}
	return b.write(func(tx record.Tx) error { return tx.Insert(b.Context(), t, block) })
}

// collect renders rows as text: cells by |, null as ~.
func collect(ctx context.Context, tx record.Tx, q *record.Query) ([]string, error) {
	var out []string
	for row, err := range tx.Select(ctx, q) {
		if err != nil {
			return out, err
		}
		cells := make([]string, len(row))
		for i, v := range row {
			cells[i] = v.Text
			if !v.Valid {
				cells[i] = "~"
			}
		}
		out = append(out, strings.Join(cells, "|"))
	}
	return out, nil
}

func (b *bench) query(q *record.Query) ([]string, error) {
	var out []string
	err := b.store.Read(b.Context(), func(tx record.Tx) error {
		var err error
		out, err = collect(b.Context(), tx, q)
		return err
	})
	return out, err
}

// is checks the rows that answer q, in order.
func (b *bench) is(q *record.Query, want ...string) {
	b.Helper()
	got, err := b.query(q)
	b.must(err)
	if !slices.Equal(got, want) {
		b.failf("got  %q\n\twant %q", got, want)
	}
}

// finds checks which records, by sys_id, meet a condition.
func (b *bench) finds(table string, where query.Node, want ...string) {
	b.Helper()
	got, err := b.query(&record.Query{Table: b.table(table), Fields: []string{record.SysID}, Where: where, OrderBy: byID})
	b.must(err)
	if !slices.Equal(got, want) {
		b.failf("%s: got %q, want %q", describe(where), got, want)
	}
}

var byID = []query.Order{{Field: record.SysID}}

func describe(n query.Node) string {
	s, ok := query.Encode(n)
	if !ok {
		return "condition"
	}
	return s
}

func term(field string, op query.Op, values ...string) query.Node {
	return &query.Term{Field: field, Op: op, Values: values}
}

func itoa(n int) string { return strconv.Itoa(n) }
