package xlsx

import (
	"context"
	"errors"
	"io"
	"iter"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"

	"headrace/internal/connect/format"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// Write writes a workbook of one sheet with texts only, so that nothing is reinterpreted, but for the columns that the
// option literals names. Null is an empty cell.
// The header stands in the first row; a header_row of o is not heeded.
func (f Format) Write(ctx context.Context, w io.Writer, header []string, rows iter.Seq2[[]record.Value, error], o format.Options) (err error) {
	if err := o.Check(f.Info().Options); err != nil {
		return err
	}
	x := excelize.NewFile()
	defer func() { err = errors.Join(err, x.Close()) }()
	name := o.Text("sheet", "Sheet1")
	if err := x.SetSheetName("Sheet1", name); err != nil {
		return fault.Wrap(fault.Invalid, err, "sheet name %q", name).WithHint("at most 31 characters, none of : \\ / ? * [ ]")
	}
	sw, err := x.NewStreamWriter(name)
	if err != nil {
		return err
	}
	out := &writer{sw: sw, guard: o.Bool("guard", false), literals: make([]bool, len(header))}
	cells := make([]record.Value, len(header))
	for i, h := range header {
		cells[i] = record.Text(h)
	}
	if o.Bool("header", true) {
		if err := out.row(cells); err != nil {
			return err
		}
	}
	out.literals = o.Literals(len(header))
	for row, err := range rows {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = out.row(row)
		}
		if err != nil {
			return err
		}
	}
	if err := sw.Flush(); err != nil {
		return err
	}
	return x.Write(w, excelize.Options{Password: o["password"]})
}

type writer struct {
	sw       *excelize.StreamWriter
	n        int
	guard    bool
	literals []bool // by column
	cells    []any
}

func (w *writer) row(cells []record.Value) error {
	if w.n++; w.n > excelize.TotalRows {
		return fault.New(fault.Limit, "a sheet holds %d rows at most", excelize.TotalRows).WithHint("write CSV instead")
	}
	w.cells = w.cells[:0]
	for i, c := range cells {
		text := c.Text
		if w.guard {
			text = format.Guarded(text)
		}
		if len(text) > excelize.TotalCellChars && len([]rune(text)) > excelize.TotalCellChars {
			return fault.New(fault.Limit, "row %d has a cell of more than %d characters", w.n, excelize.TotalCellChars).WithHint("write CSV instead")
		}
		switch {
		case !c.Valid:
			w.cells = append(w.cells, nil)
		case i < len(w.literals) && w.literals[i]:
			w.cells = append(w.cells, literal(text))
		default:
			w.cells = append(w.cells, text)
		}
	}
	at, err := excelize.CoordinatesToCellName(1, w.n)
	if err != nil {
		return err
	}
	return w.sw.SetRow(at, w.cells)
}

// mostDigits is how many digits of a number a workbook keeps.
const mostDigits = 15

// literal is a number or a truth value as such; a number that would lose digits stays a text.
func literal(text string) any {
	switch text {
	case "true":
		return true
	case "false":
		return false
	}
	if n, err := strconv.ParseFloat(text, 64); err == nil && len(strings.Trim(text, "-.")) <= mostDigits {
		return n
	}
	return text
}
