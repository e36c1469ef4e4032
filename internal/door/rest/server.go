// Package rest is the HTTP server: it mounts the APIs of the folders below and stands before them with what they share,
// from the identity of the caller to limits, logs and metrics.
package rest

import (
	"net/http"
	"strings"

	"github.com/klauspost/compress/gzhttp"

	"headrace/internal/core/fault"
	"headrace/internal/door/rest/v1"
	"headrace/internal/door/rest/wire"
)

// Config is what the server is made of.
type Config struct {
	wire.Deps
	// Routes lists the operations of all compatible APIs. inside answers requests that are part of others, for callers
	// who are known already.
	Routes func(inside http.Handler) []wire.Route
	Own    http.Handler // everything below v1.Prefix; it finds the caller by wire.IdentityFrom
	Limits Limits
	// OpenMetrics shows /metrics to everybody; else it wants the role admin.
	OpenMetrics bool
	// Stopping is closed when the server begins to stop: /readyz says so.
	Stopping <-chan struct{}
}

// server answers every request.
type server struct {
	Config
	mux     *http.ServeMux
	apis    map[string]bool // bases of all APIs, see apiOf
	metrics *metrics
}

// Server makes the handler of all requests.
func Server(cfg Config) (http.Handler, error) {
	s := &server{Config: cfg, mux: http.NewServeMux(), apis: map[string]bool{v1.Prefix: true}}
	s.Limits.fill()
	s.metrics = newMetrics(cfg.DB)
	routes := cfg.Routes(s.mux)
	wire.Mount(s.mux, cfg.Deps, routes)
	for _, r := range routes {
		s.apis[apiOf(r.Pattern)] = true
	}
	for path, h := range map[string]http.HandlerFunc{"/oauth_token.do": s.token, "/oauth_revoke_token.do": s.revoke, "/healthz": s.healthy, "/readyz": s.ready, "/metrics": s.measure} {
		s.mux.HandleFunc(path, h)
		s.apis[path] = true
	}
	if cfg.Own != nil {
		s.mux.Handle(v1.Prefix+"/", cfg.Own)
	}
	s.mux.HandleFunc("/", s.unknown)
	zip, err := gzhttp.NewWrapper(gzhttp.MinSize(gzhttp.DefaultMinSize), gzhttp.ContentTypeFilter(compressible))
	if err != nil {
		return nil, err
	}
	return singleSlashes(s.observed(s.limited(zip(s.identified(s.mux))))), nil
}

// singleSlashes takes doubled slashes out of paths. Clients put addresses together carelessly, and the mux would send them
// elsewhere by a redirect, which a POST does not survive.
func singleSlashes(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for strings.Contains(r.URL.Path, "//") {
			r.URL.Path, r.URL.RawPath = strings.ReplaceAll(r.URL.Path, "//", "/"), strings.ReplaceAll(r.URL.RawPath, "//", "/")
		}
		next.ServeHTTP(w, r)
	})
}

// compressible reports whether answers of a type are worth packing. Events must leave at once, and files that people
// attached are packed already more often than not.
func compressible(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	kind = strings.TrimSpace(kind)
	return kind != "text/event-stream" && (strings.HasPrefix(kind, "text/") || strings.HasSuffix(kind, "json") || strings.HasSuffix(kind, "xml"))
}

// unknown answers paths that are nothing.
func (s *server) unknown(w http.ResponseWriter, r *http.Request) {
	if wire.IdentityFrom(r.Context()) == nil {
		s.refuse(w, r, wire.Unauthenticated())
		return
	}
	s.refuse(w, r, wire.NoSuchResource())
}

// refuse answers an error in the form of the API that the path belongs to.
func (s *server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if !strings.HasPrefix(r.URL.Path, v1.Prefix+"/") {
		wire.WriteError(w, r, s.Deps, err)
		return
	}
	own := wire.FromError(err)
	for name, values := range own.Header {
		w.Header()[name] = values
	}
	said := fault.New(fault.KindOf(err), "%s", own.Error())
	switch own.Status {
	case http.StatusUnauthorized:
		said = fault.New(fault.Denied, "the credentials are missing or wrong").WithHint("give Basic, Bearer or x-sn-apikey")
	case http.StatusTooManyRequests:
		said = fault.New(fault.Limit, "%s", own.Error()).WithHint("Retry-After says when to try again")
	}
	v1.WriteError(w, r, own.Status, said)
}

// apiOf is the base of the API that a path belongs to, without a version: "/api/now/table", "/api/v1". Rate limit rules
// and metrics name APIs so.
func apiOf(path string) string {
	parts := strings.SplitN(strings.TrimPrefix(path, "/"), "/", 5)
	switch {
	case parts[0] != "api" || len(parts) < 2:
		return "/" + parts[0]
	case "/api/"+parts[1] == v1.Prefix || len(parts) < 3:
		return "/api/" + parts[1]
	case (parts[2] == "v1" || parts[2] == "v2") && len(parts) > 3:
		return "/api/" + parts[1] + "/" + parts[3]
	}
	return "/api/" + parts[1] + "/" + parts[2]
}
