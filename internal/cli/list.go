package cli

import (
	"bytes"
	"encoding/json"
	"io"
	"iter"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// item is one element of a list that may be long: as cells for csv and table, as a value for json and yaml.
type item struct {
	cells []string
	value any
}

// showList writes a list of any length to standard output as it comes.
func (c *console) showList(header []string, items iter.Seq2[item, error]) error {
	switch c.settings.Output {
	case "json":
		return c.listJSON(items)
	case "yaml":
		return c.listYAML(items)
	}
	rows := func(yield func([]string, error) bool) {
		for it, err := range items {
			if !yield(it.cells, err) || err != nil {
				return
			}
		}
	}
	if c.settings.Output == "csv" {
		return c.writeCSV(header, rows)
	}
	return c.writeTable(header, rows)
}

// listJSON writes the envelope around elements that are not all in memory; ok and error come last, when they are known.
func (c *console) listJSON(items iter.Seq2[item, error]) error {
	b := bytes.NewBufferString("{\n  \"command\": " + strconv.Quote(c.verb) + ",\n  \"result\": [")
	sep := "\n    "
	for it, err := range items {
		if err != nil {
			c.enveloped = true
			return c.endList(b, "\n  ],\n  \"ok\": false,\n  \"error\": ", err)
		}
		text, err := marshal(it.value)
		if err != nil {
			return err
		}
		b.WriteString(sep)
		b.Write(text)
		sep = ",\n    "
		if b.Len() > pageBytes {
			if _, err := c.out.Write(b.Bytes()); err != nil {
				return writing(err)
			}
			b.Reset()
		}
	}
	b.WriteString("\n  ],\n  \"ok\": true,\n  \"error\": null\n}\n")
	_, err := c.out.Write(b.Bytes())
	return writing(err)
}

// pageBytes is how much of a list is gathered before it is written.
const pageBytes = 64 << 10

func (c *console) endList(b *bytes.Buffer, lead string, cause error) error {
	text, err := marshal(bodyOf(cause))
	if err != nil {
		return err
	}
	b.WriteString(lead)
	b.Write(text)
	b.WriteString("\n}\n")
	if _, err := c.out.Write(b.Bytes()); err != nil {
		return writing(err)
	}
	return cause
}

func (c *console) listYAML(items iter.Seq2[item, error]) error {
	if _, err := io.WriteString(c.out, "command: "+c.verb+"\nresult:\n"); err != nil {
		return writing(err)
	}
	none := true
	for it, err := range items {
		if err != nil {
			return err
		}
		text, err := marshal([]any{it.value})
		if err == nil {
			text, err = yaml.JSONToYAML(text)
		}
		if err != nil {
			return fault.Wrap(fault.Internal, err, "the result cannot be written as YAML")
		}
		none = false
		if _, err := c.out.Write(text); err != nil {
			return writing(err)
		}
	}
	end := "ok: true\nerror: null\n"
	if none {
		end = "  []\n" + end
	}
	_, err := io.WriteString(c.out, end)
	return writing(err)
}

// object is a record as a JSON object, its fields in their order. Numbers and truth values are written as such, with
// all their digits.
func object(fields []*record.Field, names []string, values []record.Value) json.RawMessage {
	b := []byte{'{'}
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(b, quoteJSON(name)...), ':')
		b = append(b, literal(fields[i], values[i])...)
	}
	return append(b, '}')
}

// numeric are the types whose values are literals of JSON.
var numeric = map[record.Type]bool{record.Integer: true, record.Decimal: true, record.Boolean: true}

func literal(f *record.Field, v record.Value) string {
	switch {
	case !v.Valid:
		return "null"
	case f != nil && numeric[f.Type.Stored()] && json.Valid([]byte(v.Text)):
		return v.Text
	}
	return quoteJSON(v.Text)
}

func quoteJSON(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil { // strings always encode
		panic(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}
