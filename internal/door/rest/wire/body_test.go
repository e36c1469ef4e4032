package wire_test

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"headrace/internal/door/rest/wire"
)

func request(t testing.TB, contentType, body string) *wire.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/api/now/table/x", strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	return &wire.Request{Request: r}
}

func TestBodiesAreReadAsRecords(t *testing.T) {
	const asJSON, asXML = "application/json", "application/xml"
	pair := func(name, value string) wire.Pair { return wire.Pair{Name: name, Value: value} }
	nested := func(name, value string) wire.Pair { return wire.Pair{Name: name, Value: value, Nested: true} }
	cases := []struct {
		law, kind, body string
		want            []wire.Object
	}{
		{"nothing", asJSON, " \n", nil},
		{"an object", asJSON, `{"a":"x","b":""}`, []wire.Object{{pair("a", "x"), pair("b", "")}}},
		{"numbers keep their digits", asJSON, `{"a":1.50,"b":12345678901234567890,"c":1e3}`, []wire.Object{{pair("a", "1.50"), pair("b", "12345678901234567890"), pair("c", "1e3")}}},
		{"booleans and null", asJSON, `{"a":true,"b":false,"c":null}`, []wire.Object{{pair("a", "true"), pair("b", "false"), pair("c", "")}}},
		{"a list", asJSON, `[{"a":"1"},{"a":"2"}]`, []wire.Object{{pair("a", "1")}, {pair("a", "2")}}},
		{"a list in an object", asJSON, `{"records":[{"a":"1"},{"a":"2"}]}`, []wire.Object{{pair("a", "1")}, {pair("a", "2")}}},
		{"nested values are told", asJSON, `{"a":{"b": 1},"c":[]}`, []wire.Object{{nested("a", `{"b":1}`), nested("c", "[]")}}},
		{"a byte order mark", asJSON, "\xef\xbb\xbf{}", []wire.Object{{}}},
		{"single quotes", asJSON, `{'a':'it\'s','b':"don't",'c':'"'}`, []wire.Object{{pair("a", "it's"), pair("b", "don't"), pair("c", `"`)}}},
		{"apostrophes in proper JSON stay", asJSON, `{"a":"it's"}`, []wire.Object{{pair("a", "it's")}}},
		{"other JSON types", "application/json; charset=utf-8", `{"a":"ü"}`, []wire.Object{{pair("a", "ü")}}},
		{"an entry", asXML, `<request><entry><a>x</a><b/></entry></request>`, []wire.Object{{pair("a", "x"), pair("b", "")}}},
		{"entries", asXML, `<r><e><a>1</a></e><e><a>2</a></e></r>`, []wire.Object{{pair("a", "1")}, {pair("a", "2")}}},
		{"fields in the root", "text/xml; charset=UTF-8", `<r><a> x </a></r>`, []wire.Object{{pair("a", " x ")}}},
		{"namespaces do not matter", asXML, `<u:r xmlns:u="n"><u:a>1</u:a></u:r>`, []wire.Object{{pair("a", "1")}}},
	}
	for _, c := range cases {
		got, err := request(t, c.kind, c.body).Records()
		same := slices.EqualFunc(got, c.want, func(a, b wire.Object) bool { return slices.Equal(a, b) })
		if err != nil || !same {
			t.Errorf("%s: %s gives %v, %v; want %v", c.law, c.body, got, err, c.want)
		}
	}
}

func TestUnreadableBodiesAreThePlatformsError(t *testing.T) {
	cases := []struct {
		kind, body string
		status     int
	}{
		{"application/json", `{"a":`, 400}, {"application/json", `{"a":1}x`, 400}, {"application/json", `"a"`, 400}, {"application/json", `[1]`, 400},
		{"application/json", `{"a":{"b":1}}`, 400}, {"application/json", `{'a`, 400}, {"application/xml", `<a>`, 400}, {"application/xml", `<a/><b/>`, 400},
		{"application/xml", strings.Repeat("<a>", 100) + strings.Repeat("</a>", 100), 400}, {"application/xml", `<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>`, 400},
		{"text/plain", `a`, 415}, {"application/x-www-form-urlencoded", `a=1`, 415}, {"json/", `{}`, 415},
	}
	for _, c := range cases {
		_, err := request(t, c.kind, c.body).Body()
		var e *wire.Error
		if !errors.As(err, &e) || e.Status != c.status || c.status == 400 && e.Message != "Exception while reading request" {
			t.Errorf("%s %.60s: %v, want status %d", c.kind, c.body, err, c.status)
		}
	}
}

func FuzzJSONBody(f *testing.F) {
	for _, s := range []string{`{"a":1}`, `{'a':'b'}`, `[{"a":null}]`, `{"r":[{"a":"\u00e4"}]}`, `{"a":{"b":[1]}}`, `{'a':"it's"}`, `{"a":"\`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		got, err := request(t, "application/json", body).Records()
		checkRecords(t, body, got, err)
		var flat map[string]string
		if json.Unmarshal([]byte(body), &flat) != nil || len(flat) == 0 {
			return
		}
		if err != nil || len(got) != 1 {
			t.Fatalf("%q: %v, %v", body, got, err)
		}
		for _, p := range got[0] { // a name given twice counts twice; the last one wins in a map
			if want, known := flat[p.Name]; !known {
				t.Fatalf("%q: %q was not given, %q", body, p.Name, want)
			}
		}
	})
}

func FuzzXMLBody(f *testing.F) {
	for _, s := range []string{`<r><e><a>1</a></e></r>`, `<a/>`, `<a>&lt;<b/></a>`, `<?xml version="1.0"?><a b="c"/>`, `<![CDATA[x]]>`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		got, err := request(t, "application/xml", body).Records()
		checkRecords(t, body, got, err)
	})
}

// checkRecords: what was read is text, and what was not is an error in the platform's words.
func checkRecords(t *testing.T, body string, got []wire.Object, err error) {
	t.Helper()
	if err != nil {
		var e *wire.Error
		if !errors.As(err, &e) || e.Status != http.StatusBadRequest || got != nil {
			t.Fatalf("%q: %v, %v", body, got, err)
		}
	}
	for _, o := range got {
		for _, p := range o {
			if !utf8.ValidString(p.Value) || !utf8.ValidString(p.Name) {
				t.Fatalf("%q: %q is no text", body, p.Value)
			}
		}
	}
}

// Every text comes back from the JSON written of it as encoding/json reads it.
func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "a\"\\\n\x00\x1f", "ü\u2028😀", "\xff\xc0\x80", "a\xe2\x82"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var got string
		written := wire.AppendString(nil, text)
		if err := json.Unmarshal(written, &got); err != nil || got != strings.ToValidUTF8(text, "\ufffd") && utf8.ValidString(text) {
			t.Fatalf("%q is written %s: %q, %v", text, written, got, err)
		}
	})
}

// Whatever an answer says, its XML form is XML.
func TestAnswersAreXML(t *testing.T) {
	routes := []wire.Route{{Method: http.MethodGet, Pattern: "/api/now/odd", Public: true, Handler: func(*wire.Request) (*wire.Answer, error) {
		return &wire.Answer{Result: []any{map[string]any{"1 a<": "x & <y> \x00\u2028", "n": 1.5, "b": true, "z": nil, "l": []any{"p", []any{"q"}}, "": map[string]any{}}}}, nil
	}}}
	mux := http.NewServeMux()
	wire.Mount(mux, wire.Deps{}, routes)
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/api/now/v2/odd", nil)
	r.Header.Set("Accept", "application/xml")
	mux.ServeHTTP(w, r)
	want := `<?xml version="1.0" encoding="UTF-8"?><response><result><_></_><__a_>x &amp; &lt;y&gt; ` + "\ufffd\u2028" + `</__a_><b>true</b><l>p</l><l>q</l><n>1.5</n><z/></result></response>`
	if got := w.Body.String(); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if err := xml.Unmarshal(w.Body.Bytes(), new(struct{ XMLName xml.Name })); err != nil {
		t.Error(err)
	}
}
