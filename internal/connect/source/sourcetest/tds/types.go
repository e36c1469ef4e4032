package tds

import (
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// column is one column of an answer: how its type is described, and how its values are written.
type column struct {
	name   string
	info   []byte
	null   []byte
	encode func(text string) ([]byte, error)
}

// described settles the types of columns by their declarations, and by the values of the first row where there are none.
func described(types []*sql.ColumnType, first []any) ([]column, error) {
	columns := make([]column, len(types))
	for i, t := range types {
		declared := strings.TrimPrefix(strings.ToLower(t.DatabaseTypeName()), "text ")
		if declared == "" {
			declared = map[string]string{"int64": "bigint", "float64": "float"}[fmt.Sprintf("%T", first[i])]
		}
		base, arguments, _ := strings.Cut(strings.TrimSuffix(declared, ")"), "(")
		c, err := typed(base, arguments)
		if err != nil {
			return nil, err
		}
		c.name = t.Name()
		columns[i] = c
	}
	return columns, nil
}

var collation = []byte{9, 4, 0xd0, 0, 0x34}

// typed is the column of a type and its arguments.
func typed(base, arguments string) (column, error) {
	size := map[string]int{"tinyint": 1, "smallint": 2, "int": 4, "integer": 8, "bigint": 8}[base]
	switch base {
	case "tinyint", "smallint", "int", "integer", "bigint":
		return short([]byte{0x26, byte(size)}, func(s string) ([]byte, error) { return integer(s, size) }), nil
	case "bit":
		return short([]byte{0x68, 1}, func(s string) ([]byte, error) { return integer(s, 1) }), nil
	case "real":
		return short([]byte{0x6d, 4}, func(s string) ([]byte, error) {
			f, err := strconv.ParseFloat(s, 32)
			return binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(f))), err
		}), nil
	case "float":
		return short([]byte{0x6d, 8}, func(s string) ([]byte, error) {
			f, err := strconv.ParseFloat(s, 64)
			return binary.LittleEndian.AppendUint64(nil, math.Float64bits(f)), err
		}), nil
	case "decimal":
		return decimal(arguments)
	case "money":
		return short([]byte{0x6e, 8}, money), nil
	case "uniqueidentifier":
		return short([]byte{0x24, 16}, guid), nil
	case "date":
		return short([]byte{0x28}, days), nil
	case "time":
		return short([]byte{0x29, 7}, ticks), nil
	case "datetime":
		return short([]byte{0x6f, 8}, dateTime), nil
	case "datetime2":
		return short([]byte{0x2a, 7}, dateTime2), nil
	case "datetimeoffset":
		return short([]byte{0x2b, 7}, dateTimeOffset), nil
	case "varbinary":
		return long([]byte{0xa5, 0x40, 0x1f}, func(s string) ([]byte, error) { return []byte(s), nil }), nil
	case "nvarcharmax", "text", "":
		return column{info: append([]byte{0xe7, 0xff, 0xff}, collation...), null: []byte{255, 255, 255, 255, 255, 255, 255, 255}, encode: chunks}, nil
	case "nvarchar":
		return long(append([]byte{0xe7, 0x40, 0x1f}, collation...), func(s string) ([]byte, error) { return encode(s), nil }), nil
	}
	return column{}, fmt.Errorf("the double does not know the type %q", base)
}

// short and long are types whose values follow their length, in one byte or in two.
func short(info []byte, enc func(string) ([]byte, error)) column {
	return column{info: info, null: []byte{0}, encode: func(s string) ([]byte, error) {
		b, err := enc(s)
		return append([]byte{byte(len(b))}, b...), err
	}}
}

func long(info []byte, enc func(string) ([]byte, error)) column {
	return column{info: info, null: []byte{0xff, 0xff}, encode: func(s string) ([]byte, error) {
		b, err := enc(s)
		return append(binary.LittleEndian.AppendUint16(nil, uint16(len(b))), b...), err
	}}
}

// chunks writes a text of any length: in two pieces, so that readers must put them together.
func chunks(s string) ([]byte, error) {
	b := encode(s)
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(b)))
	half := len(b) / 4 * 2
	for _, piece := range [][]byte{b[:half], b[half:]} {
		if len(piece) > 0 {
			out = append(binary.LittleEndian.AppendUint32(out, uint32(len(piece))), piece...)
		}
	}
	return binary.LittleEndian.AppendUint32(out, 0), nil
}

func (c column) append(row []byte, v any) ([]byte, error) {
	if v == nil {
		return append(row, c.null...), nil
	}
	text, ok := v.([]byte)
	if !ok {
		text = fmt.Append(nil, v)
	}
	b, err := c.encode(string(text))
	return append(row, b...), err
}

func metadata(columns []column) []byte {
	b := binary.LittleEndian.AppendUint16([]byte{0x81}, uint16(len(columns)))
	for _, c := range columns {
		b = append(b, 0, 0, 0, 0, 1, 0) // no user type; may be null
		b = append(b, c.info...)
		name := encode(c.name)
		b = append(append(b, byte(len(name)/2)), name...)
	}
	return b
}

func integer(s string, size int) ([]byte, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	return binary.LittleEndian.AppendUint64(nil, uint64(n))[:size], err
}

func decimal(arguments string) (column, error) {
	var precision, scale int
	if _, err := fmt.Sscanf(arguments, "%d,%d", &precision, &scale); err != nil {
		return column{}, err
	}
	return short([]byte{0x6a, 17, byte(precision), byte(scale)}, func(s string) ([]byte, error) {
		digits, err := scaled(s, scale)
		if err != nil {
			return nil, err
		}
		b := make([]byte, 17)
		if digits.Sign() >= 0 {
			b[0] = 1
		}
		big := digits.FillBytes(make([]byte, 16))
		for i, d := range big {
			b[16-i] = d
		}
		return b, nil
	}), nil
}

// scaled is a number without its point.
func scaled(s string, scale int) (*big.Int, error) {
	whole, behind, _ := strings.Cut(s, ".")
	n, ok := new(big.Int).SetString(whole+behind+strings.Repeat("0", max(0, scale-len(behind))), 10)
	if !ok {
		return nil, fmt.Errorf("%q is no number", s)
	}
	return n, nil
}

func money(s string) ([]byte, error) {
	n, err := scaled(s, 4)
	if err != nil {
		return nil, err
	}
	u := uint64(n.Int64())
	return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, uint32(u>>32)), uint32(u)), nil
}

func guid(s string) ([]byte, error) {
	b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(b) != 16 {
		return nil, fmt.Errorf("%q is no uniqueidentifier", s)
	}
	binary.LittleEndian.PutUint32(b, binary.BigEndian.Uint32(b))
	binary.LittleEndian.PutUint16(b[4:], binary.BigEndian.Uint16(b[4:]))
	binary.LittleEndian.PutUint16(b[6:], binary.BigEndian.Uint16(b[6:]))
	return b, nil
}

const stamp = "2006-01-02 15:04:05"

func sinceDay(t, day time.Time) uint32 { return uint32((t.Unix() - day.Unix()) / 86400) }

func days(s string) ([]byte, error) {
	t, err := time.Parse(time.DateOnly, s)
	return binary.LittleEndian.AppendUint32(nil, sinceDay(t, time.Time{}))[:3], err
}

func ticks(s string) ([]byte, error) {
	t, err := time.Parse("15:04:05", s)
	return tickBytes(t), err
}

func tickBytes(t time.Time) []byte {
	of := t.Sub(t.Truncate(24*time.Hour)) / 100
	return binary.LittleEndian.AppendUint64(nil, uint64(of))[:5]
}

func dateTime(s string) ([]byte, error) {
	t, err := time.Parse(stamp, s)
	b := binary.LittleEndian.AppendUint32(nil, sinceDay(t, time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)))
	thirds := math.Round(float64(t.Sub(t.Truncate(24*time.Hour))) * 300 / float64(time.Second))
	return binary.LittleEndian.AppendUint32(b, uint32(thirds)), err
}

func dateTime2(s string) ([]byte, error) {
	t, err := time.Parse(stamp, s)
	day := binary.LittleEndian.AppendUint32(nil, sinceDay(t, time.Time{}))
	return append(tickBytes(t), day[:3]...), err
}

func dateTimeOffset(s string) ([]byte, error) {
	t, err := time.Parse(stamp+"-07:00", s)
	if err != nil {
		return nil, err
	}
	_, offset := t.Zone()
	b, err := dateTime2(t.UTC().Format(stamp + ".999999999"))
	return binary.LittleEndian.AppendUint16(b, uint16(int16(offset/60))), err
}
