package export

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"headrace/internal/core/fault"
)

// hold is the lock of a set: whoever has it makes and delivers its files. It ends with the process, however that ends.
type hold struct{ file *os.File }

// hold takes the lock of a set; nil when somebody else has it.
func (s *Service) hold(set string) (*hold, error) {
	if err := os.MkdirAll(s.cfg.Spool, 0o700); err != nil {
		return nil, s.unspooled(err)
	}
	f, err := os.OpenFile(filepath.Join(s.cfg.Spool, set+".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, s.unspooled(err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return &hold{f}, nil
	}
	closing := f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, closing
	}
	return nil, s.unspooled(errors.Join(err, closing))
}

// release gives the lock back.
func (h *hold) release() { _ = h.file.Close() }

func (s *Service) unspooled(err error) error {
	f := fault.Wrap(fault.Unavailable, err, "the folder that keeps exported files, %s, cannot be used", s.cfg.Spool)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return f.WithHint("free space on that disk")
	}
	return f.WithHint("check the disk and the permissions of that folder")
}

// path is where the bytes of a run are kept.
func (s *Service) path(run string) string { return filepath.Join(s.cfg.Spool, run) }

// partial is the suffix of a file that is still being made.
const partial = ".part"

// forget removes the bytes of a run.
func (s *Service) forget(run string) error {
	for _, name := range []string{s.path(run), s.path(run) + partial} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return s.unspooled(err)
		}
	}
	return nil
}

// spooled lists the runs whose bytes are in the spool.
func (s *Service) spooled() ([]string, error) {
	entries, err := os.ReadDir(s.cfg.Spool)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, s.unspooled(err)
	}
	var out []string
	for _, e := range entries {
		if name := strings.TrimSuffix(e.Name(), partial); len(name) == 32 {
			out = append(out, name)
		}
	}
	return out, nil
}
