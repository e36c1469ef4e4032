package importset

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"

	"headrace/internal/connect/format"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/transform"
)

// A plan file is gzipped lines of JSON: a head, a line for each row, a mark before each further map and its lines, and
// an end that holds the counts, so that a cut file is known as such.

const planVersion = 1

type planHead struct {
	Version int             `json:"headrace_plan"`
	ID      string          `json:"id"`
	Made    string          `json:"made"`
	Source  string          `json:"source"`
	Size    int64           `json:"size"`
	Format  string          `json:"format"`
	Options format.Options  `json:"options,omitempty"`
	Columns []string        `json:"columns"`
	Maps    []transform.Def `json:"maps"`
	Tables  []record.Table  `json:"tables,omitempty"` // made by Apply where they are missing
	Absent  *AbsentTerms    `json:"absent,omitempty"` // dealt with by Apply when the rows are in
}

// planRow is what a plan says of one row. Cells are only on the first map's rows.
type planRow struct {
	Row    int64             `json:"row"`
	Line   int64             `json:"line"`
	Cells  json.RawMessage   `json:"cells,omitempty"`
	Fate   string            `json:"fate,omitempty"`
	Target string            `json:"target,omitempty"`
	Mod    string            `json:"mod,omitempty"`
	Fields []FieldChange     `json:"fields,omitempty"`
	Reason string            `json:"reason,omitempty"`
	Reject *transform.Reject `json:"reject,omitempty"`

	Map *int        `json:"map,omitempty"` // a mark: rows of this map follow
	End *PlanReport `json:"end,omitempty"` // the end
}

type planWriter struct {
	buf *bufio.Writer
	zip *gzip.Writer
	enc *json.Encoder
}

func newPlanWriter(w io.Writer) *planWriter {
	buf := bufio.NewWriterSize(w, 256<<10)
	zip, err := gzip.NewWriterLevel(buf, gzip.BestSpeed)
	if err != nil { // the level is a constant
		panic(err)
	}
	enc := json.NewEncoder(zip)
	enc.SetEscapeHTML(false)
	return &planWriter{buf: buf, zip: zip, enc: enc}
}

func (w *planWriter) begin(h planHead) error { return w.enc.Encode(h) }
func (w *planWriter) row(r *planRow) error   { return w.enc.Encode(r) }
func (w *planWriter) mark(k int) error       { return w.enc.Encode(planRow{Map: &k}) }

func (w *planWriter) end(report *PlanReport) error {
	return errors.Join(w.enc.Encode(planRow{End: report}), w.zip.Close(), w.buf.Flush())
}

// planReader reads a plan file row by row.
type planReader struct {
	name      string
	signature string
	head      planHead
	file      *os.File
	in        *bufio.Reader
	header    *format.Header
	rows      int64
}

// openPlan opens a plan file and reads its head.
func openPlan(path string) (*planReader, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fault.New(fault.NotFound, "there is no plan file %s", path).WithHint("headrace import SRC --plan --save FILE makes one")
	}
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "plan file %s", path)
	}
	r := &planReader{name: path, file: f}
	zip, err := gzip.NewReader(bufio.NewReaderSize(f, 256<<10))
	if err == nil {
		r.in = bufio.NewReaderSize(zip, 256<<10)
		err = r.decode(&r.head)
	}
	if err != nil || r.head.Version == 0 {
		return nil, errors.Join(fault.Wrap(fault.Invalid, err, "%s is no plan file", path), f.Close())
	}
	if r.head.Version != planVersion {
		return nil, errors.Join(fault.New(fault.Invalid, "%s is a plan of version %d; this build reads %d", path, r.head.Version, planVersion), f.Close())
	}
	r.signature = "plan:" + r.head.ID
	r.header = &format.Header{Columns: r.head.Columns}
	return r, nil
}

func (r *planReader) close() error { return r.file.Close() }

func (r *planReader) decode(into any) error {
	line, err := r.in.ReadBytes('\n')
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "plan file %s is cut off after %d rows", r.name, r.rows).WithHint("make the plan again")
	}
	if err := json.Unmarshal(bytes.TrimSpace(line), into); err != nil {
		return fault.Wrap(fault.Invalid, err, "plan file %s is damaged after %d rows", r.name, r.rows).WithHint("make the plan again")
	}
	return nil
}

// next gives the next row of the plan.
func (r *planReader) next(ctx context.Context) (planRow, error) {
	if err := ctx.Err(); err != nil {
		return planRow{}, err
	}
	var row planRow
	err := r.decode(&row)
	r.rows++
	return row, err
}

// blocks makes blocks of the first map's rows. It stops behind the mark or the end that follows them.
func (r *planReader) blocks(ctx context.Context, emit func(*block) bool) error {
	b := &block{header: r.header}
	emitted, size := false, 0
	for {
		row, err := r.next(ctx)
		if err != nil {
			return err
		}
		if row.Map != nil || row.End != nil {
			break
		}
		cells, err := parsePayload(string(row.Cells), nil)
		if err != nil {
			return fault.Wrap(fault.Invalid, err, "plan file %s, row %d", r.name, row.Row)
		}
		if b.len() == 0 {
			b.first = row.Row
		}
		b.cells = append(b.cells, cells)
		b.lines = append(b.lines, row.Line)
		b.payload = append(b.payload, string(row.Cells))
		size += len(row.Cells)
		row.Cells = nil
		b.planned = append(b.planned, row)
		if b.len() >= blockRows || size >= blockBytes {
			if !emit(b) {
				return ctx.Err()
			}
			b, emitted, size = &block{header: r.header, first: row.Row + 1}, true, 0
		}
	}
	if (b.len() > 0 || !emitted) && !emit(b) {
		return ctx.Err()
	}
	return nil
}
