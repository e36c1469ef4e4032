package importset

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"headrace/internal/core/record"
)

// Fate is what became of a row.
type Fate uint8

// The fates, weakest first: a row that several maps handled counts by its strongest. Pending is no fate yet.
const (
	Pending Fate = iota
	Skipped
	Unchanged
	Updated
	Inserted
	Rejected
)

var fateNames = [...]string{"pending", "skipped", "unchanged", "updated", "inserted", "rejected"}

// String gives the name of the fate.
func (f Fate) String() string { return fateNames[f] }

// ParseFate reads the name of a fate.
func ParseFate(name string) (Fate, bool) {
	for i, n := range fateNames {
		if n == name {
			return Fate(i), true
		}
	}
	return 0, false
}

// Ledger counts rows by fate.
type Ledger struct {
	Read      int64 `json:"read"`
	Inserted  int64 `json:"inserted"`
	Updated   int64 `json:"updated"`
	Unchanged int64 `json:"unchanged"`
	Skipped   int64 `json:"skipped"`
	Rejected  int64 `json:"rejected"`
	Pending   int64 `json:"pending,omitempty"`
}

func (l *Ledger) of(f Fate) *int64 {
	return [...]*int64{&l.Pending, &l.Skipped, &l.Unchanged, &l.Updated, &l.Inserted, &l.Rejected}[f]
}

func (l *Ledger) count(f Fate) { *l.of(f)++ }

// move takes a row from one fate to another.
func (l *Ledger) move(from, to Fate) {
	*l.of(from)--
	*l.of(to)++
}

// Balances reports whether every row read has exactly one fate, counting pending rows as one.
func (l Ledger) Balances() bool {
	return l.Read == l.Inserted+l.Updated+l.Unchanged+l.Skipped+l.Rejected+l.Pending
}

// String writes the equation: 1,000 = 987 inserted + 0 updated + ...
func (l Ledger) String() string {
	s := fmt.Sprintf("%s = %s inserted + %s updated + %s unchanged + %s skipped + %s rejected", Thousands(l.Read), Thousands(l.Inserted),
		Thousands(l.Updated), Thousands(l.Unchanged), Thousands(l.Skipped), Thousands(l.Rejected))
	if l.Pending > 0 {
		s += fmt.Sprintf(" + %s pending", Thousands(l.Pending))
	}
	return s
}

// Thousands writes a number with commas.
func Thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func (l Ledger) assignments() []record.Assignment {
	n := func(name string, v int64) record.Assignment {
		return record.Assignment{Field: name, Value: record.Text(strconv.FormatInt(v, 10))}
	}
	return []record.Assignment{n("read", l.Read), n("inserted", l.Inserted), n("updated", l.Updated), n("unchanged", l.Unchanged),
		n("skipped", l.Skipped), n("rejected", l.Rejected), n("pending", l.Pending)}
}

func ledgerOf(r *record.Record) Ledger {
	return Ledger{Read: whole(r, "read"), Inserted: whole(r, "inserted"), Updated: whole(r, "updated"), Unchanged: whole(r, "unchanged"),
		Skipped: whole(r, "skipped"), Rejected: whole(r, "rejected"), Pending: whole(r, "pending")}
}

func whole(r *record.Record, name string) int64 {
	n, err := strconv.ParseInt(r.Get(name).Text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// State is where a run stands.
type State string

// The states of a run.
const (
	Running   State = "running"
	Done      State = "done"
	Halted    State = "halted"    // an error ended it; it can be resumed
	Cancelled State = "cancelled" // a person ended it; it can be resumed
	Failed    State = "failed"    // it ended, but its ledger does not balance
	Undone    State = "undone"
	Loading   State = "loading" // open for rows that are pushed; each is transformed as it comes
	Loaded    State = "loaded"  // its rows are kept and wait for their maps
)

// Run is one import: what it read, with which maps, and what became of the rows.
type Run struct {
	Number  int64         `json:"run"`
	State   State         `json:"state"`
	Source  string        `json:"source"`
	Target  string        `json:"target"`
	Ledger  Ledger        `json:"ledger"`
	Maps    []MapRun      `json:"maps,omitempty"`
	Started time.Time     `json:"started"`
	Took    time.Duration `json:"-"`
	Message string        `json:"message,omitempty"`
	Columns []string      `json:"-"`
	Format  string        `json:"format"`
	Resumed int64         `json:"resumed_at_row,omitempty"` // rows that an earlier attempt had done
	Undone  *UndoReport   `json:"undo,omitempty"`
	Same    int64         `json:"same_as_run,omitempty"` // the run that had the same bytes and whose fates still hold
	Absent  *AbsentReport `json:"absent,omitempty"`      // what became of the records that the source does not hold
	record  *record.Record
}

// Group is the sys_id that several loads share, of pushed rows.
func (r *Run) Group() string { return r.record.Get("multi_import_set").Text }

// MapRun is what one transform map made of the rows.
type MapRun struct {
	Map    string `json:"map"`
	Target string `json:"target"`
	Ledger Ledger `json:"ledger"`
	record *record.Record
}

func runOf(r *record.Record) *Run {
	run := &Run{Number: whole(r, "run"), State: State(r.Get("state").Text), Source: r.Get("source").Text,
		Target: r.Get("target_table").Text, Ledger: ledgerOf(r), Took: time.Duration(whole(r, "millis")) * time.Millisecond,
		Message: r.Get("message").Text, Format: r.Get("format").Text, Absent: absentOf(r), record: r}
	run.Started, _ = time.Parse(record.DateTimeLayout, r.Get("started").Text)
	if text := r.Get("columns").Text; text != "" {
		if json.Unmarshal([]byte(text), &run.Columns) != nil {
			run.Columns = nil
		}
	}
	if text := r.Get("undone").Text; text != "" {
		run.Undone = &UndoReport{}
		if json.Unmarshal([]byte(text), run.Undone) != nil {
			run.Undone = nil
		}
	}
	return run
}
