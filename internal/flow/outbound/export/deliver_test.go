package export_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"headrace/internal/connect/source"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/outbound"
	"headrace/internal/flow/outbound/export"
	"headrace/internal/store/sqlstore"
	"headrace/internal/store/storetest/stores"
)

// receiver is a web server that keeps what it is given, and fails in the ways it is told.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	files  map[string]string
	calls  []*http.Request // that left files
	bodies []string
	faults []func(w http.ResponseWriter, r *http.Request) // each for one such call, nil for none
}

func receive(t testing.TB, faults ...func(http.ResponseWriter, *http.Request)) *receiver {
	t.Helper()
	r := &receiver{files: map[string]string{}, faults: faults}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

// got tells what came. What a request left that was never answered is seen behind its lock.
func (s *receiver) got() (calls []*http.Request, bodies []string, files map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls), slices.Clone(s.bodies), maps.Clone(s.files)
}

func (s *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Method == http.MethodHead || r.Method == http.MethodGet {
		text, ok := s.files[r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(text)))
		io.WriteString(w, text)
		return
	}
	s.calls = append(s.calls, r)
	if len(s.faults) > 0 {
		fail := s.faults[0]
		s.faults = s.faults[1:]
		if fail != nil {
			fail(w, r)
			return
		}
	}
	s.keep(r, -1)
	w.WriteHeader(http.StatusCreated)
}

// keep keeps a body, or the first n bytes of it.
func (s *receiver) keep(r *http.Request, n int64) {
	from := io.Reader(r.Body)
	if n >= 0 {
		from = io.LimitReader(from, n)
	}
	text, _ := io.ReadAll(from)
	s.bodies = append(s.bodies, string(text))
	s.files[r.URL.Path] = string(text)
}

func status(code int) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// lose takes n bytes of the file, all when n is negative, keeps them and never answers.
func (s *receiver) lose(n int64) func(http.ResponseWriter, *http.Request) {
	return func(_ http.ResponseWriter, r *http.Request) {
		s.keep(r, n)
		panic(http.ErrAbortHandler)
	}
}

// drop takes n bytes and forgets them.
func drop(n int64) func(http.ResponseWriter, *http.Request) {
	return func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.CopyN(io.Discard, r.Body, n)
		panic(http.ErrAbortHandler)
	}
}

func calls(s *receiver) []*http.Request   { c, _, _ := s.got(); return c }
func bodies(s *receiver) []string         { _, b, _ := s.got(); return b }
func files(s *receiver) map[string]string { _, _, f := s.got(); return f }

// start runs the set, whatever comes of the delivery.
func (w *world) start(t testing.TB) *export.Run {
	t.Helper()
	r, err := w.Run(t.Context(), "servers", record.System)
	if r == nil {
		t.Fatal(err)
	}
	return r
}

// later lets time pass and takes further what is due then.
func (w *world) later(t testing.TB, d time.Duration) {
	t.Helper()
	w.clock.pass(d)
	_, err := w.Due(t.Context())
	check(t, err)
}

func (w *world) state(t testing.TB, id string, want export.State, attempts int) *export.Run {
	t.Helper()
	r := w.shown(t, id)
	if r.State != want || len(r.Tries) != attempts || r.Attempts != attempts {
		t.Fatalf("the run is %s after %d attempts (%+v), want %s after %d", r.State, r.Attempts, r.Tries, want, attempts)
	}
	return r
}

func TestFailingReceiverIsTriedAgainWithTheSameKeyAndBytes(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		w := open(t, cfg, t.TempDir())
		w.fill(t, 20)
		s := receive(t, status(503), status(503))
		w.add(t, outbound.PolicyTable, "name", "mine", "base", "4000", "factor", "3", "cap", "20000")
		w.set(t, "connection_url", s.URL+"/in/", "delivery_policy", w.policy(t, "mine"))
		r := w.start(t)
		w.state(t, r.ID, export.Retry, 1)
		w.later(t, time.Second) // half of 4 s, as the dice say
		w.state(t, r.ID, export.Retry, 1)
		w.later(t, time.Second)
		w.state(t, r.ID, export.Retry, 2)
		w.later(t, 6*time.Second)
		r = w.state(t, r.ID, export.Done, 3)
		if got := files(s)["/in/"+r.FileName]; int64(len(got)) != r.Bytes || r.Rows != 20 || r.Place != s.URL+"/in/"+r.FileName {
			t.Errorf("%d bytes: %+v", len(got), r)
		}
		for _, c := range calls(s) {
			if c.Header.Get("Idempotency-Key") != r.ID || c.Header.Get("Content-Type") != "text/csv" || !strings.Contains(c.Header.Get("Content-Disposition"), r.FileName) {
				t.Errorf("%v", c.Header)
			}
		}
		w.later(t, time.Hour)
		w.state(t, r.ID, export.Done, 3)
	})
}

// policy finds the id of a delivery policy.
func (w *world) policy(t testing.TB, name string) string {
	t.Helper()
	tab, err := w.db.Table(outbound.PolicyTable)
	check(t, err)
	for row, err := range w.db.As(record.System).Select(t.Context(), &record.Query{Table: tab, Fields: []string{record.SysID}, Where: field("name", name)}) {
		check(t, err)
		return row[0].Text
	}
	t.Fatalf("no policy %s", name)
	return ""
}

func TestAfterALostReplyTheFileIsLookedForBeforeItIsSentAgain(t *testing.T) {
	for name, c := range map[string]struct {
		kept  int64 // by the server; negative is all
		calls int
	}{"all of it arrived": {-1, 1}, "half of it arrived": {100, 2}} {
		t.Run(name, func(t *testing.T) {
			w := open(t, stores.SQLite(t), t.TempDir())
			w.fill(t, 50)
			s := receive(t)
			s.faults = append(s.faults, s.lose(c.kept))
			w.set(t, "connection_url", s.URL+"/in/")
			r := w.start(t)
			w.state(t, r.ID, export.Retry, 1)
			w.later(t, time.Minute)
			r = w.state(t, r.ID, export.Done, 2)
			if len(calls(s)) != c.calls || len(files(s)) != 1 || int64(len(files(s)["/in/"+r.FileName])) != r.Bytes {
				t.Errorf("%d calls, %d files", len(calls(s)), len(files(s)))
			}
		})
	}
}

func TestPostIsRepeatedOnlyWhereTheReceiverCanTell(t *testing.T) {
	for name, c := range map[string]struct {
		policy []string
		state  export.State
		calls  int
	}{"with a key": {nil, export.Done, 2}, "without": {[]string{"key_header", ""}, export.Dead, 1}, "at most once": {[]string{"at_most_once", "true"}, export.Dead, 1}} {
		t.Run(name, func(t *testing.T) {
			w := open(t, stores.SQLite(t), t.TempDir())
			w.fill(t, 5)
			s := receive(t)
			s.faults = append(s.faults, s.lose(-1))
			w.add(t, outbound.PolicyTable, append([]string{"name", "mine"}, c.policy...)...)
			w.set(t, "connection_url", s.URL+"/upload", "http_method", "POST", "delivery_policy", w.policy(t, "mine"))
			r := w.start(t)
			w.state(t, r.ID, export.Retry, 1)
			w.later(t, time.Minute)
			w.state(t, r.ID, c.state, 2)
			if len(calls(s)) != c.calls || calls(s)[0].Method != "POST" || calls(s)[0].URL.Path != "/upload" {
				t.Errorf("%d calls", len(calls(s)))
			}
		})
	}
}

func TestCredentialsByNameGoWithTheFile(t *testing.T) {
	w := open(t, stores.SQLite(t), t.TempDir())
	w.fill(t, 1)
	s := receive(t)
	w.add(t, outbound.BasicTable, "name", "partner", "username", "me", "password", "secret")
	w.set(t, "connection_url", s.URL+"/in/", "credential", "partner")
	w.run(t)
	if user, password, ok := calls(s)[0].BasicAuth(); !ok || user != "me" || password != "secret" {
		t.Errorf("%v", calls(s)[0].Header)
	}
}

func TestGivenUpDeliveriesAreReplayedWithTheBytesOfThen(t *testing.T) {
	w := open(t, stores.SQLite(t), t.TempDir())
	w.fill(t, 3)
	s := receive(t, status(400), status(503), status(503))
	w.add(t, outbound.PolicyTable, "name", "mine", "attempts", "2")
	id := w.set(t, "connection_url", s.URL+"/in/", "delivery_policy", w.policy(t, "mine"), "incremental", "true")
	dead, err := w.Run(t.Context(), "servers", record.System)
	if dead.State != export.Dead || fault.KindOf(err) != fault.Invalid {
		t.Fatalf("%+v, %v", dead, err)
	}
	again := w.start(t) // which begins where the last delivery was, and there was none
	w.later(t, time.Hour)
	again = w.state(t, again.ID, export.Dead, 2)
	if again.Rows != 3 || !strings.Contains(again.Error, "all 2 attempts") {
		t.Errorf("%+v", again)
	}
	w.add(t, "u_server", "name", "later")
	w.change(t, export.SetTable, id, "fields", "name,note")
	got, err := w.Replay(t.Context(), again.ID)
	check(t, err)
	if got[0].State != export.Done || got[0].SHA256 != again.SHA256 || int64(len(bodies(s)[0])) != again.Bytes || strings.Contains(bodies(s)[0], "later") {
		t.Errorf("%+v: %q", got, bodies(s))
	}
	if r := w.run(t); r.Since == "" || r.Rows != 4 {
		t.Errorf("%+v", r)
	}
	sent := len(calls(s))
	if got, err = w.Replay(t.Context(), again.ID[:30]); err != nil || got[0].State != export.Done || len(calls(s)) != sent { // it is still there
		t.Errorf("%+v, %v", got, err)
	}
}

func TestOneFileOfASetIsUnderWayAtATime(t *testing.T) {
	w := open(t, stores.SQLite(t), t.TempDir())
	w.fill(t, 3)
	s := receive(t, status(503), status(503))
	w.set(t, "connection_url", s.URL+"/in/", "file_name", "${seq}.csv")
	first := w.start(t)
	if r, err := w.Run(t.Context(), "servers", record.System); r != nil || fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), first.ID) {
		t.Fatalf("%+v, %v", r, err)
	}
	w.state(t, first.ID, export.Retry, 2)
	second := w.run(t) // delivers the first one before
	w.state(t, first.ID, export.Done, 3)
	if second.Sequence != 2 || len(files(s)) != 2 {
		t.Errorf("%+v: %v", second, files(s))
	}
}

func TestCancelledRunIsNotDelivered(t *testing.T) {
	w := open(t, stores.SQLite(t), t.TempDir())
	w.fill(t, 3)
	s := receive(t, status(503))
	w.set(t, "connection_url", s.URL+"/in/")
	r := w.start(t)
	_, err := w.Cancel(t.Context(), r.ID)
	check(t, err)
	w.later(t, time.Hour)
	w.state(t, r.ID, export.Canceled, 1)
	if _, err := w.Cancel(t.Context(), r.ID); fault.KindOf(err) != fault.Refused {
		t.Error(err)
	}
	if next := w.run(t); len(files(s)) != 1 || next.ID == r.ID {
		t.Errorf("%+v", next)
	}
	got, err := w.Replay(t.Context(), r.ID)
	check(t, err)
	if got[0].State != export.Done || len(files(s)) != 2 {
		t.Errorf("%+v, %v", got, files(s))
	}
}

func TestFilesThatAreThereStay(t *testing.T) {
	for name, c := range map[string]struct {
		set   []string
		taken []string
		want  string
	}{
		"the next number":        {[]string{"file_name", "${name}_${seq}.csv"}, []string{"servers_000001.csv", "servers_000002.csv"}, "servers_000003.csv"},
		"a number in front":      {[]string{"file_name", "${name}.csv", "zipped", "true"}, []string{"servers.csv.gz"}, "servers-2.csv.gz"},
		"replaced when asked so": {[]string{"file_name", "${name}.csv", "overwrite", "true"}, []string{"servers.csv"}, "servers.csv"},
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t, stores.SQLite(t), t.TempDir())
			w.fill(t, 3)
			check(t, os.MkdirAll(w.out, 0o755))
			for _, name := range c.taken {
				check(t, os.WriteFile(filepath.Join(w.out, name), []byte("theirs"), 0o644))
			}
			w.set(t, c.set...)
			r := w.run(t)
			if r.FileName != c.want || int64(len(w.read(t, c.want))) != r.Bytes {
				t.Errorf("%+v", r)
			}
			for _, name := range c.taken {
				if name != c.want && w.read(t, name) != "theirs" {
					t.Errorf("%s was overwritten", name)
				}
			}
			if next := w.run(t); next.FileName == r.FileName && name != "replaced when asked so" {
				t.Errorf("%s comes twice", next.FileName)
			}
		})
	}
}

func TestAnAlertIsOpenFromARunThatCameToNothingToOneThatCameToSomething(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		w := open(t, cfg, t.TempDir())
		w.fill(t, 3)
		s := receive(t, status(400), status(400))
		id := w.set(t, "connection_url", s.URL+"/in/")
		alerts := func(want string) {
			t.Helper()
			open, err := w.Alerts(t.Context(), id)
			check(t, err)
			var got []string
			for _, a := range open {
				got = append(got, a.Kind+": "+a.Message)
			}
			wanted := strings.FieldsFunc(want, func(c rune) bool { return c == ';' })
			if !slices.EqualFunc(got, wanted, strings.HasPrefix) {
				t.Errorf("alerts %q, want %q", got, wanted)
			}
		}
		alerts("")
		dead, err := w.Run(t.Context(), "servers", record.System)
		if err == nil || dead.State != export.Dead {
			t.Fatal(dead, err)
		}
		alerts("dead: export run " + dead.ID + " is given up: ")
		if _, err := w.Replay(t.Context(), dead.ID); err == nil {
			t.Error("a replay that is refused is no error")
		}
		alerts("dead: export run " + dead.ID)
		w.change(t, export.SetTable, id, "on_zero_rows", "fail", "query", "name=nobody")
		if _, err := w.Run(t.Context(), "servers", record.System); err == nil {
			t.Error("a file without records is no error")
		}
		alerts("dead: export run " + dead.ID + ";failed: the file of export run ")
		w.change(t, export.SetTable, id, "on_zero_rows", "skip")
		if _, err := w.Run(t.Context(), "servers", record.System); err != nil {
			t.Error(err)
		}
		alerts("")
	})
}

// slow is a place that waits before it takes a file.
type slow struct {
	source.Files
	begun, on chan struct{}
}

func (s slow) Put(ctx context.Context, path string, r io.Reader, replace bool) error {
	s.begun <- struct{}{}
	<-s.on
	return s.Files.(source.Putter).Put(ctx, path, r, replace)
}

func TestAPatientOneWaitsForTheFileBefore(t *testing.T) {
	w := open(t, stores.SQLite(t), t.TempDir())
	w.fill(t, 3)
	w.set(t)
	begun, on := make(chan struct{}, 2), make(chan struct{})
	w.places = func(f source.Files) source.Files { return slow{f, begun, on} }
	var all sync.WaitGroup
	run := func(patient bool) error {
		r, err := w.Start(t.Context(), export.Request{Name: "servers", Actor: record.System, Patient: patient})
		if err == nil && r.State != export.Done {
			err = errors.New(r.Error)
		}
		return err
	}
	for range 2 {
		all.Go(func() {
			if err := run(true); err != nil {
				t.Error(err)
			}
		})
	}
	<-begun
	if err := run(false); fault.KindOf(err) != fault.Conflict {
		t.Errorf("one that does not wait: %v", err)
	}
	close(on)
	all.Wait()
	if got := w.delivered(t); len(got) != 2 {
		t.Errorf("delivered %q", got)
	}
}

func TestAnAddressOfOneFileIsNotOverwritten(t *testing.T) {
	w := open(t, stores.SQLite(t), t.TempDir())
	w.fill(t, 3)
	s := receive(t)
	id := w.set(t, "connection_url", s.URL+"/servers.csv")
	w.run(t)
	r, err := w.Run(t.Context(), "servers", record.System)
	if r.State != export.Dead || fault.KindOf(err) != fault.Conflict {
		t.Fatalf("%+v, %v", r, err)
	}
	w.change(t, export.SetTable, id, "overwrite", "true")
	w.run(t)
}

// watched tells in which order files are put, and can fail one of them.
type watched struct {
	source.Files
	source.Putter
	put  func(path string) error
	feed func(path string, r io.Reader) io.Reader
}

func (p watched) Put(ctx context.Context, path string, r io.Reader, replace bool) error {
	if p.put != nil {
		if err := p.put(path); err != nil {
			return err
		}
	}
	if p.feed != nil {
		r = p.feed(path, r)
	}
	return p.Putter.Put(ctx, path, r, replace)
}

// watch puts something before the place of files.
func (w *world) watch(put func(path string) error, feed func(path string, r io.Reader) io.Reader) {
	w.places = func(f source.Files) source.Files { return watched{f, f.(source.Putter), put, feed} }
}

func TestControlFileComesLast(t *testing.T) {
	for kind, want := range map[string]string{"ok": `{"count":3,"name":"a.csv","sha256":"SUM","size":BYTES}` + "\n", "sha256": "SUM  a.csv\n"} {
		t.Run(kind, func(t *testing.T) {
			w := open(t, stores.SQLite(t), t.TempDir())
			w.fill(t, 3)
			w.set(t, "file_name", "a.csv", "control_file", kind)
			var order []string
			w.watch(func(path string) error {
				order = append(order, filepath.Base(path))
				if len(order) == 2 {
					return fault.New(fault.Unavailable, "the disk is full")
				}
				return nil
			}, nil)
			r := w.start(t)
			w.state(t, r.ID, export.Retry, 1)
			w.later(t, time.Minute)
			r = w.state(t, r.ID, export.Done, 2)
			if !slices.Equal(order, []string{"a.csv", "a.csv." + kind, "a.csv." + kind}) { // the file itself is there, and is not sent again
				t.Errorf("%v", order)
			}
			want := strings.NewReplacer("SUM", r.SHA256, "BYTES", strconv.FormatInt(r.Bytes, 10)).Replace(want)
			if got := w.read(t, "a.csv."+kind); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

func TestBytesAreKeptForTheTimeOfTheSet(t *testing.T) {
	w := open(t, stores.SQLite(t), t.TempDir())
	w.fill(t, 3)
	w.set(t, "retention_days", "2")
	r := w.run(t)
	for _, c := range []struct {
		pass    time.Duration
		removed int
	}{{0, 0}, {47 * time.Hour, 0}, {2 * time.Hour, 1}, {time.Hour, 0}} {
		w.clock.pass(c.pass)
		if n, err := w.Sweep(t.Context()); n != c.removed || err != nil {
			t.Errorf("after %s: %d, %v", c.pass, n, err)
		}
	}
	if _, err := w.Replay(t.Context(), r.ID); fault.KindOf(err) != fault.NotFound || w.shown(t, r.ID).BytesKept {
		t.Error(err)
	}
}

func TestARunIsDeliveredByTheMachineThatHasItsBytes(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		one, other := open(t, cfg, t.TempDir()), open(t, cfg, t.TempDir())
		one.fill(t, 3)
		s := receive(t, status(503))
		one.set(t, "connection_url", s.URL+"/in/")
		r := one.start(t)
		if _, err := other.Run(t.Context(), "servers", record.System); fault.KindOf(err) != fault.Conflict {
			t.Error(err)
		}
		if _, err := other.Replay(t.Context(), r.ID); fault.KindOf(err) != fault.Refused {
			t.Error(err)
		}
		other.later(t, time.Hour)
		one.state(t, r.ID, export.Retry, 1)
		one.later(t, time.Hour)
		one.state(t, r.ID, export.Done, 2)
	})
}

func TestARequestWithAKeyIsServedOnce(t *testing.T) {
	w := open(t, stores.SQLite(t), t.TempDir())
	w.fill(t, 3)
	w.set(t)
	var ids []string
	for _, key := range []string{"a", "a", "b", ""} {
		r, err := w.Start(t.Context(), export.Request{Name: "servers", Actor: record.System, Key: key})
		check(t, err)
		ids = append(ids, r.ID)
	}
	if ids[0] != ids[1] || ids[1] == ids[2] || ids[2] == ids[3] || len(w.delivered(t)) != 3 {
		t.Errorf("%v, %v", ids, w.delivered(t))
	}
}

func TestWorkTakesFurtherWhatIsDue(t *testing.T) {
	w := open(t, stores.SQLite(t), t.TempDir())
	w.fill(t, 3)
	s := receive(t, status(503))
	w.set(t, "connection_url", s.URL+"/in/")
	r := w.start(t)
	w.clock.pass(time.Hour)
	done := make(chan struct{})
	w.watch(func(string) error { close(done); return nil }, nil)
	ctx, cancel := context.WithCancel(t.Context())
	var working sync.WaitGroup
	working.Go(func() { w.Work(ctx, func(err error) { t.Error(err) }) })
	<-done
	cancel()
	working.Wait()
	w.places = nil
	w.later(t, time.Hour) // what was broken off
	if w.shown(t, r.ID).State != export.Done {
		t.Errorf("%+v", w.shown(t, r.ID))
	}
}
