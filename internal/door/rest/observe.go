package rest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"headrace/internal/door/rest/wire"
)

// idHeader carries the id of a request, by which the log knows it.
const idHeader = "X-Transaction-Id"

// seen is what the log says of a request beside what the request says itself.
type seen struct{ user string }

type seenKey struct{}

// note finds what is gathered about the request for its line in the log.
func note(ctx context.Context) *seen {
	if s, ok := ctx.Value(seenKey{}).(*seen); ok {
		return s
	}
	return &seen{}
}

// observed gives every request an id, a line in the log and its place in the metrics. A panic in what is below is one
// failed request and not the end of the server.
func (s *server) observed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began, about := time.Now(), &seen{}
		id := newID()
		w.Header()[idHeader] = []string{id}
		out := &answer{ResponseWriter: w, control: http.NewResponseController(w), within: s.Limits.Write}
		r = r.WithContext(context.WithValue(r.Context(), seenKey{}, about))
		defer func() {
			broken := recover()
			if broken != nil && broken != error(http.ErrAbortHandler) {
				s.Logger().Error("panic", "request", id, "method", r.Method, "path", r.URL.Path, "panic", fmt.Sprint(broken), "stack", string(debug.Stack()))
				if out.status == 0 {
					s.refuse(out, r, errors.New("panic"))
				}
			}
			s.tell(r, out, about, id, time.Since(began))
			if broken != nil && broken == error(http.ErrAbortHandler) {
				panic(broken)
			}
		}()
		s.metrics.inFlight.Add(1)
		defer s.metrics.inFlight.Add(-1)
		next.ServeHTTP(out, r)
		out.extend() // for what the server itself writes at the end
	})
}

// tell writes the line of a request. The query is left out: it may hold what nobody should read in a log.
func (s *server) tell(r *http.Request, out *answer, about *seen, id string, took time.Duration) {
	status := out.status
	if status == 0 {
		status = http.StatusOK
	}
	api := apiOf(r.URL.Path)
	if !s.apis[api] {
		api = "other"
	}
	s.metrics.request(api, r.Method, status, took)
	level := slog.LevelInfo
	if status >= 500 {
		level = slog.LevelError
	}
	s.Logger().LogAttrs(r.Context(), level, "request", slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Int("status", status),
		slog.Int64("bytes", out.bytes), slog.Float64("ms", float64(took.Microseconds())/1000), slog.String("user", about.user), slog.String("request", id))
}

func newID() string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// answer watches what is answered, and gives every write its time.
type answer struct {
	http.ResponseWriter
	control *http.ResponseController
	within  time.Duration
	status  int
	bytes   int64
}

// WriteHeader notes the status.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 {
		a.status = status
	}
	a.extend()
	a.ResponseWriter.WriteHeader(status)
}

// Write counts bytes. A client that does not read loses its connection.
func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	a.extend()
	n, err := a.ResponseWriter.Write(p)
	a.bytes += int64(n)
	return n, err
}

// extend moves the time by which the client must have read on.
func (a *answer) extend() {
	_ = a.control.SetWriteDeadline(time.Now().Add(a.within)) // writers in tests have none
}

// Flush sends what is held back.
func (a *answer) Flush() { _ = a.control.Flush() } // the next write fails where this does

// Unwrap lets http.ResponseController through.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// healthy says that the process lives.
func (s *server) healthy(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok") }

// readyWithin is how long the store may take to answer.
const readyWithin = 2 * time.Second

// ready says whether requests can be served: the store answers, and the server is not about to stop.
func (s *server) ready(w http.ResponseWriter, r *http.Request) {
	select {
	case <-s.Stopping:
		plain(w, http.StatusServiceUnavailable, "stopping")
		return
	default:
	}
	ctx, cancel := context.WithTimeout(r.Context(), readyWithin)
	defer cancel()
	if err := s.reach(ctx); err != nil {
		s.Logger().ErrorContext(ctx, "the store does not answer", "error", err)
		plain(w, http.StatusServiceUnavailable, "the store does not answer")
		return
	}
	plain(w, http.StatusOK, "ready")
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = fmt.Fprintln(w, text) // who does not read the answer has left
}

// measure shows the metrics.
func (s *server) measure(w http.ResponseWriter, r *http.Request) {
	if who := wire.IdentityFrom(r.Context()); !s.OpenMetrics && (who == nil || !who.HasRole("admin")) {
		s.refuse(w, r, wire.Unauthenticated())
		return
	}
	s.metrics.ServeHTTP(w, r)
}
