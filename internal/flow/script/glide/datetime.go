package glide

import (
	"maps"
	"math"
	"time"

	"github.com/dop251/goja"

	"headrace/internal/core/record"
)

type momentMethod = func(l *lib, m *moment, a arguments) any

// dateTimeClass, dateClass and timeClass share most of their methods.
var (
	dateTimeClass = &class[moment]{name: "GlideDateTime", construct: constructMoment(dateTime), methods: dateTimeMethods(),
		static: map[string]func(*lib, arguments) any{"subtract": subtractMoments}}
	dateClass = &class[moment]{name: "GlideDate", construct: constructMoment(dateOnly), methods: dateMethods(),
		static: map[string]func(*lib, arguments) any{"subtract": subtractMoments}}
	timeClass = &class[moment]{name: "GlideTime", construct: constructMoment(timeOnly), methods: timeMethods(),
		static: map[string]func(*lib, arguments) any{"subtract": subtractMoments}}
)

// constructMoment is new GlideDateTime(), with nothing, a text, a number of milliseconds or another moment.
func constructMoment(kind momentKind) func(*lib, arguments) *moment {
	return func(l *lib, a arguments) *moment {
		m := &moment{kind: kind, zone: l.locale().zone}
		if !a.given(0) {
			m.now(l)
			return m
		}
		m.take(l, a.value(0))
		return m
	}
}

// now sets the present; a date is the user's today.
func (m *moment) now(l *lib) {
	now := l.now()
	if m.kind == dateOnly {
		y, month, d := now.In(m.zone).Date()
		now = time.Date(y, month, d, 0, 0, 0, 0, time.UTC)
	}
	m.put(now)
}

// take sets what a script gave: another moment, a number of milliseconds or a text.
func (m *moment) take(l *lib, v goja.Value) {
	if o, ok := valueIn[moment](l, v); ok {
		m.put(o.at)
		m.bad = o.bad
		return
	}
	if n, ok := v.Export().(int64); ok {
		m.put(time.UnixMilli(n))
		return
	}
	if n, ok := v.Export().(float64); ok {
		m.put(time.UnixMilli(int64(n)))
		return
	}
	m.set(l.text(v))
}

// span is what add and subtract move by: a time, a duration, or a number of milliseconds.
func span(l *lib, v goja.Value) time.Duration {
	if o, ok := valueIn[moment](l, v); ok {
		return o.at.Sub(time.Unix(0, 0)) % day
	}
	if d, ok := valueIn[duration](l, v); ok {
		return d.length
	}
	return milliseconds(l.number(v))
}

// milliseconds is a length that does not run over.
func milliseconds(n float64) time.Duration {
	const most = math.MaxInt64 / float64(time.Millisecond)
	return time.Duration(max(-most, min(most, n))) * time.Millisecond
}

func subtractMoments(l *lib, a arguments) any {
	from, to := l.momentOf(a.value(0)), l.momentOf(a.value(1))
	return instance(l, "GlideDuration", &duration{to.at.Sub(from.at)})
}

// momentOf reads an argument that should be a moment and may be its text.
func (l *lib) momentOf(v goja.Value) *moment {
	if m, ok := valueIn[moment](l, v); ok {
		return m
	}
	m := &moment{kind: dateTime, zone: l.locale().zone}
	m.take(l, v)
	return m
}

// commonMethods are those of all three classes.
func commonMethods() map[string]momentMethod {
	return map[string]momentMethod{
		"getValue":                 func(_ *lib, m *moment, _ arguments) any { return m.text() },
		"toString":                 func(_ *lib, m *moment, _ arguments) any { return m.text() },
		"getDisplayValue":          func(l *lib, m *moment, _ arguments) any { return m.shown(l) },
		"getDisplayValueInternal":  func(_ *lib, m *moment, _ arguments) any { return m.shownInternal() },
		"getByFormat":              func(_ *lib, m *moment, a arguments) any { return formatPattern(m.at, a.text(0)) },
		"getNumericValue":          func(_ *lib, m *moment, _ arguments) any { return m.at.UnixMilli() },
		"isValid":                  func(_ *lib, m *moment, _ arguments) any { return m.bad == "" },
		"getErrorMsg":              func(_ *lib, m *moment, _ arguments) any { return m.bad },
		"setValue":                 func(l *lib, m *moment, a arguments) any { m.take(l, a.value(0)); return goja.Undefined() },
		"setDisplayValue":          setShown,
		"setDisplayValueInternal":  setShownInternal,
		"compareTo":                func(l *lib, m *moment, a arguments) any { return m.compare(l.momentOf(a.value(0))) },
		"equals":                   func(l *lib, m *moment, a arguments) any { return m.compare(l.momentOf(a.value(0))) == 0 },
		"before":                   func(l *lib, m *moment, a arguments) any { return m.compare(l.momentOf(a.value(0))) < 0 },
		"after":                    func(l *lib, m *moment, a arguments) any { return m.compare(l.momentOf(a.value(0))) > 0 },
		"onOrBefore":               func(l *lib, m *moment, a arguments) any { return m.compare(l.momentOf(a.value(0))) <= 0 },
		"onOrAfter":                func(l *lib, m *moment, a arguments) any { return m.compare(l.momentOf(a.value(0))) >= 0 },
		"setTZ":                    setZone,
		"getUserTimeZone":          func(_ *lib, m *moment, _ arguments) any { return m.zone.String() },
		"getHourUTC":               readPart(false, func(t time.Time) int { return (t.Hour()+11)%12 + 1 }),
		"getHourLocalTime":         readPart(true, func(t time.Time) int { return (t.Hour()+11)%12 + 1 }),
		"getHourOfDayUTC":          readPart(false, time.Time.Hour),
		"getHourOfDayLocalTime":    readPart(true, time.Time.Hour),
		"getMinutesUTC":            readPart(false, time.Time.Minute),
		"getMinutesLocalTime":      readPart(true, time.Time.Minute),
		"getSeconds":               readPart(false, time.Time.Second),
		"getDisplayValueWithoutTZ": func(l *lib, m *moment, _ arguments) any { return m.format(m.at, l) },
	}
}

// calendarMethods are those of dates and date-times: each part read and moved on either clock. Names without a clock
// read UTC and move by the user's, as they always have.
func calendarMethods() map[string]momentMethod {
	all := map[string]momentMethod{}
	for name, read := range map[string]func(time.Time) int{
		"getDayOfMonth": time.Time.Day, "getMonth": func(t time.Time) int { return int(t.Month()) }, "getYear": time.Time.Year,
		"getDayOfWeek": isoWeekday, "getWeekOfYear": weekOfYear,
		"getDaysInMonth": func(t time.Time) int { return daysIn(t.Year(), t.Month()) },
	} {
		all[name], all[name+"UTC"], all[name+"NoTZ"] = readPart(false, read), readPart(false, read), readPart(false, read)
		all[name+"LocalTime"] = readPart(true, read)
	}
	for name, u := range map[string]unit{"Days": days, "Weeks": weeks, "Months": months, "Years": years} {
		all["add"+name], all["add"+name+"LocalTime"], all["add"+name+"UTC"] = movePart(u, true), movePart(u, true), movePart(u, false)
	}
	for name, u := range map[string]unit{"DayOfMonth": days, "Month": months, "Year": years} {
		all["set"+name], all["set"+name+"UTC"] = setPart(u, false), setPart(u, false)
		all["set"+name+"NoTZ"], all["set"+name+"LocalTime"] = setPart(u, false), setPart(u, true)
	}
	return all
}

func readPart(local bool, read func(time.Time) int) momentMethod {
	return func(_ *lib, m *moment, _ arguments) any { return read(m.on(local)) }
}

func movePart(u unit, local bool) momentMethod {
	return func(_ *lib, m *moment, a arguments) any { m.move(u, a.int(0), local); return goja.Undefined() }
}

func setPart(u unit, local bool) momentMethod {
	return func(_ *lib, m *moment, a arguments) any { m.replace(u, a.int(0), local); return goja.Undefined() }
}

// clockMethods are those of what has a time of day.
func clockMethods() map[string]momentMethod {
	shift := func(sign time.Duration, of func(*lib, arguments) time.Duration) momentMethod {
		return func(l *lib, m *moment, a arguments) any {
			if m.bad == "" {
				m.put(m.at.Add(sign * of(l, a)))
			}
			return goja.Undefined()
		}
	}
	given := func(l *lib, a arguments) time.Duration { return span(l, a.value(0)) }
	return map[string]momentMethod{
		"add":        shift(1, given),
		"subtract":   shift(-1, given),
		"addSeconds": shift(1, func(l *lib, a arguments) time.Duration { return milliseconds(l.number(a.value(0)) * 1000) }),
	}
}

func dateTimeMethods() map[string]momentMethod {
	part := func(c func(l *lib, m *moment) *goja.Object) momentMethod {
		return func(l *lib, m *moment, _ arguments) any { return c(l, m) }
	}
	return merged(commonMethods(), calendarMethods(), clockMethods(), map[string]momentMethod{
		"getDate":      part(func(l *lib, m *moment) *goja.Object { return m.as(l, "GlideDate", dateOnly, m.at) }),
		"getLocalDate": part(func(l *lib, m *moment) *goja.Object { return m.as(l, "GlideDate", dateOnly, wall(m.local())) }),
		"getTime":      part(func(l *lib, m *moment) *goja.Object { return m.as(l, "GlideTime", timeOnly, m.at) }),
		"getLocalTime": part(localTime),
		"setNumericValue": func(l *lib, m *moment, a arguments) any {
			m.put(time.UnixMilli(int64(l.number(a.value(0)))))
			return goja.Undefined()
		},
		"setValueUTC":                   setValueUTC,
		"setGlideDateTime":              func(l *lib, m *moment, a arguments) any { m.take(l, a.value(0)); return goja.Undefined() },
		"getTZOffset":                   func(_ *lib, m *moment, _ arguments) any { _, s := m.local().Zone(); return s * 1000 },
		"getDSTOffset":                  func(_ *lib, m *moment, _ arguments) any { return dstOffset(m.local()).Milliseconds() },
		"isDST":                         func(_ *lib, m *moment, _ arguments) any { return m.local().IsDST() },
		"hasDate":                       func(_ *lib, m *moment, _ arguments) any { return m.bad == "" },
		"getInternalFormattedLocalTime": func(_ *lib, m *moment, _ arguments) any { return m.shownInternal() },
		"getUserFormattedLocalTime":     func(l *lib, m *moment, _ arguments) any { return m.shown(l) },
	})
}

func dateMethods() map[string]momentMethod {
	return merged(commonMethods(), calendarMethods(), map[string]momentMethod{
		"getDate": func(l *lib, m *moment, _ arguments) any { return m.as(l, "GlideDate", dateOnly, m.at) },
	})
}

func timeMethods() map[string]momentMethod { return merged(commonMethods(), clockMethods()) }

func merged(tables ...map[string]momentMethod) map[string]momentMethod {
	all := map[string]momentMethod{}
	for _, t := range tables {
		maps.Copy(all, t)
	}
	return all
}

// as makes another kind of moment of this one.
func (m *moment) as(l *lib, class string, kind momentKind, at time.Time) *goja.Object {
	o := &moment{kind: kind, zone: m.zone}
	o.put(at)
	o.bad = m.bad
	return instance(l, class, o)
}

// localTime is the time on the user's clock; it stays that, on whatever clock it is read.
func localTime(l *lib, m *moment) *goja.Object {
	o := &moment{kind: timeOnly, zone: time.UTC}
	o.put(wall(m.local()))
	o.bad = m.bad
	return instance(l, "GlideTime", o)
}

// wall is the time on a clock, taken as UTC.
func wall(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// shown is the moment in the user's zone and format.
func (m *moment) shown(l *lib) string { return m.format(m.local(), l) }

func (m *moment) format(t time.Time, l *lib) string {
	where := l.locale()
	switch {
	case m.bad != "":
		return ""
	case m.kind == dateOnly:
		return formatPattern(t, where.dateFormat)
	case m.kind == timeOnly:
		return formatPattern(t, where.timeFormat)
	}
	return formatPattern(t, where.dateTimeFormat())
}

func (m *moment) shownInternal() string {
	layout := record.DateTimeLayout
	switch {
	case m.bad != "":
		return ""
	case m.kind == dateOnly:
		layout = record.DateLayout
	case m.kind == timeOnly:
		layout = timeLayout
	}
	return m.local().Format(layout)
}

// setShown reads what a user wrote, on his clock: by a pattern, if one is given, which then must fit; else in his own
// format or one of the usual ones.
func setShown(l *lib, m *moment, a arguments) any {
	zone, where := m.zone, l.locale()
	if m.kind == dateOnly {
		zone = time.UTC
	}
	if a.given(1) {
		t, err := parsePattern(a.text(0), a.text(1), zone)
		if err != nil {
			l.throw(err)
		}
		m.put(t)
		return goja.Undefined()
	}
	patterns := map[momentKind][]string{dateTime: {where.dateTimeFormat(), where.dateFormat}, dateOnly: {where.dateFormat, where.dateTimeFormat()}, timeOnly: {where.timeFormat}}
	for _, pattern := range patterns[m.kind] {
		if t, err := parsePattern(a.text(0), pattern, zone); err == nil {
			m.put(t)
			return goja.Undefined()
		}
	}
	return setShownInternal(l, m, a)
}

// setShownInternal reads the form of the store, on the user's clock.
func setShownInternal(_ *lib, m *moment, a arguments) any {
	zone := m.zone
	switch {
	case m.kind == dateOnly:
		zone = time.UTC
	case m.kind == timeOnly:
		m.set(a.text(0))
		if m.bad == "" {
			m.put(time.Date(1970, 1, 1, m.at.Hour(), m.at.Minute(), m.at.Second(), 0, zone))
		}
		return goja.Undefined()
	}
	if t, ok := parseMoment(a.text(0), zone); ok {
		m.put(t)
	} else {
		m.fail(a.text(0))
	}
	return goja.Undefined()
}

func setValueUTC(l *lib, m *moment, a arguments) any {
	t, err := parsePattern(a.text(0), a.text(1), time.UTC)
	if err != nil {
		l.throw(err)
	}
	m.put(t)
	return goja.Undefined()
}

// setZone gives the moment another user clock; an unknown zone changes nothing.
func setZone(l *lib, m *moment, a arguments) any {
	if zone, err := time.LoadLocation(a.text(0)); err == nil && a.given(0) {
		m.zone = zone
	}
	return goja.Undefined()
}
