package json

import (
	"bytes"
	stdjson "encoding/json"
	"strings"
)

// parsePath reads /a/b, //, $.a[*].b and the like into keys.
func parsePath(path string) []string {
	sep := "/"
	if rest, ok := strings.CutPrefix(path, "$"); ok {
		path, sep = strings.ReplaceAll(rest, "[*]", ""), "."
	}
	var steps []string
	for _, s := range strings.Split(path, sep) {
		if s = strings.TrimSpace(s); s != "" {
			steps = append(steps, strings.NewReplacer("~1", "/", "~0", "~").Replace(s))
		}
	}
	return steps
}

func showPath(steps []string) string {
	var b strings.Builder
	for _, s := range steps {
		b.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(s))
	}
	if b.Len() == 0 {
		return "/"
	}
	return b.String()
}

// findPath looks for the rows in the sample: at the root when it is an array or several values follow each other (lines
// says which), else at the first of the least deep arrays of objects; at the root when there is none.
func findPath(sample []byte) (steps []string, lines bool) {
	dec := stdjson.NewDecoder(bytes.NewReader(bytes.TrimLeft(sample, " \r\n\t\x1e")))
	dec.UseNumber()
	var (
		stack []byte   // open brackets
		keys  []string // key of each level, "" in arrays
		isKey bool
		best  []string
		depth int // of best, arrays counted
		last  stdjson.Delim
	)
	for {
		t, err := dec.Token()
		if err != nil {
			return best, false
		}
		d, delim := t.(stdjson.Delim)
		switch {
		case delim && (d == '{' || d == '['):
			if len(stack) == 0 && d == '[' {
				return nil, false
			}
			if d == '{' && last == '[' && (depth == 0 || len(keys) < depth) {
				best, depth = compactKeys(keys), len(keys)
			}
			stack, isKey = append(stack, byte(d)), d == '{'
			keys = append(keys, "")
		case delim:
			stack, keys = stack[:len(stack)-1], keys[:len(keys)-1]
			if len(stack) == 0 {
				_, err := dec.Token()
				if err == nil {
					return nil, true
				}
				return best, false
			}
			isKey = stack[len(stack)-1] == '{'
		case isKey:
			keys[len(keys)-1] = t.(string)
			isKey = false
		default:
			isKey = len(stack) > 0 && stack[len(stack)-1] == '{'
		}
		last = d
	}
}

// compactKeys leaves out the levels of arrays.
func compactKeys(keys []string) []string {
	var out []string
	for _, k := range keys {
		if k != "" {
			out = append(out, k)
		}
	}
	return out
}
