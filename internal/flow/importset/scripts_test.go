package importset_test

import (
	"fmt"
	"strings"
	"testing"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
	"headrace/internal/flow/script"
	"headrace/internal/flow/transform"
)

// scripted is a fixture whose maps may have scripts.
func scripted(t *testing.T) *fixture {
	f := open(t, servers)
	f.UseScripts(script.New(script.Config{DB: f.db}))
	return f
}

// values lists a field of all servers, by their serial.
func (f *fixture) values(field string) string {
	f.t.Helper()
	var out []string
	t := f.db.Catalog().Table("server")
	for row, err := range f.db.As(record.System).Select(f.t.Context(), &record.Query{Table: t, Fields: []string{"serial", field}, OrderBy: []query.Order{{Field: "serial"}}}) {
		if err != nil {
			f.t.Fatal(err)
		}
		out = append(out, row[0].Text+"="+row[1].Text)
	}
	return strings.Join(out, " ")
}

func (f *fixture) want(what, got, want string) {
	f.t.Helper()
	if got != want {
		f.t.Errorf("%s: %s, want %s", what, got, want)
	}
}

func TestSourceScriptsMakeValues(t *testing.T) {
	f := scripted(t)
	run := f.load("Serial,Name\na,x\nb,\n", `
targetTable: server
fields:
  serial: {useSourceScript: true, coalesce: true, sourceScript: "answer = source.serial.toUpperCase() + '-1'"}
  name: {useSourceScript: true, sourceScript: "answer = (function transformEntry(source) { return 'n' + source.u_name; })(source);"}
`)
	f.want("ledger", run.Ledger.String(), "2 = 2 inserted + 0 updated + 0 unchanged + 0 skipped + 0 rejected")
	f.want("names", f.values("name"), "A-1=nx B-1=n")
}

func TestRowScriptsSeeSourceTargetAndAction(t *testing.T) {
	f := scripted(t)
	const yaml = `
targetTable: server
fields:
  serial: {sourceField: Serial, coalesce: true}
  name: Name
scripts:
- {when: onBefore, script: "if (action == 'insert' && source.name == 'skip') ignore = true; source.name = source.name + '!'"}
- {when: map, script: "target.cost = 5; if (action == 'update') target.name = target.name + '?'; if (source.serial == 'bad') error = true; if (source.serial == 'throw') nothing.there()"}
`
	run := f.load("Serial,Name\na,x\nb,skip\nbad,y\nthrow,z\n", yaml)
	f.want("ledger", run.Ledger.String(), "4 = 1 inserted + 0 updated + 0 unchanged + 1 skipped + 2 rejected")
	f.want("names", f.values("name"), "a=x!")
	f.want("costs", f.values("cost"), "a=5")
	run = f.load("Serial,Name\na,x\nb,y\n", yaml)
	f.want("second ledger", run.Ledger.String(), "2 = 1 inserted + 1 updated + 0 unchanged + 0 skipped + 0 rejected")
	f.want("names", f.values("name"), "a=x!? b=y!")
	for row, err := range f.Rows(t.Context(), 1, importset.Rejected) {
		if err != nil {
			t.Fatal(err)
		}
		if row.Reject.Code != "script_error" || row.Cells[0].Text == "throw" && !strings.Contains(row.Reject.Msg, "nothing") {
			t.Errorf("%+v", row.Reject)
		}
	}
}

// Each row's scripts see what the rows before it did, in the database too.
func TestRowsTakeTurns(t *testing.T) {
	f := scripted(t)
	run := f.load("Serial,Name\na,x\nb,x\nc,y\nd,x\n", `
targetTable: server
fields:
  serial: {sourceField: Serial, coalesce: true}
  name: Name
scripts:
- when: onBefore
  script: |
    var seen = new GlideRecord('server');
    seen.addQuery('name', source.name);
    seen.query();
    if (seen.next()) ignore = true;
`)
	f.want("ledger", run.Ledger.String(), "4 = 2 inserted + 0 updated + 0 unchanged + 2 skipped + 0 rejected")
	f.want("names", f.values("name"), "a=x c=y")
}

// What a script writes is found by the rows after it, and is not made twice.
func TestRowsFindWhatScriptsWrote(t *testing.T) {
	f := scripted(t)
	run := f.load("Serial,Name\na,x\nb,y\nc,z\nd,v\n", `
targetTable: server
fields:
  serial: {sourceField: Serial, coalesce: true}
  name: Name
scripts:
- when: onAfter
  script: |
    if (source.serial == 'a' || source.serial == 'b') {
      var next = new GlideRecord('server');
      next.initialize();
      next.serial = source.serial == 'a' ? 'c' : 'd';
      next.parent = target.sys_id;
      next.insert();
    }
`)
	f.want("ledger", run.Ledger.String(), "4 = 2 inserted + 2 updated + 0 unchanged + 0 skipped + 0 rejected")
	f.want("names", f.values("name"), "a=x b=y c=z d=v")
}

func TestScriptsThatEndTheImportLeaveTheRowsBefore(t *testing.T) {
	f := scripted(t)
	_, err := f.Import(t.Context(), importset.Request{Source: text("a.csv", "Serial,Name\na,x\nb,stop\nc,y\n"), Actor: record.System, Maps: maps(t, `
targetTable: server
fields: {serial: {sourceField: Serial, coalesce: true}, name: Name}
scripts:
- {when: onBefore, script: "if (source.name == 'stop') { error = true; error_message = 'enough'; }"}
`)})
	if err == nil || !strings.Contains(err.Error(), "enough") {
		t.Errorf("%v", err)
	}
	f.want("names", f.values("name"), "a=x")
}

func TestOnStartMayCallTheImportOff(t *testing.T) {
	f := scripted(t)
	run := f.load("Serial,Name\na,x\n", `
targetTable: server
fields: {serial: {sourceField: Serial, coalesce: true}, name: Name}
scripts:
- {when: onStart, script: "ignore = true"}
`)
	f.want("ledger", run.Ledger.String(), "1 = 0 inserted + 0 updated + 0 unchanged + 1 skipped + 0 rejected")
}

// The stub that the platform writes names target, which there is none of yet.
func TestOnStartMayNameTheTarget(t *testing.T) {
	f := scripted(t)
	f.load("Serial,Name\na,x\n", `
targetTable: server
fields: {serial: {sourceField: Serial, coalesce: true}, name: Name}
scripts:
- {when: onStart, script: "(function (source, map, log, target) { this.first = typeof target + typeof action; })(source, map, log, target)"}
- {when: onBefore, script: "source.name = this.first"}
`)
	f.want("names", f.values("name"), "a=undefinedundefined")
}

// What onStart sets is there for all rows, and what those leave for onComplete, over as many transactions as it takes.
func TestScriptsOfAMapShareWhatTheySet(t *testing.T) {
	f := scripted(t)
	rows := "Serial,Name\n"
	for i := range 1200 {
		rows += fmt.Sprintf("s%04d,x\n", i)
	}
	run := f.load(rows, `
targetTable: server
fields: {serial: {sourceField: Serial, coalesce: true}, name: Name}
scripts:
- {when: onStart, script: "this.known = {x: 'found'}; seen = 0; function Counter() { this.n = 0; } counter = new Counter();"}
- {when: onBefore, script: "seen++; counter.n++; source.name = known[source.name]"}
- when: onComplete
  script: if (seen != 1200 || !(counter instanceof Counter) || counter.n != 1200) { error = true; error_message = 'saw ' + seen; }
`)
	f.want("ledger", run.Ledger.String(), "1,200 = 1,200 inserted + 0 updated + 0 unchanged + 0 skipped + 0 rejected")
	all := f.values("name")
	f.want("names", fmt.Sprint(strings.Count(all, "=found")), "1200")
}

// A script may find the record itself, by whatever it likes; -1 says that there is none.
func TestASourceScriptMayFindTheRecord(t *testing.T) {
	for _, how := range []string{
		"var gr = new GlideRecord('server'); answer = gr.get('serial', source.serial) || source.name != '' && gr.get('name', source.name) ? gr.sys_id : -1",
		"answer = '-1'",
	} {
		f := scripted(t)
		yaml := `
targetTable: server
fields:
  sys_id: {useSourceScript: true, sourceScript: "` + how + `", coalesce: true}
  serial: Serial
  name: Name
`
		run := f.load("Serial,Name\na,x\nb,y\n", yaml)
		f.want("first ledger", run.Ledger.String(), "2 = 2 inserted + 0 updated + 0 unchanged + 0 skipped + 0 rejected")
		f.want("names", f.values("name"), "a=x b=y")
		if how == "answer = '-1'" {
			continue
		}
		run = f.load("Serial,Name\na,z\nc,y\nd,\n", yaml)
		f.want("second ledger", run.Ledger.String(), "3 = 1 inserted + 2 updated + 0 unchanged + 0 skipped + 0 rejected")
		f.want("names", f.values("name"), "a=z c=y d=")
	}
}

func TestOnCompleteRunsOnceAfterAllRows(t *testing.T) {
	f := scripted(t)
	f.load("Serial,Name\na,x\nb,y\n", `
targetTable: server
fields: {serial: {sourceField: Serial, coalesce: true}, name: Name}
scripts:
- when: onComplete
  script: |
    var all = new GlideRecord('server'); all.query(); var n = 0;
    while (all.next()) { n++; all.cost = 7; all.update(); }
    if (n != 2) error = true;
`)
	f.want("costs", f.values("cost"), "a=7 b=7")
}

func TestForeignInsertsMayBeRefused(t *testing.T) {
	f := scripted(t)
	run := f.load("Serial,Name,Parent\na,x,p\nb,y,q\n", `
targetTable: server
fields:
  serial: {sourceField: Serial, coalesce: true}
  name: Name
  parent: {sourceField: Parent, choiceAction: create, referenceValueField: name}
scripts:
- {when: onForeignInsert, script: "if (name == 'parent' && value == 'q') ignore = true"}
`)
	f.want("ledger", run.Ledger.String(), "2 = 2 inserted + 0 updated + 0 unchanged + 0 skipped + 0 rejected")
	f.want("parents", f.values("parent.name"), "= a=p b=")
}

func TestAPlanRunsScriptsAndKeepsNothing(t *testing.T) {
	f := scripted(t)
	report, err := f.Plan(t.Context(), importset.Request{Source: text("a.csv", "Serial,Name\na,x\nb,y\n"), Actor: record.System, Maps: maps(t, `
targetTable: server
fields: {serial: {sourceField: Serial, coalesce: true}, name: Name}
scripts:
- {when: onStart, script: "var s = new GlideRecord('server'); s.serial = 'started'; s.insert();"}
- {when: onBefore, script: "if (source.serial == 'b') ignore = true; var s = new GlideRecord('server'); s.serial = 'z' + source.serial; s.insert();"}
`)}, "")
	if err != nil {
		t.Fatal(err)
	}
	f.want("ledger", report.Ledger.String(), "2 = 1 inserted + 0 updated + 0 unchanged + 1 skipped + 0 rejected")
	f.want("records", f.values("name"), "")
}

func TestScriptsAreCheckedBeforeAnythingIsWritten(t *testing.T) {
	f := scripted(t)
	_, err := f.Import(t.Context(), importset.Request{Source: text("a.csv", "Serial,Name\na,x\n"), Actor: record.System, Maps: maps(t, `
targetTable: server
fields: {serial: {sourceField: Serial, coalesce: true}, name: Name}
scripts:
- {when: onBefore, script: "if ("}
`)})
	if err == nil || !strings.Contains(err.Error(), "onBefore script") {
		t.Errorf("%v", err)
	}
	if runs, err := f.Runs(t.Context()); err != nil || len(runs) != 0 {
		t.Errorf("%v runs, %v", len(runs), err)
	}
}

func TestPushedRowsMeetScriptsAndAnswerWithWhatTheySay(t *testing.T) {
	f := scripted(t)
	m := f.define(importset.MapTable, map[string]string{"name": "Feed", "source_table": "u_feed", "target_table": "server"})
	f.define(importset.EntryTable, map[string]string{"map": m, "source_field": "serial", "target_field": "serial", "coalesce": "true"})
	f.define(importset.ScriptTable, map[string]string{"map": m, "when": transform.OnBefore, "script": "status_message = 'seen ' + source.u_serial;"})
	out := f.push("u_serial,Name", "a,x")
	if o := out.Rows[0].Outcomes[0]; o.Fate != importset.Inserted || o.Said == nil || o.Said.Status != "seen a" {
		t.Errorf("%+v", o)
	}
}
