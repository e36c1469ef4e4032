// Package advisor answers "which way of integrating fits?". The decision flow is data (data_*.go): an article's two
// pictures and text rules as they stand, the corrected merge of them that is used by default, scores, and what would
// unlock a way. The code reads tables; it knows no pattern and no question by name, but for who starts and what
// happens, without which nothing can be said.
package advisor

import (
	"maps"
	"slices"
	"strings"
)

// Result is the advice for one set of answers.
type Result struct {
	First   *string  `json:"first"`  // the pattern to use; nil for "cannot integrate"
	Rule    string   `json:"rule"`   // the row that decided: M1 to M12, classic A1 to A13
	Row     string   `json:"row"`    // the row of the situation, also where nothing is feasible
	Reason  string   `json:"reason"` // why this row ranks as it does
	Ranked  []Choice `json:"ranked"`
	Flips   []Flip   `json:"flips"`
	Unlocks []Unlock `json:"unlocks"`

	Texts       []Note       `json:"texts"`     // rules of the article's text that apply
	Warnings    []Note       `json:"warnings"`  // advice that follows from answers
	Assumed     []string     `json:"assumed"`   // answers that were guessed
	Unknowns    []string     `json:"unknowns"`  // capabilities counted as no because nobody knows
	Open        []string     `json:"open"`      // questions left open that alone could change the result; see Open
	Artefacts   []Artefact   `json:"artefacts"` // what the first choice is made of
	Preferences []Preference `json:"preferences,omitempty"`
	Path        []Turn       `json:"path"`

	full Answers
}

// Situation is the answers that were decided on: those given, and the guesses of Assumed.
func (r Result) Situation() Answers { return maps.Clone(r.full) }

// Choice is one pattern of the ranking. Feasible ones come first, by score.
type Choice struct {
	Pattern   string   `json:"pattern"`
	Title     string   `json:"title"`
	Feasible  bool     `json:"feasible"`
	Available bool     `json:"available"` // whether Headrace itself can run it today
	Score     int      `json:"score"`
	Reasons   []string `json:"reasons"`
	Missing   []string `json:"missing"` // what makes it infeasible

	Note       string `json:"note"` // what of it runs today
	Arithmetic []Step `json:"arithmetic"`

	lacks []string // what closes it, in few words
}

// Flip is a changed answer under which another pattern would come first.
type Flip struct {
	Key   string `json:"key"`
	From  string `json:"from"`
	To    string `json:"to"`
	What  string `json:"what"` // the change in words
	First string `json:"first"`
	Score int    `json:"score"`
	Rule  string `json:"rule"`
}

// Unlock is something that would open a way where there is none, cheapest first.
type Unlock struct {
	Rule string `json:"rule"`
	Text string `json:"text"`
	Ask  string `json:"ask,omitempty"` // whom to ask about an unknown
}

// Artefact is a part that has to be made for the first choice.
type Artefact struct {
	Name     string `json:"name"`
	Required bool   `json:"required"` // else only often
}

// Preference is a cell of the article's second picture, classic only.
type Preference struct {
	ID      string `json:"id"`
	Pattern string `json:"pattern"`
	Way     string `json:"way"`
}

// Turn is a question that the decision went through.
type Turn struct {
	Key    string `json:"key"`
	Ask    string `json:"ask"`
	Answer string `json:"answer"`
}

// Advise decides by the corrected, merged table. The fault is that of Check.
func Advise(a Answers) (Result, error) {
	if err := a.Check(); err != nil {
		return Result{}, err
	}
	full, assumed := a.completed()
	v := judge(full)
	r := Result{Rule: v.rule(), Row: v.row.id, Reason: v.row.reason, Assumed: assumed, full: full}
	for _, c := range v.contenders {
		r.Ranked = append(r.Ranked, choiceOf(c, v.row, full))
	}
	if best := v.first(); best != nil {
		r.First = &r.Ranked[0].Pattern
		r.Artefacts = partsOf(best.pattern, full)
	}
	r.Texts, r.Warnings = textsOf(full), warningsOf(a, full)
	r.Unknowns = unknownsOf(v, full)
	r.Flips = flipsOf(a, full, v)
	if r.First == nil {
		r.Unlocks = unlocksOf(full, r.Flips)
	}
	r.Path = pathOf(full, v.row.when.keys())
	return r.withoutNil(), nil
}

// withoutNil makes empty lists of missing ones, so that JSON shows [] for them.
func (r Result) withoutNil() Result {
	r.Ranked, r.Flips, r.Unlocks = list(r.Ranked), list(r.Flips), list(r.Unlocks)
	r.Texts, r.Warnings, r.Artefacts, r.Path = list(r.Texts), list(r.Warnings), list(r.Artefacts), list(r.Path)
	r.Assumed, r.Unknowns, r.Open = list(r.Assumed), list(r.Unknowns), list(r.Open)
	return r
}

func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

func choiceOf(c contender, r row, full Answers) Choice {
	p := PatternOf(c.pattern)
	title := c.title
	if title == "" {
		title = p.Title
	}
	choice := Choice{Pattern: p.ID, Title: strings.ReplaceAll(title, "{cadence}", cadence(full)), Feasible: c.feasible(), Available: len(p.Runs) > 0,
		Score: c.score, Missing: list(c.missing), Note: p.Note, Arithmetic: c.steps, lacks: c.lacks}
	choice.Reasons = append(choice.Reasons, r.id+": "+r.reason)
	for id := range strings.FieldsSeq(c.cites) {
		choice.Reasons = append(choice.Reasons, strings.TrimSuffix(id+": "+citation(id), ": "))
	}
	for _, s := range c.steps[1:] {
		choice.Reasons = append(choice.Reasons, s.Rule+": "+s.Text)
	}
	return choice
}

// citation is the text of a rule of the source, "" for one that speaks through its id alone.
func citation(id string) string {
	for _, x := range textRules {
		if x.id == id {
			return x.text
		}
	}
	for _, l := range picture1 {
		if l.id == id {
			return l.outcome
		}
	}
	for _, c := range picture2 {
		if c.id == id {
			return c.place + ": " + c.way
		}
	}
	return defects[id]
}

func cadence(full Answers) string {
	for _, c := range cadences {
		if c.when.holds(full) {
			return c.word
		}
	}
	return ""
}

func partsOf(pattern string, full Answers) []Artefact {
	parts := PatternOf(pattern).artefacts
	for _, x := range textRules {
		if x.when.holds(full) {
			parts = join(parts, x.artefacts)
		}
	}
	var named []Artefact
	for _, p := range parts {
		known := slices.IndexFunc(named, func(n Artefact) bool { return n.Name == p.name })
		switch {
		case !p.when.holds(full):
		case known < 0:
			named = append(named, Artefact{p.name, !p.often})
		case !p.often:
			named[known].Required = true
		}
	}
	return named
}

func textsOf(full Answers) []Note {
	var found []Note
	for _, x := range textRules {
		if x.when.holds(full) {
			found = append(found, Note{x.id, x.text})
		}
	}
	return found
}

func warningsOf(a, full Answers) []Note {
	var found []Note
	if r, ok := a.runTime(); ok {
		found = append(found, Note{"R", r.String()})
	}
	for _, w := range advices {
		if w.when.holds(full) {
			found = append(found, Note{w.id, w.text})
		}
	}
	return found
}

// unknownsOf lists the capabilities that this row misses and nobody knows.
func unknownsOf(v verdict, full Answers) []string {
	var found []string
	for _, c := range v.contenders {
		if c.need.holds(full) {
			continue
		}
		for _, key := range c.need.keys() {
			if full[key] == unknown && !slices.Contains(found, key) {
				found = append(found, key)
			}
		}
	}
	return found
}

// flipsOf tries every better answer by itself and keeps those that change the first choice.
func flipsOf(a, full Answers, now verdict) []Flip {
	var found []Flip
	for _, q := range questions {
		if q.yes == "" && a[q.Key] == "" {
			continue
		}
		for _, better := range q.better {
			changed, sound := a.with(q.Key, better)
			if full[q.Key] == better || !sound {
				continue
			}
			then, _ := changed.completed()
			v := judge(then)
			best := v.first()
			if best == nil || (now.first() != nil && now.first().pattern == best.pattern) {
				continue
			}
			found = append(found, Flip{q.Key, full[q.Key], better, q.inWords(better), best.pattern, best.score, v.rule()})
		}
	}
	return found
}

func (q Question) inWords(value string) string {
	if value == yes && q.yes != "" {
		return q.yes
	}
	return q.Key + " " + value
}

func unlocksOf(full Answers, flips []Flip) []Unlock {
	var found []Unlock
	for _, u := range unlocks {
		if !u.when.holds(full) {
			continue
		}
		for _, step := range u.steps {
			found = append(found, Unlock{Rule: u.id, Text: step})
		}
	}
	for _, f := range flips {
		if f.From == unknown {
			q, _ := question(f.Key)
			found = append(found, Unlock{Rule: unknown, Text: f.What + ": if so, " + f.First, Ask: q.Whom})
		}
	}
	return found
}

// Cannot says in words why there is no way, "" where there is one.
func (r Result) Cannot() string {
	if r.First != nil {
		return ""
	}
	var why []string
	for _, u := range unlocks {
		if u.when.holds(r.full) {
			why = append(why, u.say)
		}
	}
	return strings.Join(why, "; ")
}

// Because gives the situation and the better ranked ways that are closed, "full set, no database access".
func (r Result) Because() string {
	words := []string{}
	for _, c := range r.Ranked {
		if len(words) == 0 {
			words = append(words, c.Arithmetic[0].Text)
		}
		if !c.Feasible && r.First != nil && c.Arithmetic[0].Points > r.Ranked[0].Arithmetic[0].Points {
			words = append(words, c.lacks...)
		}
	}
	return strings.Join(words, ", ")
}

func pathOf(full Answers, keys []string) []Turn {
	var turns []Turn
	for _, q := range questions {
		if slices.Contains(keys, q.Key) && full[q.Key] != "" {
			turns = append(turns, Turn{q.Key, q.Ask, full[q.Key]})
		}
	}
	return turns
}

// Given lists the answers as key and value in the order of the questions.
func (a Answers) Given() [][2]string {
	var given [][2]string
	for _, q := range questions {
		if v, found := a[q.Key]; found {
			given = append(given, [2]string{q.Key, v})
		}
	}
	return given
}
