package outbound

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"

	channel "headrace/internal/connect/channel/http"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// call is a request made whole: what is sent, but for the credentials. Deliveries keep it, sealed.
type call struct {
	Message    string           `json:"message,omitempty"`
	Function   string           `json:"function,omitempty"`
	Partner    string           `json:"partner,omitempty"`
	Guard      bool             `json:"guard,omitempty"`
	SOAP       bool             `json:"soap,omitempty"`
	Method     string           `json:"method"`
	URL        string           `json:"url"`
	Outside    bool             `json:"outside,omitempty"`
	Header     []Pair           `json:"header,omitempty"`
	Body       bytesOf          `json:"body,omitempty"`
	Credential credential       `json:"credential,omitzero"`
	Redirects  bool             `json:"redirects,omitempty"`
	Allowed    []string         `json:"allowed,omitempty"`
	Timeouts   channel.Timeouts `json:"timeouts,omitzero"`
	Policy     policy           `json:"policy"`
	Level      string           `json:"level,omitempty"`
	Redact     []string         `json:"redact,omitempty"`
	Secrets    []string         `json:"secrets,omitempty"`
	Key        string           `json:"key,omitempty"`
	Format     string           `json:"format,omitempty"`
	Path       string           `json:"path,omitempty"`
	Table      string           `json:"table,omitempty"`
	Trace      string           `json:"trace,omitempty"`
	SourceType string           `json:"sourceTable,omitempty"`
	SourceID   string           `json:"sourceRecord,omitempty"`
	Handler    string           `json:"handler,omitempty"`
}

// bytesOf is a text that may be no UTF-8: kept as bytes.
type bytesOf string

// MarshalJSON writes the bytes in base64.
func (b bytesOf) MarshalJSON() ([]byte, error) { return json.Marshal([]byte(b)) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (b *bytesOf) UnmarshalJSON(text []byte) error {
	var raw []byte
	err := json.Unmarshal(text, &raw)
	*b = bytesOf(raw)
	return err
}

// title names the call for people.
func (c *call) title() string {
	if c.Message != "" {
		return c.Message + "." + c.Function
	}
	return c.Method + " " + host(c.URL)
}

// host is the host of an endpoint, with its port where it has one.
func host(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}

// composer puts a request and its definition together.
type composer struct {
	r       Request
	d       *definition
	c       *call
	missing []string
}

// compose makes a request whole.
func (s *Service) compose(ctx context.Context, tx record.Tx, r Request) (*call, error) {
	d, err := loader{s, tx}.load(ctx, r)
	if err != nil {
		return nil, err
	}
	m := &composer{r: r, d: d, c: &call{Message: d.message, Function: d.function, Partner: d.partner, Guard: d.guard, SOAP: d.soap, Policy: d.policy,
		Level: cmp.Or(r.LogLevel, d.level, "basic"), Redact: d.redact, Format: d.format, Path: d.path, Table: d.table, Trace: r.Trace,
		SourceType: r.SourceTable, SourceID: r.SourceID, Handler: r.Handler, Credential: d.credential, Redirects: !d.soap, Allowed: r.Allowed}}
	if r.Redirects != nil {
		m.c.Redirects = *r.Redirects
	}
	m.c.Timeouts = d.policy.timeouts()
	if r.Timeout > 0 {
		m.c.Timeouts.FirstByte, m.c.Timeouts.Idle = r.Timeout, r.Timeout
	}
	if err := m.build(); err != nil {
		return nil, fault.During(m.c.title(), err)
	}
	return m.c, m.credentials()
}

func (m *composer) build() error {
	c := m.c
	c.Method = strings.ToUpper(cmp.Or(m.r.Method, m.d.method, "GET"))
	if !slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}, c.Method) {
		return fault.New(fault.Invalid, "there is no HTTP method %q", record.Clip(c.Method)).WithHint("one of GET, POST, PUT, PATCH, DELETE, HEAD")
	}
	c.Key = m.key()
	if err := m.headers(); err != nil {
		return err
	}
	if err := m.address(); err != nil {
		return err
	}
	m.body()
	for name, v := range m.r.Variables {
		if secretHeader(name) || slices.Contains(m.d.redact, name) {
			m.c.Secrets = append(m.c.Secrets, v.Value)
		}
	}
	if len(m.missing) > 0 {
		return m.unset()
	}
	return m.check()
}

// key is what the partner can tell repeats by.
func (m *composer) key() string {
	for _, h := range m.r.Header {
		if m.d.policy.KeyHeader != "" && strings.EqualFold(h.Name, m.d.policy.KeyHeader) {
			return h.Value
		}
	}
	if m.r.Key != "" || m.r.KeyStem == "" {
		return m.r.Key
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{m.r.KeyStem, m.d.message, m.d.function, cmp.Or(m.r.Endpoint, m.d.endpoint), strconv.Itoa(m.r.Nth)}, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// headers settles the headers: the message's, then the request's, then those that SOAP and the key want.
func (m *composer) headers() error {
	var own []Pair
	for _, h := range m.d.header {
		own = append(own, Pair{h.Name, m.expandAs(h.Value, "noescape")})
	}
	all := override(own, m.r.Header)
	if m.d.soap {
		all = m.soapHeaders(all)
	}
	if name := m.d.policy.KeyHeader; m.c.Key != "" && name != "" && !slices.Contains([]string{"GET", "HEAD", "OPTIONS"}, m.c.Method) {
		all = override(all, []Pair{{name, m.c.Key}})
	}
	for _, h := range all {
		if strings.ContainsAny(h.Name+h.Value, "\r\n\x00") || strings.ContainsAny(h.Name, " :") || h.Name == "" {
			return fault.New(fault.Invalid, "%q is no header: its name or value has a line break or another character that may not be there", record.Clip(h.Name))
		}
		m.note(h)
	}
	m.c.Header = all
	return nil
}

// note remembers the values of headers that are secrets by their nature, so that they are redacted wherever they turn up.
func (m *composer) note(h Pair) {
	if secretHeader(h.Name) {
		m.c.Secrets = append(m.c.Secrets, h.Value)
		if _, token, found := strings.Cut(h.Value, " "); found {
			m.c.Secrets = append(m.c.Secrets, token)
		}
	}
}

func (m *composer) soapHeaders(all []Pair) []Pair {
	action := m.d.action
	if m.r.SOAPAction != nil {
		action = *m.r.SOAPAction
	}
	base := []Pair{{"Content-Type", "text/xml; charset=utf-8"}, {"SOAPAction", `"` + strings.Trim(action, `"`) + `"`}}
	if m.d.version == "1.2" {
		base = []Pair{{"Content-Type", `application/soap+xml; charset=utf-8; action="` + strings.Trim(action, `"`) + `"`}}
	}
	return override(base, all)
}

// address settles the URL, and whether its host comes from data.
func (m *composer) address() error {
	own := m.expandURL(m.d.endpoint)
	endpoint := own
	m.c.Outside = m.r.Guarded || strings.Contains(authority(m.d.endpoint), "${")
	if m.r.Endpoint != "" {
		endpoint = m.expandURL(m.r.Endpoint)
		m.c.Outside = m.r.Guarded || host(endpoint) != host(own) || strings.Contains(authority(m.d.endpoint), "${")
	}
	if endpoint == "" {
		return fault.New(fault.Invalid, "the call has no endpoint").WithHint("give the message one, or call setEndpoint")
	}
	var query []string
	for _, p := range m.d.query {
		query = append(query, m.parameter(Pair{m.expandAs(p.Name, "noescape"), m.expandAs(p.Value, "noescape")}))
	}
	for _, p := range m.r.Query {
		query = append(query, m.parameter(p))
	}
	endpoint, fragment, _ := strings.Cut(legal(endpoint), "#")
	_ = fragment // is never sent
	if len(query) > 0 {
		glue := "?"
		if strings.Contains(endpoint, "?") {
			glue = "&"
		}
		endpoint = strings.TrimRight(endpoint, "?&") + glue + strings.Join(query, "&")
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fault.New(fault.Invalid, "the endpoint %q is no http or https URL", record.Clip(showURL(endpoint, nil)))
	}
	m.c.URL = endpoint
	if u.User != nil {
		return fault.New(fault.Invalid, "the endpoint holds a user name or password").WithHint("give the message a basic auth profile: endpoints are shown to people")
	}
	return nil
}

// authority is the part of an endpoint that says which host: a placeholder in it makes the host data.
func authority(endpoint string) string { return endpoint[:hostEnd(endpoint)] }

// hostEnd is where the host of an endpoint ends. A placeholder that an endpoint begins with stands for scheme and host.
func hostEnd(endpoint string) int {
	if end := strings.Index(endpoint, "}"); strings.HasPrefix(endpoint, "${") && end > 0 && !strings.HasPrefix(endpoint[end+1:], "://") {
		return end + 1
	}
	scheme := strings.Index(endpoint, "://")
	if scheme < 0 {
		return len(endpoint)
	}
	if path := strings.IndexAny(endpoint[scheme+3:], "/?#"); path >= 0 {
		return scheme + 3 + path
	}
	return len(endpoint)
}

// expandURL puts variables into an endpoint: as they are in what says the host, escaped behind it.
func (m *composer) expandURL(endpoint string) string {
	end := hostEnd(endpoint)
	return m.expandAs(endpoint[:end], "noescape") + m.expandAs(endpoint[end:], "url")
}

func (m *composer) parameter(p Pair) string {
	if m.d.strict {
		return legal(p.Name) + "=" + strings.ReplaceAll(legal(p.Value), "#", "%23")
	}
	reserved := strings.NewReplacer("&", "%26", "#", "%23", "+", "%2B")
	return reserved.Replace(legal(p.Name)) + "=" + reserved.Replace(legal(p.Value))
}

// body settles what is sent. A body that the request gives is sent as it is.
func (m *composer) body() {
	body := m.content()
	if m.r.UsernameToken != nil {
		body = withUsernameToken(body, *m.r.UsernameToken)
		m.c.Secrets = append(m.c.Secrets, m.r.UsernameToken.Password)
	}
	m.c.Body = bytesOf(body)
	if body != "" && !m.d.strict && header(m.c.Header, "Content-Type") == "" {
		if kind := map[string]string{"json": "application/json", "xml": "application/xml"}[m.kind(body)]; kind != "" {
			m.c.Header = append(m.c.Header, Pair{"Content-Type", kind})
		}
	}
}

func (m *composer) content() string {
	if m.r.Body != nil {
		return *m.r.Body
	}
	content := m.d.content
	if m.d.soap && !m.d.strict {
		content = m.dropUnset(content)
	}
	return m.expandAs(content, m.kind(content))
}

// kind is how variables in a content are escaped: by its type, or by what it looks like when that is not given.
func (m *composer) kind(content string) string {
	t := strings.ToLower(header(m.c.Header, "Content-Type"))
	switch first := strings.TrimSpace(content); {
	case strings.Contains(t, "json"):
		return "json"
	case strings.Contains(t, "xml"):
		return "xml"
	case strings.Contains(t, "x-www-form-urlencoded"):
		return "url"
	case t == "" && (strings.HasPrefix(first, "{") || strings.HasPrefix(first, "[")):
		return "json"
	case t == "" && strings.HasPrefix(first, "<"):
		return "xml"
	}
	return "noescape"
}

func header(all []Pair, name string) string {
	for _, h := range all {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

// unset says which variables have no value.
func (m *composer) unset() error {
	names := slices.Compact(slices.Sorted(slices.Values(m.missing)))
	return fault.New(fault.Invalid, "no value for ${%s}", strings.Join(names, "}, ${")).
		WithHint("set it by setStringParameter, or declare the variable as not mandatory; in mode strict it is sent as it stands")
}

// check refuses what no partner can read.
func (m *composer) check() error {
	if m.d.strict || m.r.Body != nil || m.c.Body == "" {
		return nil
	}
	if m.kind(string(m.c.Body)) == "json" && !json.Valid([]byte(m.c.Body)) {
		return fault.New(fault.Invalid, "the content is no JSON once its variables are put in").WithHint("quote the placeholders of texts: \"${name}\"")
	}
	return nil
}

// credentials settles who proves who we are: what the request says goes before what the message says.
func (m *composer) credentials() error {
	switch {
	case m.r.Basic != nil:
		m.c.Credential = credential{Kind: "basic", User: m.r.Basic.User, Password: m.r.Basic.Password}
		m.c.Secrets = append(m.c.Secrets, m.r.Basic.Password)
	case m.r.ProfileID != "":
		if !slices.Contains([]string{"basic", "oauth2", "api_key"}, m.r.Profile) {
			return fault.New(fault.Invalid, "there is no kind of authentication profile %q", m.r.Profile).WithHint("basic, oauth2 or api_key")
		}
		m.c.Credential = credential{Kind: m.r.Profile, ID: m.r.ProfileID}
	}
	m.c.Credential.Requestor = m.r.Requestor
	return nil
}
