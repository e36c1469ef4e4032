package query_test

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"headrace/internal/core/query"
)

func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"state=1^ORstate=2^NQshortLIKEa^^b^ORDERBYDESCnumber^GROUPBYstate^EQ",
		"opened_atONToday@javascript:gs.daysAgoStart(0)@javascript:gs.daysAgoEnd(0)^dueRELATIVEGE@month@ago@3",
		"opened_atDATEPARTx@javascript:gs.datePart('month','May','GE')^closed_atMORETHANopened_at@day@after@3",
		"RLQUERYincident.problem_id,>=1^active=true^ENDRLQUERY^JOINincident.problem_id=problem.sys_id!active=true",
		"SUBQUERYcaller_id,sys_id,sys_user^active=true^ENDSUBQUERY^assigned_toDYNAMICmine^assigned_to.manager.name!=",
		"shortBETWEENjavascript:gs.getUserName()@z^shortINjavascript:gs.getUserDisplayName(),x^opened_atSAMEASclosed_at@day",
		"cost=+.5^active=1^due=2024-01-01 10:00:00^short=javascript:gs.dateGenerate('2024-01-05',%20'end')",
	} {
		f.Add(text, "abel.tuter")
	}
	f.Add("shortBETWEENjavascript:gs.getUserName()@z^shortINjavascript:gs.getUserName()", "a@b,^javascript:gs.now()")
	table, base := incident(f), env(f)
	f.Fuzz(func(t *testing.T, text, user string) {
		e := base
		e.UserID, e.UserName, e.UserDisplay = user, user, user
		start := time.Now()
		q := readsAsPrinted(t, text, table, e)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%q takes %v", text, took)
		}
		if m, err := query.Compile(q.Where, table); err == nil {
			m.Match(sample.lookup)
		} else if !looksElsewhere(q.Where) {
			t.Errorf("%q cannot be tested: %v", text, err)
		}
	})
}

// readsAsPrinted checks the law that a query, printed and read, is the same query.
func readsAsPrinted(t *testing.T, text string, dict query.Dictionary, e query.Env) *query.Query {
	t.Helper()
	q, err := query.Parse(text, dict, e)
	if err != nil {
		t.Fatal(err)
	}
	printed := q.String()
	again, err := query.Parse(printed, dict, e)
	if err != nil || len(again.Invalid) > 0 {
		t.Fatalf("%q is printed as %q: %v, invalid %q", text, printed, err, again.Invalid)
	}
	q.Invalid = nil
	if !reflect.DeepEqual(q, again) {
		t.Fatalf("%q is printed as %q, which reads as %q", text, printed, again)
	}
	if _, ok := query.Encode(q.Where); !ok {
		t.Fatalf("%q has no exact form", text)
	}
	return q
}

// looksElsewhere reports whether a condition is about other tables too.
func looksElsewhere(n query.Node) bool {
	parts := []query.Node{}
	switch n := n.(type) {
	case *query.Related, *query.Exists:
		return true
	case *query.And:
		parts = n.Parts
	case *query.Or:
		parts = n.Parts
	}
	for _, p := range parts {
		if looksElsewhere(p) {
			return true
		}
	}
	return false
}

func TestQueriesPutTogetherAtRandomReadAsPrinted(t *testing.T) {
	fields := strings.Fields("state cost short active due opened_at assigned_to assigned_to.name caller_id.manager sys_id bogus RLQUERYincident.problem_id,")
	ops := strings.Split("=,!=,<,>=,IN,NOT IN,BETWEEN,ISEMPTY,EMPTYSTRING,ANYTHING,SAMEAS,GT_FIELD,INSTANCEOF,DYNAMIC,STARTSWITH,LIKE,!*,ON,NOTON,RELATIVEGT,RELATIVEEE,DATEPART,MORETHAN", ",")
	args := []string{"", "1", "07.50", "abc", "a^^b", "x,y,,z", "1@2", "NULL", "mine", "Today", "c@2024-01-01@2024-01-02", "@month@ago@3",
		"javascript:gs.daysAgo(3)", "javascript:gs.getUserName()@javascript:gs.getUserID()", "closed_at", "priority", "closed_at@week", " blank ",
		"x@javascript:gs.datePart('year','2024','LE')", "opened_at@day@after@3", "true"}
	joins := []string{"^", "^", "^OR", "^NQ", "^ ", "^EQ^NQ", "^ENDRLQUERY^", "^ORDERBYstate^", "^GROUPBYdue^"}
	table, e := incident(t), env(t)
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(from []string) string { return from[r.IntN(len(from))] }
	for range 20_000 {
		var b strings.Builder
		for range 1 + r.IntN(6) {
			b.WriteString(pick(fields) + pick(ops) + pick(args) + pick(joins))
		}
		q := readsAsPrinted(t, b.String(), table, e)
		if _, err := query.Compile(q.Where, table); err != nil && !looksElsewhere(q.Where) {
			t.Fatalf("%q cannot be tested: %v", &b, err)
		}
	}
}

func TestHostileTextsAreReadInBoundedTime(t *testing.T) {
	table, e := incident(t), env(t)
	for _, piece := range []string{
		"^", "a", "A", ".", "a.", "assigned_to.", "assigned_to.manager.", "@", "'", ",", "stateIN1,", "IN", "^OR", "^NQ^", "RLQUERYincident.problem_id,>=1^",
		"RLQUERYx.y,>1^", "JOINincident.problem_id=problem.sys_id!", "SUBQUERYa,b,c^", "opened_atBETWEENjavascript:'@", "javascript:gs.daysAgo(", "\xff",
		"^^", "stateLIKE" + strings.Repeat("x", 120) + "^",
	} {
		for _, head := range []string{"", "short=javascript:gs.f(", "opened_atONjavascript:"} {
			text := head + strings.Repeat(piece, 1_000_000/len(piece))
			start := time.Now()
			_, err := query.Parse(text, table, e)
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("a million bytes of %q behind %q take %v, %v", piece, head, took, err)
			}
		}
	}
}
