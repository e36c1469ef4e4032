package importset_test

import (
	"fmt"
	"strings"
	"testing"

	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
)

// A block ends at 3 MB, and its memory is used again for a later one: these rows are six blocks.
func TestRowsOfManyBlocksAreStagedAndWrittenAsTheyCame(t *testing.T) {
	const rows = 400
	long := strings.Repeat("größer, \"quoted\"\tand\\or plain text that fills a cell; ", 800)
	name := func(i int) string { return fmt.Sprintf("%d %s%s", i, strings.Repeat("x", i%97), long) }
	var b strings.Builder
	b.WriteString("Serial,Name\n")
	for i := range rows {
		fmt.Fprintf(&b, "S%06d,\"%s\"\n", i, strings.ReplaceAll(name(i), `"`, `""`))
		if i%100 == 99 {
			fmt.Fprintf(&b, "S%06d,again\nbad%d,\xff\n", i-99, i)
		}
	}
	f := open(t, servers)
	run := f.load(b.String(), "name: servers\ntargetTable: server\nfields:\n  serial: {sourceField: Serial, coalesce: true}\n  name: Name\n")
	if got, want := run.Ledger.String(), "408 = 400 inserted + 0 updated + 0 unchanged + 4 skipped + 4 rejected"; got != want {
		t.Errorf("ledger %s, want %s", got, want)
	}
	i := 0
	for row, err := range f.Rows(t.Context(), run.Number, importset.Inserted) {
		if err != nil {
			t.Fatal(err)
		}
		if serial := fmt.Sprintf("S%06d", i); row.Cells[0].Text != serial || row.Cells[1].Text != name(i) {
			t.Fatalf("row %d is staged as %s, %s", row.Row, row.Cells[0].Text, record.Clip(row.Cells[1].Text))
		}
		i++
	}
	server, err := f.db.Table("server")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for row, err := range f.db.As(record.System).Select(t.Context(), &record.Query{Table: server, Fields: []string{"serial", "name"}}) {
		if err != nil {
			t.Fatal(err)
		}
		found[row[0].Text] = row[1].Text
	}
	for i := range rows {
		if serial := fmt.Sprintf("S%06d", i); found[serial] != name(i) {
			t.Fatalf("record %s has the name %s", serial, record.Clip(found[serial]))
		}
	}
	for row, err := range f.Rows(t.Context(), run.Number, importset.Rejected) {
		if err != nil {
			t.Fatal(err)
		}
		if row.Cells[1].Text != "\xff" || row.Reject.Code != "invalid_utf8" {
			t.Errorf("line %d: %+v, cells %v", row.Line, row.Reject, row.Cells)
		}
	}
}
