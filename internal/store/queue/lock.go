package queue

import (
	"errors"
	"os"
	"syscall"

	"headrace/internal/core/fault"
)

// lock is held on a file for as long as the process lives.
type lock struct{ file *os.File }

// takeLock takes the lock on a file; nil when another process has it.
func takeLock(path string) (*lock, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the lock of the queue cannot be made: %v", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return &lock{f}, nil
	}
	_ = f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, nil
	}
	return nil, fault.Wrap(fault.Unavailable, err, "the lock of the queue cannot be taken: %v", err)
}

// release gives the lock back; a nil lock has none.
func (l *lock) release() {
	if l != nil {
		_ = l.file.Close()
	}
}
