package export_test

import (
	"context"
	"fmt"
	"io"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"headrace/internal/connect/format"
	"headrace/internal/connect/format/csv"
	"headrace/internal/core/record"
	"headrace/internal/flow/outbound/export"
	"headrace/internal/store/sqlstore"
	"headrace/internal/store/storetest/stores"
)

// dyingVariable tells the test program to be a process that runs the set and dies: folder, where, and after how much.
const dyingVariable = "HEADRACE_TEST_DIES"

// now ends this process as a loss of power ends it.
func now() {
	if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
		panic(err)
	}
	select {}
}

// deadly is a reader that ends the process after so many bytes.
type deadly struct {
	r    io.Reader
	left int64
}

func (d *deadly) Read(p []byte) (int, error) {
	if d.left <= 0 {
		now()
	}
	n, err := d.r.Read(p[:min(int64(len(p)), d.left)])
	d.left -= int64(n)
	return n, err
}

// deadlyCSV ends the process after so many rows.
type deadlyCSV struct {
	csv.Format
	after int64
}

func (f deadlyCSV) Write(ctx context.Context, w io.Writer, header []string, rows iter.Seq2[[]record.Value, error], o format.Options) error {
	n := int64(0)
	return f.Format.Write(ctx, w, header, func(yield func([]record.Value, error) bool) {
		for row, err := range rows {
			if n++; n > f.after {
				now()
			}
			if !yield(row, err) {
				return
			}
		}
	}, o)
}

// die runs the set of a folder and dies where it is told.
func die() {
	words := strings.Split(os.Getenv(dyingVariable), "|")
	after, err := strconv.ParseInt(words[2], 10, 64)
	if err == nil {
		err = dieAt(words[0], words[1], after)
	}
	fmt.Fprintln(os.Stderr, "it lives:", err)
	os.Exit(1)
}

func dieAt(folder, where string, after int64) error {
	ctx := context.Background()
	store, err := sqlstore.Open(ctx, sqlstore.Config{Path: filepath.Join(folder, "records.db")})
	if err != nil {
		return err
	}
	known := formats()
	if where == "making" {
		known = []format.Format{deadlyCSV{after: after}}
	}
	w, err := build(ctx, store, folder, known)
	if err != nil {
		return err
	}
	w.watch(func(path string) error {
		if where == "control" && strings.HasSuffix(path, ".ok") {
			now()
		}
		return nil
	}, func(path string, r io.Reader) io.Reader {
		if where == "sending" {
			return &deadly{r, after}
		}
		return r
	})
	_, err = w.Run(ctx, "servers", record.System)
	return err
}

func TestAKilledProcessLeavesNothingOrTheWholeFile(t *testing.T) {
	for _, c := range []struct {
		where string
		after int64
		there bool // the file is, when the process is dead
	}{{"making", 0, false}, {"making", 700, false}, {"sending", 0, false}, {"sending", 5000, false}, {"control", 0, true}} {
		t.Run(c.where+" "+strconv.FormatInt(c.after, 10), func(t *testing.T) {
			folder := t.TempDir()
			w := open(t, sqlstore.Config{Path: filepath.Join(folder, "records.db")}, folder)
			w.fill(t, 1500)
			w.set(t, "fields", "name,cores,note", "control_file", "ok")
			child := exec.Command(os.Args[0], "-test.run=^$")
			child.Env = append(os.Environ(), dyingVariable+"="+strings.Join([]string{folder, c.where, strconv.FormatInt(c.after, 10)}, "|"))
			said, err := child.CombinedOutput()
			if status, ok := child.ProcessState.Sys().(syscall.WaitStatus); err == nil || !ok || status.Signal() != syscall.SIGKILL {
				t.Fatalf("the process ended with %v: %s", err, said)
			}
			left := w.only(t)
			if seen := w.visible(t); len(seen) > 0 != c.there {
				t.Fatalf("%v", seen)
			}
			n, err := w.Due(t.Context())
			check(t, err)
			run := w.only(t)
			if n != 1 || run.State != export.Done || run.Rows != 1500 || c.where != "making" && (run.SHA256 != left.SHA256 || run.FileName != left.FileName) {
				t.Fatalf("%+v, before %+v", run, left)
			}
			w.whole(t, run)
			if seen := w.visible(t); len(seen) != 2 {
				t.Errorf("%v", seen)
			}
		})
	}
}

// visible lists what the receiver of files gets to see.
func (w *world) visible(t testing.TB) (out []string) {
	t.Helper()
	for _, name := range w.delivered(t) {
		if !strings.HasPrefix(name, ".") {
			out = append(out, name)
		}
	}
	return out
}

// whole wants the file of a run at its place, every byte.
func (w *world) whole(t testing.TB, r *export.Run) {
	t.Helper()
	got := w.read(t, r.FileName)
	if sum := sumOf(got); sum != r.SHA256 {
		t.Errorf("%s has %d bytes with %s, want %d with %s", r.FileName, len(got), sum, r.Bytes, r.SHA256)
	}
}

func TestARunOfAKilledProcessIsGoneOnWithWhenItIsAskedForAgain(t *testing.T) {
	folder := t.TempDir()
	w := open(t, stores.SQLite(t), folder)
	w.fill(t, 10)
	w.set(t)
	ctx, cancel := context.WithCancel(t.Context())
	w.watch(nil, func(_ string, r io.Reader) io.Reader { cancel(); return r })
	if r, err := w.Run(ctx, "servers", record.System); err == nil || r.State != export.Retry {
		t.Fatalf("%+v, %v", r, err)
	}
	w.places = nil
	if r := w.run(t); r.Sequence != 2 || len(w.visible(t)) != 2 {
		t.Errorf("%+v, %v", r, w.visible(t))
	}
}
