package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"headrace/internal/core/fault"
	"headrace/internal/flow/advisor"
)

// interview asks on a terminal. It remembers the answers before each step, so that one can go back.
type interview struct {
	in      *bufio.Reader
	err     io.Writer
	classic bool
	answers advisor.Answers
	before  []advisor.Answers
}

func newInterview(console adviseIO, classic bool) *interview {
	return &interview{in: bufio.NewReader(console.in), err: console.err, classic: classic, answers: advisor.Answers{}}
}

// run asks until no answer can change the result, or the person has said done.
func (i *interview) run() (advisor.Answers, error) {
	fmt.Fprintln(i.err, "Which way of integrating fits? We are this side, the app is the other system.")
	fmt.Fprintln(i.err, "Answer with a word, its beginning or its number; also: back, why, ?, done. Enter: not known.")
	for {
		q, open := i.next()
		if !open {
			return i.answers, nil
		}
		typed, err := i.read(q)
		if err != nil {
			return nil, err
		}
		if typed == "done" && i.answers.Check() == nil {
			return i.answers, nil
		}
		i.handle(q, typed)
	}
}

func (i *interview) next() (advisor.Question, bool) {
	if i.classic {
		return advisor.NextClassic(i.answers)
	}
	return advisor.Next(i.answers)
}

func (i *interview) read(q advisor.Question) (string, error) {
	fmt.Fprintf(i.err, "\n%s\n ", q.Ask)
	for n, value := range q.Choices() {
		fmt.Fprintf(i.err, " %d %s ", n+1, value)
	}
	fmt.Fprint(i.err, "\n> ")
	typed, err := i.in.ReadString('\n')
	typed = strings.ToLower(strings.TrimSpace(typed))
	switch {
	case errors.Is(err, io.EOF) && typed == "":
		return "", fault.New(fault.Canceled, "the input ended before the questions did").WithHint("say done to see the advice so far, or use --answers FILE.yaml")
	case err != nil && !errors.Is(err, io.EOF):
		return "", fault.Wrap(fault.Unavailable, err, "reading an answer")
	}
	return typed, nil
}

func (i *interview) handle(q advisor.Question, typed string) {
	switch typed {
	case "back":
		i.back()
	case "why":
		i.why(q)
	case "?", "help":
		i.help(q)
	case "done":
		fmt.Fprintln(i.err, "  too early: who starts and what happens must be known first")
	default:
		i.answer(q, typed)
	}
}

func (i *interview) back() {
	if len(i.before) == 0 {
		fmt.Fprintln(i.err, "  this is the first question")
		return
	}
	last := len(i.before) - 1
	i.answers, i.before = i.before[last], i.before[:last]
}

// why tells the reason of the question and where each answer leads.
func (i *interview) why(q advisor.Question) {
	fmt.Fprintf(i.err, "  %s\n", q.Why)
	if i.classic {
		return
	}
	for _, o := range advisor.Outlooks(i.answers, q) {
		first := "cannot integrate, as far as known"
		if o.First != "" {
			first = fmt.Sprintf("%s %s (%d)", o.First, advisor.PatternOf(o.First).Title, o.Score)
		}
		fmt.Fprintf(i.err, "    %-22s -> %s, rule %s\n", o.Value, first, o.Rule)
	}
}

func (i *interview) help(q advisor.Question) {
	fmt.Fprintf(i.err, "  one of: %s", strings.Join(q.Choices(), ", "))
	if q.AlsoNumber() {
		fmt.Fprint(i.err, "; or the number of rows")
	}
	fmt.Fprintf(i.err, "\n  who would know: %s\n  back: one question back   why: what it is for   done: the advice so far\n", q.Whom)
}

func (i *interview) answer(q advisor.Question, typed string) {
	if typed == "" && slices.Contains(q.Choices(), "unknown") {
		typed = "unknown"
	}
	value, err := q.Understand(typed)
	var answers advisor.Answers
	if err == nil {
		answers, err = i.answers.Add(q.Key, value)
	}
	if err != nil {
		fmt.Fprintf(i.err, "  %v; %s\n", err, fault.HintOf(err))
		return
	}
	i.before, i.answers = append(i.before, i.answers), answers
	i.standing()
}

// standing shows how the last answer moved the ranking.
func (i *interview) standing() {
	if i.classic {
		return
	}
	r, err := advisor.Advise(i.answers)
	if err != nil {
		return // too early to say
	}
	var words []string
	for _, c := range r.Ranked {
		if c.Feasible {
			words = append(words, fmt.Sprintf("%s %d", c.Pattern, c.Score))
		}
	}
	if len(words) == 0 {
		words = []string{"nothing feasible yet"}
	}
	fmt.Fprintf(i.err, "  so far: %s (row %s)\n", strings.Join(words, ", "), r.Row)
}
