package s3_test

import (
	"bytes"
	"net/url"
	"strings"
	"testing"

	"headrace/internal/connect/format"
	"headrace/internal/connect/source"
	"headrace/internal/connect/source/s3"
	"headrace/internal/connect/source/sourcetest"
	"headrace/internal/connect/source/sourcetest/s3d"
	"headrace/internal/core/fault"
)

func address(server, bucket, path string) source.Address {
	return source.Address{URL: &url.URL{Scheme: "s3", Host: bucket, Path: "/" + path}, Inside: true,
		Secret:  source.Secret{User: s3d.User, Password: s3d.Secret},
		Options: format.Options{"endpoint": "http://" + server, "region": s3d.Region}}
}

func TestTheLawsOfFiles(t *testing.T) {
	s := s3d.Start(t)
	wrong := func(change func(*source.Address)) source.Address {
		a := address(s.Addr, s3d.Bucket, "*.csv")
		change(&a)
		return a
	}
	bucket := func(name string) source.Address { return wrong(func(a *source.Address) { a.URL.Host = name }) }
	option := func(name, value string) source.Address {
		return wrong(func(a *source.Address) { a.Options[name] = value })
	}
	sourcetest.Files(t, sourcetest.Store{
		Kind: s3.Kind(), Server: s.Addr, Secrets: []string{s3d.Secret},
		Address: func(server, path string) source.Address { return address(server, s3d.Bucket, "root/"+path) },
		Path:    func(path string) string { return "root/" + path },
		Write:   func(t testing.TB, path string, b []byte) { s.Put(t, s3d.Bucket, "root/"+path, b) },
		Read:    func(t testing.TB, path string) ([]byte, bool) { return s.Get(t, s3d.Bucket, "root/"+path) },
		Wrong: []sourcetest.Wrong{
			{Name: "secret key", Kind: fault.Denied, Says: "secret", Address: wrong(func(a *source.Address) { a.Secret.Password = "wr@ng/key" })},
			{Name: "access key", Kind: fault.Denied, Says: "access key", Address: wrong(func(a *source.Address) { a.Secret.User = "AKNOBODY" })},
			{Name: "none", Kind: fault.Denied, Says: "not allowed", Address: wrong(func(a *source.Address) { a.Secret = source.Secret{} })},
			{Name: "no such bucket", Kind: fault.NotFound, Says: "no-such-bucket", Address: bucket("no-such-bucket")},
			{Name: "closed bucket", Kind: fault.Denied, Says: s3d.Closed, Address: bucket(s3d.Closed)},
			{Name: "one file of a closed bucket", Kind: fault.Denied, Says: s3d.Closed, Address: wrong(func(a *source.Address) { a.URL = &url.URL{Scheme: "s3", Host: s3d.Closed, Path: "/a.csv"} })},
			{Name: "no bucket", Kind: fault.Invalid, Says: "bucket", Address: bucket("")},
			{Name: "endpoint", Kind: fault.Invalid, Says: "endpoint", Address: option("endpoint", "https://host/path")},
			{Name: "https where there is none", Kind: fault.Invalid, Says: "does not encrypt", Address: option("endpoint", s.Addr)},
			{Name: "private network", Kind: fault.Denied, Says: "private", Address: wrong(func(a *source.Address) { a.Inside = false })},
			{Name: "certificates", Kind: fault.Invalid, Says: "ca_file", Address: option("ca_file", "/no/such/file.pem")},
		},
	})
}

func open(t *testing.T, a source.Address) source.Files {
	t.Helper()
	f, err := s3.Kind().Files(a)
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

func TestAPublicBucketIsReadWithoutAKey(t *testing.T) {
	s := s3d.Start(t)
	s.Put(t, s3d.Public, "a.csv", []byte("abc"))
	a := address(s.Addr, s3d.Public, "*.csv")
	a.Secret = source.Secret{}
	f := open(t, a)
	all, err := f.List(t.Context())
	if err != nil || len(all) != 1 || all[0].Path != "a.csv" || all[0].Size != 3 || all[0].Version == "" {
		t.Fatalf("%+v, %v", all, err)
	}
	if err := f.(source.Putter).Put(t.Context(), "b.csv", strings.NewReader("b"), false); fault.KindOf(err) != fault.Denied {
		t.Errorf("putting without a key: %v", err)
	}
}

func TestALargeObjectIsPutInParts(t *testing.T) {
	s := s3d.Start(t)
	body := bytes.Repeat([]byte("0123456789abcdef"), 17<<16)
	p := open(t, address(s.Addr, s3d.Bucket, "*")).(source.Putter)
	for _, want := range []fault.Kind{0, fault.Conflict} {
		if err := p.Put(t.Context(), "/in/large.bin", bytes.NewReader(body), false); (err != nil) != (want != 0) || err != nil && fault.KindOf(err) != want {
			t.Errorf("%v", err)
		}
		if got, ok := s.Get(t, s3d.Bucket, "in/large.bin"); !ok || !bytes.Equal(got, body) {
			t.Errorf("%d bytes arrived, want %d", len(got), len(body))
		}
	}
}

func TestKeysThatLookLikeFoldersAreNoFiles(t *testing.T) {
	s := s3d.Start(t)
	for _, key := range []string{"in/", "in/deep/", "in/deep/a.csv", "in/a.csv", "in.csv"} {
		s.Put(t, s3d.Bucket, key, nil)
	}
	for path, want := range map[string]string{"in/*": "in/a.csv", "in": "in/a.csv", "in/": "in/a.csv", "*": "in.csv", "": "in.csv"} {
		all, err := open(t, address(s.Addr, s3d.Bucket, path)).List(t.Context())
		if err != nil || len(all) != 1 || all[0].Path != want {
			t.Errorf("%q: %+v, %v", path, all, err)
		}
	}
}

func TestAMoveThatBrokeOffAfterTheCopyIsBroughtToItsEnd(t *testing.T) {
	s := s3d.Start(t)
	s.Put(t, s3d.Bucket, "a.csv", []byte("abc"))
	f := open(t, address(s.Addr, s3d.Bucket, "a.csv"))
	all, err := f.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.Put(t, s3d.Bucket, "done/a.csv", []byte("abc"))
	if err := f.(source.Mover).Move(t.Context(), all[0], "done/a.csv"); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.Get(t, s3d.Bucket, "a.csv"); ok {
		t.Error("the first one is still there")
	}
}

func TestAServerWithoutEncryptionIsWarnedOf(t *testing.T) {
	for endpoint, want := range map[string]int{"http://127.0.0.1:9000": 1, "https://127.0.0.1:9000": 0, "127.0.0.1:9000": 0} {
		a := address("", s3d.Bucket, "a.csv")
		a.Options["endpoint"] = endpoint
		if got := open(t, a).(source.Warner).Warnings(); len(got) != want {
			t.Errorf("%s: %q", endpoint, got)
		}
	}
}
