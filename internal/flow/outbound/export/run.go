package export

import (
	"context"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// State is where a run stands.
type State string

// The states of a run.
const (
	Making   State = "making"    // its file is being written here
	Ready    State = "ready"     // its file is whole and still to be delivered
	Sending  State = "sending"   // being delivered
	Retry    State = "retry"     // to be delivered again
	Done     State = "done"      // delivered
	Empty    State = "empty"     // there were no records, and the set wants no file then
	Failed   State = "failed"    // its file could not be made: nothing was sent
	Dead     State = "dead"      // given up: somebody must look at it
	Canceled State = "cancelled" // called off
)

// open are the states in which there is something left to do.
var open = []string{string(Making), string(Ready), string(Sending), string(Retry)}

// Request asks for a run.
type Request struct {
	Name  string // of the export set, or its sys_id
	Actor record.Actor
	Full  bool // everything, also where the set is incremental
}

// Run is one file of an export set.
type Run struct {
	ID, Set            string // sys_id of the run; name of the set
	Sequence           int
	State              State
	AskedBy            string
	Place, FileName    string // where it goes; its last name
	Rows, Bytes        int64
	SHA256             string // of the bytes as they are sent, in hex
	Since, High        string // of incremental runs: rows changed since, and where the next begins
	Attempts           int
	Reason, Error      string
	Notes              string // what the reader of the file may miss
	Node               string // the machine and folder that keep the bytes
	BytesKept          bool
	Created, Made      time.Time
	NextTry, Completed time.Time
	Tries              []Attempt // only by Show
}

// Attempt is one delivery of a run.
type Attempt struct {
	Number  int       `json:"attempt"`
	Outcome string    `json:"outcome"`
	Error   string    `json:"error,omitempty"`
	Started time.Time `json:"started"`
	Millis  int       `json:"millis"`
	Bytes   int64     `json:"bytes"`
	Place   string    `json:"place"`
}

// Start is Run with all that can be asked for.
func (s *Service) Start(ctx context.Context, req Request) (*Run, error) {
	return nil, fault.New(fault.Refused, "export set %s cannot be run yet", req.Name)
}

// List gives the runs that match a condition, the newest first; limit 0 is no limit.
func (s *Service) List(ctx context.Context, where query.Node, limit int) ([]Run, error) {
	return nil, nil
}

// Work delivers what is due until ctx is done. Every server runs one; report is told what went wrong.
func (s *Service) Work(ctx context.Context, report func(run string, err error)) { <-ctx.Done() }
