package sqlstore

import (
	"context"
	"database/sql"
	"time"
)

// The write-ahead log must be written back into the database now and then. A commit that did so would keep every writer
// waiting while thousands of pages go to the disk; so it is done beside them, and writers stand still only for what they
// have added meanwhile. Where that does not keep up, and in imports, a commit does it all the same: SQLite's own 4 MB
// would do so several times a batch, and more than 64 MB makes nothing faster.
const (
	someLog = 8 << 20 / pageSize  // pages after which the log is written back
	mostLog = 64 << 20 / pageSize // pages that it may have
	tailLog = 1 << 20 / pageSize  // pages for which writers stand still
)

// logKeeper writes the log back.
type logKeeper struct {
	wake chan struct{}
	stop context.CancelFunc
	done chan struct{}
}

func (k *logKeeper) start(s *sqliteStore) {
	ctx, cancel := context.WithCancel(context.Background())
	k.wake, k.stop, k.done = make(chan struct{}, 1), cancel, make(chan struct{})
	go func() {
		defer close(k.done)
		s.keepLog(ctx)
	}()
}

func (k *logKeeper) end() {
	if k.stop != nil {
		k.stop()
		<-k.done
	}
}

// grown tells how long the log is.
func (k *logKeeper) grown(pages int) {
	if pages < someLog {
		return
	}
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// mostTries is how often what was added meanwhile is written back beside the writers too.
const mostTries = 5

// readerPatience is how long the log is left alone when a reader still needs what is in it.
const readerPatience = time.Second

func (s *sqliteStore) keepLog(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.log.wake:
		}
		if whole, err := s.writeBack(ctx); err == nil && whole {
			continue
		}
		select { // a commit that finds no room tells its writer
		case <-ctx.Done():
			return
		case <-time.After(readerPatience):
		}
	}
}

// writeBack writes the log back, beside the writers until little is left, then that with none. It tells whether nothing
// was left: the log begins anew then.
func (s *sqliteStore) writeBack(ctx context.Context) (whole bool, err error) {
	c, err := s.readers.Conn(ctx)
	if err != nil {
		return false, err
	}
	defer c.Close()
	for before, tries := -tailLog, 0; tries < mostTries; tries++ {
		_, now, err := checkpoint(ctx, c)
		if err != nil {
			return false, err
		}
		if now-before < tailLog {
			break
		}
		before = now
	}
	if err := s.take(ctx); err != nil {
		return false, err
	}
	defer s.pass()
	if s.open != nil {
		s.end(s.open.n.commit())
	}
	all, now, err := checkpoint(ctx, c)
	return all == now, err
}

// checkpoint writes back what no reader keeps from it. It gives the pages of the log, and how many of them are in the
// database now.
func checkpoint(ctx context.Context, c *sql.Conn) (all, back int, err error) {
	var busy int
	err = c.QueryRowContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &all, &back)
	return all, back, err
}
