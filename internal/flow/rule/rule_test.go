package rule_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/access"
	"headrace/internal/flow/rule"
	"headrace/internal/store/sqlstore"
	"headrace/internal/store/storetest/stores"
)

func lawConditionsDecideWhichRulesRun(t *testing.T, n *node) {
	cases := []struct {
		law   string
		rule  []string
		first []string // of an insert
		then  []string // of an update
		want  string
	}{
		{"without conditions a rule runs for each operation", nil, []string{"title", "a"}, []string{"title", "b"}, "insert update"},
		{"only for the operations that are ticked", []string{"action_insert", "false"}, []string{"title", "a"}, []string{"title", "b"}, "update"},
		{"an inactive rule does not run", []string{"active", "false"}, []string{"title", "a"}, []string{"title", "b"}, ""},
		{"a filter on the new values", []string{"filter_condition", "priority=1^EQ"}, []string{"priority", "2"}, []string{"priority", "1"}, "update"},
		{"a filter tells capitals from small letters", []string{"filter_condition", "title=Abc"}, []string{"title", "abc"}, []string{"title", "Abc"}, "update"},
		{"so do its operators on pieces of text", []string{"filter_condition", "titleLIKEAb"}, []string{"title", "xabc"}, []string{"title", "xAbc"}, "update"},
		{"VALCHANGES holds when the value differs", []string{"filter_condition", "titleVALCHANGES"}, []string{"priority", "1"}, []string{"title", "b"}, "update"},
		{"VALCHANGES does not hold when another differs", []string{"filter_condition", "titleVALCHANGES"}, []string{"priority", "1"}, []string{"priority", "2"}, ""},
		{"CHANGESFROM holds for the old value", []string{"filter_condition", "stateCHANGESFROMopen"}, []string{"state", "open"}, []string{"state", "closed"}, "update"},
		{"CHANGESFROM does not hold without a change", []string{"filter_condition", "stateCHANGESFROMopen"}, []string{"state", "open"}, []string{"title", "b"}, ""},
		{"CHANGESTO holds for the new value, on insert too", []string{"filter_condition", "stateCHANGESTOopen"}, []string{"state", "open"}, []string{"title", "b"}, "insert"},
		{"alternatives are joined by ^OR", []string{"filter_condition", "stateCHANGESTOclosed^ORpriority=1"}, []string{"priority", "1"}, []string{"priority", "2", "state", "closed"}, "insert update"},
		{"a script condition", []string{"condition", "current.priority == 1"}, []string{"priority", "2"}, []string{"priority", "1"}, "update"},
		{"changes() in a script condition", []string{"condition", "current.title.changes() && previous.title == 'a'"}, []string{"title", "a"}, []string{"title", "b"}, "update"},
		{"an element that is empty is false", []string{"condition", "current.state"}, []string{"title", "a"}, []string{"state", "x"}, "update"},
		{"both conditions must hold", []string{"filter_condition", "priority=1", "condition", "false"}, []string{"priority", "1"}, []string{"title", "b"}, ""},
	}
	for _, c := range cases {
		u := n.rule(c.law, "after", "note(current.operation())", c.rule...)
		r := n.insert("u_task", c.first...)
		n.update(r, c.then...)
		wantText(t, c.law, n.take(), c.want)
		if err := n.session().Delete(t.Context(), u.Table, u.ID()); err != nil {
			t.Fatal(err)
		}
	}
}

func lawBeforeRulesChangeWhatIsWritten(t *testing.T, n *node) {
	n.rule("template", "before", "", "template", "state=new^logSAMEAStitle^EQ", "order", "1")
	n.rule("script", "before", "current.title = current.title + '!'; current.setValue('priority', 4);", "order", "2")
	r := n.insert("u_task", "title", "hello")
	got := n.all("u_task")[0]
	for field, want := range map[string]string{"title": "hello!", "state": "new", "log": "hello", "priority": "4"} {
		wantText(t, field, got.Get(field).Text, want)
		wantText(t, field+" as returned", r.Get(field).Text, want)
	}
}

func lawAllShapesOfScriptsRun(t *testing.T, n *node) {
	n.rule("function", "before", "(function executeRule(current, previous /*null when async*/) {\n\tnote('iife ' + current.title + ' ' + previous);\n})(current, previous);", "order", "1", "action_update", "false")
	n.rule("bare", "before", "var t = current.title; note('bare ' + t);", "order", "2", "action_update", "false")
	n.rule("named", "before", "function onBefore(current, previous) { note('onBefore ' + current.title); }", "order", "3", "execute_function", "true", "action_update", "false")
	n.insert("u_task", "title", "x")
	wantText(t, "shapes", n.take(), "iife x null bare x onBefore x")
}

func lawAnAbortCancelsTheWriteAndAllThatItsRulesDid(t *testing.T, n *node) {
	n.rule("writes elsewhere", "before", "var g = new GlideRecord('u_plain'); g.title = 'orphan'; g.insert(); gs.eventQueue('task.seen', current, '', '');", "order", "1")
	n.rule("no", "before", "current.setAbortAction(true); note('goes on');", "order", "2", "filter_condition", "state=bad")
	n.rule("later", "before", "note('later');", "order", "3")
	_, err := n.session().Insert(t.Context(), n.table("u_task"), fields("title", "x", "state", "bad"))
	if !record.Aborted(err) || fault.KindOf(err) != fault.Refused || !strings.Contains(err.Error(), "no") {
		t.Errorf("the write: %v", err)
	}
	wantText(t, "rules", n.take(), "goes on later")
	for _, table := range []string{"u_task", "u_plain", "sysevent"} {
		if left := n.all(table); len(left) > 0 {
			t.Errorf("%d records left in %s", len(left), table)
		}
	}
	n.insert("u_task", "title", "x", "state", "good")
	if got := len(n.all("u_plain")); got != 1 {
		t.Errorf("%d records in u_plain after a write that went on", got)
	}
}

func lawAnAbortInsideARuleCancelsOnlyItsOwnWrite(t *testing.T, n *node) {
	n.rule("no children", "before", "gs.eventQueue('child.refused', current, '', '')", "collection", "u_incident", "abort_action", "true")
	n.rule("makes a child", "after", "if (current.getTableName() == 'u_task') { var c = new GlideRecord('u_incident'); c.title = 'child'; note('child ' + c.insert()); }", "action_update", "false")
	n.insert("u_task", "title", "mother")
	wantText(t, "the insert in the rule", n.take(), "child null")
	if got := n.all("u_task"); len(got) != 1 || got[0].Get("title").Text != "mother" {
		t.Errorf("%d tasks", len(got))
	}
	if got := n.all("sysevent"); len(got) != 0 {
		t.Errorf("%d events of the write that was refused", len(got))
	}
}

func lawTheAbortBoxShowsItsMessageAndRunsNothingElse(t *testing.T, n *node) {
	n.rule("closed shop", "before", "note('never')", "abort_action", "true", "add_message", "true", "message", "not on Sundays", "template", "state=x")
	_, err := n.session().Insert(t.Context(), n.table("u_task"), fields("title", "x"))
	if !record.Aborted(err) || fault.HintOf(err) != "not on Sundays" {
		t.Errorf("%v, hint %q", err, fault.HintOf(err))
	}
	wantText(t, "rules", n.take(), "")
}

func TestAFailureInARuleIsLoggedAndTheWriteGoesOnUnlessStrict(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		n := open(t, cfg, false)
		n.rule("breaks", "before", "note('one');\nnothing.at.all();", "order", "1")
		n.rule("next", "before", "note('two')", "order", "2")
		n.insert("u_task", "title", "x")
		wantText(t, "rules", n.take(), "one two")
		log := n.all(rule.LogTable)
		if len(log) != 1 || !strings.Contains(log[0].Get("rules").Text, "business rule breaks:2:") {
			t.Errorf("the log: %v", log)
		}
		strict := open(t, cfg, true)
		if _, err := strict.session().Insert(t.Context(), strict.table("u_task"), fields("title", "x")); err == nil || !strings.Contains(err.Error(), "breaks:2:") {
			t.Errorf("strict: %v", err)
		}
	})
}

func lawARuleThatUpdatesItsOwnRecordRunsOnce(t *testing.T, n *node) {
	n.rule("self", "after", "note('self'); current.priority = +current.priority + 1; current.update();", "order", "1")
	n.rule("other", "after", "note('other');", "order", "2")
	n.insert("u_task", "title", "x", "priority", "1")
	wantText(t, "rules", n.take(), "self other other")
	wantText(t, "priority", n.all("u_task")[0].Get("priority").Text, "2")
}

func lawRulesThatSetEachOtherOffWithoutEndAreStopped(t *testing.T, n *node) {
	n.rule("breeds", "after", "var a = new GlideRecord('u_task'); a.title = 'a'; a.insert(); var b = new GlideRecord('u_task'); b.title = 'b'; b.insert();", "action_update", "false")
	began := time.Now()
	if _, err := n.session().Insert(t.Context(), n.table("u_task"), fields("title", "x")); err != nil && fault.KindOf(err) != fault.Limit {
		t.Errorf("the write: %v", err)
	}
	t.Logf("%d records after %s", len(n.all("u_task")), time.Since(began))
	n.update(n.all("sys_script")[0], "active", "false")
	n.insert("u_task", "title", "the server goes on")
}

func lawPreviousIsTheRecordAsOfTheFirstUpdate(t *testing.T, n *node) {
	n.rule("touch", "after", "current.log = 'touched'; current.update();", "order", "1", "filter_condition", "log!=touched", "action_insert", "false")
	n.rule("see", "after", "note(previous.title + '->' + current.title + ' ' + current.title.changes());", "order", "2", "action_insert", "false")
	r := n.insert("u_task", "title", "a")
	n.update(r, "title", "b")
	wantText(t, "previous", n.take(), "a->b true a->b true")
}

func lawDeletesRunRulesWithTheOldValues(t *testing.T, n *node) {
	n.rule("gone", "after", "note(current.operation() + ' ' + current.title); gs.eventQueue('task.gone', current, '', '');", "action_insert", "false", "action_update", "false", "action_delete", "true")
	r := n.insert("u_task", "title", "a")
	if err := n.session().Delete(t.Context(), r.Table, r.ID()); err != nil {
		t.Fatal(err)
	}
	wantText(t, "rule", n.take(), "delete a")
	if got := n.all("sysevent")[0].Get("snapshot").Text; !strings.Contains(got, `"title":{"old":"a","new":""}`) {
		t.Errorf("the snapshot: %s", got)
	}
}

func lawRoleConditionsAskForOneOfTheRoles(t *testing.T, n *node) {
	if err := access.Seed(t.Context(), n.db); err != nil {
		t.Fatal(err)
	}
	ann, err := n.access.CreateUser(t.Context(), access.NewUser{UserName: "ann", Password: "a long password 1"})
	if err != nil {
		t.Fatal(err)
	}
	bob, err := n.access.CreateUser(t.Context(), access.NewUser{UserName: "bob", Password: "a long password 1"})
	if err != nil {
		t.Fatal(err)
	}
	n.insert(access.RoleTable, "name", "planner")
	if _, err := n.access.AddRole(t.Context(), "ann", "planner"); err != nil {
		t.Fatal(err)
	}
	n.rule("for planners", "after", "note(gs.getUserID ? 'ran' : 'ran')", "role_conditions", "other,planner")
	for _, who := range []*record.Record{ann, bob} {
		session := n.db.As(record.Actor{ID: who.ID(), Name: who.Get("user_name").Text, Trusted: true})
		if _, err := session.Insert(t.Context(), n.table("u_task"), fields("title", "x")); err != nil {
			t.Fatal(err)
		}
		wantText(t, who.Get("user_name").Text, n.take(), map[string]string{"ann": "ran"}[who.Get("user_name").Text])
	}
}

func lawRulesAboutQueriesNarrowWhatPeopleFind(t *testing.T, n *node) {
	for _, title := range []string{"a", "b", "c"} {
		n.insert("u_incident", "title", title, "state", map[string]string{"b": "shut"}[title])
	}
	if err := access.Seed(t.Context(), n.db); err != nil {
		t.Fatal(err)
	}
	cleo, err := n.access.CreateUser(t.Context(), access.NewUser{UserName: "cleo", Password: "a long password 1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.access.AddRole(t.Context(), "cleo", "admin"); err != nil {
		t.Fatal(err)
	}
	enforced := n.db.As(record.Actor{ID: cleo.ID(), Name: "cleo"})
	asks := []string{"action_query", "true", "action_insert", "false", "action_update", "false"}
	n.rule("open ones", "before", "current.addNullQuery('state'); note('ran')", asks...)
	n.rule("not for her", "before", "current.addQuery('title', 'c')", append(asks[:len(asks):len(asks)], "condition", "current.operation() != 'query'")...)
	off := n.rule("broken", "before", "throw new Error('x')", append(asks[:len(asks):len(asks)], "active", "false", "order", "50")...)
	found := func(s record.Session, table string) string {
		var titles []string
		q := &record.Query{Table: n.table(table), Fields: []string{"title"}, OrderBy: []query.Order{{Field: "title"}}}
		for row, err := range s.Select(t.Context(), q) {
			if err != nil {
				t.Fatal(err)
			}
			titles = append(titles, row[0].Text)
		}
		return strings.Join(titles, "")
	}
	wantText(t, "of the table that extends", found(enforced, "u_incident"), "ac")
	wantText(t, "trusted", found(enforced.Trusted(), "u_incident"), "abc")
	wantText(t, "runs", n.take(), "ran")
	r := n.insert("u_task", "title", "z")
	wantText(t, "rules that are only about queries see no writes", n.take(), "")
	if n.rules.Sees(n.table("u_task")) {
		t.Error("rules about queries make writes slower")
	}
	n.update(r, "state", "shut")
	if _, err := enforced.Get(t.Context(), n.table("u_task"), r.ID()); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a record that the rules leave out: %v", err)
	}
	n.update(off, "active", "true")
	wantText(t, "a rule that fails", found(enforced, "u_incident"), "")
}

func lawAQuietWriteSkipsRulesAndItsChangeRowSaysWhy(t *testing.T, n *node) {
	n.rule("any", "before", "note('ran')")
	if _, err := n.session().Quiet("setWorkflow(false)").Insert(t.Context(), n.table("u_task"), fields("title", "x")); err != nil {
		t.Fatal(err)
	}
	wantText(t, "rules", n.take(), "")
	var why string
	q := &record.Query{Table: n.table(record.ChangeTable), Fields: []string{"table_name", "quiet"}}
	for row, err := range n.session().Select(t.Context(), q) {
		if err != nil {
			t.Fatal(err)
		}
		if row[0].Text == "u_task" {
			why = row[1].Text
		}
	}
	wantText(t, "the change row", why, "setWorkflow(false)")
	if _, err := n.session().Quiet("test").Insert(t.Context(), n.table(rule.Table), fields("name", "bad", "collection", "u_task", "script", "if (")); err == nil {
		t.Error("a quiet write saved a script with a syntax error")
	}
}

func lawWhatCannotRunIsRefusedWhenItIsSavedWithItsLine(t *testing.T, n *node) {
	for what, c := range map[string]struct {
		table string
		pairs []string
		says  string
	}{
		"a rule":                     {rule.Table, []string{"name", "r", "collection", "u_task", "script", "var a = 1;\nif ("}, "business rule r:2:"},
		"a condition":                {rule.Table, []string{"name", "r", "collection", "u_task", "condition", "1 +"}, "business rule r (condition):1:"},
		"a filter":                   {rule.Table, []string{"name", "r", "collection", "u_task", "filter_condition", "nosuch=1"}, "nosuch=1"},
		"a script action":            {rule.ActionTable, []string{"name", "s", "event_name", "e", "script", "\n\n}"}, "script action s:3:"},
		"the condition of an action": {rule.ActionTable, []string{"name", "s", "event_name", "e", "condition_script", "("}, "script action s (condition):1:"},
	} {
		_, err := n.session().Insert(t.Context(), n.table(c.table), fields(c.pairs...))
		if fault.KindOf(err) != fault.Invalid || err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func lawTheRuleLogSaysWhatFiredAndWhatWasSkippedAndWhy(t *testing.T, n *node) {
	n.rule("yes", "after", "", "order", "1")
	n.rule("no", "after", "", "order", "2", "filter_condition", "priority=1")
	n.insert("u_task", "title", "x", "priority", "3")
	n.insert("u_plain", "title", "no rules here")
	log := n.all(rule.LogTable)
	if len(log) != 1 {
		t.Fatalf("%d entries", len(log))
	}
	text := log[0].Get("rules").Text
	for _, want := range []string{`"name":"yes"`, `"outcome":"fired"`, `"name":"no"`, `"outcome":"skipped"`, `"why":"filter condition: priority=1"`} {
		if !strings.Contains(text, want) {
			t.Errorf("the log lacks %s: %s", want, text)
		}
	}
	traces := map[string]string{}
	q := &record.Query{Table: n.table(record.ChangeTable), Fields: []string{"table_name", "trace"}}
	for row, err := range n.session().Select(t.Context(), q) {
		if err != nil {
			t.Fatal(err)
		}
		traces[row[0].Text] = row[1].Text
	}
	if traces["u_task"] == "" || traces["u_task"] != log[0].Get("trace").Text {
		t.Errorf("the change row has trace %q, the log %q", traces["u_task"], log[0].Get("trace").Text)
	}
}

func TestARuleCountsFromTheNextTransactionAndOnOtherNodesWithinASecond(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		one, two := open(t, cfg, false), open(t, cfg, false)
		two.insert("u_task", "title", "before there is a rule")
		one.rule("new", "after", "note('ran')")
		one.insert("u_task", "title", "x")
		wantText(t, "the node that made it", one.take(), "ran")
		deadline := time.Now().Add(20 * time.Second)
		for two.take() == "" {
			if time.Now().After(deadline) {
				t.Fatal("another node never saw the rule")
			}
			two.insert("u_task", "title", "x")
		}
	})
}

func lawARuleThatIsRolledBackNeverRuns(t *testing.T, n *node) {
	err := n.session().Write(t.Context(), func(w *record.Writer) error {
		if _, err := w.Insert(t.Context(), n.table(rule.Table), fields("name", "x", "collection", "u_task", "when", "after", "action_insert", "true", "script", "note('ran')")); err != nil {
			return err
		}
		return errRolledBack
	})
	if !errors.Is(err, errRolledBack) {
		t.Fatal(err)
	}
	n.insert("u_task", "title", "x")
	wantText(t, "rules", n.take(), "")
}

func lawAsyncRulesSeeTheRecordAsItIsAndTheSnapshotOfTheWrite(t *testing.T, n *node) {
	n.rule("later", "async_always", "note(current.title + ' ' + snapshot.changes.title.old + '>' + snapshot.changes.title['new'] + ' ' + previous)", "filter_condition", "titleVALCHANGES", "action_insert", "false")
	r := n.insert("u_task", "title", "a")
	n.update(r, "title", "b")
	n.update(r, "title", "c")
	wantText(t, "before the jobs ran", n.take(), "")
	n.drain(time.Now().Add(time.Second))
	wantText(t, "async", n.take(), "c a>b null c b>c null")
}

func lawTheLogOfRulesIsPartOfItsTransaction(t *testing.T, n *node) {
	n.rule("any", "after", "gs.eventQueue('e', current, '', '')")
	err := n.session().Write(context.Background(), func(w *record.Writer) error {
		for i := range 3 {
			if _, err := w.Insert(t.Context(), n.table("u_task"), fields("title", fmt.Sprint(i))); err != nil {
				return err
			}
		}
		return errRolledBack
	})
	if !errors.Is(err, errRolledBack) || len(n.all(rule.LogTable)) != 0 || len(n.all("sysevent")) != 0 {
		t.Errorf("%v, %d log entries, %d events", err, len(n.all(rule.LogTable)), len(n.all("sysevent")))
	}
}
