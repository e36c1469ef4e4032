package rest_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"headrace/internal/core/record"
	"headrace/internal/door/rest"
	"headrace/internal/door/rest/wire"
	"headrace/internal/flow/access"
	"headrace/internal/flow/importset"
	"headrace/internal/store/sqlstore"
)

const password = "a long enough password 1"

// fixture is a server over a store of its own, with a few routes that do what the tests need.
type fixture struct {
	testing.TB
	*httptest.Server
	db       *record.DB
	access   *access.Service
	log      lines
	stopping chan struct{}
}

// lines is a log that tests read.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func routes(http.Handler) []wire.Route {
	return []wire.Route{
		{Method: "GET", Pattern: "/api/now/table/{table}", Handler: func(*wire.Request) (*wire.Answer, error) {
			return &wire.Answer{Result: strings.Repeat("many words ", 1000)}, nil
		}},
		{Method: "POST", Pattern: "/api/now/table/{table}", Handler: func(r *wire.Request) (*wire.Answer, error) {
			n, err := io.Copy(io.Discard, r.Request.Body)
			return &wire.Answer{Result: n}, err
		}},
		{Method: "GET", Pattern: "/api/now/broken", Handler: func(*wire.Request) (*wire.Answer, error) { panic("secret detail") }},
		{Method: "GET", Pattern: "/api/now/public", Public: true, Handler: func(*wire.Request) (*wire.Answer, error) { return &wire.Answer{Result: "all"}, nil }},
	}
}

func newFixture(t testing.TB, limits rest.Limits) *fixture {
	t.Helper()
	ctx := context.Background()
	store, err := sqlstore.Open(ctx, sqlstore.Config{Path: filepath.Join(t.TempDir(), "test.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	f := &fixture{TB: t, access: access.New(nil), stopping: make(chan struct{})}
	f.db, err = record.Open(ctx, store, record.Config{Tables: slices.Concat(importset.Tables(), access.Tables()), Hooks: []record.Hook{f.access}, Guard: f.access})
	if err != nil {
		t.Fatal(err)
	}
	f.access.Use(f.db)
	if err := access.Seed(ctx, f.db); err != nil {
		t.Fatal(err)
	}
	if _, err := f.access.CreateAdmin(ctx, password); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(&f.log, nil))
	h, err := rest.Server(rest.Config{Deps: wire.Deps{DB: f.db, Access: f.access, Log: log}, Routes: routes, Limits: limits, OpenMetrics: true, Stopping: f.stopping})
	if err != nil {
		t.Fatal(err)
	}
	f.Server = httptest.NewUnstartedServer(h)
	f.Config = limits.HTTP(h)
	f.Start()
	t.Cleanup(f.Server.Close)
	return f
}

func (f *fixture) do(method, path string, body io.Reader, header ...string) (*http.Response, string) {
	f.Helper()
	req, err := http.NewRequest(method, f.URL+path, body)
	if err != nil {
		f.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		f.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		f.Fatal(err)
	}
	return resp, string(text)
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

var admin = []string{"Authorization", basic("admin", password)}

func (f *fixture) form(path string, values url.Values, header ...string) (*http.Response, string) {
	return f.do("POST", path, strings.NewReader(values.Encode()), append([]string{"Content-Type", "application/x-www-form-urlencoded"}, header...)...)
}

const refusal = `{"error":{"message":"User Not Authenticated","detail":"Required to provide Auth information"},"status":"failure"}`

func TestWhoIsNotKnownGetsThePlatforms401(t *testing.T) {
	f := newFixture(t, rest.Limits{})
	for name, header := range map[string][]string{"no credentials": nil, "a wrong password": {"Authorization", basic("admin", "wrong")},
		"no such user": {"Authorization", basic("nobody", password)}, "a wrong token": {"Authorization", "Bearer nope"}, "a wrong key": {"x-sn-apikey", "nope"},
		"an unknown scheme": {"Authorization", "Digest x"}, "no base64": {"Authorization", "Basic !!"}} {
		for _, path := range []string{"/api/now/table/incident", "/api/now/v2/table/incident", "/api/unknown", "/index.html"} {
			resp, body := f.do("GET", path, nil, header...)
			if resp.StatusCode != 401 || body != refusal || resp.Header.Get("WWW-Authenticate") != `BASIC realm="Service-now"` || !resp.Close {
				t.Errorf("%s, %s: %d %s, %v", name, path, resp.StatusCode, body, resp.Header)
			}
		}
	}
	if resp, body := f.do("GET", "/api/now/public", nil); resp.StatusCode != 200 {
		t.Errorf("a public route: %d %s", resp.StatusCode, body)
	}
	if resp, _ := f.do("GET", "/api/now/public", nil, "Authorization", basic("admin", "wrong")); resp.StatusCode != 401 {
		t.Errorf("a public route with wrong credentials: %d", resp.StatusCode)
	}
}

func TestAPathThatIsNothingIsNoResource(t *testing.T) {
	f := newFixture(t, rest.Limits{})
	resp, body := f.do("GET", "/api/now/nothing/here", nil, admin...)
	if resp.StatusCode != 400 || body != `{"error":{"message":"Requested URI does not represent any resource","detail":null},"status":"failure"}` {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestTheLogNamesRequestsAndHoldsNoSecret(t *testing.T) {
	f := newFixture(t, rest.Limits{})
	resp, _ := f.do("GET", "/api/now/table/incident?token=topsecret", nil, admin...)
	f.form("/oauth_token.do", url.Values{"grant_type": {"password"}, "client_id": {"x"}, "client_secret": {"topsecret"}, "username": {"admin"}, "password": {password}})
	f.Server.Close()
	log := f.log.String()
	if id := resp.Header.Get("X-Transaction-Id"); len(id) != 12 || !strings.Contains(log, "request="+id) || !strings.Contains(log, "user=admin") || !strings.Contains(log, "status=200") {
		t.Errorf("id %q, log %s", id, log)
	}
	for _, secret := range []string{"topsecret", password, strings.TrimPrefix(admin[1], "Basic ")} {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}

func TestWhoAsksTooOftenWaits(t *testing.T) {
	f := newFixture(t, rest.Limits{})
	if _, err := f.db.As(record.System).Insert(context.Background(), f.db.Catalog().Table(access.RateTable), []record.Assignment{
		{Field: "name", Value: record.Text("few")}, {Field: "api", Value: record.Text("/api/now/table")}, {Field: "rate_limit", Value: record.Text("2")}, {Field: "active", Value: record.Text("true")}}); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		path := []string{"/api/now/table/incident", "/api/now/v2/table/incident"}[i%2]
		resp, body := f.do("GET", path, nil, admin...)
		if resp.Header.Get("X-RateLimit-Limit") != "2" || resp.Header.Get("X-RateLimit-Reset") == "" || len(resp.Header.Get("X-RateLimit-Rule")) != 32 {
			t.Errorf("headers %v", resp.Header)
		}
		if i < 2 {
			if resp.StatusCode != 200 {
				t.Errorf("request %d: %d", i, resp.StatusCode)
			}
			continue
		}
		want := `{"error":{"message":"Rate limit exceeded","detail":"Rate limit of 2 requests per hour for /api/now/table exceeded"},"status":"failure"}`
		if resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" || body != want {
			t.Errorf("request %d: %d %s %v", i, resp.StatusCode, body, resp.Header)
		}
	}
	if resp, _ := f.do("GET", "/api/now/public", nil, admin...); resp.Header.Get("X-RateLimit-Limit") != "" {
		t.Error("another API is limited too")
	}
}

func TestAnswersArePackedWhereTheClientTakesThat(t *testing.T) {
	f := newFixture(t, rest.Limits{})
	resp, packed := f.do("GET", "/api/now/table/incident", nil, append([]string{"Accept-Encoding", "gzip"}, admin...)...)
	zip, err := gzip.NewReader(strings.NewReader(packed))
	if err != nil || resp.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("%v %v", err, resp.Header)
	}
	text, err := io.ReadAll(zip)
	_, plain := f.do("GET", "/api/now/table/incident", nil, append([]string{"Accept-Encoding", "identity"}, admin...)...)
	if err != nil || string(text) != plain || len(packed) >= len(plain) {
		t.Errorf("%v: %d bytes packed, %d plain", err, len(packed), len(plain))
	}
}

func TestAPanicIsOneFailedRequest(t *testing.T) {
	f := newFixture(t, rest.Limits{})
	resp, body := f.do("GET", "/api/now/broken", nil, admin...)
	if resp.StatusCode != 500 || strings.Contains(body, "secret") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if resp, _ := f.do("GET", "/api/now/table/x", nil, admin...); resp.StatusCode != 200 {
		t.Errorf("the next request: %d", resp.StatusCode)
	}
}

func TestABodyThatIsTooLargeIsRefused(t *testing.T) {
	f := newFixture(t, rest.Limits{Body: 1000})
	resp, body := f.do("POST", "/api/now/table/x", strings.NewReader(strings.Repeat("x", 5000)), append([]string{"Content-Type", "application/json"}, admin...)...)
	if resp.StatusCode < 400 || strings.Contains(body, `"result"`) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// TestASlowClientLosesItsConnection: silent in its header, silent in its body, or dripping.
func TestASlowClientLosesItsConnection(t *testing.T) {
	f := newFixture(t, rest.Limits{Header: 200 * time.Millisecond, Read: 200 * time.Millisecond, Grace: 300 * time.Millisecond, Rate: 1 << 20})
	for name, start := range map[string]string{"header": "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow",
		"body": fmt.Sprintf("POST /api/now/table/x HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\nabc", admin[1])} {
		t.Run(name, func(t *testing.T) { closes(t, f.Listener.Addr().String(), start, "") })
	}
	t.Run("dripping", func(t *testing.T) {
		closes(t, f.Listener.Addr().String(), fmt.Sprintf("POST /api/now/table/x HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n", admin[1]), "x")
	})
}

// closes sends a start, then a drip whenever the server has been silent for a moment, and wants the connection closed.
func closes(t *testing.T, addr, start, drip string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, start); err != nil {
		t.Fatal(err)
	}
	end := time.Now().Add(20 * time.Second)
	in := bufio.NewReader(conn)
	for time.Now().Before(end) {
		if err := conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		_, err := in.ReadByte()
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
			if _, err := io.WriteString(conn, drip); err == nil {
				continue
			}
			return // it is closed
		}
		if err != nil {
			return // it is closed
		}
	}
	t.Error("the connection is still open")
}

func TestHealthAndMetricsNeedNoUser(t *testing.T) {
	f := newFixture(t, rest.Limits{})
	f.do("GET", "/api/now/table/incident", nil, admin...)
	for path, want := range map[string]string{"/healthz": "ok", "/readyz": "ready", "/metrics": `headrace_http_requests_total{api="/api/now/table",method="GET",status="200"} 1`} {
		if resp, body := f.do("GET", path, nil); resp.StatusCode != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
	close(f.stopping)
	if resp, _ := f.do("GET", "/readyz", nil); resp.StatusCode != 503 {
		t.Errorf("/readyz while stopping: %d", resp.StatusCode)
	}
}

func TestTokensAreGivenForFormsOnly(t *testing.T) {
	f := newFixture(t, rest.Limits{})
	ctx := context.Background()
	if _, err := f.db.As(record.System).Insert(ctx, f.db.Catalog().Table(access.ClientTable), []record.Assignment{{Field: "name", Value: record.Text("a client")},
		{Field: "client_id", Value: record.Text("c1")}, {Field: "client_secret", Value: record.Text("s1 secret")}, {Field: "active", Value: record.Text("true")}}); err != nil {
		t.Fatal(err)
	}
	ask := url.Values{"grant_type": {"password"}, "client_id": {"c1"}, "client_secret": {"s1 secret"}, "username": {"admin"}, "password": {password}}
	resp, body := f.form("/oauth_token.do", ask)
	var token map[string]any
	if err := json.Unmarshal([]byte(body), &token); err != nil || resp.StatusCode != 200 {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	for _, key := range []string{"access_token", "refresh_token", "scope", "token_type", "expires_in"} {
		if token[key] == nil {
			t.Errorf("%s is missing: %s", key, body)
		}
	}
	if _, number := token["expires_in"].(float64); !number || token["token_type"] != "Bearer" {
		t.Errorf("%s", body)
	}
	bearer := []string{"Authorization", "Bearer " + token["access_token"].(string)}
	if resp, body := f.do("GET", "/api/now/table/x", nil, bearer...); resp.StatusCode != 200 {
		t.Errorf("with the token: %d %s", resp.StatusCode, body)
	}
	ask.Del("client_id")
	ask.Del("client_secret")
	if resp, body := f.form("/oauth_token.do", ask, "Authorization", basic("c1", "s1 secret")); resp.StatusCode != 200 {
		t.Errorf("client in the header: %d %s", resp.StatusCode, body)
	}
	if resp, _ := f.form("/oauth_revoke_token.do", url.Values{"token": {token["access_token"].(string)}}); resp.StatusCode != 200 {
		t.Errorf("revoke: %d", resp.StatusCode)
	}
	if resp, _ := f.do("GET", "/api/now/table/x", nil, bearer...); resp.StatusCode != 401 {
		t.Errorf("with the revoked token: %d", resp.StatusCode)
	}
}

func TestRefusalsOfTokensAreJSON(t *testing.T) {
	f := newFixture(t, rest.Limits{})
	if resp, body := f.form("/oauth_token.do", url.Values{"grant_type": {"password"}, "client_id": {"nix"}, "client_secret": {"x"}, "username": {"admin"}, "password": {password}}); resp.StatusCode != 401 || !strings.Contains(body, `"error":`) {
		t.Errorf("unknown client: %d %s", resp.StatusCode, body)
	}
	for _, c := range []struct {
		method, kind, body string
		want               int
	}{{"POST", "application/json", `{"grant_type":"password"}`, 401}, {"GET", "", "", 405}, {"POST", "application/x-www-form-urlencoded", "a=%zz", 400},
		{"POST", "application/x-www-form-urlencoded", "a=" + strings.Repeat("x", 100_000), 400}} {
		resp, body := f.do(c.method, "/oauth_token.do", strings.NewReader(c.body), "Content-Type", c.kind)
		var said map[string]string
		if err := json.Unmarshal([]byte(body), &said); err != nil || resp.StatusCode != c.want || said["error"] == "" {
			t.Errorf("%s %s: %d %s", c.method, c.kind, resp.StatusCode, body)
		}
	}
}
