package script

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// property is \p{...} in a regular expression, or what else may stand before it: an escape, or a bracket of a class.
var property = regexp.MustCompile(`\\[pP]\{([^}]*)\}|\\.|\[|\]`)

// spellOut writes properties of characters, which the engine reads and then never matches, as the characters they stand
// for. Names that Unicode does not have stay as they are, and so does \P inside of a class.
func spellOut(pattern string) string {
	class := false
	return property.ReplaceAllStringFunc(pattern, func(m string) string {
		switch {
		case m == "[":
			class = true
		case m == "]":
			class = false
		}
		negated := strings.HasPrefix(m, `\P{`)
		if !negated && !strings.HasPrefix(m, `\p{`) {
			return m
		}
		ranges := rangesOf(m[3 : len(m)-1])
		switch {
		case ranges == "" || class && negated:
			return m
		case class:
			return ranges
		case negated:
			return "[^" + ranges + "]"
		}
		return "[" + ranges + "]"
	})
}

// longNames are the categories that have names of their own.
var longNames = map[string]string{"Letter": "L", "Uppercase_Letter": "Lu", "Lowercase_Letter": "Ll", "Alphabetic": "L", "Uppercase": "Lu",
	"Lowercase": "Ll", "Mark": "M", "Number": "N", "Decimal_Number": "Nd", "Punctuation": "P", "Symbol": "S", "Separator": "Z", "Space_Separator": "Zs"}

// rangesOf writes the characters of a category, script or property as the inside of a class; "" when there is none of that
// name.
func rangesOf(name string) string {
	if _, value, named := strings.Cut(name, "="); named {
		name = value
	}
	if short, ok := longNames[name]; ok {
		name = short
	}
	for _, tables := range []map[string]*unicode.RangeTable{unicode.Categories, unicode.Scripts, unicode.Properties} {
		if t, ok := tables[name]; ok {
			return writeRanges(t)
		}
	}
	return ""
}

func writeRanges(t *unicode.RangeTable) string {
	var b strings.Builder
	add := func(lo, hi, stride rune) {
		if stride == 1 {
			fmt.Fprintf(&b, `\u{%x}-\u{%x}`, lo, hi)
			return
		}
		for r := lo; r <= hi; r += stride {
			fmt.Fprintf(&b, `\u{%x}`, r)
		}
	}
	for _, r := range t.R16 {
		add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
	for _, r := range t.R32 {
		add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
	return b.String()
}
