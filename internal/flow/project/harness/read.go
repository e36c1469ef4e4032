package harness

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"headrace/internal/connect/mock"
	"headrace/internal/connect/yamlfile"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// Folder is where a project has its tests.
const Folder = "tests"

// testFile is one file of tests: one test, or several under "tests" that share what stands before them.
type testFile struct {
	name   string
	text   []byte
	Shared test   `yaml:",inline"`
	Tests  []test `yaml:"tests"`
}

// test is one test.
type test struct {
	Name     string                         `yaml:"name"`
	Now      string                         `yaml:"now"`
	Partner  []mock.Route                   `yaml:"partner"`
	Only     *only                          `yaml:"only"`
	Doubles  map[string]double              `yaml:"doubles"` // by the name of a data source or export set
	Fixtures map[string][]map[string]string `yaml:"fixtures"`
	Steps    []step                         `yaml:"steps"`

	file *testFile
	path string // of the test in its file, with the dot behind it
	now  time.Time
}

// only names what is left active, to test it by itself.
type only struct {
	Rules   *[]string `yaml:"rules"`
	Actions *[]string `yaml:"actions"`
}

// double is what stands in the place of an address: a database or a folder.
type double struct {
	SQL   *scripts         `yaml:"sql"`
	Files map[string]given `yaml:"files"`
}

// scripts are statements, or files of them.
type scripts []string

// UnmarshalYAML takes one for several.
func (s *scripts) UnmarshalYAML(unmarshal func(any) error) error {
	var one string
	if err := unmarshal(&one); err == nil {
		*s = scripts{one}
		return nil
	}
	return unmarshal((*[]string)(s))
}

// given is what a file holds: a text, or what another file does.
type given struct {
	Text string
	From string `yaml:"from"`
}

// UnmarshalYAML takes a text for what the file holds.
func (g *given) UnmarshalYAML(unmarshal func(any) error) error {
	if err := unmarshal(&g.Text); err == nil {
		return nil
	}
	type whole struct {
		From string `yaml:"from"`
	}
	var w whole
	err := unmarshal(&w)
	g.From = w.From
	return err
}

// step is one thing that a test does, or expects.
type step struct {
	Create string            `yaml:"create"` // table
	Update string            `yaml:"update"` // name of a record
	Delete string            `yaml:"delete"` // name of a record
	As     string            `yaml:"as"`     // the name of what is created
	Values map[string]string `yaml:"values"`
	Quiet  bool              `yaml:"quiet"` // without business rules

	Fire   string `yaml:"fire"`   // event
	Record string `yaml:"record"` // name of the record it is about
	Parm1  string `yaml:"parm1"`
	Parm2  string `yaml:"parm2"`

	Call  string         `yaml:"call"` // script whose last value is meant
	With  map[string]any `yaml:"with"` // its global variables
	Gives any            `yaml:"gives"`

	Send      string            `yaml:"send"` // "Message/function"
	Variables map[string]string `yaml:"variables"`
	Body      *string           `yaml:"body"`

	Push  string           `yaml:"push"` // staging table
	Rows  []map[string]any `yaml:"rows"`
	Fates []string         `yaml:"fates"`

	Import string           `yaml:"import"` // data source
	Run    string           `yaml:"run"`    // schedule
	Export string           `yaml:"export"` // export set
	Put    string           `yaml:"put"`    // data source whose partner leaves files
	Files  map[string]given `yaml:"files"`
	SQL    string           `yaml:"sql"` // data source whose partner changes its database
	Do     scripts          `yaml:"do"`

	Drain   string `yaml:"drain"`   // work what is due and becomes due, for so long, or all
	Advance string `yaml:"advance"` // move the clock

	Fails  string  `yaml:"fails"` // the step must fail, saying so
	Expect *expect `yaml:"expect"`
}

// expect is what must have come about by now.
type expect struct {
	Events   map[string]expectedEvent `yaml:"events"`
	Requests []expectedRequest        `yaml:"requests"`
	Records  []expectedRecord         `yaml:"records"`
	Rules    map[string]string        `yaml:"rules"` // fired, skipped
	Logs     []string                 `yaml:"logs"`
	NoLogs   []string                 `yaml:"noLogs"`

	Files     map[string]map[string]expectedFile `yaml:"files"` // by data source or export set, and name or pattern
	Sources   map[string]expectedSource          `yaml:"sources"`
	Schedules map[string]expectedSchedule        `yaml:"schedules"`
}

// expectedFile is what a file at a double holds.
type expectedFile struct {
	Contains *string `yaml:"contains"`
	Equals   *string `yaml:"equals"`
	Absent   bool    `yaml:"absent"`
	Count    *int    `yaml:"count"` // of files that the pattern means
}

// UnmarshalYAML takes a text for what the file contains.
func (e *expectedFile) UnmarshalYAML(unmarshal func(any) error) error {
	var text string
	if err := unmarshal(&text); err == nil {
		e.Contains = &text
		return nil
	}
	type whole expectedFile
	return unmarshal((*whole)(e))
}

// expectedSource is how a data source is.
type expectedSource struct {
	State     string    `yaml:"state"`
	Alerts    *[]string `yaml:"alerts"` // the kinds of all that are open
	Watermark *string   `yaml:"watermark"`
}

// expectedSchedule is what a schedule has done.
type expectedSchedule struct {
	Runs  *int    `yaml:"runs"`  // lines of its history
	State string  `yaml:"state"` // of the newest
	Next  *string `yaml:"next"`  // when it runs next, in UTC
}

type expectedEvent struct {
	Count  *int              `yaml:"count"`
	Values map[string]string `yaml:"values"`
}

// UnmarshalYAML takes a number for the count.
func (e *expectedEvent) UnmarshalYAML(unmarshal func(any) error) error {
	var n int
	if err := unmarshal(&n); err == nil {
		e.Count = &n
		return nil
	}
	type whole expectedEvent
	return unmarshal((*whole)(e))
}

type expectedRequest struct {
	Route   string            `yaml:"route"` // name of the partner's route
	Method  string            `yaml:"method"`
	Path    string            `yaml:"path"`
	Count   *int              `yaml:"count"`
	Status  []int             `yaml:"status"` // answered, in order
	Headers map[string]string `yaml:"headers"`
	JSON    any               `yaml:"json"`    // the body has all that
	Body    string            `yaml:"body"`    // the body contains it
	SameKey bool              `yaml:"sameKey"` // all of them have one Idempotency-Key
}

type expectedRecord struct {
	Record string            `yaml:"record"` // name
	Table  string            `yaml:"table"`
	Query  string            `yaml:"query"`
	Count  *int              `yaml:"count"`
	Values map[string]string `yaml:"values"`
}

var properties = []string{"name", "now", "partner", "only", "fixtures", "steps", "tests", "rules", "actions", "create", "update", "delete", "as", "values", "quiet",
	"fire", "record", "parm1", "parm2", "call", "with", "gives", "send", "variables", "body", "push", "rows", "fates", "drain", "advance", "fails", "expect",
	"events", "requests", "records", "logs", "noLogs", "count", "route", "method", "path", "status", "headers", "json", "sameKey", "table", "query",
	"doubles", "sql", "from", "import", "run", "export", "put", "do", "files", "sources", "schedules",
	"contains", "equals", "absent", "state", "alerts", "watermark", "runs", "next",
	"host", "match", "key", "loop", "answers", "file", "times", "repeat", "latency", "drop", "done", "hold"}

// start is when tests begin that do not say.
var start = time.Date(2030, 1, 15, 9, 0, 0, 0, time.UTC)

// read reads the tests of a project, in the order of their files.
func read(dir string) ([]test, error) {
	found, err := filepath.Glob(filepath.Join(dir, Folder, "*.yaml"))
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the folder %s", dir)
	}
	slices.Sort(found)
	var out []test
	for _, name := range found {
		tests, err := readFile(name)
		if err != nil {
			return nil, err
		}
		out = append(out, tests...)
	}
	return out, nil
}

func readFile(name string) ([]test, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "%s cannot be read", name)
	}
	f := &testFile{name: name, text: text}
	if err := yamlfile.Decode(name, text, f, properties); err != nil {
		return nil, err
	}
	if len(f.Tests) == 0 {
		f.Tests = []test{{Name: f.Shared.Name, Steps: f.Shared.Steps}}
	} else if len(f.Shared.Steps) > 0 {
		return nil, fault.New(fault.Invalid, "%s: steps stand both in tests and beside them", yamlfile.Place(name, text, "steps")).WithHint("put them into tests")
	}
	alone := !strings.Contains("\n"+string(text), "\ntests:")
	for i := range f.Tests {
		t := &f.Tests[i]
		t.file = f
		if !alone {
			t.path = fmt.Sprintf("tests[%d].", i)
		}
		if err := t.inherit(&f.Shared); err != nil {
			return nil, err
		}
	}
	return f.Tests, nil
}

// inherit takes over what stands before the tests of a file.
func (t *test) inherit(from *test) error {
	if t.Name == "" {
		t.Name = strings.TrimSuffix(filepath.Base(t.file.name), ".yaml")
	}
	if t.Now == "" {
		t.Now = from.Now
	}
	if t.Only == nil {
		t.Only = from.Only
	}
	t.Partner = append(slices.Clone(t.Partner), from.Partner...)
	if err := mock.Settle(t.Partner, filepath.Dir(t.file.name)); err != nil {
		return fault.During(yamlfile.Place(t.file.name, t.file.text, t.path+"partner"), err)
	}
	doubles := maps.Clone(from.Doubles)
	if doubles == nil {
		doubles = map[string]double{}
	}
	maps.Copy(doubles, t.Doubles)
	t.Doubles = doubles
	fixtures := map[string][]map[string]string{}
	for _, f := range []map[string][]map[string]string{from.Fixtures, t.Fixtures} {
		for table, rows := range f {
			fixtures[table] = append(fixtures[table], rows...)
		}
	}
	t.Fixtures = fixtures
	t.now = start
	if t.Now == "" {
		return nil
	}
	now, err := time.Parse(record.DateTimeLayout, t.Now)
	if err != nil {
		return fault.New(fault.Invalid, "%s: now is no time", yamlfile.Place(t.file.name, t.file.text, t.path+"now")).WithHint("2030-01-15 09:00:00, in UTC")
	}
	t.now = now
	return nil
}
