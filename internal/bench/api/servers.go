package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// server is a process that answers requests.
type server struct {
	name           string
	cmd            *exec.Cmd
	list, create   string // addresses
	created        int    // the status that says a record was made
	user, password string
	hasTotal       func(http.Header, []byte) bool
	next           atomic.Int64 // number of the next record that is made
}

// start starts the product and its rival over the same records.
func start(ctx context.Context, s settings, store string) ([]*server, error) {
	dir, err := os.MkdirTemp(s.dir, "api-*")
	if err != nil {
		return nil, err
	}
	where := []string{"--data", filepath.Join(dir, "headrace")}
	if store == "postgres" {
		where = []string{"--database", s.database}
	}
	if err := seed(ctx, s, dir, where); err != nil {
		return nil, err
	}
	starts := []func() (*server, error){
		func() (*server, error) { return startProduct(ctx, s, dir, where) },
		func() (*server, error) { return startHandwritten(ctx, s, dir) },
	}
	if store == "sqlite" {
		starts = append(starts[:1], func() (*server, error) { return startPocketBase(ctx, s, dir, "") }, func() (*server, error) { return startPocketBase(ctx, s, dir, "FULL") })
	}
	var servers []*server
	for _, start := range starts {
		server, err := start()
		if err != nil {
			return nil, errors.Join(err, stopAll(servers))
		}
		server.next.Store(int64(s.rows))
		servers = append(servers, server)
	}
	return servers, nil
}

func stopAll(servers []*server) (err error) {
	for _, s := range servers {
		err = errors.Join(err, s.stop())
	}
	return err
}

// seed makes the table and fills it with an import.
func seed(ctx context.Context, s settings, dir string, where []string) error {
	file := filepath.Join(dir, "assets.csv")
	if err := writeAssets(file, s.rows); err != nil {
		return err
	}
	for _, args := range [][]string{{"table", "create", "-f", "bench/asset-table.yaml"}, {"import", file, "--into", "asset", "--coalesce", "asset_tag"}} {
		cmd := exec.CommandContext(ctx, s.bin, append(args, where...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
		}
	}
	return nil
}

func writeAssets(file string, rows int) error {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	var names []string
	for n := range rows {
		var values map[string]string
		if err := json.Unmarshal(asset(int64(n)), &values); err != nil {
			return err
		}
		if names == nil {
			for name := range values {
				names = append(names, name)
			}
			slices.Sort(names)
			if err := w.Write(names); err != nil {
				return err
			}
		}
		row := make([]string, len(names))
		for i, name := range names {
			row[i] = values[name]
		}
		if err := w.Write(row); err != nil {
			return err
		}
	}
	w.Flush()
	return os.WriteFile(file, b.Bytes(), 0o644)
}

func startProduct(ctx context.Context, s settings, dir string, where []string) (*server, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, s.bin, append([]string{"serve", "--listen", address}, where...)...)
	cmd.Env = append(os.Environ(), "HEADRACE_ADMIN_PASSWORD=bench-password-1")
	p := &server{name: "headrace", cmd: cmd, created: http.StatusCreated, user: "admin", password: "bench-password-1",
		list: fmt.Sprintf("http://%s/api/now/table/asset?sysparm_limit=%d", address, pageRows), create: "http://" + address + "/api/now/table/asset",
		hasTotal: func(h http.Header, _ []byte) bool { return h.Get("X-Total-Count") != "" }}
	return p, p.begin(ctx, dir)
}

func startHandwritten(ctx context.Context, s settings, dir string) (*server, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	r := &server{name: "net/http + pgx", cmd: exec.CommandContext(ctx, s.handwritten, address, s.database),
		list:     fmt.Sprintf("http://%s/asset?limit=%d", address, pageRows),
		hasTotal: func(h http.Header, _ []byte) bool { return h.Get("X-Total-Count") != "" }}
	return r, r.begin(ctx, dir)
}

// startPocketBase starts and fills a rival that commits with a setting of SQLite's synchronous; "" is its own.
func startPocketBase(ctx context.Context, s settings, dir, synchronous string) (*server, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	name := "PocketBase"
	if synchronous != "" {
		name += " " + synchronous
	}
	cmd := exec.CommandContext(ctx, s.pocketbase, "serve", "--dir", filepath.Join(dir, name), "--http", address)
	cmd.Env = append(os.Environ(), "BENCH_SYNCHRONOUS="+synchronous)
	r := &server{name: name, cmd: cmd, list: fmt.Sprintf("http://%s/api/collections/asset/records?perPage=%d", address, pageRows), create: "http://" + address + "/api/collections/asset/records",
		created: http.StatusOK, hasTotal: func(_ http.Header, body []byte) bool { return bytes.Contains(body, []byte(`"totalItems":`)) }}
	if err := r.begin(ctx, dir); err != nil {
		return nil, err
	}
	client := &http.Client{}
	for range s.rows {
		if err := r.request(ctx, client, "create"); err != nil {
			return nil, errors.Join(err, r.stop())
		}
	}
	return r, nil
}

// begin starts the process and waits until it answers at all. Its log goes to a file, as a server's does: to read it here
// would be work that is measured.
func (s *server) begin(ctx context.Context, dir string) error {
	path := filepath.Join(dir, strings.NewReplacer(" ", "-", "/", "-").Replace(s.name)+".log")
	log, err := os.Create(path)
	if err != nil {
		return err
	}
	defer log.Close() // the process has its own
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(syscall.SIGTERM) }
	if err := s.cmd.Start(); err != nil {
		return err
	}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.list, nil)
		if err != nil {
			return err
		}
		req.SetBasicAuth(s.user, s.password)
		if resp, err := http.DefaultClient.Do(req); err == nil {
			return resp.Body.Close()
		}
	}
	said, err := os.ReadFile(path)
	return errors.Join(fmt.Errorf("%s does not answer: %s", s.name, said), err, s.stop())
}

func (s *server) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	var exit *exec.ExitError
	if err := s.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		return err
	}
	return nil
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
