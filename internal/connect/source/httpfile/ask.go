package httpfile

import (
	"context"
	"errors"
	"io"
	"net"
	nethttp "net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"headrace/internal/connect/channel/http"
	"headrace/internal/connect/source"
	"headrace/internal/connect/source/web"
	"headrace/internal/core/fault"
)

// request is one request, and where redirects have led it.
type request struct {
	method  string
	at      *url.URL
	header  nethttp.Header
	body    *sending // nil for none
	outside bool     // a redirect named the host
	again   bool     // credentials were refused once
	hops    int
}

// answer is what a server said, with its body still to be read.
type answer struct {
	*nethttp.Response
	at     *url.URL // that answered
	name   string   // that was asked, for people
	again  bool     // with credentials that were made anew
	start  int64    // of the bytes given
	total  int64    // bytes of the file, -1 when not known
	inside bool     // it came from a private address
}

// ask sends a request, follows where it is led, and proves who asks to the host of the address only.
func (p *place) ask(ctx context.Context, r request) (*answer, error) {
	a, err := p.once(ctx, r)
	switch {
	case err != nil:
		return nil, web.Fault(p.name, err)
	case a.StatusCode == nethttp.StatusUnauthorized && p.Grant != nil && !r.again && p.own(r.at) && (r.body == nil || r.body.size >= 0):
		r.again = true
	case redirects(a.StatusCode) && a.Header.Get("Location") != "":
		if r, err = p.next(r, a); err != nil {
			return nil, withClose(err, a.Body.Close())
		}
	default:
		return a, nil
	}
	if err := a.Body.Close(); err != nil {
		return nil, web.Fault(p.name, err)
	}
	return p.ask(ctx, r)
}

func (p *place) once(ctx context.Context, r request) (*answer, error) {
	a := &answer{at: r.at, name: p.name, total: -1, again: r.again}
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) { a.inside = private(c.Conn) }})
	body := io.Reader(nethttp.NoBody)
	if r.body != nil {
		feed, ok := r.body.begin()
		if !ok {
			return nil, fault.New(fault.Denied, "%s: the server asked for other credentials while the file was sent", p.name).WithHint("try again")
		}
		body = io.NopCloser(feed)
	}
	req, err := nethttp.NewRequestWithContext(ctx, r.method, r.at.String(), body)
	if err != nil {
		return nil, fault.New(fault.Invalid, "%s: the request cannot be made", p.name).WithHint("check the address")
	}
	if r.body != nil {
		req.ContentLength = r.body.size
	}
	if r.header != nil {
		req.Header = r.header.Clone()
	}
	req.Header.Set("Accept-Encoding", "identity") // the bytes of the file, so that they can be counted and gone on with
	if err := p.prove(req, r.again); err != nil {
		return nil, err
	}
	if a.Response, err = p.net.Transport(r.outside || !p.Inside).RoundTrip(req); err != nil {
		return nil, err
	}
	a.measure()
	return a, nil
}

// prove puts credentials on a request to the host of the address.
func (p *place) prove(req *nethttp.Request, again bool) error {
	switch {
	case !p.own(req.URL):
	case p.Grant != nil:
		return p.Grant(req, again)
	case p.Secret.User != "" || p.Secret.Password != "":
		req.SetBasicAuth(p.Secret.User, p.Secret.Password)
	}
	return nil
}

// own reports whether an URL is on the server of the address. The same host with encryption is no other one.
func (p *place) own(at *url.URL) bool {
	if at.Scheme == p.at.Scheme {
		return strings.EqualFold(at.Host, p.at.Host)
	}
	return at.Scheme == "https" && at.Port() == "" && p.at.Port() == "" && strings.EqualFold(at.Hostname(), p.at.Hostname())
}

func private(c net.Conn) bool {
	at, err := netip.ParseAddrPort(c.RemoteAddr().String())
	return err == nil && http.Private(at.Addr())
}

func redirects(status int) bool {
	switch status {
	case nethttp.StatusMovedPermanently, nethttp.StatusFound, nethttp.StatusSeeOther, nethttp.StatusTemporaryRedirect, nethttp.StatusPermanentRedirect:
		return true
	}
	return false
}

// next is where an answer leads. A host that an answer names counts as data, unless the answer came from the own network.
func (p *place) next(r request, a *answer) (request, error) {
	to, err := r.at.Parse(a.Header.Get("Location"))
	switch {
	case r.body != nil:
		return r, fault.New(fault.Invalid, "%s: a file that is put cannot follow a redirect", p.name).WithHint("give the address to which it leads")
	case err != nil || to.Host == "" || to.Scheme != "http" && to.Scheme != "https":
		return r, fault.New(fault.Invalid, "%s: the redirect leads to no http or https address", p.name).WithHint("check the address with a browser")
	case r.at.Scheme == "https" && to.Scheme == "http":
		return r, fault.New(fault.Denied, "%s: the redirect to %s leads out of the encryption", p.name, shown(to)).WithHint("if that is right, give that address itself")
	case r.hops == http.MaxRedirects:
		return r, fault.New(fault.Invalid, "%s: more than %d redirects", p.name, http.MaxRedirects).WithHint("check the address with a browser: it may need a login")
	}
	to.User = nil
	r.outside = r.outside || !p.own(to) && !a.inside
	r.at, r.hops, r.again = to, r.hops+1, false
	return r, nil
}

// measure reads the place and number of the bytes in an answer.
func (a *answer) measure() {
	switch {
	case a.Header.Get("Content-Encoding") != "" && !packed(a.at):
		return
	case a.StatusCode == nethttp.StatusOK:
		a.total = a.ContentLength
		return
	}
	rest, ok := strings.CutPrefix(a.Header.Get("Content-Range"), "bytes ")
	if !ok {
		return
	}
	span, total, _ := strings.Cut(rest, "/")
	if n, err := strconv.ParseInt(total, 10, 64); err == nil {
		a.total = n
	}
	first, _, _ := strings.Cut(span, "-")
	if n, err := strconv.ParseInt(first, 10, 64); err == nil {
		a.start = n
	}
}

// file is what an answer says of the file.
func (a *answer) file(at string) source.File {
	return source.File{Path: at, Size: a.total, Modified: modified(a.Header), Version: a.Header.Get("Etag")}
}

// fault says what a status means that is no success.
func (a *answer) fault(closing error) error {
	status := strconv.Itoa(a.StatusCode) + " " + nethttp.StatusText(a.StatusCode)
	out := func(k fault.Kind, msg string) *fault.Error {
		return fault.Wrap(k, closing, "%s: %s (%s)", a.name, msg, strings.TrimSpace(status))
	}
	switch c := a.StatusCode; {
	case c == nethttp.StatusUnauthorized:
		return out(fault.Denied, "the server does not take who asks").WithHint("check user, password or token, and the credential that the source names")
	case c == nethttp.StatusForbidden, c == nethttp.StatusProxyAuthRequired:
		return out(fault.Denied, "this may not be read or written").WithHint("the operator of the server must allow it")
	case c == nethttp.StatusNotFound, c == nethttp.StatusGone:
		return out(fault.NotFound, "there is no such file").WithHint("check the path; it may be published later")
	case c == nethttp.StatusConflict, c == nethttp.StatusPreconditionFailed:
		return out(fault.Conflict, "the file has changed, or is there already").WithHint("look at what is there")
	case c == nethttp.StatusRequestEntityTooLarge, c == nethttp.StatusInsufficientStorage:
		return out(fault.Limit, "the file is too large for the server").WithHint("the operator of the server sets the limit")
	case c == nethttp.StatusRequestTimeout, c == nethttp.StatusTooEarly, c == nethttp.StatusTooManyRequests, c >= 500 && c != nethttp.StatusNotImplemented:
		return out(fault.Unavailable, "the server cannot answer now").WithHint("%s", waiting(a.Header.Get("Retry-After")))
	}
	return out(fault.Invalid, "the server refuses the request").WithHint("check the address")
}

func waiting(after string) string {
	if after == "" {
		return "try again later"
	}
	return "try again later; the server asks to wait: " + strings.ToValidUTF8(after, "")
}

// withClose keeps a fault first when closing went wrong too.
func withClose(err, closing error) error {
	if closing == nil {
		return err
	}
	return errors.Join(err, closing)
}
