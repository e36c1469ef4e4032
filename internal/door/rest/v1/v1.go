// Package v1 is Headrace's own API: everything that the command line does with imports, plans, runs and tables, over
// HTTP. Its operations are described once, in code; routing, validation and the OpenAPI description are drawn from that.
package v1

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"headrace/internal/connect/format"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
	"headrace/internal/flow/importset/datasource"
	"headrace/internal/flow/outbound/trace"
)

// Prefix is where the API stands.
const Prefix = "/api/v1"

// Caller is who calls.
type Caller struct {
	Actor    record.Actor
	UserName string
	HasRole  func(names ...string) bool // any of them
}

// Config is what the API stands on.
type Config struct {
	DB      *record.DB
	Imports *importset.Service
	Sources *datasource.Service
	Work    *importset.Background
	Formats []format.Format
	// Plan plans an import and saves the plan; made is a table that is still to be made.
	Plan func(ctx context.Context, req importset.Request, made *record.Table, save string) (*importset.PlanReport, error)
	// Trace follows the changes of a record; nil where nothing is kept of them.
	Trace func(ctx context.Context, id string) ([]trace.Change, error)
	// Caller tells who makes a call; nil when nobody known does.
	Caller    func(*http.Request) *Caller
	Spool     string // folder for uploads and plans
	MaxUpload int64  // most bytes of one upload; 0 is DefaultMaxUpload
	// Stopping is closed when the server begins to stop: streams end then.
	Stopping <-chan struct{}
	Log      *slog.Logger
}

// DefaultMaxUpload is the largest upload, in bytes, when nothing else is said.
const DefaultMaxUpload = 4 << 30

// maxBody is the largest JSON body, in bytes.
const maxBody = 1 << 20

// API answers the calls. It is an http.Handler for everything below Prefix.
type API struct {
	Config
	spool *spool
	keys  *keys
	mux   *http.ServeMux
	doc   []byte
}

// New makes the API and its spool folder.
func New(cfg Config) (*API, error) {
	if cfg.MaxUpload == 0 {
		cfg.MaxUpload = DefaultMaxUpload
	}
	files, err := newSpool(cfg.Spool)
	if err != nil {
		return nil, err
	}
	a := &API{Config: cfg, spool: files, keys: &keys{db: cfg.DB}, mux: http.NewServeMux()}
	ops := a.operations()
	if a.doc, err = describe(ops); err != nil {
		return nil, err
	}
	a.route(ops)
	return a, nil
}

// operations lists every operation.
func (a *API) operations() []*operation {
	return slices.Concat(a.sourceOperations(), a.dataSourceOperations(), a.planOperations(), a.runOperations(), a.tableOperations(), a.traceOperations(), a.advisorOperations(), []*operation{{
		id: "describe", method: "GET", path: "/openapi.json", summary: "This description", public: true,
		answers: []outcome{{status: 200, doc: "The OpenAPI description.", schema: mapOf(&schema{})}},
		do:      func(*call) (*reply, error) { return &reply{body: json.RawMessage(a.doc)}, nil },
	}})
}

// route gives each path a handler that knows its methods.
func (a *API) route(ops []*operation) {
	methods := map[string]map[string]*operation{}
	for _, o := range ops {
		if methods[o.path] == nil {
			methods[o.path] = map[string]*operation{}
		}
		methods[o.path][o.method] = o
	}
	for path, byMethod := range methods {
		a.mux.HandleFunc(Prefix+path, func(w http.ResponseWriter, r *http.Request) {
			method := r.Method
			if method == http.MethodHead {
				method = http.MethodGet
			}
			if o := byMethod[method]; o != nil {
				a.serve(w, r, o)
				return
			}
			var known []string
			for m := range byMethod {
				known = append(known, m)
			}
			slices.Sort(known)
			w.Header().Set("Allow", strings.Join(known, ", "))
			a.refuse(w, r, &statusError{http.StatusMethodNotAllowed, fault.New(fault.Invalid, "%s cannot be done here", r.Method).WithHint("use %s", strings.Join(known, " or "))})
		})
	}
	a.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		a.refuse(w, r, fault.New(fault.NotFound, "there is nothing at this path").WithHint("GET %s/openapi.json lists the operations", Prefix))
	})
}

// ServeHTTP answers one call.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// Public reports whether a path answers callers without credentials.
func Public(path string) bool { return path == Prefix+"/openapi.json" }

func (a *API) refuse(w http.ResponseWriter, r *http.Request, err error) {
	writeProblem(w, problemOf(err, a.Log, r))
}

// call is one call under way.
type call struct {
	*http.Request
	api    *API
	who    *Caller
	values map[string]string
	body   map[string]any
	file   *upload // nil without one
	opened *datasource.Opened
}

func (c *call) text(name string) string { return c.values[name] }
func (c *call) flag(name string) bool   { return c.values[name] == "true" }

// number gives a whole number, or def when it is absent; operations describe what is a number.
func (c *call) number(name string, def int64) int64 {
	var n json.Number = json.Number(c.values[name])
	if v, err := n.Int64(); err == nil {
		return v
	}
	return def
}

// list gives a parameter that is a list with commas.
func (c *call) list(name string) []string {
	var out []string
	for _, part := range strings.Split(c.values[name], ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// serve checks a call by its description, does it, and answers.
func (a *API) serve(w http.ResponseWriter, r *http.Request, o *operation) {
	c := &call{Request: r, api: a, who: a.Caller(r)}
	out, err := a.answer(c, o)
	if c.file != nil {
		c.file.remove()
	}
	if c.opened != nil {
		_ = c.opened.Close() // what it left is swept up
	}
	if err == nil {
		err = a.write(w, r, out)
	}
	if err != nil {
		a.refuse(w, r, err)
	}
}

func (a *API) answer(c *call, o *operation) (*reply, error) {
	switch {
	case o.public:
	case c.who == nil:
		return nil, &statusError{http.StatusUnauthorized, fault.New(fault.Denied, "nobody known calls").WithHint("give credentials: Basic, Bearer or x-sn-apikey")}
	default:
		if err := o.allows(c.who); err != nil {
			return nil, err
		}
	}
	if err := a.read(c, o); err != nil {
		return nil, err
	}
	if key := c.Header.Get(keyHeader); key != "" && o.method == http.MethodPost {
		return a.once(c, o, key)
	}
	return o.do(c)
}

// read takes in what a call gives: parameters, a JSON body, or a file.
func (a *API) read(c *call, o *operation) (err error) {
	var form map[string][]string
	if o.upload {
		if c.file, form, err = a.spool.receive(c.Request, a.MaxUpload); err != nil {
			return err
		}
	}
	if c.values, err = o.values(c.Request, form); err != nil {
		return err
	}
	if o.body != nil {
		c.body, err = readBody(c.Request, o)
	}
	return err
}

func readBody(r *http.Request, o *operation) (map[string]any, error) {
	text, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	if err != nil {
		return nil, unread(err)
	}
	if len(text) == 0 && o.optional {
		return map[string]any{}, nil
	}
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); strings.TrimSpace(kind) != "application/json" {
		return nil, &statusError{http.StatusUnsupportedMediaType, fault.New(fault.Invalid, "the body is not application/json").WithHint("Content-Type: application/json")}
	}
	var body any
	if err := json.Unmarshal(text, &body); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the body is no JSON: %v", err)
	}
	if err := o.body.check("", body); err != nil {
		return nil, err
	}
	return body.(map[string]any), nil // the schemas of bodies are objects
}

// unread says why a body could not be read to its end.
func unread(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return fault.Wrap(fault.Limit, err, "the body is larger than %s bytes", importset.Thousands(large.Limit))
	}
	if errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "timeout") {
		return &statusError{http.StatusRequestTimeout, fault.Wrap(fault.Invalid, err, "the body came too slowly")}
	}
	return fault.Wrap(fault.Invalid, err, "the body ends early")
}

func (a *API) write(w http.ResponseWriter, r *http.Request, out *reply) error {
	for name, values := range out.header {
		w.Header()[name] = values
	}
	if out.stream != nil {
		return out.stream(w)
	}
	status := out.status
	if status == 0 {
		status = http.StatusOK
	}
	w.Header().Set("Cache-Control", "no-store")
	if out.body == nil {
		w.WriteHeader(status)
		return nil
	}
	text, err := json.Marshal(out.body)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "the answer cannot be written")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(append(text, '\n')) // who does not read the answer has left
	}
	return nil
}

// stamp is how times are written.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
