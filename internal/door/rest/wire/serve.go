package wire

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"time"
)

// Mount puts routes on a mux: all versions of their paths, with the methods dispatched here, so that
// X-HTTP-Method-Override, HEAD and the answer to a method that is not there work.
func Mount(mux *http.ServeMux, d Deps, routes []Route) {
	methods := map[string]map[string]http.HandlerFunc{}
	for _, rt := range routes {
		for _, pattern := range versions(rt.Pattern) {
			if methods[pattern] == nil {
				methods[pattern] = map[string]http.HandlerFunc{}
			}
			methods[pattern][rt.Method] = Serve(d, rt)
		}
	}
	for pattern, byMethod := range methods {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if h := byMethod[method(r)]; h != nil {
				h(w, r)
				return
			}
			WriteError(w, r, d, &Error{Status: http.StatusMethodNotAllowed, Message: "Method not supported",
				Detail: method(r) + " is not supported here", Header: http.Header{"Allow": {allowed(byMethod)}}})
		})
	}
}

// versions lists the paths under which a pattern is served.
func versions(pattern string) []string {
	rest, ok := strings.CutPrefix(pattern, "/api/now/")
	if !ok {
		return []string{pattern}
	}
	return []string{pattern, "/api/now/v1/" + rest, "/api/now/v2/" + rest}
}

// method is what the caller means: some networks let only GET and POST through.
func method(r *http.Request) string {
	if o := r.Header.Get("X-HTTP-Method-Override"); o != "" && r.Method == http.MethodPost {
		return strings.ToUpper(o)
	}
	if r.Method == http.MethodHead {
		return http.MethodGet
	}
	return r.Method
}

func allowed(byMethod map[string]http.HandlerFunc) string {
	var names []string
	for _, m := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		if byMethod[m] != nil || m == http.MethodHead && byMethod[http.MethodGet] != nil {
			names = append(names, m)
		}
	}
	return strings.Join(names, ", ")
}

// Serve makes a route a handler of net/http: it finds out who asks and in which form, and writes what the route's
// Handler answers.
func Serve(d Deps, rt Route) http.HandlerFunc {
	names := wildcards(rt.Pattern)
	return func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		setHeaders(w, r)
		form, err := negotiate(r)
		if rt.OwnForm {
			err = nil
		}
		req := &Request{Request: r, Identity: IdentityFrom(r.Context()), Base: base(d, r), Version: version(r.URL.Path), deps: d}
		switch {
		case err != nil:
		case req.Identity == nil && !rt.Public:
			err = Unauthenticated()
		default:
			if req.Identity != nil {
				req.Session = d.DB.As(req.Identity.Actor)
			}
			req.Params = params(r, names)
			var a *Answer
			if a, err = call(d, rt.Handler, req); err == nil {
				w.Header().Set("Server-Timing", fmt.Sprintf("wall;dur=%d", time.Since(began).Milliseconds()))
				writeAnswer(w, req, form, a)
				return
			}
		}
		WriteError(w, r, d, err)
	}
}

// call runs a handler; a panic in it is an error of ours and not the end of the server.
func call(d Deps, h Handler, r *Request) (a *Answer, err error) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			panic(p)
		default:
			d.Logger().Error("panic", "path", r.URL.Path, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			a, err = nil, fmt.Errorf("panic: %v", p)
		}
	}()
	if a, err = h(r); err == nil && a == nil {
		a = &Answer{}
	}
	return a, err
}

// wildcards names the variable parts of a pattern.
func wildcards(pattern string) []string {
	var names []string
	for part := range strings.SplitSeq(pattern, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			names = append(names, strings.TrimSuffix(strings.TrimSuffix(name, "}"), "..."))
		}
	}
	return names
}

func params(r *http.Request, names []string) map[string]string {
	out := make(map[string]string, len(names))
	for _, n := range names {
		out[n] = r.PathValue(n)
	}
	return out
}

// version is the version segment of an API path.
func version(path string) string {
	rest, ok := strings.CutPrefix(path, "/api/now/")
	if v, _, more := strings.Cut(rest, "/"); ok && more && (v == "v1" || v == "v2") {
		return v
	}
	return ""
}

func base(d Deps, r *http.Request) string {
	switch {
	case d.Base != "":
		return strings.TrimSuffix(d.Base, "/")
	case r.TLS != nil:
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// transactionHeader carries the number by which a call is found in the log.
const transactionHeader = "X-Transaction-Id"

// setHeaders sets what every answer of the platform carries. The number of the call stays if it has one already.
func setHeaders(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	if len(h[transactionHeader]) == 0 {
		h[transactionHeader] = []string{newTransaction()}
	}
	loggedIn := "true"
	if IdentityFrom(r.Context()) == nil {
		loggedIn = "false"
	}
	h["X-Is-Logged-In"] = []string{loggedIn}
	h["Pragma"] = []string{"no-store,no-cache"}
	h["Cache-Control"] = []string{"no-cache,no-store,must-revalidate,max-age=-1"}
	h["Expires"] = []string{"0"}
	h["X-Content-Type-Options"] = []string{"nosniff"}
	if r.TLS != nil {
		h["Strict-Transport-Security"] = []string{"max-age=63072000; includeSubDomains"}
	}
}

func newTransaction() string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
