package schedule

import (
	"strconv"
	"strings"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// timing reads when a schedule runs. What cannot be, or can never be, is refused with the reason.
func timing(r *record.Record, zone *time.Location) (Timing, error) {
	get := func(name string) string { return strings.TrimSpace(r.Get(name).Text) }
	d := Timing{Type: RunType(get("run_type")), Zone: zone, Time: span(get("run_time")), Period: span(get("run_period")),
		Start: moment(get("run_start")), End: moment(get("run_end")), Day: number(get("run_dayofmonth")), Month: time.Month(number(get("run_month"))),
		Week: number(get("run_weekinmonth")), Every: number(get("repeat_every"))}
	if get("business_calendar") != "" || d.Type == calendarStart || d.Type == calendarEnd {
		return d, refused("business calendars are not supported").WithHint("give the days and the time: weekly, monthly, week_in_month and the like")
	}
	for _, name := range []string{"run_time", "run_period", "max_drift", "jitter"} {
		if t := moment(get(name)); !t.IsZero() && (t.Unix() < 0 || t.Year() > longest) {
			return d, refused("%s %s is no length of time", name, get(name)).WithHint("it counts from 1970-01-01 00:00:00; or write 02:30, 15m or 36h")
		}
	}
	var err error
	if d.Weekdays, err = weekdays(get("run_dayofweek")); err != nil {
		return d, err
	}
	if err := d.check(); err != nil {
		return d, err
	}
	return d, d.checkEver()
}

// longest is the year up to which lengths of time are counted from 1970.
const longest = 2069

func refused(format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, format, args...)
}

// need is a property that a run type cannot do without.
type need struct {
	there bool
	what  string
}

// check finds what is missing or out of range.
func (d *Timing) check() error {
	weekday := need{d.Weekdays != [7]bool{}, "run_dayofweek, 1 (Monday) to 7 (Sunday)"}
	day := need{d.Day >= 1 && d.Day <= 31, "run_dayofmonth, 1 to 31"}
	month := need{d.Month >= time.January && d.Month <= time.December, "run_month, 1 to 12"}
	week := need{d.Week >= 1 && d.Week <= lastWeek, "run_weekinmonth, 1 to 5, or 6 for the last"}
	needs := map[RunType][]need{Weekly: {weekday}, Monthly: {day}, DayAndMonth: {month, day}, WeekInMonth: {week, weekday}, DayWeekMonth: {month, week, weekday},
		Periodically: {{d.Period > 0, "run_period, such as 1970-01-01 01:00:00 for an hour"}}, Once: {{!d.Start.IsZero(), "run_start, the time of the run"}}}
	for _, n := range needs[d.Type] {
		if !n.there {
			return refused("a schedule of the type %s needs %s", d.Type, n.what)
		}
	}
	switch {
	case d.Time < 0 || d.Time >= 24*time.Hour:
		return refused("run_time is no time of day").WithHint("write it like 1970-01-01 02:30:00, or 02:30")
	case d.Every < 0 || d.Every > mostEvery:
		return refused("repeat_every is %d, not between 1 and %d", d.Every, mostEvery)
	case d.Period > 0 && d.Period%time.Second != 0:
		return refused("run_period is no whole number of seconds")
	}
	return nil
}

const mostEvery = 1000

// checkEver refuses what can never run.
func (d *Timing) checkEver() error {
	if !d.Start.IsZero() && !d.End.IsZero() && d.End.Before(d.Start) {
		return refused("the schedule can never run: it ends at %s, before it starts at %s", textOf(d.End), textOf(d.Start)).WithHint("mend run_start or run_end")
	}
	if d.Type == DayAndMonth && d.Day > daysIn(2024, d.Month) {
		return refused("the schedule can never run: there is no %s %d", d.Month, d.Day).WithHint("the last day of %s is %d", d.Month, daysIn(2024, d.Month))
	}
	if d.Type == OnDemand || d.Type == AfterParent {
		return nil
	}
	if first := d.After(time.Unix(-1, 0)); !first.IsZero() {
		return nil
	}
	if !d.End.IsZero() {
		return refused("the schedule can never run: none of its times lies between run_start %s and run_end %s", textOf(d.Start), textOf(d.End))
	}
	return refused("the schedule can never run: with repeat_every %d none of its years has such a day", d.Every)
}

// number reads a number; 0 where there is none.
func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}

// span reads a length of time that is kept as a date-time of 1970.
func span(text string) time.Duration {
	if t := moment(text); !t.IsZero() {
		return time.Duration(t.Unix()) * time.Second
	}
	return 0
}

var dayNames = []string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}

// weekdays reads days of the week: numbers from Monday on, or names, with commas.
func weekdays(list string) (days [7]bool, err error) {
	for _, word := range strings.FieldsFunc(list, func(c rune) bool { return c == ',' || c == ' ' }) {
		n, found := strconv.Atoi(word)
		for i, name := range dayNames {
			if found != nil && strings.EqualFold(word, name) {
				n = i + 1
			}
		}
		if n < 1 || n > 7 {
			return days, refused("%q is no day of the week", record.Clip(word)).WithHint("1 is Monday and 7 Sunday; several with commas: 1,3,5")
		}
		days[n%7] = true
	}
	return days, nil
}

// location finds a zone by its IANA name.
func location(name string) (*time.Location, error) {
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" || name == "" {
		return nil, refused("there is no time zone %q", record.Clip(name)).WithHint("give an IANA name such as Europe/Berlin, or UTC")
	}
	return zone, nil
}
