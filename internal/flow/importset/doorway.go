package importset

import (
	"context"
	"sync"
)

// doorway lets one push at a time into a staging table. The fence does so for all processes; but whoever waits at the fence
// holds a transaction, and a store has few: those of one process wait here, without.
type doorway struct{ at sync.Map } // name -> chan struct{} with room for one

// pass waits for the turn. leave ends it.
func (t *doorway) pass(ctx context.Context, name string) (leave func(), err error) {
	held, _ := t.at.LoadOrStore(name, make(chan struct{}, 1))
	turn := held.(chan struct{})
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
