package json

import (
	"bytes"
	"context"
	"io"

	"headrace/internal/core/fault"
)

// stream hands out values of a source as bytes, counts lines, and holds no more than one value.
type stream struct {
	ctx   context.Context
	src   io.Reader
	err   error // of src: io.EOF or trouble
	buf   []byte
	pos   int   // first unread byte of buf
	line  int64 // of buf[pos]
	col   int64 // bytes of that line before buf[pos]
	limit int   // most bytes of one value
}

var lineEnd = []byte{'\n'}

const firstBuffer = 256 << 10

// advance moves past n bytes, counting lines.
func (s *stream) advance(n int) {
	passed := s.buf[s.pos : s.pos+n]
	if lines := bytes.Count(passed, lineEnd); lines > 0 {
		s.line += int64(lines)
		s.col = int64(n - bytes.LastIndexByte(passed, '\n') - 1)
	} else {
		s.col += int64(n)
	}
	s.pos += n
}

// fill reads more behind the unread bytes, or sets s.err.
func (s *stream) fill() {
	if s.pos > 0 {
		s.buf = s.buf[:copy(s.buf, s.buf[s.pos:])]
		s.pos = 0
	}
	if len(s.buf) == cap(s.buf) {
		grown := make([]byte, len(s.buf), max(2*cap(s.buf), firstBuffer))
		copy(grown, s.buf)
		s.buf = grown
	}
	for range 100 {
		if s.err = s.ctx.Err(); s.err != nil {
			return
		}
		n, err := s.src.Read(s.buf[len(s.buf):cap(s.buf)])
		s.buf, s.err = s.buf[:len(s.buf)+n], err
		if n > 0 || err != nil {
			return
		}
	}
	s.err = io.ErrNoProgress
}

// peek gives the next byte that is not blank, without passing it.
func (s *stream) peek() (byte, error) {
	for {
		for i, c := range s.buf[s.pos:] {
			if c > ' ' || c != ' ' && c != '\n' && c != '\t' && c != '\r' {
				s.advance(i)
				return c, nil
			}
		}
		s.advance(len(s.buf) - s.pos)
		if s.err != nil {
			return 0, s.err
		}
		s.fill()
	}
}

func (s *stream) unexpected(c byte, want string) error {
	return fault.New(fault.Invalid, "line %d, column %d: found %q where %s should be", s.line, s.col+1, c, want).
		WithHint("the source is not well-formed JSON from there on")
}

// framed is one value in the buffer, not yet passed. When it is too long its bytes are gone, and passed.
type framed struct {
	bytes   []byte
	width   int
	tooLong bool
}

func (s *stream) consume(f framed) {
	if !f.tooLong {
		s.advance(f.width)
	}
}

// frame finds the end of the value at hand. It only counts brackets outside strings, so what it returns may be malformed.
func (s *stream) frame() (framed, error) {
	var f framer
	at := 0
	for {
		if n, done := f.scan(s.buf[s.pos+at:]); done && at+n <= s.limit && !f.long {
			return framed{bytes: s.buf[s.pos : s.pos+at+n], width: at + n}, nil
		} else if done {
			s.advance(at + n)
			return framed{tooLong: true}, nil
		}
		if at = len(s.buf) - s.pos; at > s.limit {
			f.long = true
		}
		if f.long {
			s.advance(at)
			at = 0
		}
		if s.err != nil {
			if f.bare() && s.err == io.EOF && at > 0 {
				return framed{bytes: s.buf[s.pos:], width: at}, nil
			}
			return framed{}, s.err
		}
		s.fill()
	}
}

// skip passes over the value at hand, whatever its size.
func (s *stream) skip() error {
	var f framer
	for {
		n, done := f.scan(s.buf[s.pos:])
		s.advance(n)
		if done {
			return nil
		}
		if s.err != nil {
			if f.bare() && s.err == io.EOF {
				return nil
			}
			return s.err
		}
		s.fill()
	}
}

// framer is the state of looking for the end of a value over several buffers.
type framer struct {
	depth  int
	kind   byte // 0 at the beginning; '"' in a string; '\\' behind a backslash; '{' among brackets; '1' in a bare word
	nested bool // the string is inside brackets
	long   bool
}

// bare reports whether the value ends where the source does.
func (f *framer) bare() bool { return f.kind == '1' }

// scan looks at more bytes. It returns how many belong to the value and whether that is its end.
func (f *framer) scan(b []byte) (int, bool) {
	for i := 0; i < len(b); {
		switch f.kind {
		case '"':
			j := bytes.IndexByte(b[i:], '"')
			k := j
			if k < 0 {
				k = len(b) - i
			}
			if e := bytes.IndexByte(b[i:i+k], '\\'); e >= 0 {
				f.kind = '\\'
				i += e + 1
				continue
			}
			if j < 0 {
				return len(b), false
			}
			if i += j + 1; !f.nested {
				return i, true
			}
			f.kind = '{'
		case '\\':
			f.kind = '"'
			i++
		case '1':
			if c := b[i]; c == ',' || c == ']' || c == '}' || c <= ' ' {
				return i, true
			}
			i++
		default:
			n, done := f.brackets(b[i:])
			if i += n; done {
				return i, true
			}
		}
	}
	return len(b), false
}

// brackets scans up to the next string or the end of the value.
func (f *framer) brackets(b []byte) (int, bool) {
	for i, c := range b {
		switch c {
		case '"':
			f.nested, f.kind = f.kind == '{', '"'
			return i + 1, false
		case '{', '[':
			f.kind = '{'
			f.depth++
		case '}', ']':
			if f.depth--; f.depth <= 0 {
				return i + 1, true
			}
		default:
			if f.kind == 0 {
				f.kind = '1'
				return i, false
			}
		}
	}
	return len(b), false
}
