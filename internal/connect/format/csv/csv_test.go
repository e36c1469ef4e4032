package csv_test

import (
	"slices"
	"strings"
	"testing"

	"headrace/internal/connect/format"
	"headrace/internal/connect/format/csv"
	"headrace/internal/connect/format/formattest"
	"headrace/internal/core/fault"
)

func TestLaws(t *testing.T) {
	long := strings.Repeat("x", 300<<10)
	formattest.Run(t, csv.Format{}, formattest.Kind{
		Large: 60_000, Memory: 2 << 20,
		Spoiled: []formattest.Spoiled{
			{Name: "too few cells", Doc: "a,b\n1,2\n3\n5,6\n", Rows: 3, Bad: 1, Code: "row_ragged", Line: 3},
			{Name: "too many cells", Doc: "a,b\n1,2\n3,4,5\n5,6\n", Rows: 3, Bad: 1, Code: "row_ragged", Line: 3},
			{Name: "bad byte", Doc: "a,b\né,2\n\xff,4\né,6\n", Rows: 3, Bad: 1, Code: "invalid_utf8", Line: 3},
			{Name: "half a character behind an escape", Doc: "a,b\né,2\n\"\"\"\xe2\x82\",4\né,6\n", Rows: 3, Bad: 1, Code: "invalid_utf8", Line: 3},
			{Name: "zero byte", Doc: "a,b\n" + strings.Repeat("1,2\n", 100) + "3,\x00\n5,6\n", Rows: 102, Bad: 100, Code: "row_malformed", Line: 102},
			{Name: "text behind a quote", Doc: "a,b\n1,2\n\"x\"y,4\n5,6\n", Rows: 3, Bad: 1, Code: "row_malformed", Line: 3},
			{Name: "quote inside a bare cell", Doc: "a,b\n1,2\nx\"y,\"4\"\n5,6\n", Rows: 3, Bad: 1, Code: "row_malformed", Line: 3},
			{Name: "open quote", Doc: "a,b\n1,2\n3,\"4\n5,6\n7,8\n", Rows: 4, Bad: 1, Code: "row_malformed", Line: 3},
			{Name: "open quote in a long source", Doc: "a,b\n1,2\n3,\"4\n" + strings.Repeat("5,6\n", 90000), Options: format.Options{"max_cell": "64KB"}, Rows: 90002, Bad: 1, Code: "row_malformed", Line: 3},
			{Name: "long line", Doc: "a,b\n1,2\n3," + long + "\n5,6\n", Options: format.Options{"max_cell": "200KB"}, Rows: 3, Bad: 1, Code: "cell_too_long", Line: 3},
			{Name: "short limit", Doc: "a,b\n1,2\n3,4567890123\n5,6\n", Options: format.Options{"max_cell": "8"}, Rows: 3, Bad: 1, Code: "cell_too_long", Line: 3},
		},
	})
}

// first reads the header and the cells of all rows, cells parted by | and rows by /.
func first(t *testing.T, doc string, o format.Options) (*format.Header, string) {
	t.Helper()
	var h *format.Header
	var rows []string
	for row, err := range (csv.Format{}).Rows(t.Context(), strings.NewReader(doc), o) {
		if err != nil {
			t.Fatalf("%q: %v", doc, err)
		}
		h = row.Header
		var cells []string
		for _, c := range row.Cells {
			cells = append(cells, c.Text)
		}
		if row.Err != nil {
			cells = append(cells, row.Err.Code)
		}
		rows = append(rows, strings.Join(cells, "|"))
	}
	return h, strings.Join(rows, "/")
}

func TestDialectIsFound(t *testing.T) {
	for _, c := range []struct {
		name, doc, columns, rows string
		dialect                  format.Options
	}{
		{"comma", "a,b\n1,2\n", "a|b", "1|2", format.Options{"delimiter": ","}},
		{"decimal commas", "a;b\n1,5;2,5\n3,5;4,5\n", "a|b", "1,5|2,5/3,5|4,5", format.Options{"delimiter": ";"}},
		{"tab", "a\tb\n1\t2\n", "a|b", "1|2", format.Options{"delimiter": `\t`}},
		{"pipe", "a|b|c\n1|2|3\n", "a|b|c", "1|2|3", format.Options{"delimiter": "|"}},
		{"caret", "a^b\n1^2\n", "a|b", "1|2", format.Options{"delimiter": "^"}},
		{"sep line", "sep=;\na;b\n1;2\n", "a|b", "1|2", format.Options{"delimiter": ";", "skip_lines": "1"}},
		{"preamble", "Report\nas of today\n\na,b,c\n1,2,3\n4,5,6\n", "a|b|c", "1|2|3/4|5|6", format.Options{"skip_lines": "3"}},
		{"padded preamble", "Report,,\na,b,c\n1,2,3\n4,5,6\n", "a|b|c", "1|2|3/4|5|6", format.Options{"skip_lines": "1"}},
		{"single quotes", "a,b\n'1,5','2'\n'3','4'\n'5','6'\n", "a|b", "1,5|2/3|4/5|6", format.Options{"quote": "'"}},
		{"backslash", "a,b\n\"x \\\"q\\\" y\",2\n", "a|b", `x "q" y|2`, format.Options{"escape": "backslash"}},
		{"trailing delimiter", "a,b,\n1,2,\n3,4,\n", "a|b", "1|2/3|4", format.Options{"trailing_delimiter": "true"}},
		{"byte order mark", "\xef\xbb\xbfa,b\n1,2\n", "a|b", "1|2", format.Options{"charset": "utf-8", "bom": "true"}},
		{"UTF-16", "\xff\xfea\x00\t\x00b\x00\n\x001\x00\t\x00\xe9\x00\n\x00", "a|b", "1|é", format.Options{"charset": "utf-16le"}},
		{"UTF-16 without mark", "a\x00,\x00b\x00\n\x001\x00,\x002\x00\n\x003\x00,\x004\x00\n\x00", "a|b", "1|2/3|4", format.Options{"charset": "utf-16le"}},
		{"windows-1252", "a,b\n1,\xe9\x80\n", "a|b", "1|é€", format.Options{"charset": "windows-1252"}},
		{"carriage returns", "a,b\r1,2\r\"3\r\",4\r", "a|b", "1|2/3\r|4", nil},
		{"CRLF", "a,b\r\n1,\"2\r\n3\"\r\n", "a|b", "1|2\r\n3", format.Options{"line_end": "crlf"}},
		{"duplicate and empty names", "a,a,,a_2\n1,2,3,4\n", "a|a_3|column_3|a_2", "1|2|3|4", nil},
		{"no line end at the end", "a,b\n1,\"2\"", "a|b", "1|2", nil},
		{"blank lines", "\na,b\n\n1,2\n\n", "a|b", "1|2", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, rows := first(t, c.doc, nil)
			if got := strings.Join(h.Columns, "|"); got != c.columns || rows != c.rows {
				t.Fatalf("columns %s, rows %s; notes %q", got, rows, h.Notes)
			}
			for name, want := range c.dialect {
				if h.Dialect[name] != want {
					t.Errorf("%s is %q, want %q", name, h.Dialect[name], want)
				}
			}
			if _, again := first(t, c.doc, h.Dialect); again != rows {
				t.Errorf("read with the dialect found: %s", again)
			}
		})
	}
}

func TestOptionsOverrule(t *testing.T) {
	for _, c := range []struct {
		doc  string
		o    format.Options
		want string
	}{
		{"a||b\n1||2|\n", format.Options{"delimiter": "||"}, "1|2|"},
		{"1,2\n3,4\n", format.Options{"header": "false"}, "1|2/3|4"},
		{"x\ny\na,b\n1,2\n", format.Options{"skip_lines": "2"}, "1|2"},
		{"a,b\n#no,no\n1,2\n", format.Options{"comment": "#"}, "1|2"},
		{"a , b\n 1 , \"2\" \n", format.Options{"trim": "true"}, "1|2"},
		{"a,b\n1\n", format.Options{"ragged": "pad"}, "1|"},
		{"a,b\n\"1,2\n", format.Options{"quote": "none"}, "\"1|2"},
		{"a,b\n\"say \"hi\" now\",5\" disk\n", format.Options{"quotes": "lax"}, "say \"hi\" now|5\" disk"},
	} {
		if _, got := first(t, c.doc, c.o); got != c.want {
			t.Errorf("%q with %v reads %s, want %s", c.doc, c.o, got, c.want)
		}
	}
}

func TestWhatIsNoTextIsNamed(t *testing.T) {
	for doc, want := range map[string]string{
		"PK\x03\x04\x14\x00\x06": "ZIP", "%PDF-1.7\n": "PDF", "\x89PNG\r\n\x1a\n": "PNG", "a\x00\x01\x02\x03\x04b": "binary", "SQLite format 3\x00": "SQLite",
	} {
		for _, err := range (csv.Format{}).Rows(t.Context(), strings.NewReader(doc), nil) {
			if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), want) || fault.HintOf(err) == "" {
				t.Errorf("%q: %v", doc, err)
			}
		}
	}
}

func TestFiftyMegabyteCellReads(t *testing.T) {
	big := strings.Repeat("abcdefghij", 5<<20)
	for _, quote := range []string{"", `"`} {
		doc := "a,b\n1," + quote + big + quote + "\n2,3\n"
		n := 0
		for row, err := range (csv.Format{}).Rows(t.Context(), strings.NewReader(doc), nil) {
			if err != nil || row.Err != nil {
				t.Fatal(err, row.Err)
			}
			if n == 0 && row.Cells[1].Text != big {
				t.Error("the cell changed")
			}
			n++
		}
		if n != 2 {
			t.Errorf("%d rows", n)
		}
	}
}

func TestManyOpenQuotesEndTheReading(t *testing.T) {
	doc := "a\n" + strings.Repeat("\"aaaa\n", 150)
	var last error
	n := 0
	for _, err := range (csv.Format{}).Rows(t.Context(), strings.NewReader(doc), format.Options{"max_cell": "8"}) {
		last = err
		n++
	}
	if fault.KindOf(last) != fault.Invalid || n != 101 {
		t.Errorf("after %d rows: %v", n, last)
	}
}

func TestWriteGuardsFormulas(t *testing.T) {
	var b strings.Builder
	rows := func(yield func([]value, error) bool) {
		yield([]value{{Text: "=1+1", Valid: true}, {Text: "x", Valid: true}}, nil)
	}
	err := csv.Format{}.Write(t.Context(), &b, []string{"a", "b"}, rows, format.Options{"guard": "true", "line_end": "crlf", "bom": "true", "delimiter": ";"})
	if want := "\xef\xbb\xbfa;b\r\n'=1+1;x\r\n"; err != nil || b.String() != want {
		t.Errorf("%q, %v", b.String(), err)
	}
}

func TestSniffLeavesOtherFormatsAlone(t *testing.T) {
	for head, want := range map[string]bool{"a,b\n": true, "[id],name\n": true, `{"a":1}`: false, "[\n {\"a\"": false, "<?xml ?>": false, "PK\x03\x04": false} {
		if got := (csv.Format{}).Sniff([]byte(head)); got != want {
			t.Errorf("%q: %v", head, got)
		}
	}
	if !slices.Contains((csv.Format{}).Info().Suffixes, ".csv") {
		t.Error("no suffix")
	}
}

func FuzzCSV(f *testing.F) {
	for _, seed := range []string{"a,b\n1,2\n", "a;b\n\"x\"\"y\";2\r\n", "sep=|\na|b\n", "a\n\"b", "\xff\xfea\x00"} {
		f.Add([]byte(seed), uint8(0))
	}
	f.Fuzz(func(t *testing.T, doc []byte, kind uint8) {
		o := format.Options{"max_cell": "100"}
		if kind&1 != 0 {
			o["quotes"] = "lax"
		}
		if kind&2 != 0 {
			o["escape"] = "backslash"
		}
		if kind&4 != 0 {
			o["trim"] = "true"
		}
		formattest.ChunksAgree(t, csv.Format{}, doc, o)
	})
}
