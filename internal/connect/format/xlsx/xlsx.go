// Package xlsx reads and writes Excel workbooks. It streams the sheet's XML itself, because a cell's type and number
// format decide what its text means: dates become ISO 8601, padded numbers keep their zeros, long numbers their digits.
package xlsx

import (
	"context"
	"fmt"
	"io"
	"iter"
	"strings"

	"headrace/internal/connect/format"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// Format is the Excel format.
type Format struct{}

// Info describes xlsx and its options.
func (Format) Info() format.Info {
	return format.Info{Name: "xlsx", Label: "Excel workbook", Suffixes: []string{".xlsx", ".xlsm", ".xltx", ".xltm", ".xls", ".xlsb", ".ods"}, Options: []record.Field{
		{Name: "sheet", Label: "Sheet", Type: record.String, Help: "name or number, from 1; the first one when absent"},
		{Name: "header", Label: "Header", Type: record.Boolean, Default: "true", Help: "whether a row names the columns; else they are column_1, column_2, ..."},
		{Name: "header_row", Label: "Header row", Type: record.Integer, Help: "the row that names the columns, from 1; found when absent: the first of the first 50 that is at least half as full as the fullest"},
		{Name: "password", Label: "Password", Type: record.Secret, Help: "opens a protected workbook"},
		{Name: "trim", Label: "Trim", Type: record.Boolean, Default: "false", Help: "take blanks off both ends of every cell"},
		{Name: "max_unpacked", Label: "Most unpacked bytes", Type: record.Integer, Default: "4GB", Help: "a workbook whose parts unpack to more bytes is refused"},
		{Name: "max_strings", Label: "Most shared text", Type: record.Integer, Default: "128MB", Help: "a workbook with more bytes of shared text, which is held in memory, is refused"},
		{Name: "guard", Label: "Formula guard", Type: record.Boolean, Default: "false", Help: "writing: put ' before cells that look like a formula; plain numbers stay as they are"},
		format.LiteralsOption(),
	}}
}

// Sniff reports whether head begins like a workbook or one of its relatives, which are refused with advice.
func (Format) Sniff(head []byte) bool {
	return strings.HasPrefix(string(head), "PK\x03\x04") || strings.HasPrefix(string(head), ole)
}

// scout is how many rows are looked at to find the header.
const scout = 50

// reader yields the rows of one sheet.
type reader struct {
	format.Schema
	*sheet
	trim bool
	row  format.Row
	rows int
}

// Rows reads r, which is first copied to a temporary file: a workbook's directory is at its end.
func (f Format) Rows(ctx context.Context, r io.Reader, o format.Options) iter.Seq2[*format.Row, error] {
	return func(yield func(*format.Row, error) bool) {
		if err := f.read(ctx, r, o, yield); err != nil {
			yield(nil, err)
		}
	}
}

func (f Format) read(ctx context.Context, r io.Reader, o format.Options, yield func(*format.Row, error) bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := o.Check(f.Info().Options); err != nil {
		return err
	}
	b, err := open(ctx, r, o)
	if err != nil {
		return err
	}
	defer b.close()
	sh, name, err := b.sheet(ctx, o["sheet"])
	if err != nil {
		return err
	}
	defer sh.close()
	rd := &reader{sheet: sh, trim: o.Bool("trim", false)}
	rd.Dialect = format.Options{"sheet": name, "header": fmt.Sprint(o.Bool("header", true))}
	head, err := rd.head(o)
	for _, row := range head {
		if !rd.emit(row, yield) {
			return nil
		}
	}
	for err == nil {
		if err = rd.next(); err == nil && !rd.emit(rd.current, yield) {
			return nil
		}
	}
	if err == io.EOF && rd.rows == 0 {
		rd.row = format.Row{Header: rd.Header(), Line: rd.current.line}
		yield(&rd.row, nil)
	}
	if err == io.EOF {
		return nil
	}
	return err
}

// head reads the first rows, finds the header among them and gives those that follow it. Its error belongs behind them.
func (rd *reader) head(o format.Options) (rows []sheetRow, err error) {
	want := o.Size("header_row", 0)
	fullest := 0
	for len(rows) < scout || want > rows[len(rows)-1].line {
		if err = rd.next(); err != nil {
			break
		}
		row := rd.current
		row.cells = append([]record.Value(nil), row.cells...)
		if want > 0 && row.line < want {
			continue
		}
		rows = append(rows, row)
		fullest = max(fullest, row.filled())
	}
	if len(rows) == 0 && err != nil && err != io.EOF {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, fault.New(fault.Invalid, "sheet %q has no rows", rd.Dialect["sheet"]).WithHint("name another sheet or header_row")
	}
	if !o.Bool("header", true) {
		for i := range len(rows[0].cells) {
			rd.Add(fmt.Sprintf("column_%d", i+1))
		}
		return rows, err
	}
	at := 0
	for want == 0 && rows[at].filled()*2 < fullest {
		at++
	}
	if want == 0 && at > 0 {
		rd.Note("header found in row %d", rows[at].line)
	}
	rd.Dialect["header_row"] = fmt.Sprint(rows[at].line)
	for _, c := range rows[at].cells {
		rd.Add(c.Text)
	}
	return rows[at+1:], err
}

// emit yields one row as wide as the header. Cells right of the header make columns of their own.
func (rd *reader) emit(row sheetRow, yield func(*format.Row, error) bool) bool {
	for len(row.cells) > len(rd.Columns()) {
		rd.Add("")
	}
	if rd.trim {
		for i := range row.cells {
			row.cells[i].Text = strings.TrimSpace(row.cells[i].Text)
		}
	}
	for _, note := range rd.notes() {
		rd.Note("%s", note)
	}
	rd.rows++
	for len(row.cells) < len(rd.Columns()) {
		row.cells = append(row.cells, record.Null)
	}
	rd.row = format.Row{Header: rd.Header(), Line: row.line, Cells: row.cells}
	return yield(&rd.row, nil)
}
