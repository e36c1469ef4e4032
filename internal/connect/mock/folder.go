package mock

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"headrace/internal/connect/yamlfile"
	"headrace/internal/core/fault"
)

// Route says which requests are answered and how. Empty fields match everything.
type Route struct {
	Name    string   `yaml:"name"`
	Host    string   `yaml:"host"`
	Method  string   `yaml:"method"`
	Path    string   `yaml:"path"` // * stands for one part, at the end for the rest
	Match   Match    `yaml:"match"`
	Key     string   `yaml:"key"`  // header of an idempotency key that the partner honours
	Loop    bool     `yaml:"loop"` // behind the last answer comes the first
	Answers []Answer `yaml:"answers"`
}

// Match is what else a request must have: texts that its headers and its body contain, and parameters of its query.
type Match struct {
	Headers map[string]string `yaml:"headers"`
	Query   map[string]string `yaml:"query"`
	Body    string            `yaml:"body"`
}

// Ways in which an answer fails to come.
const (
	DropBefore = "before" // the connection ends without an answer
	DropHalf   = "half"   // it ends in the middle of the body
)

// Answer is one answer.
type Answer struct {
	Status  int               `yaml:"status"` // default 200
	Headers map[string]string `yaml:"headers"`
	Body    string            `yaml:"body"`
	JSON    any               `yaml:"json"` // in the place of body
	File    string            `yaml:"file"` // of the folder, in the place of body
	Times   int               `yaml:"times"`
	Repeat  int               `yaml:"repeat"` // how often the body is sent again behind itself
	Latency Wait              `yaml:"latency"`
	Drop    string            `yaml:"drop"`
	Done    bool              `yaml:"done"` // with drop: the partner has done what was asked, and remembers the key
	Hold    bool              `yaml:"hold"` // until the partner is told to go on
}

// Wait is a duration as people write it: 20ms, 1.5s.
type Wait time.Duration

// UnmarshalYAML reads a duration.
func (w *Wait) UnmarshalYAML(unmarshal func(any) error) error {
	var text string
	if err := unmarshal(&text); err != nil {
		return err
	}
	d, err := time.ParseDuration(text)
	if err == nil && d < 0 {
		err = errors.New("a wait is not negative")
	}
	*w = Wait(d)
	return err
}

// file is one file of a partner.
type file struct {
	Routes []Route `yaml:"routes"`
}

var properties = []string{"routes", "name", "host", "method", "path", "match", "headers", "query", "body", "key", "loop", "answers", "status", "json", "file",
	"times", "repeat", "latency", "drop", "done", "hold"}

// Parse reads the routes of one text; name stands for it in errors.
func Parse(name string, text []byte) ([]Route, error) {
	var f file
	if err := yamlfile.Decode(name, text, &f, properties); err != nil {
		return nil, err
	}
	return f.Routes, fault.During(name, settle(f.Routes))
}

// Settle readies routes that were read as part of another text: it fills in defaults and reads the files that answers name
// from a folder.
func Settle(routes []Route, dir string) error {
	if err := settle(routes); err != nil {
		return err
	}
	for i := range routes {
		if err := routes[i].load(dir); err != nil {
			return err
		}
	}
	return nil
}

func settle(routes []Route) error {
	for i := range routes {
		if err := routes[i].settle(); err != nil {
			return fault.During(fmt.Sprintf("route %d", i+1), err)
		}
	}
	return nil
}

// settle fills in defaults and refuses what cannot be.
func (r *Route) settle() error {
	if r.Name == "" {
		r.Name = strings.TrimSpace(r.Method + " " + r.Path)
	}
	for i := range r.Answers {
		a := &r.Answers[i]
		switch {
		case a.Status == 0:
			a.Status = http.StatusOK
		case a.Status < 200 || a.Status > 599:
			return fault.New(fault.Invalid, "%d is no status of an answer", a.Status)
		}
		if a.Drop != "" && a.Drop != DropBefore && a.Drop != DropHalf {
			return fault.New(fault.Invalid, "there is no drop %q", a.Drop).WithHint("%s or %s", DropBefore, DropHalf)
		}
	}
	return nil
}

// Folder reads the routes of all YAML files of a folder, in the order of their names.
func Folder(dir string) ([]Route, error) {
	found, err := filepath.Glob(filepath.Join(dir, "*.y*ml"))
	if err != nil || len(found) == 0 {
		if _, missing := os.Stat(dir); missing != nil {
			return nil, fault.Wrap(fault.Invalid, missing, "the folder %s cannot be read", dir)
		}
		return nil, fault.New(fault.Invalid, "the folder %s has no YAML file", dir).WithHint("write one: routes, each with method, path and answers")
	}
	slices.Sort(found)
	var out []Route
	for _, path := range found {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fault.Wrap(fault.Unavailable, err, "%s cannot be read", path)
		}
		routes, err := Parse(path, text)
		if err != nil {
			return nil, err
		}
		for i := range routes {
			if err := routes[i].load(dir); err != nil {
				return nil, fault.During(path, err)
			}
		}
		out = append(out, routes...)
	}
	return out, nil
}

// load reads the files that answers name, which lie in the folder.
func (r *Route) load(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "the folder %s cannot be read", dir)
	}
	defer root.Close()
	for i := range r.Answers {
		a := &r.Answers[i]
		if a.File == "" {
			continue
		}
		text, err := root.ReadFile(a.File)
		if err != nil {
			return fault.Wrap(fault.Invalid, err, "the file %q of route %q cannot be read", a.File, r.Name)
		}
		a.Body = string(text)
	}
	return nil
}

// Server is a partner that listens on the loopback.
type Server struct {
	*Partner
	URL   string
	http  *http.Server
	ended chan error
}

// Start lets a partner listen, on 127.0.0.1 at any free port when address is empty.
func Start(ctx context.Context, p *Partner, address string) (*Server, error) {
	if address == "" {
		address = "127.0.0.1:0"
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "%s cannot be listened on", address)
	}
	s := &Server{Partner: p, URL: "http://" + l.Addr().String(), http: &http.Server{Handler: p, ReadHeaderTimeout: time.Minute}, ended: make(chan error, 1)}
	go func() { s.ended <- s.http.Serve(l) }() // Close waits for it
	return s, nil
}

// Close ends the server and all its connections, and waits until it has ended.
func (s *Server) Close() error {
	s.Release()
	err := s.http.Close()
	if ended := <-s.ended; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}

// Network leads every call to the partner, whatever its host and scheme: routes can tell hosts apart. It takes the place
// of the network for tests in which nothing leaves the machine.
func (s *Server) Network() http.RoundTripper {
	to, err := url.Parse(s.URL)
	if err != nil { // it was made here
		panic(err)
	}
	return network{to: to, real: &http.Transport{DisableKeepAlives: true}}
}

type network struct {
	to   *url.URL
	real http.RoundTripper
}

// RoundTrip makes network an http.RoundTripper.
func (n network) RoundTrip(r *http.Request) (*http.Response, error) {
	there := r.Clone(r.Context())
	if there.Host == "" {
		there.Host = r.URL.Host
	}
	there.URL.Scheme, there.URL.Host = n.to.Scheme, n.to.Host
	return n.real.RoundTrip(there)
}
