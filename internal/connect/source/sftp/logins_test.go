package sftp_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	files "github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"headrace/internal/connect/format"
	"headrace/internal/connect/source"
	"headrace/internal/core/fault"
)

const password = "p@ss&w0rd"

// partner is a server whose logins and ciphers can be chosen, which those of the system's accounts cannot.
type partner struct {
	addr, print string
	deaf        chan struct{} // closed when it is to answer nothing any more
}

func start(t *testing.T, config *ssh.ServerConfig) *partner {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	config.AddHostKey(signer)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &partner{addr: l.Addr().String(), print: ssh.FingerprintSHA256(signer.PublicKey()), deaf: make(chan struct{})}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { p.serve(&hearing{Conn: conn, deaf: p.deaf, gone: make(chan struct{})}, config) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		all.Wait()
	})
	return p
}

// hearing is a connection over which nothing is said any more once it is deaf.
type hearing struct {
	net.Conn
	deaf <-chan struct{}
	gone chan struct{}
	once sync.Once
}

func (h *hearing) Write(b []byte) (int, error) {
	select {
	case <-h.deaf:
		<-h.gone
		return 0, net.ErrClosed
	default:
		return h.Conn.Write(b)
	}
}

func (h *hearing) Read(b []byte) (int, error) {
	n, err := h.Conn.Read(b)
	if err != nil {
		h.once.Do(func() { close(h.gone) })
	}
	return n, err
}

func (p *partner) serve(raw net.Conn, config *ssh.ServerConfig) {
	defer raw.Close()
	conn, channels, requests, err := ssh.NewServerConn(raw, config)
	if err != nil {
		return
	}
	var all sync.WaitGroup
	defer all.Wait()
	defer conn.Close()
	all.Go(func() { ssh.DiscardRequests(requests) })
	for offered := range channels {
		channel, asked, err := offered.Accept()
		if err != nil {
			return
		}
		all.Go(func() {
			for r := range asked {
				if err := r.Reply(r.Type == "subsystem", nil); err != nil {
					return
				}
			}
		})
		all.Go(func() {
			defer channel.Close()
			if server, err := files.NewServer(channel); err == nil {
				_ = server.Serve()
			}
		})
	}
}

func (p *partner) address(path string, o format.Options) source.Address {
	all := format.Options{"host_key": p.print}
	for name, value := range o {
		all[name] = value
	}
	return source.Address{URL: &url.URL{Scheme: "sftp", Host: p.addr, Path: path}, Inside: true, Options: all,
		Secret: source.Secret{User: "feeder", Password: password}}
}

func byPassword() *ssh.ServerConfig {
	return &ssh.ServerConfig{PasswordCallback: func(_ ssh.ConnMetadata, given []byte) (*ssh.Permissions, error) {
		if string(given) != password {
			return nil, errors.New("wrong")
		}
		return nil, nil
	}}
}

func byDialogue() *ssh.ServerConfig {
	return &ssh.ServerConfig{KeyboardInteractiveCallback: func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
		answers, err := ask("", "", []string{"Name:", "Password:"}, []bool{true, false})
		if err != nil || len(answers) != 2 || answers[0] != "" || answers[1] != password {
			return nil, errors.New("wrong")
		}
		return nil, nil
	}}
}

func TestAPasswordIsGivenAtOnceOrInADialogue(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/a.csv", nil)
	for name, config := range map[string]*ssh.ServerConfig{"at once": byPassword(), "in a dialogue": byDialogue()} {
		p := start(t, config)
		if all, err := open(t, p.address(dir+"/*.csv", nil)).List(t.Context()); err != nil || len(all) != 1 {
			t.Errorf("%s: %v", name, err)
		}
		wrong := p.address(dir+"/*.csv", nil)
		wrong.Secret.Password = "wr@ng"
		if _, err := open(t, wrong).List(t.Context()); fault.KindOf(err) != fault.Denied || strings.Contains(err.Error(), "wr@ng") {
			t.Errorf("%s, wrong: %v", name, err)
		}
	}
}

func TestServersWithOldCiphersAreReachedWhenThatIsAllowed(t *testing.T) {
	dir := t.TempDir()
	config := byPassword()
	config.KeyExchanges, config.Ciphers, config.MACs = []string{ssh.InsecureKeyExchangeDH1SHA1}, []string{ssh.InsecureCipherAES128CBC}, []string{ssh.HMACSHA1}
	p := start(t, config)
	_, err := open(t, p.address(dir, nil)).List(t.Context())
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(fault.HintOf(err), "algorithms") || !strings.Contains(err.Error(), ssh.InsecureKeyExchangeDH1SHA1) {
		t.Errorf("kind %v, hint %q: %v", fault.KindOf(err), fault.HintOf(err), err)
	}
	f := open(t, p.address(dir, format.Options{"algorithms": "old"}))
	if _, err := f.List(t.Context()); err != nil {
		t.Error(err)
	}
	if w := f.(source.Warner).Warnings(); len(w) != 1 {
		t.Errorf("warnings %q", w)
	}
}

func TestAServerThatFallsSilentIsGivenUp(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/a.bin", make([]byte, 4<<20))
	p := start(t, byPassword())
	f := open(t, p.address(dir+"/a.bin", format.Options{"timeout": "1s"}))
	all, err := f.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Open(t.Context(), all[0], 0)
	if err != nil {
		t.Fatal(err)
	}
	close(p.deaf)
	if _, err := io.Copy(io.Discard, r); fault.KindOf(err) != fault.Unavailable || fault.HintOf(err) == "" {
		t.Errorf("kind %v: %v", fault.KindOf(err), err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestServersWithoutExtensionsAreWrittenTo(t *testing.T) {
	if err := files.SetSFTPExtensions(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := files.SetSFTPExtensions("hardlink@openssh.com", "posix-rename@openssh.com", "statvfs@openssh.com"); err != nil {
			t.Error(err)
		}
	})
	dir := t.TempDir()
	f := open(t, start(t, byPassword()).address(dir, nil)).(source.Putter)
	for _, text := range []string{"first", "second"} {
		if err := f.Put(t.Context(), dir+"/a.csv", strings.NewReader(text), true); err != nil {
			t.Error(err)
		}
		if b, err := os.ReadFile(dir + "/a.csv"); err != nil || string(b) != text {
			t.Errorf("%q, %v", b, err)
		}
	}
}
