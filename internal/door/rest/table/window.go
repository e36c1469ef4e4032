package table

import (
	"strconv"
	"strings"

	"headrace/internal/door/rest/wire"
)

const (
	defaultLimit = 10_000
	// largestPage bounds the memory of one answer, in records; the Link header leads on from there.
	largestPage = 50_000
)

// window is the part of a list that is asked for.
type window struct{ limit, offset int }

// readWindow reads limit and offset. What is no number of records is taken as absent: the platform's own links to a
// previous page have carried negative offsets.
func readWindow(r *wire.Request) window {
	w := window{limit: defaultLimit}
	if n, err := strconv.Atoi(r.Param("sysparm_limit")); err == nil && n >= 0 {
		w.limit = min(n, largestPage)
	}
	if n, err := strconv.Atoi(r.Param("sysparm_offset")); err == nil && n > 0 {
		w.offset = n
	}
	return w
}

// last reports whether a page of so many records is known to be the last.
func (w window) last(got int) bool { return got < w.limit && (got > 0 || w.offset == 0) }

// links writes the Link header: first, prev, next, last, without blanks, since clients look for exactly that. With
// the total unknown (-1) there is no last, and next is there after a full page.
func (w window) links(r *wire.Request, got int, total int64) string {
	if w.limit == 0 {
		return ""
	}
	base := r.Base + r.URL.EscapedPath() + "?" + w.query(r.URL.RawQuery)
	var out []string
	add := func(rel string, offset int64) {
		out = append(out, "<"+base+strconv.FormatInt(offset, 10)+`>;rel="`+rel+`"`)
	}
	limit, offset := int64(w.limit), int64(w.offset)
	add("first", 0)
	if offset > 0 {
		add("prev", max(offset-limit, 0))
	}
	if total >= 0 && offset+limit < total || total < 0 && got == w.limit {
		add("next", offset+limit)
	}
	if total >= 0 {
		add("last", max(total-1, 0)/limit*limit)
	}
	return strings.Join(out, ",")
}

// query is the caller's own query string, as he encoded it, with the limit set and the offset last and open.
func (w window) query(raw string) string {
	limit := "sysparm_limit=" + strconv.Itoa(w.limit)
	var parts []string
	limited := false
	for part := range strings.SplitSeq(raw, "&") {
		name, _, _ := strings.Cut(part, "=")
		switch {
		case part == "" || name == "sysparm_offset" || name == "sysparm_limit" && limited:
			continue
		case name == "sysparm_limit":
			part, limited = limit, true
		}
		parts = append(parts, part)
	}
	if !limited {
		parts = append(parts, limit)
	}
	return strings.Join(append(parts, "sysparm_offset="), "&")
}
