package rest

import (
	"encoding/json"
	"encoding/xml"
	"net/url"
	"regexp"
	"strings"

	"headrace/internal/core/fault"
)

// values are what placeholders stand for in one request. One that is absent has no value.
type values map[string]string

// The placeholders of a request for a page.
const (
	atSince  = "since"
	atLast   = "last"
	atCursor = "cursor"
	atPage   = "page"
	atOffset = "offset"
	atSize   = "size"
)

var (
	placeholder = regexp.MustCompile(`\{(since|last|cursor|page|offset|size)\}`)
	group       = regexp.MustCompile(`\[[^\[\]]*\{(?:since|last|cursor|page|offset|size)\}[^\[\]]*\]`)
	column      = regexp.MustCompile(`\{([^{}\s"':,]+)\}`)
)

// template is text with placeholders. A part in square brackets that holds placeholders is left out unless all of them
// have a value.
type template []piece

// piece is one part of a template: text, a placeholder, or a group that may be left out.
type piece struct {
	text  string
	name  string
	group template
}

func literal(text string) template { return template{{text: text}} }

// parseTemplate reads a template of a request for a page.
func parseTemplate(text string) template {
	var out template
	from := 0
	for _, at := range group.FindAllStringIndex(text, -1) {
		out = append(out, parsePlain(text[from:at[0]], placeholder)...)
		out = append(out, piece{group: parsePlain(text[at[0]+1:at[1]-1], placeholder)})
		from = at[1]
	}
	return append(out, parsePlain(text[from:], placeholder)...)
}

// parsePlain reads a template without groups.
func parsePlain(text string, names *regexp.Regexp) template {
	var out template
	from := 0
	for _, at := range names.FindAllStringSubmatchIndex(text, -1) {
		if at[0] > from {
			out = append(out, piece{text: text[from:at[0]]})
		}
		out = append(out, piece{name: text[at[2]:at[3]]})
		from = at[1]
	}
	if from < len(text) {
		out = append(out, piece{text: text[from:]})
	}
	return out
}

// fill puts values in; ok is false when one outside of groups has none.
func (t template) fill(v values, escape func(string) string) (text string, ok bool) {
	var b strings.Builder
	for _, p := range t {
		switch {
		case p.group != nil:
			if inner, ok := p.group.fill(v, escape); ok {
				b.WriteString(inner)
			}
		case p.name != "":
			value, known := v[p.name]
			if !known {
				return "", false
			}
			b.WriteString(escape(value))
		default:
			b.WriteString(p.text)
		}
	}
	return b.String(), true
}

// uses reports whether a placeholder stands somewhere in the template.
func (t template) uses(name string) bool {
	for _, p := range t {
		if p.name == name || p.group.uses(name) {
			return true
		}
	}
	return false
}

func plain(s string) string { return s }

// named is a query parameter or a header.
type named struct {
	name  string
	value template
}

// parseQuery reads the query of an address in its order.
func parseQuery(raw string) ([]named, error) {
	var out []named
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		n, err := url.QueryUnescape(name)
		if err == nil {
			value, err = url.QueryUnescape(value)
		}
		if err != nil {
			return nil, fault.New(fault.Invalid, "the query of the address cannot be read at parameter %q", n).WithHint("write %% as %%25")
		}
		out = append(out, named{name: n, value: parseTemplate(value)})
	}
	return out, nil
}

// query writes parameters; one whose placeholders have no value is left out.
func query(params []named, v values) string {
	var b strings.Builder
	for _, p := range params {
		value, ok := p.value.fill(v, plain)
		if !ok {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(p.name) + "=" + url.QueryEscape(value))
	}
	return b.String()
}

// escaping is how values stand in a body.
func escaping(contentType string) func(string) string {
	switch {
	case strings.Contains(contentType, "json"):
		return jsonText
	case strings.Contains(contentType, "xml"):
		return xmlText
	case strings.Contains(contentType, "x-www-form-urlencoded"):
		return url.QueryEscape
	}
	return plain
}

func jsonText(s string) string {
	quoted, err := json.Marshal(s)
	if err != nil { // cannot happen for a string
		return ""
	}
	return string(quoted[1 : len(quoted)-1])
}

func xmlText(s string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(s)); err != nil { // a Builder takes everything
		return ""
	}
	return b.String()
}
