// Package xml reads and writes XML: every element at a path is a row. Attributes and child elements are columns, deeper
// elements columns parent/child, repeated ones JSON text. Names are compared without their namespace prefix.
package xml

import (
	"context"
	stdxml "encoding/xml"
	"errors"
	"fmt"
	"io"
	"iter"
	"regexp"
	"slices"
	"strings"

	"headrace/internal/connect/format"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// Format is the XML format.
type Format struct{}

// Info describes XML and its options.
func (Format) Info() format.Info {
	return format.Info{Name: "xml", Label: "XML", Grows: true, Suffixes: []string{".xml"}, Options: append([]record.Field{
		{Name: "path", Label: "Path", Type: record.String, Help: "the element that is a row: /world/country, //country at any depth, * for any name; found when absent: the first element that repeats"},
		{Name: "max_depth", Label: "Deepest nesting", Type: record.Integer, Default: "256", Help: "a source nested deeper is refused"},
		{Name: "max_element", Label: "Largest row", Type: record.Integer, Default: "64MB", Help: "a row of more bytes is spoiled; a single text of more bytes ends the reading"},
	}, format.TextOptions()...)}
}

// Sniff reports whether head begins like a tag.
func (Format) Sniff(head []byte) bool {
	text := strings.TrimSpace(string(head[:min(len(head), 1000)]))
	return len(text) > 1 && text[0] == '<' && (strings.IndexByte("?!_:", text[1]) >= 0 || text[1]|0x20 >= 'a' && text[1]|0x20 <= 'z')
}

// reader walks the tokens of one source.
type reader struct {
	*shape
	dec   *stdxml.Decoder
	guard *guard
	path  path
	limit int64
	depth int
	names []string // of the open elements
	row   format.Row
	rows  int
	empty bool     // the parent of row elements was there, or is all there is
	seen  []string // element paths near the root, for the hint
}

// Rows reads r. Columns that appear later grow the header at its end. A document in which the path leads nowhere
// is Invalid; one in which only the rows are missing yields one row without cells.
func (f Format) Rows(ctx context.Context, r io.Reader, o format.Options) iter.Seq2[*format.Row, error] {
	return func(yield func(*format.Row, error) bool) {
		rd, err := f.open(ctx, r, o)
		for err == nil {
			if err = rd.next(); err == nil && !yield(&rd.row, nil) {
				return
			}
		}
		if err == io.EOF {
			if err = rd.end(); err == nil && rd.rows == 0 {
				rd.row = format.Row{Header: rd.Header(), Line: 1}
				yield(&rd.row, nil)
			}
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

var prolog = regexp.MustCompile(`^\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']`)

// declared gives the charset of the prolog.
func declared(sample []byte) string {
	if m := prolog.FindSubmatch(sample); m != nil {
		return string(m[1])
	}
	return ""
}

func (f Format) open(ctx context.Context, r io.Reader, o format.Options) (*reader, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := o.Check(f.Info().Options); err != nil {
		return nil, err
	}
	in, err := format.OpenText(r, o, declared)
	if err != nil {
		return nil, err
	}
	p, err := parsePath(o["path"])
	if err != nil {
		return nil, err
	}
	rd := &reader{shape: &shape{}, path: p, limit: o.Size("max_element", 64<<20), depth: int(o.Size("max_depth", 256))}
	if o["path"] == "" {
		if rd.path = (path{steps: findPath(in.Sample)}); len(rd.path.steps) > 0 {
			rd.Note("rows at path %s (found)", rd.path)
		}
	}
	if in.Note != "" && in.Charset != "utf-8" {
		rd.Note("%s", in.Note)
	}
	rd.Dialect = format.Options{"path": rd.path.String(), "charset": in.Charset}
	for _, name := range []string{"max_depth", "max_element"} {
		if o[name] != "" {
			rd.Dialect[name] = o[name]
		}
	}
	rd.guard = &guard{ctx: ctx, r: in, limit: rd.limit + 1<<16}
	rd.dec = newDecoder(rd.guard)
	return rd, nil
}

func newDecoder(r io.Reader) *stdxml.Decoder {
	dec := stdxml.NewDecoder(r)
	dec.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // decoded already
	return dec
}

// guard bounds the bytes that one token may take, and heeds the context.
type guard struct {
	ctx   context.Context
	r     io.Reader
	limit int64
	n     int64 // since the last token
	err   error // of r
}

func (g *guard) Read(p []byte) (int, error) {
	if g.err = g.ctx.Err(); g.err != nil {
		return 0, g.err
	}
	if g.n > g.limit {
		g.err = fault.New(fault.Limit, "a single text or tag is longer than %d bytes", g.limit).WithHint("raise max_element if that is right")
		return 0, g.err
	}
	n, err := g.r.Read(p)
	g.n += int64(n)
	if err != io.EOF {
		g.err = err
	}
	return n, err
}

// token gives the next token. Errors have their place.
func (rd *reader) token() (stdxml.Token, error) {
	rd.guard.n = 0
	t, err := rd.dec.Token()
	if err == nil {
		return t, nil
	}
	if rd.guard.err != nil {
		return nil, rd.guard.err
	}
	if err == io.EOF {
		return nil, err
	}
	line, column := rd.dec.InputPos()
	msg := err.Error()
	var syntax *stdxml.SyntaxError
	if errors.As(err, &syntax) {
		msg = syntax.Msg
	}
	return nil, fault.New(fault.Invalid, "line %d, column %d: the XML is not well-formed: %s", line, column, msg).WithHint("%s", hintFor(msg))
}

func hintFor(msg string) string {
	switch {
	case strings.Contains(msg, "unexpected EOF"):
		return "the source is truncated: fetch it again"
	case strings.Contains(msg, "invalid character entity"):
		return "write & as &amp; in the source; entities that a document defines itself are not expanded"
	case strings.Contains(msg, "UTF-8"):
		return "give charset if it is something else"
	}
	return "the source must be mended where it is made"
}

// next reads up to the end of the next row element.
func (rd *reader) next() error {
	for {
		t, err := rd.token()
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case stdxml.StartElement:
			rd.names = append(rd.names, t.Name.Local)
			if rd.path.matches(rd.names) {
				return rd.element(t)
			}
			if err := rd.enter(); err != nil {
				return err
			}
		case stdxml.EndElement:
			rd.names = rd.names[:len(rd.names)-1]
		case stdxml.CharData:
			if len(rd.names) == 0 && strings.Trim(string(t), " \t\r\n") != "" {
				line, column := rd.dec.InputPos()
				return fault.New(fault.Invalid, "line %d, column %d: text outside the root element", line, column).WithHint("is this XML?")
			}
		}
	}
}

func (rd *reader) enter() error {
	if len(rd.names) > rd.depth {
		line, _ := rd.dec.InputPos()
		return fault.New(fault.Limit, "line %d: nested deeper than %d", line, rd.depth).WithHint("raise max_depth if that is right")
	}
	rd.empty = rd.empty || rd.path.parent().matches(rd.names) || len(rd.path.steps) == 0
	if len(rd.seen) < 10 && len(rd.names) < 4 {
		if p := "/" + strings.Join(rd.names, "/"); !slices.Contains(rd.seen, p) {
			rd.seen = append(rd.seen, p)
		}
	}
	return nil
}

// element reads the row element that start opens and makes rd.row of it.
func (rd *reader) element(start stdxml.StartElement) error {
	line, _ := rd.dec.InputPos()
	begin, base := rd.dec.InputOffset(), len(rd.names)
	root := &element{name: start.Name.Local, attrs: attributes(start)}
	open, long := []*element{root}, false
	for len(open) > 0 {
		t, err := rd.token()
		if err == io.EOF {
			err = fault.New(fault.Invalid, "line %d: the XML ends early", line).WithHint("the source is truncated: fetch it again")
		}
		if err != nil {
			return err
		}
		long = long || rd.dec.InputOffset()-begin > rd.limit
		at := open[len(open)-1]
		switch t := t.(type) {
		case stdxml.StartElement:
			rd.names = append(rd.names, t.Name.Local)
			if err := rd.enter(); err != nil {
				return err
			}
			child := &element{name: t.Name.Local, attrs: attributes(t)}
			if !long {
				at.children = append(at.children, child)
			}
			open = append(open, child)
		case stdxml.EndElement:
			rd.names = rd.names[:len(rd.names)-1]
			open = open[:len(open)-1]
		case stdxml.CharData:
			if !long {
				at.text = append(at.text, t...)
			}
		}
	}
	rd.names = rd.names[:base-1]
	rd.rows++
	rd.row = format.Row{Line: int64(line), Cells: rd.read(root)}
	if long {
		rd.row.Err = &format.RowError{Code: "cell_too_long", Line: rd.row.Line, Msg: fmt.Sprintf("line %d: the row is longer than %d bytes; raise max_element if that is right", line, rd.limit)}
	}
	rd.row.Header = rd.Header()
	return nil
}

// end decides what a document means that had no further row.
func (rd *reader) end() error {
	if rd.rows > 0 || rd.empty {
		return nil
	}
	if len(rd.seen) == 0 {
		return fault.New(fault.Invalid, "the source holds no XML element").WithHint("is this XML?")
	}
	return fault.New(fault.Invalid, "path %s leads to no rows", rd.path).WithHint("the source has %s", strings.Join(rd.seen, ", "))
}

// attributes copies the attributes of a tag, without declarations of namespaces.
func attributes(t stdxml.StartElement) []stdxml.Attr {
	attrs := make([]stdxml.Attr, 0, len(t.Attr))
	for _, a := range t.Attr {
		if a.Name.Space != "xmlns" && !(a.Name.Space == "" && a.Name.Local == "xmlns") {
			attrs = append(attrs, a)
		}
	}
	return attrs
}
