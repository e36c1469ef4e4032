// Package sshd starts the SSH server of the system for a test: on the loopback, with keys and folders of its own, and as
// whoever runs the test.
package sshd

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh"
)

// Server is a running server. It ends with the test.
type Server struct {
	Addr        string // host:port
	User        string
	Key         string // of the user, in PEM form
	Fingerprint string // of the host key, which is an Ed25519 one
	Other       string // of the host key of another kind, an ECDSA one
	Root        string // a folder for files, empty at first
}

// URL is the address of a path below Root.
func (s *Server) URL(path string) string {
	u := url.URL{Scheme: "sftp", User: url.User(s.User), Host: s.Addr, Path: filepath.Join(s.Root, path)}
	return u.String()
}

// Start starts a server, with arguments for its file transfer, such as -R, which forbids writing. A missing server fails
// the test.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	path, err := find()
	if err != nil {
		t.Fatal(err)
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := &Server{User: me.Username, Root: t.TempDir()}
	s.Fingerprint = hostKey(t, filepath.Join(dir, "host_ed25519"), newEd25519(t))
	s.Other = hostKey(t, filepath.Join(dir, "host_ecdsa"), newECDSA(t))
	s.Key = userKey(t, filepath.Join(dir, "authorized"))
	if os.Geteuid() == 0 { // where the server wants an empty folder, and without the service nobody makes one
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var said string
	for range 10 { // a port that is free now may be taken in a moment
		s.Addr = freePort(t)
		config := filepath.Join(dir, "sshd_config")
		if err := os.WriteFile(config, []byte(s.config(dir, args)), 0o600); err != nil {
			t.Fatal(err)
		}
		if said = run(t, path, config); said == "" {
			return s
		}
	}
	t.Fatalf("the SSH server does not start: %s", said)
	return nil
}

func find() (string, error) {
	for _, path := range []string{"/usr/sbin/sshd", "/usr/local/sbin/sshd", "/sbin/sshd"} {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	if path, err := exec.LookPath("sshd"); err == nil {
		return filepath.Abs(path)
	}
	return "", fmt.Errorf("the SSH server sshd is missing; run scripts/deps, or install openssh-server")
}

func (s *Server) config(dir string, args []string) string {
	host, port, _ := net.SplitHostPort(s.Addr)
	return strings.Join([]string{
		"ListenAddress " + host, "Port " + port, "PidFile none", "UsePAM no", "StrictModes no", "LogLevel INFO", "UseDNS no",
		"HostKey " + filepath.Join(dir, "host_ed25519"), "HostKey " + filepath.Join(dir, "host_ecdsa"),
		"AuthorizedKeysFile " + filepath.Join(dir, "authorized"), "PermitRootLogin yes", "PasswordAuthentication yes",
		"MaxStartups 100", "MaxAuthTries 20", "Subsystem sftp internal-sftp " + strings.Join(args, " "), "",
	}, "\n")
}

// run starts the server and waits until it listens; it gives what the server said when it ended instead.
func run(t testing.TB, path, config string) (said string) {
	cmd := exec.Command(path, "-D", "-e", "-f", config)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		said += lines.Text() + "\n"
		if strings.Contains(lines.Text(), "Server listening on") {
			drained := make(chan struct{})
			go func() {
				defer close(drained)
				_, _ = io.Copy(io.Discard, out)
			}()
			t.Cleanup(func() {
				_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
				_ = cmd.Wait() // killed; this ends the reading too, for which those whom it serves would have to end first
				<-drained
			})
			return ""
		}
	}
	if err := cmd.Wait(); err != nil {
		said += err.Error()
	}
	return said
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func newEd25519(t testing.TB) any {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newECDSA(t testing.TB) any {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// hostKey writes a key for the server and gives its fingerprint.
func hostKey(t testing.TB, path string, key any) string {
	t.Helper()
	private, signer := marshal(t, key)
	if err := os.WriteFile(path, []byte(private), 0o600); err != nil {
		t.Fatal(err)
	}
	return ssh.FingerprintSHA256(signer.PublicKey())
}

// userKey lets a new key in and gives it.
func userKey(t testing.TB, path string) string {
	t.Helper()
	private, signer := marshal(t, newEd25519(t))
	if err := os.WriteFile(path, ssh.MarshalAuthorizedKey(signer.PublicKey()), 0o600); err != nil {
		t.Fatal(err)
	}
	return private
}

func marshal(t testing.TB, key any) (string, ssh.Signer) {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block)), signer
}

// NewKey makes a key that no server lets in, in PEM form; with a phrase it is locked. Such a key is made by the program of
// the system, which can do so with little work: to unlock it in a test takes no seconds then.
func NewKey(t testing.TB, phrase string) string {
	t.Helper()
	if phrase == "" {
		private, _ := marshal(t, newEd25519(t))
		return private
	}
	path := filepath.Join(t.TempDir(), "key")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-a", "1", "-N", phrase, "-f", path).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen of openssh-client: %v: %s", err, out)
	}
	private, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(private)
}
