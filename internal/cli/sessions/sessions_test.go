// Package sessions_test plays sessions of the command line, written down with the files they need and what must come of them.
package sessions_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"headrace/internal/store/storetest/pgtest"
)

var postgres string // URL of the server that sessions on PostgreSQL use

func TestMain(m *testing.M) { testscript.Main(prepared{m}, map[string]func(){"hold-lock": holdLock}) }

// prepared runs the tests with the program as it is released in the PATH, beside a PostgreSQL server.
type prepared struct{ m *testing.M }

func (p prepared) Run() int {
	code, err := p.run()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func (p prepared) run() (code int, err error) {
	dir, err := os.MkdirTemp("", "headrace-sessions-*")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(dir, "headrace"), "headrace/cmd/headrace")
	if out, err := build.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("building headrace: %w\n%s", err, out)
	}
	if err := os.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH")); err != nil {
		return 1, err
	}
	server, err := pgtest.Start()
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	postgres = server.URL
	return p.m.Run(), nil
}

// TestSessionsOnSQLite plays all sessions on the embedded store. All sessions, those on PostgreSQL too, are played side by
// side: some of them wait most of the time.
func TestSessionsOnSQLite(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"testdata", "testdata/both"} {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			testscript.Run(t, params(dir, nil))
		})
	}
}

// TestSessionsOnPostgres plays the sessions in which the store matters once more, each in a schema of its own.
func TestSessionsOnPostgres(t *testing.T) {
	t.Parallel()
	testscript.Run(t, params("testdata/both", func(e *testscript.Env) error {
		at, err := url.Parse(postgres)
		if err != nil {
			return err
		}
		q := at.Query()
		q.Set("search_path", "cli_"+strings.NewReplacer("-", "_", ".", "_").Replace(filepath.Base(e.WorkDir)))
		at.RawQuery = q.Encode()
		e.Setenv("HEADRACE_DATABASE", at.String())
		return nil
	}))
}

func params(dir string, setup func(*testscript.Env) error) testscript.Params {
	return testscript.Params{Dir: dir, Setup: setup, Cmds: map[string]func(*testscript.TestScript, bool, []string){"code": code, "sized": sized, "serve": serve, "stop": stop,
		"capture": capture, "until": until}}
}

// code runs a program that must end with an exit code: code 4 headrace import ...
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N program args...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// capture sets a variable to what a pattern finds in the last standard output: capture NAME PATTERN, with one group.
func capture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: capture NAME PATTERN")
	}
	pattern, err := regexp.Compile(args[1])
	ts.Check(err)
	found := pattern.FindStringSubmatch(ts.ReadFile("stdout"))
	if len(found) != 2 {
		ts.Fatalf("nothing like %s", args[1])
	}
	ts.Setenv(args[0], found[1])
}

// until runs a program again and again until its output holds what a pattern wants: until PATTERN program args...
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until PATTERN program args...")
	}
	pattern, err := regexp.Compile(args[0])
	ts.Check(err)
	for began := time.Now(); time.Since(began) < time.Minute; time.Sleep(20 * time.Millisecond) {
		ts.Check(ts.Exec(args[1], args[2:]...))
		if pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
	}
	ts.Fatalf("within a minute nothing like %s", args[0])
}

// sized writes a file by repeating a line: sized FILE TIMES HEADER LINE; % in the line is its number.
func sized(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: sized FILE TIMES HEADER LINE")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	f, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	w := bufio.NewWriter(f)
	if args[2] != "" {
		fmt.Fprintln(w, args[2])
	}
	for i := range n {
		fmt.Fprintln(w, strings.ReplaceAll(args[3], "%", strconv.Itoa(i)))
	}
	ts.Check(w.Flush())
	ts.Check(f.Close())
}

// holdLock is a program that holds the write lock of a SQLite database until its input ends: hold-lock FILE.
func holdLock() {
	cmd := exec.Command("sqlite3", "-bail", os.Args[1])
	in, err := cmd.StdinPipe()
	if err == nil {
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		err = cmd.Start()
	}
	if err == nil {
		_, err = io.WriteString(in, "BEGIN IMMEDIATE;\nSELECT 'locked';\n")
	}
	if err == nil {
		_, err = io.Copy(io.Discard, os.Stdin)
	}
	if err = errors.Join(err, in.Close(), cmd.Wait()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
