package datasource

import "headrace/internal/core/record"

// Names of the tables that this package owns. That of data sources and that of keys are the platform's; states have none
// there.
const (
	SourceTable = "sys_data_source"
	FileTable   = "sys_data_source_file"        // what became of each file of a source
	HealthTable = "sys_data_source_health"      // how each source is, apart from its runs
	AlertTable  = "sys_data_source_alert"       // what somebody should look at
	ClaimTable  = "sys_data_source_claim"       // who works on a source at the moment
	SSHKeyTable = "ssh_private_key_credentials" // keys for SFTP
)

// Tables lists the tables of this package, for the composition root.
func Tables() []record.Table {
	return []record.Table{sourceTable(), fileTable(), healthTable(), alertTable(), claimTable(), sshKeyTable()}
}

func typed(name, label string, t record.Type) record.Field {
	return record.Field{Name: name, Label: label, Type: t}
}

func text(name, label string) record.Field { return typed(name, label, record.String) }

func helped(f record.Field, help string) record.Field { f.Help = help; return f }

func preset(f record.Field, value string) record.Field { f.Default = value; return f }

func must(f record.Field) record.Field { f.Mandatory = true; return f }

func named() record.Field {
	return record.Field{Name: "name", Label: "Name", Type: record.String, Mandatory: true, Display: true}
}

// choice takes values and labels in turn; the first value is the default.
func choice(name, label string, pairs ...string) record.Field {
	f := record.Field{Name: name, Label: label, Type: record.Choice, Default: pairs[0]}
	for i := 0; i < len(pairs); i += 2 {
		f.Choices = append(f.Choices, record.Option{Value: pairs[i], Label: pairs[i+1]})
	}
	return f
}

func flag(name, label, value string) record.Field {
	return preset(typed(name, label, record.Boolean), value)
}

func sourceTable() record.Table {
	name := named()
	name.Unique = true
	fields := []record.Field{name, flag("active", "Active", "true"),
		choice("type", "Type", "File", "File", "JDBC", "JDBC", "REST", "REST"),
		must(helped(text("connection_url", "Connection URL"), "as on the command line; a password belongs into the credential")),
		helped(text("credential", "Credential"), "name of a basic auth profile, an API key, an OAuth profile or an SSH key"),
		text("import_set_table_label", "Import set table label"),
		helped(text("import_set_table_name", "Import set table name"), "the staging table: its active transform maps take the rows"),
		helped(text("format", "Format"), "of files: csv, json, xml or xlsx; empty: found from the content"),
		helped(typed("format_options", "Format options", record.JSON), "an object of texts"),
		helped(typed("options", "Options", record.JSON), "of the kind of source, an object of texts"),
		helped(text("host_key", "Host key"), "of an SFTP server, as `headrace source test NAME --accept` has approved it; an option of that name goes before"),
		choice("mode", "Mode", "safe", "Safe", "strict", "As the platform"),
	}
	return record.Table{Name: SourceTable, Label: "Data source", Fields: append(append(append(fields, markFields()...), fileFields()...), policyFields()...)}
}

// markFields say where the next reading of rows goes on.
func markFields() []record.Field {
	return []record.Field{
		flag("use_last_run_datetime", "Use last run datetime", "false"),
		helped(text("last_run_database_field", "Last run database field"), "the column by which new and changed rows are known"),
		helped(text("last_run_datetime", "Last run datetime"), "the highest value of that column among the rows transformed so far"),
		helped(text("overlap", "Overlap"), "how far behind that value the next reading begins: a duration such as 5m, or a number"),
		choice("on_rejected", "Rejected rows", "advance", "Go on: they are counted and told of", "hold", "Read them again the next time"),
	}
}

// fileFields say which files are taken, and what becomes of them.
func fileFields() []record.Field {
	return []record.Field{
		helped(flag("zipped", "Zipped", "false"), "kept for the platform's sake: gzip is recognised"),
		choice("pick", "Pick", "all", "All, the oldest first", "newest", "The newest only"),
		choice("ready", "Ready", "none", "At once", "control", "When its control file is there", "quiet", "When it has not changed for a while"),
		helped(preset(text("control_suffix", "Control suffix"), ".ok"), "of control files: data.csv.ok or data.ok for data.csv"),
		choice("checksum", "Checksum", "auto", "Checked when the control file holds one", "required", "The control file must hold one", "none", "Not looked at"),
		helped(preset(text("quiet_period", "Quiet period"), "1m"), "how long a file stays as it was seen before it is taken, a duration"),
		helped(text("done_folder", "Done folder"), "where files go when they are transformed, beside them unless it begins with a slash; empty: they stay"),
		helped(text("error_folder", "Error folder"), "where files go that cannot be imported, with a text that says why; empty: they stay"),
		choice("redelivery", "A file that came before", "skip", "Nothing is written", "process", "Imported again", "reject", "An error"),
	}
}

// policyFields say what a source is expected to be like, and what happens when it is not.
func policyFields() []record.Field {
	drift := func(name, label, first string) record.Field {
		all := []string{"ignore", "Ignore", "add", "Add to staging", "quarantine", "Quarantine", "stop", "Stop"}
		f := choice(name, label, all...)
		f.Default = first
		return f
	}
	return []record.Field{
		helped(typed("contract", "Contract", record.JSON), "the columns that were agreed on, and their types"),
		drift("on_new_column", "New column", "add"), drift("on_missing_column", "Missing column", "stop"), drift("on_changed_type", "Changed type", "stop"),
		choice("on_absent", "Absent records", "ignore", "Leave alone", "flag", "Flag", "deactivate", "Deactivate", "delete", "Delete"),
		text("absent_field", "Field of absent records"), text("absent_value", "Value of absent records"),
		helped(text("absent_where", "Records of this source"), "an encoded query: the part of the target that the source answers for"),
		helped(preset(typed("absent_percent", "Most absent, percent", record.Integer), "10"), "beyond it nothing is done and somebody is told"),
		helped(preset(typed("absent_rows", "Most absent, records", record.Integer), "1000"), "beyond it nothing is done and somebody is told"),
		helped(flag("absent_rejected", "Absent records in spite of rejected rows", "false"), "rows without a key that can be read are taken for rows of other records"),
		helped(text("expect_every", "Expected every"), "a duration such as 24h: later is late"),
		typed("expect_rows_min", "Rows expected at least", record.Integer),
		helped(typed("expect_rows_change", "Rows may change by, percent", record.Integer), "against the median of the last runs"),
		choice("on_zero_rows", "No rows at all", "alert", "Tell", "fail", "Fail", "ok", "Fine"),
	}
}

func fileTable() record.Table {
	return record.Table{Name: FileTable, Label: "File of a data source", Fields: []record.Field{
		must(record.Field{Name: "source", Label: "Data source", Type: record.Reference, Reference: SourceTable}),
		{Name: "path", Label: "Path", Type: record.String, Display: true}, typed("size", "Size", record.Integer), text("modified", "Modified"), text("version", "Version"),
		text("sha256", "SHA-256"), text("state", "State"), text("reason", "Reason"), typed("run", "Run", record.Integer), text("mark", "Mark"), helped(text("since", "Since"), "the mark that the rows were gathered from"),
		helped(text("spool", "Spool"), "the copy that is imported"), typed("at", "At", record.DateTime)},
		Indexes: []record.Index{{Fields: []string{"source", "path"}}, {Fields: []string{"source", "sha256"}}}}
}

func claimTable() record.Table {
	return record.Table{Name: ClaimTable, Label: "Data source being worked on", Bare: true, Key: []string{"source"}, Fields: []record.Field{
		typed("source", "Data source", record.Reference), text("owner", "Owner"), typed("heartbeat", "Heartbeat", record.DateTime)}}
}

func sshKeyTable() record.Table {
	return record.Table{Name: SSHKeyTable, Label: "SSH private key credentials", Fields: []record.Field{named(), text("user_name", "User name"),
		helped(typed("ssh_private_key", "SSH private key", record.Secret), "in PEM form"), typed("ssh_passphrase", "SSH passphrase", record.Secret)}}
}
