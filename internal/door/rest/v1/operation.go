package v1

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// operation is one call of the API. The OpenAPI description, the routing and the validation are all drawn from it.
type operation struct {
	id, method, path string
	summary, doc     string
	roles            []string // any of them may call; nil: everybody who is known
	public           bool     // callers need no credentials
	params           []record.Field
	body             *schema // of a JSON body; nil: none
	optional         bool    // the body may be left out
	upload           bool    // the body is a file, with params in the form of a multipart body or in the query
	answers          []outcome
	do               func(*call) (*reply, error)
}

// outcome is one documented answer.
type outcome struct {
	status int
	doc    string
	schema *schema
	media  string // of answers that are no JSON
}

// reply is what an operation answers.
type reply struct {
	status int // 0 is 200
	header http.Header
	body   any
	stream func(http.ResponseWriter) error // in the place of body
}

// importers may look at and run imports.
var importers = []string{"import_admin", "admin"}

// admins may change what tables look like.
var admins = []string{"admin"}

// pathNames are the names in the braces of a path.
func pathNames(path string) []string {
	var names []string
	for _, part := range strings.Split(path, "/") {
		if strings.HasPrefix(part, "{") {
			names = append(names, strings.Trim(part, "{}"))
		}
	}
	return names
}

// field finds a parameter.
func (o *operation) field(name string) *record.Field {
	i := slices.IndexFunc(o.params, func(f record.Field) bool { return f.Name == name })
	if i < 0 {
		return nil
	}
	return &o.params[i]
}

// names lists the parameters.
func (o *operation) names() []string {
	out := make([]string, len(o.params))
	for i := range o.params {
		out[i] = o.params[i].Name
	}
	return out
}

// values checks what a call gives for its parameters, and brings it into canonical form.
func (o *operation) values(r *http.Request, form url.Values) (map[string]string, error) {
	out := map[string]string{}
	for _, name := range pathNames(o.path) {
		if err := o.put(out, name, r.PathValue(name)); err != nil {
			return nil, err
		}
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, fault.New(fault.Invalid, "the query of the URL cannot be read")
	}
	for _, given := range []url.Values{query, form} {
		for name, list := range given {
			if slices.Contains(pathNames(o.path), name) || o.field(name) == nil {
				return nil, unknownName(fault.New(fault.Invalid, "there is no parameter %q", record.Clip(name)), name, o.names())
			}
			if len(list) > 1 {
				return nil, fault.New(fault.Invalid, "parameter %s is given %d times", name, len(list))
			}
			if err := o.put(out, name, list[0]); err != nil {
				return nil, err
			}
		}
	}
	for i := range o.params {
		if f := &o.params[i]; f.Mandatory && out[f.Name] == "" {
			return nil, fault.New(fault.Invalid, "parameter %s is missing", f.Name)
		}
	}
	return out, nil
}

func (o *operation) put(out map[string]string, name, given string) error {
	f := o.field(name)
	if given == "" {
		return nil
	}
	value, err := f.Canonical(given)
	if err == nil && len(f.Choices) > 0 && !f.HasChoice(value) {
		var known []string
		for _, c := range f.Choices {
			known = append(known, c.Value)
		}
		return fault.New(fault.Invalid, "parameter %s: there is no %q", name, record.Clip(given)).WithHint("one of %s", strings.Join(known, ", "))
	}
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "parameter %s: %v", name, err)
	}
	out[name] = value
	return nil
}

// allows reports whether the caller may call.
func (o *operation) allows(who *Caller) error {
	if o.roles == nil || who.HasRole(o.roles...) {
		return nil
	}
	return fault.New(fault.Denied, "%s may not do that", who.UserName).WithHint("one of the roles is needed: %s", strings.Join(o.roles, ", "))
}

// param makes a parameter.
func param(name string, t record.Type, help string, args ...any) record.Field {
	return record.Field{Name: name, Type: t, Help: fmt.Sprintf(help, args...)}
}

func needed(f record.Field) record.Field {
	f.Mandatory = true
	return f
}

func oneOf(f record.Field, values ...string) record.Field {
	for _, v := range values {
		f.Choices = append(f.Choices, record.Option{Value: v, Label: v})
	}
	return f
}
