package importset_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
	"headrace/internal/store/sqlstore"
	"headrace/internal/store/storetest/stores"
)

func TestMain(m *testing.M) { stores.Main(m) }

// absent is a fixture whose clock moves only when it is told to.
type absent struct {
	*fixture
	now time.Time
}

func eachAbsent(t *testing.T, hooks []record.Hook, test func(t *testing.T, f *absent)) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		f := &absent{now: time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)}
		db, err := record.Open(t.Context(), stores.Open(t, cfg), record.Config{Tables: importset.Tables(), Hooks: hooks, Clock: func() time.Time { return f.now }})
		if err != nil {
			t.Fatal(err)
		}
		flagged := servers
		flagged.Fields = append(flagged.Fields[:len(flagged.Fields):len(flagged.Fields)], record.Field{Name: "site", Label: "Site", Type: record.String},
			record.Field{Name: "note", Label: "Note", Type: record.String})
		flagged.Extendable = true
		rack := record.Table{Name: "rack_server", Label: "Rack server", Extends: "server", Fields: []record.Field{{Name: "rack", Label: "Rack", Type: record.String}}}
		if _, err := db.Define(t.Context(), record.System, false, flagged, rack); err != nil {
			t.Fatal(err)
		}
		f.fixture = &fixture{t: t, Service: importset.New(db), db: db}
		test(t, f)
	})
}

// night imports a full set a day later.
func (f *absent) night(content string) *importset.Run {
	f.t.Helper()
	f.now = f.now.Add(24 * time.Hour)
	return f.load(content, serverMap)
}

func (f *absent) ask(run int64, terms importset.AbsentTerms, more ...func(*importset.AbsentRequest)) (*importset.AbsentReport, error) {
	f.t.Helper()
	req := importset.AbsentRequest{Run: run, Terms: terms, Actor: record.System}
	for _, m := range more {
		m(&req)
	}
	return f.Absent(f.t.Context(), req)
}

func (f *absent) must(run int64, terms importset.AbsentTerms, more ...func(*importset.AbsentRequest)) *importset.AbsentReport {
	f.t.Helper()
	report, err := f.ask(run, terms, more...)
	if err != nil {
		f.t.Fatal(err)
	}
	return report
}

func (f *absent) refused(run int64, terms importset.AbsentTerms, says string) {
	f.t.Helper()
	before := f.checksum()
	_, err := f.ask(run, terms)
	if fault.KindOf(err) != fault.Refused || err == nil || !strings.Contains(err.Error(), says) {
		f.t.Errorf("%v, want a refusal that says %q", err, says)
	}
	if f.checksum() != before {
		f.t.Error("what was refused changed the table")
	}
}

func (f *absent) count(where string) int64 {
	f.t.Helper()
	t := f.db.Catalog().Table("server")
	q, err := query.Parse(where, t, query.Env{})
	if err != nil {
		f.t.Fatal(err)
	}
	n, err := f.db.As(record.System).Count(f.t.Context(), t, q.Where)
	if err != nil {
		f.t.Fatal(err)
	}
	return n
}

func generous(policy importset.AbsentPolicy) importset.AbsentTerms {
	return importset.AbsentTerms{Policy: policy, MaxPercent: 100, MaxRows: 1_000_000}
}

// without is a feed of n servers that leaves out the first gone of them.
func without(n, gone int) string {
	lines := strings.SplitAfter(feed(n, nil), "\n")
	return lines[0] + strings.Join(lines[1+gone:], "")
}

func TestAbsentRecordsAreDealtWithByPolicyAndUndoBringsThemBack(t *testing.T) {
	flag := generous(importset.FlagAbsent)
	flag.Field, flag.Value = "note", "not in the feed"
	for name, c := range map[string]struct {
		terms importset.AbsentTerms
		line  string
		query string
		left  int64
	}{
		"flag":       {flag, "absent 7 flagged", "note=not in the feed", 7},
		"deactivate": {generous(importset.DeactivateAbsent), "absent 7 deactivated", "active=false", 7},
		"delete":     {generous(importset.DeleteAbsent), "absent 7 deleted", "", 43},
	} {
		t.Run(name, func(t *testing.T) {
			eachAbsent(t, nil, func(t *testing.T, f *absent) {
				f.night(feed(50, nil))
				before := f.checksum()
				run := f.night(without(50, 7))
				plan := f.must(run.Number, c.terms, func(r *importset.AbsentRequest) { r.DryRun = true })
				if plan.State != importset.AbsentPlanned || plan.Absent != 7 || plan.Records != 50 || f.checksum() != before || plan.Examples[0].Display != "server 0" {
					t.Errorf("planned %+v", plan)
				}
				report := f.must(run.Number, c.terms)
				if report.Line() != c.line || f.count(c.query) != c.left {
					t.Errorf("%s, %d records; want %s, %d", report.Line(), f.count(c.query), c.line, c.left)
				}
				shown, err := f.Run(t.Context(), run.Number)
				if err != nil || shown.Absent == nil || shown.Absent.Line() != c.line || !shown.Ledger.Balances() || shown.Ledger.Read != 43 {
					t.Errorf("the run shows %+v: %v", shown, err)
				}
				if again := f.must(run.Number, c.terms); again.Line() != c.line {
					t.Errorf("asked again: %s", again.Line())
				}
				undone, err := f.Undo(t.Context(), importset.UndoRequest{Run: run.Number, Actor: record.System})
				if err != nil || undone.Restored != 7 || undone.Refused != 0 || f.checksum() != before {
					t.Errorf("undo %+v: %v; equal to before: %t", undone, err, f.checksum() == before)
				}
			})
		})
	}
}

func TestAbsentRecordsAreCountedOnceOverTheNights(t *testing.T) {
	eachAbsent(t, nil, func(t *testing.T, f *absent) {
		f.night(feed(50, nil))
		f.must(f.night(without(50, 5)).Number, generous(importset.DeactivateAbsent))
		report := f.must(f.night(without(50, 6)).Number, generous(importset.DeactivateAbsent))
		if report.Records != 45 || report.Absent != 1 || report.Deactivated != 1 || f.count("active=false") != 6 {
			t.Errorf("the second night: %+v", report)
		}
		if report := f.must(f.night(without(50, 6)).Number, generous(importset.DeactivateAbsent)); report.Line() != "absent 0" {
			t.Errorf("the same listing again: %s", report.Line())
		}
	})
}

func TestTheLimitsHoldExactly(t *testing.T) {
	for name, c := range map[string]struct {
		percent float64
		rows    int64
		says    string
	}{
		"at both limits":       {10, 5, ""},
		"below the percentage": {9.99, 1000, "5 of 50 records of server are absent: 10.0 %, and 9.99 % are believed"},
		"below the number":     {100, 4, "5 of 50 records of server are absent, and 4 are believed"},
		"nothing believed":     {0, 0, "5 of 50"},
	} {
		t.Run(name, func(t *testing.T) {
			eachAbsent(t, nil, func(t *testing.T, f *absent) {
				f.night(feed(50, nil))
				run := f.night(without(50, 5))
				terms := importset.AbsentTerms{Policy: importset.DeleteAbsent, MaxPercent: c.percent, MaxRows: c.rows}
				if c.says == "" {
					f.must(run.Number, terms)
					return
				}
				f.refused(run.Number, terms, c.says)
				shown, err := f.Run(t.Context(), run.Number)
				if err != nil || shown.Absent == nil || shown.Absent.State != importset.AbsentRefused || !strings.Contains(shown.Absent.Line(), "left as they are") {
					t.Errorf("the run shows %+v: %v", shown.Absent, err)
				}
				report, err := f.ResumeAbsent(t.Context(), importset.AbsentRequest{Run: run.Number, Allow: true, Actor: record.System})
				if err != nil || report.Deleted != 5 {
					t.Errorf("allowed once: %+v %v", report, err)
				}
			})
		})
	}
}

func TestWhatIsNoFullSetMakesNothingAbsent(t *testing.T) {
	eachAbsent(t, nil, func(t *testing.T, f *absent) {
		terms := generous(importset.DeleteAbsent)
		f.night(feed(5, nil))
		if f.count("") != 5 {
			t.Fatal("the first night")
		}
		f.now = f.now.Add(time.Hour)
		f.refused(f.half("Serial,Name,Installed,Cost\nS00000,server 0,,\n", serverMap).Number, terms, "is halted")
		f.refused(f.night("Serial,Name,Installed,Cost\nS00000,server 0,,\n").Number, importset.AbsentTerms{Policy: "delete", MaxPercent: 50, MaxRows: 10}, "80.0 %")
		older := f.night(feed(4, nil))
		f.refused(f.night("Serial,Name,Installed,Cost\n").Number, terms, "an empty listing")
		f.refused(older.Number, terms, "has read the same source since")
		undone := f.night(feed(4, nil))
		if _, err := f.Undo(t.Context(), importset.UndoRequest{Run: undone.Number, Actor: record.System}); err != nil {
			t.Fatal(err)
		}
		f.refused(undone.Number, terms, "is undone")
		f.refused(f.load("Serial,Name,Installed,Cost\nS00000,server 0,,\n", strings.Replace(serverMap, ", coalesce: true", "", 1)).Number, terms, "no coalesce field")
	})
}

// A row that was rejected is about the record that has its key; one whose key cannot be read could be about any.
func TestRejectedRowsProtectTheirRecords(t *testing.T) {
	eachAbsent(t, nil, func(t *testing.T, f *absent) {
		terms := generous(importset.DeleteAbsent)
		f.night(feed(5, nil))
		run := f.night("Serial,Name,Installed,Cost\nS00000,server 0,2026-01-01,0.5\nS00001,server 1,01.02.2026,1.5\ns00001,twice,,\nS00009,new,01.02.2026,1\n")
		f.wantLedger(run, "4 = 0 inserted + 0 updated + 1 unchanged + 1 skipped + 2 rejected")
		if report := f.must(run.Number, terms); report.Absent != 3 || f.count("serial=S00001") != 1 {
			t.Errorf("%+v", report)
		}
		for name, row := range map[string]string{"without a key": ",nameless,,\n", "cut off": "S00000\n", "with a key too long": strings.Repeat("S", 50) + ",long,,\n"} {
			run := f.night("Serial,Name,Installed,Cost\nS00000,server 0,2026-01-01,0.5\n" + row)
			f.refused(run.Number, terms, "the records of 1 rejected or skipped rows cannot be told")
			plan, err := f.Plan(t.Context(), importset.Request{Source: text("servers.csv", "Serial,Name,Installed,Cost\nS00000,server 0,2026-01-01,0.5\n"+row), Maps: maps(t, serverMap), Absent: &terms, Actor: record.System}, "")
			if err != nil || plan.Absent == nil || !strings.Contains(plan.Absent.Line(), "would be left as they are: the records of 1") {
				t.Errorf("a row %s: the plan says %+v %v", name, plan.Absent, err)
			}
		}
		terms.AllowRejected = true
		if report := f.must(f.night("Serial,Name,Installed,Cost\nS00000,server 0,2026-01-01,0.5\n,nameless,,\n").Number, terms); report.Deleted != 1 {
			t.Errorf("allowed: %+v", report)
		}
	})
}

func TestOnlyThePartThatTheSourceAnswersForIsAbsent(t *testing.T) {
	eachAbsent(t, nil, func(t *testing.T, f *absent) {
		f.night(feed(6, nil))
		server := f.db.Catalog().Table("server")
		f.put(server, "serial", "OTHER", "site", "Bern")
		for i := range 6 {
			f.set("serial=S0000"+fmt.Sprint(i), "site", "Aarau")
		}
		run := f.night(without(6, 2))
		f.put(server, "serial", "YOUNG", "site", "Aarau") // in the second of the listing: it may be in it
		f.now = f.now.Add(time.Second)
		f.put(server, "serial", "NEWER", "site", "Aarau") // made since the listing
		terms := generous(importset.DeleteAbsent)
		terms.Where = "site=Aarau^sight=x"
		if _, err := f.ask(run.Number, terms); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "sight=x") {
			t.Errorf("a condition without meaning: %v", err)
		}
		terms.Where = "site=Aarau"
		report := f.must(run.Number, terms)
		if report.Records != 7 || report.Deleted != 3 || f.count("serial=OTHER^ORserial=NEWER") != 2 {
			t.Errorf("%+v", report)
		}
	})
}

func (f *absent) put(t *record.Table, pairs ...string) string {
	f.t.Helper()
	var values []record.Assignment
	for i := 0; i < len(pairs); i += 2 {
		values = append(values, record.Assignment{Field: pairs[i], Value: record.Text(pairs[i+1])})
	}
	r, err := f.db.As(record.System).Insert(f.t.Context(), t, values)
	if err != nil {
		f.t.Fatal(err)
	}
	return r.ID()
}

func (f *absent) set(where, field, value string) {
	f.t.Helper()
	t := f.db.Catalog().Table("server")
	q, err := query.Parse(where, t, query.Env{})
	if err != nil {
		f.t.Fatal(err)
	}
	id := ""
	for row, err := range f.db.As(record.System).Select(f.t.Context(), &record.Query{Table: t, Fields: []string{record.SysID}, Where: q.Where}) {
		if err != nil {
			f.t.Fatal(err)
		}
		id = row[0].Text
	}
	if _, _, err := f.db.As(record.System).Update(f.t.Context(), t, id, []record.Assignment{{Field: field, Value: record.Text(value)}}); err != nil {
		f.t.Fatal(err)
	}
}

// Records of a class below the target keep the fields of their class through delete and undo.
func TestAbsentRecordsOfAClassComeBackWhole(t *testing.T) {
	eachAbsent(t, nil, func(t *testing.T, f *absent) {
		f.night(feed(2, nil))
		rack := f.db.Catalog().Table("rack_server")
		id := f.put(rack, "serial", "R1", "name", "racked", "rack", "B7")
		run := f.night(feed(2, nil))
		f.must(run.Number, generous(importset.DeleteAbsent))
		if _, err := f.db.As(record.System).Get(t.Context(), rack, id); fault.KindOf(err) != fault.NotFound {
			t.Fatal(err)
		}
		if _, err := f.Undo(t.Context(), importset.UndoRequest{Run: run.Number, Actor: record.System}); err != nil {
			t.Fatal(err)
		}
		back, err := f.db.As(record.System).Get(t.Context(), rack, id)
		if err != nil || back.Get("rack").Text != "B7" || back.Get(record.SysCreatedOn).Text != "2026-03-02 02:00:00" {
			t.Errorf("%+v %v", back, err)
		}
	})
}

// holdFast is a rule that lets some records neither go nor be switched off, one by an error and one by a change of mind.
type holdFast struct{ seen int }

func (*holdFast) Sees(t *record.Table) bool { return t.Name == "server" }

func (h *holdFast) Before(_ context.Context, c *record.Change) error {
	if c.Old == nil {
		return nil
	}
	switch c.Old.Get("serial").Text {
	case "S00001":
		return fault.Wrap(fault.Refused, &record.AbortError{Rule: "hold fast"}, "server 1 stays")
	case "S00002":
		if c.New != nil {
			c.New.Set("active", record.Text("true"))
		}
	}
	h.seen++
	return nil
}

func (*holdFast) After(context.Context, *record.Change) error { return nil }

func TestRulesMayKeepAbsentRecords(t *testing.T) {
	for policy, line := range map[importset.AbsentPolicy]string{importset.DeactivateAbsent: "absent 2 deactivated, 2 kept", importset.DeleteAbsent: "absent 3 deleted, 1 kept"} {
		t.Run(string(policy), func(t *testing.T) {
			rule := &holdFast{}
			eachAbsent(t, []record.Hook{rule}, func(t *testing.T, f *absent) {
				f.night(feed(10, nil))
				run := f.night(without(10, 4))
				report := f.must(run.Number, generous(policy))
				if report.Line() != line || !strings.Contains(report.List[0].Why, "server 1 stays") {
					t.Errorf("%s, %+v; want %s", report.Line(), report.List, line)
				}
				rule.seen = 0
				f.now = f.now.Add(24 * time.Hour)
				quiet := f.load(without(10, 4), serverMap+"runBusinessRules: false\n")
				if report := f.must(quiet.Number, generous(policy)); report.Kept != 0 || rule.seen != 0 {
					t.Errorf("rules were asked for a map without: %+v", report)
				}
			})
		})
	}
}

// Whatever moment it is cut off at, what is asked again does the rest, and the counts are of all.
func TestCutOffAnywhereTheRestFollows(t *testing.T) {
	eachAbsent(t, nil, func(t *testing.T, f *absent) {
		const n, gone = 500, 350
		f.night(feed(n, nil))
		before := f.checksum()
		run := f.night(without(n, gone))
		cut := 0
		var report *importset.AbsentReport
		for {
			ctx, cancel := context.WithCancel(t.Context())
			var err error
			report, err = f.Absent(ctx, importset.AbsentRequest{Run: run.Number, Terms: importset.AbsentTerms{Policy: importset.DeleteAbsent, MaxPercent: 70, MaxRows: gone}, Batch: 100, Actor: record.System,
				Progress: func(*importset.AbsentReport) { cancel() }}) // after its first batch
			cancel()
			if err == nil {
				break
			}
			if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			cut++
			shown, err := f.Run(t.Context(), run.Number)
			if err != nil || shown.Absent.State != importset.AbsentRunning || f.count("") != n-shown.Absent.Deleted {
				t.Fatalf("cut off after %d: %+v, %d records: %v", cut, shown.Absent, f.count(""), err)
			}
		}
		if cut == 0 || report.Deleted != gone || report.Absent != gone || report.Records != n || f.count("") != n-gone {
			t.Errorf("after %d cuts: %+v, %d records", cut, report, f.count(""))
		}
		undone, err := f.Undo(t.Context(), importset.UndoRequest{Run: run.Number, Actor: record.System})
		if err != nil || undone.Restored != gone || f.checksum() != before {
			t.Errorf("undo %+v: %v", undone, err)
		}
	})
}

// The limits were asked for on the terms of the first attempt, and say nothing about others.
func TestWhatWasCutOffAsksForItsLimitsAgainOnOtherTerms(t *testing.T) {
	eachAbsent(t, nil, func(t *testing.T, f *absent) {
		const n, gone = 100, 40
		f.night(feed(n, nil))
		run := f.night(without(n, gone))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		terms := importset.AbsentTerms{Policy: importset.DeactivateAbsent, MaxPercent: 50, MaxRows: gone}
		_, err := f.Absent(ctx, importset.AbsentRequest{Run: run.Number, Terms: terms, Batch: 10, Actor: record.System, Progress: func(*importset.AbsentReport) { cancel() }})
		if !errors.Is(err, context.Canceled) || f.count("active=false") != 10 {
			t.Fatalf("%d: %v", f.count("active=false"), err)
		}
		other := terms
		other.Policy, other.MaxRows = importset.DeleteAbsent, 5
		report, err := f.ask(run.Number, other)
		if fault.KindOf(err) != fault.Refused || report.Deactivated != 10 || f.count("") != n {
			t.Errorf("%+v, %d records: %v", report, f.count(""), err)
		}
		if report := f.must(run.Number, terms); report.Deactivated != gone || f.count("active=false") != gone {
			t.Errorf("%+v", report)
		}
	})
}

func TestAPlanShowsWhatIsAbsentAndApplyDealsWithIt(t *testing.T) {
	eachAbsent(t, nil, func(t *testing.T, f *absent) {
		f.night(feed(50, nil))
		before := f.checksum()
		f.now = f.now.Add(24 * time.Hour)
		terms := generous(importset.DeactivateAbsent)
		path := filepath.Join(t.TempDir(), "a.plan")
		plan, err := f.Plan(t.Context(), importset.Request{Source: text("servers.csv", without(50, 3)), Maps: maps(t, serverMap), Absent: &terms, Actor: record.System}, path)
		if err != nil || plan.Absent == nil || plan.Absent.Line() != "absent 3 of 50 would be deactivated" || !plan.HasChanges() || f.checksum() != before {
			t.Fatalf("%+v %v", plan, err)
		}
		run := f.apply(path)
		if run.Absent == nil || run.Absent.Line() != "absent 3 deactivated" || f.count("active=false") != 3 {
			t.Errorf("%+v", run.Absent)
		}
		terms.MaxRows = 1
		run, err = f.Import(t.Context(), importset.Request{Source: text("servers.csv", without(50, 10)), Maps: maps(t, serverMap), Absent: &terms, Actor: record.System})
		if err != nil || run.State != importset.Done || run.Absent.State != importset.AbsentRefused || f.count("active=false") != 3 {
			t.Errorf("an import beyond the limit: %+v %v", run, err)
		}
	})
}
