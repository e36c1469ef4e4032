package advisor

import (
	"slices"
	"strings"
)

// Classic decides by the article's two pictures to the letter, their defects included: the first picture gives the
// way, the second the preferences. Nothing is scored. The fault is that of Check.
func Classic(a Answers) (Result, error) {
	if err := a.Check(); err != nil {
		return Result{}, err
	}
	full, assumed := a.completed()
	r := Result{Assumed: assumed, Texts: textsOf(full), full: full}
	r.take(leafOf(full))
	for _, c := range cellsOf(full) {
		r.Preferences = append(r.Preferences, Preference{c.id, c.pattern, c.way})
	}
	return r.withoutNil(), nil
}

// leafOf finds where completed answers end in the first picture; its leaves exclude each other.
func leafOf(full Answers) leaf {
	for _, l := range picture1 {
		if l.when.holds(full) {
			return l
		}
	}
	return leaf{}
}

func cellsOf(full Answers) []cell {
	return slices.DeleteFunc(slices.Clone(picture2), func(c cell) bool { return !c.when.holds(full) })
}

func (r *Result) take(l leaf) {
	r.Rule, r.Row, r.Reason = l.id, l.id, l.outcome
	r.Path = pathOf(r.full, l.when.keys())
	if l.pattern == "" {
		return
	}
	p := PatternOf(l.pattern)
	r.Ranked = []Choice{{Pattern: p.ID, Title: l.outcome, Feasible: true, Available: len(p.Runs) > 0, Score: 100, Note: p.Note,
		Reasons: []string{l.id + ": " + l.outcome}, Missing: []string{}, Arithmetic: []Step{{l.id, 100, "picture 1"}}}}
	r.First = &r.Ranked[0].Pattern
}

// Leaf is an end of the article's flow: a row of picture 1, a cell of picture 2, or a rule of the text.
type Leaf struct {
	ID        string
	Situation string
	Classic   string  // what the article says
	Given     Answers // answers that lead there
}

// Leaves lists the ends of the article's flow in its order.
func Leaves() []Leaf {
	var all []Leaf
	for _, l := range picture1 {
		given := l.when.example()
		all = append(all, Leaf{l.id, given.sentence(), l.outcome, given})
	}
	for _, c := range picture2 {
		all = append(all, Leaf{c.id, c.place, c.way, c.given.example()})
	}
	for _, x := range textRules {
		all = append(all, Leaf{x.id, x.situation, x.text, x.given.example()})
	}
	return all
}

func (a Answers) sentence() string {
	words := make([]string, 0, len(a))
	for _, g := range a.Given() {
		words = append(words, g[0]+" "+g[1])
	}
	return strings.Join(words, ", ")
}
