package http

import (
	"cmp"
	"context"
	nethttp "net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// hop is one exchange of a call: the first, or one that a redirect led to.
type hop struct {
	method  string
	at      *url.URL
	header  nethttp.Header
	body    []byte
	outside bool
}

// follow exchanges until there is an answer that leads no further.
func (c *Client) follow(ctx context.Context, r Request, at *url.URL, limits Timeouts) (*Response, error) {
	h := hop{method: cmp.Or(r.Method, nethttp.MethodGet), at: at, header: r.Header.Clone(), body: r.Body, outside: r.Outside}
	if h.header == nil {
		h.header = nethttp.Header{}
	}
	for n := 0; ; n++ {
		resp, err := c.exchange(ctx, h, limits, cmp.Or(r.MaxAnswer, MaxAnswer))
		if resp != nil {
			resp.URL = h.at.String()
		}
		if err != nil || !r.Redirects || !leads(resp) {
			return resp, err
		}
		if n == MaxRedirects {
			return resp, &Failure{Phase: Redirect, Msg: "more than " + strconv.Itoa(MaxRedirects) + " redirects", Sent: true}
		}
		if h, err = h.next(resp, r.Allowed); err != nil {
			return resp, err
		}
	}
}

func leads(r *Response) bool {
	switch r.Status {
	case nethttp.StatusMovedPermanently, nethttp.StatusFound, nethttp.StatusSeeOther, nethttp.StatusTemporaryRedirect, nethttp.StatusPermanentRedirect:
		return r.Header.Get("Location") != ""
	}
	return false
}

// next is where a redirect leads. Another host than the one asked is named by the answer: it counts as data, and is told
// no credentials.
func (h hop) next(resp *Response, allowed []string) (hop, error) {
	to, err := h.at.Parse(resp.Header.Get("Location"))
	if err != nil || to.Host == "" || to.Scheme != "http" && to.Scheme != "https" {
		return h, &Failure{Phase: Redirect, Msg: "the redirect leads to no http or https URL", Sent: true}
	}
	if len(allowed) > 0 && !slices.ContainsFunc(allowed, func(a string) bool { return under(a, to) }) {
		return h, &Failure{Phase: Redirect, Msg: "the redirect to " + to.Host + " is not one of those allowed", Sent: true}
	}
	same := to.Host == h.at.Host && to.Scheme == h.at.Scheme
	out := hop{method: h.method, at: to, header: h.header.Clone(), body: h.body, outside: h.outside || !same && len(allowed) == 0}
	if !same {
		for _, name := range []string{"Authorization", "Cookie", "Proxy-Authorization", "X-Api-Key", "Host"} {
			out.header.Del(name)
		}
	}
	if resp.Status == nethttp.StatusSeeOther || resp.Status <= nethttp.StatusFound && h.method == nethttp.MethodPost {
		out.method, out.body = nethttp.MethodGet, nil
		if h.method == nethttp.MethodHead {
			out.method = nethttp.MethodHead
		}
		out.header.Del("Content-Type")
	}
	return out, nil
}

// under reports whether a URL is the one allowed or lies below it.
func under(allowed string, to *url.URL) bool {
	a, err := url.Parse(allowed)
	if err != nil || a.Scheme != to.Scheme || !strings.EqualFold(a.Host, to.Host) {
		return false
	}
	base := strings.TrimSuffix(a.Path, "/")
	return to.Path == a.Path || base == "" || strings.HasPrefix(to.Path, base+"/")
}
