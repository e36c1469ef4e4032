package importset_test

import (
	"strconv"
	"strings"
	"testing"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
)

func (f *fixture) setOf(run int64) string {
	f.t.Helper()
	t, id := f.db.Catalog().Table(importset.SetTable), ""
	for row, err := range f.db.As(record.System).Select(f.t.Context(), &record.Query{Table: t, Fields: []string{record.SysID, "run"}}) {
		if err != nil {
			f.t.Fatal(err)
		}
		if row[1].Text == strconv.FormatInt(run, 10) {
			id = row[0].Text
		}
	}
	return id
}

func (f *fixture) kept(table string) int64 {
	f.t.Helper()
	n, err := f.db.As(record.System).Count(f.t.Context(), f.db.Catalog().Table(table), nil)
	if err != nil {
		f.t.Fatal(err)
	}
	return n
}

func TestAForgottenImportLeavesWhatItWroteAndNothingElse(t *testing.T) {
	f := open(t, servers)
	first, second := f.load(monday, serverMap), f.load(monday+"A9,new,2026-05-05,1\n", serverMap)
	before, rows := f.checksum(), f.kept(importset.RowTable)
	if err := f.Forget(t.Context(), f.setOf(first.Number)); err != nil {
		t.Fatal(err)
	}
	if f.checksum() != before {
		t.Error("the target has changed")
	}
	const shown = 2 // of its rows, by those of the second that are unchanged
	if n := f.kept(importset.RowTable); n != rows-first.Ledger.Read+shown {
		t.Errorf("%d staging rows are left of %d", n, rows)
	}
	var names []string
	for row, err := range f.Rows(t.Context(), second.Number) {
		if err != nil {
			t.Fatal(err)
		}
		if len(row.Cells) > 1 {
			names = append(names, row.Cells[1].Text)
		}
	}
	if got := strings.Join(names, " "); got != "alpha beta again gamma nokey five new" {
		t.Errorf("the second import shows %q", got)
	}
	if _, err := f.Run(t.Context(), first.Number); fault.KindOf(err) != fault.NotFound {
		t.Errorf("the run is still there: %v", err)
	}
	if _, err := f.Run(t.Context(), second.Number); err != nil {
		t.Error(err)
	}
	if _, err := f.Undo(t.Context(), importset.UndoRequest{Run: first.Number, Actor: record.System}); fault.KindOf(err) != fault.NotFound {
		t.Errorf("undo of what is forgotten: %v", err)
	}
	if err := f.Forget(t.Context(), f.setOf(second.Number)); err != nil {
		t.Fatal(err)
	}
	if n, m := f.kept(importset.RowTable), f.kept(importset.PageTable); n+m > 0 {
		t.Errorf("%d staging rows and %d pages are left", n, m)
	}
	if third := f.load(monday, serverMap); third.Number <= second.Number {
		t.Errorf("run %d comes after run %d", third.Number, second.Number)
	}
}

func TestWhatMayStillBeWantedIsNotForgotten(t *testing.T) {
	f := open(t, servers)
	run := f.load(monday, serverMap)
	set := f.setOf(run.Number)
	for _, state := range []importset.State{importset.Running, importset.Halted, importset.Loading, importset.Loaded} {
		_, _, err := f.db.As(record.System).Update(t.Context(), f.db.Catalog().Table(importset.SetTable), set, []record.Assignment{{Field: "state", Value: record.Text(string(state))}})
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Forget(t.Context(), set); fault.KindOf(err) != fault.Refused || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", state, err)
		}
	}
	rows, err := f.db.As(record.System).Count(t.Context(), f.db.Catalog().Table(importset.RowTable), query.Node(nil))
	if err != nil || rows != run.Ledger.Read {
		t.Errorf("%d rows are left, %v", rows, err)
	}
}
