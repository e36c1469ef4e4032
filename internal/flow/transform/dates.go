package transform

import (
	"strings"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// dateReader reads dates written by a pattern.
type dateReader struct {
	layout   string
	zone     *time.Location
	output   string // canonical layout of the target
	pattern  string
	halfDay  bool // hh without am/pm, as the platform reads it: 12 to 23 become 0 to 11
	dateOnly bool // the target takes no time, so no zone is applied
}

// patternParts are the letters of a date pattern and what they are in a layout of package time: the form of fixed width,
// and the form that also takes one digit.
var patternParts = map[string][2]string{
	"yyyy": {"2006", "2006"}, "yy": {"06", "06"},
	"MMMM": {"January", "January"}, "MMM": {"Jan", "Jan"}, "MM": {"01", "1"}, "M": {"1", "1"},
	"dd": {"02", "2"}, "d": {"2", "2"},
	"HH": {"15", "15"}, "H": {"15", "15"}, "hh": {"03", "3"}, "h": {"3", "3"},
	"mm": {"04", "4"}, "m": {"4", "4"}, "ss": {"05", "5"}, "s": {"5", "5"}, "SSS": {"000", "000"}, "a": {"PM", "PM"},
	"EEEE": {"Monday", "Monday"}, "EEE": {"Mon", "Mon"},
	"z": {"MST", "MST"}, "Z": {"-0700", "-0700"}, "XXX": {"Z07:00", "Z07:00"}, "X": {"Z07", "Z07"},
}

// newDateReader compiles a pattern such as dd.MM.yyyy HH:mm. Numbers may be written with fewer digits than the pattern
// has letters, unless they touch the next number.
func newDateReader(pattern string, zone *time.Location, f *record.Field, strict bool) (*dateReader, error) {
	d := &dateReader{zone: zone, pattern: pattern, output: record.DateTimeLayout, dateOnly: f.Type == record.Date}
	if d.dateOnly {
		d.output = record.DateLayout
	}
	var layout strings.Builder
	var hh, am bool
	for i := 0; i < len(pattern); {
		c := pattern[i]
		if c == '\'' {
			end := strings.IndexByte(pattern[i+1:], '\'')
			if end < 0 {
				return nil, fault.New(fault.Invalid, "dateFormat %q has an open quote", pattern)
			}
			layout.WriteString(pattern[i+1 : i+1+end])
			i += end + 2
			continue
		}
		if !letter(c) {
			layout.WriteByte(c)
			i++
			continue
		}
		n := i
		for n < len(pattern) && pattern[n] == c {
			n++
		}
		part, known := patternParts[pattern[i:n]]
		if !known {
			return nil, fault.New(fault.Invalid, "dateFormat %q: %q is not known", pattern, pattern[i:n]).
				WithHint("use yyyy MM dd HH mm ss SSS a XXX, as in dd.MM.yyyy HH:mm")
		}
		hh, am = hh || c == 'h', am || c == 'a'
		if touching := n < len(pattern) && letter(pattern[n]) || i > 0 && letter(pattern[i-1]); touching {
			layout.WriteString(part[0])
		} else {
			layout.WriteString(part[1])
		}
		i = n
	}
	d.layout = layout.String()
	if hh && !am {
		if !strict {
			return nil, fault.New(fault.Invalid, "dateFormat %q: hh is the 12-hour clock and needs a (am/pm)", pattern).
				WithHint("24 hours are HH: %s", strings.ReplaceAll(pattern, "h", "H"))
		}
		d.halfDay = true
		d.layout = strings.NewReplacer("03", "15", "3", "15").Replace(d.layout)
	}
	return d, nil
}

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func (d *dateReader) read(text string) (string, error) {
	t, err := time.ParseInLocation(d.layout, strings.TrimSpace(text), d.zone)
	if err != nil || t.Year() < 1 {
		return "", &record.ValueError{Code: "date_unparsable", Msg: "does not read as " + d.pattern}
	}
	if d.halfDay && t.Hour() >= 12 {
		t = t.Add(-12 * time.Hour)
	}
	if d.dateOnly {
		return t.Format(d.output), nil
	}
	return t.UTC().Format(d.output), nil
}

// readISO is how dates are read when a map gives no pattern: the canonical forms and ISO 8601, in the map's zone.
func readISO(f *record.Field, zone *time.Location) func(string) (string, error) {
	if f.Type == record.Date {
		return func(text string) (string, error) {
			if out, err := f.Canonical(text); err == nil && len(text) == len(record.DateLayout) {
				return out, nil
			}
			t, err := record.ParseISO(text, zone)
			if err != nil {
				return "", err
			}
			return t.Format(record.DateLayout), nil
		}
	}
	if zone == time.UTC {
		return f.Canonical
	}
	return func(text string) (string, error) {
		t, err := record.ParseISO(text, zone)
		if err != nil {
			return "", err
		}
		return t.UTC().Format(record.DateTimeLayout), nil
	}
}

// GuessDateFormat finds a pattern by which every sample reads, for hints and for derived maps; "" when none does, and
// several when the samples leave day and month open.
func GuessDateFormat(samples []string) []string {
	var fits []string
	probe := &record.Field{Name: "probe", Type: record.DateTime}
	for _, pattern := range guessPatterns {
		d, err := newDateReader(pattern, time.UTC, probe, false)
		if err != nil {
			continue
		}
		all := len(samples) > 0
		for _, s := range samples {
			if _, err := d.read(s); err != nil {
				all = false
				break
			}
		}
		if all {
			fits = append(fits, pattern)
		}
	}
	return fits
}

var guessPatterns = []string{
	"dd.MM.yyyy", "dd.MM.yyyy HH:mm", "dd.MM.yyyy HH:mm:ss", "dd/MM/yyyy", "MM/dd/yyyy", "dd/MM/yyyy HH:mm", "MM/dd/yyyy HH:mm",
	"dd/MM/yyyy HH:mm:ss", "MM/dd/yyyy HH:mm:ss", "MM/dd/yyyy hh:mm a", "dd-MM-yyyy", "MM-dd-yyyy", "dd-MM-yyyy HH:mm:ss",
	"MM-dd-yyyy HH:mm:ss", "yyyy/MM/dd", "yyyy/MM/dd HH:mm:ss", "dd MMM yyyy", "MMM dd, yyyy", "dd-MMM-yyyy", "dd-MMM-yy", "yyyyMMdd", "dd.MM.yy", "MM/dd/yy",
}

// ZoneRules sums up the rules of the time zones that a map names, as this program has them at hand: the offset of each
// day from 1970 to 2069. A zone that is not known has no rules.
func ZoneRules(def Def) map[string]uint64 {
	names := []string{def.Zone}
	for i := range def.Fields {
		names = append(names, def.Fields[i].Zone)
	}
	rules := map[string]uint64{}
	for _, name := range names {
		if _, done := rules[name]; done || name == "" {
			continue
		}
		rules[name] = 0
		if zone, err := time.LoadLocation(name); err == nil {
			rules[name] = zoneRules(zone)
		}
	}
	return rules
}

func zoneRules(zone *time.Location) (sum uint64) {
	const day, days = 24 * 60 * 60, 100 * 365
	for n := range int64(days) {
		_, offset := time.Unix(n*day, 0).In(zone).Zone()
		sum = (sum ^ uint64(offset)) * 0x9e3779b97f4a7c15
	}
	return sum
}
