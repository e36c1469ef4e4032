package rest_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"headrace/internal/connect/format"
	"headrace/internal/connect/source"
	"headrace/internal/connect/source/sourcetest"
)

// counted is a service whose sets are asked for by a header: small, empty, large.
func counted(w http.ResponseWriter, r *http.Request) {
	if user, password, _ := r.BasicAuth(); user != "reader" || password != "pass&word 1" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	q := r.URL.Query()
	number := func(name string, def int) int {
		if n, err := strconv.Atoi(q.Get(name)); err == nil {
			return n
		}
		return def
	}
	size, set, name := number("limit", 10), 25, "x"
	switch r.Header.Get("X-Set") {
	case "large":
		set, name = 12_000, strings.Repeat("x", 1000)
	case "empty":
		fmt.Fprint(w, "id,name\n")
		return
	}
	from := max(number("after", 0)+1, number("from", 1))
	var b strings.Builder
	b.WriteString(`{"data":[`)
	for i := from; i <= set && i < from+size; i++ {
		if i > from {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":%d,"name":%q}`, i, name)
	}
	w.Header().Set("X-Total-Count", strconv.Itoa(max(set-from+1, 0)))
	fmt.Fprint(w, b.String()+`]}`)
}

func TestLaws(t *testing.T) {
	at := serve(t, counted)
	sample := func(set string, more ...string) format.Options {
		o := with(format.Options{"rows": "/data", "paging": "keyset", "key": "id", "key_param": "after={last}", "total_of": "rest", "page_size": "10", "size_param": "limit"}, more...)
		if set != "" {
			o["headers"] = `{"X-Set":"` + set + `"}`
		}
		return o
	}
	sourcetest.Rows(t, sourcetest.Place{
		Kind: new(naps).parts().Kind(), Server: strings.TrimPrefix(at, "http://"), Secret: source.Secret{User: "reader", Password: "pass&word 1"},
		URL:    func(server string) string { return "rest+http://" + server + "/things" },
		Sample: sample(""), Count: 25, Marked: sample("", "watermark", "id", "since_format", "number", "since", "from={since}"),
		Empty: format.Options{"format": "csv", "headers": `{"X-Set":"empty"}`},
		Large: sample("large", "page_size", "500"), LargeCount: 12_000, Memory: 6 << 20,
	})
}
