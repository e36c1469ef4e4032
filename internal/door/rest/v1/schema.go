package v1

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// schema says what a JSON value looks like: as much of JSON Schema as the API needs. It is written out in the OpenAPI
// description, and bodies are checked against it.
type schema struct {
	name     string // of the component; "" stands where it is used
	kind     string // "object", "array", "string", "integer", "number", "boolean"; "" is anything
	format   string
	help     string
	enum     []string
	nullable bool
	members  []member
	values   *schema // an object with members of any name
	items    *schema // of an array
}

// member is one property of an object.
type member struct {
	name     string
	required bool
	schema   *schema
}

// fields describes an object by record.Fields.
func fields(name string, list ...record.Field) *schema {
	s := &schema{name: name, kind: "object"}
	for i := range list {
		f := &list[i]
		s.members = append(s.members, member{f.Name, f.Mandatory, ofField(f)})
	}
	return s
}

// with adds members that are no plain fields.
func (s *schema) with(more ...member) *schema {
	s.members = append(s.members, more...)
	return s
}

func must(name string, s *schema) member { return member{name, true, s} }
func may(name string, s *schema) member  { return member{name, false, s} }

func listOf(items *schema) *schema { return &schema{kind: "array", items: items} }
func mapOf(values *schema) *schema { return &schema{kind: "object", values: values} }
func text() *schema                { return &schema{kind: "string"} }
func whole() *schema               { return &schema{kind: "integer", format: "int64"} }
func orNull(s *schema) *schema     { s.nullable = true; return s }

// ofField is the schema of a field's value.
func ofField(f *record.Field) *schema {
	s := &schema{kind: "string", help: f.Help}
	switch f.Type {
	case record.Integer:
		s.kind, s.format = "integer", "int64"
	case record.Decimal:
		s.kind = "number"
	case record.Boolean:
		s.kind = "boolean"
	case record.DateTime:
		s.format = "date-time"
	case record.JSON:
		s.kind = ""
	}
	for _, o := range f.Choices {
		s.enum = append(s.enum, o.Value)
	}
	return s
}

// document writes the schema as JSON Schema; named ones go to components and are referred to.
func (s *schema) document(components map[string]any) map[string]any {
	if s.name == "" {
		return s.body(components)
	}
	if _, there := components[s.name]; !there {
		components[s.name] = map[string]any{} // against endless recursion
		components[s.name] = s.body(components)
	}
	return map[string]any{"$ref": "#/components/schemas/" + s.name}
}

func (s *schema) body(components map[string]any) map[string]any {
	out := map[string]any{}
	if s.kind != "" {
		out["type"] = s.kind
		if s.nullable {
			out["type"] = []string{s.kind, "null"}
		}
	}
	for key, v := range map[string]string{"format": s.format, "description": s.help} {
		if v != "" {
			out[key] = v
		}
	}
	if s.enum != nil {
		out["enum"] = s.enum
	}
	if s.items != nil {
		out["items"] = s.items.document(components)
	}
	if s.kind == "object" {
		s.object(out, components)
	}
	return out
}

func (s *schema) object(out, components map[string]any) {
	if s.values != nil {
		out["additionalProperties"] = s.values.document(components)
		return
	}
	properties, required := map[string]any{}, []string{}
	for _, m := range s.members {
		properties[m.name] = m.schema.document(components)
		if m.required {
			required = append(required, m.name)
		}
	}
	out["properties"], out["additionalProperties"] = properties, false
	if len(required) > 0 {
		out["required"] = required
	}
}

// check refuses a decoded JSON value that does not fit. at is where it stands, "" for the body itself.
func (s *schema) check(at string, v any) error {
	if v == nil && s.nullable || s.kind == "" {
		return nil
	}
	switch v := v.(type) {
	case map[string]any:
		if s.kind == "object" {
			return s.checkObject(at, v)
		}
	case []any:
		if s.kind == "array" {
			return s.checkItems(at, v)
		}
	case string:
		if s.kind == "string" {
			return s.checkEnum(at, v)
		}
	case bool:
		if s.kind == "boolean" {
			return nil
		}
	case float64:
		if s.kind == "number" || s.kind == "integer" && v == float64(int64(v)) {
			return nil
		}
	}
	return fault.New(fault.Invalid, "%s is not %s", place(at), map[string]string{"object": "an object", "array": "a list", "string": "a text",
		"boolean": "true or false", "integer": "a whole number", "number": "a number"}[s.kind])
}

func (s *schema) checkObject(at string, v map[string]any) error {
	for _, m := range s.members {
		if _, there := v[m.name]; m.required && !there {
			return fault.New(fault.Invalid, "%s is missing", place(join(at, m.name)))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v)) {
		of := s.values
		if i := slices.IndexFunc(s.members, func(m member) bool { return m.name == name }); i >= 0 {
			of = s.members[i].schema
		}
		if of == nil {
			return s.unknown(at, name)
		}
		if err := of.check(join(at, name), v[name]); err != nil {
			return err
		}
	}
	return nil
}

func (s *schema) unknown(at, name string) error {
	known := make([]string, len(s.members))
	for i, m := range s.members {
		known[i] = m.name
	}
	return unknownName(fault.New(fault.Invalid, "%s is not known", place(join(at, name))), name, known)
}

// unknownName adds the hint which name was meant.
func unknownName(f *fault.Error, name string, known []string) error {
	if near := record.Nearest(name, known); near != "" {
		return f.WithHint("did you mean %q?", near)
	}
	return f.WithHint("known are %s", strings.Join(known, ", "))
}

func (s *schema) checkItems(at string, v []any) error {
	for i, item := range v {
		if err := s.items.check(fmt.Sprintf("%s[%d]", at, i), item); err != nil {
			return err
		}
	}
	return nil
}

func (s *schema) checkEnum(at, v string) error {
	if s.enum == nil || slices.Contains(s.enum, v) {
		return nil
	}
	return fault.New(fault.Invalid, "%s: there is no %q", place(at), record.Clip(v)).WithHint("one of %s", strings.Join(s.enum, ", "))
}

func place(at string) string {
	if at == "" {
		return "the body"
	}
	return record.Clip(at)
}

func join(at, name string) string {
	if at == "" {
		return name
	}
	return at + "." + name
}
