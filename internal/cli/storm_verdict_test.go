package cli_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// bag counts how often something is there.
type bag map[string]int

// once makes each thing of a bag be there once.
func (b bag) once() bag {
	out := bag{}
	for name := range b {
		out[name] = 1
	}
	return out
}

func (b bag) and(others ...bag) bag {
	out := maps.Clone(b)
	for _, o := range others {
		for name, n := range o {
			out[name] += n
		}
	}
	return out
}

// beyond lists what a has more often than b.
func (b bag) beyond(other bag) []string {
	var out []string
	for name, n := range b {
		if n > other[name] {
			out = append(out, fmt.Sprintf("%s (%d times, not %d)", name, n, other[name]))
		}
	}
	slices.Sort(out)
	return out
}

// verdict compares what the clients were told, what the database holds, and what the partner holds.
type verdict struct {
	*storm
	told      map[outcome]bag
	committed bag // the writes of the history that the database knows of
	numbers   []string
}

// same fails unless two bags are equal.
func (v *verdict) same(what string, got, want bag) {
	v.t.Helper()
	v.within(what+": too many", got, want)
	v.within(what+": missing", want, got)
}

// within fails unless a bag is part of another.
func (v *verdict) within(what string, part, whole bag) {
	v.t.Helper()
	more := part.beyond(whole)
	if len(more) == 0 {
		return
	}
	v.t.Errorf("%s: %d, such as %s", what, len(more), strings.Join(more[:min(5, len(more))], ", "))
	for _, name := range more[:min(3, len(more))] {
		op, _, _ := strings.Cut(name, " ")
		for _, a := range v.history {
			if a.op == op {
				v.t.Logf("  %+v", a)
			}
		}
	}
}

// rows reads fields of all records that a query finds.
func (v *verdict) rows(table, query string, fields ...string) [][]string {
	v.t.Helper()
	e := v.h.must(v.t, 0, "record", "list", table, "--fields", strings.Join(fields, ","), "--query", query, "--limit", "0", "-o", "csv")
	return rowsOf(v.t, e)
}

func rowsOf(t *testing.T, e *ended) [][]string {
	t.Helper()
	_, rows := table(t, e.stdout)
	return rows
}

// bag counts the values of the first field of rows.
func bagOf(rows [][]string) bag {
	out := bag{}
	for _, r := range rows {
		out[r[0]]++
	}
	return out
}

// afterTheStorm waits until nothing is left to do, and checks everything but what the dead letters still hold back.
func (v *verdict) afterTheStorm() {
	v.t.Helper()
	v.partner.calmDown()
	v.settle()
	v.writes()
	v.events()
	v.deadLetters()
}

// writes reads which writes were committed, and compares them with what the clients were told.
func (v *verdict) writes() {
	v.t.Helper()
	v.told = map[outcome]bag{acknowledged: {}, declined: {}, unknown: {}}
	for _, a := range v.history {
		v.told[a.outcome][a.op]++
	}
	v.committed = bagOf(v.rows("u_work", "", "op"))
	for _, r := range v.rows("sys_change", "table_name=u_work^operation=update", "old") {
		var old map[string]string
		if err := json.Unmarshal([]byte(r[0]), &old); err != nil {
			v.t.Fatalf("%v: %s", err, r[0])
		}
		if op := old["op"]; op != "" {
			v.committed[op]++
		}
	}
	v.same("writes that are committed more than once", v.committed, v.committed.once())
	v.within("acknowledged writes that are lost", v.told[acknowledged], v.committed)
	v.within("committed writes that no client made, or that were declined", v.committed, v.told[acknowledged].and(v.told[unknown]))
	v.note("%d kills; %d writes acknowledged, %d declined, %d unknown of which %d are committed", v.kills, len(v.told[acknowledged]), len(v.told[declined]),
		len(v.told[unknown]), len(v.committed)-len(v.told[acknowledged]))
}

// events checks that each committed write has its events and handler runs, and no other.
func (v *verdict) events() {
	v.t.Helper()
	for _, name := range []string{"work.announced", "work.changed"} {
		v.same("events "+name, bagOf(v.rows("sysevent", "name="+name, "parm1")), v.committed)
	}
	for _, name := range []string{"Note", "Send", "Count"} {
		v.same("handler runs of "+name, bagOf(v.rows("sys_handler_run", "name="+name, "event.parm1")), v.committed)
	}
	async := bag{}
	for _, r := range v.rows("sys_handler_run", "name=Later", "input") {
		async[opOfInput(r[0])]++
	}
	v.same("runs of the async rule", async, v.committed)
	v.note("%d events, %d handler runs", len(v.rows("sysevent", "", "sys_id")), len(v.rows("sys_handler_run", "", "sys_id")))
}

func opOfInput(text string) string {
	var in struct {
		Snapshot struct {
			Changes struct{ Op struct{ New string } }
		}
	}
	_ = json.Unmarshal([]byte(text), &in) // what cannot be read has no op, and is missed
	return in.Snapshot.Changes.Op.New
}

// deadLetters checks that what the partner does not hold is a dead letter with a reason, and what it holds was committed.
func (v *verdict) deadLetters() {
	v.t.Helper()
	dead := bag{}
	runs := v.rows("sys_handler_run", "state=dead^eventISNOTEMPTY", "event.parm1", "name", "error")
	for _, r := range runs {
		dead[r[0]] = 1
		if r[2] == "" {
			v.t.Errorf("a dead run without a reason: %q", r)
		}
	}
	why := bag{}
	deliveries := v.rows("sys_outbound_delivery", "state=dead", "request", "reason", "error")
	for _, r := range deliveries {
		dead[opOfRequest(v.t, r[0])] = 1
		why[r[1]]++
		if r[1] == "" || r[2] == "" {
			v.t.Errorf("a dead delivery without a reason: %q", r)
		}
	}
	held, _ := v.partner.ops()
	v.same("writes that the partner holds under several keys", held, held.once())
	v.within("writes that the partner holds and that are not committed", held, v.committed)
	v.within("writes that neither the partner nor a dead letter holds", v.committed, held.and(dead))
	v.within("dead letters of writes that are not committed", dead, v.committed)
	v.note("the partner holds %d; dead: %d handler runs, %d deliveries %v", len(held), len(runs), len(deliveries), why)
}

func opOfRequest(t *testing.T, text string) string {
	t.Helper()
	var request struct{ Body string }
	var body struct{ Op string }
	err := json.Unmarshal([]byte(text), &request)
	if err == nil {
		err = json.Unmarshal([]byte(request.Body), &body)
	}
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return body.Op
}

// afterReplay checks that nothing is dead any more and that everybody agrees.
func (v *verdict) afterReplay() {
	v.t.Helper()
	none := bag{}
	v.same("dead handler runs after replay", bagOf(v.rows("sys_handler_run", "state!=done", "error")), none)
	v.same("deliveries that are not done after replay", bagOf(v.rows("sys_outbound_delivery", "state!=done", "error")), none)
	v.same("events that are not processed after replay", bagOf(v.rows("sysevent", "state!=processed^parm1ISNOTEMPTY", "parm1")), none)
	held, tickets := v.partner.ops()
	v.same("what the partner holds", held, v.committed)
	for _, source := range []string{"announced", "changed", "async rule"} {
		v.same("notes of "+source, bagOf(v.rows("u_note", "source="+source, "op")).once(), v.committed)
	}
	v.receipts(tickets)
	for _, p := range v.partner.problems {
		v.t.Errorf("the partner says: %s", p)
	}
}

// receipts checks the answers of the partner: one receipt for each write, one row in staging for each delivery, and a
// ticket of its own for each piece of work.
func (v *verdict) receipts(tickets map[string]token) {
	v.t.Helper()
	receipts := v.rows("u_receipt", "", "op", "ticket")
	v.same("receipts", bagOf(receipts), v.committed)
	for _, r := range receipts {
		if t := tickets[r[0]]; t.Ticket != r[1] {
			v.t.Errorf("the receipt of %s is for %s, the partner's ticket is %s", r[0], r[1], t.Ticket)
		}
	}
	byTicket := map[string]string{}
	for _, t := range tickets {
		byTicket[t.Ticket] = t.Name
	}
	for _, r := range v.rows("u_work", "", "name", "ticket") {
		if byTicket[r[1]] != r[0] {
			v.t.Errorf("%s has the ticket %q, which is that of %q", r[0], r[1], byTicket[r[1]])
		}
	}
	deliveries, answers := v.rows("sys_outbound_delivery", "", "import_rows"), v.rows("sys_import_set_row", "", "id")
	if len(deliveries) != len(answers) {
		v.t.Errorf("%d deliveries are done, and %d answers are in staging", len(deliveries), len(answers))
	}
	v.note("%d deliveries, %d receipts, %d tickets", len(deliveries), len(receipts), len(byTicket))
}

func (v *verdict) note(format string, args ...any) {
	v.numbers = append(v.numbers, fmt.Sprintf(format, args...))
}

func (v *verdict) report() {
	v.t.Logf("%s\n%s", strings.Join(v.numbers, "\n"), v.partner.summary())
}
