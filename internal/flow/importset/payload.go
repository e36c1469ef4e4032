package importset

import (
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"

	"headrace/internal/core/record"
)

// appendPayload writes cells as one JSON array. Bytes that are not UTF-8 are written as lone low surrogates, \udc80 to
// \udcff, so that the payload is valid text for every store and still holds every byte of the source.
func appendPayload(dst []byte, cells []record.Value) []byte { return appendCells(dst, cells, false) }

// appendCells is appendPayload, where sound says that all is UTF-8.
func appendCells(dst []byte, cells []record.Value, sound bool) []byte {
	dst = append(dst, '[')
	for i := range cells {
		if i > 0 {
			dst = append(dst, ',')
		}
		if !cells[i].Valid {
			dst = append(dst, "null"...)
			continue
		}
		if sound {
			dst = appendSound(dst, cells[i].Text)
		} else {
			dst = appendText(dst, cells[i].Text)
		}
	}
	return append(dst, ']')
}

// appendSound is appendText for UTF-8.
func appendSound(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for {
		n := plainPrefix(s)
		dst = append(dst, s[:n]...)
		if n == len(s) {
			return append(dst, '"')
		}
		dst = appendEscape(dst, s[n])
		s = s[n+1:]
	}
}

// plainPrefix counts the bytes before the first one that needs an escape, looking at eight as one number: none below the
// blank, no quote, no backslash.
func plainPrefix(s string) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(s); i += 8 {
		p := s[i : i+8]
		v := uint64(p[0]) | uint64(p[1])<<8 | uint64(p[2])<<16 | uint64(p[3])<<24 | uint64(p[4])<<32 | uint64(p[5])<<40 | uint64(p[6])<<48 | uint64(p[7])<<56
		quote, slash := v^(ones*'"'), v^(ones*'\\')
		if ((v-ones*' ')&^v|(quote-ones)&^quote|(slash-ones)&^slash)&highs != 0 {
			break
		}
	}
	for i < len(s) && s[i] >= ' ' && s[i] != '"' && s[i] != '\\' {
		i++
	}
	return i
}

const hexDigits = "0123456789abcdef"

func appendText(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		if i+8 <= len(s) && plainEight(s[i:i+8]) {
			i += 8
			continue
		}
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r != utf8.RuneError || n > 1 {
				i += n
				continue
			}
			dst = append(append(dst, s[start:i]...), '\\', 'u', 'd', 'c', hexDigits[c>>4], hexDigits[c&15])
		} else {
			dst = appendEscape(append(dst, s[start:i]...), c)
		}
		i++
		start = i
	}
	return append(append(dst, s[start:]...), '"')
}

// plainEight reports whether eight bytes are all ASCII that needs no escape, looking at them as one number: no high bit, none
// below the blank, no quote, no backslash.
func plainEight(s string) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	v := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
	quote, slash := v^(ones*'"'), v^(ones*'\\')
	return (v|(v-ones*' ')|(quote-ones)&^quote|(slash-ones)&^slash)&highs == 0
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

// parsePayload reads what appendPayload wrote, appending the cells to dst.
func parsePayload(text string, dst []record.Value) ([]record.Value, error) {
	bad := func(at int) error { return fmt.Errorf("payload is damaged at byte %d", at) }
	if len(text) < 2 || text[0] != '[' {
		return dst, bad(0)
	}
	for i := 1; i < len(text); {
		switch c := text[i]; {
		case c == ']':
			return dst, nil
		case c == ',':
			i++
		case c == 'n':
			dst = append(dst, record.Null)
			i += len("null")
		case c == '"':
			end, escaped := closingQuote(text, i)
			if end < 0 {
				return dst, bad(i)
			}
			cell := text[i+1 : end]
			if escaped {
				cell = unescape(cell)
			}
			dst = append(dst, record.Text(cell))
			i = end + 1
		default:
			return dst, bad(i)
		}
	}
	return dst, bad(len(text))
}

func closingQuote(text string, open int) (end int, escaped bool) {
	for i := open + 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			escaped = true
			i++
		case '"':
			return i, escaped
		}
	}
	return -1, false
}

func unescape(s string) string {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 >= len(s) {
			out = append(out, s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			n, err := strconv.ParseUint(s[i+1:min(i+5, len(s))], 16, 16)
			if err != nil {
				return string(out)
			}
			if n >= 0xdc80 && n <= 0xdcff {
				out = append(out, byte(n))
			} else {
				out = utf8.AppendRune(out, rune(n))
			}
			i += 4
		default:
			out = append(out, s[i])
		}
	}
	return string(out)
}

// mustJSON marshals what always marshals: plain structs, maps and slices of strings and numbers.
func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}
