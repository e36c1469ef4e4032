package importset

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/transform"
)

// Pushed rows: each push is one transaction that holds the staging rows, what their maps made of them, and the counts of
// the import set they joined. A set takes the pushes of one day to one staging table, as the field's platform does, so
// that a row costs no set of its own; its ledger balances after every push.

// Modes of the import sets of pushed rows.
const (
	modeSynchronous  = "synchronous"
	modeAsynchronous = "asynchronous"
)

// reasonNoMap is the reason of rows pushed to a staging table that no active map feeds from.
const reasonNoMap = "no_transform_map"

// PushRequest is rows pushed to a staging table, to be transformed at once.
type PushRequest struct {
	Table   string
	Columns []string         // by name or label; one that the table does not have yet is added to it
	Rows    [][]record.Value // each as long as Columns
	Actor   record.Actor
	Trace   string // of what the rows write; "" is none
}

// Pushed is what became of pushed rows, all of one import set.
type Pushed struct {
	Number string // of the import set: ISET0010001
	SetID  string
	Run    int64
	Table  string // the staging table
	Rows   []PushedRow
}

// PushedRow is one pushed row and what each transform map made of it, in the order of the maps.
type PushedRow struct {
	Key      string // see RowKey
	Outcomes []Outcome
}

// Outcome is what one transform map made of a row.
type Outcome struct {
	Map, Target string
	Fate        Fate
	Record      string             // sys_id of the target record, if there is one
	Reject      *transform.Reject  // why it was skipped or rejected
	Said        *transform.Verdict // what scripts want the caller to be told; nil when there is nothing
}

// errNoIndex says that a target lacks the index over its map's coalesce fields, which cannot be made inside a transaction.
var errNoIndex = errors.New("a target needs an index")

// Push takes rows into a staging table and through its maps, in one transaction. Rejected rows are no error.
func (s *Service) Push(ctx context.Context, req PushRequest) (*Pushed, error) {
	return s.PushWith(ctx, req, func(*record.Writer, *Pushed) error { return nil })
}

// PushWith is Push with something to finish in the same transaction. finish may be called again when the transaction is
// repeated; its error undoes the push.
func (s *Service) PushWith(ctx context.Context, req PushRequest, finish func(*record.Writer, *Pushed) error) (*Pushed, error) {
	p := &push{importer: &importer{Service: s, req: Request{Actor: Importer(req.Actor)}, began: time.Now()}, req: req, finish: finish}
	leave, err := s.door.pass(ctx, req.Table)
	if err != nil {
		return nil, err
	}
	defer leave()
	err = p.once(ctx)
	if errors.Is(err, errNoIndex) {
		if err = p.indexKeys(ctx, p.compiled); err == nil {
			err = p.once(ctx)
		}
	}
	if err != nil {
		return nil, err
	}
	return p.out, nil
}

// Importer is the actor of an import's writes: maps write what they are made to, whoever pushes the rows.
func Importer(a record.Actor) record.Actor {
	if a.Name == "" {
		return record.System
	}
	a.Trusted = true
	return a
}

// push is one Push under way.
type push struct {
	*importer
	req      PushRequest
	compiled []*transform.Map
	finish   func(*record.Writer, *Pushed) error
	out      *Pushed
}

// session is what map k writes by.
func (p *push) session(k int) record.Session { return p.importer.session(k).WithTrace(p.req.Trace) }

func (p *push) once(ctx context.Context) error {
	return p.db.As(p.importer.req.Actor).Write(ctx, func(w *record.Writer) error {
		if err := p.fence("push "+p.req.Table).pass(ctx, w.Tx()); err != nil {
			return err
		}
		st, err := p.stagingIn(ctx, w.Tx(), p.req.Table)
		if err != nil {
			return err
		}
		b := st.block(p.req.Columns, p.req.Rows)
		if err := st.keep(ctx, p.Service, w); err != nil {
			return err
		}
		p.importer.req.Maps, p.column = st.Maps, st.Columns
		if err := p.compile(); err != nil {
			return err
		}
		if err := p.join(ctx, w, st); err != nil {
			return err
		}
		b.first = p.book.nextRow
		if err := p.take(ctx, w, b); err != nil {
			return err
		}
		return p.finish(w, p.out)
	})
}

// block lays pushed rows out under the columns of the staging table.
func (st *Staging) block(columns []string, rows [][]record.Value) *block {
	at := st.place(columns)
	b := &block{}
	for i, row := range rows {
		cells := make([]record.Value, len(st.Columns))
		for n, v := range row {
			cells[at[n]] = v
		}
		b.cells = append(b.cells, cells)
		b.lines = append(b.lines, int64(i+1))
		b.payload = append(b.payload, string(appendPayload(nil, cells)))
	}
	return b
}

// compile readies the maps. Rows of a push with equal keys are all applied, in their order: each is a source of its own.
func (p *push) compile() error {
	p.compiled = nil
	for k, def := range p.importer.req.Maps {
		def.OnDuplicate = "apply"
		m, err := transform.Compile(def, p.column, p.target(k))
		if err == nil {
			err = m.CheckScripts(p.scripts)
		}
		if err != nil {
			return err
		}
		p.compiled = append(p.compiled, m)
	}
	for k, m := range p.compiled {
		if needsIndex(p.target(k), m) {
			return errNoIndex
		}
	}
	return nil
}

// join finds the set that is open for pushes to the table today, or opens one. Sets of earlier days, and of maps that have
// changed since, are closed.
func (p *push) join(ctx context.Context, w *record.Writer, st *Staging) error {
	sum := sha256.Sum256([]byte(mustJSON([]any{"push", st.Name, st.Maps, w.Now().Format(record.DateLayout)})))
	signature := hex.EncodeToString(sum[:16])
	t := p.db.Catalog().Table(SetTable)
	q := &record.Query{Table: t, Fields: t.Names(), OrderBy: []query.Order{{Field: "run"}},
		Where: &query.And{Parts: []query.Node{&query.Term{Field: "table_name", Op: query.Equal, Values: []string{st.Name}},
			&query.Term{Field: "state", Op: query.Equal, Values: []string{string(Loading)}}}}}
	open, err := recordsOf(ctx, w.Tx(), q)
	if err != nil {
		return err
	}
	for _, r := range open {
		if r.Get("signature").Text != signature {
			if err := closeSet(ctx, w, r); err != nil {
				return err
			}
			continue
		}
		if p.maps, err = mapRunsIn(ctx, w.Tx(), p.db, whole(r, "run")); err != nil {
			return err
		}
		p.resume(r)
		return nil
	}
	return p.enter(ctx, w, map[string]string{"state": string(Loading), "mode": modeSynchronous, "table_name": st.Name, "source": st.Name,
		"format": "push", "signature": signature, "pushed_by": p.importer.req.Actor.Name})
}

// closeSet ends a set that was open for pushes.
func closeSet(ctx context.Context, w *record.Writer, set *record.Record) error {
	return updateBook(ctx, w.Tx(), set, []record.Assignment{{Field: "state", Value: record.Text(string(Done))},
		{Field: "completed", Value: record.Text(w.Now().Format(record.DateTimeLayout))}})
}

// take stages the rows and takes every map over them.
func (p *push) take(ctx context.Context, w *record.Writer, b *block) error {
	p.out = &Pushed{Number: p.book.set.Get("number").Text, SetID: p.book.set.ID(), Run: p.run_.Number, Table: p.req.Table, Rows: make([]PushedRow, b.len())}
	for i := range p.out.Rows {
		p.out.Rows[i].Key = RowKey(p.run_.Number, b.row(i))
	}
	if len(p.compiled) == 0 {
		return p.unmapped(ctx, w, b)
	}
	p.most.Store(blockRows)
	fences, err := p.passFences(ctx, w)
	if err != nil {
		return err
	}
	for k, m := range p.compiled {
		if err := p.takeMap(ctx, w, k, m, fences[m.Target.Physical], b); err != nil {
			return err
		}
	}
	return p.note(ctx, w, b)
}

// passFences passes the fences of all targets in one order, so that two pushes never wait for each other.
func (p *push) passFences(ctx context.Context, w *record.Writer) (map[string]*fence, error) {
	fences := map[string]*fence{}
	for _, m := range p.compiled {
		fences[m.Target.Physical] = p.around(m.Target)
	}
	for _, name := range slices.Sorted(maps.Keys(fences)) {
		if err := fences[name].pass(ctx, w.Tx()); err != nil {
			return nil, err
		}
	}
	return fences, nil
}

// takeMap takes map k over the rows, and leaves what they have come to in the block for the next.
func (p *push) takeMap(ctx context.Context, w *record.Writer, k int, m *transform.Map, f *fence, b *block) error {
	step := p.pass(k, m)
	step.sequential, step.w.x, step.w.careful = true, step.x, true
	step.x.fence, step.w.fence = f, f
	rw := p.session(k).Writer(w.Tx())
	done, err := step.pushed(ctx, rw, b)
	if err != nil {
		return err
	}
	top, of, err := step.settle(ctx, rw, done)
	if err != nil {
		return err
	}
	p.run_.Ledger, p.run_.Maps[k].Ledger = top, of
	first := b.old == nil
	if first {
		b.old = make([]prior, b.len())
	}
	for i := range done.out {
		o := &done.out[i]
		b.old[i].fate = max(b.old[i].fate, o.fate)
		target := o.target
		if o.fate == Rejected {
			target = ""
		}
		p.out.Rows[i].Outcomes = append(p.out.Rows[i].Outcomes, Outcome{Map: p.importer.req.Maps[k].Title(), Target: m.Target.Name,
			Fate: o.fate, Record: target, Reject: o.reject, Said: o.said})
	}
	return updateBook(ctx, w.Tx(), p.run_.Maps[k].record, of.assignments())
}

// unmapped keeps rows that no map is there for: in staging, skipped, and counted so.
func (p *push) unmapped(ctx context.Context, w *record.Writer, b *block) error {
	m := &matched{block: b, out: make([]outcome, b.len())}
	for i := range m.out {
		m.out[i] = outcome{fate: Skipped, reject: noMap()}
		p.run_.Ledger.Read++
		p.run_.Ledger.count(Skipped)
	}
	stage := writer{rows: p.db.Catalog().Table(RowTable)}
	if err := stage.stage(ctx, w.Tx(), p.run_.Number, m); err != nil {
		return err
	}
	return p.note(ctx, w, b)
}

// note writes the set's counts.
func (p *push) note(ctx context.Context, w *record.Writer, b *block) error {
	p.book.nextRow = b.first + int64(b.len())
	values := append(p.run_.Ledger.assignments(), count("next_row", p.book.nextRow),
		record.Assignment{Field: "heartbeat", Value: record.Text(w.Now().Format(record.DateTimeLayout))})
	if len(p.run_.Columns) < len(p.column) {
		values = append(values, record.Assignment{Field: "columns", Value: record.Text(mustJSON(p.column))})
	}
	return updateBook(ctx, w.Tx(), p.book.set, values)
}

// Pushed reads what became of a row pushed earlier; a fault of kind NotFound when the staging table has no such row. Without a
// table it is looked for in all.
func (s *Service) Pushed(ctx context.Context, table, key string) (*Pushed, error) {
	missing := fault.New(fault.NotFound, "no row %s in staging table %s", record.Clip(key), table)
	number, row, ok := parseRowKey(key)
	if !ok {
		return nil, missing
	}
	run, err := s.Run(ctx, number)
	if err == nil && table == "" {
		table = run.record.Get("table_name").Text
	}
	if err != nil || run.record.Get("table_name").Text != table {
		if err == nil || fault.KindOf(err) == fault.NotFound {
			err = missing
		}
		return nil, err
	}
	out := &Pushed{Number: run.record.Get("number").Text, SetID: run.record.ID(), Run: number, Table: table}
	for staged, err := range s.staged(ctx, number, row, row+1, nil) {
		if err != nil {
			return nil, err
		}
		one, err := s.pushedRow(ctx, run, staged)
		if err != nil {
			return nil, err
		}
		out.Rows = append(out.Rows, one)
	}
	if len(out.Rows) == 0 {
		return nil, missing
	}
	return out, nil
}

// pushedRow tells what each map made of a staged row.
func (s *Service) pushedRow(ctx context.Context, run *Run, staged *StagedRow) (PushedRow, error) {
	out := PushedRow{Key: RowKey(run.Number, staged.Row)}
	if len(run.Maps) == 1 {
		out.Outcomes = []Outcome{{Map: run.Maps[0].Map, Target: run.Maps[0].Target, Fate: staged.Fate, Record: staged.Target, Reject: staged.Reject}}
		return out, nil
	}
	im := &importer{Service: s, run_: run}
	found, err := im.outcomes(ctx, staged.Row)
	if err != nil {
		return out, err
	}
	for k := range run.Maps {
		o := found[k]
		out.Outcomes = append(out.Outcomes, Outcome{Map: run.Maps[k].Map, Target: run.Maps[k].Target, Fate: o.fate, Record: o.target, Reject: o.reject})
	}
	return out, nil
}

// settlePushes closes a set that is open for pushes, so that what is done with its rows meets no new ones.
func (s *Service) settlePushes(ctx context.Context, run *Run) error {
	if run.State != Loading {
		return nil
	}
	im := &importer{Service: s}
	err := s.db.As(record.System).Write(ctx, func(w *record.Writer) error {
		if err := im.fence("push "+run.record.Get("table_name").Text).pass(ctx, w.Tx()); err != nil {
			return err
		}
		return closeSet(ctx, w, run.record)
	})
	if err == nil {
		run.State = Done
	}
	return err
}
