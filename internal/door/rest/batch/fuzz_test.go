package batch_test

import (
	"encoding/base64"
	"encoding/json"
	"testing"

	"headrace/internal/door/rest/resttest"
	"headrace/internal/store/storetest/stores"
)

// FuzzBatch: a body is refused in the platform's words, or every item is answered, in order, with a status and a body that
// is base64.
func FuzzBatch(f *testing.F) {
	for _, s := range []string{
		`{"batch_request_id":1,"rest_requests":[{"id":"a","method":"GET","url":"/api/now/table/u_note?sysparm_limit=1"}]}`,
		`{"batch_request_id":"x","rest_requests":[{"id":1,"method":"post","url":"api/now/table/u_note","headers":[{"name":"Content-Type","value":"application/json"}],"body":"eyJ1X3RleHQiOiJhIn0="}]}`,
		`{"rest_requests":[{"id":2,"method":"PATCH","url":"//x/%2e%2e/?a=%zz","body":"=","exclude_response_headers":true},{"id":null}]}`,
		`{"rest_requests":[{"url":"/api/now/batch","method":"POST","headers":[{"name":"X Y\n","value":"\u0000"}]}]}`,
		`{"rest_requests":{}}`, `[]`, `{`,
	} {
		f.Add(s)
	}
	w := world(f, stores.Open(f, stores.SQLite(f)))
	f.Fuzz(func(t *testing.T, body string) {
		a := w.For(t).Call("guest", "POST /api/now/v1/batch", body, "Content-Type: application/json")
		if a.Status == 400 {
			checkRefusal(t, a)
			return
		}
		var asked struct {
			Items []json.RawMessage `json:"rest_requests"`
		}
		var got answered
		if err := json.Unmarshal([]byte(body), &asked); err != nil || a.Status != 200 {
			t.Fatalf("%q: %d %v %s", body, a.Status, err, a.Body)
		}
		a.JSON(t, &got)
		if len(got.Serviced)+len(got.Unserviced) != len(asked.Items) {
			t.Fatalf("%q: %s", body, a.Body)
		}
		for _, s := range got.Serviced {
			if _, err := base64.StdEncoding.DecodeString(s.Body); err != nil || s.Status < 200 || s.Status == 500 || s.Text == "" {
				t.Fatalf("%q: %s", body, a.Body)
			}
		}
	})
}

func checkRefusal(t *testing.T, a resttest.Answer) {
	t.Helper()
	var refusal struct {
		Error  struct{ Message string }
		Status string
	}
	a.JSON(t, &refusal)
	if refusal.Status != "failure" || refusal.Error.Message == "" {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
}
