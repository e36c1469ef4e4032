package table

import (
	"strconv"

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

// links writes the Link header.
func (w window) links(r *wire.Request, got int, total int64) string {
	return wire.Links(r, w.limit, w.offset, got, total)
}
