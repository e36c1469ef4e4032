package rest_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"headrace/internal/connect/format"
	"headrace/internal/core/fault"
)

// with puts further options to others.
func with(o format.Options, more ...string) format.Options {
	out := maps.Clone(o)
	if out == nil {
		out = format.Options{}
	}
	for i := 0; i < len(more); i += 2 {
		out[more[i]] = more[i+1]
	}
	return out
}

// totals are options for ways in which the totals of a shop are of what is left.
func totals(way string) []string {
	switch way {
	case "link", "next", "cursor":
		return []string{"total", "none"}
	}
	return nil
}

func TestEveryWayOfPagingGivesEveryRowOnce(t *testing.T) {
	var s *shop
	at := serve(t, func(w http.ResponseWriter, r *http.Request) { s.ServeHTTP(w, r) }) + "/things"
	for way := range ways {
		for _, size := range []int{2, 3, 7} {
			for _, n := range []int{0, 1, 6, 7} {
				for _, last := range []string{"empty", "short"} {
					for _, counted := range []bool{true, false} {
						s = stocked(n)
						s.total = counted
						got := pull(t, at, with(sized(way, size), append(totals(way), "last_page", last)...))
						if got.err != nil || !slices.Equal(ids(got.rows), ids(all(n))) {
							t.Errorf("%s, %d rows in pages of %d, last page %s: %v %v", way, n, size, last, ids(got.rows), got.err)
						}
						if want := int64(n); counted && totals(way) == nil && got.total != want || !counted && got.total != -1 {
							t.Errorf("%s: total %d of %d", way, got.total, n)
						}
					}
				}
			}
		}
	}
}

func all(n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprint(i+1))
	}
	return out
}

func TestAPlaceSaysWhetherThereAreMorePages(t *testing.T) {
	for _, way := range []string{"page", "offset", "keyset", "cursor"} {
		s := stocked(8)
		s.total = false
		got := pull(t, serve(t, s.ServeHTTP)+"/things", with(sized(way, 4), "more", "/meta/more"))
		if got.err != nil || len(got.rows) != 8 {
			t.Errorf("%s: %v %v", way, got.rows, got.err)
		}
		if most := map[bool]int{true: 3, false: 2}[way == "offset"]; s.asked != most { // a seam takes the place of a row
			t.Errorf("%s: %d requests", way, s.asked)
		}
	}
}

// A reading goes on while the set moves at random. Keyset, cursor and links by key lose no row that was there all the
// time and give none twice; offset does not either, or says that the set moved.
func TestMovingSetsLoseNoRowThatWasThereAllTheTime(t *testing.T) {
	told := map[string]int{}
	var s *shop
	at := serve(t, func(w http.ResponseWriter, r *http.Request) { s.ServeHTTP(w, r) }) + "/things"
	for seed := range uint64(soak(20, 1000)) {
		for way := range ways {
			if way == "page" {
				continue // is told by totals only: see below
			}
			random := rand.New(rand.NewPCG(seed, 7))
			s = stocked(10 + random.IntN(30))
			was := slices.Clone(s.things)
			s.between = func(s *shop) {
				for range random.IntN(3) {
					s.make()
				}
				for range random.IntN(2) * random.IntN(3) {
					if len(s.things) > 0 {
						s.drop(random.IntN(len(s.things)))
					}
				}
			}
			got := pull(t, at, with(sized(way, 2+random.IntN(6)), append(totals(way), "max_pages", "200")...))
			if got.err != nil {
				told[way]++
				if way != "offset" || fault.KindOf(got.err) != fault.Unavailable || !strings.Contains(fault.HintOf(got.err), "keyset") {
					t.Errorf("seed %d, %s: %v", seed, way, got.err)
				}
				continue
			}
			check(t, fmt.Sprintf("seed %d, %s", seed, way), ids(got.rows), was, s.things)
		}
	}
	if told["offset"] == 0 {
		t.Error("no set moved under offset")
	}
}

// check looks for rows that were there before and after a reading, and for doubles.
func check(t *testing.T, name string, got []int, before, after []thing) {
	t.Helper()
	seen := map[int]bool{}
	for _, id := range got {
		if seen[id] {
			t.Errorf("%s: %d is double in %v", name, id, got)
		}
		seen[id] = true
	}
	stayed := map[int]bool{}
	for _, r := range after {
		stayed[r.ID] = true
	}
	for _, r := range before {
		if stayed[r.ID] && !seen[r.ID] {
			t.Errorf("%s: %d is missing in %v", name, r.ID, got)
		}
	}
}

func TestASetThatMovesUnderPagesIsNoticed(t *testing.T) {
	for _, c := range []struct {
		name string
		way  string
		move func(*shop)
		o    []string
	}{
		{"a row of the first page goes", "page", func(s *shop) { s.drop(0) }, nil},
		{"a row of the first page goes", "offset", func(s *shop) { s.drop(0) }, nil},
		{"one goes, without seam", "offset", func(s *shop) { s.drop(0) }, []string{"seam", "false"}},
		{"one goes, another comes, without totals", "offset", func(s *shop) { s.drop(0); s.make() }, []string{"total", "none"}},
		{"one comes at the front", "page", func(s *shop) { s.things = slices.Insert(s.things, 0, thing{ID: 1000 + s.asked}) }, []string{"total", "none"}},
		{"one comes at the front", "offset", func(s *shop) { s.things = slices.Insert(s.things, 0, thing{ID: 1000 + s.asked}) }, []string{"total", "none", "key", ""}},
	} {
		s := stocked(20)
		s.between = c.move
		got := pull(t, serve(t, s.ServeHTTP)+"/things", with(sized(c.way, 5), c.o...))
		if fault.KindOf(got.err) != fault.Unavailable || !strings.Contains(fmt.Sprint(got.err), "moved") || !strings.Contains(fault.HintOf(got.err), "keyset") {
			t.Errorf("%s, %s: %d rows, %v", c.way, c.name, len(got.rows), got.err)
		}
	}
}

func TestPagesThatGoInCirclesEndInAnError(t *testing.T) {
	page := func(rest string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", `</items?again>; rel=next`)
			fmt.Fprintf(w, `{"data":[{"id":%q}]%s}`, r.URL.RawQuery+rest, rest)
		}
	}
	same := func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"data":[{"id":1}]}`) }
	n := 0
	endless := func(w http.ResponseWriter, _ *http.Request) { n++; fmt.Fprintf(w, `{"data":[{"id":%d}]}`, n) }
	for _, c := range []struct {
		name, say string
		o         format.Options
		h         http.HandlerFunc
	}{
		{"the same link", "circle", format.Options{"paging": "link"}, page("")},
		{"the same URL", "circle", format.Options{"paging": "next", "next": "/next"}, page(`,"next":"/items?page=2"`)},
		{"the same cursor", "circle", format.Options{"paging": "cursor", "cursor": "/next"}, page(`,"next":"abc"`)},
		{"a page number that is not heeded", "same rows", format.Options{"paging": "page"}, same},
		{"an offset that is not heeded", "same rows", format.Options{"paging": "offset", "seam": "false"}, same},
		{"a key that is not heeded", "same rows", format.Options{"paging": "keyset", "key": "id", "key_param": "after={last}"}, same},
		{"no end", "more than 20 pages", format.Options{"paging": "page", "max_pages": "20"}, endless},
	} {
		got := pull(t, serve(t, c.h)+"/items", with(c.o, "rows", "/data"))
		if got.err == nil || !strings.Contains(got.err.Error(), c.say) || fault.HintOf(got.err) == "" {
			t.Errorf("%s: %d rows, %v", c.name, len(got.rows), got.err)
		}
	}
}

func TestKeysetRefusesKeysThatPagesCannotBeOrderedBy(t *testing.T) {
	for _, c := range []struct {
		keys, say string
		o         []string
	}{
		{"1,2,10,11", "", nil},
		{"1,10,11,2", "", nil},
		{"9,8,1", "", nil},
		{"Abel,bert,Carl", "", nil},
		{"1,3,2", "order", nil},
		{"1,3,2", "", []string{"key_order", "any"}},
		{"1,2,2,3", "two rows", nil},
		{"a,b,a", "order", nil},
		{"1,,3", "no key", nil},
	} {
		body := ""
		for key := range strings.SplitSeq(c.keys, ",") {
			body += fmt.Sprintf(`,{"id":%q}`, key)
		}
		h := func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Has("after") {
				body = " "
			}
			fmt.Fprintf(w, `{"data":[%s]}`, body[1:])
		}
		got := pull(t, serve(t, h), with(sized("keyset", 100), c.o...))
		if c.say == "" && got.err != nil || c.say != "" && (got.err == nil || !strings.Contains(got.err.Error(), c.say)) {
			t.Errorf("%s: %v", c.keys, got.err)
		}
	}
}

func TestTotalsAreCheckedAgainstTheRowsThatCame(t *testing.T) {
	for _, c := range []struct {
		name, body, header string
		o                  format.Options
		say                string
	}{
		{"a header", `{"data":[{"id":1},{"id":2}]}`, "2", nil, ""},
		{"a header with more", `{"data":[{"id":1},{"id":2}]}`, "5", nil, "5 rows, but 2 came"},
		{"a header with fewer", `{"data":[{"id":1},{"id":2}]}`, "1", nil, "1 rows, but 2 came"},
		{"tolerated", `{"data":[{"id":1},{"id":2}]}`, "5", format.Options{"total_tolerance": "3"}, ""},
		{"not looked at", `{"data":[{"id":1}]}`, "5", format.Options{"total": "none"}, ""},
		{"a place", `{"meta":{"all":"2"},"data":[{"id":1}]}`, "", format.Options{"total": "/meta/all"}, "2 rows, but 1 came"},
		{"another header", `{"data":[{"id":1}]}`, "1", format.Options{"total": "header:X-All"}, "no total"},
		{"no number", `{"data":[{"id":1}],"n":"many"}`, "", format.Options{"total": "/n"}, "many"},
		{"a round number", `{"data":[{"id":1},{"id":2}]}`, "", format.Options{"row_cap": "2"}, "exactly 2 rows"},
		{"a round number that is the total", `{"data":[{"id":1},{"id":2}]}`, "2", format.Options{"row_cap": "2"}, ""},
	} {
		h := func(w http.ResponseWriter, _ *http.Request) {
			if c.header != "" {
				w.Header().Set("X-Total-Count", c.header)
			}
			fmt.Fprint(w, c.body)
		}
		got := pull(t, serve(t, h), with(c.o, "rows", "/data"))
		if c.say == "" && got.err != nil || c.say != "" && (got.err == nil || !strings.Contains(got.err.Error(), c.say) || fault.HintOf(got.err) == "") {
			t.Errorf("%s: %v", c.name, got.err)
		}
	}
}

func TestAFurtherPageThatNobodyAsksForIsNoticed(t *testing.T) {
	h := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("Link", `<https://a.example/?page=1>; rel="self"`)
		w.Header().Add("Link", `<https://a.example/?page=2>; title="x, y"; rel="last next"`)
		fmt.Fprint(w, `[{"id":1}]`)
	}
	got := pull(t, serve(t, h), nil)
	if fault.KindOf(got.err) != fault.Unavailable || !strings.Contains(fault.HintOf(got.err), "link") {
		t.Error(got.err)
	}
}

func TestLinksLeadToTheSameHostOnly(t *testing.T) {
	elsewhere := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the other host was asked") })
	for way, o := range map[string]format.Options{"link": {"paging": "link"}, "next": {"paging": "next", "next": "/next"}} {
		h := func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", "<"+elsewhere+">; rel=next")
			fmt.Fprintf(w, `{"next":%q,"data":[{"id":1}]}`, elsewhere)
		}
		if got := pull(t, serve(t, h), with(o, "rows", "/data")); fault.KindOf(got.err) != fault.Refused || !strings.Contains(got.err.Error(), "another host") {
			t.Errorf("%s: %v", way, got.err)
		}
	}
}

func TestRowsAreWhereTheyWereOnTheFirstPage(t *testing.T) {
	h := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("page") == "1" {
			fmt.Fprint(w, `{"items":[{"id":1}],"notes":[]}`)
			return
		}
		fmt.Fprint(w, `{"items":[],"notes":[{"id":2}]}`)
	}
	if got := pull(t, serve(t, h), format.Options{"paging": "page"}); got.err != nil || len(got.rows) != 1 {
		t.Errorf("%q %v", got.rows, got.err)
	}
}

func TestParametersStandWhereTheirPlaceholdersDo(t *testing.T) {
	var asked []string
	h := func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, r.ContentLength)
		_, _ = r.Body.Read(body)
		asked = append(asked, r.Method+" "+r.URL.RawQuery+" "+string(body)+" "+r.Header.Get("X-Page"))
		if len(asked) == 1 {
			fmt.Fprint(w, `{"data":[{"id":"a\"b"}],"cursor":"c&\"d"}`)
			return
		}
		fmt.Fprint(w, `{"data":[],"cursor":null}`)
	}
	at := serve(t, h)
	for _, c := range []struct {
		query, want string
		o           format.Options
	}{
		{"?q=a%20b&x=1", "GET q=a+b&x=1  /GET q=a+b&x=1&cursor=c%26%22d  ", format.Options{"paging": "cursor", "cursor": "/cursor"}},
		{"", `POST  {"n":5} /POST  {"n":5,"after":"c&\"d"} `, format.Options{"paging": "cursor", "cursor": "/cursor", "method": "POST", "page_size": "5", "body": `{"n":{size}[,"after":"{cursor}"]}`}},
		{"?q=[id%3E{last}%20and%20]x", `GET q=x  /GET q=id%3Ea%22b+and+x  `, format.Options{"paging": "keyset", "key": "id"}},
		{"?p={page}", "GET p=0  0/GET p=1  1", format.Options{"paging": "page", "first": "0", "headers": `{"X-Page":"{page}"}`}},
	} {
		asked = nil
		got := pull(t, at+"/"+c.query, with(c.o, "rows", "/data"))
		if have := strings.Join(asked, "/"); got.err != nil || strings.ReplaceAll(have, `\u0026`, "&") != c.want {
			t.Errorf("%s\nnot %s: %v", have, c.want, got.err)
		}
	}
}

// soak is n, or the large number in long runs.
func soak(n, large int) int {
	if os.Getenv("HEADRACE_SOAK") != "" {
		return large
	}
	return n
}
