// Package datasource brings data in from where it is: a saved data source, a URL or a path. It compiles records into
// sources, fetches files whole before anything is written, lets rows of databases through as they come, imports them by
// the maps of the staging table, and keeps what was done: which file, up to which mark, and how the source is.
package datasource

import (
	"context"
	"net/http"
	"sync"
	"time"

	"headrace/internal/connect/format"
	"headrace/internal/connect/source"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
)

// Config is what a Service stands on.
type Config struct {
	DB      *record.DB
	Imports *importset.Service
	Kinds   []source.Kind
	Formats []format.Format
	// Reveal opens a secret that a record holds.
	Reveal func(sealed string) (string, error)
	// Grant makes requests carry the token of an OAuth profile; nil where there are none.
	Grant func(ctx context.Context, profile string) (source.Grant, error)
	Spool string           // folder for what is fetched; it is made when missing
	Clock func() time.Time // nil is time.Now
	// Wait passes the time between two attempts; nil waits. It returns early, with the error of ctx, when that is done.
	Wait    func(ctx context.Context, d time.Duration) error
	Through http.RoundTripper // in the place of the network, for sources that speak HTTP
	// Stand puts something in the place of a kind of source, for tests of what reads it: by the name of the saved source, or
	// of whoever leaves files there; "" for an address that nobody has saved. nil leaves all kinds as they are.
	Stand func(name string, k source.Kind) source.Kind
}

// Service reads from sources. It is safe for use by several goroutines.
type Service struct {
	Config
	working sync.Map // ids of the sources that this process brings in, with what it has written into their claims
}

// New makes a Service over a DB that has the tables of this package.
func New(cfg Config) *Service {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Wait == nil {
		cfg.Wait = pause
	}
	return &Service{Config: cfg}
}

// stand puts what stands for an address in its place, if something does.
func (s *Service) stand(name string, a *address) {
	if s.Stand != nil {
		a.kind = s.Stand(name, a.kind)
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Request says which saved source to bring in.
type Request struct {
	Name     string
	Actor    record.Actor // on whose behalf
	Restart  bool         // begin anew even when an unfinished run could be resumed
	Accept   bool         // whatever differs from the contract is agreed on from now
	Patient  bool         // wait while somebody else brings it in, which is a fault of kind Conflict otherwise
	Began    func(*importset.Run)
	Progress func(*importset.Run)
	Notes    func(note string)
}

// States of a Result.
const (
	StateDone    = "done"    // everything there was is imported
	StateNothing = "nothing" // there was nothing new
	StateWaiting = "waiting" // there are files, none of them ready
	StateFailed  = "failed"  // it stopped at an error; what was done before it stays
)

// Result is what bringing in a saved source came to.
type Result struct {
	State   string                  `json:"state"`
	Message string                  `json:"message,omitempty"`
	Runs    []*importset.Run        `json:"runs"`
	Files   []FileResult            `json:"files,omitempty"`
	Mark    string                  `json:"mark,omitempty"` // where the next reading of rows goes on
	Drift   []Difference            `json:"drift,omitempty"`
	Absent  *importset.AbsentReport `json:"absent,omitempty"` // of the last run: the records that it does not hold
}

// States of a file of a source.
const (
	FileSeen        = "seen"        // listed, not ready yet or not its turn
	FileFetched     = "fetched"     // copied, being imported
	FileDone        = "done"        // transformed
	FileFailed      = "failed"      // not imported; Reason says why
	FileDuplicate   = "duplicate"   // the same bytes were imported before
	FileQuarantined = "quarantined" // set aside: it is not what was agreed on
)

// FileResult is what became of one file.
type FileResult struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256,omitempty"`
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"`
	Run    int64  `json:"run,omitempty"`
}
