package schedule

import "headrace/internal/core/record"

// Names of the tables that this package owns.
const (
	Table        = "sysauto" // what all schedules have in common
	ScriptTable  = "sysauto_script"
	ImportTable  = "scheduled_import_set"
	ExportTable  = "scheduled_data_export"
	TriggerTable = "sys_trigger"
	HistoryTable = "sys_scheduler_job_history"
)

// State is what has become of a run.
type State string

// The states of a run.
const (
	Ready     State = "ready"   // to be begun
	Running   State = "running" // begun, by a node that may have died since: then another goes on
	Done      State = "done"
	Failed    State = "failed"
	Skipped   State = "skipped"   // not made, and why
	Cancelled State = "cancelled" // by its own script
)

// States of a trigger, as the platform numbers them.
const (
	triggerReady  = "0"
	triggerQueued = "2" // due, and waiting for the run before it to end
)

// What to do with runs whose time passed while nobody could make them.
const (
	MissedSkip = "skip"
	MissedOnce = "once"
	MissedAll  = "all"
)

// What to do with a run that is due while the one before is still going.
const (
	OverlapSkip  = "skip"
	OverlapQueue = "queue"
	OverlapAllow = "allow"
)

// What to do after a parent that did not end well.
const (
	LinkStop     = "stop"
	LinkContinue = "continue"
	LinkBelow    = "below"
)

// Tables lists the tables of this package, for the composition root.
func Tables() []record.Table {
	return []record.Table{baseTable(), scriptTable(), importTable(), exportTable(), triggerTable(), historyTable()}
}

func typed(name, label string, t record.Type, help string) record.Field {
	return record.Field{Name: name, Label: label, Type: t, Help: help}
}

func text(name, label, help string) record.Field { return typed(name, label, record.String, help) }

func preset(f record.Field, value string) record.Field { f.Default = value; return f }

func flag(name, label, value, help string) record.Field {
	return preset(typed(name, label, record.Boolean, help), value)
}

func link(name, label, table, help string) record.Field {
	f := typed(name, label, record.Reference, help)
	f.Reference = table
	return f
}

// choice takes values and labels in turn; the first value is the default.
func choice(name, label, help string, pairs ...string) record.Field {
	f := typed(name, label, record.Choice, help)
	f.Default = pairs[0]
	for i := 0; i < len(pairs); i += 2 {
		f.Choices = append(f.Choices, record.Option{Value: pairs[i], Label: pairs[i+1]})
	}
	return f
}

func baseTable() record.Table {
	name := typed("name", "Name", record.String, "")
	name.Mandatory, name.Display = true, true
	fields := []record.Field{name, flag("active", "Active", "true", "")}
	fields = append(fields, timeFields()...)
	fields = append(fields, conductFields()...)
	return record.Table{Name: Table, Label: "Scheduled job", Extendable: true, Fields: fields, Indexes: []record.Index{{Fields: []string{"name"}}, {Fields: []string{"parent"}}}}
}

// timeFields say when a schedule runs.
func timeFields() []record.Field {
	return []record.Field{
		choice("run_type", "Run", "", string(Daily), "Daily", string(Weekly), "Weekly", string(Monthly), "Monthly", string(Periodically), "Periodically",
			string(Once), "Once", string(OnDemand), "On demand", string(AfterParent), "After parent runs", string(DayAndMonth), "Day and month in year",
			string(WeekInMonth), "Week in month", string(DayWeekMonth), "Day in week in month in year",
			string(calendarStart), "Business calendar: entry start (not supported)", string(calendarEnd), "Business calendar: entry end (not supported)"),
		typed("run_time", "Time", record.Duration, "time of day in the zone of the schedule: 1970-01-01 02:30:00, or 02:30"),
		typed("run_period", "Repeat interval", record.Duration, "periodically: 1970-01-01 01:00:00 is an hour, 1970-01-02 00:00:00 a day; or 1h, 15m"),
		text("run_dayofweek", "Day of week", "1 is Monday, 7 Sunday; several with commas"),
		typed("run_dayofmonth", "Day of month", record.Integer, "1 to 31; a day that the month does not have is its last"),
		typed("run_month", "Month", record.Integer, "1 to 12"),
		typed("run_weekinmonth", "Week in month", record.Integer, "1 to 5: the first to fifth such weekday of the month; 6: the last"),
		typed("run_start", "Starting", record.DateTime, "not before, UTC; once: the time itself; periodically: the first run"),
		typed("run_end", "Ending", record.DateTime, "not after, UTC"),
		typed("repeat_every", "Repeat every", record.Integer, "every so many days, weeks, months or years, counted from run_start"),
		text("time_zone", "Time zone", "IANA name; empty: that of run_as, else of who made the schedule, else of the system; floating: the system's at each run"),
		text("user_time_zone", "Time zone of scripts", "IANA name; the zone that scripts of the schedule see"),
		text("business_calendar", "Business calendar", "not supported"),
		typed("offset", "Offset", record.Duration, "of a business calendar: not supported"), text("offset_type", "Offset type", "of a business calendar: not supported"),
	}
}

// conductFields say how a schedule runs.
func conductFields() []record.Field {
	return []record.Field{
		flag("conditional", "Conditional", "false", "the condition decides"), typed("condition", "Condition", record.Script, "its last value decides whether a due run is made"),
		link("run_as", "Run as", "sys_user", ""),
		typed("max_drift", "Most drift", record.Duration, "a run that cannot begin so soon after its time is skipped"),
		choice("missed", "Missed runs", "whose time passed while no server ran", MissedOnce, "Run once, as soon as possible", MissedSkip, "Skip", MissedAll, "Run all, one after the other"),
		choice("overlap", "Overlap", "when the run before is still going", OverlapSkip, "Skip, with a line of history", OverlapQueue, "Wait for it", OverlapAllow, "Run beside it"),
		typed("jitter", "Jitter", record.Duration, "a run begins up to so long after its time, at a point that is drawn for each run, so that schedules of one time do not all begin at once"),
		link("parent", "Parent", Table, "after parent runs: which"),
		preset(typed("order", "Order", record.Integer, "among the children of one parent"), "100"),
		choice("on_parent_error", "After a parent's error", "", LinkStop, "Do not run", LinkContinue, "Run", LinkBelow, "Run if below so many per cent of its rows were rejected"),
		typed("parent_error_percent", "Errors below, per cent", record.Decimal, "of the parent's rows"),
		preset(typed("priority", "Priority", record.Integer, "less is earlier"), "100"), flag("upgrade_safe", "Upgrade safe", "false", ""), flag("advanced", "Advanced", "false", ""),
		choice("mode", "Mode", "strict is the platform's behaviour: an empty run_as is allowed, children run after errors", "safe", "Safe", "strict", "Strict"),
	}
}

func scriptTable() record.Table {
	return record.Table{Name: ScriptTable, Label: "Scheduled script execution", Extends: Table, Fields: []record.Field{typed("script", "Run this script", record.Script, "")}}
}

func importTable() record.Table {
	return record.Table{Name: ImportTable, Label: "Scheduled data import", Extends: Table, Fields: []record.Field{
		link("data_source", "Data source", "sys_data_source", ""),
		flag("pre_script_bool", "Execute pre-import script", "true", ""), typed("pre_script", "Pre script", record.Script, "before anything is fetched; cancel = true ends the run"),
		flag("post_script_bool", "Execute post-import script", "true", ""), typed("post_script", "Post script", record.Script, "after the transform"),
	}}
}

func exportTable() record.Table {
	return record.Table{Name: ExportTable, Label: "Scheduled data export", Extends: Table, Fields: []record.Field{
		link("export_set", "Export set", "sys_export_set", ""),
		flag("pre_script_bool", "Execute pre-export script", "true", ""), typed("pre_script", "Pre script", record.Script, "cancel = true ends the run"),
		flag("post_script_bool", "Execute post-export script", "true", ""), typed("post_script", "Post script", record.Script, ""),
	}}
}

func triggerTable() record.Table {
	state := choice("state", "State", "", triggerReady, "Ready", "1", "Running", triggerQueued, "Queued", "3", "Error")
	state.Type = record.Integer
	return record.Table{Name: TriggerTable, Label: "Schedule item", Fields: []record.Field{
		{Name: "name", Label: "Name", Type: record.String, Display: true},
		text("document", "Document", "table of the schedule"), typed("document_key", "Document key", record.Document, "sys_id of the schedule"),
		typed("trigger_type", "Trigger type", record.Integer, "0 once, 1 repeatedly"),
		typed("next_action", "Next action", record.DateTime, "when the run is to begin, UTC"),
		typed("due", "Due", record.DateTime, "the time of the schedule, without jitter, UTC"), state,
		typed("priority", "Priority", record.Integer, ""), text("system_id", "System ID", "the node that wrote it"), text("claimed_by", "Claimed by", ""), text("trigger_class", "Trigger class", ""),
	}, Indexes: []record.Index{{Fields: []string{"state", "next_action"}}, {Fields: []string{"document_key"}}}}
}

func historyTable() record.Table {
	return record.Table{Name: HistoryTable, Label: "Scheduler job history", Fields: []record.Field{
		{Name: "name", Label: "Name", Type: record.String, Display: true},
		text("document", "Document", "table of the schedule"), typed("document_key", "Document key", record.Document, "sys_id of the schedule"),
		choice("state", "State", "", string(Ready), "Ready", string(Running), "Running", string(Done), "Done", string(Failed), "Failed", string(Skipped), "Skipped", string(Cancelled), "Cancelled"),
		text("cause", "Cause", "schedule, now (on demand) or parent"), text("reason", "Reason", "why the run was not made: missed, drift, overlap, condition, parent"),
		text("message", "Message", ""), typed("due", "Due", record.DateTime, "UTC"), typed("started", "Started", record.DateTime, ""), typed("finished", "Finished", record.DateTime, ""),
		typed("duration", "Duration, ms", record.Integer, "of the last attempt"), preset(typed("attempts", "Attempts", record.Integer, "more than one: it was resumed after its node stopped or died"), "0"),
		flag("resumed", "Resumed", "false", ""), typed("run", "Import run", record.Integer, ""), typed("rows_read", "Rows read", record.Integer, ""),
		typed("rows_rejected", "Rows rejected", record.Integer, ""), typed("output", "Output", record.String, "what its scripts logged, the last of it"),
		text("system_id", "Node", ""), text("run_as", "Run as", "name of the user"), typed("trace", "Trace", record.Document, ""),
		typed("root", "Root", record.Document, "the run that began the chain"), typed("chain", "Chain", record.JSON, "what follows, fixed when the chain began"),
	}, Indexes: []record.Index{{Fields: []string{"document_key", "state"}}, {Fields: []string{"root"}}, {Fields: []string{"state"}}, {Fields: []string{record.SysCreatedOn}}}}
}
