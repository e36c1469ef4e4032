package script

import (
	"slices"

	"github.com/dop251/goja"

	"headrace/internal/core/record"
)

// cursorPage is how many records are read at once.
const cursorPage = 200

// cursor goes over the records of a query. Small results are read whole. Of larger ones the ids are read first and the
// records page by page, so that a script may change what it goes over without missing or meeting any twice; records deleted
// meanwhile are passed over.
type cursor struct {
	ids  []string         // of all records, in order; nil when page holds all
	page []*record.Record // records read ahead
	at   int              // of the current one in page; -1 before the first
	from int              // position of page[0] in ids
	row  int              // number of the current record, from 0
	size int              // number of records
	ran  bool
}

// query runs the query. The record then stands before the first row.
func (g *GlideRecord) query() {
	g.cursor = cursor{at: -1, row: -1, ran: true}
	if g.table == nil {
		return
	}
	g.clear()
	g.row = record.NewRecord(g.table)
	limit := cursorPage + 1
	if g.limit > 0 {
		limit = min(limit, g.limit)
	}
	first := g.read(&record.Query{Table: g.table, Fields: g.table.Names(), Where: g.where(), OrderBy: g.order, Limit: limit, Offset: g.offset})
	c := &g.cursor
	if len(first) <= cursorPage {
		c.page, c.size = first, len(first)
		return
	}
	for _, r := range g.read(&record.Query{Table: g.table, Fields: []string{record.SysID}, Where: g.where(), OrderBy: g.order, Limit: g.limit, Offset: g.offset}) {
		c.ids = append(c.ids, r.Values[0].Text)
	}
	c.size = len(c.ids)
	c.page = first[:cursorPage]
}

// read answers a query. Records carry the values of its fields alone, in their order.
func (g *GlideRecord) read(q *record.Query) []*record.Record {
	var out []*record.Record
	prepared, err := g.reader().Prepare(g.s.ctx, q)
	if err == nil {
		err = g.s.Read(func(tx record.Tx) error {
			for row, err := range prepared.Rows(g.s.ctx, tx) {
				if err != nil {
					return err
				}
				out = append(out, &record.Record{Table: q.Table, Values: slices.Clone(row)})
			}
			return nil
		})
	}
	if err != nil {
		g.s.Throw(err)
	}
	return out
}

// fill reads the page after the one that was gone through.
func (g *GlideRecord) fill() bool {
	c := &g.cursor
	for c.ids != nil {
		next := c.from + cursorPage
		if next >= len(c.ids) {
			return false
		}
		ids := c.ids[next:min(next+cursorPage, len(c.ids))]
		rows := g.read(&record.Query{Table: g.table, Fields: g.table.Names(), Keys: idKeys(ids...)})
		slices.SortFunc(rows, func(a, b *record.Record) int { return slices.Index(ids, a.ID()) - slices.Index(ids, b.ID()) })
		c.from, c.page, c.at = next, rows, -1
		if len(rows) > 0 {
			return true
		}
	}
	return false
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

// count is the number of records of the query, whatever its window.
func (g *GlideRecord) count() int { return g.cursor.size }

// eachID calls visit with the ids of all records that the conditions find, whatever limit was set; that is the platform's way
// for updateMultiple and deleteMultiple. A query with a term that names no field is refused.
func (g *GlideRecord) eachID(what string, visit func(w *record.Writer, id string) error) {
	if g.table == nil {
		return
	}
	if len(g.invalid) > 0 {
		g.s.Throw(refuse(what, g.name, g.invalid))
	}
	ids := g.read(&record.Query{Table: g.table, Fields: []string{record.SysID}, Where: g.where(), OrderBy: g.order})
	err := g.s.write(g.session(), func(w *record.Writer) error {
		for _, r := range ids {
			if err := visit(w, r.Values[0].Text); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		g.refused(err)
	}
}

func (g *GlideRecord) rowNumber() goja.Value { return g.s.vm.ToValue(g.cursor.row) }
