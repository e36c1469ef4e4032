package rest

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	channel "headrace/internal/connect/channel/http"
	"headrace/internal/core/fault"
)

// request is one request, before anything proves who asks.
type request struct {
	method string
	url    *url.URL
	header http.Header
	body   []byte
	shown  string
}

// compose makes the request for a page; at is its own URL where the page has one.
func (s *service) compose(v values, at *url.URL) (*request, error) {
	r := &request{method: s.method, url: at, header: http.Header{"Accept": {accepts[s.format.Info().Name]}}}
	if at == nil {
		u := *s.base
		u.RawQuery = query(s.params, v)
		r.url = &u
	}
	for _, h := range s.header {
		if value, ok := h.value.fill(v, plain); ok {
			r.header.Set(h.name, value)
		}
	}
	body, ok := s.body.fill(v, s.escape)
	if !ok {
		return nil, fault.New(fault.Invalid, "option body: a placeholder has no value on the first page").WithHint(`put the part that holds it into square brackets: [,"after":"{cursor}"]`)
	}
	r.body, r.shown = []byte(body), s.redacted(r.url)
	return r, nil
}

var accepts = map[string]string{"json": "application/json", "xml": "application/xml, text/xml;q=0.9", "csv": "text/csv, text/plain;q=0.9"}

// trouble is a request that came to nothing.
type trouble struct {
	err     *fault.Error
	passing bool          // it may go well another time
	idle    bool          // the service has not acted, so that any method may be tried again
	after   time.Duration // the service asks to wait so long; 0: it does not
	expired bool          // the credentials are to be renewed
}

func (t *trouble) Error() string { return t.err.Error() }

func (t *trouble) Unwrap() error { return t.err }

// ask sends a request until there is an answer that use takes, or no hope. What use refuses as passing is asked again.
func (s *service) ask(ctx context.Context, r *request, use func(*answer) error) error {
	renewed, renew := false, false
	for attempt := 1; ; {
		a, err := s.once(ctx, r, renew)
		if err == nil {
			err = use(a)
		}
		var t *trouble
		if err == nil || !errors.As(err, &t) {
			return err
		}
		if t.expired && s.at.Grant != nil && !renewed {
			renewed, renew = true, true
			continue
		}
		pause, again := s.again(r, t, attempt)
		if !again {
			return t.err
		}
		if err := s.sleep(ctx, pause); err != nil {
			return err
		}
		attempt, renew = attempt+1, false
	}
}

// again decides whether a request is made once more, and after how long.
func (s *service) again(r *request, t *trouble, attempt int) (pause time.Duration, again bool) {
	if !t.passing || attempt >= s.attempts || r.method != http.MethodGet && !t.idle {
		return 0, false
	}
	if t.after > s.longest {
		t.err = t.err.WithHint("the service asks to wait %s, which is more than the option max_wait allows (%s)", t.after.Round(time.Second), s.longest)
		return 0, false
	}
	if t.after > 0 {
		return t.after, true
	}
	base := time.Second << min(attempt-1, 5)
	return min(base+rand.N(base/4), s.longest), true
}

// once makes a request a single time. Again says that the credentials are to be renewed before.
func (s *service) once(ctx context.Context, r *request, again bool) (*answer, error) {
	if err := s.pace.wait(ctx, s.clock, s.sleep); err != nil {
		return nil, err
	}
	proven, err := s.proven(ctx, r, again)
	if err != nil {
		return nil, err
	}
	resp, err := s.client.Do(ctx, channel.Request{Method: r.method, URL: proven.URL.String(), Header: proven.Header, Body: r.body, Outside: !s.at.Inside,
		Redirects: true, Allowed: s.origins(), Timeouts: s.timeouts, MaxAnswer: s.maxAnswer})
	if err != nil {
		return nil, s.failed(ctx, r, err)
	}
	a := &answer{ctx: ctx, plan: s.plan, url: r.url, shown: r.shown, header: resp.Header, body: resp.Body, open: resp.Open, none: resp.Status == http.StatusNoContent,
		mask: func(text string) string { return s.masked(text, proven) }}
	if at, err := url.Parse(resp.URL); err == nil && resp.URL != proven.URL.String() {
		a.url = at
	}
	return a, s.judged(a, resp)
}

// origins are where redirects may lead: the host of the address, from http to https too but not back.
func (s *service) origins() []string {
	out := []string{"https://" + s.base.Host}
	if s.base.Scheme == "http" {
		out = append(out, "http://"+s.base.Host, "https://"+standard.ReplaceAllString(s.base.Host, ""))
	}
	return out
}

// proven is the request with the credentials on it.
func (s *service) proven(ctx context.Context, r *request, again bool) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, r.url.String(), nil)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, nil, "no request can be made of %s", r.shown)
	}
	req.Header = r.header.Clone()
	if s.at.Secret.User != "" || s.at.Secret.Password != "" {
		req.SetBasicAuth(s.at.Secret.User, s.at.Secret.Password)
	}
	if s.at.Grant == nil {
		return req, nil
	}
	s.prove.Lock()
	defer s.prove.Unlock()
	err = s.at.Grant(req, again)
	var f *fault.Error
	if err != nil && !errors.As(err, &f) && ctx.Err() == nil {
		err = fault.Wrap(fault.Denied, err, "there are no credentials for %s", s.base.Host).WithHint("check the credential of the source")
	}
	return req, err
}

// failed says what a call without a whole answer means.
func (s *service) failed(ctx context.Context, r *request, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var f *channel.Failure
	if !errors.As(err, &f) {
		return err
	}
	t := &trouble{idle: !f.Sent, err: fault.New(fault.Unavailable, "%s: %s", r.shown, f.Msg)}
	var missing *net.DNSError
	switch f.Phase {
	case channel.Prepare:
		t.err.Kind = fault.Invalid
	case channel.Guard:
		t.err.Kind, t.err.Hint = fault.Refused, "addresses on a private network are for administrators to allow"
	case channel.Redirect:
		t.err.Kind, t.err.Hint = fault.Refused, "credentials go to the host of the address only: set the address to where the service is"
	case channel.TooLarge:
		t.err.Kind, t.err.Hint = fault.Limit, "ask for fewer rows per page (page_size), or raise max_answer"
	case channel.TLS:
		t.err.Hint = "check the certificate and the name of the server; with an authority of your own, install its certificate"
		t.passing = !strings.Contains(f.Msg, "x509") && !strings.Contains(f.Msg, "certificate") && !strings.Contains(f.Msg, "does not look like a TLS")
	case channel.Connect:
		t.err.Hint, t.passing = "check host and port, and whether a firewall is in the way", true
		if errors.As(f.Err, &missing) && missing.IsNotFound {
			t.err.Hint, t.passing = "check the name of the host", false
		}
	default:
		t.err.Hint, t.passing = "the network or the service failed: try again", true
	}
	return t
}

// judged looks at status and content of an answer.
func (s *service) judged(a *answer, resp *channel.Response) error {
	said := a.mask(explain(a.body))
	if resp.Status >= 200 && resp.Status < 300 {
		if err := a.web(); err != nil {
			return err
		}
		return s.refused(a)
	}
	t := &trouble{err: fault.New(fault.Unavailable, "%s answers %s%s", a.shown, status(resp.Status), said)}
	after, waits := retryAfter(resp.Header.Get("Retry-After"), s.clock())
	t.after = after
	switch resp.Status {
	case http.StatusUnauthorized:
		t.err.Kind, t.expired, t.err.Hint = fault.Denied, true, "check the credential of the source"
	case http.StatusForbidden:
		t.err.Kind, t.err.Hint = fault.Denied, "the credential may not read this: check its roles"
		t.passing, t.idle = waits, waits
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		t.passing, t.idle, t.err.Hint = true, true, "the service is busy: set the option rate, or run at another hour"
	case http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		t.passing, t.err.Hint = true, "the service failed: ask for fewer rows per page (page_size), or try again later"
	case http.StatusNotFound:
		t.err.Kind, t.err.Hint = fault.NotFound, "check the path of the address"
	default:
		t.err.Kind, t.err.Hint = fault.Invalid, "check address, method, headers and parameters"
	}
	return t
}

// refused looks at what the option error names: a refusal behind a good status.
func (s *service) refused(a *answer) error {
	said, ok := a.at(s.refusal)
	if empty := said == "" || said == "false" || said == "[]" || said == "{}" || said == "0"; !ok || empty {
		return nil
	}
	t := &trouble{err: fault.New(fault.Unavailable, "%s answers with an error: %s", a.shown, a.mask(oneLine(said, 200))).WithHint("the rows in the answer, if any, are not all")}
	low := strings.ToLower(said)
	if slices.ContainsFunc(s.expired, func(text string) bool { return text != "" && strings.Contains(low, strings.ToLower(text)) }) {
		t.expired, t.err.Kind, t.err.Hint = true, fault.Denied, "check the credential of the source"
	}
	return t
}

func status(code int) string {
	return strings.TrimSpace(strconv.Itoa(code) + " " + http.StatusText(code))
}

// retryAfter reads the header of that name: seconds, or a date.
func retryAfter(v string, now time.Time) (time.Duration, bool) {
	if n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64); err == nil && n >= 0 {
		return time.Duration(min(n, 1<<31)) * time.Second, true
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return 0, false
	}
	return max(at.Sub(now), 0), true
}

// telling are the places in which services explain a refusal.
var telling = [][]string{{"error", "message"}, {"error_description"}, {"message"}, {"detail"}, {"title"}, {"error", "detail"}, {"error"}}

// explain finds what an answer says about its refusal.
func explain(body []byte) string {
	var doc map[string]any
	if len(body) == 0 || len(body) > 64<<10 {
		return ""
	}
	if json.Unmarshal(body, &doc) != nil {
		if m := htmlTitle.FindSubmatch(body); m != nil {
			body = m[1]
		}
		return ": " + oneLine(string(body), 200)
	}
	for _, keys := range telling {
		at := any(doc)
		for _, key := range keys {
			inner, _ := at.(map[string]any)
			at = inner[key]
		}
		if text, ok := at.(string); ok && text != "" {
			return ": " + oneLine(text, 200)
		}
	}
	return ""
}
