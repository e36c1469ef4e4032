package event

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// Policy says how often and when a failed run is tried again.
type Policy struct {
	Attempts int           // 0 is 10
	Base     time.Duration // before the second attempt at most; 0 is 5 s
	Cap      time.Duration // at most before any attempt; 0 is 1 h
}

// factor is by how much the longest delay grows with each attempt.
const factor = 3

func (p Policy) attempts() int {
	if p.Attempts > 0 {
		return p.Attempts
	}
	return 10
}

// delay draws how long to wait after the attempt of that number: anything up to the longest, so that runs which failed
// together do not come back together.
func (p Policy) delay(attempt int) time.Duration {
	base, limit := p.Base, p.Cap
	if base <= 0 {
		base = 5 * time.Second
	}
	if limit <= 0 {
		limit = time.Hour
	}
	longest := min(float64(base)*math.Pow(factor, float64(attempt-1)), float64(limit))
	return time.Duration(rand.Int64N(max(int64(longest), 1)) + 1)
}

// retryLater asks for another attempt after a time.
type retryLater struct {
	after  time.Duration
	reason string
}

func (e *retryLater) Error() string { return e.reason }

// RetryLater is the error of a run that should be tried again after d.
func RetryLater(d time.Duration, reason string) error { return &retryLater{d, reason} }

// permanent asks for no other attempt.
type permanent struct{ err error }

func (e *permanent) Error() string { return e.err.Error() }
func (e *permanent) Unwrap() error { return e.err }

// Permanent is the error of a run that would fail again in the same way.
func Permanent(err error) error { return &permanent{err} }

// verdict says what becomes of a run after an attempt.
type verdict struct {
	state string
	after time.Duration // until the next attempt
	text  string        // the error
}

func (p Policy) judge(r *Run, err error) verdict {
	var later *retryLater
	var never *permanent
	switch {
	case err == nil:
		return verdict{state: Done}
	case errors.As(err, &never):
		return verdict{state: Dead, text: err.Error()}
	case r.Attempt >= p.attempts():
		return verdict{state: Dead, text: fmt.Sprintf("%s (given up after %d attempts)", err, r.Attempt)}
	case errors.As(err, &later):
		return verdict{state: Retry, after: later.after, text: err.Error()}
	case r.after > 0:
		return verdict{state: Retry, after: r.after, text: err.Error()}
	}
	return verdict{state: Retry, after: p.delay(r.Attempt), text: err.Error()}
}
