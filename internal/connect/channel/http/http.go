// Package http sends one HTTP request and reads its answer, bounded in every direction: time for each phase and in all,
// size of the answer, number of redirects, connections to a host. It knows nothing of retries: what went wrong, and
// whether the other side can have seen the request, is in the Failure.
//
// Whoever asks says where the host of the request comes from. One that an administrator wrote may be any host; one that
// comes from data may not be on a private network. The guard looks at the address that is dialled, not at the name.
package http

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"io"
	"net"
	nethttp "net/http"
	"net/url"
	"time"
)

// Timeouts bound the phases of a call. Zero takes the default.
type Timeouts struct {
	Connect   time.Duration // name look-up, a free connection, and the connection itself; 10 s
	TLS       time.Duration // TLS handshake; 10 s
	FirstByte time.Duration // from the end of the request to the first byte of the answer; 60 s
	Idle      time.Duration // between two bytes of the answer; 30 s
	Total     time.Duration // everything, redirects included; 100 s
}

// Defaults are the time-outs where nothing else is said.
var Defaults = Timeouts{Connect: 10 * time.Second, TLS: 10 * time.Second, FirstByte: time.Minute, Idle: 30 * time.Second, Total: 100 * time.Second}

// Or fills what is zero from others.
func (t Timeouts) Or(o Timeouts) Timeouts {
	return Timeouts{Connect: cmp.Or(t.Connect, o.Connect), TLS: cmp.Or(t.TLS, o.TLS), FirstByte: cmp.Or(t.FirstByte, o.FirstByte),
		Idle: cmp.Or(t.Idle, o.Idle), Total: cmp.Or(t.Total, o.Total)}
}

// MaxAnswer is how many bytes of an answer are read where nothing else is said, after decompression.
const MaxAnswer = 10 << 20

// MaxRedirects is how many redirects are followed.
const MaxRedirects = 5

// Request is one call.
type Request struct {
	Method string
	URL    string
	Header nethttp.Header
	Body   []byte
	// Outside says that the host comes from data: it may not be on a private network, unless the Config allows it.
	Outside   bool
	Redirects bool     // follow them, up to MaxRedirects
	Allowed   []string // URLs that redirects may lead to; none: everywhere that the guard allows
	Timeouts  Timeouts
	MaxAnswer int64 // bytes; 0 is MaxAnswer
}

// Response is an answer, with whatever status.
type Response struct {
	Status int
	Header nethttp.Header
	Body   []byte
	URL    string // that answered: another than asked after redirects
	Took   time.Duration
	// Open says that nothing told where the body ends, neither a length nor chunks: it ended with the connection, and may
	// have been cut there.
	Open bool
}

// Config is what calls of one Client have in common.
type Config struct {
	// PerHost is how many connections there are to one host at most; 0 is 32.
	PerHost int
	// Allow lists hosts, host:port pairs and networks (10.0.0.0/8) that calls with a host from data may reach although
	// they are private. It is asked for at every call and may be nil.
	Allow func() []string
	// TLS is the configuration for https, for its own root certificates; nil is the system's.
	TLS *tls.Config
	// Through replaces the network: a recorded or scripted partner. The guard of addresses has nothing to look at then.
	Through nethttp.RoundTripper
}

const perHost = 32

// Client sends requests. It is safe for use by many goroutines.
type Client struct {
	allow   func() []string
	through nethttp.RoundTripper
	open    *nethttp.Transport // to hosts that administrators wrote
	guarded *nethttp.Transport // to hosts from data; its connections have passed the guard, so they are kept apart
}

// New makes a Client.
func New(cfg Config) *Client {
	c := &Client{allow: cfg.Allow, through: cfg.Through}
	if c.allow == nil {
		c.allow = func() []string { return nil }
	}
	c.open = transport(cfg, (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext)
	c.guarded = transport(cfg, c.dialGuarded)
	return c
}

func transport(cfg Config, dial func(context.Context, string, string) (net.Conn, error)) *nethttp.Transport {
	n := cmp.Or(cfg.PerHost, perHost)
	return &nethttp.Transport{DialContext: dial, TLSClientConfig: cfg.TLS, ForceAttemptHTTP2: true, MaxConnsPerHost: n, MaxIdleConnsPerHost: n,
		MaxIdleConns: 8 * n, IdleConnTimeout: 90 * time.Second, MaxResponseHeaderBytes: 256 << 10}
}

// Close ends the idle connections.
func (c *Client) Close() {
	c.open.CloseIdleConnections()
	c.guarded.CloseIdleConnections()
}

// Do sends a request. The error is a *Failure; with it comes what there is of an answer, which may be nil.
func (c *Client) Do(ctx context.Context, r Request) (*Response, error) {
	at, err := url.Parse(r.URL)
	if err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https" {
		return nil, &Failure{Phase: Prepare, Msg: "the endpoint is no http or https URL"}
	}
	began := time.Now()
	limits := r.Timeouts.Or(Defaults)
	ctx, cancel := context.WithTimeoutCause(ctx, limits.Total, &Failure{Phase: Total, Msg: "no whole answer within " + limits.Total.String()})
	defer cancel()
	resp, err := c.follow(ctx, r, at, limits)
	if resp != nil {
		resp.Took = time.Since(began)
	}
	return resp, err
}

// exchange sends one request and reads its answer; redirects are not followed.
func (c *Client) exchange(ctx context.Context, h hop, limits Timeouts, most int64) (*Response, error) {
	w := watch(ctx, limits)
	defer w.stop()
	body := io.Reader(nethttp.NoBody)
	if len(h.body) > 0 {
		body = io.NopCloser(bytes.NewReader(h.body)) // of no type that could be sent a second time without being asked
	}
	req, err := nethttp.NewRequestWithContext(w.traced(), h.method, h.at.String(), body)
	if err != nil {
		return nil, &Failure{Phase: Prepare, Msg: "the request cannot be made", Err: err}
	}
	req.ContentLength = int64(len(h.body))
	req.Header = h.header
	if host := h.header.Get("Host"); host != "" {
		req.Host = host
	}
	answer, err := c.network(h.outside).RoundTrip(req)
	if err != nil {
		return nil, w.failure(err)
	}
	resp, err := w.read(answer, most)
	resp.Open = c.through == nil && answer.ContentLength < 0 && len(answer.TransferEncoding) == 0 && answer.ProtoMajor == 1 && !answer.Uncompressed
	return resp, err
}

func (c *Client) network(outside bool) nethttp.RoundTripper {
	switch {
	case c.through != nil:
		return c.through
	case outside:
		return c.guarded
	}
	return c.open
}
