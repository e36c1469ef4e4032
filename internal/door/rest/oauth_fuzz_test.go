package rest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"headrace/internal/door/rest"
)

// FuzzTokenForm: nobody without a client's secret gets a token, and every refusal is OAuth's.
func FuzzTokenForm(f *testing.F) {
	for _, s := range []string{"grant_type=password&client_id=a&client_secret=b&username=admin&password=c", "grant_type=refresh_token&refresh_token=x", "grant_type=client_credentials",
		"grant_type=%zz", "a;b", "grant_type=password&grant_type=x&client_id=%00", `{"grant_type":"password"}`, "token=x"} {
		f.Add(s, "/oauth_token.do")
		f.Add(s, "/oauth_revoke_token.do")
	}
	s := newFixture(f, rest.Limits{})
	f.Fuzz(func(t *testing.T, form, path string) {
		if path != "/oauth_revoke_token.do" {
			path = "/oauth_token.do"
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, strings.NewReader(form))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := s.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if path == "/oauth_revoke_token.do" && resp.StatusCode == http.StatusOK && len(text) == 0 { // a token that is not there is revoked
			return
		}
		var refused struct {
			Code string `json:"error"`
			Why  string `json:"error_description"`
		}
		if err := json.Unmarshal(text, &refused); err != nil || resp.StatusCode/100 != 4 || refused.Code == "" || refused.Why == "" {
			t.Fatalf("%q: %d %s", form, resp.StatusCode, text)
		}
	})
}
