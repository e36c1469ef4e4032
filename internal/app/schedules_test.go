package app_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"headrace/internal/app"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/schedule"
)

// nightly is a project that imports a file every night, and then counts what there is.
func nightly(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"project.yaml":                  "name: nightly\n",
		"data/servers.csv":              "serial,name\nS1,web\nS2,db\nS3,mail\n",
		"maps/servers.yaml":             "name: Servers\nsourceTable: u_servers\ntargetTable: cmdb_ci_server\nfields:\n  serial_number: {sourceField: serial, coalesce: true}\n  name: name\n",
		"sources/servers.yaml":          "connectionUrl: " + filepath.Join(dir, "data", "servers.csv") + "\nimportSetTableName: u_servers\n",
		"schedules/imports/night.yaml":  "dataSource: servers\nrunAs: admin\nrunType: daily\nrunTime: \"02:30\"\ntimeZone: Europe/Berlin\npostScript: gs.info('state ' + import_set.state);\n",
		"schedules/scripts/count.yaml":  "runType: parent\nparent: night\nrunAs: system\n",
		"schedules/scripts/count.js":    "var g = new GlideRecord('cmdb_ci_server'); g.query(); gs.info('servers ' + g.getRowCount());\n",
		"schedules/scripts/hidden.yaml": "active: false\n",
		"schedules/scripts/once.yaml":   "runType: once\nrunStart: \"2020-01-01 00:00:00\"\n",
	} {
		at := filepath.Join(dir, "project", filepath.FromSlash(name))
		if strings.HasPrefix(name, "data/") {
			at = filepath.Join(dir, filepath.FromSlash(name))
		}
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "project")
}

// TestAScheduleOfAProjectRunsWithoutBeingSavedAgain applies a project and lets a night pass: the file is imported when it
// is due, as the user, and the job after it sees the records.
func TestAScheduleOfAProjectRunsWithoutBeingSavedAgain(t *testing.T) {
	now := time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC)
	a, err := app.Open(t.Context(), app.Config{Data: t.TempDir(), Outside: app.Outside{Clock: func() time.Time { return now }}})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if _, err := a.DB.As(record.System).Insert(t.Context(), a.DB.Catalog().Table("sys_user"), []record.Assignment{{Field: "user_name", Value: record.Text("admin")}}); err != nil {
		t.Fatal(err)
	}
	dir := nightly(t)
	for _, want := range []int{6, 0} { // the second plan is empty
		p, err := a.LoadProject(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := a.Project.Apply(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		if want == 0 && len(plan.Changes) > 0 {
			t.Errorf("planned again: %+v", plan.Changes)
		}
	}
	now = time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC) // the hour of 02:30 is left out: it is run at 03:00
	if _, err := a.Queue.Drain(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	if got, want := lines(t, a), "night 2026-03-29 01:00:00 done 3 rows by admin: info state done; count 2026-03-29 01:00:00 done 0 rows by system: info servers 3"; got != want {
		t.Errorf("history:\n got %s\nwant %s", got, want)
	}
}

// lines tells the history of all schedules.
func lines(t *testing.T, a *app.App) string {
	t.Helper()
	table := a.DB.Catalog().Table(schedule.HistoryTable)
	var out []string
	q := &record.Query{Table: table, Fields: []string{"name", "due", "state", "rows_read", "run_as", "output", "message"}, OrderBy: []query.Order{{Field: "name", Desc: true}}}
	for row, err := range a.DB.As(record.System).Select(context.Background(), q) {
		if err != nil {
			t.Fatal(err)
		}
		text := strings.TrimSpace(row[5].Text)
		if row[2].Text != "done" {
			text += " " + row[6].Text
		}
		out = append(out, fmt.Sprintf("%s %s %s %s rows by %s: %s", row[0].Text, row[1].Text, row[2].Text, row[3].Text, row[4].Text, text))
	}
	return strings.Join(out, "; ")
}
