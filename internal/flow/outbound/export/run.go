package export

import (
	"context"
	"slices"
	"strconv"
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

// Run is one file of an export set.
type Run struct {
	ID, Set            string // sys_id of the run; name of the set
	Sequence           int
	State              State
	AskedBy            string
	Place, FileName    string // the folder or address it goes to, and its name there
	Rows, Bytes        int64
	SHA256             string // of the bytes as they are sent, in hex
	Since, High        string // of incremental runs: rows changed since, and where the next begins
	Attempts           int
	Reason, Error      string
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

// job is a run that is being worked on.
type job struct {
	*record.Record
	def   *set
	cause error // why it is failed or dead
}

func (j *job) text(field string) string { return j.Get(field).Text }
func (j *job) is(field string) bool     { return j.Get(field).Text == "true" }
func (j *job) state() State             { return State(j.text("state")) }
func (j *job) open() bool               { return slices.Contains(open, j.text("state")) }

func (j *job) number(field string) int64 {
	n, err := strconv.ParseInt(j.text(field), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func (j *job) when(field string) time.Time {
	at, err := time.Parse(record.DateTimeLayout, j.text(field))
	if err != nil {
		return time.Time{}
	}
	return at
}

func runOf(r *record.Record) Run {
	j := &job{Record: r}
	return Run{ID: r.ID(), Set: j.text("name"), Sequence: int(j.number("sequence")), State: j.state(), AskedBy: j.text("asked_by"), Place: j.text("place"),
		FileName: j.text("file_name"), Rows: j.number("rows_written"), Bytes: j.number("bytes"), SHA256: j.text("sha256"), Since: j.text("since"), High: j.text("high"),
		Attempts: int(j.number("attempts")), Reason: j.text("reason"), Error: j.text("error"), Node: j.text("node"), BytesKept: j.is("bytes_kept"),
		Created: j.when(record.SysCreatedOn), Made: j.when("made"), NextTry: j.when("next_try"), Completed: j.when("completed")}
}

func equal(field, value string) query.Node {
	return &query.Term{Field: field, Op: query.Equal, Values: []string{value}}
}

func in(field string, values ...string) query.Node {
	return &query.Term{Field: field, Op: query.In, Values: values}
}

func both(parts ...query.Node) query.Node { return &query.And{Parts: parts} }

// records reads whole records in the order asked for.
func records(ctx context.Context, tx record.Tx, q *record.Query) ([]*record.Record, error) {
	q.Fields = q.Table.Names()
	var out []*record.Record
	for row, err := range tx.Select(ctx, q) {
		if err != nil {
			return nil, err
		}
		out = append(out, &record.Record{Table: q.Table, Values: slices.Clone(row)})
	}
	return out, nil
}

// runs reads runs; in the order of their making unless newest asks for the other one. limit 0 is no limit.
func (s *Service) runs(ctx context.Context, where query.Node, newest bool, limit int) (out []*record.Record, err error) {
	q := &record.Query{Table: s.cfg.DB.Catalog().Table(RunTable), Where: where, Limit: limit,
		OrderBy: []query.Order{{Field: record.SysCreatedOn, Desc: newest}, {Field: record.SysID, Desc: newest}}}
	err = s.cfg.DB.Store().Read(ctx, func(tx record.Tx) error {
		out, err = records(ctx, tx, q)
		return err
	})
	return out, err
}

// left are the runs of a set that have something left to do.
func (s *Service) left(ctx context.Context, set string) ([]*job, error) {
	found, err := s.runs(ctx, both(equal("export_set", set), in("state", open...)), false, 0)
	var out []*job
	for _, r := range found {
		out = append(out, &job{Record: r})
	}
	return out, err
}

// List gives the runs that match a condition, the newest first; limit 0 is no limit.
func (s *Service) List(ctx context.Context, where query.Node, limit int) ([]Run, error) {
	found, err := s.runs(ctx, where, true, limit)
	var out []Run
	for _, r := range found {
		out = append(out, runOf(r))
	}
	return out, err
}

// Show gives a run with its attempts; id may be the beginning of one, if there is only one such.
func (s *Service) Show(ctx context.Context, id string) (*Run, error) {
	found, err := s.List(ctx, &query.Term{Field: record.SysID, Op: query.StartsWith, Values: []string{id}}, 2)
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0 || id == "":
		return nil, fault.New(fault.NotFound, "there is no export run %q", record.Clip(id)).WithHint("`headrace export list` shows them")
	case len(found) > 1:
		return nil, fault.New(fault.Invalid, "several export runs begin with %q", id).WithHint("give more of the id")
	}
	run := &found[0]
	run.Tries, err = s.attempts(ctx, run.ID)
	return run, err
}

func (s *Service) attempts(ctx context.Context, run string) (out []Attempt, err error) {
	q := &record.Query{Table: s.cfg.DB.Catalog().Table(AttemptTable), Where: equal("export_run", run), OrderBy: []query.Order{{Field: "attempt"}, {Field: record.SysID}}}
	err = s.cfg.DB.Store().Read(ctx, func(tx record.Tx) error {
		found, err := records(ctx, tx, q)
		for _, r := range found {
			j := &job{Record: r}
			out = append(out, Attempt{Number: int(j.number("attempt")), Outcome: j.text("outcome"), Error: j.text("error"), Started: j.when("started"),
				Millis: int(j.number("millis")), Bytes: j.number("bytes"), Place: j.text("place")})
		}
		return err
	})
	return out, err
}
