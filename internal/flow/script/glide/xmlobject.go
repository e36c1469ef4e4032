package glide

import (
	"strconv"
	"strings"

	"github.com/dop251/goja"

	"headrace/internal/flow/script/glide/xmltree"
)

// xmlStyle says how a document becomes an object.
type xmlStyle struct {
	attribute string // what is put before the names of attributes
	text      string // the member that holds the text of an element that has attributes or children
}

var (
	jsonStyle   = xmlStyle{text: "content"}
	helperStyle = xmlStyle{attribute: "@", text: "#text"}
)

// xmlToJSON is gs.xmlToJSON: an object with the root element's name as its only member, or null. All values are texts.
func (l *lib) xmlToJSON(text string) any {
	tree, err := xmltree.Parse(text)
	if err != nil {
		return nil
	}
	o := l.vm.NewObject()
	l.put(o, tree.Root().Name, l.xmlValue(tree.Root(), jsonStyle))
	return o
}

// xmlToObject is XMLHelper's toObject: what is in the root element, whose name is dropped.
func (l *lib) xmlToObject(text string) any {
	tree, err := xmltree.Parse(text)
	if err != nil {
		return nil
	}
	return l.xmlValue(tree.Root(), helperStyle)
}

func (l *lib) put(o *goja.Object, name string, v any) {
	if err := o.DefineDataProperty(name, l.vm.ToValue(v), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_TRUE); err != nil {
		l.throw(err)
	}
}

// xmlValue is the text of an element that has nothing else, or an object of what is in it; elements of one name make an
// array.
func (l *lib) xmlValue(n *xmltree.Node, style xmlStyle) any {
	var names []string
	children := map[string][]any{}
	var text strings.Builder
	for _, c := range n.Children {
		switch c.Kind {
		case xmltree.Element:
			if children[c.Name] == nil {
				names = append(names, c.Name)
			}
			children[c.Name] = append(children[c.Name], l.xmlValue(c, style))
		case xmltree.Text, xmltree.CDATA:
			text.WriteString(c.Value)
		}
	}
	if len(n.Attrs) == 0 && len(names) == 0 {
		return text.String()
	}
	o := l.vm.NewObject()
	for _, a := range n.Attrs {
		l.put(o, style.attribute+a.Name, a.Value)
	}
	for _, name := range names {
		if all := children[name]; len(all) > 1 {
			l.put(o, name, l.vm.NewArray(all...))
		} else {
			l.put(o, name, all[0])
		}
	}
	if own := strings.TrimSpace(text.String()); own != "" {
		l.put(o, style.text, own)
	}
	return o
}

// objectToXML writes an object as XML, as XMLHelper reads it. More than one member, or none, gets a root element.
func (l *lib) objectToXML(v goja.Value) string {
	o, ok := v.(*goja.Object)
	if !ok {
		return ""
	}
	root := &xmltree.Node{Kind: xmltree.Element, Name: "xml"}
	l.fillElement(root, o, 0)
	if len(root.Children) == 1 && len(root.Attrs) == 0 && root.Children[0].Kind == xmltree.Element {
		root = root.Children[0]
	}
	return root.String()
}

func (l *lib) fillElement(n *xmltree.Node, v goja.Value, depth int) {
	o, ok := v.(*goja.Object)
	if !ok || l.isHost(v) || depth > xmltree.MaxDepth {
		if !missing(v) {
			n.Add(&xmltree.Node{Kind: xmltree.Text, Value: l.text(v)})
		}
		return
	}
	for _, name := range o.Keys() {
		value := o.Get(name)
		switch {
		case strings.HasPrefix(name, helperStyle.attribute):
			n.SetAttr(strings.TrimPrefix(name, helperStyle.attribute), l.text(value))
		case name == helperStyle.text:
			n.Add(&xmltree.Node{Kind: xmltree.Text, Value: l.text(value)})
		default:
			l.addChildren(n, name, value, depth)
		}
	}
}

// addChildren adds one element, or of an array one for each of its elements.
func (l *lib) addChildren(n *xmltree.Node, name string, value goja.Value, depth int) {
	if _, err := strconv.Atoi(name); err == nil {
		name = "item" // no name of an element begins with a digit
	}
	all, many := l.items(value)
	if !many {
		all = []goja.Value{value}
	}
	for _, v := range all {
		l.fillElement(n.Add(&xmltree.Node{Kind: xmltree.Element, Name: name}), v, depth+1)
	}
}
