// Package mock is a partner that answers as it was told or as it was recorded: for tests of what calls it, for
// demonstrations, and to see how a call copes with a partner that fails.
//
// A partner is a folder of YAML files, each a list of routes. A route answers the requests that match it with one answer
// after the other; the last one stays:
//
//	routes:
//	  - name: create ticket
//	    method: POST
//	    path: /tickets
//	    answers:
//	      - {status: 503, times: 2, headers: {Retry-After: "1"}}
//	      - status: 201
//	        json: {id: EXT-7}
//
// Answers can be slow, break off, or not come at all. A partner that honours idempotency keys answers a repeated key as
// it did the first time it succeeded, and counts it once.
package mock

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Received is a request as the partner got it.
type Received struct {
	Route  string // "" when none matched
	Method string
	Path   string // with the query
	Host   string
	Header http.Header
	Body   string
	Status int    // answered; 0: none
	Key    string // idempotency key
	Repeat bool   // the key was known, and what was answered was answered before
}

// Partner answers requests. It is an http.Handler, safe for use by many goroutines.
type Partner struct {
	// Clock tells the time that answers are dated with, unless they have a header Date of their own; nil is that of this
	// machine.
	Clock func() time.Time

	routes []*route
	told   func(Received)

	mu       sync.Mutex
	received []Received
	released chan struct{}
}

// route is a Route and how far it is.
type route struct {
	Route
	next   int // index of the answer that comes next
	used   int // how often it was given
	seen   map[string]Answer
	unique int
}

// New makes a partner of routes. Told, which may be nil, is called with every request when it is answered.
func New(routes []Route, told func(Received)) *Partner {
	p := &Partner{told: told, released: make(chan struct{})}
	for _, r := range routes {
		p.routes = append(p.routes, &route{Route: r, seen: map[string]Answer{}})
	}
	return p
}

// mostBody bounds what is read of a request, in bytes.
const mostBody = 16 << 20

// mostReceived bounds how many requests are remembered.
const mostReceived = 100_000

// ServeHTTP answers a request by the first route that matches it.
func (p *Partner) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostBody))
	if err != nil {
		http.Error(w, "the body cannot be read", http.StatusBadRequest)
		return
	}
	got := Received{Method: r.Method, Path: r.URL.RequestURI(), Host: r.Host, Header: r.Header.Clone(), Body: string(body)}
	a := p.choose(&got, r)
	if got.Status = a.Status; a.Drop == DropBefore {
		got.Status = 0
	}
	p.note(got)
	p.give(w, r, a)
}

// choose finds the answer to a request and moves its route on.
func (p *Partner) choose(got *Received, r *http.Request) Answer {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, at := range p.routes {
		if !at.matches(r, got.Body) {
			continue
		}
		got.Route = at.Name
		if at.Key != "" {
			got.Key = r.Header.Get(at.Key)
		}
		if a, known := at.seen[got.Key]; known && got.Key != "" {
			got.Repeat = true
			return a
		}
		a := at.take()
		if a.Done || a.Status < http.StatusMultipleChoices && a.Drop != DropBefore {
			at.unique++
			if got.Key != "" {
				at.seen[got.Key] = a.again()
			}
		}
		return a
	}
	return Answer{Status: http.StatusNotFound, Headers: map[string]string{"Content-Type": "application/json"},
		Body: `{"error":"no route of the partner matches this request"}`}
}

// again is the answer to a repeated request: whole.
func (a Answer) again() Answer {
	a.Drop, a.Latency = "", 0
	return a
}

// take gives the answer whose turn it is.
func (r *route) take() Answer {
	if len(r.Answers) == 0 {
		return Answer{Status: http.StatusOK}
	}
	a := r.Answers[r.next]
	if r.used++; r.used >= max(a.Times, 1) {
		r.used = 0
		switch {
		case r.next+1 < len(r.Answers):
			r.next++
		case r.Loop:
			r.next = 0
		}
	}
	return a
}

func (r *route) matches(req *http.Request, body string) bool {
	if r.Method != "" && !strings.EqualFold(r.Method, req.Method) || r.Host != "" && !strings.EqualFold(r.Host, req.Host) || !pathMatches(r.Path, req.URL.Path) {
		return false
	}
	for name, value := range r.Match.Headers {
		if !strings.Contains(req.Header.Get(name), value) {
			return false
		}
	}
	for name, value := range r.Match.Query {
		if req.URL.Query().Get(name) != value {
			return false
		}
	}
	return strings.Contains(body, r.Match.Body)
}

// pathMatches compares a path with a pattern, in which * stands for one part, or at the end for all that follows.
func pathMatches(pattern, path string) bool {
	if pattern == "" || pattern == "*" {
		return true
	}
	want, have := strings.Split(strings.Trim(pattern, "/"), "/"), strings.Split(strings.Trim(path, "/"), "/")
	for i, w := range want {
		if w == "*" && i == len(want)-1 && len(have) >= len(want) {
			return true
		}
		if i >= len(have) || w != "*" && w != have[i] {
			return false
		}
	}
	return len(want) == len(have)
}

func (p *Partner) note(got Received) {
	p.mu.Lock()
	if len(p.received) < mostReceived {
		p.received = append(p.received, got)
	}
	p.mu.Unlock()
	if p.told != nil {
		p.told(got)
	}
}

// give answers, or does not, as the answer says.
func (p *Partner) give(w http.ResponseWriter, r *http.Request, a Answer) {
	if !p.pause(r, a) {
		return
	}
	if a.Drop == DropBefore {
		hangUp(w, nil)
		return
	}
	body := a.content()
	if p.Clock != nil {
		w.Header().Set("Date", p.Clock().UTC().Format(http.TimeFormat))
	}
	for name, value := range a.Headers {
		w.Header().Set(name, value)
	}
	if w.Header().Get("Content-Type") == "" && a.JSON != nil {
		w.Header().Set("Content-Type", "application/json")
	}
	if a.Drop == DropHalf {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		hangUp(w, func() { w.WriteHeader(a.Status); _, _ = w.Write(body[:len(body)/2]) })
		return
	}
	w.WriteHeader(a.Status)
	_, _ = io.Copy(w, bytes.NewReader(body)) // whoever asks may hang up
	for range a.Repeat {
		if _, err := w.Write(body); err != nil {
			return
		}
	}
}

// pause waits before an answer: for a time, or until Release. It reports whether there is still somebody to answer.
func (p *Partner) pause(r *http.Request, a Answer) bool {
	if a.Hold {
		select {
		case <-p.hold():
		case <-r.Context().Done():
			return false
		}
	}
	if a.Latency <= 0 {
		return true
	}
	t := time.NewTimer(time.Duration(a.Latency))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

func (p *Partner) hold() chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.released
}

// Release lets the answers go that are held, and those that would be from now on.
func (p *Partner) Release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.released:
	default:
		close(p.released)
	}
}

// hangUp ends the connection: after what before has written, or at once.
func hangUp(w http.ResponseWriter, before func()) {
	c := http.NewResponseController(w)
	if before != nil {
		before()
		_ = c.Flush() // whoever asks may be gone
	}
	panic(http.ErrAbortHandler)
}

// content is the body of an answer.
func (a Answer) content() []byte {
	if a.JSON == nil {
		return []byte(a.Body)
	}
	b, err := json.Marshal(a.JSON)
	if err != nil { // it came from YAML
		return []byte(a.Body)
	}
	return b
}

// Received lists the requests so far, in the order in which they were answered.
func (p *Partner) Received() []Received {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Received(nil), p.received...)
}

// Counted tells how many requests a route carried out: repeats of a key it knows are not counted.
func (p *Partner) Counted(name string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, r := range p.routes {
		if r.Name == name {
			n += r.unique
		}
	}
	return n
}
