package wire

import (
	"strconv"
	"strings"
)

// Links writes the Link header of a page of a list: first, prev, next, last, without blanks, since clients look for
// exactly that. got is how many entries the page has. With the total unknown (-1) there is no last, and next is there
// after a full page. A limit of 0 has no pages.
func Links(r *Request, limit, offset, got int, total int64) string {
	if limit == 0 {
		return ""
	}
	base := r.Base + r.URL.EscapedPath() + "?" + paged(r.URL.RawQuery, limit)
	var out []string
	add := func(rel string, offset int64) {
		out = append(out, "<"+base+strconv.FormatInt(offset, 10)+`>;rel="`+rel+`"`)
	}
	most, from := int64(limit), int64(offset)
	add("first", 0)
	if from > 0 {
		add("prev", max(from-most, 0))
	}
	if total >= 0 && from+most < total || total < 0 && got == limit {
		add("next", from+most)
	}
	if total >= 0 {
		add("last", max(total-1, 0)/most*most)
	}
	return strings.Join(out, ",")
}

// paged is the caller's own query string, as he encoded it, with the limit set and the offset last and open.
func paged(raw string, most int) string {
	limit := "sysparm_limit=" + strconv.Itoa(most)
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
