package outbound

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"

	channel "headrace/internal/connect/channel/http"
	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// proof is what a request carries to say who we are.
type proof struct {
	header    []Pair
	secrets   []string
	renewable bool // a refusal may mean that it has run out
}

// prove makes the proof of a credential. With renew a token that was kept is not used again.
func (s *Service) prove(ctx context.Context, c credential, renew bool) (proof, error) {
	switch c.Kind {
	case "basic":
		return s.proveBasic(ctx, c)
	case "api_key":
		return s.proveKey(ctx, c)
	case "oauth2":
		return s.proveOAuth(ctx, c, renew)
	}
	return proof{}, nil
}

// profile reads a record that holds a credential, by sys_id or name.
func (s *Service) profile(ctx context.Context, table, id, what string) (r *record.Record, err error) {
	if id == "" {
		return nil, fault.New(fault.Invalid, "the message names no %s", what).WithHint("it is a record of %s", table)
	}
	err = s.db.Store().Read(ctx, func(tx record.Tx) error {
		r, err = loader{s, tx}.one(ctx, table, "name", id, what)
		return err
	})
	return r, err
}

func (s *Service) proveBasic(ctx context.Context, c credential) (proof, error) {
	user, sealed := c.User, c.Password
	if c.ID != "" || user == "" {
		r, err := s.profile(ctx, BasicTable, c.ID, "basic auth profile")
		if err != nil {
			return proof{}, err
		}
		user, sealed = r.Get("username").Text, r.Get("password").Text
	}
	password, err := s.vault.Open(sealed)
	if err != nil {
		return proof{}, err
	}
	token := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	return proof{header: []Pair{{"Authorization", "Basic " + token}}, secrets: []string{password, token}}, nil
}

func (s *Service) proveKey(ctx context.Context, c credential) (proof, error) {
	r, err := s.profile(ctx, APIKeyTable, c.ID, "API key")
	if err != nil {
		return proof{}, err
	}
	key, err := s.vault.Open(r.Get("api_key").Text)
	if err != nil {
		return proof{}, err
	}
	if strings.ContainsAny(key, "\r\n\x00") {
		return proof{}, fault.New(fault.Invalid, "the API key %q has a line break", r.Get("name").Text)
	}
	return proof{header: []Pair{{r.Get("header").Text, r.Get("prefix").Text + key}}, secrets: []string{key}}, nil
}

// tokens keeps refreshes of one token apart: one asks, the others wait and take what it got.
type tokens struct {
	mu    sync.Mutex
	locks map[string]*sync.Mutex
}

func (t *tokens) lock(key string) *sync.Mutex {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.locks == nil {
		t.locks = map[string]*sync.Mutex{}
	}
	if t.locks[key] == nil {
		t.locks[key] = &sync.Mutex{}
	}
	return t.locks[key]
}

// early is how long before its end a token counts as run out.
const early = 30 * time.Second

// proveOAuth gives the bearer token of a profile: the one kept while it is good, else a new one.
func (s *Service) proveOAuth(ctx context.Context, c credential, renew bool) (proof, error) {
	r, err := s.profile(ctx, ProfileTable, c.ID, "OAuth profile")
	if err != nil {
		return proof{}, err
	}
	before, err := s.kept(ctx, r.ID(), c.Requestor)
	if err != nil {
		return proof{}, err
	}
	if !renew && s.good(before) {
		return bearer(before), nil
	}
	l := s.tokens.lock(r.ID() + " " + c.Requestor)
	l.Lock()
	defer l.Unlock()
	now, err := s.kept(ctx, r.ID(), c.Requestor) // somebody may have got a new one meanwhile
	if err != nil {
		return proof{}, err
	}
	if s.good(now) && (!renew || now.AccessToken != before.AccessToken) {
		return bearer(now), nil
	}
	got, err := s.grant(ctx, r, c.Requestor, now)
	if err != nil {
		return proof{}, err
	}
	return bearer(got), nil
}

func bearer(t *oauth2.Token) proof {
	return proof{header: []Pair{{"Authorization", t.Type() + " " + t.AccessToken}}, secrets: []string{t.AccessToken}, renewable: true}
}

// good reports whether a token can be used by what is known of it here.
func (s *Service) good(t *oauth2.Token) bool {
	return t.AccessToken != "" && (t.Expiry.IsZero() || s.clock().Before(t.Expiry.Add(-early)))
}

func tokenID(profile, requestor string) string {
	return record.IDFrom(TokenTable, profile+" "+requestor)
}

// kept reads the token that is kept for a profile and a requestor; an empty one when there is none.
func (s *Service) kept(ctx context.Context, profile, requestor string) (*oauth2.Token, error) {
	t := s.db.Catalog().Table(TokenTable)
	out := &oauth2.Token{}
	q := &record.Query{Table: t, Fields: []string{"access_token", "refresh_token", "token_type", "expires"}, Limit: 1,
		Where: &query.Term{Field: record.SysID, Op: query.Equal, Values: []string{tokenID(profile, requestor)}}}
	for row, err := range s.db.As(record.System).Select(ctx, q) {
		if err != nil {
			return nil, err
		}
		if out.AccessToken, err = s.vault.Open(row[0].Text); err != nil {
			return nil, err
		}
		if out.RefreshToken, err = s.vault.Open(row[1].Text); err != nil {
			return nil, err
		}
		out.TokenType = row[2].Text
		if row[3].Text != "" {
			if out.Expiry, err = time.Parse(record.DateTimeLayout, row[3].Text); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// grant gets a new token: by the refresh token where there is one, else by what the profile holds; and keeps it.
func (s *Service) grant(ctx context.Context, profile *record.Record, requestor string, old *oauth2.Token) (*oauth2.Token, error) {
	g, err := s.granter(ctx, profile)
	if err != nil {
		return nil, err
	}
	t, err := g.byRefresh(ctx, old.RefreshToken)
	if t == nil && (err == nil || !transient(err)) {
		// Another node may have used the refresh token: then it has kept what it got.
		if again, reading := s.kept(ctx, profile.ID(), requestor); reading == nil && again.AccessToken != old.AccessToken && s.good(again) {
			return again, nil
		}
		t, err = g.byProfile(ctx, err)
	}
	if err != nil {
		return nil, err
	}
	if t.RefreshToken == "" {
		t.RefreshToken = old.RefreshToken
	}
	if !t.Expiry.IsZero() {
		t.Expiry = s.clock().Add(time.Until(t.Expiry))
	}
	return t, s.keep(ctx, profile.ID(), requestor, t)
}

// keep seals a token and writes it.
func (s *Service) keep(ctx context.Context, profile, requestor string, t *oauth2.Token) error {
	access, err := s.vault.Seal(t.AccessToken)
	if err != nil {
		return err
	}
	refresh, err := s.vault.Seal(t.RefreshToken)
	if err != nil {
		return err
	}
	expires := record.Null
	if !t.Expiry.IsZero() {
		expires = record.Text(t.Expiry.UTC().Format(record.DateTimeLayout))
	}
	id := record.Text(tokenID(profile, requestor))
	values := []record.Assignment{{Field: "access_token", Value: record.Text(access)}, {Field: "refresh_token", Value: record.Value{Text: refresh, Valid: refresh != ""}},
		{Field: "token_type", Value: record.Text(t.Type())}, {Field: "expires", Value: expires}}
	table := s.db.Catalog().Table(TokenTable)
	return s.db.As(record.System).Quiet("tokens of partners").Write(ctx, func(w *record.Writer) error {
		_, _, err := w.Update(ctx, table, id.Text, values)
		if err != nil && fault.KindOf(err) == fault.NotFound {
			_, err = w.Insert(ctx, table, append(values, record.Assignment{Field: record.SysID, Value: id},
				record.Assignment{Field: "profile", Value: record.Text(profile)}, record.Assignment{Field: "requestor", Value: record.Text(requestor)}))
		}
		return err
	})
}

// transient reports whether a credential that could not be had may be had later.
func transient(err error) bool {
	var f *channel.Failure
	if errors.As(err, &f) {
		return f.Phase != channel.Prepare && f.Phase != channel.Guard
	}
	var r *oauth2.RetrieveError
	if errors.As(err, &r) && r.Response != nil {
		return r.Response.StatusCode >= 500 || r.Response.StatusCode == 429
	}
	return false
}
