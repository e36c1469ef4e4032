package outbound

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"headrace/internal/core/record"
	"headrace/internal/store/queue"
)

// work is one run of the job of a delivery: at most one call, and then what comes of it in one transaction. Waiting is
// never done here; the job is put off.
func (s *Service) work(ctx context.Context, job queue.Running) error {
	var args jobArgs
	if err := json.Unmarshal(job.Args, &args); err != nil {
		return queue.Cancel(err)
	}
	var d *delivery
	err := s.db.Store().Read(ctx, func(tx record.Tx) (err error) { d, err = s.read(ctx, tx, args.Delivery); return err })
	if err != nil || d == nil {
		return err
	}
	switch d.state() {
	case Answered:
		return s.importAgain(ctx, d)
	case Sending:
		return s.interrupted(ctx, d)
	case Ready, Retry:
		return s.attempt(ctx, d)
	}
	return nil // called off or done meanwhile
}

// attempt sends a delivery when it is its turn.
func (s *Service) attempt(ctx context.Context, d *delivery) error {
	now := s.clock()
	if early := d.when("next_try").Sub(now); early > 0 && d.state() == Retry {
		return queue.Snooze(early)
	}
	if expires := d.when("expires"); !expires.IsZero() && !now.Before(expires) {
		return s.finish(ctx, d, Dead, "expired", "it could not be delivered in time; "+d.Get("error").Text)
	}
	turn, wait, err := s.hosts.enter(ctx, d.ID(), host(d.call.URL))
	if err != nil {
		return err
	}
	if turn == nil {
		return s.putOff(ctx, d, wait)
	}
	defer turn.leave()
	if d.call.Policy.AtMostOnce {
		if err := s.mark(ctx, d); err != nil {
			return err
		}
	}
	g := s.send(ctx, d.call)
	turn.told(g, s.clock())
	return s.settle(ctx, d, g)
}

// putOff waits for the host. A host that is left alone, or whose rate is used up, may take long: then the record says so,
// once.
func (s *Service) putOff(ctx context.Context, d *delivery, w hold) error {
	if w.reason != "busy" && d.Get("reason").Text != w.reason {
		err := s.session(d).Write(ctx, func(wr *record.Writer) error {
			return s.update(ctx, wr, d, map[string]string{"reason": w.reason, "error": w.msg})
		})
		if err != nil && !isMoot(err) {
			return err
		}
	}
	return queue.Snooze(w.after)
}

// mark says before a call that it is under way, for deliveries whose repeat would do harm.
func (s *Service) mark(ctx context.Context, d *delivery) error {
	err := s.session(d).Write(ctx, func(w *record.Writer) error {
		return s.update(ctx, w, d, map[string]string{"state": string(Sending)})
	})
	if err != nil {
		return err
	}
	return s.db.Store().Read(ctx, func(tx record.Tx) error {
		again, err := s.read(ctx, tx, d.ID())
		if err == nil && again != nil {
			*d = *again
		}
		return err
	})
}

// interrupted ends a delivery whose node died during the call.
func (s *Service) interrupted(ctx context.Context, d *delivery) error {
	return s.finish(ctx, d, Dead, "unclear", "the process ended during the call; it is sent at most once, and may have been carried out")
}

func (s *Service) finish(ctx context.Context, d *delivery, state State, reason, msg string) error {
	return s.session(d).Write(ctx, func(w *record.Writer) error {
		return s.update(ctx, w, d, map[string]string{"state": string(state), "reason": reason, "error": msg, "next_try": "", "completed": stamp(s.clock())})
	})
}

// session writes what concerns a delivery, under its trace.
func (s *Service) session(d *delivery) record.Session {
	return s.db.As(record.System).WithTrace(d.Get("trace").Text)
}

// settle writes what came of an attempt: the attempt, the log, and the delivery done, to be tried again, or dead; with
// it the rows of the answer. Another run of the same delivery that was faster makes this one moot.
func (s *Service) settle(ctx context.Context, d *delivery, g *sending) error {
	ctx = context.WithoutCancel(ctx) // what was sent must be written down
	v := d.call.judge(*g)
	if g.failure != nil && v.reason == "stopped" && !g.failure.Sent {
		return queue.Snooze(0)
	}
	if v.done && d.call.Table != "" {
		return s.settleAnswer(ctx, d, g, v)
	}
	next := s.next(d, g, v)
	err := s.session(d).Write(ctx, func(w *record.Writer) error {
		if err := s.attempted(ctx, w, d, g, v); err != nil {
			return err
		}
		return s.update(ctx, w, d, next.values)
	})
	switch {
	case isMoot(err):
		return nil
	case err != nil:
		return err
	case next.wait > 0:
		return queue.Snooze(next.wait)
	}
	return nil
}

// step is what a delivery does next.
type step struct {
	values map[string]string
	wait   time.Duration // > 0: it is tried again
}

// next decides what follows an attempt.
func (s *Service) next(d *delivery, g *sending, v verdict) step {
	now := s.clock()
	attempts, counted := number(d.Record, "attempts")+1, number(d.Record, "counted")+1
	out := step{values: map[string]string{"attempts": strconv.Itoa(attempts), "counted": strconv.Itoa(counted), "reason": v.reason,
		"error": redactorOf(d.call.secretsOf(g), d.call.Redact).text(v.msg, mostHeader), "status": "", "next_try": "", "completed": stamp(now)}}
	if g.resp != nil {
		out.values["status"] = strconv.Itoa(g.resp.Status)
	}
	p := d.call.Policy
	wait := p.wait(counted, s.dice())
	if g.resp != nil {
		if hint, given := retryAfter(g.resp.Header, now); given {
			wait = hint
		}
	}
	switch expires := d.when("expires"); {
	case v.done:
		out.values["state"] = string(Done)
	case !v.again:
		out.values["state"] = string(Dead)
	case counted >= p.Attempts:
		out.values["state"], out.values["error"] = string(Dead), out.values["error"]+"; all "+strconv.Itoa(p.Attempts)+" attempts are used up"
	case !expires.IsZero() && now.Add(wait).After(expires):
		out.values["state"], out.values["error"] = string(Dead), out.values["error"]+"; the next attempt would come after its time"
	default:
		out.wait = max(wait, time.Millisecond)
		out.values["state"], out.values["completed"], out.values["next_try"] = string(Retry), "", stamp(now.Add(wait))
	}
	if v.done {
		out.values["answer"] = s.storedAnswer(g.resp)
	}
	return out
}
