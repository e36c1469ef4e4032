package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"headrace/internal/app"
	"headrace/internal/core/record"
	"headrace/internal/store/storetest/stores"
)

const examples = "../../examples"

// each runs a test for every example.
func eachExample(t *testing.T, test func(t *testing.T, dir string)) {
	entries, err := os.ReadDir(examples)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) == 0 {
		t.Fatal("there are no examples")
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		t.Run(e.Name(), func(t *testing.T) { test(t, filepath.Join(examples, e.Name())) })
	}
}

func TestEveryExamplePassesItsOwnTests(t *testing.T) {
	eachExample(t, func(t *testing.T, dir string) { passes(t, app.TestConfig{Dir: dir}) })
}

// One test of an example on PostgreSQL; in the long form all tests of all.
func TestExamplesPassOnPostgreSQL(t *testing.T) {
	if os.Getenv("HEADRACE_SOAK") == "" {
		passes(t, app.TestConfig{Dir: filepath.Join(examples, "nightly-file"), Match: "file of the night", Database: stores.Postgres(t).URL})
		return
	}
	eachExample(t, func(t *testing.T, dir string) { passes(t, app.TestConfig{Dir: dir, Database: stores.Postgres(t).URL}) })
}

// What an example says is what the server then has, and what it has, said in files again, is the example.
func TestEveryExampleIsSoundAndComesBackFromTheServer(t *testing.T) {
	eachExample(t, func(t *testing.T, dir string) {
		secrets := func(name string) (string, bool) { return "made up", !strings.HasSuffix(name, "_FILE") }
		a, err := app.Open(t.Context(), app.Config{Data: t.TempDir(), Outside: app.Outside{Getenv: secrets}})
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		p, err := a.LoadProject(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range p.Findings {
			t.Error(f)
		}
		if _, err := a.Project.Apply(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		again, written := t.TempDir(), ""
		if _, err := a.Project.Export(t.Context(), again, p.Name); err != nil {
			t.Fatal(err)
		}
		for _, written = range []string{dir, again} {
			p, err := a.LoadProject(t.Context(), written)
			if err != nil {
				t.Fatal(err)
			}
			plan, err := a.Project.Plan(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range plan.Changes {
				t.Errorf("%s would %s %s %s: %+v", written, c.Operation, c.Kind, c.Name, c.Fields)
			}
		}
		if n, err := a.DB.As(record.System).Count(t.Context(), a.DB.Catalog().Table("sys_project_record"), nil); err != nil || int(n) != p.Count()-len(p.Tables) {
			t.Errorf("the project has %d records, %v", n, err)
		}
	})
}
