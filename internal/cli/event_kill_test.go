package cli_test

import (
	"encoding/json"
	"net"
	"net/url"
	"testing"
	"time"
)

// TestAnEventOutlivesTheServerThatHandlesIt kills a server in the middle of a handler run. Another one does the run again,
// under the same key, and the event ends processed.
func TestAnEventOutlivesTheServerThatHandlesIt(t *testing.T) {
	t.Setenv("HEADRACE_ADMIN_PASSWORD", pushPassword)
	onBoth(t, func(t *testing.T, h *home) {
		free, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if err := free.Close(); err != nil {
			t.Fatal(err)
		}
		p := &pushed{t: t, h: h, at: free.Addr().String()}
		h.must(t, 0, "table", "create", "u_mark", "--field", "name:string", "--field", "key:string")
		// The first attempt never ends by itself within the patience of the test; later ones do at once.
		const script = `var m = new GlideRecord('u_mark'); m.name = 'begun'; m.insert();
var seen = new GlideRecord('u_mark'); seen.query();
if (seen.getRowCount() == 1) { while (true) {} }
m = new GlideRecord('u_mark'); m.name = 'done'; m.insert();`
		h.must(t, 0, "record", "create", "sysevent_script_action", "name=slow", "event_name=test.slow", "script="+script)
		p.start()
		h.must(t, 0, "event", "fire", "test.slow")
		p.await("u_mark", "name=begun")
		p.kill()
		p.start()
		p.await("u_mark", "name=done")
		p.await("sysevent", "name=test.slow^state=processed")
		p.await("sys_handler_run", "state=done")
		p.kill()
	})
}

// await waits until a query finds a record.
func (p *pushed) await(table, query string) {
	p.t.Helper()
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		status, answer, err := p.call("GET", "/api/now/table/"+table+"?sysparm_limit=1&sysparm_query="+url.QueryEscape(query), "")
		var got struct{ Result []map[string]any }
		if err == nil && status == 200 {
			if err = json.Unmarshal(answer, &got); err == nil && len(got.Result) > 0 {
				return
			}
		}
		if time.Since(began) > 2*time.Minute {
			p.t.Fatalf("%s in %s was never there: %d %s %v", query, table, status, answer, err)
		}
	}
}
