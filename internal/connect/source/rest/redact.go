package rest

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

var secretive = []string{"key", "token", "secret", "password", "passwd", "pwd", "sig", "auth", "code", "session", "credential"}

// secretName reports whether what bears a name may be a secret.
func secretName(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(secretive, func(w string) bool { return strings.Contains(name, w) })
}

// redacted shows a URL without what may be a secret.
func (s *service) redacted(u *url.URL) string {
	out := u.Scheme + "://" + u.Host + u.EscapedPath()
	var parts []string
	for part := range strings.SplitSeq(u.RawQuery, "&") {
		name, value, _ := strings.Cut(part, "=")
		if value != "" && secretName(name) {
			part = name + "=..."
		}
		if part != "" {
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 {
		return out
	}
	return out + "?" + strings.Join(parts, "&")
}

// masked replaces everything that was put on a request to prove who asks.
func (s *service) masked(text string, sent *http.Request) string {
	secrets := []string{s.at.Secret.Password, s.at.Secret.Key, s.at.Secret.Phrase}
	for name, list := range sent.Header {
		if secretName(name) {
			for _, v := range list {
				secrets = append(secrets, append(strings.Fields(v), v)...)
			}
		}
	}
	for name, list := range sent.URL.Query() {
		if secretName(name) {
			secrets = append(secrets, list...)
		}
	}
	slices.SortFunc(secrets, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	for _, secret := range secrets {
		if len(secret) >= 4 && secret != "Basic" && secret != "Bearer" {
			text = strings.ReplaceAll(text, secret, "...")
		}
	}
	return text
}
