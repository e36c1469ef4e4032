package advisor_test

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"headrace/internal/core/fault"
	"headrace/internal/flow/advisor"
)

// given reads answers as "initiator=us operation=read".
func given(words string) advisor.Answers {
	a := advisor.Answers{}
	for word := range strings.FieldsSeq(words) {
		key, value, _ := strings.Cut(word, "=")
		a[key] = value
	}
	return a
}

func advise(t *testing.T, a advisor.Answers) advisor.Result {
	t.Helper()
	r, err := advisor.Advise(a)
	if err != nil {
		t.Fatalf("advise %v: %v", a, err)
	}
	return r
}

func firstOf(r advisor.Result) string {
	if r.First == nil {
		return "none"
	}
	return *r.First
}

// Every end of the article's flow: what the pictures say to the letter, and what the merged table says instead.
func TestLeavesAreDecidedAsExpected(t *testing.T) {
	expected := []struct{ leaf, classicRule, classicFirst, rule, first string }{
		{"A1", "A1", "P3", "M9", "P3"},
		{"A2", "A2", "none", "M12", "none"},
		{"A3", "A3", "P2", "M2", "P2"},
		{"A4", "A4", "P1", "M2", "P1"},
		{"A5", "A5", "P4", "M2", "P4"},
		{"A6", "A6", "none", "M12", "none"},
		{"A7", "A7", "P7", "M5", "P7"},
		{"A8", "A8", "P5", "M5", "P5"},
		{"A9", "A9", "P8", "M12", "none"},
		{"A10", "A10", "none", "M12", "none"},
		{"A11", "A11", "P6", "M8", "P6"},
		{"A12", "A12", "P8", "M8", "P8"},
		{"A13", "A13", "none", "M12", "none"},
		{"B1", "A3", "P2", "M2", "P2"},
		{"B2", "A4", "P1", "M2", "P1"},
		{"B3", "A8", "P5", "M6", "P5"},
		{"B4", "A7", "P7", "M6", "P7"},
		{"B5", "A8", "P5", "M5", "P5"},
		{"B6", "A8", "P5", "M5", "P5"},
		{"B7", "A7", "P7", "M5", "P7"},
		{"B8", "A11", "P6", "M8", "P6"},
		{"B9", "A11", "P6", "M8", "P6"},
		{"B10", "A12", "P8", "M8", "P8"},
		{"X1", "A4", "P1", "M1", "P1"},
		{"X2", "A3", "P2", "M3", "P2"},
		{"X3", "A1", "P3", "M9", "P3"},
		{"X4", "A1", "P3", "M11", "P3"},
		{"X5", "A5", "P4", "M4", "P3"},
		{"X6", "A3", "P2", "M2", "P2"},
		{"X7", "A4", "P1", "M2", "P1"},
		{"X8", "A6", "none", "M2", "P5"},
	}
	leaves := advisor.Leaves()
	if len(leaves) != len(expected) {
		t.Fatalf("%d leaves, want %d", len(leaves), len(expected))
	}
	for i, want := range expected {
		leaf := leaves[i]
		classic, err := advisor.Classic(leaf.Given)
		if err != nil {
			t.Fatalf("%s classic: %v", leaf.ID, err)
		}
		corrected := advise(t, leaf.Given)
		got := []string{leaf.ID, classic.Rule, firstOf(classic), corrected.Rule, firstOf(corrected)}
		if wanted := []string{want.leaf, want.classicRule, want.classicFirst, want.rule, want.first}; !slices.Equal(got, wanted) {
			t.Errorf("leaf, classic, corrected: %v, want %v", got, wanted)
		}
		if strings.HasPrefix(leaf.ID, "X") && !slices.ContainsFunc(corrected.Texts, func(n advisor.Note) bool { return n.Rule == leaf.ID }) {
			t.Errorf("%s is not cited by its own example: %v", leaf.ID, corrected.Texts)
		}
	}
}

// The first picture's tests go left to right; what is not asked must not matter.
func TestPicture1AsksLeftToRight(t *testing.T) {
	for _, c := range []struct{ answers, rule string }{
		{"initiator=us operation=create api=yes database=yes email=yes", "A1"},
		{"initiator=us operation=create api=no imports-files=yes reads-mailbox=yes", "A2"},
		{"initiator=us operation=read database=yes file=yes api=yes", "A3"},
		{"initiator=us operation=read database=unknown file=yes api=yes", "A4"},
		{"initiator=app operation=create email=yes webservice=yes", "A7"},
		{"initiator=app operation=create email=no webservice=yes odbc=yes", "A8"},
		{"initiator=app operation=create email=no webservice=no odbc=yes database=yes", "A9"},
		{"initiator=app operation=read webservice=yes odbc=yes", "A11"},
		{"initiator=app operation=read webservice=no odbc=no imports-files=yes", "A13"},
	} {
		r, err := advisor.Classic(given(c.answers))
		if err != nil || r.Rule != c.rule {
			t.Errorf("%s: rule %s, %v, want %s", c.answers, r.Rule, err, c.rule)
		}
	}
}

func TestPicture2Preferences(t *testing.T) {
	for _, c := range []struct{ answers, cells string }{
		{"initiator=us operation=read records=many", "B1 P2, B2 P1, B3 P5, B4 P7"},
		{"initiator=app operation=create records=many", "B1 P2, B2 P1, B3 P5, B4 P7"},
		{"initiator=app operation=create records=one", "B5 P5, B6 P5, B7 P7"},
		{"initiator=app operation=read records=many", "B8 P6, B9 P6, B10 P8"},
		{"initiator=app operation=read records=one", ""},
		{"initiator=us operation=create records=many", ""},
	} {
		r, err := advisor.Classic(given(c.answers))
		if err != nil {
			t.Fatal(err)
		}
		var cells []string
		for _, p := range r.Preferences {
			cells = append(cells, p.ID+" "+p.Pattern)
		}
		if got := strings.Join(cells, ", "); got != c.cells {
			t.Errorf("%s: %q, want %q", c.answers, got, c.cells)
		}
	}
}

// The merged table with every capability there: the whole order of each row, with its base ranks.
func TestMergedRowsRankAsWritten(t *testing.T) {
	const all = " database=yes file=yes api=yes webservice=yes email=yes odbc=yes push=yes imports-files=yes reads-mailbox=yes accepts-database-writes=yes"
	const interval = "initiator=us operation=read records=many frequency=recurring trigger=interval scope=full-set"
	for _, c := range []struct{ answers, rule, order string }{
		{"initiator=us operation=read records=many frequency=one-time", "M1", "P1 100, P2 80, P4 60, P5 40, P7 20"},
		{interval + " life=weeks", "M1", "P1 100, P2 80, P4 60, P5 40, P7 20"},
		{interval, "M2", "P2 100, P1 80, P5 60, P4 40, P7 20"},
		{interval + " changes=hash", "M2", "P2 100, P1 80, P5 60, P4 40, P7 20"},
		{interval + " changes=modified-stamp", "M3", "P2 100, P4 80, P1 60, P5 40, P7 20"},
		{"initiator=us operation=read records=one trigger=action", "M4", "P3 100, P2 80, P1 60, P5 40"},
		{"initiator=app operation=create records=one", "M5", "P5 100, P7 80, P4 60, P2 40, P1 20"},
		{"initiator=app operation=create records=many frequency=one-time", "M6", "P2 100, P1 80, P5 60, P7 40, P4 20"},
		{"initiator=app operation=read records=one", "M7", "P6 100, P8 80, P9 60"},
		{"initiator=app operation=read records=many", "M8", "P6 100, P8 80, P9 60"},
		{"initiator=app operation=read records=many volume=50001", "M8", "P8 100, P9 80, P6 30"},
		{"initiator=us operation=create records=one", "M9", "P3 100, P10 80, P9 40"},
		{"initiator=us operation=create records=many", "M10", "P3 100, P9 80"},
		{"initiator=us operation=read records=one trigger=task-closing", "M11", "P3 100, P2 80, P1 60, P5 40"},
		{"initiator=us operation=read scope=full-set trigger=task-closing", "M11", "P2 100, P1 80, P5 60, P4 40, P7 20"},
		{"initiator=us operation=create records=one trigger=task-closing", "M11", "P3 100, P10 80, P9 40"},
		{"initiator=us operation=create records=many trigger=task-closing", "M11", "P3 100, P9 80"},
	} {
		r := advise(t, given(c.answers+all))
		var order []string
		for _, choice := range r.Ranked {
			if choice.Feasible {
				order = append(order, choice.Pattern+" "+strconv.Itoa(choice.Score))
			}
		}
		if got := strings.Join(order, ", "); got != c.order || r.Rule != c.rule {
			t.Errorf("%s: %s %s, want %s %s", c.answers, r.Rule, got, c.rule, c.order)
		}
	}
}

func TestNothingFeasibleListsUnlocksCheapestFirst(t *testing.T) {
	for _, c := range []struct{ answers, unlock, first string }{
		{"initiator=us operation=create", "A2", "an import folder that it watches"},
		{"initiator=us operation=read", "A6", "a scheduled report, saved or mailed as CSV"},
		{"initiator=app operation=create", "A10", "we pull instead: database, file or API"},
		{"initiator=app operation=read", "A13", "an ODBC or JDBC driver on its host"},
	} {
		r := advise(t, given(c.answers))
		if r.First != nil || r.Rule != "M12" || len(r.Unlocks) == 0 || r.Unlocks[0].Rule != c.unlock || r.Unlocks[0].Text != c.first {
			t.Errorf("%s: first %s rule %s unlocks %v", c.answers, firstOf(r), r.Rule, r.Unlocks)
		}
		if last := r.Unlocks[len(r.Unlocks)-1]; last.Rule != "unknown" || last.Ask == "" {
			t.Errorf("%s: the unknowns are not named with whom to ask: %v", c.answers, r.Unlocks)
		}
	}
}

func TestScoresFollowTheFurtherQuestions(t *testing.T) {
	const full = "initiator=us operation=read records=many frequency=recurring trigger=interval database=yes file=yes api=yes push=yes email=yes "
	for _, c := range []struct{ answers, pattern, arithmetic string }{
		{full + "volume=60000", "P4", "40 M2, -30 V"},
		{full + "latency=seconds", "P2", "100 M2, -100 L"},
		{full + "rate-window=exceeded", "P4", "40 M2, -50 R"},
		{full + "personal-data=personal", "P7", "20 M2, -100 P"},
		{full + "deletes=absent", "P5", "60 M2, -20 D"},
		{full + "connector=database", "P2", "100 M2, 25 N2"},
		{full + "zone=behind-firewall", "P1", "80 M2, -10 Z"},
		{full + "latency=unknown", "P2", "100 M2, -15 unknown"},
		{full + "route-cost=unknown", "P2", "100 M2, -1 unknown"},
		{full + "latency=unknown", "P5", "60 M2"},
		{"initiator=us operation=read file=yes", "P2", "100 M2, -15 unknown"},
	} {
		r := advise(t, given(c.answers))
		i := slices.IndexFunc(r.Ranked, func(x advisor.Choice) bool { return x.Pattern == c.pattern })
		var steps []string
		for _, s := range r.Ranked[i].Arithmetic {
			steps = append(steps, strconv.Itoa(s.Points)+" "+s.Rule)
		}
		if got := strings.Join(steps, ", "); got != c.arithmetic {
			t.Errorf("%s: %s is %s, want %s", c.answers, c.pattern, got, c.arithmetic)
		}
	}
}

func TestUnsupportedPatternsAreNamedAndNeverChosen(t *testing.T) {
	r := advise(t, given("initiator=us operation=create records=one api=no accepts-database-writes=yes consumers=many"))
	for _, id := range []string{"P11", "P12"} {
		i := slices.IndexFunc(r.Ranked, func(c advisor.Choice) bool { return c.Pattern == id })
		if i < 0 || r.Ranked[i].Feasible || r.Ranked[i].Available || !strings.Contains(strings.Join(r.Ranked[i].Missing, " "), "not supported") {
			t.Errorf("%s is not named as unsupported: %+v", id, r.Ranked)
		}
	}
	if r.First != nil {
		t.Errorf("first is %s", *r.First)
	}
}

func TestWhatDoesNotRunYetKeepsItsRankAndSaysSo(t *testing.T) {
	r := advise(t, given("initiator=us operation=read records=many frequency=recurring database=yes file=yes push=yes"))
	for i, want := range []string{"P2", "P1"} {
		if r.Ranked[i].Pattern != want || !r.Ranked[i].Available {
			t.Errorf("choice %d is %+v, want %s, which runs", i, r.Ranked[i], want)
		}
	}
	r = advise(t, given("initiator=app operation=create records=one email=yes"))
	if firstOf(r) != "P7" || r.Ranked[0].Available || r.Ranked[0].Note == "" {
		t.Errorf("a pattern that does not run yet must keep its rank and say so: %+v", r.Ranked[0])
	}
}

func TestRateWindowIsComputed(t *testing.T) {
	base := "initiator=us operation=read records=many api=yes page-size=100 calls-per-minute=10 "
	for _, c := range []struct{ answers, first, sum string }{
		{base + "volume=20000 window-minutes=20", "P4", "20000 rows / 100 a page / 10 calls a minute = 20 minutes, window 20 minutes"},
		{base + "volume=20001 window-minutes=20", "P4", "20001 rows / 100 a page / 10 calls a minute = 21 minutes, window 20 minutes"},
		{base + "volume=1k-50k window-minutes=50", "P4", "50000 rows / 100 a page / 10 calls a minute = 50 minutes, window 50 minutes"},
	} {
		r := advise(t, given(c.answers))
		if firstOf(r) != c.first || r.Warnings[0].Text != c.sum {
			t.Errorf("%s: %v", c.answers, r.Warnings)
		}
		exceeded := slices.ContainsFunc(r.Ranked[0].Arithmetic, func(s advisor.Step) bool { return s.Rule == "R" })
		if want := strings.Contains(c.sum, "= 21"); exceeded != want {
			t.Errorf("%s: rate window exceeded is %v", c.answers, exceeded)
		}
	}
}

func TestContradictionsNameBothKeysAndTheMend(t *testing.T) {
	for _, c := range []struct{ answers, one, other string }{
		{"initiator=app operation=create trigger=task-closing", "initiator: app", "trigger: task-closing"},
		{"initiator=app operation=read scope=requested-record", "initiator: app", "scope: requested-record"},
		{"initiator=us operation=create scope=requested-record", "operation: create", "scope: requested-record"},
		{"initiator=us operation=read records=one scope=full-set", "records: one", "scope: full-set"},
		{"initiator=us operation=read records=many scope=requested-record", "records: many", "scope: requested-record"},
		{"initiator=us operation=read frequency=one-time trigger=interval", "frequency: one-time", "trigger: interval"},
		{"initiator=us operation=read user-waits=yes latency=next-day", "user-waits: yes", "latency: next-day"},
		{"initiator=us operation=read freshness=look-up scope=full-set", "freshness: look-up", "scope: full-set"},
		{"initiator=us operation=create records=one volume=70000", "records: one", "volume: 70000"},
	} {
		_, err := advisor.Advise(given(c.answers))
		if fault.KindOf(err) != fault.Invalid || fault.HintOf(err) == "" || !strings.Contains(err.Error(), c.one) || !strings.Contains(err.Error(), c.other) {
			t.Errorf("%s: %v (hint %q)", c.answers, err, fault.HintOf(err))
		}
	}
}

func TestParseTellsThePlace(t *testing.T) {
	for _, c := range []struct{ name, text, message, hint string }{
		{"unknown key", "initiator: us\noperatoin: read\n", `a.yaml:2:1: unknown answer "operatoin"`, `did you mean "operation"?`},
		{"unknown value", "initiator: us\noperation: raed\n", `a.yaml:2:12: operation: "raed" is not an answer`, `did you mean "read"?`},
		{"no such answer", "initiator: unknown\noperation: read\n", `a.yaml:1:12: initiator: "unknown" is not an answer`, "the answers are us, app"},
		{"twice", "initiator: us\ninitiator: app\n", "a.yaml:2:1", "write lines"},
		{"nested", "initiator:\n  us: yes\n", "a.yaml:2:", "write initiator: value"},
		{"list", "- us\n", "a.yaml:1:1: answers are a mapping", "initiator: us"},
		{"empty", "", "a.yaml: no answers", "initiator"},
		{"comment only", "# nothing\n", "a.yaml: no answers", "initiator"},
		{"broken", "initiator: [us\n", "a.yaml:1:", "write lines"},
		{"missing", "operation: read\n", "a.yaml: initiator is not answered", "add initiator: us or app"},
		{"second document", "initiator: us\noperation: read\n---\ninitiator: app\n", "a.yaml:4:", "one file"},
		{"contradiction", "trigger: action\ninitiator: app\noperation: read\n", "a.yaml:1:1: initiator: app contradicts trigger: action: a record event here cannot start what the app starts (line 2)", "leave trigger out"},
		{"number", "initiator: us\noperation: read\npage-size: 0\n", `a.yaml:3:12: page-size: "0" is not an answer`, "whole number"},
		{"null", "initiator: us\noperation:\n", `a.yaml:2:`, "the answers are create, read"},
	} {
		_, err := advisor.Parse("a.yaml", []byte(c.text))
		if fault.KindOf(err) != fault.Invalid || err == nil || !strings.HasPrefix(err.Error(), c.message) || !strings.Contains(fault.HintOf(err), c.hint) {
			t.Errorf("%s: %v (hint %q), want %s (%s)", c.name, err, fault.HintOf(err), c.message, c.hint)
		}
	}
}

func TestParseTakesBooleansAndNotes(t *testing.T) {
	a, err := advisor.Parse("a.yaml", []byte("story: any text\ninitiator: us\noperation: read\ndatabase: true\nfile: no\nvolume: 1200\n"))
	if err != nil || a["database"] != "yes" || a["file"] != "no" || a["volume"] != "1200" || a["story"] != "" {
		t.Errorf("%v, %v", a, err)
	}
}

// Forty plans in plain words, each with the choice argued from the rules.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/stories/*.yaml")
	if err != nil || len(files) != 40 {
		t.Fatalf("%d stories, want 40 (%v)", len(files), err)
	}
	seen := map[string]string{}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var story struct {
				Story  string
				Expect struct{ First, Rule, Why string }
			}
			if err := yaml.Unmarshal(data, &story); err != nil || story.Story == "" || story.Expect.Why == "" {
				t.Fatalf("no story or no reason: %v", err)
			}
			a, err := advisor.Parse(file, data)
			if err != nil {
				t.Fatal(err)
			}
			var key strings.Builder
			for _, g := range a.Given() {
				key.WriteString(g[0] + "=" + g[1] + " ")
			}
			if other, twice := seen[key.String()]; twice {
				t.Errorf("the same answers as %s", other)
			}
			seen[key.String()] = file
			if r := advise(t, a); firstOf(r) != story.Expect.First || r.Rule != story.Expect.Rule {
				t.Errorf("first %s rule %s, want %s %s", firstOf(r), r.Rule, story.Expect.First, story.Expect.Rule)
			}
		})
	}
}

func TestOpenNamesWhatCouldStillChangeTheAdvice(t *testing.T) {
	a := given("initiator=us operation=create records=one frequency=recurring trigger=action")
	if got := advisor.Open(a); !slices.Equal(got, []string{"api", "reads-mailbox", "imports-files"}) {
		t.Errorf("open: %v", got)
	}
	a["api"] = "yes"
	if got := advisor.Open(a); slices.Contains(got, "imports-files") || !slices.Contains(got, "zone") {
		t.Errorf("open with an API: %v", got)
	}
}
