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
	types  []record.Type // of the columns of rows, as they are stored
	values []record.Value
	head   []byte // of every row: how many columns it has
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
	r := &copyReader{values: rows.Values, buf: []byte(copySignature)}
	r.head = binary.BigEndian.AppendUint16(nil, uint16(len(l.fields)+len(l.shared)))
	for _, f := range l.fields {
		r.types = append(r.types, f.Type.Stored())
	}
	var err error
	for i, v := range l.values {
		if r.tail, err = appendCopy(r.tail, l.shared[i].Type.Stored(), &v); err != nil {
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
	buf, w := r.buf, len(r.types)
	for len(r.values) > 0 && len(buf) < copyChunk {
		buf = append(buf, r.head...)
		for i := range r.values[:w] {
			if buf, err = appendCopy(buf, r.types[i], &r.values[i]); err != nil {
				return err
			}
		}
		buf = append(buf, r.tail...)
		r.values = r.values[w:]
	}
	r.buf = buf
	if len(r.values) == 0 {
		r.buf, r.ended = binary.BigEndian.AppendUint16(r.buf, math.MaxUint16), true
	}
	return nil
}

// appendCopy writes a canonical value behind its length. An empty one that is no text is null.
func appendCopy(buf []byte, t record.Type, v *record.Value) ([]byte, error) {
	if !v.Valid {
		return binary.BigEndian.AppendUint32(buf, noValue), nil
	}
	switch t {
	case record.Integer, record.Boolean, record.Date, record.DateTime, record.Decimal:
		if v.Text == "" {
			return binary.BigEndian.AppendUint32(buf, noValue), nil
		}
		return appendCopyTyped(buf, t, v.Text)
	}
	return append(binary.BigEndian.AppendUint32(buf, uint32(len(v.Text))), v.Text...), nil
}

func appendCopyTyped(buf []byte, t record.Type, text string) ([]byte, error) {
	switch t {
	case record.Integer:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return buf, notCanonical(t, text)
		}
		return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(buf, 8), uint64(n)), nil
	case record.Boolean:
		bit := byte(0)
		if text == "true" {
			bit = 1
		}
		return append(binary.BigEndian.AppendUint32(buf, 1), bit), nil
	case record.Decimal:
		return appendCopyDecimal(buf, text), nil
	}
	return appendCopyTime(buf, t, text)
}

func notCanonical(t record.Type, text string) error {
	return fault.New(fault.Internal, "%q is no canonical %s", record.Clip(text), t)
}

// postgresEpoch is the second that PostgreSQL counts from.
var postgresEpoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Unix()

// appendCopyTime writes a date as its day, and a date-time as its microsecond, both counted from the year 2000.
func appendCopyTime(buf []byte, t record.Type, text string) ([]byte, error) {
	layout := record.DateLayout
	if t == record.DateTime {
		layout = record.DateTimeLayout
	}
	at, err := time.Parse(layout, text)
	if err != nil || at.Year() == 0 {
		return buf, notCanonical(t, text)
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
