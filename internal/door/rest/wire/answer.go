package wire

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// form is how an answer is written.
type form struct {
	xml         bool
	contentType string
}

var (
	jsonForm = form{contentType: "application/json;charset=UTF-8"}
	xmlForm  = form{xml: true, contentType: "application/xml;charset=UTF-8"}
)

// negotiate settles the form by the Accept header: none, or anything, is JSON.
func negotiate(r *http.Request) (form, error) {
	accept := strings.Join(r.Header.Values("Accept"), ",")
	if accept == "" || accept == "*/*" || accept == "application/json" {
		return jsonForm, nil
	}
	best, found := 0.0, jsonForm
	for part := range strings.SplitSeq(accept, ",") {
		kind, f, q := acceptable(part)
		if q > best && kind {
			best, found = q, f
		}
	}
	if best == 0 {
		return jsonForm, &Error{Status: http.StatusNotAcceptable, Message: "Requested media type is not supported", Detail: "Accept may be application/json or application/xml"}
	}
	return found, nil
}

// acceptable reads one entry of an Accept header.
func acceptable(part string) (ok bool, f form, q float64) {
	kind, rest, _ := strings.Cut(part, ";")
	q = 1
	for p := range strings.SplitSeq(rest, ";") {
		if v, is := strings.CutPrefix(strings.TrimSpace(p), "q="); is {
			q, _ = strconv.ParseFloat(v, 64)
		}
	}
	switch strings.ToLower(strings.TrimSpace(kind)) {
	case "application/json", "text/json", "application/*", "*/*":
		return true, jsonForm, q
	case "application/xml", "text/xml", "text/*":
		return true, xmlForm, q
	}
	return false, jsonForm, q
}

// buffers are reused between answers: a page of records is a hundred kilobytes.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 16<<10); return &b }}

// largestKept is the largest buffer that is kept for reuse, in bytes.
const largestKept = 1 << 20

func writeAnswer(w http.ResponseWriter, r *Request, f form, a *Answer) {
	h := w.Header()
	for name, values := range a.Header {
		h[http.CanonicalHeaderKey(name)] = values
	}
	status := a.Status
	if status == 0 {
		status = http.StatusOK
	}
	if a.Stream != nil {
		h.Set("Content-Type", a.ContentType)
		w.WriteHeader(status)
		if err := a.Stream(w); err != nil {
			r.deps.Logger().Warn("answer broken off", "path", r.URL.Path, "error", err)
			panic(http.ErrAbortHandler) // the length or the chunk that is missing tells the client
		}
		return
	}
	if a.Result == nil && a.Raw == nil || bodyUnwanted(r) {
		w.WriteHeader(status)
		return
	}
	pooled := buffers.Get().(*[]byte)
	body, err := appendBody((*pooled)[:0], r, f, a)
	if err != nil {
		WriteError(w, r.Request, r.deps, err)
		return
	}
	writeBody(w, status, f, body)
	if cap(body) <= largestKept {
		*pooled = body
		buffers.Put(pooled)
	}
}

func bodyUnwanted(r *Request) bool {
	return r.Method != http.MethodGet && r.Method != http.MethodHead && strings.EqualFold(r.Header.Get("X-no-response-body"), "true")
}

func appendBody(dst []byte, r *Request, f form, a *Answer) (_ []byte, err error) {
	if a.Raw != nil {
		dst, err = appendAny(dst, a.Raw)
	} else {
		dst, err = appendAny(append(dst, `{"result":`...), a.Result)
		if strings.EqualFold(r.Header.Get("X-WantSessionDebugMessages"), "true") {
			dst = append(dst, `,"session":{"debug_logs":[]}`...)
		}
		dst = append(dst, '}')
	}
	if err != nil || !f.xml {
		return dst, err
	}
	return toXML(dst)
}

func appendAny(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case Encoder:
		return v.AppendJSON(dst), nil
	case json.RawMessage:
		return append(dst, v...), nil
	}
	b := bytes.NewBuffer(dst)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

func writeBody(w http.ResponseWriter, status int, f form, body []byte) {
	h := w.Header()
	h["Content-Type"] = []string{f.contentType}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	_, _ = w.Write(body) // the caller is gone; there is nobody to tell
}

// WriteError answers with an error, in the form the caller asked for.
func WriteError(w http.ResponseWriter, r *http.Request, d Deps, err error) {
	setHeaders(w, r)
	e := FromError(err)
	if e.Status >= http.StatusInternalServerError {
		number := w.Header().Get(transactionHeader)
		d.Logger().Error("request failed", "path", r.URL.Path, "method", r.Method, "number", number, "error", err)
		if e.Status == http.StatusInternalServerError {
			e = &Error{Status: e.Status, Message: e.Message, Detail: "reference number " + number}
		}
	}
	for name, values := range e.Header {
		w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	f, notAcceptable := negotiate(r)
	if notAcceptable != nil {
		f = jsonForm
	}
	body := e.AppendJSON(nil)
	if f.xml {
		if asXML, err := toXML(body); err == nil {
			body = asXML
		}
	}
	writeBody(w, e.Status, f, body)
}

// AppendJSON writes the error envelope.
func (e *Error) AppendJSON(dst []byte) []byte {
	dst = append(AppendString(append(dst, `{"error":{"message":`...), e.Message), `,"detail":`...)
	if e.Detail == "" {
		dst = append(dst, "null"...)
	} else {
		dst = AppendString(dst, e.Detail)
	}
	return append(dst, `},"status":"failure"}`...)
}
