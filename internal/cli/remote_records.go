package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// platform calls the server's compatible APIs, as any client does. What of a record cannot be kept as it is given is an
// error, as it is without a server.
func (r *remote) platform(ctx context.Context, method, path string, body, out any) error {
	var in io.Reader
	if body != nil {
		text, err := marshal(body)
		if err != nil {
			return err
		}
		in = bytes.NewReader(text)
	}
	req, err := r.request(ctx, method, "/api/now"+path, in, "application/json")
	if err != nil {
		return err
	}
	req.Header.Set("Prefer", "handling=strict")
	status, text, err := r.answer(req)
	if err != nil {
		return err
	}
	if status >= http.StatusBadRequest {
		return platformRefusal(status, text)
	}
	if len(text) == 0 {
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fault.Wrap(fault.Unavailable, err, "%s does not answer as a Headrace server", r.base)
	}
	return nil
}

// platformKinds are the faults that statuses of the compatible APIs stand for.
var platformKinds = map[int]fault.Kind{http.StatusBadRequest: fault.Invalid, http.StatusUnauthorized: fault.Unavailable, http.StatusForbidden: fault.Denied,
	http.StatusNotFound: fault.NotFound, http.StatusConflict: fault.Conflict}

func platformRefusal(status int, text []byte) error {
	var refused struct {
		Error struct{ Message, Detail string }
	}
	if json.Unmarshal(text, &refused) != nil || refused.Error.Message == "" {
		return fault.New(fault.Unavailable, "the server answers %d", status)
	}
	kind, known := platformKinds[status]
	if !known {
		kind = fault.Unavailable
	}
	if status == http.StatusUnauthorized {
		return fault.New(kind, "the credentials are missing or wrong").WithHint("set HEADRACE_USER and HEADRACE_PASSWORD, or HEADRACE_TOKEN")
	}
	said := refused.Error.Message
	if refused.Error.Detail != "" {
		said += ": " + refused.Error.Detail
	}
	return fault.New(kind, "%s", said)
}

// described is a table as far as the server tells everybody of it.
func (r *remote) described(ctx context.Context, name string) (*record.Table, error) {
	var told struct {
		Result []struct {
			Label, Value, Type, Reference string
			Display                       bool
		}
	}
	if err := r.platform(ctx, http.MethodGet, "/doc/table/schema/"+url.PathEscape(name), nil, &told); err != nil {
		return nil, err
	}
	t := record.Table{Name: name}
	for _, f := range told.Result {
		t.Fields = append(t.Fields, record.Field{Name: f.Value, Label: f.Label, Type: record.Type(f.Type), Reference: f.Reference, Display: f.Display})
	}
	var elsewhere *record.Catalog // the server has it
	return elsewhere.View(t), nil
}

// meaningful refuses a query with terms that mean nothing, as far as the table tells: the server would leave them out.
// Terms over references are the server's to judge.
func meaningful(t *record.Table, text string) error {
	q, err := query.Parse(text, t, query.Env{})
	if err != nil {
		return err
	}
	bad := slices.DeleteFunc(q.Invalid, func(term string) bool { return strings.Contains(term, ".") || strings.Contains(term, "javascript:") })
	if len(bad) > 0 {
		return fault.New(fault.Invalid, "the query on %s has terms without meaning: %s", t.Name, strings.Join(bad, ", ")).
			WithHint("field, operator, value, joined by ^; the fields: headrace table describe %s", t.Name)
	}
	return nil
}

// remotePage is how many records are asked for in one go.
const remotePage = 1000

func (c *console) remoteRecords(ctx context.Context, r *remote, table string, o *listOptions) error {
	t, err := r.described(ctx, table)
	if err != nil {
		return err
	}
	if err := meaningful(t, o.query); err != nil {
		return err
	}
	names, fields, err := c.shownRemote(t, o.fields)
	if err != nil {
		return err
	}
	return c.showList(names, func(yield func(item, error) bool) {
		for from, left := o.offset, o.limit; ; from += remotePage {
			want := remotePage
			if o.limit > 0 {
				want = min(remotePage, left)
			}
			got, err := r.records(ctx, table, url.Values{"sysparm_query": {o.query}, "sysparm_fields": {strings.Join(names, ",")},
				"sysparm_limit": {strconv.Itoa(want)}, "sysparm_offset": {strconv.Itoa(from)}, "sysparm_no_count": {"true"}})
			if err != nil {
				yield(item{}, err)
				return
			}
			for _, values := range got {
				row := rowOf(names, values)
				if !yield(item{cells: texts(row), value: object(fields, names, row)}, nil) {
					return
				}
			}
			if left -= len(got); len(got) < want || o.limit > 0 && left == 0 {
				return
			}
		}
	})
}

// shownRemote settles the fields of a list. Where a dotted path leads is the server's to know.
func (c *console) shownRemote(t *record.Table, asked []string) (names []string, fields []*record.Field, err error) {
	plain := slices.DeleteFunc(slices.Clone(asked), func(n string) bool { return strings.Contains(n, ".") })
	if len(plain) > 0 || len(asked) == 0 {
		shown := *t
		shown.Bare = false
		if names, _, err = c.shown(&shown, plain); err != nil {
			return nil, nil, err
		}
	}
	if len(asked) > 0 {
		names = asked
	}
	for _, n := range names {
		fields = append(fields, t.Field(n))
	}
	return names, fields, nil
}

// rowOf puts the values of a record into the order of names.
func rowOf(names []string, values map[string]string) []record.Value {
	row := make([]record.Value, len(names))
	for i, n := range names {
		row[i] = record.Value{Text: values[n], Valid: values[n] != ""}
	}
	return row
}

// records reads records as stored values.
func (r *remote) records(ctx context.Context, table string, params url.Values) ([]map[string]string, error) {
	params.Set("sysparm_exclude_reference_link", "true")
	var told struct{ Result []map[string]string }
	err := r.platform(ctx, http.MethodGet, "/table/"+url.PathEscape(table)+"?"+params.Encode(), nil, &told)
	return told.Result, err
}

// record finds a record by its id, or by the value of the field that stands for it.
func (r *remote) record(ctx context.Context, table, id string) (*record.Record, error) {
	t, err := r.described(ctx, table)
	if err != nil {
		return nil, err
	}
	field := t.DisplayField().Name
	if len(id) == 32 && strings.Trim(id, "0123456789abcdef") == "" {
		field = record.SysID
	}
	found, err := r.records(ctx, table, url.Values{field: {id}, "sysparm_limit": {"2"}})
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0:
		return nil, fault.New(fault.NotFound, "table %s has no record with %s %q", table, field, id).WithHint("name it by sys_id, or by %s; headrace record list %s", field, table)
	case len(found) > 1:
		return nil, fault.New(fault.Invalid, "several records of %s have %s %q", table, field, id).WithHint("headrace record list %s --query %q --fields sys_id", table, field+"="+id)
	}
	return &record.Record{Table: t, Values: rowOf(t.Names(), found[0])}, nil
}

func (c *console) remoteGet(ctx context.Context, r *remote, args []string) error {
	found, err := r.record(ctx, args[0], args[1])
	if err != nil {
		return err
	}
	return c.showRecord(found)
}

func (c *console) remoteCount(ctx context.Context, r *remote, table, text string) error {
	t, err := r.described(ctx, table)
	if err != nil {
		return err
	}
	if err := meaningful(t, text); err != nil {
		return err
	}
	var told struct {
		Result struct{ Stats struct{ Count string } }
	}
	if err := r.platform(ctx, http.MethodGet, "/stats/"+url.PathEscape(table)+"?"+url.Values{"sysparm_count": {"true"}, "sysparm_query": {text}}.Encode(), nil, &told); err != nil {
		return err
	}
	n, err := strconv.ParseInt(told.Result.Stats.Count, 10, 64)
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "the server's answer holds no count")
	}
	return c.show(countAnswer(table, n))
}

// body is what assignments say, for the server.
func body(values []record.Assignment) map[string]string {
	out := map[string]string{}
	for _, a := range values {
		out[a.Field] = a.Value.Text
	}
	return out
}

// remoteWrite sends a change of a record and shows the record as it is then.
func (c *console) remoteWrite(ctx context.Context, r *remote, method, table, id string, given []string, dryRun bool) error {
	if dryRun {
		return fault.New(fault.Invalid, "--dry-run does not work against a server yet")
	}
	values, err := assignments(given)
	if err != nil {
		return err
	}
	path := "/table/" + url.PathEscape(table)
	if id != "" {
		found, err := r.record(ctx, table, id)
		if err != nil {
			return err
		}
		path += "/" + found.ID()
	}
	var told struct{ Result map[string]string }
	if err := r.platform(ctx, method, path+"?sysparm_exclude_reference_link=true", body(values), &told); err != nil {
		return err
	}
	t, err := r.described(ctx, table)
	if err != nil {
		return err
	}
	return c.showRecord(&record.Record{Table: t, Values: rowOf(t.Names(), told.Result)})
}

func (c *console) remoteDelete(ctx context.Context, r *remote, table, id string, dryRun bool) error {
	found, err := r.record(ctx, table, id)
	if err == nil && !dryRun {
		err = r.platform(ctx, http.MethodDelete, "/table/"+url.PathEscape(table)+"/"+found.ID(), nil, nil)
	}
	if err != nil {
		return err
	}
	return c.showRecord(found)
}

func (c *console) remoteTables(ctx context.Context, r *remote, system bool) error {
	var told struct{ Items []tableItem }
	if err := r.get(ctx, "/tables?all="+strconv.FormatBool(system), &told); err != nil {
		return err
	}
	return c.show(tablesAnswer(told.Items))
}

func (c *console) remoteDescribe(ctx context.Context, r *remote, args []string) error {
	var t record.Table
	if err := r.get(ctx, "/tables/"+url.PathEscape(args[0]), &t); err != nil {
		return err
	}
	return c.showTable(&t)
}

func (c *console) remoteCreateTables(ctx context.Context, r *remote, o *tableOptions, args []string) error {
	tables, err := o.tables(args)
	if err != nil {
		return err
	}
	steps := []string{}
	for _, t := range tables {
		var made struct{ Statements []string }
		if err := r.post(ctx, "/tables?dry_run="+strconv.FormatBool(o.dryRun), t, &made); err != nil {
			return err
		}
		steps = append(steps, made.Statements...)
	}
	return c.show(definedAnswer(tables, steps, o.dryRun))
}
