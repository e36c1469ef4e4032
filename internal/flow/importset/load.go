package importset

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/transform"
)

// Loads: many rows pushed at once are kept first, in one durable transaction that is over before the caller is answered,
// and transformed afterwards by Work, batch by batch. A load whose transform was cut off goes on where it stopped.

// LoadRequest is many rows pushed to a staging table.
type LoadRequest struct {
	PushRequest
	RunAfter string // sys_id of an import set that must be done before this one is transformed; may be empty
	Group    string // sys_id that several loads share; drawn when empty
}

// LoadReceipt names a load that is kept.
type LoadReceipt struct {
	Number string // of the import set
	SetID  string
	Run    int64
	Group  string
}

// Load keeps rows durably, to be transformed later. When it returns, they are there.
func (s *Service) Load(ctx context.Context, req LoadRequest) (*LoadReceipt, error) {
	if req.RunAfter != "" {
		if _, err := s.setByID(ctx, req.RunAfter); err != nil {
			return nil, err
		}
	}
	if req.Group == "" {
		req.Group = record.NewID()
	}
	leave, err := s.door.pass(ctx, req.Table)
	if err != nil {
		return nil, err
	}
	defer leave()
	im := &importer{Service: s, req: Request{Actor: Importer(req.Actor)}, began: time.Now()}
	err = s.db.As(im.req.Actor).Write(ctx, func(w *record.Writer) error { return im.load(ctx, w, req) })
	if err != nil {
		return nil, err
	}
	s.wake()
	return &LoadReceipt{Number: im.book.set.Get("number").Text, SetID: im.book.set.ID(), Run: im.run_.Number, Group: req.Group}, nil
}

// load stages the rows of a load and makes its set.
func (im *importer) load(ctx context.Context, w *record.Writer, req LoadRequest) error {
	if err := im.fence("push "+req.Table).pass(ctx, w.Tx()); err != nil {
		return err
	}
	st, err := im.stagingIn(ctx, w.Tx(), req.Table)
	if err != nil {
		return err
	}
	b := st.block(req.Columns, req.Rows)
	if err := st.keep(ctx, im.Service, w); err != nil {
		return err
	}
	im.req.Maps, im.column = st.Maps, st.Columns
	state, fate := Loaded, outcome{fate: Pending}
	if len(st.Maps) == 0 {
		state, fate = Done, outcome{fate: Skipped, reject: noMap()}
	}
	if err := im.enter(ctx, w, map[string]string{"state": string(state), "mode": modeAsynchronous, "table_name": st.Name, "source": st.Name,
		"format": "push", "run_after": req.RunAfter, "multi_import_set": req.Group, "pushed_by": im.req.Actor.Name,
		"load_completed": w.Now().Format(record.DateTimeLayout)}); err != nil {
		return err
	}
	m := &matched{block: b, out: make([]outcome, b.len())}
	for i := range m.out {
		m.out[i] = fate
		im.run_.Ledger.Read++
		im.run_.Ledger.count(fate.fate)
	}
	stage := writer{rows: im.db.Catalog().Table(RowTable)}
	if err := stage.stage(ctx, w.Tx(), im.run_.Number, m); err != nil {
		return err
	}
	return updateBook(ctx, w.Tx(), im.book.set, im.run_.Ledger.assignments())
}

func noMap() *transform.Reject {
	return &transform.Reject{Code: reasonNoMap, Msg: "the staging table has no active transform map"}
}

// setByID finds the record of a run by its sys_id.
func (s *Service) setByID(ctx context.Context, id string) (*record.Record, error) {
	sets, err := s.sets(ctx, &query.Term{Field: record.SysID, Op: query.Equal, Values: []string{id}})
	if err == nil && len(sets) == 0 {
		err = fault.New(fault.NotFound, "there is no import set %s", record.Clip(id))
	}
	if err != nil {
		return nil, err
	}
	return sets[0], nil
}

// RunOf finds a run by the sys_id of its import set.
func (s *Service) RunOf(ctx context.Context, setID string) (run *Run, table string, err error) {
	set, err := s.setByID(ctx, setID)
	if err != nil {
		return nil, "", err
	}
	run, err = s.Run(ctx, whole(set, "run"))
	return run, set.Get("table_name").Text, err
}

// PushedRows gives up to limit rows of a run from row number from on, those with one of the fates when any are given.
func (s *Service) PushedRows(ctx context.Context, run *Run, from int64, limit int, fates ...Fate) ([]PushedRow, error) {
	var out []PushedRow
	for staged, err := range s.staged(ctx, run.Number, from, MaxRows, fates) {
		if err != nil {
			return nil, err
		}
		row, err := s.pushedRow(ctx, run, staged)
		if err != nil {
			return nil, err
		}
		if out = append(out, row); len(out) == limit {
			break
		}
	}
	return out, nil
}

// workEvery is how often Work looks for loads that other processes kept, or that wait for something.
const workEvery = time.Second

// waking lets Load tell Work that there is something to do.
type waking struct {
	once sync.Once
	bell chan struct{}
}

func (k *waking) channel() chan struct{} {
	k.once.Do(func() { k.bell = make(chan struct{}, 1) })
	return k.bell
}

func (s *Service) wake() {
	select {
	case s.waking.channel() <- struct{}{}:
	default:
	}
}

// Work transforms the loads that wait, those that a process left behind when it died among them, until ctx is done. Every
// server runs one; several may share a store. report is told of loads that fail, and of trouble with the store; it may be
// nil.
func (s *Service) Work(ctx context.Context, report func(run int64, err error)) {
	if report == nil {
		report = func(int64, error) {}
	}
	tick := time.NewTicker(workEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		more, err := s.workOnce(ctx, report)
		if err != nil && ctx.Err() == nil {
			report(0, err)
		}
		if more && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		case <-s.waking.channel():
		}
	}
}

// workPage is how many waiting loads are looked at in one go.
const workPage = 100

// workOnce transforms the loads that wait now. It reports whether it did any.
func (s *Service) workOnce(ctx context.Context, report func(int64, error)) (more bool, err error) {
	waiting, err := s.waitingLoads(ctx)
	if err != nil {
		return false, err
	}
	for _, set := range waiting {
		if ready, err := s.mayBegin(ctx, set); err != nil {
			return more, err
		} else if !ready {
			continue
		}
		switch err := s.transform(ctx, set); {
		case ctx.Err() != nil:
			return false, ctx.Err()
		case errors.Is(err, errTaken):
		case err != nil:
			report(whole(set, "run"), err)
		default:
			more = true
		}
	}
	return more, nil
}

func (s *Service) waitingLoads(ctx context.Context) (out []*record.Record, err error) {
	t := s.db.Catalog().Table(SetTable)
	q := &record.Query{Table: t, Fields: t.Names(), OrderBy: []query.Order{{Field: "run"}}, Limit: workPage,
		Where: &query.And{Parts: []query.Node{&query.Term{Field: "state", Op: query.In, Values: []string{string(Loaded), string(Running)}},
			&query.Term{Field: "mode", Op: query.Equal, Values: []string{modeAsynchronous}}}}}
	err = s.db.Store().Read(ctx, func(tx record.Tx) error {
		out, err = recordsOf(ctx, tx, q)
		return err
	})
	return out, err
}

// mayBegin reports whether nobody works on a load, and the one it waits for has ended well.
func (s *Service) mayBegin(ctx context.Context, set *record.Record) (bool, error) {
	if State(set.Get("state").Text) == Running && s.alive(set) {
		return false, nil
	}
	after := set.Get("run_after").Text
	if after == "" {
		return true, nil
	}
	first, err := s.setByID(ctx, after)
	if fault.KindOf(err) == fault.NotFound && err != nil {
		return true, nil // it was cleaned away since
	}
	if err != nil {
		return false, err
	}
	switch State(first.Get("state").Text) {
	case Done, Undone:
		return true, nil
	}
	return false, nil
}

// errTaken says that another process has a load in hand.
var errTaken = errors.New("the load is in other hands")

// transform takes a load through its maps. A load that fails for its surroundings goes back to those that wait; one whose
// maps are at fault is halted, and says why.
func (s *Service) transform(ctx context.Context, set *record.Record) error {
	im := &importer{Service: s, began: time.Now(), req: Request{Actor: Importer(record.Actor{Name: set.Get("pushed_by").Text})}}
	im.most.Store(blockRows)
	number := whole(set, "run")
	if _, ours := im.loads.LoadOrStore(number, true); ours {
		return errTaken
	}
	defer im.loads.Delete(number)
	r, err := im.claim(ctx, set)
	if fault.KindOf(err) == fault.Conflict && err != nil || err == nil && r == nil {
		return errTaken
	}
	if err != nil {
		return err
	}
	im.active.Store(number, true)
	defer im.active.Delete(number)
	if err := json.Unmarshal([]byte(r.Get("maps").Text), &im.req.Maps); err != nil {
		return err
	}
	if im.maps, err = im.mapRuns(ctx, number); err != nil {
		return err
	}
	im.column = runOf(r).Columns
	im.resume(r)
	im.run_.Resumed = 0
	err = im.close(ctx, im.overLoad(ctx))
	if err != nil && (fault.KindOf(err) == fault.Unavailable || ctx.Err() != nil) {
		return errors.Join(err, im.book.touch(context.WithoutCancel(ctx), Loaded, im.run_.Message))
	}
	return err
}

// overLoad takes the maps over the rows of a load, from where an earlier attempt stopped.
func (im *importer) overLoad(ctx context.Context) error {
	maps := make([]*transform.Map, len(im.req.Maps))
	for k, def := range im.req.Maps {
		var err error
		if maps[k], err = transform.Compile(def, im.column, im.target(k)); err != nil {
			return err
		}
	}
	if err := im.indexKeys(ctx, maps); err != nil {
		return err
	}
	for k := im.book.pass; k < len(im.req.Maps); k++ {
		if err := im.later(ctx, k); err != nil {
			return err
		}
	}
	return nil
}

// inTurn transforms a load, unless it waits for another.
func (s *Service) inTurn(ctx context.Context, set *record.Record) error {
	if ready, err := s.mayBegin(ctx, set); err != nil {
		return err
	} else if !ready {
		return errTaken
	}
	return s.transform(ctx, set)
}

// Transform takes one load through its maps now, on behalf of a caller who waits for it. One that was halted goes on.
func (s *Service) Transform(ctx context.Context, setID string) (*Run, error) {
	tick := time.NewTicker(workEvery / 50)
	defer tick.Stop()
	for {
		set, err := s.setByID(ctx, setID)
		if err != nil {
			return nil, err
		}
		if set.Get("mode").Text != modeAsynchronous {
			return nil, fault.New(fault.Refused, "import set %s is no load of pushed rows", set.Get("number").Text)
		}
		switch State(set.Get("state").Text) {
		case Loaded, Halted, Cancelled, Running:
			err = s.inTurn(ctx, set)
		}
		if !errors.Is(err, errTaken) {
			if err != nil {
				return nil, err
			}
			return s.Run(ctx, whole(set, "run"))
		}
		select { // it is in hand already
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
		}
	}
}
