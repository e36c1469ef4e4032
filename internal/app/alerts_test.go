package app_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"headrace/internal/app"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset/datasource"
)

// pager is where alerts go, and a place of files that is closed at first.
type pager struct {
	mu    sync.Mutex
	open  bool
	paged []string
}

// RoundTrip makes pager an http.RoundTripper.
func (p *pager) RoundTrip(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	status := http.StatusOK
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	switch {
	case r.URL.Host == "pager.example":
		p.paged = append(p.paged, string(body))
	case !p.open:
		status = http.StatusForbidden
	case r.Method == http.MethodHead || r.Method == http.MethodGet:
		status = http.StatusNotFound
	}
	return &http.Response{StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

const pagedFor = `name: Page for NAME
event: EVENT
script: |
  var m = new sn_ws.RESTMessageV2('Pager', 'page');
  m.setRequestBody(event.name + ' ' + event.parm1 + ' ' + event.parm2 + ': ' + current.getValue('message'));
  m.executeAsync();
`

// TestAlertsReachWhoeverShouldKnow follows alerts from a data source that fails, and a file that cannot be delivered, by
// way of their events, a script action and an outbound message, and back when they are over.
func TestAlertsReachWhoeverShouldKnow(t *testing.T) {
	dir, feed := t.TempDir(), filepath.Join(t.TempDir(), "servers.csv")
	project := map[string]string{"project.yaml": "name: pages\n",
		"maps/servers.yaml":    "name: Servers\nsourceTable: u_servers\ntargetTable: cmdb_ci_server\nfields:\n  serial_number: {sourceField: serial, coalesce: true}\n",
		"sources/servers.yaml": "connectionUrl: " + feed + "\nimportSetTableName: u_servers\n",
		"exports/out.yaml":     "table: cmdb_ci_server\nfields: serial_number\nconnectionUrl: https://files.example/in/\n",
		"rest/pager.yaml":      "name: Pager\nendpoint: https://pager.example\nfunctions:\n  page:\n    method: post\n    endpoint: https://pager.example/page\n"}
	for _, event := range []string{"data_source.alert", "data_source.resolved", "export.alert", "export.resolved"} {
		project["actions/"+event+".yaml"] = strings.NewReplacer("NAME", event, "EVENT", event).Replace(pagedFor)
	}
	for name, text := range project {
		at := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p, now := &pager{}, time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	a, err := app.Open(t.Context(), app.Config{Data: t.TempDir(), Outside: app.Outside{Through: p, Clock: func() time.Time { return now }}})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	loaded, err := a.LoadProject(t.Context(), dir)
	if err == nil {
		_, err = a.Project.Apply(t.Context(), loaded)
	}
	if err != nil {
		t.Fatal(err)
	}
	paged := func(want ...string) {
		t.Helper()
		now = now.Add(time.Minute)
		if _, err := a.Queue.Drain(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		slices.Sort(p.paged)
		if !slices.EqualFunc(p.paged, want, strings.HasPrefix) {
			t.Errorf("paged %q, want %q", p.paged, want)
		}
		p.paged = nil
	}
	for range 2 { // an alert is raised once, however often its cause is met
		if _, err := a.Sources.Run(t.Context(), datasource.Request{Name: "servers", Actor: record.System}); err == nil {
			t.Error("a file that is not there is no error")
		}
	}
	if _, err := a.Exports.Run(t.Context(), "out", record.System); err == nil {
		t.Error("a place that is closed is no error")
	}
	paged("data_source.alert servers failed: data source servers: ", "export.alert out dead: export run ")
	if err := os.WriteFile(feed, []byte("serial\nS1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	p.open = true
	p.mu.Unlock()
	if _, err := a.Sources.Run(t.Context(), datasource.Request{Name: "servers", Actor: record.System}); err != nil {
		t.Error(err)
	}
	if _, err := a.Exports.Run(t.Context(), "out", record.System); err != nil {
		t.Error(err)
	}
	paged("data_source.resolved servers failed: ", "export.resolved out dead: ")
}
