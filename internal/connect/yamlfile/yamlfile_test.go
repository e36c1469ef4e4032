package yamlfile_test

import (
	"strings"
	"testing"

	"headrace/internal/connect/yamlfile"
	"headrace/internal/core/fault"
)

type doc struct {
	Name  string   `yaml:"name"`
	Items []string `yaml:"items"`
}

func TestMistakesNameTheirPlace(t *testing.T) {
	cases := []struct{ text, place, hint string }{
		{"name: a\nnmae: b\n", "f.yaml:2:1", `did you mean "name"?`},
		{"name: a\nzzzzzzzz: b\n", "f.yaml:2:1", "known are name, items, item"},
		{"item: b\n", "f.yaml:1:1", `did you mean "items"?`},
		{"name: [a\n", "f.yaml:1:", ""},
		{"items: {a: b}\n", "f.yaml:1:", ""},
	}
	for _, c := range cases {
		var d doc
		err := yamlfile.Decode("f.yaml", []byte(c.text), &d, []string{"name", "items", "item"})
		if err == nil || fault.KindOf(err) != fault.Invalid || !strings.HasPrefix(err.Error(), c.place) || !strings.Contains(fault.HintOf(err), c.hint) {
			t.Errorf("%q: %v (hint %q)", c.text, err, fault.HintOf(err))
		}
	}
}

type panics struct{}

func (*panics) UnmarshalYAML(func(any) error) error { var none *doc; _ = none.Name; return nil }

func TestPanicOfTheReaderIsAnInvalidText(t *testing.T) {
	var d struct {
		Name panics `yaml:"name"`
	}
	err := yamlfile.Decode("f.yaml", []byte("name: a\n"), &d, nil)
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "f.yaml") {
		t.Errorf("%v", err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{"name: a\nitems: [b, c]\n", "name: &x a\nitems: [*x]\n", "items:\n- |\n  a\n- >-\n  b\n", "? a\n: b\n", "name: !!binary a\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var d doc
		if err := yamlfile.Decode("f.yaml", text, &d, []string{"name"}); err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: %v", text, err)
		}
		_, _ = yamlfile.Parse("f.yaml", text)
		yamlfile.Place("f.yaml", text, "items")
	})
}
