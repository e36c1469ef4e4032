package record

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"headrace/internal/core/fault"
)

// NumberTable says how the records of a table are numbered: the prefix, the digits and the last number given.
const NumberTable = "sys_number"

// numberField is the field that is numbered where its table, or one that it extends, has a record in NumberTable.
const numberField = "number"

func numberTable() Table {
	return Table{Name: NumberTable, Label: "Number", Fields: []Field{
		{Name: "category", Label: "Table", Type: String, Length: MaxName, Mandatory: true, Unique: true, Display: true},
		{Name: "prefix", Label: "Prefix", Type: String, Length: 40},
		{Name: numberField, Label: "Number", Type: Integer, Default: "0", Help: "the last number given"},
		{Name: "maximum_digits", Label: "Number of digits", Type: Integer, Default: "7"},
	}}
}

var countFields = []string{SysID, SysModCount, "category", "prefix", numberField, "maximum_digits"}

// counter is a record of NumberTable.
type counter struct {
	id, prefix string
	seen       Value // sys_mod_count
	last       int64
	digits     int
}

// number gives the n-th number behind the last one given.
func (c *counter) number(n int) Value {
	digits := strconv.FormatInt(c.last+int64(n), 10)
	return Text(c.prefix + strings.Repeat("0", max(0, c.digits-len(digits))) + digits)
}

// count takes the next n numbers of t, in this transaction: they are nobody else's, also when it is rolled back they
// are given again. The counter of the table itself goes before those of the tables it extends; nil when there is none.
func (w *Writer) count(ctx context.Context, t *Table, n int) (*counter, error) {
	for {
		c, err := w.counter(ctx, t)
		if c == nil || err != nil {
			return nil, err
		}
		taken, err := w.setCounter(ctx, c, c.seen, numberField, strconv.FormatInt(c.last+int64(n), 10))
		if taken || err != nil {
			return c, err
		}
		// Another transaction was faster. Writing what is there waits for it and keeps others out.
		if _, err := w.setCounter(ctx, c, Null, "prefix", c.prefix); err != nil {
			return nil, err
		}
	}
}

func (w *Writer) setCounter(ctx context.Context, c *counter, seen Value, field, text string) (bool, error) {
	rows := &Rows{Fields: []string{SysID, SysModCount, field}, Values: []Value{Text(c.id), seen, Text(text)}}
	stale, err := w.tx.Update(ctx, w.session.db.Catalog().Table(NumberTable), rows)
	return len(stale) == 0, err
}

// counter finds the counter of the most derived table that has one.
func (w *Writer) counter(ctx context.Context, t *Table) (*counter, error) {
	chain := []string{}
	for at := t; at != nil; at = t.catalog.Table(at.Extends) {
		chain = append(chain, at.Name)
	}
	q := &Query{Table: w.session.db.Catalog().Table(NumberTable), Fields: countFields, Keys: keyed("category", chain...)}
	var found *counter
	best := len(chain)
	for row, err := range w.tx.Select(ctx, q) {
		if err != nil {
			return nil, err
		}
		if at := slices.Index(chain, row[2].Text); at >= 0 && at < best {
			best, found = at, readCounter(row)
		}
	}
	return found, nil
}

func readCounter(row []Value) *counter {
	c := &counter{id: row[0].Text, seen: row[1], prefix: row[3].Text}
	c.last, _ = strconv.ParseInt(row[4].Text, 10, 64) // nothing counts as 0
	c.digits, _ = strconv.Atoi(row[5].Text)
	return c
}

// Numbered reports whether records of the table are given a number that counts.
func (t *Table) Numbered() bool {
	f := t.Field(numberField)
	return f != nil && f.Type == String && !t.Bare && t.catalog != nil
}

// numberRecord gives a new record its number, if it has none and should.
func (w *Writer) numberRecord(ctx context.Context, r *Record) error {
	if !r.Table.Numbered() || !r.Get(numberField).Empty() {
		return nil
	}
	t := r.Table
	if class := t.catalog.Table(r.Get(SysClassName).Text); class != nil {
		t = class
	}
	c, err := w.count(ctx, t, 1)
	if c != nil && err == nil {
		r.Set(numberField, c.number(1))
	}
	return err
}

// numberRows gives the rows of a block that have no number one each, taking as many as are needed at once.
func (w *Writer) numberRows(ctx context.Context, t *Table, rows *Rows) (*Rows, error) {
	shared := slices.ContainsFunc(rows.Shared, func(a Assignment) bool { return a.Field == numberField })
	if !t.Numbered() || shared {
		return rows, nil
	}
	at := slices.Index(rows.Fields, numberField)
	need := rows.Len()
	if at >= 0 {
		need = 0
		for i := range rows.Len() {
			if rows.Row(i)[at].Empty() {
				need++
			}
		}
	}
	if need == 0 {
		return rows, nil
	}
	c, err := w.count(ctx, t, need)
	if c == nil || err != nil {
		return rows, err
	}
	return c.fill(rows, at), nil
}

// fill copies a block with numbers in column at, which is added when it is negative.
func (c *counter) fill(rows *Rows, at int) *Rows {
	out := *rows
	if at < 0 {
		at = len(rows.Fields)
		out.Fields = append(slices.Clone(rows.Fields), numberField)
	}
	w := len(out.Fields)
	out.Values = make([]Value, 0, rows.Len()*w)
	given := 0
	for i := range rows.Len() {
		out.Values = append(out.Values, rows.Row(i)...)
		if len(out.Values) < (i+1)*w {
			out.Values = append(out.Values, Null)
		}
		if v := &out.Values[i*w+at]; v.Empty() {
			given++
			*v = c.number(given)
		}
	}
	return &out
}

// checkCounter refuses a numbering of nothing.
func (w *Writer) checkCounter(r *Record) error {
	if name := r.Get("category").Text; r.Table.Name == NumberTable && w.session.db.Catalog().Table(name) == nil {
		return fault.New(fault.Invalid, "there is no table %q to number", name)
	}
	return nil
}
