package json

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"

	"headrace/internal/connect/format"
)

// parser reads one framed value strictly.
type parser struct {
	b       []byte
	i       int
	scratch []byte
}

// syntax is what is wrong with a value, and where.
type syntax struct {
	at  int
	msg string
}

func (e *syntax) Error() string { return e.msg }

func (p *parser) fail(msg string) error { return &syntax{at: p.i, msg: msg} }

// rowError places an error within the source: line is that of the value's first byte.
func (p *parser) rowError(line int64, err error) *format.RowError {
	at := len(p.b)
	if s, ok := err.(*syntax); ok {
		at = min(s.at, at)
	}
	before := p.b[:at]
	at -= bytes.LastIndexByte(before, '\n') + 1
	where := line + int64(bytes.Count(before, []byte{'\n'}))
	return &format.RowError{Code: "row_malformed", Line: line, Msg: fmt.Sprintf("line %d: the object is not well-formed at byte %d of line %d: %s", line, at+1, where, err)}
}

// blank passes over blanks and gives the next byte, 0 at the end.
func (p *parser) blank() byte {
	for ; p.i < len(p.b); p.i++ {
		if c := p.b[p.i]; c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return c
		}
	}
	return 0
}

// value appends the cell text of the value at hand: strings as they read, numbers, true and false as they stand, null
// as nothing, arrays and objects as JSON without blanks.
func (p *parser) value(out *[]byte, depth, most int) error {
	switch c := p.blank(); c {
	case '"':
		return p.appendText(out)
	case '{', '[':
		return p.compact(out, depth, most)
	case 'n':
		return p.word("null", nil)
	case 't':
		return p.word("true", out)
	case 'f':
		return p.word("false", out)
	}
	return p.number(out)
}

func (p *parser) word(w string, out *[]byte) error {
	if !bytes.HasPrefix(p.b[p.i:], []byte(w)) {
		return p.fail("found no value")
	}
	p.i += len(w)
	if out != nil {
		*out = append(*out, w...)
	}
	return nil
}

func (p *parser) digits() bool {
	from := p.i
	for p.i < len(p.b) && p.b[p.i] >= '0' && p.b[p.i] <= '9' {
		p.i++
	}
	return p.i > from
}

func (p *parser) at(c byte) bool { return p.i < len(p.b) && p.b[p.i] == c }

// number appends a number exactly as it stands.
func (p *parser) number(out *[]byte) error {
	from := p.i
	if p.at('-') {
		p.i++
	}
	zero := p.at('0')
	if start := p.i; !p.digits() || zero && p.i > start+1 {
		return p.fail("found no value")
	}
	if p.at('.') {
		if p.i++; !p.digits() {
			return p.fail("a number ends with its point")
		}
	}
	if p.at('e') || p.at('E') {
		if p.i++; p.at('+') || p.at('-') {
			p.i++
		}
		if !p.digits() {
			return p.fail("a number has an empty exponent")
		}
	}
	*out = append(*out, p.b[from:p.i]...)
	return nil
}

// text reads a string; the bytes are valid until the next call.
func (p *parser) text() ([]byte, error) {
	if !p.at('"') {
		return nil, p.fail("found no key")
	}
	from := p.i + 1
	switch end := from + plain(p.b[from:]); {
	case end >= len(p.b):
		return nil, p.fail("a string is not closed")
	case p.b[end] == '"':
		p.i = end + 1
		return p.b[from:end], nil
	}
	p.scratch = p.scratch[:0]
	err := p.appendText(&p.scratch)
	return p.scratch, err
}

// plain counts the bytes at the beginning of b that a string may hold as they are: no control character, quote or
// backslash. It looks at eight at a time.
func plain(b []byte) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		quote, slash := w^('"'*ones), w^('\\'*ones)
		stops := ((w-' '*ones)&^w | (quote-ones)&^quote | (slash-ones)&^slash) & highs
		if stops != 0 {
			return i + bits.TrailingZeros64(stops)/8
		}
	}
	for i < len(b) && b[i] >= ' ' && b[i] != '"' && b[i] != '\\' {
		i++
	}
	return i
}

func (p *parser) appendText(out *[]byte) error {
	p.i++
	for p.i < len(p.b) {
		from := p.i
		p.i += plain(p.b[p.i:])
		*out = append(*out, p.b[from:p.i]...)
		switch {
		case p.at('"'):
			p.i++
			return nil
		case p.at('\\'):
			if err := p.escape(out); err != nil {
				return err
			}
		case p.i < len(p.b):
			return p.fail("a string holds a control character")
		}
	}
	return p.fail("a string is not closed")
}

// escape reads one escape sequence. Half a surrogate pair becomes U+FFFD.
func (p *parser) escape(out *[]byte) error {
	if p.i+1 >= len(p.b) {
		return p.fail("a string is not closed")
	}
	c := p.b[p.i+1]
	if i := bytes.IndexByte([]byte(`"\/bfnrt`), c); i >= 0 {
		*out = append(*out, "\"\\/\b\f\n\r\t"[i])
		p.i += 2
		return nil
	}
	r, ok := p.hex(p.i)
	if !ok {
		return p.fail("unknown escape in a string")
	}
	p.i += 6
	if utf16.IsSurrogate(r) {
		low, _ := p.hex(p.i)
		if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
			p.i += 6
		}
	}
	*out = utf8.AppendRune(*out, r)
	return nil
}

// hex reads \uXXXX at i.
func (p *parser) hex(i int) (r rune, ok bool) {
	if i+6 > len(p.b) || p.b[i] != '\\' || p.b[i+1] != 'u' {
		return 0, false
	}
	for _, c := range p.b[i+2 : i+6] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// compact appends an array or object as JSON text without blanks, its strings as they stand.
func (p *parser) compact(out *[]byte, depth, most int) error {
	if depth++; depth > most {
		return p.fail(fmt.Sprintf("nested deeper than %d; raise max_depth if that is right", most))
	}
	open := p.b[p.i]
	closing := open + 2 // ']' and '}'
	*out = append(*out, open)
	p.i++
	for first := true; ; first = false {
		c := p.blank()
		switch {
		case c == closing:
			*out = append(*out, closing)
			p.i++
			return nil
		case !first && c != ',':
			return p.fail("found no , or " + string(rune(closing)) + " after a value")
		case !first:
			*out = append(*out, ',')
			p.i++
			p.blank()
		}
		if open == '{' {
			if err := p.quoted(out); err != nil {
				return err
			}
			if p.blank() != ':' {
				return p.fail("found no : after a key")
			}
			*out = append(*out, ':')
			p.i++
		}
		if err := p.inner(out, depth, most); err != nil {
			return err
		}
	}
}

// inner appends a value inside JSON text.
func (p *parser) inner(out *[]byte, depth, most int) error {
	switch p.blank() {
	case '"':
		return p.quoted(out)
	case 'n':
		return p.word("null", out)
	}
	return p.value(out, depth, most)
}

// quoted appends a string with its quotes, its escapes only where JSON needs them: sources that escape more and sources
// that escape less give the same text.
func (p *parser) quoted(out *[]byte) error {
	text, err := p.text()
	if err != nil {
		return err
	}
	*out = append(*out, '"')
	for len(text) > 0 {
		n := plain(text)
		*out = append(*out, text[:n]...)
		if text = text[n:]; len(text) == 0 {
			break
		}
		if i := bytes.IndexByte([]byte("\"\\\b\f\n\r\t"), text[0]); i >= 0 {
			*out = append(*out, '\\', `"\bfnrt`[i])
		} else {
			*out = fmt.Appendf(*out, `\u%04x`, text[0])
		}
		text = text[1:]
	}
	*out = append(*out, '"')
	return nil
}
