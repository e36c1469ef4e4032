package table_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"headrace/internal/door/rest/wire"
	"headrace/internal/store/storetest/stores"
)

// answered fails unless an answer is one of the API's own, in its form, that tells nothing of what is inside.
func answered(t *testing.T, what string, resp *http.Response, body string) {
	t.Helper()
	if resp.StatusCode >= http.StatusInternalServerError {
		t.Errorf("%.80s: status %d: %.300s", what, resp.StatusCode, body)
	}
	var envelope struct {
		Result json.RawMessage
		Error  *struct{ Message string }
		Status string
	}
	if err := json.Unmarshal([]byte(body), &envelope); err != nil || (envelope.Result == nil) == (envelope.Error == nil) {
		t.Errorf("%.80s: no envelope: %.300s", what, body)
	}
	for _, inside := range []string{"SELECT", "sqlite", "SQLSTATE", "panic", "goroutine", ".go:"} {
		if strings.Contains(body, inside) {
			t.Errorf("%.80s: tells of %s: %.300s", what, inside, body)
		}
	}
}

func TestHostileQueriesAreAnswered(t *testing.T) {
	long := func(term string, n int) string { return strings.TrimSuffix(strings.Repeat(term, n), "^OR") }
	queries := []string{
		`number=' OR '1'='1`, `number='; DROP TABLE incident; --`, `number" OR 1=1=1`, `ORDERBYnumber; DROP TABLE task`, `ORDERBY(SELECT 1)`,
		"number=\x00", "number=\xff\xfe", "numberLIKE%_\\", "number=\u202e", "^^^^", "^NQ^NQ^NQ", "^OR", "number=^^", strings.Repeat("^", 5000),
		"numberIN" + strings.Repeat("x,", 50000), "numberBETWEEN", "opened_atBETWEENjavascript:@javascript:", "opened_atONToday@x@y", "opened_at>javascript:while(true){}",
		"RLQUERYincident.caller_id,>=1^ENDRLQUERY", "RLQUERY", "JOINincident.number=task.number!", "SUBQUERY", "123TEXTQUERY321=x",
		"caller_id" + strings.Repeat(".manager", 100) + ".name=x", "reassignment_count>" + strings.Repeat("9", 5000), "reassignment_count=1e999999999",
		"opened_at>9999999-99-99", long("a=1^OR", 30000), long("state=1^OR", 20000), strings.Repeat("state=1^", 20000), strings.Repeat("state=1^NQ", 20000),
	}
	for name, config := range stores.Kinds() {
		t.Run(name, func(t *testing.T) {
			s := serve(t, config(t), nil)
			for _, q := range queries {
				resp, body := s.call(t, "GET /api/now/table/incident?sysparm_fields=number&sysparm_query="+url.QueryEscape(q), "")
				answered(t, q, resp, body)
				resp, body = s.call(t, "GET /api/now/stats/incident?sysparm_count=true&sysparm_query="+url.QueryEscape(q), "")
				answered(t, q, resp, body)
			}
			if _, body := s.call(t, "GET /api/now/stats/incident?sysparm_count=true", ""); body != `{"result":{"stats":{"count":"3"}}}` {
				t.Errorf("after all that: %s", body)
			}
		})
	}
}

// A hundred thousand terms are too long for an address; they come by a short one.
func TestAHundredThousandTermsAreAnswered(t *testing.T) {
	for name, config := range stores.Kinds() {
		t.Run(name, func(t *testing.T) {
			s := serve(t, config(t), nil)
			for _, join := range []string{"^", "^OR", "^NQ"} {
				long := "incident_list.do?sysparm_query=" + url.QueryEscape("number=x"+strings.Repeat(join+"number=y", 100_000))
				_, made := s.call(t, "POST /api/now/tinyurl", `{"url":"`+long+`"}`)
				_, token, _ := strings.Cut(strings.TrimSuffix(made, `"}`), "sysparm_tiny=")
				resp, body := s.call(t, "GET /api/now/table/incident?sysparm_fields=number&sysparm_tiny="+token, "")
				answered(t, join, resp, body)
			}
		})
	}
}

func TestHostileParametersAreAnswered(t *testing.T) {
	deep := "caller_id" + strings.Repeat(".manager", 100) + ".name"
	var many, joins []string
	for i := range 3000 {
		many = append(many, "caller_id"+strings.Repeat(".manager", i%50)+".name")
		joins = append(joins, fmt.Sprintf("bogus%d", i))
	}
	for i := range 100 {
		joins = append(joins, "caller_id"+strings.Repeat(".manager", i)+".email")
	}
	for name, config := range stores.Kinds() {
		t.Run(name, func(t *testing.T) {
			s := serve(t, config(t), nil)
			for _, p := range []string{
				"sysparm_fields=" + deep, "sysparm_fields=" + strings.Join(many, ","), "sysparm_fields=" + strings.Join(joins, ","), "sysparm_fields=,,,", "sysparm_limit=-5", "sysparm_limit=x",
				"sysparm_limit=99999999999999999999", "sysparm_limit=0", "sysparm_offset=9223372036854775807", "sysparm_limit=9223372036854775807&sysparm_offset=9223372036854775807",
				"sysparm_display_value=perhaps", "number=%00", "number=%ff", "state=%27", "caller_id=%27%20OR%201=1", "sys_class_name=x%27", "sysparm_query=%zz", deep + "=x",
			} {
				resp, body := s.call(t, "GET /api/now/table/incident?"+p, "")
				answered(t, p, resp, body)
			}
			for _, p := range []string{"sysparm_group_by=" + deep, "sysparm_having=^^^", "sysparm_having=count^x^>^y", "sysparm_order_by=^DESC", "sysparm_avg_fields=number,caller_id", "sysparm_group_by=state,state&sysparm_min_fields=state,state"} {
				resp, body := s.call(t, "GET /api/now/stats/incident?sysparm_count=true&"+p, "")
				answered(t, p, resp, body)
			}
			for _, path := range []string{"/api/now/table/incident%00", "/api/now/table/..%2f..%2fetc", "/api/now/table/%22%3B--", "/api/now/table/incident/%27%20OR%201", "/api/now/table/incident/%00"} {
				resp, body := s.call(t, "GET "+path, "")
				answered(t, path, resp, body)
			}
		})
	}
}

func TestHostileBodiesAreAnswered(t *testing.T) {
	bodies := []string{
		"", " ", "{", "[]", "[[]]", "[1]", "null", "nul", "{}{}", `{"a"}`, `{"a":1,}`, `{"u_text":"\ud800"}`, "{\"u_text\":\"\xff\"}", `{"u_text":"\u0000"}`, "\xef\xbb\xbf{}",
		strings.Repeat("[", 20000), strings.Repeat(`{"a":`, 20000), `{"u_count":1e400}`, `{"u_count":` + strings.Repeat("9", 5000) + `}`, `{"u_on":"0000-00-00 00:00:00"}`,
		`{'u_text':'x`, `{"":""}`, `{"u_text":"a","u_text":"b"}`, `{"sys_id":"../../x"}`, `{"sys_id":"ZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZ"}`, `{"sys_class_name":"x"}`, `{"u_user":"nobody"}`,
	}
	xmls := []string{"<", "<a/>", "<a><b/></a><c/>", strings.Repeat("<a>", 5000), `<!DOCTYPE a [<!ENTITY x "y">]><a><b>&x;</b></a>`, `<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>`,
		"<a><u_text>\x00</u_text></a>", "<a xmlns:x='u'><x:u_text>y</x:u_text></a>", `<?xml version="1.0" encoding="latin1"?><a/>`}
	for name, config := range stores.Kinds() {
		t.Run(name, func(t *testing.T) {
			s := serve(t, config(t), func(d *wire.Deps) { d.MaxBody = 1 << 20 })
			for _, b := range bodies {
				for _, do := range []string{"POST /api/now/table/u_note", "PATCH /api/now/table/u_note/" + first} {
					resp, body := s.call(t, do, b)
					answered(t, b, resp, body)
				}
			}
			for _, b := range xmls {
				resp, body := s.call(t, "POST /api/now/table/u_note", b, "Content-Type: application/xml")
				answered(t, b, resp, body)
			}
		})
	}
}
