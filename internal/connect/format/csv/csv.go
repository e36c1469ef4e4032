// Package csv reads and writes delimited text. What a file leaves unsaid (delimiter, quote, escape, charset, lines
// before the header) is found from its first 256 KB, noted in the header, and can be overruled by options.
package csv

import (
	"context"
	"fmt"
	"io"
	"iter"
	"strings"
	"unicode/utf8"

	"headrace/internal/connect/format"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// Format is the CSV format.
type Format struct{}

// Info describes CSV and its options.
func (Format) Info() format.Info {
	return format.Info{Name: "csv", Label: "CSV", Suffixes: []string{".csv", ".tsv", ".tab", ".psv", ".txt"}, Options: append([]record.Field{
		{Name: "delimiter", Label: "Delimiter", Type: record.String, Help: `one or more characters, \t or tab; found when absent among , ; tab | ^ ~ and \x1f`},
		{Name: "quote", Label: "Quote", Type: record.String, Help: `the character around cells, or none; found when absent: " or '`},
		{Name: "escape", Label: "Escape", Type: record.String, Choices: format.Choices("double", "backslash"), Help: "how a quote inside quotes is written; found when absent"},
		{Name: "header", Label: "Header", Type: record.Boolean, Default: "true", Help: "whether the first record names the columns; else they are column_1, column_2, ..."},
		{Name: "skip_lines", Label: "Lines to skip", Type: record.Integer, Help: "lines before the header; found when absent"},
		{Name: "comment", Label: "Comment", Type: record.String, Help: "lines that begin with this text are passed over"},
		{Name: "trim", Label: "Trim", Type: record.Boolean, Default: "false", Help: "take blanks off both ends of every cell"},
		{Name: "quotes", Label: "Stray quotes", Type: record.String, Default: "strict", Choices: format.Choices("strict", "lax"), Help: "strict: a quote in the wrong place spoils its row; lax: it is an ordinary character"},
		{Name: "ragged", Label: "Short rows", Type: record.String, Default: "error", Choices: format.Choices("error", "pad"), Help: "error: a row with too few cells is spoiled; pad: the missing cells are null"},
		{Name: "trailing_delimiter", Label: "Trailing delimiter", Type: record.Boolean, Help: "whether every line ends with a delimiter that makes no column; found when absent"},
		{Name: "max_cell", Label: "Longest row", Type: record.Integer, Default: "64MB", Help: "a row longer than this many bytes is spoiled"},
		{Name: "bom", Label: "Byte order mark", Type: record.Boolean, Default: "false", Help: "writing: begin with a byte order mark"},
		{Name: "line_end", Label: "Line end", Type: record.String, Default: "lf", Choices: format.Choices("lf", "crlf"), Help: "writing: the line end"},
		{Name: "guard", Label: "Formula guard", Type: record.Boolean, Default: "false", Help: "writing: put ' before cells that a spreadsheet would run as a formula; plain numbers stay as they are"},
	}, format.TextOptions()...)}
}

// Sniff reports whether head is text that is not plainly JSON or XML.
func (Format) Sniff(head []byte) bool {
	if format.Binary(head) != "" {
		return false
	}
	text := strings.ToLower(strings.TrimSpace(string(head[:min(len(head), 200)])))
	for _, p := range []string{"<?xml", "<!", "<html"} {
		if strings.HasPrefix(text, p) {
			return false
		}
	}
	rest := strings.TrimLeft(text, "[ \r\n\t")
	object, ok := strings.CutPrefix(rest, "{")
	return !(ok && strings.HasPrefix(strings.TrimSpace(object), `"`))
}

// reader yields the rows of one source.
type reader struct {
	*scanner
	*settings
	header *format.Header
	pad    bool
	valid  bool // the text was decoded and cannot be invalid UTF-8
	row    format.Row
}

// Rows reads r. A source with a header and no rows yields one row without cells, which carries the header.
func (f Format) Rows(ctx context.Context, r io.Reader, o format.Options) iter.Seq2[*format.Row, error] {
	return func(yield func(*format.Row, error) bool) {
		rd, err := f.open(ctx, r, o)
		if err == nil {
			err = rd.readHeader()
		}
		for rows := 0; err == nil; rows++ {
			if err = rd.read(rows); err == nil && !yield(&rd.row, nil) {
				return
			}
			if err == io.EOF && rows == 0 {
				rd.row = format.Row{Header: rd.header, Line: rd.start}
				if !yield(&rd.row, nil) {
					return
				}
			}
		}
		if err != io.EOF {
			yield(nil, err)
		}
	}
}

func (f Format) open(ctx context.Context, r io.Reader, o format.Options) (*reader, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := o.Check(f.Info().Options); err != nil {
		return nil, err
	}
	in, err := format.OpenText(r, o, nil)
	if err != nil {
		return nil, err
	}
	set, err := find(in, o)
	if err != nil {
		return nil, err
	}
	if in.Note != "" {
		set.notes = append(set.notes, in.Note)
	}
	limit := int(min(o.Size("max_cell", 64<<20), 1<<40))
	sc := &scanner{dialect: set.dialect, ctx: ctx, src: in, line: 1, offset: in.Offset, limit: limit}
	rd := &reader{scanner: sc, settings: set, pad: o["ragged"] == "pad", valid: in.Verified}
	rd.header = &format.Header{Dialect: set.options(in)}
	for _, name := range []string{"ragged", "max_cell"} {
		if o[name] != "" {
			rd.header.Dialect[name] = o[name]
		}
	}
	return rd, rd.skipLines(set.skip)
}

// readHeader names the columns, from the first record or by number.
func (rd *reader) readHeader() error {
	var names []string
	if rd.settings.header {
		if err := rd.next(); err == io.EOF {
			return fault.New(fault.Invalid, "the source has no header line").WithHint("it holds nothing but empty lines")
		} else if err != nil {
			return err
		}
		if rd.bad != nil {
			return fault.New(fault.Invalid, "the header cannot be read: %s", rd.bad.Msg).WithHint("set skip_lines, quote or quotes=lax")
		}
		for _, c := range rd.cells {
			names = append(names, strings.ToValidUTF8(c.Text, "\uFFFD"))
		}
	} else {
		for i := range rd.settings.width {
			names = append(names, fmt.Sprintf("column_%d", i+1))
		}
	}
	if n := len(names); rd.trailing && n == rd.settings.width && n > 1 {
		names = names[:n-1]
	}
	columns, notes := format.Columns(names)
	rd.header.Columns, rd.header.Notes = columns, append(rd.settings.notes, notes...)
	return nil
}

// read fills rd.row with the next record.
func (rd *reader) read(rows int) error {
	if rows&1023 == 0 {
		if err := rd.ctx.Err(); err != nil {
			return err
		}
	}
	if err := rd.next(); err != nil {
		return err
	}
	cells, width := rd.cells, len(rd.header.Columns)
	if rd.trailing && len(cells) == width+1 && cells[width].Empty() {
		cells = cells[:width]
	}
	if rd.pad && len(cells) < width && rd.bad == nil {
		for len(cells) < width {
			cells = append(cells, record.Null)
		}
		rd.cells = cells
	}
	rd.row = format.Row{Header: rd.header, Line: rd.start, Cells: cells, Err: rd.bad}
	if rd.row.Err == nil {
		rd.row.Err = rd.check(cells)
		rd.row.Sound = rd.row.Err == nil
	}
	return nil
}

// check finds what spoils a record that was cut well.
func (rd *reader) check(cells []record.Value) *format.RowError {
	if n, want := len(cells), len(rd.header.Columns); n != want {
		return &format.RowError{Code: "row_ragged", Line: rd.start, Msg: ragged(rd.start, n, want)}
	}
	if !rd.valid && !utf8.ValidString(rd.text) {
		if i, at := firstInvalid(cells); i >= 0 {
			return rd.invalid(i, at)
		}
	}
	if strings.IndexByte(rd.text, 0) >= 0 {
		return &format.RowError{Code: "row_malformed", Line: rd.start,
			Msg: fmt.Sprintf("line %d holds a zero byte: the source is damaged or not text", rd.start)}
	}
	return nil
}

func (rd *reader) invalid(i, at int) *format.RowError {
	column := rd.header.Columns[i]
	return &format.RowError{Code: "invalid_utf8", Line: rd.start, Column: column,
		Msg: fmt.Sprintf("line %d, column %s: byte 0x%02x at offset %d of the cell (row at byte %d) is not UTF-8; give charset=windows-1252 or whatever it is",
			rd.start, column, rd.cells[i].Text[at], at, rd.at)}
}
