package datasource_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"headrace/internal/connect/format"
	"headrace/internal/connect/format/csv"
	formatjson "headrace/internal/connect/format/json"
	"headrace/internal/connect/source"
	"headrace/internal/connect/source/file"
	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
	"headrace/internal/flow/importset/datasource"
	"headrace/internal/store/sqlstore"
	"headrace/internal/store/storetest/stores"
)

// partner is a folder that a partner fills each night, and the source over it.
type partner struct {
	t       *testing.T
	db      *record.DB
	service *datasource.Service
	dir     string
	now     time.Time
	nights  int
	live    []string // rows of the source "live"
	record  map[string]string
}

func eachPartner(t *testing.T, settings map[string]string, test func(t *testing.T, p *partner)) {
	t.Helper()
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) { onPartner(t, cfg, settings, test) })
}

func onPartner(t *testing.T, cfg sqlstore.Config, settings map[string]string, test func(t *testing.T, p *partner)) {
	t.Helper()
	p := &partner{t: t, dir: t.TempDir(), now: time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC), record: map[string]string{}}
	clock := func() time.Time { return p.now }
	db, err := record.Open(t.Context(), stores.Open(t, cfg), record.Config{Tables: slices.Concat(importset.Tables(), datasource.Tables(), eventTables()), Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	server := record.Table{Name: "server", Label: "Server", Fields: []record.Field{{Name: "serial", Label: "Serial", Type: record.String, Display: true},
		{Name: "cost", Label: "Cost", Type: record.String}, {Name: "active", Label: "Active", Type: record.Boolean, Default: "true"}}}
	if _, err := db.Define(t.Context(), record.System, false, server); err != nil {
		t.Fatal(err)
	}
	p.db = db
	kinds := []source.Kind{file.Kind(), {Info: source.Info{Name: "live", Label: "Live", Schemes: []string{"live"}}, Rows: func(source.Address) (source.Rows, error) { return p, nil }}}
	p.service = datasource.New(datasource.Config{DB: db, Imports: importset.New(db), Kinds: kinds, Formats: []format.Format{formatjson.Format{}, csv.Format{}},
		Spool: t.TempDir(), Clock: clock})
	p.make("sys_transform_map", "name", "servers", "source_table", "imp_server", "target_table", "server")
	m := p.only("sys_transform_map", "")
	p.make("sys_transform_entry", "map", m.ID(), "source_field", "Serial", "target_field", "serial", "coalesce", "true")
	p.make("sys_transform_entry", "map", m.ID(), "source_field", "Cost", "target_field", "cost")
	for name, url := range map[string]string{"feed": "file://" + p.dir + "/*", "live": "live://partner/servers"} {
		values := []string{"name", name, "connection_url", url, "import_set_table_name", "imp_server"}
		for field, v := range settings {
			values = append(values, field, v)
		}
		p.record[name] = p.make("sys_data_source", values...)
	}
	test(t, p)
}

// Read makes the partner a source of rows, whose first line names the columns.
func (p *partner) Read(_ context.Context, since string) *source.Reading {
	var rows iter.Seq2[*format.Row, error] = func(yield func(*format.Row, error) bool) {
		h := &format.Header{Columns: strings.Split(p.live[0], ",")}
		for i, line := range p.live[1:] {
			row := &format.Row{Header: h, Line: int64(i + 1)}
			for _, cell := range strings.Split(line, ",") {
				row.Cells = append(row.Cells, record.Value{Text: cell, Valid: cell != ""})
			}
			if !yield(row, nil) {
				return
			}
		}
		yield(&format.Row{Header: h}, nil)
	}
	return &source.Reading{Rows: rows, High: func() string { return "" }, Total: func() int64 { return -1 }}
}

func (*partner) Test(context.Context) error { return nil }
func (*partner) Close() error               { return nil }

func (p *partner) make(table string, pairs ...string) string {
	p.t.Helper()
	var values []record.Assignment
	for i := 0; i < len(pairs); i += 2 {
		values = append(values, record.Assignment{Field: pairs[i], Value: record.Text(pairs[i+1])})
	}
	r, err := p.db.As(record.System).Insert(p.t.Context(), p.db.Catalog().Table(table), values)
	if err != nil {
		p.t.Fatal(err)
	}
	return r.ID()
}

func (p *partner) set(source, field, value string) {
	p.t.Helper()
	if _, _, err := p.db.As(record.System).Update(p.t.Context(), p.db.Catalog().Table("sys_data_source"), p.record[source],
		[]record.Assignment{{Field: field, Value: record.Text(value)}}); err != nil {
		p.t.Fatal(err)
	}
}

func (p *partner) all(table, where string) []*record.Record {
	p.t.Helper()
	t := p.db.Catalog().Table(table)
	q, err := query.Parse(where, t, query.Env{})
	if err != nil || len(q.Invalid) > 0 {
		p.t.Fatal(err, q.Invalid)
	}
	var out []*record.Record
	for row, err := range p.db.As(record.System).Select(p.t.Context(), &record.Query{Table: t, Fields: t.Names(), Where: q.Where, OrderBy: []query.Order{{Field: record.SysID}}}) {
		if err != nil {
			p.t.Fatal(err)
		}
		out = append(out, &record.Record{Table: t, Values: slices.Clone(row)})
	}
	return out
}

func (p *partner) only(table, where string) *record.Record {
	p.t.Helper()
	all := p.all(table, where)
	if len(all) != 1 {
		p.t.Fatalf("%d records of %s, want one", len(all), table)
	}
	return all[0]
}

// deliver leaves a file for the night.
func (p *partner) deliver(content string, suffix ...string) {
	p.t.Helper()
	p.nights++
	name := filepath.Join(p.dir, fmt.Sprintf("feed-%03d.%s", p.nights, append(suffix, "csv")[0]))
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		p.t.Fatal(err)
	}
	at := p.now.Add(time.Duration(p.nights) * time.Minute)
	if err := os.Chtimes(name, at, at); err != nil {
		p.t.Fatal(err)
	}
}

// run brings a source in, a day later.
func (p *partner) run(name string, change ...func(*datasource.Request)) (*datasource.Result, error) {
	p.now = p.now.Add(24 * time.Hour)
	req := datasource.Request{Name: name, Actor: record.System}
	for _, c := range change {
		c(&req)
	}
	return p.service.Run(p.t.Context(), req)
}

func (p *partner) must(name string, change ...func(*datasource.Request)) *datasource.Result {
	p.t.Helper()
	result, err := p.run(name, change...)
	if err != nil {
		p.t.Fatalf("%v; %s", err, fault.HintOf(err))
	}
	return result
}

// open lists the open alerts of a source: "drift new Rack x1".
func (p *partner) open(name string) string {
	p.t.Helper()
	var out []string
	for _, r := range p.all("sys_data_source_alert", "state=open^source="+p.record[name]) {
		out = append(out, strings.Join(strings.Fields(r.Get("kind").Text+" "+r.Get("subject").Text+" x"+r.Get("times").Text), " "))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func (p *partner) want(what, got, want string) {
	p.t.Helper()
	if got != want {
		p.t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func (p *partner) health(name string) string {
	h := p.only("sys_data_source_health", "source="+p.record[name])
	return h.Get("state").Text + " " + h.Get("failures").Text
}

// servers is a listing of n servers.
func servers(n int) string {
	var b strings.Builder
	b.WriteString("Serial,Cost,Bought\n")
	for i := range n {
		fmt.Fprintf(&b, "S%03d,%d.50,%02d.11.2026\n", i, i+1, i%28+1)
	}
	return b.String()
}

func drift(r *datasource.Result) string {
	var out []string
	for _, d := range r.Drift {
		out = append(out, d.Kind+" "+d.Column+" "+d.Policy)
	}
	return strings.Join(out, ", ")
}

// Each kind of difference meets each policy, before anything is written, and is a line and an alert.
func TestDriftMeetsItsPolicyBeforeAnythingIsWritten(t *testing.T) {
	kinds := map[string]struct{ field, content, drift string }{
		"new":     {"on_new_column", "Serial,Cost,Bought,Rack\nX1,1,01.11.2026,B7\n", "new Rack"},
		"missing": {"on_missing_column", "Serial,Cost\nX1,1\n", "missing Bought"},
		"changed": {"on_changed_type", "Serial,Cost,Bought\nX1,a lot,01.11.2026\nX2,more,02.11.2026\n", "changed Cost"},
	}
	for kind, c := range kinds {
		for _, policy := range []string{"ignore", "add", "quarantine", "stop"} {
			t.Run(kind+"/"+policy, func(t *testing.T) {
				test := func(t *testing.T, p *partner) { p.driftMeets(c.field, policy, c.content, c.drift) }
				if kind == "changed" {
					eachPartner(t, nil, test)
				} else { // the store has no part in what differs
					onPartner(t, stores.SQLite(t), nil, test)
				}
			})
		}
	}
}

func (p *partner) driftMeets(field, policy, content, what string) {
	p.t.Helper()
	p.set("feed", field, policy)
	p.deliver(servers(3))
	p.must("feed")
	p.want("alerts of the first night", p.open("feed"), "")
	p.deliver(content)
	result, err := p.run("feed")
	p.want("drift", drift(result), what+" "+policy)
	written := len(p.all("server", "serialSTARTSWITHX")) > 0
	stops := policy == "stop" || policy == "quarantine"
	if written == stops || (err != nil) != (policy == "stop") {
		p.t.Errorf("written %t, %v", written, err)
	}
	alert, state := "drift "+what+" x1", "drift 0"
	if policy == "stop" {
		if fault.KindOf(err) != fault.Refused || !strings.Contains(err.Error(), "nothing was written") {
			p.t.Errorf("%v", err)
		}
		alert, state = alert+", failed x1", "drift 1"
	}
	p.want("alerts", p.open("feed"), alert)
	p.want("health", p.health("feed"), state)
	file := p.all("sys_data_source_file", "pathENDSWITH002.csv")
	p.want("file", file[0].Get("state").Text, map[string]string{"ignore": "done", "add": "done", "quarantine": "quarantined", "stop": "failed"}[policy])

	p.deliver(strings.Replace(content, "X1", "X3", 1))
	if policy == "stop" {
		p.must("feed", func(r *datasource.Request) { r.Accept = true })
		p.deliver(strings.Replace(content, "X1", "X4", 1))
	}
	result = p.must("feed")
	if policy == "add" || policy == "stop" {
		p.want("drift once agreed on", drift(result), "")
		p.want("alerts once agreed on", p.open("feed"), "")
		p.want("health once agreed on", p.health("feed"), "healthy 0")
		return
	}
	p.want("alerts while it lasts", p.open("feed"), "drift "+what+" x2")
}

func TestANewColumnThatIsAgreedOnIsOneOfTheStagingTable(t *testing.T) {
	eachPartner(t, nil, func(t *testing.T, p *partner) {
		p.deliver(servers(2))
		p.must("feed")
		p.deliver("Serial,Cost,Bought,Rack\nX1,1,01.11.2026,B7\n")
		p.must("feed")
		if columns := p.only("sys_import_set_table", "name=imp_server").Get("columns").Text; !strings.Contains(columns, "Rack") {
			t.Errorf("columns of the staging table: %s", columns)
		}
	})
}

// What only looks different is no drift.
func TestNoFalseAlarms(t *testing.T) {
	eachPartner(t, map[string]string{"on_new_column": "stop", "on_zero_rows": "ok"}, func(t *testing.T, p *partner) {
		p.deliver(servers(30))
		p.must("feed")
		for name, content := range map[string]string{
			"other order":        "Bought,Serial,Cost\n01.11.2026,A1,7\n",
			"other case":         "serial,COST,Bought\nA2,7,01.11.2026\n",
			"whole numbers only": "Serial,Cost,Bought\nA3,7,01.11.2026\n",
			"texts like numbers": "Serial,Cost,Bought\n12345,7,01.11.2026\n",
			"no values":          "Serial,Cost,Bought\nA4,,\n",
			"header only":        "Serial,Cost,Bought\n",
			"half a row":         "Serial,Cost,Bought\nA5,\"7,01.11.2026\n",
			"one bad value":      strings.Replace(servers(30), "5.50", "n/a", 1),
		} {
			p.deliver(content)
			result, err := p.run("feed")
			if err != nil || len(result.Drift) > 0 || p.open("feed") != "" {
				t.Errorf("%s: %v, %s, %s", name, err, drift(result), p.open("feed"))
			}
		}
	})
}

func TestARenamedColumnIsHintedAt(t *testing.T) {
	eachPartner(t, nil, func(t *testing.T, p *partner) {
		p.deliver("Serial,Cost,Bought On\nS1,1,2026-01-01\n")
		p.must("feed")
		p.deliver("Serial,Cost,Bought-On-Day,Other\nS1,1,2026-01-01,7\n")
		result, err := p.run("feed")
		if err == nil || !strings.Contains(err.Error(), `column "Bought On" is missing: stopped (renamed? "Bought-On-Day" is new and looks like it)`) {
			t.Errorf("%v %+v", err, result.Drift)
		}
	})
}

// Columns of JSON that come late are seen, and those that rows may leave out are not missed.
func TestColumnsThatComeLateAreSeen(t *testing.T) {
	eachPartner(t, map[string]string{"on_new_column": "stop"}, func(t *testing.T, p *partner) {
		p.deliver(`[{"Serial":"S1","Cost":1,"Note":"x"},{"Serial":"S2","Cost":2}]`, "json")
		p.must("feed")
		p.deliver(`[{"Serial":"S1","Cost":1}]`, "json")
		if result := p.must("feed"); len(result.Drift) > 0 {
			t.Errorf("a column that rows may leave out: %s", drift(result))
		}
		p.deliver(`[{"Serial":"S1","Cost":1},{"Serial":"S3","Cost":1,"Rack":"B7"}]`, "json")
		result, err := p.run("feed")
		if fault.KindOf(err) != fault.Refused || drift(result) != "new Rack stop" || len(p.all("server", "serial=S3")) > 0 {
			t.Errorf("%v, %s", err, drift(result))
		}
	})
}

// Rows of a database are held back until they are judged.
func TestDriftOfRowsStopsBeforeAnythingIsWritten(t *testing.T) {
	eachPartner(t, map[string]string{"on_new_column": "stop"}, func(t *testing.T, p *partner) {
		p.live = []string{"Serial,Cost", "S1,1", "S2,2"}
		p.must("live")
		for content, want := range map[string]string{"Serial,Cost,Rack": "new Rack stop", "Serial": "missing Cost stop"} {
			p.live = []string{content, "X1,1,1"[:len(content)/4]}
			result, err := p.run("live")
			if fault.KindOf(err) != fault.Refused || drift(result) != want || len(p.all("server", "serialSTARTSWITHX")) > 0 {
				t.Errorf("%v, %s", err, drift(result))
			}
		}
		p.live = []string{"Serial,Cost", "S1,one", "S2,two"}
		if result, err := p.run("live"); fault.KindOf(err) != fault.Refused || drift(result) != "changed Cost stop" {
			t.Errorf("%v, %s", err, drift(result))
		}
		p.live = []string{"cost,serial", "1,S1"}
		if result := p.must("live"); drift(result) != "" || p.open("live") != "" || p.health("live") != "healthy 0" {
			t.Errorf("as agreed again: %s, %s, %s", drift(result), p.open("live"), p.health("live"))
		}
	})
}

func TestAWrittenContractHoldsFromTheFirstDelivery(t *testing.T) {
	eachPartner(t, map[string]string{"contract": `{"columns":[{"name":"Serial"},{"name":"Cost","type":"number"},{"name":"Site"}]}`}, func(t *testing.T, p *partner) {
		p.deliver("Serial,Cost\nS1,1\n")
		if result, err := p.run("feed"); err == nil || drift(result) != "missing Site stop" {
			t.Errorf("%v, %s", err, drift(result))
		}
		p.set("feed", "contract", `{"columns":[{"name":"Serial","typ":"number"}]}`)
		if _, err := p.run("feed"); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "typ") {
			t.Errorf("a contract with a slip: %v", err)
		}
		p.set("feed", "contract", `{"columns":[{"name":"Serial"},{"name":"Cost"}]}`)
		p.must("feed")
		p.want("health", p.health("feed"), "healthy 0")
	})
}

// Alerts come once while they last, and fire an event when they come and when they are over.
func TestAlertsComeOnceAndGoWhenTheyAreOver(t *testing.T) {
	eachPartner(t, map[string]string{"expect_every": "36h", "expect_rows_min": "3", "expect_rows_change": "50"}, func(t *testing.T, p *partner) {
		for range 4 {
			p.deliver(servers(10 + p.nights))
			p.must("feed")
		}
		p.want("alerts", p.open("feed"), "")
		p.deliver(servers(4))
		p.must("feed")
		p.want("few rows", p.open("feed"), "unusual_count x1")
		p.deliver(servers(2))
		p.must("feed")
		p.want("fewer than the least", p.open("feed"), "unusual_count x2")
		p.deliver(servers(14))
		p.must("feed")
		p.want("as usual", p.open("feed"), "")
		p.deliver("Serial,Cost,Bought\n")
		p.must("feed")
		p.want("no rows", p.open("feed")+" "+p.health("feed"), "zero_rows x1 quiet 0")
		p.set("feed", "on_zero_rows", "fail")
		p.deliver("Bought,Serial,Cost\n")
		if _, err := p.run("feed"); fault.KindOf(err) != fault.Refused {
			t.Errorf("no rows where that is an error: %v", err)
		}
		p.want("failed", p.open("feed")+" "+p.health("feed"), "failed x1, zero_rows x1 failing 1")
	})
}

func TestSilenceIsAnAlert(t *testing.T) {
	eachPartner(t, map[string]string{"expect_every": "36h"}, func(t *testing.T, p *partner) {
		overdue := func(after time.Duration) {
			t.Helper()
			p.now = p.now.Add(after)
			if err := p.service.Overdue(t.Context(), p.now); err != nil {
				t.Fatal(err)
			}
		}
		overdue(36 * time.Hour)
		p.want("never tried, in time", p.open("feed"), "")
		overdue(time.Second)
		overdue(time.Minute)
		p.want("never tried, late", p.open("feed")+" "+p.health("feed"), "late x2 late 0")
		p.deliver(servers(3))
		p.must("feed")
		p.want("it came", p.open("feed")+p.health("feed"), "healthy 0")
		p.must("feed") // nothing new: tried, and still silent
		overdue(13 * time.Hour)
		p.want("tried in vain", p.open("feed")+" "+p.health("feed"), "late x1 late 0")
		p.must("feed")
		p.want("tried in vain once more", p.open("feed")+" "+p.health("feed"), "late x1 late 0")
		p.set("feed", "expect_every", "96h")
		overdue(0)
		p.want("expected less often", p.open("feed")+p.health("feed"), "healthy 0")
		p.set("feed", "expect_every", "soon")
		if err := p.service.Overdue(t.Context(), p.now); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "feed") {
			t.Errorf("%v", err)
		}
		p.set("feed", "active", "false")
		overdue(1000 * time.Hour)
		p.want("not active", p.open("feed"), "")
		var events []string
		for _, e := range p.all("sysevent", "parm1=feed") {
			events = append(events, e.Get("name").Text+" "+e.Get("parm2").Text)
		}
		p.want("events", strings.Join(events, ", "), "data_source.alert late, data_source.resolved late, data_source.alert late, data_source.resolved late")
		if n := len(p.all("sysevent_register", "event_nameSTARTSWITHdata_source.")); n != 2 {
			t.Errorf("%d events are registered", n)
		}
	})
}

func TestFailuresAreCountedAndForgotten(t *testing.T) {
	eachPartner(t, nil, func(t *testing.T, p *partner) {
		p.deliver(`[{"Serial": "S1"`, "json")
		for n := range 3 {
			if _, err := p.run("feed"); err == nil {
				t.Fatal("a file that is none was read")
			}
			p.want("alerts", p.open("feed"), "failed x"+strconv.Itoa(n+1))
		}
		p.want("health", p.health("feed"), "failing 3")
		if err := os.Remove(filepath.Join(p.dir, "feed-001.json")); err != nil {
			t.Fatal(err)
		}
		p.deliver(servers(3))
		p.must("feed")
		p.want("mended", p.open("feed")+p.health("feed"), "healthy 0")
	})
}

func TestAbsentRecordsOfASource(t *testing.T) {
	eachPartner(t, map[string]string{"on_absent": "deactivate"}, func(t *testing.T, p *partner) {
		p.deliver(servers(30))
		p.must("feed")
		p.deliver(servers(27))
		result := p.must("feed")
		p.want("3 of 30", result.Absent.Line()+"; "+p.open("feed"), "absent 3 deactivated; ")
		p.deliver(servers(20))
		result = p.must("feed")
		p.want("7 of 27", result.Absent.State+" "+p.open("feed"), "refused absent_refused x1")
		p.deliver(servers(19))
		p.deliver(servers(18))
		result = p.must("feed")
		if result.Absent != nil || len(result.Runs) != 2 {
			t.Errorf("several files at once: %+v", result.Absent)
		}
		p.want("several files at once", p.open("feed"), "absent_refused x2")
		p.deliver(servers(28))
		p.must("feed")
		p.want("whole again", p.open("feed"), "")
		p.live = []string{"Serial,Cost", "S000,1"}
		p.set("live", "absent_percent", "100")
		result = p.must("live")
		p.want("rows", result.Absent.Line(), "absent 26 deactivated")
		p.set("live", "use_last_run_datetime", "true")
		if result = p.must("live"); result.Absent != nil || p.open("live") != "absent_refused x1" {
			t.Errorf("rows since the last run: %+v %s", result.Absent, p.open("live"))
		}
	})
}

func TestAResultIsWhatProgramsRead(t *testing.T) {
	eachPartner(t, nil, func(t *testing.T, p *partner) {
		p.deliver(servers(2))
		p.must("feed")
		p.deliver("Serial,Cost,Bought,Rack\nX1,1,01.11.2026,B7\n")
		b, err := json.Marshal(p.must("feed"))
		if err != nil || !strings.Contains(string(b), `"drift":[{"kind":"new","column":"Rack","is":"string","policy":"add"}]`) {
			t.Errorf("%s %v", b, err)
		}
	})
}
