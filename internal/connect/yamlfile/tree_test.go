package yamlfile_test

import (
	"strings"
	"testing"

	"headrace/internal/connect/yamlfile"
	"headrace/internal/core/fault"
)

func TestATreeKnowsThePlaceOfEachValue(t *testing.T) {
	root, err := yamlfile.Tree("x.yaml", []byte("name: Tell partner\norder: 0100\nfields:\n  a: b\n  c: {on: true, none: ~}\nlist:\n- one\n- |\n  two\n  lines\n"))
	if err != nil {
		t.Fatal(err)
	}
	on := root.Get("fields").Get("c").Get("on")
	if got := on.Place(); got != "x.yaml:5:11" || on.Text != "true" {
		t.Errorf("on stands at %s and says %q", got, on.Text)
	}
	if got := root.Get("order").Text; got != "0100" {
		t.Errorf("a number reads %q", got)
	}
	if got := root.Get("list").Items[1].Text; got != "two\nlines\n" {
		t.Errorf("a block reads %q", got)
	}
	if got := root.Get("fields").Get("c").Get("none").Form; got != yamlfile.Null {
		t.Errorf("~ has the form %d", got)
	}
	if root.Get("nothing") != nil {
		t.Error("a property is found that is not there")
	}
}

func TestATreeRefuses(t *testing.T) {
	for name, c := range map[string]struct{ text, says string }{
		"broken text":       {"a: [1", "x.yaml:1:"},
		"property twice":    {"a: 1\nb: 2\na: 3\n", "x.yaml:3:1: "},
		"aliases":           {"a: &x 1\nb: *x\n", "x.yaml:1:4: anchors"},
		"merged maps":       {"a:\n  <<: {b: 1}\n", "x.yaml:2:"},
		"a second document": {"a: 1\n---\nb: 2\n", "second document"},
		"tags":              {"a: !!binary aGk=\n", "x.yaml:1:4"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := yamlfile.Tree("x.yaml", []byte(c.text))
			if err == nil || fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.says) {
				t.Errorf("the error is %v, it must say %q", err, c.says)
			}
		})
	}
}

func TestAnEmptyTextIsATreeOfNothing(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "---\n"} {
		root, err := yamlfile.Tree("x.yaml", []byte(text))
		if err != nil || root.Form != yamlfile.Null {
			t.Errorf("%q: %v, %v", text, root, err)
		}
	}
}
