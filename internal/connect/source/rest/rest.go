// Package rest pulls rows from web services, declaratively: the request, where the rows are in an answer, where the next
// page is. A reading gives every row or ends in an error. A set that moves while its pages are read, a service that
// repeats a page or stops early, is told by the totals, by the order of keys and by the seams between pages.
//
// There are two kinds of source: any service (rest+https://), and tables of servers that speak the Table API
// (table+https://), which are read in the order of sys_id, so that records made or deleted meanwhile shift nothing.
package rest

import (
	"context"
	"net/url"
	"strings"
	"sync"
	"time"

	channel "headrace/internal/connect/channel/http"
	"headrace/internal/connect/format"
	"headrace/internal/connect/source"
	"headrace/internal/core/fault"
)

// Parts are what sources of this package are made of.
type Parts struct {
	Formats []format.Format // that answers are read with: json, xml, csv
	// Clock is nil for the clock of this machine. It says when a service that tells no date of its own was asked.
	Clock func() time.Time
	// Sleep waits between requests, or until ctx is done, which is its error; nil is real time.
	Sleep func(ctx context.Context, d time.Duration) error
}

// Kind is any web service: rest+https://host/path.
func Kind(formats ...format.Format) source.Kind { return Parts{Formats: formats}.Kind() }

// Table is a table of a server that speaks the Table API: table+https://host/incident?sysparm_query=active=true.
func Table(formats ...format.Format) source.Kind { return Parts{Formats: formats}.Table() }

// Kind is the kind of any web service.
func (p Parts) Kind() source.Kind {
	return source.Kind{
		Info: source.Info{Name: "rest", Label: "Web service", Schemes: []string{"rest+https", "rest+http"}, Options: restOptions()},
		Rows: func(a source.Address) (source.Rows, error) { return p.open(a, restOptions(), p.compile) },
	}
}

// Table is the kind of tables behind the Table API.
func (p Parts) Table() source.Kind {
	return source.Kind{
		Info: source.Info{Name: "table", Label: "Table API", Schemes: []string{"table+https", "table+http"}, Options: tableOptions()},
		Rows: func(a source.Address) (source.Rows, error) { return p.open(a, tableOptions(), p.compileTable) },
	}
}

// service is one source that was opened.
type service struct {
	*plan
	at     source.Address
	client *channel.Client
	clock  func() time.Time
	sleep  func(context.Context, time.Duration) error
	pace   pace
	prove  sync.Mutex // held while Grant is asked, which details do at the same time
}

func (p Parts) open(a source.Address, fields optionFields, compile func(a source.Address, at *url.URL) (*plan, error)) (source.Rows, error) {
	if err := a.Options.Check(fields); err != nil {
		return nil, err
	}
	at, err := address(a.URL)
	if err != nil {
		return nil, err
	}
	pl, err := compile(a, at)
	if err != nil {
		return nil, err
	}
	s := &service{plan: pl, at: a, clock: p.Clock, sleep: p.Sleep, client: channel.New(channel.Config{Through: a.Through})}
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.sleep == nil {
		s.sleep = wait
	}
	s.pace.every = pl.every
	return s, nil
}

// address is the URL behind rest+https:// and the like.
func address(u *url.URL) (*url.URL, error) {
	_, scheme, found := strings.Cut(u.Scheme, "+")
	if !found || scheme != "http" && scheme != "https" || u.Host == "" {
		return nil, fault.New(fault.Invalid, "%s is no address of a service", u.Redacted()).WithHint("for instance rest+https://api.example.com/items or table+https://example.com/incident")
	}
	at := *u
	at.Scheme, at.User, at.Fragment = scheme, nil, ""
	return &at, nil
}

// Close ends the connections that are idle.
func (s *service) Close() error {
	s.client.Close()
	return nil
}

// Read begins one reading.
func (s *service) Read(ctx context.Context, since string) *source.Reading {
	r := &reading{service: s, ctx: ctx, since: since}
	return &source.Reading{Rows: r.rows, High: r.highest, Total: r.stated}
}

// Test asks for the first page, once, and looks whether everything is there that the options name.
func (s *service) Test(ctx context.Context) error {
	once := *s.plan
	once.attempts = 1
	r := &reading{service: &service{plan: &once, at: s.at, client: s.client, clock: s.clock, sleep: s.sleep}, ctx: ctx}
	return r.try()
}
