package xlsx

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// numberFormat is what a cell's style says about the meaning of a number.
type numberFormat struct {
	date, clock bool
	elapsed     bool // hours may exceed 24
	digits      int  // format 00000: pad to so many
}

// builtin knows the formats that workbooks use without describing them.
func builtin(id int) numberFormat {
	switch {
	case id >= 14 && id <= 17, id >= 27 && id <= 31, id == 36, id >= 50 && id <= 58:
		return numberFormat{date: true}
	case id == 22:
		return numberFormat{date: true, clock: true}
	case id >= 18 && id <= 21, id >= 32 && id <= 35, id == 45, id == 47:
		return numberFormat{clock: true}
	case id == 46:
		return numberFormat{clock: true, elapsed: true}
	}
	return numberFormat{}
}

// parseFormat reads a format code. Only the section for positive numbers counts.
func parseFormat(code string) (f numberFormat) {
	code, _, _ = strings.Cut(strings.ToLower(code), ";")
	var plain strings.Builder
	for i := 0; i < len(code); i++ {
		switch code[i] {
		case '"':
			for i++; i < len(code) && code[i] != '"'; i++ {
			}
		case '\\', '_', '*':
			i++
		case '[':
			end := strings.IndexByte(code[i:], ']')
			if end < 0 {
				return f
			}
			if in := code[i+1 : i+end]; in != "" && strings.Trim(in, "hms") == "" {
				f.clock, f.elapsed = true, true
			}
			i += end
		default:
			plain.WriteByte(code[i])
		}
	}
	text := plain.String()
	if text == "general" {
		return f
	}
	if n := len(text); n > 1 && strings.Trim(text, "0") == "" {
		f.digits = n
		return f
	}
	f.date = strings.ContainsAny(text, "yd") || strings.Contains(text, "mmm")
	f.clock = f.clock || strings.ContainsAny(text, "hs")
	f.date = f.date || !f.clock && strings.Contains(text, "m")
	return f
}

// show gives a stored number as text, and whether it has more digits than a workbook keeps.
func (f numberFormat) show(raw string, date04 bool) (text string, long bool) {
	n, err := strconv.ParseFloat(raw, 64)
	if err != nil || math.IsInf(n, 0) || math.IsNaN(n) {
		return raw, false
	}
	if (f.date || f.clock) && n >= 0 && n < 2_958_466 { // the day after 9999-12-31
		return f.when(n, date04), false
	}
	long = math.Abs(n) >= 1e15
	text = exact(raw, n)
	if f.digits > len(text) && strings.Trim(text, "0123456789") == "" {
		text = strings.Repeat("0", f.digits-len(text)) + text
	}
	return text, long
}

// exact writes a number without exponent. Workbooks keep 15 digits and store noise behind them, which is taken off.
func exact(raw string, n float64) string {
	digits := 0
	for _, c := range strings.TrimLeft(raw, "-0.") {
		if c == 'e' || c == 'E' {
			digits = 99
			break
		}
		if c != '.' {
			digits++
		}
	}
	if digits <= 15 && !(strings.Contains(raw, ".") && strings.HasSuffix(raw, "0")) {
		return raw
	}
	if n == math.Trunc(n) && math.Abs(n) < 1<<63 {
		return strconv.FormatFloat(n, 'f', 0, 64)
	}
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(n, 'g', 15, 64), 64)
	if err != nil {
		return raw
	}
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}

// when writes a serial number as a date, a date and time, or a time. The 1900 system counts a 29 February 1900 that
// never was, so days before it are one later.
func (f numberFormat) when(n float64, date04 bool) string {
	seconds := int64(math.Round(n * 86400))
	if !f.date && f.clock && (f.elapsed || n < 1) {
		return clock(seconds)
	}
	base := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
	switch {
	case date04:
		base = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
	case n < 60:
		base = base.AddDate(0, 0, 1)
	}
	t := base.AddDate(0, 0, int(seconds/86400)).Add(time.Duration(seconds%86400) * time.Second)
	if f.clock || seconds%86400 != 0 {
		return t.Format(time.DateTime)
	}
	return t.Format(time.DateOnly)
}

func clock(seconds int64) string {
	two := func(n int64) string {
		s := strconv.FormatInt(n, 10)
		if len(s) < 2 {
			s = "0" + s
		}
		return s
	}
	return two(seconds/3600) + ":" + two(seconds/60%60) + ":" + two(seconds%60)
}
