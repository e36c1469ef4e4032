package json

import (
	"bufio"
	"context"
	stdjson "encoding/json"
	"io"
	"iter"

	"headrace/internal/connect/format"
	"headrace/internal/core/record"
)

// Write writes rows as objects with the column names as keys and texts as values, at the path of o; null cells are
// left out unless the option nulls asks for them, so that reading gives the same cells.
func (f Format) Write(ctx context.Context, w io.Writer, header []string, rows iter.Seq2[[]record.Value, error], o format.Options) error {
	if err := o.Check(f.Info().Options); err != nil {
		return err
	}
	encoded, err := format.Encode(w, o["charset"], false)
	if err != nil {
		return err
	}
	out := &writer{w: bufio.NewWriterSize(encoded, 64<<10), lines: o["style"] == "lines", nulls: o.Bool("nulls", false), literals: o.Literals(len(header))}
	for _, name := range header {
		out.keys = append(out.keys, append(out.quoted(name), ':'))
	}
	steps := parsePath(o["path"])
	out.open(steps)
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
	out.close(len(steps))
	return out.w.Flush()
}

type writer struct {
	w        *bufio.Writer
	lines    bool
	nulls    bool
	literals []bool   // by column: numbers and truth values stand without quotes
	keys     [][]byte // as they are written, with the colon
	rows     int
}

// quoted gives a text as JSON. Bytes that are not UTF-8 become U+FFFD, since JSON cannot hold them.
func (w *writer) quoted(text string) []byte {
	b, err := stdjson.Marshal(text)
	if err != nil { // cannot happen for a string
		return []byte(`""`)
	}
	return b
}

// value gives a cell as JSON.
func (w *writer) value(c record.Value, literal bool) []byte {
	switch {
	case !c.Valid:
		return []byte("null")
	case literal && stdjson.Valid([]byte(c.Text)):
		return []byte(c.Text)
	}
	return w.quoted(c.Text)
}

func (w *writer) open(steps []string) {
	if w.lines {
		return
	}
	for _, s := range steps {
		w.w.WriteByte('{')
		w.w.Write(w.quoted(s))
		w.w.WriteByte(':')
	}
	w.w.WriteByte('[')
}

func (w *writer) close(depth int) {
	if w.lines {
		return
	}
	w.w.WriteString("\n]")
	for range depth {
		w.w.WriteByte('}')
	}
	w.w.WriteByte('\n')
}

// row writes one object. Errors of the stream stick to w.w and show at its end.
func (w *writer) row(cells []record.Value) error {
	if w.rows++; !w.lines && w.rows > 1 {
		w.w.WriteByte(',')
	}
	if !w.lines {
		w.w.WriteByte('\n')
	}
	w.w.WriteByte('{')
	first := true
	for i, c := range cells[:min(len(cells), len(w.keys))] {
		if !c.Valid && !w.nulls {
			continue
		}
		if !first {
			w.w.WriteByte(',')
		}
		first = false
		w.w.Write(w.keys[i])
		w.w.Write(w.value(c, w.literals[i]))
	}
	err := w.w.WriteByte('}')
	if w.lines {
		err = w.w.WriteByte('\n')
	}
	return err
}
