package outbound

import "headrace/internal/core/record"

// Names of the tables that this package owns. Those of messages and of the log are the platform's; policies, hosts,
// tokens, deliveries and attempts have none there.
const (
	MessageTable      = "sys_rest_message"
	HeaderTable       = "sys_rest_message_headers"
	FunctionTable     = "sys_rest_message_fn"
	FnHeaderTable     = "sys_rest_message_fn_headers"
	FnQueryTable      = "sys_rest_message_fn_param_defs"
	FnVariableTable   = "sys_rest_message_fn_parameters"
	SOAPTable         = "sys_soap_message"
	SOAPFunctionTable = "sys_soap_message_function"
	SOAPHeaderTable   = "sys_soap_message_headers"
	SOAPVariableTable = "sys_soap_message_parameters"
	BasicTable        = "sys_auth_profile_basic"
	APIKeyTable       = "api_key_credentials"
	ProfileTable      = "oauth_entity_profile"
	ProviderTable     = "sys_oauth_provider"
	TokenTable        = "sys_oauth_token"
	PolicyTable       = "sys_outbound_policy"
	HostTable         = "sys_outbound_host"
	DeliveryTable     = "sys_outbound_delivery"
	AttemptTable      = "sys_outbound_attempt"
	LogTable          = "sys_outbound_http_log"
)

// Tables lists the tables of this package, for the composition root.
func Tables() []record.Table {
	out := append(restTables(), soapTables()...)
	out = append(out, credentialTables()...)
	return append(out, deliveryTables()...)
}

func text(name, label string) record.Field {
	return record.Field{Name: name, Label: label, Type: record.String}
}

func typed(name, label string, t record.Type) record.Field {
	return record.Field{Name: name, Label: label, Type: t}
}

func preset(f record.Field, value string) record.Field { f.Default = value; return f }
func must(f record.Field) record.Field                 { f.Mandatory = true; return f }
func helped(f record.Field, help string) record.Field  { f.Help = help; return f }

func link(name, label, table string) record.Field {
	return record.Field{Name: name, Label: label, Type: record.Reference, Reference: table}
}

func named() record.Field {
	return record.Field{Name: "name", Label: "Name", Type: record.String, Mandatory: true, Display: true}
}

// choice takes values and labels in turn; the first value is the default unless it is empty.
func choice(name, label string, pairs ...string) record.Field {
	f := record.Field{Name: name, Label: label, Type: record.Choice}
	for i := 0; i < len(pairs); i += 2 {
		f.Choices = append(f.Choices, record.Option{Value: pairs[i], Label: pairs[i+1]})
	}
	f.Default = pairs[0]
	return f
}

func integer(name, label string) record.Field { return typed(name, label, record.Integer) }
func flag(name, label, value string) record.Field {
	return preset(typed(name, label, record.Boolean), value)
}

func indexed(fields ...string) record.Index { return record.Index{Fields: fields} }
func once(fields ...string) record.Index    { return record.Index{Fields: fields, Unique: true} }

// credentialFields say who we are to the partner, on a message or a function.
func credentialFields(kinds ...string) []record.Field {
	return []record.Field{choice("authentication_type", "Authentication type", kinds...),
		link("basic_auth_profile", "Basic auth profile", BasicTable), link("oauth2_profile", "OAuth profile", ProfileTable),
		link("api_key_profile", "API key", APIKeyTable), text("basic_auth_user", "Basic auth user name"),
		typed("basic_auth_password", "Basic auth password", record.Secret)}
}

var ownKinds = []string{"no_authentication", "No authentication", "basic", "Basic", "oauth2", "OAuth 2.0", "api_key", "API key", "basic_simple", "Basic, simple"}

var inheritedKinds = append([]string{"inherit_from_parent", "Inherit from parent"}, ownKinds...)

// answerFields say what becomes of the rows in an answer.
func answerFields() []record.Field {
	return []record.Field{
		helped(typed("response_format", "Format of the answer", record.String), "json, xml or csv; empty: the answer is only kept"),
		helped(text("response_path", "Path to the rows of the answer"), "as the option path of the format; empty: found"),
		helped(text("response_table", "Import set table of the answer"), "its transform maps take the rows"),
	}
}

// partnerFields hold for all calls of a message.
func partnerFields() []record.Field {
	return []record.Field{
		choice("mode", "Mode", "safe", "Safe", "strict", "As the platform"),
		helped(text("partner", "Partner"), "messages of one partner share a loop guard; empty: the message by itself"),
		helped(flag("loop_guard", "Loop guard", "true"), "what an answer of the partner writes calls the partner no more"),
		link("delivery_policy", "Delivery policy", PolicyTable),
		helped(text("redact", "Names to redact"), "of JSON and XML values that are kept as ***, separated by commas"),
		choice("log_level", "HTTP log level", "basic", "Basic", "elevated", "Elevated", "all", "All"),
	}
}

func restTables() []record.Table {
	header := func(table, parent, of string) record.Table {
		return record.Table{Name: table, Label: "HTTP header", Fields: []record.Field{must(link(parent, "Message", of)), must(named()), text("value", "Value")},
			Indexes: []record.Index{indexed(parent)}}
	}
	message := append([]record.Field{named(), text("rest_endpoint", "Endpoint"), text("description", "Description"), text("access", "Accessible from"),
		flag("use_mutual_auth", "Use mutual authentication", "false"), text("protocol_name", "Mutual auth profile")}, credentialFields(ownKinds...)...)
	function := append([]record.Field{must(link("rest_message", "REST message", MessageTable)), record.Field{Name: "function_name", Label: "Name",
		Type: record.String, Mandatory: true, Display: true}, text("http_method", "HTTP method"), text("rest_endpoint", "Endpoint"), text("content", "Content"),
		text("qualified_name", "Qualified name"), text("use_mid_server", "Use MID server"), flag("lock", "Lock", "false"), link("delivery_policy", "Delivery policy", PolicyTable)},
		credentialFields(inheritedKinds...)...)
	return []record.Table{
		{Name: MessageTable, Label: "REST message", Fields: append(message, partnerFields()...), Indexes: []record.Index{once("name")}},
		header(HeaderTable, "rest_message", MessageTable),
		{Name: FunctionTable, Label: "HTTP method", Fields: append(function, answerFields()...), Indexes: []record.Index{once("rest_message", "function_name")}},
		header(FnHeaderTable, "rest_message_function", FunctionTable),
		{Name: FnQueryTable, Label: "HTTP query parameter", Fields: []record.Field{must(link("rest_message_function", "HTTP method", FunctionTable)), must(named()),
			text("value", "Value"), integer("order", "Order")}, Indexes: []record.Index{indexed("rest_message_function")}},
		{Name: FnVariableTable, Label: "Variable substitution", Fields: []record.Field{must(link("rest_message_function", "HTTP method", FunctionTable)), must(named()),
			helped(text("value", "Test value"), "only for trying out"), variableType(), mandatoryFlag()}, Indexes: []record.Index{indexed("rest_message_function")}},
	}
}

func variableType() record.Field {
	return helped(text("type", "Escape type"), "noescape, xml, json or url; empty: by content type")
}

func mandatoryFlag() record.Field {
	return helped(flag("mandatory", "Mandatory", "true"), "not: without a value nothing stands in its place, and in an envelope its element goes")
}

func soapTables() []record.Table {
	message := append([]record.Field{named(), text("wsdl", "WSDL"), flag("use_wsdl", "Download WSDL", "false"), text("wsdl_xml", "WSDL XML"), text("description", "Description"),
		text("access", "Accessible from")}, credentialFields(ownKinds...)...)
	function := append([]record.Field{must(link("soap_message", "SOAP message", SOAPTable)), record.Field{Name: "function_name", Label: "Function",
		Type: record.String, Mandatory: true, Display: true}, text("soap_action", "SOAP action"), text("soap_endpoint", "SOAP endpoint"), text("envelope", "Envelope"),
		choice("soap_version", "SOAP version", "1.1", "1.1", "1.2", "1.2"), flag("lock", "Lock", "false"), text("use_mid_server", "Use MID server"),
		link("delivery_policy", "Delivery policy", PolicyTable)}, credentialFields(inheritedKinds...)...)
	return []record.Table{
		{Name: SOAPTable, Label: "SOAP message", Fields: append(message, partnerFields()...), Indexes: []record.Index{once("name")}},
		{Name: SOAPFunctionTable, Label: "SOAP message function", Fields: append(function, answerFields()...), Indexes: []record.Index{once("soap_message", "function_name")}},
		{Name: SOAPHeaderTable, Label: "SOAP message header", Fields: []record.Field{must(link("soap_message", "SOAP message", SOAPTable)), must(named()), text("value", "Value")},
			Indexes: []record.Index{indexed("soap_message")}},
		{Name: SOAPVariableTable, Label: "SOAP message parameter", Fields: []record.Field{must(link("soap_message_function", "SOAP message function", SOAPFunctionTable)),
			must(named()), helped(text("value", "Test value"), "only for trying out"), variableType(), mandatoryFlag()}, Indexes: []record.Index{indexed("soap_message_function")}},
	}
}

func credentialTables() []record.Table {
	grant := choice("grant_type", "Grant type", "client_credentials", "Client credentials", "password", "Resource owner password", "refresh_token", "Refresh token")
	return []record.Table{
		{Name: BasicTable, Label: "Basic auth configuration", Fields: []record.Field{named(), text("username", "User name"), typed("password", "Password", record.Secret)}},
		{Name: APIKeyTable, Label: "API key credentials", Fields: []record.Field{named(), typed("api_key", "API key", record.Secret),
			preset(text("header", "Header"), "X-API-Key"), helped(text("prefix", "Before the key"), "Bearer, Token: with a blank behind it")}},
		{Name: ProviderTable, Label: "OAuth provider", Fields: []record.Field{named(), must(text("client_id", "Client ID")), typed("client_secret", "Client secret", record.Secret),
			must(typed("token_url", "Token URL", record.URL)), choice("send_credentials", "Send credentials", "basic_authorization_header", "As a basic authorization header",
				"request_body", "In the request body"), text("comments", "Comments")}},
		{Name: ProfileTable, Label: "OAuth entity profile", Fields: []record.Field{named(), must(link("oauth_entity", "OAuth provider", ProviderTable)), grant,
			text("scope", "Scope"), text("username", "User name"), typed("password", "Password", record.Secret), typed("refresh_token", "Refresh token", record.Secret)}},
		{Name: TokenTable, Label: "OAuth token", Fields: []record.Field{must(link("profile", "OAuth profile", ProfileTable)), text("requestor", "Requestor"),
			typed("access_token", "Access token", record.Secret), typed("refresh_token", "Refresh token", record.Secret), text("token_type", "Type"),
			typed("expires", "Expires", record.DateTime)}, Indexes: []record.Index{indexed("profile")}},
	}
}

func deliveryTables() []record.Table {
	return []record.Table{
		{Name: PolicyTable, Label: "Delivery policy", Indexes: []record.Index{once("name")}, Fields: []record.Field{named(),
			preset(integer("attempts", "Attempts"), "8"), helped(preset(integer("max_age", "Oldest, seconds"), "86400"), "a delivery older than this is dead"),
			preset(integer("base", "First wait, milliseconds"), "1000"), preset(typed("factor", "Factor", record.Decimal), "2"),
			preset(integer("cap", "Longest wait, milliseconds"), "600000"), preset(text("statuses", "Statuses that are tried again"), defaultStatuses),
			helped(flag("at_most_once", "At most once", "false"), "after an unclear outcome a person decides"),
			helped(preset(text("key_header", "Header of the idempotency key"), DefaultKeyHeader), "empty: none is sent"),
			integer("connect_timeout", "Connect, milliseconds"), integer("first_byte_timeout", "First byte, milliseconds"),
			integer("idle_timeout", "Idle, milliseconds"), integer("total_timeout", "Total, milliseconds"), integer("max_answer", "Largest answer, bytes")}},
		{Name: HostTable, Label: "Outbound host", Indexes: []record.Index{once("name")}, Fields: []record.Field{
			helped(named(), "host or host:port"), preset(integer("concurrency", "Calls at once"), "32"),
			helped(typed("rate", "Calls per second", record.Decimal), "empty: as many as there are"), preset(integer("burst", "Burst"), "1"),
			helped(preset(integer("breaker_failures", "Failures that open the circuit"), "5"), "in a row; 0: never"),
			preset(integer("breaker_seconds", "Seconds the circuit stays open"), "30")}},
		deliveryTable(), attemptTable(), logTable(),
	}
}

func deliveryTable() record.Table {
	return record.Table{Name: DeliveryTable, Label: "Delivery", Indexes: []record.Index{indexed("state", "host"), indexed("trace"), indexed("answer_trace"), indexed("idempotency_key")},
		Fields: []record.Field{
			choice("state", "State", string(Ready), "Ready", string(Retry), "Waiting to be tried again", string(Sending), "Being sent", string(Answered), "Answered, import to do",
				string(Done), "Done", string(Dead), "Dead", string(Canceled), "Cancelled", string(Withheld), "Withheld by the loop guard"),
			{Name: "message", Label: "Message", Type: record.String, Display: true}, text("function_name", "Function"), text("partner", "Partner"), text("method", "Method"), text("host", "Host"), text("endpoint", "Endpoint"),
			text("idempotency_key", "Idempotency key"), typed("trace", "Trace", record.Reference), typed("answer_trace", "Trace of what the answer wrote", record.Reference),
			integer("attempts", "Attempts"), integer("counted", "Attempts that count since the last replay"), integer("status", "Status of the last answer"), typed("next_try", "Next try", record.DateTime),
			text("reason", "Reason"), text("error", "Error"), text("source_table", "Source table"), typed("source_record", "Source record", record.Reference),
			text("handler", "Handler"), typed("expires", "Expires", record.DateTime), typed("completed", "Completed", record.DateTime), text("import_set", "Import set"),
			text("import_rows", "Import set rows"), typed("request", "Request", record.JSON), typed("sealed", "Request, sealed", record.Secret),
			typed("answer", "Answer, sealed", record.Secret)}}
}

func attemptTable() record.Table {
	return record.Table{Name: AttemptTable, Label: "Delivery attempt", Indexes: []record.Index{indexed("delivery"), indexed("http_log")},
		Fields: []record.Field{must(link("delivery", "Delivery", DeliveryTable)), integer("attempt", "Attempt"), text("outcome", "Outcome"),
			integer("status", "Status"), text("error", "Error"), typed("started", "Started", record.DateTime), integer("millis", "Milliseconds"),
			typed("request", "Request", record.JSON), typed("answer", "Answer", record.JSON), link("http_log", "HTTP log", LogTable)}}
}

func logTable() record.Table {
	return record.Table{Name: LogTable, Label: "Outbound HTTP request", Indexes: []record.Index{indexed("trace")},
		Fields: []record.Field{text("url_hostname", "Host name"), text("url_scheme", "Scheme"), text("url_path", "Path"), text("url_query", "Query"), text("method", "Method"),
			integer("response_status", "Status"), integer("request_length", "Request length"), integer("response_length", "Response length"),
			integer("response_time", "Response time, milliseconds"), choice("log_level", "Level", "basic", "Basic", "elevated", "Elevated", "all", "All"),
			text("request_headers", "Request headers"), text("response_headers", "Response headers"), text("request_body", "Request body"),
			text("response_body", "Response body"), text("source_table", "Source table"), typed("source_record", "Source record", record.Reference),
			text("message", "Message"), text("function_name", "Function"), text("error", "Error"), link("delivery", "Delivery", DeliveryTable), typed("trace", "Trace", record.Reference)}}
}
