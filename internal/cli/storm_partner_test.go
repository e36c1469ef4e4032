package cli_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// partner is the system that hears of every change. It honours the idempotency key: a call with a key that it has seen is
// answered as before, and does nothing. While it storms, calls fail in every way.
type partner struct {
	*httptest.Server
	mu       sync.Mutex
	dice     *rand.Rand
	storming bool
	outage   int              // calls that it still hangs up on
	held     map[string]token // by key
	calls    int
	repeats  int // calls with a key that it had seen
	faults   map[string]int
	problems []string
}

// token is what the partner holds of a change.
type token struct {
	Op     string `json:"op"`
	Name   string `json:"name"`
	Ticket string `json:"ticket"`
	fate   string
}

// failing is how a call fails. done: only the answer does, what was asked for is done.
type failing struct {
	name string
	odds int // of a thousand
	done bool
	play func(w http.ResponseWriter, answer []byte)
}

func hangUp(http.ResponseWriter, []byte) { panic(http.ErrAbortHandler) }

func refuseFor(status int, after string) func(http.ResponseWriter, []byte) {
	return func(w http.ResponseWriter, _ []byte) {
		if after != "" {
			w.Header().Set("Retry-After", after)
		}
		http.Error(w, "not now", status)
	}
}

var partnerFaults = []failing{
	{"503", 70, false, refuseFor(http.StatusServiceUnavailable, "")},
	{"503, Retry-After", 30, false, refuseFor(http.StatusServiceUnavailable, "1")},
	{"429, Retry-After", 40, false, refuseFor(http.StatusTooManyRequests, "1")},
	{"500 when done", 20, true, refuseFor(http.StatusInternalServerError, "")},
	{"hung up", 30, false, hangUp},
	{"hung up when done", 40, true, hangUp},
	{"half the bytes", 30, true, func(w http.ResponseWriter, answer []byte) {
		w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
		_, _ = w.Write(answer[:len(answer)/2]) // the caller may be dead
		hangUp(w, answer)
	}},
	{"half the document", 20, true, func(w http.ResponseWriter, answer []byte) { _, _ = w.Write(answer[:len(answer)/2]) }},
	{"a page", 20, true, func(w http.ResponseWriter, _ []byte) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<!doctype html><title>Welcome</title>")
	}},
	{"slow", 20, true, func(w http.ResponseWriter, answer []byte) {
		time.Sleep(300 * time.Millisecond)
		_, _ = w.Write(answer)
	}},
}

func newPartner(t *testing.T, seed uint64) *partner {
	p := &partner{dice: rand.New(rand.NewPCG(seed, 1)), storming: true, held: map[string]token{}, faults: map[string]int{}}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

// ServeHTTP takes a call.
func (p *partner) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var asked struct{ Op, Fate, Name string }
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller has died
	}
	key := r.Header.Get("Idempotency-Key")
	if err := json.Unmarshal(body, &asked); err != nil || key == "" {
		p.complain("a call with the key %q and the body %q", key, body)
	}
	failure := p.fate(asked.Fate)
	var answer []byte
	if failure == nil || failure.done {
		answer = p.take(key, token{Op: asked.Op, Name: asked.Name, fate: asked.Fate})
	}
	w.Header().Set("Content-Type", "application/json")
	if failure != nil {
		failure.play(w, answer)
		return
	}
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(answer)
}

// fate draws how a call fails; nil: it does not.
func (p *partner) fate(asked string) *failing {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls++
	if !p.storming {
		return nil
	}
	if p.outage == 0 && p.dice.IntN(300) == 0 {
		p.outage = 5 + p.dice.IntN(10)
	}
	n := p.dice.IntN(1000)
	switch {
	case p.outage > 0:
		p.outage--
		p.faults["outage"]++
		return &failing{play: hangUp}
	case asked == rejected:
		p.faults["400"]++
		return &failing{play: refuseFor(http.StatusBadRequest, "")}
	}
	for i := range partnerFaults {
		if n -= partnerFaults[i].odds; n < 0 {
			p.faults[partnerFaults[i].name]++
			return &partnerFaults[i]
		}
	}
	return nil
}

// take does what is asked for, unless it has been done, and gives the answer.
func (p *partner) take(key string, asked token) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	have, seen := p.held[key]
	if !seen {
		have = asked
		have.Ticket = fmt.Sprintf("T%06d", len(p.held)+1)
		p.held[key] = have
	} else {
		p.repeats++
	}
	if have.Op != asked.Op || have.Name != asked.Name {
		p.problems = append(p.problems, fmt.Sprintf("key %s was for %s and is now for %s", key, have.Op, asked.Op))
	}
	answer, err := json.Marshal(have)
	if err != nil { // texts always marshal
		panic(err)
	}
	return answer
}

func (p *partner) complain(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.problems = append(p.problems, fmt.Sprintf(format, args...))
}

func (p *partner) calmDown() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.storming, p.outage = false, 0
}

// ops gives how often the partner holds each write of the history, and the ticket of each.
func (p *partner) ops() (bag, map[string]token) {
	p.mu.Lock()
	defer p.mu.Unlock()
	out, tickets := bag{}, map[string]token{}
	for _, h := range p.held {
		out[h.Op]++
		tickets[h.Op] = h
	}
	return out, tickets
}

func (p *partner) summary() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Sprintf("%d calls, %d of them repeats of one that was done, %d records; faults: %v", p.calls, p.repeats, len(p.held), p.faults)
}

func (p *partner) host() string { return strings.TrimPrefix(p.URL, "http://") }
