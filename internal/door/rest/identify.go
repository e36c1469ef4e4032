package rest

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/door/rest/wire"
	"headrace/internal/flow/access"
)

// keyHeader carries an API key.
const keyHeader = "X-Sn-Apikey"

// identified finds out who calls, and counts the call against the limits of that user. Callers without credentials go on
// as nobody: each API says itself what nobody may do. Wrong credentials end the call.
func (s *server) identified(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, err := s.whoIs(r)
		if err == nil && who != nil {
			note(r.Context()).user = who.UserName
			err = s.count(w, r, who)
			if err == nil { // tables that another process has made since
				err = s.DB.Refresh(r.Context())
			}
			r = r.WithContext(wire.WithIdentity(r.Context(), who))
		}
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// whoIs finds the caller by the credentials of a request; nil without any.
func (s *server) whoIs(r *http.Request) (*access.Identity, error) {
	if strings.HasPrefix(r.URL.Path, "/oauth_") {
		return nil, nil // credentials there are the client's
	}
	who, err := s.credentials(r.Context(), r)
	if err != nil && fault.KindOf(err) == fault.Denied {
		return nil, wire.Unauthenticated()
	}
	return who, err
}

func (s *server) credentials(ctx context.Context, r *http.Request) (*access.Identity, error) {
	if key := r.Header.Get(keyHeader); key != "" {
		return s.Access.Key(ctx, key)
	}
	given := r.Header.Get("Authorization")
	if given == "" {
		return nil, nil
	}
	if user, password, ok := r.BasicAuth(); ok {
		return s.Access.Basic(ctx, user, password)
	}
	if scheme, token, _ := strings.Cut(given, " "); strings.EqualFold(scheme, "Bearer") {
		return s.Access.Bearer(ctx, strings.TrimSpace(token))
	}
	return nil, wire.Unauthenticated()
}

// count counts the call and sets the headers of the limit, if there is one.
func (s *server) count(w http.ResponseWriter, r *http.Request, who *access.Identity) error {
	api := apiOf(r.URL.Path)
	rate, err := s.Access.Allow(r.Context(), who, api)
	if err != nil || rate == nil {
		return err
	}
	h := w.Header()
	h["X-RateLimit-Limit"] = []string{strconv.Itoa(rate.Limit)}
	h["X-RateLimit-Remaining"] = []string{strconv.Itoa(rate.Remaining)}
	h["X-RateLimit-Reset"] = []string{strconv.FormatInt(rate.Reset.Unix(), 10)}
	h["X-RateLimit-Rule"] = []string{rate.Rule}
	if !rate.Exceeded {
		return nil
	}
	wait := max(1, int64(rate.Reset.Sub(s.Now()).Round(time.Second)/time.Second))
	return &wire.Error{Status: http.StatusTooManyRequests, Message: "Rate limit exceeded",
		Detail: fmt.Sprintf("Rate limit of %d requests per hour for %s exceeded", rate.Limit, api),
		Header: http.Header{"Retry-After": {strconv.FormatInt(wait, 10)}}}
}
