package table

import (
	"cmp"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/door/rest/wire"
)

// input is what a caller wants a record to hold. The platform takes what it can and is silent about the rest; here the
// rest is told by a header, or refused when the caller asks for strict handling.
type input struct {
	values   []record.Assignment
	warnings []string
}

// warningHeader tells what of a body was not kept as it was given.
const warningHeader = "X-Headrace-Warning"

// input reads the body of a write.
func (a *api) input(r *wire.Request, inserting bool) (*record.Table, *input, error) {
	t, err := a.writable(r)
	if err != nil {
		return nil, nil, err
	}
	body, err := r.Body()
	if err != nil {
		return nil, nil, err
	}
	in := &input{}
	shown := r.Flag("sysparm_input_display_value")
	for _, p := range body {
		f := t.Field(p.Name)
		switch {
		case f == nil:
			in.warn("%s: no such field, left out", p.Name)
		case f.Name == record.SysID && (!inserting || !isID(p.Value)):
			// the id of a record stays what it is
		default:
			in.take(f, a.stored(r, f, p.Value, shown))
		}
	}
	if len(in.warnings) > 0 && strings.Contains(r.Header.Get("Prefer"), "handling=strict") {
		return nil, nil, wire.Unreadable("%s", strings.Join(in.warnings, "; "))
	}
	return t, in, nil
}

func isID(text string) bool {
	return len(text) == 32 && strings.Trim(text, "0123456789abcdef") == ""
}

// take gives a field the value, or as much of it as the field can hold.
func (in *input) take(f *record.Field, text string) {
	v, err := f.Value(record.Text(text))
	var bad *record.ValueError
	if errors.As(err, &bad) {
		if bad.Code == "value_too_long" {
			v = record.Text(cut(text, f.Length))
			in.warn("%s: %s, cut", f.Name, bad.Msg)
		} else {
			in.warn("%s: %s, left empty", f.Name, bad.Msg)
		}
	}
	in.values = append(in.values, record.Assignment{Field: f.Name, Value: v})
}

// cut keeps the first n characters.
func cut(text string, n int) string {
	for i := range text {
		if n == 0 {
			return text[:i]
		}
		n--
	}
	return text
}

func (in *input) warn(format string, args ...any) {
	in.warnings = append(in.warnings, fault.New(fault.Invalid, format, args...).Msg)
}

// mostWarnings bounds the header, in entries.
const mostWarnings = 20

func (in *input) header() http.Header {
	h := http.Header{}
	for _, w := range in.warnings[:min(len(in.warnings), mostWarnings)] {
		plain := strconv.QuoteToASCII(w)
		h[warningHeader] = append(h[warningHeader], strings.ReplaceAll(plain[1:len(plain)-1], `\"`, `"`))
	}
	return h
}

// display is what would be displayed of a record with these values, for messages.
func (in *input) display(t *record.Table) string {
	name := t.DisplayField().Name
	for _, v := range in.values {
		if v.Field == name {
			return v.Value.Text
		}
	}
	return ""
}

// stored turns what people see of a value into what is stored, when that is how values are given.
func (a *api) stored(r *wire.Request, f *record.Field, text string, shown bool) string {
	if !shown || text == "" {
		return text
	}
	for _, c := range f.Choices {
		if query.Fold(c.Label) == query.Fold(text) {
			return c.Value
		}
	}
	switch {
	case f.Type == record.DateTime && r.Identity.Zone != nil:
		if at, err := record.ParseISO(text, r.Identity.Zone); err == nil {
			return at.UTC().Format(record.DateTimeLayout)
		}
	case f.Type == record.Reference && !isID(text):
		if t := a.deps.DB.Catalog().Table(f.Reference); t != nil {
			id, _ := idByDisplay(r, t, text)
			return id
		}
	case f.Type == record.Integer || f.Type == record.Decimal || f.Type == record.Long || f.Type == record.Float:
		return strings.ReplaceAll(text, ",", "")
	}
	return text
}

// writeError says in the platform's words why a record was not written.
func writeError(err error, verb string, t *record.Table, display string) error {
	var own *wire.Error
	if errors.As(err, &own) {
		return err
	}
	switch fault.KindOf(err) {
	case fault.Refused, fault.Conflict, fault.Invalid:
		e := &wire.Error{Status: http.StatusForbidden, Message: operationFailed,
			Detail: "Error during " + verb + " of " + t.Name + " (" + display + ")", Header: http.Header{}}
		why := &input{}
		why.warn("%s", wire.Told(err))
		e.Header[warningHeader] = why.header()[warningHeader]
		var empty *record.MandatoryError
		if errors.As(err, &empty) {
			e.Detail = "Data Policy Exception: " + cmp.Or(empty.Field.Label, empty.Field.Name) + " is mandatory"
		}
		return e
	}
	return err
}
