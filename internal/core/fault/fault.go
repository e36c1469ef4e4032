// Package fault is the one error type of Headrace. Parts below return raw errors; the floor that knows what the
// user was doing wraps them once, with a kind that every door translates into its own idiom.
package fault

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Kind says what sort of thing went wrong, in terms a caller can act on.
type Kind uint8

// The kinds, from "your fault" to "our fault".
const (
	Internal    Kind = iota // a defect or an unknown error: show a reference, log the rest
	Invalid                 // what was given is wrong and will stay wrong
	NotFound                // the thing named does not exist
	Conflict                // it exists already, or changed meanwhile
	Denied                  // the actor may not do that
	Refused                 // a rule or a guard said no
	Unavailable             // surroundings: disk, lock, network, database; trying again may help
	Limit                   // too large, too deep, too many
	Canceled                // the caller gave up
)

var kindNames = [...]string{"internal", "invalid", "not_found", "conflict", "denied", "refused", "unavailable", "limit", "canceled"}

// String gives the kind's stable name, as used in JSON answers and logs.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "internal"
}

// Error is what people see: Msg says what is wrong and where, Hint how to mend it. Err is the cause, for the log.
type Error struct {
	Kind Kind
	Op   string // what was being done, "import servers.csv"; may be empty
	Msg  string
	Hint string
	Err  error
}

// Error renders operation, message and cause on one line; the hint is left to the doors.
func (e *Error) Error() string {
	parts := make([]string, 0, 3)
	for _, s := range []string{e.Op, e.Msg} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	if e.Err != nil && !strings.Contains(e.Msg, e.Err.Error()) {
		parts = append(parts, e.Err.Error())
	}
	return strings.Join(parts, ": ")
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// New makes an error of the given kind.
func New(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Msg: fmt.Sprintf(format, args...)}
}

// Wrap puts a kind, a message and a cause together. A nil cause is allowed.
func Wrap(kind Kind, cause error, format string, args ...any) *Error {
	return &Error{Kind: kind, Msg: fmt.Sprintf(format, args...), Err: cause}
}

// WithHint returns the error with advice on how to mend it.
func (e *Error) WithHint(format string, args ...any) *Error {
	c := *e
	c.Hint = fmt.Sprintf(format, args...)
	return &c
}

// During names the operation around err. A fault keeps its kind, message and hint; the innermost operation wins
// its place to the right. Other errors become Internal, cancellations Canceled. During(op, nil) is nil.
func During(op string, err error) error {
	if err == nil {
		return nil
	}
	var f *Error
	if errors.As(err, &f) {
		c := *f
		if c.Op == "" {
			c.Op = op
		} else if c.Op != op {
			c.Op = op + ": " + c.Op
		}
		return &c
	}
	return &Error{Kind: KindOf(err), Op: op, Err: err}
}

// KindOf finds the kind of err: that of the outermost fault, Canceled for a done context, else Internal.
func KindOf(err error) Kind {
	var f *Error
	switch {
	case errors.As(err, &f):
		return f.Kind
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Canceled
	}
	return Internal
}

// HintOf gives the first hint found in the chain of err, or "".
func HintOf(err error) string {
	for err != nil {
		var f *Error
		if !errors.As(err, &f) {
			return ""
		}
		if f.Hint != "" {
			return f.Hint
		}
		err = f.Err
	}
	return ""
}
