package table

import (
	"context"
	"iter"

	"headrace/internal/core/record"
	"headrace/internal/door/rest/wire"
)

// rows is the records of an answer, read and to be written as JSON.
type rows struct {
	plan   *plan
	values []record.Value // flat
	count  int
	single bool // one record: an object and no list
	shown  *shown
	hidden func(field, id string) bool
}

func newRows(p *plan) *rows { return &rows{plan: p} }

// reader is a session, or a writer in its transaction.
type reader interface {
	Select(ctx context.Context, q *record.Query) iter.Seq2[[]record.Value, error]
}

// readOne takes the record with that id, if there is one. Tables without ids have none.
func (o *rows) readOne(ctx context.Context, from reader, id string) error {
	o.single = true
	if o.plan.id < 0 {
		return nil
	}
	o.expect(1)
	keys := &record.Keys{Fields: []string{record.SysID}, Fold: []bool{false}, Tuples: []record.Value{record.Text(id)}}
	return o.read(from.Select(ctx, &record.Query{Table: o.plan.table, Fields: o.plan.selected, Keys: keys}))
}

func (o *rows) len() int { return o.count }

// expect makes room for n records.
func (o *rows) expect(n int) { o.values = make([]record.Value, 0, n*len(o.plan.selected)) }

// read takes the rows of a query.
func (o *rows) read(from iter.Seq2[[]record.Value, error]) error {
	for row, err := range from {
		if err != nil {
			return err
		}
		o.values = append(o.values, row...)
		o.count++
	}
	return nil
}

func (o *rows) row(i int) []record.Value {
	w := len(o.plan.selected)
	return o.values[i*w : (i+1)*w]
}

// ids are the sys_ids of the records.
func (o *rows) ids() []string {
	if o.plan.id < 0 {
		return nil
	}
	out := make([]string, o.count)
	for i := range out {
		out[i] = o.row(i)[o.plan.id].Text
	}
	return out
}

// complete finds out what else the answer says: which fields the caller may not see, and what is displayed of values
// that do not say it themselves. That takes a query for each table referred to, however many records there are.
func (o *rows) complete(ctx context.Context, s record.Session) (err error) {
	if o.count == 0 {
		return nil
	}
	if o.hidden, err = s.Hidden(ctx, o.plan.table, o.guarded(), o.ids()); err != nil {
		return err
	}
	if o.plan.mode != storedOnly {
		o.shown, err = look(ctx, s, o)
	}
	return err
}

// guarded lists the fields that may be hidden. What is secret is hidden from everybody and answered as the platform
// does, by stars.
func (o *rows) guarded() []string {
	var names []string
	for i := range o.plan.columns {
		if c := &o.plan.columns[i]; c.at >= 0 && c.field.Type != record.Secret {
			names = append(names, c.path)
		}
	}
	return names
}

// AppendJSON writes the records: an object each.
func (o *rows) AppendJSON(dst []byte) []byte {
	if o.single {
		if o.count == 0 {
			return append(dst, "{}"...)
		}
		return o.appendRecord(dst, 0)
	}
	dst = append(dst, '[')
	for i := range o.count {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = o.appendRecord(dst, i)
	}
	return append(dst, ']')
}

func (o *rows) appendRecord(dst []byte, i int) []byte {
	row, id := o.row(i), ""
	if o.plan.id >= 0 {
		id = row[o.plan.id].Text
	}
	dst = append(dst, '{')
	first := true
	for j := range o.plan.columns {
		c := &o.plan.columns[j]
		if c.at >= 0 && c.field.Type != record.Secret && o.hidden(c.path, id) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		value := c.fixed
		if c.at >= 0 && c.field.Type != record.Secret {
			value = row[c.at].Text
		}
		dst = o.appendField(append(dst, c.key...), c, value, id)
	}
	return append(dst, '}')
}

// appendField writes one field in the shape that the parameters ask for.
func (o *rows) appendField(dst []byte, c *column, value, id string) []byte {
	p := o.plan
	link := p.links && c.field.Type == record.Reference && value != ""
	if p.mode == storedOnly {
		if link {
			return append(wire.AppendString(append(p.appendLink(append(dst, '{'), c, value), `,"value":`...), value), '}')
		}
		return wire.AppendString(dst, value)
	}
	text := o.shown.text(c, value, id)
	if p.mode == shownOnly && !link {
		return wire.AppendString(dst, text)
	}
	dst = wire.AppendString(append(dst, `{"display_value":`...), text)
	if link {
		dst = p.appendLink(append(dst, ','), c, value)
	}
	if p.mode == both {
		dst = wire.AppendString(append(dst, `,"value":`...), value)
	}
	return append(dst, '}')
}

// appendLink writes where the record referred to is found. The tables themselves are referred to by name.
func (p *plan) appendLink(dst []byte, c *column, value string) []byte {
	between := "/"
	if c.field.Reference == record.ObjectTable && p.table.Catalog().Table(value) != nil {
		between = "?name="
	}
	dst = append(dst, `"link":"`...)
	dst = append(append(dst, p.api...), "/table/"...)
	dst = append(append(dst, c.field.Reference...), between...)
	quoted := wire.AppendString(nil, value)
	return append(append(dst, quoted[1:len(quoted)-1]...), '"')
}
