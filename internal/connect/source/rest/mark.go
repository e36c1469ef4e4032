package rest

import (
	"math/big"
	"strconv"
	"strings"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// marks is how a source tells what is new: a column whose value grows with every change, and how it is written.
type marks struct {
	column  string
	first   string
	written string // rfc3339, unix, ..., or a layout of package time
	zone    *time.Location
	asked   *time.Location // of {since}
	overlap time.Duration
	step    *big.Rat // the overlap of numbers
}

const (
	markNumber = "number"
	markUnix   = "unix"
	markMilli  = "unix_ms"
)

var layouts = map[string]string{"rfc3339": time.RFC3339Nano, "datetime": time.DateTime, "date": time.DateOnly}

// marksOf reads the options; without a watermark there are no marks.
func marksOf(o *settings) *marks {
	if o.Options["watermark"] == "" {
		return nil
	}
	m := &marks{column: o.Options["watermark"], first: o.Options["since_first"], written: o.Text("since_format", "rfc3339"), step: new(big.Rat)}
	if layout := layouts[m.written]; layout != "" {
		m.written = layout
	}
	m.zone = o.zone("zone", nil)
	m.asked = o.zone("since_zone", m.zone)
	if m.written == markNumber {
		if _, ok := m.step.SetString(o.Text("overlap", "0")); !ok || m.step.Sign() < 0 {
			o.bad("overlap", "a number of at least 0, as the marks are")
		}
		return m
	}
	m.overlap = o.duration("overlap", 5*time.Minute)
	switch {
	case m.written == markUnix || m.written == markMilli || strings.Contains(m.written, "Z07") || strings.Contains(m.written, "-07"):
	case !strings.Contains(m.written, "2006") && !strings.Contains(m.written, "06"):
		o.bad("since_format", "rfc3339, datetime, date, unix, unix_ms, number or a layout of the moment 2006-01-02 15:04:05")
	case m.zone == nil:
		o.fail(fault.New(fault.Invalid, "times written %s do not tell their time zone", o.Text("since_format", "")).WithHint("set the option zone, for instance UTC"))
	}
	return m
}

// mark is one value of a watermark: a time or a number.
type mark struct {
	at     time.Time
	number *big.Rat
	text   string
}

func (m mark) set() bool { return m.number != nil || !m.at.IsZero() }

func (m mark) after(o mark) bool {
	switch {
	case !o.set():
		return m.set()
	case m.number != nil && o.number != nil:
		return m.number.Cmp(o.number) > 0
	}
	return m.at.After(o.at)
}

// String is the form in which a mark is kept between readings.
func (m mark) String() string {
	switch {
	case m.number != nil:
		return m.text
	case m.at.IsZero():
		return ""
	}
	return m.at.UTC().Format(time.RFC3339Nano)
}

// parse reads a value as the service writes it.
func (m *marks) parse(v string) (mark, bool) {
	v = strings.TrimSpace(v)
	switch m.written {
	case markNumber:
		return numbered(v)
	case markUnix, markMilli:
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return mark{}, false
		}
		if m.written == markMilli {
			return mark{at: time.UnixMilli(n)}, true
		}
		return mark{at: time.Unix(n, 0)}, true
	}
	zone := m.zone
	if zone == nil {
		zone = time.UTC
	}
	at, err := time.ParseInLocation(m.written, v, zone)
	if err != nil {
		at, err = time.Parse(time.RFC3339Nano, v)
	}
	return mark{at: at}, err == nil
}

func numbered(v string) (mark, bool) {
	if len(v) > 100 || strings.ContainsAny(v, "/eE") {
		return mark{}, false
	}
	n, ok := new(big.Rat).SetString(v)
	return mark{number: n, text: v}, ok
}

// restore reads a mark as it is kept.
func (m *marks) restore(v string) (mark, error) {
	if m.written == markNumber {
		if n, ok := numbered(v); ok {
			return n, nil
		}
	} else if at, err := time.Parse(time.RFC3339Nano, v); err == nil {
		return mark{at: at}, nil
	} else if at, ok := m.parse(v); ok {
		return at, nil
	}
	return mark{}, fault.New(fault.Invalid, "%q is no mark of the column %s", v, m.column).WithHint("a time such as 2026-02-28T13:00:00Z, or a number with since_format number; empty it to read everything")
}

// since is what {since} stands for: the mark less the overlap, as the service wants it written.
func (m *marks) since(from mark) (text string, ok bool) {
	switch {
	case !from.set():
		return m.first, m.first != ""
	case from.number != nil:
		n := new(big.Rat).Sub(from.number, m.step)
		if n.IsInt() {
			return n.Num().String(), true
		}
		digits, _ := n.FloatPrec()
		return n.FloatString(digits), true
	}
	at := from.at.Add(-m.overlap)
	switch m.written {
	case markUnix:
		return strconv.FormatInt(at.Unix(), 10), true
	case markMilli:
		return strconv.FormatInt(at.UnixMilli(), 10), true
	}
	zone := m.asked
	if zone == nil {
		zone = time.UTC
	}
	return at.In(zone).Format(m.written), true
}

// highest follows the marks of a reading.
type highest struct {
	*marks
	from    mark
	most    mark
	seen    bool // the column was there
	began   time.Time
	strange string // the first value that is no mark
}

// see takes the mark of a row.
func (h *highest) see(v record.Value) {
	if !v.Valid || v.Text == "" {
		return
	}
	got, ok := h.parse(v.Text)
	switch {
	case !ok && h.strange == "":
		h.strange = v.Text
	case ok && got.after(h.most):
		h.most = got
	}
}

// mark is where the next reading begins: the highest mark, but no later than when this reading began by the clock of the
// service, because a row may change behind the place that was read while another one ahead, read later, bears a later mark.
func (h *highest) mark() string {
	m := h.most
	if !m.at.IsZero() && !h.began.IsZero() && m.at.After(h.began) {
		m.at = h.began
	}
	if h.from.set() && !m.after(h.from) {
		m = h.from
	}
	return m.String()
}
