package project

import (
	"slices"
	"strings"

	"headrace/internal/core/record"
)

// Kind is one kind of configuration that a folder may hold: which table its records are in, and which folder their files.
// The properties of a file are the fields of the table in camel case, with the table's own types, defaults and choices:
// a field that the table gets is a property from then on.
type Kind struct {
	Name   string // as people say it: "business rule"
	Folder string
	Shape
	// Alone says that a script without a YAML file beside it is a record, named like the file.
	Alone bool
}

// Shape is how the records of one table are written.
type Shape struct {
	Table   string
	Key     string            // the field that tells records of a kind, or of one parent, apart; "" in a list
	Renamed map[string]string // field -> property, where camel case would not be the word
	Hidden  []string          // fields that are no properties: what the server derives, and references to the parent
	Flags   []Flags
	Script  string // the field that lives in the .js file beside the YAML, of the same name
	Parts   []Part
}

// Part is records of another table that belong to one record and stand in its file: the functions of a message, the
// field maps of a transform map. They are written as a map from the key, or as a list where there is none.
type Part struct {
	Property string
	Parent   string // the field that refers to the record they belong to
	Short    string // the field that a mere text stands for: "target: column"
	Shape
}

// Flags is several true-or-false fields written as one list of words.
type Flags struct {
	Property string
	Words    []Word
}

// Word is a word in such a list, and the field that it makes true.
type Word struct{ Text, Field string }

const (
	tableKind    = "table"
	tablesFolder = "tables"
	testsFolder  = "tests"
)

// Kinds lists what a project may hold, besides tables, in the order in which it is applied.
func Kinds() []Kind {
	return []Kind{
		{Name: "user", Folder: "users", Shape: Shape{Table: "sys_user", Key: "user_name", Hidden: []string{"name", "user_password", "password_needs_reset", "locked_out",
			"locked_until", "failed_attempts", "last_login_time", "source"}}},
		{Name: "property", Folder: "properties", Shape: Shape{Table: "sys_properties", Key: "name"}},
		{Name: "script include", Folder: "includes", Alone: true, Shape: Shape{Table: "sys_script_include", Key: "name", Script: "script", Hidden: []string{"api_name"}}},
		{Name: "event queue", Folder: "queues", Shape: Shape{Table: "sysevent_queue", Key: "queue", Renamed: map[string]string{"queue": "name"}}},
		{Name: "event", Folder: "events", Shape: Shape{Table: "sysevent_register", Key: "event_name", Renamed: map[string]string{"event_name": "name"},
			Hidden: []string{"suffix", "derived_priority"}}},
		{Name: "business rule", Folder: "rules", Shape: Shape{Table: "sys_script", Key: "name", Script: "script", Renamed: map[string]string{"collection": "table"},
			Flags: []Flags{{"action", []Word{{"insert", "action_insert"}, {"update", "action_update"}, {"delete", "action_delete"}, {"query", "action_query"}}}}}},
		{Name: "script action", Folder: "actions", Shape: Shape{Table: "sysevent_script_action", Key: "name", Script: "script", Renamed: map[string]string{"event_name": "event"}}},
		{Name: "basic credentials", Folder: "credentials/basic", Shape: Shape{Table: "sys_auth_profile_basic", Key: "name"}},
		{Name: "API key", Folder: "credentials/api-key", Shape: Shape{Table: "api_key_credentials", Key: "name"}},
		{Name: "OAuth provider", Folder: "credentials/oauth-provider", Shape: Shape{Table: "sys_oauth_provider", Key: "name"}},
		{Name: "OAuth profile", Folder: "credentials/oauth", Shape: Shape{Table: "oauth_entity_profile", Key: "name", Renamed: map[string]string{"oauth_entity": "provider"}}},
		{Name: "delivery policy", Folder: "policies", Shape: Shape{Table: "sys_outbound_policy", Key: "name"}},
		{Name: "outbound host", Folder: "hosts", Shape: Shape{Table: "sys_outbound_host", Key: "name"}},
		{Name: "staging table", Folder: "staging", Shape: Shape{Table: "sys_import_set_table", Key: "name", Hidden: []string{"columns"}}},
		{Name: "REST message", Folder: "rest", Shape: restMessage()},
		{Name: "SOAP message", Folder: "soap", Shape: soapMessage()},
		{Name: "transform map", Folder: "maps", Shape: transformMap()},
		{Name: "SSH key", Folder: "credentials/ssh-key", Shape: Shape{Table: "ssh_private_key_credentials", Key: "name"}},
		{Name: "data source", Folder: "sources", Shape: Shape{Table: "sys_data_source", Key: "name", Hidden: []string{"last_run_datetime", "host_key"}}},
		{Name: "export set", Folder: "exports", Shape: Shape{Table: "sys_export_set", Key: "name", Renamed: map[string]string{"table_name": "table", "order_by": "order"}}},
		{Name: "scheduled import", Folder: "schedules/imports", Shape: scheduled("scheduled_import_set", "")},
		{Name: "scheduled export", Folder: "schedules/exports", Shape: scheduled("scheduled_data_export", "")},
		{Name: "scheduled script", Folder: "schedules/scripts", Shape: scheduled("sysauto_script", "script")},
	}
}

func scheduled(table, script string) Shape {
	return Shape{Table: table, Key: "name", Script: script, Hidden: []string{"advanced", "upgrade_safe", "business_calendar", "offset", "offset_type"}}
}

func headers(table, parent string) Part {
	return Part{Property: "headers", Parent: parent, Short: "value", Shape: Shape{Table: table, Key: "name"}}
}

func restMessage() Shape {
	endpoint := map[string]string{"rest_endpoint": "endpoint"}
	variables := Part{Property: "variables", Parent: "rest_message_function", Short: "value", Shape: Shape{Table: "sys_rest_message_fn_parameters", Key: "name"}}
	function := Part{Property: "functions", Parent: "rest_message", Shape: Shape{Table: "sys_rest_message_fn", Key: "function_name", Hidden: []string{"qualified_name"},
		Renamed: map[string]string{"rest_endpoint": "endpoint", "http_method": "method"}, Parts: []Part{
			headers("sys_rest_message_fn_headers", "rest_message_function"),
			{Property: "query", Parent: "rest_message_function", Short: "value", Shape: Shape{Table: "sys_rest_message_fn_param_defs", Key: "name"}}, variables}}}
	return Shape{Table: "sys_rest_message", Key: "name", Renamed: endpoint, Parts: []Part{headers("sys_rest_message_headers", "rest_message"), function}}
}

func soapMessage() Shape {
	function := Part{Property: "functions", Parent: "soap_message", Shape: Shape{Table: "sys_soap_message_function", Key: "function_name",
		Renamed: map[string]string{"soap_endpoint": "endpoint", "soap_action": "action"}, Parts: []Part{
			{Property: "variables", Parent: "soap_message_function", Short: "value", Shape: Shape{Table: "sys_soap_message_parameters", Key: "name"}}}}}
	return Shape{Table: "sys_soap_message", Key: "name", Parts: []Part{headers("sys_soap_message_headers", "soap_message"), function}}
}

// transformMap is written as `headrace import --map` reads it.
func transformMap() Shape {
	return Shape{Table: "sys_transform_map", Key: "name",
		Renamed: map[string]string{"create_new_record_on_empty_coalesce_fields": "createOnEmptyCoalesce"}, Parts: []Part{
			{Property: "fields", Parent: "map", Short: "source_field", Shape: Shape{Table: "sys_transform_entry", Key: "target_field",
				Hidden: []string{"source_table", "target_table"}}},
			{Property: "scripts", Parent: "map", Shape: Shape{Table: "sys_transform_script"}}}}
}

// Property is a property of a file, and the field that it says.
type Property struct {
	Name  string
	Field *record.Field
}

// Properties lists the properties that are single fields of t, in the order of the table, the key first.
func (s *Shape) Properties(t *record.Table) []Property {
	var out []Property
	for i := range t.Fields {
		f := &t.Fields[i]
		if record.IsSystemField(f.Name) || f.ReadOnly || s.hides(f.Name) {
			continue
		}
		p := Property{s.property(f.Name), f}
		if f.Name == s.Key {
			out = slices.Insert(out, 0, p)
		} else {
			out = append(out, p)
		}
	}
	return out
}

func (s *Shape) hides(field string) bool {
	for _, flags := range s.Flags {
		if slices.ContainsFunc(flags.Words, func(w Word) bool { return w.Field == field }) {
			return true
		}
	}
	return slices.Contains(s.Hidden, field)
}

func (s *Shape) property(field string) string {
	if name, ok := s.Renamed[field]; ok {
		return name
	}
	return camel(field)
}

// camel turns source_field into sourceField.
func camel(name string) string {
	words := strings.Split(name, "_")
	for i, w := range words[1:] {
		if w != "" {
			words[i+1] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, "")
}

// known lists every property of a file of this shape, for hints and schemas.
func (s *Shape) known(t *record.Table) []string {
	var out []string
	for _, p := range s.Properties(t) {
		out = append(out, p.Name)
	}
	for _, f := range s.Flags {
		out = append(out, f.Property)
	}
	for _, p := range s.Parts {
		out = append(out, p.Property)
	}
	return out
}

// shape gives the part's shape without the field that refers to the parent, which its place in the file says.
func (p *Part) shape() *Shape {
	s := p.Shape
	s.Hidden = append(slices.Clone(s.Hidden), p.Parent)
	return &s
}
