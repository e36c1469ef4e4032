package glide

import (
	"strings"
	"time"

	"github.com/dop251/goja"

	"headrace/internal/core/record"
)

func utcText(t time.Time) string { return t.UTC().Format(record.DateTimeLayout) }

// here is the present on the user's clock.
func (l *lib) here() time.Time { return l.now().In(l.locale().zone) }

// dateCalls tell the present and what lies between two times.
func dateCalls() map[string]call {
	all := map[string]call{
		"now":              func(l *lib, _ arguments) any { return formatPattern(l.here(), l.locale().dateFormat) },
		"nowDateTime":      func(l *lib, _ arguments) any { return formatPattern(l.here(), l.locale().dateTimeFormat()) },
		"nowNoTZ":          func(l *lib, _ arguments) any { return utcText(l.now()) },
		"nowGlideDateTime": func(l *lib, _ arguments) any { return l.newMoment(l.now()) },
		"yesterday":        func(l *lib, _ arguments) any { return utcText(l.now().Add(-day)) },
		"lastWeek":         func(l *lib, _ arguments) any { return utcText(l.now().Add(-7 * day)) },
		"dateGenerate":     dateGenerate,
		"dateDiff":         dateDiff,
		"calDateDiff":      dateDiff,
		"getDateFormat":    func(l *lib, _ arguments) any { return l.locale().dateFormat },
		"getTimeFormat":    func(l *lib, _ arguments) any { return l.locale().timeFormat },
		"getDateTimeFormat": func(l *lib, _ arguments) any {
			return l.locale().dateTimeFormat()
		},
	}
	for name, u := range map[string]unit{"Week": weeks, "Month": months, "Quarter": quarters, "Year": years, "Day": days} {
		all["isFirstDayOf"+name] = isEdge(u, unit.start)
		all["isLastDayOf"+name] = isEdge(u, unit.end)
	}
	return all
}

func (l *lib) newMoment(t time.Time) *goja.Object {
	m := &moment{kind: dateTime, zone: l.locale().zone}
	m.put(t)
	return instance(l, "GlideDateTime", m)
}

// isEdge tests whether a date, the present if none is given, is the first or last day of a unit.
func isEdge(u unit, edge func(unit, time.Time) time.Time) call {
	return func(l *lib, a arguments) any {
		at := l.here()
		if a.given(0) {
			at = l.momentOf(a.value(0)).local()
		}
		e := edge(u, at)
		return e.YearDay() == at.YearDay() && e.Year() == at.Year()
	}
}

// relativeDateCalls are the many that give a time so far away, or the first or last second of a unit, each on the user's
// clock and written in UTC.
func relativeDateCalls() map[string]call {
	all := map[string]call{}
	for name, u := range map[string]unit{"days": days, "months": months, "quarters": quarters, "years": years, "weeks": weeks} {
		ago(all, name, func(t time.Time, n int) time.Time { return u.add(t, -n) }, u.start, u.end)
	}
	for name, length := range map[string]time.Duration{"hours": time.Hour, "minutes": time.Minute, "seconds": time.Second} {
		start := func(t time.Time) time.Time { return floor(t, length) }
		ago(all, name, func(t time.Time, n int) time.Time { return t.Add(-time.Duration(n) * length) }, start,
			func(t time.Time) time.Time { return start(t).Add(length - time.Second) })
	}
	for name, by := range map[string]int{"Yesterday": -1, "Today": 0, "Tomorrow": 1} {
		edges(all, name, days, by)
	}
	for name, u := range map[string]unit{"Week": weeks, "Month": months, "Quarter": quarters, "Year": years} {
		edges(all, "Last"+name, u, -1)
		edges(all, "This"+name, u, 0)
		edges(all, "Next"+name, u, 1)
	}
	return all
}

// floor is the start of the hour, minute or second that t is in, on its clock.
func floor(t time.Time, length time.Duration) time.Time {
	into := time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second + time.Duration(t.Nanosecond())
	return t.Add(-(into % length))
}

func ago(all map[string]call, unit string, move func(time.Time, int) time.Time, start, end func(time.Time) time.Time) {
	same := func(t time.Time) time.Time { return t }
	for suffix, edge := range map[string]func(time.Time) time.Time{"": same, "Start": start, "End": end} {
		all[unit+"Ago"+suffix] = func(l *lib, a arguments) any { return utcText(edge(move(l.here(), a.int(0)))) }
	}
}

func edges(all map[string]call, name string, u unit, by int) {
	all["beginningOf"+name] = func(l *lib, _ arguments) any { return utcText(u.start(u.add(u.start(l.here()), by))) }
	all["endOf"+name] = func(l *lib, _ arguments) any { return utcText(u.end(u.add(u.start(l.here()), by))) }
}

// dateGenerate gives the UTC text of a date at a time of the user's clock.
func dateGenerate(l *lib, a arguments) any {
	at := strings.TrimSpace(a.text(0))
	if date, _, found := strings.Cut(at, " "); found && a.given(1) {
		at = date
	}
	switch clock := strings.TrimSpace(a.text(1)); clock {
	case "start", "":
		at += " 00:00:00"
	case "end":
		at += " 23:59:59"
	default:
		at += " " + clock
	}
	t, ok := parseMoment(at, l.locale().zone)
	if !ok {
		return nil
	}
	return utcText(t)
}

// dateDiff tells how much later the second time is than the first: as a duration, or in seconds. Both are read in the
// user's format, or in that of the store.
func dateDiff(l *lib, a arguments) any {
	from, to := l.userTime(a.value(0)), l.userTime(a.value(1))
	length := to.Sub(from)
	if a.bool(2) {
		return int64(length / time.Second)
	}
	return (&duration{length}).clock()
}

func (l *lib) userTime(v goja.Value) time.Time {
	if m, ok := valueIn[moment](l, v); ok {
		return m.at
	}
	where := l.locale()
	for _, pattern := range []string{where.dateTimeFormat(), where.dateFormat} {
		if t, err := parsePattern(l.text(v), pattern, where.zone); err == nil {
			return t
		}
	}
	t, _ := parseMoment(l.text(v), where.zone)
	return t
}
