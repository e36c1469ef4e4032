package xlsx

import (
	"archive/zip"
	"bytes"
	"context"
	stdxml "encoding/xml"
	"errors"
	"io"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"

	"headrace/internal/connect/format"
	"headrace/internal/core/fault"
)

// ole begins old workbooks and protected new ones.
const ole = "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

// protectedMost bounds a protected workbook, which is opened in memory.
const protectedMost = 128 << 20

// book is an open workbook: its parts, and what its cells refer to.
type book struct {
	zip     *zip.Reader
	spool   *os.File
	sheets  []part
	date04  bool
	formats []numberFormat // by style
	strings texts
	most    int64 // bytes of shared texts
}

// part is a sheet and where it is in the archive.
type part struct{ name, file string }

// open spools r and reads the parts of the workbook that cells refer to.
func open(ctx context.Context, r io.Reader, o format.Options) (*book, error) {
	br, err := format.Unpack(r, format.Options{"max_unpacked": o["max_unpacked"]})
	if err != nil {
		return nil, err
	}
	head, err := br.Peek(512)
	if len(head) == 0 && err == io.EOF {
		return nil, fault.New(fault.Invalid, "the source is empty").WithHint("zero bytes are never a complete export: check how the file was made")
	}
	if err != nil && err != io.EOF {
		return nil, err
	}
	if err := refuse(head); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp("", "headrace-*.xlsx")
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "no temporary file for the workbook").WithHint("is the folder for temporary files full?")
	}
	b := &book{spool: f, most: o.Size("max_strings", 128<<20)}
	if err := b.load(ctx, br, o); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *book) close() {
	b.spool.Close()
	os.Remove(b.spool.Name())
}

// refuse says what to do with files that only look like workbooks.
func refuse(head []byte) error {
	switch text := strings.ToLower(strings.TrimSpace(string(head))); {
	case strings.HasPrefix(string(head), "PK"), strings.HasPrefix(string(head), ole):
		return nil
	case strings.HasPrefix(text, "<"):
		return fault.New(fault.Invalid, "the source is a web page or XML under the name of a workbook").WithHint("open it in a spreadsheet program and save it as .xlsx, or read it with --format xml")
	case format.Binary(head) != "":
		return fault.New(fault.Invalid, "the source is no workbook: it looks like %s", format.Binary(head)).WithHint("save it as .xlsx or CSV")
	}
	return fault.New(fault.Invalid, "the source is text, not a workbook").WithHint("read it with --format csv")
}

// contextReader makes a copy heed its context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

func (b *book) load(ctx context.Context, r io.Reader, o format.Options) error {
	size, err := io.Copy(b.spool, contextReader{ctx, r})
	if err != nil {
		return err
	}
	var at io.ReaderAt = b.spool
	if first := make([]byte, len(ole)); size >= 8 {
		if _, err := b.spool.ReadAt(first, 0); err != nil {
			return err
		}
		if string(first) == ole {
			if at, size, err = b.decrypt(size, o["password"]); err != nil {
				return err
			}
		}
	}
	if b.zip, err = zip.NewReader(at, size); err != nil {
		return fault.Wrap(fault.Invalid, err, "the workbook is damaged or truncated").WithHint("fetch it again, or open and save it in a spreadsheet program")
	}
	total, most := uint64(0), uint64(o.Size("max_unpacked", 4<<30))
	for _, f := range b.zip.File {
		total += f.UncompressedSize64
	}
	if total > most {
		return fault.New(fault.Limit, "the workbook unpacks to %d bytes", total).WithHint("raise max_unpacked if it is to be trusted, or save it as CSV")
	}
	return b.parts(ctx)
}

// decrypt opens a protected workbook, and refuses an old one.
func (b *book) decrypt(size int64, password string) (io.ReaderAt, int64, error) {
	if size > protectedMost {
		return nil, 0, fault.New(fault.Limit, "a protected or old workbook of %d bytes is too large", size).WithHint("save it as .xlsx without a password, or as CSV")
	}
	raw := make([]byte, size)
	if _, err := b.spool.ReadAt(raw, 0); err != nil {
		return nil, 0, err
	}
	if !bytes.Contains(raw, []byte("E\x00n\x00c\x00r\x00y\x00p\x00t\x00e\x00d\x00P\x00a\x00c\x00k\x00a\x00g\x00e\x00")) {
		return nil, 0, fault.New(fault.Invalid, "the source is an old workbook (.xls), which is not read").WithHint("open it in a spreadsheet program and save it as .xlsx")
	}
	if password == "" {
		return nil, 0, fault.New(fault.Denied, "the workbook is protected by a password").WithHint("give the option password")
	}
	plain, err := excelize.Decrypt(raw, &excelize.Options{Password: password})
	if err != nil || !bytes.HasPrefix(plain, []byte("PK")) {
		return nil, 0, fault.Wrap(fault.Denied, err, "the password does not open the workbook").WithHint("check the option password")
	}
	return bytes.NewReader(plain), int64(len(plain)), nil
}

func (b *book) file(name string) *zip.File {
	for _, f := range b.zip.File {
		if strings.EqualFold(strings.TrimPrefix(f.Name, "/"), name) {
			return f
		}
	}
	return nil
}

// unmarshal reads one small part whole. A part that is not there leaves v as it is.
func (b *book) unmarshal(name string, v any) error {
	f := b.file(name)
	if f == nil {
		return nil
	}
	r, err := f.Open()
	if err == nil {
		err = errors.Join(stdxml.NewDecoder(io.LimitReader(r, 64<<20)).Decode(v), r.Close())
	}
	return b.damaged(name, err)
}

func (b *book) damaged(name string, err error) error {
	var f *fault.Error
	if err == nil || errors.As(err, &f) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fault.Wrap(fault.Invalid, err, "the workbook is damaged in %s", name).WithHint("open and save it in a spreadsheet program")
}

// parts finds the sheets and reads styles and shared texts.
func (b *book) parts(ctx context.Context) error {
	var wb struct {
		Pr struct {
			Date1904 string `xml:"date1904,attr"`
		} `xml:"workbookPr"`
		Sheets []struct {
			Name string `xml:"name,attr"`
			ID   string `xml:"http://schemas.openxmlformats.org/officeDocument/2006/relationships id,attr"`
			Alt  string `xml:"http://purl.oclc.org/ooxml/officeDocument/relationships id,attr"`
		} `xml:"sheets>sheet"`
	}
	var rels struct {
		All []struct {
			ID     string `xml:"Id,attr"`
			Target string `xml:"Target,attr"`
		} `xml:"Relationship"`
	}
	if b.file("xl/workbook.xml") == nil {
		return b.notExcel()
	}
	if err := errors.Join(b.unmarshal("xl/workbook.xml", &wb), b.unmarshal("xl/_rels/workbook.xml.rels", &rels)); err != nil {
		return err
	}
	b.date04 = wb.Pr.Date1904 == "1" || wb.Pr.Date1904 == "true"
	for _, s := range wb.Sheets {
		for _, r := range rels.All {
			if r.ID != s.ID+s.Alt || r.ID == "" {
				continue
			}
			file := path.Join("xl", r.Target)
			if strings.HasPrefix(r.Target, "/") {
				file = strings.TrimPrefix(r.Target, "/")
			}
			b.sheets = append(b.sheets, part{name: s.Name, file: file})
		}
	}
	if err := b.styles(); err != nil {
		return err
	}
	return b.sharedStrings(ctx)
}

// notExcel says what an archive is that holds no workbook we read.
func (b *book) notExcel() error {
	hint := "save it as .xlsx; unpack other archives first"
	switch {
	case b.file("xl/workbook.bin") != nil:
		return fault.New(fault.Invalid, "the source is a binary workbook (.xlsb), which is not read").WithHint("%s", hint)
	case b.file("content.xml") != nil:
		return fault.New(fault.Invalid, "the source is an OpenDocument file (.ods), which is not read").WithHint("%s", hint)
	}
	return fault.New(fault.Invalid, "the source is a ZIP archive, but no workbook").WithHint("%s", hint)
}

// sheet opens the sheet of a name or number, the first one for "".
func (b *book) sheet(ctx context.Context, which string) (*sheet, string, error) {
	var all []string
	number, _ := strconv.Atoi(which)
	if which == "" {
		number = 1
	}
	at := -1
	for i, s := range b.sheets {
		all = append(all, s.name)
		if strings.EqualFold(s.name, which) || at < 0 && number == i+1 {
			at = i
		}
	}
	if at < 0 {
		return nil, "", fault.New(fault.Invalid, "the workbook has no sheet %q", which).WithHint("it has %s", strings.Join(all, ", "))
	}
	s := b.sheets[at]
	f := b.file(s.file)
	if f == nil {
		return nil, "", fault.New(fault.Invalid, "the workbook has no cells for sheet %q", s.name).WithHint("is it a chart? Name another sheet")
	}
	r, err := f.Open()
	if err != nil {
		return nil, "", b.damaged(s.file, err)
	}
	return &sheet{book: b, name: s.file, ctx: ctx, r: r, dec: stdxml.NewDecoder(r)}, s.name, nil
}
