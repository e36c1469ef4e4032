package rest

import (
	"context"
	"sync"
	"time"
)

// wait waits until d has passed or ctx is done.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pace holds requests to a rate.
type pace struct {
	every time.Duration

	mu   sync.Mutex
	next time.Time
}

// wait waits for one's turn.
func (p *pace) wait(ctx context.Context, clock func() time.Time, sleep func(context.Context, time.Duration) error) error {
	if p.every <= 0 {
		return ctx.Err()
	}
	now := clock()
	p.mu.Lock()
	at := p.next
	if at.Before(now) {
		at = now
	}
	p.next = at.Add(p.every)
	p.mu.Unlock()
	if at.After(now) {
		return sleep(ctx, at.Sub(now))
	}
	return ctx.Err()
}
