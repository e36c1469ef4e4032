// Package harness runs the tests of a project: each against a throw-away server that has the project applied, with a
// clock that only the test moves, a partner that answers as the test says, and work that is done when the test says so.
package harness

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"headrace/internal/connect/mock"
	"headrace/internal/connect/source"
	"headrace/internal/connect/yamlfile"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/event"
	"headrace/internal/flow/importset"
	"headrace/internal/flow/importset/datasource"
	"headrace/internal/flow/outbound"
	"headrace/internal/flow/outbound/export"
	"headrace/internal/flow/project"
	"headrace/internal/flow/schedule"
	"headrace/internal/flow/script"
	"headrace/internal/store/queue"
)

// World is a server put together for one test.
type World struct {
	DB       *record.DB
	Imports  *importset.Service
	Queue    *queue.Queue
	Scripts  *script.Engine
	Events   *event.Service
	Outbound *outbound.Service
	Sources  *datasource.Service
	Exports  *export.Service
	Project  *project.Service

	Schedules *schedule.Service
	Close     func() error
}

// Surroundings are what a test puts in the place of the world outside.
type Surroundings struct {
	Data string // folder of the store
	// Database is where the store is, when it is in no folder: a place for this test alone.
	Database string
	Clock    func() time.Time
	Through  http.RoundTripper // in the place of the network
	Log      func(ctx context.Context, e script.LogEntry)
	Getenv   func(name string) (string, bool) // secrets
	// Stand puts what a test has in the place of a kind of source; Wait passes the time between two attempts at one.
	Stand func(name string, k source.Kind) source.Kind
	Wait  func(ctx context.Context, d time.Duration) error
}

// Opener opens a World; the composition root has one.
type Opener func(ctx context.Context, s Surroundings) (*World, error)

// Config says what is run.
type Config struct {
	Dir   string // the project's folder
	Match string // only tests whose "file: name" contains it
	Open  Opener
	// Ready makes what every server has, before the project is applied.
	Ready func(ctx context.Context, w *World) error
	// Place finds a database for one test, and how it goes again; nil keeps stores in folders, which are copied.
	Place func(ctx context.Context) (database string, drop func(context.Context) error, err error)
}

// Result is what became of one test.
type Result struct {
	File     string    `json:"file"`
	Name     string    `json:"name"`
	Passed   bool      `json:"passed"`
	Failures []Failure `json:"failures,omitempty"`
	Story    []string  `json:"story,omitempty"` // of a failed test: what happened
	Millis   int64     `json:"millis"`
}

// Failure is one thing that was not as the test says.
type Failure struct {
	Place   string `json:"place"`
	Message string `json:"message"`
}

// Report is what became of the tests of a project.
type Report struct {
	Project string   `json:"project"`
	Passed  int      `json:"passed"`
	Failed  int      `json:"failed"`
	Tests   []Result `json:"tests"`
}

// runner runs the tests of a project.
type runner struct {
	Config
	home   string // a folder for all that is made
	report *Report
}

// Run runs the tests of a project, one after the other, and tells each result to told as it comes. A project with
// mistakes, or without tests, is an error.
func Run(ctx context.Context, cfg Config, told func(Result)) (*Report, error) {
	tests, err := read(cfg.Dir)
	if err != nil {
		return nil, err
	}
	tests = slices.DeleteFunc(tests, func(t test) bool { return !strings.Contains(t.file.name+": "+t.Name, cfg.Match) })
	if len(tests) == 0 {
		return nil, fault.New(fault.Invalid, "there is no test to run in %s", filepath.Join(cfg.Dir, Folder)).WithHint("tests are YAML files in %s/: docs/testing.md", Folder)
	}
	home, err := os.MkdirTemp("", "headrace-test-*")
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "there is no room for a temporary folder").WithHint("TMPDIR names another folder")
	}
	defer os.RemoveAll(home)
	r := &runner{Config: cfg, home: home, report: &Report{Tests: []Result{}}}
	for i := range tests {
		result, err := r.one(ctx, &tests[i])
		if err != nil {
			return nil, err
		}
		r.report.Tests = append(r.report.Tests, *result)
		if result.Passed {
			r.report.Passed++
		} else {
			r.report.Failed++
		}
		told(*result)
	}
	return r.report, nil
}

// soil makes the store of a test, with the project applied at the time at which the test begins: then no schedule is
// overdue, and nothing is late. drop removes it.
func (r *runner) soil(ctx context.Context, t *test) (at Surroundings, drop func(context.Context) error, err error) {
	at = Surroundings{Data: filepath.Join(r.home, "test")}
	empty := func(context.Context) error { return os.RemoveAll(at.Data) }
	if r.Place != nil {
		var gone func(context.Context) error
		if at.Database, gone, err = r.Place(ctx); err != nil {
			return at, nil, err
		}
		drop := func(ctx context.Context) error { return errors.Join(gone(ctx), empty(ctx)) }
		return at, drop, r.sow(ctx, at, t.now)
	}
	// Tests that begin at one time get copies of one store.
	ready := Surroundings{Data: filepath.Join(r.home, "ready-"+t.now.Format("20060102T150405"))}
	if _, err := os.Stat(ready.Data); err != nil {
		if err := r.sow(ctx, ready, t.now); err != nil {
			return at, empty, err
		}
	}
	if err := os.CopyFS(at.Data, os.DirFS(ready.Data)); err != nil {
		return at, empty, fault.Wrap(fault.Unavailable, err, "the store of a test cannot be made")
	}
	return at, empty, nil
}

// sow makes a store that has the project applied.
func (r *runner) sow(ctx context.Context, at Surroundings, now time.Time) error {
	at.Clock, at.Getenv = func() time.Time { return now }, madeUp
	if err := os.MkdirAll(at.Data, 0o755); err != nil {
		return fault.Wrap(fault.Unavailable, err, "the store of a test cannot be made")
	}
	w, err := r.Open(ctx, at)
	if err != nil {
		return err
	}
	r.report.Project, err = prepare(ctx, r.Config, w)
	if closing := w.Close(); err == nil {
		err = closing
	}
	return err
}

// prepare applies the project to a new store.
func prepare(ctx context.Context, cfg Config, w *World) (name string, err error) {
	if err := cfg.Ready(ctx, w); err != nil {
		return "", err
	}
	p, err := w.Project.Load(ctx, cfg.Dir)
	if err != nil {
		return "", err
	}
	_, err = w.Project.Apply(ctx, p)
	return p.Name, err
}

// madeUp stands for every secret, so that tests need none.
func madeUp(name string) (string, bool) {
	return "test-" + strings.ToLower(name), !strings.HasSuffix(name, "_FILE")
}

// trial is a test under way.
type trial struct {
	*World
	test    *test
	result  *Result
	clock   *clock
	partner *mock.Server
	doubles *doubles
	records map[string]named
	began   time.Time // by the clock

	mu   sync.Mutex
	logs []script.LogEntry
}

// named is a record that a test has given a name.
type named struct {
	table *record.Table
	id    string
}

// clock is the time of a test.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// set moves the clock, never back.
func (c *clock) set(to time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if to.After(c.now) {
		c.now = to
	}
}

// one runs one test. What the test finds wrong is in the result; an error is one of the surroundings.
func (r *runner) one(ctx context.Context, t *test) (result *Result, err error) {
	began := time.Now()
	at, drop, err := r.soil(ctx, t)
	if drop != nil {
		defer func() { err = errors.Join(err, drop(context.WithoutCancel(ctx))) }()
	}
	if err != nil {
		return nil, err
	}
	clock := &clock{now: t.now}
	answers := mock.New(t.Partner, nil)
	answers.Clock = clock.Now
	partner, err := mock.Start(ctx, answers, "")
	if err != nil {
		return nil, err
	}
	defer partner.Close()
	tr := &trial{test: t, result: &Result{File: t.file.name, Name: t.Name}, clock: clock, partner: partner, records: map[string]named{}, began: t.now,
		doubles: &doubles{home: filepath.Join(at.Data, "doubles"), all: t.Doubles, clock: clock.Now}}
	at.Clock, at.Through, at.Log, at.Getenv, at.Stand, at.Wait = clock.Now, partner.Network(), tr.log, madeUp, tr.doubles.stand, clock.pass
	if tr.World, err = r.Open(ctx, at); err != nil {
		return nil, err
	}
	tr.play(ctx)
	tr.result.Passed = len(tr.result.Failures) == 0
	if !tr.result.Passed {
		tr.result.Story = tr.story(ctx)
	}
	tr.result.Millis = time.Since(began).Milliseconds()
	if err := tr.Close(); err != nil {
		return nil, err
	}
	return tr.result, ctx.Err()
}

func (t *trial) log(_ context.Context, e script.LogEntry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.logs = append(t.logs, e)
}

// fail notes what is wrong at a path of the test.
func (t *trial) fail(path, format string, args ...any) {
	place := yamlfile.Place(t.test.file.name, t.test.file.text, path)
	t.result.Failures = append(t.result.Failures, Failure{Place: place, Message: t.doubles.hide(fmt.Sprintf(format, args...))})
}

// play does what the test says, step by step, and stops at the first step that cannot be done.
func (t *trial) play(ctx context.Context) {
	if err := t.isolate(ctx); err != nil {
		t.fail(t.test.path, "%s", describe(err))
		return
	}
	if err := t.furnish(ctx); err != nil {
		t.fail(t.test.path+"doubles", "%s", describe(err))
		return
	}
	if table, err := t.fixtures(ctx); err != nil {
		t.fail(t.test.path, "fixture %s: %s", table, describe(err))
		return
	}
	for i := range t.test.Steps {
		s := &t.test.Steps[i]
		path := fmt.Sprintf("%ssteps[%d]", t.test.path, i)
		err := t.step(ctx, s, path)
		switch {
		case err != nil && s.Fails == "":
			t.fail(path, "%s", describe(err))
			return
		case err == nil && s.Fails != "":
			t.fail(path, "it succeeds, and should fail with %q", s.Fails)
			return
		case err != nil && !strings.Contains(err.Error(), s.Fails):
			t.fail(path, "it fails with %q, and should with %q", describe(err), s.Fails)
		}
	}
}

func describe(err error) string {
	if hint := fault.HintOf(err); hint != "" {
		return err.Error() + " -> " + hint
	}
	return err.Error()
}
