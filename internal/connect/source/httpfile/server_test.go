package httpfile_test

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"headrace/internal/connect/format"
	"headrace/internal/connect/source"
	"headrace/internal/connect/source/httpfile"
)

// shelf is a web server that keeps files, for who knows the password.
type shelf struct {
	mu    sync.Mutex
	files map[string][]byte
	times map[string]time.Time
	puts  int
}

const user, password = "feeder", "p@ss&w0rd"

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if u, p, ok := r.BasicAuth(); !ok || u != user || p != password {
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	}
	if r.Method == http.MethodPut {
		s.put(w, r)
		return
	}
	s.mu.Lock()
	b, ok := s.files[r.URL.Path]
	at := s.times[r.URL.Path]
	s.mu.Unlock()
	if !ok {
		http.NotFound(w, r)
		return
	}
	sum := fnv.New64a()
	sum.Write(b)
	w.Header().Set("ETag", fmt.Sprintf(`"%x"`, sum.Sum64()))
	w.Header().Set("Content-Type", "text/csv")
	http.ServeContent(w, r, "", at, bytes.NewReader(b))
}

// put keeps what comes whole.
func (s *shelf) put(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "half of it is missing", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.files[r.URL.Path]; ok && r.Header.Get("If-None-Match") == "*" {
		w.WriteHeader(http.StatusPreconditionFailed)
		return
	}
	s.files[r.URL.Path], s.times[r.URL.Path] = b, time.Now()
	s.puts++
	w.WriteHeader(http.StatusCreated)
}

func (s *shelf) write(_ testing.TB, path string, b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files["/"+path], s.times["/"+path] = b, time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
}

func (s *shelf) read(_ testing.TB, path string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.files["/"+path]
	return b, ok
}

// shelves starts a server with encryption, and gives the file with its certificate.
func shelves(t *testing.T) (*shelf, *httptest.Server, string) {
	t.Helper()
	s := &shelf{files: map[string][]byte{}, times: map[string]time.Time{}}
	srv := httptest.NewTLSServer(s)
	t.Cleanup(srv.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return s, srv, ca
}

// serve starts a server without encryption.
func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}

func open(t *testing.T, address string, change ...func(*source.Address)) source.Files {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	a := source.Address{URL: u, Inside: true, Options: format.Options{}}
	for _, c := range change {
		c(&a)
	}
	f, err := httpfile.Kind().Files(a)
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

// fetch lists the one file and reads it from a byte on.
func fetch(t *testing.T, f source.Files, from int64) (source.File, string, error) {
	t.Helper()
	all, err := f.List(t.Context())
	if err != nil {
		return source.File{}, "", err
	}
	if len(all) != 1 {
		t.Fatalf("%d files", len(all))
	}
	text, err := content(t, f, all[0], from)
	return all[0], text, err
}

func content(t *testing.T, f source.Files, file source.File, from int64) (string, error) {
	t.Helper()
	r, err := f.Open(t.Context(), file, from)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(r)
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	return string(b), err
}
