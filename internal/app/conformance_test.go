package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dop251/goja"

	"headrace/internal/app"
	"headrace/internal/app/basetables"
	"headrace/internal/core/record"
	"headrace/internal/flow/access/vault"
	"headrace/internal/flow/attachment"
	"headrace/internal/flow/outbound/snws"
	"headrace/internal/flow/script"
	"headrace/internal/flow/script/conformance"
	"headrace/internal/flow/script/glide"
	"headrace/internal/store/storetest/stores"
)

var update = flag.Bool("update", false, "write docs/scripts-conformance.md anew")

// present is when the cases run: a Tuesday, before the clocks go forward.
var present = time.Date(2026, 3, 10, 12, 34, 56, 0, time.UTC)

// caseWorld is the product with the records that cases look at.
type caseWorld struct {
	*app.App
	engine  *script.Engine
	last    string // the last line that a script logged
	partner *partner
}

// partner answers calls with what it was asked, and counts them by path.
type partner struct {
	mu    sync.Mutex
	asked map[string]int
}

// RoundTrip makes partner an http.RoundTripper: the network of the cases.
func (p *partner) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	p.mu.Lock()
	p.asked[r.URL.Path]++
	p.mu.Unlock()
	headers := map[string]string{}
	for name := range r.Header {
		headers[name] = r.Header.Get(name)
	}
	text, err := json.Marshal(map[string]any{"method": r.Method, "path": r.URL.Path, "query": r.URL.RawQuery, "headers": headers, "body": string(body)})
	if err != nil {
		return nil, err
	}
	status := http.StatusOK
	if asked, found := strings.CutPrefix(r.URL.Path, "/status/"); found {
		if status, err = strconv.Atoi(asked); err != nil {
			return nil, err
		}
	}
	h := http.Header{"Content-Type": {"application/json"}, "X-Partner": {"yes"}}
	return &http.Response{StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: h, Body: io.NopCloser(bytes.NewReader(text)),
		ContentLength: int64(len(text)), Request: r}, nil
}

func (p *partner) count(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked[path]
}

func openCases(t *testing.T, cfg app.Config) *caseWorld {
	t.Helper()
	t.Setenv(vault.Variable, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")
	clock := func() time.Time { return present }
	world := &partner{asked: map[string]int{}}
	cfg.Outside = app.Outside{Clock: clock, Through: world}
	a, err := app.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := basetables.Install(t.Context(), a.DB); err != nil {
		t.Fatal(err)
	}
	w := &caseWorld{App: a, partner: world}
	library := glide.New(glide.Config{DB: a.DB, Access: a.Access, Clock: clock})
	w.engine = script.New(script.Config{DB: a.DB, Access: a.Access, Clock: clock, Modules: []script.Module{library, a.Events.Module(), snws.New(a.Outbound, attachment.New(a.DB))},
		Log: func(_ context.Context, e script.LogEntry) { w.last = e.Level + ": " + e.Message }})
	if _, err := w.run(t.Context(), conformance.Case{Script: conformance.Setup()}, w.committed); err != nil {
		t.Fatal(err)
	}
	return w
}

// undone runs fn in a transaction that leaves nothing.
func (w *caseWorld) undone(ctx context.Context, fn func(*record.Writer) error) error {
	var inner error
	rolledBack := errors.New("rolled back")
	err := w.DB.As(record.System).Write(ctx, func(writer *record.Writer) error {
		inner = fn(writer)
		return rolledBack
	})
	if inner == nil && !errors.Is(err, rolledBack) {
		return err
	}
	return inner
}

// committed runs fn in a transaction.
func (w *caseWorld) committed(ctx context.Context, fn func(*record.Writer) error) error {
	return w.DB.As(record.System).Write(ctx, fn)
}

// alone runs fn outside of a transaction.
func (w *caseWorld) alone(_ context.Context, fn func(*record.Writer) error) error { return fn(nil) }

// run runs a case and gives its last value as text.
func (w *caseWorld) run(ctx context.Context, c conformance.Case, in func(context.Context, func(*record.Writer) error) error) (got string, err error) {
	err = in(ctx, func(writer *record.Writer) error {
		env := script.Env{Session: w.DB.As(record.System), Writer: writer}
		if c.As != "" {
			who, err := w.Access.IdentityOf(ctx, c.As)
			if err != nil {
				return err
			}
			env.Session, env.User = w.DB.As(who.Actor), who.UserID
		}
		got, err = w.eval(ctx, env, c.Script)
		return err
	})
	return got, err
}

// check runs a case in the way it asks for.
func (w *caseWorld) check(ctx context.Context, c conformance.Case) (got string, err error) {
	if c.Before != "" {
		if _, err := w.run(ctx, conformance.Case{Script: c.Before}, w.committed); err != nil {
			return "", err
		}
		defer func() {
			_, failed := w.run(ctx, conformance.Case{Script: removeRules}, w.committed)
			err = errors.Join(err, failed)
		}()
	}
	switch {
	case c.Alone != "":
		return w.run(ctx, c, w.alone)
	case c.After == "":
		return w.run(ctx, c, w.undone)
	}
	if _, err := w.run(ctx, c, w.committed); err != nil {
		return "", err
	}
	// A handler that fails is tried again later: what is due within the hour is worked.
	if _, err := w.Queue.Drain(ctx, present.Add(time.Hour)); err != nil {
		return "", err
	}
	return w.run(ctx, conformance.Case{Script: c.After}, w.committed)
}

// removeRules ends what cases prepared.
const removeRules = `["sys_script", "sysevent_script_action"].forEach(function (table) { var gr = new GlideRecord(table); gr.query(); while (gr.next()) gr.deleteRecord(); });`

// caseHelpers are what cases write shorter.
const caseHelpers = `
function make(table, values) { var gr = new GlideRecord(table); gr.initialize(); for (var n in values) gr.setValue(n, values[n]); return gr.insert(); }
function rule(values) { make('sys_script', Object.assign({name: 'a case', collection: 'problem'}, values)); }
function idOf(table, field, value) { var gr = new GlideRecord(table); gr.get(field, value); return gr.getUniqueValue(); }`

func (w *caseWorld) eval(ctx context.Context, env script.Env, text string) (string, error) {
	s, err := w.engine.Open(ctx, env)
	if err != nil {
		return "", err
	}
	defer s.Close()
	s.Set("lastLog", func() string { return w.last })
	s.Set("partner", w.partner.count)
	// reopen runs a script in a scope of its own, as the next handler would.
	s.Set("reopen", func(text string) string {
		w.engine.Forget() // as the hook of a served engine does
		got, err := w.eval(ctx, env, text)
		if err != nil {
			s.Throw(err)
		}
		return got
	})
	if _, err := s.Run(script.Source{Name: "helpers", Text: caseHelpers}); err != nil {
		return "", err
	}
	v, err := s.Run(script.Source{Name: "case", Text: text})
	if err != nil {
		return "", err
	}
	return shown(v), nil
}

// shown is a value as text, null by name.
func shown(v goja.Value) string {
	if v == nil {
		return "undefined"
	}
	return v.String()
}

func TestScriptConformance(t *testing.T) {
	cases, err := conformance.Cases()
	if err != nil {
		t.Fatal(err)
	}
	for name, config := range map[string]func(testing.TB) app.Config{
		"sqlite":   func(t testing.TB) app.Config { return app.Config{Data: t.TempDir()} },
		"postgres": func(t testing.TB) app.Config { return app.Config{Database: stores.Postgres(t).URL} },
	} {
		t.Run(name, func(t *testing.T) {
			w := openCases(t, config(t))
			for _, c := range cases {
				t.Run(c.Section+" "+c.Law, func(t *testing.T) {
					got, err := w.check(t.Context(), c)
					if wrong := c.Check(got, err); wrong != "" {
						t.Errorf("%s: %s\n%s", c.At, wrong, c.Script)
					}
				})
			}
		})
	}
}

var declaredName = regexp.MustCompile(`(?m)^declare (?:class|const|function|namespace) (\w+)`)

func TestNamesAreThereAsEditorsAndPageAreTold(t *testing.T) {
	w := openCases(t, app.Config{Data: t.TempDir()})
	kind := func(name string) string {
		got, err := w.run(t.Context(), conformance.Case{Script: "typeof " + name}, w.undone)
		if err != nil {
			t.Error(err)
		}
		return got
	}
	missing := conformance.Undefined()
	if len(missing) < 10 {
		t.Fatalf("only %d names are read from the page", len(missing))
	}
	for _, name := range missing {
		if got := kind(name); got != "undefined" {
			t.Errorf("the page calls %s undefined, and it is %s", name, got)
		}
	}
	for _, found := range declaredName.FindAllStringSubmatch(glide.Types, -1) {
		if name := found[1]; name != "current" && name != "previous" && kind(name) == "undefined" { // those two are there in rules
			t.Errorf("%s is declared and undefined", name)
		}
	}
}

const conformancePage = "../../docs/scripts-conformance.md"

// docs/scripts-conformance.md is drawn from the cases, so that it cannot promise what is not tested.
func TestScriptConformancePage(t *testing.T) {
	cases, err := conformance.Cases()
	if err != nil {
		t.Fatal(err)
	}
	text, err := conformance.Page(cases)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(conformancePage, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	written, err := os.ReadFile(conformancePage)
	if err != nil || string(written) != text {
		t.Errorf("docs/scripts-conformance.md differs from the cases (%v); run go test ./internal/app -run ConformancePage -update and look at the difference", err)
	}
}
