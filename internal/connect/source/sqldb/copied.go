package sqldb

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
)

// copied takes the text that COPY sends and makes rows of it.
type copied struct {
	*cells
	rest  []byte // of a row that is not all there
	plain []byte // scratch: a cell without its escapes
	err   error  // why no more is wanted
}

// Write takes a piece of the stream, which mostly is a row.
func (c *copied) Write(p []byte) (int, error) {
	n := len(p)
	if len(c.rest) > 0 {
		c.rest = append(c.rest, p...)
		p = c.rest
	}
	for {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			break
		}
		if c.err = c.line(p[:i]); c.err != nil {
			return 0, c.err
		}
		p = p[i+1:]
	}
	c.rest = append(c.rest[:0], p...)
	return n, nil
}

func (c *copied) line(p []byte) error {
	escaped := bytes.IndexByte(p, '\\') >= 0
	for i := range c.columns {
		end := bytes.IndexByte(p, '\t')
		if last := i == len(c.columns)-1; last != (end < 0) {
			return fmt.Errorf("a row of %d columns came with another number of cells", len(c.columns))
		}
		cell := p
		if end >= 0 {
			cell, p = p[:end], p[end+1:]
		}
		if escaped && string(cell) == `\N` {
			c.null()
			continue
		}
		if escaped {
			cell = c.unescape(cell)
		}
		c.value(c.columns[i].kind, cell)
	}
	return c.flush()
}

// value appends a cell in the way that PostgreSQL writes it.
func (c *copied) value(k kind, cell []byte) {
	switch k {
	case plain, number:
		c.buf = append(c.buf, cell...)
		c.end()
	case truth:
		if len(cell) == 1 && cell[0] == 't' {
			cell = []byte("true")
		} else {
			cell = []byte("false")
		}
		c.buf = append(c.buf, cell...)
		c.end()
	case blob:
		c.bytes(cell)
	default:
		c.text(k, cell)
	}
}

// bytes appends as base64 what came as \x and hexadecimal digits.
func (c *copied) bytes(cell []byte) {
	digits := bytes.TrimPrefix(cell, []byte(`\x`))
	raw := make([]byte, hex.DecodedLen(len(digits)))
	n, err := hex.Decode(raw, digits)
	if err != nil {
		c.buf = append(c.buf, cell...)
	} else {
		c.buf = base64.StdEncoding.AppendEncode(c.buf, raw[:n])
	}
	c.end()
}

var escapes = map[byte]byte{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v'}

// unescape gives the text of a cell without its backslashes; it is valid until the next one.
func (c *copied) unescape(cell []byte) []byte {
	i := bytes.IndexByte(cell, '\\')
	if i < 0 {
		return cell
	}
	out := append(c.plain[:0], cell[:i]...)
	for ; i < len(cell); i++ {
		b := cell[i]
		if b == '\\' && i+1 < len(cell) {
			i++
			b = cell[i]
			if e, ok := escapes[b]; ok {
				b = e
			}
		}
		out = append(out, b)
	}
	c.plain = out
	return out
}
