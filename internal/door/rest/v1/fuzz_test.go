package v1_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// FuzzBodies: a JSON body is taken, or refused by a problem that tells where it is wrong.
func FuzzBodies(f *testing.F) {
	shared := newFixture(f)
	shared.upload(200, "/imports?wait=true", "root", "servers.csv", servers, "into", "u_server", "create", "true", "coalesce", "serial")
	paths := []string{"/runs/1/undo", "/runs/1/retry", "/tables?dry_run=true", "/advisor"}
	for i := range paths {
		for _, s := range []string{`{"dry_run":true}`, `{"map":"x: ["}`, `{"name":"u_x","fields":[{"name":"a","type":"string"}]}`, `{"answers":{}}`, `{"a":1}`, `[]`, `null`, `{"dry_run":"true"}`, `{"answers":{"source":["x"]}}`, ``} {
			f.Add(uint8(i), s)
		}
	}
	f.Fuzz(func(t *testing.T, at uint8, body string) {
		g := shared.on(t)
		checkTold(t, body, g.raw("POST", paths[int(at)%len(paths)], "root", strings.NewReader(body), http.Header{"Content-Type": {"application/json"}}))
	})
}

// FuzzUploads: the form of an upload is taken, or refused by a problem, and leaves nothing in the spool.
func FuzzUploads(f *testing.F) {
	shared := newFixture(f)
	part := func(head, body string) string {
		return "--b\r\nContent-Disposition: form-data; " + head + "\r\n\r\n" + body + "\r\n"
	}
	file := part(`name="file"; filename="a.csv"`, servers)
	for _, s := range []string{file + "--b--\r\n", file + part(`name="options"`, `{"delimiter":";"}`) + part(`name="key"`, "serial,,x") + "--b--", file + file, part(`name="format"`, "xml") + file + "--b--",
		part(`name="file"; filename="x\u0000/../y"`, "{}") + "--b--", "--b--", "", file + part(`name="options"`, `[`) + "--b--"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, form string) {
		g := shared.on(t)
		checkTold(t, form, g.raw("POST", "/inspections", "clerk", strings.NewReader(form), http.Header{"Content-Type": {"multipart/form-data; boundary=b"}}))
		if left := g.spooled(); len(left) > 0 {
			t.Fatalf("%q leaves %v", form, left)
		}
	})
}

// checkTold: what was asked is answered as JSON, or refused as a problem, and is never the server's fault.
func checkTold(t *testing.T, asked string, r *response) {
	t.Helper()
	if r.StatusCode >= 500 || r.StatusCode < 200 {
		t.Fatalf("%q: %d %s", asked, r.StatusCode, r.body)
	}
	if len(bytes.TrimSpace(r.body)) > 0 && !json.Valid(r.body) {
		t.Fatalf("%q: %s", asked, r.body)
	}
	if r.StatusCode < 400 {
		return
	}
	if kind := r.Header.Get("Content-Type"); kind != "application/problem+json" || r.field(t, "detail") == "" || r.field(t, "code") == "" {
		t.Fatalf("%q: %s %s", asked, kind, r.body)
	}
}
