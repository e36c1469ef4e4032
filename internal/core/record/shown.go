package record

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// Shown is what people see of a value of the field, as far as the value says it itself: the label of a choice, a class
// or a table, a time on the clock of zone, a length of time in words. What a reference leads to is not looked up: its
// value stays as it is.
func (f *Field) Shown(c *Catalog, value string, zone *time.Location) string {
	for i := range f.Choices {
		if f.Choices[i].Value == value {
			return cmp.Or(f.Choices[i].Label, value)
		}
	}
	switch {
	case f.Name == SysClassName, f.Type == Reference && f.Reference == ObjectTable:
		if class := c.Table(value); class != nil {
			return class.Title()
		}
	case f.Type == DateTime:
		return LocalTime(value, zone)
	case f.Type == Duration:
		return inWords(value)
	}
	return value
}

// LocalTime is a date-time on the clock of a zone; what is none stays as it is.
func LocalTime(value string, zone *time.Location) string {
	at, err := time.ParseInLocation(DateTimeLayout, value, time.UTC)
	if err != nil || zone == time.UTC {
		return value
	}
	return at.In(zone).Format(DateTimeLayout)
}

// inWords says a length of time in words: "1 Day 2 Hours", "2 Minutes"; seconds only where there is nothing larger.
func inWords(value string) string {
	at, err := time.ParseInLocation(DateTimeLayout, value, time.UTC)
	if err != nil {
		return value
	}
	var words []string
	left := at.Unix()
	for _, unit := range []struct {
		name    string
		seconds int64
	}{{"Day", 86400}, {"Hour", 3600}, {"Minute", 60}, {"Second", 1}} {
		n := left / unit.seconds
		left %= unit.seconds
		last := unit.seconds == 1
		if n == 0 && !last || last && len(words) > 0 {
			continue
		}
		word := fmt.Sprintf("%d %s", n, unit.name)
		if n != 1 {
			word += "s"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}
