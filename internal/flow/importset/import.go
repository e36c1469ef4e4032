package importset

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"headrace/internal/connect/format"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/script"
	"headrace/internal/flow/transform"
)

// Service imports. It is safe for use by several goroutines.
type Service struct {
	db      *record.DB
	active  sync.Map       // numbers of the runs this process works on
	loads   sync.Map       // numbers of the loads this process transforms
	scripts *script.Engine // of maps; nil refuses maps that have some
	waking  waking         // tells Work of them
	door    doorway        // of pushes
}

// New makes a Service over a DB that has the tables of this package.
func New(db *record.DB) *Service { return &Service{db: db} }

// Request says what to import.
type Request struct {
	Source   Source
	Maps     []transform.Def
	Tables   []record.Table    // kept in a saved plan: tables to be made before it is applied; else not looked at
	Absent   *AbsentTerms      // the source is a full set: what becomes of records that it does not hold; nil when it is not
	Restart  bool              // begin anew even when an unfinished run could be resumed
	Actor    record.Actor      // on whose behalf
	Began    func(*Run)        // called once, when the run has its number and its record; may be nil
	Progress func(*Run)        // called after every batch, on the importing goroutine; may be nil
	Notes    func(note string) // told what the reader decided about the source; may be nil
}

// Import runs an import to its end. When it returns an error after the run began, the Run is returned too: halted, and
// able to be resumed by the same request. Rejected rows are no error.
func (s *Service) Import(ctx context.Context, req Request) (*Run, error) {
	maps, err := s.order(req.Maps)
	if err != nil {
		return nil, err
	}
	req.Maps = maps
	im := &importer{Service: s, req: req}
	run, err := im.run(ctx)
	if run != nil && errors.As(err, &changed{}) && req.Source.supersedes(maps) {
		run, err = s.anew(ctx, req, run)
	}
	if err != nil {
		return run, err
	}
	return run, s.settleAbsent(ctx, run, req.Absent, req.Actor)
}

// order puts active maps in their order and finds their targets.
func (s *Service) order(defs []transform.Def) ([]transform.Def, error) {
	var out []transform.Def
	for _, d := range defs {
		if d.Active == nil || *d.Active {
			if _, err := s.db.Table(d.TargetTable); err != nil {
				return nil, fault.During("map "+d.Title(), err)
			}
			out = append(out, d)
		}
	}
	if len(out) == 0 {
		return nil, fault.New(fault.Invalid, "there is no active transform map")
	}
	sort.SliceStable(out, func(i, j int) bool { return orderOf(out[i]) < orderOf(out[j]) })
	return out, nil
}

func orderOf(d transform.Def) int {
	if d.Order == 0 {
		return 100
	}
	return d.Order
}

// importer is one import under way.
type importer struct {
	*Service
	req      Request
	run_     *Run
	book     *book
	began    time.Time
	before   time.Duration // time that earlier attempts took
	most     atomic.Int64
	column   []string      // columns of staging so far
	maps     []MapRun      // of the run that is resumed
	plan     *planReader   // the plan that is applied; nil when a source is imported
	sum      func() string // the hash of the source, once it is read; see repeat.go
	start    int64         // where the target's fence stood when the import began
	empty    bool          // the target had no records then
	used     chan *block   // blocks that are written, for their memory
	mark     string        // what the fates rest on; empty when somebody else wrote meanwhile
	planning bool          // nothing is kept

	known    *known         // what an earlier run has proven; nil when nothing is known
	rests    *record.Record // the earlier run that shows rows of this one; nil when none does
	mapped   string         // what the rows go through, where their fates can be proven
	refers   string         // where the fences of the tables stand that the map refers to
	unproven atomic.Bool    // some block went into the store by way of a hook
	proven   bool           // the run is done, and others may rest on it
	moved    int64          // where the target's fence stands then
}

func (im *importer) run(ctx context.Context) (*Run, error) {
	im.began = time.Now()
	im.most.Store(blockRows)
	if earlier, err := im.same(ctx); err != nil {
		return nil, err
	} else if earlier != nil {
		if run, err := im.repeat(ctx, earlier); !errors.Is(err, errForgotten) {
			return run, err
		}
	}
	var err error
	if im.start, err = im.moves(ctx); err != nil {
		return nil, err
	}
	if im.empty, err = im.beginsEmpty(ctx); err != nil {
		return nil, err
	}
	blocks, stop := im.read(ctx)
	defer stop()
	first, ok := <-blocks.out
	if !ok {
		return nil, blocks.err()
	}
	maps, err := im.compileAll(ctx, first.header)
	if err != nil {
		return nil, err
	}
	if err := im.indexKeys(ctx, maps); err != nil {
		return nil, err
	}
	if err := im.recall(ctx, maps[0]); err != nil {
		return nil, err
	}
	if err := im.open(ctx, first.header); err != nil {
		return nil, err
	}
	im.active.Store(im.run_.Number, true)
	defer im.active.Delete(im.run_.Number)
	im.announce()
	err = im.passes(ctx, maps[0], first, blocks)
	stop()
	return im.run_, im.close(ctx, err)
}

// compileAll readies the maps for the source's columns: a mistake in any must show before anything is written.
func (im *importer) compileAll(ctx context.Context, h *format.Header) ([]*transform.Map, error) {
	for _, note := range h.Notes {
		if im.req.Notes != nil {
			im.req.Notes(note)
		}
	}
	maps := make([]*transform.Map, len(im.req.Maps))
	for k, def := range im.req.Maps {
		var err error
		if im.plan != nil {
			maps[k], err = transform.Compile(def, h.Columns, im.target(k))
		} else {
			maps[k], err = im.req.Source.compile(ctx, def, h.Columns, im.target(k))
		}
		if err == nil {
			err = maps[k].CheckScripts(im.scripts)
		}
		if err != nil {
			return nil, err
		}
	}
	return maps, nil
}

// indexKeys gives the target an index over a map's coalesce fields where it has none: without one, every batch would read
// the whole table.
func (im *importer) indexKeys(ctx context.Context, maps []*transform.Map) error {
	for k, m := range maps {
		if t := im.target(k); needsIndex(t, m) {
			fields := keyFields(m)
			add := record.Table{Name: t.Name, Label: t.Label, Extends: t.Extends, Extendable: t.Extendable, Indexes: []record.Index{{Fields: fields}}}
			if _, err := im.db.Define(ctx, im.req.Actor, false, add); err != nil {
				return fault.During("indexing the coalesce fields of "+t.Name, err)
			}
			if im.req.Notes != nil {
				im.req.Notes(fmt.Sprintf("table %s was given an index over its coalesce fields: %s", t.Name, strings.Join(fields, ", ")))
			}
		}
	}
	return nil
}

// keyFields lists a map's coalesce fields.
func keyFields(m *transform.Map) []string {
	var fields []string
	for _, at := range m.Key {
		fields = append(fields, m.Fields[at])
	}
	return fields
}

func needsIndex(t *record.Table, m *transform.Map) bool {
	fields := keyFields(m)
	return len(fields) > 0 && !slices.Contains(fields, record.SysID) && !indexed(t, fields)
}

func (im *importer) target(k int) *record.Table {
	return im.db.Catalog().Table(im.req.Maps[k].TargetTable)
}

// passes takes every map over the rows: the first from the source, the others from staging.
func (im *importer) passes(ctx context.Context, m *transform.Map, first *block, blocks *stream) error {
	if im.book.pass == 0 {
		p := im.pass(0, m)
		if p.proves = im.mapped != "" && im.run_.Resumed == 0; p.proves {
			p.x.known, p.w.known = im.known, im.known
		}
		if err := p.between(ctx, func() error { return p.fromSource(ctx, first, blocks) }); err != nil {
			return err
		}
		im.alone(p, im.start)
	}
	for k := max(1, im.book.pass); k < len(im.req.Maps); k++ {
		if err := im.later(ctx, k); err != nil {
			return err
		}
	}
	return nil
}

func (im *importer) later(ctx context.Context, k int) error {
	m, err := transform.Compile(im.req.Maps[k], im.column, im.target(k))
	if err != nil {
		return err
	}
	if im.book.pass < k {
		im.book.pass, im.book.nextRow = k, 0
	}
	p := im.pass(k, m)
	return p.between(ctx, func() error { return p.fromStaging(ctx) })
}

// stream is blocks on their way from the goroutine that makes them.
type stream struct {
	out  chan *block
	done chan struct{}
	fail error
}

// err gives the error that ended the stream, once it has ended.
func (s *stream) err() error {
	<-s.done
	return s.fail
}

// after gives the blocks of the stream, beginning with one that was taken from it already.
func (s *stream) after(first *block) func(context.Context, func(*block) bool) error {
	return func(ctx context.Context, emit func(*block) bool) error {
		for b := first; b != nil; b = <-s.out {
			if !emit(b) {
				return ctx.Err()
			}
		}
		return s.err()
	}
}

// produce starts a goroutine that makes blocks. stop ends it and waits for it.
func produce(ctx context.Context, make_ func(ctx context.Context, emit func(*block) bool) error) (s *stream, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	s = &stream{out: make(chan *block), done: make(chan struct{})}
	go func() {
		defer close(s.done)
		defer close(s.out)
		s.fail = make_(ctx, func(b *block) bool {
			select {
			case s.out <- b:
				return true
			case <-ctx.Done():
				return false
			}
		})
	}()
	return s, func() { cancel(); <-s.done }
}

// read starts reading the source, or the plan.
func (im *importer) read(ctx context.Context) (*stream, func()) {
	if im.plan != nil {
		return produce(ctx, im.plan.blocks)
	}
	im.sum = im.req.Source.watch()
	im.used = make(chan *block, 1)
	return produce(ctx, func(ctx context.Context, emit func(*block) bool) error {
		r := &blockReader{rows: im.req.Source.Rows(ctx), most: &im.most, clock: time.Now, used: im.used}
		return r.each(ctx, emit)
	})
}

// open finds the unfinished run that this import resumes, or begins a new one.
func (im *importer) open(ctx context.Context, h *format.Header) error {
	signature := im.req.Source.signature(im.req.Maps)
	if im.plan != nil {
		signature = im.plan.signature
	}
	im.column = h.Columns
	if !im.req.Restart {
		old, err := im.unfinished(ctx, signature)
		if err != nil {
			return err
		}
		if old != nil {
			im.resume(old)
			return im.book.touch(ctx, Running, "")
		}
	}
	return im.begin(ctx, signature)
}

func (im *importer) resume(r *record.Record) {
	im.known, im.rests = nil, nil // the rows before were met without it
	im.run_ = runOf(r)
	im.run_.Maps = im.maps
	im.run_.Resumed = whole(r, "next_row")
	im.before = im.run_.Took
	im.book = resumeBook(im, r)
	if len(im.run_.Columns) > len(im.column) {
		im.column = im.run_.Columns
	}
}

// close writes the end of the run: done, or why it halted.
func (im *importer) close(ctx context.Context, err error) error {
	state, message := Done, ""
	switch {
	case errors.Is(err, errCancelled):
		state, message = Cancelled, "cancelled by `headrace run cancel`"
	case err != nil && ctx.Err() != nil:
		state, message = Halted, "interrupted"
	case err != nil:
		state, message = Halted, err.Error()
	case !im.run_.Ledger.Balances() || im.run_.Ledger.Pending > 0:
		state, message = Failed, "the ledger does not balance: "+im.run_.Ledger.String()
		err = fault.New(fault.Internal, "run %d: %s", im.run_.Number, message)
	}
	im.run_.State, im.run_.Message = state, message
	im.run_.Took = im.before + time.Since(im.began)
	if failed := im.book.touch(context.WithoutCancel(ctx), state, message); failed != nil && err == nil {
		return failed
	}
	return err
}

var errCancelled = fault.New(fault.Canceled, "the run was cancelled").WithHint("`headrace run resume` goes on where it stopped")

// pass is one map being taken over the rows.
type pass struct {
	im     *importer
	k      int
	x      *matcher
	w      *writer
	recent []*block  // the blocks handed to the writer last; they may not be committed yet
	digest uint64    // of the rows of earlier attempts, as they are read again
	passed int64     // how many those are so far
	before []outcome // memory for the outcomes of a block as they were matched

	sequential bool  // matching happens inside the writing transaction
	halted     error // a script ended the import
	skipping   bool  // the onStart script called the import off
	proves     bool  // its blocks have pages

	scope *transform.Run // of scripts that share one scope from onStart to onComplete; nil until they begin
}

func (im *importer) pass(k int, m *transform.Map) *pass {
	x := newMatcher(m)
	c := im.db.Catalog()
	x.fence = im.around(m.Target)
	p := &pass{im: im, k: k, x: x, w: &writer{x: x.second(), rows: c.Table(RowTable), fence: x.fence}, sequential: x.inTurn || x.seen == nil && len(m.Key) > 0}
	x.earlier = func(ctx context.Context, row int64) (string, int64, error) {
		cells, line, err := p.earlier(ctx, row)
		return x.keyOf(cells), line, err
	}
	if im.empty && im.run_.Resumed == 0 && x.seen != nil && !x.inTurn {
		x.start, x.untouched = im.start, func(ctx context.Context, tx record.Tx) (bool, error) {
			direct, err := im.writtenDirectly(ctx, tx, im.began)
			return !direct, err
		}
	}
	if im.plan != nil {
		p.sequential = true
		x.vet, x.newID = x.asPlanned, plannedID
	}
	if p.sequential { // one goroutine does both
		p.w.x = x
	}
	return p
}

// earlier reads a row of the run again: from the block just handed on, or from staging.
func (p *pass) earlier(ctx context.Context, row int64) ([]record.Value, int64, error) {
	for _, b := range p.recent {
		if at := b.find(row); at >= 0 {
			return b.cells[at], b.lines[at], nil
		}
	}
	for staged, err := range p.im.staged(ctx, p.im.run_.Number, row, row+1, nil) {
		if err != nil {
			return nil, 0, err
		}
		return staged.Cells, staged.Line, nil
	}
	return nil, 0, fault.New(fault.Internal, "row %d of run %d is not in staging", row, p.im.run_.Number)
}

// fromSource takes the rows from the source, passing over those that an earlier attempt has done.
func (p *pass) fromSource(ctx context.Context, first *block, blocks *stream) error {
	err := p.flow(ctx, blocks.after(first), p.commit)
	if done := p.im.book.startRow(p.k); err == nil && p.passed < done {
		return p.differs(fmt.Sprintf("it ends after %s rows, and %s had been read", Thousands(p.passed), Thousands(done)))
	}
	return err
}

// differs says that the source is not the one that the run began with.
func (p *pass) differs(how string) error {
	return fault.Wrap(fault.Conflict, changed{}, "%s is not what run %d began to import: %s", p.im.req.Source.Name, p.im.run_.Number, how).
		WithHint("--restart imports it anew")
}

// flow moves blocks through matching, on a goroutine of its own, and into commit. Where rows with equal keys are all
// applied, each row must see what the one before it did, so matching is left to commit, inside its transaction.
func (p *pass) flow(ctx context.Context, source func(context.Context, func(*block) bool) error, commit func(context.Context, *matched) error) error {
	if p.sequential {
		var failed error
		err := source(ctx, func(b *block) bool {
			failed = p.step(ctx, b, func(m *matched) error { return commit(ctx, m) })
			return failed == nil
		})
		return firstOf(failed, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	ready := make(chan *matched)
	var matching error
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(ready)
		var failed error
		err := source(ctx, func(b *block) bool {
			failed = p.step(ctx, b, func(m *matched) error { return p.hand(ctx, ready, m) })
			return failed == nil
		})
		matching = firstOf(failed, err)
	}()
	var writing error
	l := line{pass: p, commit: commit}
	for m := range ready {
		if writing = l.put(ctx, m); writing != nil {
			break
		}
	}
	if writing == nil {
		writing = l.wait()
	}
	cancel()
	writing = firstOf(writing, l.wait())
	<-done
	return firstOf(writing, matching)
}

// hand gives a block to the writer. By the time it takes it, all blocks are written but the last inHand-2 before it.
func (p *pass) hand(ctx context.Context, ready chan<- *matched, m *matched) error {
	select {
	case ready <- m:
		if p.recent = append(p.recent, m.block); len(p.recent) == inHand {
			select {
			case p.im.used <- p.recent[0]:
			default:
			}
			p.recent = append(p.recent[:0], p.recent[1:]...)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// firstOf gives the error that explains the other: a consumer that fails makes its producer fail too.
func firstOf(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

// step matches one block and hands it on; rows that are done already only leave their keys.
func (p *pass) step(ctx context.Context, b *block, hand func(*matched) error) error {
	todo, err := p.replay(ctx, b)
	if err != nil || todo == nil {
		return err
	}
	if p.skipping {
		return hand(skipAll(todo))
	}
	if p.proves {
		todo.hash()
	}
	if p.sequential {
		return hand(&matched{block: todo})
	}
	if p.x.inTurn {
		m, err := p.plannedInTurn(ctx, todo)
		if m != nil && len(m.out) > 0 {
			err = firstOf(hand(m), err)
		}
		return err
	}
	var m *matched
	err = p.im.db.Store().Read(ctx, func(tx record.Tx) error {
		return p.scripted(ctx, nil, script.Env{}, func() error {
			m, err = p.matchAll(ctx, tx, todo)
			return err
		})
	})
	if err != nil {
		return err
	}
	if todo.old == nil {
		m.draft(p.im.run_.Number)
	}
	return hand(m)
}

// matchAll matches a block. What a plan leaves for another round is matched at once, against what it would have written.
func (p *pass) matchAll(ctx context.Context, tx record.Tx, b *block) (*matched, error) {
	m, err := p.x.match(ctx, tx, b, nil)
	if err != nil || p.x.after == nil {
		return m, err
	}
	if err := p.x.after(m); err != nil {
		return nil, err
	}
	for len(m.deferred) > 0 {
		rows := m.deferred
		next, err := p.x.match(ctx, tx, b, rows)
		if err != nil {
			return nil, err
		}
		if err := p.x.after(next); err != nil {
			return nil, err
		}
		for _, i := range rows {
			m.out[i] = next.out[i]
			copy(p.x.rowValues(m, i), p.x.rowValues(next, i))
		}
		m.created, m.deferred = append(m.created, next.created...), next.deferred
	}
	return m, nil
}

// replay cuts off the rows of a block that an earlier attempt has done, after making sure that they are the same rows.
func (p *pass) replay(ctx context.Context, b *block) (*block, error) {
	done := p.im.book.startRow(p.k)
	if b.first >= done {
		return b, nil
	}
	n := min(int64(b.len()), done-b.first)
	head, tail := b.cut(int(n))
	if err := p.remember(ctx, head); err != nil {
		return nil, err
	}
	p.passed += n
	if p.k == 0 {
		p.digest = head.digest(p.digest)
		if b.first+n == done && digestText(p.digest) != p.im.book.resumed {
			return nil, p.differs(fmt.Sprintf("its first %s rows differ", Thousands(done)))
		}
	}
	if tail.len() == 0 {
		return nil, nil
	}
	return tail, nil
}

// remember leaves the keys of rows that are done, so that later rows with the same keys are known as duplicates.
func (p *pass) remember(ctx context.Context, b *block) error {
	if p.x.seen == nil {
		return nil
	}
	return p.im.db.Store().Read(ctx, func(tx record.Tx) error { return p.x.remember(ctx, tx, b) })
}

// session is who the records of map k are written by.
func (im *importer) session(k int) record.Session {
	s := im.db.As(im.req.Actor).ForRun(im.run_.Number)
	if quietMap(im.req.Maps[k]) {
		s = s.Quiet("map " + im.req.Maps[k].Name + ": run business rules off")
	}
	return s
}

// announce tells whoever waits for it that the run is there.
func (im *importer) announce() {
	if im.req.Began != nil {
		im.req.Began(im.run_)
	}
}

func (im *importer) progress() {
	im.run_.Took = im.before + time.Since(im.began)
	if im.req.Progress != nil {
		im.req.Progress(im.run_)
	}
}

// note records columns that showed up late; staging keeps every column.
func (im *importer) sawColumns(h *format.Header) bool {
	if h == nil || len(h.Columns) <= len(im.column) && slices.Equal(h.Columns, im.column[:len(h.Columns)]) {
		return false
	}
	im.column = h.Columns
	return true
}
