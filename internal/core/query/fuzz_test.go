package query_test

import (
	"reflect"
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
	f.Fuzz(func(t *testing.T, text, user string) {
		e := env(t)
		e.UserID, e.UserName, e.UserDisplay = user, user, user
		table := incident(t)
		start := time.Now()
		q, err := query.Parse(text, table, e)
		if err != nil || time.Since(start) > 5*time.Second {
			t.Fatalf("%v after %v", err, time.Since(start))
		}
		printed := q.String()
		again, err := query.Parse(printed, table, e)
		if err != nil || len(again.Invalid) > 0 {
			t.Fatalf("%q: %v, invalid %q", printed, err, again.Invalid)
		}
		q.Invalid = nil
		if !reflect.DeepEqual(q, again) {
			t.Errorf("%q is printed as %q, which reads as %q", text, printed, again)
		}
		if q.Where == nil {
			return
		}
		if _, ok := query.Encode(q.Where); !ok {
			t.Errorf("%q has no exact form", text)
		}
		if m, err := query.Compile(q.Where, table); err == nil {
			m.Match(sample.lookup)
		} else if !looksElsewhere(q.Where) {
			t.Errorf("%q cannot be tested: %v", text, err)
		}
	})
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
