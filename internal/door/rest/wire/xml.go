package wire

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"strings"
)

// toXML writes an answer made as JSON in the XML form of the platform: a root <response>, an element per member, the
// element repeated for the entries of a list. One encoding of records serves both forms that way.
func toXML(body []byte) ([]byte, error) {
	in := json.NewDecoder(bytes.NewReader(body))
	in.UseNumber()
	out := bytes.NewBufferString(`<?xml version="1.0" encoding="UTF-8"?>`)
	if err := element(out, in, "response"); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// element writes the next value of in as an element, or as several when it is a list.
func element(out *bytes.Buffer, in *json.Decoder, name string) error {
	token, err := in.Token()
	if err != nil {
		return err
	}
	switch token {
	case json.Delim('['):
		for in.More() {
			if err := element(out, in, name); err != nil {
				return err
			}
		}
		_, err = in.Token()
		return err
	case json.Delim('{'):
		return members(out, in, name)
	}
	return leaf(out, name, token)
}

func members(out *bytes.Buffer, in *json.Decoder, name string) error {
	open(out, name, ">")
	for in.More() {
		member, err := in.Token()
		if err != nil {
			return err
		}
		if err := element(out, in, member.(string)); err != nil { // the decoder has checked that names are strings
			return err
		}
	}
	if _, err := in.Token(); err != nil {
		return err
	}
	out.WriteString("</" + elementName(name) + ">")
	return nil
}

func leaf(out *bytes.Buffer, name string, token json.Token) error {
	text := ""
	switch v := token.(type) {
	case string:
		text = v
	case json.Number:
		text = v.String()
	case bool:
		text = map[bool]string{true: "true", false: "false"}[v]
	}
	if text == "" {
		open(out, name, "/>")
		return nil
	}
	open(out, name, ">")
	if err := xml.EscapeText(out, []byte(text)); err != nil {
		return err
	}
	out.WriteString("</" + elementName(name) + ">")
	return nil
}

func open(out *bytes.Buffer, name, end string) {
	out.WriteString("<" + elementName(name) + end)
}

// elementName makes a name of a field one of an element. Fields are named so that this changes nothing.
func elementName(name string) string {
	valid := func(i int, c rune) bool {
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		return letter || i > 0 && (c == '-' || c == '.' || c >= '0' && c <= '9')
	}
	if name == "" {
		return "_"
	}
	at := -1
	return strings.Map(func(c rune) rune {
		if at++; valid(at, c) {
			return c
		}
		return '_'
	}, name)
}

// deepest is how deep the elements of a body may nest. Records need three levels.
const deepest = 32

// node is an element of a body.
type node struct {
	name     string
	text     strings.Builder
	children []*node
}

// parseXML reads a body. Entities of a document's own are not expanded.
func parseXML(data []byte) (*node, error) {
	in := xml.NewDecoder(bytes.NewReader(data))
	var open []*node
	var root *node
	for {
		token, err := in.Token()
		if err == io.EOF && root != nil && len(open) == 0 {
			return root, nil
		}
		if err != nil {
			return nil, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			n := &node{name: token.Name.Local}
			switch {
			case len(open) == deepest:
				return nil, Unreadable("elements nest deeper than %d levels", deepest)
			case len(open) > 0:
				open[len(open)-1].children = append(open[len(open)-1].children, n)
			case root != nil:
				return nil, Unreadable("a second root element <%s>", n.name)
			default:
				root = n
			}
			open = append(open, n)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 {
				open[len(open)-1].text.Write(token)
			}
		}
	}
}

// xmlRecords gives the records of a body: the elements inside the root that hold elements, else the root itself.
func xmlRecords(data []byte) ([]Object, error) {
	root, err := parseXML(data)
	if err != nil {
		return nil, err
	}
	var records []Object
	for _, child := range root.children {
		if len(child.children) > 0 {
			records = append(records, child.object())
		}
	}
	if len(records) == 0 {
		records = append(records, root.object())
	}
	return records, nil
}

func (n *node) object() Object {
	o := make(Object, 0, len(n.children))
	for _, c := range n.children {
		p := Pair{Name: c.name, Value: c.text.String(), Nested: len(c.children) > 0}
		if p.Nested {
			p.Value = strings.TrimSpace(p.Value)
		}
		o = append(o, p)
	}
	return o
}
