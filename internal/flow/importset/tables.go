// Package importset loads a data source into staging, transforms it, keeps the ledger, and plans, applies and undoes
// runs. Every import takes the same path: bytes, rows, staging, transform, target.
package importset

import (
	"headrace/internal/core/record"
)

// Names of the tables that this package owns.
const (
	SetTable     = "sys_import_set"         // one record per import; its number is the run's number
	RunTable     = "sys_import_set_run"     // one record per transform map of an import
	RowTable     = "sys_import_set_row"     // staging: every row of every import
	PageTable    = "sys_import_set_page"    // what a block's rows prove, and which earlier rows show them; see page.go
	OutcomeTable = "sys_import_set_outcome" // what each map made of a row, where an import has several
	FenceTable   = "sys_import_fence"       // one row per hierarchy of target tables, moved by every batch; see fence
)

// Tables lists the tables of this package, for the composition root.
func Tables() []record.Table {
	return append([]record.Table{setTable(), runTable(), rowTable(), pageTable(), outcomeTable(), fenceTable()}, stagingTables()...)
}

func field(name, label string, t record.Type) record.Field {
	return record.Field{Name: name, Label: label, Type: t}
}

func countFields() []record.Field {
	return []record.Field{
		field("read", "Read", record.Integer), field("inserted", "Inserted", record.Integer), field("updated", "Updated", record.Integer),
		field("unchanged", "Unchanged", record.Integer), field("skipped", "Skipped", record.Integer),
		field("rejected", "Rejected", record.Integer), field("pending", "Pending", record.Integer),
	}
}

func setTable() record.Table {
	number := field("run", "Run", record.Integer)
	number.Unique = true
	return record.Table{Name: SetTable, Label: "Import set", Fields: append([]record.Field{
		number,
		{Name: "number", Label: "Number", Type: record.String, Display: true},
		field("state", "State", record.String),
		field("source", "Source", record.String),
		field("source_size", "Source size", record.Integer),
		field("format", "Format", record.String),
		field("options", "Format options", record.JSON),
		field("columns", "Columns", record.JSON),
		field("target_table", "Target table", record.String),
		field("maps", "Transform maps", record.JSON),
		field("signature", "Signature", record.String),
		field("pass", "Pass", record.Integer),
		field("next_row", "Next row", record.Integer),
		field("digest", "Digest", record.String),
		field("started", "Started", record.DateTime),
		field("completed", "Completed", record.DateTime),
		field("millis", "Milliseconds", record.Integer),
		field("owner", "Owner", record.String),
		field("heartbeat", "Heartbeat", record.DateTime),
		field("message", "Message", record.String),
		field("plan", "Plan", record.String),
		field("undone", "Undone", record.JSON),
		field("absent", "Absent records", record.JSON),
		field("hash", "SHA-256 of the source", record.String),
		field("basis", "What the fates rest on", record.String),
		field("mapped", "What the rows went through", record.String), // of a run that others may rest on
		field("moves", "Moves of the target's fence", record.Integer),
		field("refers", "Moves of the fences of tables referred to", record.String),
		field("rests_on", "Rests on run", record.Integer),
		field("table_name", "Staging table", record.String), // of pushed rows
		field("mode", "Mode", record.String),                // of pushed rows: synchronous or asynchronous
		field("run_after", "Runs after", record.String),     // the import set that must be done first
		field("multi_import_set", "Multiple import set", record.String),
		field("load_completed", "Load completed", record.DateTime),
		field("pushed_by", "Pushed by", record.String),
	}, countFields()...), Indexes: []record.Index{{Fields: []string{"signature"}}, {Fields: []string{"table_name", "state"}}, {Fields: []string{"state"}},
		{Fields: []string{"mapped"}}}}
}

func runTable() record.Table {
	return record.Table{Name: RunTable, Label: "Transform history", Fields: append([]record.Field{
		field("run", "Run", record.Integer),
		{Name: "set", Label: "Import set", Type: record.Reference, Reference: SetTable},
		field("map", "Transform map", record.String),
		field("position", "Position", record.Integer),
		field("target_table", "Target table", record.String),
		field("state", "State", record.String),
	}, countFields()...), Indexes: []record.Index{{Fields: []string{"run"}}, {Fields: []string{"set"}}}}
}

func rowTable() record.Table {
	return record.Table{Name: RowTable, Label: "Import set row", Bare: true, Key: []string{"id"}, Fields: []record.Field{
		field("id", "Id", record.Integer), // run and row number in one, see rowID
		field("line", "Line", record.Integer),
		field("payload", "Payload", record.String), // JSON array of the cells
		field("state", "State", record.Reference),
		field("reason", "Reason", record.Reference),
		field("note", "Note", record.String), // JSON, see transform.Reject
		field("target", "Target", record.Reference),
	}}
}

func pageTable() record.Table {
	return record.Table{Name: PageTable, Label: "Import set page", Bare: true, Key: []string{"id"}, Fields: []record.Field{
		field("id", "Id", record.Integer),    // of the block's first row, as in the staging table
		field("sums", "Sums", record.String), // base64: a sum for each row, then a record for each row
		field("shown", "Shown", record.String),
	}}
}

func outcomeTable() record.Table {
	return record.Table{Name: OutcomeTable, Label: "Import set row outcome", Bare: true, Key: []string{"id", "position"}, Fields: []record.Field{
		field("id", "Id", record.Integer),
		field("position", "Position", record.Integer),
		field("state", "State", record.Reference),
		field("reason", "Reason", record.Reference),
		field("note", "Note", record.String),
		field("target", "Target", record.Reference),
	}}
}

func fenceTable() record.Table {
	return record.Table{Name: FenceTable, Label: "Import fence", Bare: true, Key: []string{"table_name"}, Fields: []record.Field{
		field("table_name", "Table", record.Reference),
		field("moves", "Moves", record.Integer),
		field("closed", "Closed", record.Integer), // only ever written, to lock the row
	}}
}

// rowBits is how many bits of a staging row's id are the row's number; the rest are the run's.
const rowBits = 36

// MaxRows is the most rows one run can hold.
const MaxRows = 1<<rowBits - 1

// rowID puts run and row number (from 0) into the one integer that keys the staging table, so that the rows of a run lie
// together, in order, and adding rows only ever touches the end of the table.
func rowID(run, row int64) int64 { return run<<rowBits | row }
