package event

import "headrace/internal/core/record"

// Names of the tables that this package owns.
const (
	Table         = "sysevent"
	RegisterTable = "sysevent_register"
	QueueTable    = "sysevent_queue"
	RunTable      = "sys_handler_run"
)

// States of an event, derived from its handler runs.
const (
	EventReady      = "ready"
	EventProcessing = "processing"
	EventProcessed  = "processed"
	EventError      = "error"
)

// States of a handler run.
const (
	Ready   = "ready"   // not tried yet
	Running = "running" // claimed by a node
	Retry   = "retry"   // failed, to be tried again at next_try
	Done    = "done"
	Dead    = "dead" // failed for good, kept until somebody replays it
)

// Orders in which the events of a queue are handled.
const (
	Parallel      = "parallel"
	Sequential    = "sequential"
	SequentialKey = "sequential_key"
)

// Tables lists the tables of this package, for the composition root.
func Tables() []record.Table {
	return []record.Table{registerTable(), queueTable(), eventTable(), runTable()}
}

func text(name, label string) record.Field {
	return record.Field{Name: name, Label: label, Type: record.String}
}

func integer(name, label, preset string) record.Field {
	return record.Field{Name: name, Label: label, Type: record.Integer, Default: preset}
}

func moment(name, label string) record.Field {
	return record.Field{Name: name, Label: label, Type: record.DateTime}
}

func document(name, label string) record.Field {
	return record.Field{Name: name, Label: label, Type: record.Document}
}

func choice(name, label, preset string, values ...string) record.Field {
	f := record.Field{Name: name, Label: label, Type: record.Choice, Default: preset}
	for _, v := range values {
		f.Choices = append(f.Choices, record.Option{Value: v, Label: v})
	}
	return f
}

func registerTable() record.Table {
	return record.Table{Name: RegisterTable, Label: "Event registration", Fields: []record.Field{
		{Name: "event_name", Label: "Event name", Type: record.String, Mandatory: true, Unique: true, Display: true},
		text("suffix", "Suffix"), text("table", "Table"), text("fired_by", "Fired by"), text("description", "Description"),
		text("queue", "Queue"), integer("priority", "Priority", "100"), text("caller_access", "Caller access")}}
}

func queueTable() record.Table {
	return record.Table{Name: QueueTable, Label: "Event queue", Fields: []record.Field{
		{Name: "queue", Label: "Queue", Type: record.String, Mandatory: true, Unique: true, Display: true},
		choice("processing_order", "Processing order", Parallel, Parallel, Sequential, SequentialKey),
		text("description", "Description")}}
}

func eventTable() record.Table {
	return record.Table{Name: Table, Label: "Event", Fields: []record.Field{
		{Name: "name", Label: "Name", Type: record.String, Mandatory: true, Display: true},
		text("parm1", "Parm1"), text("parm2", "Parm2"), text("table", "Table"), document("instance", "Instance"), text("uri", "URI"),
		text("queue", "Queue"),
		choice("state", "State", EventReady, EventReady, "queued", EventProcessing, EventProcessed, EventError, "transferred"),
		moment("process_on", "Process on"), moment("processed", "Processed"), integer("processing_duration", "Processing duration", ""),
		text("claimed_by", "Claimed by"), document("user_id", "User ID"), text("user_name", "User name"), integer("priority", "Priority", "100"),
		{Name: "order_key", Label: "Order key", Type: record.String, Help: "events of one key are handled one after the other in queues that are sequential per key"},
		{Name: "snapshot", Label: "Snapshot", Type: record.JSON, Help: "the operation and the changed fields, old and new"},
		{Name: "trace", Label: "Trace", Type: record.Document}, integer("handlers", "Handlers", "0"),
		{Name: "note", Label: "Note", Type: record.String, Help: "what is odd about the event"},
	}, Indexes: []record.Index{{Fields: []string{"state", "process_on"}}, {Fields: []string{"instance"}}, {Fields: []string{"trace"}}, {Fields: []string{"sys_created_on"}}}}
}

func runTable() record.Table {
	return record.Table{Name: RunTable, Label: "Handler run", Fields: []record.Field{
		{Name: "event", Label: "Event", Type: record.Reference, Reference: Table},
		text("kind", "Kind"), document("handler", "Handler"), {Name: "name", Label: "Name", Type: record.String, Display: true},
		text("table", "Table"), document("instance", "Instance"),
		choice("state", "State", Ready, Ready, Running, Retry, Done, Dead),
		integer("attempts", "Attempts", "0"), integer("crashes", "Attempts that ended with their process", "0"), moment("next_try", "Next try"),
		text("error", "Last error"), {Name: "history", Label: "Attempts made", Type: record.JSON},
		moment("finished", "Finished"), integer("duration", "Duration of the last attempt, ms", ""),
		{Name: "input", Label: "Input", Type: record.JSON}, {Name: "idempotency_key", Label: "Idempotency key", Type: record.Document},
		{Name: "place", Label: "Waits in line", Type: record.Document, Help: "the line in which the run has its place until it is handled"},
		{Name: "in_order", Label: "Keeps its place while it fails", Type: record.Boolean, Default: "false"},
		text("job", "Claimed by job"), {Name: "trace", Label: "Trace", Type: record.Document}, document("user_id", "User ID"),
	}, Indexes: []record.Index{{Fields: []string{"event"}}, {Fields: []string{"place", record.SysID}}, {Fields: []string{"trace"}}, {Fields: []string{"instance"}}}}
}
