package format

import (
	"slices"
	"strconv"
	"strings"

	"headrace/internal/core/record"
)

// Guarded gives a text that no spreadsheet runs as a formula: one that begins like a formula gets a ' in front. A plain
// number such as -12.5 is none, and stays as it is.
func Guarded(text string) string {
	if text == "" || strings.IndexByte("=+-@\t\r", text[0]) < 0 || plainNumber(text) {
		return text
	}
	return "'" + text
}

// plainNumber reports whether a text is a number in the canonical form of a field: digits, perhaps with a minus in front
// and a fraction behind.
func plainNumber(text string) bool {
	whole, fraction, dotted := strings.Cut(strings.TrimPrefix(text, "-"), ".")
	return digits(whole) && (!dotted || digits(fraction))
}

func digits(text string) bool { return text != "" && strings.Trim(text, "0123456789") == "" }

// LiteralsOption is the option of writers whose formats know more than texts.
func LiteralsOption() record.Field {
	return record.Field{Name: "literals", Label: "Numbers and truth values", Type: record.String,
		Help: "writing: the columns, counted from 1 and separated by commas, whose values are written as numbers and truth values instead of as texts"}
}

// Literals tells of each of n columns whether the option literals names it.
func (o Options) Literals(n int) []bool {
	named := strings.Split(o["literals"], ",")
	out := make([]bool, n)
	for i := range out {
		out[i] = slices.Contains(named, strconv.Itoa(i+1))
	}
	return out
}
