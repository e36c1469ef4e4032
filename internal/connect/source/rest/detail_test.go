package rest_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"headrace/internal/connect/format"
	"headrace/internal/core/fault"
)

// detailed is a list whose rows have details; the one of row bad answers as bad does. It counts the calls at a time.
func detailed(n int, bad string, answer http.HandlerFunc, most *atomic.Int64) http.HandlerFunc {
	var now atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) {
		id, found := strings.CutPrefix(r.URL.Path, "/items/")
		if !found {
			var list []string
			for i := range n {
				list = append(list, fmt.Sprintf(`{"id":"%d/a b"}`, i))
			}
			fmt.Fprintf(w, "[%s]", strings.Join(list, ","))
			return
		}
		if k := now.Add(1); k > most.Load() {
			most.Store(k)
		}
		defer now.Add(-1)
		if id == bad {
			answer(w, r)
			return
		}
		fmt.Fprintf(w, `{"item":{"price":{"net":"%s"},"id":7}}`, id)
	}
}

func TestDetailsComeToTheirRowsInOrder(t *testing.T) {
	var most atomic.Int64
	o := format.Options{"detail": "/items/{id}", "detail_rows": "/item", "detail_concurrency": "3", "detail_prefix": "d_"}
	got := pull(t, serve(t, detailed(20, "", nil, &most)), o)
	if got.err != nil || strings.Join(got.header, "|") != "id|d_price.net|d_id" || len(got.rows) != 20 {
		t.Fatalf("%q %d rows, %v", got.header, len(got.rows), got.err)
	}
	for i, row := range got.rows {
		if want := fmt.Sprintf("%d/a b|%d/a b|7", i, i); row != want {
			t.Errorf("%s, not %s", row, want)
		}
	}
	if most.Load() > 3 {
		t.Errorf("%d calls at a time", most.Load())
	}
}

func TestAFailedDetailCostsTheReadingOrItsRow(t *testing.T) {
	for _, c := range []struct {
		name, policy string
		answer       http.HandlerFunc
		kind         fault.Kind
	}{
		{"gone", "fail", says(404, ""), fault.NotFound},
		{"gone", "spoil", says(404, ""), 0},
		{"no object", "fail", says(200, `{"item":[]}`), fault.Invalid},
		{"no object", "spoil", says(200, `{"item":[]}`), 0},
		{"cut", "spoil", cutShort, 0},
		{"not allowed", "spoil", says(401, ""), fault.Denied},
	} {
		var most atomic.Int64
		o := format.Options{"detail": "/items/{id}", "detail_rows": "/item", "detail_failure": c.policy}
		got := pull(t, serve(t, detailed(9, "4/a b", c.answer, &most)), o)
		if c.kind == 0 && (got.err != nil || len(got.rows) != 9 || got.bad != 1) || c.kind != 0 && (fault.KindOf(got.err) != c.kind || len(got.rows) > 0) {
			t.Errorf("%s, %s: %d rows, %d spoiled, %v", c.name, c.policy, len(got.rows), got.bad, got.err)
		}
	}
}

func TestARowWithoutWhatItsDetailNeedsMakesNoCall(t *testing.T) {
	for _, id := range []string{`""`, "null", `".."`} {
		h := func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/items" {
				t.Errorf("%s was asked for", r.URL)
			}
			fmt.Fprintf(w, `[{"id":%s}]`, id)
		}
		if got := pull(t, serve(t, h)+"/items", format.Options{"detail": "/items/{id}"}); fault.KindOf(got.err) != fault.Invalid {
			t.Errorf("%s: %v", id, got.err)
		}
	}
}
