package record

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// ValueError says why a text is not a value of a field. Code is a reason code of the ledger.
type ValueError struct {
	Code string
	Msg  string
}

// Error makes ValueError an error.
func (e *ValueError) Error() string { return e.Msg }

func valueError(code, format string, args ...any) *ValueError {
	return &ValueError{Code: code, Msg: fmt.Sprintf(format, args...)}
}

// Layouts of the canonical forms of dates, for package time.
const (
	DateLayout     = "2006-01-02"
	DateTimeLayout = "2006-01-02 15:04:05"
)

// Canonical brings text into the canonical form of the field's type and checks its length. Date-times without a zone
// are read as UTC. Text that is not a value of the type is a *ValueError.
func (f *Field) Canonical(text string) (string, error) {
	switch f.Type {
	case String, Choice, Reference, Secret:
		return f.fit(text)
	}
	if text == "" {
		return "", nil
	}
	if f.Type == Duration {
		return canonicalSpan(text)
	}
	out, err := canonical(f.Type.Stored(), text)
	if err != nil {
		return "", err
	}
	return f.fit(out)
}

// fit checks the length; counting characters only when the bytes are too many.
func (f *Field) fit(text string) (string, error) {
	if f.Length > 0 && len(text) > f.Length && utf8.RuneCountInString(text) > f.Length {
		return "", valueError("value_too_long", "%d characters, the field takes %d", utf8.RuneCountInString(text), f.Length)
	}
	return text, nil
}

func canonical(t Type, text string) (string, error) {
	switch t {
	case Integer:
		return canonicalInteger(text)
	case Decimal:
		return CanonicalDecimal(text)
	case Boolean:
		return canonicalBoolean(text)
	case Date:
		return canonicalTime(text, DateLayout)
	case DateTime:
		return canonicalTime(text, DateTimeLayout)
	case IP:
		a, err := netip.ParseAddr(strings.TrimSpace(text))
		if err != nil {
			return "", valueError("value_invalid", "%q is not an IP address", Clip(text))
		}
		return a.String(), nil
	case Email:
		at := strings.LastIndexByte(text, '@')
		if at < 1 || at == len(text)-1 || strings.ContainsAny(text, " \t\r\n,;") {
			return "", valueError("value_invalid", "%q is not an e-mail address", Clip(text))
		}
	case URL:
		if _, err := url.Parse(text); err != nil || strings.ContainsAny(text, " \t\r\n") {
			return "", valueError("value_invalid", "%q is not a URL", Clip(text))
		}
	case JSON:
		var b bytes.Buffer
		if err := json.Compact(&b, []byte(text)); err != nil {
			return "", valueError("value_invalid", "not JSON: %v", err)
		}
		return b.String(), nil
	}
	return text, nil
}

func canonicalInteger(text string) (string, error) {
	s := strings.TrimSpace(text)
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return "", valueError("number_unparsable", "%q is not a whole number of at most 64 bits", Clip(text))
	}
	if plain := len(s) > 0 && s[0] != '+' && (s[0] != '0' || len(s) == 1) && !strings.HasPrefix(s, "-0"); plain {
		return s, nil
	}
	return strconv.FormatInt(n, 10), nil
}

// The most digits of a decimal, before and behind the point.
const (
	maxWhole    = 38
	maxFraction = 18
)

// CanonicalDecimal brings a decimal number into canonical form: no exponent, no plus sign, no leading zeros but one
// before the point, no trailing zeros behind it, no negative zero.
func CanonicalDecimal(text string) (string, error) {
	s := strings.TrimSpace(text)
	bad := func() (string, error) {
		return "", valueError("number_unparsable", "%q is not a decimal number", Clip(text))
	}
	mantissa, exponent := s, 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		n, err := strconv.Atoi(s[i+1:])
		if err != nil || n > maxWhole || n < -maxWhole {
			return bad()
		}
		mantissa, exponent = s[:i], n
	}
	negative := strings.HasPrefix(mantissa, "-")
	mantissa = strings.TrimLeft(mantissa, "+-")
	if len(s)-len(mantissa) > 1 && exponent == 0 && !strings.ContainsAny(s, "eE") {
		return bad()
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	if whole+fraction == "" || strings.Trim(whole+fraction, "0123456789") != "" {
		return bad()
	}
	whole, fraction = shiftPoint(whole, fraction, exponent)
	whole, fraction = strings.TrimLeft(whole, "0"), strings.TrimRight(fraction, "0")
	if len(whole) > maxWhole || len(fraction) > maxFraction {
		return "", valueError("number_unparsable", "%q has more than %d digits before or %d behind the point", Clip(text), maxWhole, maxFraction)
	}
	if whole == "" {
		whole = "0"
	}
	if fraction != "" {
		whole += "." + fraction
	}
	if negative && whole != "0" {
		whole = "-" + whole
	}
	return whole, nil
}

func shiftPoint(whole, fraction string, by int) (string, string) {
	for ; by > 0; by-- {
		if fraction == "" {
			fraction = "0"
		}
		whole, fraction = whole+fraction[:1], fraction[1:]
	}
	for ; by < 0; by++ {
		if whole == "" {
			whole = "0"
		}
		whole, fraction = whole[:len(whole)-1], whole[len(whole)-1:]+fraction
	}
	return whole, fraction
}

func canonicalBoolean(text string) (string, error) {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "true", "1", "yes", "y", "t", "on":
		return "true", nil
	case "false", "0", "no", "n", "f", "off":
		return "false", nil
	}
	return "", valueError("boolean_unparsable", "%q is neither true nor false", Clip(text))
}

// canonicalTime accepts the canonical forms and ISO 8601, with T or blank, with or without seconds, fraction and zone.
func canonicalTime(text, layout string) (string, error) {
	if wellFormed(text, layout) {
		return text, nil
	}
	t, err := ParseISO(text, time.UTC)
	if err != nil {
		return "", valueError("date_unparsable", "%q is not a date of the form %s", Clip(text), humanLayout(layout))
	}
	return t.UTC().Format(layout), nil
}

// wellFormed is the fast path: text is exactly a valid date of the layout.
func wellFormed(text, layout string) bool {
	if len(text) != len(layout) {
		return false
	}
	for i := 0; i < len(layout); i++ {
		if digit := layout[i] >= '0' && layout[i] <= '9'; digit != (text[i] >= '0' && text[i] <= '9') || !digit && text[i] != layout[i] {
			return false
		}
	}
	two := func(i int) int { return int(text[i]-'0')*10 + int(text[i+1]-'0') }
	month, day := two(5), two(8)
	if month < 1 || month > 12 || day < 1 || day > 28 || text[:4] == "0000" {
		if _, err := time.Parse(layout, text); err != nil || text[:4] == "0000" {
			return false
		}
	}
	return len(text) == len(DateLayout) || two(11) < 24 && two(14) < 60 && two(17) < 60
}

var isoLayouts = []string{
	"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04Z07:00", "2006-01-02T15:04",
	"2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05-07", "2006-01-02", "20060102T150405Z07:00", "20060102",
}

// ParseISO reads an ISO 8601 date or date-time; one without a zone is in zone. Fractions of seconds are accepted.
func ParseISO(text string, zone *time.Location) (time.Time, error) {
	s := strings.TrimSpace(text)
	if len(s) > 10 && s[10] == ' ' {
		s = s[:10] + "T" + strings.TrimSpace(s[11:])
	}
	for _, layout := range isoLayouts {
		if t, err := time.ParseInLocation(layout, s, zone); err == nil && t.Year() > 0 {
			return t, nil
		}
	}
	return time.Time{}, valueError("date_unparsable", "%q is not an ISO 8601 date", Clip(text))
}

func humanLayout(layout string) string {
	if layout == DateLayout {
		return "yyyy-MM-dd"
	}
	return "yyyy-MM-dd HH:mm:ss"
}

// Clip shortens text for a message.
func Clip(text string) string {
	const most = 60
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	r := []rune(text)
	return string(r[:most]) + "…"
}
