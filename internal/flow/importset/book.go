package importset

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/transform"
)

// book keeps the record of a run: its counts and how far it came, written with every batch in the batch's transaction.
type book struct {
	im      *importer
	set     *record.Record
	pass    int
	nextRow int64
	digest  uint64
	start   [2]int64 // pass and row where this attempt took over
	resumed string   // digest of the rows before it
}

func resumeBook(im *importer, r *record.Record) *book {
	b := &book{im: im, set: r, pass: int(whole(r, "pass")), nextRow: whole(r, "next_row"), resumed: r.Get("digest").Text}
	b.digest, _ = strconv.ParseUint(b.resumed, 16, 64)
	b.start = [2]int64{int64(b.pass), b.nextRow}
	return b
}

// startRow is the first row that this attempt does in pass k.
func (b *book) startRow(k int) int64 {
	if int64(k) == b.start[0] {
		return b.start[1]
	}
	return 0
}

func digestText(sum uint64) string { return strconv.FormatUint(sum, 16) }

// begin makes the records of a new run, in a transaction of its own.
func (im *importer) begin(ctx context.Context, signature string) error {
	src := &im.req.Source
	return im.db.As(im.req.Actor).Write(ctx, func(w *record.Writer) error {
		return im.enter(ctx, w, map[string]string{"state": string(Running), "source": src.Name, "source_size": strconv.FormatInt(src.Size, 10),
			"format": src.formatName(), "options": mustJSON(src.Options), "signature": signature, "plan": im.planName()})
	})
}

// enter makes the records of a new run: what every run has, and what this one has beside.
func (im *importer) enter(ctx context.Context, w *record.Writer, more map[string]string) error {
	im.book = &book{im: im}
	number, err := im.nextNumber(ctx, w)
	if err != nil {
		return err
	}
	if err := im.stillThere(ctx, w.Tx()); err != nil {
		return err
	}
	im.run_ = &Run{Number: number, State: State(more["state"]), Source: more["source"], Started: w.Now(), Format: more["format"], Columns: im.column}
	if len(im.req.Maps) > 0 {
		im.run_.Target = im.req.Maps[0].TargetTable
	}
	set := record.NewRecord(im.db.Catalog().Table(SetTable))
	im.book.set = set
	values := map[string]string{"run": strconv.FormatInt(number, 10), "number": fmt.Sprintf("ISET%07d", 10000+number),
		"columns": mustJSON(im.column), "target_table": im.run_.Target, "maps": mustJSON(im.req.Maps), "pass": "0",
		"next_row": "0", "digest": "0", "started": w.Now().Format(record.DateTimeLayout), "owner": owner()}
	if values["mapped"] = im.mapped; im.rests != nil {
		values["rests_on"] = im.rests.Get("run").Text
	}
	maps.Copy(values, more)
	for name, v := range values {
		set.Set(name, record.Value{Text: v, Valid: v != ""})
	}
	if err := insertBook(ctx, w, set, im.run_.Ledger); err != nil {
		return err
	}
	for k, def := range im.req.Maps {
		r := record.NewRecord(im.db.Catalog().Table(RunTable))
		for name, v := range map[string]string{"run": strconv.FormatInt(number, 10), "set": set.ID(), "map": def.Title(), "position": strconv.Itoa(k),
			"target_table": def.TargetTable, "state": more["state"]} {
			r.Set(name, record.Text(v))
		}
		im.run_.Maps = append(im.run_.Maps, MapRun{Map: def.Title(), Target: def.TargetTable, record: r})
		if err := insertBook(ctx, w, r, Ledger{}); err != nil {
			return err
		}
	}
	return nil
}

func (im *importer) planName() string {
	if im.plan == nil {
		return ""
	}
	return im.plan.name
}

// insertBook inserts a book-keeping record: stamped, without rules or change rows.
func insertBook(ctx context.Context, w *record.Writer, r *record.Record, l Ledger) error {
	now := record.Text(w.Now().Format(record.DateTimeLayout))
	r.Set(record.SysID, record.Text(record.NewID()))
	for _, f := range []string{record.SysCreatedOn, record.SysUpdatedOn, "heartbeat"} {
		r.Set(f, now)
	}
	for _, f := range []string{record.SysCreatedBy, record.SysUpdatedBy} {
		r.Set(f, record.Text(record.System.Name))
	}
	r.Set(record.SysModCount, record.Text("0"))
	for _, a := range l.assignments() {
		r.Set(a.Field, a.Value)
	}
	return w.Tx().Insert(ctx, r.Table, &record.Rows{Fields: r.Table.Names(), Values: r.Values})
}

// nextNumber gives the number of a new run. Imports that begin at once draw theirs one after the other. A number is never
// drawn again, though its run be forgotten: change rows go by it.
func (im *importer) nextNumber(ctx context.Context, w *record.Writer) (int64, error) {
	if err := im.fence(SetTable).pass(ctx, w.Tx()); err != nil {
		return 0, err
	}
	drawn, err := w.Bump(ctx, SetTable+" run")
	if err != nil {
		return 0, err
	}
	t := im.db.Catalog().Table(SetTable)
	for row, err := range w.Tx().Select(ctx, &record.Query{Table: t, Measures: []record.Measure{{Func: "max", Field: "run"}}}) {
		if err != nil || row[0].Text == "" {
			return drawn, err
		}
		n, err := strconv.ParseInt(row[0].Text, 10, 64)
		return max(n+1, drawn), err
	}
	return drawn, nil
}

// updateBook writes fields of a book-keeping record.
func updateBook(ctx context.Context, tx record.Tx, r *record.Record, values []record.Assignment) error {
	rows := &record.Rows{Fields: []string{record.SysID, record.SysModCount}, Values: []record.Value{r.Get(record.SysID), record.Null}}
	for _, a := range values {
		rows.Fields = append(rows.Fields, a.Field)
		rows.Values = append(rows.Values, a.Value)
	}
	stale, err := tx.Update(ctx, r.Table, rows)
	if err == nil && len(stale) > 0 {
		err = fault.New(fault.NotFound, "the record of the run is gone")
	}
	return err
}

// touch writes the state of the run in a transaction of its own. How far the run came is only ever written together with
// the rows: a batch that failed may have moved what is in memory already.
func (b *book) touch(ctx context.Context, state State, message string) error {
	return b.im.db.As(b.im.req.Actor).Write(ctx, func(w *record.Writer) error {
		values := b.timing(w.Now())
		values = append(values, record.Assignment{Field: "state", Value: record.Text(string(state))},
			record.Assignment{Field: "message", Value: record.Value{Text: message, Valid: message != ""}},
			record.Assignment{Field: "owner", Value: record.Text(owner())})
		if state == Done && b.im.mark != "" && b.im.sum != nil {
			values = append(values, record.Assignment{Field: "hash", Value: record.Text(b.im.sum())}, record.Assignment{Field: "basis", Value: record.Text(b.im.mark)})
		}
		if state == Done && b.im.proven {
			values = append(values, count("moves", b.im.moved), record.Assignment{Field: "refers", Value: record.Text(b.im.refers)})
		}
		if state != Running && state != Loaded {
			values = append(values, record.Assignment{Field: "completed", Value: record.Text(w.Now().Format(record.DateTimeLayout))})
		}
		if err := updateBook(ctx, w.Tx(), b.set, values); err != nil {
			return err
		}
		for i := range b.im.run_.Maps {
			if err := updateBook(ctx, w.Tx(), b.im.run_.Maps[i].record, []record.Assignment{{Field: "state", Value: record.Text(string(state))}}); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *book) progress(now time.Time) []record.Assignment {
	return append(append(b.im.run_.Ledger.assignments(), count("pass", int64(b.pass)), count("next_row", b.nextRow),
		record.Assignment{Field: "digest", Value: record.Text(digestText(b.digest))}), b.timing(now)...)
}

// timing is how long the run has taken, and that it lives.
func (b *book) timing(now time.Time) []record.Assignment {
	run := b.im.run_
	run.Took = b.im.before + time.Since(b.im.began)
	return []record.Assignment{count("millis", run.Took.Milliseconds()),
		{Field: "heartbeat", Value: record.Text(now.Format(record.DateTimeLayout))}}
}

func count(field string, n int64) record.Assignment {
	return record.Assignment{Field: field, Value: record.Text(strconv.FormatInt(n, 10))}
}

// commit writes a matched block and the run's progress in one transaction. It first trusts the block: a savepoint would
// make SQLite keep a copy of every page that the block touches. When the store refuses a row, all is done once more with
// care.
func (p *pass) commit(ctx context.Context, m *matched) error {
	began := time.Now()
	before, fence := *m, *p.w.fence
	if m.out != nil {
		p.before = append(p.before[:0], m.out...)
		before.out = p.before
	}
	p.w.careful = false
	top, of, err := p.attempt(ctx, m)
	if errors.Is(err, errSpoiled) {
		p.w.fence.mine, p.w.fence.others = fence.mine, fence.others
		p.w.careful = true
		p.w.x.m.Forget()
		top, of, err = p.attempt(ctx, &before)
	}
	if err != nil {
		return err
	}
	p.committed(top, of, time.Since(began))
	return p.halted
}

// committed takes over what a committed block has made of the ledgers.
func (p *pass) committed(top, of Ledger, took time.Duration) {
	p.im.run_.Ledger, p.im.run_.Maps[p.k].Ledger = top, of
	p.im.pace(took)
	p.im.progress()
}

// attempt is one transaction of commit. It gives the ledgers as they are then.
func (p *pass) attempt(ctx context.Context, m *matched) (top, of Ledger, err error) {
	im := p.im
	err = im.session(p.k).WriteAs(ctx, record.Resumable, func(rw *record.Writer) error {
		if err := im.stillWanted(ctx, rw.Tx()); err != nil {
			return err
		}
		if m.out == nil && p.x.inTurn {
			var err error
			if m, p.halted, err = p.takeInTurn(ctx, rw, m.block); err != nil {
				return err
			}
		} else if m.out == nil {
			var err error
			if m, err = p.x.match(ctx, rw.Tx(), m.block, nil); err != nil {
				return err
			}
		}
		if !m.settled {
			if err := p.w.write(ctx, rw, m); err != nil {
				return err
			}
		}
		var err error
		if top, of, err = p.settle(ctx, rw, m); err != nil {
			return err
		}
		return im.book.advance(ctx, rw, p, m, top, of)
	})
	return top, of, err
}

// settle writes the fates of a block to staging and gives the ledgers as they will be.
func (p *pass) settle(ctx context.Context, rw *record.Writer, m *matched) (top, of Ledger, err error) {
	number := p.im.run_.Number
	top, of = p.count(m)
	if m.old == nil {
		if err = p.w.stage(ctx, rw.Tx(), number, m); err == nil {
			err = p.keepPage(ctx, rw, m)
		}
	} else {
		err = p.w.restage(ctx, rw.Tx(), number, m)
	}
	if err == nil && len(p.im.req.Maps) > 1 {
		err = p.w.keepOutcomes(ctx, rw.Tx(), p.im.db.Catalog().Table(OutcomeTable), number, p.k, m)
	}
	return top, of, err
}

// count gives the ledgers as they will be with a block.
func (p *pass) count(m *matched) (top, of Ledger) {
	top, of = p.im.run_.Ledger, p.im.run_.Maps[p.k].Ledger
	for i := range m.out {
		of.Read++
		of.count(m.out[i].fate)
		if m.old == nil {
			top.Read++
			top.count(m.out[i].fate)
		} else if strongest := max(m.old[i].fate, m.out[i].fate); strongest != m.old[i].fate {
			top.move(m.old[i].fate, strongest)
		}
	}
	return top, of
}

// advance writes how far the run is once the block is in.
func (b *book) advance(ctx context.Context, rw *record.Writer, p *pass, m *matched, top, of Ledger) error {
	before := b.im.run_.Ledger
	b.pass, b.nextRow = p.k, m.first+int64(m.len())
	if p.k == 0 {
		b.digest = m.digest(b.digest)
	}
	b.im.run_.Ledger = top
	values := b.progress(rw.Now())
	b.im.run_.Ledger = before
	if b.im.sawColumns(m.header) {
		b.im.run_.Columns = b.im.column
		values = append(values, record.Assignment{Field: "columns", Value: record.Text(mustJSON(b.im.column))})
	}
	if err := updateBook(ctx, rw.Tx(), b.set, values); err != nil {
		return err
	}
	return updateBook(ctx, rw.Tx(), b.im.run_.Maps[p.k].record, of.assignments())
}

// stillWanted ends the run when somebody cancelled it.
func (im *importer) stillWanted(ctx context.Context, tx record.Tx) error {
	q := &record.Query{Table: im.book.set.Table, Fields: []string{"state"}, Keys: byID(im.book.set.ID())}
	for row, err := range tx.Select(ctx, q) {
		if err != nil {
			return err
		}
		if State(row[0].Text) == Cancelled {
			return errCancelled
		}
	}
	return nil
}

func byID(id string) *record.Keys {
	return &record.Keys{Fields: []string{record.SysID}, Fold: []bool{false}, Tuples: []record.Value{record.Text(id)}}
}

// Transactions should take about this long: long enough to be worth their commit, short enough for other writers.
const (
	paceSlow  = 600 * time.Millisecond
	paceFast  = 200 * time.Millisecond
	paceLeast = 250
)

// pace makes blocks smaller when transactions take long, and larger again when they do not.
func (im *importer) pace(took time.Duration) {
	switch most := im.most.Load(); {
	case took > paceSlow && most > paceLeast:
		im.most.Store(most / 2)
	case took < paceFast && most < blockRows:
		im.most.Store(min(blockRows, most*2))
	}
}

// unfinished finds the newest run with this signature that can be resumed, and makes it this process's own. It is a
// Conflict when another process is working on it.
func (im *importer) unfinished(ctx context.Context, signature string) (*record.Record, error) {
	sets, err := im.sets(ctx, &query.Term{Field: "signature", Op: query.Equal, Values: []string{signature}})
	if err != nil || len(sets) == 0 {
		return nil, err
	}
	newest := sets[len(sets)-1]
	if goesOn, err := im.resumable(newest); err != nil || !goesOn {
		return nil, err
	}
	r, err := im.claim(ctx, newest)
	if err != nil || r == nil {
		return nil, err
	}
	im.maps, err = im.mapRuns(ctx, whole(r, "run"))
	return r, err
}

// resumable reports whether a run ended before its work did.
func (im *importer) resumable(r *record.Record) (bool, error) {
	switch State(r.Get("state").Text) {
	case Running:
		if im.alive(r) {
			return false, fault.New(fault.Conflict, "run %d imports this at the moment", whole(r, "run")).
				WithHint("wait for it, or stop it: headrace run cancel %d", whole(r, "run"))
		}
		return true, nil
	case Halted, Cancelled, Loaded:
		return true, nil
	}
	return false, nil
}

// claim takes an unfinished run over and gives its record as it is then; nil when it has ended meanwhile. The fence keeps
// two processes from claiming it at once. Writing to the record first waits for the last batch of a process that was
// killed: a database server may be committing it still.
func (im *importer) claim(ctx context.Context, old *record.Record) (claimed *record.Record, err error) {
	err = im.db.As(im.req.Actor).Write(ctx, func(w *record.Writer) error {
		claimed = nil
		if err := im.fence(SetTable).pass(ctx, w.Tx()); err != nil {
			return err
		}
		if err := updateBook(ctx, w.Tx(), old, []record.Assignment{{Field: "message", Value: record.Null}}); err != nil {
			return err
		}
		now, err := read(ctx, w.Tx(), old.Table, []string{old.ID()})
		if err != nil {
			return err
		}
		r := now[old.ID()]
		if goesOn, err := im.resumable(r); err != nil || !goesOn {
			return err
		}
		claimed = r
		if !r.Get("completed").Empty() {
			if err := im.late(whole(r, "run")).pass(ctx, w.Tx()); err != nil {
				return err
			}
		}
		return updateBook(ctx, w.Tx(), r, []record.Assignment{{Field: "state", Value: record.Text(string(Running))},
			{Field: "owner", Value: record.Text(owner())}, {Field: "heartbeat", Value: record.Text(w.Now().Format(record.DateTimeLayout))}})
	})
	return claimed, err
}

// deadAfter is how long a run on another machine may be silent before it counts as dead.
const deadAfter = 30 * time.Second

func owner() string {
	host, err := os.Hostname()
	if err != nil {
		host = "?"
	}
	return host + ":" + strconv.Itoa(os.Getpid())
}

// alive reports whether the process that a run belongs to still works on it.
func (s *Service) alive(r *record.Record) bool {
	if _, ours := s.active.Load(whole(r, "run")); ours {
		return true
	}
	host, pid, _ := strings.Cut(r.Get("owner").Text, ":")
	ourHost, ourPid, _ := strings.Cut(owner(), ":")
	if host == ourHost {
		n, err := strconv.Atoi(pid)
		if err != nil || pid == ourPid || errors.Is(syscall.Kill(n, 0), syscall.ESRCH) { // that of another user is there all the same
			return false
		}
	}
	beat, err := time.Parse(record.DateTimeLayout, r.Get("heartbeat").Text)
	return err == nil && s.db.Now().Sub(beat) < deadAfter
}

// restage gives the rows of a block that several maps handled their strongest fate.
func (w *writer) restage(ctx context.Context, tx record.Tx, run int64, m *matched) error {
	rows := &record.Rows{Fields: []string{"id", "state", "reason", "note", "target"}}
	for i := range m.out {
		if m.out[i].fate <= m.old[i].fate {
			continue
		}
		state, reason, note, target := m.out[i].columns()
		rows.Values = append(rows.Values, record.Text(strconv.FormatInt(rowID(run, m.row(i)), 10)), state, reason, note, target)
	}
	if rows.Len() == 0 {
		return nil
	}
	_, err := tx.Update(ctx, w.rows, rows)
	return err
}

// keepOutcomes keeps what one of several maps made of each row.
func (w *writer) keepOutcomes(ctx context.Context, tx record.Tx, t *record.Table, run int64, k int, m *matched) error {
	rows := &record.Rows{Fields: []string{"id", "state", "reason", "note", "target"},
		Shared: []record.Assignment{{Field: "position", Value: record.Text(strconv.Itoa(k))}}}
	for i := range m.out {
		state, reason, note, target := m.out[i].columns()
		rows.Values = append(rows.Values, record.Text(strconv.FormatInt(rowID(run, m.row(i)), 10)), state, reason, note, target)
	}
	return tx.Insert(ctx, t, rows)
}

// quietMap reports whether a map's writes skip business rules.
func quietMap(d transform.Def) bool { return d.RunBusinessRules != nil && !*d.RunBusinessRules }
