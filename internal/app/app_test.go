package app_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"headrace/internal/app"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

func TestTheStateIsWhereTheConfigSays(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "when missing")
	a, err := app.Open(context.Background(), app.Config{Data: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.DB.Define(context.Background(), record.System, false, record.Table{Name: "u_t", Fields: []record.Field{{Name: "a", Type: record.String}}}); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := app.Open(context.Background(), app.Config{Data: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if again.DB.Catalog().Table("u_t") == nil {
		t.Error("a table that was defined is not there when the folder is opened again")
	}
}

func TestWhatStandsInTheWayOfOpeningIsNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("no folder"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what string
		cfg  app.Config
		kind fault.Kind
	}{
		{"a file where the folder should be", app.Config{Data: file}, fault.Unavailable},
		{"a folder below a file", app.Config{Data: filepath.Join(file, "below")}, fault.Unavailable},
		{"a database that is not PostgreSQL", app.Config{Database: "mysql://localhost/x"}, fault.Invalid},
		{"a server that is not there", app.Config{Database: "postgres:///x?host=" + filepath.Dir(file)}, fault.Unavailable},
	} {
		a, err := app.Open(context.Background(), c.cfg)
		if err == nil {
			t.Errorf("%s: opened", c.what)
			a.Close()
			continue
		}
		if fault.KindOf(err) != c.kind || fault.HintOf(err) == "" {
			t.Errorf("%s: %v (%s, hint %q), want %s with a hint", c.what, err, fault.KindOf(err), fault.HintOf(err), c.kind)
		}
	}
}

func TestAScratchLeavesNothing(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	a, err := app.Scratch(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if made, err := os.ReadDir(temp); err != nil || len(made) != 1 {
		t.Errorf("the scratch store is not in the temporary folder: %v, %v", made, err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestFormatsAreFoundByName(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range app.Formats() {
		name := f.Info().Name
		if found, err := app.FormatNamed(name); err != nil || found.Info().Name != name || seen[name] {
			t.Errorf("format %s: %v", name, err)
		}
		seen[name] = true
	}
	if _, err := app.FormatNamed("cvs"); fault.KindOf(err) != fault.Invalid || fault.HintOf(err) == "" {
		t.Errorf("an unknown format: %v", err)
	}
}
