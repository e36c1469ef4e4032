// Package wire is what all REST APIs of the compatible surface share: who asks, which form they speak, how bodies are
// read, how answers and errors are written. The APIs themselves are Handlers over it and know nothing of HTTP's
// plumbing.
package wire

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"headrace/internal/connect/format"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/access"
	"headrace/internal/flow/importset"
)

// Handler answers one API call. What it returns is written as the answer; an error is written as the platform's error
// envelope.
type Handler func(r *Request) (*Answer, error)

// Request is one API call of somebody known.
type Request struct {
	*http.Request
	Identity *access.Identity // nil on public routes only
	Session  record.Session   // acts as Identity
	Base     string           // "https://host:port", how the caller reaches this server
	Version  string           // of the path: "", "v1", "v2"
	Params   map[string]string

	deps  Deps
	query map[string][]string
}

// Answer is what a Handler found. One of Result, Raw and Stream is set, or none for an empty body.
type Answer struct {
	Status int         // 0 is 200
	Header http.Header // besides those that every answer has; may be nil
	Result any         // wrapped as {"result": ...}
	Raw    any         // not wrapped
	// Stream writes a body of ContentType in a form of its own.
	Stream      func(io.Writer) error
	ContentType string
}

// Encoder is a Result or Raw that writes its own JSON, for what must be fast. Other values go through encoding/json.
type Encoder interface {
	AppendJSON(dst []byte) []byte
}

// Route is one operation of an API. Patterns below /api/now/ are served with /v1/ and /v2/ behind it, too.
type Route struct {
	Method  string
	Pattern string // of net/http.ServeMux, without the method: "/api/now/table/{table}"
	Handler Handler
	// Public routes answer callers without credentials.
	Public bool
	// OwnForm routes answer in a form of their own (files, exports): the Accept header is theirs to read.
	OwnForm bool
}

// Deps is what the APIs stand on. The zero value of each setting is the platform's default.
type Deps struct {
	DB      *record.DB
	Access  *access.Service
	Imports *importset.Service
	Formats []format.Format
	Clock   func() time.Time // nil is time.Now
	Log     *slog.Logger     // nil is slog.Default()
	Base    string           // the URL of this server in links; "" takes the host that the request names
	MaxBody int64            // most bytes of a JSON or XML body; 0 is DefaultMaxBody
	// StrictCount counts the records of a list as the platform does: those the caller may not read, too.
	StrictCount bool
	// NoRowsOnInvalid lets a query with a term that means nothing find nothing (glide.invalid_query.returns_no_rows);
	// the platform leaves the term out.
	NoRowsOnInvalid bool
}

// DefaultMaxBody is the platform's limit of a REST body, in bytes.
const DefaultMaxBody = 10 << 20

// Now is the clock's time.
func (d Deps) Now() time.Time {
	if d.Clock != nil {
		return d.Clock()
	}
	return time.Now()
}

// Logger is the log to write to.
func (d Deps) Logger() *slog.Logger {
	if d.Log != nil {
		return d.Log
	}
	return slog.Default()
}

type identityKey struct{}

// WithIdentity remembers who calls; the authentication in front of Serve does.
func WithIdentity(ctx context.Context, who *access.Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, who)
}

// IdentityFrom tells who calls, or nil.
func IdentityFrom(ctx context.Context) *access.Identity {
	who, _ := ctx.Value(identityKey{}).(*access.Identity)
	return who
}

// Param is the first value of a query parameter; "" when it is absent or empty, which mean the same.
func (r *Request) Param(name string) string {
	if r.query == nil {
		r.query = r.URL.Query()
	}
	if v := r.query[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// Query gives all query parameters. They are shared: not to be changed.
func (r *Request) Query() map[string][]string {
	r.Param("")
	return r.query
}

// SetQuery replaces the query parameters, for calls that stand for others.
func (r *Request) SetQuery(query map[string][]string) { r.query = query }

// Flag reads a boolean parameter, in any case; absent is false.
func (r *Request) Flag(name string) bool { return strings.EqualFold(r.Param(name), "true") }

// API is the base of the path that the call came by, with the version if it had one: "https://host/api/now/v2".
func (r *Request) API() string {
	if r.Version == "" {
		return r.Base + "/api/now"
	}
	return r.Base + "/api/now/" + r.Version
}

// Table finds a table that the APIs offer; the platform's error when there is none.
func (r *Request) Table(name string) (*record.Table, error) {
	t := r.deps.DB.Catalog().Table(name)
	if t == nil {
		return nil, &Error{Status: http.StatusBadRequest, Message: "Invalid table " + name}
	}
	return t, nil
}

// Error is an error in the platform's words. Detail "" is null.
type Error struct {
	Status          int
	Message, Detail string
	Header          http.Header // besides the usual ones; may be nil
}

// Error makes Error an error.
func (e *Error) Error() string {
	if e.Detail == "" {
		return e.Message
	}
	return e.Message + ": " + e.Detail
}

// Unreadable is the platform's answer to a body that cannot be read.
func Unreadable(format string, args ...any) *Error {
	return &Error{Status: http.StatusBadRequest, Message: "Exception while reading request", Detail: fault.New(fault.Invalid, format, args...).Msg}
}
