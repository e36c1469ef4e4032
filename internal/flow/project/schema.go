package project

import (
	"encoding/json"
	"path"
	"strings"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// schemaFolder is where editors find what the files of a project may say.
const schemaFolder = ".headrace/schema"

// Schemas gives a JSON Schema for the files of each kind, by file name: what editors complete and check. They come from
// the same tables as the reading does.
func (s *Service) Schemas() map[string][]byte {
	out := map[string][]byte{"project.json": schemaText(object("a project", map[string]any{"name": text("its name: what it owns is known by it"), "description": text("")}, "name")),
		"tables.json": schemaText(tableSchema())}
	for _, k := range s.present() {
		schema := s.shapeSchema(k.Name, &k.Shape)
		delete(schema, "required") // the key may be the name of the file
		out[schemaName(k)] = schemaText(schema)
	}
	return out
}

func schemaName(k *Kind) string { return strings.ReplaceAll(k.Folder, "/", "-") + ".json" }

// modeline is the first line of a file, by which editors find its schema.
func modeline(k *Kind) []byte {
	up := strings.Repeat("../", strings.Count(k.Folder, "/")+1)
	return []byte("# yaml-language-server: $schema=" + up + path.Join(schemaFolder, schemaName(k)) + "\n")
}

func schemaText(schema map[string]any) []byte {
	schema["$schema"] = "http://json-schema.org/draft-07/schema#"
	out, err := json.MarshalIndent(schema, "", "  ")
	if err != nil { // strings, lists and maps always marshal
		panic(fault.Wrap(fault.Internal, err, "a schema"))
	}
	return append(out, '\n')
}

func object(title string, properties map[string]any, required ...string) map[string]any {
	o := map[string]any{"title": title, "type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		o["required"] = required
	}
	return o
}

func text(about string) map[string]any {
	t := map[string]any{"type": "string"}
	if about != "" {
		t["description"] = about
	}
	return t
}

func (s *Service) shapeSchema(title string, shape *Shape) map[string]any {
	t := s.cfg.DB.Catalog().Table(shape.Table)
	properties := map[string]any{}
	var required []string
	for _, p := range shape.Properties(t) {
		properties[p.Name] = fieldSchema(p.Field)
		if p.Field.Mandatory && p.Field.Name != shape.Key {
			required = append(required, p.Name)
		}
	}
	for _, flags := range shape.Flags {
		var words []string
		for _, w := range flags.Words {
			words = append(words, w.Text)
		}
		properties[flags.Property] = map[string]any{"type": "array", "items": map[string]any{"enum": words}, "uniqueItems": true}
	}
	for i := range shape.Parts {
		p := &shape.Parts[i]
		part := p.shape()
		inner := s.shapeSchema(p.Property, part)
		if p.Key == "" {
			properties[p.Property] = map[string]any{"type": "array", "items": inner}
			continue
		}
		delete(inner["properties"].(map[string]any), part.property(p.Key))
		of := []any{inner, map[string]any{"type": "null"}}
		if p.Short != "" {
			of = append(of, map[string]any{"type": []string{"string", "number", "boolean"}})
		}
		properties[p.Property] = map[string]any{"type": "object", "additionalProperties": map[string]any{"anyOf": of}}
	}
	return object(title, properties, required...)
}

// fieldSchema says what a field takes.
func fieldSchema(f *record.Field) map[string]any {
	out := map[string]any{}
	switch f.Type.Stored() {
	case record.Boolean:
		out["type"] = "boolean"
	case record.Integer:
		out["type"] = []string{"integer", "string"}
	case record.Decimal:
		out["type"] = []string{"number", "string"}
	case record.JSON:
	case record.List:
		out["type"] = []string{"array", "string"}
	case record.Secret:
		out["type"], out["pattern"] = "string", secretForm.String()
	default:
		out["type"] = []string{"string", "number", "boolean"}
	}
	if f.Chosen() {
		var values []any
		for _, o := range f.Choices {
			values = append(values, o.Value)
			if json.Valid([]byte(o.Value)) {
				values = append(values, json.RawMessage(o.Value))
			}
		}
		out = map[string]any{"enum": values}
	}
	about := f.Label
	if f.Help != "" {
		about += ": " + f.Help
	}
	if f.Default != "" {
		about += " (default " + f.Default + ")"
	}
	if about != "" {
		out["description"] = about
	}
	return out
}

// tableSchema is that of `headrace table create -f`.
func tableSchema() map[string]any {
	var types []string
	for _, t := range record.Types {
		types = append(types, string(t))
	}
	flag := map[string]any{"type": "boolean"}
	choice := object("choice", map[string]any{"value": map[string]any{"type": []string{"string", "number"}}, "label": text("")}, "value")
	field := object("field", map[string]any{"name": text(""), "label": text(""), "type": map[string]any{"enum": types}, "length": map[string]any{"type": "integer"},
		"mandatory": flag, "readOnly": flag, "unique": flag, "display": flag, "default": text(""), "help": text(""), "reference": text("the table it points to"),
		"choices": map[string]any{"type": "array", "items": choice}}, "name", "type")
	index := object("index", map[string]any{"fields": map[string]any{"type": "array", "items": text("")}, "unique": flag}, "fields")
	return object("table", map[string]any{"name": text(""), "label": text(""), "extends": text(""), "extendable": flag,
		"fields": map[string]any{"type": "array", "items": field}, "indexes": map[string]any{"type": "array", "items": index}})
}
