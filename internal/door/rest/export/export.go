// Package export is the exports by URL: a list or a record as CSV, XML, JSON or a workbook, at the addresses of the
// platform's pages. It reads through the Table API, page by page, so that what a caller sees there is what is exported.
package export

import (
	"context"
	"encoding/json"
	"io"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"headrace/internal/connect/format"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/door/rest/wire"
)

const (
	// defaultLimit is how many records an export holds when no property says otherwise.
	defaultLimit = 10_000
	// page is how many records are read in one go.
	page = 500
)

// Routes lists the operations. tables answers calls of the Table API on behalf of the identity in their context.
func Routes(d wire.Deps, tables http.Handler) []wire.Route {
	a := &api{deps: d, tables: tables}
	return []wire.Route{
		{Method: http.MethodGet, Pattern: "/{page}", Handler: a.export, OwnForm: true},
		{Method: http.MethodPost, Pattern: "/{page}", Handler: a.write, OwnForm: true},
	}
}

type api struct {
	deps   wire.Deps
	tables http.Handler
}

// kind is a form of export: the bare parameter that asks for it, and the property that limits its rows.
type kind struct {
	limit string
	write func(a *api, e *job) (*wire.Answer, error)
}

var kinds = map[string]kind{
	"CSV":    {"glide.csv.export.limit", (*api).csv},
	"XML":    {"glide.xml.export.limit", (*api).xml},
	"JSON":   {jsonLimit, (*api).json},
	"JSONv2": {jsonLimit, (*api).json},
	"EXCEL":  {"glide.excel.export.limit", (*api).workbook},
	"XLS":    {"glide.excel.export.limit", (*api).workbook},
	"XLSX":   {"glide.xlsx.export.limit", (*api).workbook},
}

// job is one export.
type job struct {
	*wire.Request
	api   *api
	table *record.Table
	query string
	limit int
	list  bool // asked for as a list
}

// export answers with what is asked for.
func (a *api) export(r *wire.Request) (*wire.Answer, error) {
	e, k, err := a.job(r)
	if err != nil {
		return nil, err
	}
	return k.write(a, e)
}

// job finds out what is asked for in which form.
func (a *api) job(r *wire.Request) (*job, kind, error) {
	name, is := strings.CutSuffix(r.Params["page"], ".do")
	if !is {
		return nil, kind{}, wire.NoSuchResource()
	}
	name, list := strings.CutSuffix(name, "_list")
	k, ok := kindOf(r)
	if !ok {
		return nil, kind{}, &wire.Error{Status: http.StatusBadRequest, Message: "Unsupported export", Detail: "say one of CSV, XML, JSON, JSONv2, XLSX in the address"}
	}
	t, err := r.Table(name)
	if err != nil {
		return nil, kind{}, err
	}
	e := &job{Request: r, api: a, table: t, query: r.Param("sysparm_query"), list: list}
	for _, p := range []string{"sys_id", "sysparm_sys_id"} {
		if id := r.Param(p); id != "" {
			e.query = record.SysID + "=" + id
		}
	}
	if by := r.Param("sysparm_orderby"); by != "" {
		e.query = strings.TrimPrefix(e.query+"^ORDERBY"+by, "^")
	}
	e.limit, err = a.limit(r, k)
	return e, k, err
}

// kindOf finds the bare parameter that names the form, wherever it stands.
func kindOf(r *wire.Request) (kind, bool) {
	for part := range strings.SplitSeq(r.URL.RawQuery, "&") {
		if k, ok := kinds[strings.TrimSuffix(part, "=")]; ok {
			return k, true
		}
	}
	return kind{}, false
}

// limit is how many records the export may hold: what the properties say, and the caller.
func (a *api) limit(r *wire.Request, k kind) (int, error) {
	most := defaultLimit
	set, err := a.properties(r.Context(), "glide.ui.export.limit", k.limit)
	if err != nil {
		return 0, err
	}
	for _, name := range []string{"glide.ui.export.limit", k.limit} {
		if n, err := strconv.Atoi(set[name]); err == nil && n > 0 {
			most = n
		}
	}
	if n, err := strconv.Atoi(r.Param("sysparm_record_count")); err == nil && n > 0 {
		most = min(most, n)
	}
	return most, nil
}

// properties reads settings of the server.
func (a *api) properties(ctx context.Context, names ...string) (map[string]string, error) {
	out := map[string]string{}
	t := a.deps.DB.Catalog().Table("sys_properties")
	if t == nil || t.Field("name") == nil || t.Field("value") == nil {
		return out, nil
	}
	q := &record.Query{Table: t, Fields: []string{"name", "value"}, Where: &query.Term{Field: "name", Op: query.In, Values: names}}
	for row, err := range a.deps.DB.As(record.System).Select(ctx, q) {
		if err != nil {
			return nil, err
		}
		out[row[0].Text] = row[1].Text
	}
	return out, nil
}

// cell is a field as the Table API tells it: what is stored, and what is shown.
type cell struct {
	Shown  string `json:"display_value"`
	Stored string `json:"value"`
}

// row is a record by field; fields that the caller may not read are not in it.
type row map[string]cell

// rows reads the records, a page at a time.
func (e *job) rows(fields []string) iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		for from := 0; from < e.limit; from += page {
			want := min(page, e.limit-from)
			got, err := e.page(fields, from, want)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, r := range got {
				if !yield(r, nil) {
					return
				}
			}
			if len(got) < want {
				return
			}
		}
	}
}

func (e *job) page(fields []string, from, limit int) ([]row, error) {
	ask := url.Values{"sysparm_query": {e.query}, "sysparm_display_value": {"all"}, "sysparm_exclude_reference_link": {"true"},
		"sysparm_no_count": {"true"}, "sysparm_suppress_pagination_header": {"true"}, "sysparm_fields": {strings.Join(fields, ",")},
		"sysparm_limit": {strconv.Itoa(limit)}, "sysparm_offset": {strconv.Itoa(from)}}
	w, err := e.ask(http.MethodGet, "/api/now/table/"+e.table.Name+"?"+ask.Encode(), http.NoBody)
	if err != nil {
		return nil, err
	}
	var body struct {
		Result []row `json:"result"`
		Error  struct{ Message, Detail string }
	}
	if err := json.Unmarshal(w.body, &body); err != nil {
		return nil, err
	}
	if w.code != http.StatusOK {
		return nil, &wire.Error{Status: w.code, Message: body.Error.Message, Detail: body.Error.Detail}
	}
	return body.Result, nil
}

// ask calls the Table API on behalf of the caller.
func (e *job) ask(method, path string, body io.Reader) (*recorder, error) {
	r, err := http.NewRequestWithContext(e.Context(), method, path, body)
	if err != nil {
		return nil, err
	}
	r.Host, r.RemoteAddr, r.TLS = e.Host, e.RemoteAddr, e.TLS
	r.Header.Set("Content-Type", "application/json")
	for _, name := range []string{"Authorization", "Cookie", "X-Sn-Apikey"} {
		r.Header[name] = e.Header.Values(name)
	}
	w := &recorder{header: http.Header{}, code: http.StatusOK}
	e.api.tables.ServeHTTP(w, r)
	return w, nil
}

// recorder keeps an answer.
type recorder struct {
	header http.Header
	code   int
	body   []byte
}

// Header makes recorder an http.ResponseWriter.
func (w *recorder) Header() http.Header { return w.header }

// WriteHeader makes recorder an http.ResponseWriter.
func (w *recorder) WriteHeader(code int) { w.code = code }

// Write makes recorder an http.ResponseWriter.
func (w *recorder) Write(b []byte) (int, error) {
	w.body = append(w.body, b...)
	return len(b), nil
}

// begin reads the first record before anything is answered, so that what is wrong is answered as an error and not as the
// end of a file.
func begin(rows iter.Seq2[row, error]) (iter.Seq2[row, error], error) {
	next, stop := iter.Pull2(rows)
	first, err, any := next()
	if err != nil {
		stop()
		return nil, err
	}
	return func(yield func(row, error) bool) {
		defer stop()
		for r, err, ok := first, error(nil), any; ok; r, err, ok = next() {
			if !yield(r, err) {
				return
			}
		}
	}, nil
}

// columns are the fields of a CSV file or a workbook: those asked for, all, or all but those that the server keeps.
func (e *job) columns() []string {
	if asked := e.Param("sysparm_fields"); asked != "" {
		return slices.DeleteFunc(strings.Split(asked, ","), func(f string) bool { return e.table.Path(f) == nil })
	}
	var out []string
	all := e.Param("sysparm_default_export_fields") == "all"
	for i := range e.table.Fields {
		if f := &e.table.Fields[i]; all || !record.IsSystemField(f.Name) {
			out = append(out, f.Name)
		}
	}
	return out
}

// labels names fields for people.
func (e *job) labels(fields []string) []string {
	out := make([]string, len(fields))
	for i, name := range fields {
		steps := e.table.Path(name)
		if out[i] = steps[len(steps)-1].Label; out[i] == "" {
			out[i] = name
		}
	}
	return out
}

// as names the file of an answer.
func (e *job) as(suffix, contentType string, stream func(io.Writer) error) *wire.Answer {
	return &wire.Answer{Header: http.Header{"Content-Disposition": {`attachment; filename="` + e.table.Name + suffix + `"`}},
		ContentType: contentType, Stream: stream}
}

// workbook writes what is shown of the records as an Excel file.
func (a *api) workbook(e *job) (*wire.Answer, error) {
	at := slices.IndexFunc(a.deps.Formats, func(f format.Format) bool { return f.Info().Name == "xlsx" })
	if at < 0 {
		return nil, &wire.Error{Status: http.StatusBadRequest, Message: "Unsupported export", Detail: "this server writes no workbooks"}
	}
	writer, ok := a.deps.Formats[at].(format.Writer)
	if !ok {
		return nil, &wire.Error{Status: http.StatusBadRequest, Message: "Unsupported export", Detail: "this server writes no workbooks"}
	}
	fields := e.columns()
	rows, err := begin(e.rows(fields))
	if err != nil {
		return nil, err
	}
	cells := func(yield func([]record.Value, error) bool) {
		for r, err := range rows {
			line := make([]record.Value, len(fields))
			for i, f := range fields {
				line[i] = record.Text(r[f].Shown)
			}
			if !yield(line, err) {
				return
			}
		}
	}
	const kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	return e.as(".xlsx", kind, func(w io.Writer) error {
		return writer.Write(e.Context(), w, e.labels(fields), cells, nil)
	}), nil
}
