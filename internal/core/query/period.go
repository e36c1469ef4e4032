package query

import (
	"strconv"
	"strings"
	"time"
)

// Unit is a unit of time.
type Unit string

// The units of time. Weeks begin on Monday.
const (
	Second  Unit = "second"
	Minute  Unit = "minute"
	Hour    Unit = "hour"
	Day     Unit = "day"
	Week    Unit = "week"
	Month   Unit = "month"
	Quarter Unit = "quarter"
	Year    Unit = "year"
)

// unitNamed reads a unit as queries spell it: in singular or plural, and with dayofweek for day.
func unitNamed(name string) (Unit, bool) {
	if name == "dayofweek" {
		return Day, true
	}
	u := Unit(strings.TrimSuffix(name, "s"))
	return u, u.Seconds() > 0
}

// Seconds is the length of the unit where two dates are subtracted (MoreThan, LessThan): a month counts 30 days, a
// quarter 90 and a year 365, so that every store and Match say the same. It is 0 for what is no unit.
func (u Unit) Seconds() int64 {
	const day = 24 * 60 * 60
	switch u {
	case Second:
		return 1
	case Minute:
		return 60
	case Hour:
		return 60 * 60
	case Day:
		return day
	case Week:
		return 7 * day
	case Month:
		return 30 * day
	case Quarter:
		return 90 * day
	case Year:
		return 365 * day
	}
	return 0
}

// Floor is the first instant of the unit that t is in, by the calendar of t's zone.
func (u Unit) Floor(t time.Time) time.Time {
	midnight := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, t.Location()) }
	y, m, d := t.Date()
	part := time.Duration(t.Nanosecond())
	switch u {
	case Second:
		return t.Add(-part)
	case Minute:
		return t.Add(-part - time.Duration(t.Second())*time.Second)
	case Hour:
		return t.Add(-part - time.Duration(t.Second())*time.Second - time.Duration(t.Minute())*time.Minute)
	case Week:
		return midnight(y, m, d+1-isoWeekday(t))
	case Month:
		return midnight(y, m, 1)
	case Quarter:
		return midnight(y, m-(m-1)%3, 1)
	case Year:
		return midnight(y, time.January, 1)
	}
	return midnight(y, m, d)
}

// last is the last second of the unit that t is in.
func (u Unit) last(t time.Time) time.Time {
	return u.add(u.Floor(t), 1).Add(-time.Second)
}

// add moves t by n units: days and longer by the calendar of t's zone, keeping the time of day. Where the month
// reached is too short, its last day is taken.
func (u Unit) add(t time.Time, n int) time.Time {
	switch u {
	case Day:
		return t.AddDate(0, 0, n)
	case Week:
		return t.AddDate(0, 0, 7*n)
	case Month:
		return addMonths(t, n)
	case Quarter:
		return addMonths(t, 3*n)
	case Year:
		return addMonths(t, 12*n)
	}
	return time.Unix(t.Unix()+int64(n)*u.Seconds(), 0).In(t.Location())
}

func addMonths(t time.Time, n int) time.Time {
	y, m, d := t.Date()
	longest := time.Date(y, m+time.Month(n)+1, 0, 0, 0, 0, 0, time.UTC).Day()
	return t.AddDate(0, n, min(d, longest)-d)
}

func isoWeekday(t time.Time) int { return (int(t.Weekday())+6)%7 + 1 }

// Part is the number that DatePart compares: hour 0-23, minute 0-59, dayofweek 1-7 from Monday, dayofmonth, week (ISO
// 8601), month, quarter and year as people count them. ok is false for other units.
func Part(unit string, t time.Time) (n int, ok bool) {
	switch unit {
	case "minute":
		return t.Minute(), true
	case "hour":
		return t.Hour(), true
	case "dayofweek":
		return isoWeekday(t), true
	case "dayofmonth":
		return t.Day(), true
	case "week":
		_, week := t.ISOWeek()
		return week, true
	case "month":
		return int(t.Month()), true
	case "quarter":
		return (int(t.Month()) + 2) / 3, true
	case "year":
		return t.Year(), true
	}
	return 0, false
}

// partNumber reads the value of a date part: a number, or the name of a day or a month.
func partNumber(unit, value string) (int, bool) {
	if n, err := strconv.Atoi(value); err == nil {
		return n, n >= 0 && n <= 9999
	}
	for i := 1; i <= 12; i++ {
		if unit == "month" && strings.EqualFold(value, time.Month(i).String()) {
			return i, true
		}
		if unit == "dayofweek" && i <= 7 && strings.EqualFold(value, time.Weekday(i%7).String()) {
			return i, true
		}
	}
	return 0, false
}

// span is a stretch of time, both ends in it.
type span struct{ start, end time.Time }

// spanOf reads names such as "Today", "This week", "Last 7 days" or "Last3Months", blanks and case not counting.
// "Last n" begins with the whole unit n ago and ends with the current one.
func spanOf(name string, now time.Time) (span, bool) {
	name = Fold(strings.ReplaceAll(name, " ", ""))
	switch name {
	case "today":
		return around(Day, now, 0, 0), true
	case "yesterday":
		return around(Day, now, -1, -1), true
	case "tomorrow":
		return around(Day, now, 1, 1), true
	case "oneyearago":
		return around(Day, Year.add(now, -1), 0, 0), true
	}
	for _, p := range []struct {
		prefix string
		by     int
	}{{"this", 0}, {"current", 0}, {"last", -1}, {"next", 1}} {
		rest, found := strings.CutPrefix(name, p.prefix)
		if !found {
			continue
		}
		if u, ok := unitNamed(rest); ok && u != "" {
			return around(u, now, p.by, p.by), true
		}
		if p.by < 0 {
			return lastUnits(rest, now)
		}
	}
	return span{}, false
}

func lastUnits(text string, now time.Time) (span, bool) {
	name := strings.TrimLeft(text, "0123456789")
	n, err := strconv.Atoi(text[:len(text)-len(name)])
	u, ok := unitNamed(name)
	if err != nil || !ok || n > maxDistance {
		return span{}, false
	}
	return around(u, now, -n, 0), true
}

// around is the span from the unit that is first units away from t to the unit that is last units away.
func around(u Unit, t time.Time, first, last int) span {
	return span{u.Floor(u.add(t, first)), u.last(u.add(t, last))}
}

// maxDistance is the most units a query may go away from now. Anything near it is out of the calendar.
const maxDistance = 1_000_000_000
