package csv

import (
	"bufio"
	"context"
	"io"
	"iter"
	"strings"

	"headrace/internal/connect/format"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// writer writes records in one dialect.
type writer struct {
	w       *bufio.Writer
	delim   string
	quote   string
	escape  string // what a quote inside quotes becomes
	slash   bool   // backslashes are escaped too
	eol     string
	guard   bool
	tail    bool
	comment string
	special string // characters that call for quotes
}

// Write writes rows in the dialect of o, so that the Dialect of a Header makes the same kind of file and reads it
// back. Null is an empty cell, an empty text a quoted one. Lines skipped before the header are written as empty ones.
func (f Format) Write(ctx context.Context, w io.Writer, header []string, rows iter.Seq2[[]record.Value, error], o format.Options) error {
	if err := o.Check(f.Info().Options); err != nil {
		return err
	}
	encoded, err := format.Encode(w, o["charset"], o.Bool("bom", false))
	if err != nil {
		return err
	}
	cw := newWriter(bufio.NewWriterSize(encoded, 64<<10), o)
	for range o.Size("skip_lines", 0) {
		cw.w.WriteString(cw.eol)
	}
	cells := make([]record.Value, len(header))
	if o.Bool("header", true) {
		for i, name := range header {
			cells[i] = record.Text(name)
		}
		if err := cw.row(cells); err != nil {
			return err
		}
	}
	for row, err := range rows {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		clear(cells)
		n := copy(cells, row)
		if err := cw.row(append(cells[:len(header)], row[n:]...)); err != nil {
			return err
		}
	}
	return cw.w.Flush()
}

func newWriter(w *bufio.Writer, o format.Options) *writer {
	cw := &writer{w: w, delim: unescapeOption(o.Text("delimiter", ",")), quote: o.Text("quote", `"`), eol: "\n",
		guard: o.Bool("guard", false), tail: o.Bool("trailing_delimiter", false), comment: o["comment"]}
	if o["line_end"] == "crlf" {
		cw.eol = "\r\n"
	}
	if cw.quote == "none" {
		cw.quote = ""
	}
	cw.escape = cw.quote + cw.quote
	if o["escape"] == "backslash" {
		cw.escape, cw.slash = `\`+cw.quote, true
	}
	cw.special = "\r\n" + cw.quote + cw.delim
	if cw.slash {
		cw.special += `\`
	}
	return cw
}

// row writes one record. Errors of the stream stick to cw.w and show at the record's end.
func (cw *writer) row(cells []record.Value) error {
	for i, c := range cells {
		if i > 0 {
			cw.w.WriteString(cw.delim)
		}
		if err := cw.cell(c, len(cells) == 1); err != nil {
			return err
		}
	}
	if cw.tail {
		cw.w.WriteString(cw.delim)
	}
	_, err := cw.w.WriteString(cw.eol)
	return err
}

// cell writes one cell, in quotes where reading would otherwise give something else. A lone null is an empty text, since
// an empty line is no record.
func (cw *writer) cell(c record.Value, alone bool) error {
	text := c.Text
	if cw.guard {
		text = format.Guarded(text)
	}
	special := strings.ContainsAny(text, cw.special)
	if cw.quote == "" {
		if special {
			return fault.New(fault.Invalid, "a cell holds a delimiter or a line end, which quote=none cannot write: %.40q", text).WithHint("give a quote character")
		}
		cw.w.WriteString(text)
		return nil
	}
	plain := text != "" && !special && strings.TrimSpace(text) == text && (cw.comment == "" || !strings.HasPrefix(text, cw.comment))
	if plain || text == "" && !c.Valid && !alone {
		cw.w.WriteString(text)
		return nil
	}
	if cw.slash {
		text = strings.ReplaceAll(text, `\`, `\\`)
	}
	cw.w.WriteString(cw.quote)
	cw.w.WriteString(strings.ReplaceAll(text, cw.quote, cw.escape))
	cw.w.WriteString(cw.quote)
	return nil
}
