package access

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"log/slog"
	"strconv"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// Kinds of token, as the records name them.
const (
	accessToken  = "access_token"
	refreshToken = "refresh_token"
)

// Life times of tokens where a client does not say, in seconds.
const (
	accessLife  = 1800
	refreshLife = 100 * 24 * 3600
)

const defaultScope = "useraccount"

// GrantRequest asks for a token (RFC 6749).
type GrantRequest struct {
	GrantType    string // password, client_credentials or refresh_token
	ClientID     string
	ClientSecret string
	UserName     string
	Password     string
	RefreshToken string
}

// Token is the answer to a GrantRequest.
type Token struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
	Scope        string `json:"scope"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"` // seconds
}

// GrantError refuses a GrantRequest in OAuth's words.
type GrantError struct {
	Code        string
	Description string
}

// Error makes GrantError an error.
func (e *GrantError) Error() string { return e.Code + ": " + e.Description }

func accessDenied() error {
	return &GrantError{Code: "server_error", Description: "access_denied"}
}

// client is an OAuth client that has proved who it is.
type client struct {
	id, user string
	access   time.Duration
	refresh  time.Duration
	key      []byte // made of the client's secret; see deriveToken
}

// credential is a token as it is kept.
type credential struct {
	id, kind, client, user, stored string
	expires                        time.Time
}

// Grant gives a token. While the last one of this client and user lives, a request other than a refresh gets it again,
// with what remains of its life. The error is a *GrantError when the request is refused.
func (s *Service) Grant(ctx context.Context, g GrantRequest) (*Token, error) {
	if g.ClientID == "" {
		return nil, &GrantError{Code: "invalid_client", Description: "client_id is missing"}
	}
	c, err := s.client(ctx, g.ClientID, g.ClientSecret)
	if err != nil {
		return nil, err
	}
	switch g.GrantType {
	case "password":
		who, err := s.Basic(ctx, g.UserName, g.Password)
		if err != nil {
			return nil, grantError(err)
		}
		return s.issue(ctx, c, who.UserID, true)
	case "client_credentials":
		return s.grantClient(ctx, c)
	case refreshToken:
		return s.grantRefresh(ctx, c, g.RefreshToken)
	}
	return nil, &GrantError{Code: "unsupported_grant_type", Description: "grant_type is password, client_credentials or refresh_token"}
}

// grantError turns the refusal of a user into OAuth's words.
func grantError(err error) error {
	if fault.KindOf(err) == fault.Denied {
		return accessDenied()
	}
	return err
}

// client verifies a client's secret, as Basic does a password.
func (s *Service) client(ctx context.Context, id, secret string) (*client, error) {
	t := s.table(ClientTable)
	found := record.NewRecord(t)
	q := &record.Query{Table: t, Fields: t.Names(), Limit: 1, Where: all(equal("client_id", id), equal("active", "true"))}
	for row, err := range s.session().Select(ctx, q) {
		if err != nil {
			return nil, err
		}
		copy(found.Values, row)
	}
	c := &client{id: found.ID(), user: found.Get("user").Text, access: seconds(found, "access_token_lifespan", accessLife),
		refresh: seconds(found, "refresh_token_lifespan", refreshLife)}
	stored := found.Get("client_secret").Text
	if e, ok := s.known.find(ClientTable, id, secret); ok && e.owner == c.id && e.stored == stored {
		c.key = e.key
		return c, nil
	}
	key, ok, err := s.check(ctx, claim{ClientTable, id, secret, c.id, stored})
	if err != nil {
		return nil, err
	}
	if !ok {
		s.log.LogAttrs(ctx, slog.LevelWarn, "OAuth client refused", slog.String("client", clip(id)))
		return nil, accessDenied()
	}
	c.key = key
	return c, nil
}

func seconds(r *record.Record, field string, preset int) time.Duration {
	n := number(r, field)
	if n <= 0 {
		n = preset
	}
	return time.Duration(n) * time.Second
}

// grantClient acts for the user that the client's record names.
func (s *Service) grantClient(ctx context.Context, c *client) (*Token, error) {
	if c.user == "" {
		return nil, &GrantError{Code: "unauthorized_client", Description: "the client has no OAuth application user"}
	}
	if _, err := s.enter(ctx, c.user); err != nil {
		return nil, grantError(err)
	}
	return s.issue(ctx, c, c.user, false)
}

// grantRefresh gives a new access token; the refresh token stays what it is until it expires.
func (s *Service) grantRefresh(ctx context.Context, c *client, token string) (*Token, error) {
	held, err := s.credential(ctx, token)
	if err != nil {
		return nil, err
	}
	if held == nil || held.kind != refreshToken || held.client != c.id || !s.db.Now().Before(held.expires) {
		return nil, &GrantError{Code: "invalid_grant", Description: "the refresh token is unknown or has expired"}
	}
	if _, err := s.enter(ctx, held.user); err != nil {
		return nil, grantError(err)
	}
	out := &Token{RefreshToken: token, Scope: defaultScope, TokenType: "Bearer"}
	err = s.session().Write(ctx, func(w *record.Writer) error {
		out.AccessToken, out.ExpiresIn, err = s.newToken(ctx, w, c, held.user, accessToken, c.access)
		return err
	})
	return out, err
}

// issue gives the living tokens of client and user again, and makes those that are missing.
func (s *Service) issue(ctx context.Context, c *client, user string, refreshable bool) (*Token, error) {
	out := &Token{Scope: defaultScope, TokenType: "Bearer"}
	err := s.session().Write(ctx, func(w *record.Writer) error {
		living, err := s.tidy(ctx, w, c, user)
		if err != nil {
			return err
		}
		out.AccessToken, out.ExpiresIn, err = s.again(ctx, w, c, user, accessToken, c.access, living)
		if err == nil && refreshable {
			out.RefreshToken, _, err = s.again(ctx, w, c, user, refreshToken, c.refresh, living)
		}
		return err
	})
	return out, err
}

// tidy lists the living tokens of client and user, the newest first, and removes those that have expired.
func (s *Service) tidy(ctx context.Context, w *record.Writer, c *client, user string) ([]*credential, error) {
	t := s.table(TokenTable)
	q := &record.Query{Table: t, Fields: t.Names(), Where: all(equal("oauth_entity", c.id), equal("user", user)),
		OrderBy: []query.Order{{Field: record.SysID, Desc: true}}}
	var living []*credential
	var gone []string
	for row, err := range w.Tx().Select(ctx, q) {
		if err != nil {
			return nil, err
		}
		held := credentialFrom(&record.Record{Table: t, Values: row})
		if w.Now().Before(held.expires) {
			living = append(living, held)
		} else {
			gone = append(gone, held.id)
		}
	}
	for _, id := range gone {
		if err := w.Delete(ctx, t, id); err != nil {
			return nil, err
		}
	}
	return living, nil
}

// again gives the newest living token of a kind; a new one where there is none, or none that the client's present
// secret made.
func (s *Service) again(ctx context.Context, w *record.Writer, c *client, user, kind string, life time.Duration, living []*credential) (string, int, error) {
	for _, held := range living {
		if held.kind != kind {
			continue
		}
		if token := deriveToken(c.key, held.id, kind); held.matches(token) {
			return token, int(held.expires.Sub(w.Now()) / time.Second), nil
		}
	}
	return s.newToken(ctx, w, c, user, kind, life)
}

func (s *Service) newToken(ctx context.Context, w *record.Writer, c *client, user, kind string, life time.Duration) (string, int, error) {
	id := record.NewID()
	token := deriveToken(c.key, id, kind)
	// A second is cut off: the clock of the records has whole seconds, and what is promised is kept.
	_, err := w.Insert(ctx, s.table(TokenTable), []record.Assignment{set(record.SysID, id), set("type", kind), set("oauth_entity", c.id),
		set("user", user), set("token", digest(token)), set("scope", defaultScope), set("expires", w.Now().Add(life).Format(record.DateTimeLayout))})
	return token, int(life/time.Second) - 1, err
}

// deriveToken makes a token: the id of its record, and an HMAC of it under a key that comes out of the client's secret
// by the slow hash (see stretch). Kept are the id and a digest of the token, neither of which gives the token; yet
// whoever presents the client's secret again can be shown the same token again.
func deriveToken(key []byte, id, kind string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(kind + "\x00" + id))
	return id + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// digest is what is kept of a secret that is long and random: a slow hash would gain nothing.
func digest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

func (c *credential) matches(token string) bool {
	return subtle.ConstantTimeCompare([]byte(c.stored), []byte(digest(token))) == 1
}

// idLength is the length of a sys_id, with which tokens and keys begin.
const idLength = 32

// credential finds the record of a token; nil when there is none.
func (s *Service) credential(ctx context.Context, token string) (*credential, error) {
	if len(token) <= idLength || len(token) > 4*idLength {
		return nil, nil
	}
	r, err := s.session().Get(ctx, s.table(TokenTable), token[:idLength])
	switch {
	case err != nil && fault.KindOf(err) == fault.NotFound:
		return nil, nil
	case err != nil:
		return nil, err
	}
	if c := credentialFrom(r); c.matches(token) {
		return c, nil
	}
	return nil, nil
}

func credentialFrom(r *record.Record) *credential {
	expires, err := time.Parse(record.DateTimeLayout, r.Get("expires").Text)
	if err != nil {
		expires = time.Time{}
	}
	return &credential{id: r.ID(), kind: r.Get("type").Text, client: r.Get("oauth_entity").Text, user: r.Get("user").Text,
		stored: r.Get("token").Text, expires: expires}
}

// Bearer is who an access token stands for; a fault of kind Denied when it is unknown or has expired, or its user may
// not act.
func (s *Service) Bearer(ctx context.Context, token string) (*Identity, error) {
	held, err := s.tokens.get(ctx, digest(token), func(ctx context.Context) (*credential, error) { return s.credential(ctx, token) })
	if err != nil {
		return nil, err
	}
	if held == nil || held.kind != accessToken || !s.db.Now().Before(held.expires) {
		return nil, refused()
	}
	return s.enter(ctx, held.user)
}

// Revoke ends a token; with a refresh token end the access tokens of its client and user. An unknown token is none.
func (s *Service) Revoke(ctx context.Context, token string) error {
	held, err := s.credential(ctx, token)
	if err != nil || held == nil {
		return err
	}
	ids := []string{held.id}
	if held.kind == refreshToken {
		more, err := s.column(ctx, TokenTable, record.SysID, equal("oauth_entity", held.client), equal("user", held.user), equal("type", accessToken))
		if err != nil {
			return err
		}
		ids = append(ids, more...)
	}
	return s.session().Write(ctx, func(w *record.Writer) error {
		for _, id := range ids {
			if err := w.Delete(ctx, s.table(TokenTable), id); err != nil && fault.KindOf(err) != fault.NotFound {
				return err
			}
		}
		return nil
	})
}

// keyPrefix begins every API key, so that scanners of leaked secrets know it.
const keyPrefix = "hrk_"

// Key is who an API key stands for; a fault of kind Denied when it is unknown, inactive or has expired, or its user
// may not act.
func (s *Service) Key(ctx context.Context, key string) (*Identity, error) {
	user, err := s.keys.get(ctx, digest(key), func(ctx context.Context) (*member, error) { return s.keyHolder(ctx, key) })
	if err != nil {
		return nil, err
	}
	if user == nobody || user.expires != "" && user.expires <= s.db.Now().Format(record.DateTimeLayout) {
		return nil, refused()
	}
	return s.enter(ctx, user.UserID)
}

func (s *Service) keyHolder(ctx context.Context, key string) (*member, error) {
	if len(key) <= len(keyPrefix)+idLength || key[:len(keyPrefix)] != keyPrefix {
		return nobody, nil
	}
	r, err := s.session().Get(ctx, s.table(KeyTable), key[len(keyPrefix):len(keyPrefix)+idLength])
	switch {
	case err != nil && fault.KindOf(err) == fault.NotFound:
		return nobody, nil
	case err != nil:
		return nil, err
	}
	same := subtle.ConstantTimeCompare([]byte(r.Get("key").Text), []byte(digest(key))) == 1
	if active, err := strconv.ParseBool(r.Get("active").Text); !same || err != nil || !active {
		return nobody, nil
	}
	return &member{Identity: Identity{UserID: r.Get("user").Text}, expires: r.Get("expires").Text}, nil
}
