package advisor_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"headrace/internal/core/fault"
	"headrace/internal/flow/advisor"
)

// each calls visit with every combination of answers to the questions, left open too.
func each(keys []string, visit func(advisor.Answers)) { combine(keys, true, visit) }

func combine(keys []string, leftOpen bool, visit func(advisor.Answers)) {
	a := advisor.Answers{}
	var next func(int)
	next = func(i int) {
		if i == len(keys) {
			visit(a)
			return
		}
		if leftOpen {
			next(i + 1)
		}
		for _, value := range choices(keys[i]) {
			a[keys[i]] = value
			next(i + 1)
		}
		delete(a, keys[i])
	}
	next(0)
}

func choices(key string) []string {
	for _, q := range advisor.Questions() {
		if q.Key == key {
			return q.Choices()
		}
	}
	return nil
}

// Every set of answers that does not contradict itself matches exactly one row. Only the questions that rows test
// can matter to that; they are all there, in all combinations, left open and unknown included.
func TestEveryAnswerMatchesExactlyOneRow(t *testing.T) {
	keys := advisor.RowKeys()
	for _, k := range []string{"initiator", "operation", "records", "frequency", "trigger", "scope"} {
		if !slices.Contains(keys, k) {
			t.Fatalf("no row looks at %s", k)
		}
	}
	sound, reached := 0, map[string]bool{}
	each(keys, func(a advisor.Answers) {
		if a.Check() != nil {
			return
		}
		sound++
		ids := advisor.Matching(a)
		if len(ids) != 1 {
			t.Fatalf("%v matches %v", a, ids)
		}
		reached[ids[0]] = true
	})
	if sound < 10_000 || len(reached) != 15 {
		t.Errorf("%d sound sets reach %d rows: %v", sound, len(reached), reached)
	}
}

// All capabilities in all combinations, under one situation of each row.
func TestCapabilitiesInAllCombinations(t *testing.T) {
	for _, situation := range []string{
		"initiator=us operation=read frequency=one-time",
		"initiator=us operation=read records=many trigger=interval",
		"initiator=us operation=read records=many trigger=interval changes=sequence",
		"initiator=us operation=read records=one trigger=action",
		"initiator=us operation=read records=one trigger=task-closing",
	} {
		checkAll(t, situation, "database", "file", "api", "push", "email")
	}
	for _, situation := range []string{"initiator=app operation=create records=one", "initiator=app operation=create records=many"} {
		checkAll(t, situation, "database", "file", "api", "webservice", "email")
	}
	for _, situation := range []string{"initiator=app operation=read records=one", "initiator=app operation=read records=many"} {
		checkAll(t, situation, "webservice", "odbc", "imports-files")
	}
	for _, situation := range []string{"initiator=us operation=create records=one", "initiator=us operation=create records=many"} {
		checkAll(t, situation, "api", "imports-files", "reads-mailbox", "accepts-database-writes")
	}
}

func checkAll(t *testing.T, situation string, keys ...string) {
	t.Helper()
	combine(keys, false, func(a advisor.Answers) {
		full := given(situation)
		for k, v := range a {
			full[k] = v
		}
		checkLaws(t, full)
	})
}

// Whatever is answered to any of the questions, the laws hold.
func TestRandomAnswersKeepTheLaws(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 11))
	checked := 0
	for checked < 600 {
		a := advisor.Answers{}
		for _, q := range advisor.Questions() {
			if all := q.Choices(); len(all) > 0 && (q.Key == "initiator" || q.Key == "operation" || random.IntN(3) == 0) {
				a[q.Key] = all[random.IntN(len(all))]
			}
		}
		if a.Check() == nil {
			checkLaws(t, a)
			checked++
		}
	}
}

func checkLaws(t *testing.T, a advisor.Answers) {
	t.Helper()
	r := advise(t, a)
	feasible := true
	for i, c := range r.Ranked {
		sum := 0
		for _, s := range c.Arithmetic {
			sum += s.Points
		}
		if sum != c.Score {
			t.Fatalf("%v: the steps of %s add up to %d, not %d", a, c.Pattern, sum, c.Score)
		}
		if c.Feasible != (len(c.Missing) == 0) || (c.Feasible && !feasible) {
			t.Fatalf("%v: %s feasible %v, missing %v, at place %d", a, c.Pattern, c.Feasible, c.Missing, i)
		}
		if i > 0 && c.Feasible == feasible && c.Score > r.Ranked[i-1].Score {
			t.Fatalf("%v: %s with %d stands below %d", a, c.Pattern, c.Score, r.Ranked[i-1].Score)
		}
		feasible = c.Feasible
	}
	if (r.First != nil) != r.Ranked[0].Feasible || (r.First == nil) != (r.Rule == "M12") || (r.First == nil && len(r.Unlocks) == 0) {
		t.Fatalf("%v: first %s, rule %s, unlocks %v", a, firstOf(r), r.Rule, r.Unlocks)
	}
	checkFlips(t, a, r)
	checkUnknownIsNo(t, a, r)
}

// A flip's changed answer, applied, must lead where the flip says.
func checkFlips(t *testing.T, a advisor.Answers, r advisor.Result) {
	t.Helper()
	for _, f := range r.Flips {
		changed, err := a.Add(f.Key, f.To)
		if err != nil {
			t.Fatalf("%v: flip %+v: %v", a, f, err)
		}
		then := advise(t, changed)
		if firstOf(then) != f.First || then.Ranked[0].Score != f.Score || then.Rule != f.Rule || f.First == firstOf(r) {
			t.Fatalf("%v: flip %+v leads to %s %d %s", a, f, firstOf(then), then.Ranked[0].Score, then.Rule)
		}
	}
}

// A capability that nobody knows decides as a no does, and the result names it.
func checkUnknownIsNo(t *testing.T, a advisor.Answers, r advisor.Result) {
	t.Helper()
	denied := advisor.Answers{}
	for k, v := range a {
		denied[k] = v
	}
	for _, key := range r.Unknowns {
		if a[key] != "" && a[key] != "unknown" {
			t.Fatalf("%v: %s is called unknown", a, key)
		}
		denied[key] = "no"
	}
	if no := advise(t, denied); firstOf(no) != firstOf(r) || len(no.Unknowns) != 0 {
		t.Fatalf("%v: unknown gives %s, no gives %s, still unknown %v", a, firstOf(r), firstOf(no), no.Unknowns)
	}
}

// When the interview is over, none of the questions it did not ask changes the first choice, nor any two of them.
func TestInterviewLeavesNothingOpenThatMatters(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 5))
	most := 0
	for range 12 {
		a, asked := advisor.Answers{}, 0
		for q, open := advisor.Next(a); open; q, open = advisor.Next(a) {
			sound := slices.DeleteFunc(q.Choices(), func(v string) bool { _, err := a.Add(q.Key, v); return err != nil })
			a[q.Key] = sound[random.IntN(len(sound))]
			asked++
		}
		most = max(most, asked)
		want := firstOf(advise(t, a))
		for range 50 {
			if b := withTwoMore(random, a); b.Check() == nil && firstOf(advise(t, b)) != want {
				t.Fatalf("%v is decided, yet %v gives %s, not %s", a, b, firstOf(advise(t, b)), want)
			}
		}
	}
	if all := len(advisor.Questions()); most > all/2 {
		t.Errorf("%d questions of %d were asked", most, all)
	}
}

// withTwoMore answers two questions that were left open.
func withTwoMore(random *rand.Rand, a advisor.Answers) advisor.Answers {
	b := advisor.Answers{}
	for k, v := range a {
		b[k] = v
	}
	for len(b) < len(a)+2 {
		q := advisor.Questions()[random.IntN(len(advisor.Questions()))]
		if _, answered := b[q.Key]; !answered && len(q.Values) > 0 {
			b[q.Key] = q.Values[random.IntN(len(q.Values))]
		}
	}
	return b
}

// The shortest ways through: a good answer early makes the rest needless.
func TestInterviewAsksTheBestWayFirst(t *testing.T) {
	a := given("initiator=us operation=read records=many frequency=recurring trigger=interval life=years changes=none")
	for _, step := range []struct{ key, value string }{{"database", "no"}, {"file", "yes"}} {
		q, open := advisor.Next(a)
		if !open || q.Key != step.key {
			t.Fatalf("asks %q, want %q", q.Key, step.key)
		}
		a[step.key] = step.value
	}
	for q, open := advisor.Next(a); open; q, open = advisor.Next(a) {
		if q.Key == "email" || q.Key == "odbc" || q.Key == "imports-files" {
			t.Errorf("asks %s, which cannot matter any more", q.Key)
		}
		a[q.Key] = q.Values[0]
	}
}

// Contradictions are the only reason to refuse answers that are known words.
func TestEveryContradictionIsAFault(t *testing.T) {
	refused := 0
	each([]string{"initiator", "operation", "records", "frequency", "trigger", "scope", "user-waits", "freshness"}, func(a advisor.Answers) {
		if a["initiator"] == "" || a["operation"] == "" {
			return
		}
		if err := a.Check(); err != nil {
			refused++
			if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "contradicts") || fault.HintOf(err) == "" {
				t.Fatalf("%v: %v", a, err)
			}
		}
	})
	if refused == 0 {
		t.Error("nothing contradicts")
	}
}

// The tables name only questions, answers and patterns that exist.
func TestTablesAreWellFormed(t *testing.T) {
	tests, ids := advisor.Uses()
	for key, values := range tests {
		for _, v := range values {
			if !slices.Contains(choices(key), v) {
				t.Errorf("a table tests %s=%s, which nobody can answer", key, v)
			}
		}
	}
	for _, id := range ids {
		if p := advisor.PatternOf(id); p.Title == "" || p.Note == "" {
			t.Errorf("pattern %s has no title or note", id)
		}
	}
}
