package export

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

const (
	workEvery = 2 * time.Second // how often a server looks for what is due
	carriers  = 8               // how many runs it takes further at once
)

// Work takes runs further that are due: deliveries to be tried again, and what a process left behind when it died. It ends
// when ctx is done. Every server runs one; report is told what went wrong with the looking.
func (s *Service) Work(ctx context.Context, report func(err error)) {
	var tasks sync.WaitGroup
	defer tasks.Wait()
	free := make(chan struct{}, carriers)
	tick := time.NewTicker(workEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		err := s.each(ctx, func(j *job, held *hold) {
			select {
			case free <- struct{}{}:
			default: // the next look finds it again
				held.release()
				return
			}
			tasks.Go(func() {
				defer func() { <-free }()
				defer held.release()
				if err := s.work(ctx, j); err != nil && ctx.Err() == nil {
					report(fault.During("export run "+j.ID(), err))
				}
			})
		})
		if err != nil && ctx.Err() == nil {
			report(err)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// Due takes all runs further that are due now, one after the other, and tells how many there were.
func (s *Service) Due(ctx context.Context) (n int, err error) {
	var failed []error
	err = s.each(ctx, func(j *job, held *hold) {
		defer held.release()
		n++
		failed = append(failed, s.work(ctx, j))
	})
	return n, errors.Join(append(failed, err)...)
}

// each finds the runs of this spool that are due, the oldest of each set, and gives those whose set nobody else has at
// the moment, with its lock.
func (s *Service) each(ctx context.Context, do func(j *job, held *hold)) error {
	due := &query.Or{Parts: []query.Node{&query.Term{Field: "next_try", Op: query.IsEmpty}, &query.Term{Field: "next_try", Op: query.LessEqual, Values: []string{s.now()}}}}
	found, err := s.runs(ctx, both(in("state", open...), equal("node", s.node), due), false, 0)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, r := range found {
		id := r.Get("export_set").Text
		if seen[id] {
			continue
		}
		seen[id] = true
		if err := s.take(ctx, r, id, do); err != nil {
			return err
		}
	}
	return nil
}

// take gives a run with the lock of its set. It is read again behind the lock: somebody may have taken it further.
func (s *Service) take(ctx context.Context, r *record.Record, id string, do func(*job, *hold)) error {
	held, err := s.hold(id)
	if err != nil || held == nil {
		return err
	}
	again, err := s.runs(ctx, equal(record.SysID, r.ID()), false, 1)
	if err != nil || len(again) == 0 || again[0].Get(record.SysModCount) != r.Get(record.SysModCount) {
		held.release()
		return err
	}
	j := &job{Record: again[0]}
	if j.def, err = s.find(ctx, id); err != nil {
		held.release()
		return s.orphaned(ctx, j, err)
	}
	do(j, held)
	return nil
}

// orphaned ends a run whose set is gone.
func (s *Service) orphaned(ctx context.Context, j *job, err error) error {
	if fault.KindOf(err) != fault.NotFound {
		return err
	}
	return s.set(ctx, j, map[string]string{"state": string(Dead), "reason": "not_found", "error": err.Error(), "next_try": "", "completed": s.now(), "keep_until": s.now()})
}

// Replay delivers the files of finished runs again: the same bytes under the same name. Where the file still is nothing is
// sent. Runs whose bytes are gone, and those still under way, are left alone. It gives the runs as they are then.
func (s *Service) Replay(ctx context.Context, ids ...string) ([]Run, error) {
	var out []Run
	for _, id := range ids {
		run, err := s.replay(ctx, id)
		if run != nil {
			out = append(out, *run)
		}
		if err != nil {
			return out, err
		}
	}
	return out, nil
}

func (s *Service) replay(ctx context.Context, id string) (*Run, error) {
	j, held, err := s.grip(ctx, id)
	if err != nil {
		return nil, err
	}
	defer held.release()
	switch {
	case !slices.Contains([]State{Done, Dead, Canceled}, j.state()):
		return nil, fault.New(fault.Refused, "export run %s is %s: there is nothing to deliver again", j.ID(), j.state())
	case !j.is("bytes_kept"):
		return nil, fault.New(fault.NotFound, "the bytes of export run %s are not kept any more", j.ID()).WithHint("make a new run; retention_days of the set says how long they are kept")
	}
	policy, err := s.cfg.Outbound.Policy(ctx, j.def.text("delivery_policy"))
	if err != nil {
		return nil, err
	}
	err = s.set(ctx, j, map[string]string{"state": string(Ready), "counted": "0", "next_try": "", "completed": "", "reason": "", "error": "", "keep_until": "",
		"expires": stamp(s.cfg.Clock().Add(policy.MaxAge()))})
	if err != nil {
		return nil, err
	}
	return s.finish(ctx, j, s.work(ctx, j))
}

// grip finds a run that is this machine's, with the lock of its set.
func (s *Service) grip(ctx context.Context, id string) (*job, *hold, error) {
	j, err := s.job(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	if node := j.text("node"); node != s.node {
		return nil, nil, fault.New(fault.Refused, "export run %s is another machine's to deliver: %s", j.ID(), node).WithHint("ask there")
	}
	if j.def, err = s.find(ctx, j.text("export_set")); err != nil {
		return nil, nil, err
	}
	held, err := s.hold(j.def.ID())
	if err == nil && held == nil {
		err = j.def.busy("a file of it is being made or delivered at this moment")
	}
	return j, held, err
}

// Cancel gives up runs that have something left to do. It gives the runs as they are then.
func (s *Service) Cancel(ctx context.Context, ids ...string) ([]Run, error) {
	var out []Run
	for _, id := range ids {
		run, err := s.cancel(ctx, id)
		if err != nil {
			return out, err
		}
		out = append(out, *run)
	}
	return out, nil
}

func (s *Service) cancel(ctx context.Context, id string) (*Run, error) {
	j, err := s.job(ctx, id)
	if err != nil {
		return nil, err
	}
	if !j.open() {
		return nil, fault.New(fault.Refused, "export run %s is %s: there is nothing left to give up", j.ID(), j.state())
	}
	until := s.cfg.Clock()
	if def, err := s.find(ctx, j.text("export_set")); err == nil {
		until = until.Add(def.retention())
	} else if fault.KindOf(err) != fault.NotFound {
		return nil, err
	}
	err = s.set(ctx, j, map[string]string{"state": string(Canceled), "reason": "cancelled", "next_try": "", "completed": s.now(), "keep_until": stamp(until)})
	run := runOf(j.Record)
	return &run, err
}

// job finds a run by its id, or the beginning of it.
func (s *Service) job(ctx context.Context, id string) (*job, error) {
	run, err := s.Show(ctx, id)
	if err != nil {
		return nil, err
	}
	found, err := s.runs(ctx, equal(record.SysID, run.ID), false, 1)
	if err != nil || len(found) == 0 {
		return nil, errors.Join(fault.New(fault.NotFound, "export run %s is gone", run.ID), err)
	}
	return &job{Record: found[0]}, nil
}

// Sweep removes the bytes of runs that are kept no longer, and tells how many. Files that belong to no run stay: another
// store may use the same folder.
func (s *Service) Sweep(ctx context.Context) (n int, err error) {
	kept, err := s.spooled()
	if err != nil || len(kept) == 0 {
		return 0, err
	}
	found, err := s.runs(ctx, in(record.SysID, kept...), false, 0)
	if err != nil {
		return 0, err
	}
	for _, r := range found {
		j := &job{Record: r}
		if until := j.when("keep_until"); j.open() || until.IsZero() || until.After(s.cfg.Clock()) {
			continue
		}
		if err := s.drop(ctx, j); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func (s *Service) drop(ctx context.Context, j *job) error {
	if err := s.set(ctx, j, map[string]string{"bytes_kept": "false"}); err != nil {
		return ignoreMoot(err)
	}
	return s.forget(j.ID())
}
