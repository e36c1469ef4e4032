package demo

import (
	"io"
	"strconv"
	"strings"
)

// AssetColumns are the columns of an asset file, the first being the key.
var AssetColumns = []string{
	"asset_tag", "serial_number", "name", "model", "manufacturer", "email",
	"location", "purchase_date", "cost", "status", "ip_address", "description",
}

// Assets describes a CSV file of invented assets, about 240 bytes a row: what the benchmarks load. Tag and serial
// number are unique; descriptions hold commas, doubled quotes and UTF-8; no value holds a line break. Values are
// written as a store would write them (no trailing zeros, ISO dates), so that contents can be compared as text.
type Assets struct {
	Rows     int64
	Seed     uint64
	Shuffled bool // rows in no order of their keys; the same rows otherwise
	// Delta makes the next delivery of the same file: of every hundred keys the first 90 come unchanged, 9 changed
	// in location, cost and status, and the last is replaced by a new one. Row for row it is in the order of the file
	// it follows.
	Delta bool
}

const chunk = 256 << 10

// WriteTo writes the file with its header and returns the number of bytes written.
func (a Assets) WriteTo(w io.Writer) (int64, error) {
	out := chunks{w: w, buf: make([]byte, 0, chunk+4096)}
	out.buf = append(out.buf, strings.Join(AssetColumns, ",")+"\n"...)
	order := newShuffle(uint64(a.Rows), a.Seed)
	for i := range uint64(a.Rows) {
		if a.Shuffled {
			out.buf = a.appendRow(out.buf, order.at(i))
		} else {
			out.buf = a.appendRow(out.buf, i)
		}
		if err := out.flush(chunk); err != nil {
			return out.written, err
		}
	}
	err := out.flush(0)
	return out.written, err
}

// appendRow adds the row of the k-th key, or what a delta has in its place.
func (a Assets) appendRow(b []byte, k uint64) []byte {
	changed := false
	if a.Delta {
		switch class := k % 100; {
		case class == 99:
			k = uint64(a.Rows) + k/100
		case class >= 90:
			changed = true
		}
	}
	return appendAsset(b, k, a.Seed, changed)
}

func appendAsset(b []byte, k, seed uint64, changed bool) []byte {
	d := dice{state: mix(k + seed*golden)}
	maker := d.roll(len(makers))
	first, last := d.pick(firstNames), d.pick(lastNames)
	place, rack := d.roll(len(places)), d.roll(400)
	price, status := 100+d.roll(9000), d.roll(len(statuses))
	if changed {
		place, price, status = (place+1)%len(places), price+7, (status+1)%len(statuses)
	}

	b = append(b, "AST"...)
	b = appendPadded(b, k, 9)
	b = append(b, ',')
	b = appendSerial(b, k, seed)
	b = append(b, ',')
	b = append(b, siteCodes[d.roll(len(siteCodes))]...)
	b = append(b, d.pick(roles)...)
	b = appendPadded(b, k%100_000, 5)
	b = append(b, ',')
	b = append(b, makers[maker].models[d.roll(len(makers[maker].models))]...)
	b = append(b, ',')
	b = append(b, makers[maker].name...)
	b = append(b, ',')
	b = append(b, first...)
	b = append(b, '.')
	b = append(b, last...)
	b = strconv.AppendUint(b, k%1000, 10)
	b = append(b, "@example.com,"...)
	b = append(b, places[place]...)
	b = append(b, " / Rack "...)
	b = strconv.AppendInt(b, int64(rack), 10)
	b = append(b, ',')
	b = appendDate(b, 2015+d.roll(11), 1+d.roll(12), 1+d.roll(28))
	b = append(b, ',')
	b = appendPrice(b, price, d.roll(10), 1+d.roll(9))
	b = append(b, ',')
	b = append(b, statuses[status]...)
	b = append(b, ",10."...)
	b = appendAddress(b, &d)
	b = append(b, ',')
	b = appendDescription(b, &d)
	return append(b, '\n')
}

// appendDescription writes two or three remarks in quotes. The remarks carry their commas and doubled quotes with them.
func appendDescription(b []byte, d *dice) []byte {
	b = append(b, '"')
	for i := range 2 + d.roll(2) {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(b, d.pick(remarks)...)
	}
	return append(b, '"')
}

func appendPrice(b []byte, whole, tenth, hundredth int) []byte {
	b = strconv.AppendInt(b, int64(whole), 10)
	return append(b, '.', byte('0'+tenth), byte('0'+hundredth))
}

func appendAddress(b []byte, d *dice) []byte {
	for i := range 3 {
		if i > 0 {
			b = append(b, '.')
		}
		b = strconv.AppendInt(b, int64(d.roll(256)), 10)
	}
	return b
}

func appendDate(b []byte, year, month, day int) []byte {
	b = appendPadded(b, uint64(year), 4)
	b = append(b, '-')
	b = appendPadded(b, uint64(month), 2)
	b = append(b, '-')
	return appendPadded(b, uint64(day), 2)
}

// appendPadded writes n with leading zeros to at least width digits.
func appendPadded(b []byte, n uint64, width int) []byte {
	for limit := uint64(10); width > 1; width-- {
		if n < limit {
			b = append(b, "000000000000"[:width-1]...)
			break
		}
		limit *= 10
	}
	return strconv.AppendUint(b, n, 10)
}

// appendSerial writes SN and ten hex digits, another for every k.
func appendSerial(b []byte, k, seed uint64) []byte {
	n := newShuffle(1<<40, seed).at(k)
	b = append(b, "SN"...)
	for shift := 36; shift >= 0; shift -= 4 {
		b = append(b, "0123456789ABCDEF"[n>>shift&15])
	}
	return b
}

// chunks gathers bytes and hands them on in large pieces.
type chunks struct {
	w       io.Writer
	buf     []byte
	written int64
}

// flush writes what is gathered when it is at least min bytes.
func (c *chunks) flush(min int) error {
	if len(c.buf) < min {
		return nil
	}
	n, err := c.w.Write(c.buf)
	c.written += int64(n)
	c.buf = c.buf[:0]
	return err
}
