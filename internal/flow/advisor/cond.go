package advisor

import (
	"fmt"
	"slices"
	"strings"
)

// cond is a condition on answers: alternatives of tests that must all hold. No test at all always holds.
type cond [][]test

type test struct {
	key    string
	not    bool
	values []string
}

// on reads the notation of the tables: "initiator=us database!=yes | push=yes". Blanks mean and, bars or, commas
// list values. The tables are literals, so a slip in one is a defect of the program and panics at start.
func on(text string) cond {
	var c cond
	for alternative := range strings.SplitSeq(text, "|") {
		var all []test
		for word := range strings.FieldsSeq(alternative) {
			key, values, found := strings.Cut(word, "=")
			if !found || values == "" {
				panic(fmt.Sprintf("advisor: condition %q: %q is not key=value", text, word))
			}
			name, not := strings.CutSuffix(key, "!")
			all = append(all, test{name, not, strings.Split(values, ",")})
		}
		if len(all) > 0 {
			c = append(c, all)
		}
	}
	return c
}

// holds says whether a meets the condition. An answer not given equals no value.
func (c cond) holds(a Answers) bool {
	return len(c) == 0 || slices.ContainsFunc(c, func(all []test) bool {
		return !slices.ContainsFunc(all, func(t test) bool {
			return slices.Contains(t.values, a[t.key]) == t.not
		})
	})
}

func (c cond) mentions(key string) bool {
	return slices.ContainsFunc(c, func(all []test) bool {
		return slices.ContainsFunc(all, func(t test) bool { return t.key == key })
	})
}

// keys lists the questions that the condition looks at, in the order written.
func (c cond) keys() []string {
	var keys []string
	for _, all := range c {
		for _, t := range all {
			if !slices.Contains(keys, t.key) {
				keys = append(keys, t.key)
			}
		}
	}
	return keys
}

// example gives the answers that the first alternative asks for.
func (c cond) example() Answers {
	a := Answers{}
	for _, all := range c[:min(1, len(c))] {
		for _, t := range all {
			a[t.key] = t.values[0]
		}
	}
	return a
}
