package xml

import (
	"bytes"
	stdjson "encoding/json"
	stdxml "encoding/xml"
	"slices"
	"strings"

	"headrace/internal/connect/format"
	"headrace/internal/core/record"
)

// element is one element of a row.
type element struct {
	name     string
	attrs    []stdxml.Attr
	children []*element
	text     []byte
}

// leaf reports whether an element is nothing but text.
func (e *element) leaf() bool { return len(e.attrs) == 0 && len(e.children) == 0 }

// content is an element's text; blanks that only lay out child elements are no part of it.
func (e *element) content() string {
	if len(e.children) > 0 {
		return strings.TrimSpace(string(e.text))
	}
	return string(e.text)
}

// null reports whether an element says of itself that it has no value.
func (e *element) null() bool {
	for _, a := range e.attrs {
		if a.Name.Local == "nil" && strings.HasSuffix(a.Name.Space, "XMLSchema-instance") {
			return a.Value == "true" || a.Value == "1"
		}
	}
	return false
}

// shape knows the columns met so far as a tree of names and turns elements into cells.
type shape struct {
	format.Schema
	root  node
	cells []record.Value
}

// node is a name at its place; attributes and elements of one name are two nodes.
type node struct {
	path     string
	column   int // index + 1; 0: never held a value itself
	times    int // how many elements of the parent being read bear the name
	children map[string]*node
}

// child finds a node by key: the name, with @ before it for an attribute.
func (n *node) child(key string) *node {
	if c := n.children[key]; c != nil {
		return c
	}
	name := strings.TrimPrefix(key, "@")
	c := &node{path: name}
	if n.path != "" {
		c.path = n.path + "/" + name
	}
	if n.children == nil {
		n.children = map[string]*node{}
	}
	n.children[key] = c
	return c
}

// read turns a row element into cells, which are valid until the next call.
func (s *shape) read(row *element) []record.Value {
	s.cells = slices.Grow(s.cells[:0], len(s.Columns())+1)[:len(s.Columns())]
	clear(s.cells)
	s.inside(row, &s.root)
	if text := strings.TrimSpace(string(row.text)); text != "" {
		s.set(s.root.child(row.name), false, record.Text(text))
	}
	return s.cells
}

// inside reads attributes and children of an element into the columns below n.
func (s *shape) inside(e *element, n *node) {
	for _, a := range e.attrs {
		s.set(n.child("@"+a.Name.Local), true, record.Text(a.Value))
	}
	for _, c := range e.children {
		n.child(c.name).times++
	}
	for i, c := range e.children {
		at := n.child(c.name)
		times := at.times
		at.times = 0
		switch {
		case times == 0: // told with the first of its name
		case times > 1:
			s.set(at, false, record.Text(repeated(e.children[i:], c.name)))
		case !c.null():
			s.inside(c, at)
			if text := c.content(); c.leaf() || text != "" {
				s.set(at, false, record.Text(text))
			}
		}
	}
}

// set puts a value into the column of n, making it when it is new.
func (s *shape) set(n *node, attribute bool, v record.Value) {
	if n.column == 0 {
		names := []string{n.path}
		if i := strings.LastIndexByte(n.path, '/'); attribute {
			names = append(names, n.path[:i+1]+"@"+n.path[i+1:])
		}
		n.column = s.Add(names...) + 1
	}
	for len(s.cells) < n.column {
		s.cells = append(s.cells, record.Null)
	}
	s.cells[n.column-1] = v
}

// repeated gives elements of one name as a JSON array.
func repeated(elements []*element, name string) string {
	var all []any
	for _, e := range elements {
		if e.name == name {
			all = append(all, e.json())
		}
	}
	var b bytes.Buffer
	enc := stdjson.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(all); err != nil { // cannot happen for texts, arrays and maps
		return "[]"
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// json gives an element as a value of JSON: a text, or an object with the element's own text under "#text".
func (e *element) json() any {
	switch {
	case e.null():
		return nil
	case e.leaf():
		return string(e.text)
	}
	o := map[string]any{}
	for _, a := range e.attrs {
		o["@"+a.Name.Local] = a.Value
	}
	for _, c := range e.children {
		if have, ok := o[c.name]; !ok {
			o[c.name] = c.json()
		} else if list, ok := have.([]any); ok {
			o[c.name] = append(list, c.json())
		} else {
			o[c.name] = []any{have, c.json()}
		}
	}
	if text := strings.TrimSpace(string(e.text)); text != "" {
		o["#text"] = text
	}
	return o
}
