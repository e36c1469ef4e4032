package datasource

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"headrace/internal/connect/format"
	"headrace/internal/connect/source"
	"headrace/internal/core/fault"
)

// copied is a file as it was fetched: whole, and known by its content.
type copied struct {
	path string
	size int64
	sum  string // SHA-256, in hex
}

// How often a transfer that breaks off is taken up again without a byte in between, and how often a file that changes
// meanwhile is fetched anew.
const (
	mostBreaks  = 5
	mostChanges = 3
	firstWait   = 500 * time.Millisecond
	longestWait = 30 * time.Second
)

// identity tells a file as it was listed from another of its name; "" when the listing shows too little for that.
func identity(f source.File) string {
	if f.Version == "" && f.Modified.IsZero() {
		return ""
	}
	return strconv.FormatInt(f.Size, 10) + " " + stamp(f.Modified) + " " + f.Version
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// parseStamp reads what stamp wrote.
func parseStamp(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}
	}
	return t
}

// spoolPath is where a file is copied to. The same file, as it was listed, has the same place, so that a copy that was
// cut off by the end of the process goes on.
func (s *Service) spoolPath(of string, f source.File) (string, error) {
	if err := os.MkdirAll(s.Spool, 0o700); err != nil {
		return "", fault.Wrap(fault.Unavailable, err, "the folder for fetched files cannot be made")
	}
	sum := sha256.Sum256([]byte(of + "\x00" + f.Path + "\x00" + identity(f)))
	return filepath.Join(s.Spool, hex.EncodeToString(sum[:12])+"-"+suffixes(f.Path)), nil
}

// suffixes is the end of a file's name by which its format is guessed.
func suffixes(name string) string {
	base := path.Base(name)
	if len(base) > 60 {
		base = base[len(base)-60:]
	}
	return strings.Map(func(r rune) rune {
		if r == '.' || r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, base)
}

// fetch copies a file, going on where a transfer broke off. The file is as a listing shows it before and after, or it is
// fetched anew; it gives the file as it was then.
func (s *Service) fetch(ctx context.Context, files source.Files, of string, f source.File, options format.Options) (*copied, source.File, error) {
	var cut error
	for range mostChanges {
		c, broke, err := s.copy(ctx, files, of, f)
		if cut = broke; err != nil && fault.KindOf(err) != fault.Conflict {
			return nil, f, err
		}
		now, listing := relist(ctx, files, f.Path)
		if listing != nil {
			return nil, f, listing
		}
		if err == nil && unchanged(now, f) {
			return c, f, c.whole(options)
		}
		if c != nil {
			err = os.Remove(c.path)
		}
		f = now
		if err != nil && fault.KindOf(err) != fault.Conflict {
			return nil, f, err
		}
	}
	if cut != nil && identity(f) == "" { // whether it has changed nobody knows: it could not go on where it broke off
		return nil, f, cut
	}
	return nil, f, fault.New(fault.Unavailable, "%s changes while it is fetched", f.Path).
		WithHint("it is still being written: set ready to control or quiet, or try again later")
}

// relist finds a file as it is now.
func relist(ctx context.Context, files source.Files, path string) (source.File, error) {
	all, err := files.List(ctx)
	if err != nil {
		return source.File{}, err
	}
	i := slices.IndexFunc(all, func(f source.File) bool { return f.Path == path })
	if i < 0 {
		return source.File{}, fault.New(fault.Unavailable, "%s went away while it was fetched", path).WithHint("somebody has taken or renamed it")
	}
	return all[i], nil
}

// unchanged reports whether two listings show the same file.
func unchanged(a, b source.File) bool {
	return a.Path == b.Path && a.Size == b.Size && a.Version == b.Version && a.Modified.Equal(b.Modified)
}

// copy fetches a file into its place in the spool. It tells the error of the last attempt that broke off, too.
func (s *Service) copy(ctx context.Context, files source.Files, of string, f source.File) (c *copied, broke, err error) {
	path, err := s.spoolPath(of, f)
	if err != nil {
		return nil, nil, err
	}
	if identity(f) == "" { // what lies there may be of another file
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, nil, unspooled(err)
		}
	}
	breaks, have := 0, int64(0)
	for {
		before := have
		if have, err = s.pull(ctx, files, f, path); err == nil {
			c, err = digest(path)
			return c, broke, err
		}
		if fault.KindOf(err) == fault.Conflict {
			return nil, broke, errors.Join(err, ignoreMissing(os.Remove(path)))
		}
		broke = err
		if breaks++; have > before {
			breaks = 1
		}
		if fault.KindOf(err) != fault.Unavailable || ctx.Err() != nil || breaks >= mostBreaks {
			return nil, broke, err
		}
		if waiting := s.Wait(ctx, min(firstWait<<(breaks-1), longestWait)); waiting != nil {
			return nil, broke, waiting
		}
	}
}

func ignoreMissing(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

func unspooled(err error) error {
	return fault.Wrap(fault.Unavailable, err, "what is fetched cannot be kept: %v", err).WithHint("is the disk full?")
}

// pull makes one attempt: from what is there to the end. It tells how many bytes are there then.
func (s *Service) pull(ctx context.Context, files source.Files, f source.File, path string) (have int64, err error) {
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return 0, unspooled(err)
	}
	defer func() {
		if closing := out.Close(); err == nil && closing != nil {
			err = unspooled(closing)
		}
	}()
	at, err := out.Stat()
	if err != nil {
		return 0, unspooled(err)
	}
	have = at.Size()
	if f.Size >= 0 && have > f.Size {
		return have, fault.New(fault.Conflict, "%s is shorter than what was fetched of it", f.Path)
	}
	if f.Size >= 0 && have == f.Size && have > 0 {
		return have, nil
	}
	r, err := files.Open(ctx, f, have)
	if err != nil {
		return have, err
	}
	defer r.Close()
	n, err := io.Copy(writing{out}, r)
	have += n
	var disk *diskError
	switch {
	case errors.As(err, &disk):
		return have, unspooled(disk.error)
	case err != nil && fault.KindOf(err) == fault.Internal:
		return have, fault.Wrap(fault.Unavailable, err, "%s broke off after %d bytes", f.Path, have)
	case err != nil:
		return have, err
	case f.Size >= 0 && have < f.Size:
		return have, fault.New(fault.Unavailable, "%s ended after %d of %d bytes", f.Path, have, f.Size)
	case f.Size >= 0 && have > f.Size:
		return have, fault.New(fault.Conflict, "%s has more than the %d bytes it was listed with", f.Path, f.Size)
	}
	return have, nil
}

// writing tells errors of the disk from those of the source.
type writing struct{ to io.Writer }

type diskError struct{ error }

func (w writing) Write(p []byte) (int, error) {
	n, err := w.to.Write(p)
	if err != nil {
		err = &diskError{err}
	}
	return n, err
}

// digest reads a file for its hash.
func digest(path string) (*copied, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, unspooled(err)
	}
	defer f.Close()
	sum := sha256.New()
	n, err := io.CopyBuffer(struct{ io.Writer }{sum}, f, make([]byte, 1<<20))
	if err != nil {
		return nil, unspooled(err)
	}
	return &copied{path: path, size: n, sum: hex.EncodeToString(sum.Sum(nil))}, nil
}

// whole reads what is packed to its end: a file that was cut off while it was uploaded shows so before anything of it is
// imported.
func (c *copied) whole(options format.Options) error {
	f, err := os.Open(c.path)
	if err != nil {
		return unspooled(err)
	}
	defer f.Close()
	head := make([]byte, 2)
	if _, err := io.ReadFull(f, head); err != nil || head[0] != 0x1f || head[1] != 0x8b {
		return nil // shorter than that, or not packed
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return unspooled(err)
	}
	r, err := format.Unpack(f, options)
	if err == nil {
		_, err = io.Copy(io.Discard, r)
	}
	return fault.During("checking that the file is whole", err)
}

// open reads the copy.
func (c *copied) open(context.Context) (io.ReadCloser, error) {
	f, err := os.Open(c.path)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the copy of the file is gone")
	}
	return f, nil
}

// remove takes the copy away. What is left over is overwritten the next time, or swept up.
func (c *copied) remove() { _ = os.Remove(c.path) }
