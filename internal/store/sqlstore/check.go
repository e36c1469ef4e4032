package sqlstore

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// checked tells what goes into a column for the value of a field: empty texts of fields that are no text become null.
// What one of the databases could not keep, or keep as it is, both refuse.
func checked(f *record.Field, v record.Value) (record.Value, error) {
	if !v.Valid {
		return v, nil
	}
	ok, want := true, ""
	switch f.Type.Stored() {
	case record.Integer:
		if v.Text == "" {
			return record.Null, nil
		}
		ok, want = validInteger(v.Text), "a whole number of 64 bits"
	case record.Decimal:
		if v.Text == "" {
			return record.Null, nil
		}
		ok, want = validDecimal(v.Text), "a decimal number"
	case record.Boolean:
		if v.Text == "" {
			return record.Null, nil
		}
		ok, want = v.Text == "true" || v.Text == "false", "true or false"
	case record.Date:
		if v.Text == "" {
			return record.Null, nil
		}
		ok, want = validDate(v.Text), "a date like 2006-01-02"
	case record.DateTime:
		if v.Text == "" {
			return record.Null, nil
		}
		ok, want = validDateTime(v.Text), "a date and time like 2006-01-02 15:04:05"
	default:
		if strings.IndexByte(v.Text, 0) < 0 && utf8.ValidString(v.Text) && (f.Type != record.JSON || !escapesNUL(v.Text)) {
			return v, nil
		}
		return v, fault.New(fault.Invalid, "field %s: the text has a NUL character or is not UTF-8", f.Name).
			WithHint("clean the text, or read the file with its real character set")
	}
	if !ok {
		return v, fault.New(fault.Invalid, "field %s: %q is not %s", f.Name, record.Clip(v.Text), want)
	}
	return v, nil
}

func validInteger(s string) bool {
	if len(s) < 19 {
		digits := strings.TrimPrefix(s, "-")
		return digits != "" && allDigits(digits) && (digits[0] != '0' || s == "0")
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return err == nil && strconv.FormatInt(n, 10) == s
}

func validDecimal(s string) bool {
	out, err := record.CanonicalDecimal(s)
	return err == nil && out == s
}

func allDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

func validDate(s string) bool {
	if len(s) != 10 || s[4] != '-' || s[7] != '-' || !allDigits(s[:4]) || !allDigits(s[5:7]) || !allDigits(s[8:]) {
		return false
	}
	if s[:4] == "0000" || s[5:7] < "01" || s[5:7] > "12" || s[8:] < "01" {
		return false
	}
	if s[8:] <= "28" {
		return true
	}
	_, err := time.Parse(record.DateLayout, s)
	return err == nil
}

func validDateTime(s string) bool {
	return len(s) == 19 && validDate(s[:10]) && s[10] == ' ' && s[13] == ':' && s[16] == ':' &&
		allDigits(s[11:13]) && allDigits(s[14:16]) && allDigits(s[17:]) && s[11:13] < "24" && s[14:16] < "60" && s[17:] < "60"
}

// escapesNUL finds the escape of a NUL character in JSON text: PostgreSQL cannot take such an element out again.
func escapesNUL(s string) bool {
	for {
		i := strings.Index(s, `\u0000`)
		if i < 0 {
			return false
		}
		backslashes := 0
		for i-backslashes-1 >= 0 && s[i-backslashes-1] == '\\' {
			backslashes++
		}
		if backslashes%2 == 0 {
			return true
		}
		s = s[i+1:]
	}
}
