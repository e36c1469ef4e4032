package app_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"headrace/internal/app"
	"headrace/internal/core/fault"
	"headrace/internal/flow/project/harness"
	"headrace/internal/store/storetest/stores"
)

func TestMain(m *testing.M) { stores.Main(m) }

// feeds is a project that reads from a database, an SFTP server and a service, and leaves a file; nightly by itself.
func feeds(t *testing.T, tests string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"project.yaml":                "name: feeds\n",
		"users/loader.yaml":           "firstName: Loader\n",
		"maps/servers.yaml":           "name: Servers\nsourceTable: u_servers\ntargetTable: cmdb_ci_server\nfields:\n  serial_number: {sourceField: serial, coalesce: true}\n  name: name\n",
		"credentials/basic/cmdb.yaml": "username: reader\npassword: ${env:CMDB_PASSWORD}\n",
		"sources/cmdb.yaml": "connectionUrl: postgres://db.example/assets\ncredential: cmdb\noptions: {table: public.servers, tls: verify-full}\nimportSetTableName: u_servers\n" +
			"useLastRunDatetime: true\nlastRunDatabaseField: changed\nexpectEvery: 26h\n",
		"sources/drop.yaml":              "connectionUrl: sftp://headrace@files.example/out/servers_*.csv\nimportSetTableName: u_servers\ndoneFolder: done\nerrorFolder: /failed\nonMissingColumn: quarantine\n",
		"sources/list.yaml":              "connectionUrl: rest+https://api.example/servers\noptions: {rows: /items, watermark: changed, since: \"since={since}\"}\nimportSetTableName: u_servers\nuseLastRunDatetime: true\n",
		"sources/page.yaml":              "connectionUrl: https://api.example/servers.csv\nimportSetTableName: u_servers\n",
		"exports/out.yaml":               "table: cmdb_ci_server\nfields: serial_number, name\nconnectionUrl: sftp://feeds@files.example/in\ncontrolFile: ok\n",
		"schedules/imports/nightly.yaml": "dataSource: cmdb\nrunAs: loader\nrunType: daily\nrunTime: \"02:30\"\n",
		"schedules/exports/after.yaml":   "exportSet: out\nrunType: parent\nparent: nightly\n",
		"tests/rows.sql": "create table servers (serial text primary key, name text, changed timestamp);\n" +
			"insert into servers values ('S1', 'web', '2030-01-14 08:00:00'), ('S2', 'db', '2030-01-15 08:00:00');\n",
		"tests/two.csv": "serial,name\nS1,web\nS2,db\n",
		"tests/t.yaml":  tests,
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

const feedsLead = `partner:
  - {name: new, path: /servers, match: {query: {since: "2030-01-15T08:55:01Z"}}, answers: [{json: {items: [{serial: S4, name: fax, changed: "2030-01-15T08:59:00Z"}]}}]}
  - {name: list, path: /servers, answers: [{status: 503}, {json: {items: [{serial: S3, name: mail, changed: "2030-01-15T09:30:00Z"}]}}]}
  - {name: page, path: /servers.csv, answers: [{body: "serial,name\nS5,log\n"}]}
doubles:
  cmdb: {sql: rows.sql}
  drop: {files: {servers_1.csv: {from: two.csv}, servers_2.csv: "serial;name\nS2;db2\n", note.txt: hello}}
  out: {files: {}}
tests:
`

// Each test holds things that are so and one that is not. On PostgreSQL some of what is so is tested again.
func TestSourcesSchedulesAndExportsAreTested(t *testing.T) {
	cases := map[string]claim{
		"databases": {"  - {import: cmdb, gives: {state: done, read: 2, inserted: 2, watermark: '2030-01-15 08:00:00'}}\n" +
			"  - {sql: cmdb, do: \"update servers set name = 'web1', changed = '2030-01-15 09:00:00' where serial = 'S1'\"}\n" +
			"  - {import: cmdb, gives: {read: 2, updated: 1, unchanged: 1}}\n" +
			"  - expect: {records: [{table: cmdb_ci_server, query: serial_number=S1, values: {name: web1}}], sources: {cmdb: {state: healthy, alerts: [], watermark: '2030-01-15 09:00:00'}}}\n",
			"expect: {sources: {cmdb: {watermark: ''}}}"},
		"what is missing there": {"  - {sql: cmdb, do: drop table servers}\n  - {import: cmdb, fails: there is no table}\n  - expect: {sources: {cmdb: {state: failing, alerts: [failed]}}}\n", "{import: cmdb}"},
		"files": {"  - {import: drop, gives: {state: done, read: 3, inserted: 2, updated: 1, files: [{file: servers_1.csv, state: done}, {file: servers_2.csv}]}}\n" +
			"  - {put: drop, files: {servers_3.csv: {from: two.csv}, servers_4.csv: \"name\\nx\\n\"}}\n  - {import: drop, gives: {state: nothing, files: [{state: duplicate}, {file: servers_4.csv, state: quarantined}]}}\n" +
			"  - expect: {files: {drop: {done/servers_1.csv: S1, 'done/*': {count: 3}, 'servers_*': {absent: true}, note.txt: {equals: hello}, /failed/servers_4.csv: {contains: name}}}}\n",
			"expect: {files: {drop: {note.txt: {absent: true}}}}"},
		"services": {"  - {import: list, gives: {inserted: 1, watermark: '2030-01-15T09:00:01Z'}}\n  - {import: list, gives: {inserted: 1}}\n  - {import: page, gives: {inserted: 1}}\n" +
			"  - expect: {requests: [{route: list, status: [503, 200]}, {route: new, count: 1}, {route: page}], sources: {list: {state: healthy}}}\n",
			"expect: {requests: [{route: new, count: 2}]}"},
		"exports": {"  - {create: cmdb_ci_server, values: {serial_number: S9, name: nine}}\n  - {export: out, gives: {state: done, rows: 1, file: out_20300115_000001.csv}}\n" +
			"  - expect: {files: {out: {out_*.csv: 'S9,nine', out_*.ok: '\"count\":1'}}}\n", "expect: {files: {out: {out_*.csv: S8}}}"},
		"schedules": {"  - expect: {schedules: {nightly: {runs: 0, next: '2030-01-16 02:30:00'}}}\n  - drain: all\n  - expect: {schedules: {nightly: {runs: 0}}}\n  - drain: 1d12h\n" +
			"  - expect: {schedules: {nightly: {runs: 1, state: done}, after: {runs: 1, state: done}}, files: {out: {out_20300116_000001.csv: S2}}}\n",
			"expect: {schedules: {nightly: {next: '2030-01-17 02:31:00'}}}"},
		"runs by hand": {"  - {run: nightly, gives: {state: done, rows_read: 2, run_as: loader}}\n  - expect: {schedules: {after: {runs: 1}}}\n", "{run: after, gives: {state: failed}}"},
		"late sources": {"  - {import: cmdb}\n  - {sql: cmdb, do: drop table servers}\n  - drain: 3d\n  - expect: {sources: {cmdb: {alerts: [failed, late]}}, schedules: {nightly: {runs: 3, state: failed}, after: {state: skipped}}, events: {data_source.alert: {values: {state: processed, parm2: late}}}}\n",
			"expect: {sources: {cmdb: {state: healthy}}}"},
		"isolation": {"  - expect: {records: [{table: cmdb_ci_server, count: 0}], files: {out: {'*': {absent: true}}}}\n", "expect: {records: [{table: cmdb_ci_server}]}"},
	}
	results := lookedAt(t, feeds, feedsLead, cases)
	if story := results["schedules"].Story; !slices.ContainsFunc(story, func(l string) bool { return strings.HasPrefix(l, "schedule nightly 2030-01-16 02:30:00 done") }) {
		t.Errorf("the story of schedules is %q", story)
	}
	brief := feedsLead
	for _, name := range []string{"databases", "schedules"} {
		brief += "- name: " + name + "\n  steps:\n" + cases[name].steps
	}
	passes(t, app.TestConfig{Dir: feeds(t, brief), Database: stores.Postgres(t).URL})
}

// passes runs the tests of a project, all of which are to pass.
func passes(t *testing.T, cfg app.TestConfig) {
	t.Helper()
	report, err := app.TestProject(t.Context(), cfg, func(r harness.Result) {
		for _, f := range r.Failures {
			t.Errorf("%s: %s: %s\n%s", r.Name, f.Place, f.Message, strings.Join(r.Story, "\n"))
		}
	})
	if err != nil || report.Passed == 0 {
		t.Errorf("%+v, %v", report, err)
	}
}

// Nothing is reached that has no double, and a double that cannot be says why.
func TestDoublesSayWhatTheyLack(t *testing.T) {
	cases := [][2]string{
		{"{steps: [{import: cmdb}]}", "the test has no double of cmdb (PostgreSQL) -> doubles: {cmdb: {sql:"},
		{"{steps: [{export: out}]}", "the test has no double of out (SFTP)"},
		{"{doubles: {cmbd: {sql: rows.sql}}, steps: [{advance: 1s}]}", `there is no data source or export set "cmbd" -> did you mean "cmdb"?`},
		{"{doubles: {cmdb: {files: {}}}, steps: [{import: cmdb}]}", "the double of cmdb is no PostgreSQL"},
		{"{doubles: {list: {sql: create table a (b)}}, steps: [{import: list}]}", "services are answered by the partner"},
		{"{doubles: {cmdb: {files: {}, sql: rows.sql}}, steps: [{advance: 1s}]}", "it has both sql and files"},
		{"{doubles: {cmdb: {sql: ../project.sql}}, steps: [{advance: 1s}]}", `the file "../project.sql" cannot be read`},
		{"{doubles: {cmdb: {sql: create tabel a (b)}}, steps: [{advance: 1s}]}", `near "tabel"`},
		{"{doubles: {cmdb: {sql: rows.sql}}, steps: [{expect: {files: {cmdb: {a: b}}}}]}", `there is no folder for "cmdb"`},
		{"{steps: [{import: cmdb, gives: {read: 2}}]}", "doubles: {cmdb: {sql:"},
		{"{doubles: {cmdb: {sql: rows.sql}}, steps: [{put: cmdb, files: {a: b}}]}", `there is no folder for "cmdb"`},
		{"{doubles: {drop: {files: {}}}, steps: [{sql: drop, do: drop table servers}]}", `there is no database for "drop"`},
		{"{steps: [{run: night}]}", `there is no schedule "night"`},
		{"{doubles: {page: {files: {}}}, steps: [{import: page}]}", "page: /servers.csv does not exist"},
		{"{steps: [{drain: 1dd}]}", `"1dd" is no length of time`},
	}
	text := "tests:\n"
	for _, c := range cases {
		text += "- " + c[0] + "\n"
	}
	results := run(t, feeds(t, text))
	for i, c := range cases {
		if r := results[i]; r.Passed || !strings.Contains(r.Failures[0].Message, c[1]) {
			t.Errorf("%s: the result is %+v, it must say %q", c[0], r, c[1])
		}
	}
}

// A database of which nothing is known is not tried, and what cannot be reached is named.
func TestTestsNeedADatabaseThatIsThere(t *testing.T) {
	for url, kind := range map[string]fault.Kind{"mysql://localhost/x": fault.Invalid, "postgres:///x?host=" + t.TempDir(): fault.Unavailable} {
		_, err := app.TestProject(t.Context(), app.TestConfig{Dir: feeds(t, "steps: [{advance: 1s}]\n"), Database: url}, func(harness.Result) {})
		if err == nil || fault.KindOf(err) != kind {
			t.Errorf("%s: the error is %v", url, err)
		}
	}
}
