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
	Outbound *outbound.Service // has the delivery policies
	Formats  []format.Format   // that can also write
	// Open finds the place of a file. What it gives must be a source.Putter.
	Open func(ctx context.Context, p Place) (source.Files, error)
	// Spool is the folder that keeps the files; it is made when it is first needed.
	Spool string
	Log   *slog.Logger     // nil is slog.Default
	Clock func() time.Time // nil is time.Now
}

// Place is where a file goes.
type Place struct {
	Name       string // of the export set
	URL        string // of the file itself
	Credential string // name of the record that proves who asks; "" is nobody
	Options    format.Options
	Dress      func(*nethttp.Request) // is shown requests that go there by HTTP
}

// Service makes files and delivers them. It is safe for use by many goroutines, and several processes may share a store;
// a file is delivered by a process that shares the spool of the one that made it.
type Service struct {
	cfg    Config
	node   string
	making chan struct{} // how many files are made at once
}

// atOnce bounds how many files are made at once: each holds a connection of the store for as long as it reads.
const atOnce = 2

// New makes a Service.
func New(cfg Config) *Service {
	cfg.Log = cmp.Or(cfg.Log, slog.Default())
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	return &Service{cfg: cfg, node: nodeOf(cfg.Spool), making: make(chan struct{}, atOnce)}
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

// Request asks for a run.
type Request struct {
	Name  string       // of the export set, or its sys_id
	Actor record.Actor // whose access rules hold where the set names nobody, unless he is trusted
	Full  bool         // everything, also where the set is incremental
	Key   string       // asking again with the key of a run that came to something gives that run; "" is none
	// Patient waits while a file of the set is being made or delivered, which is a fault of kind Conflict otherwise.
	Patient bool
}

// Run makes the file of an export set and delivers it, and gives the run. A file of the set that is still to be delivered
// comes first: when it cannot be, the fault is of kind Conflict and nothing new is made. A delivery that failed and will
// be tried again is no error, the run says so.
func (s *Service) Run(ctx context.Context, name string, actor record.Actor) (*Run, error) {
	return s.Start(ctx, Request{Name: name, Actor: actor})
}

// Start is Run with all that can be asked for.
func (s *Service) Start(ctx context.Context, req Request) (*Run, error) {
	def, err := s.find(ctx, req.Name)
	if err != nil {
		return nil, err
	}
	if !def.is("active") {
		return nil, def.refused("it is not active")
	}
	held, err := s.hold(def.ID())
	for err == nil && held == nil && req.Patient {
		if err = pause(ctx); err == nil {
			held, err = s.hold(def.ID())
		}
	}
	if err != nil {
		return nil, err
	}
	if held == nil {
		return nil, def.busy("a file of it is being made or delivered at this moment")
	}
	defer held.release()
	j, err := s.clear(ctx, def)
	if err == nil && j == nil && req.Key != "" {
		j, err = s.asked(ctx, def, req.Key)
	}
	if err == nil && j == nil {
		if j, err = s.begin(ctx, def, req); err == nil {
			err = s.work(ctx, j)
		}
	}
	if j == nil {
		return nil, err
	}
	return s.finish(ctx, j, err)
}

// busyWait is how often a patient one looks whether a set is free.
const busyWait = 200 * time.Millisecond

func pause(ctx context.Context) error {
	t := time.NewTimer(busyWait)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// clear brings to an end what is left of earlier runs of a set. One whose file was still being made when its process
// ended is the run that is asked for now.
func (s *Service) clear(ctx context.Context, def *set) (*job, error) {
	left, err := s.left(ctx, def.ID())
	if err != nil {
		return nil, err
	}
	for _, j := range left {
		if j.text("node") != s.node {
			return nil, def.busy("run " + j.ID() + " of it is another machine's to deliver: " + j.text("node"))
		}
		j.def = def
		resumed := j.state() == Making
		if err := s.work(ctx, j); err != nil || resumed {
			return j, err
		}
		if j.open() {
			return nil, def.busy("run " + j.ID() + " of it is still to be delivered: " + j.text("error"))
		}
	}
	return nil, nil
}

// asked finds the run that was made for a key; nil when there is none, or none that came to something.
func (s *Service) asked(ctx context.Context, def *set, key string) (*job, error) {
	found, err := s.runs(ctx, both(equal("export_set", def.ID()), equal("request_key", key), in("state", string(Done), string(Empty))), true, 1)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &job{Record: found[0], def: def}, nil
}

// work takes a run as far as it gets now: its file made, then one attempt to deliver it. What went wrong with either
// stands in the run and is no error.
func (s *Service) work(ctx context.Context, j *job) error {
	if j.state() == Making {
		if err := s.make(ctx, j); err != nil || !j.open() {
			return err
		}
	}
	return s.deliver(ctx, j)
}

// finish gives a run to whoever asked for it; one that came to nothing is an error too.
func (s *Service) finish(ctx context.Context, j *job, err error) (*Run, error) {
	run := runOf(j.Record)
	switch {
	case err != nil:
		return &run, err
	case j.cause != nil && (run.State == Failed || run.State == Dead):
		return &run, j.cause
	}
	return &run, ctx.Err()
}
