package format_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"headrace/internal/connect/format"
	"headrace/internal/connect/format/csv"
	"headrace/internal/connect/format/json"
	"headrace/internal/connect/format/xlsx"
	"headrace/internal/connect/format/xml"
	"headrace/internal/core/fault"
)

var formats = []format.Format{xlsx.Format{}, json.Format{}, xml.Format{}, csv.Format{}}

func pack(doc string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	io.WriteString(w, doc)
	w.Close()
	return b.String()
}

func TestDetectTrustsContentBeforeTheName(t *testing.T) {
	for _, c := range []struct{ name, head, want string }{
		{"a.csv", "a,b\n1,2\n", "csv"},
		{"a.csv", "[id],name\n1,2\n", "csv"},
		{"a.csv", `[{"a":1}]`, "json"},
		{"a.csv", "<?xml version=\"1.0\"?><a/>", "xml"},
		{"a.csv", "PK\x03\x04....", "xlsx"},
		{"a.json", `{"a":`, "json"},
		{"a.xlsx", "a,b\n1,2\n", "csv"},
		{"a.xls", "<html><table>", "xml"},
		{"a.xls", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1....", "xlsx"},
		{"a.json.gz", pack(`{"a":1}`), "json"},
		{"-", pack("a;b\n"), "csv"},
		{"-", "\xef\xbb\xbf{\"a\":1}", "json"},
		{"-", "\xff\xfe<\x00a\x00/\x00>\x00", "xml"},
	} {
		f, err := format.Detect(c.name, []byte(c.head), formats)
		if err != nil || f.Info().Name != c.want {
			t.Errorf("%s %.20q: %v, %v", c.name, c.head, f, err)
		}
	}
	for _, head := range []string{"", "%PDF-1.7", "\x89PNG\r\n", "\x00\x01\x02\x03\x04"} {
		if _, err := format.Detect("a.bin", []byte(head), formats); fault.KindOf(err) != fault.Invalid || fault.HintOf(err) == "" {
			t.Errorf("%q: %v", head, err)
		}
	}
}

func TestEveryOptionIsDocumentedAsItIs(t *testing.T) {
	page, err := os.ReadFile("../../../docs/formats.md")
	if err != nil {
		t.Fatal(err)
	}
	for title, f := range map[string]format.Format{"Excel": formats[0], "JSON": formats[1], "XML": formats[2], "CSV": formats[3]} {
		_, section, _ := strings.Cut(string(page), "\n## "+title+"\n")
		section, _, _ = strings.Cut(section, "\n## ")
		for _, o := range f.Info().Options {
			line := fmt.Sprintf("| `%s` | %s | %s |", o.Name, o.Default, strings.ReplaceAll(o.Help, "|", `\|`))
			if !strings.Contains(section, line) {
				t.Errorf("section %s lacks\n%s", title, line)
			}
		}
	}
}

func TestGzipBombIsRefused(t *testing.T) {
	bomb := strings.Repeat(pack(strings.Repeat("\x00", 1<<20)), 66)
	for _, c := range []struct {
		o    format.Options
		kind fault.Kind
	}{{nil, fault.Limit}, {format.Options{"max_unpacked": "1MB"}, fault.Limit}} {
		r, err := format.Unpack(strings.NewReader(bomb), c.o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = io.Copy(io.Discard, r); fault.KindOf(err) != c.kind || fault.HintOf(err) == "" {
			t.Errorf("%v: %v", c.o, err)
		}
	}
}

func TestDamagedGzipIsInvalid(t *testing.T) {
	doc := []byte(pack(strings.Repeat("a,b\n1,2\n", 1000)))
	broken := bytes.Clone(doc)
	broken[len(broken)-6] ^= 1
	for _, d := range [][]byte{doc[:len(doc)-3], doc[:5], broken} {
		r, err := format.Unpack(bytes.NewReader(d), nil)
		if err == nil {
			_, err = io.Copy(io.Discard, r)
		}
		if fault.KindOf(err) != fault.Invalid || fault.HintOf(err) == "" {
			t.Errorf("%d bytes: %v", len(d), err)
		}
	}
}

func TestSizesHaveUnits(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "17": 17, "2KB": 2048, "3 mb": 3 << 20, "1GB": 1 << 30, "x": -1, "-1": -1, "": -1, "99999999TB": -1} {
		if got := (format.Options{"n": text}).Size("n", -1); got != want {
			t.Errorf("%q is %d", text, got)
		}
	}
}

func TestCharsetIsExplicitElseMarkedElseValidElseGuessed(t *testing.T) {
	for _, c := range []struct{ doc, charset, text, found string }{
		{"é", "", "é", "utf-8"},
		{"\xe9", "", "é", "windows-1252"},
		{"\xe9", "iso-8859-1", "é", "iso-8859-1"},
		{"\xef\xbb\xbf\xe9", "", "\xe9", "utf-8"},
		{"\xff\xfe\xe9\x00", "", "é", "utf-16le"},
		{"\xfe\xff\x00\xe9", "", "é", "utf-16be"},
		{"\xff\xfe\x00\x00\xe9\x00\x00\x00", "", "é", "utf-32le"},
		{"\x83\x65\x83\x58\x83\x67", "shift_jis", "テスト", "shift_jis"},
	} {
		in, err := format.OpenText(strings.NewReader(c.doc), format.Options{"charset": c.charset}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(in); string(text) != c.text || in.Charset != c.found || err != nil {
			t.Errorf("%q reads %q as %s, %v", c.doc, text, in.Charset, err)
		}
	}
	_, err := format.OpenText(strings.NewReader("a"), format.Options{"charset": "klingon"}, nil)
	if fault.KindOf(err) != fault.Invalid || fault.HintOf(err) == "" {
		t.Error(err)
	}
}
