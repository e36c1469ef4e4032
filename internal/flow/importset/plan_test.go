package importset_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
)

// feed is a file of n servers; edit may change a line.
func feed(n int, edit func(i int, line string) string) string {
	var b strings.Builder
	b.WriteString("Serial,Name,Installed,Cost\n")
	for i := range n {
		line := fmt.Sprintf("S%05d,server %d,2026-01-%02d,%d.5", i, i, i%28+1, i)
		if edit != nil {
			line = edit(i, line)
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

func (f *fixture) plan(content, yaml string) (*importset.PlanReport, string) {
	f.t.Helper()
	path := filepath.Join(f.t.TempDir(), "a.plan")
	report, err := f.Plan(f.t.Context(), importset.Request{Source: text("servers.csv", content), Maps: maps(f.t, yaml), Actor: record.System}, path)
	if err != nil {
		f.t.Fatal(err)
	}
	return report, path
}

func (f *fixture) apply(path string) *importset.Run {
	f.t.Helper()
	run, err := f.Apply(f.t.Context(), importset.ApplyRequest{Path: path, Actor: record.System})
	if err != nil {
		f.t.Fatal(err)
	}
	return run
}

func TestPlanWritesNothingAndApplyDoesIt(t *testing.T) {
	f := open(t, servers)
	f.load(feed(500, nil), serverMap)
	before := f.checksum()
	report, path := f.plan(feed(600, func(i int, line string) string {
		if i%10 == 0 {
			return strings.Replace(line, "server", "renamed", 1)
		}
		return line
	}), serverMap)
	want := "600 = 100 inserted + 50 updated + 450 unchanged + 0 skipped + 0 rejected"
	if report.Ledger.String() != want {
		t.Errorf("plan: %s, want %s", report.Ledger, want)
	}
	if c := report.Changes[0]; c.Line != 2 || c.Fields[0].Field != "name" || *c.Fields[0].Old != "server 0" || *c.Fields[0].New != "renamed 0" {
		t.Errorf("first change: %+v", c)
	}
	if f.checksum() != before {
		t.Error("the plan wrote to the table")
	}
	f.wantLedger(f.apply(path), want)
	again := f.apply(path)
	f.wantLedger(again, "600 = 0 inserted + 0 updated + 450 unchanged + 0 skipped + 150 rejected")
}

func TestApplyRefusesExactlyWhatChanged(t *testing.T) {
	f := open(t, servers)
	run := f.load(feed(300, nil), serverMap)
	_, path := f.plan(feed(300, func(i int, line string) string {
		if i >= 150 {
			return strings.Replace(line, "server", "renamed", 1)
		}
		return line
	}), serverMap)
	table, err := f.db.Table("server")
	if err != nil {
		t.Fatal(err)
	}
	edited := map[int64]bool{}
	for row, err := range f.Rows(t.Context(), run.Number) {
		if err != nil {
			t.Fatal(err)
		}
		if row.Row%30 == 7 { // five that the plan leaves alone, five that it updates
			edited[row.Line] = true
			if _, _, err := f.db.As(record.System).Update(t.Context(), table, row.Target, []record.Assignment{{Field: "cost", Value: record.Text("1")}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	applied := f.apply(path)
	f.wantLedger(applied, "300 = 0 inserted + 145 updated + 145 unchanged + 0 skipped + 10 rejected")
	for row, err := range f.Rows(t.Context(), applied.Number, importset.Rejected) {
		if err != nil {
			t.Fatal(err)
		}
		if !edited[row.Line] || row.Reject.Code != "target_changed" {
			t.Errorf("line %d is refused: %+v", row.Line, row.Reject)
		}
		delete(edited, row.Line)
	}
	if len(edited) > 0 {
		t.Errorf("not refused: %v", edited)
	}
	undone, err := f.Undo(t.Context(), importset.UndoRequest{Run: applied.Number, Actor: record.System})
	if err != nil || undone.Restored != 145 || undone.Refused != 0 {
		t.Errorf("undo: %+v %v", undone, err)
	}
}

// Whatever the map's policies, a plan says what an import then does.
func TestPlanAgreesWithImport(t *testing.T) {
	doubled := "Serial,Name,Installed,Cost\nA,one,,1\nB,two,,2\nA,three,,3\nA,three,,3\nb,two,,2\n,x,,\nC,four,,4\n"
	policies := map[string]string{
		"safe":   serverMap,
		"apply":  serverMap + "onDuplicate: apply\n",
		"reject": serverMap + "onDuplicate: reject\n",
		"strict": serverMap + "mode: strict\n",
		"empty":  serverMap + "createOnEmptyCoalesce: true\ncopyEmptyFields: true\n",
		"no key": strings.Replace(serverMap, ", coalesce: true", "", 1),
	}
	for name, yaml := range policies {
		t.Run(name, func(t *testing.T) {
			f := open(t, servers)
			f.load("Serial,Name,Installed,Cost\nC,old,,4\n", serverMap)
			report, path := f.plan(doubled, yaml)
			applied := f.apply(path)
			f.wantLedger(applied, report.Ledger.String())
			g := open(t, servers)
			g.load("Serial,Name,Installed,Cost\nC,old,,4\n", serverMap)
			g.wantLedger(g.load(doubled, yaml), report.Ledger.String())
			if f.content() != g.content() {
				t.Errorf("apply gives\n%s\nimport gives\n%s", f.content(), g.content())
			}
			second := g.load(doubled, yaml)
			if name != "no key" && name != "empty" && name != "apply" && name != "strict" && second.Ledger.Inserted+second.Ledger.Updated > 0 {
				t.Errorf("the second import writes: %s", second.Ledger)
			}
		})
	}
}

// content lists the servers without their ids.
func (f *fixture) content() string {
	f.t.Helper()
	table, err := f.db.Table("server")
	if err != nil {
		f.t.Fatal(err)
	}
	var b strings.Builder
	q := &record.Query{Table: table, Fields: []string{"serial", "name", "installed", "cost", "active"}}
	for row, err := range f.db.As(record.System).Select(f.t.Context(), q) {
		if err != nil {
			f.t.Fatal(err)
		}
		fmt.Fprintln(&b, row)
	}
	lines := strings.Split(b.String(), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
