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
	if _, taken := s.working.LoadOrStore(d.id, true); taken {
		return nil, busy(d.name)
	}
	if err := s.take(ctx, d); err != nil {
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

// take writes the claim, over one whose owner is dead.
func (s *Service) take(ctx context.Context, d *saved) error {
	t := s.DB.Catalog().Table(ClaimTable)
	return s.DB.As(record.System).Write(ctx, func(w *record.Writer) error {
		var owner, beat string
		for row, err := range w.Tx().Select(ctx, &record.Query{Table: t, Fields: []string{"owner", "heartbeat"}, Keys: &record.Keys{
			Fields: []string{"source"}, Fold: []bool{false}, Tuples: []record.Value{record.Text(d.id)}}}) {
			if err != nil {
				return err
			}
			owner, beat = row[0].Text, row[1].Text
		}
		if owner != "" && s.alive(owner, beat) {
			return busy(d.name)
		}
		rows := &record.Rows{Fields: []string{"source", "owner", "heartbeat"}, Values: []record.Value{record.Text(d.id), record.Text(self()), record.Text(w.Now().Format(record.DateTimeLayout))}}
		if owner != "" {
			_, err := w.Tx().Update(ctx, t, rows)
			return err
		}
		err := w.Tx().Insert(ctx, t, rows)
		if fault.KindOf(err) == fault.Conflict && err != nil {
			return busy(d.name)
		}
		return err
	})
}

// self names this process.
func self() string {
	host, err := os.Hostname()
	if err != nil {
		host = "?"
	}
	return host + ":" + strconv.Itoa(os.Getpid())
}

// alive reports whether the process that made a claim still works. In this process the memory knows better.
func (s *Service) alive(owner, beat string) bool {
	host, pid, _ := strings.Cut(owner, ":")
	ourHost, ourPid, _ := strings.Cut(self(), ":")
	if host == ourHost {
		n, err := strconv.Atoi(pid)
		return err == nil && pid != ourPid && syscall.Kill(n, 0) == nil
	}
	at, err := time.Parse(record.DateTimeLayout, beat)
	return err == nil && s.DB.Now().Sub(at) < deadAfter
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
		_ = s.mark(ctx, id) // one that is missed is made up for by the next
	}
}

func (s *Service) mark(ctx context.Context, id string) error {
	return s.DB.As(record.System).Write(ctx, func(w *record.Writer) error {
		_, err := w.Tx().Update(ctx, s.DB.Catalog().Table(ClaimTable), &record.Rows{Fields: []string{"source", "owner", "heartbeat"},
			Values: []record.Value{record.Text(id), record.Text(self()), record.Text(w.Now().Format(record.DateTimeLayout))}})
		return err
	})
}

// leave gives a claim up. One that stays behind is that of a dead process.
func (s *Service) leave(ctx context.Context, id string) {
	_ = s.DB.As(record.System).Write(ctx, func(w *record.Writer) error {
		_, err := w.Tx().Delete(ctx, s.DB.Catalog().Table(ClaimTable), []record.Value{record.Text(id)})
		return err
	})
}
