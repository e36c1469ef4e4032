package cli_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

// twin is another home on the same kind of store, with the base tables.
func (h *home) twin(t *testing.T) *home {
	t.Helper()
	other := newHome
	if h.name == "postgres" {
		other = newPostgresHome
	}
	out := other(t)
	out.must(t, 0, "script", "run", out.write(t, "start.js", []byte("gs.info('the base tables are there')")))
	return out
}

// incidents lists number and description of all incidents, and fails when a number is there twice.
func (h *home) incidents(t *testing.T) map[string]string {
	t.Helper()
	e := h.must(t, 0, "record", "list", "incident", "--fields", "number,short_description", "--limit", "0", "-o", "csv")
	rows, err := csv.NewReader(bytes.NewReader(e.stdout)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, r := range rows[1:] {
		if _, double := out[r[0]]; double {
			t.Errorf("%s is there twice", r[0])
		}
		out[r[0]] = r[1]
	}
	return out
}

// One Headrace pulls the incidents of another over the Table API while a third client makes more: every incident that was
// there when it began comes, once, and a later pull brings the rest: 3,000 incidents, in the long form 100,000.
func TestOneHeadracePullsFromAnotherWhileOthersInsert(t *testing.T) {
	onBoth(t, func(t *testing.T, h *home) {
		s, target, n := h.serveCalled(t), h.twin(t), short(3000, 100_000)
		s.records(n)
		t.Setenv("HEADRACE_SOURCE_PASSWORD", curlPassword)
		at, err := url.Parse(s.url)
		if err != nil {
			t.Fatal(err)
		}
		pull := []string{"table+http://admin@" + at.Host + "/incident", "--into", "incident", "--coalesce", "number",
			"--option", "fields=number,short_description", "--option", fmt.Sprint("page_size=", min(n/10, 1000))}
		stop := insertMeanwhile(s)
		began := time.Now()
		first := target.load(t, pull...)
		took := time.Since(began)
		made := stop()
		if first.Inserted != first.Read || first.Inserted < int64(n) || made == 0 {
			t.Errorf("%d read, %d inserted of %d, %d made meanwhile", first.Read, first.Inserted, n, made)
		}
		got := target.incidents(t)
		for i := range n {
			if number := fmt.Sprintf("OLD%07d", i); got[number] != fmt.Sprint("record ", i) {
				t.Fatalf("%s is %q", number, got[number])
			}
		}
		second := target.load(t, pull...)
		all := h.incidents(t)
		got = target.incidents(t)
		for number, description := range all {
			if got[number] != description {
				t.Errorf("%s is %q, not %q", number, got[number], description)
			}
		}
		if len(got) != len(all) || second.Read != int64(len(all)) || second.Unchanged != first.Inserted {
			t.Errorf("%d incidents of %d, %d unchanged; %s", len(got), len(all), second.Unchanged, strings.Join(pull, " "))
		}
		t.Logf("%d incidents and %d of %d made meanwhile in %v", n, first.Inserted-int64(n), made, took)
	})
}
