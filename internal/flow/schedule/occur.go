package schedule

import (
	"iter"
	"time"
)

// RunType says how the times of a schedule come about, by the platform's names.
type RunType string

// The run types.
const (
	Daily        RunType = "daily"
	Weekly       RunType = "weekly"
	Monthly      RunType = "monthly"
	Periodically RunType = "periodically"
	Once         RunType = "once"
	OnDemand     RunType = "on_demand"
	AfterParent  RunType = "parent"
	DayAndMonth  RunType = "day_and_month_in_year"
	WeekInMonth  RunType = "week_in_month"
	DayWeekMonth RunType = "day_week_month_year"

	calendarStart RunType = "business_calendar_start"
	calendarEnd   RunType = "business_calendar_end"
)

// Timing is when a schedule runs: everything that Occurrences needs to know.
type Timing struct {
	Type     RunType
	Zone     *time.Location
	Time     time.Duration // of day, on the clocks of Zone
	Period   time.Duration
	Weekdays [7]bool // by time.Weekday
	Day      int     // of the month
	Month    time.Month
	Week     int // in the month; 6 is the last
	Every    int // days, weeks, months or years; 0 is 1
	Start    time.Time
	End      time.Time
}

// lastWeek as the week in the month is the last of its weekday.
const lastWeek = 6

// Occurrences gives the times of a schedule from one moment, included, to another, excluded, in order. It is a function of
// its arguments alone.
//
// A time of day is met at the first moment at which the clocks of the zone show it or a later time. So a run whose hour is
// left out comes at the first moment after the gap, and one whose hour comes twice is made once, at the first. Two runs
// that fall on one moment are one. Periodically adds a fixed span and knows no zones.
func Occurrences(d *Timing, from, to time.Time) iter.Seq[time.Time] {
	if !d.Start.IsZero() && from.Before(d.Start) {
		from = d.Start
	}
	if !d.End.IsZero() && !to.Before(d.End) {
		to = d.End.Add(time.Nanosecond)
	}
	return func(yield func(time.Time) bool) {
		switch d.Type {
		case Once:
			if !d.Start.Before(from) && d.Start.Before(to) {
				yield(d.Start)
			}
		case Periodically:
			d.periods(from, to, yield)
		case OnDemand, AfterParent, calendarStart, calendarEnd:
		default:
			d.calendar(from, to, yield)
		}
	}
}

// After gives the first time of a schedule after a moment; zero when there is none.
func (d *Timing) After(t time.Time) time.Time {
	for at := range Occurrences(d, t.Add(time.Nanosecond), endOfTime) {
		return at
	}
	return time.Time{}
}

var endOfTime = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

// periods steps from the start, else from that of 1970, so that an hourly schedule without one runs on the hour.
func (d *Timing) periods(from, to time.Time, yield func(time.Time) bool) {
	if d.Period <= 0 {
		return
	}
	anchor := time.Unix(0, 0).UTC()
	if !d.Start.IsZero() {
		anchor = d.Start
	}
	at := anchor
	if step := int64(d.Period / time.Second); step > 0 && from.After(anchor) {
		at = time.Unix(anchor.Unix()+(from.Unix()-anchor.Unix())/step*step, 0).UTC()
	}
	for ; at.Before(to); at = at.Add(d.Period) {
		if !at.Before(from) && !yield(at) {
			return
		}
	}
}

// mostUnits is after how many days, weeks, months or years without a run there is none to be expected: a calendar repeats
// itself after 400 years.
const mostUnits = 400 * 12

// calendar goes through the units of a schedule (days, weeks, months, years) and the days of each.
func (d *Timing) calendar(from, to time.Time, yield func(time.Time) bool) {
	u := d.unit()
	every := max(d.Every, 1)
	// A day before, for the clocks of the zone may be ahead of or behind those of UTC.
	first := u.of(dayOf(from.In(d.Zone)) - 1)
	anchor := u.of(0)
	if !d.Start.IsZero() {
		anchor = u.of(dayOf(d.Start.In(d.Zone)))
	}
	first += (every - mod(first-anchor, every)) % every
	var last time.Time
	idle := 0
	for n := first; idle < mostUnits; n += every {
		idle++
		for _, day := range u.days(n) {
			at := firstShown(int64(day)*secondsOfDay+int64(d.Time/time.Second), d.Zone)
			if !at.Before(to) {
				return
			}
			if at.Before(from) || at.Equal(last) {
				continue
			}
			idle, last = 0, at
			if !yield(at) {
				return
			}
		}
	}
}

const secondsOfDay = 24 * 60 * 60

// dayOf numbers the day that the clocks of t show; the first of January 1970 is 0.
func dayOf(t time.Time) int { return dayNumber(t.Year(), t.Month(), t.Day()) }

func dayNumber(year int, month time.Month, day int) int {
	return int(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix() / secondsOfDay)
}

func dateOf(day int) time.Time { return time.Unix(int64(day)*secondsOfDay, 0).UTC() }

// mod is the remainder that is never negative.
func mod(a, b int) int { return (a%b + b) % b }

// firstShown is the first moment at which the clocks of a zone show a time or a later one. wall is the time shown, as
// seconds since the start of 1970 on those clocks.
func firstShown(wall int64, zone *time.Location) time.Time {
	// No zone is or was 16 hours ahead of UTC: at this moment the time is not shown yet anywhere.
	t := time.Unix(wall-16*60*60, 0).In(zone)
	for {
		_, offset := t.Zone()
		_, end := t.ZoneBounds()
		at := max(wall-int64(offset), t.Unix())
		if end.IsZero() || at < end.Unix() {
			return time.Unix(at, 0).UTC()
		}
		t = end
	}
}

// unit is what a calendar schedule counts in.
type unit struct {
	of   func(day int) int // the number of the unit that a day is in
	days func(n int) []int // the days of the unit on which the schedule runs, in order
}

func (d *Timing) unit() unit {
	switch d.Type {
	case Weekly:
		return unit{of: func(day int) int { return (day + 3 - mod(day+3, 7)) / 7 }, days: d.daysOfWeek}
	case Monthly, WeekInMonth:
		return unit{of: monthOf, days: func(n int) []int { return d.daysOfMonth(yearMonth(n)) }}
	case DayAndMonth, DayWeekMonth:
		return unit{of: func(day int) int { return dateOf(day).Year() }, days: func(n int) []int { return d.daysOfMonth(n, d.Month) }}
	}
	return unit{of: func(day int) int { return day }, days: func(n int) []int { return []int{n} }}
}

func monthOf(day int) int {
	t := dateOf(day)
	return t.Year()*12 + int(t.Month()) - 1
}

func yearMonth(n int) (int, time.Month) { return (n - mod(n, 12)) / 12, time.Month(mod(n, 12) + 1) }

// daysOfWeek gives the days of the week that begins with Monday n weeks after that of the first of January 1970.
func (d *Timing) daysOfWeek(n int) []int {
	var out []int
	for i := range 7 {
		if d.Weekdays[(i+1)%7] {
			out = append(out, n*7-3+i)
		}
	}
	return out
}

// daysOfMonth gives the day of a month on which the schedule runs; none when the month has no such day.
func (d *Timing) daysOfMonth(year int, month time.Month) []int {
	first, length := dayNumber(year, month, 1), daysIn(year, month)
	switch d.Type {
	case Monthly:
		return []int{first + min(d.Day, length) - 1}
	case DayAndMonth:
		if d.Day > length {
			return nil
		}
		return []int{first + d.Day - 1}
	}
	return d.weekdayOfMonth(first, length)
}

func daysIn(year int, month time.Month) int {
	return time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// weekdayOfMonth finds the n-th of a weekday in a month; with several weekdays the n-th of each.
func (d *Timing) weekdayOfMonth(first, length int) []int {
	var out []int
	for i := range length {
		day := first + i
		if !d.Weekdays[mod(day+4, 7)] {
			continue
		}
		if i/7+1 == d.Week || d.Week == lastWeek && i+7 >= length {
			out = append(out, day)
		}
	}
	return out
}
