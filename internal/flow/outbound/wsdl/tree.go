package wsdl

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"headrace/internal/core/fault"
)

// Bounds of what is read: descriptions come from others.
const (
	MaxBytes     = 10 << 20 // of all documents together
	MaxDocuments = 64
	maxDepth     = 200
	maxNodes     = 400_000
)

// node is an element of a document.
type node struct {
	space, name string
	attrs       map[string]string
	prefixes    map[string]string // declared here
	parent      *node
	kids        []*node
}

// name is a name with its namespace.
type name struct{ space, local string }

// String writes the name for people.
func (n name) String() string {
	if n.space == "" {
		return n.local
	}
	return n.local + " of " + n.space
}

// parse reads a document into a tree.
func parse(title string, text []byte) (*node, error) {
	dec := xml.NewDecoder(bytes.NewReader(text))
	dec.CharsetReader = func(charset string, in io.Reader) (io.Reader, error) {
		if strings.EqualFold(charset, "us-ascii") || strings.EqualFold(charset, "ascii") {
			return in, nil
		}
		return nil, errors.New("the charset " + charset + " is not read; UTF-8 is")
	}
	root := &node{}
	at, depth, count := root, 0, 0
	for {
		t, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "%s is no XML: %v", title, err)
		}
		switch t := t.(type) {
		case xml.Directive:
			return nil, fault.New(fault.Invalid, "%s has a document type, which may hold a bomb", title).WithHint("remove the line <!DOCTYPE ...>")
		case xml.StartElement:
			if depth, count = depth+1, count+1; depth > maxDepth || count > maxNodes {
				return nil, fault.New(fault.Limit, "%s is deeper than %d elements or has more than %d", title, maxDepth, maxNodes)
			}
			at = at.add(t)
		case xml.EndElement:
			depth--
			at = at.parent
		}
	}
	if len(root.kids) == 0 {
		return nil, fault.New(fault.Invalid, "%s is empty", title)
	}
	root.kids[0].parent = nil
	return root.kids[0], nil
}

func (n *node) add(t xml.StartElement) *node {
	kid := &node{space: t.Name.Space, name: t.Name.Local, parent: n}
	for _, a := range t.Attr {
		switch {
		case a.Name.Space == "xmlns":
			kid.declare(a.Name.Local, a.Value)
		case a.Name.Space == "" && a.Name.Local == "xmlns":
			kid.declare("", a.Value)
		default:
			if kid.attrs == nil {
				kid.attrs = map[string]string{}
			}
			kid.attrs[a.Name.Local] = a.Value
		}
	}
	n.kids = append(n.kids, kid)
	return kid
}

func (n *node) declare(prefix, space string) {
	if n.prefixes == nil {
		n.prefixes = map[string]string{}
	}
	n.prefixes[prefix] = space
}

// resolve gives the name that a text such as tns:Order means here.
func (n *node) resolve(text string) name {
	prefix, local, found := strings.Cut(strings.TrimSpace(text), ":")
	if !found {
		prefix, local = "", prefix
	}
	for at := n; at != nil; at = at.parent {
		if space, ok := at.prefixes[prefix]; ok {
			return name{space, local}
		}
	}
	return name{"", local}
}

// first finds a child by namespace and name; nil when there is none.
func (n *node) first(space, local string) *node {
	for _, k := range n.kids {
		if k.space == space && k.name == local {
			return k
		}
	}
	return nil
}

func (n *node) all(space, local string) []*node {
	var out []*node
	for _, k := range n.kids {
		if k.space == space && k.name == local {
			out = append(out, k)
		}
	}
	return out
}
