package httpfile_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"headrace/internal/connect/format"
	"headrace/internal/connect/source"
	"headrace/internal/connect/source/httpfile"
	"headrace/internal/connect/source/sourcetest"
	"headrace/internal/core/fault"
)

func TestTheLawsOfFiles(t *testing.T) {
	s, srv, ca := shelves(t)
	host := srv.Listener.Addr().String()
	address := func(server, path string) source.Address {
		return source.Address{URL: &url.URL{Scheme: "https", Host: server, Path: "/" + path, RawQuery: "token=t0ken"}, Inside: true,
			Secret: source.Secret{User: user, Password: password}, Options: format.Options{"ca_file": ca}}
	}
	wrong := func(change func(*source.Address)) source.Address {
		a := address(host, "there.csv")
		change(&a)
		return a
	}
	s.write(t, "there.csv", []byte("a"))
	sourcetest.Files(t, sourcetest.Store{
		Kind: httpfile.Kind(), Server: host, Single: true, Secrets: []string{password, "t0ken"},
		Address: address, Path: func(path string) string { return "/" + path }, Write: s.write, Read: s.read,
		Wrong: []sourcetest.Wrong{
			{Name: "password", Kind: fault.Denied, Says: "401", Address: wrong(func(a *source.Address) { a.Secret.Password = "wr@ng" })},
			{Name: "authority", Kind: fault.Denied, Says: "ca_file", Address: wrong(func(a *source.Address) { a.Options = nil })},
			{Name: "certificate", Kind: fault.Denied, Says: "another host", Address: wrong(func(a *source.Address) {
				a.URL.Host = strings.Replace(host, "127.0.0.1", "localhost", 1)
			})},
			{Name: "http where there is https", Kind: fault.Invalid, Says: "400", Address: wrong(func(a *source.Address) { a.URL.Scheme = "http" })},
			{Name: "private network", Kind: fault.Denied, Says: "private", Address: wrong(func(a *source.Address) { a.Inside = false })},
			{Name: "pattern", Kind: fault.Invalid, Says: "pattern", Address: wrong(func(a *source.Address) { a.URL.Path, a.URL.RawPath = "/in/*.csv", "/in/*.csv" })},
			{Name: "host", Kind: fault.Invalid, Says: "host", Address: wrong(func(a *source.Address) { a.URL.Host = "" })},
			{Name: "certificates", Kind: fault.Invalid, Says: "ca_file", Address: wrong(func(a *source.Address) { a.Options = format.Options{"ca_file": "/no/such.pem"} })},
		},
	})
}

func TestAStatusHasAKindAndAHint(t *testing.T) {
	for status, want := range map[int]fault.Kind{
		401: fault.Denied, 403: fault.Denied, 404: fault.NotFound, 410: fault.NotFound, 400: fault.Invalid, 405: fault.Invalid, 451: fault.Invalid,
		408: fault.Unavailable, 429: fault.Unavailable, 500: fault.Unavailable, 503: fault.Unavailable, 304: fault.Invalid, 204: fault.Invalid,
	} {
		at := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "120")
			w.WriteHeader(status)
		})
		_, err := open(t, at+"/a.csv?key=s3cret").List(t.Context())
		text := fmt.Sprint(err, fault.HintOf(err))
		if fault.KindOf(err) != want || fault.HintOf(err) == "" || !strings.Contains(text, strconv.Itoa(status)) || strings.Contains(text, "s3cret") {
			t.Errorf("%d: kind %v, want %v: %s", status, fault.KindOf(err), want, text)
		}
		if want == fault.Unavailable && !strings.Contains(text, "120") {
			t.Errorf("%d: how long to wait is not said: %s", status, text)
		}
	}
}

func TestServersThatDescribeNothingAreAskedForTheFirstByte(t *testing.T) {
	for name, head := range map[string]func(w http.ResponseWriter){
		"refused":                 func(w http.ResponseWriter) { w.WriteHeader(http.StatusMethodNotAllowed) },
		"signed for reading only": func(w http.ResponseWriter) { w.WriteHeader(http.StatusForbidden) },
		"said to be empty":        func(w http.ResponseWriter) { w.Header().Set("Content-Length", "0") },
	} {
		at := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodHead {
				head(w)
				return
			}
			w.Header().Set("ETag", `"1"`)
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader("abcdef"))
		})
		if file, text, err := fetch(t, open(t, at+"/a.csv"), 2); err != nil || text != "cdef" || file.Size != 6 || file.Version != `"1"` {
			t.Errorf("%s: %+v, %q, %v", name, file, text, err)
		}
	}
}

func TestGoingOnNeedsAServerThatSaysItIsTheSameFile(t *testing.T) {
	type answer struct {
		etag, modified string
		ranges         bool
		kind           fault.Kind
	}
	const then = "Sun, 01 Mar 2026 12:00:00 GMT"
	for name, c := range map[string]answer{
		"a strong tag":                 {`"1"`, "", true, 0},
		"a weak tag":                   {`W/"1"`, "", true, 0},
		"a weak tag and a date":        {`W/"1"`, then, true, 0},
		"a date":                       {"", then, true, 0},
		"a tag, and parts not offered": {`"1"`, "", false, 0},
		"nothing":                      {"", "", true, fault.Conflict},
	} {
		at := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if c.etag != "" {
				w.Header().Set("ETag", c.etag)
			}
			modified, _ := http.ParseTime(c.modified)
			if !c.ranges {
				r.Header.Del("Range")
			}
			http.ServeContent(w, r, "", modified, strings.NewReader("abcdef"))
		})
		_, text, err := fetch(t, open(t, at+"/a.csv"), 2)
		if c.kind == 0 && (err != nil || text != "cdef") || c.kind != 0 && fault.KindOf(err) != c.kind {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}

func TestAnswersThatAreNotTheFileAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		path   string
		answer func(w http.ResponseWriter)
		kind   fault.Kind
		says   string
		text   string
	}{
		"an instance that hibernates": {"/a.json", page("<!DOCTYPE html><html><body>Your instance is Hibernating"), fault.Unavailable, "hibernating", ""},
		"a login":                     {"/a.csv", page("\n <HTML><head><title>Sign\n in &amp; go</title>"), fault.Invalid, "Sign in & go", ""},
		"a page that was asked for":   {"/a.html", page("<html>x"), 0, "", "<html>x"},
		"data called a page":          {"/a.csv", page("a,b\n<html>,1\n"), 0, "", "a,b\n<html>,1\n"},
		"a foreign encoding":          {"/a.csv", encoded("br", "xyz"), fault.Invalid, `"br"`, ""},
		"an encoding not asked for":   {"/a.csv", encoded("gzip", packed("a,b\n")), 0, "", "a,b\n"},
		"a file packed already":       {"/a.csv.gz", encoded("gzip", packed("a,b\n")), 0, "", packed("a,b\n")},
		"called gzip and is not":      {"/a.csv", encoded("gzip", "plain text that is long enough"), fault.Unavailable, "gzip", ""},
		"half of gzip":                {"/a.csv", encoded("gzip", packed("a,b\n")[:15]), fault.Unavailable, "", ""},
		"without end":                 {"/a.csv", page(strings.Repeat("0123456789", 200)), fault.Limit, "max_size", ""},
	} {
		at := serve(t, func(w http.ResponseWriter, _ *http.Request) { c.answer(w) })
		f := open(t, at+c.path, func(a *source.Address) { a.Options["max_size"] = "1KB" })
		text, err := content(t, f, source.File{Path: c.path, Size: -1}, 0)
		if fault.KindOf(err) != c.kind && c.kind != 0 || (err != nil) != (c.kind != 0) || !strings.Contains(fmt.Sprint(err, fault.HintOf(err)), c.says) {
			t.Errorf("%s: kind %v: %v", name, fault.KindOf(err), err)
		}
		if c.kind == 0 && text != c.text {
			t.Errorf("%s: %q", name, text)
		}
	}
}

func page(text string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, text)
	}
}

func encoded(encoding, text string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("Content-Encoding", encoding)
		fmt.Fprint(w, text)
	}
}

func packed(text string) string {
	var b strings.Builder
	z := gzip.NewWriter(&b)
	io.WriteString(z, text)
	z.Close()
	return b.String()
}

func TestAFileThatEndsWithoutAWordIsComparedWithItsSize(t *testing.T) {
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		conn, out, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		if r.Method == http.MethodHead {
			fmt.Fprint(out, "HTTP/1.0 200 OK\r\nContent-Length: 100\r\n\r\n")
		} else {
			fmt.Fprint(out, "HTTP/1.0 200 OK\r\n\r\n0123456789")
		}
		out.Flush()
	})
	_, text, err := fetch(t, open(t, at+"/a.csv"), 0)
	if fault.KindOf(err) != fault.Unavailable || text != "0123456789" || !strings.Contains(err.Error(), "10 of 100") {
		t.Errorf("%q, %v", text, err)
	}
}

func TestCredentialsStayWithTheHostOfTheAddress(t *testing.T) {
	var told atomic.Int32
	see := func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" || r.Header.Get("X-Secret") != "" || r.URL.Query().Has("secret") {
			told.Add(1)
		}
		fmt.Fprint(w, "a,b\n")
	}
	other := serve(t, see)
	own := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, other+"/a.csv", http.StatusFound)
		case "/near":
			http.Redirect(w, r, "/a.csv", http.StatusMovedPermanently)
		default:
			see(w, r)
		}
	})
	basic := func(a *source.Address) { a.Secret = source.Secret{User: user, Password: password} }
	grant := func(a *source.Address) {
		a.Grant = func(r *http.Request, _ bool) error {
			r.Header.Set("X-Secret", "s3cret")
			r.URL.RawQuery = "secret=s3cret"
			return nil
		}
	}
	for name, c := range map[string]struct {
		at   string
		as   func(*source.Address)
		told int32
	}{
		"another host, password": {own + "/away", basic, 0}, "another host, grant": {own + "/away", grant, 0},
		"own host, password": {own + "/near", basic, 1}, "own host, grant": {own + "/near", grant, 1},
	} {
		told.Store(0)
		text, err := content(t, open(t, c.at, c.as), source.File{Path: "/a", Size: -1}, 0)
		if err != nil || text != "a,b\n" || told.Load() != c.told {
			t.Errorf("%s: told %d times, want %d: %q, %v", name, told.Load(), c.told, text, err)
		}
	}
}

// elsewhere answers as a public host would, which sends on to the own network.
type elsewhere struct{ to string }

func (e elsewhere) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	http.Redirect(w, r, e.to, http.StatusFound)
	return w.Result(), nil
}

func TestRedirectsThatLeadAstrayAreNotFollowed(t *testing.T) {
	round := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/on"+r.URL.Path, http.StatusFound) })
	for name, c := range map[string]struct {
		at   string
		to   string
		kind fault.Kind
	}{
		"round and round":       {round, "", fault.Invalid},
		"to no web address":     {"https://public.example/a", "ftp://public.example/a", fault.Invalid},
		"out of the encryption": {"https://public.example/a", "http://public.example/a?token=s3cret", fault.Denied},
	} {
		f := open(t, c.at, func(a *source.Address) {
			if c.to != "" {
				a.Through = elsewhere{c.to}
			}
		})
		_, err := f.List(t.Context())
		if fault.KindOf(err) != c.kind || fault.HintOf(err) == "" || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: kind %v: %v", name, fault.KindOf(err), err)
		}
	}
}

func TestATokenThatIsRefusedIsMadeAnewOnce(t *testing.T) {
	token := "old"
	var asked atomic.Int32
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Header.Get("Authorization") != "Bearer new" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.Method == http.MethodPost {
			b, err := io.ReadAll(r.Body)
			if err != nil || string(b) != "a,b\n" {
				w.WriteHeader(http.StatusBadRequest)
			}
			return
		}
		fmt.Fprint(w, "a,b\n")
	})
	to := func(next string) func(*source.Address) {
		return func(a *source.Address) {
			a.Options["method"] = "POST"
			a.Grant = func(r *http.Request, again bool) error {
				if again {
					token = next
				}
				r.Header.Set("Authorization", "Bearer "+token)
				return nil
			}
		}
	}
	if _, text, err := fetch(t, open(t, at+"/a.csv", to("new")), 0); err != nil || text != "a,b\n" {
		t.Errorf("%q, %v", text, err)
	}
	token = "old"
	if err := open(t, at+"/a.csv", to("new")).(source.Putter).Put(t.Context(), "/a.csv", strings.NewReader("a,b\n"), false); err != nil {
		t.Errorf("posting: %v", err)
	}
	token = "old"
	asked.Store(0)
	if _, err := open(t, at+"/a.csv", to("wrong")).List(t.Context()); fault.KindOf(err) != fault.Denied || asked.Load() != 2 {
		t.Errorf("asked %d times: %v", asked.Load(), err)
	}
}

func TestConnectionsWithoutEncryptionAreWarnedOf(t *testing.T) {
	secret := func(a *source.Address) { a.Secret.Password = password }
	for _, c := range []struct {
		at   string
		as   func(*source.Address)
		want int
	}{{"http://host/a.csv?token=x", func(*source.Address) {}, 1}, {"http://host/a.csv", secret, 2}, {"https://host/a.csv", secret, 0}} {
		got := open(t, c.at, c.as).(source.Warner).Warnings()
		if len(got) != c.want || strings.Contains(strings.Join(got, ""), "token") {
			t.Errorf("%s: %q", c.at, got)
		}
	}
}

func TestAServerThatKeepsLessThanWasSentIsFoundOut(t *testing.T) {
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			w.Header().Set("Content-Length", "2")
		}
	})
	err := open(t, at).(source.Putter).Put(t.Context(), "/a.csv", strings.NewReader("a,b\n"), true)
	if fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "4 bytes were sent") {
		t.Errorf("%v", err)
	}
}
