package v1

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// problem is an error as RFC 9457 has it.
type problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Code      string `json:"code"`
	Hint      string `json:"hint,omitempty"`
	Reference string `json:"reference,omitempty"`
	Run       int64  `json:"run,omitempty"`
}

// statuses gives the status of every kind of fault.
var statuses = map[fault.Kind]int{
	fault.Internal:    http.StatusInternalServerError,
	fault.Invalid:     http.StatusBadRequest,
	fault.NotFound:    http.StatusNotFound,
	fault.Conflict:    http.StatusConflict,
	fault.Denied:      http.StatusForbidden,
	fault.Refused:     http.StatusUnprocessableEntity,
	fault.Unavailable: http.StatusServiceUnavailable,
	fault.Limit:       http.StatusRequestEntityTooLarge,
	fault.Canceled:    http.StatusConflict,
}

// statusError gives an error another status than its kind has.
type statusError struct {
	status int
	error
}

func (e *statusError) Unwrap() error { return e.error }

// runError is the error that a run ended with.
type runError struct {
	run int64
	error
}

func (e *runError) Unwrap() error { return e.error }

// problemOf translates an error. Internal ones are logged in full and shown by a reference only.
func problemOf(err error, log *slog.Logger, r *http.Request) problem {
	kind := fault.KindOf(err)
	p := problem{Type: "urn:headrace:problem:" + kind.String(), Status: statuses[kind], Detail: err.Error(), Code: kind.String(), Hint: fault.HintOf(err)}
	var at *statusError
	if errors.As(err, &at) {
		p.Status = at.status
	}
	var run *runError
	if errors.As(err, &run) {
		p.Run = run.run
	}
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		p.Status, p.Code, p.Type = http.StatusRequestEntityTooLarge, fault.Limit.String(), "urn:headrace:problem:"+fault.Limit.String()
	}
	if kind == fault.Internal {
		p.Reference = record.NewID()
		p.Detail, p.Hint = "something went wrong inside", "the server's log says more under this reference"
		log.ErrorContext(r.Context(), "internal error", "reference", p.Reference, "method", r.Method, "path", r.URL.Path, "error", err.Error(), "cause", errors.Unwrap(err))
	}
	p.Title = http.StatusText(p.Status)
	return p
}

// writeProblem answers with a problem.
func writeProblem(w http.ResponseWriter, p problem) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	if p.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "5")
	}
	w.WriteHeader(p.Status)
	body, err := json.Marshal(p)
	if err != nil { // texts and numbers always encode
		panic(err)
	}
	_, _ = w.Write(append(body, '\n')) // who does not read the answer has left
}

// WriteError answers with an error as this API does, for what stands in front of it.
func WriteError(w http.ResponseWriter, r *http.Request, status int, err error) {
	writeProblem(w, problemOf(&statusError{status, err}, slog.Default(), r))
}
