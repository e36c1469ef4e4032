package outbound

import (
	"encoding/base64"
	nethttp "net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// hidden stands in the place of a secret.
const hidden = "***"

// secretHeaders are never shown; what they hold is redacted wherever else it turns up.
var secretHeaders = []string{"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "api-key", "apikey", "x-auth-token", "www-authenticate"}

func secretHeader(name string) bool {
	n := strings.ToLower(name)
	return slices.Contains(secretHeaders, n) || strings.Contains(n, "token") || strings.Contains(n, "secret") || strings.Contains(n, "password") || strings.Contains(n, "signature")
}

// secretNames are the names of values in bodies and queries that are never shown.
const secretNames = `pass(?:word|wd|phrase)?|pwd|secret|client_secret|[a-z_]*token|api[_-]?key|authorization|assertion|sig(?:nature)?`

// redactor takes secrets out of what is kept of a call.
type redactor struct {
	replace *strings.Replacer
	patterns
}

// patterns find values by their names.
type patterns struct {
	json, quoted, xml, form *regexp.Regexp // quoted: JSON within a text of JSON
}

// ordinary are the patterns of calls that declare no names of their own.
var ordinary = patternsOf(nil)

func patternsOf(names []string) patterns {
	word := secretNames
	for _, n := range names {
		word += "|" + regexp.QuoteMeta(n)
	}
	return patterns{json: regexp.MustCompile(`(?i)("(?:` + word + `)"\s*:\s*)("(?:[^"\\]|\\.)*"?|[^\s,}\]"]+)`),
		quoted: regexp.MustCompile(`(?i)(\\+"(?:` + word + `)\\+"\s*:\s*)(\\+"[^"\\]*|[^\s,}\]"\\]+)`),
		xml:    regexp.MustCompile(`(?i)(<(?:[\w.-]+:)?(?:` + word + `)(?:\s[^<>]*)?>)[^<]+`),
		form:   regexp.MustCompile(`(?i)((?:^|[?&;])(?:` + word + `)=)[^&\s;]+`)}
}

// shortest is how long a known secret must be to be looked for: shorter ones would hide half the text.
const shortest = 4

// redactorOf makes the redactor of a call: its known secrets, and the names that it declares.
func redactorOf(secrets, names []string) *redactor {
	var pairs []string
	for _, s := range variants(secrets) {
		pairs = append(pairs, s, hidden)
	}
	r := &redactor{replace: strings.NewReplacer(pairs...), patterns: ordinary}
	if len(names) > 0 {
		r.patterns = patternsOf(names)
	}
	return r
}

// variants are the ways in which a secret may stand in a text, the longest first.
func variants(secrets []string) []string {
	var out []string
	for _, s := range secrets {
		if len(s) >= shortest {
			out = append(out, s, escapeJSON(s), escapeXML(s), url.QueryEscape(s), Escape("url", s), base64.StdEncoding.EncodeToString([]byte(s)))
		}
	}
	slices.SortFunc(out, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	return slices.Compact(out)
}

// text redacts a body or a message, and bounds it.
func (r *redactor) text(s string, most int) string {
	cut := ""
	if room := 4 * most; len(s) > room { // a secret that is cut in two must be redacted before the cut
		s, cut = s[:room], "..."
	}
	s = r.replace.Replace(s)
	s = r.byName(s)
	if len(s) > most {
		s, cut = s[:most], "..."
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD") + cut
}

// byName redacts values by their names, where the marks of a form are there at all.
func (r *redactor) byName(s string) string {
	if strings.Contains(s, `"`) && strings.Contains(s, ":") {
		s = r.json.ReplaceAllString(s, `${1}"`+hidden+`"`)
		s = r.quoted.ReplaceAllString(s, `${1}\"`+hidden)
	}
	if strings.Contains(s, "<") {
		s = r.xml.ReplaceAllString(s, "${1}"+hidden)
	}
	if strings.Contains(s, "=") {
		s = r.form.ReplaceAllString(s, "${1}"+hidden)
	}
	return s
}

func (r *redactor) pairs(all []Pair) []Pair {
	out := make([]Pair, len(all))
	for i, p := range all {
		out[i] = Pair{p.Name, r.text(p.Value, mostHeader)}
		if secretHeader(p.Name) {
			out[i].Value = hidden
		}
	}
	return out
}

func (r *redactor) url(endpoint string) string { return r.text(showURL(endpoint, r), mostHeader) }

// showURL gives a URL without the values of parameters that are secrets by their name.
func showURL(endpoint string, r *redactor) string {
	at, query, found := strings.Cut(endpoint, "?")
	if scheme, rest, ok := strings.Cut(at, "://"); ok {
		if user, host, has := strings.Cut(rest, "@"); has && !strings.Contains(user, "/") {
			at = scheme + "://" + hidden + "@" + host
		}
	}
	if !found {
		return at
	}
	if r == nil {
		r = redactorOf(nil, nil)
	}
	return at + "?" + r.form.ReplaceAllString(query, "${1}"+hidden)
}

// pairsOf lists headers in order of their names, those given several times one by one.
func pairsOf(h nethttp.Header) []Pair {
	var out []Pair
	names := make([]string, 0, len(h))
	for n := range h {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		for _, v := range h[n] {
			out = append(out, Pair{n, v})
		}
	}
	return out
}

// How much of a request or an answer is shown, in bytes.
const (
	mostBody   = 16 << 10
	mostHeader = 2 << 10
)
