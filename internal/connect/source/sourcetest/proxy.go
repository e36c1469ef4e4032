package sourcetest

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// Proxy stands between a source and its server, and can break what goes through it.
type Proxy struct {
	Addr string // where it listens, host:port
	to   string

	mu     sync.Mutex
	passed int64 // bytes from the server
	most   int64 // of them; negative is without bound
	reset  bool  // a broken connection ends with a reset
	once   bool  // the next connection is whole again
	conns  map[net.Conn]bool
	taken  int
	closed bool
	all    sync.WaitGroup
}

// NewProxy listens on a free port of the loopback and passes on to a server, host:port or the path of a socket, for the
// time of the test.
func NewProxy(t testing.TB, server string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: l.Addr().String(), to: server, most: -1, conns: map[net.Conn]bool{}}
	p.all.Add(1)
	go p.serve(l)
	t.Cleanup(func() {
		l.Close()
		p.shut()
		p.all.Wait()
	})
	return p
}

// Cut breaks all connections after so many more bytes from the server, with a reset or with an end; negative is never.
func (p *Proxy) Cut(after int64, reset bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.passed, p.most, p.reset, p.once = 0, after, reset, false
}

// CutOnce breaks one connection, after so many more bytes from the server over all: who asks again is answered.
func (p *Proxy) CutOnce(after int64, reset bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.passed, p.most, p.reset, p.once = 0, after, reset, true
}

// Passed is how many bytes came from the server since Cut.
func (p *Proxy) Passed() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.passed
}

func (p *Proxy) serve(l net.Listener) {
	defer p.all.Done()
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		p.mu.Lock()
		p.taken++
		p.mu.Unlock()
		p.all.Add(1)
		go p.pass(c)
	}
}

func (p *Proxy) pass(client net.Conn) {
	defer p.all.Done()
	if !p.keep(client) {
		return
	}
	defer p.drop(client)
	network := "tcp"
	if strings.HasPrefix(p.to, "/") {
		network = "unix"
	}
	server, err := net.Dial(network, p.to)
	if err != nil || !p.keep(server) {
		return
	}
	defer p.drop(server)
	p.all.Add(1)
	go func() {
		defer p.all.Done()
		io.Copy(server, client)
		p.drop(server)
	}()
	p.answers(client, server)
}

// answers copies what the server says, as far as it may.
func (p *Proxy) answers(client, server net.Conn) {
	buf := make([]byte, 16<<10)
	for {
		n, err := server.Read(buf)
		allowed, cut := p.allow(n)
		if _, writeErr := client.Write(buf[:allowed]); cut || err != nil || writeErr != nil {
			break
		}
	}
	if tcp, ok := client.(*net.TCPConn); ok && p.resets() {
		tcp.SetLinger(0)
	}
}

func (p *Proxy) allow(n int) (allowed int, cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.most >= 0 && p.passed+int64(n) > p.most {
		allowed, cut = int(max(0, p.most-p.passed)), true
		if p.passed = p.most; p.once {
			p.most = -1
		}
		return allowed, cut
	}
	p.passed += int64(n)
	return n, false
}

func (p *Proxy) resets() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reset
}

// keep remembers a connection, or closes it when all are to be closed.
func (p *Proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		c.Close()
		return false
	}
	p.conns[c] = true
	return true
}

func (p *Proxy) drop(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
	c.Close()
}

func (p *Proxy) shut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for c := range p.conns {
		c.Close()
	}
}

// Break breaks the connections that there are now, in both directions at once.
func (p *Proxy) Break() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}

// Accepted is how many connections there were.
func (p *Proxy) Accepted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.taken
}
