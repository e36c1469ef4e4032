// Package format is how bytes become rows and rows become bytes. Each format is a folder below; a format knows nothing
// of where bytes come from or where rows go.
package format

import (
	"context"
	"io"
	"iter"

	"headrace/internal/core/record"
)

// Format reads rows from bytes.
type Format interface {
	// Info names the format and describes its options.
	Info() Info
	// Rows yields the rows of r in order. A Row with Err spoils that row only; a yielded error ends the stream. Memory is
	// bounded whatever the size of r. Rows stops, without an error, when the consumer stops; it returns ctx.Err() when ctx is done.
	// A source with a header and no rows yields one Row with a Header and nil Cells: it is no row and only shows the header.
	Rows(ctx context.Context, r io.Reader, o Options) iter.Seq2[*Row, error]
}

// Writer is a format that can also write rows, so that rejected rows come back as a file of the kind they came from.
type Writer interface {
	// Write writes rows under one header and returns when rows end. Cells missing at the end of a row are null.
	Write(ctx context.Context, w io.Writer, header []string, rows iter.Seq2[[]record.Value, error], o Options) error
}

// Info describes a format.
type Info struct {
	Name     string   // "csv"
	Label    string   // "CSV"
	Suffixes []string // ".csv", ".tsv"
	Options  []record.Field
	Grows    bool // columns may show up late, so that a header is only complete at the end
}

// Options are the settings for one reading, by the names of Info.Options. Absent means: find out.
type Options map[string]string

// Header names the columns of a stream. It is shared by the rows that came under it and only ever grows at its end, by
// a new Header; rows read earlier are short rows of the new one.
type Header struct {
	Columns []string // as the source names them; unique, never empty
	Notes   []string // what the reader decided and the user may want to overrule: "charset windows-1252 (guessed)"
	Dialect Options  // the options decided upon; giving them back as Options reads the same
}

// Row is one row. It and its Cells are valid until the next row; the texts in Cells stay valid.
type Row struct {
	Header *Header
	Line   int64 // line of the source where the row begins, from 1; for sources without lines, the row's ordinal, from 1
	Cells  []record.Value
	Err    *RowError // set when this row cannot be used; Cells then hold what could be read
	Sound  bool      // the cells are known to hold neither NUL nor anything but UTF-8
}

// RowError says why one row cannot be used. It never ends a stream.
type RowError struct {
	Code   string // a reason code: "row_malformed", "row_ragged", "invalid_utf8", "cell_too_long"
	Line   int64
	Column string // column or position the trouble is at, may be empty
	Msg    string // for people, with the hint
}

// Error makes RowError an error.
func (e *RowError) Error() string { return e.Msg }
