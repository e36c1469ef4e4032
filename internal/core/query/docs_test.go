package query_test

import (
	"os"
	"strings"
	"testing"
)

func TestQueriesInTheDocumentationAreRead(t *testing.T) {
	page, err := os.ReadFile("../../../docs/encoded-queries.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(page), "```query\n")
	block, _, closed := strings.Cut(block, "```")
	if !closed {
		t.Fatal("the page has no block of queries")
	}
	for line := range strings.Lines(block) {
		if q := parse(t, strings.TrimSpace(line)); len(q.Invalid) > 0 {
			t.Errorf("%s: invalid %q", line, q.Invalid)
		}
	}
}
