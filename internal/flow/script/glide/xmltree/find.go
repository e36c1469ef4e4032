package xmltree

import (
	"context"
	"strconv"
	"strings"

	"github.com/antchfx/xpath"

	"headrace/internal/core/fault"
)

// maxPath is the longest XPath expression, in bytes.
const maxPath = 4096

// Find gives the nodes that an XPath expression finds from n, in the order of the document. Names without a prefix match
// names without one; attributes come as nodes of kind Text. A value that is no node comes as one Text. The search ends
// when ctx does.
func (n *Node) Find(ctx context.Context, path string) (found []*Node, err error) {
	if len(path) > maxPath {
		return nil, fault.New(fault.Limit, "the path has more than %d bytes", maxPath)
	}
	expr, err := xpath.Compile(path)
	if err != nil {
		return nil, fault.New(fault.Invalid, "the path %q cannot be read: %v", path, err)
	}
	defer func() {
		switch broken := recover().(type) {
		case nil:
		case stopped:
			err = fault.Wrap(fault.Limit, broken.error, "the search for %q took too long", path)
		default: // the library panics where a function is called with what it cannot take
			err = fault.New(fault.Invalid, "the path %q cannot be followed: %v", path, broken)
		}
	}()
	from := &cursor{ctx: ctx, steps: new(int), node: n, attr: -1}
	switch value := expr.Evaluate(from).(type) {
	case *xpath.NodeIterator:
		for value.MoveNext() {
			found = append(found, value.Current().(*cursor).result())
		}
	default:
		found = []*Node{{Kind: Text, Value: xpathText(value)}}
	}
	return found, nil
}

// stopped breaks off a search.
type stopped struct{ error }

// stepsBetween is how many moves are made between two looks at the context.
const stepsBetween = 1 << 12

// cursor walks a tree for the XPath library.
type cursor struct {
	ctx   context.Context
	steps *int
	node  *Node
	attr  int // index of the attribute it is at, or -1
}

func (c *cursor) step() {
	if *c.steps++; *c.steps%stepsBetween == 0 && c.ctx.Err() != nil {
		panic(stopped{c.ctx.Err()})
	}
}

func (c *cursor) result() *Node {
	if c.attr < 0 {
		return c.node
	}
	a := c.node.Attrs[c.attr]
	return &Node{Kind: Text, Name: a.Name, Value: a.Value, Parent: c.node}
}

// NodeType makes cursor an xpath.NodeNavigator, as the methods below do.
func (c *cursor) NodeType() xpath.NodeType {
	if c.attr >= 0 {
		return xpath.AttributeNode
	}
	switch c.node.Kind {
	case Document:
		return xpath.RootNode
	case Element:
		return xpath.ElementNode
	case Text, CDATA:
		return xpath.TextNode
	}
	return xpath.CommentNode
}

func (c *cursor) name() (prefix, local string) {
	name := c.node.Name
	if c.attr >= 0 {
		name = c.node.Attrs[c.attr].Name
	}
	if before, after, found := strings.Cut(name, ":"); found {
		return before, after
	}
	return "", name
}

func (c *cursor) LocalName() string { _, local := c.name(); return local }

func (c *cursor) Prefix() string { prefix, _ := c.name(); return prefix }

func (c *cursor) Value() string {
	c.step()
	switch {
	case c.attr >= 0:
		return c.node.Attrs[c.attr].Value
	case c.node.Kind == Comment:
		return c.node.Value
	}
	return c.node.Text()
}

func (c *cursor) Copy() xpath.NodeNavigator { n := *c; return &n }

func (c *cursor) MoveToRoot() {
	c.attr = -1
	for c.node.Parent != nil {
		c.node = c.node.Parent
	}
}

func (c *cursor) MoveToParent() bool {
	c.step()
	if c.attr >= 0 {
		c.attr = -1
		return true
	}
	return c.to(c.node.Parent)
}

func (c *cursor) MoveToNextAttribute() bool {
	if c.attr+1 >= len(c.node.Attrs) {
		return false
	}
	c.attr++
	return true
}

func (c *cursor) MoveToChild() bool {
	c.step()
	if c.attr >= 0 || len(c.node.Children) == 0 {
		return false
	}
	return c.to(c.node.Children[0])
}

func (c *cursor) MoveToFirst() bool {
	if c.attr >= 0 || c.node.Parent == nil || c.node.at == 0 {
		return false
	}
	return c.to(c.node.Parent.Children[0])
}

func (c *cursor) MoveToNext() bool { return c.sibling(1) }

func (c *cursor) MoveToPrevious() bool { return c.sibling(-1) }

func (c *cursor) sibling(by int) bool {
	c.step()
	if c.attr >= 0 || c.node.Parent == nil {
		return false
	}
	at := c.node.at + by
	if at < 0 || at >= len(c.node.Parent.Children) {
		return false
	}
	return c.to(c.node.Parent.Children[at])
}

func (c *cursor) to(n *Node) bool {
	if n == nil {
		return false
	}
	c.node = n
	return true
}

func (c *cursor) MoveTo(other xpath.NodeNavigator) bool {
	o, ok := other.(*cursor)
	if ok {
		c.node, c.attr = o.node, o.attr
	}
	return ok
}

// xpathText writes what an expression comes to that is no node, as XPath writes it.
func xpathText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}
