package cli_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The long ways to drive the APIs with curl: many pages while others write, and files larger than memory should be. The
// short ones are a session, apis.txtar.

const curlPassword = "curl-knows-it-1"

// called is a server as a process, which curl calls.
type called struct {
	*home
	t       *testing.T
	url     string
	process *process
}

var serves = regexp.MustCompile(`headrace serves (\S+)`)

// serveCalled starts a server on a free port.
func (h *home) serveCalled(t *testing.T) *called {
	t.Helper()
	t.Setenv("HEADRACE_ADMIN_PASSWORD", curlPassword)
	h.write(t, "me", []byte("user = \"admin:"+curlPassword+"\"\nsilent\nshow-error\nfail-with-body\n"))
	said, err := os.Create(filepath.Join(h.dir, "said"))
	if err != nil {
		t.Fatal(err)
	}
	s := &called{home: h, t: t, process: h.startSaying(t, said, "serve", "--listen", "127.0.0.1:0", "--spool", filepath.Join(h.dir, "spool"))}
	t.Cleanup(func() {
		if err := s.process.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if e := s.process.end(); e.code != 0 {
			t.Errorf("the server: %s", e)
		}
		if err := said.Close(); err != nil {
			t.Error(err)
		}
	})
	for deadline := time.Now().Add(time.Minute); s.url == ""; time.Sleep(20 * time.Millisecond) {
		text, err := os.ReadFile(said.Name())
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("the server does not start: %v\n%s", err, text)
		}
		if found := serves.FindSubmatch(text); found != nil {
			s.url = string(found[1])
		}
	}
	return s
}

// curl runs curl as admin and gives what it wrote; it fails with the status that the server answered.
func (s *called) curl(args ...string) []byte {
	s.t.Helper()
	out, err := s.tryCurl(args...)
	if err != nil {
		s.t.Fatalf("curl %q: %v\n%s", args, err, out)
	}
	return out
}

func (s *called) tryCurl(args ...string) ([]byte, error) {
	cmd := exec.Command("curl", append([]string{"-K", "me"}, args...)...)
	cmd.Dir = s.dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, stderr.String())
	}
	return out, err
}

// idsAt reads a page of records: their ids, and where the next page is.
func (s *called) idsAt(url string) (ids []string, next string) {
	s.t.Helper()
	var page struct {
		Result []struct {
			ID string `json:"sys_id"`
		}
	}
	if err := json.Unmarshal(s.curl("-D", "head", "--globoff", url), &page); err != nil {
		s.t.Fatal(err)
	}
	for _, r := range page.Result {
		ids = append(ids, r.ID)
	}
	head, err := os.ReadFile(filepath.Join(s.dir, "head"))
	if err != nil {
		s.t.Fatal(err)
	}
	if found := regexp.MustCompile(`<([^>]+)>;rel="next"`).FindSubmatch(head); found != nil {
		next = string(found[1])
	}
	return ids, next
}

// records makes a file with that many incidents as a batch of rows, and pushes it to the server as an import.
func (s *called) records(n int) {
	s.t.Helper()
	var b bytes.Buffer
	b.WriteString("number,short_description\n")
	for i := range n {
		fmt.Fprintf(&b, "OLD%07d,record %d\n", i, i)
	}
	s.write(s.t, "records.csv", b.Bytes())
	got := s.curl("-F", "file=@records.csv", "-F", "into=incident", "-F", "coalesce=number", s.url+"/api/v1/imports?wait=true")
	if want := fmt.Sprintf(`"inserted":%d,`, n); !bytes.Contains(got, []byte(want)) {
		s.t.Fatalf("no %s in %s", want, got)
	}
}

// Whoever follows the links from the first page to the last gets every record that was there when he began, once, while
// another client makes more: 4,000 records, in the long form 25,000.
func TestPagesHaveNoGapsAndNoDoublesWhileOthersInsert(t *testing.T) {
	onBoth(t, func(t *testing.T, h *home) {
		s := h.serveCalled(t)
		n := short(4000, 25_000)
		s.records(n)
		stop := insertMeanwhile(s)
		seen := map[string]bool{}
		pages, old := 0, 0
		for next := s.url + "/api/now/table/incident?sysparm_fields=sys_id,number&sysparm_limit=500"; next != ""; pages++ {
			var ids []string
			ids, next = s.idsAt(next)
			for _, id := range ids {
				if seen[id] {
					t.Fatalf("page %d: %s has been on a page before", pages, id)
				}
				seen[id] = true
			}
		}
		made := stop()
		for _, id := range s.oldIDs() {
			if seen[id] {
				old++
			}
		}
		if old != n {
			t.Errorf("%d of %d records were on the pages", old, n)
		}
		if made == 0 {
			t.Error("nobody wrote meanwhile")
		}
		t.Logf("%d pages, %d records, %d made meanwhile, %d of these seen", pages, n, made, len(seen)-old)
	})
}

// insertMeanwhile makes records, one call after the other, until it is told to stop or the test ends; one is made by the
// time it returns. To stop it tells how many there are.
func insertMeanwhile(s *called) (stop func() int) {
	over, first, count := make(chan struct{}), make(chan struct{}), 0
	var working sync.WaitGroup
	working.Go(func() {
		begun := sync.OnceFunc(func() { close(first) })
		defer begun()
		for {
			if answer, err := s.tryCurl("--json", `{"short_description":"made meanwhile"}`, s.url+"/api/now/table/incident"); err != nil {
				s.t.Errorf("%v %s", err, answer)
				return
			}
			count++
			begun()
			select {
			case <-over:
				return
			default:
			}
		}
	})
	<-first
	stop = sync.OnceValue(func() int {
		close(over)
		working.Wait()
		return count
	})
	s.t.Cleanup(func() { stop() })
	return stop
}

// oldIDs lists the records that were there first, as the export tells of them.
func (s *called) oldIDs() []string {
	s.t.Helper()
	s.curl("--json", `{"name":"glide.csv.export.limit","value":"1000000"}`, s.url+"/api/now/table/sys_properties")
	text := s.curl(s.url + "/incident_list.do?CSV&sysparm_fields=sys_id&sysparm_query=numberSTARTSWITHOLD")
	var ids []string
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		if id := strings.Trim(lines.Text(), `"`); len(id) == 32 {
			ids = append(ids, id)
		}
	}
	return ids
}

// A large file goes up and comes back as it was, and the server's memory stays small: 16 MB, in the long form 100 MB.
func TestALargeAttachmentComesBackByItsHash(t *testing.T) {
	onBoth(t, func(t *testing.T, h *home) {
		s := h.serveCalled(t)
		size := int64(short(16, 100)) << 20
		want := s.noise("up.bin", size)
		record := strings.Repeat("1", 32)
		s.curl("--json", `{"sys_id":"`+record+`","short_description":"with a file"}`, s.url+"/api/now/table/incident")
		var told struct{ Result map[string]string }
		answer := s.curl("-X", "POST", "-T", "up.bin", "-H", "Content-Type: application/octet-stream",
			s.url+"/api/now/attachment/file?table_name=incident&table_sys_id="+record+"&file_name=up.bin")
		if err := json.Unmarshal(answer, &told); err != nil || told.Result["hash"] != want || told.Result["size_bytes"] != fmt.Sprint(size) {
			t.Fatalf("%v: %s", err, answer)
		}
		s.curl("-o", "down.bin", told.Result["download_link"])
		if got := hashOf(t, filepath.Join(s.dir, "down.bin")); got != want {
			t.Errorf("%s came back, not %s", got, want)
		}
		if peak := s.process.resident(); peak > budget {
			t.Errorf("the server took %d MB, the most are %d MB", peak/mega, budget/mega)
		} else {
			t.Logf("%d MB up and down, peak of resident memory %d MB", size/mega, peak/mega)
		}
	})
}

// noise writes a file that does not shrink and gives its hash.
func (s *called) noise(name string, size int64) string {
	s.t.Helper()
	f, err := os.Create(filepath.Join(s.dir, name))
	if err != nil {
		s.t.Fatal(err)
	}
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(f, sum), io.LimitReader(rand.NewChaCha8([32]byte{7}), size)); err != nil {
		s.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		s.t.Fatal(err)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func hashOf(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(sum.Sum(nil))
}
