package sessions_test

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
)

// running are the servers that sessions started, by the folder of the session.
var running sync.Map

type server struct {
	cmd  *exec.Cmd
	log  strings.Builder
	done chan struct{} // closed when the log has ended
	dead bool
}

// serve starts a server on a free port of the loopback and sets URL: serve ARGS...
func serve(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("serve must work")
	}
	s := &server{cmd: exec.Command("headrace", append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...), done: make(chan struct{})}
	s.cmd.Dir = ts.MkAbs(".")
	s.cmd.Env = os.Environ()
	for _, name := range []string{"HEADRACE_DATABASE", "HEADRACE_ADMIN_PASSWORD", "HEADRACE_DATA"} {
		if v := ts.Getenv(name); v != "" {
			s.cmd.Env = append(s.cmd.Env, name+"="+v)
		}
	}
	stderr, err := s.cmd.StderrPipe()
	ts.Check(err)
	ts.Check(s.cmd.Start())
	running.Store(ts.MkAbs("."), s)
	ts.Defer(func() { ts.Check(s.end(syscall.SIGKILL)) })
	in := bufio.NewReader(stderr)
	for {
		line, err := in.ReadString('\n')
		s.log.WriteString(line)
		if err != nil {
			close(s.done)
			ts.Fatalf("the server ended:\n%s", s.log.String())
		}
		if _, rest, found := strings.Cut(line, "headrace serves "); found {
			url, _, _ := strings.Cut(rest, " ")
			ts.Setenv("URL", url)
			break
		}
	}
	go func() {
		defer close(s.done)
		_, _ = io.Copy(&s.log, in) // ends with the process
	}()
}

// end ends the server by a signal and waits for it.
func (s *server) end(how os.Signal) error {
	if s.dead {
		return nil
	}
	s.dead = true
	if err := s.cmd.Process.Signal(how); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-s.done
	err := s.cmd.Wait()
	if how == syscall.SIGKILL {
		return nil
	}
	return err
}

// stop asks the session's server to stop, which must end well, and writes what it said to server.log.
func stop(ts *testscript.TestScript, neg bool, args []string) {
	found, ok := running.Load(ts.MkAbs("."))
	if neg || !ok || len(args) > 0 {
		ts.Fatalf("usage: stop, after serve")
	}
	s := found.(*server)
	ts.Check(s.end(syscall.SIGTERM))
	ts.Check(os.WriteFile(ts.MkAbs("server.log"), []byte(s.log.String()), 0o600))
}
