package xml_test

import (
	"strings"
	"testing"

	"headrace/internal/connect/format"
	"headrace/internal/connect/format/formattest"
	"headrace/internal/connect/format/xml"
	"headrace/internal/core/fault"
)

func TestLaws(t *testing.T) {
	formattest.Run(t, xml.Format{}, formattest.Kind{
		Closed: true, Large: 20_000, Memory: 1 << 20,
		Spoiled: []formattest.Spoiled{
			{Name: "too long", Doc: "<w>\n<c><a>1</a></c>\n<c><a>12345678901234567890</a></c>\n<c><a>2</a></c></w>", Options: format.Options{"max_element": "20"}, Rows: 3, Bad: 1, Code: "cell_too_long", Line: 3},
		},
	})
}

// first reads the last header and the cells of all rows, cells parted by | and rows by /, null as ~.
func first(t *testing.T, doc string, o format.Options) (*format.Header, string) {
	t.Helper()
	h := &format.Header{}
	var rows []string
	for row, err := range (xml.Format{}).Rows(t.Context(), strings.NewReader(doc), o) {
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
		{"first that repeats", `<w><t>x</t><c n="1"/><c n="2"/><d n="3"/><d n="4"/></w>`, "", "1/2", "/w/c"},
		{"deeper", `<rss><channel><title>t</title><item><a>1</a></item><item><a>2</a></item></channel></rss>`, "", "1/2", "/rss/channel/item"},
		{"root is the row", `<p><n>1</n><a>2</a></p>`, "", "1|2", "/p"},
		{"one row", `<w><c><n>1</n><a>2</a></c></w>`, "", "1|2", "/w/c"},
		{"absolute", `<w><c n="1"/><d n="2"/></w>`, "/w/d", "2", "/w/d"},
		{"anywhere", `<w><x><c n="1"/></x><c n="2"/></w>`, "//c", "1/2", "//c"},
		{"any name", `<w><x><c n="1"/></x><y><c n="2"/></y></w>`, "/w/*/c", "1/2", "/w/*/c"},
		{"no rows in their parent", `<w></w>`, "/w/c", "", "/w/c"},
		{"empty root", `<w/>`, "", "", "/"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, rows := first(t, c.doc, format.Options{"path": c.path})
			if rows != c.rows || h.Dialect["path"] != c.found {
				t.Errorf("rows %s at %s; notes %q", rows, h.Dialect["path"], h.Notes)
			}
		})
	}
}

func TestElementsBecomeCells(t *testing.T) {
	for _, c := range []struct{ doc, columns, rows string }{
		{`<c id="1"><n>x</n></c><c id="2"><n>y</n></c>`, "id|n", "1|x/2|y"},
		{`<c id="1"><id>2</id></c><c/>`, "id|id_2", "1|2/~|~"},
		{`<c><id>2</id></c><c id="1"/>`, "id|@id", "2/~|1"},
		{`<c><p><q>1</q><r z="9">8</r></p></c><c/>`, "p/q|p/r/z|p/r", "1|9|8/~|~|~"},
		{`<c><t>a</t><t>&lt;b</t></c><c><t>x</t></c>`, "t", `["a","<b"]/x`},
		{`<c><t k="1">a</t><t><u>b</u></t></c><c/>`, "t", `[{"#text":"a","@k":"1"},{"u":"b"}]/~`},
		{`<c>own <b>1</b></c><c/>`, "b|c", "1|own/~|~"},
		{`<c><a> x </a><b></b></c><c/>`, "a|b", " x |/~|~"},
		{`<c><a><![CDATA[<&>]]>&amp;&#233;</a></c><c/>`, "a", "<&>&é/~"},
		{`<c xmlns:x="u" x:a="1"><x:b>2</x:b></c><c/>`, "a|b", "1|2/~|~"},
		{`<c><a xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"/><b>1</b></c><c/>`, "b", "1/~"},
	} {
		h, rows := first(t, "<w>"+c.doc+"</w>", nil)
		if got := strings.Join(h.Columns, "|"); got != c.columns || !strings.HasPrefix(rows, c.rows) {
			t.Errorf("%s: columns %s, rows %s", c.doc, got, rows)
		}
	}
}

func TestDeclaredCharsetIsRead(t *testing.T) {
	h, rows := first(t, "<?xml version=\"1.0\" encoding=\"ISO-8859-15\"?><w><c>\xe9\xa4</c><c>\xe8</c></w>", nil)
	if rows != "é€/è" || h.Dialect["charset"] != "iso-8859-15" {
		t.Errorf("%s, %v", rows, h)
	}
}

func TestFatalFaultsNameThePlace(t *testing.T) {
	bomb := `<!DOCTYPE l [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>` + "\n<w><c>&c;</c></w>"
	for _, c := range []struct {
		doc  string
		o    format.Options
		kind fault.Kind
		want string
	}{
		{"<w>\n<c>a & b</c></w>", nil, fault.Invalid, "line 2, column"},
		{"<w>\n<c>1</d></w>", nil, fault.Invalid, "line 2, column"},
		{bomb, nil, fault.Invalid, "line 2, column"},
		{`<!DOCTYPE w [<!ENTITY x SYSTEM "file:///etc/hostname">]>` + "\n<w><c>&x;</c></w>", nil, fault.Invalid, "line 2, column"},
		{"<w><c>1</c></w> and more", nil, fault.Invalid, "outside the root"},
		{"<w><c>1</c></w>", format.Options{"path": "/w/x/d"}, fault.Invalid, "leads to no rows"},
		{"<w><c>1</c></w>", format.Options{"path": "/w/c[1]"}, fault.Invalid, "path"},
		{"<w>" + strings.Repeat("<a>", 300) + "</w>", nil, fault.Limit, "nested deeper"},
		{"<w><c>" + strings.Repeat("x", 1<<20) + "</c><c/></w>", format.Options{"max_element": "100KB"}, fault.Limit, "longer than"},
	} {
		var last error
		for _, err := range (xml.Format{}).Rows(t.Context(), strings.NewReader(c.doc), c.o) {
			last = err
		}
		if fault.KindOf(last) != c.kind || fault.HintOf(last) == "" || !strings.Contains(last.Error(), c.want) {
			t.Errorf("%.60q: %v", c.doc, last)
		}
	}
}

func FuzzXML(f *testing.F) {
	for _, seed := range []string{`<w><c id="1"><a>x</a><a>y</a></c><c/></w>`, `<?xml version="1.0" encoding="latin1"?><a/>`, `<w><c>&lt;</c><c><![CDATA[x]]></c></w>`, `<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`} {
		f.Add([]byte(seed), "")
		f.Add([]byte(seed), "//c")
	}
	f.Fuzz(func(t *testing.T, doc []byte, path string) {
		formattest.ChunksAgree(t, xml.Format{}, doc, format.Options{"path": path, "max_element": "1000", "max_depth": "8"})
	})
}
