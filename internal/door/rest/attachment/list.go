package attachment

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/door/rest/wire"
	kept "headrace/internal/flow/attachment"
)

const (
	defaultLimit = 1000
	// page is how many records are looked at in one go.
	page = 1000
)

// list answers with what is known of the files that a query finds and the caller may read. It counts those alone.
func (a *api) list(r *wire.Request) (*wire.Answer, error) {
	where, order, err := a.filter(r)
	if err != nil {
		return nil, err
	}
	limit, offset := number(r, "sysparm_limit", defaultLimit), number(r, "sysparm_offset", 0)
	out, total := []map[string]string{}, 0
	for from := 0; ; from += page {
		found, err := a.page(r, where, order, from)
		if err != nil {
			return nil, err
		}
		visible, err := a.visible(r, found)
		if err != nil {
			return nil, err
		}
		for _, f := range visible {
			if total >= offset && len(out) < limit {
				out = append(out, a.meta(r, f))
			}
			total++
		}
		if len(found) < page {
			break
		}
	}
	h := http.Header{"X-Total-Count": {strconv.Itoa(total)}}
	if !r.Flag("sysparm_suppress_pagination_header") && limit > 0 {
		h.Set("Link", wire.Links(r, limit, offset, len(out), int64(total)))
	}
	return &wire.Answer{Header: h, Result: out}, nil
}

func number(r *wire.Request, name string, preset int) int {
	if n, err := strconv.Atoi(r.Param(name)); err == nil && n >= 0 {
		return n
	}
	return preset
}

// filter reads which files are asked for: by encoded query, else by parameters named like fields. Files that are still
// coming are never among them.
func (a *api) filter(r *wire.Request) (query.Node, []query.Order, error) {
	all := &query.And{Parts: []query.Node{&query.Term{Field: "state", Op: query.NotEqual, Values: []string{kept.Pending}}}}
	var order []query.Order
	if text := r.Param("sysparm_query"); text != "" {
		who := r.Identity
		q, err := query.Parse(text, a.files(), query.Env{Now: a.deps.Now(), Zone: who.Zone, UserID: who.UserID, UserName: who.UserName, UserDisplay: who.DisplayName})
		if err != nil {
			return nil, nil, err
		}
		order = q.OrderBy
		if len(q.Invalid) > 0 && a.deps.NoRowsOnInvalid {
			all.Parts = append(all.Parts, &query.Or{})
		}
		if q.Where != nil {
			all.Parts = append(all.Parts, q.Where)
		}
	} else {
		for _, name := range metaFields {
			if v := r.Param(name); v != "" && a.files().Field(name) != nil {
				all.Parts = append(all.Parts, equal(name, v))
			}
		}
	}
	return all, append(order, query.Order{Field: record.SysID}), nil
}

func (a *api) page(r *wire.Request, where query.Node, order []query.Order, from int) ([]*record.Record, error) {
	t := a.files()
	var out []*record.Record
	q := &record.Query{Table: t, Fields: t.Names(), Where: where, OrderBy: order, Limit: page, Offset: from}
	for row, err := range r.Session.Trusted().Select(r.Context(), q) {
		if err != nil {
			return nil, err
		}
		out = append(out, &record.Record{Table: t, Values: slices.Clone(row)})
	}
	return out, nil
}

// visible keeps the files at records that the caller may read.
func (a *api) visible(r *wire.Request, files []*record.Record) ([]*record.Record, error) {
	at := map[string]*record.Keys{}
	for _, f := range files {
		table := f.Get("table_name").Text
		if at[table] == nil {
			at[table] = &record.Keys{Fields: []string{record.SysID}, Fold: []bool{false}}
		}
		at[table].Tuples = append(at[table].Tuples, f.Get("table_sys_id"))
	}
	readable := map[string]bool{}
	for table, keys := range at {
		t := a.deps.DB.Catalog().Table(table)
		if t == nil || t.Field(record.SysID) == nil {
			continue
		}
		for row, err := range r.Session.Select(r.Context(), &record.Query{Table: t, Fields: []string{record.SysID}, Keys: keys}) {
			if err != nil {
				return nil, err
			}
			readable[strings.Join([]string{table, row[0].Text}, "/")] = true
		}
	}
	var out []*record.Record
	for _, f := range files {
		if readable[f.Get("table_name").Text+"/"+f.Get("table_sys_id").Text] {
			out = append(out, f)
		}
	}
	return out, nil
}
