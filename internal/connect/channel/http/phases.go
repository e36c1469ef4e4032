package http

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	nethttp "net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// watcher gives each phase of an exchange its time: one clock, set anew when the next phase begins.
type watcher struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	limits Timeouts
	timer  *time.Timer
	phase  atomic.Pointer[Failure] // what it is when the clock runs out now
	sent   atomic.Bool
	secure atomic.Bool // the handshake of TLS began
}

func watch(ctx context.Context, limits Timeouts) *watcher {
	w := &watcher{limits: limits}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	w.phase.Store(&Failure{Phase: Connect, Msg: "no connection within " + limits.Connect.String()})
	w.timer = time.AfterFunc(limits.Connect, func() { w.cancel(w.phase.Load()) })
	return w
}

func (w *watcher) stop() {
	w.timer.Stop()
	w.cancel(nil)
}

// enter begins a phase.
func (w *watcher) enter(p Phase, within time.Duration, msg string) {
	w.phase.Store(&Failure{Phase: p, Msg: msg + " within " + within.String()})
	w.timer.Reset(within)
}

// traced is the context in which the transport tells how far it is.
func (w *watcher) traced() context.Context {
	return httptrace.WithClientTrace(w.ctx, &httptrace.ClientTrace{
		TLSHandshakeStart: func() {
			w.secure.Store(true)
			w.enter(TLS, w.limits.TLS, "no secure connection")
		},
		TLSHandshakeDone: func(_ tls.ConnectionState, err error) { w.secure.Store(err != nil) },
		GotConn: func(httptrace.GotConnInfo) {
			w.secure.Store(false)
			w.enter(Send, max(w.limits.FirstByte, w.limits.Idle, Defaults.Idle), "the request was not taken")
		},
		WroteHeaderField:     func(string, []string) { w.sent.Store(true) },
		WroteRequest:         func(httptrace.WroteRequestInfo) { w.enter(Wait, w.limits.FirstByte, "no answer") },
		GotFirstResponseByte: func() { w.enter(Answer, w.limits.Idle, "nothing more of the answer") },
	})
}

// read reads an answer to its end, or to where it breaks off.
func (w *watcher) read(answer *nethttp.Response, most int64) (*Response, error) {
	out := &Response{Status: answer.StatusCode, Header: answer.Header}
	body, err := io.ReadAll(&beating{r: io.LimitReader(answer.Body, most+1), w: w})
	closing := answer.Body.Close() // what is left is not wanted
	out.Body = body
	switch {
	case int64(len(body)) > most:
		out.Body = body[:most]
		return out, &Failure{Phase: TooLarge, Msg: "the answer is larger than the " + size(most) + " allowed", Sent: true, Err: closing}
	case err != nil:
		f := w.failure(err)
		if f.Phase == Send {
			f.Phase, f.Msg = Answer, "the answer broke off after "+size(int64(len(body)))
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				f.Msg += ": " + reason(err)
			}
		}
		f.Sent = true
		return out, f
	}
	return out, nil
}

// beating sets the clock anew with every piece that arrives.
type beating struct {
	r io.Reader
	w *watcher
}

func (b *beating) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if n > 0 {
		b.w.timer.Reset(b.w.limits.Idle)
	}
	return n, err
}
