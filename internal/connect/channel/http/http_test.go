package http_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	nethttp "net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	channel "headrace/internal/connect/channel/http"
)

// raw is a server that says what the test wants on every connection.
func raw(t *testing.T, say func(c net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var talks sync.WaitGroup
	talks.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			talks.Go(func() {
				say(c)
				_ = c.Close() // it may be closed already
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); talks.Wait() })
	return "http://" + l.Addr().String()
}

// heard reads a request.
func heard(c net.Conn) {
	if r, err := nethttp.ReadRequest(bufio.NewReader(c)); err == nil {
		_, _ = io.Copy(io.Discard, r.Body) // what comes is not looked at
	}
}

// gone waits until the other side has hung up.
func gone(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

func failure(t *testing.T, r channel.Request, cfg channel.Config) (*channel.Response, *channel.Failure) {
	t.Helper()
	c := channel.New(cfg)
	defer c.Close()
	resp, err := c.Do(t.Context(), r)
	var f *channel.Failure
	if err != nil && !errors.As(err, &f) {
		t.Fatalf("the error is no failure: %v", err)
	}
	return resp, f
}

func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

func TestFailureSaysHowFarTheCallCame(t *testing.T) {
	const short = 100 * time.Millisecond
	head := "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
	tests := map[string]struct {
		say    func(net.Conn)
		url    string
		limits channel.Timeouts
		most   int64
		phase  channel.Phase
		sent   bool
	}{
		"nobody listens":         {url: closedPort(t), phase: channel.Connect},
		"no URL":                 {url: "ftp://x/", phase: channel.Prepare},
		"no TLS":                 {say: func(c net.Conn) { _, _ = io.WriteString(c, "hello\n"); gone(c) }, url: "https", phase: channel.TLS},
		"TLS takes too long":     {say: gone, url: "https", limits: channel.Timeouts{TLS: short}, phase: channel.TLS},
		"hangs up":               {say: heard, phase: channel.Send, sent: true},
		"no first byte":          {say: func(c net.Conn) { heard(c); gone(c) }, limits: channel.Timeouts{FirstByte: short}, phase: channel.Wait, sent: true},
		"stops in the middle":    {say: func(c net.Conn) { heard(c); _, _ = io.WriteString(c, head+"half"); gone(c) }, limits: channel.Timeouts{Idle: short}, phase: channel.Answer, sent: true},
		"hangs up in the middle": {say: func(c net.Conn) { heard(c); _, _ = io.WriteString(c, head+"half") }, phase: channel.Answer, sent: true},
		"drips for ever":         {say: drip, limits: channel.Timeouts{Total: 3 * short}, phase: channel.Total, sent: true},
		"is too large":           {say: func(c net.Conn) { heard(c); _, _ = io.WriteString(c, head+"1234567890") }, most: 9, phase: channel.TooLarge, sent: true},
		"is no HTTP":             {say: func(c net.Conn) { heard(c); _, _ = io.WriteString(c, "SSH-2.0-x\r\n") }, phase: channel.Send, sent: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			at := tt.url
			if tt.say != nil {
				at = raw(t, tt.say)
				if tt.url == "https" {
					at = strings.Replace(at, "http", "https", 1)
				}
			}
			_, f := failure(t, channel.Request{Method: "POST", URL: at, Body: []byte("x"), Timeouts: tt.limits, MaxAnswer: tt.most}, channel.Config{})
			if f == nil || f.Phase != tt.phase || f.Sent != tt.sent && f.Phase != channel.Total || f.Msg == "" {
				t.Errorf("got %+v, want %s, sent %v", f, tt.phase, tt.sent)
			}
		})
	}
}

// drip answers a byte at a time until the other side hangs up.
func drip(c net.Conn) {
	heard(c)
	if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"); err != nil {
		return
	}
	for {
		if _, err := io.WriteString(c, "x"); err != nil {
			return
		}
		time.Sleep(5 * time.Millisecond) // how slow the partner is
	}
}

func TestAnswerOf100MegabytesIsNotHeldInMemory(t *testing.T) {
	piece := make([]byte, 1<<20)
	for name, packed := range map[string]bool{"plain": false, "packed": true} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
				out := io.Writer(w)
				if packed {
					w.Header().Set("Content-Encoding", "gzip")
					z := gzip.NewWriter(w)
					defer z.Close()
					out = z
				}
				for range 100 {
					if _, err := out.Write(piece); err != nil {
						return
					}
				}
			}))
			defer s.Close()
			resp, f := failure(t, channel.Request{URL: s.URL}, channel.Config{})
			if f == nil || f.Phase != channel.TooLarge || int64(len(resp.Body)) != channel.MaxAnswer || resp.Status != 200 {
				t.Errorf("got %+v", f)
			}
		})
	}
}

func TestRedirectsAreFollowedAsFarAsTheyMay(t *testing.T) {
	other := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		fmt.Fprint(w, "other ", r.Header.Get("Authorization"))
	}))
	defer other.Close()
	s := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		switch r.URL.Path {
		case "/end":
			fmt.Fprintf(w, "%s %s %s", r.Method, body, r.Header.Get("Authorization"))
		case "/loop":
			nethttp.Redirect(w, r, "/loop", nethttp.StatusFound)
		case "/keep":
			nethttp.Redirect(w, r, "/end", nethttp.StatusPermanentRedirect)
		case "/file":
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(nethttp.StatusFound)
		case "/other":
			nethttp.Redirect(w, r, other.URL, nethttp.StatusTemporaryRedirect)
		default:
			nethttp.Redirect(w, r, "/end", nethttp.StatusFound)
		}
	}))
	defer s.Close()
	tests := map[string]struct {
		path    string
		allowed []string
		want    string
		phase   channel.Phase
	}{
		"a POST that is found becomes a GET":       {"/found", nil, "GET  secret", ""},
		"a permanent redirect repeats the request": {"/keep", nil, "POST body secret", ""},
		"it ends":              {"/loop", nil, "", channel.Redirect},
		"not to files":         {"/file", nil, "", channel.Redirect},
		"another host is data": {"/other", nil, "", channel.Guard},
		"one that is allowed gets no credentials":   {"/other", []string{other.URL}, "other ", ""},
		"one that is not allowed is not gone to":    {"/keep", []string{other.URL}, "", channel.Redirect},
		"allowed is by whole parts, not by letters": {"/keep", []string{s.URL + "/en"}, "", channel.Redirect},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			resp, f := failure(t, channel.Request{Method: "POST", URL: s.URL + tt.path, Body: []byte("body"), Header: nethttp.Header{"Authorization": {"secret"}},
				Redirects: true, Allowed: tt.allowed}, channel.Config{})
			switch {
			case tt.phase == "" && (f != nil || string(resp.Body) != tt.want):
				t.Errorf("got %+v %+v, want %s", resp, f, tt.want)
			case tt.phase != "" && (f == nil || f.Phase != tt.phase):
				t.Errorf("got %+v, want %s", f, tt.phase)
			}
		})
	}
}

func TestHostsFromDataAreGuardedByTheAddressThatIsDialled(t *testing.T) {
	s := httptest.NewServer(nethttp.HandlerFunc(func(nethttp.ResponseWriter, *nethttp.Request) {}))
	defer s.Close()
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "127.1", "0", "0x7f.1", "2130706433"} {
		_, f := failure(t, channel.Request{URL: "http://" + host + ":" + port, Outside: true,
			Timeouts: channel.Timeouts{Connect: time.Second / 2}}, channel.Config{})
		if f == nil || f.Phase != channel.Guard && f.Phase != channel.Connect || f.Sent {
			t.Errorf("%s: %+v", host, f)
		}
	}
	for _, allowed := range []string{"127.0.0.1", "127.0.0.1:" + port, "127.0.0.0/8"} {
		if _, f := failure(t, channel.Request{URL: s.URL, Outside: true}, channel.Config{Allow: func() []string { return []string{" " + allowed} }}); f != nil {
			t.Errorf("%s is allowed: %+v", allowed, f)
		}
	}
	c := channel.New(channel.Config{})
	defer c.Close()
	if _, err := c.Do(t.Context(), channel.Request{URL: s.URL}); err != nil {
		t.Errorf("an administrator's host: %v", err)
	}
	if _, err := c.Do(t.Context(), channel.Request{URL: s.URL, Outside: true}); err == nil { // the open connection is not used
		t.Error("a connection that was never guarded is used for a host from data")
	}
}

func TestPrivateAddresses(t *testing.T) {
	for address, private := range map[string]bool{"8.8.8.8": false, "2606:4700::1": false, "64:ff9b::808:808": false, "127.0.0.1": true, "10.1.2.3": true, "172.31.0.1": true,
		"172.32.0.1": false, "192.168.0.1": true, "169.254.169.254": true, "100.64.0.1": true, "0.0.0.0": true, "255.255.255.255": true, "224.0.0.1": true, "::": true, "::1": true,
		"::ffff:10.0.0.1": true, "::10.0.0.1": true, "64:ff9b::a00:1": true, "2002:a00:1::": true, "fe80::1": true, "fc00::1": true, "fd00:ec2::254": true, "ff02::1": true} {
		if got := channel.Private(netip.MustParseAddr(address)); got != private {
			t.Errorf("%s: private %v", address, got)
		}
	}
}

func TestCallThatIsGivenUpSaysSo(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	at := raw(t, func(c net.Conn) { heard(c); cancel(); gone(c) })
	c := channel.New(channel.Config{})
	defer c.Close()
	_, err := c.Do(ctx, channel.Request{URL: at})
	var f *channel.Failure
	if !errors.As(err, &f) || f.Phase != channel.Stopped || !f.Sent {
		t.Errorf("got %+v", err)
	}
}
