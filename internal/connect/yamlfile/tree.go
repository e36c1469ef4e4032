package yamlfile

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// Form is what a Node of a Tree is.
type Form uint8

// The forms.
const (
	Null Form = iota
	Scalar
	List
	Map
)

// Node is a value of a YAML text with its place, for readers that learn only while they read which properties there are.
type Node struct {
	File         string
	Line, Column int
	Form         Form
	Text         string  // of a scalar: what it says, as it is written where it is a number or a truth value
	Quoted       bool    // of a scalar: a text, neither number nor truth value
	Items        []*Node // of a list
	Pairs        []Pair  // of a map, in the order in which they are written, each key once
}

// Pair is one property of a map.
type Pair struct{ Key, Value *Node }

// Tree reads one YAML document. Anchors, tags and merged maps are refused: what a file says stands in it, and cannot grow
// when it is read.
func Tree(name string, text []byte) (root *Node, err error) {
	file, err := Parse(name, text)
	if err != nil {
		return nil, Explain(name, err, nil)
	}
	defer mend(name, &err)
	empty := &Node{File: name, Line: 1, Column: 1}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return empty, nil
	}
	if len(file.Docs) > 1 && file.Docs[1].Body != nil {
		return nil, place(name, file.Docs[1].Body).Fault("a second document begins here").WithHint("one thing a file")
	}
	return build(name, file.Docs[0].Body)
}

// Fault is an Invalid fault about the node, which begins with its place.
func (n *Node) Fault(format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, "%s: %s", n.Place(), fmt.Sprintf(format, args...))
}

// Place is "name:line:column".
func (n *Node) Place() string { return fmt.Sprintf("%s:%d:%d", n.File, n.Line, n.Column) }

// Get finds the value of a property; nil when the map does not have it.
func (n *Node) Get(key string) *Node {
	for _, p := range n.Pairs {
		if p.Key.Text == key {
			return p.Value
		}
	}
	return nil
}

// Unknown is the fault about a property that is none of the known ones, with the nearest of them as the hint. what is
// what should have it: "a business rule".
func (n *Node) Unknown(what string, known []string) *fault.Error {
	f := n.Fault("%s has no property %q", what, n.Text)
	if near := record.Nearest(n.Text, known); near != "" {
		return f.WithHint("did you mean %q?", near)
	}
	return f.WithHint("known are %s", strings.Join(known, ", "))
}

func place(name string, at ast.Node) *Node {
	n := &Node{File: name, Line: 1, Column: 1}
	if t := at.GetToken(); t != nil {
		n.Line, n.Column = t.Position.Line, t.Position.Column
	}
	return n
}

func build(name string, from ast.Node) (*Node, error) {
	n := place(name, from)
	switch v := from.(type) {
	case *ast.NullNode:
	case *ast.StringNode:
		n.Form, n.Text, n.Quoted = Scalar, v.Value, true
	case *ast.LiteralNode:
		n.Form, n.Text, n.Quoted = Scalar, v.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		n.Form, n.Text = Scalar, from.GetToken().Value
	case *ast.SequenceNode:
		n.Form = List
		for _, item := range v.Values {
			at, err := build(name, item)
			if err != nil {
				return nil, err
			}
			n.Items = append(n.Items, at)
		}
	case *ast.MappingNode:
		n.Form = Map
		return n, n.fill(v.Values)
	case *ast.MappingValueNode:
		n.Form = Map
		return n, n.fill([]*ast.MappingValueNode{v})
	default:
		return nil, n.Fault("anchors, aliases and tags are not read here").WithHint("write it out")
	}
	return n, nil
}

// fill reads the properties of a map. Its place is that of its first key.
func (n *Node) fill(values []*ast.MappingValueNode) error {
	for i, v := range values {
		key, ok := v.Key.(ast.Node)
		if _, merge := v.Key.(*ast.MergeKeyNode); merge || !ok {
			return n.Fault("maps are not merged here").WithHint("write it out")
		}
		k, err := build(n.File, key)
		if err != nil {
			return err
		}
		if i == 0 {
			n.Line, n.Column = k.Line, k.Column
		}
		if k.Form != Scalar {
			return k.Fault("a property has a name, and this is none")
		}
		value, err := build(n.File, v.Value)
		if err != nil {
			return err
		}
		n.Pairs = append(n.Pairs, Pair{k, value})
	}
	return nil
}
