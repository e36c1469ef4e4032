package rest

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"headrace/internal/connect/format"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// reading is one reading of a service.
type reading struct {
	*service
	ctx   context.Context
	since string

	walk  walker
	tally *tally
	marks *highest // nil without a watermark
	path  string   // of the rows, once it is known
	cols  columns
	row   format.Row
	yield func(*format.Row, error) bool
}

var errEnough = errors.New("enough")

// rows yields every row, or an error in the end. When there are none, one without cells shows the header.
func (r *reading) rows(yield func(*format.Row, error) bool) {
	r.yield = yield
	err := r.begin()
	for more := err == nil; more; {
		more, err = r.page()
	}
	if err == nil {
		err = r.settle()
	}
	if err == nil && r.walk.read == 0 { // the header at least
		r.row = format.Row{Header: r.cols.schema.Header(), Line: 1}
		yield(&r.row, nil)
		return
	}
	if err != nil && err != errEnough {
		yield(nil, fault.During("read "+r.base.Host, err))
	}
}

func (r *reading) begin() error {
	r.walk = walker{plan: r.plan}
	r.tally, r.path, r.cols, r.row = newTally(r.pages), r.plan.rows, columns{}, format.Row{}
	r.marks = nil
	if r.plan.marks == nil {
		if r.since != "" {
			return fault.New(fault.Invalid, "there is a mark, %s, but no watermark", r.since).WithHint("set the option watermark, or empty the mark")
		}
		r.walk.begin("", false)
		return nil
	}
	r.marks = &highest{marks: r.plan.marks}
	if r.since != "" {
		var err error
		if r.marks.from, err = r.plan.marks.restore(r.since); err != nil {
			return err
		}
		if !r.uses(atSince) {
			return fault.New(fault.Invalid, "readings from a mark need {since} in the request").WithHint("set the option since, for instance updated_after={since}; or empty the mark")
		}
	}
	text, ok := r.plan.marks.since(r.marks.from)
	r.walk.begin(text, ok)
	return nil
}

// page reads one page and yields its rows.
func (r *reading) page() (more bool, err error) {
	p, err := r.fetch()
	if err != nil {
		return false, err
	}
	if err := r.walk.admit(p); err != nil {
		return false, err
	}
	total, err := r.total(p)
	if err != nil {
		return false, err
	}
	r.tally.take(total, len(p.rows))
	if err := r.give(p); err != nil {
		return false, err
	}
	return r.walk.next(p, r.tally.all())
}

// fetch asks for the page whose turn it is.
func (r *reading) fetch() (*page, error) {
	req, err := r.compose(r.walk.values, r.walk.turn.at)
	if err != nil {
		return nil, err
	}
	if err := r.walk.enter(req); err != nil {
		return nil, err
	}
	var p *page
	err = r.ask(r.ctx, req, func(a *answer) (err error) {
		p, err = a.read(r.path)
		return err
	})
	if err != nil {
		return nil, err
	}
	if r.path == "" && len(p.rows) > 0 {
		r.path = p.found
	}
	if r.marks != nil && r.walk.pages == 1 {
		r.marks.began = r.clock()
		if at, err := http.ParseTime(p.header.Get("Date")); err == nil {
			r.marks.began = at
		}
	}
	return p, nil
}

// total is what a page says about the number of rows, -1 when it does not.
func (r *reading) total(p *page) (int64, error) {
	if !r.pages.counted {
		return -1, nil
	}
	where := r.pages.total
	if where == "" {
		where = "header:X-Total-Count"
	}
	text, ok := p.at(where)
	if !ok && r.pages.total == "" {
		return -1, nil
	}
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	switch {
	case !ok:
		return -1, fault.New(fault.Unavailable, "page %d tells no total at %s", r.walk.pages, where).WithHint("check the option total")
	case err != nil || n < 0:
		return -1, fault.New(fault.Unavailable, "the total of page %d, %q, is no number of rows", r.walk.pages, oneLine(text, 40)).WithHint("check the option total")
	}
	return n, nil
}

// columns puts the pages of a reading under one header that grows.
type columns struct {
	schema format.Schema
	index  map[string]int
}

// of gives the places of names in the header, which get one where they have none.
func (c *columns) of(names []string) []int {
	if c.index == nil {
		c.index = map[string]int{}
	}
	out := make([]int, len(names))
	for i, name := range names {
		at, known := c.index[name]
		if !known {
			at = c.schema.Add(name)
			c.index[name] = at
		}
		out[i] = at
	}
	return out
}

// note passes on what the format says, each thing once.
func (c *columns) note(notes []string, said []string) {
	for _, n := range notes {
		if !slices.Contains(said, n) {
			c.schema.Note("%s", n)
		}
	}
}

// give yields the rows of a page, with their details.
func (r *reading) give(p *page) error {
	details, err := r.details(p)
	if err != nil {
		return err
	}
	places := r.cols.of(p.columns)
	r.cols.note(p.notes, r.cols.schema.Header().Notes)
	for i, l := range p.rows {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		r.row.Line++
		r.row.Cells, r.row.Err = r.row.Cells[:0], l.err
		r.put(l.cells, places)
		if details != nil {
			r.put(details[i].cells, r.cols.of(details[i].columns))
			if r.row.Err == nil {
				r.row.Err = details[i].failed(r.row.Line)
			}
		}
		if r.row.Err != nil {
			e := *r.row.Err
			e.Line = r.row.Line
			r.row.Err = &e
		}
		if err := r.see(p, l); err != nil {
			return err
		}
		r.row.Header = r.cols.schema.Header()
		if !r.yield(&r.row, nil) {
			return errEnough
		}
	}
	return nil
}

// put sets cells at their places in the row at hand.
func (r *reading) put(cells []record.Value, places []int) {
	for i, c := range cells {
		for len(r.row.Cells) <= places[i] {
			r.row.Cells = append(r.row.Cells, record.Value{})
		}
		r.row.Cells[places[i]] = c
	}
}

// see follows the watermark.
func (r *reading) see(p *page, l line) error {
	if r.marks == nil || l.err != nil {
		return nil
	}
	r.marks.seen = r.marks.seen || slices.Contains(p.columns, r.marks.column)
	r.marks.see(l.cell(p.columns, r.marks.column))
	if r.marks.strange != "" {
		return fault.New(fault.Invalid, "the watermark %s of row %d, %q, is not in the format of marks", r.marks.column, r.row.Line, oneLine(r.marks.strange, 60)).
			WithHint("set since_format to how the service writes it")
	}
	return nil
}

// settle checks the whole reading.
func (r *reading) settle() error {
	if err := r.tally.check(); err != nil {
		return err
	}
	if r.marks != nil && r.walk.read > 0 && !r.marks.seen {
		return r.lacks("watermark", r.marks.column, r.cols.schema.Columns())
	}
	return nil
}

func (r *reading) lacks(option, name string, have []string) error {
	bad := fault.New(fault.Invalid, "the rows have no column %s, which the option %s names", name, option)
	if near := record.Nearest(name, have); near != "" {
		return bad.WithHint("did you mean %s? The columns are %s", near, strings.Join(have[:min(len(have), 20)], ", "))
	}
	return bad.WithHint("the columns are %s", strings.Join(have[:min(len(have), 20)], ", "))
}

func (r *reading) highest() string {
	if r.marks == nil {
		return ""
	}
	return r.marks.mark()
}

// stated is how many rows the service says there are.
func (r *reading) stated() int64 {
	switch t := r.tally; {
	case t == nil || t.first < 0:
		return -1
	case t.remaining:
		return t.read + t.missing + max(t.expect, 0)
	default:
		return t.near()
	}
}

// try reads the first page and looks for everything that options name.
func (r *reading) try() error {
	if err := r.begin(); err != nil {
		return err
	}
	p, err := r.fetch()
	if err != nil {
		return fault.During("test "+r.base.Host, err)
	}
	if _, err := r.total(p); err != nil {
		return err
	}
	if len(p.rows) == 0 {
		return nil
	}
	for option, name := range map[string]string{"key": r.pages.key, "watermark": r.watermark()} {
		if name != "" && !slices.Contains(p.columns, name) {
			return r.lacks(option, name, p.columns)
		}
	}
	p.rows = p.rows[:1]
	if _, err := r.details(p); err != nil {
		return err
	}
	if r.marks == nil {
		return nil
	}
	return r.see(p, p.rows[0])
}

func (r *reading) watermark() string {
	if r.marks == nil {
		return ""
	}
	return r.marks.column
}
