// Package s3d starts a server of S3 for a test, with one bucket. It checks who asks: requests must be signed with the key
// given here, but for reading the bucket that is public.
package s3d

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// Names of what every server has.
const (
	Bucket = "feeds"
	Public = "open"   // a bucket that anybody may read
	Closed = "closed" // a bucket that nobody may use
	User   = "AKHEADRACE"
	Secret = "s3cr3t/with+signs=and&more"
	Region = "eu-test-1"
)

// Server is a running server. It ends with the test.
type Server struct {
	Endpoint string // its URL
	Addr     string // host:port
	store    gofakes3.Backend
}

// Start starts a server.
func Start(t testing.TB) *Server {
	t.Helper()
	store := s3mem.New()
	for _, b := range []string{Bucket, Public, Closed} {
		if err := store.CreateBucket(b); err != nil {
			t.Fatal(err)
		}
	}
	fake := gofakes3.New(store, gofakes3.WithLogger(gofakes3.DiscardLog()), gofakes3.WithTimeSkewLimit(0)).Server()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if code := refusal(r); code != "" {
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, "<Error><Code>%s</Code><Message>refused</Message></Error>", code)
			return
		}
		if err := unframe(r); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fake.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	return &Server{Endpoint: srv.URL, Addr: srv.Listener.Addr().String(), store: store}
}

// Put stores an object, past the door. The store notes the time of its own; one that came in the next second would not
// be that of the header.
func (s *Server) Put(t testing.TB, bucket, key string, content []byte) {
	t.Helper()
	for {
		at := time.Now().UTC().Format(http.TimeFormat)
		if _, err := s.store.PutObject(bucket, key, map[string]string{"Last-Modified": at}, bytes.NewReader(content), int64(len(content)), nil); err != nil {
			t.Fatal(err)
		}
		if at == time.Now().UTC().Format(http.TimeFormat) {
			return
		}
	}
}

// Get gives an object, and whether it is there.
func (s *Server) Get(t testing.TB, bucket, key string) ([]byte, bool) {
	t.Helper()
	o, err := s.store.GetObject(bucket, key, nil)
	if gofakes3.HasErrorCode(err, gofakes3.ErrNoSuchKey) {
		return nil, false
	}
	if err != nil {
		t.Fatal(err)
	}
	defer o.Contents.Close()
	content, err := io.ReadAll(o.Contents)
	if err != nil {
		t.Fatal(err)
	}
	return content, true
}

// unframe takes the signed frames away in which a part of an object is sent: the store knows them in whole objects only.
func unframe(r *http.Request) error {
	if !r.URL.Query().Has("partNumber") || !strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		return nil
	}
	var body bytes.Buffer
	for in := bufio.NewReader(r.Body); ; {
		line, err := in.ReadString('\n')
		if err != nil {
			return err
		}
		digits, _, _ := strings.Cut(strings.TrimSpace(line), ";")
		n, err := strconv.ParseInt(digits, 16, 64)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		if _, err := io.CopyN(&body, in, n); err != nil {
			return err
		}
		if _, err := in.Discard(len("\r\n")); err != nil {
			return err
		}
	}
	if r.Header.Get("X-Amz-Decoded-Content-Length") != strconv.Itoa(body.Len()) {
		return io.ErrUnexpectedEOF
	}
	r.Header.Set("Content-Length", strconv.Itoa(body.Len()))
	r.ContentLength, r.Body = int64(body.Len()), io.NopCloser(&body)
	return nil
}

// refusal says why a request is refused, "" when it is not.
func refusal(r *http.Request) string {
	bucket, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	given := r.Header.Get("Authorization")
	switch {
	case bucket == Closed:
		return "AccessDenied"
	case given == "" && bucket == Public && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		return ""
	case given == "":
		return "AccessDenied"
	case !strings.Contains(given, "Credential="+User+"/"):
		return "InvalidAccessKeyId"
	case part(given, "Signature=") != signature(r, given):
		return "SignatureDoesNotMatch"
	}
	return ""
}

func part(header, name string) string {
	_, rest, _ := strings.Cut(header, name)
	value, _, _ := strings.Cut(rest, ",")
	return strings.TrimSpace(value)
}

// signature is what a request must be signed with, after version 4 of the rules.
func signature(r *http.Request, given string) string {
	scope := strings.SplitN(part(given, "Credential="), "/", 2)[1]
	signed := strings.Split(part(given, "SignedHeaders="), ";")
	var headers strings.Builder
	for _, name := range signed {
		value := r.Header.Get(name)
		switch name {
		case "host":
			value = r.Host
		case "content-length":
			value = fmt.Sprint(r.ContentLength)
		}
		headers.WriteString(name + ":" + strings.Join(strings.Fields(value), " ") + "\n")
	}
	request := strings.Join([]string{r.Method, r.URL.EscapedPath(), query(r.URL), headers.String(), strings.Join(signed, ";"),
		r.Header.Get("X-Amz-Content-Sha256")}, "\n")
	sum := sha256.Sum256([]byte(request))
	text := strings.Join([]string{"AWS4-HMAC-SHA256", r.Header.Get("X-Amz-Date"), scope, hex.EncodeToString(sum[:])}, "\n")
	key := []byte("AWS4" + Secret)
	for _, word := range strings.Split(scope, "/") {
		key = mac(key, word)
	}
	return hex.EncodeToString(mac(key, text))
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func query(u *url.URL) string {
	var all []string
	for name, values := range u.Query() {
		for _, v := range values {
			all = append(all, strings.ReplaceAll(url.QueryEscape(name)+"="+url.QueryEscape(v), "+", "%20"))
		}
	}
	slices.Sort(all)
	return strings.Join(all, "&")
}
