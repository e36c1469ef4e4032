package record

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// spanForm is a length of time or a time of day as people write it: 02:30, 02:30:00, 3 02:30:00.
var spanForm = regexp.MustCompile(`^(?:(\d{1,5}) )?(\d{1,2}):(\d{2})(?::(\d{2}))?$`)

// canonicalSpan reads a length of time: its canonical form, hours, minutes and seconds with days before them, or a number
// with a unit, such as 90s, 15m or 1h30m.
func canonicalSpan(text string) (string, error) {
	s := strings.TrimSpace(text)
	if m := spanForm.FindStringSubmatch(s); m != nil {
		n := func(i int) time.Duration { v, _ := strconv.Atoi(m[i]); return time.Duration(v) }
		return spanText(n(1)*24*time.Hour + n(2)*time.Hour + n(3)*time.Minute + n(4)*time.Second), nil
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 && s != "0" {
		return spanText(d), nil
	}
	return canonicalTime(text, DateTimeLayout)
}

func spanText(d time.Duration) string {
	return time.Unix(int64(d/time.Second), 0).UTC().Format(DateTimeLayout)
}
