package glide

import (
	"fmt"
	"strings"
	"time"

	"headrace/internal/core/record"
)

// moment is what GlideDateTime, GlideDate and GlideTime hold. A date is midnight UTC of its day and a time is an instant
// of the first of January 1970 UTC: neither has a zone. What does not read as one is invalid and says why.
type moment struct {
	kind momentKind
	at   time.Time // UTC, whole milliseconds
	zone *time.Location
	bad  string
}

type momentKind uint8

const (
	dateTime momentKind = iota
	dateOnly
	timeOnly
)

const timeLayout = "15:04:05"

// layouts are the forms a date-time is read in, one after the other: the form of the store, then slashes, dashes and
// dots with the month first, then the day first. ISO 8601 with its T is none of them.
var layouts = momentLayouts()

func momentLayouts() []string {
	dates := []string{record.DateLayout}
	for _, sep := range []string{"/", "-", "."} {
		dates = append(dates, strings.Join([]string{"1", "2", "2006"}, sep), strings.Join([]string{"2", "1", "2006"}, sep))
	}
	var all []string
	for _, d := range append(dates, "2006/1/2", "2006.1.2", "2006-1-2") {
		all = append(all, d+" 15:04:05", d+" 15:04", d)
	}
	return all
}

// parseMoment reads a text in zone by the layouts; ok is false when none fits.
func parseMoment(text string, zone *time.Location) (t time.Time, ok bool) {
	text = strings.TrimSpace(text)
	for _, layout := range layouts {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil && t.Year() >= 1 {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// set reads a text in the form that scripts and the store use, as UTC.
func (m *moment) set(text string) {
	m.bad = ""
	if m.kind == timeOnly {
		m.setTime(text)
		return
	}
	t, ok := parseMoment(text, time.UTC)
	if !ok {
		m.fail(text)
		return
	}
	m.put(t)
}

func (m *moment) setTime(text string) {
	clock := strings.TrimSpace(text)
	if day, rest, found := strings.Cut(clock, " "); found && len(day) == len(record.DateLayout) {
		clock = rest
	}
	for _, layout := range []string{timeLayout, "15:04"} {
		if t, err := time.Parse(layout, clock); err == nil {
			m.put(t)
			return
		}
	}
	m.fail(text)
}

func (m *moment) fail(text string) {
	m.at, m.bad = time.Time{}, fmt.Sprintf("Could not parse DateTime: %s", text)
}

// put takes over an instant, or what of it the kind keeps.
func (m *moment) put(t time.Time) {
	t = t.UTC().Truncate(time.Millisecond)
	switch m.kind {
	case dateOnly:
		t = time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	case timeOnly:
		t = time.Date(1970, 1, 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
	}
	m.at, m.bad = t, ""
	if t.Year() < 1 || t.Year() > 9999 {
		m.fail("a year beyond the calendar")
	}
}

// text is the form of the store; "" of what is invalid.
func (m *moment) text() string {
	switch {
	case m.bad != "":
		return ""
	case m.kind == dateOnly:
		return m.at.Format(record.DateLayout)
	}
	return m.at.Format(record.DateTimeLayout)
}

// local is the instant on the user's clock. A date has no zone and stays what it is.
func (m *moment) local() time.Time {
	if m.kind == dateOnly {
		return m.at
	}
	return m.at.In(m.zone)
}

// on gives the instant on one of the two clocks that methods are named after.
func (m *moment) on(local bool) time.Time {
	if local {
		return m.local()
	}
	return m.at
}

// move adds calendar units on a clock: the time of day stays, and where the month reached is too short its last day is
// taken.
func (m *moment) move(u unit, n int, local bool) {
	if m.bad == "" {
		m.put(u.add(m.on(local), n))
	}
}

// replace sets the year, month or day on a clock; days beyond the month become its last.
func (m *moment) replace(u unit, n int, local bool) {
	if m.bad != "" {
		return
	}
	t := m.on(local)
	year, month, day := t.Date()
	switch u {
	case years:
		year = n
	case months:
		month = time.Month(min(max(n, 1), 12))
	case days:
		day = max(n, 1)
	}
	day = min(day, daysIn(year, month))
	m.put(time.Date(year, month, day, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), t.Location()))
}

// compare orders two moments by instant.
func (m *moment) compare(o *moment) int { return m.at.Compare(o.at) }

// unit is a calendar unit.
type unit uint8

const (
	days unit = iota
	weeks
	months
	quarters
	years
)

// add moves t by n units of its zone's calendar.
func (u unit) add(t time.Time, n int) time.Time {
	switch u {
	case days:
		return t.AddDate(0, 0, n)
	case weeks:
		return t.AddDate(0, 0, 7*n)
	case months:
		return addMonths(t, n)
	case quarters:
		return addMonths(t, 3*n)
	}
	return addMonths(t, 12*n)
}

func addMonths(t time.Time, n int) time.Time {
	y, m, d := t.Date()
	return t.AddDate(0, n, min(d, daysIn(y, m+time.Month(n)))-d)
}

// start is the first instant of the unit that t is in; weeks begin on Monday.
func (u unit) start(t time.Time) time.Time {
	y, m, d := t.Date()
	switch u {
	case weeks:
		d += 1 - isoWeekday(t)
	case months:
		d = 1
	case quarters:
		m, d = m-(m-1)%3, 1
	case years:
		m, d = time.January, 1
	}
	return time.Date(y, m, d, 0, 0, 0, 0, t.Location())
}

// end is the last second of the unit that t is in.
func (u unit) end(t time.Time) time.Time { return u.add(u.start(t), 1).Add(-time.Second) }

// dstOffset is how far summer time has moved the clock of t's zone at t.
func dstOffset(t time.Time) time.Duration {
	if !t.IsDST() {
		return 0
	}
	_, now := t.Zone()
	_, january := time.Date(t.Year(), time.January, 1, 0, 0, 0, 0, t.Location()).Zone()
	_, july := time.Date(t.Year(), time.July, 1, 0, 0, 0, 0, t.Location()).Zone()
	return time.Duration(now-min(january, july)) * time.Second
}
