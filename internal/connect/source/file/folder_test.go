package file_test

import (
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"headrace/internal/connect/source"
	"headrace/internal/connect/source/file"
	"headrace/internal/connect/source/sourcetest"
	"headrace/internal/core/fault"
)

func TestTheLawsOfFiles(t *testing.T) {
	root := t.TempDir()
	in := func(path string) string { return root + "/" + path }
	sourcetest.Files(t, sourcetest.Store{
		Kind:    file.Kind(),
		Address: func(_, path string) source.Address { return source.Address{URL: &url.URL{Path: in(path)}} },
		Path:    in,
		Write:   func(t testing.TB, path string, b []byte) { write(t, in(path), b) },
		Read:    func(t testing.TB, path string) ([]byte, bool) { return content(t, in(path)) },
		Wrong: []sourcetest.Wrong{
			{Name: "another machine", Address: source.Address{URL: &url.URL{Scheme: "file", Host: "elsewhere", Path: "/in/a.csv"}}, Kind: fault.Invalid, Says: "elsewhere"},
			{Name: "nothing", Address: source.Address{URL: &url.URL{}}, Kind: fault.Invalid},
		},
	})
}

func write(t testing.TB, path string, b []byte) {
	t.Helper()
	err := os.WriteFile(path, b, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(path), 0o700); err == nil {
			err = os.WriteFile(path, b, 0o600)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

func content(t testing.TB, path string) ([]byte, bool) {
	t.Helper()
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false
	}
	if err != nil {
		t.Fatal(err)
	}
	return b, true
}

func open(t *testing.T, address string) source.Files {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	f, err := file.Kind().Files(source.Address{URL: u})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestAFileURLAndARelativePathMeanFiles(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	write(t, filepath.Join(dir, "in", "a1.csv"), []byte("a"))
	for address, want := range map[string]string{
		"file://" + dir + "/in/a?.csv": dir + "/in/a1.csv", "in/*.csv": "in/a1.csv", "in": "in/a1.csv", "in/": "in/a1.csv", "./in/a1.csv": "./in/a1.csv",
	} {
		all, err := open(t, address).List(t.Context())
		if err != nil || len(all) != 1 || all[0].Path != want {
			t.Errorf("%s: %+v, %v", address, all, err)
		}
	}
}

func TestAFileThatIsWrittenWhileItIsReadIsAConflict(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.csv")
	for name, change := range map[string]func() error{
		"grows":   func() error { return os.WriteFile(path, make([]byte, 200_000), 0o600) },
		"shrinks": func() error { return os.Truncate(path, 10) },
	} {
		write(t, path, make([]byte, 100_000))
		f := open(t, path)
		all, err := f.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		r, err := f.Open(t.Context(), all[0], 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(r, make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(r); fault.KindOf(err) != fault.Conflict {
			t.Errorf("%s: %v", name, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestFoldersLinksAndPipesInAFolderAreNoFiles(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.csv"), []byte("a"))
	for _, err := range []error{
		os.Mkdir(filepath.Join(dir, "folder.csv"), 0o700), os.Symlink("nowhere", filepath.Join(dir, "lost.csv")),
		os.Symlink("a.csv", filepath.Join(dir, "link.csv")), syscall.Mkfifo(filepath.Join(dir, "pipe.csv"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	all, err := open(t, dir+"/*.csv").List(t.Context())
	if err != nil || len(all) != 2 {
		t.Errorf("%+v, %v: want the file and the link to it", all, err)
	}
}

// TestWhatIsNotAllowedIsDenied runs as a user without rights. As root the thread gives them up, and ends with the test.
func TestWhatIsNotAllowedIsDenied(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.csv")
	write(t, path, []byte("a"))
	f := open(t, path)
	all, err := f.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chmod(path, 0), os.Chmod(dir, 0o500)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // so that the folder can be deleted
		if err := os.Chmod(dir, 0o700); err != nil {
			t.Error(err)
		}
	})
	errs := make(chan error, 2)
	go func() {
		defer close(errs)
		runtime.LockOSThread()
		if os.Geteuid() == 0 {
			if err := errors.Join(os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(dir, 0o555), syscall.Setfsuid(65534)); err != nil {
				errs <- err
				return
			}
		}
		_, err := f.Open(t.Context(), all[0], 0)
		errs <- err
		errs <- f.(source.Putter).Put(t.Context(), filepath.Join(dir, "b.csv"), strings.NewReader("b"), false)
	}()
	for err := range errs {
		if fault.KindOf(err) != fault.Denied || fault.HintOf(err) == "" {
			t.Errorf("%v", err)
		}
	}
}
