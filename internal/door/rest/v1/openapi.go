package v1

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"headrace/internal/core/record"
)

// describe writes the OpenAPI 3.1 description of operations.
func describe(ops []*operation) ([]byte, error) {
	components := map[string]any{}
	problem := problemSchema.document(components)
	paths := map[string]map[string]any{}
	for _, o := range ops {
		if paths[o.path] == nil {
			paths[o.path] = map[string]any{}
		}
		paths[o.path][strings.ToLower(o.method)] = o.document(components, problem)
	}
	return json.Marshal(map[string]any{
		"openapi": "3.1.0",
		"info": map[string]any{"title": "Headrace", "version": "1",
			"description": "Imports, plans, runs, tables and the advisor. Errors are RFC 9457 problems; lists are paged by cursor; " +
				"a POST with an Idempotency-Key is done once.",
			"license": map[string]any{"name": "see the LICENSE of the product"}},
		"servers":    []any{map[string]any{"url": Prefix}},
		"security":   []any{map[string]any{"basic": []string{}}, map[string]any{"bearer": []string{}}, map[string]any{"key": []string{}}},
		"paths":      paths,
		"components": map[string]any{"schemas": components, "securitySchemes": securitySchemes()},
	})
}

func securitySchemes() map[string]any {
	return map[string]any{
		"basic":  map[string]any{"type": "http", "scheme": "basic"},
		"bearer": map[string]any{"type": "http", "scheme": "bearer"},
		"key":    map[string]any{"type": "apiKey", "in": "header", "name": "x-sn-apikey"},
	}
}

func (o *operation) document(components map[string]any, problem any) map[string]any {
	out := map[string]any{"operationId": o.id, "summary": o.summary}
	doc := o.doc
	if o.roles != nil {
		doc = strings.TrimSpace(doc + " Needs one of the roles " + strings.Join(o.roles, ", ") + ".")
		out["x-roles"] = o.roles
	}
	if doc != "" {
		out["description"] = doc
	}
	if o.public {
		out["security"] = []any{}
	}
	if params := o.parameters(); len(params) > 0 {
		out["parameters"] = params
	}
	if body := o.request(components); body != nil {
		out["requestBody"] = body
	}
	out["responses"] = o.responses(components, problem)
	return out
}

func (o *operation) parameters() []any {
	var out []any
	path := pathNames(o.path)
	for i := range o.params {
		f := &o.params[i]
		in := "query"
		if slices.Contains(path, f.Name) {
			in = "path"
		}
		// With an upload a parameter may come in the form of the body, so the query need not have it.
		p := map[string]any{"name": f.Name, "in": in, "required": in == "path" || f.Mandatory && !o.upload, "schema": ofField(f).body(nil)}
		if f.Help != "" {
			p["description"] = f.Help
		}
		out = append(out, p)
	}
	if o.method == "POST" {
		out = append(out, map[string]any{"name": keyHeader, "in": "header", "required": false, "schema": map[string]any{"type": "string", "maxLength": maxKey},
			"description": "A text of the caller's own: a repeated call with the same key and the same content gets the first one's answer."})
	}
	return out
}

func (o *operation) request(components map[string]any) map[string]any {
	switch {
	case o.upload:
		form := map[string]any{"file": map[string]any{"type": "string", "format": "binary", "description": "The source."}}
		for i := range o.params {
			f := o.params[i]
			if !slices.Contains(pathNames(o.path), f.Name) {
				form[f.Name] = ofField(&f).body(nil)
			}
		}
		return map[string]any{"required": true, "content": map[string]any{
			"multipart/form-data":      map[string]any{"schema": map[string]any{"type": "object", "properties": form, "required": []string{"file"}}},
			"application/octet-stream": map[string]any{"schema": map[string]any{"type": "string", "format": "binary"}},
		}}
	case o.body != nil:
		return map[string]any{"required": !o.optional, "content": map[string]any{"application/json": map[string]any{"schema": o.body.document(components)}}}
	}
	return nil
}

func (o *operation) responses(components map[string]any, problem any) map[string]any {
	out := map[string]any{"default": map[string]any{"description": "What is wrong.",
		"content": map[string]any{"application/problem+json": map[string]any{"schema": problem}}}}
	for _, a := range o.answers {
		answer := map[string]any{"description": a.doc}
		switch {
		case a.media != "":
			answer["content"] = map[string]any{a.media: map[string]any{"schema": map[string]any{"type": "string"}}}
		case a.schema != nil:
			answer["content"] = map[string]any{"application/json": map[string]any{"schema": a.schema.document(components)}}
		}
		out[strconv.Itoa(a.status)] = answer
	}
	return out
}

// problemSchema is an error, after RFC 9457.
var problemSchema = fields("Problem",
	needed(param("type", record.String, "A name of the kind of problem.")),
	needed(param("title", record.String, "The kind of problem.")),
	needed(param("status", record.Integer, "The HTTP status.")),
	needed(param("detail", record.String, "What is wrong, and where.")),
	needed(param("code", record.String, "The kind, for programs: invalid, not_found, conflict, denied, refused, unavailable, limit, canceled, internal.")),
	param("hint", record.String, "How to mend it."),
	param("reference", record.String, "What the log calls an internal error."),
	param("run", record.Integer, "The run that ended so."),
)
