// Package xmltree holds XML documents as scripts walk and change them: small trees with names as they are written,
// prefixes included. Size, depth and the work of a search are bounded.
package xmltree

import (
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"

	"headrace/internal/core/fault"
)

// Bounds of a document.
const (
	MaxBytes = 32 << 20
	MaxDepth = 500
	MaxNodes = 2_000_000
)

// Kind is what a node is.
type Kind uint8

// The kinds of nodes.
const (
	Document Kind = iota
	Element
	Text
	CDATA
	Comment
	Instruction
)

// Attr is an attribute.
type Attr struct{ Name, Value string }

// Node is a part of a document. Name is as written, with its prefix; Value is the text of what is no element.
type Node struct {
	Kind     Kind
	Name     string
	Value    string
	Attrs    []Attr
	Parent   *Node
	Children []*Node
	at       int // position among the parent's children
}

// Add appends a child.
func (n *Node) Add(child *Node) *Node {
	child.Parent, child.at = n, len(n.Children)
	n.Children = append(n.Children, child)
	return child
}

// Root is the first element of a document, or nil.
func (n *Node) Root() *Node {
	for _, c := range n.Children {
		if c.Kind == Element {
			return c
		}
	}
	return nil
}

// Text is the text in a node and all below it.
func (n *Node) Text() string {
	switch n.Kind {
	case Text, CDATA:
		return n.Value
	case Comment, Instruction:
		return ""
	}
	if len(n.Children) == 1 {
		return n.Children[0].Text()
	}
	var b strings.Builder
	for _, c := range n.Children {
		b.WriteString(c.Text())
	}
	return b.String()
}

// Attr gives an attribute by its name as written.
func (n *Node) Attr(name string) (string, bool) {
	i := slices.IndexFunc(n.Attrs, func(a Attr) bool { return a.Name == name })
	if i < 0 {
		return "", false
	}
	return n.Attrs[i].Value, true
}

// SetAttr sets or adds an attribute.
func (n *Node) SetAttr(name, value string) {
	if i := slices.IndexFunc(n.Attrs, func(a Attr) bool { return a.Name == name }); i >= 0 {
		n.Attrs[i].Value = value
		return
	}
	n.Attrs = append(n.Attrs, Attr{name, value})
}

// Parse reads a document. Entities other than XML's own are refused, so that nothing can grow while it is read.
func Parse(text string) (*Node, error) {
	if len(text) > MaxBytes {
		return nil, fault.New(fault.Limit, "the document has more than %d bytes", MaxBytes)
	}
	text = strings.TrimSpace(text)
	in := xml.NewDecoder(strings.NewReader(text))
	// What comes here is text already, whatever its first line says of the bytes it once was.
	in.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	b := &builder{in: in, at: &Node{Kind: Document}}
	b.root = b.at
	for {
		from := in.InputOffset()
		token, err := in.RawToken()
		if errors.Is(err, io.EOF) {
			return b.finish()
		}
		if err == nil {
			b.cdata = strings.HasPrefix(text[from:], "<![CDATA[") // the decoder does not tell it from other text
			err = b.take(token)
		}
		if err != nil {
			line, column := in.InputPos()
			return nil, fault.New(fault.Invalid, "line %d, column %d: %v", line, column, err)
		}
	}
}

type builder struct {
	in       *xml.Decoder
	root, at *Node
	depth    int
	nodes    int
	cdata    bool
}

func (b *builder) finish() (*Node, error) {
	if b.at != b.root {
		return nil, fault.New(fault.Invalid, "the document ends inside <%s>", b.at.Name)
	}
	if b.root.Root() == nil {
		return nil, fault.New(fault.Invalid, "the document has no element")
	}
	return b.root, nil
}

func (b *builder) take(token xml.Token) error {
	if b.nodes++; b.nodes > MaxNodes {
		return fault.New(fault.Limit, "the document has more than %d nodes", MaxNodes)
	}
	switch t := token.(type) {
	case xml.StartElement:
		return b.open(t)
	case xml.EndElement:
		return b.close(written(t.Name))
	case xml.CharData:
		return b.text(string(t))
	case xml.Comment:
		b.at.Add(&Node{Kind: Comment, Value: string(t)})
	case xml.ProcInst:
		b.at.Add(&Node{Kind: Instruction, Name: t.Target, Value: string(t.Inst)})
	}
	return nil
}

func written(name xml.Name) string {
	if name.Space == "" {
		return name.Local
	}
	return name.Space + ":" + name.Local
}

func (b *builder) open(t xml.StartElement) error {
	if b.depth++; b.depth > MaxDepth {
		return fault.New(fault.Limit, "elements are nested more than %d deep", MaxDepth)
	}
	if b.at == b.root && b.root.Root() != nil {
		return fault.New(fault.Invalid, "<%s> stands behind the end of the document", written(t.Name))
	}
	n := &Node{Kind: Element, Name: written(t.Name)}
	for _, a := range t.Attr {
		n.Attrs = append(n.Attrs, Attr{written(a.Name), a.Value})
	}
	b.at = b.at.Add(n)
	return nil
}

func (b *builder) close(name string) error {
	if b.at == b.root || b.at.Name != name {
		return fault.New(fault.Invalid, "</%s> closes <%s>", name, b.at.Name)
	}
	b.depth--
	b.at = b.at.Parent
	return nil
}

func (b *builder) text(s string) error {
	if b.at == b.root {
		if strings.TrimSpace(s) != "" {
			return fault.New(fault.Invalid, "there is text outside of the document")
		}
		return nil
	}
	kind := Text
	if b.cdata {
		kind = CDATA
	}
	b.at.Add(&Node{Kind: kind, Value: s})
	return nil
}

var (
	escapeText = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	escapeAttr = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "\n", "&#10;", "\t", "&#9;")
)

// String writes a node as XML; a document with its declaration.
func (n *Node) String() string {
	var b strings.Builder
	if n.Kind == Document && (len(n.Children) == 0 || n.Children[0].Kind != Instruction) {
		b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>`)
	}
	n.write(&b)
	return b.String()
}

func (n *Node) write(b *strings.Builder) {
	switch n.Kind {
	case Document:
		n.writeChildren(b)
	case Element:
		n.writeElement(b)
	case Text:
		b.WriteString(escapeText.Replace(n.Value))
	case CDATA:
		b.WriteString("<![CDATA[" + strings.ReplaceAll(n.Value, "]]>", "]]]]><![CDATA[>") + "]]>")
	case Comment:
		b.WriteString("<!--" + n.Value + "-->")
	case Instruction:
		b.WriteString("<?" + n.Name + " " + n.Value + "?>")
	}
}

func (n *Node) writeElement(b *strings.Builder) {
	b.WriteString("<" + n.Name)
	for _, a := range n.Attrs {
		b.WriteString(" " + a.Name + `="` + escapeAttr.Replace(a.Value) + `"`)
	}
	if len(n.Children) == 0 {
		b.WriteString("/>")
		return
	}
	b.WriteString(">")
	n.writeChildren(b)
	b.WriteString("</" + n.Name + ">")
}

func (n *Node) writeChildren(b *strings.Builder) {
	for _, c := range n.Children {
		c.write(b)
	}
}
