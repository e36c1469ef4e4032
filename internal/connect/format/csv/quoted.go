package csv

import "bytes"

// scanned is what scanQuoted found: how many bytes and lines the record takes (width 0: more bytes are needed), and
// where a quote stood that may not stand there (-1: none).
type scanned struct {
	width, lines, stray int
}

const needMore = -1 // the cell may go on behind the bytes at hand

// scanQuoted cuts the record at the beginning of w into s.spans. When final is false w may be continued. After a stray
// quote the record ends with the line the quote is on.
func (s *scanner) scanQuoted(w []byte, final bool) scanned {
	s.spans = s.spans[:0]
	for i := 0; ; {
		c, next, stray := s.cell(w, i, final)
		switch {
		case next == needMore:
			return scanned{}
		case stray:
			return s.strayed(w, i, next, final)
		}
		s.spans = append(s.spans, c)
		if i = next; !s.delimAt(w, i) {
			return s.ended(w, i, -1, final)
		}
		i += len(s.delim)
	}
}

// ended measures a record whose last cell ends at i.
func (s *scanner) ended(w []byte, i, stray int, final bool) scanned {
	width := i
	if width < len(w) && w[width] == '\r' && s.eol == '\n' {
		width++
	}
	switch {
	case width < len(w):
		width++
	case !final:
		return scanned{}
	}
	return scanned{width: width, lines: bytes.Count(w[:width], []byte{s.eol}), stray: stray}
}

// strayed ends a record with a stray quote; what is left of its line becomes its last cell.
func (s *scanner) strayed(w []byte, from, stray int, final bool) scanned {
	end := bytes.IndexByte(w[stray:], s.eol)
	if end < 0 && !final {
		return scanned{}
	}
	line := w
	if end >= 0 {
		line = w[:stray+end]
	}
	line = s.chomp(line)
	s.spans = append(s.spans, span{from: from, to: len(line)})
	return s.ended(w, len(line), stray, final)
}

// cell cuts the cell at from. next is the index of the delimiter or line end behind it, or needMore, or that of a stray quote.
func (s *scanner) cell(w []byte, from int, final bool) (c span, next int, stray bool) {
	open := s.pastBlanks(w, from)
	if open >= len(w) && !final {
		return c, needMore, false
	}
	if open >= len(w) || w[open] != s.quote {
		return s.bare(w, from, final)
	}
	c = span{from: open + 1, quoted: true}
	for i := c.from; ; {
		j := s.indexQuote(w, i)
		if j < 0 || j+2 >= len(w) && !final {
			return c, needMore, false
		}
		end := s.pastBlanks(w, j+1)
		switch {
		case w[j] != s.quote, j+1 < len(w) && w[j+1] == s.quote: // an escape and what it escapes
			c.escaped = true
			i = j + 2
		case end >= len(w) && !final, end < len(w) && !final && len(w)-end < len(s.delim)+1:
			return c, needMore, false
		case end >= len(w), w[end] == s.eol, s.atEnd(w, end), s.delimAt(w, end):
			c.to = j
			return c, end, false
		case s.lax:
			i = j + 1
		default:
			return c, j, true
		}
	}
}

// pastBlanks passes over blanks around a quoted cell, where these are no part of it.
func (s *scanner) pastBlanks(w []byte, i int) int {
	for s.trim && i < len(w) && (w[i] == ' ' || w[i] == '\t') && !s.delimAt(w, i) {
		i++
	}
	return i
}

// indexQuote finds the next quote or escape from i on.
func (s *scanner) indexQuote(w []byte, i int) int {
	if i >= len(w) {
		return -1
	}
	j := bytes.IndexByte(w[i:], s.quote)
	if s.escape != s.quote {
		in := w[i:]
		if j >= 0 {
			in = in[:j]
		}
		if k := bytes.IndexByte(in, s.escape); k >= 0 {
			j = k
		}
	}
	if j < 0 {
		return -1
	}
	return i + j
}

// bare cuts an unquoted cell within a record that has quotes elsewhere.
func (s *scanner) bare(w []byte, from int, final bool) (c span, next int, stray bool) {
	end := bytes.IndexByte(w[from:], s.eol)
	if end < 0 && !final {
		return c, needMore, false
	}
	line := w[from:]
	if end >= 0 {
		line = line[:end]
	}
	line = s.chomp(line)
	if d := bytes.Index(line, s.delim); d >= 0 {
		line = line[:d]
	}
	if q := bytes.IndexByte(line, s.quote); q >= 0 && !s.lax {
		return c, from + q, true
	}
	c, next = span{from: from, to: from + len(line)}, from+len(line)
	if s.trim {
		c.from += len(line) - len(bytes.TrimLeft(line, blanks))
		c.to = c.from + len(bytes.Trim(line, blanks))
	}
	return c, next, false
}

func (s *scanner) delimAt(w []byte, i int) bool { return i < len(w) && bytes.HasPrefix(w[i:], s.delim) }

// atEnd reports whether i is at a line end of two bytes, or at a carriage return that closes the text.
func (s *scanner) atEnd(w []byte, i int) bool {
	return s.eol == '\n' && w[i] == '\r' && (i+1 == len(w) || w[i+1] == '\n')
}
