// Package sourcetest states the laws that every source keeps. A source's own test calls Rows or Files and adds what only
// it knows.
package sourcetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"headrace/internal/connect/format"
	"headrace/internal/connect/source"
	"headrace/internal/core/fault"
)

// Place is a place of rows as the suite needs it.
type Place struct {
	Kind   source.Kind
	Server string                     // host:port of its server; "" when there is none, such as for a file
	URL    func(server string) string // the address, by way of a server; the argument is "" when there is none
	Secret source.Secret              // without which nobody comes in, when there is a server
	Sample format.Options             // what gives Count rows, whose first column counts from 1
	Count  int
	Empty  format.Options // what gives the same columns and no rows
	Large  format.Options // what gives LargeCount rows of a thousand bytes and more
	// LargeCount times a thousand bytes must be well above Memory, the bytes that may be alive while they are read.
	LargeCount int
	Memory     int64
	Marked     format.Options // what gives the sample with its first column as the watermark, and no overlap
}

// Rows checks the laws of a place of rows.
func Rows(t *testing.T, p Place) {
	s := rows{p}
	for _, law := range []struct {
		name  string
		check func(*testing.T)
		net   bool
	}{
		{"every row comes once and in a stable order", s.complete, false},
		{"a place without rows shows its columns", s.empty, false},
		{"nothing comes after the consumer stops", s.stop, false},
		{"a done context ends the reading", s.cancel, false},
		{"the mark is that of the highest row and is read from again", s.mark, false},
		{"memory is bounded", s.memory, false},
		{"unknown options are refused by name", s.options, false},
		{"a test of what is right finds nothing", s.right, false},
		{"a reading cut at any byte is no success", s.cut, true},
		{"who nobody knows comes not in, and the password stays secret", s.password, true},
		{"a port where nobody listens is unavailable", s.refused, true},
		{"a host that is not there is named", s.unknown, true},
	} {
		if law.net && p.Server == "" {
			continue
		}
		t.Run(law.name, law.check)
	}
}

type rows struct{ Place }

func (s rows) open(t testing.TB, server string, o format.Options) source.Rows {
	t.Helper()
	return s.openAs(t, server, o, s.Secret)
}

func (s rows) openAs(t testing.TB, server string, o format.Options, secret source.Secret) source.Rows {
	t.Helper()
	u, err := url.Parse(s.URL(server))
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Kind.Rows(source.Address{URL: u, Options: o, Secret: secret, Inside: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// Read reads everything of a place: the first header, and the rows with their cells joined by "|", null as <null>.
func Read(ctx context.Context, r source.Rows, since string) (lines []string, header *format.Header, high string, err error) {
	reading := r.Read(ctx, since)
	for row, err := range reading.Rows {
		if err != nil {
			return lines, header, "", err
		}
		header = row.Header
		if row.Cells == nil {
			continue
		}
		cells := make([]string, len(row.Cells))
		for i, c := range row.Cells {
			if cells[i] = c.Text; !c.Valid {
				cells[i] = "<null>"
			}
		}
		lines = append(lines, strings.Join(cells, "|"))
		if row.Line != int64(len(lines)) {
			return lines, header, "", fmt.Errorf("row %d says that it is %d", len(lines), row.Line)
		}
	}
	return lines, header, reading.High(), nil
}

func (s rows) complete(t *testing.T) {
	r := s.open(t, s.Server, s.Sample)
	first, header, _, err := Read(t.Context(), r, "")
	if err != nil {
		t.Fatal(err)
	}
	if len(first) != s.Count {
		t.Fatalf("%d rows, want %d", len(first), s.Count)
	}
	for i, line := range first {
		if id, _, _ := strings.Cut(line, "|"); id != fmt.Sprint(i+1) {
			t.Fatalf("row %d begins with %q", i+1, id)
		}
	}
	again, _, _, err := Read(t.Context(), r, "")
	if err != nil || !slices.Equal(first, again) {
		t.Errorf("a second reading differs: %v", err)
	}
	if len(header.Columns) < 2 {
		t.Errorf("columns %q", header.Columns)
	}
}

func (s rows) empty(t *testing.T) {
	sample := s.open(t, s.Server, s.Sample)
	_, want, _, err := Read(t.Context(), sample, "")
	if err != nil {
		t.Fatal(err)
	}
	lines, got, _, err := Read(t.Context(), s.open(t, s.Server, s.Empty), "")
	if err != nil || len(lines) != 0 {
		t.Fatal(lines, err)
	}
	if got == nil || !slices.Equal(got.Columns, want.Columns) {
		t.Errorf("%+v, want the columns %q", got, want.Columns)
	}
}

func (s rows) stop(t *testing.T) {
	n := 0
	for _, err := range s.open(t, s.Server, s.Large).Read(t.Context(), "").Rows {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 3 {
			break
		}
	}
	if n != 3 {
		t.Errorf("%d rows", n)
	}
}

func (s rows) cancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	n, last := 0, error(nil)
	for _, err := range s.open(t, s.Server, s.Large).Read(ctx, "").Rows {
		if last = err; err != nil {
			break
		}
		if n++; n == 3 {
			cancel()
		}
	}
	cancel()
	if fault.KindOf(last) != fault.Canceled || !errors.Is(last, context.Canceled) {
		t.Errorf("after %d rows: %v", n, last)
	}
	if n >= s.LargeCount {
		t.Error("it read to the end all the same")
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, _, err := Read(done, s.open(t, s.Server, s.Sample), ""); fault.KindOf(err) != fault.Canceled {
		t.Errorf("a context that is done before: %v", err)
	}
}

func (s rows) mark(t *testing.T) {
	r := s.open(t, s.Server, s.Marked)
	all, _, high, err := Read(t.Context(), r, "")
	if err != nil || len(all) != s.Count || high != fmt.Sprint(s.Count) {
		t.Fatalf("%d rows up to %q, want %d: %v", len(all), high, s.Count, err)
	}
	from := s.Count - 2
	some, _, high, err := Read(t.Context(), r, fmt.Sprint(from))
	if err != nil || !slices.Equal(some, all[from-1:]) || high != fmt.Sprint(s.Count) {
		t.Errorf("from %d on: %d rows up to %q: %v", from, len(some), high, err)
	}
	none, _, high, err := Read(t.Context(), r, fmt.Sprint(s.Count+10))
	if err != nil || len(none) != 0 || high != fmt.Sprint(s.Count+10) {
		t.Errorf("above all: %d rows up to %q: %v", len(none), high, err)
	}
}

func (s rows) memory(t *testing.T) {
	before, n, size, most := live(), 0, 0, int64(0)
	for row, err := range s.open(t, s.Server, s.Large).Read(t.Context(), "").Rows {
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range row.Cells {
			size += len(c.Text)
		}
		if n++; n%(s.LargeCount/4) == 0 {
			most = max(most, live()-before)
		}
	}
	if n != s.LargeCount || size < int(s.Memory)*3/2 {
		t.Errorf("%d rows of %d bytes, want %d and enough of them to notice when they are kept", n, size, s.LargeCount)
	}
	if most > s.Memory {
		t.Errorf("%d bytes live while reading %d bytes, at most %d allowed", most, size, s.Memory)
	}
}

func live() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func (s rows) options(t *testing.T) {
	u, err := url.Parse(s.URL(s.Server))
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Kind.Rows(source.Address{URL: u, Options: format.Options{"colour": "red"}})
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(fmt.Sprint(err), "colour") || fault.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
}

func (s rows) right(t *testing.T) {
	for _, o := range []format.Options{s.Sample, s.Empty, s.Marked} {
		if err := s.open(t, s.Server, o).Test(t.Context()); err != nil {
			t.Errorf("%v: %v", o, err)
		}
	}
}

// Cuts is how often a reading is cut.
func Cuts() int {
	if os.Getenv("HEADRACE_SOAK") != "" {
		return 200
	}
	return 10
}

func (s rows) cut(t *testing.T) {
	proxy := NewProxy(t, s.Server)
	r := s.open(t, proxy.Addr, s.Sample)
	if _, _, _, err := Read(t.Context(), r, ""); err != nil {
		t.Fatal(err)
	}
	whole := proxy.Passed()
	for range Cuts() {
		after, reset := rand.Int64N(whole), rand.IntN(2) == 0
		proxy.Cut(after, reset)
		lines, _, _, err := Read(t.Context(), r, "")
		switch {
		case err == nil && len(lines) != s.Count:
			t.Errorf("cut after %d of %d bytes: %d rows and no error", after, whole, len(lines))
		case err != nil && fault.KindOf(err) != fault.Unavailable:
			t.Errorf("cut after %d of %d bytes (reset %v): kind %v: %v", after, whole, reset, fault.KindOf(err), err)
		}
	}
	proxy.Cut(-1, false)
	if lines, _, _, err := Read(t.Context(), r, ""); err != nil || len(lines) != s.Count {
		t.Errorf("when the line holds again: %d rows, %v", len(lines), err)
	}
}

func (s rows) password(t *testing.T) {
	wrong := s.Secret
	wrong.Password = "wr@ng&s3cret"
	r := s.openAs(t, s.Server, s.Sample, wrong)
	for _, err := range []error{r.Test(t.Context()), readError(t.Context(), r)} {
		if fault.KindOf(err) != fault.Denied || fault.HintOf(err) == "" {
			t.Errorf("kind %v, hint %q: %v", fault.KindOf(err), fault.HintOf(err), err)
		}
		keepsSecret(t, err, wrong.Password)
	}
}

func readError(ctx context.Context, r source.Rows) error {
	_, _, _, err := Read(ctx, r, "")
	return err
}

func keepsSecret(t *testing.T, err error, password string) {
	t.Helper()
	for err != nil {
		text := err.Error() + fault.HintOf(err)
		if strings.Contains(text, password) || strings.Contains(text, url.QueryEscape(password)) {
			t.Errorf("the password shows: %s", text)
		}
		err = errors.Unwrap(err)
	}
}

func (s rows) refused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	err = s.open(t, addr, s.Sample).Test(t.Context())
	if fault.KindOf(err) != fault.Unavailable || fault.HintOf(err) == "" || !strings.Contains(err.Error(), addr) {
		t.Errorf("kind %v: %v", fault.KindOf(err), err)
	}
	keepsSecret(t, err, s.Secret.Password)
}

func (s rows) unknown(t *testing.T) {
	err := s.open(t, "no-such-host.invalid:4711", s.Sample).Test(t.Context())
	if k := fault.KindOf(err); k != fault.NotFound && k != fault.Unavailable || fault.HintOf(err) == "" || !strings.Contains(err.Error(), "no-such-host.invalid") {
		t.Errorf("kind %v: %v", k, err)
	}
	keepsSecret(t, err, s.Secret.Password)
}
