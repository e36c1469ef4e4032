package rest

import (
	"encoding/json"
	"errors"
	"mime"
	"net/http"

	"headrace/internal/core/fault"
	"headrace/internal/door/rest/wire"
	"headrace/internal/flow/access"
)

// maxForm is the most bytes of the form of a token request.
const maxForm = 64 << 10

// refusals are the statuses of OAuth's refusals; the others are 401.
var refusals = map[string]int{"unsupported_grant_type": http.StatusBadRequest, "invalid_request": http.StatusBadRequest, "invalid_scope": http.StatusBadRequest}

// token gives OAuth tokens.
func (s *server) token(w http.ResponseWriter, r *http.Request) {
	if err := readForm(w, r); err != nil {
		refuseGrant(w, err)
		return
	}
	g := access.GrantRequest{GrantType: r.PostForm.Get("grant_type"), ClientID: r.PostForm.Get("client_id"), ClientSecret: r.PostForm.Get("client_secret"),
		UserName: r.PostForm.Get("username"), Password: r.PostForm.Get("password"), RefreshToken: r.PostForm.Get("refresh_token")}
	if id, secret, ok := r.BasicAuth(); ok && g.ClientID == "" {
		g.ClientID, g.ClientSecret = id, secret
	}
	token, err := s.Access.Grant(r.Context(), g)
	if err != nil {
		s.refuseToken(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, token)
}

// revoke ends a token.
func (s *server) revoke(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost && r.Method != http.MethodGet {
		refuseGrant(w, notAllowed)
		return
	}
	token := r.URL.Query().Get("token")
	if token == "" && r.Method == http.MethodPost {
		if err := readForm(w, r); err != nil {
			refuseGrant(w, err)
			return
		}
		token = r.PostForm.Get("token")
	}
	if token == "" {
		refuseGrant(w, &grantRefusal{http.StatusBadRequest, access.GrantError{Code: "invalid_request", Description: "token is missing"}})
		return
	}
	if err := s.Access.Revoke(r.Context(), token); err != nil {
		s.refuseToken(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
}

// grantRefusal is a refusal with the status it is answered by.
type grantRefusal struct {
	status int
	access.GrantError
}

var notAllowed = &grantRefusal{http.StatusMethodNotAllowed, access.GrantError{Code: "invalid_request", Description: "use POST"}}

// readForm reads the form of a POST. Nothing else is taken, JSON least of all.
func readForm(w http.ResponseWriter, r *http.Request) *grantRefusal {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return notAllowed
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return &grantRefusal{http.StatusUnauthorized, access.GrantError{Code: "invalid_request", Description: "the body is not application/x-www-form-urlencoded"}}
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return &grantRefusal{http.StatusBadRequest, access.GrantError{Code: "invalid_request", Description: "the form cannot be read"}}
	}
	return nil
}

// refuseToken answers an error of a grant. What is not a refusal is ours.
func (s *server) refuseToken(w http.ResponseWriter, r *http.Request, err error) {
	var refused *access.GrantError
	switch {
	case errors.As(err, &refused):
		status, ok := refusals[refused.Code]
		if !ok {
			status = http.StatusUnauthorized
		}
		refuseGrant(w, &grantRefusal{status, *refused})
	case fault.KindOf(err) == fault.Unavailable:
		refuseGrant(w, &grantRefusal{http.StatusServiceUnavailable, access.GrantError{Code: "temporarily_unavailable", Description: "try again"}})
	default:
		s.Logger().ErrorContext(r.Context(), "a token request failed", "error", err, "request", w.Header().Get(idHeader))
		refuseGrant(w, &grantRefusal{wire.FromError(err).Status, access.GrantError{Code: "server_error", Description: "internal error"}})
	}
}

func refuseGrant(w http.ResponseWriter, g *grantRefusal) {
	writeJSON(w, g.status, map[string]string{"error_description": g.Description, "error": g.Code})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	h := w.Header()
	h.Set("Content-Type", "application/json;charset=UTF-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	text, err := json.Marshal(v)
	if err != nil { // texts and numbers always encode
		panic(err)
	}
	w.WriteHeader(status)
	_, _ = w.Write(text) // who does not read the answer has left
}
