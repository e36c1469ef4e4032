package json_test

import (
	"strings"
	"testing"

	"headrace/internal/connect/format"
	"headrace/internal/connect/format/formattest"
	"headrace/internal/connect/format/json"
	"headrace/internal/core/fault"
)

func TestLaws(t *testing.T) {
	formattest.Run(t, json.Format{}, formattest.Kind{
		Closed: true, Large: 40_000, Memory: 2 << 20,
		Spoiled: []formattest.Spoiled{
			{Name: "bad number", Doc: "[{\"a\":1},\n{\"a\":01},\n{\"a\":2}]", Rows: 3, Bad: 1, Code: "row_malformed", Line: 2},
			{Name: "bad escape", Doc: "[{\"a\":1},\n{\"a\":\"\\q\"},\n{\"a\":2}]", Rows: 3, Bad: 1, Code: "row_malformed", Line: 2},
			{Name: "surplus comma", Doc: "[{\"a\":1},\n{\"a\":1,},\n{\"a\":2}]", Rows: 3, Bad: 1, Code: "row_malformed", Line: 2},
			{Name: "no object", Doc: "[{\"a\":1},\n7,\n{\"a\":2}]", Rows: 3, Bad: 1, Code: "row_malformed", Line: 2},
			{Name: "bad byte", Doc: "[{\"a\":\"é\"},\n{\"a\":\"\xff\"},\n{\"a\":\"é\"}]", Rows: 3, Bad: 1, Code: "invalid_utf8", Line: 2},
			{Name: "open object on a line", Doc: "{\"a\":1}\n{\"a\":2,\n{\"a\":3}\n{\"a\":4}\n", Rows: 4, Bad: 1, Code: "row_malformed", Line: 2},
			{Name: "open text on a line", Doc: "{\"a\":1}\n{\"a\":\"2}\n{\"a\":3}\n{\"a\":4}\n", Rows: 4, Bad: 1, Code: "row_malformed", Line: 2},
			{Name: "too deep", Doc: "[{\"a\":1},\n{\"a\":[[[1]]]},\n{\"a\":2}]", Options: format.Options{"max_depth": "3"}, Rows: 3, Bad: 1, Code: "row_malformed", Line: 2},
			{Name: "too long", Doc: "[{\"a\":1},\n{\"a\":\"1234567890\"},\n{\"a\":2}]", Options: format.Options{"max_element": "12"}, Rows: 3, Bad: 1, Code: "cell_too_long", Line: 2},
		},
	})
}

// first reads the last header and the cells of all rows, cells parted by | and rows by /, null as ~.
func first(t *testing.T, doc string, o format.Options) (*format.Header, string) {
	t.Helper()
	h := &format.Header{}
	var rows []string
	for row, err := range (json.Format{}).Rows(t.Context(), strings.NewReader(doc), o) {
		if err != nil {
			t.Fatalf("%q: %v", doc, err)
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

func TestRowsAreFoundAtThePath(t *testing.T) {
	for _, c := range []struct{ name, doc, path, rows, found string }{
		{"root array", `[{"x":1},{"x":2}]`, "", "1/2", "/"},
		{"root array named", `[{"x":1}]`, "//", "1", "/"},
		{"first array of objects", `{"n":[1],"result":[{"x":1},{"x":2}],"other":[{"x":3}]}`, "", "1/2", "/result"},
		{"least deep array", `{"meta":{"links":[{"x":9}]},"result":[{"x":1}]}`, "", "1", "/result"},
		{"single object", `{"x":1}`, "", "1", "/"},
		{"lines", "{\"x\":1}\n{\"x\":2}\n", "", "1/2", "/"},
		{"concatenated", `{"x":1}{"x":2}`, "", "1/2", "/"},
		{"array name once", `{"a":[{"x":1}]}`, "/a", "1", "/a"},
		{"array name twice", `{"a":[{"x":1}]}`, "/a/a", "1", "/a/a"},
		{"object of the same name", `{"a":{"a":[{"x":1}]}}`, "/a/a", "1", "/a/a"},
		{"arrays in arrays", `{"p":[{"d":[{"x":1}]},{"d":[{"x":2}]}]}`, "/p/p/d/d", "1/2", "/p/p/d/d"},
		{"JSONPath", `{"result":[{"x":1}]}`, "$.result[*]", "1", "/result"},
		{"repeated keys", `{"p":{"q":{"x":1},"q":{"x":2}}}`, "/p/q", "1/2", "/p/q"},
		{"pages", `{"r":[{"x":1}]} {"r":[{"x":2}]}`, "/r", "1/2", "/r"},
		{"slash in a key", `{"a/b":[{"x":1}]}`, "/a~1b", "1", "/a~1b"},
		{"empty array", `{"r":[]}`, "/r", "", "/r"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, rows := first(t, c.doc, format.Options{"path": c.path})
			if rows != c.rows || h.Dialect["path"] != c.found {
				t.Errorf("rows %s at %s; notes %q", rows, h.Dialect["path"], h.Notes)
			}
		})
	}
}

func TestValuesBecomeCells(t *testing.T) {
	for _, c := range []struct {
		doc, columns, rows string
		o                  format.Options
	}{
		{`[{"n":10000000000000000000001.50,"e":1e400,"t":true,"f":false,"z":null,"s":""}]`, "n|e|t|f|z|s", "10000000000000000000001.50|1e400|true|false|~|", nil},
		{`[{"a":{"b":{"c":1},"d":2},"e":3}]`, "a.b.c|a.d|e", "1|2|3", nil},
		{`[{"a":{"b": {"c": 1} },"e":3}]`, "a|e", `{"b":{"c":1}}|3`, format.Options{"expand": "false"}},
		{`[{"a":[1, "x\n", {"b": null} ]}]`, "a", `[1,"x\n",{"b":null}]`, nil},
		{`[{"a":["\u00e9\u0041\/","\u0001\n\""]}]`, "a", `["éA/","\u0001\n\""]`, nil},
		{`[{"a":"\u00e9\ud83d\ude00\ud83d\n\/"}]`, "a", "é😀\uFFFD\n/", nil},
		{`[{"a":1},{"b":2},{"a":3,"c":4}]`, "a|b|c", "1/~|2/3|~|4", nil},
		{`[{"a":1,"a":2}]`, "a", "2", nil},
		{`[{"a.b":1,"a":{"b":2}}]`, "a.b|a.b_2", "1|2", nil},
		{`[{"a":1},{"a":{"b":2}}]`, "a|a.b", "1/~|2", nil},
		{`[{"":1}]`, "column_1", "1", nil},
	} {
		h, rows := first(t, c.doc, c.o)
		if got := strings.Join(h.Columns, "|"); got != c.columns || rows != c.rows {
			t.Errorf("%s: columns %s, rows %s", c.doc, got, rows)
		}
	}
}

func TestFatalFaultsNameThePlace(t *testing.T) {
	for _, c := range []struct {
		doc, path, want string
	}{
		{"[{\"a\":1}\n {\"a\":2}]", "", "line 2, column 2"},
		{"[{\"a\":1},\n", "", "ends early"},
		{"[1,2]", "", "not objects"},
		{`{"a":[{"x":1}]}`, "/b", "leads to no rows"},
	} {
		var last error
		for _, err := range (json.Format{}).Rows(t.Context(), strings.NewReader(c.doc), format.Options{"path": c.path}) {
			last = err
		}
		if fault.KindOf(last) != fault.Invalid || fault.HintOf(last) == "" || !strings.Contains(last.Error(), c.want) {
			t.Errorf("%q: %v", c.doc, last)
		}
	}
}

func TestRepeatedKeysAreNoted(t *testing.T) {
	h, _ := first(t, `[{"a":1},{"a":1,"a":2}]`, nil)
	if len(h.Notes) != 1 || !strings.Contains(h.Notes[0], "key a occurs twice") {
		t.Errorf("notes %q", h.Notes)
	}
}

func FuzzJSON(f *testing.F) {
	for _, seed := range []string{`[{"a":1,"b":{"c":[1,{"d":"\u00e9"}]}}]`, "{\"a\":1}\n{\"a\":\n{\"b\":2}", `{"r":[{"x":1}]}`, `{"p":[{"d":[{"x":1}]}]}`} {
		f.Add([]byte(seed), "")
		f.Add([]byte(seed), "/p/d")
	}
	f.Fuzz(func(t *testing.T, doc []byte, path string) {
		formattest.ChunksAgree(t, json.Format{}, doc, format.Options{"path": path, "max_element": "100", "max_depth": "5"})
	})
}
