package export

import (
	"bufio"
	"encoding/xml"
	"io"
	"strings"

	"golang.org/x/text/encoding/charmap"

	"headrace/internal/core/record"
	"headrace/internal/door/rest/wire"
)

// mostCell is the most characters of a cell of a CSV file, as on the platform.
const mostCell = 32_000

// csv writes what is shown of the records, every cell in quotes.
func (a *api) csv(e *job) (*wire.Answer, error) {
	fields := e.columns()
	rows, err := begin(e.rows(fields))
	if err != nil {
		return nil, err
	}
	set, err := a.properties(e.Context(), "glide.export.csv.charset")
	if err != nil {
		return nil, err
	}
	encode, charset := western, "windows-1252"
	if strings.EqualFold(set["glide.export.csv.charset"], "utf-8") {
		encode, charset = unicode, "UTF-8"
	}
	stored := strings.EqualFold(e.Param("sysparm_display_value"), "false")
	header := fields
	if e.Flag("sysparm_export_column_header_label") {
		header = e.labels(fields)
	}
	return e.as(".csv", "text/csv;charset="+charset, func(w io.Writer) error {
		out := bufio.NewWriter(w)
		line := append([]string{}, header...)
		writeLine(out, line, encode)
		for r, err := range rows {
			if err != nil {
				return err
			}
			for i, f := range fields {
				if line[i] = r[f].Shown; stored {
					line[i] = r[f].Stored
				}
			}
			writeLine(out, line, encode)
		}
		return out.Flush()
	}), nil
}

// writeLine writes one line. What goes wrong shows when the writer is flushed.
func writeLine(out *bufio.Writer, cells []string, encode func(*bufio.Writer, rune)) {
	for i, text := range cells {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteByte('"')
		n := 0
		for _, c := range text {
			if n++; n > mostCell {
				break
			}
			if c == '"' {
				out.WriteByte('"')
			}
			encode(out, c)
		}
		out.WriteByte('"')
	}
	out.WriteString("\r\n")
}

func unicode(out *bufio.Writer, c rune) { out.WriteRune(c) }

// western writes a character in the platform's default charset; one that it lacks becomes a question mark.
func western(out *bufio.Writer, c rune) {
	b, ok := charmap.Windows1252.EncodeRune(c)
	if !ok {
		b = '?'
	}
	out.WriteByte(b)
}

// xml writes what is stored in all fields of the records, references with what is shown of them beside.
func (a *api) xml(e *job) (*wire.Answer, error) {
	rows, err := begin(e.rows(e.table.Names()))
	if err != nil {
		return nil, err
	}
	unload := e.Flag("useUnloadFormat")
	return e.as(".xml", "text/xml;charset=UTF-8", func(w io.Writer) error {
		out := bufio.NewWriter(w)
		out.WriteString(`<?xml version="1.0" encoding="UTF-8"?>`)
		root := `xml`
		if unload {
			root = `unload`
			out.WriteString(`<unload unload_date="` + a.deps.Now().UTC().Format(record.DateTimeLayout) + `">`)
		}
		n := 0
		for r, err := range rows {
			if err != nil {
				return err
			}
			if n++; n == 1 && !unload {
				out.WriteString("<xml>")
			}
			writeElement(out, e.table, r, unload)
		}
		if n == 0 && !unload {
			out.WriteString("<xml/>")
		} else {
			out.WriteString("</" + root + ">")
		}
		return out.Flush()
	}), nil
}

func writeElement(out *bufio.Writer, t *record.Table, r row, unload bool) {
	name := t.Name
	if class := r[record.SysClassName].Stored; class != "" {
		name = class
	}
	out.WriteString("<" + name)
	if unload {
		out.WriteString(` action="INSERT_OR_UPDATE"`)
	}
	out.WriteByte('>')
	for i := range t.Fields {
		f := &t.Fields[i]
		c, seen := r[f.Name]
		if !seen || c.Stored == "" {
			out.WriteString("<" + f.Name + "/>")
			continue
		}
		out.WriteString("<" + f.Name)
		if f.Type == record.Reference {
			out.WriteString(` display_value="`)
			escape(out, c.Shown)
			out.WriteByte('"')
		}
		out.WriteByte('>')
		escape(out, c.Stored)
		out.WriteString("</" + f.Name + ">")
	}
	out.WriteString("</" + name + ">")
}

// escape writes text for XML; what goes wrong shows when the writer is flushed.
func escape(out *bufio.Writer, text string) { _ = xml.EscapeText(out, []byte(text)) }
