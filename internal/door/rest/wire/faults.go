package wire

import (
	"errors"
	"net/http"
	"strings"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// Texts of the platform that clients match.
const (
	operationFailed = "Operation Failed"
	noRecord        = "No Record found"
	noRecordDetail  = "Record doesn't exist or ACL restricts the record retrieval"
	queryDenied     = "Insufficient rights to query records"
	fieldsDenied    = "Field(s) present in the query do not have permission to be read"
	timedOut        = "Transaction cancelled: maximum execution time exceeded"
)

// Unauthenticated is the platform's answer to a caller who has not said who he is, or is not.
func Unauthenticated() *Error {
	return &Error{Status: http.StatusUnauthorized, Message: "User Not Authenticated", Detail: "Required to provide Auth information",
		Header: http.Header{"WWW-Authenticate": {`BASIC realm="Service-now"`}, "Connection": {"close"}}}
}

// NoSuchResource is the platform's answer to a path that is no API.
func NoSuchResource() *Error {
	return &Error{Status: http.StatusBadRequest, Message: "Requested URI does not represent any resource"}
}

// idiom is how this door says a kind of fault. An empty message lets the fault speak for itself, with its hint as the
// detail; else what the fault says is the detail.
type idiom struct {
	status  int
	message string
}

// idioms is the one table from faults to this door's answers.
var idioms = map[fault.Kind]idiom{
	fault.Internal:    {http.StatusInternalServerError, "Internal error"},
	fault.Invalid:     {http.StatusBadRequest, ""},
	fault.NotFound:    {http.StatusNotFound, noRecord},
	fault.Conflict:    {http.StatusConflict, operationFailed},
	fault.Denied:      {http.StatusForbidden, operationFailed},
	fault.Refused:     {http.StatusForbidden, operationFailed},
	fault.Unavailable: {http.StatusServiceUnavailable, "Service unavailable"},
	fault.Limit:       {http.StatusBadRequest, ""},
	fault.Canceled:    {http.StatusServiceUnavailable, timedOut},
}

// FromError says an error in the platform's words. What is internal stays inside.
func FromError(err error) *Error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	kind := fault.KindOf(err)
	in := idioms[kind]
	e := &Error{Status: in.status, Message: in.message, Detail: Told(err)}
	switch {
	case kind == fault.NotFound:
		e.Detail = noRecordDetail
	case kind == fault.Internal, kind == fault.Canceled:
		e.Detail = ""
	case kind == fault.Denied && e.Detail == fieldsDenied:
		e.Message = queryDenied
	case kind == fault.Unavailable:
		e.Detail, e.Header = "", http.Header{"Retry-After": {"1"}}
	case in.message == "":
		e.Message, e.Detail = e.Detail, fault.HintOf(err)
	}
	return e
}

// Told is what a fault tells people: its message and, where a value was refused, why.
func Told(err error) string {
	var parts []string
	var f *fault.Error
	if errors.As(err, &f) && f.Msg != "" {
		parts = append(parts, f.Msg)
	}
	var bad *record.ValueError
	if errors.As(err, &bad) {
		parts = append(parts, bad.Msg)
	}
	return strings.Join(parts, ": ")
}
