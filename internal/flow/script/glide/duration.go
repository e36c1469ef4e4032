package glide

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/dop251/goja"

	"headrace/internal/core/record"
)

// duration is what GlideDuration holds; negative ones are earlier.
type duration struct{ length time.Duration }

const day = 24 * time.Hour

// daysAndClock is how people write a duration: "3 12:00:00", the days left out below one.
var daysAndClock = regexp.MustCompile(`^(-?)(?:(\d{1,5})\s+)?(\d{1,4}):(\d{1,2})(?::(\d{1,2}))?$`)

// parseDuration reads "d HH:mm:ss", or the date-time that lies this long after the start of 1970.
func parseDuration(text string) (time.Duration, bool) {
	text = strings.TrimSpace(text)
	if t, err := time.Parse(record.DateTimeLayout, text); err == nil {
		return t.Sub(time.Unix(0, 0)), true
	}
	found := daysAndClock.FindStringSubmatch(text)
	if found == nil {
		return 0, false
	}
	var n [4]int
	for i := range n {
		n[i], _ = strconv.Atoi(found[i+2]) // digits, few enough; none is nought
	}
	d := time.Duration(n[0])*day + time.Duration(n[1])*time.Hour + time.Duration(n[2])*time.Minute + time.Duration(n[3])*time.Second
	if found[1] != "" {
		d = -d
	}
	return d, true
}

// text is the form of the store: the date-time that lies this long after the start of 1970.
func (d *duration) text() string {
	return time.Unix(0, 0).UTC().Add(d.length).Format(record.DateTimeLayout)
}

// words says the length as people do: "3 Days 12 Hours"; seconds only below a minute.
func (d *duration) words() string {
	left, sign := d.length, ""
	if left < 0 {
		left, sign = -left, "-"
	}
	var words []string
	for _, u := range []struct {
		name   string
		length time.Duration
	}{{"Day", day}, {"Hour", time.Hour}, {"Minute", time.Minute}, {"Second", time.Second}} {
		n := left / u.length
		left %= u.length
		last := u.length == time.Second
		if n == 0 && !last || last && len(words) > 0 {
			continue
		}
		word := fmt.Sprintf("%d %s", n, u.name)
		if n != 1 {
			word += "s"
		}
		words = append(words, word)
	}
	return sign + strings.Join(words, " ")
}

// clock writes the length as "3 12:00:00", below a day as "12:00:00".
func (d *duration) clock() string {
	left, sign := d.length, ""
	if left < 0 {
		left, sign = -left, "-"
	}
	whole := left / day
	left %= day
	text := fmt.Sprintf("%02d:%02d:%02d", left/time.Hour, left%time.Hour/time.Minute, left%time.Minute/time.Second)
	if whole > 0 {
		text = fmt.Sprintf("%d %s", whole, text)
	}
	return sign + text
}

type durationMethod = func(l *lib, d *duration, a arguments) any

var durationClass = &class[duration]{name: "GlideDuration", methods: durationMethods(),
	static:    map[string]func(*lib, arguments) any{"subtract": subtractMoments},
	construct: func(l *lib, a arguments) *duration { d := &duration{}; d.take(l, a.value(0)); return d },
}

// take sets what a script gave: a duration, a text, or a number of milliseconds. What does not read as one is nought.
func (d *duration) take(l *lib, v goja.Value) {
	if missing(v) {
		d.length = 0
		return
	}
	if _, isText := v.Export().(string); !isText {
		if _, isNumber := toNumber(v); isNumber {
			d.length = span(l, v)
			return
		}
	}
	if o, ok := valueIn[duration](l, v); ok {
		d.length = o.length
		return
	}
	if o, ok := valueIn[moment](l, v); ok {
		d.length = o.at.Sub(time.Unix(0, 0))
		return
	}
	d.length, _ = parseDuration(l.text(v))
}

func durationMethods() map[string]durationMethod {
	return map[string]durationMethod{
		"getValue":         func(_ *lib, d *duration, _ arguments) any { return d.text() },
		"toString":         func(_ *lib, d *duration, _ arguments) any { return d.text() },
		"getDisplayValue":  func(_ *lib, d *duration, _ arguments) any { return d.words() },
		"getDurationValue": func(_ *lib, d *duration, _ arguments) any { return d.clock() },
		"getNumericValue":  func(_ *lib, d *duration, _ arguments) any { return d.length.Milliseconds() },
		"getDayPart":       func(_ *lib, d *duration, _ arguments) any { return int64(d.length / day) },
		"getRoundedDayPart": func(_ *lib, d *duration, _ arguments) any {
			return int64(d.length.Round(day) / day)
		},
		"getByFormat": func(_ *lib, d *duration, a arguments) any {
			return formatPattern(time.Unix(0, 0).UTC().Add(d.length), a.text(0))
		},
		"add":             func(l *lib, d *duration, a arguments) any { return d.moved(l, 1, a) },
		"subtract":        func(l *lib, d *duration, a arguments) any { return d.moved(l, -1, a) },
		"compareTo":       func(l *lib, d *duration, a arguments) any { return cmp.Compare(d.length, durationOf(l, a.value(0))) },
		"equals":          func(l *lib, d *duration, a arguments) any { return d.length == durationOf(l, a.value(0)) },
		"setValue":        func(l *lib, d *duration, a arguments) any { d.take(l, a.value(0)); return goja.Undefined() },
		"setNumericValue": func(l *lib, d *duration, a arguments) any { d.take(l, a.value(0)); return goja.Undefined() },
		"setDisplayValue": func(l *lib, d *duration, a arguments) any { d.take(l, a.value(0)); return goja.Undefined() },
	}
}

func durationOf(l *lib, v goja.Value) time.Duration {
	d := &duration{}
	d.take(l, v)
	return d.length
}

// moved gives another duration; this one stays.
func (d *duration) moved(l *lib, sign time.Duration, a arguments) *goja.Object {
	return instance(l, "GlideDuration", &duration{d.length + sign*durationOf(l, a.value(0))})
}
