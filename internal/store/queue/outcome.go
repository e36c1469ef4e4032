package queue

import (
	"encoding/json"
	"fmt"
	"time"
)

// snooze says when to run a job again.
type snooze struct{ after time.Duration }

func (s *snooze) Error() string { return fmt.Sprintf("again in %s", s.after) }

// Snooze, as the outcome of a job, runs it again after d, without counting the attempt.
func Snooze(d time.Duration) error { return &snooze{d} }

// cancelled says that a job is given up.
type cancelled struct{ err error }

func (c *cancelled) Error() string { return c.err.Error() }
func (c *cancelled) Unwrap() error { return c.err }

// Cancel, as the outcome of a job, gives it up because of err.
func Cancel(err error) error { return &cancelled{err} }

// envelope is how every job of ours travels: to River they are one kind.
type envelope struct {
	Name   string          `json:"kind"`
	Args   json.RawMessage `json:"args"`
	Unique string          `json:"unique,omitempty"`
}

const riverKind = "headrace"

// Kind makes envelope a river.JobArgs.
func (envelope) Kind() string { return riverKind }
