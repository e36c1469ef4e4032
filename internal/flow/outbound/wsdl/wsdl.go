// Package wsdl reads descriptions of SOAP services, WSDL 1.1 with their schemas, and makes a sample envelope of each
// operation: with a ${variable} in the place of every value. What it cannot make, it names with the reason.
package wsdl

import (
	"context"
	"slices"
	"strings"

	"headrace/internal/core/fault"
)

// The namespaces.
const (
	wsdlNS     = "http://schemas.xmlsoap.org/wsdl/"
	soapNS     = "http://schemas.xmlsoap.org/wsdl/soap/"
	soap12NS   = "http://schemas.xmlsoap.org/wsdl/soap12/"
	schemaNS   = "http://www.w3.org/2001/XMLSchema"
	encodingNS = "http://schemas.xmlsoap.org/soap/encoding/"
)

// Description is what a WSDL describes.
type Description struct {
	Name       string
	Operations []Operation
	Skipped    []Skipped
}

// Operation is one operation with its sample envelope.
type Operation struct {
	Name      string
	Action    string
	Endpoint  string
	Version   string // of SOAP: 1.1 or 1.2
	Envelope  string
	Variables []Variable
}

// Variable is a value of an envelope.
type Variable struct {
	Name      string
	Type      string // of the schema
	Mandatory bool
}

// Skipped is an operation that no envelope can be made for, or a document that could not be had.
type Skipped struct{ Name, Reason string }

// Loader fetches a document by its location, which is relative to that of the document that names it.
type Loader func(ctx context.Context, base, location string) (at string, text []byte, err error)

// Read reads the description at a location and all that it imports.
func Read(ctx context.Context, location string, load Loader) (*Description, error) {
	r := &reader{load: load, seen: map[string]bool{}, schemas: newSchemas()}
	if err := r.document(ctx, "", location); err != nil {
		return nil, err
	}
	if len(r.definitions) == 0 {
		return nil, fault.New(fault.Invalid, "%s is no WSDL 1.1: its outermost element is not definitions", location)
	}
	d := &Description{Name: r.definitions[0].attrs["name"], Skipped: r.skipped}
	r.operations(d)
	if len(d.Operations) == 0 {
		return nil, nothing(location, d)
	}
	return d, nil
}

func nothing(location string, d *Description) error {
	if len(d.Skipped) == 0 {
		return fault.New(fault.Invalid, "%s describes no operation that is bound to SOAP", location)
	}
	return fault.New(fault.Invalid, "%s: no operation can be imported; %s: %s", location, d.Skipped[0].Name, d.Skipped[0].Reason)
}

// reader gathers documents.
type reader struct {
	load        Loader
	seen        map[string]bool
	bytes       int
	definitions []*node
	schemas     *schemas
	skipped     []Skipped
}

// document reads a document and those that it imports. Only the first must be there.
func (r *reader) document(ctx context.Context, base, location string) error {
	if len(r.seen) >= MaxDocuments {
		return fault.New(fault.Limit, "the description has more than %d documents", MaxDocuments)
	}
	at, text, err := r.load(ctx, base, location)
	if err != nil {
		if base == "" || ctx.Err() != nil {
			return err
		}
		r.skipped = append(r.skipped, Skipped{location, "it cannot be read: " + err.Error()})
		return nil
	}
	if r.seen[at] {
		return nil
	}
	r.seen[at] = true
	if r.bytes += len(text); r.bytes > MaxBytes {
		return fault.New(fault.Limit, "the description is larger than %d MB", MaxBytes>>20)
	}
	root, err := parse(at, text)
	if err != nil {
		return err
	}
	return r.take(ctx, at, root)
}

func (r *reader) take(ctx context.Context, at string, root *node) error {
	switch {
	case root.space == wsdlNS && root.name == "definitions":
		r.definitions = append(r.definitions, root)
		for _, i := range root.all(wsdlNS, "import") {
			if err := r.imported(ctx, at, i.attrs["location"]); err != nil {
				return err
			}
		}
		for _, types := range root.all(wsdlNS, "types") {
			for _, s := range types.all(schemaNS, "schema") {
				if err := r.schema(ctx, at, s, ""); err != nil {
					return err
				}
			}
		}
	case root.space == schemaNS && root.name == "schema":
		return r.schema(ctx, at, root, "")
	}
	return nil
}

func (r *reader) imported(ctx context.Context, base, location string) error {
	if location == "" {
		return nil
	}
	return r.document(ctx, base, location)
}

// schema takes a schema, and those it imports or includes.
func (r *reader) schema(ctx context.Context, at string, s *node, target string) error {
	if target == "" {
		target = s.attrs["targetNamespace"]
	}
	r.schemas.add(s, target)
	for _, k := range s.kids {
		if k.space == schemaNS && (k.name == "import" || k.name == "include" || k.name == "redefine") {
			if err := r.imported(ctx, at, k.attrs["schemaLocation"]); err != nil {
				return err
			}
		}
	}
	return nil
}

// find finds a definition by its kind and name.
func (r *reader) find(kind string, n name) *node {
	for _, d := range r.definitions {
		if n.space != "" && d.attrs["targetNamespace"] != n.space {
			continue
		}
		for _, k := range d.all(wsdlNS, kind) {
			if k.attrs["name"] == n.local {
				return k
			}
		}
	}
	return nil
}

// port is a binding to SOAP and where it is served.
type port struct {
	binding           *node
	endpoint, version string
	ns                string
}

// operations makes the operations of all ports; those bound to both versions of SOAP once, by 1.1.
func (r *reader) operations(d *Description) {
	ports := r.ports()
	slices.SortStableFunc(ports, func(a, b port) int { return strings.Compare(a.version, b.version) })
	known := map[string]bool{}
	for _, p := range ports {
		for _, o := range p.binding.all(wsdlNS, "operation") {
			if title := o.attrs["name"]; !known[title] {
				known[title] = true
				made, err := r.operation(p, o)
				if err != nil {
					d.Skipped = append(d.Skipped, Skipped{title, err.Error()})
					continue
				}
				d.Operations = append(d.Operations, *made)
			}
		}
	}
}

// ports lists the ports of the services; bindings that nobody serves come without an endpoint.
func (r *reader) ports() []port {
	var out []port
	served := map[*node]bool{}
	for _, d := range r.definitions {
		for _, s := range d.all(wsdlNS, "service") {
			for _, p := range s.all(wsdlNS, "port") {
				b := r.find("binding", p.resolve(p.attrs["binding"]))
				if b == nil {
					continue
				}
				for ns, version := range soapVersions {
					if b.first(ns, "binding") == nil {
						continue
					}
					served[b] = true
					at := port{binding: b, version: version, ns: ns}
					if address := p.first(ns, "address"); address != nil {
						at.endpoint = address.attrs["location"]
					}
					out = append(out, at)
				}
			}
		}
	}
	return append(out, r.unserved(served)...)
}

var soapVersions = map[string]string{soapNS: "1.1", soap12NS: "1.2"}

func (r *reader) unserved(served map[*node]bool) []port {
	var out []port
	for _, d := range r.definitions {
		for _, b := range d.all(wsdlNS, "binding") {
			for ns, version := range soapVersions {
				if b.first(ns, "binding") != nil && !served[b] {
					out = append(out, port{binding: b, version: version, ns: ns})
				}
			}
		}
	}
	return out
}

// operation makes one operation.
func (r *reader) operation(p port, bound *node) (*Operation, error) {
	out := &Operation{Name: bound.attrs["name"], Endpoint: p.endpoint, Version: p.version}
	style := p.binding.first(p.ns, "binding").attrs["style"]
	if o := bound.first(p.ns, "operation"); o != nil {
		out.Action = o.attrs["soapAction"]
		if o.attrs["style"] != "" {
			style = o.attrs["style"]
		}
	}
	message, err := r.message(p, bound)
	if err != nil {
		return nil, err
	}
	body := &node{}
	if in := bound.first(wsdlNS, "input"); in != nil {
		if b := in.first(p.ns, "body"); b != nil {
			body = b
		}
	}
	s := newSample(r.schemas, p.version)
	if err := r.headers(s, p, bound); err != nil {
		return nil, err
	}
	if style == "rpc" {
		err = s.rpc(name{body.attrs["namespace"], out.Name}, message)
	} else {
		err = s.document(message, strings.Fields(body.attrs["parts"]))
	}
	if err != nil {
		return nil, err
	}
	out.Envelope, out.Variables = s.envelope(), s.variables
	return out, nil
}

// message finds the message that goes into an operation.
func (r *reader) message(p port, bound *node) (*node, error) {
	kind := r.find("portType", p.binding.resolve(p.binding.attrs["type"]))
	if kind == nil {
		return nil, fault.New(fault.Invalid, "the port type %s is not described", p.binding.attrs["type"])
	}
	for _, o := range kind.all(wsdlNS, "operation") {
		if o.attrs["name"] != bound.attrs["name"] {
			continue
		}
		in := o.first(wsdlNS, "input")
		if in == nil {
			return nil, fault.New(fault.Invalid, "it takes no input: the service calls, and is not called")
		}
		m := r.find("message", in.resolve(in.attrs["message"]))
		if m == nil {
			return nil, fault.New(fault.Invalid, "the message %s is not described", in.attrs["message"])
		}
		return m, nil
	}
	return nil, fault.New(fault.Invalid, "the port type does not describe it")
}

// headers puts the parts that are sent as headers where they belong.
func (r *reader) headers(s *sample, p port, bound *node) error {
	in := bound.first(wsdlNS, "input")
	if in == nil {
		return nil
	}
	for _, h := range in.all(p.ns, "header") {
		m := r.find("message", h.resolve(h.attrs["message"]))
		if m == nil {
			return fault.New(fault.Invalid, "the message %s of a header is not described", h.attrs["message"])
		}
		for _, part := range m.all(wsdlNS, "part") {
			if part.attrs["name"] == h.attrs["part"] && part.attrs["element"] != "" {
				if err := s.header(part.resolve(part.attrs["element"])); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
