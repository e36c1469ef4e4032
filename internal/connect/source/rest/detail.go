package rest

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"

	"headrace/internal/connect/format"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// more is what the call for one row brought.
type more struct {
	columns []string // with the prefix
	cells   []record.Value
	err     error
}

// failed is the error of a row whose call failed, where that spoils the row only.
func (m more) failed(line int64) *format.RowError {
	if m.err == nil {
		return nil
	}
	return &format.RowError{Code: "row_malformed", Line: line, Msg: "the detail: " + m.err.Error()}
}

// details calls for more about every row of a page, several at a time; they come in the order of the rows.
func (r *reading) details(p *page) ([]more, error) {
	if r.detail == nil {
		return nil, nil
	}
	ctx, cancel := context.WithCancelCause(r.ctx)
	defer cancel(nil)
	out := make([]more, len(p.rows))
	turns := make(chan int)
	var working sync.WaitGroup
	for range min(r.detail.atOnce, len(p.rows)) {
		working.Go(func() {
			for i := range turns {
				if out[i] = r.about(ctx, p, p.rows[i]); out[i].err != nil && !r.spoils(out[i].err) {
					cancel(out[i].err)
				}
			}
		})
	}
	for i := range p.rows {
		select {
		case turns <- i:
		case <-ctx.Done():
		}
	}
	close(turns)
	working.Wait()
	return out, context.Cause(ctx)
}

// spoils reports whether a failed detail costs its row only. Credentials that are refused and a reading that is given up
// cost the reading.
func (r *reading) spoils(err error) bool {
	kind := fault.KindOf(err)
	return r.detail.spoil && kind != fault.Denied && kind != fault.Canceled
}

// about makes the call for one row.
func (r *reading) about(ctx context.Context, p *page, l line) more {
	at, err := r.detailURL(p, l)
	if err != nil {
		return more{err: err}
	}
	req := &request{method: http.MethodGet, url: at, header: http.Header{"Accept": {accepts[r.format.Info().Name]}}, shown: r.redacted(at)}
	for _, h := range r.header {
		if value, ok := h.value.fill(r.walk.values, plain); ok && h.name != "Content-Type" {
			req.header.Set(h.name, value)
		}
	}
	var got *page
	err = r.ask(ctx, req, func(a *answer) (err error) {
		got, err = a.read(r.detail.rows)
		return err
	})
	if err != nil {
		return more{err: err}
	}
	if len(got.rows) != 1 {
		return more{err: fault.New(fault.Invalid, "%s answers with %d objects, not one", req.shown, len(got.rows)).WithHint("set detail_rows to where the object is")}
	}
	if e := got.rows[0].err; e != nil {
		return more{err: fault.Wrap(fault.Invalid, e, "the answer of %s cannot be read", req.shown)}
	}
	out := more{cells: got.rows[0].cells}
	for _, name := range got.columns {
		out.columns = append(out.columns, r.detail.prefix+name)
	}
	return out
}

// detailURL puts the row's values into the URL: as parts of the path, or of the query.
func (r *reading) detailURL(p *page, l line) (*url.URL, error) {
	v, lacking := values{}, ""
	for _, piece := range r.detail.url {
		cell := l.cell(p.columns, piece.name)
		if piece.name != "" && (!cell.Valid || cell.Text == "" || dots.MatchString(cell.Text)) {
			lacking = piece.name
		}
		v[piece.name] = cell.Text
	}
	if lacking != "" {
		return nil, fault.New(fault.Invalid, "column %s of the row makes no URL for its detail", lacking).WithHint("it is empty or missing; the columns are %s", strings.Join(p.columns[:min(len(p.columns), 20)], ", "))
	}
	text, _ := r.detail.url.fill(v, func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") })
	at, err := r.base.Parse(text)
	if err != nil || !sameHost(at, r.base) {
		return nil, fault.New(fault.Invalid, "the URL of a detail, %s, leads elsewhere", oneLine(text, 100)).WithHint("check the option detail")
	}
	return at, nil
}

// dots would lead up in a path.
var dots = regexp.MustCompile(`^\.{1,2}$`)
