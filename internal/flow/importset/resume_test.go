package importset_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
)

var errCut = errors.New("the line is cut")

// half imports monday's list from a source that breaks off in it, and gives the halted run.
func (f *fixture) half(content, yaml string) *importset.Run {
	f.t.Helper()
	src := text("servers.csv", content)
	src.Open = func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(strings.NewReader(content), iotest.ErrReader(errCut))), nil
	}
	run, err := f.Import(f.t.Context(), importset.Request{Source: src, Maps: maps(f.t, yaml), Actor: record.System})
	if !errors.Is(err, errCut) || run == nil || run.State != importset.Halted {
		f.t.Fatalf("run %+v: %v", run, err)
	}
	return run
}

const cutAt = "Serial,Name,Installed,Cost\nA1,alpha,2026-01-02,10.50\nA2,beta,2026-02-03,20\n"

func TestHaltedRunGoesOnWithTheSameSource(t *testing.T) {
	f := open(t, servers)
	halted := f.half(cutAt, serverMap)
	f.wantLedger(halted, "2 = 2 inserted + 0 updated + 0 unchanged + 0 skipped + 0 rejected")
	run := f.load(monday, serverMap)
	if run.Number != halted.Number || run.Resumed != 2 {
		t.Errorf("run %d resumed after %d rows, want run %d after 2", run.Number, run.Resumed, halted.Number)
	}
	f.wantLedger(run, "6 = 2 inserted + 0 updated + 0 unchanged + 2 skipped + 2 rejected")
}

func TestHaltedRunDoesNotGoOnWithAnotherSource(t *testing.T) {
	for name, content := range map[string]string{
		"other rows":   strings.Replace(monday, "alpha", "gamma", 1),
		"fewer rows":   "Serial,Name,Installed,Cost\nA1,alpha,2026-01-02,10.50\n",
		"no rows":      "Serial,Name,Installed,Cost\n",
		"other order":  "Serial,Name,Installed,Cost\nA2,beta,2026-02-03,20\nA1,alpha,2026-01-02,10.50\nA3,c,,\n",
		"one row less": "Serial,Name,Installed,Cost\nA2,beta,2026-02-03,20\nA3,c,,\nA4,d,,\n",
	} {
		t.Run(name, func(t *testing.T) {
			f := open(t, servers)
			halted := f.half(cutAt, serverMap)
			run, err := f.Import(t.Context(), importset.Request{Source: text("servers.csv", content), Maps: maps(t, serverMap), Actor: record.System})
			if fault.KindOf(err) != fault.Conflict || run == nil || run.Number != halted.Number || run.State != importset.Halted {
				t.Errorf("run %+v: %v", run, err)
			}
		})
	}
}
