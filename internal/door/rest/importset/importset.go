// Package importset is the Import Set API: rows pushed to a staging table, one by one and transformed at once, or many,
// kept first and transformed after; and files pushed to one.
package importset

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/door/rest/wire"
	"headrace/internal/flow/importset"
)

// Routes lists the operations of the API.
func Routes(d wire.Deps) []wire.Route {
	a := &api{deps: d}
	return []wire.Route{
		{Method: http.MethodPost, Pattern: "/api/now/import/{staging}", Handler: a.push},
		{Method: http.MethodGet, Pattern: "/api/now/import/{staging}/{id}", Handler: a.read},
		{Method: http.MethodPost, Pattern: "/api/now/import/{staging}/insertMultiple", Handler: a.insertMultiple},
		{Method: http.MethodGet, Pattern: "/api/now/import/{staging}/insertMultiple/{set}", Handler: a.status},
		{Method: http.MethodPost, Pattern: "/sys_import.do", Handler: a.file},
	}
}

type api struct {
	deps wire.Deps
}

// Roles that may push rows to any staging table; others need a rule for the table.
var loaders = []string{"import_admin", "import_set_loader", "import_transformer"}

// staging finds a staging table and makes sure that the caller may do that with its rows.
func (a *api) staging(r *wire.Request, name string, want record.Access) (*importset.Staging, error) {
	st, err := a.deps.Imports.Staging(r.Context(), name)
	if fault.KindOf(err) == fault.NotFound && err != nil {
		return nil, &wire.Error{Status: http.StatusBadRequest, Message: "Invalid table " + name}
	}
	if err != nil {
		return nil, err
	}
	if r.Identity.HasRole(loaders...) {
		return st, nil
	}
	rows := *a.deps.DB.Catalog().Table(importset.RowTable) // rules may be about the staging table or about all of them
	rows.Name, rows.Extends = name, importset.RowTable
	permit, err := r.Session.Permit(r.Context(), &rows, want)
	if err != nil {
		return nil, err
	}
	if !permit.Free() {
		if want == record.Read {
			return nil, fault.New(fault.NotFound, "no rows of %s are to be seen", name)
		}
		return nil, fault.New(fault.Denied, "%s", record.DeniedInsert)
	}
	return st, nil
}

// strict reports whether the caller wants failures to be failures: `Prefer: handling=strict`.
func strict(r *wire.Request) bool {
	for _, v := range r.Header.Values("Prefer") {
		for part := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(part), "handling=strict") {
				return true
			}
		}
	}
	return false
}

// push takes the rows of the body, as a rule one, through the maps of the staging table.
func (a *api) push(r *wire.Request) (*wire.Answer, error) {
	st, err := a.staging(r, r.Params["staging"], record.Create)
	if err != nil {
		return nil, err
	}
	req, err := a.rows(r, st)
	if err != nil {
		return nil, err
	}
	if len(req.Rows) == 0 {
		req.Rows = [][]record.Value{make([]record.Value, len(req.Columns))}
	}
	got, err := a.deps.Imports.Push(r.Context(), req)
	if err != nil {
		return nil, err
	}
	results, failed, err := a.results(r, got.Rows)
	if err != nil {
		return nil, err
	}
	status := http.StatusCreated
	if strict(r) && failed > 0 {
		status = http.StatusMultiStatus
		if failed == len(got.Rows) {
			status = http.StatusUnprocessableEntity
		}
	}
	return &wire.Answer{Status: status, Header: locationOf(r, got), Raw: envelope{got.Number, got.Table, results}}, nil
}

func locationOf(r *wire.Request, got *importset.Pushed) http.Header {
	return http.Header{"Location": {r.API() + "/import/" + got.Table + "/" + got.Rows[0].Key}}
}

// read answers with what became of one row.
func (a *api) read(r *wire.Request) (*wire.Answer, error) {
	if _, err := a.staging(r, r.Params["staging"], record.Read); err != nil {
		return nil, err
	}
	got, err := a.deps.Imports.Pushed(r.Context(), r.Params["staging"], r.Params["id"])
	if err != nil {
		return nil, err
	}
	results, _, err := a.results(r, got.Rows)
	if err != nil {
		return nil, err
	}
	return &wire.Answer{Raw: envelope{got.Number, got.Table, results}}, nil
}

// rows reads the body: its records under the columns that their members name, by name or label.
func (a *api) rows(r *wire.Request, st *importset.Staging) (importset.PushRequest, error) {
	req := importset.PushRequest{Table: st.Name, Actor: r.Session.Actor()}
	records, err := r.Records()
	if err != nil || len(records) == 1 && holdsNone(records[0]) {
		return req, err
	}
	at := map[string]int{}
	lines := make([]map[int]string, len(records))
	for i, o := range records {
		lines[i] = make(map[int]string, len(o))
		for _, p := range o {
			if p.Name == "" {
				continue
			}
			n := column(&req, at, st.Column(p.Name))
			if _, taken := lines[i][n]; taken { // two members of one record mean the same column
				n = column(&req, at, p.Name)
			}
			lines[i][n] = p.Value
		}
	}
	if unknown := st.Unknown(req.Columns); strict(r) && len(unknown) > 0 {
		return req, &wire.Error{Status: http.StatusBadRequest, Message: "Unknown columns: " + strings.Join(unknown, ", "),
			Detail: "the columns of " + st.Name + " are " + strings.Join(st.Columns, ", ")}
	}
	for _, line := range lines {
		cells := make([]record.Value, len(req.Columns))
		for n, text := range line {
			cells[n] = record.Text(text)
		}
		req.Rows = append(req.Rows, cells)
	}
	return req, nil
}

// holdsNone reports whether a body is an empty list of records.
func holdsNone(o wire.Object) bool {
	return len(o) == 1 && o[0].Nested && o[0].Name == "records" && o[0].Value == "[]"
}

// column finds or makes the place of a column in a request.
func column(req *importset.PushRequest, at map[string]int, name string) int {
	n, known := at[name]
	if !known {
		n = len(req.Columns)
		at[name] = n
		req.Columns = append(req.Columns, name)
	}
	return n
}

// envelope is the answer to a pushed row.
type envelope struct {
	ImportSet string   `json:"import_set"`
	Table     string   `json:"staging_table"`
	Result    []result `json:"result"`
}

// result is what one transform map made of a row.
type result struct {
	Map           string `json:"transform_map,omitempty"`
	Table         string `json:"table"`
	DisplayName   string `json:"display_name,omitempty"`
	DisplayValue  string `json:"display_value,omitempty"`
	Link          string `json:"record_link,omitempty"`
	Status        string `json:"status"`
	ID            string `json:"sys_id,omitempty"`
	StatusMessage string `json:"status_message,omitempty"`
	ErrorMessage  string `json:"error_message,omitempty"`
	Reason        string `json:"reason,omitempty"` // our own: the code of a row that was not written

	extra map[string]string // what the map script set on response
}

// MarshalJSON writes what the map script added beside the rest; it cannot take the place of what is there.
func (r result) MarshalJSON() ([]byte, error) {
	type plain result
	text, err := json.Marshal(plain(r))
	if err != nil || len(r.extra) == 0 {
		return text, err
	}
	all := map[string]any{}
	for name, v := range r.extra {
		all[name] = v
	}
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, err
	}
	return json.Marshal(all)
}

// statuses are the fates in the words of the compatible surface. Rows that wait are pending, as in the staging table.
var statuses = map[importset.Fate]string{importset.Inserted: "inserted", importset.Updated: "updated", importset.Unchanged: "ignored",
	importset.Skipped: "skipped", importset.Rejected: "error", importset.Pending: "pending"}

// results tells what became of rows, one result for each row and map, and how many rows failed.
func (a *api) results(r *wire.Request, rows []importset.PushedRow) (out []result, failed int, err error) {
	out = []result{}
	written := map[string][]string{}
	for _, row := range rows {
		bad := false
		for _, o := range row.Outcomes {
			if o.Record != "" {
				written[o.Target] = append(written[o.Target], o.Record)
			}
			bad = bad || o.Fate == importset.Rejected
			out = append(out, a.result(r, row, o))
		}
		if bad {
			failed++
		}
	}
	names, err := a.displays(r, written)
	for i := range out {
		if name, ok := names[out[i].ID]; ok && out[i].Link != "" {
			out[i].DisplayValue = name
		}
	}
	return out, failed, err
}

func (a *api) result(r *wire.Request, row importset.PushedRow, o importset.Outcome) result {
	res := result{Map: o.Map, Table: o.Target, Status: statuses[o.Fate]}
	if t := a.deps.DB.Catalog().Table(o.Target); t != nil && o.Record != "" {
		res.DisplayName, res.ID, res.Link = t.DisplayField().Name, o.Record, r.API()+"/table/"+o.Target+"/"+o.Record
	}
	message := ""
	if o.Reject != nil {
		res.Reason, message = o.Reject.Code, o.Reject.Msg
		if o.Reject.Hint != "" {
			message += "; " + o.Reject.Hint
		}
	}
	switch o.Fate {
	case importset.Unchanged:
		res.StatusMessage = "No field values changed"
	case importset.Skipped:
		res.StatusMessage, res.ID = message, row.Key
	case importset.Rejected:
		res.ErrorMessage = message
	}
	if o.Reject != nil && o.Reject.Code == "script_ignored" {
		res.Status = "ignored"
	}
	if said := o.Said; said != nil {
		res.StatusMessage, res.ErrorMessage = cmp.Or(said.Status, res.StatusMessage), cmp.Or(said.Message, res.ErrorMessage)
		res.extra = said.Response
	}
	return res
}

// displays reads the display values of records, as the caller may see them.
func (a *api) displays(r *wire.Request, ids map[string][]string) (map[string]string, error) {
	out := map[string]string{}
	for table, list := range ids {
		t := a.deps.DB.Catalog().Table(table)
		if t == nil {
			continue
		}
		slices.Sort(list)
		list = slices.Compact(list)
		keys := &record.Keys{Fields: []string{record.SysID}, Fold: []bool{false}}
		for _, id := range list {
			keys.Tuples = append(keys.Tuples, record.Text(id))
		}
		q := &record.Query{Table: t, Fields: []string{record.SysID, t.DisplayField().Name}, Keys: keys}
		for row, err := range r.Session.Select(r.Context(), q) {
			if err != nil {
				return nil, err
			}
			out[row[0].Text] = row[1].Text
		}
	}
	return out, nil
}
