package outbound

import (
	"context"
	"errors"
	nethttp "net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	channel "headrace/internal/connect/channel/http"
	"headrace/internal/core/record"
)

// sending is one attempt and what came of it.
type sending struct {
	began      time.Time
	took       time.Duration
	sent       []Pair // headers, credentials included
	resp       *channel.Response
	failure    *channel.Failure
	credential error // there was none to be had
	later      bool  // of credential: trying again may help
	fault      *Fault
	err        error // why there is no answer: failure or credential
	secrets    []string
}

// unclear reports whether the partner may have carried out a call that has no good answer.
func (g *sending) unclear() bool {
	switch {
	case g.failure != nil:
		return g.failure.Sent
	case g.resp == nil:
		return false
	}
	switch g.resp.Status {
	case nethttp.StatusTooManyRequests, nethttp.StatusTooEarly, nethttp.StatusServiceUnavailable, nethttp.StatusRequestTimeout:
		return false // the partner says that it has not been
	}
	return true
}

func (g *sending) response(c *call) *Response {
	_, query, _ := strings.Cut(c.URL, "?")
	return &Response{Status: g.resp.Status, Header: g.resp.Header, Body: g.resp.Body, Took: g.took,
		Request: Sent{Method: c.Method, Endpoint: c.URL, Query: query, Body: string(c.Body), Header: c.Header}}
}

// userAgent is what we call ourselves.
const userAgent = "Headrace"

// send makes one attempt. A token that the partner refuses is got anew, once: an answer of 401 says that nothing was done.
func (s *Service) send(ctx context.Context, c *call) *sending {
	g := &sending{began: s.clock()}
	start := time.Now()
	defer func() { g.took = time.Since(start) }()
	for refresh := false; ; refresh = true {
		proof, err := s.prove(ctx, c.Credential, refresh)
		if err != nil {
			g.credential, g.err, g.later = err, err, transient(err)
			return g
		}
		g.secrets = append(g.secrets, proof.secrets...)
		g.exchange(ctx, s.client, c, proof)
		if refresh || !proof.renewable || g.resp == nil || g.resp.Status != nethttp.StatusUnauthorized {
			return g
		}
	}
}

func (g *sending) exchange(ctx context.Context, client *channel.Client, c *call, p proof) {
	g.sent = override(c.Header, p.header)
	if header(g.sent, "User-Agent") == "" {
		g.sent = append(g.sent, Pair{"User-Agent", userAgent})
	}
	if parent := traceparent(c.Trace); parent != "" && header(g.sent, "traceparent") == "" {
		g.sent = append(g.sent, Pair{"traceparent", parent})
	}
	h := nethttp.Header{}
	for _, p := range g.sent {
		h.Add(p.Name, p.Value)
	}
	resp, err := client.Do(ctx, channel.Request{Method: c.Method, URL: c.URL, Header: h, Body: []byte(c.Body), Outside: c.Outside,
		Redirects: c.Redirects, Allowed: c.Allowed, Timeouts: c.Timeouts, MaxAnswer: c.Policy.MaxAnswer})
	g.resp, g.failure, g.fault, g.err = resp, nil, nil, nil
	if err != nil {
		errors.As(err, &g.failure)
		g.err = err
		return
	}
	if c.SOAP {
		g.fault = FaultOf(resp.Body)
	}
}

// traceparent is the trace id in the way of W3C Trace Context; "" when it has not 32 hex digits.
func traceparent(trace string) string {
	if len(trace) != 32 || strings.Trim(strings.ToLower(trace), "0123456789abcdef") != "" || strings.Trim(trace, "0") == "" {
		return ""
	}
	return "00-" + strings.ToLower(trace) + "-" + record.NewID()[:16] + "-01"
}

// secretsOf are the secrets that turn up in an attempt.
func (c *call) secretsOf(g *sending) []string {
	out := append([]string{}, c.Secrets...)
	return append(out, g.secrets...)
}

// shownRequest and shownAnswer are what is kept of an attempt for people.
type shownRequest struct {
	Method  string `json:"method"`
	URL     string `json:"url"`
	Headers []Pair `json:"headers,omitempty"`
	Body    string `json:"body,omitempty"`
	Size    int    `json:"size"`
}

type shownAnswer struct {
	Status  int    `json:"status"`
	Headers []Pair `json:"headers,omitempty"`
	Body    string `json:"body,omitempty"`
	Size    int    `json:"size"`
}

func (c *call) show(r *redactor, headers []Pair) shownRequest {
	return shownRequest{Method: c.Method, URL: r.url(c.URL), Headers: r.pairs(headers), Body: r.text(string(c.Body), mostBody), Size: len(c.Body)}
}

func showAnswer(r *redactor, resp *channel.Response) *shownAnswer {
	if resp == nil {
		return nil
	}
	out := &shownAnswer{Status: resp.Status, Headers: r.pairs(pairsOf(resp.Header)), Size: len(resp.Body)}
	if isText(resp) {
		out.Body = r.text(string(resp.Body), mostBody)
	}
	return out
}

// isText reports whether an answer is worth showing.
func isText(r *channel.Response) bool {
	t := strings.ToLower(r.Header.Get("Content-Type"))
	for _, kind := range []string{"text/", "json", "xml", "urlencoded", "javascript"} {
		if strings.Contains(t, kind) {
			return true
		}
	}
	return t == ""
}

// logCall writes the row of the HTTP log in a transaction of its own.
func (s *Service) logCall(ctx context.Context, c *call, g *sending, delivery string) error {
	return s.db.As(record.System).Write(ctx, func(w *record.Writer) error {
		_, err := s.logIn(ctx, w, c, g, delivery)
		return err
	})
}

// logIn writes the row of the HTTP log. Whatever the level, secrets are redacted.
func (s *Service) logIn(ctx context.Context, w *record.Writer, c *call, g *sending, delivery string) (string, error) {
	r := redactorOf(c.secretsOf(g), c.Redact)
	u, err := url.Parse(c.URL)
	if err != nil {
		u = &url.URL{}
	}
	_, query, _ := strings.Cut(r.url(c.URL), "?")
	v := map[string]string{"url_hostname": u.Host, "url_scheme": u.Scheme, "url_path": r.text(u.EscapedPath(), mostHeader), "method": c.Method,
		"request_length": strconv.Itoa(len(c.Body)), "response_time": strconv.FormatInt(g.took.Milliseconds(), 10), "log_level": c.Level,
		"source_table": c.SourceType, "source_record": c.SourceID, "message": c.Message, "function_name": c.Function, "delivery": delivery, "trace": c.Trace}
	if g.err != nil {
		v["error"] = r.text(g.err.Error(), mostHeader)
	}
	elevated, all := c.Level == "elevated" || c.Level == "all", c.Level == "all"
	if elevated {
		v["url_query"], v["request_headers"] = query, lines(r.pairs(g.sent))
	}
	if all {
		v["request_body"] = r.text(string(c.Body), mostBody)
	}
	if a := showAnswer(r, g.resp); a != nil {
		v["response_status"], v["response_length"] = strconv.Itoa(a.Status), strconv.Itoa(a.Size)
		if elevated {
			v["response_headers"] = lines(a.Headers)
		}
		if all {
			v["response_body"] = a.Body
		}
	}
	return s.add(ctx, w, LogTable, v)
}

func lines(all []Pair) string {
	var b strings.Builder
	for _, p := range all {
		b.WriteString(p.Name + ": " + p.Value + "\n")
	}
	return b.String()
}

// add inserts a book-keeping record: stamped, without rules or change rows.
func (s *Service) add(ctx context.Context, w *record.Writer, table string, values map[string]string) (string, error) {
	r := record.NewRecord(s.db.Catalog().Table(table))
	now := w.Now().Format(record.DateTimeLayout)
	id := record.NewID()
	for name, v := range map[string]string{record.SysID: id, record.SysCreatedOn: now, record.SysUpdatedOn: now, record.SysModCount: "0",
		record.SysCreatedBy: record.System.Name, record.SysUpdatedBy: record.System.Name} {
		r.Set(name, record.Text(v))
	}
	for name, v := range values {
		r.Set(name, record.Value{Text: v, Valid: v != ""})
	}
	return id, w.Tx().Insert(ctx, r.Table, &record.Rows{Fields: r.Table.Names(), Values: r.Values})
}
