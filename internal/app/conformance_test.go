package app_test

import (
	"context"
	"errors"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/dop251/goja"

	"headrace/internal/app"
	"headrace/internal/app/basetables"
	"headrace/internal/core/record"
	"headrace/internal/flow/access/vault"
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
	engine *script.Engine
	last   string // the last line that a script logged
}

func openCases(t *testing.T, cfg app.Config) *caseWorld {
	t.Helper()
	t.Setenv(vault.Variable, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")
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
	w := &caseWorld{App: a}
	clock := func() time.Time { return present }
	library := glide.New(glide.Config{DB: a.DB, Access: a.Access, Clock: clock})
	w.engine = script.New(script.Config{DB: a.DB, Access: a.Access, Clock: clock, Modules: []script.Module{library, a.Events.Module()},
		Log: func(_ context.Context, e script.LogEntry) { w.last = e.Level + ": " + e.Message }})
	if _, err := w.run(t.Context(), conformance.Case{Script: conformance.Setup()}, a.DB.As(record.System).Write); err != nil {
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

// run runs a case inside a transaction and gives its last value as text.
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

// caseHelpers are what cases write shorter.
const caseHelpers = `
function make(table, values) { var gr = new GlideRecord(table); gr.initialize(); for (var n in values) gr.setValue(n, values[n]); return gr.insert(); }
function idOf(table, field, value) { var gr = new GlideRecord(table); gr.get(field, value); return gr.getUniqueValue(); }`

func (w *caseWorld) eval(ctx context.Context, env script.Env, text string) (string, error) {
	s, err := w.engine.Open(ctx, env)
	if err != nil {
		return "", err
	}
	defer s.Close()
	s.Set("lastLog", func() string { return w.last })
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
					got, err := w.run(t.Context(), c, w.undone)
					if wrong := c.Check(got, err); wrong != "" {
						t.Errorf("%s: %s\n%s", c.At, wrong, c.Script)
					}
				})
			}
		})
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
