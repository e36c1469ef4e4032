package datasource

import (
	"slices"
	"strings"

	"headrace/internal/connect/format"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/transform"
)

// observed is the columns of a source and what their values look like.
type observed struct {
	columns []string
	types   []*observedColumn
	rows    int64
	grows   bool // columns may show up late, and be left out by rows that have nothing to say
	header  *format.Header
}

func (o *observed) see(row *format.Row) {
	if row.Header != nil && row.Header != o.header {
		o.header = row.Header
		o.columns = row.Header.Columns
		for len(o.types) < len(o.columns) {
			o.types = append(o.types, &observedColumn{})
		}
	}
	if row.Cells == nil || row.Err != nil { // cells of a row that could not be read are not to be trusted
		return
	}
	o.rows++
	for i, v := range row.Cells {
		if i < len(o.types) && !v.Empty() {
			o.types[i].see(v.Text)
		}
	}
}

// kinds are the types that values are tried against, the narrower first.
var kinds = [...]string{typeNumber, typeBoolean, typeDate, typeDateTime}

// observedColumn counts how the values of one column look.
type observedColumn struct {
	values   int64
	fit      [len(kinds)]int64
	patterns map[string]int64 // of dates, and how many of the values tried are written by them
	tried    int64
}

// A type that most of the first values do not fit is not tried any more; nor are more than some values tried against the
// patterns of dates, of which there are many.
const (
	giveUpAfter   = 100
	mostPatterned = 300
)

func (c *observedColumn) see(text string) {
	c.values++
	for i, kind := range kinds {
		if (c.values < giveUpAfter || c.fit[i]*2 > c.values) && fits(kind, text) {
			c.fit[i]++
		}
	}
	if c.tried >= mostPatterned || c.tried >= giveUpAfter && len(c.patterns) == 0 {
		return
	}
	c.tried++
	for _, p := range transform.GuessDateFormat([]string{text}) {
		if c.patterns == nil {
			c.patterns = map[string]int64{}
		}
		c.patterns[p]++
	}
}

// dates lists the patterns by which all values that were tried are written.
func (c *observedColumn) dates() []string {
	var out []string
	for p, n := range c.patterns {
		if n == c.tried {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}

// fits reports whether a value can be of a type. Codes with leading zeros are no numbers.
func fits(kind, text string) bool {
	switch kind {
	case typeNumber:
		t := strings.TrimPrefix(text, "-")
		if len(t) > 1 && t[0] == '0' && t[1] != '.' || strings.ContainsAny(t, "eE+ ") {
			return false
		}
		_, ok := query.Canonical(query.Number, text)
		return ok
	case typeBoolean:
		switch strings.ToLower(text) {
		case "true", "false", "yes", "no":
			return true
		}
		return false
	case typeDate:
		if len(text) != len(record.DateLayout) {
			return false
		}
		_, ok := query.Canonical(query.Date, text)
		return ok
	case typeDateTime:
		if len(text) <= len(record.DateLayout) {
			return false
		}
		_, ok := query.Canonical(query.DateTime, text)
		return ok
	}
	return true
}

// kind is the type that all values fit; "" when there were none.
func (c *observedColumn) kind() string {
	if c.values == 0 {
		return ""
	}
	for i, kind := range kinds {
		if c.fit[i] == c.values {
			return kind
		}
	}
	if c.fit[2]+c.fit[3] == c.values {
		return typeDateTime
	}
	if dates := c.dates(); len(dates) > 0 {
		if strings.ContainsAny(dates[0], "Hhm") {
			return typeDateTime
		}
		return typeDate
	}
	return typeText
}

// agree makes the column one of a contract.
func (c *observedColumn) agree(name string, rows int64) agreedColumn {
	a := agreedColumn{Name: name, Type: c.kind(), Optional: c.values < rows}
	if (a.Type == typeDate || a.Type == typeDateTime) && c.fit[2]+c.fit[3] < c.values {
		a.Formats = c.dates()
	}
	return a
}

// strayShare: a column has changed its type when more than one in so many values is not of it. Single values that are
// not are the business of the transform, which rejects their rows.
const strayShare = 10

// strays reports whether the values are not any more what was agreed on.
func (c *observedColumn) strays(a agreedColumn) bool {
	if c.values == 0 {
		return false
	}
	var fit int64
	switch a.Type {
	case typeNumber:
		fit = c.fit[0]
	case typeBoolean:
		fit = c.fit[1]
	case typeDate:
		fit = c.fit[2]
	case typeDateTime:
		fit = c.fit[2] + c.fit[3] // a date is a date-time at midnight
	default:
		return false
	}
	if (a.Type == typeDate || a.Type == typeDateTime) && fit*2 < c.values { // written by a pattern
		return c.straysFrom(a.Formats)
	}
	return (c.values-fit)*strayShare > c.values
}

// straysFrom reports whether dates are not written by any of the patterns agreed on; where none is, by any.
func (c *observedColumn) straysFrom(agreed []string) bool {
	for p, n := range c.patterns {
		if (len(agreed) == 0 || slices.Contains(agreed, p)) && (c.tried-n)*strayShare <= c.tried {
			return false
		}
	}
	return true
}
