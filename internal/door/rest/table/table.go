// Package table is the Table API and the Aggregate API of the platform, with the calls by which clients find out what
// tables there are: records read and written as the platform's clients expect, byte for byte where they look.
package table

import (
	"errors"
	"net/http"
	"strconv"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/door/rest/wire"
)

// api is the APIs over what they stand on.
type api struct{ deps wire.Deps }

// Routes lists the operations of the package.
func Routes(d wire.Deps) []wire.Route {
	a := &api{deps: d}
	const list, one = "/api/now/table/{table}", "/api/now/table/{table}/{id}"
	return []wire.Route{
		{Method: http.MethodGet, Pattern: list, Handler: a.list},
		{Method: http.MethodPost, Pattern: list, Handler: a.create},
		{Method: http.MethodGet, Pattern: one, Handler: a.get},
		{Method: http.MethodPut, Pattern: one, Handler: a.update},
		{Method: http.MethodPatch, Pattern: one, Handler: a.update},
		{Method: http.MethodDelete, Pattern: one, Handler: a.delete},
		{Method: http.MethodGet, Pattern: "/api/now/stats/{table}", Handler: a.stats},
		{Method: http.MethodPost, Pattern: "/api/now/tinyurl", Handler: a.shorten},
		{Method: http.MethodGet, Pattern: "/api/now/ui/user/current_user", Handler: a.currentUser},
		{Method: http.MethodGet, Pattern: "/api/now/ui/meta/{table}", Handler: a.meta},
		{Method: http.MethodGet, Pattern: "/api/now/doc/table/schema", Handler: a.tables},
		{Method: http.MethodGet, Pattern: "/api/now/doc/table/schema/{table}", Handler: a.fields},
		{Method: http.MethodGet, Pattern: "/api/now/sg/impersonation/session", Handler: a.impersonation},
	}
}

// list answers GET /table/{table}.
func (a *api) list(r *wire.Request) (*wire.Answer, error) {
	if err := a.lengthen(r); err != nil {
		return nil, err
	}
	t, view, err := a.find(r, r.Params["table"])
	if err != nil {
		return nil, err
	}
	q, err := a.filter(r, t)
	if err != nil {
		return nil, err
	}
	p, w := newPlan(r, t, a.deps), readWindow(r)
	rows, total, err := a.read(r, p, view, q, w)
	if err != nil {
		return nil, err
	}
	header := http.Header{}
	if total >= 0 {
		header["X-Total-Count"] = []string{strconv.FormatInt(total, 10)}
	}
	if !r.Flag("sysparm_suppress_pagination_header") {
		if links := w.links(r, rows.len(), total); links != "" {
			header["Link"] = []string{links}
		}
	}
	if rows.len() == 0 && r.Version == "v1" { // version 1 says so; later ones answer with an empty list
		return nil, &wire.Error{Status: http.StatusNotFound, Message: noRecord, Detail: noRecordDetail, Header: header}
	}
	return &wire.Answer{Header: header, Result: rows}, nil
}

// read reads a page of a table or of a view, and all that its answer says.
func (a *api) read(r *wire.Request, p *plan, view source, q *query.Query, w window) (*rows, int64, error) {
	if view != nil {
		return a.viewed(r, p, view, q, w)
	}
	rows, total, err := a.page(r, p, q, w)
	if err != nil {
		return nil, 0, err
	}
	return rows, total, rows.complete(r.Context(), r.Session)
}

// page reads the records of a page and, unless it is not wanted (-1), how many there are in all, in one transaction.
func (a *api) page(r *wire.Request, p *plan, q *query.Query, w window) (*rows, int64, error) {
	ctx, out, total := r.Context(), newRows(p), int64(-1)
	asked := &record.Query{Table: p.table, Fields: p.selected, Where: q.Where, OrderBy: q.OrderBy, Limit: w.limit, Offset: w.offset}
	records, err := r.Session.Prepare(ctx, asked)
	if err != nil {
		return nil, 0, err
	}
	counting := r.Session
	if a.deps.StrictCount {
		counting = counting.Trusted()
	}
	all, err := counting.PrepareCount(ctx, p.table, q.Where)
	if err != nil {
		return nil, 0, err
	}
	err = a.deps.DB.Store().Read(ctx, func(tx record.Tx) error {
		if w.limit > 0 {
			out.expect(min(w.limit, usualPage))
			if err := out.read(records.Rows(ctx, tx)); err != nil {
				return err
			}
		}
		switch {
		case r.Flag("sysparm_no_count"):
			return nil
		case !a.deps.StrictCount && w.last(out.len()): // the page has counted them
			total = int64(w.offset + out.len())
			return nil
		}
		total, err = all.Count(ctx, tx)
		return err
	})
	return out, total, err
}

// usualPage is how many records room is made for before they are read.
const usualPage = 64

// get answers GET /table/{table}/{id}.
func (a *api) get(r *wire.Request) (*wire.Answer, error) {
	t, view, err := a.find(r, r.Params["table"])
	if err != nil {
		return nil, err
	}
	read := a.one
	if view != nil {
		read = view.one(a)
	}
	found, err := read(r, t, r.Params["id"])
	if err == nil && found.len() == 0 {
		err = missing()
	}
	if err != nil {
		return nil, err
	}
	return &wire.Answer{Result: found}, nil
}

// one reads one record, or none.
func (a *api) one(r *wire.Request, t *record.Table, id string) (*rows, error) {
	out := newRows(newPlan(r, t, a.deps))
	if err := out.readOne(r.Context(), r.Session, id); err != nil {
		return nil, err
	}
	return out, out.complete(r.Context(), r.Session)
}

// write changes one record and reads it for the answer in the same transaction: nobody comes between, and there is no
// second one to pay for.
func (a *api) write(r *wire.Request, t *record.Table, do func(*record.Writer) (*record.Record, error)) (out *rows, id string, err error) {
	p := newPlan(r, t, a.deps)
	err = r.Session.Write(r.Context(), func(w *record.Writer) error {
		written, err := do(w)
		if err != nil {
			return err
		}
		out, id = newRows(p), written.ID()
		return out.readOne(r.Context(), w, id)
	})
	return out, id, err
}

// create answers POST /table/{table}.
func (a *api) create(r *wire.Request) (*wire.Answer, error) {
	t, in, err := a.input(r, true)
	if err != nil {
		return nil, err
	}
	out, id, err := a.write(r, t, func(w *record.Writer) (*record.Record, error) { return w.Insert(r.Context(), t, in.values) })
	if err != nil {
		return nil, writeError(err, "insert", t, in.display(t))
	}
	if err := out.complete(r.Context(), r.Session); err != nil {
		return nil, err
	}
	header := in.header()
	header["Location"] = []string{r.API() + "/table/" + t.Name + "/" + id}
	return &wire.Answer{Status: http.StatusCreated, Header: header, Result: out}, nil
}

// patience is how often an update is repeated that lost a race: the platform lets the last one win. Each race lost is
// one that another has won, so this is how many may overtake.
const patience = 200

// update answers PUT and PATCH /table/{table}/{id}: both change the fields given and no others.
func (a *api) update(r *wire.Request) (*wire.Answer, error) {
	t, in, err := a.input(r, false)
	if err != nil {
		return nil, err
	}
	id := r.Params["id"]
	var out *rows
	for range patience {
		out, _, err = a.write(r, t, func(w *record.Writer) (*record.Record, error) {
			written, _, err := w.Update(r.Context(), t, id, in.values)
			return written, err
		})
		if !errors.Is(err, record.ErrStale) {
			break
		}
	}
	if err != nil {
		return nil, writeError(err, "update", t, in.display(t))
	}
	if err := out.complete(r.Context(), r.Session); err != nil {
		return nil, err
	}
	return &wire.Answer{Header: in.header(), Result: out}, nil
}

// delete answers DELETE /table/{table}/{id}.
func (a *api) delete(r *wire.Request) (*wire.Answer, error) {
	t, err := a.writable(r)
	if err != nil {
		return nil, err
	}
	if err := r.Session.Delete(r.Context(), t, r.Params["id"]); err != nil {
		return nil, writeError(err, "delete", t, r.Params["id"])
	}
	return &wire.Answer{Status: http.StatusNoContent}, nil
}

// writable finds a table whose records callers may change. Transport and book-keeping is its owner's alone.
func (a *api) writable(r *wire.Request) (*record.Table, error) {
	t, _, err := a.find(r, r.Params["table"])
	if err == nil && t.Bare {
		err = &wire.Error{Status: http.StatusForbidden, Message: "Operation against file '" + t.Name + "' was denied due to table security"}
	}
	return t, err
}

// Texts of the platform that clients match.
const (
	operationFailed = "Operation Failed"
	noRecord        = "No Record found"
	noRecordDetail  = "Record doesn't exist or ACL restricts the record retrieval"
)

func missing() error {
	return &wire.Error{Status: http.StatusNotFound, Message: noRecord, Detail: noRecordDetail}
}
