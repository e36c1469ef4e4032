package schedule_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/schedule"
	"headrace/internal/store/sqlstore"
	"headrace/internal/store/storetest/stores"
)

// laws are tests that share one node on each kind of store: opening one takes longer than what they do.
var laws = map[string]func(*node){
	"ADueRunIsMadeOnceAndTheNextIsPlanned":            lawADueRunIsMadeOnceAndTheNextIsPlanned,
	"AScheduleThatCanNeverRunIsRefusedWithTheReason":  lawAScheduleThatCanNeverRunIsRefusedWithTheReason,
	"APlanIsPartOfTheTransactionThatChangesTheRecord": lawAPlanIsPartOfTheTransactionThatChangesTheRecord,
	"AChangeOfTimesPlansAnewAndNothingElseDoes":       lawAChangeOfTimesPlansAnewAndNothingElseDoes,
	"MissedRunsAreMadeAsThePolicySays":                lawMissedRunsAreMadeAsThePolicySays,
	"OverlapIsWhatThePolicySays":                      lawOverlapIsWhatThePolicySays,
	"ARunThatIsTooLateIsSkipped":                      lawARunThatIsTooLateIsSkipped,
	"JitterDelaysTheRunAndNotItsTime":                 lawJitterDelaysTheRunAndNotItsTime,
	"ConditionsAndScriptsAroundAnImportDecide":        lawConditionsAndScriptsAroundAnImportDecide,
	"ChainsRunInOrderAndStopAsTheirLinksSay":          lawChainsRunInOrderAndStopAsTheirLinksSay,
	"AnOverdueRunIsBegunWithoutItsJob":                lawAnOverdueRunIsBegunWithoutItsJob,
	"AScheduleWithoutATriggerIsPlannedAtTheStart":     lawAScheduleWithoutATriggerIsPlannedAtTheStart,
	"ARunThatIsCutOffGoesOnUnderItsLine":              lawARunThatIsCutOffGoesOnUnderItsLine,
	"ExecuteNowRunsWithoutATime":                      lawExecuteNowRunsWithoutATime,
	"RunsAreMadeAsTheirUser":                          lawRunsAreMadeAsTheirUser,
	"TheZoneIsTheSchedulesElseTheUsersElseTheSystems": lawTheZoneIsTheSchedulesElseTheUsersElseTheSystems,
}

func TestSchedules(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		n := open(t, cfg)
		for name, law := range laws {
			t.Run(name, func(t *testing.T) {
				n.t = t
				defer n.clear()
				law(n)
			})
		}
	})
}

func lawADueRunIsMadeOnceAndTheNextIsPlanned(n *node) {
	daily := n.job("daily", "run_type", "daily", "run_time", "09:30")
	n.want("planned", n.next(daily), "2026-03-02 09:30:00")
	n.until("3 10:00")
	n.want("history", n.history(daily), "02 09:30 done, 03 09:30 done")
	n.want("next", n.next(daily), "2026-03-04 09:30:00")
	if marks := n.all("u_mark", "name", "daily"); len(marks) != 2 {
		n.t.Errorf("%d marks", len(marks))
	}
	once := n.job("once", "run_type", "once", "run_start", "2026-03-03 11:00:00")
	n.until("3 12:00")
	n.want("once", n.history(once)+"; next "+n.next(once), "03 11:00 done; next ")
	past := n.job("past", "run_type", "once", "run_start", "2020-01-01 00:00:00", "mode", "strict")
	n.want("what is past is not planned", n.next(past), "")
}

func lawAScheduleThatCanNeverRunIsRefusedWithTheReason(n *node) {
	for want, pairs := range map[string][]string{
		"there is no April 31":                   {"run_type", "day_and_month_in_year", "run_month", "4", "run_dayofmonth", "31"},
		"it ends at":                             {"run_type", "daily", "run_start", "2026-02-02 00:00:00", "run_end", "2026-02-01 00:00:00"},
		"none of its times lies between":         {"run_type", "day_and_month_in_year", "run_month", "7", "run_dayofmonth", "1", "run_start", "2026-02-02 00:00:00", "run_end", "2026-03-01 00:00:00"},
		"with repeat_every 4":                    {"run_type", "day_and_month_in_year", "run_month", "2", "run_dayofmonth", "29", "repeat_every", "4", "run_start", "2027-01-01 00:00:00"},
		"needs run_dayofweek":                    {"run_type", "weekly"},
		"needs run_period":                       {"run_type", "periodically"},
		"needs run_start":                        {"run_type", "once"},
		"\"someday\" is no day of the week":      {"run_type", "weekly", "run_dayofweek", "1,someday"},
		"business calendars are not supported":   {"run_type", "business_calendar_start"},
		"there is no time zone \"Mars/Olympus\"": {"run_type", "daily", "time_zone", "Mars/Olympus"},
		"is no time of day":                      {"run_type", "daily", "run_time", "25:00"},
		"needs a parent":                         {"run_type", "parent"},
		"2020-01-01 00:00:00 UTC, and it is":     {"run_type", "once", "run_start", "2020-01-01 00:00:00"},
		"2026-03-01 00:00:00 UTC, and it is":     {"run_type", "daily", "run_end", "2026-03-01 00:00:00"},
		"jitter 1969-12-31 23:59:59":             {"run_type", "daily", "jitter", "1969-12-31 23:59:59"},
		"run_period 9999-01-01 00:00:00":         {"run_type", "periodically", "run_period", "9999-01-01 00:00:00"},
		"max_drift 1960-01-01 00:00:00":          {"run_type", "daily", "max_drift", "1960-01-01 00:00:00"},
		"schedule refused:1:":                    {"run_type", "daily", "script", "var = 1"},
	} {
		_, err := n.session().Insert(context.Background(), n.table(schedule.ScriptTable), fields(append([]string{"name", "refused"}, pairs...)...))
		if err == nil || fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), want) {
			n.t.Errorf("%v: %v, want %q", pairs, err, want)
		}
		n.insert(schedule.ScriptTable, append([]string{"name", "draft", "active", "false"}, pairs...)...)
	}
	for want, pairs := range map[string][]string{"run_as is empty": {"name", "refused", "run_type", "daily"},
		"data_source is empty": {"name", "refused", "run_type", "daily", "run_as", "system"}} {
		_, err := n.session().Insert(context.Background(), n.table(schedule.ImportTable), fields(pairs...))
		if err == nil || !strings.Contains(err.Error(), want) {
			n.t.Errorf("an import: %v, want %q", err, want)
		}
	}
	n.insert(schedule.ImportTable, "name", "strict", "run_type", "daily", "mode", "strict")
	over := fields("name", "over", "run_type", "once", "run_start", "2020-01-01 00:00:00")
	r, err := n.session().Insert(schedule.LetPast(context.Background()), n.table(schedule.ScriptTable), over)
	if err != nil {
		n.t.Fatalf("one of a file: %v", err)
	}
	if listed, err := n.schedules.List(context.Background(), "over"); err != nil || len(listed) != 1 || !listed[0].Over() {
		n.t.Errorf("listed, it is not over: %v", err)
	}
	n.update(r, "script", "gs.info('its times are what they were')")
	a := n.job("a", "run_type", "on_demand")
	b := n.job("b", "run_type", "parent", "parent", a.ID())
	if _, _, err := n.session().Update(context.Background(), a.Table, a.ID(), fields("run_type", "parent", "parent", b.ID())); err == nil || !strings.Contains(err.Error(), "a after b after a") && !strings.Contains(err.Error(), "a after b") {
		n.t.Errorf("a circle: %v", err)
	}
}

var errUndone = errors.New("undone")

func lawAPlanIsPartOfTheTransactionThatChangesTheRecord(n *node) {
	err := n.session().Write(context.Background(), func(w *record.Writer) error {
		if _, err := w.Insert(context.Background(), n.table(schedule.ScriptTable), fields("name", "undone", "run_type", "daily")); err != nil {
			return err
		}
		return errUndone
	})
	if !errors.Is(err, errUndone) {
		n.t.Fatal(err)
	}
	if left := n.all(schedule.TriggerTable, "name", "undone"); len(left) > 0 {
		n.t.Error("a trigger is left of what was undone")
	}
	quiet, err := n.session().Quiet("a test").Insert(context.Background(), n.table(schedule.ScriptTable), fields("name", "quiet", "run_type", "daily", "run_time", "12:00", "time_zone", "UTC"))
	if err != nil {
		n.t.Fatal(err)
	}
	n.want("a quiet write plans too", n.next(quiet), "2026-03-02 12:00:00")
	n.update(quiet, "active", "false")
	n.want("inactive", n.next(quiet), "")
	n.until("13:00")
	n.want("history", n.history(quiet), "")
	n.update(quiet, "active", "true")
	n.want("again active: nothing is made up for", n.next(quiet), "2026-03-03 12:00:00")
	if err := n.session().Delete(context.Background(), quiet.Table, quiet.ID()); err != nil {
		n.t.Fatal(err)
	}
	n.want("deleted", n.next(quiet), "")
	n.until("4 13:00")
	n.want("history", n.history(quiet), "")
}

func lawAChangeOfTimesPlansAnewAndNothingElseDoes(n *node) {
	r := n.job("moved", "run_type", "daily", "run_time", "09:00")
	n.update(r, "run_time", "10:00")
	n.until("09:30")
	n.want("the old time is gone", n.history(r), "")
	n.update(r, "run_time", "09:00")
	n.update(r, "run_time", "10:00")
	n.until("11:00")
	n.want("back and forth", n.history(r), "02 10:00 done")
	n.sleep("3 10:30")
	n.update(r, "script", "gs = 1;")
	n.drain()
	n.want("a due run is not forgotten when the script changes", n.history(r), "02 10:00 done, 03 10:00 done")
	base := n.all(schedule.Table, "name", "moved")[0]
	n.update(base, "run_time", "12:00")
	n.want("through the table above", n.next(r), "2026-03-03 12:00:00")
}

func lawMissedRunsAreMadeAsThePolicySays(n *node) {
	hourly := []string{"run_type", "periodically", "run_period", "1h"}
	once, skip, every := n.job("once", hourly...), n.job("skip", append(hourly, "missed", "skip")...), n.job("all", append(hourly, "missed", "all")...)
	n.until("09:30")
	n.sleep("12:30")
	n.until("13:10")
	n.want("once", n.history(once), "02 09:00 done, 02 10:00 done, 02 13:00 done")
	n.want("skip", n.history(skip), "02 09:00 done, 02 10:00 skipped missed, 02 13:00 done")
	n.want("all", n.history(every), "02 09:00 done, 02 10:00 done, 02 11:00 done, 02 12:00 done, 02 13:00 done")
	line := n.all(schedule.HistoryTable, "document_key", once.ID())[1]
	if got := line.Get("message").Text; !strings.Contains(got, "2 further times") {
		n.t.Errorf("message: %q", got)
	}
}

func lawOverlapIsWhatThePolicySays(n *node) {
	for policy, want := range map[string]string{
		"skip":  "02 09:00 done, 02 10:00 skipped overlap, 02 11:00 skipped overlap, 02 12:00 done",
		"queue": "02 09:00 done, 02 10:00 done, 02 12:00 done",
		"allow": "02 09:00 done, 02 10:00 done, 02 11:00 done, 02 12:00 done",
	} {
		r := n.imports(policy, "run_type", "periodically", "run_period", "1h", "overlap", policy)
		n.do = func(context.Context, string, func(int64)) (schedule.Outcome, error) {
			n.do = nil
			// Three hours pass while the run goes on; others work meanwhile.
			for _, hour := range []string{"10:00", "11:00", "11:30"} {
				n.now = at(n.t, hour)
				n.drain()
			}
			return schedule.Outcome{State: schedule.Done}, nil
		}
		n.until("12:10")
		n.want(policy, n.history(r), want)
		n.clear()
	}
}

func lawARunThatIsTooLateIsSkipped(n *node) {
	r := n.job("fresh", "run_type", "periodically", "run_period", "1h", "max_drift", "10m", "missed", "all")
	n.until("08:30")
	n.sleep("11:05")
	n.until("11:30")
	n.want("history", n.history(r), "02 09:00 skipped drift, 02 10:00 skipped drift, 02 11:00 done")
}

func lawJitterDelaysTheRunAndNotItsTime(n *node) {
	r := n.job("jitter", "run_type", "daily", "run_time", "09:00", "jitter", "30m")
	begin, err := time.Parse(record.DateTimeLayout, n.next(r))
	if err != nil || begin.Before(at(n.t, "09:00")) || begin.After(at(n.t, "09:30")) {
		n.t.Fatalf("begins %v %v", begin, err)
	}
	n.until("10:00")
	n.want("history", n.history(r), "02 09:00 done")
}

func lawConditionsAndScriptsAroundAnImportDecide(n *node) {
	mark := func(text string) string {
		return "var m = new GlideRecord('u_mark'); m.name = " + text + "; m.insert();"
	}
	r := n.imports("feed", "run_type", "daily", "run_time", "09:00", "conditional", "true", "condition", "current.name == 'other'",
		"pre_script", mark("'before ' + data_source.name + ' ' + import_set.state")+" seen = 1;", "post_script", mark("'after ' + seen + ' ' + cancel"))
	n.until("10:00")
	n.want("condition", n.history(r)+n.take(), "02 09:00 skipped condition")
	n.update(r, "condition", "var x = 1; x == 1")
	n.until("3 10:00")
	n.want("done", n.history(r)+"; "+n.take(), "02 09:00 skipped condition, 03 09:00 done; import feed as loader")
	n.want("marks", n.marks(), "before feed , after 1 false")
	n.update(r, "pre_script", "cancel = true;")
	n.until("4 10:00")
	n.want("cancelled", n.history(r)+"; "+n.take(), "02 09:00 skipped condition, 03 09:00 done, 04 09:00 cancelled; ")
	n.update(r, "pre_script", "throw 'not today'")
	n.until("5 10:00")
	line := n.all(schedule.HistoryTable, "document_key", r.ID())[3]
	if line.Get("state").Text != "failed" || !strings.Contains(line.Get("message").Text, "schedule feed:1:1: not today") {
		n.t.Errorf("%s: %s", line.Get("state").Text, line.Get("message").Text)
	}
}

func (n *node) marks() string {
	var out []string
	for _, m := range n.all("u_mark", "", "") {
		out = append(out, m.Get("name").Text)
	}
	return strings.Join(out, ", ")
}

func lawChainsRunInOrderAndStopAsTheirLinksSay(n *node) {
	outcomes := map[string]schedule.Outcome{"root": {State: schedule.Done, Read: 100, Rejected: 7}}
	n.do = func(_ context.Context, name string, _ func(int64)) (schedule.Outcome, error) {
		if name == "broken" {
			return schedule.Outcome{}, errors.New("no connection")
		}
		if out, ok := outcomes[name]; ok {
			return out, nil
		}
		return schedule.Outcome{State: schedule.Done}, nil
	}
	root := n.imports("root", "run_type", "daily", "run_time", "09:00")
	child := func(name string, parent *record.Record, pairs ...string) *record.Record {
		return n.imports(name, append([]string{"run_type", "parent", "parent", parent.ID()}, pairs...)...)
	}
	second := child("second", root, "order", "200")
	broken := child("broken", root, "order", "100")
	child("stops", broken)
	child("goes on", broken, "on_parent_error", "continue", "order", "300")
	child("below 10", root, "order", "300", "on_parent_error", "below", "parent_error_percent", "10")
	five := child("below 5", root, "order", "400", "on_parent_error", "below", "parent_error_percent", "5")
	child("after second", second)
	child("inactive", root, "active", "false")
	n.until("10:00")
	n.want("runs", strings.ReplaceAll(strings.ReplaceAll(n.take(), "import ", ""), " as loader", ""), "root, broken, goes on, second, after second, below 10")
	n.want("below 5", n.history(five), "02 09:00 skipped parent")
	lines := n.all(schedule.HistoryTable, "root", n.all(schedule.HistoryTable, "document_key", root.ID())[0].ID())
	if len(lines) != 8 {
		n.t.Errorf("%d lines in the chain", len(lines))
	}
	n.insert("sys_properties", "name", "glide.scheduled_import.stop_on_error", "value", "false")
	n.update(n.all(schedule.ImportTable, "name", "stops")[0], "mode", "strict")
	n.until("3 10:00")
	n.want("strict goes on", strings.ReplaceAll(strings.ReplaceAll(n.take(), "import ", ""), " as loader", ""), "root, broken, stops, goes on, second, after second, below 10")
}

func lawAnOverdueRunIsBegunWithoutItsJob(n *node) {
	r := n.job("late", "run_type", "daily", "run_time", "09:00")
	n.sleep("09:00")
	n.now = n.now.Add(2 * time.Second)
	for range 2 {
		if _, err := n.schedules.FireOverdue(context.Background()); err != nil {
			n.t.Fatal(err)
		}
	}
	n.want("begun", n.history(r), "02 09:00 ready")
	n.drain()
	n.want("made once", n.history(r), "02 09:00 done")
	n.want("next", n.next(r), "2026-03-03 09:00:00")
}

func lawAScheduleWithoutATriggerIsPlannedAtTheStart(n *node) {
	r := n.job("bare", "run_type", "daily", "run_time", "09:00")
	due := n.job("due", "run_type", "daily", "run_time", "08:30")
	t := n.all(schedule.TriggerTable, "document_key", r.ID())[0]
	if err := n.session().Delete(context.Background(), t.Table, t.ID()); err != nil {
		n.t.Fatal(err)
	}
	n.sleep("08:45")
	if err := n.schedules.Reconcile(context.Background()); err != nil {
		n.t.Fatal(err)
	}
	n.want("planned", n.next(r), "2026-03-02 09:00:00")
	n.want("a run that is due stays", n.next(due), "2026-03-02 08:30:00")
	n.until("10:00")
	n.want("made", n.history(r)+", "+n.history(due), "02 09:00 done, 02 08:30 done")
}

func lawARunThatIsCutOffGoesOnUnderItsLine(n *node) {
	r := n.imports("long", "run_type", "once", "run_start", "2026-03-02 09:00:00")
	ctx, cut := context.WithCancel(context.Background())
	n.do = func(ctx context.Context, _ string, began func(int64)) (schedule.Outcome, error) {
		began(7)
		cut()
		<-ctx.Done()
		return schedule.Outcome{}, ctx.Err()
	}
	n.sleep("09:00")
	if _, err := n.queue.Drain(ctx, n.now); err == nil {
		n.t.Fatal("the process did not end")
	}
	n.want("running", n.history(r), "02 09:00 running")
	n.do = nil
	line := n.all(schedule.HistoryTable, "document_key", r.ID())[0]
	n.want("its run", line.Get("run").Text, "7")
	n.rescued()
	line = n.all(schedule.HistoryTable, "document_key", r.ID())[0]
	n.want("line", line.Get("state").Text+" "+line.Get("attempts").Text+" "+line.Get("resumed").Text, "done 2 true")
	n.want("imports", n.take(), "import long as loader, import long as loader")
}

// rescued does what the queue does with the jobs of a process that died: another works them.
func (n *node) rescued() {
	n.t.Helper()
	if err := n.queue.Start(context.Background()); err != nil {
		n.t.Fatal(err)
	}
	deadline := time.Now().Add(time.Minute)
	for len(n.all(schedule.HistoryTable, "state", "running")) > 0 && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	if err := n.queue.Stop(context.Background()); err != nil {
		n.t.Fatal(err)
	}
}

func lawExecuteNowRunsWithoutATime(n *node) {
	target := n.job("target", "run_type", "on_demand")
	caller := n.job("caller", "run_type", "on_demand", "script", `
var job = new GlideRecord('sysauto_script'); job.get('name', 'target');
var id = gs.executeNow(job) + '';
var line = new GlideRecord('sys_scheduler_job_history');
if (!line.get(id) || line.state != 'ready') throw 'no line';
try { SncTriggerSynchronizer.executeNow(job); } catch (e) { gs2 = e.message; }
var m = new GlideRecord('u_mark'); m.name = gs2; m.insert();`)
	var id string
	err := n.session().Write(context.Background(), func(w *record.Writer) (err error) {
		id, err = n.schedules.RunNow(context.Background(), w, caller.ID())
		return err
	})
	if err != nil || id == "" {
		n.t.Fatal(id, err)
	}
	n.drain()
	n.want("caller", n.history(caller), "02 08:00 done")
	n.want("target", n.history(target), "02 08:00 done")
	if got := n.marks(); !strings.Contains(got, "is still going") {
		n.t.Errorf("the second executeNow: %q", got)
	}
}

func lawRunsAreMadeAsTheirUser(n *node) {
	script := "var m = new GlideRecord('u_mark'); m.name = 'x'; m.insert(); "
	n.job("system", "run_type", "daily", "run_time", "09:00", "script", script)
	n.job("user", "run_type", "daily", "run_time", "09:01", "run_as", n.user(), "script", script)
	gone := n.job("gone", "run_type", "daily", "run_time", "09:02", "run_as", strings.Repeat("a", 32), "script", script)
	n.until("10:00")
	var by []string
	for _, m := range n.all("u_mark", "", "") {
		by = append(by, m.Get(record.SysCreatedBy).Text)
	}
	n.want("written by", strings.Join(by, " "), "system loader")
	n.want("a user who is not there", n.history(gone), "02 09:02 failed")
}

func lawTheZoneIsTheSchedulesElseTheUsersElseTheSystems(n *node) {
	n.insert("sys_properties", "name", "glide.sys.default.tz", "value", "Asia/Tokyo")
	user := n.insert("sys_user", "user_name", "anna", "name", "Anna", "time_zone", "Europe/Berlin")
	for want, pairs := range map[string][]string{
		"2026-03-02 20:00:00": {"time_zone", "America/Los_Angeles"},
		"2026-03-02 11:00:00": {"time_zone", "", "run_as", user.ID()},
		"2026-03-03 03:00:00": {"time_zone", "floating", "run_as", user.ID()},
	} {
		r := n.job("zoned", append([]string{"run_type", "daily", "run_time", "12:00"}, pairs...)...)
		n.want(strings.Join(pairs, " "), n.next(r), want)
	}
	if err := n.session().Delete(context.Background(), user.Table, user.ID()); err != nil {
		n.t.Fatal(err)
	}
}
