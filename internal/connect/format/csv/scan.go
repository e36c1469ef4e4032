package csv

import (
	"bytes"
	"context"
	"io"
	"strings"
	"unicode/utf8"

	"headrace/internal/connect/format"
	"headrace/internal/core/record"
)

// dialect is what the scanner must know to cut bytes into records and records into cells.
type dialect struct {
	delim   []byte
	quote   byte // 0: none
	escape  byte // equal to quote: quotes are doubled; else the byte before a quote that does not close
	eol     byte // '\n', or '\r' for files of old
	comment []byte
	lax     bool // a quote in the wrong place is an ordinary character
	trim    bool // blanks around cells are no part of them
}

// span is one cell within its record.
type span struct {
	from, to int
	quoted   bool
	escaped  bool // still holds escapes
}

// scanner cuts a stream into records. Its buffer holds one record at least, and never much more than limit bytes.
type scanner struct {
	dialect
	ctx     context.Context
	src     io.Reader
	err     error // of src: io.EOF or trouble
	buf     []byte
	pos     int   // first unread byte of buf
	offset  int64 // of buf[pos] in the source
	line    int64 // of buf[pos]
	limit   int   // most bytes of one record
	rescans int   // records given up because their quote never closed
	spans   []span

	// The record last read.
	start int64  // its line
	at    int64  // its offset
	text  string // its bytes, of which cells are parts
	cells []record.Value
	bad   *format.RowError
}

const (
	firstBuffer = 128 << 10
	maxRescans  = 100 // more open quotes than this are not slips but a wrong dialect
)

// next reads one record into s.cells. It returns io.EOF at the end of the source, and the source's error in place of a
// record that it cut off.
func (s *scanner) next() error {
	for {
		line, width, err := s.physical()
		if err != nil {
			return err
		}
		if len(line) == 0 || len(s.comment) > 0 && bytes.HasPrefix(line, s.comment) {
			s.advance(width, 1)
			continue
		}
		s.start, s.at, s.bad = s.line, s.offset, nil
		if width < 0 {
			return s.overlong()
		}
		if s.quote != 0 && bytes.IndexByte(line, s.quote) >= 0 {
			return s.quotedRecord()
		}
		s.text = string(line)
		s.cells = s.split(s.text, s.cells[:0])
		s.advance(width, 1)
		return nil
	}
}

// advance moves past n bytes that held the given number of line ends.
func (s *scanner) advance(n int, lines int64) {
	s.pos += n
	s.offset += int64(n)
	s.line += lines
}

// physical finds the line at the current position: its bytes without the line end, and its width with it. A width of -1
// says that the line is longer than the limit and line is its beginning.
func (s *scanner) physical() (line []byte, width int, err error) {
	seen := 0
	for {
		unread := s.buf[s.pos:]
		if i := bytes.IndexByte(unread[seen:], s.eol); i >= 0 && seen+i <= s.limit {
			return s.chomp(unread[:seen+i]), seen + i + 1, nil
		}
		seen = len(unread)
		switch {
		case seen > s.limit:
			return unread, -1, nil
		case s.err == io.EOF && seen > 0:
			return s.chomp(unread), seen, nil
		case s.err != nil:
			return nil, 0, s.err
		}
		s.fill(seen + 1)
	}
}

func (s *scanner) chomp(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\r' && s.eol == '\n' {
		return line[:n-1]
	}
	return line
}

// fill reads until want bytes are unread, or sets s.err.
func (s *scanner) fill(want int) {
	if s.pos > 0 {
		s.buf = s.buf[:copy(s.buf, s.buf[s.pos:])]
		s.pos = 0
	}
	if want > cap(s.buf) {
		grown := make([]byte, len(s.buf), max(want, min(2*cap(s.buf), s.limit+firstBuffer), firstBuffer))
		copy(grown, s.buf)
		s.buf = grown
	}
	for empty := 0; len(s.buf) < want && s.err == nil; {
		if s.err = s.ctx.Err(); s.err != nil {
			return
		}
		n, err := s.src.Read(s.buf[len(s.buf):cap(s.buf)])
		s.buf, s.err = s.buf[:len(s.buf)+n], err
		if empty++; n > 0 {
			empty = 0
		} else if empty > 100 && err == nil {
			s.err = io.ErrNoProgress
		}
	}
}

// overlong passes over a line that exceeds the limit, keeping its beginning as the only cell.
func (s *scanner) overlong() error {
	kept := min(s.limit, 1<<10)
	s.text = string(s.buf[s.pos : s.pos+kept])
	s.cells = append(s.cells[:0], record.Text(s.text))
	s.bad = &format.RowError{Code: "cell_too_long", Line: s.start, Msg: tooLong(s.limit)}
	for {
		unread := s.buf[s.pos:]
		if i := bytes.IndexByte(unread, s.eol); i >= 0 {
			s.advance(i+1, 1)
			return nil
		}
		s.advance(len(unread), 0)
		if s.err == io.EOF {
			return nil
		}
		if s.err != nil {
			return s.err
		}
		s.fill(1)
	}
}

// split cuts an unquoted line. An empty cell is null.
func (s *scanner) split(text string, cells []record.Value) []record.Value {
	if s.trim {
		text = strings.Trim(text, blanks)
	}
	for one := len(s.delim) == 1; ; {
		i := -1
		if one {
			i = strings.IndexByte(text, s.delim[0])
		} else {
			i = strings.Index(text, string(s.delim))
		}
		if i < 0 {
			return append(cells, s.plain(text))
		}
		cells = append(cells, s.plain(text[:i]))
		text = text[i+len(s.delim):]
	}
}

const blanks = " \t\u00a0"

func (s *scanner) plain(text string) record.Value {
	if s.trim {
		text = strings.Trim(text, blanks)
	}
	return record.Value{Text: text, Valid: text != ""}
}

// quotedRecord reads a record with at least one quote in its first line, which may go on over several lines.
func (s *scanner) quotedRecord() error {
	for {
		unread := s.buf[s.pos:]
		w := unread[:min(len(unread), s.limit+1)]
		r := s.scanQuoted(w, s.err == io.EOF && len(w) == len(unread))
		switch {
		case r.width > 0:
			s.take(w, r)
			return nil
		case s.err == nil && len(w) <= s.limit:
			s.fill(min(2*len(w), s.limit+1))
		case s.err == nil || s.err == io.EOF || len(w) > s.limit:
			return s.resync()
		default:
			return s.err
		}
	}
}

// take makes cells of the spans of a record. Cells with escapes are freed of them in the buffer first, so that the
// record needs one string.
func (s *scanner) take(w []byte, r scanned) {
	for i := range s.spans {
		if c := &s.spans[i]; c.escaped {
			c.to = c.from + s.unescape(w[c.from:c.to])
		}
	}
	text := string(w[:r.width])
	s.text, s.cells = text, s.cells[:0]
	for _, c := range s.spans {
		s.cells = append(s.cells, record.Value{Text: text[c.from:c.to], Valid: c.quoted || c.to > c.from})
	}
	if r.stray >= 0 {
		line := s.line + int64(bytes.Count(w[:r.stray], []byte{s.eol}))
		s.bad = &format.RowError{Code: "row_malformed", Line: s.start, Msg: strayQuote(line, len(s.spans), s.quote)}
	}
	s.advance(r.width, int64(r.lines))
}

// unescape works in place and returns the new length. Blanks take the room that is left, so that the record is UTF-8 if and
// only if its cells are.
func (s *scanner) unescape(b []byte) int {
	n := 0
	for i := 0; i < len(b); i++ {
		if i+1 < len(b) && (b[i] == s.quote && b[i+1] == s.quote || b[i] == s.escape && (b[i+1] == s.quote || b[i+1] == s.escape)) {
			i++
		}
		b[n] = b[i]
		n++
	}
	for i := n; i < len(b); i++ {
		b[i] = ' '
	}
	return n
}

// resync gives up a record whose quote does not close before the limit or the end: the record is its first line, and
// reading goes on with the next one, so that one slip costs one row and not the rest of the file.
func (s *scanner) resync() error {
	if s.rescans++; s.rescans > maxRescans {
		return manyOpen(s.line, s.quote)
	}
	line, width, _ := s.physical()
	if width < 0 {
		return s.overlong()
	}
	s.text = string(line)
	s.cells = append(s.cells[:0], record.Text(s.text))
	s.bad = &format.RowError{Code: "row_malformed", Line: s.start, Msg: openQuote(s.start, s.quote)}
	s.advance(width, 1)
	return nil
}

// firstInvalid finds the first cell that is not valid UTF-8 and the offset of the bad byte within it.
func firstInvalid(cells []record.Value) (cell, at int) {
	for i, c := range cells {
		for j, r := range c.Text {
			if r == utf8.RuneError {
				if _, n := utf8.DecodeRuneInString(c.Text[j:]); n == 1 {
					return i, j
				}
			}
		}
	}
	return -1, 0
}
