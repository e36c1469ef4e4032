package attachment_test

import (
	"maps"
	"strings"
	"testing"

	"headrace/internal/core/record"
	"headrace/internal/door/rest/resttest"
)

func TestAttributesOfAFileAreKept(t *testing.T) {
	resttest.Each(t, func(t *testing.T, store record.Store) {
		w, open, _ := desk(t, store)
		at := "/api/now/v1/attachment/" + result(t, w.Call("loader", "POST /api/now/attachment/file?table_name=u_note&table_sys_id="+open+"&file_name=x", "content"))["sys_id"] + "/attributes"
		for _, c := range []struct {
			user, do, body string
			status         int
			then           map[string]string
		}{
			{"loader", "GET", "", 200, map[string]string{}},
			{"loader", "POST", `{"source":"scan","pages":3}`, 201, map[string]string{"source": "scan", "pages": "3"}},
			{"loader", "POST", `{"pages":"4"}`, 201, map[string]string{"source": "scan", "pages": "4"}},
			{"guest", "POST", `{"pages":"5"}`, 403, map[string]string{"source": "scan", "pages": "4"}},
			{"loader", "PUT", `{"only":"this"}`, 204, map[string]string{"only": "this"}},
			{"loader", "PUT", `{"a":{"b":1}}`, 400, map[string]string{"only": "this"}},
			{"loader", "PUT", `{"a":"` + strings.Repeat("x", 70<<10) + `"}`, 400, map[string]string{"only": "this"}},
			{"guest", "DELETE", "", 403, map[string]string{"only": "this"}},
			{"loader", "DELETE", "", 204, map[string]string{}},
		} {
			if a := w.Call(c.user, c.do+" "+at, c.body, "Content-Type: application/json"); a.Status != c.status {
				t.Errorf("%s %s %.40s: %d, not %d: %s", c.user, c.do, c.body, a.Status, c.status, a.Body)
			}
			if got := result(t, w.Call("guest", "GET "+at, nil)); !maps.Equal(got, c.then) {
				t.Errorf("after %s %s %.40s: %v, want %v", c.user, c.do, c.body, got, c.then)
			}
		}
	})
}
