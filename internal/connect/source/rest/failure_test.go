package rest_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"headrace/internal/connect/format"
	"headrace/internal/connect/source"
	"headrace/internal/core/fault"
)

// answers is a service that gives one answer after the other; the last one stays.
type answers []http.HandlerFunc

func (a *answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer := (*a)[0]
	if len(*a) > 1 {
		*a = (*a)[1:]
	}
	answer(w, r)
}

func says(status int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func hangsUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func cutShort(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	fmt.Fprint(w, `[{"id":1},`)
}

const good = `[{"id":1}]`

func TestWhatMayPassIsTriedAgainAfterTheTimeThatTheServiceAsksFor(t *testing.T) {
	for _, c := range []struct {
		name  string
		first []http.HandlerFunc
		waits []time.Duration // 0: a time of our own
		kind  fault.Kind
		o     format.Options
	}{
		{"429 with seconds", []http.HandlerFunc{says(429, "", "Retry-After", "7")}, []time.Duration{7 * time.Second}, 0, nil},
		{"503 with a date", []http.HandlerFunc{says(503, "", "Retry-After", "Sat, 28 Feb 2026 12:00:30 GMT")}, []time.Duration{30 * time.Second}, 0, nil},
		{"403 of a limit", []http.HandlerFunc{says(403, "", "Retry-After", "2")}, []time.Duration{2 * time.Second}, 0, nil},
		{"three times", []http.HandlerFunc{says(429, ""), says(502, ""), says(500, "")}, []time.Duration{0, 0, 0}, 0, nil},
		{"once too often", []http.HandlerFunc{says(429, ""), says(429, ""), says(429, ""), says(429, "")}, []time.Duration{0, 0, 0}, fault.Unavailable, nil},
		{"too long", []http.HandlerFunc{says(429, "", "Retry-After", "3600")}, nil, fault.Unavailable, nil},
		{"as long as allowed", []http.HandlerFunc{says(429, "", "Retry-After", "3600")}, []time.Duration{time.Hour}, 0, format.Options{"max_wait": "1h"}},
		{"no answer", []http.HandlerFunc{hangsUp}, []time.Duration{0}, 0, nil},
		{"half an answer", []http.HandlerFunc{cutShort}, []time.Duration{0}, 0, nil},
		{"JSON that ends early", []http.HandlerFunc{says(200, `[{"id":1},{"id"`)}, []time.Duration{0}, 0, nil},
		{"no answer to POST", []http.HandlerFunc{hangsUp}, nil, fault.Unavailable, format.Options{"method": "POST"}},
		{"POST refused unread", []http.HandlerFunc{says(503, "")}, []time.Duration{0}, 0, format.Options{"method": "POST"}},
		{"400", []http.HandlerFunc{says(400, `{"error":{"message":"no such field"}}`)}, nil, fault.Invalid, nil},
		{"404", []http.HandlerFunc{says(404, "")}, nil, fault.NotFound, nil},
		{"403", []http.HandlerFunc{says(403, "")}, nil, fault.Denied, nil},
		{"401", []http.HandlerFunc{says(401, "")}, nil, fault.Denied, nil},
	} {
		n := &naps{}
		a := answers(append(slices.Clone(c.first), says(200, good)))
		got := take(t.Context(), opened(t, n.parts().Kind(), "rest", serve(t, a.ServeHTTP), c.o), "")
		if (got.err != nil) != (c.kind != 0) || got.err != nil && (fault.KindOf(got.err) != c.kind || fault.HintOf(got.err) == "") || got.err == nil && len(got.rows) != 1 {
			t.Errorf("%s: %v %v (%s)", c.name, got.rows, got.err, fault.HintOf(got.err))
		}
		same := slices.EqualFunc(n.all, c.waits, func(have, want time.Duration) bool {
			return have == want || want == 0 && have >= time.Second && have < time.Minute
		})
		if !same {
			t.Errorf("%s: waited %v", c.name, n.all)
		}
	}
}

func TestWhatAServiceSaysOfARefusalIsToldWithoutSecrets(t *testing.T) {
	const token = "tok-9f8e7d6c"
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"error":{"message":"no field sizee; you sent %s and %s"}}`, r.Header.Get("Authorization"), r.URL.Query().Get("api_key"))
	})
	u, err := url.Parse("rest+" + at + "/things?api_key=" + token + "2&size=3")
	if err != nil {
		t.Fatal(err)
	}
	s, err := new(naps).parts().Kind().Rows(source.Address{URL: u, Inside: true, Grant: func(r *http.Request, _ bool) error {
		r.Header.Set("Authorization", "Bearer "+token)
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	said := take(t.Context(), s, "").err
	for e := said; e != nil; e = errors.Unwrap(e) {
		if strings.Contains(e.Error(), token) {
			t.Errorf("the secret shows: %v", e)
		}
	}
	if !strings.Contains(said.Error(), "no field sizee") || !strings.Contains(said.Error(), "size=3") {
		t.Error(said)
	}
}

func TestATokenThatExpiresInMidRunIsRenewedOnce(t *testing.T) {
	for _, c := range []struct {
		name    string
		lives   int // requests that a token is good for
		refusal http.HandlerFunc
		o       format.Options
		denied  bool
	}{
		{"401", 2, says(401, ""), nil, false},
		{"200 that says so", 2, says(200, `{"data":[],"error":{"code":"Token EXPIRED"}}`), format.Options{"error": "/error/code"}, false},
		{"a new one is refused too", 0, says(401, ""), nil, true},
		{"and so in 200", 0, says(200, `{"data":[],"error":"token expired"}`), format.Options{"error": "/error"}, true},
	} {
		s, left, renewals := stocked(20), c.lives, 0
		at := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != fmt.Sprint("Bearer ", renewals) || left == 0 {
				c.refusal(w, r)
				return
			}
			left--
			s.ServeHTTP(w, r)
		})
		u, err := url.Parse("rest+" + at + "/things")
		if err != nil {
			t.Fatal(err)
		}
		rows, err := new(naps).parts().Kind().Rows(source.Address{URL: u, Inside: true, Options: with(sized("keyset", 4), flat(c.o)...), Grant: func(r *http.Request, again bool) error {
			if again {
				renewals++
				left = c.lives
			}
			r.Header.Set("Authorization", fmt.Sprint("Bearer ", renewals))
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		got := take(t.Context(), rows, "")
		if c.denied && (fault.KindOf(got.err) != fault.Denied || renewals != 1) || !c.denied && (got.err != nil || len(got.rows) != 20 || renewals < 2) {
			t.Errorf("%s: %d rows, %d renewals, %v", c.name, len(got.rows), renewals, got.err)
		}
	}
}

func TestARetryDoesNotRenewTheTokenOnceMore(t *testing.T) {
	a := answers{says(401, ""), says(503, ""), says(503, ""), says(200, good)}
	renewals := 0
	u, err := url.Parse("rest+" + serve(t, a.ServeHTTP))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := new(naps).parts().Kind().Rows(source.Address{URL: u, Inside: true, Grant: func(_ *http.Request, again bool) error {
		if again {
			renewals++
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if got := take(t.Context(), rows, ""); got.err != nil || renewals != 1 {
		t.Errorf("%d renewals, %v", renewals, got.err)
	}
}

func TestAnEmptyAnswerIsNoListUnlessItsStatusSaysSo(t *testing.T) {
	for _, name := range []string{"json", "csv", "xml"} {
		if got := pull(t, serve(t, says(200, "")), format.Options{"format": name}); fault.KindOf(got.err) != fault.Unavailable {
			t.Errorf("%s: %v", name, got.err)
		}
		if got := pull(t, serve(t, says(204, "")), format.Options{"format": name}); got.err != nil || len(got.rows) != 0 {
			t.Errorf("%s without content: %v", name, got.err)
		}
	}
}

func flat(o format.Options) []string {
	var out []string
	for k, v := range o {
		out = append(out, k, v)
	}
	return out
}

func TestAnErrorBehindAGoodStatusEndsTheReading(t *testing.T) {
	a := answers{says(200, `{"data":[{"id":1}],"error":"Transaction cancelled: maximum execution time exceeded"}`)}
	got := pull(t, serve(t, a.ServeHTTP), format.Options{"rows": "/data", "error": "/error"})
	if fault.KindOf(got.err) != fault.Unavailable || !strings.Contains(got.err.Error(), "maximum execution time") {
		t.Error(got.err)
	}
}

func TestAWebPageInThePlaceOfDataIsCalledThat(t *testing.T) {
	for _, c := range []struct {
		body, say string
		kind      fault.Kind
	}{
		{"<!DOCTYPE html><html><head><title>Instance Hibernating page</title></head></html>", "hibernates", fault.Unavailable},
		{"\n<!-- x --><html><title>Please log in</title><input type=password></html>", "log-in", fault.Denied},
		{"\ufeff<HTML><body>Proxy</body></HTML>", "browser", fault.Unavailable},
	} {
		for _, name := range []string{"json", "ndjson", "csv", "xml"} {
			got := pull(t, serve(t, says(200, c.body)), format.Options{"format": name})
			if fault.KindOf(got.err) != c.kind || !strings.Contains(fault.HintOf(got.err), c.say) || !strings.Contains(fmt.Sprint(got.err), "web page") {
				t.Errorf("%s: %v (%s)", name, got.err, fault.HintOf(got.err))
			}
		}
	}
}

func TestAnswersThatAreNoDataSayWhatToMend(t *testing.T) {
	for _, c := range []struct {
		body, say string
		o         format.Options
	}{
		{`{"status":"ok"}`, "option rows", nil},
		{`{"items":[{"id":1}]}`, "items", format.Options{"rows": "/data"}},
		{`["a","b"]`, "option rows", nil},
		{"id,name\n1,x\n", "option format", nil},
		{"%PDF-1.7 \x00\x01", "format", nil},
	} {
		got := pull(t, serve(t, says(200, c.body)), c.o)
		if fault.KindOf(got.err) != fault.Invalid || !strings.Contains(fault.HintOf(got.err), c.say) {
			t.Errorf("%s: %v (%s)", c.body, got.err, fault.HintOf(got.err))
		}
	}
}

func TestCredentialsGoToNoOtherHost(t *testing.T) {
	other := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the other host was asked") })
	at := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other, http.StatusFound) })
	if got := pull(t, at, nil); fault.KindOf(got.err) != fault.Refused || fault.HintOf(got.err) == "" {
		t.Error(got.err)
	}
	same := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/old" {
			http.Redirect(w, r, "/new", http.StatusMovedPermanently)
			return
		}
		fmt.Fprint(w, good)
	})
	if got := pull(t, same+"/old", nil); got.err != nil || len(got.rows) != 1 {
		t.Error(got.err)
	}
}

func TestPrivateNetworksAreForAdministrators(t *testing.T) {
	u, err := url.Parse("rest+" + serve(t, says(200, good)))
	if err != nil {
		t.Fatal(err)
	}
	s, err := new(naps).parts().Kind().Rows(source.Address{URL: u})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Test(t.Context()); fault.KindOf(err) != fault.Refused || fault.HintOf(err) == "" {
		t.Error(err)
	}
}

func TestAnAnswerThatIsTooLargeIsRefused(t *testing.T) {
	got := pull(t, serve(t, says(200, `[{"a":"`+strings.Repeat("x", 5000)+`"}]`)), format.Options{"max_answer": "4KB"})
	if fault.KindOf(got.err) != fault.Limit || !strings.Contains(fault.HintOf(got.err), "max_answer") {
		t.Error(got.err)
	}
}

func TestRequestsKeepToTheRate(t *testing.T) {
	s, n := stocked(9), &naps{}
	got := take(t.Context(), opened(t, n.parts().Kind(), "rest", serve(t, s.ServeHTTP), with(sized("keyset", 3), "rate", "4")), "")
	if want := []time.Duration{250 * time.Millisecond, 500 * time.Millisecond}; got.err != nil || !slices.Equal(n.all, want) { // the clock stands still
		t.Errorf("%v %v", n.all, got.err)
	}
}

func TestAReadingThatIsGivenUpEndsWhileItWaits(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	parts := new(naps).parts()
	parts.Sleep = func(ctx context.Context, _ time.Duration) error {
		cancel()
		return ctx.Err()
	}
	got := take(ctx, opened(t, parts.Kind(), "rest", serve(t, says(503, "")), nil), "")
	if fault.KindOf(got.err) != fault.Canceled {
		t.Error(got.err)
	}
}

// Answers of every format end at a random byte, with and without a length. A reading has every row, or ends in an error.
func TestAnswersCutAnywhereAreNeverTakenForWhole(t *testing.T) {
	bodies := map[string]string{"json": `{"data":[`, "ndjson": "", "xml": "<data>", "csv": "id,name\n"}
	ends := map[string]string{"json": "]}", "xml": "</data>"}
	one := map[string]string{"json": `,{"id":%d,"name":"x"}`, "ndjson": `{"id":%d}` + "\n", "xml": "<row><id>%d</id></row>", "csv": "%d,x\n"}
	for name, body := range bodies {
		for i := range 20 {
			body += strings.TrimPrefix(fmt.Sprintf(one[name], i), map[bool]string{true: ","}[i == 0])
		}
		body += ends[name]
		for range soak(10, 200) {
			at, framed := rand.IntN(len(body)), rand.IntN(2) == 0
			cut := func(w http.ResponseWriter, _ *http.Request) {
				if framed {
					w.Header().Set("Content-Length", strconv.Itoa(len(body)))
				} else {
					w.Header().Set("Transfer-Encoding", "identity") // the connection's end is the body's
				}
				fmt.Fprint(w, body[:at])
			}
			o := format.Options{"format": name, "attempts": "1"}
			if name == "json" {
				o["rows"] = "/data"
			}
			got := pull(t, serve(t, cut), o)
			if fault.KindOf(got.err) != fault.Unavailable {
				t.Errorf("%s cut after %d of %d bytes, length told %v: %d rows, %v", name, at, len(body), framed, len(got.rows), got.err)
			}
		}
	}
}

func TestATestSaysWhatIsWrong(t *testing.T) {
	nobody := httptest.NewServer(nil)
	nobody.Close()
	good := serve(t, says(200, `{"data":[{"id":1,"changed":"2026-02-28T10:00:00Z"}]}`))
	for _, c := range []struct {
		name, at, say string
		o             format.Options
		kind          fault.Kind
	}{
		{"good", good, "", nil, 0},
		{"nobody listens", nobody.URL, "no connection", nil, fault.Unavailable},
		{"no such path", serve(t, says(404, "")), "404", nil, fault.NotFound},
		{"no key", good, "no column idd", format.Options{"key": "idd"}, fault.Invalid},
		{"no watermark", good, "no column changd", format.Options{"watermark": "changd"}, fault.Invalid},
		{"another format of marks", good, "2026-02-28T10", format.Options{"watermark": "changed", "since_format": "unix"}, fault.Invalid},
		{"no total", good, "no total", format.Options{"total": "/n"}, fault.Unavailable},
		{"no detail", good, "column nr", format.Options{"detail": "/d/{nr}"}, fault.Invalid},
	} {
		n := &naps{}
		err := opened(t, n.parts().Kind(), "rest", c.at, with(c.o, "rows", "/data")).Test(t.Context())
		if c.kind == 0 && err != nil || c.kind != 0 && (fault.KindOf(err) != c.kind || !strings.Contains(fmt.Sprint(err), c.say) || fault.HintOf(err) == "") {
			t.Errorf("%s: %v (%s)", c.name, err, fault.HintOf(err))
		}
		if len(n.all) > 0 {
			t.Errorf("%s: a test waited %v", c.name, n.all)
		}
	}
}

func TestOptionsThatMakeNoSenseAreRefusedByName(t *testing.T) {
	for _, c := range []struct {
		url, say string
		o        format.Options
	}{
		{"https://a.example/", "address", nil},
		{"rest+ftp://a.example/", "address", nil},
		{"rest+https:///x", "address", nil},
		{"rest+https://a.example/?q=%zz", "query", nil},
		{"", "paging", format.Options{"paging": "pages"}},
		{"", "cursor", format.Options{"paging": "cursor"}},
		{"", "next", format.Options{"paging": "next"}},
		{"", "key", format.Options{"paging": "keyset"}},
		{"", "key_param", format.Options{"paging": "keyset", "key": "id"}},
		{"", "page_size", format.Options{"paging": "page", "last_page": "short"}},
		{"", "seam", format.Options{"paging": "offset", "page_size": "1"}},
		{"rest+https://a.example/?page=1", "page", format.Options{"paging": "page"}},
		{"rest+https://a.example/?a={since}", "watermark", nil},
		{"", "zone", format.Options{"watermark": "at", "since_format": "datetime"}},
		{"", "zone", format.Options{"watermark": "at", "zone": "Mars/Olympus"}},
		{"", "overlap", format.Options{"watermark": "at", "overlap": "5 minutes"}},
		{"", "overlap", format.Options{"watermark": "at", "since_format": "number", "overlap": "5m"}},
		{"", "since_format", format.Options{"watermark": "at", "since_format": "iso"}},
		{"", "rate", format.Options{"rate": "fast"}},
		{"", "rate", format.Options{"rate": "0"}},
		{"", "timeout", format.Options{"timeout": "-5s"}},
		{"", "headers", format.Options{"headers": "X: y"}},
		{"", "rows", format.Options{"format": "csv", "rows": "/a"}},
		{"", "expandd", format.Options{"format_options": `{"expandd":"x"}`}},
		{"", "detail", format.Options{"detail": "/all"}},
		{"", "detail", format.Options{"detail": "https://b.example/{id}"}},
		{"", "detail", format.Options{"detail": "https://{id}.example/x"}},
	} {
		if c.url == "" {
			c.url = "rest+https://a.example/x"
		}
		u, err := url.Parse(c.url)
		if err != nil {
			t.Fatal(err)
		}
		_, err = new(naps).parts().Kind().Rows(source.Address{URL: u, Options: c.o})
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s %v: %v", c.url, c.o, err)
		}
	}
}
