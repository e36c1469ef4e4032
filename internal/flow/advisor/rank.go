package advisor

import (
	"cmp"
	"slices"
	"strings"
)

// Step is one term of a score. Adding up the steps of a choice gives its score.
type Step struct {
	Rule   string `json:"rule"`
	Points int    `json:"points"`
	Text   string `json:"text"`
}

// contender is a candidate as judged: its steps, and what stands against it.
type contender struct {
	candidate
	score   int
	steps   []Step
	missing []string
	lacks   []string // missing, in few words
}

func (c contender) feasible() bool { return len(c.missing) == 0 }

func (c *contender) step(rule string, points int, text string) {
	c.steps = append(c.steps, Step{rule, points, text})
	c.score += points
}

// verdict is the row that matches and its candidates in order, the feasible ones before the others.
type verdict struct {
	row        row
	contenders []contender
}

// first is the best feasible contender, or nil.
func (v verdict) first() *contender {
	if len(v.contenders) == 0 || !v.contenders[0].feasible() {
		return nil
	}
	return &v.contenders[0]
}

// rule is the row of the merged table that decided.
func (v verdict) rule() string {
	if v.first() == nil {
		return nothing
	}
	return v.row.id
}

// matching finds the rows that hold for completed answers: one, by the law of the table. A row that is like
// another takes over its ranking.
func matching(full Answers) []row {
	var found []row
	for _, r := range rows {
		if !r.when.holds(full) {
			continue
		}
		if i := slices.IndexFunc(rows, func(o row) bool { return o.id == r.like }); i >= 0 {
			r.ranked = rows[i].ranked
		}
		found = append(found, r)
	}
	return found
}

// judge ranks the patterns for completed answers.
func judge(full Answers) verdict {
	var v verdict
	for _, r := range matching(full) {
		v.row = r
	}
	var active []effect
	for _, e := range effects {
		if e.when.holds(full) {
			active = append(active, e)
		}
	}
	risky := answeredUnknown(full)
	for _, c := range v.row.ranked {
		if c.shown.holds(full) {
			v.contenders = append(v.contenders, weigh(c, v.row, full, active, risky))
		}
	}
	slices.SortStableFunc(v.contenders, func(x, y contender) int {
		if x.feasible() != y.feasible() {
			return cmp.Compare(len(x.missing), len(y.missing))
		}
		return cmp.Compare(y.score, x.score)
	})
	return v
}

func weigh(c candidate, r row, full Answers, active []effect, risky []Question) contender {
	w := contender{candidate: c}
	w.step(r.id, c.base, r.short)
	if p := PatternOf(c.pattern); p.unsupported != "" {
		w.missing = append(w.missing, p.unsupported)
	}
	if !c.need.holds(full) {
		lacking, closed, open := lack(c.need, full)
		w.missing, w.lacks = append(w.missing, lacking), closed
		if open {
			w.step(unknown, unknownPoints, lacking)
		}
	}
	for _, e := range active {
		if !e.touches(c.pattern) {
			continue
		}
		w.step(e.id, e.points, e.text)
		if e.drop {
			w.missing, w.lacks = append(w.missing, e.id+": "+e.text), append(w.lacks, c.pattern+" "+e.text)
		}
	}
	for _, q := range risky {
		if worst := worstOf(q, c.pattern, full); worst < 0 {
			w.step(unknown, max(worst, unknownPoints), q.Key+" is not known")
		}
	}
	return w
}

// lack says what a condition on capabilities misses, what that closes in few words, and whether it is only for want
// of knowing.
func lack(need cond, full Answers) (missing string, closed []string, open bool) {
	var words []string
	for _, key := range need.keys() {
		q, _ := question(key)
		words = append(words, q.yes+" ("+full[key]+")")
		closed = append(closed, q.no)
		open = open || full[key] == unknown
	}
	return strings.Join(words, " or "), closed, open
}

func (e effect) touches(pattern string) bool {
	return slices.Contains(e.patterns, pattern)
}

// answeredUnknown lists the further questions whose answer is that nobody knows. Not knowing costs a pattern no more
// than the worst answer would.
func answeredUnknown(full Answers) []Question {
	var found []Question
	for i := range questions {
		if q := &questions[i]; q.yes == "" && full[q.Key] == unknown {
			found = append(found, *q)
		}
	}
	return found
}

// worstOf is the least that any answer to q would add to the pattern's score. It tries the answers in full itself,
// and leaves full as it was.
func worstOf(q Question, pattern string, full Answers) int {
	worst, was := 0, full[q.Key]
	for _, e := range effects {
		if !e.touches(pattern) || !e.when.mentions(q.Key) {
			continue
		}
		for _, value := range q.Values {
			if full[q.Key] = value; e.when.holds(full) {
				worst = min(worst, e.points)
			}
		}
		full[q.Key] = was
	}
	return worst
}

// PatternOf finds a pattern by its id; one that does not exist has no title.
func PatternOf(id string) Pattern {
	i := slices.IndexFunc(patterns, func(p Pattern) bool { return p.ID == id })
	if i < 0 {
		return Pattern{ID: id}
	}
	return patterns[i]
}
