package format

import (
	"bufio"
	"bytes"
	"io"
	"path"
	"slices"
	"strings"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// Sniffer is a format that can tell from the first bytes of a source, unpacked and decoded where it is text, whether
// they may be its own.
type Sniffer interface {
	Sniff(head []byte) bool
}

// Detect picks the format of a source by its name and its first bytes (some kilobytes; gzip is looked into). Content
// beats the name: the format the name suggests is taken when the content agrees, else the first whose Sniff does.
func Detect(name string, head []byte, formats []Format) (Format, error) {
	if len(head) == 0 {
		return nil, empty()
	}
	head = readable(head)
	named := byName(name, formats)
	if named != nil && sniff(named, head) {
		return named, nil
	}
	for _, f := range formats {
		if sniff(f, head) {
			return f, nil
		}
	}
	if kind := Binary(head); kind != "" {
		return nil, fault.New(fault.Invalid, "no format reads this source: it looks like %s", kind).WithHint("%s", binaryHint(kind))
	}
	if named != nil {
		return named, nil
	}
	return nil, fault.New(fault.Invalid, "the format of %q is not recognised", name).WithHint("name it: --format csv, json, xml or xlsx")
}

func sniff(f Format, head []byte) bool {
	s, ok := f.(Sniffer)
	return ok && s.Sniff(head)
}

// readable gives the unpacked and decoded beginning of head where it can, else head itself.
func readable(head []byte) []byte {
	br, err := Unpack(bytes.NewReader(head), nil)
	if err != nil {
		return head
	}
	b := make([]byte, 16<<10)
	n, _ := io.ReadFull(br, b)
	if n > 0 {
		head = b[:n]
	}
	if Binary(head) != "" && wide(head) == "" && head[0] < 0xef {
		return head
	}
	if in, err := OpenText(bufio.NewReader(bytes.NewReader(head)), nil, nil); err == nil {
		return in.Sample
	}
	return head
}

// byName finds the format whose suffix name bears, below the suffix of a compression.
func byName(name string, formats []Format) Format {
	name = strings.TrimSuffix(strings.ToLower(name), ".gz")
	suffix := path.Ext(name)
	for _, f := range formats {
		if slices.Contains(f.Info().Suffixes, suffix) {
			return f
		}
	}
	return nil
}

var magics = []struct{ magic, kind string }{
	{"PK\x03\x04", "a ZIP archive or an Office document"},
	{"PK\x05\x06", "an empty ZIP archive"},
	{"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook (.xls) or a protected Office document"},
	{"%PDF-", "a PDF document"},
	{"\x89PNG", "a PNG image"},
	{"\xff\xd8\xff", "a JPEG image"},
	{"GIF8", "a GIF image"},
	{"\x1f\x8b", "gzip inside gzip"},
	{"BZh", "bzip2"},
	{"\xfd7zXZ\x00", "xz"},
	{"\x28\xb5\x2f\xfd", "Zstandard"},
	{"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"},
	{"Rar!", "a RAR archive"},
	{"PAR1", "Parquet"},
	{"ARROW1", "Arrow"},
	{"Obj\x01", "Avro"},
	{"SQLite format 3\x00", "a SQLite database"},
	{"\x7fELF", "a program"},
	{"MZ\x90", "a program"},
	{"-----BEGIN PGP MESSAGE", "a PGP message"},
}

// Binary says what bytes look like that are no text, or "". Any zero byte counts, so UTF-16 must be ruled out first.
func Binary(head []byte) string {
	for _, m := range magics {
		if bytes.HasPrefix(head, []byte(m.magic)) {
			return m.kind
		}
	}
	strange := 0
	for _, c := range head {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\f' && c != 0x1a && c != 0x1c && c != 0x1d && c != 0x1e && c != 0x1f && c != 1 {
			strange++
		}
	}
	if strange*200 > len(head) {
		return "binary data"
	}
	return ""
}

func binaryHint(kind string) string {
	switch {
	case strings.Contains(kind, "ZIP"):
		return "an .xlsx workbook is read with --format xlsx; unpack other archives first"
	case strings.Contains(kind, "Excel"):
		return "save it as .xlsx or CSV"
	case strings.Contains(kind, "image"), strings.Contains(kind, "PDF"), strings.Contains(kind, "program"):
		return "export the data itself: CSV, JSON, XML or xlsx"
	}
	return "unpack or convert it first: CSV, JSON, XML, xlsx and gzip are read"
}

// Named finds a format by its name.
func Named(name string, formats []Format) (Format, error) {
	var names []string
	for _, f := range formats {
		if f.Info().Name == name {
			return f, nil
		}
		names = append(names, f.Info().Name)
	}
	bad := fault.New(fault.Invalid, "there is no format %q", name)
	if near := record.Nearest(name, names); near != "" {
		return nil, bad.WithHint("did you mean %q? The formats are %s", near, strings.Join(names, ", "))
	}
	return nil, bad.WithHint("the formats are %s", strings.Join(names, ", "))
}
