package xml

import (
	"bytes"
	stdxml "encoding/xml"
	"strings"

	"headrace/internal/core/fault"
)

// path is where the row elements are.
type path struct {
	anywhere bool // steps are the last ones of the way
	steps    []string
}

// parsePath reads /a/b, //b and *; an absent path has no steps and matches nothing.
func parsePath(s string) (path, error) {
	if strings.ContainsAny(s, "[]()@|: ") || strings.Contains(strings.TrimPrefix(s, "//"), "//") {
		return path{}, fault.New(fault.Invalid, "path %s: only names, * and a leading // are known", s).WithHint("for instance /world/country or //country; prefixes are left out")
	}
	p := path{anywhere: !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//")}
	for _, step := range strings.Split(s, "/") {
		if step != "" && step != "." {
			p.steps = append(p.steps, step)
		}
	}
	return p, nil
}

// String gives the path as the option takes it.
func (p path) String() string {
	if p.anywhere && len(p.steps) > 0 {
		return "//" + strings.Join(p.steps, "/")
	}
	return "/" + strings.Join(p.steps, "/")
}

func (p path) matches(names []string) bool {
	n := len(p.steps)
	if n == 0 || len(names) < n || !p.anywhere && len(names) != n {
		return false
	}
	for i, name := range names[len(names)-n:] {
		if p.steps[i] != name && p.steps[i] != "*" {
			return false
		}
	}
	return true
}

// parent is the path of the element that holds the rows.
func (p path) parent() path {
	return path{anywhere: p.anywhere, steps: p.steps[:max(len(p.steps)-1, 0)]}
}

// level is an open element of the sample and what has been seen in it.
type level struct {
	name     string
	children map[string]int
}

// findPath looks for the rows in the sample: the least deep element that repeats within one parent, the first of them;
// when none repeats, the element that single children lead to.
func findPath(sample []byte) []string {
	dec := newDecoder(bytes.NewReader(sample))
	open := []level{{children: map[string]int{}}}
	var best, lone []string
	hollow := true   // no attribute and no second element so far
	straight := true // every element so far was the only child of its parent
	for len(best) != 2 {
		t, err := dec.Token()
		if err != nil {
			break
		}
		switch t := t.(type) {
		case stdxml.StartElement:
			parent := &open[len(open)-1]
			parent.children[t.Name.Local]++
			open = append(open, level{name: t.Name.Local, children: map[string]int{}})
			way := names(open)
			hollow = hollow && len(way) == 1 && len(t.Attr) == 0
			if parent.children[t.Name.Local] == 2 && (best == nil || len(way) < len(best)) {
				best = way
			}
			if straight && len(parent.children) == 1 && len(way) == len(lone)+1 {
				lone = way
			} else if len(way) <= len(lone) {
				lone = way[:len(way)-1]
				straight = false
			}
		case stdxml.EndElement:
			open = open[:len(open)-1]
		}
	}
	switch {
	case best != nil:
		return best
	case len(lone) > 2:
		return lone[:len(lone)-1]
	case len(lone) == 1 && hollow:
		return nil // a root with nothing in it has no rows
	}
	return lone
}

func names(open []level) []string {
	var out []string
	for _, l := range open[1:] {
		out = append(out, l.name)
	}
	return out
}
