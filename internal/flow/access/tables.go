package access

import "headrace/internal/core/record"

// Names of the tables that this package owns.
const (
	UserTable         = "sys_user"
	GroupTable        = "sys_user_group"
	MemberTable       = "sys_user_grmember"
	RoleTable         = "sys_user_role"
	UserRoleTable     = "sys_user_has_role"
	RoleContainsTable = "sys_user_role_contains"
	GroupRoleTable    = "sys_group_has_role"
	RuleTable         = "sys_security_acl"
	RuleRoleTable     = "sys_security_acl_role"
	ClientTable       = "oauth_entity"
	TokenTable        = "oauth_credential"
	KeyTable          = "sys_api_key"
	RateTable         = "sys_rate_limit_rules"
)

// Tables lists the tables of this package, for the composition root.
func Tables() []record.Table {
	return append(append(people(), roleTables()...), append(ruleTables(), tokenTables()...)...)
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

func moment(name, label string) record.Field {
	return record.Field{Name: name, Label: label, Type: record.DateTime}
}

func secret(name, label string) record.Field {
	return record.Field{Name: name, Label: label, Type: record.Secret}
}

func link(name, label, table string) record.Field {
	return record.Field{Name: name, Label: label, Type: record.Reference, Reference: table}
}

// mandatory, unique and display change a field.
func mandatory(f record.Field) record.Field { f.Mandatory = true; return f }
func unique(f record.Field) record.Field    { f.Unique = true; return f }
func display(f record.Field) record.Field   { f.Display = true; return f }

func choice(name, label, preset string, values ...string) record.Field {
	f := record.Field{Name: name, Label: label, Type: record.Choice, Default: preset}
	for i := 0; i < len(values); i += 2 {
		f.Choices = append(f.Choices, record.Option{Value: values[i], Label: values[i+1]})
	}
	return f
}

func on(fields ...string) record.Index { return record.Index{Fields: fields} }

func people() []record.Table {
	return []record.Table{
		{Name: UserTable, Label: "User", Fields: []record.Field{
			mandatory(unique(text("user_name", "User ID"))), text("first_name", "First name"), text("middle_name", "Middle name"),
			text("last_name", "Last name"), display(text("name", "Name")),
			{Name: "email", Label: "Email", Type: record.Email}, text("phone", "Business phone"), text("mobile_phone", "Mobile phone"),
			text("title", "Title"), text("employee_number", "Employee number"), link("company", "Company", "core_company"),
			link("department", "Department", "cmn_department"), link("location", "Location", "cmn_location"), link("manager", "Manager", UserTable),
			flag("vip", "VIP", "false"), flag("active", "Active", "true"), flag("locked_out", "Locked out", "false"),
			moment("locked_until", "Locked until"), integer("failed_attempts", "Failed login attempts", "0"),
			secret("user_password", "Password"), flag("password_needs_reset", "Password needs reset", "false"),
			text("time_zone", "Time zone"), text("date_format", "Date format"), text("time_format", "Time format"),
			flag("web_service_access_only", "Web service access only", "false"),
			flag("internal_integration_user", "Internal integration user", "false"), moment("last_login_time", "Last login time"),
			text("source", "Source"), text("preferred_language", "Language")},
			Indexes: []record.Index{on("email"), on("name")}},
		{Name: GroupTable, Label: "Group", Fields: []record.Field{mandatory(unique(display(text("name", "Name")))), text("description", "Description"),
			link("manager", "Manager", UserTable), link("parent", "Parent", GroupTable), {Name: "email", Label: "Group email", Type: record.Email},
			text("type", "Type"), flag("active", "Active", "true"), text("source", "Source")}},
		{Name: MemberTable, Label: "Group member", Fields: []record.Field{mandatory(link("user", "User", UserTable)), mandatory(link("group", "Group", GroupTable))},
			Indexes: []record.Index{{Fields: []string{"user", "group"}, Unique: true}, on("group")}},
	}
}

func roleTables() []record.Table {
	return []record.Table{
		{Name: RoleTable, Label: "Role", Fields: []record.Field{mandatory(unique(display(text("name", "Name")))), text("description", "Description"),
			text("suffix", "Suffix"), flag("elevated_privilege", "Elevated privilege", "false")}},
		{Name: UserRoleTable, Label: "User role", Fields: []record.Field{mandatory(link("user", "User", UserTable)), mandatory(link("role", "Role", RoleTable)),
			flag("inherited", "Inherited", "false"), choice("state", "State", "active", "active", "Active", "inactive", "Inactive")},
			Indexes: []record.Index{on("user", "role")}},
		{Name: RoleContainsTable, Label: "Contained role", Fields: []record.Field{mandatory(link("role", "Role", RoleTable)),
			mandatory(link("contains", "Contains", RoleTable))}, Indexes: []record.Index{{Fields: []string{"role", "contains"}, Unique: true}}},
		{Name: GroupRoleTable, Label: "Group role", Fields: []record.Field{mandatory(link("group", "Group", GroupTable)), mandatory(link("role", "Role", RoleTable)),
			flag("inherits", "Inherits", "true")}, Indexes: []record.Index{{Fields: []string{"group", "role"}, Unique: true}}},
	}
}

func ruleTables() []record.Table {
	return []record.Table{
		{Name: RuleTable, Label: "Access control", Fields: []record.Field{display(mandatory(text("name", "Name"))), choice("type", "Type", "record", "record", "Record"),
			choice("operation", "Operation", "read", "read", "read", "create", "create", "write", "write", "delete", "delete"),
			flag("active", "Active", "true"), flag("admin_overrides", "Admin overrides", "true"),
			choice("decision_type", "Decision type", "allow", "allow", "Allow if", "deny", "Deny unless"),
			text("condition", "Condition"), flag("advanced", "Advanced", "false"), text("script", "Script"), text("description", "Description")},
			Indexes: []record.Index{on("name", "operation")}},
		{Name: RuleRoleTable, Label: "Access role", Fields: []record.Field{mandatory(link("sys_security_acl", "Access control", RuleTable)),
			mandatory(link("sys_user_role", "Role", RoleTable))},
			Indexes: []record.Index{{Fields: []string{"sys_security_acl", "sys_user_role"}, Unique: true}}},
		{Name: RateTable, Label: "Rate limit rule", Fields: []record.Field{display(mandatory(text("name", "Name"))), text("api", "REST API"),
			link("user", "User", UserTable), link("role", "Role", RoleTable), mandatory(integer("rate_limit", "Requests per hour", "")),
			flag("active", "Active", "true")}},
	}
}

func tokenTables() []record.Table {
	kind := choice("type", "Type", "", accessToken, "Access token", refreshToken, "Refresh token")
	return []record.Table{
		{Name: ClientTable, Label: "OAuth client", Fields: []record.Field{display(mandatory(text("name", "Name"))), mandatory(unique(text("client_id", "Client ID"))),
			secret("client_secret", "Client secret"), flag("active", "Active", "true"), link("user", "OAuth application user", UserTable),
			integer("access_token_lifespan", "Access token lifespan, seconds", "1800"),
			integer("refresh_token_lifespan", "Refresh token lifespan, seconds", "8640000"), text("comments", "Comments")}},
		{Name: TokenTable, Label: "OAuth credential", Fields: []record.Field{mandatory(kind), mandatory(link("oauth_entity", "Client", ClientTable)),
			mandatory(link("user", "User", UserTable)), secret("token", "Token"), text("scope", "Scope"), mandatory(moment("expires", "Expires"))},
			Indexes: []record.Index{on("user", "oauth_entity")}},
		{Name: KeyTable, Label: "API key", Fields: []record.Field{display(mandatory(text("name", "Name"))), text("prefix", "Begins with"), secret("key", "Key"),
			mandatory(link("user", "User", UserTable)), flag("active", "Active", "true"), moment("expires", "Expires")}},
	}
}
