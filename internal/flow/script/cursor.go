package script

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/dop251/goja"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// cursorPage is how many records are read at once.
const cursorPage = 200

// cursor goes over the records of a query. The first page is read when the query runs. Where there are more, the ids of the
// others are read before the scope writes anything that could change the answer, or when the first page is gone through, and
// then the records page by page: a script may change what it goes over without missing or meeting any twice. Records
// deleted meanwhile are passed over.
type cursor struct {
	page  []*record.Record // records read ahead
	first []string         // ids of the first page, while there are more than that
	more  bool             // the ids of the others are still to be read
	rest  []byte           // ids of the records behind page, each with a comma behind it
	at    int              // of the current one in page; -1 before the first
	row   int              // number of the current record, from 0
	size  int              // number of records; where more, not known yet
}

// query runs the query. The record then stands before the first row.
func (g *GlideRecord) query() {
	delete(g.s.open, g)
	g.cursor = cursor{at: -1, row: -1}
	if g.table == nil {
		return
	}
	g.clear()
	g.asking = g.narrowed()
	limit := cursorPage + 1
	if g.limit > 0 {
		limit = min(limit, g.limit)
	}
	c := &g.cursor
	c.page = g.read(g.asked(g.table.Names(), limit))
	if c.size = len(c.page); c.size <= cursorPage {
		return
	}
	c.page, c.more = c.page[:cursorPage], true
	for _, r := range c.page {
		c.first = append(c.first, r.ID())
	}
	g.s.open[g] = true
}

// asked is the record's query.
func (g *GlideRecord) asked(fields []string, limit int) *record.Query {
	return &record.Query{Table: g.table, Fields: fields, Where: g.asking, OrderBy: g.order, Limit: limit, Offset: g.offset}
}

// pin reads the ids of the records behind the first page.
func (g *GlideRecord) pin() {
	c := &g.cursor
	if !c.more {
		return
	}
	delete(g.s.open, g)
	c.more, c.size = false, len(c.first)
	seen := map[string]bool{}
	for _, id := range c.first {
		seen[id] = true
	}
	g.each(g.asked([]string{record.SysID}, g.limit), func(row []record.Value) {
		if id := row[0].Text; !seen[id] {
			c.rest = append(append(c.rest, id...), ',')
			c.size++
		}
	})
	c.first = nil
}

// pinned pins the cursors that a write on t may disturb: those over the same records, or, where rules may write what they
// like, all. A nil t may be any.
func (s *Scope) pinned(t *record.Table) {
	for g := range s.open {
		if t == nil || g.table.Physical == t.Physical || s.engine.cfg.DB.Hooked(t) {
			g.pin()
		}
	}
}

// each calls visit with the rows that answer a query. They are only valid inside of it.
func (g *GlideRecord) each(q *record.Query, visit func(row []record.Value)) {
	prepared, err := g.reader().Prepare(g.s.ctx, q)
	if err == nil {
		err = g.s.Read(func(tx record.Tx) error {
			for row, err := range prepared.Rows(g.s.ctx, tx) {
				if err != nil {
					return err
				}
				visit(row)
			}
			return nil
		})
	}
	if err != nil {
		g.s.Throw(err)
	}
}

// read answers a query. Records carry the values of its fields alone, in their order.
func (g *GlideRecord) read(q *record.Query) []*record.Record {
	var out []*record.Record
	g.each(q, func(row []record.Value) { out = append(out, &record.Record{Table: q.Table, Values: slices.Clone(row)}) })
	return out
}

// fill reads the page after the one that was gone through.
func (g *GlideRecord) fill() bool {
	c := &g.cursor
	g.pin()
	for len(c.rest) > 0 {
		ids := c.take()
		place := make(map[string]int, len(ids))
		for i, id := range ids {
			place[id] = i
		}
		c.page = g.read(&record.Query{Table: g.table, Fields: g.table.Names(), Keys: idKeys(ids...)})
		slices.SortFunc(c.page, func(a, b *record.Record) int { return place[a.ID()] - place[b.ID()] })
		if c.at = -1; len(c.page) > 0 {
			return true
		}
	}
	return false
}

// take takes the ids of the next page.
func (c *cursor) take() []string {
	var ids []string
	for len(ids) < cursorPage && len(c.rest) > 0 {
		end := bytes.IndexByte(c.rest, ',')
		ids = append(ids, string(c.rest[:end]))
		c.rest = c.rest[end+1:]
	}
	return ids
}

func (g *GlideRecord) hasNext() bool {
	c := &g.cursor
	return c.at+1 < len(c.page) || g.fill()
}

func (g *GlideRecord) next() bool {
	if !g.hasNext() {
		return false
	}
	c := &g.cursor
	c.at++
	c.row++
	g.stand(c.page[c.at])
	return true
}

// stand makes a record the current row.
func (g *GlideRecord) stand(r *record.Record) {
	g.row, g.old = r.Clone(), r
	g.isNew, g.set, g.related, g.aborted = false, nil, nil, false
}

// count is the number of records of the query, within its window.
func (g *GlideRecord) count() int {
	c := &g.cursor
	if !c.more {
		return c.size
	}
	n := 0
	q := &record.Query{Table: g.table, Where: g.asking, Measures: []record.Measure{{Func: "count"}}}
	g.each(q, func(row []record.Value) { n, _ = strconv.Atoi(row[0].Text) })
	if n -= g.offset; g.limit > 0 {
		n = min(n, g.limit)
	}
	return n
}

// eachID calls visit with the ids of all records that the conditions find, whatever limit was set; that is the platform's way
// for updateMultiple and deleteMultiple. A query with a term that names no field is refused.
func (g *GlideRecord) eachID(what string, visit func(w *record.Writer, id string) error) {
	if g.table == nil {
		return
	}
	if len(g.invalid) > 0 {
		g.s.Throw(refuse(what, g.name, g.invalid))
	}
	var ids cursor
	g.each(&record.Query{Table: g.table, Fields: []string{record.SysID}, Where: g.narrowed(), OrderBy: g.order}, func(row []record.Value) {
		ids.rest = append(append(ids.rest, row[0].Text...), ',')
	})
	err := g.s.write(g.session(), g.table, func(w *record.Writer) error {
		for len(ids.rest) > 0 {
			for _, id := range ids.take() {
				if err := visit(w, id); err != nil && fault.KindOf(err) != fault.NotFound { // a rule may have removed it
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		g.refused(err)
	}
}

func (g *GlideRecord) rowNumber() goja.Value { return g.s.vm.ToValue(g.cursor.row) }
