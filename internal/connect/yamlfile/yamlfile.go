// Package yamlfile reads what people write as YAML: strictly, with the place of every mistake.
package yamlfile

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// Decode reads one YAML text into a value. name stands for the text in errors. A property that the value does not have
// is refused, with the nearest of the known ones as the hint. Every error is an Invalid fault that begins with
// "name:line:column" where the place is known.
func Decode(name string, text []byte, into any, known []string, options ...yaml.DecodeOption) (err error) {
	defer mend(name, &err)
	if err := yaml.UnmarshalWithOptions(text, into, append([]yaml.DecodeOption{yaml.Strict()}, options...)...); err != nil {
		return Explain(name, err, known)
	}
	return nil
}

// Parse reads a text into its tree, for a reader that wants the place of each value.
func Parse(name string, text []byte) (file *ast.File, err error) {
	defer mend(name, &err)
	return parser.ParseBytes(text, 0)
}

// mend turns a panic of the library, which some broken texts cause, into what it is: a text that is no YAML.
func mend(name string, err *error) {
	if recover() != nil {
		*err = fault.New(fault.Invalid, "%s: not readable as YAML", name).WithHint("look for brackets, quotes and anchors that are not closed or not defined")
	}
}

// Explain says where a YAML text is wrong and, for an unknown property, which one was meant.
func Explain(name string, err error, known []string) error {
	var at yaml.Error
	if !errors.As(err, &at) || at.GetToken() == nil {
		return fault.Wrap(fault.Invalid, err, "%s", name)
	}
	place := at.GetToken().Position
	f := fault.New(fault.Invalid, "%s:%d:%d: %s", name, place.Line, place.Column, at.GetMessage())
	var unknown *yaml.UnknownFieldError
	if !errors.As(err, &unknown) || len(known) == 0 {
		return f
	}
	word := at.GetToken().Value // which may be known elsewhere in the file
	others := slices.DeleteFunc(slices.Clone(known), func(name string) bool { return name == word })
	if near := record.Nearest(word, others); near != "" {
		return f.WithHint("did you mean %q?", near)
	}
	return f.WithHint("known are %s", strings.Join(known, ", "))
}

// Place gives "name:line:column" of the value at a path of a text ("fields.serial_number"), or the name alone where the
// path is not found.
func Place(name string, text []byte, path string) (place string) {
	defer func() {
		if recover() != nil {
			place = name
		}
	}()
	p, err := yaml.PathString("$." + path)
	if err != nil {
		return name
	}
	node, err := p.ReadNode(strings.NewReader(string(text)))
	if err != nil || node == nil || node.GetToken() == nil {
		return name
	}
	at := node.GetToken().Position
	return fmt.Sprintf("%s:%d:%d", name, at.Line, at.Column)
}
