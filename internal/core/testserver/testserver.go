// Package testserver runs servers of others for the time of a test binary: databases, and whatever else is to be real in
// tests. It holds no product code.
package testserver

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// Program is a server: a shell script that starts it, says "ready", reads a line that never comes, and stops the server
// when its input ends, which it also does when the tests are killed. $1 is a folder of its own, which the script removes
// at the end; Args follow.
type Program struct {
	Name    string // for messages and for the folder: short, because sockets lie in there
	Script  string
	Account string // the account to run it as when the tests run as root; "" is root
	Args    []string
	Files   map[string]string // to be there before, by their name in the folder
}

// Server is a running server.
type Server struct {
	Dir    string    // its folder
	hold   io.Closer // closing it tells the script to stop the server
	keeper *exec.Cmd
}

// Start starts a server and waits until it is ready.
func Start(p Program) (*Server, error) {
	dir, err := os.MkdirTemp("", "hr"+p.Name)
	if err != nil {
		return nil, err
	}
	s, err := start(p, dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

func start(p Program, dir string) (*Server, error) {
	cmd := exec.Command("/bin/sh", append([]string{"-c", p.Script, "sh", dir}, p.Args...)...)
	cmd.Dir = dir
	// A group of its own: an interrupt from the keyboard is for the tests, which then let go of the server.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.settle(cmd, dir); err != nil {
		return nil, err
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
		return nil, errors.Join(fmt.Errorf("%s did not start: %s%s", p.Name, line, rest), cmd.Wait())
	}
	return &Server{Dir: dir, hold: hold, keeper: cmd}, nil
}

// settle writes the files and gives all to the account that is to run the server.
func (p Program) settle(cmd *exec.Cmd, dir string) error {
	for name, content := range p.Files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	if os.Getuid() != 0 || p.Account == "" {
		return nil
	}
	uid, gid, err := ids(p.Account)
	if err != nil {
		return fmt.Errorf("%s does not run as root, and there is no account %s; run: make deps (%w)", p.Name, p.Account, err)
	}
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	for name := range p.Files {
		if err := os.Chown(filepath.Join(dir, name), uid, gid); err != nil {
			return err
		}
	}
	return os.Chown(dir, uid, gid)
}

func ids(account string) (uid, gid int, err error) {
	u, err := user.Lookup(account)
	if err != nil {
		return 0, 0, err
	}
	uid, errUID := strconv.Atoi(u.Uid)
	gid, errGID := strconv.Atoi(u.Gid)
	return uid, gid, errors.Join(errUID, errGID)
}

// Stop ends the server and waits for it.
func (s *Server) Stop() error {
	return errors.Join(s.hold.Close(), s.keeper.Wait())
}

// Port finds a port of this machine that nobody listens on. Another program may be quicker to take it; a server that then
// does not start is to be started on another one.
func Port() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, errors.Join(err, l.Close())
}

// StartOnPort starts a server that listens on a port, which it gets as $2, before Args. It tries three ports.
func StartOnPort(p Program) (*Server, string, error) {
	var all error
	for range 3 {
		port, err := Port()
		if err != nil {
			return nil, "", err
		}
		on := p
		on.Args = append([]string{port}, p.Args...)
		s, err := Start(on)
		if err == nil {
			return s, port, nil
		}
		all = errors.Join(all, err)
	}
	return nil, "", all
}
