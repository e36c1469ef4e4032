package rest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"headrace/internal/connect/format"
	"headrace/internal/connect/source"
	"headrace/internal/core/fault"
)

// instance is a server that speaks the Table API, with the habits of those that do.
type instance struct {
	ids     []string // in order
	hidden  map[string]bool
	total   bool
	queries []url.Values
	between func(*instance)
}

func populated(n int) *instance {
	in := &instance{total: true, hidden: map[string]bool{}}
	for i := range n {
		in.ids = append(in.ids, fmt.Sprintf("%032x", (i+1)*16))
	}
	return in
}

func (in *instance) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if in.queries = append(in.queries, q); len(in.queries) > 1 && in.between != nil {
		in.between(in)
	}
	last := ""
	for term := range strings.SplitSeq(q.Get("sysparm_query"), "^") {
		if after, found := strings.CutPrefix(term, "sys_id>"); found {
			last = after
		}
	}
	limit, err := strconv.Atoi(q.Get("sysparm_limit"))
	if err != nil {
		limit = 10_000
	}
	ids := slices.DeleteFunc(slices.Clone(in.ids), func(id string) bool { return id <= last })
	if in.total {
		w.Header().Set("X-Total-Count", strconv.Itoa(len(ids)))
	}
	rows := []map[string]string{}
	for _, id := range ids[:min(limit, len(ids))] { // access is decided behind the limit, and the total counts all
		if !in.hidden[id] {
			rows = append(rows, map[string]string{"sys_id": id, "sys_updated_on": "2026-02-28 10:00:00"})
		}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"result": rows}) // whoever asks may hang up
}

func readTable(t *testing.T, in *instance, more string, o format.Options) taken {
	t.Helper()
	return take(t.Context(), opened(t, new(naps).parts().Table(), "table", serve(t, in.ServeHTTP)+"/incident"+more, o), "")
}

func TestATableIsReadInTheOrderOfItsKeys(t *testing.T) {
	for _, n := range []int{0, 1, 10, 11, 25} {
		for _, total := range []bool{true, false} {
			in := populated(n)
			in.total = total
			got := readTable(t, in, "?sysparm_query=active=true^ORDERBYDESCnumber^ORpriority=1^NQstate=2^EQ&sysparm_view=x", format.Options{"page_size": "10", "fields": "number"})
			if got.err != nil || len(got.rows) != n || total && got.total != int64(n) {
				t.Errorf("%d records: %d rows, total %d, %v", n, len(got.rows), got.total, got.err)
			}
			for i, q := range in.queries {
				want := "active=true^ORpriority=1^^NQstate=2^ORDERBYsys_id"
				if i > 0 {
					last := fmt.Sprintf("sys_id>%032x^", i*160)
					if want = last + "active=true^ORpriority=1^^NQ" + last + "state=2^ORDERBYsys_id"; i*10 > n {
						want = strings.ReplaceAll(want, fmt.Sprintf("%032x", i*160), fmt.Sprintf("%032x", n*16))
					}
				}
				if have := q.Get("sysparm_query"); have != want || q.Get("sysparm_fields") != "sys_id,sys_updated_on,number" || q.Get("sysparm_display_value") != "false" || q.Get("sysparm_view") != "x" {
					t.Errorf("page %d: %v\nnot %s", i+1, q, want)
				}
			}
		}
	}
}

func TestATableIsReadFromItsMark(t *testing.T) {
	in := populated(3)
	s := opened(t, new(naps).parts().Table(), "table", serve(t, in.ServeHTTP)+"/incident", format.Options{"since_zone": "Europe/Vienna"})
	first := take(t.Context(), s, "")
	if first.err != nil || first.high != "2026-02-28T10:00:00Z" {
		t.Fatal(first.high, first.err)
	}
	second := take(t.Context(), s, first.high)
	if q := in.queries[len(in.queries)-1].Get("sysparm_query"); second.err != nil || q != "sys_updated_on>=2026-02-28 10:55:00^ORDERBYsys_id" {
		t.Errorf("%s, %v", q, second.err)
	}
	none := opened(t, new(naps).parts().Table(), "table", serve(t, in.ServeHTTP)+"/incident", format.Options{"watermark": "none"})
	if got := take(t.Context(), none, ""); got.err != nil || got.high != "" {
		t.Error(got.high, got.err)
	}
}

func TestRecordsThatAreCountedButNotGivenAreNoticed(t *testing.T) {
	for _, hidden := range [][]int{{3}, {9}, {24}, {10, 11, 12, 13, 14, 15, 16, 17, 18, 19}, {0, 12, 24}} {
		in := populated(25)
		for _, i := range hidden {
			in.hidden[in.ids[i]] = true
		}
		got := readTable(t, in, "", format.Options{"page_size": "10"})
		if fault.KindOf(got.err) != fault.Unavailable || !strings.Contains(fmt.Sprint(got.err), "25 rows, but") || !strings.Contains(fault.HintOf(got.err), "access") {
			t.Errorf("%v hidden: %d rows, %v", hidden, len(got.rows), got.err)
		}
		if len(hidden) == 1 {
			if got := readTable(t, in, "", format.Options{"page_size": "10", "total_tolerance": "1"}); got.err != nil || len(got.rows) != 24 {
				t.Errorf("%v hidden and tolerated: %d rows, %v", hidden, len(got.rows), got.err)
			}
		}
	}
}

func TestRecordsThatComeAndGoMeanwhileNeedNoTolerance(t *testing.T) {
	in := populated(35)
	n := 0
	in.between = func(in *instance) {
		n++
		in.ids = slices.Delete(in.ids, len(in.ids)-2, len(in.ids)-1)
		in.ids = append(in.ids, fmt.Sprintf("%032x", 5*n), fmt.Sprintf("%032x", 16*35+n))
		slices.Sort(in.ids)
	}
	if got := readTable(t, in, "", format.Options{"page_size": "10"}); got.err != nil || len(got.rows) < 34 {
		t.Errorf("%d rows, %v", len(got.rows), got.err)
	}
}

func TestAServerThatStopsAtARoundNumberIsNoticed(t *testing.T) {
	for size, o := range map[int]format.Options{20: {"page_size": "10", "row_cap": "20"}, 10_000: nil} {
		in := populated(size)
		in.total = false
		if got := readTable(t, in, "", o); fault.KindOf(got.err) != fault.Unavailable || !strings.Contains(got.err.Error(), fmt.Sprint("exactly ", size)) {
			t.Error(got.err)
		}
	}
}

func TestAServerThatStopsInTheMiddleIsNoticed(t *testing.T) {
	for _, c := range []struct{ body, say string }{
		{`{"result":[{"sys_id":"1","sys_updated_on":""}],"error":{"message":"Transaction cancelled: maximum execution time exceeded"},"status":"failure"}`, "maximum execution time"},
		{`<html><head><title>Instance Hibernating page</title></head></html>`, "Hibernating"},
		{`{"result":[{"sys_id":"1^ORsys_idISNOTEMPTY","sys_updated_on":""}]}`, "would change the query"},
	} {
		s := opened(t, new(naps).parts().Table(), "table", serve(t, says(200, c.body))+"/incident", nil)
		if got := take(t.Context(), s, ""); got.err == nil || !strings.Contains(got.err.Error(), c.say) {
			t.Error(got.err)
		}
	}
}

func TestAddressesOfTables(t *testing.T) {
	for at, want := range map[string]string{"/incident": "/api/now/table/incident", "/sub/dir/u_x/": "/sub/dir/api/now/table/u_x", "/": "", "/a.b": "", "/incident?sysparm_limit=5": ""} {
		path := ""
		server := serve(t, func(w http.ResponseWriter, r *http.Request) { path = r.URL.Path; fmt.Fprint(w, `{"result":[]}`) })
		u, err := url.Parse("table+" + server + at)
		if err != nil {
			t.Fatal(err)
		}
		s, err := new(naps).parts().Table().Rows(source.Address{URL: u, Inside: true})
		if want == "" {
			if fault.KindOf(err) != fault.Invalid || fault.HintOf(err) == "" {
				t.Errorf("%s: %v", at, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Test(t.Context()); err != nil || path != want {
			t.Errorf("%s: %s %v", at, path, err)
		}
	}
}
