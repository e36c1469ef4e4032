package sqldb

import (
	"bytes"
	"database/sql/driver"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"headrace/internal/core/record"
)

// cells makes the cells of one row after the other. The texts of a row share one string.
type cells struct {
	columns []column
	zone    *time.Location // of times without one; nil leaves them as they are
	to      sink

	buf  []byte
	ends []int // behind each cell in buf; negative for null
	out  []record.Value
}

func newCells(columns []column, zone *time.Location, to sink) *cells {
	return &cells{columns: columns, zone: zone, to: to, out: make([]record.Value, len(columns)), ends: make([]int, 0, len(columns))}
}

func (c *cells) null() { c.ends = append(c.ends, -1) }

// end closes the cell whose text was appended to buf.
func (c *cells) end() { c.ends = append(c.ends, len(c.buf)) }

// flush hands the row over and begins the next.
func (c *cells) flush() error {
	all, from := string(c.buf), 0
	for i, end := range c.ends {
		if end < 0 {
			c.out[i] = record.Null
			continue
		}
		c.out[i] = record.Value{Text: all[from:end], Valid: true}
		from = end
	}
	c.buf, c.ends = c.buf[:0], c.ends[:0]
	return c.to.row(c.out)
}

// add appends the next cell, as a driver gave it.
func (c *cells) add(v driver.Value) error {
	k := c.columns[len(c.ends)].kind
	switch v := v.(type) {
	case nil:
		c.null()
		return nil
	case int64:
		c.integer(k, v)
	case bool:
		c.buf = strconv.AppendBool(c.buf, v)
	case float64:
		width := 64
		if c.columns[len(c.ends)].size == 32 {
			width = 32
		}
		c.buf = appendFloat(c.buf, v, width)
	case float32:
		c.buf = appendFloat(c.buf, float64(v), 32)
	case time.Time:
		c.time(k, v)
	case string:
		c.text(k, []byte(v))
		return nil
	case []byte:
		c.text(k, v)
		return nil
	default:
		return fmt.Errorf("column %q: a value of type %T is not understood", c.columns[len(c.ends)].name, v)
	}
	c.end()
	return nil
}

// integer appends a number. Of a truth value only 0 and 1 are words; columns that hold more keep the number.
func (c *cells) integer(k kind, v int64) {
	if k == truth && (v == 0 || v == 1) {
		c.buf = strconv.AppendBool(c.buf, v == 1)
		return
	}
	c.buf = strconv.AppendInt(c.buf, v, 10)
}

// text appends a cell that came as text or bytes.
func (c *cells) text(k kind, v []byte) {
	switch k {
	case blob:
		c.buf = base64.StdEncoding.AppendEncode(c.buf, v)
	case uuid:
		c.buf = appendUUID(c.buf, v)
	case bits:
		c.bitString(v)
	case clock:
		c.buf = append(c.buf, trimFraction(v)...)
	case date, local, instant:
		if bytes.HasPrefix(v, []byte("0000-00-00")) {
			c.to.note("dates and times that are all zeros are read as empty")
			c.null()
			return
		}
		c.buf = c.appendTime(c.buf, k, v)
	case float:
		c.buf = appendFloatText(c.buf, v)
	default:
		c.buf = append(c.buf, v...)
	}
	c.end()
}

// bitString appends the bits of MySQL: a truth value when there is one, else their number.
func (c *cells) bitString(v []byte) {
	var n uint64
	for _, b := range v {
		n = n<<8 | uint64(b)
	}
	if c.columns[len(c.ends)].size == 1 {
		c.buf = strconv.AppendBool(c.buf, n == 1)
		return
	}
	c.buf = strconv.AppendUint(c.buf, n, 10)
}

// time appends what a driver parsed.
func (c *cells) time(k kind, v time.Time) {
	switch k {
	case date:
		c.buf = v.AppendFormat(c.buf, time.DateOnly)
	case clock:
		c.buf = v.AppendFormat(c.buf, layout[len(time.DateOnly)+1:])
	case local:
		c.buf = c.fromZone(v).AppendFormat(c.buf, layout)
	default:
		c.buf = v.UTC().AppendFormat(c.buf, layout)
	}
}

// fromZone makes a moment of what stood on a clock, when it is known where that hangs.
func (c *cells) fromZone(v time.Time) time.Time {
	if c.zone == nil {
		return v
	}
	return fromWall(v, c.zone)
}

// appendTime appends a date or time as databases write it, at most with a zone of zero hours.
func (c *cells) appendTime(dst []byte, k kind, v []byte) []byte {
	if k == instant {
		v = bytes.TrimSuffix(v, []byte("+00"))
	}
	if k == date {
		return append(dst, v...)
	}
	v = trimFraction(v)
	if k == local && c.zone != nil {
		if t, ok := parseWall(v); ok {
			return fromWall(t, c.zone).AppendFormat(dst, layout)
		}
	}
	return append(dst, v...)
}

// parseWall reads a time as databases write it; not infinity, nor times before the year 0.
func parseWall(v []byte) (time.Time, bool) {
	for _, as := range []string{layout, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.Parse(as, string(v)); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// trimFraction takes the zeros off the end of a fraction of a second.
func trimFraction[T string | []byte](v T) T {
	point := len(v)
	for point > 0 && '0' <= v[point-1] && v[point-1] <= '9' {
		point--
	}
	if point == 0 || v[point-1] != '.' {
		return v
	}
	end := len(v)
	for v[end-1] == '0' {
		end--
	}
	if end == point {
		end--
	}
	return v[:end]
}

// appendFloat writes a number as short as it can be told from all others, without an exponent as long as it can be read.
func appendFloat(dst []byte, v float64, bits int) []byte {
	if a := math.Abs(v); a != 0 && (a < 1e-18 || a >= 1e21) {
		return strconv.AppendFloat(dst, v, 'e', -1, bits)
	}
	return strconv.AppendFloat(dst, v, 'f', -1, bits)
}

// appendFloatText does the same for a number that a server has written.
func appendFloatText(dst, v []byte) []byte {
	if !slices.Contains(v, 'e') {
		return append(dst, v...)
	}
	n, err := strconv.ParseFloat(string(v), 64)
	if err != nil {
		return append(dst, v...)
	}
	return appendFloat(dst, n, 64)
}

// appendUUID writes the 16 bytes of SQL Server, whose first three groups come last byte first.
func appendUUID(dst, v []byte) []byte {
	if len(v) != 16 {
		return append(dst, bytes.ToLower(v)...)
	}
	var b [16]byte
	copy(b[:], v)
	binary.BigEndian.PutUint32(b[0:], binary.LittleEndian.Uint32(v[0:]))
	binary.BigEndian.PutUint16(b[4:], binary.LittleEndian.Uint16(v[4:]))
	binary.BigEndian.PutUint16(b[6:], binary.LittleEndian.Uint16(v[6:]))
	for i, group := range [][]byte{b[:4], b[4:6], b[6:8], b[8:10], b[10:]} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, group)
	}
	return dst
}
