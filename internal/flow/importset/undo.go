package importset

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// UndoReport says what an undo did.
type UndoReport struct {
	Run      int64     `json:"run"`
	Removed  int64     `json:"removed"`
	Restored int64     `json:"restored"`
	Refused  int64     `json:"refused"`
	List     []Refusal `json:"refusals,omitempty"` // the first ones
}

// Refusal is a record that was left as it is, and why.
type Refusal struct {
	Table  string `json:"table"`
	Record string `json:"record"`
	Why    string `json:"why"`
}

// mostRefusals is how many refusals a report lists.
const mostRefusals = 100

func (u *UndoReport) refuse(table, id, why string) {
	u.Refused++
	if len(u.List) < mostRefusals {
		u.List = append(u.List, Refusal{table, id, why})
	}
}

// UndoRequest says what to undo.
type UndoRequest struct {
	Run      int64
	DryRun   bool // report what would happen, write nothing
	Actor    record.Actor
	Progress func(*UndoReport)
}

// Undo takes a run back: what it updated gets its old values, what it inserted is removed, what it deleted comes back.
// Records that were changed since are left alone and listed. An undo that was interrupted goes on when asked again.
func (s *Service) Undo(ctx context.Context, req UndoRequest) (*UndoReport, error) {
	run, err := s.Run(ctx, req.Run)
	switch {
	case err != nil:
		return nil, err
	case run.State == Running:
		return nil, fault.New(fault.Refused, "run %d is still running", req.Run).WithHint("headrace run cancel %d", req.Run)
	case run.State == Undone:
		return nil, fault.New(fault.Refused, "run %d has been undone already", req.Run)
	}
	if !req.DryRun {
		if err := s.settlePushes(ctx, run); err != nil {
			return nil, err
		}
	}
	u := &undoer{Service: s, req: req, run: run, report: &UndoReport{Run: req.Run}, mark: undoMark + strconv.FormatInt(req.Run, 10), counted: map[string]bool{}}
	if err := u.inserted(ctx); err != nil {
		return u.report, err
	}
	if err := u.changed(ctx); err != nil {
		return u.report, err
	}
	if req.DryRun {
		return u.report, nil
	}
	return u.report, s.db.As(req.Actor).Write(ctx, func(w *record.Writer) error {
		return updateBook(ctx, w.Tx(), run.record, []record.Assignment{{Field: "state", Value: record.Text(string(Undone))},
			{Field: "undone", Value: record.Text(mustJSON(u.report))}})
	})
}

// undoer is one undo under way. Its own change rows carry mark as their trace, by which it knows them again.
type undoer struct {
	*Service
	req     UndoRequest
	run     *Run
	report  *UndoReport
	mark    string
	counted map[string]bool // records with change rows of the run that have been dealt with
}

// undoMark begins the trace of an undo; the number of the run follows.
const undoMark = "undo:"

// undoPage is how many records one transaction takes back.
const undoPage = 2_000

// deed is one change row.
type deed struct {
	run                               int64
	sequence, table, record, op, mark string
	actor, at                         string
	old                               map[string]record.Value
}

// changed takes back what the run's change rows tell of: updates, and what rules inserted or deleted beside them.
func (u *undoer) changed(ctx context.Context) error {
	after := ""
	for {
		page, err := u.deeds(ctx, after)
		if err != nil || len(page) == 0 {
			return err
		}
		after = page[len(page)-1].sequence
		byTable := map[string][]string{}
		for _, d := range page {
			if !slices.Contains(byTable[d.table], d.record) {
				byTable[d.table] = append(byTable[d.table], d.record)
			}
		}
		for table, ids := range byTable {
			if err := u.takeBack(ctx, table, ids, false); err != nil {
				return err
			}
		}
	}
}

// deeds reads a page of the run's change rows, each record's first one only.
func (u *undoer) deeds(ctx context.Context, after string) ([]deed, error) {
	where := &query.And{Parts: []query.Node{&query.Term{Field: "run", Op: query.Equal, Values: []string{strconv.FormatInt(u.run.Number, 10)}}}}
	if after != "" {
		where.Parts = append(where.Parts, &query.Term{Field: "sequence", Op: query.Greater, Values: []string{after}})
	}
	return u.changeRows(ctx, &record.Query{Where: where, OrderBy: []query.Order{{Field: "run"}, {Field: "sequence"}}, Limit: undoPage})
}

func (s *Service) changeRows(ctx context.Context, q *record.Query) ([]deed, error) {
	q.Table = s.db.Catalog().Table(record.ChangeTable)
	q.Fields = []string{"run", "sequence", "table_name", "record", "operation", "trace", "actor", "at", "old"}
	var out []deed
	for row, err := range s.db.As(record.System).Select(ctx, q) {
		if err != nil {
			return nil, err
		}
		d := deed{sequence: row[1].Text, table: row[2].Text, record: row[3].Text, op: row[4].Text, mark: row[5].Text, actor: row[6].Text, at: row[7].Text}
		if d.run, err = strconv.ParseInt(row[0].Text, 10, 64); err != nil {
			return nil, err
		}
		if d.old, err = record.DecodeOld(row[8].Text); err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

// inserted removes what the run inserted: staging says which records those are.
func (u *undoer) inserted(ctx context.Context) error {
	if len(u.run.Maps) < 2 {
		return u.insertedInto(ctx, u.run.Target, func(yield func(string, error) bool) {
			for row, err := range u.Rows(ctx, u.run.Number, Inserted) {
				if err != nil {
					yield("", err)
					return
				}
				if !yield(row.Target, nil) {
					return
				}
			}
		})
	}
	for k := len(u.run.Maps) - 1; k >= 0; k-- {
		if err := u.insertedInto(ctx, u.run.Maps[k].Target, u.insertedBy(ctx, k)); err != nil {
			return err
		}
	}
	return nil
}

// insertedBy yields the ids of records that one of several maps inserted.
func (u *undoer) insertedBy(ctx context.Context, k int) func(func(string, error) bool) {
	t := u.db.Catalog().Table(OutcomeTable)
	bound := func(op query.Op, run int64) query.Node {
		return &query.Term{Field: "id", Op: op, Values: []string{strconv.FormatInt(rowID(run, 0), 10)}}
	}
	q := &record.Query{Table: t, Fields: []string{"target"}, Where: &query.And{Parts: []query.Node{
		bound(query.GreaterEqual, u.run.Number), bound(query.Less, u.run.Number+1),
		&query.Term{Field: "position", Op: query.Equal, Values: []string{strconv.Itoa(k)}},
		&query.Term{Field: "state", Op: query.Equal, Values: []string{Inserted.String()}}}}}
	return func(yield func(string, error) bool) {
		var ids []string // read whole before anything is written: a reader must not sit in a transaction meanwhile
		for row, err := range u.db.As(record.System).Select(ctx, q) {
			if err != nil {
				yield("", err)
				return
			}
			ids = append(ids, row[0].Text)
		}
		for _, id := range ids {
			if !yield(id, nil) {
				return
			}
		}
	}
}

func (u *undoer) insertedInto(ctx context.Context, table string, targets func(func(string, error) bool)) error {
	var page []string
	for id, err := range targets {
		if err != nil {
			return err
		}
		if page = append(page, id); len(page) == undoPage {
			if err := u.takeBack(ctx, table, page, true); err != nil {
				return err
			}
			page = page[:0]
		}
	}
	return u.takeBack(ctx, table, page, true)
}

// takeBack takes the run's doings on some records of a table back, in one transaction. inserted says that the run
// inserted them.
func (u *undoer) takeBack(ctx context.Context, table string, ids []string, inserted bool) error {
	if len(ids) == 0 {
		return nil
	}
	t, err := u.db.Table(table)
	if err != nil {
		return err
	}
	before := *u.report
	work := func(w *record.Writer) error {
		*u.report = before
		history, err := u.history(ctx, w.Tx(), ids)
		if err != nil {
			return err
		}
		now, err := read(ctx, w.Tx(), t, ids)
		if err != nil {
			return err
		}
		d := &decided{table: t}
		for _, id := range ids {
			u.one(d, id, now[id], history[id], inserted)
		}
		if u.req.DryRun {
			return nil
		}
		return u.carryOut(ctx, w, d)
	}
	session := u.db.As(u.req.Actor).WithTrace(u.mark)
	if u.req.DryRun {
		err = u.db.Store().Read(ctx, func(tx record.Tx) error { return work(session.Writer(tx)) })
	} else {
		err = session.Write(ctx, work)
	}
	if err == nil && u.req.Progress != nil {
		u.req.Progress(u.report)
	}
	return err
}

// history reads all change rows of some records, in order.
func (u *undoer) history(ctx context.Context, tx record.Tx, ids []string) (map[string][]deed, error) {
	keys := &record.Keys{Fields: []string{"record"}, Fold: []bool{false}}
	for _, id := range ids {
		keys.Tuples = append(keys.Tuples, record.Text(id))
	}
	q := &record.Query{Table: u.db.Catalog().Table(record.ChangeTable), Keys: keys,
		Fields: []string{"run", "sequence", "record", "operation", "trace", "old"}}
	out := map[string][]deed{}
	for row, err := range tx.Select(ctx, q) {
		if err != nil {
			return nil, err
		}
		d := deed{sequence: row[1].Text, record: row[2].Text, op: row[3].Text, mark: row[4].Text}
		if d.run, err = strconv.ParseInt(row[0].Text, 10, 64); err != nil {
			return nil, err
		}
		if d.old, err = record.DecodeOld(row[5].Text); err != nil {
			return nil, err
		}
		out[d.record] = append(out[d.record], d)
	}
	for id := range out {
		slices.SortFunc(out[id], func(a, b deed) int {
			if a.sequence < b.sequence {
				return -1
			}
			return 1
		})
	}
	return out, nil
}

// read reads records by id.
func read(ctx context.Context, tx record.Tx, t *record.Table, ids []string) (map[string]*record.Record, error) {
	keys := &record.Keys{Fields: []string{record.SysID}, Fold: []bool{false}}
	for _, id := range ids {
		keys.Tuples = append(keys.Tuples, record.Text(id))
	}
	out := make(map[string]*record.Record, len(ids))
	for row, err := range tx.Select(ctx, &record.Query{Table: t, Fields: t.Names(), Keys: keys}) {
		if err != nil {
			return nil, err
		}
		r := &record.Record{Table: t, Values: slices.Clone(row)}
		out[r.ID()] = r
	}
	return out, nil
}

// decided is what is to become of some records of a table.
type decided struct {
	table   *record.Table
	remove  []*record.Record
	restore []restored
	revive  []restored // were deleted by the run
}

// restored is a record, as it is now, and the values that it had.
type restored struct {
	id  string
	now *record.Record
	old map[string]record.Value
}

// one decides what becomes of one record, or says why it is left alone. A record may come up several times: as inserted
// by a row, and with each page that holds a change row of it.
func (u *undoer) one(d *decided, id string, now *record.Record, history []deed, inserted bool) {
	f := u.facts(history, inserted)
	if u.counted[id] {
		return
	}
	if f.changes > 0 {
		u.counted[id] = true
	}
	switch {
	case f.undone: // an interrupted undo has been here
		u.done(f.created)
	case f.changedSince:
		u.report.refuse(d.table.Name, id, "changed since")
	case now == nil && !f.deleted:
		u.report.refuse(d.table.Name, id, "removed since")
	case f.created && f.deleted: // came and went within the run
	case f.created:
		u.done(true)
		d.remove = append(d.remove, now)
	case f.deleted:
		u.done(false)
		d.revive = append(d.revive, restored{id, now, f.old})
	default:
		u.done(false)
		d.restore = append(d.restore, restored{id, now, f.old})
	}
}

// carryOut writes what was decided.
func (u *undoer) carryOut(ctx context.Context, w *record.Writer, d *decided) error {
	if _, err := w.DeleteRows(ctx, d.table, d.remove); err != nil {
		return err
	}
	made := w.With(w.Session().KeepSysFields()) // they were created when they were, by whom they were
	for _, r := range d.revive {
		values := []record.Assignment{{Field: record.SysID, Value: record.Text(r.id)}}
		for _, field := range d.table.Names() { // what it did not have, it is not to get by default
			if field != record.SysID {
				values = append(values, record.Assignment{Field: field, Value: r.old[field]})
			}
		}
		if _, err := made.Insert(ctx, d.table, values); err != nil {
			return err
		}
	}
	return u.putBack(ctx, w, d)
}

// putBack gives records the values that they had, all at once: fields that only some of them have lost are written to
// the others as they are.
func (u *undoer) putBack(ctx context.Context, w *record.Writer, d *decided) error {
	var names []string
	for _, name := range d.table.Names() {
		if slices.ContainsFunc(d.restore, func(r restored) bool { _, lost := r.old[name]; return lost }) {
			names = append(names, name)
		}
	}
	rows := &record.Rows{Fields: append([]string{record.SysID, record.SysModCount}, names...)}
	var lost [][]record.Assignment
	for _, r := range d.restore {
		var differ []record.Assignment
		values := []record.Value{record.Text(r.id), r.now.Get(record.SysModCount)}
		for _, name := range names {
			now := r.now.Get(name)
			old, had := r.old[name]
			if !had {
				old = now
			}
			if old != now {
				differ = append(differ, record.Assignment{Field: name, Value: now})
			}
			values = append(values, old)
		}
		if len(differ) > 0 {
			rows.Values, lost = append(rows.Values, values...), append(lost, differ)
		}
	}
	stale, err := w.UpdateRows(ctx, d.table, rows, func(i int) []record.Assignment { return lost[i] })
	for _, i := range stale {
		u.report.Restored--
		u.report.refuse(d.table.Name, rows.Row(i)[0].Text, "changed since")
	}
	return err
}

// facts is what the change rows of one record say about a run.
type facts struct {
	created, deleted, undone, changedSince bool
	changes                                int                     // change rows of the run
	old                                    map[string]record.Value // values from before the run
}

func (u *undoer) facts(history []deed, inserted bool) facts {
	f := facts{created: inserted, old: map[string]record.Value{}}
	since := map[string]bool{} // who changed the record after the run; a run that has been undone did not
	for _, d := range history {
		undo, isUndo := strings.CutPrefix(d.mark, undoMark)
		switch {
		case d.mark == u.mark:
			f.undone = true
		case d.run == u.run.Number:
			f.changes++
			f.created = f.created || d.op == string(record.Inserted)
			f.deleted = d.op == string(record.Deleted)
			for field, v := range d.old {
				if _, known := f.old[field]; !known {
					f.old[field] = v
				}
			}
		case isUndo && since[undo]:
			delete(since, undo)
		case f.created || f.changes > 0:
			since[strconv.FormatInt(d.run, 10)] = true
		}
	}
	f.changedSince = len(since) > 0 && !f.undone
	return f
}

func (u *undoer) done(created bool) {
	if created {
		u.report.Removed++
	} else {
		u.report.Restored++
	}
}
