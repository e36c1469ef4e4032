package glide

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"headrace/internal/core/fault"
)

// A date pattern is written in the letters of Java's SimpleDateFormat, as scripts and user preferences have it. Runs of
// one letter make a part; text in quotes and everything that is no letter stands for itself.

// part is a run of one letter, or literal text when letter is 0.
type part struct {
	letter byte
	width  int
	text   string
}

func splitPattern(pattern string) []part {
	var parts []part
	for i := 0; i < len(pattern); {
		c := pattern[i]
		if c == '\'' {
			text, n := quoted(pattern[i:])
			parts = append(parts, part{text: text})
			i += n
			continue
		}
		n := i + 1
		for n < len(pattern) && pattern[n] == c {
			n++
		}
		if isLetter(c) {
			parts = append(parts, part{letter: c, width: n - i})
		} else {
			parts = append(parts, part{text: pattern[i:n]})
		}
		i = n
	}
	return parts
}

// quoted reads a quoted text at the start of s; two quotes stand for one. An open quote reaches to the end.
func quoted(s string) (text string, length int) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] != '\'':
			b.WriteByte(s[i])
		case i+1 < len(s) && s[i+1] == '\'':
			b.WriteByte('\'')
			i++
		case b.Len() == 0 && i == 1:
			return "'", 2
		default:
			return b.String(), i + 1
		}
	}
	return b.String(), len(s)
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// formatPattern writes t by a pattern, on the clock of its zone. Letters that mean nothing are left out.
func formatPattern(t time.Time, pattern string) string {
	var b strings.Builder
	for _, p := range splitPattern(pattern) {
		if p.letter == 0 {
			b.WriteString(p.text)
		} else {
			b.WriteString(formatPart(t, p))
		}
	}
	return b.String()
}

func formatPart(t time.Time, p part) string {
	if n, ok := partNumber(t, p); ok {
		return fmt.Sprintf("%0*d", p.width, n)
	}
	switch p.letter {
	case 'M', 'L':
		return shortened(t.Month().String(), p.width)
	case 'E':
		return shortened(t.Weekday().String(), p.width)
	case 'a':
		return t.Format("PM")
	case 'G':
		return "AD"
	case 'z':
		return t.Format("MST")
	case 'Z':
		return t.Format("-0700")
	case 'X':
		return t.Format([]string{"Z07", "Z0700", "Z07:00"}[min(p.width, 3)-1])
	}
	return ""
}

func shortened(name string, width int) string {
	if width > 3 {
		return name
	}
	return name[:3]
}

// partNumber is the number that a part of a pattern stands for; ok is false for parts that are words.
func partNumber(t time.Time, p part) (n int, ok bool) {
	switch p.letter {
	case 'y', 'Y':
		if p.width == 2 {
			return t.Year() % 100, true
		}
		return t.Year(), true
	case 'M', 'L':
		return int(t.Month()), p.width < 3
	case 'd':
		return t.Day(), true
	case 'D':
		return t.YearDay(), true
	case 'H':
		return t.Hour(), true
	case 'k':
		return (t.Hour()+23)%24 + 1, true
	case 'K':
		return t.Hour() % 12, true
	case 'h':
		return (t.Hour()+11)%12 + 1, true
	case 'm':
		return t.Minute(), true
	case 's':
		return t.Second(), true
	case 'S':
		return t.Nanosecond() / int(time.Millisecond), true
	case 'u':
		return isoWeekday(t), true
	case 'w':
		return weekOfYear(t), true
	case 'W':
		return (t.Day()+int(t.AddDate(0, 0, 1-t.Day()).Weekday())-1)/7 + 1, true
	case 'F':
		return (t.Day()-1)/7 + 1, true
	}
	return 0, false
}

// isoWeekday counts the days of the week from Monday, 1, to Sunday, 7.
func isoWeekday(t time.Time) int { return (int(t.Weekday())+6)%7 + 1 }

// weekOfYear counts weeks from Sunday; the week with the first of January is the first.
func weekOfYear(t time.Time) int {
	first := time.Date(t.Year(), time.January, 1, 0, 0, 0, 0, time.UTC)
	days := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC).Sub(first) / (24 * time.Hour)
	week := (int(days)+int(first.Weekday()))/7 + 1
	lastDay := time.Date(t.Year(), time.December, 31, 0, 0, 0, 0, time.UTC)
	if t.Month() == time.December && t.Day()+6-int(t.Weekday()) > 31 && lastDay.Weekday() != time.Saturday {
		return 1
	}
	return week
}

// parsePattern reads text written by a pattern. Numbers may have fewer digits than the pattern has letters, and more
// where no number follows at once. All of the text must be read.
func parsePattern(text, pattern string, zone *time.Location) (time.Time, error) {
	r := &patternReader{text: text, zone: zone, year: 1970, month: 1, day: 1}
	parts := splitPattern(pattern)
	for i, p := range parts {
		touching := i+1 < len(parts) && parts[i+1].letter != 0
		if !r.part(p, touching) {
			return time.Time{}, fault.New(fault.Invalid, "%q does not read as %s", text, pattern)
		}
	}
	if r.at != len(text) {
		return time.Time{}, fault.New(fault.Invalid, "%q does not read as %s", text, pattern)
	}
	return r.time()
}

type patternReader struct {
	text             string
	at               int
	zone             *time.Location
	year, month, day int
	hour, min, sec   int
	milli            int
	pm, half         bool
}

func (r *patternReader) part(p part, touching bool) bool {
	if p.letter == 0 {
		if !strings.HasPrefix(r.text[r.at:], p.text) {
			return false
		}
		r.at += len(p.text)
		return true
	}
	switch {
	case p.letter == 'a':
		return r.dayHalf()
	case (p.letter == 'M' || p.letter == 'L') && p.width >= 3:
		return r.word(12, func(i int) string { return time.Month(i).String() }, &r.month)
	case p.letter == 'E':
		var ignored int
		return r.word(7, func(i int) string { return time.Weekday(i % 7).String() }, &ignored)
	case p.letter == 'z' || p.letter == 'Z' || p.letter == 'X':
		return r.offset()
	}
	return r.number(p, touching)
}

func (r *patternReader) number(p part, touching bool) bool {
	end := r.at
	for end < len(r.text) && r.text[end] >= '0' && r.text[end] <= '9' && end-r.at < 9 && (!touching || end-r.at < p.width) {
		end++
	}
	n, err := strconv.Atoi(r.text[r.at:end])
	if err != nil {
		return false
	}
	r.at = end
	switch p.letter {
	case 'y', 'Y':
		if p.width <= 2 && n < 100 {
			n += 2000 // a century window of 80 years back would depend on today
			if n > 2050 {
				n -= 100
			}
		}
		r.year = n
	case 'M', 'L':
		r.month = n
	case 'd':
		r.day = n
	case 'H', 'k':
		r.hour = n % 24
		return n <= 24
	case 'h', 'K':
		r.hour, r.half = n%12, true
		return n <= 12
	case 'm':
		r.min = n
	case 's':
		r.sec = n
	case 'S':
		r.milli = n
	default:
		return false
	}
	return true
}

func (r *patternReader) dayHalf() bool {
	if len(r.text)-r.at < 2 {
		return false
	}
	half := strings.ToUpper(r.text[r.at : r.at+2])
	r.at += 2
	r.pm = half == "PM"
	return r.pm || half == "AM"
}

// word reads a name in full or its first three letters.
func (r *patternReader) word(most int, name func(int) string, into *int) bool {
	rest := r.text[r.at:]
	for i := 1; i <= most; i++ {
		for _, n := range []string{name(i), name(i)[:3]} {
			if len(rest) >= len(n) && strings.EqualFold(rest[:len(n)], n) {
				*into = i
				r.at += len(n)
				return true
			}
		}
	}
	return false
}

func (r *patternReader) offset() bool {
	end := r.at
	for end < len(r.text) && r.text[end] != ' ' {
		end++
	}
	name := r.text[r.at:end]
	r.at = end
	for _, layout := range []string{"Z07:00", "Z0700", "Z07"} {
		if t, err := time.Parse(layout, name); err == nil {
			r.zone = t.Location()
			return true
		}
	}
	if zone, err := time.LoadLocation(name); err == nil && name != "" {
		r.zone = zone
		return true
	}
	return false
}

// time puts the parts together. Days and months outside the calendar are refused.
func (r *patternReader) time() (time.Time, error) {
	hour := r.hour
	if r.half && r.pm {
		hour += 12
	}
	t := time.Date(r.year, time.Month(r.month), r.day, hour, r.min, r.sec, r.milli*int(time.Millisecond), r.zone)
	if r.month < 1 || r.month > 12 || r.day < 1 || r.day > daysIn(r.year, time.Month(r.month)) || r.min > 59 || r.sec > 59 || r.year < 1 || r.year > 9999 {
		return time.Time{}, fault.New(fault.Invalid, "%q is no date of the calendar", r.text)
	}
	return t, nil
}

func daysIn(year int, month time.Month) int {
	return time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
}
