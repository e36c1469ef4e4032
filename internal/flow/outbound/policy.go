package outbound

import (
	"context"
	"math"
	"math/rand/v2"
	nethttp "net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	channel "headrace/internal/connect/channel/http"
	"headrace/internal/core/fault"
)

// DefaultKeyHeader is the header that carries the idempotency key.
const DefaultKeyHeader = "Idempotency-Key"

const defaultStatuses = "408,425,429,500,502,503,504"

// policy says when a delivery is tried again. Times are in milliseconds, MaxAge in seconds.
type policy struct {
	Attempts   int     `json:"attempts"`
	MaxAge     int     `json:"maxAge"`
	Base       int     `json:"base"`
	Factor     float64 `json:"factor"`
	Cap        int     `json:"cap"`
	Statuses   []int   `json:"statuses"`
	AtMostOnce bool    `json:"atMostOnce,omitempty"`
	KeyHeader  string  `json:"keyHeader,omitempty"`
	Connect    int     `json:"connect,omitempty"`
	FirstByte  int     `json:"firstByte,omitempty"`
	Idle       int     `json:"idle,omitempty"`
	Total      int     `json:"total,omitempty"`
	MaxAnswer  int64   `json:"maxAnswer,omitempty"`
}

// standard is the policy of messages that name none; the presets of the fields of PolicyTable say the same.
func standard() policy {
	return policy{Attempts: 8, MaxAge: 86400, Base: 1000, Factor: 2, Cap: 600_000, Statuses: statuses(defaultStatuses), KeyHeader: DefaultKeyHeader}
}

func (l loader) policy(ctx context.Context, id string) (policy, error) {
	if id == "" {
		return standard(), nil
	}
	r, err := l.one(ctx, PolicyTable, "name", id, "delivery policy")
	if err != nil {
		return policy{}, err
	}
	p := policy{Attempts: number(r, "attempts"), MaxAge: number(r, "max_age"), Base: number(r, "base"), Factor: decimal(r, "factor"), Cap: number(r, "cap"),
		Statuses: statuses(r.Get("statuses").Text), AtMostOnce: r.Get("at_most_once").Text == "true", KeyHeader: r.Get("key_header").Text,
		Connect: number(r, "connect_timeout"), FirstByte: number(r, "first_byte_timeout"), Idle: number(r, "idle_timeout"),
		Total: number(r, "total_timeout"), MaxAnswer: int64(number(r, "max_answer"))}
	if p.Attempts < 1 || p.MaxAge < 1 || p.Base < 0 || p.Factor < 1 || p.Cap < p.Base {
		return p, fault.New(fault.Invalid, "the delivery policy %q cannot be: attempts and max_age are at least 1, factor at least 1, cap at least base", r.Get("name").Text)
	}
	return p, nil
}

func statuses(text string) []int {
	var out []int
	for _, word := range strings.FieldsFunc(text, func(c rune) bool { return c == ',' || c == ' ' }) {
		if n, err := strconv.Atoi(word); err == nil {
			out = append(out, n)
		}
	}
	return out
}

func (p policy) timeouts() channel.Timeouts {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	return channel.Timeouts{Connect: ms(p.Connect), FirstByte: ms(p.FirstByte), Idle: ms(p.Idle), Total: ms(p.Total)}
}

// mostTotal bounds the call of a delivery: its job must end before the queue cuts it off.
const mostTotal = 50 * time.Second

// draw gives a number from [0, 1) for the jitter of a wait.
func draw() float64 { return rand.Float64() } //nolint:gosec // jitter is no secret

// wait is how long to wait before the attempt behind the n-th, n from 1: full jitter below an exponential bound.
func (p policy) wait(n int, dice float64) time.Duration {
	most := math.Min(float64(p.Cap), float64(p.Base)*math.Pow(p.Factor, float64(n-1)))
	return time.Duration(most*dice) * time.Millisecond
}

// longestHint bounds what a Retry-After may ask for.
const longestHint = 24 * time.Hour

// retryAfter reads the header of that name: seconds, or a date.
func retryAfter(h nethttp.Header, now time.Time) (time.Duration, bool) {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if text == "" {
		return 0, false
	}
	if n, err := strconv.Atoi(text); err == nil {
		return min(time.Duration(max(n, 0))*time.Second, longestHint), true
	}
	at, err := nethttp.ParseTime(text)
	if err != nil {
		return 0, false
	}
	return min(max(at.Sub(now), 0), longestHint), true
}

// verdict is what an attempt comes to.
type verdict struct {
	done   bool
	again  bool
	reason string // class of the failure: connect, timeout, status, fault, answer, unclear, ...
	msg    string
}

// judge says what an attempt comes to. A call that may have been carried out is only repeated when the partner can tell
// the repeat, or when repeating does no harm.
func (c *call) judge(got sending) verdict {
	v := c.outcome(got)
	if v.done || !v.again {
		return v
	}
	unclear := got.unclear()
	switch {
	case unclear && c.Policy.AtMostOnce:
		v.again, v.reason = false, "unclear"
		v.msg += "; it is sent at most once, and may have been carried out"
	case unclear && !c.repeatable():
		v.again, v.reason = false, "unclear"
		v.msg += "; a " + c.Method + " without idempotency key is not repeated once it may have been carried out"
	}
	return v
}

// repeatable reports whether sending twice comes to the same as sending once.
func (c *call) repeatable() bool {
	switch c.Method {
	case "GET", "HEAD", "OPTIONS", "PUT", "DELETE":
		return true
	}
	return c.Key != "" && (c.Policy.KeyHeader != "" && header(c.Header, c.Policy.KeyHeader) != "" || strings.Contains(string(c.Body)+c.URL, c.Key))
}

// outcome classes an attempt by itself.
func (c *call) outcome(got sending) verdict {
	switch {
	case got.credential != nil:
		return verdict{again: got.later, reason: "credentials", msg: got.credential.Error()}
	case got.failure != nil:
		return failed(got.failure)
	case got.fault != nil:
		return verdict{again: !got.fault.ours(), reason: "fault", msg: "SOAP fault " + got.fault.Code + ": " + got.fault.Text}
	case got.resp.Status >= 200 && got.resp.Status < 300:
		if c.Format != "" && isPage(got.resp) {
			return verdict{again: true, reason: "answer", msg: "the answer is a web page where " + c.Format + " was expected"}
		}
		return verdict{done: true}
	}
	return verdict{again: slices.Contains(c.Policy.Statuses, got.resp.Status), reason: "status", msg: "HTTP " + strconv.Itoa(got.resp.Status) + " " + nethttp.StatusText(got.resp.Status)}
}

func failed(f *channel.Failure) verdict {
	v := verdict{again: true, msg: f.Msg}
	switch f.Phase {
	case channel.Prepare, channel.Guard, channel.Redirect:
		v.again, v.reason = false, string(f.Phase)
	case channel.TooLarge:
		v.again, v.reason = false, "answer"
	case channel.Wait, channel.Total:
		v.reason = "timeout"
	case channel.Answer:
		v.reason = "answer"
	case channel.Stopped:
		v.reason = "stopped"
	default:
		v.reason = "connect"
	}
	return v
}

// isPage reports whether an answer is a web page.
func isPage(r *channel.Response) bool {
	if strings.Contains(strings.ToLower(r.Header.Get("Content-Type")), "text/html") {
		return true
	}
	text := strings.ToLower(strings.TrimSpace(string(r.Body[:min(len(r.Body), 64)])))
	return strings.HasPrefix(text, "<!doctype html") || strings.HasPrefix(text, "<html")
}
