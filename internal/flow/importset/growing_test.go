package importset_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"headrace/internal/connect/format/json"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
)

// growing is a source whose mapped column Cost shows up in its last rows only, blocks after the first.
func growing() importset.Source {
	var b strings.Builder
	for i := range 30_000 {
		fmt.Fprintf(&b, `{"Serial":"G%05d","Name":"server %d","Installed":"2026-01-02"`, i, i)
		if i >= 29_990 {
			fmt.Fprintf(&b, `,"Remark":"late","Cost":"%d"`, i)
		}
		b.WriteString("}\n")
	}
	src := text("growing.json", b.String())
	src.Format = json.Format{}
	return src
}

const growingWant = "30,000 = 30,000 inserted + 0 updated + 0 unchanged + 0 skipped + 0 rejected"

func (f *fixture) wantLateColumn(run *importset.Run) {
	f.t.Helper()
	f.wantLedger(run, growingWant)
	if want := []string{"Serial", "Name", "Installed", "Remark", "Cost"}; !slices.Equal(run.Columns, want) {
		f.t.Errorf("columns %q, want %q", run.Columns, want)
	}
	table, err := f.db.Table("server")
	if err != nil {
		f.t.Fatal(err)
	}
	costs := 0
	for row, err := range f.db.As(record.System).Select(f.t.Context(), &record.Query{Table: table, Fields: []string{"serial", "cost"}}) {
		if err != nil {
			f.t.Fatal(err)
		}
		if row[1].Valid {
			costs++
			if "G"+row[1].Text != row[0].Text {
				f.t.Errorf("%s costs %s", row[0].Text, row[1].Text)
			}
		}
	}
	if costs != 10 {
		f.t.Errorf("%d records have a cost, want 10", costs)
	}
}

func TestMappedColumnMayShowUpLate(t *testing.T) {
	f := open(t, servers)
	run, err := f.Import(t.Context(), importset.Request{Source: growing(), Maps: maps(t, serverMap), Actor: record.System})
	if err != nil {
		t.Fatal(err)
	}
	f.wantLateColumn(run)
}

func TestPlanKnowsColumnsThatShowUpLate(t *testing.T) {
	f := open(t, servers)
	path := filepath.Join(t.TempDir(), "a.plan")
	report, err := f.Plan(t.Context(), importset.Request{Source: growing(), Maps: maps(t, serverMap), Actor: record.System}, path)
	if err != nil || report.Ledger.String() != growingWant {
		t.Fatalf("plan: %+v %v", report, err)
	}
	f.wantLateColumn(f.apply(path))
}
