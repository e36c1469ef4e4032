package file_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"headrace/internal/connect/source/file"
	"headrace/internal/core/fault"
)

func TestOpenGivesBytesNameAndSize(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.csv")
	if err := os.WriteFile(path, []byte("a,b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		src   file.Source
		name  string
		size  int64
		again bool
	}{
		{file.Source{Path: path}, "a.csv", 4, true},
		{file.Source{Path: file.Stdin, Input: strings.NewReader("a,b\n")}, "standard input", -1, false},
	} {
		r, meta, err := c.src.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil || string(b) != "a,b\n" {
			t.Errorf("read %q, %v", b, err)
		}
		if meta.Name != c.name || meta.Size != c.size || meta.Again != c.again {
			t.Errorf("meta %+v", meta)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestOpenErrorsSayWhatToDo(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		src  file.Source
		kind fault.Kind
	}{
		{file.Source{Path: filepath.Join(dir, "missing.csv")}, fault.NotFound},
		{file.Source{Path: dir}, fault.Invalid},
		{file.Source{}, fault.Invalid},
		{file.Source{Path: file.Stdin}, fault.Invalid},
	} {
		_, _, err := c.src.Open(t.Context())
		if fault.KindOf(err) != c.kind || fault.HintOf(err) == "" {
			t.Errorf("%+v: kind %v, hint %q, %v", c.src, fault.KindOf(err), fault.HintOf(err), err)
		}
	}
}
