package xlsx_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"headrace/internal/connect/format"
	"headrace/internal/connect/format/formattest"
	"headrace/internal/connect/format/xlsx"
	"headrace/internal/core/fault"
)

func TestLaws(t *testing.T) {
	formattest.Run(t, xlsx.Format{}, formattest.Kind{Closed: true, Large: 13_000, Memory: 1 << 20})
}

// book makes a workbook with cells by name.
func book(t *testing.T, cells map[string]any, change func(*excelize.File)) []byte {
	t.Helper()
	f := excelize.NewFile()
	for at, v := range cells {
		if err := f.SetCellValue("Sheet1", at, v); err != nil {
			t.Fatal(err)
		}
	}
	if change != nil {
		change(f)
	}
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// first reads the last header and the cells of all rows, cells parted by | and rows by /, null as ~.
func first(t *testing.T, doc []byte, o format.Options) (*format.Header, string) {
	t.Helper()
	h := &format.Header{}
	var rows []string
	for row, err := range (xlsx.Format{}).Rows(t.Context(), bytes.NewReader(doc), o) {
		if err != nil {
			t.Fatal(err)
		}
		h = row.Header
		var cells []string
		for _, c := range row.Cells {
			if !c.Valid {
				c.Text = "~"
			}
			cells = append(cells, c.Text)
		}
		rows = append(rows, strings.Join(cells, "|"))
	}
	return h, strings.Join(rows, "/")
}

func TestCellsKeepTheirMeaning(t *testing.T) {
	day := time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name   string
		value  any
		format string
		want   string
	}{
		{"text", "  x ", "", "  x "},
		{"whole number", 42, "", "42"},
		{"number", 0.1, "", "0.1"},
		{"sum with noise", 0.30000000000000004, "", "0.3"},
		{"fifteen digits", 123456789012345, "", "123456789012345"},
		{"large", 1.5e12, "", "1500000000000"},
		{"true", true, "", "true"},
		{"leading zeros", 123, "00000", "00123"},
		{"date", day, "yyyy-mm-dd", "2024-02-29"},
		{"date of a country", day, "dd.mm.yyyy", "2024-02-29"},
		{"date and time", day.Add(13*time.Hour + 5*time.Minute + 9*time.Second), "d/m/yy h:mm", "2024-02-29 13:05:09"},
		{"a month's name", day, `[$-409]mmm\-yy;@`, "2024-02-29"},
		{"time", 0.5, "hh:mm", "12:00:00"},
		{"elapsed", 1.5, "[h]:mm", "36:00:00"},
		{"money in red", 12.5, `[Red]"days "0.00`, "12.5"},
		{"the day that never was", 59, "yyyy-mm-dd", "1900-02-28"},
		{"the day after", 61, "yyyy-mm-dd", "1900-03-01"},
	} {
		t.Run(c.name, func(t *testing.T) {
			doc := book(t, map[string]any{"A1": "a", "A2": c.value}, func(f *excelize.File) {
				if c.format == "" {
					return
				}
				style, err := f.NewStyle(&excelize.Style{CustomNumFmt: &c.format})
				if err == nil {
					err = f.SetCellStyle("Sheet1", "A2", "A2", style)
				}
				if err != nil {
					t.Fatal(err)
				}
			})
			if _, got := first(t, doc, nil); got != c.want {
				t.Errorf("reads %q, want %q", got, c.want)
			}
		})
	}
}

func TestDatesOfThe1904System(t *testing.T) {
	yes, iso := true, "yyyy-mm-dd"
	doc := book(t, map[string]any{"A1": "a", "A2": 1}, func(f *excelize.File) {
		style, err := f.NewStyle(&excelize.Style{CustomNumFmt: &iso})
		if err == nil {
			err = f.SetCellStyle("Sheet1", "A2", "A2", style)
		}
		if err == nil {
			err = f.SetWorkbookProps(&excelize.WorkbookPropsOptions{Date1904: &yes})
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	if _, got := first(t, doc, nil); got != "1904-01-02" {
		t.Errorf("reads %s", got)
	}
}

func TestHeaderAndSheet(t *testing.T) {
	cells := map[string]any{"A1": "Report", "A3": "a", "B3": "b", "C3": "a", "A4": 1, "B4": 2, "C4": 3, "A6": 4, "D6": 5}
	second := func(f *excelize.File) {
		if _, err := f.NewSheet("Other"); err != nil {
			t.Fatal(err)
		}
		if err := f.SetSheetRow("Other", "A1", &[]any{"x", "y"}); err != nil {
			t.Fatal(err)
		}
		if err := f.SetSheetRow("Other", "A2", &[]any{7, 8}); err != nil {
			t.Fatal(err)
		}
	}
	doc := book(t, cells, second)
	for _, c := range []struct {
		o             format.Options
		columns, rows string
	}{
		{nil, "a|b|a_2|column_4", "1|2|3/4|~|~|5"},
		{format.Options{"header_row": "4"}, "1|2|3|column_4", "4|~|~|5"},
		{format.Options{"header": "false", "header_row": "3"}, "column_1|column_2|column_3|column_4", "a|b|a/1|2|3/4|~|~|5"},
		{format.Options{"sheet": "other"}, "x|y", "7|8"},
		{format.Options{"sheet": "2"}, "x|y", "7|8"},
	} {
		h, rows := first(t, doc, c.o)
		if got := strings.Join(h.Columns, "|"); got != c.columns || rows != c.rows {
			t.Errorf("%v: columns %s, rows %s; notes %q", c.o, got, rows, h.Notes)
		}
	}
}

func TestErrorsAndMissingValuesAreNullAndNoted(t *testing.T) {
	parts := map[string]string{
		"xl/workbook.xml":            `<workbook xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="S" r:id="r1"/></sheets></workbook>`,
		"xl/_rels/workbook.xml.rels": `<Relationships><Relationship Id="r1" Target="worksheets/s.xml"/></Relationships>`,
		"xl/worksheets/s.xml": `<worksheet><sheetData><row r="1"><c t="inlineStr"><is><t>a</t></is></c><c t="inlineStr"><is><r><t>b</t></r><rPh><t>no</t></rPh></is></c></row>` +
			`<row r="2"><c><v>1</v></c><c t="e"><v>#N/A</v></c></row><row><c><v>2</v></c><c><f>A1</f></c></row><row><c><v>12345678901234567</v></c><c t="s"><v>9</v></c></row></sheetData></worksheet>`,
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range parts {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	h, rows := first(t, b.Bytes(), nil)
	if rows != "1|~/2|~/12345678901234568|~" && rows != "1|~/2|~/12345678901234567|~" || len(h.Notes) != 4 {
		t.Errorf("%s; notes %q", rows, h.Notes)
	}
}

func TestProtectedWorkbooksNeedTheirPassword(t *testing.T) {
	var b bytes.Buffer
	f := excelize.NewFile()
	if err := f.SetSheetRow("Sheet1", "A1", &[]any{"a"}); err != nil {
		t.Fatal(err)
	}
	if err := f.SetSheetRow("Sheet1", "A2", &[]any{"1"}); err != nil {
		t.Fatal(err)
	}
	if err := f.Write(&b, excelize.Options{Password: "sesame"}); err != nil {
		t.Fatal(err)
	}
	for password, kind := range map[string]fault.Kind{"": fault.Denied, "wrong": fault.Denied} {
		_, err := formattest.Read(t, xlsx.Format{}, bytes.NewReader(b.Bytes()), format.Options{"password": password})
		if fault.KindOf(err) != kind || fault.HintOf(err) == "" {
			t.Errorf("%q: %v", password, err)
		}
	}
	if _, rows := first(t, b.Bytes(), format.Options{"password": "sesame"}); rows != "1" {
		t.Errorf("reads %s", rows)
	}
}

func archive(t *testing.T, name string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	if _, err := z.Create(name); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestRelativesAreRefusedWithAdvice(t *testing.T) {
	for doc, want := range map[string]string{
		"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + strings.Repeat("\x00", 600): ".xls",
		archive(t, "xl/workbook.bin"):                                    ".xlsb",
		archive(t, "content.xml"):                                        ".ods",
		archive(t, "readme.txt"):                                         "ZIP",
		"<html><table>":                                                  "web page",
		"a,b\n1,2\n":                                                     "text",
		"%PDF-1.7":                                                       "PDF",
	} {
		_, err := formattest.Read(t, xlsx.Format{}, strings.NewReader(doc), nil)
		if fault.KindOf(err) != fault.Invalid || fault.HintOf(err) == "" || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%.20q: %v", doc, err)
		}
	}
}

func TestLimitsAreKept(t *testing.T) {
	doc := book(t, map[string]any{"A1": "a", "A2": strings.Repeat("x", 30000)}, nil)
	for _, o := range []format.Options{{"max_unpacked": "10KB"}, {"max_strings": "10KB"}} {
		_, err := formattest.Read(t, xlsx.Format{}, bytes.NewReader(doc), o)
		if fault.KindOf(err) != fault.Limit || fault.HintOf(err) == "" {
			t.Errorf("%v: %v", o, err)
		}
	}
}

func FuzzXLSX(f *testing.F) {
	f.Add([]byte("<sheetData><row r=\"1\"><c r=\"A1\"><v>1</v></c></row></sheetData>"), []byte("<sst><si><t>x</t></si></sst>"), []byte("<styleSheet/>"))
	f.Add([]byte("<sheetData><row><c t=\"s\" s=\"0\"><v>0</v></c></row><row><c t=\"inlineStr\"><is><t>a</t></is></c></row></sheetData>"), []byte("<sst/>"), []byte(`<styleSheet><numFmts><numFmt numFmtId="164" formatCode="yyyy"/></numFmts><cellXfs><xf numFmtId="164"/></cellXfs></styleSheet>`))
	f.Fuzz(func(t *testing.T, sheet, shared, styles []byte) {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for name, text := range map[string][]byte{
			"xl/workbook.xml":            []byte(`<workbook xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="S" r:id="r1"/></sheets></workbook>`),
			"xl/_rels/workbook.xml.rels": []byte(`<Relationships><Relationship Id="r1" Target="s.xml"/></Relationships>`),
			"xl/s.xml":                   sheet, "xl/sharedStrings.xml": shared, "xl/styles.xml": styles,
		} {
			w, err := z.Create(name)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(text); err != nil {
				t.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		formattest.ChunksAgree(t, xlsx.Format{}, b.Bytes(), format.Options{"max_strings": "10KB"})
	})
}
