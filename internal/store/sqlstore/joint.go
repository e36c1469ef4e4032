package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"headrace/internal/core/record"
)

// joint is one transaction for several writers who came at once, so that the disk is waited for once and not for each.
// They write one after the other, each seeing what those before it wrote. None is told that it has succeeded before the
// commit has, and one that fails takes back its own writes alone.
type joint struct {
	c    *sql.Conn
	n    *native
	done chan struct{} // closed when it has ended
	err  error         // how
}

// beginWriting waits for other processes at once: a transaction that reads first could not write after them.
const beginWriting = "BEGIN IMMEDIATE"

// writeJointly runs fn in the open joint, or in a new one, and waits for its commit. Who has written queues up again
// behind those who came meanwhile, so that they join; then it commits. A writer that finds nobody waiting commits at once.
func (s *sqliteStore) writeJointly(ctx context.Context, fn func(conn) error) error {
	j, err := s.join(ctx, fn)
	if err != nil {
		return err
	}
	select {
	case <-j.done:
	case <-s.turn:
		if s.open == j {
			s.end(j.n.commit())
		}
		s.pass()
		<-j.done
	}
	return j.err
}

// take waits for the turn to write.
func (s *sqliteStore) take(ctx context.Context) error {
	select {
	case <-s.turn:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pass gives the turn to who waits longest.
func (s *sqliteStore) pass() { s.turn <- struct{}{} }

// end closes the open joint with the outcome of its commit.
func (s *sqliteStore) end(err error) {
	j := s.open
	s.open = nil
	if err != nil {
		j.n.rollback() // what is told is why
	} else {
		s.log.grown(j.n.logPages())
	}
	j.err = err
	_ = j.c.Close() // back into the pool
	close(j.done)
}

// join writes into the open joint, opening one where there is none.
func (s *sqliteStore) join(ctx context.Context, fn func(conn) error) (*joint, error) {
	if err := s.take(ctx); err != nil {
		return nil, err
	}
	defer s.pass()
	if j := s.open; j != nil {
		return j, s.follow(ctx, j, fn)
	}
	j, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	s.open = j
	return j, s.lead(ctx, j, fn)
}

// lead writes first: a done ctx interrupts the statement that is running.
func (s *sqliteStore) lead(ctx context.Context, j *joint, fn func(conn) error) error {
	written, stop := false, j.n.interruptible(ctx)
	defer func() {
		stop()
		if !written { // fn failed or panicked, and nothing else is in it
			j.n.rollback()
			s.end(nil)
		}
	}()
	if err := lend(ctx, j.c, j.n, fn); err != nil {
		return err
	}
	written = true
	return nil
}

func (s *sqliteStore) begin(ctx context.Context) (*joint, error) {
	c, err := s.writer.Conn(ctx)
	if err != nil {
		return nil, err
	}
	j := &joint{c: c, done: make(chan struct{})}
	if j.n, err = nativeOf(c); err == nil {
		_, err = j.n.exec(beginWriting, nil)
	}
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return j, nil
}

// follow writes behind others. Its statements are not interrupted when ctx is done, for SQLite would take back the
// writes of all; none is begun then. Where its writes cannot be taken back alone, the joint fails.
func (s *sqliteStore) follow(ctx context.Context, j *joint, fn func(conn) error) (err error) {
	if _, err := j.n.exec("SAVEPOINT hr_joint", nil); err != nil {
		s.end(err)
		return err
	}
	written := false
	defer func() {
		if written {
			return
		}
		_, back := j.n.exec("ROLLBACK TO SAVEPOINT hr_joint", nil)
		if back == nil {
			_, back = j.n.exec("RELEASE SAVEPOINT hr_joint", nil)
		}
		if back != nil {
			s.end(errors.Join(err, back))
		}
	}()
	if err := lend(ctx, j.c, j.n, fn); err != nil {
		return err
	}
	if _, err := j.n.exec("RELEASE SAVEPOINT hr_joint", nil); err != nil {
		return err
	}
	written = true
	return nil
}

// write sets how far a commit waits for the disk, which SQLite takes between transactions only, when the statement is
// compiled. Others who use the connection find it durable.
func (s *sqliteStore) write(ctx context.Context, durability record.Durability, fn func(conn) error) error {
	if durability == record.Durable {
		return s.writeJointly(ctx, fn)
	}
	if err := s.take(ctx); err != nil {
		return err
	}
	defer s.pass()
	if s.open != nil {
		s.end(s.open.n.commit())
	}
	c, err := s.writer.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	after := context.WithoutCancel(ctx)
	if _, err := c.ExecContext(after, synchronous("NORMAL")); err != nil {
		return err
	}
	defer c.ExecContext(after, synchronous("FULL"))
	return transact(ctx, c, beginWriting, fn)
}

// synchronous is how commits wait for the disk.
func synchronous(how string) string { return "PRAGMA synchronous = " + how + ";" }
