package sqlstore

import (
	"encoding/binary"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// copyReader writes rows in the binary format of COPY as they are asked for. The server takes a quarter less time over
// it than over text: it has no lines to split and no numbers and dates to read.
// The format: https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format".
type copyReader struct {
	l      *layout
	values []record.Value
	tail   []byte // the shared columns, the same for every row
	buf    []byte
	from   int
	ended  bool
}

// copySignature opens a binary COPY: eleven bytes, no flags, no extension.
const copySignature = "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// noValue is the length of a null.
const noValue = math.MaxUint32

func newCopyReader(l *layout, rows *record.Rows) (*copyReader, error) {
	r := &copyReader{l: l, values: rows.Values, buf: []byte(copySignature)}
	var err error
	for i, v := range l.values {
		if r.tail, err = appendCopy(r.tail, l.shared[i].Type.Stored(), v); err != nil {
			return nil, err
		}
	}
	return r, nil
}

const copyChunk = 1 << 16

// Read gives the next bytes.
func (r *copyReader) Read(p []byte) (int, error) {
	if r.from == len(r.buf) {
		if r.ended {
			return 0, io.EOF
		}
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.buf[r.from:])
	r.from += n
	return n, nil
}

func (r *copyReader) fill() (err error) {
	r.buf, r.from = r.buf[:0], 0
	w := len(r.l.fields)
	columns := uint16(w + len(r.l.shared))
	for len(r.values) > 0 && len(r.buf) < copyChunk {
		r.buf = binary.BigEndian.AppendUint16(r.buf, columns)
		for i, v := range r.values[:w] {
			if r.buf, err = appendCopy(r.buf, r.l.fields[i].Type.Stored(), r.l.bound(i, v)); err != nil {
				return err
			}
		}
		r.buf = append(r.buf, r.tail...)
		r.values = r.values[w:]
	}
	if len(r.values) == 0 {
		r.buf, r.ended = binary.BigEndian.AppendUint16(r.buf, math.MaxUint16), true
	}
	return nil
}

// appendCopy writes a canonical value behind its length.
func appendCopy(buf []byte, t record.Type, v record.Value) ([]byte, error) {
	if !v.Valid {
		return binary.BigEndian.AppendUint32(buf, noValue), nil
	}
	switch t {
	case record.Integer:
		n, err := strconv.ParseInt(v.Text, 10, 64)
		if err != nil {
			return buf, notCanonical(t, v)
		}
		return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(buf, 8), uint64(n)), nil
	case record.Boolean:
		bit := byte(0)
		if v.Text == "true" {
			bit = 1
		}
		return append(binary.BigEndian.AppendUint32(buf, 1), bit), nil
	case record.Date, record.DateTime:
		return appendCopyTime(buf, t, v)
	case record.Decimal:
		return appendCopyDecimal(buf, v.Text), nil
	}
	return append(binary.BigEndian.AppendUint32(buf, uint32(len(v.Text))), v.Text...), nil
}

func notCanonical(t record.Type, v record.Value) error {
	return fault.New(fault.Internal, "%q is no canonical %s", record.Clip(v.Text), t)
}

// postgresEpoch is the second that PostgreSQL counts from.
var postgresEpoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Unix()

// appendCopyTime writes a date as its day, and a date-time as its microsecond, both counted from the year 2000.
func appendCopyTime(buf []byte, t record.Type, v record.Value) ([]byte, error) {
	layout := record.DateLayout
	if t == record.DateTime {
		layout = record.DateTimeLayout
	}
	at, err := time.Parse(layout, v.Text)
	if err != nil || at.Year() == 0 {
		return buf, notCanonical(t, v)
	}
	seconds := at.Unix() - postgresEpoch
	if t == record.Date {
		return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(buf, 4), uint32(seconds/86400)), nil
	}
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(buf, 8), uint64(seconds*1e6)), nil
}

// appendCopyDecimal writes a decimal as PostgreSQL keeps it: groups of four digits around the point, the weight of the
// first group, a sign and the number of digits behind the point.
func appendCopyDecimal(buf []byte, text string) []byte {
	sign := uint16(0)
	digits, negative := strings.CutPrefix(text, "-")
	if negative {
		sign = 0x4000
	}
	whole, fraction, _ := strings.Cut(digits, ".")
	groups, first := (len(whole)+3)/4, len(whole)%4
	behind := (len(fraction) + 3) / 4
	buf = binary.BigEndian.AppendUint32(buf, uint32(8+2*(groups+behind)))
	for _, n := range [4]uint16{uint16(groups + behind), uint16(groups - 1), sign, uint16(len(fraction))} {
		buf = binary.BigEndian.AppendUint16(buf, n)
	}
	group := func(s string) uint16 {
		n := uint16(0)
		for i := range 4 {
			n *= 10
			if i < len(s) {
				n += uint16(s[i] - '0')
			}
		}
		return n
	}
	if first > 0 {
		buf = binary.BigEndian.AppendUint16(buf, group("000"[first-1:]+whole[:first]))
	}
	for ; first < len(whole); first += 4 {
		buf = binary.BigEndian.AppendUint16(buf, group(whole[first:first+4]))
	}
	for ; fraction != ""; fraction = fraction[min(4, len(fraction)):] {
		buf = binary.BigEndian.AppendUint16(buf, group(fraction))
	}
	return buf
}
