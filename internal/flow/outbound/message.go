package outbound

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// definition is a function of a message, as its records say, with what it inherits.
type definition struct {
	soap              bool
	message, function string
	partner           string
	strict, guard     bool
	method, endpoint  string
	content           string
	action, version   string // of SOAP
	header, query     []Pair
	variables         map[string]declared
	credential        credential
	policy            policy
	redact            []string
	level             string
	format, path      string // of the answer
	table             string
}

// declared is a variable that a function declares.
type declared struct {
	escape   string
	optional bool
}

// credential says which record holds what proves who we are; a user with a password sealed may stand for one.
type credential struct {
	Kind      string `json:"kind,omitempty"` // basic, oauth2, api_key; "" is none
	ID        string `json:"id,omitempty"`
	User      string `json:"user,omitempty"`
	Password  string `json:"password,omitempty"` // sealed, or within what is sealed
	Requestor string `json:"requestor,omitempty"`
}

// loader reads definitions in one transaction.
type loader struct {
	s  *Service
	tx record.Tx
}

// find reads the records of a table that have a value in a field, in their order.
func (l loader) find(ctx context.Context, table, field string, values ...string) ([]*record.Record, error) {
	t := l.s.db.Catalog().Table(table)
	q := &record.Query{Table: t, Fields: t.Names(), OrderBy: []query.Order{{Field: record.SysID}},
		Where: &query.Term{Field: field, Op: query.In, Values: values}}
	var out []*record.Record
	for row, err := range l.tx.Select(ctx, q) {
		if err != nil {
			return nil, err
		}
		out = append(out, &record.Record{Table: t, Values: slices.Clone(row)})
	}
	return out, nil
}

// one finds a record by sys_id or by the value of a field; a NotFound fault when there is none.
func (l loader) one(ctx context.Context, table, field, name, what string) (*record.Record, error) {
	for _, by := range []string{field, record.SysID} {
		found, err := l.find(ctx, table, by, name)
		if err != nil {
			return nil, err
		}
		if len(found) > 0 {
			return found[0], nil
		}
	}
	f := fault.New(fault.NotFound, "there is no %s %q", what, record.Clip(name))
	return nil, l.hint(ctx, f, table, field, name)
}

// hint names the one that may be meant.
func (l loader) hint(ctx context.Context, f *fault.Error, table, field, name string) error {
	t := l.s.db.Catalog().Table(table)
	var names []string
	for row, err := range l.tx.Select(ctx, &record.Query{Table: t, Fields: []string{field}, Limit: 1000}) {
		if err != nil {
			return err
		}
		names = append(names, row[0].Text)
	}
	if near := record.Nearest(name, names); near != "" {
		return f.WithHint("did you mean %q?", near)
	}
	return f.WithHint("it is a record of %s", table)
}

// load reads the function that a request names; an empty definition when it names none.
func (l loader) load(ctx context.Context, r Request) (*definition, error) {
	switch {
	case r.Message == "":
		d := &definition{soap: r.SOAP, variables: map[string]declared{}, strict: true, policy: standard()}
		return d, nil
	case r.SOAP:
		return l.loadSOAP(ctx, r)
	}
	return l.loadREST(ctx, r)
}

func (l loader) loadREST(ctx context.Context, r Request) (*definition, error) {
	m, err := l.one(ctx, MessageTable, "name", r.Message, "REST message")
	if err != nil {
		return nil, err
	}
	fn, err := l.function(ctx, FunctionTable, "rest_message", m, r.Function)
	if err != nil {
		return nil, err
	}
	d, err := l.common(ctx, m, fn)
	if err != nil {
		return nil, err
	}
	d.method = strings.ToUpper(cmp.Or(fn.Get("http_method").Text, fn.Get("function_name").Text))
	d.endpoint = cmp.Or(fn.Get("rest_endpoint").Text, m.Get("rest_endpoint").Text)
	d.content = fn.Get("content").Text
	if d.header, err = l.headers(ctx, HeaderTable, "rest_message", m.ID()); err != nil {
		return nil, err
	}
	own, err := l.headers(ctx, FnHeaderTable, "rest_message_function", fn.ID())
	if err != nil {
		return nil, err
	}
	d.header = override(d.header, own)
	if d.query, err = l.query(ctx, fn.ID()); err != nil {
		return nil, err
	}
	return d, l.declare(ctx, d, FnVariableTable, "rest_message_function", fn.ID())
}

func (l loader) loadSOAP(ctx context.Context, r Request) (*definition, error) {
	m, err := l.one(ctx, SOAPTable, "name", r.Message, "SOAP message")
	if err != nil {
		return nil, err
	}
	fn, err := l.function(ctx, SOAPFunctionTable, "soap_message", m, r.Function)
	if err != nil {
		return nil, err
	}
	d, err := l.common(ctx, m, fn)
	if err != nil {
		return nil, err
	}
	d.soap, d.method, d.endpoint, d.content = true, "POST", fn.Get("soap_endpoint").Text, fn.Get("envelope").Text
	d.action, d.version = fn.Get("soap_action").Text, fn.Get("soap_version").Text
	if d.header, err = l.headers(ctx, SOAPHeaderTable, "soap_message", m.ID()); err != nil {
		return nil, err
	}
	return d, l.declare(ctx, d, SOAPVariableTable, "soap_message_function", fn.ID())
}

// function finds a function of a message: by its exact name, then by its name in whatever case, then by its method.
func (l loader) function(ctx context.Context, table, parent string, m *record.Record, name string) (*record.Record, error) {
	all, err := l.find(ctx, table, parent, m.ID())
	if err != nil {
		return nil, err
	}
	for _, is := range []func(*record.Record) bool{
		func(r *record.Record) bool { return r.Get("function_name").Text == name || r.ID() == name },
		func(r *record.Record) bool { return strings.EqualFold(r.Get("function_name").Text, name) },
		func(r *record.Record) bool { return strings.EqualFold(r.Get("http_method").Text, name) },
	} {
		if i := slices.IndexFunc(all, is); i >= 0 {
			return all[i], nil
		}
	}
	names := make([]string, len(all))
	for i, r := range all {
		names[i] = r.Get("function_name").Text
	}
	f := fault.New(fault.NotFound, "the message %q has no function %q", m.Get("name").Text, record.Clip(name))
	if near := record.Nearest(name, names); near != "" {
		return nil, f.WithHint("did you mean %q?", near)
	}
	return nil, f.WithHint("its functions: %s", strings.Join(names, ", "))
}

// common reads what messages of both kinds have.
func (l loader) common(ctx context.Context, m, fn *record.Record) (*definition, error) {
	d := &definition{message: m.Get("name").Text, function: fn.Get("function_name").Text, strict: m.Get("mode").Text == "strict",
		guard: m.Get("loop_guard").Text != "false", level: m.Get("log_level").Text, variables: map[string]declared{},
		format: fn.Get("response_format").Text, path: fn.Get("response_path").Text, table: fn.Get("response_table").Text}
	d.partner = cmp.Or(m.Get("partner").Text, d.message)
	for _, name := range strings.Split(m.Get("redact").Text, ",") {
		if name = strings.TrimSpace(name); name != "" {
			d.redact = append(d.redact, name)
		}
	}
	if d.credential = credentialOf(fn); fn.Get("authentication_type").Text == "inherit_from_parent" || fn.Get("authentication_type").Empty() {
		d.credential = credentialOf(m)
	}
	var err error
	d.policy, err = l.policy(ctx, cmp.Or(fn.Get("delivery_policy").Text, m.Get("delivery_policy").Text))
	return d, err
}

func credentialOf(r *record.Record) credential {
	switch kind := r.Get("authentication_type").Text; kind {
	case "basic":
		return credential{Kind: kind, ID: r.Get("basic_auth_profile").Text}
	case "oauth2":
		return credential{Kind: kind, ID: r.Get("oauth2_profile").Text}
	case "api_key":
		return credential{Kind: kind, ID: r.Get("api_key_profile").Text}
	case "basic_simple":
		return credential{Kind: "basic", User: r.Get("basic_auth_user").Text, Password: r.Get("basic_auth_password").Text}
	}
	return credential{}
}

func (l loader) headers(ctx context.Context, table, parent, id string) ([]Pair, error) {
	found, err := l.find(ctx, table, parent, id)
	out := make([]Pair, 0, len(found))
	for _, r := range found {
		out = append(out, Pair{r.Get("name").Text, r.Get("value").Text})
	}
	return out, err
}

// override puts headers in the place of those of the same name.
func override(base, with []Pair) []Pair {
	out := slices.Clone(base)
	for _, p := range with {
		at := slices.IndexFunc(out, func(o Pair) bool { return strings.EqualFold(o.Name, p.Name) })
		if at < 0 {
			out = append(out, p)
			continue
		}
		out[at] = p
	}
	return out
}

func (l loader) query(ctx context.Context, fn string) ([]Pair, error) {
	found, err := l.find(ctx, FnQueryTable, "rest_message_function", fn)
	slices.SortStableFunc(found, func(a, b *record.Record) int { return number(a, "order") - number(b, "order") })
	out := make([]Pair, 0, len(found))
	for _, r := range found {
		out = append(out, Pair{r.Get("name").Text, r.Get("value").Text})
	}
	return out, err
}

func (l loader) declare(ctx context.Context, d *definition, table, parent, fn string) error {
	found, err := l.find(ctx, table, parent, fn)
	for _, r := range found {
		d.variables[r.Get("name").Text] = declared{escapeNamed(r.Get("type").Text), r.Get("mandatory").Text == "false"}
	}
	return err
}

// escapeNamed gives the word for a way of escaping, as the platform or we write it.
func escapeNamed(text string) string {
	switch t := strings.ToLower(strings.NewReplacer(" ", "", "_", "").Replace(text)); t {
	case "noescape", "noescaping", "none":
		return "noescape"
	case "xml", "escapexml", "xmlescape":
		return "xml"
	case "json", "url":
		return t
	}
	return ""
}

func number(r *record.Record, field string) int {
	n, _ := strconv.Atoi(r.Get(field).Text) // a field of integers; empty is 0
	return n
}

func decimal(r *record.Record, field string) float64 {
	n, _ := strconv.ParseFloat(r.Get(field).Text, 64) // a field of decimals; empty is 0
	return n
}
