package v1_test

import (
	"context"
	"sync"
	"sync/atomic"

	"headrace/internal/core/record"
)

// blocker is a hook that holds the writes on a table until they are given up, or let pass.
type blocker struct {
	table   string
	reached chan struct{}
	once    sync.Once
	passes  atomic.Bool
}

func (b *blocker) Sees(t *record.Table) bool { return t.Name == b.table }

func (b *blocker) Before(ctx context.Context, _ *record.Change) error {
	if b.passes.Load() {
		return nil
	}
	b.once.Do(func() { close(b.reached) })
	<-ctx.Done()
	return ctx.Err()
}

func (b *blocker) After(context.Context, *record.Change) error { return nil }
