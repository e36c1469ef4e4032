// Package schedule runs imports, scripts and exports when they are due. A schedule is a record of a table that extends
// sysauto; its next run is a record of sys_trigger and one job of the queue, both written in the transaction that computes
// it, so that on any number of nodes each due run happens once. What became of every run, and of every one that was not
// made, is a line of the history.
package schedule

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"
	_ "time/tzdata" // zones, where the machine has none

	"headrace/internal/core/record"
	"headrace/internal/flow/script"
	"headrace/internal/store/queue"
)

// Outcome is what a run has come to.
type Outcome struct {
	State    State
	Message  string // for people: what was done, or why not
	Run      int64  // number of the import run; 0 when there is none
	Read     int64  // rows
	Rejected int64  // of the rows read
}

// Importer brings in a saved data source.
type Importer interface {
	// RunSource imports; began is told the number of the import run as soon as there is one. A run that was cut off goes on
	// when it is asked for again.
	RunSource(ctx context.Context, name string, actor record.Actor, began func(run int64)) (Outcome, error)
}

// Exporter writes the file of an export set.
type Exporter interface {
	// RunExport exports as actor; one without an ID leaves it to the export set whom it is run as. key is the same when the
	// same run is tried again.
	RunExport(ctx context.Context, name string, actor record.Actor, key string) (Outcome, error)
}

// Config is what a Service is made of.
type Config struct {
	DB       *record.DB
	Queue    *queue.Queue
	Scripts  *script.Engine // runs conditions, jobs, scripts before and after
	Importer Importer       // nil refuses scheduled imports when they run
	Exporter Exporter       // nil refuses scheduled exports when they run
	Log      *slog.Logger   // nil is slog.Default()
}

// Service is the schedules of a database. It is made before the database is opened, whose hook it is, and completed by
// Use.
type Service struct {
	cfg  Config
	node string // names this process in the history
	life context.Context
	end  context.CancelFunc
}

// New makes a Service.
func New() *Service {
	s := &Service{node: nodeName()}
	s.life, s.end = context.WithCancel(context.Background())
	return s
}

func nodeName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	return fmt.Sprintf("%s:%d", host, os.Getpid())
}

// Kinds of the jobs of this package, and their queues. Runs have a queue of their own, for they may be long.
const (
	dueKind   = "schedule_due"
	runKind   = "schedule_run"
	DueQueue  = "schedules"
	RunQueue  = "schedule_runs"
	Workers   = 8 // runs that a node makes at once
	dueAtOnce = 4
)

// Queues says how many jobs of its queues a node works at once.
func Queues() map[string]int { return map[string]int{DueQueue: dueAtOnce, RunQueue: Workers} }

// Unhurried names the kind of jobs that may take as long as they need.
const Unhurried = runKind

// Use completes the Service and makes it the worker of its jobs.
func (s *Service) Use(cfg Config) {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	s.cfg = cfg
	cfg.Queue.Handle(dueKind, s.workDue)
	cfg.Queue.Handle(runKind, s.workRun)
}

// Halt cuts off imports and exports that are under way, for this process ends; another goes on with them.
func (s *Service) Halt() { s.end() }

func (s *Service) table(name string) *record.Table { return s.cfg.DB.Catalog().Table(name) }

func (s *Service) session() record.Session { return s.cfg.DB.As(record.System) }

func moment(text string) time.Time {
	t, err := time.Parse(record.DateTimeLayout, text)
	if err != nil {
		return time.Time{}
	}
	return t
}

func textOf(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(record.DateTimeLayout)
}
