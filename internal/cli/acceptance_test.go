package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"headrace/internal/store/storetest/pgtest"
)

// These tests run the release build as a process of its own, as people do: what it prints, its exit code, its memory and
// what is left when it is killed are the product.

// scratch holds the program under test, and goes when the tests end.
var scratch string

func TestMain(m *testing.M) {
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	var err error
	if scratch, err = os.MkdirTemp("", "headrace-cli-*"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(scratch)
	code := m.Run()
	if started != nil {
		if err := started.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	return code
}

// program builds the program once: not with the settings of the tests, but as it is released.
var program = sync.OnceValues(func() (string, error) {
	path := filepath.Join(scratch, "headrace")
	out, err := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "headrace/cmd/headrace").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("building headrace: %w\n%s", err, out)
	}
	return path, err
})

// started is the database server, once a test has asked for it.
var started *pgtest.Server

var postgres = sync.OnceValues(func() (server *pgtest.Server, err error) {
	started, err = pgtest.Start()
	return started, err
})

var schemas atomic.Int64

// home is a place where the program keeps its state.
type home struct {
	name  string
	flags []string
	dir   string // where the program runs and its files are
}

// newHome makes an empty home on SQLite.
func newHome(t testing.TB) *home {
	t.Helper()
	dir := t.TempDir()
	return &home{name: "sqlite", dir: dir, flags: []string{"--data", filepath.Join(dir, "data")}}
}

// newPostgresHome makes an empty home in a schema of its own, which goes when the test ends.
func newPostgresHome(t testing.TB) *home {
	t.Helper()
	server, err := postgres()
	if err != nil {
		t.Fatal(err)
	}
	schema := fmt.Sprintf("cli_%d_%d", os.Getpid(), schemas.Add(1))
	t.Cleanup(func() {
		c, err := pgx.Connect(context.Background(), server.URL)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close(context.Background())
		if _, err := c.Exec(context.Background(), "DROP SCHEMA IF EXISTS "+schema+" CASCADE"); err != nil {
			t.Error(err)
		}
	})
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	query := at.Query()
	query.Set("search_path", schema)
	at.RawQuery = query.Encode()
	return &home{name: "postgres", dir: t.TempDir(), flags: []string{"--database", at.String()}}
}

// onBoth runs a test on an empty home on each store.
func onBoth(t *testing.T, fn func(t *testing.T, h *home)) {
	t.Run("sqlite", func(t *testing.T) { fn(t, newHome(t)) })
	t.Run("postgres", func(t *testing.T) { fn(t, newPostgresHome(t)) })
}

// ended is how a process ended.
type ended struct {
	args   []string
	code   int // -1 when it was killed
	stdout []byte
	stderr []byte
	took   time.Duration
	peak   int64 // resident memory, bytes
}

// String shows the process for a failed test.
func (e *ended) String() string {
	out := e.stdout
	if len(out) > 3000 {
		out = out[:3000]
	}
	return fmt.Sprintf("headrace %q: exit code %d after %s\n%s\n%s", e.args, e.code, e.took.Round(time.Millisecond), out, e.stderr)
}

// process is the program at work.
type process struct {
	t        testing.TB
	cmd      *exec.Cmd
	out, err bytes.Buffer
	began    time.Time
	mu       sync.Mutex
	peak     int64         // resident memory so far
	watched  chan struct{} // closed when the process is not watched any more
}

// start starts the program in the home.
func (h *home) start(t testing.TB, args ...string) *process {
	t.Helper()
	return h.startInto(t, nil, nil, args...)
}

// startSaying is start with what the program says in a file that can be read meanwhile.
func (h *home) startSaying(t testing.TB, said *os.File, args ...string) *process {
	t.Helper()
	return h.startInto(t, nil, said, args...)
}

// startInto is start with the output of the program, or what it says, in files where they are given.
func (h *home) startInto(t testing.TB, printed, said *os.File, args ...string) *process {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: exec.Command(path, append(args, h.flags...)...), watched: make(chan struct{})}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = h.dir, &p.out, &p.err
	if printed != nil {
		p.cmd.Stdout = printed
	}
	if said != nil {
		p.cmd.Stderr = said
	}
	p.cmd.Env = append(os.Environ(), "HEADRACE_DATA=", "HEADRACE_DATABASE=", "HEADRACE_OUTPUT=", "NO_COLOR=1")
	p.began = time.Now()
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go p.watch()
	return p
}

// watch follows the peak of the process's memory until it has ended. What the kernel accounts to a child (ru_maxrss)
// would not do: it begins with the memory of the process that started it, which is this test.
func (p *process) watch() {
	defer close(p.watched)
	for {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
		_, line, found := strings.Cut(string(status), "VmHWM:")
		if err != nil || !found { // it has ended
			return
		}
		var kb int64
		if _, err := fmt.Sscan(line, &kb); err == nil {
			p.mu.Lock()
			p.peak = max(p.peak, kb<<10)
			p.mu.Unlock()
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// resident is the most memory that the process has taken so far, bytes.
func (p *process) resident() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.peak
}

// end waits for the process.
func (p *process) end() *ended {
	p.t.Helper()
	err := p.cmd.Wait()
	<-p.watched
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		p.t.Fatal(err)
	}
	e := &ended{args: p.cmd.Args[1:], code: p.cmd.ProcessState.ExitCode(), stdout: p.out.Bytes(), stderr: p.err.Bytes(), took: time.Since(p.began), peak: p.peak}
	return e
}

// run runs the program to its end.
func (h *home) run(t testing.TB, args ...string) *ended {
	t.Helper()
	return h.start(t, args...).end()
}

// printed runs the program, which must succeed, and gives its output as a file to read: for outputs that a test had better
// not hold in memory.
func (h *home) printed(t testing.TB, args ...string) *os.File {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "printed")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if e := h.startInto(t, f, nil, args...).end(); e.code != 0 {
		t.Fatalf("want exit code 0\n%s", e)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	return f
}

// must runs the program and fails the test when it exits with another code.
func (h *home) must(t testing.TB, code int, args ...string) *ended {
	t.Helper()
	e := h.run(t, args...)
	if e.code != code {
		t.Fatalf("want exit code %d\n%s", code, e)
	}
	return e
}

// runJSON is a run as the program tells it to other programs.
type runJSON struct {
	Run       int64   `json:"run"`
	State     string  `json:"state"`
	Read      int64   `json:"read"`
	Inserted  int64   `json:"inserted"`
	Updated   int64   `json:"updated"`
	Unchanged int64   `json:"unchanged"`
	Skipped   int64   `json:"skipped"`
	Rejected  int64   `json:"rejected"`
	Pending   int64   `json:"pending"`
	Seconds   float64 `json:"seconds"`
	Resumed   int64   `json:"resumed_at_row"`
	Reasons   []struct {
		Fate   string  `json:"fate"`
		Reason string  `json:"reason"`
		Rows   int64   `json:"rows"`
		Lines  []int64 `json:"lines"`
	} `json:"reasons"`
}

func (r *runJSON) balances() bool {
	return r.Read == r.Inserted+r.Updated+r.Unchanged+r.Skipped+r.Rejected+r.Pending
}

// fates are the counts of a run, to be compared.
func (r *runJSON) fates() [6]int64 {
	return [6]int64{r.Read, r.Inserted, r.Updated, r.Unchanged, r.Skipped, r.Rejected}
}

// decode reads the result of a process that was asked for JSON.
func decode[T any](t testing.TB, e *ended) T {
	t.Helper()
	var envelope struct {
		Result T `json:"result"`
	}
	if err := json.Unmarshal(e.stdout, &envelope); err != nil {
		t.Fatalf("%v\n%s", err, e)
	}
	return envelope.Result
}

// load imports to the end, with an exit code that depends on rejected rows alone, and gives the run.
func (h *home) load(t testing.TB, args ...string) *runJSON {
	t.Helper()
	e := h.run(t, append([]string{"import", "-o", "json"}, args...)...)
	if e.code != 0 && e.code != 4 {
		t.Fatalf("want exit code 0 or 4\n%s", e)
	}
	r := decode[runJSON](t, e)
	switch {
	case !r.balances() || r.Pending != 0:
		t.Fatalf("the ledger does not balance\n%s", e)
	case (e.code == 4) != (r.Rejected > 0):
		t.Fatalf("exit code %d with %d rows rejected\n%s", e.code, r.Rejected, e)
	case r.State != "done":
		t.Fatalf("state %s\n%s", r.State, e)
	}
	return &r
}

// write puts a file into the home's folder and gives its path.
func (h *home) write(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(h.dir, name)
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// soak reports whether the long forms are wanted.
func soak() bool { return os.Getenv("HEADRACE_SOAK") != "" }
