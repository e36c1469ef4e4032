// Package formattest states the laws that every format keeps. A format's own test calls Run and adds what only it knows.
package formattest

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"headrace/internal/connect/format"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// Part is a format that reads and writes.
type Part interface {
	format.Format
	format.Writer
}

// Kind says what is particular to a format.
type Kind struct {
	Closed  bool  // the end of a document can be told, so that a truncated one is an error
	Large   int   // rows of the large document
	Memory  int64 // bytes that may be alive while the large document is read
	Spoiled []Spoiled
}

// Spoiled is a document in which exactly one row is spoiled.
type Spoiled struct {
	Name    string
	Doc     string
	Options format.Options
	Rows    int // all rows
	Bad     int // the spoiled one, from 0
	Code    string
	Line    int64
}

// Run checks the laws.
func Run(t *testing.T, f Part, k Kind) {
	s := suite{f, k}
	for _, law := range []struct {
		name  string
		check func(*testing.T)
	}{
		{"written rows read the same", s.roundTrip},
		{"the dialect found reads the same", s.dialect},
		{"chunks of reading change nothing", s.chunks},
		{"gzip of several members reads the same", s.gzip},
		{"nothing comes after the consumer stops", s.stop},
		{"a done context ends the reading", s.cancel},
		{"zero bytes are an error", s.zero},
		{"a header alone is one row without cells", s.headerOnly},
		{"a truncated source is an error", s.truncated},
		{"trouble of the source comes through", s.trouble},
		{"a spoiled row spoils itself only", s.spoiled},
		{"unknown options are refused by name", s.options},
		{"five thousand columns work", s.wide},
		{"random bytes never panic", s.random},
		{"memory is bounded", s.memory},
	} {
		t.Run(law.name, law.check)
	}
}

type suite struct {
	Part
	k Kind
}

// Row is what the laws compare.
type Row struct {
	Line    int64
	Columns string
	Cells   []record.Value
	Code    string
}

// Read reads a document and checks that its header only grows.
func Read(t *testing.T, f format.Format, r io.Reader, o format.Options) ([]Row, error) {
	t.Helper()
	var rows []Row
	var last *format.Header
	for row, err := range f.Rows(t.Context(), r, o) {
		if err != nil {
			return rows, err
		}
		if row.Header == nil {
			t.Fatalf("row %d has no header", len(rows))
		}
		if last != nil && row.Header != last && !(len(last.Columns) <= len(row.Header.Columns) && slices.Equal(last.Columns, row.Header.Columns[:len(last.Columns)])) {
			t.Fatalf("the header changed from %q to %q", last.Columns, row.Header.Columns)
		}
		last = row.Header
		if row.Cells == nil && row.Err == nil {
			continue
		}
		out := Row{Line: row.Line, Columns: strings.Join(row.Header.Columns, "|"), Cells: slices.Clone(row.Cells)}
		if row.Err != nil {
			out.Code = row.Err.Code
			if row.Err.Msg == "" || row.Err.Line == 0 {
				t.Errorf("row error without place or message: %+v", row.Err)
			}
		}
		rows = append(rows, out)
	}
	return rows, nil
}

var header = []string{"id", "first_name", "note", "code"}

// sample makes n rows with the texts that formats get wrong.
func sample(n int) iter.Seq2[[]record.Value, error] {
	notes := []string{"plain", `say "hi", now; or | never`, "two\nlines", "tab\there", " blanks ", "é ü 漢字 😀", `back\slash "q\"`, "<b>&amp;</b>", "'quoted'", "{\"a\":[1]}", "=1+1", "-"}
	return func(yield func([]record.Value, error) bool) {
		for i := range n {
			note := record.Text(notes[i%len(notes)])
			if i%7 == 5 {
				note = record.Null
			}
			row := []record.Value{record.Text(fmt.Sprint(i)), record.Text("name of " + fmt.Sprint(i*7919)), note, record.Text(fmt.Sprintf("%06d", i))}
			if !yield(row, nil) {
				return
			}
		}
	}
}

func (s suite) write(t *testing.T, header []string, rows iter.Seq2[[]record.Value, error], o format.Options) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := s.Write(t.Context(), &b, header, rows, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func (s suite) read(t *testing.T, doc []byte, o format.Options) []Row {
	t.Helper()
	rows, err := Read(t, s, bytes.NewReader(doc), o)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func (s suite) roundTrip(t *testing.T) {
	rows := s.read(t, s.write(t, header, sample(100), nil), nil)
	i := 0
	for want := range sample(100) {
		if i >= len(rows) {
			t.Fatalf("%d rows read", len(rows))
		}
		if rows[i].Code != "" || rows[i].Columns != strings.Join(header, "|") || !slices.Equal(rows[i].Cells, want) {
			t.Fatalf("row %d: %+v, want %+v", i, rows[i], want)
		}
		i++
	}
	if len(rows) != i {
		t.Fatalf("%d rows read, %d written", len(rows), i)
	}
}

func (s suite) dialect(t *testing.T) {
	doc := s.write(t, header, sample(100), nil)
	var found format.Options
	for row, err := range s.Rows(t.Context(), bytes.NewReader(doc), nil) {
		if err != nil {
			t.Fatal(err)
		}
		found = row.Header.Dialect
	}
	want := s.read(t, doc, nil)
	same(t, s.read(t, doc, found), want)
	again := s.read(t, s.write(t, header, sample(100), found), found)
	for i := range again {
		if !slices.Equal(again[i].Cells, want[i].Cells) {
			t.Fatalf("written in the dialect found, row %d is %+v, not %+v", i, again[i], want[i])
		}
	}
}

func same(t *testing.T, got, want []Row) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d rows, want %d", len(got), len(want))
	}
	for i := range got {
		if got[i].Line != want[i].Line || got[i].Columns != want[i].Columns || got[i].Code != want[i].Code || !slices.Equal(got[i].Cells, want[i].Cells) {
			t.Fatalf("row %d is %+v, want %+v", i, got[i], want[i])
		}
	}
}

func (s suite) chunks(t *testing.T) {
	docs := []Spoiled{{Doc: string(s.write(t, header, sample(300), nil))}}
	docs = append(docs, s.k.Spoiled...)
	for _, d := range docs {
		want := s.read(t, []byte(d.Doc), d.Options)
		for _, chunked := range []func(io.Reader) io.Reader{iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader} {
			got, err := Read(t, s, chunked(strings.NewReader(d.Doc)), d.Options)
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, want)
		}
	}
}

func pack(docs ...[]byte) []byte {
	var b bytes.Buffer
	for _, d := range docs {
		w := gzip.NewWriter(&b)
		w.Write(d)
		w.Close()
	}
	return b.Bytes()
}

func (s suite) gzip(t *testing.T) {
	doc := s.write(t, header, sample(300), nil)
	half := len(doc) / 2
	same(t, s.read(t, pack(doc[:half], doc[half:]), nil), s.read(t, doc, nil))
}

func (s suite) stop(t *testing.T) {
	doc := s.write(t, header, sample(50), nil)
	n := 0
	for _, err := range s.Rows(t.Context(), bytes.NewReader(doc), nil) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 3 {
			break // a yield after this panics
		}
	}
	if n != 3 {
		t.Fatalf("%d rows", n)
	}
}

func (s suite) cancel(t *testing.T) {
	doc := s.write(t, header, sample(5000), nil)
	for _, after := range []int{0, 10} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if after == 0 {
			cancel()
		}
		n := 0
		var last error
		for _, err := range s.Rows(ctx, bytes.NewReader(doc), nil) {
			if last = err; err == nil {
				n++
			}
			if n == after {
				cancel()
			}
		}
		if !errors.Is(last, context.Canceled) || n > after+2000 {
			t.Errorf("after %d rows: %d rows and error %v", after, n, last)
		}
	}
}

func invalid(t *testing.T, err error) {
	t.Helper()
	if fault.KindOf(err) != fault.Invalid || fault.HintOf(err) == "" {
		t.Errorf("error %v of kind %v with hint %q", err, fault.KindOf(err), fault.HintOf(err))
	}
}

func (s suite) zero(t *testing.T) {
	for _, doc := range [][]byte{nil, pack(nil)} {
		_, err := Read(t, s, bytes.NewReader(doc), nil)
		invalid(t, err)
	}
}

func (s suite) headerOnly(t *testing.T) {
	doc := s.write(t, header, sample(0), nil)
	n := 0
	for row, err := range s.Rows(t.Context(), bytes.NewReader(doc), nil) {
		if err != nil || row.Header == nil || row.Cells != nil {
			t.Fatalf("%+v, %v", row, err)
		}
		n++
	}
	if n != 1 {
		t.Errorf("%d rows", n)
	}
}

func (s suite) truncated(t *testing.T) {
	doc := s.write(t, header, sample(3000), nil)
	packed := pack(doc)
	cut := [][]byte{packed[:len(packed)*2/3]}
	if s.k.Closed {
		cut = append(cut, doc[:len(doc)*2/3], doc[:len(doc)/9])
	}
	for i, d := range cut {
		rows, err := Read(t, s, bytes.NewReader(d), nil)
		invalid(t, err)
		if len(rows) >= 3000 {
			t.Errorf("cut %d gave all rows", i)
		}
	}
}

func (s suite) trouble(t *testing.T) {
	boom := errors.New("the cable is out")
	doc := s.write(t, header, sample(3000), nil)
	for _, n := range []int{0, 10, len(doc) / 2} {
		_, err := Read(t, s, io.MultiReader(bytes.NewReader(doc[:n]), iotest.ErrReader(boom)), nil)
		if !errors.Is(err, boom) {
			t.Errorf("trouble after %d bytes came as %v", n, err)
		}
	}
}

func (s suite) spoiled(t *testing.T) {
	for _, d := range s.k.Spoiled {
		t.Run(d.Name, func(t *testing.T) {
			rows := s.read(t, []byte(d.Doc), d.Options)
			if len(rows) != d.Rows {
				t.Fatalf("%d rows, want %d: %+v", len(rows), d.Rows, rows)
			}
			for i, r := range rows {
				want := ""
				if i == d.Bad {
					want = d.Code
				}
				if r.Code != want || i == d.Bad && r.Line != d.Line {
					t.Errorf("row %d on line %d has code %q, want %q on line %d", i, r.Line, r.Code, want, d.Line)
				}
			}
		})
	}
}

func (s suite) options(t *testing.T) {
	doc := s.write(t, header, sample(3), nil)
	for _, name := range []string{"no_such_option", ""} {
		_, err := Read(t, s, bytes.NewReader(doc), format.Options{name: "1"})
		invalid(t, err)
	}
	for _, f := range s.Info().Options {
		if f.Name == "" || f.Label == "" || f.Type == "" || f.Help == "" {
			t.Errorf("option %+v is not described", f)
		}
		if f.Type == record.Boolean {
			_, err := Read(t, s, bytes.NewReader(doc), format.Options{f.Name: "perhaps"})
			invalid(t, err)
		}
	}
}

func (s suite) wide(t *testing.T) {
	const n = 5000
	names, row := make([]string, n), make([]record.Value, n)
	for i := range n {
		names[i], row[i] = fmt.Sprintf("column_of_data_%d", i), record.Text(fmt.Sprint(i))
	}
	doc := s.write(t, names, func(yield func([]record.Value, error) bool) {
		for range 20 {
			if !yield(row, nil) {
				return
			}
		}
	}, nil)
	rows := s.read(t, doc, nil)
	if len(rows) != 20 || !slices.Equal(rows[19].Cells, row) {
		t.Fatalf("%d rows", len(rows))
	}
}

func (s suite) random(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	doc := s.write(t, header, sample(20), nil)
	for range 100 {
		b := slices.Clone(doc)
		if rnd.IntN(3) == 0 {
			b = make([]byte, rnd.IntN(2000))
			for i := range b {
				b[i] = byte(rnd.Uint32())
			}
		}
		for range rnd.IntN(10) {
			if len(b) > 0 {
				b[rnd.IntN(len(b))] = byte(rnd.Uint32())
			}
		}
		Read(t, s, bytes.NewReader(b), nil)
	}
}

// memory reads a large document while it is written and watches how much more of the heap is alive than before.
func (s suite) memory(t *testing.T) {
	before := live()
	pr, pw := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := s.Write(t.Context(), pw, header, sample(s.k.Large), nil)
		done <- err
		pw.CloseWithError(err)
	}()
	n, size, most := 0, 0, int64(0)
	for row, err := range s.Rows(t.Context(), pr, nil) {
		if err != nil || row.Err != nil {
			t.Fatal(err, row)
		}
		for _, c := range row.Cells {
			size += len(c.Text) + 24
		}
		if n++; n%(s.k.Large/4) == 0 {
			most = max(most, live()-before)
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if n != s.k.Large || size < int(s.k.Memory)*3/2 {
		t.Errorf("%d rows of %d bytes, want %d and enough of them to notice when they are kept", n, size, s.k.Large)
	}
	if most > s.k.Memory {
		t.Errorf("%d bytes live while reading %d bytes, at most %d allowed", most, size, s.k.Memory)
	}
}

func live() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// ChunksAgree reads any bytes whole and byte by byte and checks that both give the same rows and an error alike. It is
// the body of the formats' fuzz targets.
func ChunksAgree(t *testing.T, f format.Format, doc []byte, o format.Options) {
	t.Helper()
	want, wantErr := Read(t, f, bytes.NewReader(doc), o)
	got, err := Read(t, f, iotest.OneByteReader(bytes.NewReader(doc)), o)
	same(t, got, want)
	if (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
		t.Fatalf("errors differ: %v and %v", err, wantErr)
	}
}
