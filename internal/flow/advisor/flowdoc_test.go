package advisor_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"headrace/internal/flow/advisor"
	"headrace/internal/flow/advisor/scaffold"
)

var update = flag.Bool("update", false, "write docs/flow.md anew")

const flowDoc = "../../../docs/flow.md"

const flowHead = `# The decision flow, leaf by leaf

Written by ` + "`go test ./internal/flow/advisor -update`" + `; the test fails when this page and the tables differ.

A: rows of the article's first picture. B: cells of its second picture. X: rules of its text. *Classic* is what the
article says, defects included (` + "`headrace advise --classic`" + `); *corrected* is the first choice of the merged table, its
row and its score (` + "`headrace advise`" + `). What a situation does not name is taken as not known, which counts as no.
A state is *runs* where Headrace itself can run the corrected choice on that store today, and *drafted* where
` + "`headrace advise --create`" + ` writes a project for it that lints, applies and passes its own tests on that store.

`

// docs/flow.md is the table of all leaves; it is written here, so that it cannot say what the tables do not.
func TestFlowDocument(t *testing.T) {
	page := flowPage(t)
	if *update {
		if err := os.WriteFile(flowDoc, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	written, err := os.ReadFile(flowDoc)
	if err != nil {
		t.Fatal(err)
	}
	if string(written) != page {
		t.Error("docs/flow.md differs from the tables; run go test ./internal/flow/advisor -update and look at the difference")
	}
	if lines := strings.Count(page, "\n| A") + strings.Count(page, "\n| B") + strings.Count(page, "\n| X"); lines != 31 {
		t.Errorf("%d leaves, want 31", lines)
	}
}

func flowPage(t *testing.T) string {
	var b strings.Builder
	stores := advisor.Stores()
	fmt.Fprintf(&b, "%s| id | situation | classic | corrected | %s |\n|---|---|---|---|%s\n", flowHead, strings.Join(stores, " | "), strings.Repeat("---|", len(stores)))
	for _, leaf := range advisor.Leaves() {
		r := advise(t, leaf.Given)
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", leaf.ID, leaf.Situation, leaf.Classic, correctedCell(r), strings.Join(states(r, stores), " | "))
	}
	return b.String()
}

func correctedCell(r advisor.Result) string {
	if r.First == nil {
		return fmt.Sprintf("cannot integrate, as far as known (%s)", r.Rule)
	}
	return fmt.Sprintf("%s %s (%s, %d)", *r.First, r.Ranked[0].Title, r.Rule, r.Ranked[0].Score)
}

func states(r advisor.Result, stores []string) []string {
	var all []string
	for _, store := range stores {
		switch {
		case r.First == nil:
			all = append(all, "nothing to run")
		case slices.Contains(advisor.PatternOf(*r.First).Runs, store):
			state := "runs"
			if slices.Contains(scaffold.Patterns(), *r.First) {
				state = "runs, drafted"
			}
			all = append(all, state)
		default:
			all = append(all, "advised; not yet runnable")
		}
	}
	return all
}

// The guide names every question and every answer.
func TestGuideIsComplete(t *testing.T) {
	guide, err := os.ReadFile("../../../docs/advisor.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range advisor.Questions() {
		for _, word := range append([]string{q.Key}, q.Values...) {
			if !strings.Contains(string(guide), word) {
				t.Errorf("docs/advisor.md does not name %s of %s", word, q.Key)
			}
		}
	}
}
