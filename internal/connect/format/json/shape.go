package json

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"headrace/internal/connect/format"
	"headrace/internal/core/record"
)

// shape knows the columns met so far as a tree of keys and turns objects into cells.
type shape struct {
	format.Schema
	expand  bool
	depth   int
	root    node
	row     int64 // ordinal of the row being read, to see keys that repeat
	repeats bool
	text    []byte // the texts of the row, one after the other
	places  []place
	cells   []record.Value
}

// node is a key and what was found under it.
type node struct {
	name     string
	path     string // the names down to this one
	column   int    // -1: never held a value itself
	seen     int64
	children []*node
	byName   map[string]*node
}

// place says where in text the cell of a column is.
type place struct {
	column, from, to int
	null             bool
}

func newShape(expand bool, depth int, dialect format.Options) *shape {
	return &shape{Schema: format.Schema{Dialect: dialect}, expand: expand, depth: depth}
}

// child finds the node of a key, expected at index i among its siblings because objects of one source mostly keep an order.
func (s *shape) child(parent *node, key []byte, i int) *node {
	if i < len(parent.children) && parent.children[i].name == string(key) {
		return parent.children[i]
	}
	if n := parent.byName[string(key)]; n != nil {
		return n
	}
	n := &node{name: string(key), column: -1}
	n.path = n.name
	if parent.path != "" {
		n.path = parent.path + "." + n.name
	}
	if parent.byName == nil {
		parent.byName = map[string]*node{}
	}
	parent.byName[n.name] = n
	parent.children = append(parent.children, n)
	return n
}

// read turns one object into cells, which are valid until the next call; their texts stay valid.
func (s *shape) read(object []byte, line int64) ([]record.Value, *format.RowError) {
	s.row++
	s.text, s.places = s.text[:0], s.places[:0]
	p := parser{b: object}
	err := s.object(&p, &s.root, 1)
	if err == nil && p.i != len(object) {
		err = p.fail("something follows the object")
	}
	text := string(s.text)
	width := len(s.Columns())
	s.cells = slices.Grow(s.cells[:0], width)[:width]
	clear(s.cells)
	for _, at := range s.places {
		s.cells[at.column] = record.Value{Text: text[at.from:at.to], Valid: !at.null}
	}
	if err != nil {
		return s.cells, p.rowError(line, err)
	}
	if !utf8.ValidString(text) {
		return s.cells, s.invalid(line)
	}
	return s.cells, nil
}

func (s *shape) invalid(line int64) *format.RowError {
	e := &format.RowError{Code: "invalid_utf8", Line: line}
	for i, c := range s.cells {
		if !utf8.ValidString(c.Text) {
			e.Column = s.Columns()[i]
			break
		}
	}
	e.Msg = fmt.Sprintf("line %d, %s: the text is not UTF-8; give charset if it is something else", line, e.Column)
	return e
}

// object reads the members of an object into the columns below parent.
func (s *shape) object(p *parser, parent *node, depth int) error {
	if depth > s.depth {
		return p.fail(fmt.Sprintf("nested deeper than %d; raise max_depth if that is right", s.depth))
	}
	p.i++
	for i := 0; ; i++ {
		switch c := p.blank(); {
		case c == '}':
			p.i++
			return nil
		case i > 0 && c != ',':
			return p.fail("found no , or } after a value")
		case i > 0:
			p.i++
			p.blank()
		}
		key, err := p.text()
		if err != nil {
			return err
		}
		n := s.child(parent, key, i)
		if p.blank() != ':' {
			return p.fail("found no : after a key")
		}
		p.i++
		if err := s.member(p, n, depth); err != nil {
			return err
		}
	}
}

// member reads the value of the key n.
func (s *shape) member(p *parser, n *node, depth int) error {
	if n.seen == s.row && !s.repeats {
		s.repeats = true
		s.Note("key %s occurs twice in one object: the last one counts", n.path)
	}
	n.seen = s.row
	c := p.blank()
	if c == '{' && s.expand {
		return s.object(p, n, depth+1)
	}
	from := len(s.text)
	err := p.value(&s.text, depth, s.depth)
	if err != nil {
		return err
	}
	if n.column < 0 {
		n.column = s.Add(n.path)
	}
	s.places = append(s.places, place{column: n.column, from: from, to: len(s.text), null: c == 'n'})
	return nil
}
