package advisor

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"headrace/internal/connect/yamlfile"
	"headrace/internal/core/fault"
)

// notes are keys of an answers file that are for its readers only.
var notes = map[string]bool{"story": true, "expect": true}

// Parse reads an answers file: a YAML mapping from question keys to values; the keys story and expect are notes to
// the reader. name is used in messages. Whatever is wrong is an Invalid fault with file:line:column.
func Parse(name string, data []byte) (Answers, error) {
	f := answersFile{name: name, answers: Answers{}, at: map[string]*token.Position{}}
	root, err := f.mapping(data)
	if err != nil {
		return nil, err
	}
	for _, entry := range root.Values {
		if err := f.take(entry); err != nil {
			return nil, err
		}
	}
	if c, found := f.answers.classified().contradiction(); found {
		problem := c.fault(f.answers)
		if first, second := f.at[c.a], f.at[c.b]; first != nil && second != nil {
			problem.Msg += fmt.Sprintf(" (line %d)", first.Line)
			return nil, f.place(second, problem)
		}
		return nil, problem
	}
	if err := f.answers.Check(); err != nil {
		return nil, fault.During(name, err)
	}
	return f.answers, nil
}

type answersFile struct {
	name    string
	answers Answers
	at      map[string]*token.Position
}

func (f *answersFile) mapping(data []byte) (*ast.MappingNode, error) {
	file, err := yamlfile.Parse(f.name, data)
	if err != nil {
		return nil, f.syntax(err)
	}
	if len(file.Docs) > 1 && file.Docs[1].Body != nil {
		return nil, f.place(file.Docs[1].Body.GetToken().Position, fault.New(fault.Invalid, "a second document").WithHint("one file holds one set of answers"))
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return nil, fault.New(fault.Invalid, "%s: no answers", f.name).WithHint("write at least initiator and operation, for example initiator: us")
	}
	switch body := file.Docs[0].Body.(type) {
	case *ast.MappingNode:
		return body, nil
	case *ast.CommentGroupNode:
		return nil, fault.New(fault.Invalid, "%s: no answers", f.name).WithHint("write at least initiator and operation, for example initiator: us")
	default:
		return nil, f.place(body.GetToken().Position, fault.New(fault.Invalid, "answers are a mapping").WithHint("write lines such as initiator: us"))
	}
}

func (f *answersFile) syntax(err error) error {
	var y yaml.Error
	if !errors.As(err, &y) || y.GetToken() == nil {
		return fault.Wrap(fault.Invalid, err, "%s", f.name).WithHint("write lines such as initiator: us")
	}
	return f.place(y.GetToken().Position, fault.New(fault.Invalid, "%s", y.GetMessage()).WithHint("write lines such as initiator: us"))
}

func (f *answersFile) take(entry *ast.MappingValueNode) error {
	key, here := entry.Key.GetToken().Value, entry.Key.GetToken().Position
	if notes[key] {
		return nil
	}
	scalar, ok := entry.Value.(ast.ScalarNode)
	if !ok {
		return f.place(entry.Value.GetToken().Position, fault.New(fault.Invalid, "%s: an answer is one word", key).WithHint("write %s: value", key))
	}
	value := word(scalar)
	if problem := checkAnswer(key, value); problem != nil {
		if _, known := question(key); known {
			here = scalar.GetToken().Position
		}
		return f.place(here, problem)
	}
	f.answers[key], f.at[key] = value, here
	return nil
}

// word is the scalar as written; true and false are taken for yes and no, as older YAML does.
func word(scalar ast.ScalarNode) string {
	text := strings.TrimSpace(scalar.GetToken().Value)
	if scalar.Type() != ast.BoolType {
		return text
	}
	if strings.EqualFold(text, "true") {
		return yes
	}
	return no
}

func (f *answersFile) place(at *token.Position, problem *fault.Error) error {
	c := *problem
	c.Msg = fmt.Sprintf("%s:%d:%d: %s", f.name, at.Line, at.Column, problem.Msg)
	return &c
}
