package wsdl

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"headrace/internal/core/fault"
)

// schemas are the global declarations of all schemas, by kind and name.
type schemas struct {
	by map[string]map[name]*node
	of map[*node]string // target namespace of a schema
}

func newSchemas() *schemas {
	return &schemas{by: map[string]map[name]*node{}, of: map[*node]string{}}
}

func (s *schemas) add(schema *node, target string) {
	s.of[schema] = target
	for _, k := range schema.kids {
		if k.space != schemaNS || k.attrs["name"] == "" {
			continue
		}
		kind := k.name
		if kind == "simpleType" || kind == "complexType" {
			kind = "type"
		}
		if s.by[kind] == nil {
			s.by[kind] = map[name]*node{}
		}
		s.by[kind][name{target, k.attrs["name"]}] = k
	}
}

func (s *schemas) find(kind string, n name) (*node, error) {
	if found := s.by[kind][n]; found != nil {
		return found, nil
	}
	return nil, fault.New(fault.Invalid, "the %s %s is not described", kind, n).WithHint("a schema is missing: import the description from where its schemas are")
}

// schemaOf is the schema that a declaration stands in.
func (s *schemas) schemaOf(n *node) *node {
	for at := n; at != nil; at = at.parent {
		if _, ok := s.of[at]; ok {
			return at
		}
	}
	return &node{}
}

// Bounds of one envelope.
const (
	maxElements = 3000
	maxNesting  = 60
)

// sample writes one envelope.
type sample struct {
	*schemas
	version   string
	prefixes  map[string]string // by namespace
	spaces    []string
	head      strings.Builder
	body      strings.Builder
	out       *strings.Builder
	count     int
	nesting   int
	inside    []*node // types that are being written, to see recursion
	names     map[string]bool
	path      []string
	variables []Variable
}

func newSample(s *schemas, version string) *sample {
	out := &sample{schemas: s, version: version, prefixes: map[string]string{}, names: map[string]bool{}}
	out.out = &out.body
	return out
}

var envelopeNS = map[string]string{"1.1": "http://schemas.xmlsoap.org/soap/envelope/", "1.2": "http://www.w3.org/2003/05/soap-envelope"}

// envelope puts the parts together.
func (s *sample) envelope() string {
	var b strings.Builder
	b.WriteString(`<soapenv:Envelope xmlns:soapenv="` + envelopeNS[s.version] + `"`)
	for _, space := range s.spaces {
		b.WriteString(` xmlns:` + s.prefixes[space] + `="` + attribute(space) + `"`)
	}
	b.WriteString(">\n")
	if s.head.Len() > 0 {
		b.WriteString("  <soapenv:Header>\n" + s.head.String() + "  </soapenv:Header>\n")
	}
	b.WriteString("  <soapenv:Body>\n" + s.body.String() + "  </soapenv:Body>\n</soapenv:Envelope>\n")
	return b.String()
}

func attribute(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", `"`, "&quot;").Replace(text)
}

// tag gives the name of an element with the prefix of its namespace.
func (s *sample) tag(n name) string {
	if n.space == "" {
		return n.local
	}
	if s.prefixes[n.space] == "" {
		s.spaces = append(s.spaces, n.space)
		s.prefixes[n.space] = "ns" + strconv.Itoa(len(s.spaces))
	}
	return s.prefixes[n.space] + ":" + n.local
}

func (s *sample) line(text string) {
	s.out.WriteString(strings.Repeat("  ", s.nesting+2) + text + "\n")
}

// header writes an element into the header. What stands there is never mandatory: services say so by faults.
func (s *sample) header(n name) error {
	s.out = &s.head
	defer func() { s.out = &s.body }()
	return s.global(n, false)
}

// document writes the elements that the parts of a message name.
func (s *sample) document(message *node, parts []string) error {
	for _, part := range message.all(wsdlNS, "part") {
		if len(parts) > 0 && !slices.Contains(parts, part.attrs["name"]) {
			continue
		}
		if part.attrs["element"] == "" {
			return fault.New(fault.Invalid, "the part %q is a type where the style document wants an element", part.attrs["name"])
		}
		if err := s.global(part.resolve(part.attrs["element"]), true); err != nil {
			return err
		}
	}
	return nil
}

// rpc writes the element of the operation, with one element for each part.
func (s *sample) rpc(operation name, message *node) error {
	tag := s.tag(operation)
	s.line("<" + tag + ">")
	s.nesting++
	for _, part := range message.all(wsdlNS, "part") {
		var err error
		if e := part.attrs["element"]; e != "" {
			err = s.global(part.resolve(e), true)
		} else {
			err = s.typed(name{"", part.attrs["name"]}, part.resolve(part.attrs["type"]), true)
		}
		if err != nil {
			return err
		}
	}
	s.nesting--
	s.line("</" + tag + ">")
	return nil
}

func (s *sample) global(n name, mandatory bool) error {
	decl, err := s.find("element", n)
	if err != nil {
		return err
	}
	return s.declared(decl, n, mandatory)
}

// element writes a local element, or one that is referred to.
func (s *sample) element(decl *node, mandatory bool) error {
	mandatory = mandatory && decl.attrs["minOccurs"] != "0" && decl.attrs["nillable"] != "true"
	if decl.attrs["maxOccurs"] == "0" {
		return nil
	}
	if ref := decl.attrs["ref"]; ref != "" {
		return s.global(decl.resolve(ref), mandatory)
	}
	n := name{"", decl.attrs["name"]}
	schema := s.schemaOf(decl)
	if form := decl.attrs["form"]; form == "qualified" || form == "" && schema.attrs["elementFormDefault"] == "qualified" {
		n.space = s.of[schema]
	}
	return s.declared(decl, n, mandatory)
}

// declared writes an element by its declaration.
func (s *sample) declared(decl *node, n name, mandatory bool) error {
	if err := s.bounded(n); err != nil {
		return err
	}
	switch {
	case decl.attrs["abstract"] == "true":
		s.line("<!-- " + n.local + " is abstract: write the element that stands for it -->")
		return nil
	case decl.attrs["type"] != "":
		return s.typed(n, decl.resolve(decl.attrs["type"]), mandatory)
	}
	if t := decl.first(schemaNS, "complexType"); t != nil {
		return s.complex(n, t, mandatory)
	}
	kind := "anyType"
	if t := decl.first(schemaNS, "simpleType"); t != nil {
		kind = "string"
	}
	s.leaf(n, kind, "", mandatory)
	return nil
}

// bounded counts elements: schemas can describe envelopes that grow without end.
func (s *sample) bounded(n name) error {
	if s.count++; s.count > maxElements || s.nesting > maxNesting {
		return fault.New(fault.Limit, "its envelope would have more than %d elements, or be deeper than %d, at %s", maxElements, maxNesting, n.local)
	}
	return nil
}

// typed writes an element of a named type.
func (s *sample) typed(n, kind name, mandatory bool) error {
	if err := s.bounded(n); err != nil {
		return err
	}
	if kind.space == schemaNS || kind.space == encodingNS && kind.local != "Array" {
		s.leaf(n, kind.local, "", mandatory)
		return nil
	}
	t, err := s.find("type", kind)
	if err != nil {
		return err
	}
	if t.name == "simpleType" {
		s.leaf(n, kind.local, "", mandatory)
		return nil
	}
	return s.complex(n, t, mandatory)
}

// complex writes an element with content.
func (s *sample) complex(n name, t *node, mandatory bool) error {
	if slices.Contains(s.inside, t) {
		s.line("<!-- " + n.local + " again, as above -->")
		return nil
	}
	s.inside = append(s.inside, t)
	s.path = append(s.path, n.local)
	defer func() { s.inside, s.path = s.inside[:len(s.inside)-1], s.path[:len(s.path)-1] }()
	attrs := s.attributes(t, mandatory)
	if t.first(schemaNS, "simpleContent") != nil {
		s.path = s.path[:len(s.path)-1]
		s.leaf(n, "string", attrs, mandatory)
		s.path = append(s.path, n.local)
		return nil
	}
	tag := s.tag(n)
	s.line("<" + tag + attrs + ">")
	s.nesting++
	err := s.content(t, mandatory)
	s.nesting--
	s.line("</" + tag + ">")
	return err
}

// attributes writes those that are required.
func (s *sample) attributes(t *node, mandatory bool) string {
	var b strings.Builder
	var walk func(*node)
	walk = func(n *node) {
		for _, k := range n.kids {
			switch {
			case k.space != schemaNS:
			case k.name == "attribute" && k.attrs["use"] == "required" && k.attrs["name"] != "":
				b.WriteString(" " + k.attrs["name"] + `="${` + s.variable(k.attrs["name"], "attribute", mandatory) + `}"`)
			case k.name == "simpleContent" || k.name == "complexContent" || k.name == "extension" || k.name == "restriction":
				walk(k)
			}
		}
	}
	walk(t)
	return b.String()
}

// leaf writes an element that holds a value.
func (s *sample) leaf(n name, kind, attrs string, mandatory bool) {
	tag := s.tag(n)
	s.line("<" + tag + attrs + ">${" + s.variable(n.local, kind, mandatory) + "}</" + tag + ">")
}

// variable names a value: by its element, and by the elements around it where that is taken.
func (s *sample) variable(local, kind string, mandatory bool) string {
	at := plain(local)
	for i := len(s.path) - 1; s.names[at] && i >= 0; i-- {
		at = plain(s.path[i]) + "_" + at
	}
	for n := 2; s.names[at]; n++ {
		at = fmt.Sprintf("%s_%d", plain(local), n)
	}
	s.names[at] = true
	s.variables = append(s.variables, Variable{Name: at, Type: kind, Mandatory: mandatory})
	return at
}

// plain leaves the characters of a name that a variable may have.
func plain(text string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.' {
			return c
		}
		return '_'
	}, text)
}

// content writes what a type or a group holds.
func (s *sample) content(t *node, mandatory bool) error {
	for _, k := range t.kids {
		if k.space != schemaNS {
			continue
		}
		if err := s.particle(k, mandatory); err != nil {
			return err
		}
	}
	return nil
}

func (s *sample) particle(k *node, mandatory bool) error {
	inner := mandatory && k.attrs["minOccurs"] != "0"
	switch k.name {
	case "element":
		return s.element(k, mandatory)
	case "sequence", "all":
		return s.content(k, inner)
	case "choice":
		return s.choice(k, inner)
	case "group":
		if k.attrs["ref"] == "" {
			return s.content(k, inner)
		}
		g, err := s.find("group", k.resolve(k.attrs["ref"]))
		if err != nil {
			return err
		}
		return s.nested(g, inner)
	case "complexContent":
		return s.content(k, mandatory)
	case "extension":
		return s.extension(k, mandatory)
	case "restriction":
		if base := k.resolve(k.attrs["base"]); base.space == encodingNS {
			s.line("<!-- elements of an array -->")
			return nil
		}
		return s.content(k, mandatory)
	case "any":
		s.line("<!-- any element -->")
	}
	return nil
}

// nested writes the content of a group or a base, unless it is being written already.
func (s *sample) nested(g *node, mandatory bool) error {
	if slices.Contains(s.inside, g) {
		s.line("<!-- again, as above -->")
		return nil
	}
	s.inside = append(s.inside, g)
	defer func() { s.inside = s.inside[:len(s.inside)-1] }()
	if err := s.bounded(name{"", g.attrs["name"]}); err != nil {
		return err
	}
	return s.content(g, mandatory)
}

// extension writes the content of the base, and then what is added.
func (s *sample) extension(k *node, mandatory bool) error {
	if base := k.resolve(k.attrs["base"]); base.space != schemaNS {
		t, err := s.find("type", base)
		if err != nil {
			return err
		}
		if err := s.nested(t, mandatory); err != nil {
			return err
		}
	}
	return s.content(k, mandatory)
}

// choice writes the first alternative and names the others.
func (s *sample) choice(k *node, mandatory bool) error {
	var others []string
	wrote := false
	for _, alternative := range k.kids {
		switch {
		case alternative.space != schemaNS || alternative.name == "annotation":
		case !wrote:
			wrote = true
			if err := s.particle(alternative, mandatory); err != nil {
				return err
			}
		default:
			others = append(others, strings.ReplaceAll(alternative.attrs["name"]+alternative.attrs["ref"], "--", ""))
		}
	}
	if len(others) > 0 {
		s.line("<!-- or " + strings.Join(others, ", ") + " -->")
	}
	return nil
}
