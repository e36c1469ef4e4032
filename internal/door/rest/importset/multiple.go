package importset

import (
	"net/http"
	"strconv"
	"strings"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/door/rest/wire"
	"headrace/internal/flow/importset"
)

// mostInline is how many rows an answer lists: of a load that was transformed at once, and of a page of its status.
const mostInline = 1000

// receipt is the answer to insertMultiple: the platform's two ids, and where to ask what became of the rows.
type receipt struct {
	SetID     string            `json:"import_set_id"`
	Group     string            `json:"multi_import_set_id"`
	StatusURL string            `json:"status_url"`
	State     string            `json:"state,omitempty"`
	Counts    *importset.Ledger `json:"counts,omitempty"`
	Rows      []rowResult       `json:"rows,omitempty"`
	Next      string            `json:"next,omitempty"`
}

// rowResult is what became of one row of a load.
type rowResult struct {
	ID     string   `json:"sys_id"`
	Result []result `json:"result"`
}

// insertMultiple keeps the rows of the body, all or none. They are there for good when the answer goes out; their
// transform follows, before the answer only where the staging table says so.
func (a *api) insertMultiple(r *wire.Request) (*wire.Answer, error) {
	st, err := a.staging(r, r.Params["staging"], record.Create)
	if err != nil {
		return nil, err
	}
	req := importset.LoadRequest{RunAfter: r.Param("run_after"), Group: r.Param("multi_import_set_id")}
	if req.PushRequest, err = a.rows(r, st); err != nil {
		return nil, err
	}
	if len(req.Rows) == 0 {
		return nil, wire.Unreadable(`the body holds no records: {"records":[{...}]}`)
	}
	kept, err := a.deps.Imports.Load(r.Context(), req)
	if fault.KindOf(err) == fault.NotFound && err != nil {
		return nil, &wire.Error{Status: http.StatusBadRequest, Message: "Invalid run_after", Detail: "there is no import set " + record.Clip(req.RunAfter)}
	}
	if err != nil {
		return nil, err
	}
	out := receipt{SetID: kept.SetID, Group: kept.Group, StatusURL: r.API() + "/import/" + st.Name + "/insertMultiple/" + kept.SetID}
	if !st.Synchronous {
		return &wire.Answer{Status: http.StatusCreated, Raw: out}, nil
	}
	run, err := a.deps.Imports.Transform(r.Context(), kept.SetID)
	if err != nil {
		return nil, err
	}
	if err := a.fill(r, &out, run, 0, nil); err != nil {
		return nil, err
	}
	status := http.StatusCreated
	if strict(r) && run.Ledger.Rejected > 0 {
		status = http.StatusMultiStatus
	}
	return &wire.Answer{Status: status, Raw: out}, nil
}

// fill adds state, counts and a page of rows to a receipt.
func (a *api) fill(r *wire.Request, out *receipt, run *importset.Run, from int64, fates []importset.Fate) error {
	out.State, out.Counts = string(run.State), &run.Ledger
	rows, err := a.deps.Imports.PushedRows(r.Context(), run, from, mostInline, fates...)
	if err != nil {
		return err
	}
	all, _, err := a.results(r, rows)
	if err != nil {
		return err
	}
	for _, row := range rows {
		n := len(row.Outcomes)
		out.Rows = append(out.Rows, rowResult{ID: row.Key, Result: all[:n:n]})
		all = all[n:]
	}
	if len(rows) == mostInline {
		last := from
		if n, err := strconv.ParseInt(rows[len(rows)-1].Key[16:], 16, 64); err == nil {
			last = n & importset.MaxRows
		}
		out.Next = out.StatusURL + "?from=" + strconv.FormatInt(last+1, 10)
		if s := r.Param("status"); s != "" {
			out.Next += "&status=" + s
		}
	}
	return nil
}

// status tells how far a load is: its state, its counts, and a page of its rows, those of one status when one is asked
// for.
func (a *api) status(r *wire.Request) (*wire.Answer, error) {
	st, err := a.staging(r, r.Params["staging"], record.Read)
	if err != nil {
		return nil, err
	}
	run, table, err := a.deps.Imports.RunOf(r.Context(), r.Params["set"])
	if err != nil {
		return nil, err
	}
	if table != st.Name {
		return nil, fault.New(fault.NotFound, "no import set of %s", st.Name)
	}
	from, err := strconv.ParseInt(r.Param("from"), 10, 64)
	if err != nil || from < 0 {
		from = 0
	}
	out := receipt{SetID: r.Params["set"], Group: run.Group(), StatusURL: r.API() + "/import/" + st.Name + "/insertMultiple/" + r.Params["set"]}
	if err := a.fill(r, &out, run, from, fatesOf(r.Param("status"))); err != nil {
		return nil, err
	}
	return &wire.Answer{Raw: out}, nil
}

// fatesOf lists the fates that a status of the compatible surface stands for.
func fatesOf(status string) []importset.Fate {
	var out []importset.Fate
	for fate, name := range statuses {
		if strings.EqualFold(name, status) {
			out = append(out, fate)
		}
	}
	return out
}
