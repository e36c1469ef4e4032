package project

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"headrace/internal/connect/yamlfile"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// Item is one record as a file describes it.
type Item struct {
	Kind     *Kind
	Shape    *Shape
	Table    *record.Table
	Name     string // its key; of a part in a list: its position
	Position int    // in a list, from 1
	Parent   *Item  // nil for what has a file of its own
	Part     *Part
	Values   []Value        // of every property, those not written being the defaults
	Node     *yamlfile.Node // where it stands
	Stem     string         // path of its file without the extension, from the project's folder
}

// Value is what a file says of one field.
type Value struct {
	Property  string
	Field     *record.Field
	Value     record.Value
	At        *yamlfile.Node // nil: not written
	Reference []string       // the names of the records meant, to be looked up
	Secret    string         // the name of a secret: "env:NAME" or "secret:NAME"
	File      string         // of a script that has one
}

// Title names the item to people: "REST message partner/create".
func (it *Item) Title() string { return it.Kind.Name + " " + it.Path() }

// Path is the name, with those of the records it belongs to before it.
func (it *Item) Path() string {
	if it.Parent == nil {
		return it.Name
	}
	return it.Parent.Path() + "/" + it.Name
}

// ID is the id that the record gets where it is new: the same on every server. The ids of a list ascend.
func (it *Item) ID() string {
	if it.Position == 0 {
		return record.IDFrom(it.Table.Name, it.Path())
	}
	const digits = 24
	return record.IDFrom(it.Table.Name, it.Parent.Path())[:digits] + fmt.Sprintf("%08x", it.Position)
}

// Value finds what the item says of a field.
func (it *Item) Value(field string) *Value {
	for i := range it.Values {
		if it.Values[i].Field.Name == field {
			return &it.Values[i]
		}
	}
	return nil
}

// Text is the text of a field, or "".
func (it *Item) Text(field string) string {
	if v := it.Value(field); v != nil {
		return v.Value.Text
	}
	return ""
}

// place is where a field is written, or else the item.
func (it *Item) place(field string) *yamlfile.Node {
	if v := it.Value(field); v != nil && v.At != nil {
		return v.At
	}
	return it.Node
}

func (it *Item) put(v Value) {
	if have := it.Value(v.Field.Name); have != nil {
		*have = v
	}
}

// secretForm is how a file refers to a secret.
var secretForm = regexp.MustCompile(`^\$\{((?:env|secret):[A-Za-z][A-Za-z0-9_.-]*)\}$`)

// variableOf is the name of the environment variable that holds a secret: of "env:NAME" it is NAME, of "secret:partner-key"
// SECRET_PARTNER_KEY.
func variableOf(reference string) string {
	kind, name, _ := strings.Cut(reference, ":")
	if kind == "env" {
		return name
	}
	return "SECRET_" + strings.Map(func(r rune) rune {
		if r == '.' || r == '-' {
			return '_'
		}
		return r
	}, strings.ToUpper(name))
}

// scriptFile is how a file says that a script stands in another: by its name alone.
var scriptFile = regexp.MustCompile(`^[\w][\w.-]*\.js$`)

// valueOf reads what a node says of a field.
func valueOf(p Property, n *yamlfile.Node) (Value, error) {
	v := Value{Property: p.Name, Field: p.Field, At: n}
	switch {
	case n.Form == yamlfile.Null:
		return v, nil
	case p.Field.Type == record.JSON && n.Form != yamlfile.Scalar:
		text, err := json.Marshal(plain(n))
		if err != nil {
			return v, n.Fault("%s is no JSON: %v", p.Name, err)
		}
		v.Value = record.Text(string(text))
		return v, nil
	case p.Field.Type == record.List && n.Form == yamlfile.List:
		return listOf(v, n)
	case n.Form != yamlfile.Scalar:
		return v, n.Fault("%s is one value, and here stands more", p.Name)
	}
	return scalarOf(v, n)
}

func listOf(v Value, n *yamlfile.Node) (Value, error) {
	var texts []string
	for _, item := range n.Items {
		if item.Form != yamlfile.Scalar {
			return v, item.Fault("%s is a list of texts", v.Property)
		}
		texts = append(texts, item.Text)
	}
	if v.Field.Reference != "" {
		v.Reference = texts
	} else {
		v.Value = record.Text(strings.Join(texts, ","))
	}
	return v, nil
}

func scalarOf(v Value, n *yamlfile.Node) (Value, error) {
	switch v.Field.Type {
	case record.Reference:
		if n.Text != "" {
			v.Reference = []string{n.Text}
		}
		return v, nil
	case record.Secret:
		m := secretForm.FindStringSubmatch(n.Text)
		if m == nil {
			return v, n.Fault("%s is a secret and must not stand in a file", v.Property).
				WithHint("refer to it: ${env:NAME} reads the environment variable NAME when the project is applied")
		}
		v.Secret = m[1]
		return v, nil
	}
	if scriptFile.MatchString(n.Text) && isScript(v.Field) {
		v.File = n.Text
		return v, nil
	}
	value, err := v.Field.Value(record.Text(n.Text))
	if err != nil {
		return v, wrongValue(v, n, err)
	}
	v.Value = value
	return v, nil
}

// wrongValue says which values a field takes.
func wrongValue(v Value, n *yamlfile.Node, err error) error {
	f := n.Fault("%s: %v", v.Property, err)
	if !v.Field.Chosen() {
		return f
	}
	var words []string
	for _, o := range v.Field.Choices {
		words = append(words, o.Value)
	}
	if near := record.Nearest(n.Text, words); near != "" {
		return f.WithHint("did you mean %q?", near)
	}
	return f.WithHint("one of %s", strings.Join(words, ", "))
}

// isScript reports whether a field holds JavaScript, by its type or, in older tables, by its name.
func isScript(f *record.Field) bool {
	return f.Type == record.Script || f.Name == "script" || strings.HasSuffix(f.Name, "_script") && f.Type == record.String
}

// plain is the node as Go values, for JSON.
func plain(n *yamlfile.Node) any {
	switch n.Form {
	case yamlfile.List:
		out := make([]any, len(n.Items))
		for i, item := range n.Items {
			out[i] = plain(item)
		}
		return out
	case yamlfile.Map:
		out := map[string]any{}
		for _, p := range n.Pairs {
			out[p.Key.Text] = plain(p.Value)
		}
		return out
	case yamlfile.Scalar:
		if raw := json.RawMessage(n.Text); !n.Quoted && json.Valid(raw) {
			return raw
		}
		return n.Text
	}
	return nil
}

// presets gives every property its default.
func presets(s *Shape, t *record.Table) ([]Value, error) {
	var out []Value
	for _, p := range s.Properties(t) {
		out = append(out, Value{Property: p.Name, Field: p.Field, Value: preset(p.Field)})
	}
	for _, flags := range s.Flags {
		for _, w := range flags.Words {
			f := t.Field(w.Field)
			if f == nil {
				return nil, fault.New(fault.Internal, "table %s has no field %s", t.Name, w.Field)
			}
			out = append(out, Value{Property: flags.Property + " " + w.Text, Field: f, Value: record.Text("false")})
		}
	}
	return out, nil
}

func preset(f *record.Field) record.Value {
	if f.Default == "" {
		return record.Null
	}
	return record.Text(f.Default)
}

// readFlags reads a list of words: what is not in it is false.
func (it *Item) readFlags(flags Flags, n *yamlfile.Node) error {
	items := n.Items
	if n.Form == yamlfile.Scalar {
		items = []*yamlfile.Node{n}
	}
	for _, item := range items {
		i := slices.IndexFunc(flags.Words, func(w Word) bool { return w.Text == item.Text })
		if i < 0 {
			var words []string
			for _, w := range flags.Words {
				words = append(words, w.Text)
			}
			return item.Fault("%s cannot be %q", flags.Property, item.Text).WithHint("a list of %s", strings.Join(words, ", "))
		}
		it.put(Value{Property: flags.Property + " " + item.Text, Field: it.Table.Field(flags.Words[i].Field), Value: record.Text("true"), At: item})
	}
	return nil
}
