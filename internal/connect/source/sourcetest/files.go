package sourcetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"path"
	"slices"
	"strings"
	"testing"

	"headrace/internal/connect/format"
	"headrace/internal/connect/source"
	"headrace/internal/core/fault"
)

// Store is a place of files as the suite needs it. Paths given to its functions start at a folder that is empty at first.
type Store struct {
	Kind    source.Kind
	Server  string                                    // host:port of its server; "" when there is none
	Address func(server, path string) source.Address  // of a file or a pattern, by way of a server
	Path    func(path string) string                  // as the place has it
	Write   func(t testing.TB, path string, b []byte) // past the source
	Read    func(t testing.TB, path string) ([]byte, bool)
	Single  bool // an address means one file: there are no listings and no patterns
	Wrong   []Wrong
	Secrets []string // that no message may show
}

// Wrong is an address with something wrong, found out at its first use or before.
type Wrong struct {
	Name    string
	Address source.Address
	Kind    fault.Kind
	Says    string // is part of the message
}

// Files checks the laws of a place of files.
func Files(t *testing.T, st Store) {
	s := files{st}
	for _, law := range []struct {
		name  string
		check func(*testing.T)
		when  bool
	}{
		{"a pattern takes whole files of its folder only", s.pattern, !s.Single},
		{"ten thousand files are listed", s.many, !s.Single},
		{"a file is the same from any byte on", s.offsets, true},
		{"a file that is not there is not found", s.missing, true},
		{"a file that has changed since it was listed is a conflict", s.changed, true},
		{"a done context ends the reading", s.cancel, true},
		{"memory is bounded", s.memory, true},
		{"unknown options are refused by name", s.options, true},
		{"what is wrong is said, with a hint and without secrets", s.wrong, true},
		{"a file is put whole", s.put, true},
		{"nobody sees half of a file that is put", s.half, true},
		{"a file that cannot be read to its end is not put", s.failing, true},
		{"a file is moved and none is written over", s.move, true},
		{"a reading cut at any byte goes on from there", s.cut, s.Server != ""},
		{"a putting cut at any byte leaves no half", s.cutPut, s.Server != ""},
		{"a port where nobody listens is unavailable", s.refused, s.Server != ""},
	} {
		if law.when {
			t.Run(law.name, law.check)
		}
	}
}

type files struct{ Store }

func (s files) open(t testing.TB, server, at string) source.Files {
	t.Helper()
	return s.openAt(t, s.Address(server, at))
}

func (s files) openAt(t testing.TB, a source.Address) source.Files {
	t.Helper()
	f, err := s.Kind.Files(a)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// one lists the one file that is meant.
func (s files) one(t testing.TB, f source.Files) source.File {
	t.Helper()
	all, err := f.List(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatalf("%d files, want one: %v", len(all), err)
	}
	return all[0]
}

func read(ctx context.Context, f source.Files, file source.File, from int64) ([]byte, error) {
	r, err := f.Open(ctx, file, from)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r)
	return b, errors.Join(err, r.Close())
}

// content is bytes that differ everywhere and are the same at each run.
func content(seed byte, n int) []byte {
	b := make([]byte, n)
	if _, err := rand.NewChaCha8([32]byte{seed}).Read(b); err != nil {
		panic(err) // it never does
	}
	return b
}

func (s files) pattern(t *testing.T) {
	for _, name := range []string{"a.csv", "b.csv", "B.CSV", "feed_20260102.csv", "c.txt", "half.csv.part", "half.csv.tmp", "half.csv.partial",
		"half.csv.filepart", ".hidden.csv", "with space.csv", "deep/d.csv", "Ünïcode.csv"} {
		s.Write(t, "list/"+name, []byte(name))
	}
	for pattern, want := range map[string][]string{
		"*.csv":             {"a.csv", "b.csv", "feed_20260102.csv", "with space.csv", "Ünïcode.csv"},
		"feed_????????.csv": {"feed_20260102.csv"},
		"[ab].csv":          {"a.csv", "b.csv"},
		"*":                 {"B.CSV", "a.csv", "b.csv", "c.txt", "feed_20260102.csv", "with space.csv", "Ünïcode.csv"},
		"":                  {"B.CSV", "a.csv", "b.csv", "c.txt", "feed_20260102.csv", "with space.csv", "Ünïcode.csv"},
		"*.xml":             nil,
		"with space.csv":    {"with space.csv"},
		"half.csv.part":     {"half.csv.part"},
	} {
		all, err := s.open(t, s.Server, "list/"+pattern).List(t.Context())
		if err != nil {
			t.Errorf("%q: %v", pattern, err)
		}
		var got []string
		for _, f := range all {
			got = append(got, path.Base(f.Path))
			if f.Path != s.Path("list/"+path.Base(f.Path)) || f.Size != int64(len(path.Base(f.Path))) || f.Modified.IsZero() {
				t.Errorf("%q: %+v", pattern, f)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%q gives %q, want %q", pattern, got, want)
		}
	}
	if all, err := s.open(t, s.Server, "list").List(t.Context()); err != nil || len(all) != 7 {
		t.Errorf("the folder itself: %d files, %v", len(all), err)
	}
	for _, bad := range []string{"list/[.csv", "l*st/a.csv"} {
		if _, err := s.Kind.Files(s.Address(s.Server, bad)); fault.KindOf(err) != fault.Invalid || fault.HintOf(err) == "" {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func (s files) many(t *testing.T) {
	const n = 10_000
	for i := range n {
		s.Write(t, fmt.Sprintf("many/%05d.csv", i), nil)
	}
	all, err := s.open(t, s.Server, "many/*.csv").List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, f := range all {
		seen[f.Path] = true
	}
	if len(all) != n || len(seen) != n {
		t.Errorf("%d files, %d different ones, want %d", len(all), len(seen), n)
	}
}

func (s files) offsets(t *testing.T) {
	for _, size := range []int{0, 1, 300_007} {
		at := fmt.Sprintf("from/%d.bin", size)
		want := content(1, size)
		s.Write(t, at, want)
		f := s.open(t, s.Server, at)
		file := s.one(t, f)
		if file.Size != int64(size) {
			t.Errorf("%s has %d bytes", at, file.Size)
		}
		for _, from := range []int{0, 1, size / 2, size - 1, size} {
			if from < 0 || from > size {
				continue
			}
			got, err := read(t.Context(), f, file, int64(from))
			if err != nil || !bytes.Equal(got, want[from:]) {
				t.Errorf("%s from %d on: %d bytes, want %d: %v", at, from, len(got), size-from, err)
			}
		}
	}
}

func (s files) missing(t *testing.T) {
	for _, at := range []string{"gone/a.csv", "no-such-folder/deep/a.csv"} {
		s.Write(t, "gone/other.csv", nil)
		_, err := s.open(t, s.Server, at).List(t.Context())
		if fault.KindOf(err) != fault.NotFound || fault.HintOf(err) == "" || !strings.Contains(err.Error(), path.Base(at)) {
			t.Errorf("%s: kind %v, hint %q: %v", at, fault.KindOf(err), fault.HintOf(err), err)
		}
	}
	f := s.open(t, s.Server, "gone/other.csv")
	file := s.one(t, f)
	file.Path = s.Path("gone/listed-before.csv")
	if s.Single {
		return
	}
	if _, err := read(t.Context(), f, file, 0); fault.KindOf(err) != fault.NotFound {
		t.Errorf("opening: %v", err)
	}
}

func (s files) changed(t *testing.T) {
	s.Write(t, "changed/a.csv", content(2, 5000))
	f := s.open(t, s.Server, "changed/a.csv")
	file := s.one(t, f)
	others := [][]byte{content(3, 4000), content(4, 6000)}
	if file.Version != "" {
		others = append(others, content(5, 5000))
	}
	for _, other := range others {
		s.Write(t, "changed/a.csv", other)
		for _, from := range []int64{0, 10, 4999, 5000} {
			if _, err := read(t.Context(), f, file, from); fault.KindOf(err) != fault.Conflict || fault.HintOf(err) == "" {
				t.Errorf("%d bytes now, from %d: %v", len(other), from, err)
			}
		}
	}
}

func (s files) cancel(t *testing.T) {
	s.Write(t, "cancel/a.bin", content(6, 4<<20))
	f := s.open(t, s.Server, "cancel/a.bin")
	file := s.one(t, f)
	ctx, cancel := context.WithCancel(t.Context())
	r, err := f.Open(ctx, file, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	cancel()
	n, err := io.Copy(io.Discard, r)
	if fault.KindOf(err) != fault.Canceled && n+10 != file.Size {
		t.Errorf("after %d bytes: %v", n, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.open(t, s.Server, "cancel/a.bin").List(ctx); fault.KindOf(err) != fault.Canceled {
		t.Errorf("a context that is done before: %v", err)
	}
	if got, err := read(t.Context(), f, file, file.Size-10); err != nil || len(got) != 10 {
		t.Errorf("the place is of no use any more: %d bytes, %v", len(got), err)
	}
}

func (s files) memory(t *testing.T) {
	const size, most, step = 16 << 20, 6 << 20, 4 << 20
	s.Write(t, "large/a.bin", content(7, size))
	f := s.open(t, s.Server, "large/a.bin")
	file := s.one(t, f)
	r, err := f.Open(t.Context(), file, 0)
	if err != nil {
		t.Fatal(err)
	}
	before, highest := live(), int64(0)
	for range size / step {
		if _, err := io.CopyN(io.Discard, r, step); err != nil {
			t.Fatal(err)
		}
		highest = max(highest, live()-before)
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("at the end: %d bytes, %v", n, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if highest > most {
		t.Errorf("%d bytes live while reading %d, at most %d allowed", highest, size, most)
	}
}

func (s files) options(t *testing.T) {
	a := s.Address(s.Server, "a.csv")
	a.Options = format.Options{"colour": "red"}
	if _, err := s.Kind.Files(a); fault.KindOf(err) != fault.Invalid || !strings.Contains(fmt.Sprint(err), "colour") || fault.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
}

func (s files) wrong(t *testing.T) {
	for _, w := range s.Wrong {
		f, err := s.Kind.Files(w.Address)
		if err == nil {
			_, err = f.List(t.Context())
			if closing := f.Close(); closing != nil {
				t.Errorf("%s: %v", w.Name, closing)
			}
		}
		if fault.KindOf(err) != w.Kind || fault.HintOf(err) == "" || !strings.Contains(fmt.Sprint(err, fault.HintOf(err)), w.Says) {
			t.Errorf("%s: kind %v, want %v; hint %q; %v", w.Name, fault.KindOf(err), w.Kind, fault.HintOf(err), err)
		}
		for _, secret := range append(s.Secrets, w.Address.Secret.Password, w.Address.Secret.Phrase, w.Address.Secret.Key) {
			if secret != "" {
				keepsSecret(t, err, secret)
			}
		}
	}
}

// putter gives the place as one where files can be left.
func (s files) putter(t *testing.T, server, at string) source.Putter {
	t.Helper()
	p, ok := s.open(t, server, at).(source.Putter)
	if !ok {
		t.Fatal("files cannot be left here")
	}
	return p
}

func (s files) put(t *testing.T) {
	p := s.putter(t, s.Server, "put/deep/a.csv")
	to := s.Path("put/deep/a.csv")
	for _, c := range []struct {
		body    []byte
		replace bool
		kind    fault.Kind
		holds   []byte
	}{
		{content(8, 100_000), false, 0, content(8, 100_000)},
		{content(9, 10), false, fault.Conflict, content(8, 100_000)},
		{content(9, 10), true, 0, content(9, 10)},
		{nil, true, 0, []byte{}},
	} {
		err := p.Put(t.Context(), to, io.MultiReader(bytes.NewReader(c.body)), c.replace)
		if (err != nil) != (c.kind != 0) || err != nil && (fault.KindOf(err) != c.kind || fault.HintOf(err) == "") {
			t.Errorf("%d bytes, replace %v: %v", len(c.body), c.replace, err)
		}
		if got, ok := s.Read(t, "put/deep/a.csv"); !ok || !bytes.Equal(got, c.holds) {
			t.Errorf("%d bytes, replace %v: it holds %d bytes", len(c.body), c.replace, len(got))
		}
	}
	if err := p.Put(t.Context(), s.Path("put/deep/new.csv"), bytes.NewReader(content(8, 10)), true); err != nil {
		t.Errorf("replacing nothing: %v", err)
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Put(done, s.Path("put/deep/never.csv"), bytes.NewReader([]byte("x")), false); fault.KindOf(err) != fault.Canceled {
		t.Errorf("a context that is done before: %v", err)
	}
	if _, ok := s.Read(t, "put/deep/never.csv"); ok {
		t.Error("it was put all the same")
	}
}

// hooked calls a function once when so many bytes were read.
type hooked struct {
	r    io.Reader
	left int
	call func() error
}

func (h *hooked) Read(p []byte) (int, error) {
	if h.left <= 0 && h.call != nil {
		call := h.call
		h.call = nil
		if err := call(); err != nil {
			return 0, err
		}
	}
	if h.left > 0 && len(p) > h.left {
		p = p[:h.left]
	}
	n, err := h.r.Read(p)
	h.left -= n
	return n, err
}

func (s files) half(t *testing.T) {
	old, body := content(10, 1000), content(11, 600_000)
	s.Write(t, "half/old.csv", old)
	for _, name := range []string{"new.csv", "old.csv"} {
		looked := false
		look := func() error {
			looked = true
			got, ok := s.Read(t, "half/"+name)
			if ok != (name == "old.csv") || ok && !bytes.Equal(got, old) {
				t.Errorf("%s has %d bytes in the middle of the putting", name, len(got))
			}
			s.seen(t, name)
			return nil
		}
		p := s.putter(t, s.Server, "half/"+name)
		if err := p.Put(t.Context(), s.Path("half/"+name), &hooked{bytes.NewReader(body), len(body) / 2, look}, true); err != nil || !looked {
			t.Errorf("%s: %v", name, err)
		}
		if got, _ := s.Read(t, "half/"+name); !bytes.Equal(got, body) {
			t.Errorf("%s has %d bytes, want %d", name, len(got), len(body))
		}
	}
}

// seen checks what a listing shows while a file is put.
func (s files) seen(t *testing.T, name string) {
	t.Helper()
	if s.Single {
		return
	}
	want := 1 // the old file, and the new one when its turn is over
	if name == "old.csv" {
		want = 2
	}
	if all, err := s.open(t, s.Server, "half/*").List(t.Context()); err != nil || len(all) != want {
		t.Errorf("%d files are seen in the middle of the putting, want %d: %v", len(all), want, err)
	}
}

func (s files) failing(t *testing.T) {
	for _, bad := range []error{fault.New(fault.Limit, "the rows are too many"), io.ErrUnexpectedEOF} {
		p := s.putter(t, s.Server, "failing/a.csv")
		r := &hooked{bytes.NewReader(content(12, 200_000)), 100_000, func() error { return bad }}
		if err := p.Put(t.Context(), s.Path("failing/a.csv"), r, false); !errors.Is(err, bad) {
			t.Errorf("%v, want %v", err, bad)
		}
		if got, ok := s.Read(t, "failing/a.csv"); ok {
			t.Errorf("%d bytes are there", len(got))
		}
	}
}

func (s files) move(t *testing.T) {
	m, ok := s.open(t, s.Server, "move/a.csv").(source.Mover)
	if !ok {
		if s.Single {
			return
		}
		t.Fatal("files cannot be moved")
	}
	s.Write(t, "move/a.csv", []byte("first"))
	f := s.open(t, s.Server, "move/*.csv")
	file := s.one(t, f)
	to := s.Path("move/done/a.csv")
	for range 2 { // the second time is after a lost answer
		if err := m.Move(t.Context(), file, to); err != nil {
			t.Fatal(err)
		}
		if _, ok := s.Read(t, "move/a.csv"); ok {
			t.Error("it is still where it was")
		}
		if got, ok := s.Read(t, "move/done/a.csv"); !ok || string(got) != "first" {
			t.Errorf("it arrived as %q", got)
		}
	}
	s.Write(t, "move/a.csv", []byte("second one"))
	second := s.one(t, f)
	for name, c := range map[string]struct {
		file source.File
		to   string
	}{"over another": {second, to}, "changed since": {file, s.Path("move/done/b.csv")}} {
		if err := m.Move(t.Context(), c.file, c.to); fault.KindOf(err) != fault.Conflict || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, _ := s.Read(t, "move/a.csv"); string(got) != "second one" {
		t.Errorf("it holds %q now", got)
	}
	if got, _ := s.Read(t, "move/done/a.csv"); string(got) != "first" {
		t.Errorf("the older one holds %q now", got)
	}
	gone := second
	gone.Path = s.Path("move/never.csv")
	if err := m.Move(t.Context(), gone, s.Path("move/done/never.csv")); fault.KindOf(err) != fault.NotFound {
		t.Errorf("none: %v", err)
	}
}

func (s files) cut(t *testing.T) {
	want := content(13, 300_000)
	s.Write(t, "cut/a.bin", want)
	proxy := NewProxy(t, s.Server)
	f := s.open(t, proxy.Addr, "cut/a.bin")
	file := s.one(t, f)
	proxy.Cut(-1, false)
	if got, err := read(t.Context(), f, file, 0); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	whole := proxy.Passed()
	for range Cuts() {
		after, reset, fresh := rand.Int64N(whole), rand.IntN(2) == 0, rand.IntN(3) == 0
		place := fmt.Sprintf("cut after %d of %d bytes (reset %v, fresh %v)", after, whole, reset, fresh)
		proxy.Cut(after, reset)
		if fresh { // the cut may hit the login
			f = s.open(t, proxy.Addr, "cut/a.bin")
		}
		got, err := read(t.Context(), f, file, 0)
		if err != nil && fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%s: kind %v: %v", place, fault.KindOf(err), err)
		}
		if err == nil && len(got) != len(want) {
			t.Errorf("%s: %d bytes and no error", place, len(got))
		}
		proxy.Cut(-1, false)
		rest, err := read(t.Context(), f, file, int64(len(got)))
		if err != nil || !bytes.Equal(append(got, rest...), want) {
			t.Errorf("%s: %d bytes, then %d: %v", place, len(got), len(rest), err)
		}
	}
}

func (s files) cutPut(t *testing.T) {
	body := content(14, 400_000)
	proxy := NewProxy(t, s.Server)
	for i := range Cuts() {
		at := fmt.Sprintf("cut-put/%d.bin", i)
		p := s.putter(t, proxy.Addr, at)
		broken := func() error { proxy.Break(); return nil }
		err := p.Put(t.Context(), s.Path(at), &hooked{bytes.NewReader(body), rand.IntN(len(body)), broken}, false)
		got, ok := s.Read(t, at)
		switch {
		case err == nil && !bytes.Equal(got, body):
			t.Errorf("%d bytes are there and no error", len(got))
		case err != nil && fault.KindOf(err) != fault.Unavailable:
			t.Errorf("kind %v: %v", fault.KindOf(err), err)
		case err != nil && ok && !bytes.Equal(got, body):
			t.Errorf("half of it is there, %d bytes: %v", len(got), err)
		}
	}
}

func (s files) refused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for _, server := range []string{addr, "no-such-host.invalid:4711"} {
		_, err = s.open(t, server, "a.csv").List(t.Context())
		if fault.KindOf(err) != fault.Unavailable || fault.HintOf(err) == "" {
			t.Errorf("%s: kind %v: %v", server, fault.KindOf(err), err)
		}
		for _, secret := range s.Secrets {
			keepsSecret(t, err, secret)
		}
	}
}
