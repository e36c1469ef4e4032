package rule_test

import (
	"testing"
	"time"
)

// The order around a write, as the platform documents it. Each case makes rules and says what one insert and one update
// leave behind.
func lawRulesRunInTheDocumentedOrder(t *testing.T, n *node) {
	type r struct{ name, when, order string }
	cases := []struct {
		law   string
		rules []r
		want  string
	}{
		{"before rules run before after rules, whatever their order", []r{{"A", "after", "1"}, {"B", "before", "900"}}, "B A"},
		{"before rules ascend by order", []r{{"B", "before", "200"}, {"A", "before", "50"}, {"C", "before", "300"}}, "A B C"},
		{"after rules ascend by order", []r{{"B", "after", "200"}, {"A", "after", "50"}}, "A B"},
		{"before rules of 1000 and more come behind those below", []r{{"C", "before", "1500"}, {"B", "before", "1000"}, {"A", "before", "999"}}, "A B C"},
		{"after rules of 1000 and more come behind those below", []r{{"B", "after", "1000"}, {"A", "after", "999"}}, "A B"},
		{"order is a number, not a text", []r{{"B", "before", "100"}, {"A", "before", "20"}}, "A B"},
		{"the default order is 100", []r{{"C", "before", "101"}, {"B", "before", ""}, {"A", "before", "99"}}, "A B C"},
		{"ties go by creation, then id", []r{{"A", "before", "100"}, {"B", "before", "100"}, {"C", "before", "100"}}, "A B C"},
		{"async rules run behind all others, when the write is committed", []r{{"C", "async_always", "1"}, {"A", "before", "2"}, {"B", "after", "2000"}}, "A B C"},
		{"display rules never run", []r{{"X", "display", "1"}, {"A", "after", "100"}}, "A"},
	}
	for _, c := range cases {
		for _, x := range c.rules {
			pairs := []string{}
			if x.order != "" {
				pairs = []string{"order", x.order}
			}
			n.rule(x.name, x.when, "note('"+x.name+"')", pairs...)
		}
		n.insert("u_task", "title", c.law)
		n.drain(time.Now().Add(time.Second))
		wantText(t, c.law, n.take(), c.want)
		for _, old := range n.all("sys_script") {
			if err := n.session().Delete(t.Context(), old.Table, old.ID()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func lawParentsRulesRunForChildrenAmongTheirOwn(t *testing.T, n *node) {
	n.rule("parent", "before", "note('parent 100 ' + current.getTableName())", "order", "100")
	n.rule("child", "before", "note('child 50')", "collection", "u_incident", "order", "50")
	n.rule("late child", "before", "note('child 150')", "collection", "u_incident", "order", "150")
	n.insert("u_incident", "title", "x")
	wantText(t, "a child", n.take(), "child 50 parent 100 u_incident child 150")
	n.insert("u_task", "title", "x")
	wantText(t, "a parent", n.take(), "parent 100 u_task")
}
