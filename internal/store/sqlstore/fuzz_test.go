package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/store/sqlstore"
	"headrace/internal/store/storetest/stores"
)

// FuzzStores is the treaty between the databases and the evaluator in memory: from a seed it makes rows, updates and
// queries, and all three must answer alike.
func FuzzStores(f *testing.F) {
	for seed := range uint64(40) {
		f.Add(seed)
	}
	pair := openPair(f)
	f.Fuzz(func(t *testing.T, seed uint64) { pair.compare(t, seed) })
}

type pair struct {
	stores []*sqlstore.Store
	table  *record.Table
}

func openPair(t testing.TB) *pair {
	p := &pair{stores: []*sqlstore.Store{stores.Open(t, stores.SQLite(t)), stores.Open(t, stores.Postgres(t))}}
	field := func(name string, typ record.Type) record.Field { return record.Field{Name: name, Type: typ} }
	link, other := field("link", record.Reference), field("other", record.Reference)
	link.Reference, other.Reference = "thing", "thing"
	cat, err := record.NewCatalog(record.Table{Name: "thing", Fields: []record.Field{field("name", record.String), field("note", record.String),
		field("count", record.Integer), field("size", record.Integer), field("price", record.Decimal), field("cost", record.Decimal),
		field("active", record.Boolean), field("done", record.Boolean), field("day", record.Date), field("due", record.Date),
		field("at", record.DateTime), field("until", record.DateTime), link, other, field("secret", record.Secret)},
		Indexes: []record.Index{{Fields: []string{"name"}}, {Fields: []string{"count", "name"}}, {Fields: []string{"price"}}, {Fields: []string{"at"}}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range p.stores {
		if _, err := s.Reshape(context.Background(), cat, false); err != nil {
			t.Fatal(err)
		}
	}
	p.table = cat.Table("thing")
	return p
}

var errUndo = errors.New("leave nothing behind")

// compare runs the same transaction on both stores, side by side.
func (p *pair) compare(t *testing.T, seed uint64) {
	ctx := context.Background()
	err := p.stores[0].Write(ctx, record.Resumable, func(a record.Tx) error {
		return p.stores[1].Write(ctx, record.Resumable, func(b record.Tx) error {
			c := &comparison{T: t, rand: rand.New(rand.NewPCG(seed, 7)), table: p.table, txs: []record.Tx{a, b}}
			c.fill()
			for range 3 {
				c.change()
				for range 8 {
					c.ask()
				}
			}
			return errUndo
		})
	})
	if !errors.Is(err, errUndo) {
		t.Error(err)
	}
}

type comparison struct {
	*testing.T
	rand    *rand.Rand
	table   *record.Table
	txs     []record.Tx
	records map[string]map[string]record.Value
	ids     []string
}

var fuzzValues = map[query.Kind][]string{
	query.Text:      {"", "a", "A", "ab", "Ab", "äb", "ÄB", "b%", "_", "ß", "Σ", "σ", "ς", "İ", "i", "~", "a b", "漢", "\U0010FFFF", "10", "9", "'", `\`, "\n"},
	query.Exact:     {"", "x", "X", "é"},
	query.Number:    {"0", "1", "-1", "9", "10", "9223372036854775807", "-9223372036854775808"},
	query.Bool:      {"true", "false"},
	query.Date:      {"2024-01-01", "2024-02-29", "2023-12-31", "0001-01-01", "9999-12-31"},
	query.DateTime:  {"2024-01-01 00:00:00", "2024-01-01 00:00:01", "2024-02-29 23:59:59", "2023-12-31 12:00:00", "0001-01-01 00:00:00"},
	query.Reference: {"r1", "r2", "r3", "r4", "gone", ""},
}

var decimals = []string{"0", "0.1", "-0.1", "0.10000000000000001", "1.5", "-1.5", "10", "9", "99999999999999999999999.5"}

// odd are values that queries bring and no field holds.
var odd = []string{"", "abc", "01", "1.50", "+1", "-0", " 1", "1e3", ".5", "5.", "0.5", "-0.5", "9223372036854775808", "-9223372036854775809", "TRUE", "1",
	"2024-02-30", "2024-01-01T00:00:00Z", "2024-01-01 00:00", "\x00", "\xff", "a\x00"}

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// value draws what a field may hold.
func (c *comparison) value(f *record.Field) record.Value {
	switch {
	case c.rand.IntN(5) == 0:
		return record.Null
	case f.Type == record.Decimal:
		return record.Text(pick(c.rand, decimals))
	}
	return record.Text(pick(c.rand, fuzzValues[f.Type.Kind()]))
}

func (c *comparison) own() []record.Field { return c.table.Fields[c.table.Own:] }

func (c *comparison) fill() {
	c.records = map[string]map[string]record.Value{}
	rows := &record.Rows{Fields: []string{"sys_id", "sys_mod_count"}}
	for _, f := range c.own() {
		rows.Fields = append(rows.Fields, f.Name)
	}
	for i := range pick(c.rand, []int{1, 5, 30}) {
		id := fmt.Sprintf("r%d", i)
		rec := map[string]record.Value{"sys_id": record.Text(id), "sys_mod_count": record.Text("0")}
		rows.Values = append(rows.Values, record.Text(id), record.Text("0"))
		for n := range c.own() {
			v := c.value(&c.own()[n])
			rec[c.own()[n].Name] = v
			rows.Values = append(rows.Values, v)
		}
		c.records[id] = rec
		c.ids = append(c.ids, id)
	}
	for _, tx := range c.txs {
		if err := tx.Insert(context.Background(), c.table, rows); err != nil {
			c.Fatal(err)
		}
	}
}

// change updates some records, some of them stale, and deletes one now and then.
func (c *comparison) change() {
	ctx := context.Background()
	own := c.own()
	fields := []*record.Field{&own[c.rand.IntN(len(own))]}
	if second := &own[c.rand.IntN(len(own))]; second != fields[0] {
		fields = append(fields, second)
	}
	rows := &record.Rows{Fields: []string{"sys_id", "sys_mod_count"}}
	for _, f := range fields {
		rows.Fields = append(rows.Fields, f.Name)
	}
	var want []int
	for _, id := range c.ids {
		if c.rand.IntN(2) == 0 {
			continue
		}
		rec := c.records[id]
		saw := record.Text(pick(c.rand, []string{"0", "1", "2"}))
		if c.rand.IntN(3) == 0 {
			saw = record.Null
		}
		rows.Values = append(rows.Values, record.Text(id), saw)
		fits := rec != nil && (!saw.Valid || saw == rec["sys_mod_count"])
		for _, f := range fields {
			v := c.value(f)
			rows.Values = append(rows.Values, v)
			if fits {
				rec[f.Name] = v
			}
		}
		if fits {
			rec["sys_mod_count"] = record.Text(fmt.Sprint(atoi(rec["sys_mod_count"].Text) + 1))
		} else {
			want = append(want, rows.Len()-1)
		}
	}
	gone := record.Text(pick(c.rand, c.ids))
	for _, tx := range c.txs {
		stale, err := tx.Update(ctx, c.table, rows)
		if err != nil || !slices.Equal(stale, want) {
			c.Fatalf("update %v: stale %v, want %v, %v", rows, stale, want, err)
		}
		if _, err := tx.Delete(ctx, c.table, []record.Value{gone}); err != nil {
			c.Fatal(err)
		}
	}
	delete(c.records, gone.Text)
}

func atoi(s string) (n int) {
	fmt.Sscan(s, &n)
	return n
}

func (c *comparison) path() string {
	name := pick(c.rand, c.own()).Name
	for c.rand.IntN(5) == 0 {
		name = pick(c.rand, []string{"link.", "other."}) + name
	}
	return name
}

// date is a path to a date: what calculates with dates is only parsed for those.
func (c *comparison) date() string {
	return pick(c.rand, []string{"day", "due", "at", "until", "link.day", "other.at", "link.other.until"})
}

func (c *comparison) operand(path string) string {
	fields := c.table.Path(path)
	if c.rand.IntN(4) == 0 {
		return pick(c.rand, odd[:len(odd)-3])
	}
	return c.value(fields[len(fields)-1]).Text
}

var fuzzOps = []query.Op{query.Equal, query.NotEqual, query.Less, query.LessEqual, query.Greater, query.GreaterEqual, query.In, query.NotIn, query.Between,
	query.IsEmpty, query.IsNotEmpty, query.EmptyString, query.Anything, query.SameAs, query.NotSameAs, query.GTField, query.LTField, query.GEField,
	query.LEField, query.StartsWith, query.EndsWith, query.Like, query.NotLike, query.On, query.NotOn, query.DatePart, query.MoreThan, query.LessThan}

func (c *comparison) term() query.Node {
	t := &query.Term{Field: c.path(), Op: pick(c.rand, fuzzOps)}
	switch t.Op {
	case query.IsEmpty, query.IsNotEmpty, query.EmptyString, query.Anything:
	case query.In, query.NotIn:
		for range pick(c.rand, []int{0, 1, 3, 40}) {
			t.Values = append(t.Values, c.operand(t.Field))
		}
	case query.Between, query.On, query.NotOn:
		t.Values = []string{c.operand(t.Field), c.operand(t.Field)}
	case query.SameAs, query.NotSameAs:
		t.Values = []string{c.path()}
		if c.rand.IntN(3) == 0 {
			t.Values = append(t.Values, pick(c.rand, fuzzUnits))
		}
	case query.GTField, query.LTField, query.GEField, query.LEField:
		t.Values = []string{c.path()}
	case query.DatePart:
		t.Field = c.date()
		t.Values = []string{pick(c.rand, []string{"minute", "hour", "dayofweek", "dayofmonth", "week", "month", "quarter", "year"}),
			pick(c.rand, []string{"=", "<", "<=", ">", ">="}), pick(c.rand, []string{"0", "1", "12", "52", "2024"})}
	case query.MoreThan, query.LessThan:
		t.Field = c.date()
		t.Values = []string{c.date(), pick(c.rand, fuzzUnits), pick(c.rand, []string{"before", "after"}), pick(c.rand, []string{"0", "1", "30"})}
	case query.Equal, query.NotEqual, query.StartsWith, query.EndsWith, query.Like, query.NotLike:
		t.Values = []string{c.operand(t.Field)}
		if c.rand.IntN(20) == 0 { // the stores put what cannot be stored in no order, memory does
			t.Values = []string{pick(c.rand, odd[len(odd)-3:])}
		}
	default:
		t.Values = []string{c.operand(t.Field)}
	}
	return t
}

var fuzzUnits = []string{"second", "minute", "hour", "day", "week", "month", "quarter", "year"}

func (c *comparison) condition(depth int) query.Node {
	if depth == 0 || c.rand.IntN(2) == 0 {
		return c.term()
	}
	parts := make([]query.Node, c.rand.IntN(5))
	for i := range parts {
		parts[i] = c.condition(depth - 1)
	}
	if c.rand.IntN(2) == 0 {
		return &query.And{Parts: parts}
	}
	return &query.Or{Parts: parts}
}

// ask draws a query and compares the answers.
func (c *comparison) ask() {
	q := &record.Query{Table: c.table, Fields: []string{"sys_id"}}
	if c.rand.IntN(4) > 0 {
		q.Where = c.condition(2)
	}
	switch c.rand.IntN(4) {
	case 0:
		c.agree(q)
		c.againstMemory(q)
	case 1:
		q.Fields = append(q.Fields, c.path(), c.path())
		for range c.rand.IntN(3) {
			q.OrderBy = append(q.OrderBy, query.Order{Field: c.path(), Desc: c.rand.IntN(2) == 0})
		}
		q.Limit, q.Offset = c.rand.IntN(4)*3, c.rand.IntN(3)
		c.agree(q)
	case 2:
		q.Fields = nil
		for range c.rand.IntN(3) {
			q.Fields = append(q.Fields, c.path())
		}
		q.Measures = []record.Measure{{Func: "count"}, {Func: "sum", Field: "count"}, {Func: "avg", Field: "price"}}
		for _, f := range []string{"count", "distinct", "min", "max"} {
			q.Measures = append(q.Measures, record.Measure{Func: f, Field: c.path()})
		}
		c.agree(q)
	case 3:
		q.Keys = &record.Keys{}
		for range 1 + c.rand.IntN(2) {
			q.Keys.Fields = append(q.Keys.Fields, pick(c.rand, c.own()).Name)
			q.Keys.Fold = append(q.Keys.Fold, c.rand.IntN(2) == 0)
		}
		for range pick(c.rand, []int{1, 3, 60}) {
			for i, f := range q.Keys.Fields {
				v := c.value(c.table.Field(f))
				if q.Keys.Fold[i] {
					v.Text = query.Fold(v.Text)
				}
				q.Keys.Tuples = append(q.Keys.Tuples, v)
			}
		}
		c.agree(q)
	}
}

func (c *comparison) agree(q *record.Query) {
	var first []string
	var firstErr error
	for i, tx := range c.txs {
		got, err := answer(tx, q)
		if len(q.OrderBy) == 0 && q.Limit == 0 && q.Offset == 0 {
			slices.Sort(got)
		}
		if i == 0 {
			first, firstErr = got, err
			continue
		}
		if (err == nil) != (firstErr == nil) || fault.KindOf(err) != fault.KindOf(firstErr) || err != nil && fault.KindOf(err) != fault.Invalid {
			c.Fatalf("%s\nsqlite: %v\npostgres: %v", show(q), firstErr, err)
		}
		if !slices.Equal(first, got) {
			c.Fatalf("%s\nsqlite:   %q\npostgres: %q", show(q), first, got)
		}
	}
}

func answer(tx record.Tx, q *record.Query) ([]string, error) {
	var out []string
	for row, err := range tx.Select(context.Background(), q) {
		if err != nil {
			return nil, err
		}
		out = append(out, render(row...))
	}
	return out, nil
}

func render(row ...record.Value) string {
	var b strings.Builder
	for _, v := range row {
		if v.Valid {
			fmt.Fprintf(&b, "%q ", v.Text)
		} else {
			b.WriteString("null ")
		}
	}
	return b.String()
}

func show(q *record.Query) string {
	where, _ := query.Encode(q.Where)
	if q.Where == nil {
		where = ""
	}
	return fmt.Sprintf("where %q\nfields %q keys %+v order %v limit %d offset %d measures %v", where, q.Fields, q.Keys, q.OrderBy, q.Limit, q.Offset, q.Measures)
}

// againstMemory compares a condition's records with those that query.Match finds.
func (c *comparison) againstMemory(q *record.Query) {
	got, err := answer(c.txs[0], q)
	m, compiled := query.Compile(q.Where, c.table)
	if (err == nil) != (compiled == nil) {
		c.Fatalf("%s\nsqlite: %v\nmemory: %v", show(q), err, compiled)
	}
	if err != nil {
		return
	}
	slices.Sort(got)
	var want []string
	for _, rec := range c.records {
		if m.Match(c.lookup(rec)) {
			want = append(want, render(rec["sys_id"]))
		}
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		c.Fatalf("%s\nsqlite: %q\nmemory: %q", show(q), got, want)
	}
}

func (c *comparison) lookup(rec map[string]record.Value) query.Lookup {
	return func(path string) (string, bool) {
		reference, display := query.IsDisplayPath(path)
		if display {
			path = reference + "." + c.table.DisplayField().Name
		}
		at := rec
		for {
			name, rest, more := strings.Cut(path, ".")
			v := at[name]
			if !more {
				return v.Text, v.Valid
			}
			if at = c.records[v.Text]; at == nil {
				return "", false
			}
			path = rest
		}
	}
}
