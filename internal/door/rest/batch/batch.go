// Package batch is the Batch API: several REST calls in one request, answered one after the other by the same handler
// that answers them alone.
package batch

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"headrace/internal/door/rest/wire"
)

// The platform's limits of a batch.
const (
	mostIn   = 5 << 20  // bytes of an item's body
	mostOut  = 10 << 20 // bytes of an item's answer
	mostTime = 30 * time.Second
)

// Routes lists the operations of the API. inside answers the items; it is called with the caller's identity in the
// context and his credentials in the header.
func Routes(d wire.Deps, inside http.Handler) []wire.Route {
	a := &api{deps: d, inside: inside, time: mostTime}
	return []wire.Route{{Method: http.MethodPost, Pattern: "/api/now/batch", Handler: a.serve}}
}

type api struct {
	deps   wire.Deps
	inside http.Handler
	time   time.Duration
}

// request is the body of a batch. Ids may be numbers or texts; they are answered as texts.
type request struct {
	ID    id     `json:"batch_request_id"`
	Items []item `json:"rest_requests"`
}

type item struct {
	ID             id       `json:"id"`
	Method         string   `json:"method"`
	URL            string   `json:"url"`
	Headers        []header `json:"headers"`
	Body           string   `json:"body"` // base64
	ExcludeHeaders bool     `json:"exclude_response_headers"`
}

type header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type id string

// UnmarshalJSON takes texts and numbers.
func (i *id) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err == nil {
		*i = id(text)
		return nil
	}
	var number json.Number
	if err := json.Unmarshal(b, &number); err != nil {
		return errors.New("an id is a text or a number")
	}
	*i = id(number)
	return nil
}

// answer is what a batch came to.
type answer struct {
	ID         id       `json:"batch_request_id"`
	Serviced   []served `json:"serviced_requests"`
	Unserviced []id     `json:"unserviced_requests"`
}

type served struct {
	ID       id       `json:"id"`
	Status   int      `json:"status_code"`
	Text     string   `json:"status_text"`
	Body     string   `json:"body"` // base64
	Headers  []header `json:"headers,omitempty"`
	Millis   int64    `json:"execution_time"`
	Redirect string   `json:"redirect_url,omitempty"`
	Error    string   `json:"error_message,omitempty"`
}

// serve answers the items in their order. What does not fit into the time is left undone, and named.
func (a *api) serve(r *wire.Request) (*wire.Answer, error) {
	data, err := r.Bytes()
	if err != nil {
		return nil, err
	}
	var in request
	if err := json.Unmarshal(data, &in); err != nil {
		return nil, wire.Unreadable("%v", err)
	}
	if in.Items == nil {
		return nil, wire.Unreadable("rest_requests is missing")
	}
	ctx, cancel := context.WithTimeout(r.Context(), a.time)
	defer cancel()
	out := answer{ID: in.ID, Serviced: []served{}, Unserviced: []id{}}
	most := mostOut
	if n, err := strconv.Atoi(r.Header.Get("X-BATCHREQUEST-MAX-OUTPUT-SIZE")); err == nil && n > 0 {
		most = min(most, n)
	}
	for i := range in.Items {
		if ctx.Err() != nil {
			out.Unserviced = append(out.Unserviced, in.Items[i].ID)
			continue
		}
		out.Serviced = append(out.Serviced, a.item(ctx, r, &in.Items[i], most))
	}
	return &wire.Answer{Raw: out}, r.Context().Err()
}

// item answers one item; what is wrong with it is said in its own answer.
func (a *api) item(ctx context.Context, r *wire.Request, it *item, most int) served {
	began := time.Now()
	out := served{ID: it.ID}
	inner, err := it.request(ctx, r)
	if err != nil {
		out.fail(http.StatusBadRequest, err.Error())
		return out
	}
	w := &recorder{header: http.Header{}, most: most}
	a.call(w, inner)
	out.Status, out.Text = w.status(), http.StatusText(w.status())
	out.Millis = time.Since(began).Milliseconds()
	if !it.ExcludeHeaders {
		out.Headers = headersOf(w.header)
	}
	if out.Status/100 == 3 {
		out.Redirect = w.header.Get("Location")
	}
	switch {
	case w.full:
		out.fail(http.StatusInternalServerError, "the answer is larger than "+strconv.Itoa(most)+" bytes")
	case w.broken:
		out.fail(http.StatusInternalServerError, "the answer broke off")
	default:
		out.Body = base64.StdEncoding.EncodeToString(w.body.Bytes())
	}
	return out
}

// fail answers an item with the platform's error envelope.
func (s *served) fail(status int, message string) {
	e := wire.Error{Status: status, Message: message}
	s.Status, s.Text, s.Error = status, http.StatusText(status), message
	s.Body = base64.StdEncoding.EncodeToString(e.AppendJSON(nil))
}

// call lets the handler answer. One that breaks off an answer it has begun does so by a panic.
func (a *api) call(w *recorder, r *http.Request) {
	defer func() {
		if p := recover(); p != nil {
			w.broken = true
			if p != http.ErrAbortHandler {
				a.deps.Logger().Error("panic in a batch", "path", r.URL.Path, "panic", p)
			}
		}
	}()
	a.inside.ServeHTTP(w, r)
}

var methods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// request makes the request that an item stands for: of the same caller, to the same host.
func (it *item) request(ctx context.Context, outer *wire.Request) (*http.Request, error) {
	method := strings.ToUpper(it.Method)
	if !slices.Contains(methods, method) {
		return nil, errors.New("method " + strconv.Quote(it.Method) + " is not supported")
	}
	at, err := url.Parse(it.URL)
	if err != nil || at.Host != "" || at.Path == "" {
		return nil, errors.New("the url is not a path of this server: " + strconv.Quote(it.URL))
	}
	if !strings.HasPrefix(at.Path, "/") {
		at.Path, at.RawPath = "/"+at.Path, ""
	}
	if strings.HasSuffix(strings.TrimSuffix(at.Path, "/"), "/batch") {
		return nil, errors.New("a batch cannot be part of a batch")
	}
	body, err := base64.StdEncoding.DecodeString(it.Body)
	if err != nil {
		return nil, errors.New("the body is not base64")
	}
	if len(body) > mostIn {
		return nil, errors.New("the body is larger than " + strconv.Itoa(mostIn) + " bytes")
	}
	r, err := http.NewRequestWithContext(ctx, method, at.String(), bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the item is no request")
	}
	r.Host, r.RemoteAddr, r.TLS, r.RequestURI = outer.Host, outer.RemoteAddr, outer.TLS, at.RequestURI()
	for _, h := range it.Headers {
		r.Header.Add(h.Name, h.Value)
	}
	r.Header.Del("Accept-Encoding")                                           // the batch as a whole is packed
	for _, name := range []string{"Authorization", "Cookie", "X-Sn-Apikey"} { // nobody else's
		r.Header.Del(name)
		for _, v := range outer.Header.Values(name) {
			r.Header.Add(name, v)
		}
	}
	return r, nil
}

func headersOf(h http.Header) []header {
	var out []header
	for name, values := range h {
		for _, v := range values {
			out = append(out, header{name, v})
		}
	}
	slices.SortFunc(out, func(a, b header) int { return strings.Compare(a.Name+a.Value, b.Name+b.Value) })
	return out
}

// recorder keeps an item's answer, up to a size.
type recorder struct {
	header       http.Header
	code         int
	body         bytes.Buffer
	most         int
	full, broken bool
}

// Header makes recorder an http.ResponseWriter.
func (w *recorder) Header() http.Header { return w.header }

// WriteHeader makes recorder an http.ResponseWriter.
func (w *recorder) WriteHeader(code int) {
	if w.code == 0 && code >= 200 {
		w.code = code
	}
}

// Write makes recorder an http.ResponseWriter.
func (w *recorder) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.body.Len()+len(b) > w.most {
		w.full = true
		return 0, errors.New("the answer is too large for a batch")
	}
	return w.body.Write(b)
}

func (w *recorder) status() int {
	if w.code == 0 {
		return http.StatusOK
	}
	return w.code
}
