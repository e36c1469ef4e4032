package outbound

import (
	"bytes"
	"context"
	"errors"
	"io"
	nethttp "net/http"
	"strconv"
	"strings"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	channel "headrace/internal/connect/channel/http"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// granter asks a provider for tokens, with the secrets of one profile.
type granter struct {
	client   *channel.Client
	name     string
	config   oauth2.Config
	scopes   []string
	grant    string
	user     string
	password string
	refresh  string // of the profile itself
}

// granter opens the secrets of a profile and of its provider.
func (s *Service) granter(ctx context.Context, profile *record.Record) (*granter, error) {
	p, err := s.profile(ctx, ProviderTable, profile.Get("oauth_entity").Text, "OAuth provider")
	if err != nil {
		return nil, err
	}
	g := &granter{client: s.client, name: profile.Get("name").Text, grant: profile.Get("grant_type").Text, user: profile.Get("username").Text,
		scopes: strings.FieldsFunc(profile.Get("scope").Text, func(c rune) bool { return c == ' ' || c == ',' })}
	g.config = oauth2.Config{ClientID: p.Get("client_id").Text, Scopes: g.scopes, Endpoint: oauth2.Endpoint{TokenURL: p.Get("token_url").Text, AuthStyle: oauth2.AuthStyleInHeader}}
	if p.Get("send_credentials").Text == "request_body" {
		g.config.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	for _, secret := range []struct {
		into *string
		from record.Value
	}{{&g.config.ClientSecret, p.Get("client_secret")}, {&g.password, profile.Get("password")}, {&g.refresh, profile.Get("refresh_token")}} {
		if *secret.into, err = s.vault.Open(secret.from.Text); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// through is a context whose calls take our bounded way.
func (g *granter) through(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, &nethttp.Client{Transport: bounded{g.client}})
}

// byRefresh uses a refresh token; no token and no error when there is none.
func (g *granter) byRefresh(ctx context.Context, refresh string) (*oauth2.Token, error) {
	if refresh == "" {
		return nil, nil
	}
	t, err := g.config.TokenSource(g.through(ctx), &oauth2.Token{RefreshToken: refresh}).Token()
	return t, g.explain(err)
}

// byProfile uses what the profile holds. refused is what came of a refresh token before.
func (g *granter) byProfile(ctx context.Context, refused error) (t *oauth2.Token, err error) {
	switch g.grant {
	case "client_credentials":
		c := clientcredentials.Config{ClientID: g.config.ClientID, ClientSecret: g.config.ClientSecret, TokenURL: g.config.Endpoint.TokenURL,
			Scopes: g.scopes, AuthStyle: g.config.Endpoint.AuthStyle}
		t, err = c.Token(g.through(ctx))
	case "password":
		t, err = g.config.PasswordCredentialsToken(g.through(ctx), g.user, g.password)
	default:
		if t, err = g.byRefresh(ctx, g.refresh); t == nil && err == nil {
			err = refused
			if err == nil {
				err = fault.New(fault.Invalid, "the OAuth profile %q has no refresh token", g.name).WithHint("set its field refresh_token")
			}
		}
		return t, err
	}
	return t, g.explain(err)
}

// explain says what a provider refused, without what it was told.
func (g *granter) explain(err error) error {
	if err == nil {
		return nil
	}
	var r *oauth2.RetrieveError
	if errors.As(err, &r) && r.Response != nil {
		what := r.ErrorCode
		if strings.Trim(what, "abcdefghijklmnopqrstuvwxyz_") != "" || what == "" || len(what) > 40 {
			what = "HTTP " + strconv.Itoa(r.Response.StatusCode)
		}
		return fault.Wrap(fault.Unavailable, quiet{err}, "the OAuth provider of %q gives no token: %s", g.name, what).WithHint("check client, secret and grant of the profile")
	}
	var f *channel.Failure
	if errors.As(err, &f) {
		return fault.Wrap(fault.Unavailable, quiet{err}, "the OAuth provider of %q does not answer: %s", g.name, f.Msg)
	}
	return fault.Wrap(fault.Unavailable, quiet{err}, "the OAuth provider of %q gives no token that can be read", g.name)
}

// quiet is a cause that is looked at but never shown: the library's errors quote answers.
type quiet struct{ err error }

func (quiet) Error() string   { return "" }
func (q quiet) Unwrap() error { return q.err }

// mostToken bounds the answer of a provider, in bytes.
const mostToken = 1 << 20

// bounded lets the OAuth library call through a channel: time, size and redirects are bounded.
type bounded struct{ client *channel.Client }

// RoundTrip makes bounded an http.RoundTripper.
func (b bounded) RoundTrip(r *nethttp.Request) (*nethttp.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		if err := r.Body.Close(); err != nil {
			return nil, err
		}
	}
	resp, err := b.client.Do(r.Context(), channel.Request{Method: r.Method, URL: r.URL.String(), Header: r.Header, Body: body, MaxAnswer: mostToken})
	if err != nil {
		return nil, err
	}
	return &nethttp.Response{StatusCode: resp.Status, Status: nethttp.StatusText(resp.Status), Header: resp.Header, Request: r, ProtoMajor: 1, ProtoMinor: 1,
		ContentLength: int64(len(resp.Body)), Body: io.NopCloser(bytes.NewReader(resp.Body))}, nil
}
