package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, name string, rows ...string) *file {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte("asset_tag,name\n"+strings.Join(rows, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return &file{name: name, path: path, rows: int64(len(rows))}
}

func lines(t *testing.T, rows ...string) digest {
	t.Helper()
	d, err := digestLines(strings.NewReader(strings.ReplaceAll(strings.Join(rows, "\n"), ",", separator)))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestFilesDecideWhatTheTargetHolds(t *testing.T) {
	load := write(t, "load", "a,1", "b,2", "c,3", "d,4")
	delta := write(t, "delta", "a,1", "b,9", "e,5", "d,4")
	if err := expect(load, delta); err != nil {
		t.Fatal(err)
	}
	if want := (ledger{Read: 4, Inserted: 4}); load.ledger != want {
		t.Errorf("load: %+v, want %+v", load.ledger, want)
	}
	if want := (ledger{Read: 4, Inserted: 1, Updated: 1, Unchanged: 2}); delta.ledger != want {
		t.Errorf("delta: %+v, want %+v", delta.ledger, want)
	}
	if want := lines(t, "d,4", "c,3", "b,2", "a,1"); load.after != want {
		t.Errorf("after load: %v, want %v", load.after, want)
	}
	if want := lines(t, "a,1", "b,9", "c,3", "d,4", "e,5"); delta.after != want {
		t.Errorf("after delta: %v, want %v", delta.after, want)
	}
}

func TestADigestTellsContentsApart(t *testing.T) {
	right := lines(t, "a,1", "b,2")
	for _, other := range [][]string{{"a,1"}, {"a,1", "a,1"}, {"a,1", "b,3"}, {"a,2", "b,1"}, {"a,1", "b,2", "c,3"}, {"a1,", "b,2"}} {
		if lines(t, other...) == right {
			t.Errorf("%q passes for the right content", other)
		}
	}
}

// The whole way on the embedded store with the raw tool, small: the content must be right, and a wrong one noticed.
func TestFloorIsCheckedAgainstTheFiles(t *testing.T) {
	s := settings{rows: 2000, runs: 1, floors: true, dir: t.TempDir()}
	files, err := makeFiles(s)
	if err != nil {
		t.Fatal(err)
	}
	results, err := measureStore(t.Context(), s, "sqlite", files)
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != 2 || len(results[0].floor) != 1 || len(results[1].floor) != 1 {
		t.Errorf("results: %+v", results)
	}
	files.delta.after.sum++
	if _, err := measureStore(t.Context(), s, "sqlite", files); err == nil || !strings.Contains(err.Error(), "it must hold") {
		t.Errorf("a wrong content ends with %v", err)
	}
}

func TestReportFlagsWhatMissesItsBudget(t *testing.T) {
	runs := func(seconds ...float64) (ms []measurement) {
		for _, s := range seconds {
			ms = append(ms, measurement{seconds: s, bytes: 310 << 20, rows: 1000})
		}
		return ms
	}
	var out strings.Builder
	report(&out, t.Context(), settings{runs: 3}, files{}, []result{
		{store: "sqlite", what: "load", floor: runs(10, 11, 12), product: runs(10, 11, 30)},
		{store: "sqlite", what: "delta", floor: runs(10, 10, 10), product: runs(9, 9, 9)},
		{store: "postgres", what: "load", floor: runs(10, 10), product: runs(10, 12)},
		{store: "sqlite", what: "scale", product: runs(143)},
	})
	for _, want := range []string{"load sqlite|1.00|ok", "delta sqlite|0.90|MISSED", "load postgres|1.10|goal met", "scale sqlite|13.00|MISSED", "memory|at most 310 MB|MISSED"} {
		if err := lineWith(out.String(), strings.Split(want, "|")); err != nil {
			t.Errorf("%v in\n%s", err, out.String())
		}
	}
}

func lineWith(text string, parts []string) error {
	for line := range strings.Lines(text) {
		found := strings.HasPrefix(line, parts[0])
		for _, p := range parts[1:] {
			found = found && strings.Contains(line, p)
		}
		if found {
			return nil
		}
	}
	return fmt.Errorf("no line with %q", parts)
}
