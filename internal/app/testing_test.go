package app_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"headrace/internal/app"
	"headrace/internal/core/fault"
	"headrace/internal/flow/project/harness"
)

// projectWith writes a project with a rule, an event, an action that logs, an include and a message, and one file of tests.
func projectWith(t *testing.T, tests string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"project.yaml": "name: sample\n", "events/task.seen.yaml": "table: task\n",
		"rules/see.yaml":    "name: See\ntable: task\nwhen: after\naction: [insert]\nfilterCondition: priority=1\n",
		"rules/see.js":      "gs.eventQueue('task.seen', current, current.getValue('number'), '');\n",
		"actions/note.yaml": "name: Note\nevent: task.seen\nmaxAttempts: 3\n",
		"actions/note.js":   "gs.info('seen ' + event.parm1);\nif (event.parm2 == 'fail') throw new Error('not today');\n",
		"rules/no.yaml":     "name: No\ntable: task\nwhen: before\naction: [insert]\nfilterCondition: priority=5\nabortAction: true\n",
		"rest/partner.yaml": "name: Partner\nfunctions:\n  ask: {method: get, endpoint: \"https://partner.example/${what}\", variables: {what: x}}\n",
		"tests/t.yaml":      tests,
	} {
		at := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Each test holds things that are so and one that is not: a harness that passes everything would be found out.
func TestWhatATestExpectsIsLookedAt(t *testing.T) {
	const lead = "partner: [{name: ask, path: /x, answers: [{json: {a: 1, b: 2}}]}]\nfixtures: {task: [{as: old, number: T0, priority: 3}]}\ntests:\n"
	cases := map[string]claim{
		"events":   {"  - {create: task, as: new, values: {number: T1, priority: 1}}\n  - expect: {events: {task.seen: {count: 1, values: {parm1: T1, instance: '@new'}}}}\n", "expect: {events: {task.seen: 2}}"},
		"states":   {"  - {create: task, values: {priority: 1}}\n  - drain: all\n  - expect: {events: {task.seen: {values: {state: processed}}}}\n", "expect: {events: {task.seen: {values: {state: ready}}}}"},
		"rules":    {"  - {create: task, values: {priority: 2}}\n  - expect: {rules: {See: skipped}}\n", "expect: {rules: {See: fired}}"},
		"logs":     {"  - {fire: task.seen, record: old, parm1: hello}\n  - drain: all\n  - expect: {logs: [seen hello], noLogs: [farewell]}\n", "expect: {noLogs: [hello]}"},
		"records":  {"  - {update: old, values: {priority: 4}}\n  - expect: {records: [{record: old, values: {priority: 4, number: T0}}]}\n", "expect: {records: [{table: task, query: priority=3}]}"},
		"requests": {"  - {send: Partner/ask, variables: {what: x}, gives: {status: 200, json: {a: 1}}}\n  - expect: {requests: [{route: ask, method: GET, path: /x, count: 1, status: [200]}]}\n", "expect: {requests: [{path: /y}]}"},
		"answers":  {"  - {send: Partner/ask, variables: {what: x}}\n", "{send: Partner/ask, variables: {what: x}, gives: {json: {a: 2}}}"},
		"calls":    {"  - {call: 'n + 1', with: {n: 1}, gives: 2}\n", "{call: 'n + 1', with: {n: 1}, gives: 3}"},
		"failures": {"  - {create: task, values: {priority: 5}, fails: the business rule No refused}\n", "{create: task, values: {priority: 4}, fails: refused}"},
		"retries": {"  - {fire: task.seen, record: old, parm2: fail}\n  - drain: all\n  - expect: {records: [{table: sys_handler_run, count: 1, values: {state: dead, attempts: 3}}]}\n",
			"expect: {events: {task.seen: {values: {state: processed}}}}"},
		"the clock": {"  - {fire: task.seen, record: old, parm2: fail}\n  - drain: 0s\n  - expect: {records: [{table: sys_handler_run, values: {state: retry, attempts: 1}}]}\n  - advance: 1h\n" +
			"  - {create: task, as: late, values: {priority: 3}}\n  - expect: {records: [{record: late, values: {sys_created_on: '2030-01-15 10:00:00'}}]}\n", "expect: {records: [{record: late, values: {sys_created_on: '2030-01-15 09:00:00'}}]}"},
		"isolation": {"  - {create: task, values: {priority: 1}}\n  - expect: {events: {task.seen: 1}}\n", "expect: {events: {task.seen: 0}}"},
	}
	results := lookedAt(t, projectWith, lead, cases)
	if story := results["events"].Story; !slices.Contains(story, "event    task.seen ready") {
		t.Errorf("the story of events is %q", story)
	}
}

// claim is steps of a test that hold, and one behind them that does not.
type claim struct{ steps, wrong string }

// lookedAt runs a test for each claim: nothing but its wrong step may be found out, at its place.
func lookedAt(t *testing.T, project func(*testing.T, string) string, lead string, claims map[string]claim) map[string]harness.Result {
	t.Helper()
	text, lines := lead, map[string]int{}
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		text += "- name: " + name + "\n  steps:\n" + claims[name].steps + "  - " + claims[name].wrong + "\n"
		lines[name] = strings.Count(text, "\n")
	}
	results := map[string]harness.Result{}
	for _, r := range run(t, project(t, text)) {
		results[r.Name] = r
		if at := fmt.Sprintf("t.yaml:%d:", lines[r.Name]); len(r.Failures) != 1 || !strings.Contains(r.Failures[0].Place, at) {
			t.Errorf("%s: the one failure is to be at %s, there are %+v\n%s", r.Name, at, r.Failures, strings.Join(r.Story, "\n"))
		}
	}
	return results
}

func run(t *testing.T, dir string) []harness.Result {
	t.Helper()
	told := 0
	report, err := app.TestProject(t.Context(), app.TestConfig{Dir: dir}, func(harness.Result) { told++ })
	if err != nil {
		t.Fatal(err)
	}
	if told != len(report.Tests) || report.Passed+report.Failed != told {
		t.Errorf("%d results told, the report is %+v", told, report)
	}
	return report.Tests
}

// Tests do not see each other's records, whatever their order, and parts of a project can be turned off.
func TestEachTestHasAServerOfItsOwn(t *testing.T) {
	results := run(t, projectWith(t, `fixtures: {task: [{as: old, number: T0}]}
tests:
- {name: one, steps: [{create: task, values: {number: T1, priority: 1}}, {expect: {records: [{table: task, count: 2}], events: {task.seen: 1}}}]}
- {name: two, only: {rules: []}, steps: [{create: task, values: {number: T1, priority: 1}}, {expect: {records: [{table: task, count: 2}], events: {task.seen: 0}}}]}
- {name: three, only: {rules: [Nobody]}, steps: [{advance: 1s}]}
`))
	if len(results) != 3 || !results[0].Passed || !results[1].Passed {
		t.Errorf("%+v", results)
	}
	if results[2].Passed || !strings.Contains(results[2].Failures[0].Message, `"Nobody"`) {
		t.Errorf("a rule that there is not: %+v", results[2])
	}
}

func TestTestsThatCannotBeReadAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ tests, says string }{
		"unknown property": {"steps:\n- {creat: task}\n", "t.yaml:2:4: unknown field \"creat\""},
		"nothing to run":   {"tests: []\nname: x\nsteps: []\n", ""},
		"wrong time":       {"now: soon\nsteps: [{advance: 1s}]\n", "now is no time"},
		"wrong answer":     {"partner: [{answers: [{status: 7}]}]\nsteps: [{advance: 1s}]\n", "7 is no status of an answer"},
		"both forms":       {"steps: [{advance: 1s}]\ntests: [{name: x}]\n", "steps stand both in tests and beside them"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := app.TestProject(t.Context(), app.TestConfig{Dir: projectWith(t, c.tests)}, func(harness.Result) {})
			if c.says == "" {
				if err != nil {
					t.Errorf("the error is %v", err)
				}
				return
			}
			if err == nil || fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.says) {
				t.Errorf("the error is %v, it must say %q", err, c.says)
			}
		})
	}
}

func TestAProjectWithMistakesIsNotTested(t *testing.T) {
	dir := projectWith(t, "steps: [{advance: 1s}]\n")
	if err := os.WriteFile(filepath.Join(dir, "rules", "see.js"), []byte("var a = ;\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := app.TestProject(t.Context(), app.TestConfig{Dir: dir}, func(harness.Result) {})
	if err == nil || fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "rules/see.js:1:9") {
		t.Errorf("the error is %v", err)
	}
}

func TestTestsEndWithTheirContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := app.TestProject(ctx, app.TestConfig{Dir: projectWith(t, "steps: [{advance: 1s}]\n")}, func(harness.Result) {})
	if !errors.Is(err, context.Canceled) && fault.KindOf(err) != fault.Canceled {
		t.Errorf("the error is %v", err)
	}
}

// What scripts seldom get right is warned of, with the line.
func TestLintWarnsOfWhatSeldomWorks(t *testing.T) {
	a, err := app.Open(t.Context(), app.Config{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	for name, c := range map[string]struct{ file, text, says string }{
		"own update":         {"rules/see.js", "// no current.update() here\ncurrent.update();\n", "calls current.update() runs itself again"},
		"unregistered event": {"rules/see.js", "\ngs.eventQueue('task.sean', current);\n", `rules/see.js:2:1: the event "task.sean" is not registered -> did you mean "task.seen"?`},
		"call in a rule":     {"rules/see.js", "new sn_ws.RESTMessageV2('Partner', 'ask').execute();\n", "calls another system while the transaction is open"},
		"call by an include": {"includes/Caller.js", "var Caller = {ask: function () { return new sn_ws.RESTMessageV2('Partner', 'ask').execute(); }};\n", ""},
		"secret in a script": {"actions/note.js", "var m;\nm.setBasicAuth('me', 'hunter22');\n", "actions/note.js:2:3: a secret stands in the script"},
		"changes in async":   {"rules/see.yaml", "name: See\ntable: task\nwhen: async\naction: [insert]\nscript: if (current.state.changes()) gs.info('x');\n", "changes() and its like are always false"},
		"no action":          {"rules/see.yaml", "name: See\ntable: task\n", "never runs: it has no action"},
		"unknown condition":  {"rules/see.yaml", "name: See\ntable: task\naction: [insert]\nfilterCondition: priorty=1\n", `rules/see.yaml:4:18: terms without meaning on task: priorty=1 -> did you mean "priority"?`},
		"name of an include": {"includes/Other.js", "var Another = {};\n", "the script does not define Other"},
		"password":           {"sources/cmdb.yaml", "connectionUrl: postgres://reader:hunter22@db.example/a\nimportSetTableName: u_x\noptions: {table: t}\n", "sources/cmdb.yaml:1:16: a password stands in the address"},
		"over":               {"schedules/scripts/old.yaml", "runType: once\nrunStart: 2020-01-01 00:00:00\nscript: gs.info('x');\n", "never runs: its last time has passed"},
		"queue":              {"events/task.seen.yaml", "queue: slow\n", `the queue "slow" is not registered`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := projectWith(t, "steps: []\n")
			if c.file == "rules/see.yaml" && strings.Contains(c.text, "script:") {
				if err := os.Remove(filepath.Join(dir, "rules", "see.js")); err != nil {
					t.Fatal(err)
				}
			}
			if c.says == "" {
				c.says = "transaction is open (by Caller)"
				c.text += "// "
				if err := os.WriteFile(filepath.Join(dir, "rules", "see.js"), []byte("Caller.ask();\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			at := filepath.Join(dir, filepath.FromSlash(c.file))
			if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(at, []byte(c.text), 0o644); err != nil {
				t.Fatal(err)
			}
			p, err := a.LoadProject(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			var all []string
			for _, f := range p.Findings {
				all = append(all, f.String())
			}
			if !slices.ContainsFunc(all, func(f string) bool { return strings.Contains(f, c.says) }) {
				t.Errorf("the findings are\n%s\nnone says\n%s", strings.Join(all, "\n"), c.says)
			}
			if strings.Count(strings.Join(all, "\n"), "own-update") > 1 {
				t.Error("comments are read as code")
			}
		})
	}
}
