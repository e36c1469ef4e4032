// Package event fires events and has them handled: an event is a sysevent record with a handler run for each of its
// handlers, written in the transaction that fires it together with the jobs that will do the runs. It exists if and only
// if that transaction commits, and each of its handlers then runs at least once, whatever dies.
package event

import (
	"context"
	"encoding/json"
	"log/slog"
	"strconv"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/store/queue"
)

// Event is something that has happened, as it is fired.
type Event struct {
	Name         string
	Record       *record.Record // what it is about; nil: Table and Instance, which may be empty
	Table        string
	Instance     string
	Parm1, Parm2 string
	Queue        string    // "" is what the registry says, else the default queue
	At           time.Time // not to be handled before; zero is at once
	Key          string    // order key; "" is that of the record
	Snapshot     *Snapshot // nil: of the change that rules are running for, when it is of the same record
}

// Target is a handler of an event.
type Target struct {
	ID, Name string
	Policy   Policy
}

// Handler is a kind of handler: script actions and async business rules are two.
type Handler interface {
	// Kind is the name under which handler runs remember it.
	Kind() string
	// Targets lists the handlers of an event, in the order in which they begin.
	Targets(ctx context.Context, event string) ([]Target, error)
	// Handle does one run. An error means another attempt by the policy of the target, unless it says otherwise: see
	// RetryLater and Permanent.
	Handle(ctx context.Context, r *Run) error
	// Policy gives the policy of a target as it is now.
	Policy(ctx context.Context, target string) Policy
}

// Run is one attempt of a handler run.
type Run struct {
	ID       string
	Kind     string
	Target   string         // sys_id of the handler
	Name     string         // of the handler
	Event    *record.Record // nil for runs that no event caused
	Table    string         // of the record concerned; "" when there is none
	Instance string
	Input    json.RawMessage
	Attempt  int    // 1 is the first since the run was made or replayed
	Key      string // the same for every attempt and replay: the stem of idempotency keys
	Trace    string
	UserID   string // who caused it

	after time.Duration
	log   []byte
}

// Log keeps a line with the attempt; the excerpt is cut at maxLog bytes.
func (r *Run) Log(line string) {
	if room := maxLog - len(r.log); room > 0 {
		line += "\n"
		r.log = append(r.log, line[:min(room, len(line))]...)
	}
}

// RetryAfter sets when the run is tried again if it fails.
func (r *Run) RetryAfter(d time.Duration) { r.after = d }

const maxLog = 4 << 10

// Service fires and handles events. It is the hook of its own tables.
type Service struct {
	db       *record.DB
	queue    *queue.Queue
	handlers []Handler
	book     record.Kept[book]
	log      *slog.Logger
}

// JobKind is the kind of the jobs that do handler runs.
const JobKind = "handler_run"

// New makes a Service; Use completes it once the database is open.
func New() *Service { return &Service{log: slog.Default()} }

// Use sets the database and the queue, and makes the Service the worker of its jobs.
func (s *Service) Use(db *record.DB, q *queue.Queue) {
	s.db, s.queue = db, q
	q.Handle(JobKind, s.work)
}

// LogTo sets where failures are told.
func (s *Service) LogTo(log *slog.Logger) { s.log = log }

// Add adds a kind of handler, before the first event.
func (s *Service) Add(h Handler) { s.handlers = append(s.handlers, h) }

func (s *Service) handler(kind string) Handler {
	for _, h := range s.handlers {
		if h.Kind() == kind {
			return h
		}
	}
	return nil
}

func (s *Service) table(name string) *record.Table { return s.db.Catalog().Table(name) }

// Fire fires an event in the transaction of w and gives its sys_id.
func (s *Service) Fire(ctx context.Context, w *record.Writer, e Event) (id string, err error) {
	if e.Name == "" {
		return "", fault.New(fault.Invalid, "an event has no name")
	}
	if e.Record != nil {
		e.Table, e.Instance = e.Record.Table.Name, e.Record.ID()
	}
	if e.Snapshot == nil {
		e.Snapshot = snapshotOf(ctx, e.Instance)
	}
	r := record.NewRecord(s.table(Table))
	actor := w.Session().Actor()
	for name, v := range map[string]string{
		record.SysID: record.NewID(), "name": e.Name, "parm1": e.Parm1, "parm2": e.Parm2, "table": e.Table, "instance": e.Instance,
		"queue": e.Queue, "order_key": e.Key, "snapshot": e.Snapshot.text(), "user_id": actor.ID, "user_name": actor.Name, "priority": "100",
	} {
		if v != "" {
			r.Set(name, record.Text(v))
		}
	}
	if !e.At.IsZero() {
		r.Set("process_on", record.Text(e.At.UTC().Format(record.DateTimeLayout)))
	}
	return r.ID(), w.Tx().Later(ctx, func(record.Tx) error {
		if err := s.plan(ctx, w, r); err != nil {
			return err
		}
		return s.insert(ctx, w, r)
	})
}

// insert writes a record of our own: no hooks, no change row.
func (s *Service) insert(ctx context.Context, w *record.Writer, rs ...*record.Record) error {
	if len(rs) == 0 {
		return nil
	}
	rows := &record.Rows{Fields: rs[0].Table.Names()}
	for _, r := range rs {
		stamp(r, w)
		rows.Values = append(rows.Values, r.Values...)
	}
	return w.Tx().Insert(ctx, rs[0].Table, rows)
}

// stamp sets who writes a new record, and when.
func stamp(r *record.Record, w *record.Writer) {
	now, by := record.Text(w.Now().Format(record.DateTimeLayout)), record.Text(w.Session().Actor().Name)
	for _, a := range []record.Assignment{{Field: record.SysCreatedOn, Value: now}, {Field: record.SysCreatedBy, Value: by},
		{Field: record.SysUpdatedOn, Value: now}, {Field: record.SysUpdatedBy, Value: by}, {Field: record.SysModCount, Value: record.Text("0")}} {
		r.Set(a.Field, a.Value)
	}
}

// update changes fields of a record of our own. It is stale when somebody else has changed it since mods was read; ""
// does not ask.
func (s *Service) update(ctx context.Context, w *record.Writer, table, id, mods string, values ...record.Assignment) (stale bool, err error) {
	rows := &record.Rows{Fields: []string{record.SysID, record.SysModCount},
		Values: []record.Value{record.Text(id), {Text: mods, Valid: mods != ""}}}
	for _, a := range values {
		rows.Fields, rows.Values = append(rows.Fields, a.Field), append(rows.Values, a.Value)
	}
	rows.Fields = append(rows.Fields, record.SysUpdatedOn)
	rows.Values = append(rows.Values, record.Text(w.Now().Format(record.DateTimeLayout)))
	gone, err := w.Tx().Update(ctx, s.table(table), rows)
	return len(gone) > 0, err
}

func set(field, value string) record.Assignment {
	return record.Assignment{Field: field, Value: record.Value{Text: value, Valid: value != ""}}
}

func setInt(field string, n int) record.Assignment { return set(field, strconv.Itoa(n)) }

func setTime(field string, t time.Time) record.Assignment {
	if t.IsZero() {
		return record.Assignment{Field: field}
	}
	return set(field, t.UTC().Format(record.DateTimeLayout))
}
