package cli_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"
)

// TestEachDueRunIsMadeOnceWhileNodesAreKilled has schedules that run every two seconds on three nodes of one PostgreSQL
// (one on SQLite), which are killed at random. Afterwards the history has one line for every time of every schedule, none
// twice and none missing, and what a run that was not cut off did is done once.
func TestEachDueRunIsMadeOnceWhileNodesAreKilled(t *testing.T) {
	t.Setenv("HEADRACE_ADMIN_PASSWORD", pushPassword)
	onBoth(t, func(t *testing.T, h *home) {
		seed := seedOf(t)
		s := &storm{t: t, h: h, dice: rand.New(rand.NewPCG(seed, 3))}
		t.Cleanup(s.stop)
		h.must(t, 0, "table", "create", "u_mark", "--field", "name:string", "--field", "line:string")
		for range map[string]int{"sqlite": 1, "postgres": 3}[h.name] {
			n := &node{pushed: pushed{t: t, h: h, at: freeAddress(t)}}
			s.nodes = append(s.nodes, n)
			n.begin()
		}
		for _, n := range s.nodes {
			n.ready()
		}
		names := []string{"one", "two", "three"}
		ids := map[string]string{}
		for _, name := range names {
			script := "var m = new GlideRecord('u_mark'); m.name = '" + name + "'; m.line = run_key; m.insert(); gs.sleep(100);"
			ids[name] = s.nodes[0].made("sysauto_script", fmt.Sprintf(`{"name":%q,"run_type":"periodically","run_period":"1970-01-01 00:00:02","missed":"all","overlap":"allow","script":%q}`, name, script))
		}
		for range short(4, 60) {
			time.Sleep(time.Duration(500+s.dice.IntN(2500)) * time.Millisecond)
			n := s.nodes[s.dice.IntN(len(s.nodes))]
			n.end()
			n.begin()
			n.ready()
		}
		for _, id := range ids {
			s.nodes[0].stopped(id)
		}
		s.await("sys_scheduler_job_history", "stateINready,running", func(n int64) bool { return n == 0 })
		for _, name := range names {
			s.nodes[0].checkRuns(name, ids[name])
		}
	})
}

// stopped makes a schedule inactive, once no run of it is due any more: what is missed is made up for first.
func (n *node) stopped(id string) {
	n.t.Helper()
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		found := n.list("sys_trigger", "document_key="+id)
		if len(found) == 1 && found[0]["next_action"] > time.Now().UTC().Format("2006-01-02 15:04:05") {
			break
		}
		if time.Since(began) > patient {
			n.t.Fatalf("the schedule does not come to its next time: %v", found)
		}
	}
	status, answer, err := n.call(http.MethodPatch, "/api/now/table/sysauto_script/"+id, `{"active":"false"}`)
	if err != nil || status != http.StatusOK {
		n.t.Fatalf("%d %s %v", status, answer, err)
	}
}

// list gives the records that a query finds.
func (p *pushed) list(table, query string) []map[string]string {
	p.t.Helper()
	status, answer, err := p.call(http.MethodGet, "/api/now/table/"+table+"?sysparm_limit=10000&sysparm_exclude_reference_link=true&sysparm_query="+url.QueryEscape(query), "")
	var got struct{ Result []map[string]string }
	if err == nil {
		err = json.Unmarshal(answer, &got)
	}
	if err != nil || status != http.StatusOK && status != http.StatusNotFound {
		p.t.Fatalf("%s: %d %s %v", table, status, answer, err)
	}
	return got.Result
}

// checkRuns compares the history of a schedule with its times, and with what its runs have left.
func (n *node) checkRuns(name, id string) {
	n.t.Helper()
	lines := n.list("sys_scheduler_job_history", "document_key="+id)
	slices.SortFunc(lines, func(a, b map[string]string) int {
		if a["due"] < b["due"] {
			return -1
		}
		return 1
	})
	marks := map[string]int{}
	for _, m := range n.list("u_mark", "name="+name) {
		marks[m["line"]]++
	}
	resumed, latest := 0, time.Duration(0)
	var last time.Time
	for i, l := range lines {
		at, err := time.Parse("2006-01-02 15:04:05", l["due"])
		if err != nil || i > 0 && !at.Equal(last.Add(2*time.Second)) {
			n.t.Errorf("%s: after %v comes %s, error %v", name, last, l["due"], err)
		}
		last = at
		if began, err := time.Parse("2006-01-02 15:04:05", l["started"]); err == nil {
			latest = max(latest, began.Sub(at))
		}
		if l["state"] != "done" {
			n.t.Errorf("%s %s: %s %s", name, l["due"], l["state"], l["message"])
		}
		if l["resumed"] == "true" {
			resumed++
		} else if marks[l["sys_id"]] != 1 {
			n.t.Errorf("%s %s: its script ran %d times", name, l["due"], marks[l["sys_id"]])
		}
		delete(marks, l["sys_id"])
	}
	if len(lines) < 2 || len(marks) > 0 {
		n.t.Errorf("%s: %d lines, and marks of no line: %v", name, len(lines), marks)
	}
	n.t.Logf("%s: %d runs, %d of them resumed; the latest began %s after its time", name, len(lines), resumed, latest)
}
