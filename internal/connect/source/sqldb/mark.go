package sqldb

import (
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// defaultOverlap is for clocks that differ and transactions that end after their stamps.
const defaultOverlap = 5 * time.Minute

// layout writes times as cells have them, without zeros at the end.
const layout = "2006-01-02 15:04:05.999999999"

func (k kind) isTime() bool { return k == date || k == local || k == instant }

// high is the highest mark that was seen. Marks are cells of the watermark's column.
type high struct {
	kind  kind
	text  string
	limit string // no higher mark is kept; "" is none
}

// see takes the cell of one more row.
func (h *high) see(cell record.Value) {
	text := cell.Text
	if !cell.Valid || text == "" || text == h.text {
		return
	}
	if h.kind.isTime() {
		text = h.within(text)
	}
	if text != "" && (h.text == "" || h.less(h.text, text)) {
		h.text = text
	}
}

// within bounds a time by the limit; "" for times before the year 0.
func (h *high) within(text string) string {
	switch {
	case text[0] == '-' || strings.HasSuffix(text, " BC"):
		return ""
	case h.limit == "":
		return text
	// A year of five digits, infinity: what is no time of this age lies behind all that are.
	case len(text) < len(time.DateOnly) || text[4] != '-' || text > h.limit:
		return h.limit
	}
	return text
}

func (h *high) less(a, b string) bool {
	if h.kind != number {
		return a < b
	}
	m, errA := strconv.ParseInt(a, 10, 64)
	n, errB := strconv.ParseInt(b, 10, 64)
	if errA == nil && errB == nil {
		return m < n
	}
	x, okX := new(big.Rat).SetString(a)
	y, okY := new(big.Rat).SetString(b)
	return okX && okY && x.Cmp(y) < 0
}

// comparable refuses a watermark whose values do not tell exactly what is newer.
func (g *reading) comparable(c column) error {
	bad := func(why, format string, args ...any) error {
		return fault.New(fault.Invalid, "option watermark: column %q of type %s %s", c.name, c.typ, why).WithHint(format, args...)
	}
	switch c.kind {
	case number, date, instant:
		return nil
	case local:
		if g.zone == nil {
			return bad("keeps no time zone", "say with the option zone which one it is in: Europe/Berlin, UTC")
		}
		return nil
	case float:
		return bad("is not exact", "take a column with an integer, a decimal, a date or a time; or cast it in a query")
	case blob:
		return bad("is not comparable", "a rowversion can be read as a number by a query: SELECT *, CONVERT(bigint, version) AS version_number FROM ...")
	}
	return bad("is not comparable", "take a column with an integer, a decimal, a date or a time of change")
}

var decimalText = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)

// bound is the mark from which on is read: since less the overlap.
func (g *reading) bound(c column, since string) (string, error) {
	if c.kind == number {
		return g.boundNumber(since)
	}
	t, err := time.Parse(layout, since)
	if c.kind == date {
		t, err = time.Parse(time.DateOnly, since)
	}
	if err != nil {
		return "", fault.New(fault.Invalid, "the last mark %q is no %s, as column %q has them", since, timeWord(c.kind), c.name).
			WithHint("empty the mark to read everything once more, or write it as %s", timeExample(c.kind))
	}
	overlap := defaultOverlap
	if g.overlap != "" {
		if overlap, err = time.ParseDuration(g.overlap); err != nil || overlap < 0 {
			return "", fault.New(fault.Invalid, "option overlap: %q is no duration, and column %q holds times", g.overlap, c.name).WithHint("write 5m or 2h")
		}
	}
	t = t.Add(-overlap)
	switch c.kind {
	case date:
		return t.Format(time.DateOnly), nil
	case local:
		return earliestWall(t, g.zone).Format(layout), nil
	}
	return t.Format(layout), nil
}

func timeWord(k kind) string {
	if k == date {
		return "date"
	}
	return "time"
}

func timeExample(k kind) string {
	if k == date {
		return "2006-01-02"
	}
	return "2006-01-02 15:04:05, in UTC"
}

func (g *reading) boundNumber(since string) (string, error) {
	overlap := "0"
	if g.overlap != "" {
		overlap = g.overlap
	}
	if !decimalText.MatchString(overlap) || overlap[0] == '-' {
		return "", fault.New(fault.Invalid, "option overlap: %q is no number of at least 0, and column %q holds numbers", overlap, g.watermark).
			WithHint("write how far below the last mark a reading begins, such as 1000")
	}
	if !decimalText.MatchString(since) {
		return "", fault.New(fault.Invalid, "the last mark %q is no number, as column %q has them", since, g.watermark).
			WithHint("empty the mark to read everything once more, or write a number")
	}
	a, _ := new(big.Rat).SetString(since)
	b, _ := new(big.Rat).SetString(overlap)
	return a.Sub(a, b).FloatString(max(places(since), places(overlap))), nil
}

// places counts the digits behind the point.
func places(s string) int {
	_, behind, _ := strings.Cut(s, ".")
	return len(behind)
}

// earliestWall is the lowest time that clocks on the walls of a zone show at t or later: where they are put back soon
// after t, that is what they show then.
func earliestWall(t time.Time, zone *time.Location) time.Time {
	at := t.In(zone)
	low := wall(at)
	for range 2 {
		_, end := at.ZoneBounds()
		if end.IsZero() || end.Sub(t) > 48*time.Hour {
			break
		}
		if after := wall(end); after.Before(low) {
			low = after
		}
		at = end
	}
	return low
}

// wall is what a clock on the wall shows, as a time of UTC.
func wall(t time.Time) time.Time {
	_, offset := t.Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

// fromWall is the first moment at which clocks on the walls of a zone show w. An hour that comes twice is taken for the
// first; one that is left out, for the time that many minutes after the clocks were put forward.
func fromWall(w time.Time, zone *time.Location) time.Time {
	first := time.Time{}
	for _, around := range []time.Duration{-36 * time.Hour, 36 * time.Hour} {
		_, offset := w.Add(around).In(zone).Zone()
		t := w.Add(-time.Duration(offset) * time.Second)
		if wall(t.In(zone)).Equal(w) && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	if !first.IsZero() {
		return first
	}
	_, before := w.Add(-36 * time.Hour).In(zone).Zone()
	return w.Add(-time.Duration(before) * time.Second)
}

// quotedMark is a mark as a text of SQL. Marks hold nothing that would have to be escaped.
func quotedMark(mark string) string { return fmt.Sprintf("'%s'", mark) }
