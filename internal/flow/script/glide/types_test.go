package glide_test

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"headrace/internal/flow/script/glide"
)

// declared is what the declarations say: names, and the members of classes and interfaces, inherited ones included.
type declared struct {
	names   []string
	members map[string][]string
	parents map[string][]string
}

var (
	topLevel = regexp.MustCompile(`^declare (?:class|const|function|namespace) (\w+)`)
	block    = regexp.MustCompile(`^(?:declare )?(?:class|interface|const) (\w+)(?: extends ([\w, ]+))?.*\{(\}?)$`)
	member   = regexp.MustCompile(`^    (?:static )?(\w+)[(<]`)
)

func readTypes() *declared {
	d := &declared{members: map[string][]string{}, parents: map[string][]string{}}
	in := ""
	for line := range strings.Lines(glide.Types) {
		line = strings.TrimRight(line, "\n")
		if found := topLevel.FindStringSubmatch(line); found != nil {
			d.names = append(d.names, found[1])
		}
		if found := block.FindStringSubmatch(line); found != nil {
			for _, parent := range strings.Split(found[2], ",") {
				d.parents[found[1]] = append(d.parents[found[1]], strings.TrimSpace(parent))
			}
			if in = found[1]; found[3] != "" {
				in = ""
			}
			continue
		}
		if strings.HasPrefix(line, "}") {
			in = ""
		}
		if found := member.FindStringSubmatch(line); found != nil && in != "" {
			d.members[in] = append(d.members[in], found[1])
		}
	}
	return d
}

func (d *declared) of(name string) []string {
	all := slices.Clone(d.members[name])
	for _, parent := range d.parents[name] {
		all = append(all, d.of(parent)...)
	}
	return all
}

func TestEveryNameIsDeclaredForEditors(t *testing.T) {
	d := readTypes()
	for _, name := range glide.Globals() {
		if name != "JSON" && !slices.Contains(d.names, name) {
			t.Errorf("%s is not declared", name)
		}
	}
	for class, methods := range glide.Members() {
		have := d.of(class)
		for _, m := range methods {
			if !slices.Contains(have, m) {
				t.Errorf("%s.%s is not declared", class, m)
			}
		}
		for _, m := range have {
			theirs := m == "constructor" || class == "GlideSystem" && strings.HasPrefix(m, "eventQueue")
			if !theirs && !slices.Contains(methods, m) {
				t.Errorf("%s.%s is declared and does not exist", class, m)
			}
		}
	}
}

func TestTheDeclarationsAreTypeScript(t *testing.T) {
	compiler := filepath.Join("..", "..", "..", "..", ".testdata", "node_modules", "typescript", "lib", "tsc.js")
	out, err := exec.CommandContext(t.Context(), "node", compiler, "--noEmit", "--strict", "--lib", "es2021", "headrace.d.ts").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
