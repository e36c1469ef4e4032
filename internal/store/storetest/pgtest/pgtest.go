// Package pgtest runs a PostgreSQL server of its own for the time of a test binary.
package pgtest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
)

// Variable names the environment variable that holds the URL of a server to use instead of an own one. The user in it
// must be allowed to make schemas.
const Variable = "HEADRACE_TEST_POSTGRES"

// Server is a running server. Stop ends it and removes its files.
type Server struct {
	URL    string
	hold   io.Closer // closing it tells the keeper to stop the server
	keeper *exec.Cmd
}

// script starts the server, says so, and stops it when its input ends: also when the tests are killed. Files are
// removed with the server.
const script = `
"$1/initdb" -D "$2/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >"$2/log" 2>&1 &&
"$1/pg_ctl" -D "$2/data" -l "$2/log" -w -o "$3" start >/dev/null 2>&1 && echo ready || { cat "$2/log"; rm -rf "$2"; exit 1; }
read -r _
"$1/pg_ctl" -D "$2/data" -m immediate stop >/dev/null 2>&1
rm -rf "$2"
`

// Start makes a cluster in a temporary directory and starts it, as the account postgres when the tests run as root.
// It listens on a socket in that directory only. A machine without PostgreSQL is an error: the tests of a store are
// worth nothing on one of two databases.
func Start() (*Server, error) {
	if given := os.Getenv(Variable); given != "" {
		return &Server{URL: given}, nil
	}
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "hrpg")
	if err != nil {
		return nil, err
	}
	s, err := start(bin, dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

func start(bin, dir string) (*Server, error) {
	options := "-c listen_addresses= -c fsync=off -c full_page_writes=off -c max_connections=200 -c max_wal_size=4GB " +
		"-c shared_buffers=256MB -c autovacuum=off -c unix_socket_directories=" + dir
	cmd := exec.Command("/bin/sh", "-c", script, "sh", bin, dir, options)
	cmd.Dir = dir
	// A group of its own: an interrupt from the keyboard is for the tests, which then let go of the server.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if os.Getuid() == 0 {
		if err := asPostgres(cmd, dir); err != nil {
			return nil, err
		}
	}
	hold, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		rest, _ := io.ReadAll(out)
		return nil, errors.Join(fmt.Errorf("postgres did not start: %s%s", line, rest), cmd.Wait())
	}
	query := url.Values{"host": {dir}, "user": {"postgres"}}
	return &Server{URL: "postgres:///postgres?" + query.Encode(), hold: hold, keeper: cmd}, nil
}

// Stop ends a server that Start started.
func (s *Server) Stop() error {
	if s.keeper == nil {
		return nil
	}
	return errors.Join(s.hold.Close(), s.keeper.Wait())
}

func asPostgres(cmd *exec.Cmd, dir string) error {
	u, err := user.Lookup("postgres")
	if err != nil {
		return fmt.Errorf("postgres does not run as root, and there is no account postgres; run: make deps (%w)", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return err
	}
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(dir, int(uid), int(gid))
}

// binaries finds initdb in the PATH, or the newest version where distributions keep it.
func binaries() (string, error) {
	if p, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(p), nil
	}
	var found []string
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/initdb", "/usr/pgsql-*/bin/initdb", "/opt/homebrew/opt/postgresql*/bin/initdb"} {
		more, err := filepath.Glob(pattern)
		if err != nil {
			return "", err
		}
		found = append(found, more...)
	}
	if len(found) == 0 {
		return "", fmt.Errorf("no PostgreSQL server on this machine; run: make deps (or set %s)", Variable)
	}
	sort.Slice(found, func(i, j int) bool { return version(found[i]) < version(found[j]) })
	return filepath.Dir(found[len(found)-1]), nil
}

// version is the number in a path such as /usr/lib/postgresql/15/bin/initdb.
func version(path string) int {
	for _, part := range strings.FieldsFunc(path, func(r rune) bool { return r < '0' || r > '9' }) {
		if n, err := strconv.Atoi(part); err == nil {
			return n
		}
	}
	return 0
}
