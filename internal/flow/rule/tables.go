package rule

import "headrace/internal/core/record"

// Names of the tables that this package owns.
const (
	Table       = "sys_script"
	ActionTable = "sysevent_script_action"
	LogTable    = "sys_rule_log"
)

// Tables lists the tables of this package, for the composition root.
func Tables() []record.Table {
	return []record.Table{ruleTable(), actionTable(), logTable()}
}

func text(name, label string) record.Field {
	return record.Field{Name: name, Label: label, Type: record.String}
}

func flag(name, label, preset string) record.Field {
	return record.Field{Name: name, Label: label, Type: record.Boolean, Default: preset}
}

func integer(name, label, preset string) record.Field {
	return record.Field{Name: name, Label: label, Type: record.Integer, Default: preset}
}

func code(name, label string) record.Field {
	return record.Field{Name: name, Label: label, Type: record.Script}
}

func named(name, label string) record.Field {
	return record.Field{Name: name, Label: label, Type: record.String, Mandatory: true, Display: true}
}

func ruleTable() record.Table {
	when := record.Field{Name: "when", Label: "When", Type: record.Choice, Default: "before"}
	for _, v := range []string{"before", "after", "async", "async_always", "display"} {
		when.Choices = append(when.Choices, record.Option{Value: v, Label: v})
	}
	return record.Table{Name: Table, Label: "Business rule", Fields: []record.Field{
		named("name", "Name"), {Name: "collection", Label: "Table", Type: record.String, Mandatory: true},
		text("description", "Description"), flag("active", "Active", "true"), flag("advanced", "Advanced", "true"), when,
		integer("order", "Order", "100"), integer("priority", "Priority", "100"),
		flag("action_insert", "Insert", "false"), flag("action_update", "Update", "false"), flag("action_delete", "Delete", "false"),
		flag("action_query", "Query", "false"), text("filter_condition", "Filter conditions"), text("condition", "Condition"),
		text("role_conditions", "Role conditions"), text("template", "Set field values"), flag("add_message", "Add message", "false"),
		text("message", "Message"), flag("abort_action", "Abort action", "false"), code("script", "Script"),
		flag("execute_function", "Execute function", "false"), text("access", "Accessible from"),
	}, Indexes: []record.Index{{Fields: []string{"collection"}}}}
}

func actionTable() record.Table {
	return record.Table{Name: ActionTable, Label: "Script action", Fields: []record.Field{
		named("name", "Name"), {Name: "event_name", Label: "Event name", Type: record.String, Mandatory: true},
		text("description", "Description"), flag("active", "Active", "true"), integer("order", "Order", "100"),
		text("condition_script", "Condition script"), code("script", "Script"), flag("synchronous", "Synchronous", "false"),
		{Name: "max_attempts", Label: "Most attempts", Type: record.Integer, Help: "0 or empty: 10"},
		{Name: "retry_delay", Label: "Retry delay", Type: record.Integer, Help: "seconds, at most, before the second attempt; each further one may take three times as long; 0 or empty: 5"},
	}, Indexes: []record.Index{{Fields: []string{"event_name"}}}}
}

func logTable() record.Table {
	return record.Table{Name: LogTable, Label: "Business rule log", Fields: []record.Field{
		text("table_name", "Table"), {Name: "record", Label: "Record", Type: record.Document}, text("operation", "Operation"),
		{Name: "trace", Label: "Trace", Type: record.Document},
		{Name: "rules", Label: "Rules", Type: record.JSON, Help: "the rules that were looked at, in order: what became of each and why"},
	}, Indexes: []record.Index{{Fields: []string{"trace"}}, {Fields: []string{"record"}}, {Fields: []string{"sys_created_on"}}}}
}
