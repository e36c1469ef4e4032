package cli_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// wideColumns is more than a table of either store can have.
const wideColumns = 5_000

// wide writes three rows of that many columns as CSV and as JSON.
func wide(t testing.TB) (asCSV, asJSON []byte) {
	t.Helper()
	var header, lines, objects []string
	for c := range wideColumns {
		header = append(header, fmt.Sprintf("col %d", c))
	}
	for r := range 3 {
		var cells []string
		object := map[string]string{}
		for c := range wideColumns {
			cells = append(cells, wideCell(r, c))
			object[header[c]] = wideCell(r, c)
		}
		lines = append(lines, strings.Join(cells, ","))
		text, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, string(text))
	}
	return []byte(strings.Join(header, ",") + "\n" + strings.Join(lines, "\n") + "\n"), []byte("[" + strings.Join(objects, ",\n") + "]")
}

func wideCell(row, column int) string { return fmt.Sprintf("r%dc%d", row, column) }

const wideMap = `targetTable: wide
fields:
  first: {sourceField: col 0, coalesce: true}
  middle: col 2500
  last: col 4999
`

func TestFiveThousandColumnsSimplyWork(t *testing.T) {
	asCSV, asJSON := wide(t)
	onBoth(t, func(t *testing.T, h *home) {
		h.write(t, "map.yaml", []byte(wideMap))
		h.must(t, 0, "table", "create", "wide", "--field", "first:string", "--field", "middle:string", "--field", "last:string")
		for n, file := range []string{h.write(t, "wide.csv", asCSV), h.write(t, "wide.json", asJSON)} {
			r := h.load(t, file, "--map", "map.yaml")
			want := [6]int64{3, 3, 0, 0, 0, 0}
			if n > 0 {
				want = [6]int64{3, 0, 0, 3, 0, 0}
			}
			if r.fates() != want {
				t.Errorf("%s: %v, want %v", file, r.fates(), want)
			}
			h.wantWide(t, r)
		}
		got := string(h.must(t, 0, "record", "list", "wide", "--fields", "first,middle,last", "--query", "ORDERBYfirst", "-o", "csv").stdout)
		if want := "first,middle,last\nr0c0,r0c2500,r0c4999\nr1c0,r1c2500,r1c4999\nr2c0,r2c2500,r2c4999\n"; got != want {
			t.Errorf("the target holds\n%s", got)
		}
	})
}

// wantWide checks that staging keeps every cell of every column.
func (h *home) wantWide(t *testing.T, r *runJSON) {
	t.Helper()
	header, rows := table(t, h.must(t, 0, "run", "rows", fmt.Sprint(r.Run), "-o", "csv").stdout)
	if len(header) != 5+wideColumns || len(rows) != 3 {
		t.Fatalf("%d rows of %d columns", len(rows), len(header)-5)
	}
	for n, row := range rows {
		for at, name := range header[5:] {
			var column int
			if _, err := fmt.Sscanf(name, "col %d", &column); err != nil {
				t.Fatalf("column %q: %v", name, err)
			}
			if row[5+at] != wideCell(n, column) {
				t.Fatalf("row %d, %s: %q", n, name, row[5+at])
			}
		}
	}
}

func TestInspectOfFiveThousandColumns(t *testing.T) {
	asCSV, asJSON := wide(t)
	h := newHome(t)
	for _, file := range []string{h.write(t, "wide.csv", asCSV), h.write(t, "wide.json", asJSON)} {
		survey := decode[struct {
			Rows    int64
			Columns []struct{ Header string }
		}](t, h.must(t, 0, "inspect", file, "-o", "json"))
		if survey.Rows != 3 || len(survey.Columns) != wideColumns || !slices.ContainsFunc(survey.Columns, func(c struct{ Header string }) bool { return c.Header == "col 4999" }) {
			t.Errorf("%s: %d rows of %d columns", file, survey.Rows, len(survey.Columns))
		}
	}
}

func TestCellOfManyMegabytes(t *testing.T) {
	cell := bytes.Repeat([]byte("0123456789abcde\n"), short(12, 50)*mega/16)
	var text bytes.Buffer
	text.WriteString("Tag,Name,Purchased,Cost,Remark\nA1,before,2026-01-02,1,\nA2,large,2026-01-02,2,\"")
	text.Write(cell)
	text.WriteString("\"\nA3,after,2026-01-02,3,\n")
	onBoth(t, func(t *testing.T, h *home) {
		h.write(t, "map.yaml", []byte(assetMap+"  remark: Remark\n"))
		h.must(t, 0, "table", "create", "asset", "--field", "tag:string", "--field", "name:string", "--field", "purchased:date", "--field", "cost:decimal", "--field", "remark:string")
		file := h.write(t, "large.csv", text.Bytes())
		if r := h.load(t, file, "--map", "map.yaml"); r.fates() != [6]int64{3, 3, 0, 0, 0, 0} {
			t.Fatalf("%v, want 3 inserted", r.fates())
		}
		if r := h.load(t, file, "--map", "map.yaml"); r.fates() != [6]int64{3, 0, 0, 3, 0, 0} {
			t.Errorf("%v, want 3 unchanged", r.fates())
		}
		_, rows := table(t, h.must(t, 0, "record", "list", "asset", "--fields", "remark", "--query", "tag=A2", "-o", "csv").stdout)
		if len(rows) != 1 || rows[0][0] != string(cell) {
			t.Error("the target does not hold the cell as it came")
		}
		_, rows = table(t, h.must(t, 0, "run", "rows", "1", "-o", "csv").stdout)
		if len(rows) != 3 || rows[1][9] != string(cell) {
			t.Error("staging does not hold the cell as it came")
		}
	})
}
