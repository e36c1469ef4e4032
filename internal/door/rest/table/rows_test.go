package table_test

import (
	"slices"
	"strings"
)

// rows are the documented and measured lines of the reference that concern the APIs of this package, in its order.
// Later rows see what earlier ones wrote.
func rows() []row {
	return slices.Concat(surfaceRows(), endpointRows(), parameterRows(), shapeRows(), writeRows(), pagingRows(), errorRows(), queryRows(), statsRows(), discoveryRows())
}

const (
	missingBody = `{"error":{"message":"No Record found","detail":"Record doesn't exist or ACL restricts the record retrieval"},"status":"failure"}`
	numbers     = "sysparm_fields=number"
)

func surfaceRows() []row {
	const get = "GET /api/now/table/incident/{1}?" + numbers
	one := `{"result":{"number":"INC0000001"}}`
	return []row{
		{ref: "0", law: "a success is an object with the key result", do: get, status: 200, headers: []string{"Content-Type: application/json;charset=UTF-8"}, want: one},
		{ref: "0", law: "the headers of every call", do: get, status: 200, headers: []string{"X-Is-Logged-In: true", "X-Transaction-ID: *", "Server-Timing: *", "Pragma: no-store,no-cache",
			"Cache-Control: no-cache,no-store,must-revalidate,max-age=-1", "Expires: 0", "X-Content-Type-Options: nosniff"}},
		{ref: "0", law: "any Accept is JSON", do: get, send: []string{"Accept: */*"}, status: 200, want: one},
		{ref: "0", law: "Accept of a list takes the first that is known", do: get, send: []string{"Accept: text/html;q=0.9, application/json, */*;q=0.1"}, status: 200, want: one},
		{ref: "0", law: "an Accept that is not supported", do: get, send: []string{"Accept: image/png"}, status: 406, has: []string{`"status":"failure"`}},
		{ref: "0", law: "a body type that is not supported", do: "POST /api/now/table/u_note", send: []string{"Content-Type: text/plain"}, body: "x", status: 415, has: []string{`"status":"failure"`}},
		{ref: "0", law: "X-HTTP-Method-Override on POST", do: "POST /api/now/table/incident/{2}?sysparm_fields=due", send: []string{"X-HTTP-Method-Override: PATCH"}, body: `{"due":"2026-12-24"}`, status: 200, want: `{"result":{"due":"2026-12-24"}}`},
		{ref: "0", law: "HEAD is GET without a body", do: "HEAD /api/now/table/incident?" + numbers, status: 200, headers: []string{"X-Total-Count: 3"}},
		{ref: "0", law: "X-no-response-body suppresses the body", do: "PATCH /api/now/table/incident/{2}", send: []string{"X-no-response-body: true"}, body: `{"due":"2026-12-25"}`, status: 200, headers: []string{"Content-Type:"}, lacks: []string{"{"}},
		{ref: "0", law: "X-WantSessionDebugMessages adds a session", do: get, send: []string{"X-WantSessionDebugMessages: true"}, status: 200, want: `{"result":{"number":"INC0000001"},"session":{"debug_logs":[]}}`},
		{ref: "0", law: "booleans of parameters in any case", do: "GET /api/now/table/incident/{1}?sysparm_fields=caller_id&sysparm_exclude_reference_link=True", status: 200, want: `{"result":{"caller_id":"{abel}"}}`},
		{ref: "0", law: "empty parameters are not given", do: "GET /api/now/table/incident?sysparm_view=&sysparm_fields=&sysparm_query=&sysparm_limit=1", status: 200, headers: []string{"X-Total-Count: 3"}, has: []string{`"number":"INC0000001"`}},
		{ref: "0", law: "unknown parameters are ignored on writes", do: "PATCH /api/now/table/incident/{2}?sysparm_fields=due&_dc=1&bogus=x", body: `{"due":"2026-12-26"}`, status: 200, want: `{"result":{"due":"2026-12-26"}}`},
		{ref: "0", law: "JSON in single quotes", do: "POST /api/now/table/u_note?sysparm_fields=u_text", body: `{'u_text':'it\'s "so"'}`, status: 201, want: `{"result":{"u_text":"it's \"so\""}}`},
		{ref: "0", law: "numbers, booleans and null are values", do: "POST /api/now/table/u_note?sysparm_fields=u_count,u_text,u_kind", body: `{"u_count":7,"u_text":true,"u_kind":null}`, status: 201, want: `{"result":{"u_count":"7","u_text":"true","u_kind":""}}`},
		{ref: "0", law: "nested values are refused", do: "POST /api/now/table/u_note", body: `{"u_text":{"value":"x"}}`, status: 400, has: []string{`"message":"Exception while reading request"`, `\"u_text\"`}},
		{ref: "0", law: "a body over the limit", do: "POST /api/now/table/u_note", body: `{"u_text":"` + strings.Repeat("x", 10<<20) + `"}`, status: 400,
			want: `{"error":{"message":"Exception while reading request","detail":"Rejected large REST payload with content-length = 10485773 bytes. Max allowed: 10485760 bytes."},"status":"failure"}`},
		{ref: "0.1", law: "a method that is not there", do: "PUT /api/now/table/incident", status: 405, headers: []string{"Allow: GET, HEAD, POST"}, has: []string{`"status":"failure"`}},
		{ref: "0.1", law: "an exception is a 500 with a number and no internals", do: "POST /api/now/table/u_note", body: `{"u_text":"panic"}`, status: 500, has: []string{`"detail":"reference number `}, lacks: []string{"secret", "defect"}},
	}
}

func endpointRows() []row {
	const note = "/api/now/table/u_note"
	return []row{
		{ref: "1.1", law: "a query", do: "GET /api/now/table/incident?" + numbers, status: 200, want: `{"result":[{"number":"INC0000001"},{"number":"INC0000002"},{"number":"INC0000003"}]}`},
		{ref: "1.1", law: "a query in version 1", do: "GET /api/now/v1/table/incident?sysparm_limit=1&" + numbers, status: 200, want: `{"result":[{"number":"INC0000001"}]}`},
		{ref: "1.1", law: "a query in version 2", do: "GET /api/now/v2/table/incident?sysparm_limit=1&" + numbers, status: 200, want: `{"result":[{"number":"INC0000001"}]}`},
		{ref: "1.1", law: "one record", do: "GET /api/now/table/incident/{1}?sysparm_fields=sys_id", status: 200, want: `{"result":{"sys_id":"{1}"}}`},
		{ref: "1.1", law: "insert", do: "POST " + note + "?sysparm_fields=u_key,u_must,sys_id", body: `{"sys_id":"{new}","u_key":"k1"}`, status: 201, headers: []string{"Location: {base}/api/now/table/u_note/{new}"},
			want: `{"result":{"u_key":"k1","u_must":"x","sys_id":"{new}"}}`},
		{ref: "1.1", law: "the location keeps the version", do: "POST /api/now/v2/table/u_note?sysparm_fields=u_text", body: `{"sys_id":"00000000000000000000000000000001"}`, status: 201,
			headers: []string{"Location: {base}/api/now/v2/table/u_note/00000000000000000000000000000001"}},
		{ref: "1.1", law: "an empty body inserts the defaults", do: "POST " + note + "?sysparm_fields=u_must", status: 201, want: `{"result":{"u_must":"x"}}`},
		{ref: "1.1", law: "of several records only the first is inserted", do: "POST " + note + "?sysparm_fields=u_text", body: `[{"u_text":"one"},{"u_text":"two"}]`, status: 201, want: `{"result":{"u_text":"one"}}`},
		{ref: "1.1", law: "the others of several are not", do: "GET " + note + "?u_text=two", status: 200, want: `{"result":[]}`},
		{ref: "1.1", law: "PUT changes the fields given only", do: "PUT " + note + "/{new}?sysparm_fields=u_key,u_text,u_must", body: `{"u_text":"put"}`, status: 200, want: `{"result":{"u_key":"k1","u_text":"put","u_must":"x"}}`},
		{ref: "1.1", law: "PATCH does the same", do: "PATCH " + note + "/{new}?sysparm_fields=u_key,u_text,sys_mod_count", body: `{"u_text":"patched"}`, status: 200, want: `{"result":{"u_key":"k1","u_text":"patched","sys_mod_count":"2"}}`},
		{ref: "1.1", law: "a change of nothing counts nothing", do: "PATCH " + note + "/{new}?sysparm_fields=sys_mod_count", body: `{"u_text":"patched"}`, status: 200, want: `{"result":{"sys_mod_count":"2"}}`},
		{ref: "1.1", law: "PUT of a record that is not there makes none", do: "PUT " + note + "/ffffffffffffffffffffffffffffffff", body: `{"u_text":"x"}`, status: 404, want: missingBody},
		{ref: "1.1", law: "GET of a record that is not there", do: "GET " + note + "/ffffffffffffffffffffffffffffffff", status: 404, want: missingBody},
		{ref: "1.1", law: "DELETE of a record that is not there", do: "DELETE " + note + "/ffffffffffffffffffffffffffffffff", status: 404, want: missingBody},
		{ref: "1.1", law: "DELETE answers nothing", do: "DELETE " + note + "/{new}", status: 204, headers: []string{"Content-Type:"}},
		{ref: "1.1", law: "what is deleted is gone", do: "GET " + note + "/{new}", status: 404, want: missingBody},
		{ref: "1.1", law: "an empty list is 200", do: "GET /api/now/table/incident?number=none", status: 200, headers: []string{"X-Total-Count: 0"}, want: `{"result":[]}`},
		{ref: "1.1", law: "an empty list is 200 in version 2", do: "GET /api/now/v2/table/incident?number=none", status: 200, want: `{"result":[]}`},
		{ref: "1.1", law: "an empty list is 404 in version 1", do: "GET /api/now/v1/table/incident?number=none", status: 404, headers: []string{"X-Total-Count: 0"}, want: missingBody},
		{ref: "1.1", law: "a parent gives the rows of all its classes", do: "GET /api/now/table/task?sysparm_fields=number,sys_class_name&sysparm_query=numberSTARTSWITHPRB^ORnumber=INC0000001^ORDERBYnumber", status: 200,
			want: `{"result":[{"number":"INC0000001","sys_class_name":"incident"},{"number":"PRB0000001","sys_class_name":"problem"}]}`},
		{ref: "1.1", law: "a row of a class by its parent", do: "GET /api/now/table/task/{1}?" + numbers, status: 200, want: `{"result":{"number":"INC0000001"}}`},
	}
}

func parameterRows() []row {
	const list = "GET /api/now/table/incident?" + numbers + "&"
	one, two := `{"result":[{"number":"INC0000001"}]}`, `{"result":[{"number":"INC0000002"}]}`
	return []row{
		{ref: "1.2", law: "a field as parameter", do: list + "number=INC0000002", status: 200, want: two},
		{ref: "1.2", law: "fields as parameters are ANDed", do: list + "active=true&state=2", status: 200, want: one},
		{ref: "1.2", law: "a choice by its label", do: list + "state=in%20progress", status: 200, want: one},
		{ref: "1.2", law: "a reference by its display value", do: list + "caller_id=Abel+Tuter", status: 200, want: one},
		{ref: "1.2", law: "a reference by its id", do: list + "caller_id={beth}", status: 200, want: two},
		{ref: "1.2", law: "a dotted field as parameter", do: list + "caller_id.department.name=Sales", status: 200, want: one},
		{ref: "1.2", law: "a parameter that is no field is ignored", do: list + "bogus=1&number=INC0000002", status: 200, want: two},
		{ref: "1.2", law: "a query wins over fields as parameters", do: list + "number=INC0000002&sysparm_query=number=INC0000001", status: 200, want: one},
		{ref: "1.2", law: "fields by dotted paths", do: "GET /api/now/table/incident/{1}?sysparm_fields=caller_id.name,caller_id.department.name", status: 200, want: `{"result":{"caller_id.name":"Abel Tuter","caller_id.department.name":"Sales"}}`},
		{ref: "1.2", law: "unknown fields are dropped", do: "GET /api/now/table/incident/{1}?sysparm_fields=number,bogus,caller_id.bogus", status: 200, want: `{"result":{"number":"INC0000001"}}`},
		{ref: "1.2", law: "limit and offset", do: list + "sysparm_limit=1&sysparm_offset=1", status: 200, headers: []string{"X-Total-Count: 3"}, want: two},
		{ref: "1.2", law: "a negative offset is none", do: list + "sysparm_limit=1&sysparm_offset=-1", status: 200, want: one},
		{ref: "1.2", law: "without links", do: list + "sysparm_limit=1&sysparm_suppress_pagination_header=true", status: 200, headers: []string{"Link:", "X-Total-Count: 3"}, want: one},
		{ref: "1.2", law: "without a count", do: list + "sysparm_limit=2&sysparm_no_count=true", status: 200, headers: []string{"X-Total-Count:",
			`Link: <{base}/api/now/table/incident?sysparm_fields=number&sysparm_limit=2&sysparm_no_count=true&sysparm_offset=0>;rel="first",<{base}/api/now/table/incident?sysparm_fields=number&sysparm_limit=2&sysparm_no_count=true&sysparm_offset=2>;rel="next"`}},
		{ref: "1.2", law: "display values as input", do: "POST /api/now/table/u_note?sysparm_input_display_value=true&sysparm_exclude_reference_link=true&sysparm_fields=u_user,u_kind,u_on", body: `{"u_user":"beth anglin","u_kind":"Beta","u_on":"2026-11-01 01:00:00"}`, status: 201,
			want: `{"result":{"u_user":"{beth}","u_kind":"b","u_on":"2026-11-01 00:00:00"}}`},
		{ref: "1.2", law: "stored values as input", do: "POST /api/now/table/u_note?sysparm_fields=u_on", body: `{"u_on":"2026-11-01 01:00:00"}`, status: 201, want: `{"result":{"u_on":"2026-11-01 01:00:00"}}`},
	}
}

func shapeRows() []row {
	get := func(fields, more string) string {
		return "GET /api/now/table/incident/{1}?sysparm_fields=" + fields + more
	}
	const shown, all, bare = "&sysparm_display_value=true", "&sysparm_display_value=all", "&sysparm_exclude_reference_link=true"
	link := `"link":"{base}/api/now/table/sys_user/{abel}"`
	return []row{
		{ref: "1.3", law: "every scalar is a string", do: get("reassignment_count,cost,active,opened_at,due,effort,state", ""), status: 200,
			want: `{"result":{"reassignment_count":"3","cost":"0.75","active":"true","opened_at":"2026-11-01 10:00:00","due":"2026-11-05","effort":"1970-01-01 00:02:17","state":"2"}}`},
		{ref: "1.3", law: "display values", do: get("reassignment_count,cost,active,opened_at,due,effort,state", shown), status: 200,
			want: `{"result":{"reassignment_count":"3","cost":"0.75","active":"true","opened_at":"2026-11-01 11:00:00","due":"2026-11-05","effort":"2 Minutes","state":"In Progress"}}`},
		{ref: "1.3", law: "a list of references", do: get("watch_list", ""), status: 200, want: `{"result":{"watch_list":"{abel},{beth}"}}`},
		{ref: "1.3", law: "a list of references, displayed", do: get("watch_list", shown), status: 200, want: `{"result":{"watch_list":"Abel Tuter, Beth Anglin"}}`},
		{ref: "1.3", law: "a journal is empty", do: get("comments", ""), status: 200, want: `{"result":{"comments":""}}`},
		{ref: "1.3", law: "a journal, displayed, is its stream", do: get("comments", shown), status: 200, want: `{"result":{"comments":"2026-11-23 13:00:00 - system (Additional comments)\nCalled back\n\n"}}`},
		{ref: "1.3", law: "a journal entry is appended", do: "PATCH /api/now/table/incident/{1}?sysparm_fields=comments" + shown, body: `{"comments":"Done"}`, status: 200,
			want: `{"result":{"comments":"2026-11-23 13:00:00 - Abel Tuter (Additional comments)\nDone\n\n2026-11-23 13:00:00 - system (Additional comments)\nCalled back\n\n"}}`},
		{ref: "1.3", law: "a password is not told", do: "GET /api/now/table/sys_user/{abel}?sysparm_fields=user_password", status: 200, want: `{"result":{"user_password":""}}`},
		{ref: "1.3", law: "a password, displayed, is stars", do: "GET /api/now/table/sys_user/{abel}?sysparm_fields=user_password" + shown, status: 200, want: `{"result":{"user_password":"********"}}`},
		{ref: "1.3", law: "no password is no stars", do: "GET /api/now/table/sys_user/{beth}?sysparm_fields=user_password" + shown, status: 200, want: `{"result":{"user_password":""}}`},
		{ref: "1.3", law: "an empty value is the empty string", do: "GET /api/now/table/incident/{3}?sysparm_fields=opened_at,cost,effort", status: 200, want: `{"result":{"opened_at":"","cost":"","effort":""}}`},
		{ref: "1.4", law: "a reference", do: get("caller_id", ""), status: 200, want: `{"result":{"caller_id":{` + link + `,"value":"{abel}"}}}`},
		{ref: "1.4", law: "a reference without link", do: get("caller_id", bare), status: 200, want: `{"result":{"caller_id":"{abel}"}}`},
		{ref: "1.4", law: "a reference, displayed", do: get("caller_id", shown), status: 200, want: `{"result":{"caller_id":{"display_value":"Abel Tuter",` + link + `}}}`},
		{ref: "1.4", law: "a reference, displayed without link", do: get("caller_id", shown+bare), status: 200, want: `{"result":{"caller_id":"Abel Tuter"}}`},
		{ref: "1.4", law: "a reference, both values", do: get("caller_id", all), status: 200, want: `{"result":{"caller_id":{"display_value":"Abel Tuter",` + link + `,"value":"{abel}"}}}`},
		{ref: "1.4", law: "a reference, both values without link", do: get("caller_id", all+bare), status: 200, want: `{"result":{"caller_id":{"display_value":"Abel Tuter","value":"{abel}"}}}`},
		{ref: "1.4", law: "every field is an object when both values are asked for", do: get("state,number", all), status: 200, want: `{"result":{"state":{"display_value":"In Progress","value":"2"},"number":{"display_value":"INC0000001","value":"INC0000001"}}}`},
		{ref: "1.4", law: "every field is an object, links or not", do: get("state", all+bare), status: 200, want: `{"result":{"state":{"display_value":"In Progress","value":"2"}}}`},
		{ref: "1.4", law: "an empty reference", do: "GET /api/now/table/incident/{3}?sysparm_fields=caller_id", status: 200, want: `{"result":{"caller_id":""}}`},
		{ref: "1.4", law: "an empty reference, displayed", do: "GET /api/now/table/incident/{3}?sysparm_fields=caller_id" + shown, status: 200, want: `{"result":{"caller_id":""}}`},
		{ref: "1.4", law: "an empty reference, both values", do: "GET /api/now/table/incident/{3}?sysparm_fields=caller_id" + all, status: 200, want: `{"result":{"caller_id":{"display_value":"","value":""}}}`},
		{ref: "1.4", law: "a dotted reference", do: get("caller_id.department", shown), status: 200, want: `{"result":{"caller_id.department":{"display_value":"Sales","link":"{base}/api/now/table/cmn_department/{sales}"}}}`},
		{ref: "1.4", law: "links keep the version", do: "GET /api/now/v1/table/incident/{1}?sysparm_fields=caller_id", status: 200, has: []string{`"link":"{base}/api/now/v1/table/sys_user/{abel}"`}},
		{ref: "1.4", law: "the domain is the global one", do: get("sys_domain,sys_domain_path,sys_tags", ""), status: 200, want: `{"result":{"sys_domain":{"link":"{base}/api/now/table/sys_user_group/global","value":"global"},"sys_domain_path":"/","sys_tags":""}}`},
		{ref: "1.4", law: "the class is displayed by its label", do: get("sys_class_name", all), status: 200, want: `{"result":{"sys_class_name":{"display_value":"Incident","value":"incident"}}}`},
		{ref: "1.4", law: "who wrote is a user name", do: get("sys_created_by,sys_created_on", ""), status: 200, want: `{"result":{"sys_created_by":"system","sys_created_on":"2026-11-23 12:00:00"}}`},
	}
}

func writeRows() []row {
	const post, fields = "POST /api/now/table/u_note?sysparm_fields=", "POST /api/now/table/u_note?sysparm_fields=u_text"
	return []row{
		{ref: "1.5", law: "system fields are not writable", do: post + "sys_mod_count,sys_created_by,sys_updated_on", body: `{"sys_mod_count":"9","sys_created_by":"me","sys_updated_on":"2000-01-01 00:00:00"}`, status: 201, want: `{"result":{"sys_mod_count":"0","sys_created_by":"abel.tuter","sys_updated_on":"2026-11-23 12:00:00"}}`},
		{ref: "1.5", law: "the id of a record stays", do: "PATCH /api/now/table/incident/{2}?sysparm_fields=sys_id", body: `{"sys_id":"{new}"}`, status: 200, want: `{"result":{"sys_id":"{2}"}}`},
		{ref: "1.6", law: "unknown body keys are ignored", do: fields, body: `{"u_text":"x","bogus":"y"}`, status: 201, headers: []string{"X-Headrace-Warning: bogus: no such field, left out"}, want: `{"result":{"u_text":"x"}}`},
		{ref: "1.6", law: "the empty text clears a field", do: "PATCH /api/now/table/incident/{2}?sysparm_fields=due", body: `{"due":""}`, status: 200, want: `{"result":{"due":""}}`},
		{ref: "1.6", law: "text longer than the field is cut", do: post + "u_short", body: `{"u_short":"äöüßabc"}`, status: 201, headers: []string{"X-Headrace-Warning: u_short: 7 characters, the field takes 5, cut"}, want: `{"result":{"u_short":"äöüßa"}}`},
		{ref: "1.6", law: "a number that is none is left empty", do: post + "u_count", body: `{"u_count":"many"}`, status: 201, headers: []string{"X-Headrace-Warning: *"}, want: `{"result":{"u_count":""}}`},
		{ref: "1.6", law: "a choice outside the list is left empty", do: post + "u_kind", body: `{"u_kind":"zeta"}`, status: 201, headers: []string{"X-Headrace-Warning: *"}, want: `{"result":{"u_kind":""}}`},
		{ref: "1.6", law: "strict handling refuses what would be lost", do: fields, send: []string{"Prefer: handling=strict"}, body: `{"u_text":"x","bogus":"y"}`, status: 400, has: []string{"bogus: no such field"}},
		{ref: "1.6", law: "XML bodies", do: post + "u_text,u_short", send: []string{"Content-Type: application/xml"}, body: `<request><entry><u_text>a &amp; b</u_text><u_short/></entry></request>`, status: 201, want: `{"result":{"u_text":"a & b","u_short":""}}`},
		{ref: "1.6", law: "XML bodies without an entry", do: fields, send: []string{"Content-Type: text/xml"}, body: `<u_note><u_text>direct</u_text></u_note>`, status: 201, want: `{"result":{"u_text":"direct"}}`},
		{ref: "1.6", law: "rules run and the answer is read after them", do: fields, body: `{"u_text":"shout"}`, status: 201, want: `{"result":{"u_text":"SHOUT"}}`},
	}
}

func pagingRows() []row {
	at := func(offset, rel string) string {
		return `<{base}/api/now/table/incident?sysparm_query=active%3Dtrue%5EORDERBYnumber&x=%2f+1&sysparm_limit=1&sysparm_offset=` + offset + `>;rel="` + rel + `"`
	}
	const list = "GET /api/now/table/incident?sysparm_query=active%3Dtrue%5EORDERBYnumber&x=%2f+1&sysparm_limit=1"
	return []row{
		{ref: "1.7", law: "links of the first page", do: list, status: 200, headers: []string{"X-Total-Count: 2", "Link: " + at("0", "first") + "," + at("1", "next") + "," + at("1", "last")}},
		{ref: "1.7", law: "links of the last page", do: list + "&sysparm_offset=1", status: 200, headers: []string{"X-Total-Count: 2", "Link: " + at("0", "first") + "," + at("0", "prev") + "," + at("1", "last")}},
		{ref: "1.7", law: "links of a page that holds all", do: "GET /api/now/table/incident", status: 200, headers: []string{
			`Link: <{base}/api/now/table/incident?sysparm_limit=10000&sysparm_offset=0>;rel="first",<{base}/api/now/table/incident?sysparm_limit=10000&sysparm_offset=0>;rel="last"`}},
		{ref: "1.7", law: "the links keep the version", do: "GET /api/now/v2/table/incident?sysparm_limit=5", status: 200, headers: []string{
			`Link: <{base}/api/now/v2/table/incident?sysparm_limit=5&sysparm_offset=0>;rel="first",<{base}/api/now/v2/table/incident?sysparm_limit=5&sysparm_offset=0>;rel="last"`}},
		{ref: "1.7", law: "a page behind the end", do: "GET /api/now/table/incident?sysparm_offset=10", status: 200, headers: []string{"X-Total-Count: 3"}, want: `{"result":[]}`},
	}
}

func errorRows() []row {
	failed := func(message, detail string) string {
		return `{"error":{"message":"` + message + `","detail":` + detail + `},"status":"failure"}`
	}
	guest := []string{"As: guest"}
	return []row{
		{ref: "1.8", law: "no such table, list", do: "GET /api/now/table/bogus", status: 400, want: failed("Invalid table bogus", "null")},
		{ref: "1.8", law: "no such table, one", do: "GET /api/now/table/bogus/{1}", status: 400, want: failed("Invalid table bogus", "null")},
		{ref: "1.8", law: "no such table, insert", do: "POST /api/now/table/bogus", body: `{}`, status: 400, want: failed("Invalid table bogus", "null")},
		{ref: "1.8", law: "no such table, to a guest", do: "GET /api/now/table/bogus", send: guest, status: 400, want: failed("Invalid table bogus", "null")},
		{ref: "1.8", law: "no credentials", do: "GET /api/now/table/incident", send: []string{"As: nobody"}, status: 401, headers: []string{`WWW-Authenticate: BASIC realm="Service-now"`, "X-Is-Logged-In: false"},
			want: failed("User Not Authenticated", `"Required to provide Auth information"`)},
		{ref: "1.8", law: "a row refused is left out of a list", do: "GET /api/now/table/incident?sysparm_fields=number", send: guest, status: 200, headers: []string{"X-Total-Count: 2"}, want: `{"result":[{"number":"INC0000001"},{"number":"INC0000002"}]}`},
		{ref: "1.8", law: "a field refused is left out of a record", do: "GET /api/now/table/incident/{1}?sysparm_fields=number,short_description", send: guest, status: 200, want: `{"result":{"number":"INC0000001"}}`},
		{ref: "1.8", law: "of a record may be left nothing", do: "GET /api/now/table/incident/{1}?sysparm_fields=short_description", send: guest, status: 200, want: `{"result":{}}`},
		{ref: "1.8", law: "a single record refused is not found", do: "GET /api/now/table/incident/{3}", send: guest, status: 404, want: missingBody},
		{ref: "1.8", law: "a table refused is an empty list", do: "GET /api/now/table/u_shut", send: guest, status: 200, headers: []string{"X-Total-Count: 0"}, want: `{"result":[]}`},
		{ref: "1.8", law: "insert refused", do: "POST /api/now/table/incident", send: guest, body: `{"number":"x"}`, status: 403, want: failed("Operation Failed", `"ACL Exception Insert Failed due to security constraints"`)},
		{ref: "1.8", law: "update refused", do: "PATCH /api/now/table/incident/{1}", send: guest, body: `{"number":"x"}`, status: 403, want: failed("Operation Failed", `"ACL Exception Update Failed due to security constraints"`)},
		{ref: "1.8", law: "delete refused", do: "DELETE /api/now/table/incident/{1}", send: guest, status: 403, want: failed("Operation Failed", `"ACL Exception Delete Failed due to security constraints"`)},
		{ref: "1.8", law: "a query over a field refused", do: "GET /api/now/table/incident?sysparm_query=short_descriptionLIKEnet", send: guest, status: 403, want: failed("Insufficient rights to query records", `"Field(s) present in the query do not have permission to be read"`)},
		{ref: "1.8", law: "an order by a field refused", do: "GET /api/now/table/incident?sysparm_query=ORDERBYshort_description", send: guest, status: 403, want: failed("Insufficient rights to query records", `"Field(s) present in the query do not have permission to be read"`)},
		{ref: "1.8", law: "a filter over a field refused", do: "GET /api/now/table/incident?short_description=Net+down", send: guest, status: 403, has: []string{"Insufficient rights to query records"}},
		{ref: "1.8", law: "a rule aborts", do: "POST /api/now/table/u_note", body: `{"u_key":"k9","u_text":"refuse"}`, status: 403, headers: []string{"X-Headrace-Warning: the rule says no"}, want: failed("Operation Failed", `"Error during insert of u_note (k9)"`)},
		{ref: "1.8", law: "a mandatory field is empty", do: "POST /api/now/table/u_note", body: `{"u_must":""}`, status: 403, want: failed("Operation Failed", `"Data Policy Exception: Must is mandatory"`)},
		{ref: "1.8", law: "a unique value is there already", do: "POST /api/now/table/sys_tiny_url", body: `{"tiny_url":"t","url":"x","sys_id":"{1}"}`, status: 201},
		{ref: "1.8", law: "a unique value comes twice", do: "POST /api/now/table/sys_tiny_url", body: `{"tiny_url":"t","url":"x"}`, status: 403, has: []string{`"detail":"Error during insert of sys_tiny_url (t)"`}},
		{ref: "1.8", law: "book-keeping is not written by callers", do: "POST /api/now/table/sys_change", body: `{}`, status: 403, has: []string{"Operation against file 'sys_change' was denied due to table security"}},
		{ref: "1.8", law: "JSON that ends too early", do: "POST /api/now/table/u_note", body: `{"u_text":`, status: 400, has: []string{`"message":"Exception while reading request"`}},
		{ref: "1.8", law: "JSON that is no object", do: "POST /api/now/table/u_note", body: `"text"`, status: 400, has: []string{`"message":"Exception while reading request"`}},
		{ref: "1.8", law: "XML that is none", do: "POST /api/now/table/u_note", send: []string{"Content-Type: application/xml"}, body: `<a><b></a>`, status: 400, has: []string{`"message":"Exception while reading request"`}},
		{ref: "1.9", law: "a list as XML", do: "GET /api/now/table/incident?sysparm_fields=number,due,caller_id&sysparm_query=numberININC0000001,INC0000003", send: []string{"Accept: application/xml"}, status: 200, headers: []string{"Content-Type: application/xml;charset=UTF-8"},
			want: `<?xml version="1.0" encoding="UTF-8"?><response><result><number>INC0000001</number><due>2026-11-05</due><caller_id><link>{base}/api/now/table/sys_user/{abel}</link><value>{abel}</value></caller_id></result><result><number>INC0000003</number><due/><caller_id/></result></response>`},
		{ref: "1.9", law: "one record as XML", do: "GET /api/now/table/incident/{2}?sysparm_fields=short_description", send: []string{"Accept: text/xml"}, status: 200, want: `<?xml version="1.0" encoding="UTF-8"?><response><result><short_description>He said &#34;net&#34; ü</short_description></result></response>`},
		{ref: "1.9", law: "an error as XML", do: "GET /api/now/table/bogus", send: []string{"Accept: application/xml"}, status: 400, want: `<?xml version="1.0" encoding="UTF-8"?><response><error><message>Invalid table bogus</message><detail/></error><status>failure</status></response>`},
		{ref: "1.9", law: "a short address for a long one", do: "POST /api/now/tinyurl", body: `{"url":"incident_list.do?sysparm_query=number=INC0000002&sysparm_fields=number"}`, status: 200, want: `{"result":"{base}/incident_list.do?sysparm_tiny=` + tiny + `"}`},
		{ref: "1.9", law: "a short address stands for the long one", do: "GET /api/now/table/incident?sysparm_tiny=" + tiny, status: 200, want: `{"result":[{"number":"INC0000002"}]}`},
		{ref: "1.9", law: "parameters beside a short address win", do: "GET /api/now/table/incident?sysparm_fields=state&sysparm_tiny=" + tiny, status: 200, want: `{"result":[{"state":"1"}]}`},
		{ref: "1.9", law: "a short address that is none", do: "GET /api/now/table/incident?sysparm_tiny=ffff", status: 400, has: []string{"Invalid tiny URL ffff"}},
	}
}

// tiny stands for the long address of the rows.
const tiny = "d68009fa18680930d9c9e423a613479d"

func queryRows() []row {
	const list = "GET /api/now/table/incident?" + numbers + "&sysparm_query="
	rows := func(n ...string) string {
		var out []string
		for _, x := range n {
			out = append(out, `{"number":"INC000000`+x+`"}`)
		}
		return `{"result":[` + strings.Join(out, ",") + `]}`
	}
	return []row{
		{ref: "2.1", law: "percent-decoding happens once and plus is a blank", do: list + "short_description%3DNet+down", status: 200, want: rows("1")},
		{ref: "2.2", law: "OR binds to the condition before", do: list + "active=true^state=1^ORstate=2", status: 200, want: rows("1", "2")},
		{ref: "2.2", law: "NQ begins a new query", do: list + "active=true^state=2^NQactive=false", status: 200, want: rows("1", "3")},
		{ref: "2.3", law: "text operators on a reference look at what is displayed", do: list + "caller_idSTARTSWITHbeth", status: 200, want: rows("2")},
		{ref: "2.4", law: "a descending order", do: list + "ORDERBYDESCnumber", status: 200, want: rows("3", "2", "1")},
		{ref: "2.5", law: "the caller by a script value", do: list + "caller_id=javascript:gs.getUserID()", status: 200, want: rows("1")},
		{ref: "2.5", law: "days ago by a script value", do: list + "opened_at<javascript:gs.daysAgoStart(7)", status: 200, want: rows("1")},
		{ref: "2.5", law: "an id by its display value", do: list + "caller_id=javascript:GetIDValue('sys_user','Beth%20Anglin')", status: 200, want: rows("2")},
		{ref: "2.6", law: "an unknown field widens", do: list + "bogus=1^state=7", status: 200, want: rows("3")},
		{ref: "2.6", law: "a query of unknown fields alone is all", do: list + "bogus=1", status: 200, want: rows("1", "2", "3")},
		{ref: "2.6", law: "garbage is ignored", do: list + "%25%25^state=7", status: 200, want: rows("3")},
		{ref: "2.6", law: "an invalid dotted path is ignored", do: list + "caller_id.bogus=1^state=7", status: 200, want: rows("3")},
		{ref: "2.6", law: "an invalid order is ignored", do: list + "state=7^ORDERBYbogus", status: 200, want: rows("3")},
		{ref: "2.6", law: "a change operator means nothing here", do: list + "stateVALCHANGES^state=7", status: 200, want: rows("3")},
		{ref: "2.6", law: "a value that is none of the type matches nothing", do: list + "reassignment_count=abc", status: 200, want: rows()},
		{ref: "2.3", law: "a class that does not exist matches nothing", do: "GET /api/now/table/task?sysparm_query=sys_class_name=bogus", status: 200, want: rows()},
	}
}

func statsRows() []row {
	const stats = "GET /api/now/stats/incident?"
	return []row{
		{ref: "3.1", law: "a count", do: stats + "sysparm_count=true", status: 200, want: `{"result":{"stats":{"count":"3"}}}`},
		{ref: "3.1", law: "a count in version 1", do: "GET /api/now/v1/stats/incident?sysparm_count=True&sysparm_query=active=true", status: 200, want: `{"result":{"stats":{"count":"2"}}}`},
		{ref: "3.1", law: "a count by a field as parameter", do: stats + "sysparm_count=true&state=Closed", status: 200, want: `{"result":{"stats":{"count":"1"}}}`},
		{ref: "3.1", law: "average, least, most and sum", do: stats + "sysparm_count=true&sysparm_avg_fields=reassignment_count,cost&sysparm_min_fields=reassignment_count&sysparm_max_fields=reassignment_count&sysparm_sum_fields=reassignment_count", status: 200,
			want: `{"result":{"stats":{"count":"3","avg":{"reassignment_count":"1.3333","cost":"0.7500"},"min":{"reassignment_count":"0"},"max":{"reassignment_count":"3"},"sum":{"reassignment_count":"4"}}}}`},
		{ref: "3.1", law: "groups", do: stats + "sysparm_count=true&sysparm_group_by=active", status: 200,
			want: `{"result":[{"stats":{"count":"1"},"groupby_fields":[{"field":"active","value":"false"}]},{"stats":{"count":"2"},"groupby_fields":[{"field":"active","value":"true"}]}]}`},
		{ref: "3.1", law: "groups, displayed; an empty group is the empty text", do: stats + "sysparm_count=true&sysparm_group_by=caller_id&sysparm_display_value=true&sysparm_order_by=caller_id", status: 200,
			want: `{"result":[{"stats":{"count":"1"},"groupby_fields":[{"field":"caller_id","value":"","display_value":""}]},{"stats":{"count":"1"},"groupby_fields":[{"field":"caller_id","value":"{abel}","display_value":"Abel Tuter"}]},{"stats":{"count":"1"},"groupby_fields":[{"field":"caller_id","value":"{beth}","display_value":"Beth Anglin"}]}]}`},
		{ref: "3.1", law: "groups by a dotted path", do: stats + "sysparm_count=true&sysparm_group_by=caller_id.department&sysparm_query=caller_id={abel}", status: 200, has: []string{`"value":"{sales}"`}},
		{ref: "3.1", law: "having", do: stats + "sysparm_count=true&sysparm_group_by=active&sysparm_having=count^active^>^1", status: 200, want: `{"result":[{"stats":{"count":"2"},"groupby_fields":[{"field":"active","value":"true"}]}]}`},
		{ref: "3.1", law: "having of what is not asked for", do: stats + "sysparm_count=true&sysparm_group_by=state&sysparm_having=sum^reassignment_count^=^3", status: 200, want: `{"result":[{"stats":{"count":"1"},"groupby_fields":[{"field":"state","value":"2"}]}]}`},
		{ref: "3.1", law: "groups in order of the count", do: stats + "sysparm_count=true&sysparm_group_by=active&sysparm_order_by=COUNT^DESC", status: 200, has: []string{`{"result":[{"stats":{"count":"2"}`}},
		{ref: "3.1", law: "groups in order of an average", do: stats + "sysparm_count=true&sysparm_group_by=state&sysparm_order_by=AVG^reassignment_count", status: 200, has: []string{`[{"stats":{"count":"1"},"groupby_fields":[{"field":"state","value":"1"}]},{"stats":{"count":"1"},"groupby_fields":[{"field":"state","value":"7"}]}`}},
		{ref: "3.1", law: "groups in descending order of a field", do: stats + "sysparm_count=true&sysparm_group_by=state&sysparm_order_by=state^DESC", status: 200, has: []string{`[{"stats":{"count":"1"},"groupby_fields":[{"field":"state","value":"7"}]}`}},
		{ref: "3.1", law: "nothing found counts nothing", do: stats + "sysparm_count=true&number=none", status: 200, want: `{"result":{"stats":{"count":"0"}}}`},
		{ref: "3.1", law: "nothing found has no groups", do: stats + "sysparm_count=true&sysparm_group_by=state&number=none", status: 200, want: `{"result":[]}`},
		{ref: "3.1", law: "nothing asked for is nothing aggregated", do: "GET /api/now/stats/incident", status: 200, want: `{"result":{"stats":{}}}`},
		{ref: "3.1", law: "no such table", do: "GET /api/now/stats/bogus", status: 400, has: []string{"Invalid table bogus"}},
		{ref: "3.1", law: "a group by a field refused", do: stats + "sysparm_count=true&sysparm_group_by=short_description", send: []string{"As: guest"}, status: 403, has: []string{"Insufficient rights to query records"}},
		{ref: "3.1", law: "rows refused are not counted", do: stats + "sysparm_count=true", send: []string{"As: guest"}, status: 200, want: `{"result":{"stats":{"count":"2"}}}`},
	}
}

func discoveryRows() []row {
	return []row{
		{ref: "3.7", law: "who am I, by a query", do: "GET /api/now/table/sys_user?sysparm_query=user_name=javascript:gs.getUserName()&sysparm_fields=name&sysparm_limit=1", status: 200, headers: []string{"X-Total-Count: 1"}, want: `{"result":[{"name":"Abel Tuter"}]}`},
		{ref: "3.7", law: "who am I", do: "GET /api/now/ui/user/current_user", status: 200, want: `{"result":{"user_sys_id":"{abel}","user_name":"abel.tuter","user_display_name":"Abel Tuter","user_avatar":""}}`},
		{ref: "3.7", law: "nobody is impersonated", do: "GET /api/now/sg/impersonation/session", status: 404},
		{ref: "3.7", law: "the tables", do: "GET /api/now/doc/table/schema", status: 200, has: []string{`{"label":"Incident","value":"incident"}`}, lacks: []string{"sys_change\""}},
		{ref: "3.7", law: "the fields of a table", do: "GET /api/now/doc/table/schema/incident", status: 200, has: []string{`{"label":"Caller","value":"caller_id","type":"reference","reference":"sys_user"}`}},
		{ref: "3.7", law: "the columns of a table", do: "GET /api/now/ui/meta/incident", status: 200, has: []string{`"state":{"name":"state","label":"State","type":"choice","internal_type":"choice","mandatory":false,"read_only":false`, `{"label":"In Progress","value":"2"}`}},
		{ref: "3.7", law: "the columns of no table", do: "GET /api/now/ui/meta/bogus", status: 400, has: []string{"Invalid table bogus"}},
	}
}
