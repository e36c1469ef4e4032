package export

import (
	"headrace/internal/core/record"
	"headrace/internal/flow/outbound"
)

// Names of the tables that this package owns. That of sets is the platform's; runs and attempts are told apart here.
const (
	SetTable     = "sys_export_set"
	RunTable     = "sys_export_run"
	AttemptTable = "sys_export_attempt"
	AlertTable   = "sys_export_alert" // what somebody should look at
)

// Tables lists the tables of this package, for the composition root.
func Tables() []record.Table {
	return []record.Table{setTable(), runTable(), attemptTable(), alertTable()}
}

func typed(name, label string, t record.Type) record.Field {
	return record.Field{Name: name, Label: label, Type: t}
}

func text(name, label string) record.Field             { return typed(name, label, record.String) }
func integer(name, label string) record.Field          { return typed(name, label, record.Integer) }
func moment(name, label string) record.Field           { return typed(name, label, record.DateTime) }
func must(f record.Field) record.Field                 { f.Mandatory = true; return f }
func preset(f record.Field, value string) record.Field { f.Default = value; return f }
func helped(f record.Field, help string) record.Field  { f.Help = help; return f }

func link(name, label, table string) record.Field {
	return record.Field{Name: name, Label: label, Type: record.Reference, Reference: table}
}

func flag(name, label, value string) record.Field {
	return preset(typed(name, label, record.Boolean), value)
}

// choice takes values and labels in turn; the first value is the default.
func choice(name, label string, pairs ...string) record.Field {
	f := record.Field{Name: name, Label: label, Type: record.Choice, Default: pairs[0]}
	for i := 0; i < len(pairs); i += 2 {
		f.Choices = append(f.Choices, record.Option{Value: pairs[i], Label: pairs[i+1]})
	}
	return f
}

func setTable() record.Table {
	name := record.Field{Name: "name", Label: "Name", Type: record.String, Mandatory: true, Display: true, Unique: true}
	fields := append([]record.Field{name, flag("active", "Active", "true")}, contentFields()...)
	return record.Table{Name: SetTable, Label: "Export set", Fields: append(append(fields, formFields()...), placeFields()...)}
}

// contentFields say which records are written, and what of them.
func contentFields() []record.Field {
	return []record.Field{
		must(text("table_name", "Table")),
		helped(text("query", "Query"), "an encoded query; empty: all records"),
		helped(text("fields", "Fields"), "separated by commas, over references with dots; empty: sys_id and all that are not the system's"),
		helped(text("order_by", "Order"), "fields separated by commas, with a - before those that descend; behind the order of the query, sys_id comes last"),
		helped(link("run_as", "Run as", "sys_user"), "whose access rules hold; empty: those of the user that a schedule runs as, else the system's, who may read everything"),
		helped(flag("incremental", "Incremental", "false"), "only what changed since the last delivery, by sys_updated_on"),
		helped(preset(text("overlap", "Overlap"), "5m"), "how far behind the last delivery an incremental one begins, a duration: for transactions that took long and clocks that differ"),
		choice("on_zero_rows", "No records", "write", "Write a file without records", "skip", "Write nothing", "fail", "Fail"),
	}
}

// formFields say how records are written.
func formFields() []record.Field {
	return []record.Field{
		preset(must(helped(text("format", "Format"), "csv, json, xlsx or xml")), "csv"),
		helped(typed("format_options", "Format options", record.JSON), "an object of texts, the options of the format: delimiter, bom, line_end, charset, style, path, sheet"),
		choice("headers", "Headers", "names", "Names of fields", "labels", "Labels of fields", "none", "None"),
		choice("display_values", "Display values", "false", "What is stored", "true", "What is shown", "all", "Both; what is shown as dv_field"),
		helped(text("zone", "Time zone"), "of times that are shown and of those in file names, such as Europe/Vienna; empty: UTC, and for what is shown that of the user it runs as"),
		helped(flag("formula_guard", "Formula guard", "true"), "put ' before texts that a spreadsheet would run as a formula; of csv and xlsx"),
		helped(flag("zipped", "Zipped", "false"), "pack the file with gzip; its name gets .gz"),
	}
}

// placeFields say where files go, and how often it is tried.
func placeFields() []record.Field {
	return []record.Field{
		must(helped(text("connection_url", "Connection URL"), "the folder, sftp://, s3://, http:// or https:// that files go to; a password belongs into the credential")),
		helped(text("credential", "Credential"), "name of a basic auth profile, an API key, an OAuth profile or an SSH key"),
		helped(typed("options", "Options", record.JSON), "of the kind of place, an object of texts"),
		choice("http_method", "HTTP method", "PUT", "PUT", "POST", "POST"),
		helped(text("file_name", "File name"), "with ${name}, ${date}, ${time} and ${seq}, a number that grows with every file; empty: ${name}_${date}_${seq} and the suffix of the format"),
		helped(flag("overwrite", "Overwrite", "false"), "replace a file of the same name; otherwise the next number is taken"),
		choice("control_file", "Control file", "none", "None", "ok", "JSON with name, count, size and SHA-256, named like the file and .ok", "sha256", "A line for sha256sum, named like the file and .sha256"),
		link("delivery_policy", "Delivery policy", outbound.PolicyTable),
		helped(preset(integer("retention_days", "Kept, days"), "30"), "how long the bytes of a file are kept once nothing is left to do, for a replay"),
	}
}

func runTable() record.Table {
	return record.Table{Name: RunTable, Label: "Export run", Indexes: []record.Index{{Fields: []string{"export_set", "sequence"}, Unique: true}, {Fields: []string{"state", "next_try"}}, {Fields: []string{"request_key"}}},
		Fields: []record.Field{
			must(link("export_set", "Export set", SetTable)), {Name: "name", Label: "Name", Type: record.String, Display: true}, integer("sequence", "Sequence"),
			choice("state", "State", string(Making), "Being made", string(Ready), "To be delivered", string(Sending), "Being delivered", string(Retry), "Waiting to be tried again",
				string(Done), "Delivered", string(Empty), "No records, nothing written", string(Failed), "Not made", string(Dead), "Dead", string(Canceled), "Cancelled"),
			text("asked_by", "Asked by"), helped(link("run_as", "Run as", "sys_user"), "whose access rules hold; empty: the system's"), text("request_key", "Key of the request"), text("place", "Place"), text("file_name", "File name"), integer("rows_written", "Rows"), integer("bytes", "Bytes"), text("sha256", "SHA-256"),
			text("since", "Since"), helped(text("high", "High"), "where the next incremental run begins, once this one is delivered"), flag("incremental", "Incremental", "false"),
			integer("attempts", "Attempts"), integer("counted", "Attempts that count since the last replay"), helped(flag("unclear", "Unclear", "false"), "an attempt may have left the file"),
			flag("named", "Name taken", "false"), moment("next_try", "Next try"), moment("expires", "Expires"), moment("made", "Made"), moment("completed", "Completed"), moment("keep_until", "Kept until"),
			flag("bytes_kept", "Bytes kept", "false"), text("reason", "Reason"), text("error", "Error"), helped(text("node", "Node"), "the machine and the folder that keep the file")}}
}

func attemptTable() record.Table {
	return record.Table{Name: AttemptTable, Label: "Export attempt", Indexes: []record.Index{{Fields: []string{"export_run"}}},
		Fields: []record.Field{must(link("export_run", "Export run", RunTable)), integer("attempt", "Attempt"), text("outcome", "Outcome"), text("error", "Error"),
			moment("started", "Started"), integer("millis", "Milliseconds"), integer("bytes", "Bytes"), text("place", "Place")}}
}
