package advisor

import (
	"maps"
	"slices"
	"strings"
)

// asker chooses questions for one way of deciding.
type asker struct {
	wanted    func(full Answers) []string // keys of capabilities in the order of asking
	signature func(a Answers) string      // what the person who asks cares about
}

// Next finds the question to ask: the first whose answer can still change the result of Advise. With none left it
// says false. Whoever skips a question answers it unknown.
func Next(a Answers) (Question, bool) { return asker{wantedByRow, signature}.next(a) }

// NextClassic is Next for Classic.
func NextClassic(a Answers) (Question, bool) {
	return asker{wantedByLeaf, classicSignature}.next(a)
}

func (k asker) next(a Answers) (Question, bool) {
	open := k.open(a)
	for _, q := range open {
		if required := q.Key == "initiator" || q.Key == "operation"; required || k.matters(a, q) {
			return q, true
		}
	}
	for _, q := range open {
		if k.mattersWith(a, q, open) {
			return q, true
		}
	}
	return Question{}, false
}

// Outlook is what one answer to a question would lead to.
type Outlook struct {
	Value string
	First string // pattern, "" for none
	Score int
	Rule  string
}

// Outlooks evaluates every answer to q that does not contradict a, leaving all else as it is.
func Outlooks(a Answers, q Question) []Outlook {
	var all []Outlook
	for _, value := range q.Values {
		if changed, sound := a.with(q.Key, value); sound {
			full, _ := changed.completed()
			v := judge(full)
			o := Outlook{Value: value, Rule: v.rule()}
			if best := v.first(); best != nil {
				o.First, o.Score = best.pattern, best.score
			}
			all = append(all, o)
		}
	}
	return all
}

// decisive are the questions that a row, a need or an effect looks at; the others only add advice.
var decisive = decisiveKeys()

func decisiveKeys() map[string]bool {
	found := map[string]bool{}
	note := func(c cond) {
		for _, key := range c.keys() {
			found[key] = true
		}
	}
	for _, r := range rows {
		note(r.when)
		for _, c := range r.ranked {
			note(c.need)
		}
	}
	for _, e := range effects {
		note(e.when)
	}
	return found
}

// open lists what was not answered and can decide, in the order of asking: the situation first, then the capabilities wanted, then
// the rest.
func (k asker) open(a Answers) []Question {
	full, _ := a.completed()
	wanted := k.wanted(full)
	var open []Question
	for i := range questions {
		q := &questions[i]
		if _, answered := a[q.Key]; !answered && decisive[q.Key] {
			open = append(open, *q)
		}
	}
	place := func(q Question) int {
		i := slices.Index(wanted, q.Key)
		switch {
		case q.yes == "" && !q.Unknown:
			return 0
		case i >= 0:
			return 1 + i
		}
		return 1 + len(wanted)
	}
	slices.SortStableFunc(open, func(x, y Question) int { return place(x) - place(y) })
	return open
}

// matters says whether two answers to q lead to different results when all else stays as it is.
func (k asker) matters(a Answers, q Question) bool {
	seen := ""
	for _, value := range q.Values {
		changed, sound := a.with(q.Key, value)
		if !sound {
			continue
		}
		s := k.signature(changed)
		if seen != "" && s != seen {
			return true
		}
		seen = s
	}
	return false
}

// mattersWith says whether q can matter together with one more answer, as when volume moves an API below a file
// that nobody has asked about yet.
func (k asker) mattersWith(a Answers, q Question, open []Question) bool {
	return slices.ContainsFunc(open, func(other Question) bool {
		return other.Key != q.Key && slices.ContainsFunc(other.Values, func(value string) bool {
			changed, sound := a.with(other.Key, value)
			return sound && k.matters(changed, q)
		})
	})
}

// wantedByRow orders capabilities as the matching row ranks them, so that a yes to the best way makes the others
// needless.
func wantedByRow(full Answers) []string {
	var keys []string
	for _, c := range judge(full).row.ranked {
		keys = append(keys, c.need.keys()...)
	}
	return keys
}

// wantedByLeaf orders them as the first picture does: where nothing is known its last leaf holds, which names all.
func wantedByLeaf(full Answers) []string {
	return leafOf(full).when.keys()
}

// signature is the row, the first choice, and the text rules on the trigger, which shape how it is built.
func signature(a Answers) string {
	full, _ := a.completed()
	v := judge(full)
	words := []string{v.row.id, v.row.like, "-"}
	if best := v.first(); best != nil {
		words[2] = best.pattern
	}
	for _, x := range textRules {
		if slices.Contains(x.when.keys(), "frequency") && x.when.holds(full) {
			words = append(words, x.id)
		}
	}
	return strings.Join(words, " ")
}

func classicSignature(a Answers) string {
	full, _ := a.completed()
	words := []string{leafOf(full).id}
	for _, c := range cellsOf(full) {
		words = append(words, c.id)
	}
	return strings.Join(words, " ")
}

// Open names the questions not answered that alone could change the advice. It decides once for every answer to
// each, which is why Advise leaves it to the asker.
func Open(a Answers) []string {
	k := asker{wantedByRow, signature}
	var keys []string
	for _, q := range k.open(a) {
		if k.matters(a, q) {
			keys = append(keys, q.Key)
		}
	}
	return keys
}

// Understand turns what someone typed into an answer to q: the value, its number in the list, or the beginning of
// just one value. The fault says what is expected.
func (q Question) Understand(typed string) (string, error) {
	choices := q.Choices()
	for i, c := range choices {
		if typed == c || typed == string(rune('1'+i)) && !q.AlsoNumber() {
			return c, nil
		}
	}
	if q.accepts(typed) {
		return typed, nil
	}
	begun := slices.DeleteFunc(slices.Clone(choices), func(c string) bool { return !strings.HasPrefix(c, strings.ToLower(typed)) })
	if len(begun) == 1 {
		return begun[0], nil
	}
	return "", checkAnswer(q.Key, typed)
}

// Add gives the answers with one more, or the contradiction it would make.
func (a Answers) Add(key, value string) (Answers, error) {
	changed := maps.Clone(a)
	changed[key] = value
	if c, found := changed.classified().contradiction(); found {
		return nil, c.fault(changed)
	}
	return changed, nil
}
