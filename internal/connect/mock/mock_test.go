package mock_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"headrace/internal/connect/mock"
	"headrace/internal/core/fault"
)

func start(t *testing.T, text string) *mock.Server {
	t.Helper()
	routes, err := mock.Parse("p.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	s, err := mock.Start(context.Background(), mock.New(routes, nil), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// ask sends a request and gives status and body; -1 when there is no whole answer.
func ask(t *testing.T, client *http.Client, method, url, key string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	req.GetBody = nil
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := client.Do(req)
	if err != nil {
		return -1, ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return -1, string(body)
	}
	return resp.StatusCode, string(body)
}

func TestAnswersComeInTheirOrder(t *testing.T) {
	s := start(t, `
routes:
  - path: /a/*/c
    method: POST
    answers: [{status: 503, times: 2}, {status: 200, json: {ok: true}}]
  - path: /loop
    loop: true
    answers: [{status: 201}, {status: 202}]
  - path: /drop
    answers: [{drop: before}, {drop: half, body: abcdef}, {status: 204}]
`)
	for _, tt := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"POST", "/a/b/c", 503, ""}, {"POST", "/a/x/c", 503, ""}, {"POST", "/a/b/c", 200, `{"ok":true}`}, {"POST", "/a/b/c", 200, `{"ok":true}`},
		{"GET", "/a/b/c", 404, ""}, {"POST", "/a/b", 404, ""}, {"GET", "/loop", 201, ""}, {"GET", "/loop", 202, ""}, {"GET", "/loop", 201, ""},
		{"POST", "/drop", -1, ""}, {"POST", "/drop", -1, "abc"}, {"POST", "/drop", 204, ""},
	} {
		status, body := ask(t, http.DefaultClient, tt.method, s.URL+tt.path, "")
		if status != tt.status || tt.status != 404 && body != tt.body {
			t.Errorf("%s %s: %d %q, want %d %q", tt.method, tt.path, status, body, tt.status, tt.body)
		}
	}
	if n := len(s.Received()); n != 12 {
		t.Errorf("%d requests are remembered", n)
	}
}

func TestKeysAreHonoured(t *testing.T) {
	s := start(t, "routes: [{name: make, path: /, key: Idempotency-Key, answers: [{drop: before, done: true, status: 201}, {status: 500}, {status: 201, body: b}]}]")
	for _, tt := range []struct {
		key    string
		status int
	}{{"a", -1}, {"a", 201}, {"b", 500}, {"b", 201}, {"b", 201}} {
		if status, _ := ask(t, http.DefaultClient, "POST", s.URL, tt.key); status != tt.status {
			t.Errorf("key %s: %d, want %d", tt.key, status, tt.status)
		}
	}
	if n := s.Counted("make"); n != 2 {
		t.Errorf("the partner did %d", n)
	}
}

func TestNetworkLeadsEveryHostToThePartner(t *testing.T) {
	s := start(t, "routes: [{host: a.example, answers: [{body: a}]}, {host: b.example, path: /x, answers: [{body: b}]}]")
	client := &http.Client{Transport: s.Network()}
	for url, want := range map[string]string{"https://a.example/y": "a", "http://b.example/x": "b"} {
		if _, body := ask(t, client, "GET", url, ""); body != want {
			t.Errorf("%s: %q", url, body)
		}
	}
}

func TestHeldAnswersComeWhenTheyAreReleased(t *testing.T) {
	s := start(t, "routes: [{answers: [{hold: true, latency: 1ms, body: now}]}]")
	got := make(chan string)
	go func() { // the test waits for it below
		_, body := ask(t, http.DefaultClient, "GET", s.URL, "")
		got <- body
	}()
	s.Release()
	if body := <-got; body != "now" {
		t.Errorf("got %q", body)
	}
}

func TestFolderIsReadStrictly(t *testing.T) {
	tests := map[string]struct{ file, want string }{
		"unknown property": {"routes:\n  - pth: /", "p.yaml:2:5"},
		"unknown drop":     {"routes: [{answers: [{drop: later}]}]", `"later"`},
		"no status":        {"routes: [{answers: [{status: 99}]}]", "99"},
		"no wait":          {"routes: [{answers: [{latency: soon}]}]", "soon"},
		"file outside":     {"routes: [{answers: [{file: ../x}]}]", "../x"},
		"missing file":     {"routes: [{answers: [{file: nix.json}]}]", "nix.json"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "p.yaml"), []byte(tt.file), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := mock.Folder(dir)
			if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v", err)
			}
		})
	}
	if _, err := mock.Folder(t.TempDir()); fault.KindOf(err) != fault.Invalid || fault.HintOf(err) == "" {
		t.Errorf("an empty folder: %v", err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"a.yaml": "routes: [{answers: [{file: b.html, latency: 20ms}]}]", "b.html": "<html>"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	routes, err := mock.Folder(dir)
	if err != nil || routes[0].Answers[0].Body != "<html>" || time.Duration(routes[0].Answers[0].Latency) != 20*time.Millisecond {
		t.Errorf("%+v %v", routes, err)
	}
}
