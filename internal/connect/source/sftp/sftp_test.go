package sftp_test

import (
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"headrace/internal/connect/format"
	"headrace/internal/connect/source"
	"headrace/internal/connect/source/sftp"
	"headrace/internal/connect/source/sourcetest"
	"headrace/internal/connect/source/sourcetest/sshd"
	"headrace/internal/core/fault"
)

// address is that of a file of a server, by way of another one where given.
func address(s *sshd.Server, by, path string) source.Address {
	u := &url.URL{Scheme: "sftp", User: url.User(s.User), Host: by, Path: s.Root + "/" + path}
	return source.Address{URL: u, Inside: true, Secret: source.Secret{Key: s.Key}, Options: format.Options{"host_key": s.Fingerprint}}
}

func TestTheLawsOfFiles(t *testing.T) {
	s := sshd.Start(t)
	in := func(path string) string { return s.Root + "/" + path }
	const password, phrase = "wr@ng&pass", "s3cret phrase"
	wrong := func(change func(*source.Address)) source.Address {
		a := address(s, s.Addr, "*.csv")
		change(&a)
		return a
	}
	sourcetest.Files(t, sourcetest.Store{
		Kind: sftp.Kind(), Server: s.Addr, Path: in, Secrets: []string{s.Key, password, phrase},
		Address: func(server, path string) source.Address { return address(s, server, path) },
		Write:   func(t testing.TB, path string, b []byte) { write(t, in(path), b) },
		Read:    func(t testing.TB, path string) ([]byte, bool) { return content(t, in(path)) },
		Wrong: []sourcetest.Wrong{
			{Name: "key", Kind: fault.Denied, Says: s.User, Address: wrong(func(a *source.Address) { a.Secret.Key = sshd.NewKey(t, "") })},
			{Name: "password", Kind: fault.Denied, Says: s.User, Address: wrong(func(a *source.Address) { a.Secret = source.Secret{Password: password} })},
			{Name: "no secret", Kind: fault.Denied, Says: "without", Address: wrong(func(a *source.Address) { a.Secret = source.Secret{} })},
			{Name: "user", Kind: fault.Denied, Says: "no-such-user", Address: wrong(func(a *source.Address) { a.Secret.User = "no-such-user" })},
			{Name: "phrase", Kind: fault.Denied, Says: "phrase", Address: wrong(func(a *source.Address) { a.Secret = source.Secret{Key: sshd.NewKey(t, "another"), Phrase: phrase} })},
			{Name: "no phrase", Kind: fault.Invalid, Says: "phrase", Address: wrong(func(a *source.Address) { a.Secret.Key = sshd.NewKey(t, phrase) })},
			{Name: "spoiled key", Kind: fault.Invalid, Says: "key", Address: wrong(func(a *source.Address) { a.Secret.Key = s.Key[:100] })},
			{Name: "unknown host key", Kind: fault.Denied, Says: s.Fingerprint, Address: wrong(func(a *source.Address) { a.Options = nil })},
			{Name: "changed host key", Kind: fault.Denied, Says: "CHANGED", Address: wrong(func(a *source.Address) {
				a.Options = format.Options{"host_key": "SHA256:" + strings.Repeat("A", 43)}
			})},
			{Name: "no fingerprint", Kind: fault.Invalid, Says: "host_key", Address: wrong(func(a *source.Address) { a.Options = format.Options{"host_key": "abc"} })},
			{Name: "time-out", Kind: fault.Invalid, Says: "timeout", Address: wrong(func(a *source.Address) { a.Options = format.Options{"timeout": "soon"} })},
			{Name: "private network", Kind: fault.Denied, Says: "private", Address: wrong(func(a *source.Address) { a.Inside = false })},
			{Name: "host", Kind: fault.Invalid, Says: "host", Address: wrong(func(a *source.Address) { a.URL = &url.URL{Scheme: "sftp", Path: "/in"} })},
			{Name: "nobody", Kind: fault.Invalid, Says: "user", Address: wrong(func(a *source.Address) { a.URL = &url.URL{Scheme: "sftp", Host: s.Addr, Path: "/in"} })},
		},
	})
}

func write(t testing.TB, path string, b []byte) {
	t.Helper()
	err := os.WriteFile(path, b, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(path), 0o700); err == nil {
			err = os.WriteFile(path, b, 0o600)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

func content(t testing.TB, path string) ([]byte, bool) {
	t.Helper()
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false
	}
	if err != nil {
		t.Fatal(err)
	}
	return b, true
}

func open(t *testing.T, a source.Address) source.Files {
	t.Helper()
	f, err := sftp.Kind().Files(a)
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

func TestAnyApprovedHostKeyOfAServerWillDo(t *testing.T) {
	s := sshd.Start(t)
	write(t, s.Root+"/a.csv", nil)
	for _, approved := range []string{s.Fingerprint, s.Other, s.Other + "=", "SHA256:old " + s.Other, "SHA256:old,\nSHA256:older, " + s.Fingerprint} {
		a := address(s, s.Addr, "a.csv")
		a.Options = format.Options{"host_key": approved}
		if all, err := open(t, a).List(t.Context()); err != nil || len(all) != 1 {
			t.Errorf("%q: %v", approved, err)
		}
	}
}

func TestNothingIsSentToAServerWhoseHostKeyHasChanged(t *testing.T) {
	first, second := sshd.Start(t), sshd.Start(t)
	a := address(second, second.Addr, "a.csv")
	a.Options = format.Options{"host_key": first.Fingerprint}
	_, err := open(t, a).List(t.Context())
	for _, want := range []string{first.Fingerprint, second.Fingerprint, "CHANGED"} {
		if fault.KindOf(err) != fault.Denied || !strings.Contains(err.Error(), want) {
			t.Errorf("%v", err)
		}
	}
	if !strings.Contains(fault.HintOf(err), "operator") {
		t.Errorf("hint %q", fault.HintOf(err))
	}
}

func TestWhatTheServerForbidsIsDenied(t *testing.T) {
	readOnly, closed := sshd.Start(t, "-R"), sshd.Start(t, "-P", "opendir,open")
	write(t, readOnly.Root+"/a.csv", []byte("a"))
	f := open(t, address(readOnly, readOnly.Addr, "a.csv"))
	all, err := f.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, listing := open(t, address(closed, closed.Addr, "*.csv")).List(t.Context())
	_, opening := open(t, address(closed, closed.Addr, "a.csv")).Open(t.Context(), source.File{Path: closed.Root + "/a.csv", Size: -1}, 0)
	for name, err := range map[string]error{
		"listing": listing, "opening": opening,
		"putting": f.(source.Putter).Put(t.Context(), readOnly.Root+"/b.csv", strings.NewReader("b"), false),
		"moving":  f.(source.Mover).Move(t.Context(), all[0], readOnly.Root+"/b.csv"),
	} {
		if fault.KindOf(err) != fault.Denied || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOneSessionServesManyUses(t *testing.T) {
	s := sshd.Start(t)
	write(t, s.Root+"/a.csv", []byte("abc"))
	proxy := sourcetest.NewProxy(t, s.Addr)
	f := open(t, address(s, proxy.Addr, "a.csv"))
	for range 5 {
		all, err := f.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		r, err := f.Open(t.Context(), all[0], 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	if n := proxy.Accepted(); n != 1 {
		t.Errorf("%d connections, want one", n)
	}
}

func TestPathsBelowTheOwnFolderBeginWithATilde(t *testing.T) {
	s := sshd.Start(t, "-d", "/")
	write(t, s.Root+"/a.csv", nil)
	a := address(s, s.Addr, "")
	a.URL.Path = "/~" + s.Root + "/*.csv"
	all, err := open(t, a).List(t.Context())
	if err != nil || len(all) != 1 || all[0].Path != s.Root[1:]+"/a.csv" {
		t.Errorf("%+v, %v", all, err)
	}
}
