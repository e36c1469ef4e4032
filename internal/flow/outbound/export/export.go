// Package export leaves files for others: they read many records, we write them a file. What is written, in which form
// and where it goes is an export set, a record; every file is an export run, which keeps what was written until it is
// delivered, and for a time beyond.
//
// A file is made whole on this machine before anything is sent. What is sent is that file and nothing else, however
// often it takes: a delivery that is repeated has the same name and the same bytes. One file of a set is under way at a
// time, so that they arrive in their order.
package export

import (
	"cmp"
	"context"
	"log/slog"
	nethttp "net/http"
	"os"
	"path/filepath"
	"time"

	channel "headrace/internal/connect/channel/http"
	"headrace/internal/connect/format"
	"headrace/internal/connect/source"
	"headrace/internal/core/record"
	"headrace/internal/flow/access"
	"headrace/internal/flow/outbound"
)

// Config is what a Service is made of.
type Config struct {
	DB       *record.DB
	Access   *access.Service   // finds the user that a set runs as
	Outbound *outbound.Service // delivery policies, and what proves who we are over HTTP
	Formats  []format.Format   // that can also write
	// Open finds the place of an address, with the credential of that name. It serves all but HTTP.
	Open func(ctx context.Context, p Place) (source.Files, error)
	// Spool is the folder that keeps the files; it is made when it is first needed.
	Spool string
	// Through replaces the network of deliveries by HTTP, for tests.
	Through nethttp.RoundTripper
	Log     *slog.Logger     // nil is slog.Default
	Clock   func() time.Time // nil is time.Now
}

// Place is where a file goes.
type Place struct {
	URL        string // of the file itself
	Credential string // name of the record that proves who asks; "" is nobody
	Options    format.Options
}

// Service makes files and delivers them. It is safe for use by many goroutines, and several processes may share a store;
// a file is delivered by a process that shares the spool of the one that made it.
type Service struct {
	cfg    Config
	node   string
	client *channel.Client
	making chan struct{} // how many files are made at once
	wake   chan struct{}
}

// atOnce bounds how many files are made at once: each holds a connection of the store for as long as it reads.
const atOnce = 2

// New makes a Service.
func New(cfg Config) *Service {
	cfg.Log = cmp.Or(cfg.Log, slog.Default())
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	s := &Service{cfg: cfg, making: make(chan struct{}, atOnce), wake: make(chan struct{}, 1)}
	s.client = channel.New(channel.Config{Through: cfg.Through})
	s.node = nodeOf(cfg.Spool)
	return s
}

// nodeOf names a spool for people: a run whose file is in another one is that one's to deliver.
func nodeOf(spool string) string {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	if whole, err := filepath.Abs(spool); err == nil {
		spool = whole
	}
	return host + ":" + spool
}

// Close ends connections that wait for the next delivery.
func (s *Service) Close() { s.client.Close() }

// Run makes the file of an export set and delivers it, and gives the run. A file of the set that is still to be delivered
// comes first: when it cannot be, the fault is of kind Conflict and nothing new is made. A delivery that failed and will
// be tried again is no error, the run says so.
func (s *Service) Run(ctx context.Context, name string, actor record.Actor) (*Run, error) {
	return s.Start(ctx, Request{Name: name, Actor: actor})
}
