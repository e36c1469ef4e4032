package http

import (
	"context"
	"errors"
	"strings"
)

// Phase is how far a call came.
type Phase string

// The phases of a call, and the bounds that end it.
const (
	Prepare  Phase = "prepare"  // what is to be sent is wrong
	Guard    Phase = "guard"    // the address is not allowed
	Connect  Phase = "connect"  // no connection: nothing was sent
	TLS      Phase = "tls"      // no secure connection: nothing was sent
	Send     Phase = "send"     // the connection broke before an answer began
	Wait     Phase = "wait"     // no answer in time
	Answer   Phase = "answer"   // the answer broke off
	TooLarge Phase = "large"    // the answer is larger than allowed
	Redirect Phase = "redirect" // too many, or to where they may not lead
	Total    Phase = "total"    // the time for the whole call is over
	Stopped  Phase = "stopped"  // whoever asked gave up
)

// Failure is a call without a whole answer.
type Failure struct {
	Phase Phase
	Msg   string // for people; no secrets, no query
	Sent  bool   // something may have gone out: the other side may have acted
	Err   error
}

// Error makes Failure an error.
func (f *Failure) Error() string { return f.Msg }

// Unwrap gives the cause.
func (f *Failure) Unwrap() error { return f.Err }

// failure says what an error of the transport means here.
func (w *watcher) failure(err error) *Failure {
	sent := w.sent.Load()
	var f *Failure
	if cause := context.Cause(w.ctx); cause != nil && errors.As(cause, &f) {
		c := *f
		c.Sent = sent
		return &c
	}
	if errors.As(err, &f) {
		c := *f
		c.Sent = sent
		return &c
	}
	switch {
	case w.ctx.Err() != nil:
		return &Failure{Phase: Stopped, Msg: "the call was given up", Sent: sent, Err: err}
	case sent:
		return &Failure{Phase: Send, Msg: "the connection broke before an answer: " + reason(err), Sent: true, Err: err}
	case w.secure.Load():
		return &Failure{Phase: TLS, Msg: "no secure connection: " + reason(err), Err: err}
	}
	return &Failure{Phase: Connect, Msg: "no connection: " + reason(err), Err: err}
}

// reason is the innermost text of an error, on one line.
func reason(err error) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	const most = 300
	if len(text) > most {
		text = text[:most]
	}
	return strings.ToValidUTF8(text, "")
}
