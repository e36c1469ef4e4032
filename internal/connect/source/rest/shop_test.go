package rest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"headrace/internal/connect/format"
)

// thing is a row of a shop.
type thing struct {
	ID      int       `json:"id"`
	Name    string    `json:"name"`
	Changed time.Time `json:"changed"`
}

// shop is a service whose set moves between two answers.
type shop struct {
	mu      sync.Mutex
	things  []thing // in the order of ids, which is that of making
	serial  int
	now     time.Time // of its clock
	size    int       // rows of a page when nothing is asked
	total   bool
	between func(*shop) // called before every answer but the first
	asked   int
}

func stocked(n int) *shop {
	s := &shop{size: 4, total: true, now: time.Date(2026, 2, 28, 9, 0, 0, 0, time.UTC)}
	for range n {
		s.make()
	}
	return s
}

func (s *shop) make() {
	s.serial++
	s.things = append(s.things, thing{ID: s.serial, Name: fmt.Sprint("thing ", s.serial), Changed: s.now})
}

func (s *shop) drop(i int) { s.things = slices.Delete(s.things, i, i+1) }

// ways are the options for each way of paging that a shop knows.
var ways = map[string]format.Options{
	"link":   {"paging": "link"},
	"next":   {"paging": "next", "next": "/meta/next"},
	"cursor": {"paging": "cursor", "cursor": "/meta/cursor", "cursor_param": "after"},
	"page":   {"paging": "page", "key": "id"},
	"offset": {"paging": "offset", "key": "id"},
	"keyset": {"paging": "keyset", "key": "id", "key_param": "after={last}", "total_of": "rest"},
}

// sized is a way with pages of n rows.
func sized(way string, n int) format.Options {
	o := format.Options{"rows": "/data", "page_size": strconv.Itoa(n), "size_param": "limit"}
	for k, v := range ways[way] {
		o[k] = v
	}
	return o
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked++; s.asked > 1 && s.between != nil {
		s.between(s)
	}
	q := r.URL.Query()
	number := func(name string, def int) int {
		if n, err := strconv.Atoi(q.Get(name)); err == nil {
			return n
		}
		return def
	}
	limit, rows := number("limit", s.size), slices.Clone(s.things)
	if since, err := time.Parse(time.RFC3339Nano, q.Get("since")); err == nil {
		rows = slices.DeleteFunc(rows, func(t thing) bool { return t.Changed.Before(since) })
	}
	rows = slices.DeleteFunc(rows, func(t thing) bool { return t.ID <= number("after", 0) })
	total := len(rows)
	rows = rows[min(number("offset", (number("page", 1)-1)*limit), len(rows)):]
	page := rows[:min(limit, len(rows))]
	meta := map[string]any{"total": total, "cursor": nil, "next": nil, "more": len(rows) > limit}
	if len(rows) > limit {
		last := page[len(page)-1].ID
		meta["cursor"] = last
		q.Set("after", strconv.Itoa(last))
		meta["next"] = "/things?" + q.Encode()
		w.Header().Add("Link", fmt.Sprintf(`<http://%s/things?limit=1>; rel="first", </things?%s>; rel="next"`, r.Host, q.Encode()))
	}
	if s.total {
		w.Header().Set("X-Total-Count", strconv.Itoa(total))
	}
	w.Header().Set("Date", s.now.UTC().Format(http.TimeFormat))
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"data": page, "meta": meta}) // whoever asks may hang up
}

// ids are the first cells of rows.
func ids(rows []string) []int {
	var out []int
	for _, r := range rows {
		id, _, _ := strings.Cut(r, "|")
		n, err := strconv.Atoi(id)
		if err != nil {
			n = -1
		}
		out = append(out, n)
	}
	return out
}
