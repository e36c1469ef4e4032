package rest

import (
	"cmp"

	"headrace/internal/core/fault"
)

// tally compares the rows that came with the totals that the service told.
type tally struct {
	paging
	first, low, high int64 // totals told; -1: none
	read             int64
	expect           int64 // of the next page, when the total is of what is left; -1: unknown
	short            bool  // the page before had fewer rows than it could have had
	missing          int64
}

func newTally(p paging) *tally { return &tally{paging: p, first: -1, low: -1, high: -1, expect: -1} }

// take notes the total that a page tells. n is how many rows it brought.
func (t *tally) take(total int64, n int) {
	t.read += int64(n)
	if total < 0 {
		t.expect = -1
		return
	}
	if t.first < 0 {
		t.first, t.low = total, total
	}
	t.low, t.high = min(t.low, total), max(t.high, total)
	if !t.remaining {
		return
	}
	// Rows that went between two pages make the rest smaller. After a full page they were deleted; after a page with fewer
	// rows than asked although there were more, they are rows that the service counts but does not give.
	if t.expect >= 0 && t.short {
		t.missing += max(t.expect-total, 0)
	}
	t.expect = total - int64(n)
	t.short = t.size > 0 && int64(n) < t.size && t.expect > 0
}

// all reports whether the rows have reached the total.
func (t *tally) all() bool {
	switch {
	case t.first < 0:
		return false
	case t.remaining:
		return t.expect == 0
	}
	return t.way != pagingKeyset && t.read >= t.high && t.low == t.high
}

// check is called behind the last page.
func (t *tally) check() error {
	switch {
	case t.first < 0 && t.cap > 0 && t.read == t.cap:
		return fault.New(fault.Unavailable, "the service gave exactly %d rows, at which services stop without a word", t.read).
			WithHint("read in pages; if there are just so many rows, set row_cap to 0")
	case t.first < 0:
		return nil
	case t.remaining:
		return t.rest()
	case (t.way == pagingPage || t.way == pagingOffset && !t.seam) && t.high-t.low > t.tolerance:
		return moved("the service told %d rows in all, and %d on another page", t.low, t.high)
	case t.read < t.low-t.tolerance || t.read > t.high+t.tolerance:
		return mismatch(cmp.Or(t.near(), t.first), t.read)
	}
	return nil
}

func (t *tally) near() int64 {
	if t.read > t.high {
		return t.high
	}
	return t.low
}

// rest checks totals of what is left: nothing may be left at the end.
func (t *tally) rest() error {
	if missing := t.missing + max(t.expect, 0); missing > t.tolerance {
		return mismatch(t.read+missing, t.read)
	}
	return nil
}

func mismatch(told, came int64) error {
	return fault.New(fault.Unavailable, "the service says that there are %d rows, but %d came", told, came).
		WithHint("rows may be hidden from the credential by access rules, or the set moves: see total_tolerance; when the total counts something else, set total to another place or to none")
}
