package table_test

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"headrace/internal/store/storetest/stores"
)

var update = flag.Bool("update", false, "write docs/rest-conformance.md anew")

// row is one line of the reference: what is asked and what is answered. In texts, {base} is the server's address and
// {1}, {abel} and so on are ids of the world.
type row struct {
	ref     string // section of the reference
	law     string
	do      string
	send    []string // headers
	body    string
	status  int
	headers []string // "Name: value"; "Name:" is absent
	want    string   // the whole body
	has     []string // parts of the body
	lacks   []string
}

func fill(text, base string) string {
	return strings.NewReplacer("{base}", base, "{1}", first, "{2}", next, "{3}", third, "{abel}", abel, "{beth}", beth, "{sales}", sales,
		"{new}", strings.Repeat("e", 32)).Replace(text)
}

func TestConformance(t *testing.T) {
	for name, config := range stores.Kinds() {
		t.Run(name, func(t *testing.T) {
			s := serve(t, config(t), nil)
			for _, r := range rows() {
				t.Run(r.ref+" "+r.law, func(t *testing.T) { r.check(t, s) })
			}
		})
	}
}

func (r row) check(t *testing.T, s *server) {
	resp, body := s.call(t, fill(r.do, s.URL), fill(r.body, s.URL), r.send...)
	if resp.StatusCode != r.status {
		t.Errorf("%s: status %d, want %d", r.do, resp.StatusCode, r.status)
	}
	for _, h := range r.headers {
		name, want, _ := strings.Cut(h, ":")
		want = fill(strings.TrimSpace(want), s.URL)
		got := strings.Join(resp.Header.Values(name), " | ")
		if want == "*" && got != "" {
			continue
		}
		if got != want {
			t.Errorf("%s: %s is %q, want %q", r.do, name, got, want)
		}
	}
	if want := fill(r.want, s.URL); want != "" && body != want {
		t.Errorf("%s: body\n%s\nwant\n%s", r.do, body, want)
	}
	for _, part := range r.has {
		if part = fill(part, s.URL); !strings.Contains(body, part) {
			t.Errorf("%s: body lacks %s\n%s", r.do, part, body)
		}
	}
	for _, part := range r.lacks {
		if part = fill(part, s.URL); strings.Contains(body, part) {
			t.Errorf("%s: body has %s\n%s", r.do, part, body)
		}
	}
}

const page = "../../../../docs/rest-conformance.md"

const pageHead = `# What the compatible REST surface answers

Written by ` + "`go test ./internal/door/rest/table -run Page -update`" + `. Every line is a request that the tests make, on SQLite and on
PostgreSQL; the test fails when this page and the requests differ. It covers what all APIs share (0), the Table API (1),
queries as seen over HTTP (2), the Aggregate API (3.1) and discovery (3.7). Every path is served with ` + "`/v1/`" + ` and
` + "`/v2/`" + ` behind ` + "`/api/now/`" + `, too.

## Not supported

| what | what happens |
|---|---|
` + notSupported + `
## Otherwise than the platform, on purpose

| what | why |
|---|---|
` + otherwise + `
## Supported

| section | law | request | status |
|---|---|---|---|
`

const notSupported = `| ` + "`sysparm_view`" + ` | ignored: there are no form and list views; all fields are answered |
| ` + "`sysparm_query_category`, `sysparm_query_no_domain`" + ` | ignored: there is one database and one domain |
| the operator ` + "`DYNAMIC`" + ` (Me, One of My Groups) | a term without meaning: left out; ` + "`javascript:gs.getUserID()`" + ` says Me |
| filters on tags, catalog variables and text indexes in a query | terms without meaning: left out, as the platform does with what it does not know |
| currency formats, group separators in numbers | numbers are displayed as they are stored |
| date formats of users | date-times are displayed in the caller's time zone, in the form they are stored |
| display value of a document id | the id |
| ` + "`/api/now/doc/namespaces`, `/doc/services`, `/doc/oas_3`, `/api/now/graphql`" + ` | 400 ` + "`Requested URI does not represent any resource`" + ` |
| service catalog, knowledge and change APIs | the same |
`

const otherwise = `| ` + "`X-Total-Count`" + ` counts the records that the caller may read; the platform counts all | what one may not read one may not count either; a server setting restores the platform's way |
| at most 50,000 records a page | one answer cannot take all memory; the ` + "`Link`" + ` header leads on |
| ` + "`X-Headrace-Warning`" + ` tells what of a body was not kept as given: unknown fields, text that was cut, values of a wrong type | the platform is silent; the body and status stay the platform's |
| ` + "`Prefer: handling=strict`" + ` refuses such a body with 400 | for callers who would rather know |
| no ` + "`prev`" + ` link on the first page | the platform's pointed to a negative offset |
`

// docs/rest-conformance.md is drawn from the rows, so that it cannot promise what is not tested.
func TestConformancePage(t *testing.T) {
	text := pageHead
	for _, r := range rows() {
		text += fmt.Sprintf("| %s | %s | %s | %d |\n", r.ref, r.law, cell(r), r.status)
	}
	if *update {
		if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	written, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if string(written) != text {
		t.Error("docs/rest-conformance.md differs from the rows; run go test ./internal/door/rest/table -run Page -update and look at the difference")
	}
}

func cell(r row) string {
	out := "`" + r.do
	for _, h := range r.send {
		out += " · " + h
	}
	if r.body != "" {
		body := r.body
		if len(body) > 80 {
			body = body[:80] + "..."
		}
		out += " · " + strings.ReplaceAll(body, "\n", " ")
	}
	return strings.NewReplacer("|", `\|`, "{1}", "{id}", "{2}", "{id}", "{3}", "{id}").Replace(out) + "`"
}

func TestRowsAreNamedOnce(t *testing.T) {
	var seen []string
	for _, r := range rows() {
		if name := r.ref + r.law; slices.Contains(seen, name) {
			t.Errorf("two rows are named %s %s", r.ref, r.law)
		} else {
			seen = append(seen, name)
		}
		if r.status < http.StatusOK || r.law == "" {
			t.Errorf("row %q says nothing", r.do)
		}
	}
}
