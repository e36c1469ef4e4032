package record

import (
	"context"
	"sync/atomic"
	"time"
)

// Kept is what a package keeps of its configuration records. What this process changes is seen by the next transaction
// that begins after the commit, what others change within a second. The zero Kept holds nothing.
type Kept[B any] struct {
	state   atomic.Pointer[keptState[B]]
	touched atomic.Int64 // when this process last wrote a change that may not be committed yet, Unix nanoseconds
}

type keptState[B any] struct {
	book     *B
	at       time.Time
	revision int64
}

const (
	keptFresh    = time.Second
	keptSettling = 10 * time.Second // no transaction takes longer to commit after its last change of configuration
)

// Get gives what was read last; nil before the first Refresh.
func (k *Kept[B]) Get() *B {
	if s := k.state.Load(); s != nil {
		return s.book
	}
	return nil
}

// Touch says that the transaction of w changes what is kept under a name.
func (k *Kept[B]) Touch(ctx context.Context, w *Writer, name string) error {
	k.touched.Store(time.Now().UnixNano())
	_, err := w.Bump(ctx, name)
	return err
}

// Fresh reports whether Refresh would have nothing to do.
func (k *Kept[B]) Fresh() bool {
	was := k.state.Load()
	return was != nil && k.touched.Load() == 0 && time.Since(was.at) < keptFresh
}

// Refresh reads anew what is kept under a name if it may have changed. It is called when transactions begin.
func (k *Kept[B]) Refresh(ctx context.Context, db *DB, tx Tx, name string, load func(context.Context, Tx) (*B, error)) error {
	if k.Fresh() {
		return nil
	}
	was, touched := k.state.Load(), k.touched.Load()
	now := time.Now()
	n, err := revision(ctx, tx, db.Catalog().Table(RevisionTable), name)
	if err != nil {
		return err
	}
	next := &keptState[B]{at: now, revision: n}
	if was != nil && was.revision == n {
		next.book = was.book
		if touched != 0 && now.UnixNano()-touched > int64(keptSettling) {
			k.touched.CompareAndSwap(touched, 0) // it was rolled back
		}
	} else {
		if next.book, err = load(ctx, tx); err != nil {
			return err
		}
		k.touched.CompareAndSwap(touched, 0)
	}
	k.state.Store(next)
	return nil
}
