package query

import (
	"strings"
	"time"
)

// Layouts of the canonical forms of dates, for package time.
const (
	dateLayout     = "2006-01-02"
	dateTimeLayout = "2006-01-02 15:04:05"
)

// Canonical brings a value into the one form in which values of the kind are compared: numbers without leading or
// trailing zeros, true or false, dates and date-times in UTC as the kinds show. A date given for a date-time is its
// midnight, a date-time given for a date its day. Text and Exact are what they are. ok is false when text is no value
// of the kind; text comes back as it was.
func Canonical(kind Kind, text string) (canonical string, ok bool) {
	switch kind {
	case Number:
		return canonicalNumber(text)
	case Bool:
		switch Fold(strings.TrimSpace(text)) {
		case "true", "1":
			return "true", true
		case "false", "0":
			return "false", true
		}
		return text, false
	case Date:
		return canonicalTime(text, dateLayout)
	case DateTime:
		return canonicalTime(text, dateTimeLayout)
	}
	return text, true
}

// canonicalNumber accepts what has a sign, digits and a point. Values that are canonical already, nearly all, come
// back without a copy.
func canonicalNumber(text string) (string, bool) {
	s := strings.TrimSpace(text)
	digits, negative := strings.CutPrefix(s, "-")
	if !negative {
		digits = strings.TrimPrefix(s, "+")
	}
	whole, fraction, point := strings.Cut(digits, ".")
	if whole == "" && fraction == "" || !allDigits(whole) || !allDigits(fraction) {
		return text, false
	}
	first, last := strings.TrimLeft(whole, "0"), strings.TrimRight(fraction, "0")
	if first == "" {
		first = "0"
	}
	negative = negative && (first != "0" || last != "")
	if whole == first && fraction == last && point == (last != "") && len(digits)+btoi(negative) == len(s) {
		return s, true
	}
	if last != "" {
		first += "." + last
	}
	if negative {
		first = "-" + first
	}
	return first, true
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func allDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// timeLayouts are the spellings of dates that queries carry. All are read as UTC unless they say otherwise.
var timeLayouts = []string{dateTimeLayout, dateLayout, time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04"}

func canonicalTime(text, layout string) (string, bool) {
	t, ok := parseTime(strings.TrimSpace(text))
	if !ok {
		return text, false
	}
	return t.Format(layout), true
}

func parseTime(s string) (time.Time, bool) {
	if len(s) < len(dateLayout) || s[4] != '-' {
		return time.Time{}, false
	}
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			t = t.UTC()
			return t, inCalendar(t)
		}
	}
	return time.Time{}, false
}

// inCalendar reports whether the canonical form can show the year.
func inCalendar(t time.Time) bool { return t.Year() >= 1 && t.Year() <= 9999 }

// Compare orders two values of a kind, as stores sort them: negative when a comes before b, 0 when they are the same
// text. Text goes by its folded form and, where that is equal, by code point; numbers by size; all else by byte, which
// for dates is by time. What is no number comes after all numbers. Nulls are the caller's to place: they come first
// ascending and last descending.
func Compare(kind Kind, a, b string) int {
	by := 0
	switch kind {
	case Text:
		by = compareFold(a, b)
	case Number:
		by = compareLoose(a, b)
	}
	if by == 0 {
		by = strings.Compare(a, b)
	}
	return by
}

func compareLoose(a, b string) int {
	x, xok := canonicalNumber(a)
	y, yok := canonicalNumber(b)
	if !xok || !yok {
		return btoi(!xok) - btoi(!yok)
	}
	return compareNumbers(x, y)
}

// compareNumbers compares canonical numbers digit by digit, of any length and exactly.
func compareNumbers(a, b string) int {
	x, negative := strings.CutPrefix(a, "-")
	y, other := strings.CutPrefix(b, "-")
	switch {
	case negative != other:
		return btoi(other) - btoi(negative)
	case negative:
		x, y = y, x
	}
	xWhole, xFraction, _ := strings.Cut(x, ".")
	yWhole, yFraction, _ := strings.Cut(y, ".")
	if by := len(xWhole) - len(yWhole); by != 0 {
		return by
	}
	if by := strings.Compare(xWhole, yWhole); by != 0 {
		return by
	}
	return strings.Compare(xFraction, yFraction)
}

// compareFold compares the folded forms of a and b without making them, as long as both are ASCII.
func compareFold(a, b string) int {
	for i := range min(len(a), len(b)) {
		x, y := a[i], b[i]
		if x|y >= 0x80 {
			return strings.Compare(Fold(a[i:]), Fold(b[i:]))
		}
		if x, y = lower(x), lower(y); x != y {
			return int(x) - int(y)
		}
	}
	return len(a) - len(b)
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}
