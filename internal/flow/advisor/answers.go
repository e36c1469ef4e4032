package advisor

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// Answers are what is known about a planned integration: question key -> value. A key that is missing was not
// answered; "unknown" was answered with "nobody knows".
type Answers map[string]string

// Questions lists every input of the flow, in the order of asking.
func Questions() []Question { return slices.Clone(questions) }

func question(key string) (Question, bool) {
	i := slices.IndexFunc(questions, func(q Question) bool { return q.Key == key })
	if i < 0 {
		return Question{}, false
	}
	return questions[i], true
}

// Check says what is wrong with the answers: an unknown key, an unknown value, two answers that contradict each
// other, or who starts and what happens left open. The fault is Invalid and its hint says how to mend it.
func (a Answers) Check() error {
	for _, key := range slices.Sorted(maps.Keys(a)) {
		if err := checkAnswer(key, a[key]); err != nil {
			return err
		}
	}
	if c, found := a.classified().contradiction(); found {
		return c.fault(a)
	}
	for _, key := range []string{"initiator", "operation"} {
		if a[key] == "" {
			q, _ := question(key)
			return fault.New(fault.Invalid, "%s is not answered", key).WithHint("add %s: %s", key, strings.Join(q.Values, " or "))
		}
	}
	return nil
}

func checkAnswer(key, value string) *fault.Error {
	q, found := question(key)
	if !found {
		return fault.New(fault.Invalid, "unknown answer %q", key).WithHint("%s", suggest(key, keysOfAll(), "the keys are"))
	}
	if q.accepts(value) {
		return nil
	}
	return fault.New(fault.Invalid, "%s: %q is not an answer", key, value).WithHint("%s", q.expects(value))
}

func (q Question) accepts(value string) bool {
	if q.number || q.lines != nil {
		if n, err := strconv.Atoi(value); err == nil {
			return n > 0
		}
	}
	return slices.Contains(q.Choices(), value)
}

// Choices are the values that can be chosen, unknown included where it is an answer.
func (q Question) Choices() []string {
	if q.Unknown {
		return append(slices.Clone(q.Values), unknown)
	}
	return q.Values
}

func (q Question) expects(value string) string {
	switch {
	case q.number:
		return "give a whole number above zero"
	case q.lines != nil:
		return suggest(value, q.Choices(), "give a number of rows, or one of")
	}
	return suggest(value, q.Choices(), "the answers are")
}

// AlsoNumber says whether a whole number is an answer as well.
func (q Question) AlsoNumber() bool { return q.number || q.lines != nil }

func keysOfAll() []string {
	keys := make([]string, len(questions))
	for i, q := range questions {
		keys[i] = q.Key
	}
	return keys
}

func (a Answers) contradiction() (conflict, bool) {
	i := slices.IndexFunc(conflicts, func(c conflict) bool { return c.when.holds(a) })
	if i < 0 {
		return conflict{}, false
	}
	return conflicts[i], true
}

func (c conflict) fault(a Answers) *fault.Error {
	return fault.New(fault.Invalid, "%s: %s contradicts %s: %s: %s", c.a, a[c.a], c.b, a[c.b], c.reason).WithHint("%s", c.mend)
}

// with gives a copy with one more answer, and whether the copy is free of contradictions.
func (a Answers) with(key, value string) (Answers, bool) {
	c := maps.Clone(a)
	c[key] = value
	_, clash := c.classified().contradiction()
	return c, !clash
}

// completed gives the answers the tables work on: numbers put into classes, gaps filled, unanswered capabilities
// unknown. assumed names what was guessed.
func (a Answers) completed() (full Answers, assumed []string) {
	full = a.classified()
	for _, f := range fills {
		if full[f.key] == "" && f.when.holds(full) {
			full[f.key] = f.value
			if f.assume {
				assumed = append(assumed, f.key+": "+f.value)
			}
		}
	}
	for i := range questions {
		if q := &questions[i]; q.yes != "" && full[q.Key] == "" {
			full[q.Key] = unknown
		}
	}
	return full, assumed
}

// classified replaces numbers by their classes, and derives rate-window where the numbers for it were given.
func (a Answers) classified() Answers {
	c := maps.Clone(a)
	if r, ok := a.runTime(); ok && c["rate-window"] == "" {
		c["rate-window"] = "fits"
		if r.minutes > r.window {
			c["rate-window"] = "exceeded"
		}
	}
	for i := range questions {
		q := &questions[i]
		if q.lines == nil || c[q.Key] == "" {
			continue
		}
		if n, err := strconv.Atoi(c[q.Key]); err == nil {
			c[q.Key] = q.classOf(n).value
		}
	}
	return c
}

func (q *Question) classOf(n int) line {
	for _, l := range q.lines {
		if n < l.below {
			return l
		}
	}
	return q.lines[len(q.lines)-1]
}

// runTime is how long an API pull takes under the app's rate limit; minutes and window are in minutes.
type runTime struct{ rows, page, rate, minutes, window int }

func (a Answers) runTime() (runTime, bool) {
	if a["page-size"] == "" {
		return runTime{}, false
	}
	number := func(key string) int { n, _ := strconv.Atoi(a[key]); return max(n, 0) }
	r := runTime{rows: number("volume"), page: number("page-size"), rate: number("calls-per-minute"), window: number("window-minutes")}
	if q, _ := question("volume"); r.rows == 0 {
		for _, l := range q.lines {
			if l.value == a["volume"] {
				r.rows = l.rows
			}
		}
	}
	if r.rows == 0 || r.page == 0 || r.rate == 0 || r.window == 0 {
		return runTime{}, false
	}
	calls := (r.rows-1)/r.page + 1
	r.minutes = (calls-1)/r.rate + 1
	return r, true
}

func (r runTime) String() string {
	return fmt.Sprintf("%d rows / %d a page / %d calls a minute = %d minutes, window %d minutes", r.rows, r.page, r.rate, r.minutes, r.window)
}

// suggest lists the known words, led by the nearest when word looks like a slip of it.
func suggest(word string, known []string, lead string) string {
	all := fmt.Sprintf("%s %s", lead, strings.Join(known, ", "))
	if near := record.Nearest(strings.ToLower(word), known); near != "" {
		return fmt.Sprintf("did you mean %q? %s", near, all)
	}
	return all
}
