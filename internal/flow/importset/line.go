package importset

import (
	"context"
	"errors"
	"slices"
	"time"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// Blocks are committed in their order, each in a transaction of its own. Where the store has writers side by side, a block
// of nothing but new records, whose keys are known to be new without asking the target, need not wait for the one before it
// to begin: while that one commits, its rows are on their way. What all blocks write, the fence, the ledger and how far
// the run is, comes last, when the one before is committed. So a run that is cut off has the blocks up to some block, and
// none behind it, as ever.

// line commits blocks one behind the other.
type line struct {
	*pass
	commit func(ctx context.Context, m *matched) error
	last   *writing
}

// writing is a block on its way.
type writing struct {
	done chan struct{}
	err  error // once done
}

// put commits a block, or begins to: it returns when the block before is committed.
func (l *line) put(ctx context.Context, m *matched) error {
	if !l.early(m) {
		if err := l.wait(); err != nil {
			return err
		}
		return l.commit(ctx, m)
	}
	before, w := l.last, &writing{done: make(chan struct{})}
	l.last = w
	go func() {
		defer close(w.done)
		w.err = l.commitBehind(ctx, m, before)
	}()
	return before.wait()
}

// wait waits for the last block.
func (l *line) wait() error {
	w := l.last
	l.last = nil
	return w.wait()
}

func (w *writing) wait() error {
	if w == nil {
		return nil
	}
	<-w.done
	return w.err
}

// early reports whether a block may be written while the one before it is. Two transactions must never wait for each
// other in the database while one waits for the other here: nothing that they write may have a lock in common, be it of
// a unique index or of the counter of a number.
func (l *line) early(m *matched) bool {
	t := l.x.m.Target
	return m.sure && m.old == nil && !m.settled && len(m.created)+len(m.deferred)+len(m.updateRows) == 0 && len(m.insertRows) > 0 &&
		len(l.x.m.Key) == 1 && len(l.im.req.Maps) == 1 && l.k == 0 && !l.skipping && !t.Numbered() && !l.im.planning && !l.clashes() && sideBySide(l.im.db.Store())
}

// clashes reports whether rows of two blocks might be one too many for a unique index of the target. Not for one over the
// key: rows with equal keys are known here.
func (l *line) clashes() bool {
	t, key := l.x.m.Target, l.x.m.Fields[l.x.m.Key[0]]
	apart := func(fields []string) bool {
		return len(fields) == 1 && fields[0] == key && (l.x.m.Fold[0] || t.Field(key).Type.Kind() != query.Text)
	}
	return slices.ContainsFunc(t.Indexes, func(ix record.Index) bool { return ix.Unique && !apart(ix.Fields) }) ||
		slices.ContainsFunc(t.Fields, func(f record.Field) bool { return f.Unique && f.Name != record.SysID && !apart([]string{f.Name}) })
}

func sideBySide(s record.Store) bool {
	c, ok := s.(record.SideBySide)
	return ok && c.SideBySide()
}

// errOvertaken says that a block must be written anew, by itself: somebody else wrote to the target, or it waited too long.
var errOvertaken = errors.New("the block is overtaken")

// mostBehind is how long a block waits, with its rows written, for the one before it.
const mostBehind = 20 * time.Second

// commitBehind is commit for a block whose transaction begins while that of the block before is open.
func (l *line) commitBehind(ctx context.Context, m *matched, before *writing) error {
	saved := *m
	saved.out = slices.Clone(m.out)
	err := l.attemptBehind(ctx, m, before)
	if !errors.Is(err, errSpoiled) && !errors.Is(err, errOvertaken) {
		return err
	}
	if err := before.wait(); err != nil {
		return err
	}
	return l.commit(ctx, &saved)
}

func (l *line) attemptBehind(ctx context.Context, m *matched, before *writing) error {
	im, w := l.im, writer{x: l.w.x, rows: l.w.rows}
	var top, of Ledger
	var began time.Time
	err := im.session(l.k).WriteAs(ctx, record.Resumable, func(rw *record.Writer) error {
		if err := w.insert(ctx, rw, m); err != nil {
			return err
		}
		if err := w.stage(ctx, rw.Tx(), im.run_.Number, m); err != nil {
			return err
		}
		if err := l.keepPage(ctx, rw, m); err != nil {
			return err
		}
		if err := before.waitFor(ctx, mostBehind); err != nil {
			return err
		}
		began = time.Now()
		if err := l.stillAlone(ctx, rw.Tx(), m); err != nil {
			return err
		}
		top, of = l.count(m)
		return im.book.advance(ctx, rw, l.pass, m, top, of)
	})
	if err == nil {
		l.committed(top, of, time.Since(began))
	}
	return err
}

// waitFor waits, but no longer than that.
func (w *writing) waitFor(ctx context.Context, most time.Duration) error {
	if w == nil {
		return nil
	}
	late := time.NewTimer(most)
	defer late.Stop()
	select {
	case <-w.done:
		return w.err
	case <-late.C:
		return errOvertaken
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stillAlone passes the fence. The block is overtaken when somebody else wrote to the target since its import began.
func (l *line) stillAlone(ctx context.Context, tx record.Tx, m *matched) error {
	if err := l.im.stillWanted(ctx, tx); err != nil {
		return err
	}
	passing := *l.w.fence
	if err := passing.pass(ctx, tx); err != nil {
		return err
	}
	if passing.others > m.looked {
		return errOvertaken
	}
	l.w.fence.mine, l.w.fence.others = passing.mine, passing.others
	return nil
}
