package glide

import (
	"context"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/dop251/goja"

	"headrace/internal/core/fault"
	"headrace/internal/flow/script/glide/xmltree"
)

// document is what XMLDocument2 and XMLDocument hold.
type document struct {
	tree    *xmltree.Node
	current *xmltree.Node // where new elements go
	bad     string        // why the text was no document
	listed  []*xmltree.Node
}

// node is what XMLNode holds.
type node struct{ *xmltree.Node }

func newDocument() *document {
	tree := &xmltree.Node{Kind: xmltree.Document}
	return &document{tree: tree, current: tree}
}

func (d *document) parse(text string) bool {
	tree, err := xmltree.Parse(text)
	if err != nil {
		d.bad = err.Error()
		return false
	}
	d.tree, d.current, d.bad = tree, tree.Root(), ""
	return true
}

// longestSearch bounds one search.
const longestSearch = 5 * time.Second

// findNodes searches from a node; a path that cannot be read finds nothing.
func (l *lib) findNodes(from *xmltree.Node, path string) []*xmltree.Node {
	ctx, cancel := context.WithTimeout(l.s.Context(), longestSearch)
	defer cancel()
	found, err := from.Find(ctx, path)
	if err != nil && fault.KindOf(err) == fault.Limit {
		l.throw(err)
	}
	return found
}

func (l *lib) firstNode(from *xmltree.Node, path string) *xmltree.Node {
	if found := l.findNodes(from, path); len(found) > 0 {
		return found[0]
	}
	return nil
}

// node makes a script's object of a node; null of none.
func (l *lib) node(n *xmltree.Node) any {
	if n == nil {
		return nil
	}
	return instance(l, "XMLNode", &node{n})
}

func (l *lib) nodeList(nodes []*xmltree.Node) goja.Value {
	items := make([]any, len(nodes))
	for i, n := range nodes {
		items[i] = l.node(n)
	}
	return l.list(items...)
}

type documentMethod = func(l *lib, d *document, a arguments) any

// addElement makes an element where the document stands; the first one is its root and where the next ones go.
func addElement(l *lib, d *document, a arguments) any {
	n := &xmltree.Node{Kind: xmltree.Element, Name: a.text(0)}
	if a.given(1) {
		n.Add(&xmltree.Node{Kind: xmltree.Text, Value: a.text(1)})
	}
	if d.current.Kind == xmltree.Document && d.tree.Root() != nil {
		d.current = d.tree.Root()
	}
	d.current.Add(n)
	if d.current.Kind == xmltree.Document {
		d.current = n
	}
	return l.node(n)
}

func setCurrent(l *lib, d *document, a arguments) any {
	if n, ok := valueIn[node](l, a.value(0)); ok {
		d.current = n.Node
	}
	return goja.Undefined()
}

func sharedDocumentMethods() map[string]documentMethod {
	text := func(l *lib, d *document, a arguments) any { return textOrNil(l.firstNode(d.tree, a.text(0))) }
	return map[string]documentMethod{
		"isValid":                    func(_ *lib, d *document, _ arguments) any { return d.bad == "" && d.tree.Root() != nil },
		"getErrorMessage":            func(_ *lib, d *document, _ arguments) any { return d.bad },
		"getDocumentElement":         func(l *lib, d *document, _ arguments) any { return l.node(d.tree.Root()) },
		"getNode":                    func(l *lib, d *document, a arguments) any { return l.node(l.firstNode(d.tree, a.text(0))) },
		"getNodes":                   func(l *lib, d *document, a arguments) any { return l.nodeList(l.findNodes(d.tree, a.text(0))) },
		"getNodeText":                text,
		"getElementValueByTagName":   func(l *lib, d *document, a arguments) any { return textOrNil(l.firstNode(d.tree, "//"+a.text(0))) },
		"createElement":              addElement,
		"createElementWithTextValue": addElement,
		"setCurrentElement":          setCurrent,
		"setCurrent":                 setCurrent,
		"toString":                   func(_ *lib, d *document, _ arguments) any { return d.tree.String() },
		"toIndentedString":           func(_ *lib, d *document, _ arguments) any { return d.tree.String() },
	}
}

func textOrNil(n *xmltree.Node) any {
	if n == nil {
		return nil
	}
	return n.Text()
}

// documentClass is XMLDocument2.
var documentClass = &class[document]{name: "XMLDocument2", methods: documentMethods(), construct: func(l *lib, a arguments) *document {
	d := newDocument()
	if a.given(0) {
		d.parse(a.text(0))
	}
	return d
}}

func documentMethods() map[string]documentMethod {
	all := sharedDocumentMethods()
	nothing := func(*lib, *document, arguments) any { return goja.Undefined() }
	all["parseXML"] = func(_ *lib, d *document, a arguments) any { return d.parse(a.text(0)) }
	all["setNamespaceAware"] = nothing
	all["setEnableCDATAReporting"] = nothing
	all["getFirstNode"] = func(l *lib, d *document, a arguments) any {
		d.listed = l.findNodes(d.tree, a.text(0))
		return l.next(d, nil)
	}
	all["getNextNode"] = func(l *lib, d *document, a arguments) any {
		n, _ := valueIn[node](l, a.value(0))
		return l.next(d, n)
	}
	return all
}

// next gives the node behind one in what getFirstNode found.
func (l *lib) next(d *document, after *node) any {
	if after == nil {
		if len(d.listed) == 0 {
			return nil
		}
		return l.node(d.listed[0])
	}
	for i, n := range d.listed {
		if n == after.Node && i+1 < len(d.listed) {
			return l.node(d.listed[i+1])
		}
	}
	return nil
}

// legacyDocumentClass is XMLDocument.
var legacyDocumentClass = &class[document]{name: "XMLDocument", methods: legacyDocumentMethods(), construct: documentClass.construct}

func legacyDocumentMethods() map[string]documentMethod {
	all := sharedDocumentMethods()
	on := func(read func(n *xmltree.Node) any) documentMethod {
		return func(l *lib, d *document, a arguments) any {
			n := l.firstNode(d.tree, a.text(0))
			if n == nil {
				return nil
			}
			return read(n)
		}
	}
	all["getNodeInt"] = on(func(n *xmltree.Node) any {
		i, _ := strconv.Atoi(strings.TrimSpace(n.Text())) // what is no number is nought
		return i
	})
	all["getNodeName"] = on(func(n *xmltree.Node) any { return n.Name })
	all["getNodeType"] = on(func(n *xmltree.Node) any { return nodeTypes[n.Kind] })
	all["getAttribute"] = on(func(n *xmltree.Node) any { return n.Text() })
	all["setAttribute"] = func(_ *lib, d *document, a arguments) any {
		d.current.SetAttr(a.text(0), a.text(1))
		return goja.Undefined()
	}
	all["setText"] = func(_ *lib, d *document, a arguments) any {
		d.current.Children = nil
		d.current.Add(&xmltree.Node{Kind: xmltree.Text, Value: a.text(0)})
		return goja.Undefined()
	}
	return all
}

// nodeTypes are the numbers that the DOM gives the kinds of nodes.
var nodeTypes = map[xmltree.Kind]int{xmltree.Document: 9, xmltree.Element: 1, xmltree.Text: 3, xmltree.CDATA: 4, xmltree.Comment: 8, xmltree.Instruction: 7}

type nodeMethod = func(l *lib, n *node, a arguments) any

var nodeClass = &class[node]{name: "XMLNode", construct: func(_ *lib, a arguments) *node {
	return &node{&xmltree.Node{Kind: xmltree.Element, Name: a.text(0)}}
}, methods: map[string]nodeMethod{
	"getNodeName":          func(_ *lib, n *node, _ arguments) any { return nodeName(n.Node) },
	"getLocalName":         func(_ *lib, n *node, _ arguments) any { return n.Name[strings.LastIndex(n.Name, ":")+1:] },
	"getNodeType":          func(_ *lib, n *node, _ arguments) any { return nodeTypes[n.Kind] },
	"getNodeValue":         nodeValue,
	"getTextContent":       func(_ *lib, n *node, _ arguments) any { return n.Text() },
	"getAttribute":         func(_ *lib, n *node, a arguments) any { v, _ := n.Attr(a.text(0)); return v },
	"setAttribute":         func(_ *lib, n *node, a arguments) any { n.SetAttr(a.text(0), a.text(1)); return goja.Undefined() },
	"hasAttribute":         func(_ *lib, n *node, a arguments) any { _, ok := n.Attr(a.text(0)); return ok },
	"getAttributes":        attributes,
	"getParentNode":        func(l *lib, n *node, _ arguments) any { return l.node(n.Parent) },
	"getFirstChild":        func(l *lib, n *node, _ arguments) any { return l.child(n, 0) },
	"getLastChild":         func(l *lib, n *node, _ arguments) any { return l.child(n, len(n.Children)-1) },
	"getChildNodes":        func(l *lib, n *node, _ arguments) any { return l.nodeList(n.Children) },
	"getChildNodeIterator": childIterator,
	"hasChildNodes":        func(_ *lib, n *node, _ arguments) any { return len(n.Children) > 0 },
	"isCDATANode":          func(_ *lib, n *node, _ arguments) any { return n.Kind == xmltree.CDATA },
	"toString":             func(_ *lib, n *node, _ arguments) any { return n.String() },
}}

func nodeName(n *xmltree.Node) string {
	switch n.Kind {
	case xmltree.Text:
		return "#text"
	case xmltree.CDATA:
		return "#cdata-section"
	case xmltree.Comment:
		return "#comment"
	case xmltree.Document:
		return "#document"
	}
	return n.Name
}

// nodeValue is what the node itself says: elements say nothing.
func nodeValue(_ *lib, n *node, _ arguments) any {
	if n.Kind == xmltree.Element || n.Kind == xmltree.Document {
		return nil
	}
	return n.Value
}

func attributes(l *lib, n *node, _ arguments) any {
	o := l.vm.NewObject()
	for _, a := range n.Attrs {
		if err := o.Set(a.Name, a.Value); err != nil {
			l.throw(err)
		}
	}
	return o
}

func (l *lib) child(n *node, i int) any {
	if i < 0 || i >= len(n.Children) {
		return nil
	}
	return l.node(n.Children[i])
}

func childIterator(l *lib, n *node, _ arguments) any {
	list := l.nodeList(n.Children).ToObject(l.vm)
	iterate, _ := goja.AssertFunction(list.Get("iterator"))
	it, err := iterate(list)
	if err != nil {
		panic(err)
	}
	return it
}

// xmlUtil is GlideXMLUtil, whose functions are all static.
type xmlUtil struct{}

var xmlUtilClass = &class[xmlUtil]{name: "GlideXMLUtil", construct: func(*lib, arguments) *xmlUtil { return &xmlUtil{} }, static: map[string]func(*lib, arguments) any{
	"removeInvalidChars": func(_ *lib, a arguments) any { return strings.Map(xmlChar, a.text(0)) },
	"validateXML":        validateXML,
	"escapeXML":          func(_ *lib, a arguments) any { return escapeXML(a.text(0), true) },
	"unescapeXML":        func(_ *lib, a arguments) any { return unescapeXML(a.text(0)) },
}}

// validateXML gives what is wrong with a document, or null.
func validateXML(_ *lib, a arguments) any {
	if _, err := xmltree.Parse(a.text(0)); err != nil {
		return err.Error()
	}
	return nil
}

// xmlChar drops what XML 1.0 has no place for.
func xmlChar(r rune) rune {
	if r == '\t' || r == '\n' || r == '\r' || r >= 0x20 && r <= 0xd7ff || r >= 0xe000 && r <= 0xfffd && r != unicode.ReplacementChar || r >= 0x10000 {
		return r
	}
	return -1
}

// getXMLText is gs.getXMLText(xml, path).
func getXMLText(l *lib, a arguments) any {
	d := newDocument()
	d.parse(a.text(0))
	return textOrNil(l.firstNode(d.tree, a.text(1)))
}

// getXMLNodeList is gs.getXMLNodeList(xml, path).
func getXMLNodeList(l *lib, a arguments) any {
	d := newDocument()
	if !d.parse(a.text(0)) {
		return nil
	}
	path := a.text(1)
	if path == "" {
		path = "/*/*"
	}
	return l.nodeList(l.findNodes(d.tree, path))
}
