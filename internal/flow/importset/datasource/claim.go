package datasource

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// A source is brought in by one process at a time: two that fetched the same file would import it twice.

// How often whoever works on a source says so, and how long a silent one on another machine counts as working.
const (
	beatEvery = 10 * time.Second
	deadAfter = 45 * time.Second
)

// claim makes a source this caller's own until release is called. It is a fault of kind Conflict when somebody else is
// at it.
func (s *Service) claim(ctx context.Context, d *saved) (release func(), err error) {
	token := self() + ":" + record.NewID()
	if _, taken := s.working.LoadOrStore(d.id, token); taken {
		return nil, busy(d.name)
	}
	if err := s.take(ctx, d, token); err != nil {
		s.working.Delete(d.id)
		return nil, err
	}
	beating, stop := context.WithCancel(context.WithoutCancel(ctx))
	var beats sync.WaitGroup
	beats.Go(func() { s.beat(beating, d.id) })
	return func() {
		stop()
		beats.Wait()
		s.leave(context.WithoutCancel(ctx), d.id)
		s.working.Delete(d.id)
	}, nil
}

// errBusy is the cause of the fault that somebody else is at a source.
var errBusy = errors.New("is brought in at the moment")

func busy(name string) error {
	return fault.Wrap(fault.Conflict, errBusy, "data source %s is brought in at the moment", name).WithHint("wait for it: `headrace run list` shows how far it is")
}

// Busy reports whether an error says that somebody else brings the source in at the moment.
func Busy(err error) bool { return errors.Is(err, errBusy) }

// errLost is the cause of the fault that a claim is not this process's any more.
var errLost = errors.New("another process has gone on with it")

// take writes the claim, over one whose owner is dead. Of several who find a dead one, the second finds the first alive.
func (s *Service) take(ctx context.Context, d *saved, token string) error {
	t := s.DB.Catalog().Table(ClaimTable)
	return s.DB.As(record.System).Write(ctx, func(w *record.Writer) error {
		if _, err := w.Bump(ctx, "data source "+d.id); err != nil {
			return err
		}
		owner, beat, err := s.claimant(ctx, w.Tx(), d.id)
		switch {
		case err != nil:
			return err
		case owner != "" && s.alive(owner, beat):
			return busy(d.name)
		case owner != "":
			_, err = w.Tx().Update(ctx, t, claimRow(w, d.id, token))
		default:
			err = w.Tx().Insert(ctx, t, claimRow(w, d.id, token))
		}
		return err
	})
}

// claimant tells who works on a source, and when that was said last; "" when nobody does.
func (s *Service) claimant(ctx context.Context, tx record.Tx, id string) (owner, beat string, err error) {
	for row, err := range tx.Select(ctx, &record.Query{Table: s.DB.Catalog().Table(ClaimTable), Fields: []string{"owner", "heartbeat"}, Keys: &record.Keys{
		Fields: []string{"source"}, Fold: []bool{false}, Tuples: []record.Value{record.Text(id)}}}) {
		if err != nil {
			return "", "", err
		}
		owner, beat = row[0].Text, row[1].Text
	}
	return owner, beat, nil
}

func claimRow(w *record.Writer, id, token string) *record.Rows {
	return &record.Rows{Fields: []string{"source", "owner", "heartbeat"},
		Values: []record.Value{record.Text(id), record.Text(token), record.Text(w.Now().Format(record.DateTimeLayout))}}
}

// hold makes sure, until the transaction of w ends, that a source this process works on is still its own: one that was
// silent for too long may have been taken for dead, and what it still remembers is not news any more.
func (s *Service) hold(ctx context.Context, w *record.Writer, id string) error {
	token, ours := s.working.Load(id)
	if !ours {
		return nil
	}
	if _, err := w.Bump(ctx, "data source "+id); err != nil {
		return err
	}
	if owner, _, err := s.claimant(ctx, w.Tx(), id); err != nil || owner == token {
		return err
	}
	return fault.Wrap(fault.Conflict, errLost, "this process was silent for so long that it was taken for dead: %v", errLost).
		WithHint("nothing is lost: `headrace run list` shows how far the other is")
}

// self names this process.
func self() string {
	host, err := os.Hostname()
	if err != nil {
		host = "?"
	}
	return host + ":" + strconv.Itoa(os.Getpid())
}

// alive reports whether the process that made a claim still works. In this process the memory knows better. A number of a
// process that is in use may be another's by now, so a sign of life is asked for as well.
func (s *Service) alive(owner, beat string) bool {
	host, rest, _ := strings.Cut(owner, ":")
	pid, _, _ := strings.Cut(rest, ":")
	ourHost, ourPid, _ := strings.Cut(self(), ":")
	if host == ourHost && (pid == ourPid || !runs(pid)) {
		return false
	}
	at, err := time.Parse(record.DateTimeLayout, beat)
	return err == nil && s.DB.Now().Sub(at) < deadAfter
}

// runs reports whether there is a process of a number on this machine, whoever's it is.
func runs(pid string) bool {
	n, err := strconv.Atoi(pid)
	if err != nil {
		return false
	}
	err = syscall.Kill(n, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

// beat says now and then that the claim holds.
func (s *Service) beat(ctx context.Context, id string) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		_ = s.own(ctx, id, func(w *record.Writer, token string) error { // one that is missed is made up for by the next
			_, err := w.Tx().Update(ctx, s.DB.Catalog().Table(ClaimTable), claimRow(w, id, token))
			return err
		})
	}
}

// leave gives a claim up. One that stays behind is that of a dead process.
func (s *Service) leave(ctx context.Context, id string) {
	_ = s.own(ctx, id, func(w *record.Writer, _ string) error {
		_, err := w.Tx().Delete(ctx, s.DB.Catalog().Table(ClaimTable), []record.Value{record.Text(id)})
		return err
	})
}

// own writes to a claim if it is this process's still.
func (s *Service) own(ctx context.Context, id string, write func(w *record.Writer, token string) error) error {
	token, ours := s.working.Load(id)
	if !ours {
		return nil
	}
	return s.DB.As(record.System).Write(ctx, func(w *record.Writer) error {
		if err := s.hold(ctx, w, id); err != nil {
			return err
		}
		return write(w, token.(string))
	})
}
