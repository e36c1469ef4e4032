package v1_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"headrace/internal/connect/format"
	"headrace/internal/connect/format/csv"
	formatjson "headrace/internal/connect/format/json"
	"headrace/internal/core/record"
	"headrace/internal/door/rest/v1"
	"headrace/internal/flow/importset"
	"headrace/internal/store/storetest/stores"
)

// fixture is the API over a store of its own. Every answer is held to the description that the API serves.
type fixture struct {
	testing.TB
	url      string
	db       *record.DB
	imports  *importset.Service
	spool    string
	work     *importset.Background
	stopping chan struct{}
	routes   routers.Router // of the description
}

// users of the tests, by name; the header X-User says who calls.
var users = map[string][]string{"root": {"admin", "import_admin"}, "clerk": {"import_admin"}, "guest": nil}

func caller(r *http.Request) *v1.Caller {
	name := r.Header.Get("X-User")
	roles, known := users[name]
	if !known {
		return nil
	}
	return &v1.Caller{Actor: record.Actor{ID: name, Name: name}, UserName: name, HasRole: func(names ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return slices.Contains(roles, n) })
	}}
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	f := &fixture{TB: t, spool: t.TempDir(), work: importset.NewBackground(2), stopping: make(chan struct{})}
	var err error
	f.db, err = record.Open(context.Background(), stores.Open(t, stores.SQLite(t)), record.Config{Tables: slices.Concat(importset.Tables(), v1.Tables())})
	if err != nil {
		t.Fatal(err)
	}
	f.imports = importset.New(f.db)
	f.serve(0)
	return f
}

// on gives the same fixture for another test.
func (f *fixture) on(t testing.TB) *fixture {
	other := *f
	other.TB = t
	return &other
}

// spooled lists the uploads in the spool.
func (f *fixture) spooled() []string {
	f.Helper()
	left, err := filepath.Glob(filepath.Join(f.spool, "uploads", "*"))
	if err != nil {
		f.Fatal(err)
	}
	return left
}

func (f *fixture) serve(maxUpload int64) {
	f.Helper()
	api, err := v1.New(v1.Config{DB: f.db, Imports: f.imports, Work: f.work, Formats: []format.Format{formatjson.Format{}, csv.Format{}}, Plan: f.plan,
		Caller: caller, Spool: f.spool, MaxUpload: maxUpload, Stopping: f.stopping, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.Fatal(err)
	}
	server := httptest.NewServer(api)
	f.Cleanup(server.Close)
	f.Cleanup(f.work.Stop)
	f.url = server.URL + v1.Prefix
	resp := f.raw("GET", "/openapi.json", "", nil, nil)
	doc, err := openapi3.NewLoader().LoadFromData(resp.body)
	if err == nil {
		err = doc.Validate(context.Background())
	}
	if err == nil {
		f.routes, err = gorillamux.NewRouter(doc)
	}
	if err != nil {
		f.Fatalf("the description: %v", err)
	}
}

// plan plans where the table is there; tests of plans make it first.
func (f *fixture) plan(ctx context.Context, req importset.Request, _ *record.Table, save string) (*importset.PlanReport, error) {
	return f.imports.Plan(ctx, req, save)
}

// response is an answer read to its end.
type response struct {
	*http.Response
	body []byte
}

func (r *response) field(t testing.TB, path ...string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(r.body, &v); err != nil {
		t.Fatalf("%v in %s", err, r.body)
	}
	for _, name := range path {
		m, ok := v.(map[string]any)
		if !ok {
			t.Fatalf("no %v in %s", path, r.body)
		}
		v = m[name]
	}
	return v
}

func (f *fixture) raw(method, path, user string, body io.Reader, header http.Header) *response {
	f.Helper()
	req, err := http.NewRequest(method, f.url+path, body)
	if err != nil {
		f.Fatal(err)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	if user != "" {
		req.Header.Set("X-User", user)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		f.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		f.Fatal(err)
	}
	return &response{resp, text}
}

// call makes a call whose answer must have the status, and be as described.
func (f *fixture) call(want int, method, path, user string, body io.Reader, header http.Header) *response {
	f.Helper()
	resp := f.raw(method, path, user, body, header)
	if resp.StatusCode != want {
		f.Fatalf("%s %s: %d, want %d: %s", method, path, resp.StatusCode, want, resp.body)
	}
	route, params, err := f.routes.FindRoute(resp.Request)
	if err != nil { // not in the description: then it is a problem, whose schema every operation has
		if kind := resp.Header.Get("Content-Type"); want < 400 || kind != "application/problem+json" {
			f.Errorf("%s %s is not described: %v", method, path, err)
		}
		return resp
	}
	in := &openapi3filter.ResponseValidationInput{Status: resp.StatusCode, Header: resp.Header, Options: &openapi3filter.Options{IncludeResponseStatus: true},
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: resp.Request, PathParams: params, Route: route}}
	in.SetBodyBytes(resp.body)
	if err := openapi3filter.ValidateResponse(context.Background(), in); err != nil {
		f.Errorf("%s %s: the answer is not as described: %v", method, path, err)
	}
	return resp
}

func (f *fixture) get(want int, path string) *response {
	f.Helper()
	return f.call(want, "GET", path, "clerk", nil, nil)
}

func (f *fixture) post(want int, path, user, body string, header ...string) *response {
	f.Helper()
	h := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return f.call(want, "POST", path, user, strings.NewReader(body), h)
}

// upload sends a file as a form: name, content, then parameters by twos.
func (f *fixture) upload(want int, path, user, name, content string, params ...string) *response {
	f.Helper()
	return f.keyed(want, path, user, "", name, content, params...)
}

func (f *fixture) keyed(want int, path, user, key, name, content string, params ...string) *response {
	f.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, err := w.CreateFormFile("file", name)
	if err == nil {
		_, err = io.WriteString(part, content)
	}
	for i := 0; err == nil && i < len(params); i += 2 {
		err = w.WriteField(params[i], params[i+1])
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		f.Fatal(err)
	}
	h := http.Header{"Content-Type": {w.FormDataContentType()}}
	if key != "" {
		h.Set("Idempotency-Key", key)
	}
	return f.call(want, "POST", path, user, &b, h)
}

func (f *fixture) count(table string) int64 {
	f.Helper()
	n, err := f.db.As(record.System).Count(context.Background(), f.db.Catalog().Table(table), nil)
	if err != nil {
		f.Fatal(err)
	}
	return n
}

const servers = "serial,name,installed\nS1,alpha,2026-01-02\nS2,beta,2026-01-03\nS3,gamma,2026-01-04\n"

func TestAFileIsImportedFollowedRetriedAndUndone(t *testing.T) {
	f := newFixture(t)
	f.upload(200, "/inspections", "clerk", "servers.csv", servers, "key", "serial")
	made := f.upload(200, "/imports", "clerk", "servers.csv", servers, "into", "u_server", "create", "true", "coalesce", "serial", "wait", "true")
	if made.field(t, "inserted") != 3.0 || made.Header.Get("Location") != v1.Prefix+"/runs/1" {
		t.Errorf("%s %s", made.Header.Get("Location"), made.body)
	}
	began := f.upload(202, "/imports", "clerk", "more.csv", "serial,name,installed\nS3,delta,2026-01-04\nS4,omega,tomorrow\n", "into", "u_server", "coalesce", "serial")
	if began.field(t, "run") != 2.0 {
		t.Errorf("%s", began.body)
	}
	if end := f.follow("/runs/2/events"); !strings.Contains(end, `"rejected":1`) || !strings.Contains(end, `"updated":1`) {
		t.Errorf("the last event is %s", end)
	}
	f.get(200, "/runs/2")
	f.get(200, "/runs/2/reasons")
	rows := f.get(200, "/runs/2/rows?fate=rejected")
	if items := rows.field(t, "items").([]any); len(items) != 1 || items[0].(map[string]any)["line"] != 3.0 {
		t.Errorf("rejected rows: %s", rows.body)
	}
	f.post(200, "/runs/2/retry", "clerk", "")
	f.post(200, "/runs/2/undo", "clerk", `{"dry_run":true}`)
	undone := f.post(200, "/runs/2/undo", "clerk", "")
	if undone.field(t, "restored") != 1.0 {
		t.Errorf("%s", undone.body)
	}
	f.post(422, "/runs/2/cancel", "clerk", "")
	f.post(422, "/runs/2/resume", "clerk", "")
	f.get(404, "/runs/9")
	if f.count("u_server") != 3 {
		t.Errorf("%d records are left", f.count("u_server"))
	}
}

// follow reads a stream of events to its end and gives the data of the last.
func (f *fixture) follow(path string) string {
	f.Helper()
	resp := f.raw("GET", path, "clerk", nil, nil)
	if kind := resp.Header.Get("Content-Type"); kind != "text/event-stream" {
		f.Fatalf("the stream is %s", kind)
	}
	events := strings.Split(strings.TrimSpace(string(resp.body)), "\n\n")
	last := events[len(events)-1]
	if !strings.Contains(last, "event: end\n") {
		f.Errorf("the stream ends with %q", last)
	}
	return last
}

func TestABodyThatIsTheFileIsImported(t *testing.T) {
	f := newFixture(t)
	resp := f.call(200, "POST", "/imports?into=u_raw&create=true&wait=true", "clerk", strings.NewReader(servers),
		http.Header{"Content-Type": {"text/csv"}, "Content-Disposition": {`attachment; filename="../../etc/servers.csv"`}})
	if resp.field(t, "source") != "servers.csv" || f.count("u_raw") != 3 {
		t.Errorf("%s", resp.body)
	}
}

func TestAPlanIsKeptAndAppliedExactly(t *testing.T) {
	f := newFixture(t)
	f.upload(200, "/imports", "clerk", "servers.csv", servers, "into", "u_server", "create", "true", "coalesce", "serial", "wait", "true")
	made := f.upload(201, "/plans", "clerk", "more.csv", "serial,name\nS1,changed\nS9,new\n", "into", "u_server", "coalesce", "serial")
	if f.count("u_server") != 3 || made.field(t, "updated") != 1.0 || made.field(t, "inserted") != 1.0 {
		t.Errorf("a plan wrote, or counts badly: %s", made.body)
	}
	at := strings.TrimPrefix(made.Header.Get("Location"), v1.Prefix)
	f.get(200, at)
	if list := f.get(200, "/plans").field(t, "items").([]any); len(list) != 1 {
		t.Errorf("%d plans are listed", len(list))
	}
	applied := f.post(200, at+"/apply?wait=true", "clerk", "")
	if applied.field(t, "updated") != 1.0 || f.count("u_server") != 4 {
		t.Errorf("%s", applied.body)
	}
	f.call(204, "DELETE", at, "clerk", nil, nil)
	f.get(404, at)
	f.get(404, "/plans/..%2f..%2fetc%2fpasswd")
}

func TestARepeatedKeyIsDoneOnce(t *testing.T) {
	f := newFixture(t)
	send := func(want int, key, content string) *response {
		return f.keyed(want, "/imports", "clerk", key, "servers.csv", content, "into", "u_once", "create", "true", "wait", "true")
	}
	first, again := send(200, "k1", servers), send(200, "k1", servers)
	if !bytes.Equal(bytes.TrimSpace(first.body), bytes.TrimSpace(again.body)) || again.Header.Get("Location") != first.Header.Get("Location") || again.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("the second answer is %s, the first %s", again.body, first.body)
	}
	if f.count("u_once") != 3 {
		t.Errorf("%d records", f.count("u_once"))
	}
	send(422, "k1", servers+"S4,delta,2026-01-05\n")
	if other := send(200, "k2", servers); other.field(t, "run") != 2.0 {
		t.Errorf("another key gave %s", other.body)
	}
	f.keyed(400, "/imports", "clerk", "k3", "none.csv", "", "into", "u_once")
	f.keyed(200, "/imports", "clerk", "k3", "none.csv", servers, "into", "u_once", "wait", "true") // a refusal leaves the key free
	f.keyed(400, "/imports", "clerk", strings.Repeat("k", 201), "servers.csv", servers, "into", "u_once")
}

func TestRunsAndRowsArePagedWithoutGapOrDouble(t *testing.T) {
	f := newFixture(t)
	var content strings.Builder
	content.WriteString("serial\n")
	for i := range 25 {
		content.WriteString("S" + string(rune('a'+i)) + "\n")
	}
	for range 5 {
		f.upload(200, "/imports", "clerk", "s.csv", content.String(), "into", "u_page", "create", "true", "wait", "true")
	}
	if got := f.pages("/runs?limit=2", "run"); !slices.Equal(got, []float64{5, 4, 3, 2, 1}) {
		t.Errorf("runs %v", got)
	}
	rows := f.pages("/runs/1/rows?limit=4", "row")
	if len(rows) != 25 || !slices.IsSorted(rows) || len(slices.Compact(rows)) != 25 {
		t.Errorf("rows %v", rows)
	}
	f.get(400, "/runs?limit=0")
	f.get(400, "/runs?cursor=!")
}

func (f *fixture) pages(path, key string) []float64 {
	f.Helper()
	var out []float64
	cursor := ""
	for {
		at := path
		if cursor != "" {
			at += "&cursor=" + url.QueryEscape(cursor)
		}
		page := f.get(200, at)
		for _, item := range page.field(f, "items").([]any) {
			out = append(out, item.(map[string]any)[key].(float64))
		}
		next, more := page.field(f, "next").(string)
		if !more {
			return out
		}
		cursor = next
	}
}

func TestTablesAreListedDescribedAndMade(t *testing.T) {
	f := newFixture(t)
	body := `{"name":"u_thing","label":"Thing","fields":[{"name":"serial","type":"string","unique":true},{"name":"state","type":"choice","choices":[{"value":"1","label":"New"}]}],"indexes":[{"fields":["state"]}]}`
	f.post(403, "/tables", "clerk", body)
	if f.post(200, "/tables?dry_run=true", "root", body); f.db.Catalog().Table("u_thing") != nil {
		t.Error("a dry run made the table")
	}
	f.post(201, "/tables", "root", body)
	f.post(200, "/tables", "root", body)
	f.get(200, "/tables/u_thing")
	f.get(404, "/tables/u_nothing")
	if list := f.get(200, "/tables").field(t, "items").([]any); len(list) != 1 {
		t.Errorf("%d tables are listed", len(list))
	}
	f.get(200, "/tables?all=true")
	f.post(422, "/tables", "root", `{"name":"sys_mine","fields":[]}`)
}

func TestTheAdvisorAnswers(t *testing.T) {
	f := newFixture(t)
	f.call(200, "GET", "/advisor/questions", "guest", nil, nil)
	got := f.post(200, "/advisor", "guest", `{"answers":{"initiator":"us","operation":"create"}}`)
	if ranked, ok := got.field(t, "ranked").([]any); !ok || len(ranked) == 0 {
		t.Errorf("%s", got.body)
	}
	f.post(200, "/advisor", "guest", `{"classic":true,"answers":{"initiator":"us","operation":"create"}}`)
	f.post(400, "/advisor", "guest", `{"answers":{"initiator":"nobody"}}`)
}

func TestNobodyAndGuestsDoNothing(t *testing.T) {
	f := newFixture(t)
	f.upload(200, "/imports", "clerk", "servers.csv", servers, "into", "u_server", "create", "true", "wait", "true")
	for _, c := range []struct{ method, path string }{{"GET", "/runs"}, {"GET", "/runs/1"}, {"GET", "/runs/1/rows"}, {"GET", "/runs/1/events"}, {"POST", "/runs/1/undo"},
		{"POST", "/runs/1/retry"}, {"POST", "/runs/1/cancel"}, {"POST", "/runs/1/resume"}, {"POST", "/imports"}, {"POST", "/plans"}, {"GET", "/plans"},
		{"GET", "/plans/x"}, {"DELETE", "/plans/x"}, {"POST", "/plans/x/apply"}, {"POST", "/inspections"}, {"GET", "/tables"}, {"POST", "/tables"}} {
		f.call(401, c.method, c.path, "", nil, nil)
		f.call(403, c.method, c.path, "guest", nil, nil)
	}
	f.call(401, "POST", "/advisor", "", nil, nil)
	if f.count("u_server") != 3 {
		t.Error("something was changed")
	}
}

func TestAnImporterWhoIsNoAdministratorLeavesTheProductsTablesAlone(t *testing.T) {
	f := newFixture(t)
	if _, err := f.db.Define(context.Background(), record.System, false, record.Table{Name: "sys_user_has_role", Fields: []record.Field{{Name: "role", Type: record.String}}}); err != nil {
		t.Fatal(err)
	}
	grab := "targetTable: sys_user_has_role\nfields: {role: role}\n"
	f.upload(403, "/imports", "clerk", "roles.csv", "role\nadmin\n", "map", grab, "wait", "true")
	f.upload(403, "/plans", "clerk", "roles.csv", "role\nadmin\n", "map", grab)
	f.upload(403, "/inspections", "clerk", "roles.csv", "role\nadmin\n", "into", "sys_user_has_role")
	made := f.upload(201, "/plans", "root", "roles.csv", "role\nadmin\n", "map", grab)
	f.post(403, strings.TrimPrefix(made.Header.Get("Location"), v1.Prefix)+"/apply", "clerk", "")
	f.upload(200, "/imports", "root", "roles.csv", "role\nx\n", "map", grab, "wait", "true")
	f.post(403, "/runs/1/undo", "clerk", "")
	f.post(403, "/runs/1/retry", "clerk", "")
	if f.count("sys_user_has_role") != 1 {
		t.Error("a role was given")
	}
}

func TestWhatIsWrongIsSaid(t *testing.T) {
	f := newFixture(t)
	for _, c := range []struct {
		want               int
		method, path, body string
		header             http.Header
		says               string
	}{
		{404, "GET", "/nothing", "", nil, "nothing at this path"},
		{405, "DELETE", "/runs", "", nil, "cannot be done here"},
		{400, "GET", "/runs/seven", "", nil, "run"},
		{400, "GET", "/runs?lmit=3", "", nil, `did you mean \"limit\"`},
		{400, "GET", "/runs?limit=1&limit=2", "", nil, "2 times"},
		{400, "GET", "/runs?limit=%zz", "", nil, "cannot be read"},
		{415, "POST", "/runs/1/undo", "dry_run=true", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, "application/json"},
		{400, "POST", "/runs/1/undo", "{", http.Header{"Content-Type": {"application/json"}}, "no JSON"},
		{400, "POST", "/runs/1/undo", "[]", http.Header{"Content-Type": {"application/json"}}, "an object"},
		{400, "POST", "/runs/1/undo", `{"dry_run":"yes"}`, http.Header{"Content-Type": {"application/json"}}, "true or false"},
		{400, "POST", "/runs/1/undo", `{"dryrun":true}`, http.Header{"Content-Type": {"application/json"}}, `did you mean \"dry_run\"`},
		{413, "POST", "/runs/1/undo", `{"dry_run":` + strings.Repeat(" ", 1<<20) + `true}`, http.Header{"Content-Type": {"application/json"}}, "larger than"},
		{400, "POST", "/imports?into=u_x", "", nil, "empty"},
		{400, "POST", "/imports?into=u_x", "--x\r\n", http.Header{"Content-Type": {"multipart/form-data; boundary=x"}}, ""},
		{400, "POST", "/imports?into=u_x&mode=loose", servers, nil, "one of safe, strict"},
		{400, "POST", "/imports?into=u_x&options=7", servers, nil, "object of texts"},
		{404, "POST", "/imports?into=u_nix", servers, nil, "no table"},
		{404, "POST", "/imports?map=nix", servers, nil, "no run used a map"},
	} {
		resp := f.call(c.want, c.method, c.path, "clerk", strings.NewReader(c.body), c.header)
		if resp.Header.Get("Content-Type") != "application/problem+json" || !strings.Contains(string(resp.body), c.says) {
			t.Errorf("%s %s: %s", c.method, c.path, resp.body)
		}
	}
}

func TestAnUploadThatIsTooLargeLeavesNothing(t *testing.T) {
	f := newFixture(t)
	f.serve(1000)
	f.upload(413, "/imports", "clerk", "big.csv", strings.Repeat("a,b\n", 1000), "into", "u_big", "create", "true")
	if left := f.spooled(); len(left) != 0 {
		t.Errorf("left in the spool: %v", left)
	}
}

func TestAHaltedImportIsResumedFromTheSpool(t *testing.T) {
	f := newFixture(t)
	block := f.blocked("u_halt")
	f.upload(202, "/imports", "clerk", "servers.csv", servers, "into", "u_halt", "create", "true", "coalesce", "serial")
	<-block.reached
	close(f.stopping)
	f.work.Stop() // as when the server stops
	halted := f.get(200, "/runs/1")
	if halted.field(t, "state") != "halted" {
		t.Fatalf("%s", halted.body)
	}
	f.post(503, "/runs/1/resume?wait=true", "clerk", "") // a server that stops begins nothing
	block.passes.Store(true)
	f.restart()
	done := f.post(200, "/runs/1/resume?wait=true", "clerk", "")
	if done.field(t, "state") != "done" || f.count("u_halt") != 3 {
		t.Errorf("%s", done.body)
	}
	if left := f.spooled(); len(left) != 0 {
		t.Errorf("left in the spool: %v", left)
	}
}

// What a stopping server leaves half done of an undo or a retry is done when it is asked for again.
func TestAHaltedUndoAndRetryGoOnWhenAskedAgain(t *testing.T) {
	for _, c := range []struct {
		act, body string
		after     int64 // records when it is done
	}{{"undo", "", 0}, {"retry", `{"map":"name: m\ntargetTable: u_halt\nfields: {serial: {sourceField: serial, coalesce: true}, installed: name}"}`, 3}} {
		t.Run(c.act, func(t *testing.T) {
			f := newFixture(t)
			block := f.blocked("u_halt")
			block.passes.Store(true)
			f.post(201, "/tables", "root", `{"name":"u_halt","fields":[{"name":"serial","type":"string"},{"name":"installed","type":"glide_date"}]}`)
			bad := strings.ReplaceAll(strings.ReplaceAll(servers, "2026-01-03", "tomorrow"), "beta", "2026-01-03")
			f.upload(200, "/imports?wait=true", "clerk", "servers.csv", bad, "map", "name: m\ntargetTable: u_halt\nfields: {serial: {sourceField: serial, coalesce: true}, installed: installed}")
			block.passes.Store(false)
			answered := make(chan *response)
			go func() {
				answered <- f.raw("POST", "/runs/1/"+c.act, "clerk", strings.NewReader(c.body), http.Header{"Content-Type": {"application/json"}})
			}()
			<-block.reached
			close(f.stopping)
			f.work.Stop()
			if resp := <-answered; resp.StatusCode != 503 || !strings.Contains(string(resp.body), "ask again") {
				t.Fatalf("%d %s", resp.StatusCode, resp.body)
			}
			block.passes.Store(true)
			f.restart()
			f.post(200, "/runs/1/"+c.act, "clerk", c.body)
			if n := f.count("u_halt"); n != c.after {
				t.Errorf("%d records, want %d", n, c.after)
			}
		})
	}
}

// restart serves as a server does that has been started again.
func (f *fixture) restart() {
	f.Helper()
	f.work, f.stopping = importset.NewBackground(2), make(chan struct{})
	f.serve(0)
}

// blocked opens another store, in which writes on a table are held.
func (f *fixture) blocked(table string) *blocker {
	f.Helper()
	block := &blocker{table: table, reached: make(chan struct{})}
	var err error
	f.db, err = record.Open(context.Background(), stores.Open(f, stores.SQLite(f)), record.Config{Tables: slices.Concat(importset.Tables(), v1.Tables()), Hooks: []record.Hook{block}})
	if err != nil {
		f.Fatal(err)
	}
	f.imports = importset.New(f.db)
	f.serve(0)
	return block
}

// Scripts run with full rights, so maps that bring some are for administrators.
func TestMapsWithScriptsAreForAdministrators(t *testing.T) {
	f := newFixture(t)
	scripted := url.QueryEscape("targetTable: u_raw\nfields: {name: {useSourceScript: true, sourceScript: answer = 1}}")
	f.call(200, "POST", "/imports?into=u_raw&create=true&wait=true", "clerk", strings.NewReader(servers), nil)
	resp := f.call(403, "POST", "/imports?wait=true&map="+scripted, "clerk", strings.NewReader(servers), nil)
	if !strings.Contains(string(resp.body), "maps with scripts") {
		t.Errorf("%s", resp.body)
	}
}
