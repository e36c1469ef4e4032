package outbound

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"net/url"
	"strings"
)

// Escape makes a value fit to stand in a text of a kind: xml, json, url; any other kind leaves it as it is.
func Escape(kind, value string) string {
	switch kind {
	case "xml":
		return escapeXML(value)
	case "json":
		return escapeJSON(value)
	case "url":
		return strings.ReplaceAll(url.QueryEscape(value), "+", "%20")
	}
	return value
}

func escapeXML(value string) string {
	var b bytes.Buffer
	if err := xml.EscapeText(&b, []byte(value)); err != nil { // a buffer takes everything
		panic(err)
	}
	return b.String()
}

func escapeJSON(value string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil { // texts always encode
		panic(err)
	}
	text := strings.TrimSuffix(b.String(), "\n")
	return text[1 : len(text)-1]
}

// expandAs puts variables into a text of a kind.
func (m *composer) expandAs(text, kind string) string {
	return m.substitute(text, func(name string, v Variable) string { return Escape(m.escapeOf(name, v, kind), v.Value) })
}

// escapeOf says how a variable is escaped: as the request says, as the function declares it, or by where it stands. As
// the platform does it, whatever is to be escaped is escaped for XML.
func (m *composer) escapeOf(name string, v Variable, kind string) string {
	switch {
	case v.Escape != "":
		return v.Escape
	case m.d.strict:
		return "xml"
	case m.d.variables[name].escape != "":
		return m.d.variables[name].escape
	}
	return kind
}

// KeyVariable is the placeholder of the idempotency key.
const KeyVariable = "idempotency_key"

// substitute replaces ${name}. Where a variable has no value, the placeholder stays and is noted as missing, unless the
// platform's way is wanted.
func (m *composer) substitute(text string, put func(string, Variable) string) string {
	if m.r.Literal || !strings.Contains(text, "${") {
		return text
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed || !isName(name) {
			b.WriteString("${")
			text = rest
			continue
		}
		text = after
		v, set := m.r.Variables[name]
		switch {
		case set:
			b.WriteString(put(name, v))
		case name == KeyVariable && m.c.Key != "":
			b.WriteString(m.c.Key)
		case !m.d.strict && m.d.variables[name].optional:
		default:
			b.WriteString("${" + name + "}")
			if !m.d.strict {
				m.missing = append(m.missing, name)
			}
		}
	}
}

func isName(name string) bool {
	for _, c := range name {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.' || c == '-') {
			return false
		}
	}
	return name != ""
}

// dropUnset removes the elements of an envelope that hold nothing but a variable which is not mandatory and not set.
func (m *composer) dropUnset(envelope string) string {
	for name, d := range m.d.variables {
		if _, set := m.r.Variables[name]; !set && d.optional {
			envelope = dropElements(envelope, "${"+name+"}")
		}
	}
	return envelope
}

func dropElements(envelope, placeholder string) string {
	for from := 0; ; {
		at := strings.Index(envelope[from:], placeholder)
		if at < 0 {
			return envelope
		}
		at += from
		from = at + len(placeholder)
		open := strings.LastIndexByte(envelope[:at], '<')
		after := strings.TrimLeft(envelope[from:], " \t\r\n")
		tag, closed := strings.CutSuffix(strings.TrimRight(envelope[max(open, 0):at], " \t\r\n"), ">")
		if open < 0 || !closed || strings.ContainsRune(tag, '>') || len(strings.Fields(tag)) == 0 {
			continue
		}
		end := "</" + strings.TrimPrefix(strings.Fields(tag)[0], "<") + ">"
		if rest, found := strings.CutPrefix(after, end); found {
			envelope, from = envelope[:open]+rest, open
		}
	}
}

// legal escapes what may not stand in a URL; what is escaped already stays.
func legal(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '%' && i+2 < len(text) && isHex(text[i+1]) && isHex(text[i+2]),
			c != '%' && c > ' ' && c < 0x7f && !strings.ContainsRune("\"<>\\^`{|}", rune(c)):
			b.WriteByte(c)
		default:
			const digits = "0123456789ABCDEF"
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return b.String()
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }
