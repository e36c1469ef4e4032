// Package json reads and writes JSON: the objects of an array at a path, of a file of one object a line, or of objects
// one after the other. It finds the end of each object first and reads it then, so that a damaged object costs one row.
package json

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"headrace/internal/connect/format"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// Format is the JSON format.
type Format struct{}

// Info describes JSON and its options.
func (Format) Info() format.Info {
	return format.Info{Name: "json", Label: "JSON", Grows: true, Suffixes: []string{".json", ".ndjson", ".jsonl"}, Options: append([]record.Field{
		{Name: "path", Label: "Path", Type: record.String, Help: "where the rows are: /result, /a/b (arrays on the way are passed through, /a/a is the same as /a for an array a), / or // for the root, $.result[*] too; found when absent"},
		{Name: "expand", Label: "Expand", Type: record.Boolean, Default: "true", Help: "nested objects become columns parent.child; else one column of JSON text"},
		{Name: "max_depth", Label: "Deepest nesting", Type: record.Integer, Default: "256", Help: "a row nested deeper is spoiled"},
		{Name: "max_element", Label: "Largest row", Type: record.Integer, Default: "64MB", Help: "a row of more bytes is spoiled"},
		{Name: "style", Label: "Style", Type: record.String, Default: "array", Choices: format.Choices("array", "lines"), Help: "writing: one array, or one object a line"},
		{Name: "nulls", Label: "Nulls", Type: record.Boolean, Default: "false", Help: "writing: values that are not there as null; else they are left out"},
		format.LiteralsOption(),
	}, format.TextOptions()...)}
}

// Sniff reports whether head begins like an object or an array of something.
func (Format) Sniff(head []byte) bool {
	text := strings.TrimLeft(string(head[:min(len(head), 1000)]), " \t\r\n\x1e")
	if rest, ok := strings.CutPrefix(text, "["); ok {
		rest = strings.TrimLeft(rest, " \t\r\n")
		return rest == "" || strings.IndexByte(`{["]-0123456789tfn`, rest[0]) >= 0
	}
	rest, ok := strings.CutPrefix(text, "{")
	rest = strings.TrimLeft(rest, " \t\r\n")
	return ok && (rest == "" || rest[0] == '"' || rest[0] == '}')
}

// reader yields the rows of one source.
type reader struct {
	*stream
	*shape
	steps   []string
	yield   func(*format.Row, error) bool
	row     format.Row
	rows    int
	matched bool     // the path led somewhere
	keys    []string // of the first object, for the hint
	rescans int
}

// errStop ends the reading because the consumer has enough.
var errStop = fmt.Errorf("stop")

// Rows reads r. Columns that appear later grow the header at its end. An array without elements yields one row without
// cells under a header without columns.
func (f Format) Rows(ctx context.Context, r io.Reader, o format.Options) iter.Seq2[*format.Row, error] {
	return func(yield func(*format.Row, error) bool) {
		rd, err := f.open(ctx, r, o)
		if err == nil {
			rd.yield = yield
			err = rd.document()
		}
		if err == nil && rd.rows == 0 {
			rd.row = format.Row{Header: rd.Header(), Line: rd.line}
			if !yield(&rd.row, nil) {
				return
			}
		}
		if err != nil && err != errStop {
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
	dialect := format.Options{"charset": in.Charset}
	for _, name := range []string{"expand", "max_depth", "max_element"} {
		if o[name] != "" {
			dialect[name] = o[name]
		}
	}
	sh := newShape(o.Bool("expand", true), int(o.Size("max_depth", 256)), dialect)
	if in.Note != "" {
		sh.Note("%s", in.Note)
	}
	rd := &reader{shape: sh, stream: &stream{ctx: ctx, src: in, line: 1, limit: int(min(o.Size("max_element", 64<<20), 1<<40))}}
	if rd.steps = parsePath(o["path"]); o["path"] == "" {
		var lines bool
		rd.steps, lines = findPath(in.Sample)
		if len(rd.steps) > 0 {
			sh.Note("rows at path %s (found)", showPath(rd.steps))
		}
		if lines {
			dialect["style"] = "lines"
		}
	}
	dialect["path"] = showPath(rd.steps)
	return rd, nil
}

// document reads the values at top level one after the other.
func (rd *reader) document() error {
	for {
		c, err := rd.peek()
		if err == io.EOF {
			return rd.checkMatched()
		}
		if err != nil {
			return err
		}
		if c == 0x1e { // the separator of JSON text sequences
			rd.advance(1)
			continue
		}
		if err := rd.value(c, "", rd.steps, true); err != nil {
			return rd.truncated(err)
		}
	}
}

func (rd *reader) truncated(err error) error {
	if err != io.EOF {
		return err
	}
	return fault.New(fault.Invalid, "line %d: the JSON ends early", rd.line).WithHint("the source is truncated: fetch it again")
}

func (rd *reader) checkMatched() error {
	if rd.matched {
		return nil
	}
	hint := "the source holds no object"
	if len(rd.keys) > 0 {
		hint = "the top level has " + strings.Join(rd.keys, ", ")
	}
	return fault.New(fault.Invalid, "path %s leads to no rows", showPath(rd.steps)).WithHint("%s", hint)
}

// value walks one value towards the rows: name is the key it stands at, steps what is left of the path.
func (rd *reader) value(c byte, name string, steps []string, top bool) error {
	switch {
	case strings.IndexByte(`{["-0123456789tfn`, c) < 0:
		return rd.unexpected(c, "a value")
	case c == '[':
		if len(steps) > 0 && steps[0] == name && name != "" {
			steps = steps[1:]
		}
		return rd.array(name, steps)
	case len(steps) == 0 && c == '{':
		return rd.element(top)
	case len(steps) == 0:
		return rd.scalar()
	case c == '{':
		return rd.object(steps)
	}
	return rd.skip()
}

func (rd *reader) array(name string, steps []string) error {
	rd.matched = rd.matched || len(steps) == 0
	rd.advance(1)
	for first := true; ; first = false {
		c, err := rd.peek()
		switch {
		case err != nil:
			return err
		case c == ']':
			rd.advance(1)
			return nil
		case !first && c != ',':
			return rd.unexpected(c, ", or ]")
		case !first:
			rd.advance(1)
			if c, err = rd.peek(); err != nil {
				return err
			}
		}
		if err := rd.value(c, name, steps, false); err != nil {
			return err
		}
	}
}

func (rd *reader) object(steps []string) error {
	rd.advance(1)
	for first := true; ; first = false {
		c, err := rd.peek()
		switch {
		case err != nil:
			return err
		case c == '}':
			rd.advance(1)
			return nil
		case !first && c != ',':
			return rd.unexpected(c, ", or }")
		case !first:
			rd.advance(1)
			if c, err = rd.peek(); err != nil {
				return err
			}
		}
		if err := rd.member(c, steps); err != nil {
			return err
		}
	}
}

// member reads one key and walks or skips its value.
func (rd *reader) member(c byte, steps []string) error {
	if c != '"' {
		return rd.unexpected(c, "a key")
	}
	raw, err := rd.frame()
	if err != nil {
		return err
	}
	p := parser{b: raw.bytes}
	key, rowErr := p.text()
	if rowErr != nil {
		return fault.New(fault.Invalid, "line %d: a key is damaged: %s", rd.line, rowErr.Error())
	}
	name := string(key)
	rd.consume(raw)
	if len(rd.keys) < 10 && len(steps) == len(rd.steps) && !slices.Contains(rd.keys, name) {
		rd.keys = append(rd.keys, name)
	}
	if c, err = rd.peek(); err != nil {
		return err
	} else if c != ':' {
		return rd.unexpected(c, ":")
	}
	rd.advance(1)
	if c, err = rd.peek(); err != nil {
		return err
	}
	if name == steps[0] {
		return rd.value(c, name, steps[1:], false)
	}
	return rd.skip()
}

// scalar meets a value that is no object where rows should be.
func (rd *reader) scalar() error {
	if rd.rows == 0 {
		return fault.New(fault.Invalid, "line %d: path %s leads to values that are not objects", rd.line, showPath(rd.steps)).WithHint("rows are JSON objects: set path")
	}
	line := rd.line
	raw, err := rd.frame()
	if err != nil {
		return err
	}
	rd.consume(raw)
	return rd.emit(line, nil, &format.RowError{Code: "row_malformed", Line: line, Msg: fmt.Sprintf("line %d: the row is not an object", line)})
}

// element reads the object at hand as a row.
func (rd *reader) element(top bool) error {
	rd.matched = true
	line := rd.line
	raw, err := rd.frame()
	if err == io.EOF && top && rd.resync(len(rd.buf)-rd.pos) {
		return rd.emit(line, nil, damaged(line, "the object is never closed"))
	}
	if err != nil {
		return err
	}
	if raw.tooLong {
		rd.consume(raw)
		return rd.emit(line, nil, &format.RowError{Code: "cell_too_long", Line: line, Msg: fmt.Sprintf("line %d: the row is longer than %d bytes; raise max_element if that is right", line, rd.limit)})
	}
	cells, rowErr := rd.shape.read(raw.bytes, line)
	if rowErr == nil || !(top && rd.resync(raw.width)) {
		rd.consume(raw)
	}
	return rd.emit(line, cells, rowErr)
}

// resync moves to the next line that begins with { among the next n bytes: in a file of one object a line, an object
// that does not close must not take the following ones with it.
func (rd *reader) resync(n int) bool {
	i := bytes.Index(rd.buf[rd.pos:rd.pos+n], []byte("\n{"))
	if rd.rescans++; i < 0 || rd.rescans > 100 {
		return false
	}
	rd.advance(i + 1)
	return true
}

func (rd *reader) emit(line int64, cells []record.Value, rowErr *format.RowError) error {
	rd.rows++
	if rd.rows&1023 == 0 {
		if err := rd.ctx.Err(); err != nil {
			return err
		}
	}
	rd.row = format.Row{Header: rd.Header(), Line: line, Cells: cells, Err: rowErr}
	if cells == nil {
		rd.row.Cells = []record.Value{}
	}
	if !rd.yield(&rd.row, nil) {
		return errStop
	}
	return nil
}

func damaged(line int64, msg string) *format.RowError {
	return &format.RowError{Code: "row_malformed", Line: line, Msg: fmt.Sprintf("line %d: %s", line, msg)}
}
