package wsdl_test

import (
	"context"
	"encoding/xml"
	"fmt"
	"strings"
	"testing"

	"headrace/internal/core/fault"
	"headrace/internal/flow/outbound/wsdl"
)

// documents is a loader of documents by their names.
func documents(all map[string]string) wsdl.Loader {
	return func(_ context.Context, _, location string) (string, []byte, error) {
		text, ok := all[location]
		if !ok {
			return location, nil, fault.New(fault.NotFound, "no document %s", location)
		}
		return location, []byte(text), nil
	}
}

// service wraps schemas and one operation whose input is the element tns:In.
func service(style, schemas, parts string) string {
	return `<definitions name="Orders" targetNamespace="urn:t" xmlns:tns="urn:t" xmlns:x="http://www.w3.org/2001/XMLSchema" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns="http://schemas.xmlsoap.org/wsdl/">
	<types>` + schemas + `</types>
	<message name="In">` + parts + `</message>
	<portType name="P"><operation name="Order"><input message="tns:In"/></operation></portType>
	<binding name="B" type="tns:P"><soap:binding style="` + style + `" transport="http://schemas.xmlsoap.org/soap/http"/>
	  <operation name="Order"><soap:operation soapAction="urn:t/Order"/><input><soap:body use="literal" namespace="urn:rpc"/></input></operation></binding>
	<service name="S"><port name="Port" binding="tns:B"><soap:address location="http://partner.example/soap"/></port></service></definitions>`
}

const part = `<part name="p" element="tns:In"/>`

func schema(body string) string {
	return `<x:schema targetNamespace="urn:t" elementFormDefault="qualified">` + body + `</x:schema>`
}

func read(t *testing.T, text string, more ...string) (*wsdl.Description, error) {
	t.Helper()
	all := map[string]string{"a.wsdl": text}
	for i := 0; i < len(more); i += 2 {
		all[more[i]] = more[i+1]
	}
	return wsdl.Read(t.Context(), "a.wsdl", documents(all))
}

// flat writes an envelope without its white space and its outermost elements.
func flat(envelope string) string {
	text := strings.Join(strings.Fields(envelope), " ")
	text = strings.NewReplacer("> <", "><").Replace(text)
	_, text, _ = strings.Cut(text, "<soapenv:Body>")
	text, _, _ = strings.Cut(text, "</soapenv:Body>")
	return text
}

func TestEnvelopeHasAVariableForEveryValue(t *testing.T) {
	tests := map[string]struct{ style, schema, parts, want, variables string }{
		"sequence": {"document", schema(`<x:element name="In"><x:complexType><x:sequence><x:element name="id" type="x:int"/><x:element name="note" minOccurs="0" type="x:string"/></x:sequence></x:complexType></x:element>`), part,
			"<ns1:In><ns1:id>${id}</ns1:id><ns1:note>${note}</ns1:note></ns1:In>", "id! note"},
		"named types, extended": {"document", schema(`<x:element name="In" type="tns:B"/><x:complexType name="A"><x:sequence><x:element name="a" type="tns:Code"/></x:sequence></x:complexType><x:simpleType name="Code"><x:restriction base="x:string"/></x:simpleType>
			<x:complexType name="B"><x:complexContent><x:extension base="tns:A"><x:sequence><x:element name="b" type="x:date"/></x:sequence></x:extension></x:complexContent></x:complexType>`), part,
			"<ns1:In><ns1:a>${a}</ns1:a><ns1:b>${b}</ns1:b></ns1:In>", "a! b!"},
		"names that come twice": {"document", schema(`<x:element name="In"><x:complexType><x:sequence><x:element name="from" type="tns:P"/><x:element name="to" type="tns:P"/></x:sequence></x:complexType></x:element><x:complexType name="P"><x:all><x:element name="id" type="x:int"/></x:all></x:complexType>`), part,
			"<ns1:In><ns1:from><ns1:id>${id}</ns1:id></ns1:from><ns1:to><ns1:id>${to_id}</ns1:id></ns1:to></ns1:In>", "id! to_id!"},
		"choice, any, attributes": {"document", schema(`<x:element name="In"><x:complexType><x:choice><x:element name="a" type="x:int"/><x:element name="b" type="x:int"/></x:choice><x:attribute name="v" use="required"/><x:attribute name="w"/></x:complexType></x:element>`), part,
			`<ns1:In v="${v}"><ns1:a>${a}</ns1:a><!-- or b --></ns1:In>`, "v! a!"},
		"recursion ends": {"document", schema(`<x:element name="In" type="tns:N"/><x:complexType name="N"><x:sequence><x:element name="v" type="x:int"/><x:element name="next" type="tns:N" minOccurs="0"/></x:sequence></x:complexType>`), part,
			"<ns1:In><ns1:v>${v}</ns1:v><!-- next again, as above --></ns1:In>", "v!"},
		"unqualified": {"document", strings.Replace(schema(`<x:element name="In"><x:complexType><x:sequence><x:element name="id" type="x:int"/></x:sequence></x:complexType></x:element>`), `elementFormDefault="qualified"`, "", 1), part,
			"<ns1:In><id>${id}</id></ns1:In>", "id!"},
		"rpc": {"rpc", "", `<part name="id" type="x:int"/><part name="name" type="x:string"/>`, "<ns1:Order><id>${id}</id><name>${name}</name></ns1:Order>", "id! name!"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d, err := read(t, service(tt.style, tt.schema, tt.parts))
			if err != nil {
				t.Fatal(err)
			}
			o := d.Operations[0]
			if got := flat(o.Envelope); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			var names []string
			for _, v := range o.Variables {
				if v.Mandatory {
					v.Name += "!"
				}
				names = append(names, v.Name)
			}
			if got := strings.Join(names, " "); got != tt.variables {
				t.Errorf("variables %s, want %s", got, tt.variables)
			}
			if o.Action != "urn:t/Order" || o.Endpoint != "http://partner.example/soap" || o.Version != "1.1" || d.Name != "Orders" {
				t.Errorf("operation %+v", o)
			}
			if err := xml.Unmarshal([]byte(o.Envelope), new(struct{ XMLName xml.Name })); err != nil {
				t.Errorf("the envelope is no XML: %v", err)
			}
		})
	}
}

func TestImportedSchemasAreRead(t *testing.T) {
	d, err := read(t, service("document", `<x:schema><x:import namespace="urn:t" schemaLocation="t.xsd"/></x:schema>`, part),
		"t.xsd", `<x:schema xmlns:x="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:t"><x:include schemaLocation="u.xsd"/><x:element name="In" type="x:string"/></x:schema>`,
		"u.xsd", `<x:schema xmlns:x="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:t"><x:include schemaLocation="t.xsd"/></x:schema>`)
	if err != nil || flat(d.Operations[0].Envelope) != "<ns1:In>${In}</ns1:In>" {
		t.Errorf("%+v %v", d, err)
	}
}

func TestWhatCannotBeImportedIsSaidAndBounded(t *testing.T) {
	var wide, deep, fan strings.Builder
	for i := range 4000 {
		fmt.Fprintf(&wide, `<x:element name="e%d" type="x:int"/>`, i)
	}
	for i := range 100 {
		fmt.Fprintf(&deep, `<x:complexType name="T%d"><x:sequence><x:element name="e" type="tns:T%d"/></x:sequence></x:complexType>`, i, i+1)
	}
	for i := range 20 { // 4 to the power of 20 elements
		fmt.Fprintf(&fan, `<x:complexType name="T%d"><x:sequence>%s</x:sequence></x:complexType>`, i, strings.Repeat(fmt.Sprintf(`<x:element name="e" type="tns:T%d"/>`, i+1), 4))
	}
	in := `<x:element name="In" type="tns:T0"/>`
	tests := map[string]struct {
		text string
		kind fault.Kind
		want string
	}{
		"no XML":            {"hello", fault.Invalid, "empty"},
		"broken XML":        {"<a><b></a>", fault.Invalid, "no XML"},
		"no WSDL":           {"<html/>", fault.Invalid, "no WSDL 1.1"},
		"bomb of entities":  {`<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]><definitions xmlns="http://schemas.xmlsoap.org/wsdl/">&c;</definitions>`, fault.Invalid, "document type"},
		"unknown entity":    {`<definitions xmlns="http://schemas.xmlsoap.org/wsdl/">&c;</definitions>`, fault.Invalid, "no XML"},
		"deep XML":          {strings.Repeat("<a>", 300) + strings.Repeat("</a>", 300), fault.Limit, "deeper"},
		"unknown element":   {service("document", schema(""), part), fault.Invalid, "element In of urn:t is not described"},
		"unknown type":      {service("document", schema(`<x:element name="In" type="tns:Nix"/>`), part), fault.Invalid, "type Nix of urn:t is not described"},
		"wide envelope":     {service("document", schema(`<x:element name="In"><x:complexType><x:sequence>`+wide.String()+`</x:sequence></x:complexType></x:element>`), part), fault.Invalid, "more than 3000 elements"},
		"deep types":        {service("document", schema(in+deep.String()), part), fault.Invalid, "deeper than 60"},
		"fanning out":       {service("document", schema(in+fan.String()+`<x:simpleType name="T20"/>`), part), fault.Invalid, "more than 3000 elements"},
		"type in document":  {service("document", "", `<part name="p" type="x:int"/>`), fault.Invalid, "wants an element"},
		"nothing for SOAP":  {`<definitions xmlns="http://schemas.xmlsoap.org/wsdl/"/>`, fault.Invalid, "no operation"},
		"missing documents": {service("document", `<x:schema><x:import namespace="urn:t" schemaLocation="gone.xsd"/></x:schema>`, part), fault.Invalid, "gone.xsd"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := read(t, tt.text)
			if err == nil || fault.KindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v (%s), want %s", err, fault.KindOf(err), tt.want)
			}
		})
	}
}

func TestChainOfDocumentsIsBounded(t *testing.T) {
	_, err := wsdl.Read(t.Context(), "0", func(_ context.Context, _, location string) (string, []byte, error) {
		return location, []byte(`<x:schema xmlns:x="http://www.w3.org/2001/XMLSchema"><x:include schemaLocation="` + location + `1"/></x:schema>`), nil
	})
	if fault.KindOf(err) != fault.Limit {
		t.Errorf("got %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(service("document", schema(`<x:element name="In" type="x:string"/>`), part))
	f.Add(service("rpc", "", `<part name="id" type="x:int"/>`))
	f.Fuzz(func(t *testing.T, text string) {
		d, err := wsdl.Read(t.Context(), "a.wsdl", documents(map[string]string{"a.wsdl": text}))
		if (d == nil) == (err == nil) {
			t.Errorf("%v %v", d, err)
		}
	})
}
