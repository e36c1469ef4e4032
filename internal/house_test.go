// Package house_test guards the shape of the repository: which folder may import which, and what must not stand in
// any file. It holds no product code.
package house_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "headrace"

// levels are the floors, ground first. An import goes to a lower level or stays on its floor.
var levels = map[string]int{
	"core": 0, "demo": 0, "ui": 0, "examples": 0,
	"store": 1, "connect": 1,
	"flow": 2,
	"door": 3,
	"app":  4,
	"cli":  5,
	"cmd":  6, "bench": 6, "docs": 6,
}

// flowOrder is the order inside flow, lowest first: an entry may import only those before it.
var flowOrder = []string{
	"access", "attachment", "script", "transform", "importset", "event", "rule", "outbound", "inbound", "schedule", "project", "advisor",
}

// sqlDrivers speak SQL; above store and connect nobody does.
var sqlDrivers = []string{"database/sql", "github.com/mattn/go-sqlite3", "github.com/jackc/pgx"}

// room is a place in the house: the floor, and the entry on it.
type room struct{ floor, entry string }

// locate finds the room of a package of this module.
func locate(pkg string) (room, bool) {
	parts := strings.Split(strings.TrimPrefix(pkg, module+"/"), "/")
	if parts[0] == "internal" {
		parts = parts[1:]
	} else if !slices.Contains([]string{"cmd", "ui", "docs", "examples"}, parts[0]) {
		return room{}, false
	}
	r := room{floor: parts[0]}
	if len(parts) > 1 {
		r.entry = parts[1]
	}
	if _, ok := levels[r.floor]; !ok {
		return room{}, false
	}
	return r, r.floor != "flow" || slices.Contains(flowOrder, r.entry)
}

func ours(pkg string) bool { return pkg == module || strings.HasPrefix(pkg, module+"/") }

// standard reports whether an import path is of the standard library; cgo's "C" is not.
func standard(pkg string) bool {
	first, _, _ := strings.Cut(pkg, "/")
	return !strings.Contains(first, ".") && !ours(pkg) && pkg != "C"
}

// breach says why from may not import to, or "" when it may. Tests are bound by the floors like all code, but they
// may look into a database.
func breach(from, to string, test bool) string {
	a, ok := locate(from)
	if !ok {
		return fmt.Sprintf("%s is not in the drawing of the house", from)
	}
	if !ours(to) {
		return foreignBreach(a, to, test)
	}
	b, ok := locate(to)
	if !ok {
		return fmt.Sprintf("%s is not in the drawing of the house", to)
	}
	switch {
	case a.floor == "bench" && b.floor != "bench" && b.floor != "demo":
		return "the benchmark looks at the product from outside: it may import demo only"
	case levels[a.floor] < levels[b.floor]:
		return fmt.Sprintf("runs up from %s to %s", a.floor, b.floor)
	case levels[a.floor] == levels[b.floor] && a.floor != b.floor:
		return fmt.Sprintf("%s and %s do not know each other", a.floor, b.floor)
	case a.floor == "door" && b.floor == "door" && a.entry != b.entry:
		return fmt.Sprintf("sideways between the doors %s and %s", a.entry, b.entry)
	case a.floor == "flow" && b.floor == "flow" && slices.Index(flowOrder, a.entry) < slices.Index(flowOrder, b.entry):
		return fmt.Sprintf("%s stands below %s in flow", a.entry, b.entry)
	}
	return ""
}

func foreignBreach(a room, to string, test bool) string {
	if levels[a.floor] == 0 && !standard(to) {
		return fmt.Sprintf("%s is ground: standard library only", a.floor)
	}
	if test || a.floor == "store" || a.floor == "connect" {
		return ""
	}
	for _, driver := range sqlDrivers {
		if to == driver || strings.HasPrefix(to, driver+"/") {
			return "SQL is spoken in store and connect only"
		}
	}
	return ""
}

// listed is what the checker needs of one entry of go list.
type listed struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

// breaches checks all imports of the packages in the output of go list -json.
func breaches(list io.Reader) ([]string, error) {
	var found []string
	in := json.NewDecoder(list)
	for {
		var p listed
		if err := in.Decode(&p); errors.Is(err, io.EOF) {
			return found, nil
		} else if err != nil {
			return nil, err
		}
		if p.ImportPath == module+"/internal" { // this test
			continue
		}
		for _, to := range p.Imports {
			found = appendBreach(found, p.ImportPath, to, false)
		}
		for _, to := range slices.Concat(p.TestImports, p.XTestImports) {
			found = appendBreach(found, p.ImportPath, to, true)
		}
	}
}

func appendBreach(found []string, from, to string, test bool) []string {
	why := breach(from, to, test)
	if why == "" {
		return found
	}
	kind := "imports"
	if test {
		kind = "imports in a test"
	}
	return append(found, fmt.Sprintf("%s %s %s: %s", from, kind, to, why))
}

func TestImportsFollowTheDrawing(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = root(t)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	found, err := breaches(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Error(f)
	}
}

func TestBreachesAreFound(t *testing.T) {
	const in = module + "/internal/"
	cases := []struct {
		from, to string
		test     bool
		why      string // part of the reason; "" is allowed
	}{
		{in + "core/record", in + "core/query", false, ""},
		{in + "store/sqlstore", in + "core/record", false, ""},
		{in + "flow/importset", in + "flow/transform", false, ""},
		{in + "flow/importset", in + "flow/importset/ledger", false, ""},
		{in + "flow/importset", in + "store/sqlstore", true, ""},
		{in + "flow/advisor", in + "flow/access", false, ""},
		{in + "door/rest", in + "door/rest/openapi", false, ""},
		{in + "cli", in + "demo", false, ""},
		{module + "/cmd/headrace", in + "cli", false, ""},
		{in + "store/sqlstore", "github.com/jackc/pgx/v5", false, ""},
		{in + "connect/source/sqldb", "database/sql", false, ""},
		{in + "flow/importset", "database/sql", true, ""},
		{in + "core/record", "encoding/json", false, ""},
		{in + "bench", in + "demo", false, ""},
		{in + "door/console", module + "/ui", false, ""},

		{in + "core/record", in + "store/sqlstore", false, "runs up from core to store"},
		{in + "core/record", in + "store/sqlstore", true, "runs up from core to store"},
		{in + "core/query", "github.com/google/uuid", false, "standard library only"},
		{in + "core/query", "C", false, "standard library only"},
		{in + "core/query", in + "demo", true, "do not know each other"},
		{in + "demo", "golang.org/x/text/cases", false, "standard library only"},
		{in + "store/sqlstore", in + "connect/format", false, "do not know each other"},
		{in + "connect/format/csv", in + "store/queue", true, "do not know each other"},
		{in + "store/queue", in + "flow/event", false, "runs up from store to flow"},
		{in + "flow/transform", in + "flow/importset", false, "transform stands below importset"},
		{in + "flow/script", in + "flow/outbound", false, "script stands below outbound"},
		{in + "flow/importset", in + "app", false, "runs up from flow to app"},
		{in + "flow/misc", in + "core/record", false, "not in the drawing"},
		{in + "flow/advisor", in + "flow/misc", false, "not in the drawing"},
		{in + "helpers", in + "core/record", false, "not in the drawing"},
		{module + "/pkg", in + "core/record", false, "not in the drawing"},
		{in + "door/rest", in + "door/soap", false, "sideways between the doors rest and soap"},
		{in + "door/rest", in + "cli", false, "runs up from door to cli"},
		{in + "flow/importset", "database/sql", false, "SQL is spoken in store and connect only"},
		{in + "cli", "github.com/jackc/pgx/v5/pgxpool", false, "SQL is spoken"},
		{in + "bench", in + "flow/importset", false, "from outside"},
	}
	for _, c := range cases {
		got := breach(c.from, c.to, c.test)
		if (c.why == "") != (got == "") || !strings.Contains(got, c.why) {
			t.Errorf("%s -> %s (test %v): got %q, want %q", c.from, c.to, c.test, got, c.why)
		}
	}
}

func TestBreachNamesTheImport(t *testing.T) {
	found, err := breaches(strings.NewReader(`{"ImportPath":"headrace/internal/core/record","Imports":["fmt","headrace/internal/cli"]}
		{"ImportPath":"headrace/internal/store/queue","XTestImports":["headrace/internal/connect/mock"]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"headrace/internal/core/record imports headrace/internal/cli: runs up from core to cli",
		"headrace/internal/store/queue imports in a test headrace/internal/connect/mock: store and connect do not know each other",
	}
	if !slices.Equal(found, want) {
		t.Errorf("got %q\nwant %q", found, want)
	}
}

// A part registers itself nowhere: app lists the parts. And a package named for nothing collects everything.
func TestNoInitAndNoDrawerPackages(t *testing.T) {
	drawers := []string{"util", "utils", "common", "manager", "base", "misc", "helper", "helpers"}
	for name, src := range files(t, ".go") {
		file, err := parser.ParseFile(token.NewFileSet(), name, src, parser.SkipObjectResolution)
		if err != nil {
			t.Error(err)
			continue
		}
		if slices.Contains(drawers, strings.TrimSuffix(file.Name.Name, "_test")) {
			t.Errorf("%s: package %s says nothing about what is in it", name, file.Name.Name)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s: func init; let app list the part", name)
			}
		}
	}
}

// Nothing in the repository depends on, or tells of, the machine it was written on or where its packages came from.
func TestFilesNameNoMachineAndNoRegistry(t *testing.T) {
	known := knownTraces(t)
	for name, src := range files(t, "") {
		if bytes.IndexByte(src, 0) >= 0 { // binary sample data
			continue
		}
		for _, at := range known.in(src) {
			line, _, _ := bytes.Cut(src[at:], []byte("\n"))
			t.Errorf("%s:%d: names a machine or a registry: %.40q", name, 1+bytes.Count(src[:at], []byte("\n")), line)
		}
	}
}

func TestTracesAreFound(t *testing.T) {
	known := knownTraces(t)
	for _, bad := range []string{"cd /" + "work/main", `"/` + "root/x\"", "=/" + "home/me/y", "/" + "home_2", "https://registry." + "npmjs.org/x", "proxy." + "golang.org"} {
		if len(known.in([]byte(bad))) == 0 {
			t.Errorf("%q passes", bad)
		}
	}
	for _, good := range []string{"/api/now/workitem", "homework/root/x", "/workers", "a proxy and a registry", "/usr/share/ieee-data/oui.csv"} {
		if len(known.in([]byte(good))) > 0 {
			t.Errorf("%q does not pass", good)
		}
	}
}

// traces are what would tell where something was written: home and work folders at the root of a machine, and hosts.
type traces struct{ folders, hosts []string }

// knownTraces are the usual folders, well-known registry hosts and the one that this machine's Go uses. The names are put
// together here so that this file passes its own test.
func knownTraces(t *testing.T) traces {
	t.Helper()
	known := traces{
		folders: []string{"/" + "work", "/" + "root", "/" + "home", "/" + "tmp/bash"},
		hosts:   []string{"proxy.golang" + ".org", "sum.golang" + ".org", "registry.npmjs" + ".org", "deb.debian" + ".org", "goproxy" + "."},
	}
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOPROXY").Output()
	if err != nil {
		t.Fatalf("go env: %v", err)
	}
	for _, proxy := range strings.FieldsFunc(strings.TrimSpace(string(out)), func(r rune) bool { return r == ',' || r == '|' }) {
		if u, err := url.Parse(proxy); err == nil && u.Hostname() != "" {
			known.hosts = append(known.hosts, u.Hostname())
		}
	}
	return known
}

// in gives where in a text the traces begin.
func (k traces) in(src []byte) (found []int) {
	for _, host := range k.hosts {
		found = append(found, places(src, host)...)
	}
	for _, folder := range k.folders {
		for _, at := range places(src, folder) {
			begins := at == 0 || bytes.IndexByte([]byte(" \t\r\n\"'=(:`"), src[at-1]) >= 0
			after := at + len(folder)
			if begins && after < len(src) && (src[after] == '/' || src[after] == '_') {
				found = append(found, at)
			}
		}
	}
	return found
}

// places gives where a text holds a word.
func places(src []byte, word string) (found []int) {
	for at := 0; ; {
		next := bytes.Index(src[at:], []byte(word))
		if next < 0 {
			return found
		}
		found = append(found, at+next)
		at += next + len(word)
	}
}

// root is the top of the repository.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// files yields the repository's own files with the extension (all when it is empty), by path from the top. What
// .gitignore names at the top level is not the repository's.
func files(t *testing.T, ext string) map[string][]byte {
	t.Helper()
	skip := ignored(t)
	found := map[string][]byte{}
	tree := os.DirFS(root(t))
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (slices.Contains(skip, name) || d.Name() == ".git" || d.Name() == "node_modules"):
			return fs.SkipDir
		case !d.Type().IsRegular() || ext != "" && path.Ext(name) != ext:
			return nil
		}
		src, err := fs.ReadFile(tree, name)
		found[name] = src
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Fatalf("no %s file found below %s", ext, root(t))
	}
	return found
}

// ignored gives the folders that .gitignore names with a leading slash.
func ignored(t *testing.T) []string {
	t.Helper()
	src, err := os.ReadFile(filepath.Join(root(t), ".gitignore"))
	if err != nil {
		t.Fatal(err)
	}
	var dirs []string
	for line := range strings.Lines(string(src)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "/") && strings.HasSuffix(line, "/") {
			dirs = append(dirs, strings.Trim(line, "/"))
		}
	}
	return dirs
}
