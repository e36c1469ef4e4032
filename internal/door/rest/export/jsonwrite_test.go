package export_test

import (
	"strings"
	"testing"

	"headrace/internal/core/record"
	"headrace/internal/door/rest/resttest"
)

type written struct {
	Records []struct {
		ID     string                           `json:"sys_id"`
		Text   string                           `json:"u_text"`
		Of     string                           `json:"u_of"`
		State  string                           `json:"u_state"`
		Status string                           `json:"__status"`
		Why    struct{ Message, Reason string } `json:"__error"`
	}
	Error, Reason string
}

func TestRecordsAreWrittenAsJSONv2(t *testing.T) {
	resttest.Each(t, func(t *testing.T, store record.Store) {
		w := world(t, store)
		do := func(status int, line, body string) (out written) {
			t.Helper()
			a := w.Call("admin", line, body, "Content-Type: application/json")
			if a.Status != status {
				t.Fatalf("%s %s: %d %s", line, body, a.Status, a.Body)
			}
			a.JSON(t, &out)
			return out
		}
		const at = "POST /u_note.do?JSONv2"
		if got := do(200, at+"&sysparm_action=insert", `{"u_text":"a","u_state":"new","u_of":"`+one+`","u_nix":"x"}`); len(got.Records) != 1 || got.Records[0].Status != "success" ||
			got.Records[0].State != "1" || got.Records[0].Of != one || len(got.Records[0].ID) != 32 {
			t.Errorf("one: %+v", got)
		}
		if got := do(200, at, `{"sysparm_action":"insertMultiple","records":[{"u_text":"b"},{"u_text":"c","u_state":"1"}]}`); len(got.Records) != 2 || got.Records[1].Text != "c" {
			t.Errorf("several: %+v", got)
		}
		if got := do(200, at+"&sysparm_action=update&sysparm_query=u_state=1^u_textINa,c", `{"u_text":"z"}`); len(got.Records) != 2 || got.Records[0].Text != "z" || got.Records[1].Text != "z" {
			t.Errorf("updated: %+v", got)
		}
		if got := do(200, at+"&sysparm_action=update&sysparm_query=u_state=1", `{"sysparm_query":"u_text=b","u_text":"y"}`); len(got.Records) != 1 || got.Records[0].Text != "y" {
			t.Errorf("the body wins: %+v", got)
		}
		if got := do(200, at+"&sysparm_action=deleteRecord&sysparm_sys_id="+two, ""); len(got.Records) != 1 || got.Records[0].ID != two || got.Records[0].Status != "success" {
			t.Errorf("deleted: %+v", got)
		}
		if got := do(200, at+"&sysparm_action=deleteRecord&sysparm_sys_id="+two, ""); len(got.Records) != 0 {
			t.Errorf("deleted again: %+v", got)
		}
		if got := do(200, at+"&sysparm_action=deleteMultiple&sysparm_query=u_text=z", ""); len(got.Records) != 2 || w.Count("u_note") != 2 {
			t.Errorf("several deleted: %+v, %d stay", got, w.Count("u_note"))
		}
		for line, says := range map[string]string{
			"&sysparm_action=update":                                  "Cannot update with empty sysparm_query",
			"&sysparm_action=deleteMultiple":                          "Cannot delete with empty sysparm_query",
			"&sysparm_action=deleteMultiple&sysparm_query=u_nix=1":    "means nothing: u_nix=1",
			"&sysparm_action=deleteRecord&sysparm_query=u_text=other": "Cannot delete without sysparm_sys_id",
		} {
			body := `{"u_text":"no"}`
			if got := do(400, at+line, body); !strings.Contains(got.Error, says) || got.Reason == "" || w.Count("u_note") != 2 {
				t.Errorf("%s: %+v", line, got)
			}
		}
		for line, status := range map[string]int{"&sysparm_action=paint": 400, "&sysparm_action=getRecords": 200, "&sysparm_action=insert": 400} {
			if a := w.Call("admin", at+line, "", "Content-Type: application/json"); a.Status != status {
				t.Errorf("%s: %d %s", line, a.Status, a.Body)
			}
		}
		if a := w.Call("admin", at+"&sysparm_action=insert", "u_text=x", "Content-Type: application/x-www-form-urlencoded"); a.Status != 415 {
			t.Errorf("a form: %d", a.Status)
		}
		if a := w.Call("admin", "POST /u_note.do?CSV", "x", "Content-Type: application/json"); a.Status != 400 {
			t.Errorf("CSV: %d", a.Status)
		}
	})
}

func TestJSONv2WritesWhatTheCallerMayWrite(t *testing.T) {
	resttest.Each(t, func(t *testing.T, store record.Store) {
		w := world(t, store)
		w.Insert("sys_security_acl", "name", "u_note", "operation", "read")
		for line, body := range map[string]string{"&sysparm_action=insert": `{"u_text":"x"}`, "&sysparm_action=update&sysparm_query=sys_id=" + one: `{"u_text":"x"}`,
			"&sysparm_action=deleteMultiple&sysparm_query=sys_id=" + one: ""} {
			var got written
			a := w.Call("guest", "POST /u_note.do?JSONv2"+line, body, "Content-Type: application/json")
			a.JSON(t, &got)
			if a.Status != 200 || len(got.Records) != 1 || got.Records[0].Status != "failure" || !strings.HasPrefix(got.Records[0].Why.Reason, "Insufficient rights to ") {
				t.Errorf("%s: %d %s", line, a.Status, a.Body)
			}
		}
		if w.Count("u_note") != 2 || strings.Contains(string(w.Call("admin", "GET /u_note.do?JSONv2", nil).Body), `"u_text":"x"`) {
			t.Error("something was changed")
		}
	})
}
