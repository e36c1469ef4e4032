package demo

import (
	"io"
	"strconv"
)

// Objects describes one JSON array of objects with nested objects and arrays, about 330 bytes each: for tests of
// readers that must not hold a whole document.
type Objects struct {
	Bytes int64 // the array ends with the first object that reaches this size
	Seed  uint64
}

// WriteTo writes the array and returns the number of bytes written. An array holds at least one object.
func (o Objects) WriteTo(w io.Writer) (int64, error) {
	out := chunks{w: w, buf: append(make([]byte, 0, chunk+4096), "[\n"...)}
	for k := uint64(0); ; k++ {
		if k > 0 {
			out.buf = append(out.buf, ",\n"...)
		}
		out.buf = appendObject(out.buf, k, o.Seed)
		if out.written+int64(len(out.buf)) >= o.Bytes {
			break
		}
		if err := out.flush(chunk); err != nil {
			return out.written, err
		}
	}
	out.buf = append(out.buf, "\n]\n"...)
	err := out.flush(0)
	return out.written, err
}

// appendObject adds the k-th object. The words used need no escaping in JSON.
func appendObject(b []byte, k, seed uint64) []byte {
	d := dice{state: mix(k + seed*golden)}
	maker := d.roll(len(makers))
	b = append(b, `{"id":`...)
	b = strconv.AppendUint(b, k, 10)
	b = append(b, `,"serial":"`...)
	b = appendSerial(b, k, seed)
	b = append(b, `","model":{"maker":"`...)
	b = append(b, makers[maker].name...)
	b = append(b, `","name":"`...)
	b = append(b, d.pick(makers[maker].models)...)
	b = append(b, `"},"location":{"site":"`...)
	b = append(b, d.pick(places)...)
	b = append(b, `","rack":`...)
	b = strconv.AppendInt(b, int64(d.roll(400)), 10)
	b = append(b, `},"owner":"`...)
	b = append(b, d.pick(firstNames)...)
	b = append(b, '.')
	b = append(b, d.pick(lastNames)...)
	b = append(b, `@example.com","purchased":"`...)
	b = appendDate(b, 2015+d.roll(11), 1+d.roll(12), 1+d.roll(28))
	b = append(b, `","cost":`...)
	b = appendPrice(b, 100+d.roll(9000), d.roll(10), 1+d.roll(9))
	b = append(b, `,"active":true,"parent":null,"tags":["`...)
	b = append(b, d.pick(statuses)...)
	b = append(b, `","`...)
	b = append(b, d.pick(systems)...)
	b = append(b, `"],"note":"caf\u00e9, \"checked\", rack note `...)
	b = strconv.AppendInt(b, int64(d.roll(1_000_000)), 10)
	return append(b, `"}`...)
}
