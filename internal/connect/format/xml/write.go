package xml

import (
	"bufio"
	"context"
	stdxml "encoding/xml"
	"io"
	"iter"
	"strings"

	"headrace/internal/connect/format"
	"headrace/internal/core/record"
)

// Write writes rows as elements at the path of o (default /rows/row), columns as child elements, parent/child ones
// nested. Null cells are left out. Characters that a name cannot have become _.
func (f Format) Write(ctx context.Context, w io.Writer, header []string, rows iter.Seq2[[]record.Value, error], o format.Options) error {
	if err := o.Check(f.Info().Options); err != nil {
		return err
	}
	p, err := parsePath(o.Text("path", "/rows/row"))
	if err != nil {
		return err
	}
	steps := p.steps
	if len(steps) < 2 {
		steps = append([]string{"rows"}, steps...)
	}
	charset := o.Text("charset", "utf-8")
	encoded, err := format.Encode(w, charset, strings.HasPrefix(charset, "utf-16"))
	if err != nil {
		return err
	}
	out := &writer{Writer: bufio.NewWriterSize(encoded, 64<<10), row: tag(steps[len(steps)-1])}
	out.tree(header)
	out.WriteString(`<?xml version="1.0" encoding="` + charset + `"?>` + "\n")
	for _, s := range steps[:len(steps)-1] {
		out.WriteString("<" + tag(s) + ">")
	}
	for row, err := range rows {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = out.write(row)
		}
		if err != nil {
			return err
		}
	}
	out.WriteString("\n")
	for i := len(steps) - 2; i >= 0; i-- {
		out.WriteString("</" + tag(steps[i]) + ">")
	}
	out.WriteString("\n")
	return out.Flush()
}

type writer struct {
	*bufio.Writer
	row  string
	root branch
}

// branch is a column, or the parent of columns, or both.
type branch struct {
	name     string
	column   int // -1: none
	children []*branch
	byName   map[string]*branch
}

// tree arranges the columns by the parts of their names.
func (w *writer) tree(header []string) {
	for i, name := range header {
		at := &w.root
		parts := strings.Split(name, "/")
		for j, part := range parts {
			at = at.child(tag(part), j == len(parts)-1)
		}
		at.column = i
	}
}

// child finds or makes the branch of a name, one that is no column yet when fresh.
func (b *branch) child(name string, fresh bool) *branch {
	if c := b.byName[name]; c != nil && !(fresh && c.column >= 0) {
		return c
	}
	c := &branch{name: name, column: -1}
	if b.byName == nil {
		b.byName = map[string]*branch{}
	}
	b.byName[name] = c
	b.children = append(b.children, c)
	return c
}

// write writes one row. Errors of the stream stick to the writer and show at the end of the row.
func (w *writer) write(cells []record.Value) error {
	w.WriteString("\n  <" + w.row + ">")
	for _, c := range w.root.children {
		w.branch(c, cells)
	}
	_, err := w.WriteString("</" + w.row + ">")
	return err
}

func (w *writer) branch(b *branch, cells []record.Value) {
	if !b.any(cells) {
		return
	}
	w.WriteString("<" + b.name + ">")
	if b.column >= 0 && b.column < len(cells) {
		stdxml.EscapeText(w, []byte(cells[b.column].Text))
	}
	for _, c := range b.children {
		w.branch(c, cells)
	}
	w.WriteString("</" + b.name + ">")
}

// any reports whether the branch holds a value.
func (b *branch) any(cells []record.Value) bool {
	if b.column >= 0 && b.column < len(cells) && cells[b.column].Valid {
		return true
	}
	for _, c := range b.children {
		if c.any(cells) {
			return true
		}
	}
	return false
}

// tag makes a name that XML allows.
func tag(name string) string {
	valid := func(r rune, first bool) bool {
		letter := r == '_' || r|0x20 >= 'a' && r|0x20 <= 'z' || r >= 0xc0 && r != 0xd7 && r != 0xf7 && r < 0x2000
		return letter || !first && (r == '-' || r == '.' || r >= '0' && r <= '9')
	}
	var b strings.Builder
	for i, r := range name {
		if i == 0 && !valid(r, true) && valid(r, false) {
			b.WriteByte('_')
		}
		if !valid(r, false) {
			r = '_'
		}
		b.WriteRune(r)
	}
	if b.Len() == 0 {
		return "_"
	}
	return b.String()
}
