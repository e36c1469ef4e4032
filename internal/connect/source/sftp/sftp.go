// Package sftp reads, leaves and moves files on SFTP servers. A server is known by the fingerprint of its host key, which
// somebody has approved; without one nothing is sent to it.
package sftp

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"

	"github.com/pkg/sftp"

	"headrace/internal/connect/format"
	"headrace/internal/connect/source"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// Kind is the SFTP server as a source.
func Kind() source.Kind {
	info := source.Info{Name: "sftp", Label: "SFTP", Schemes: []string{"sftp"}, Options: []record.Field{
		{Name: "host_key", Label: "Host key", Type: record.String, Help: "the approved fingerprint of the server, SHA256:...; several with spaces between, while it changes its key"},
		{Name: "algorithms", Label: "Algorithms", Type: record.Choice, Default: "secure", Choices: format.Choices("secure", "old"),
			Help: "secure, or old: also ciphers that are not safe any more, for servers that know no others"},
		{Name: "connect_timeout", Label: "Connect time-out", Type: record.String, Default: "15s", Help: "a duration such as 15s, for the connection and the login"},
		{Name: "timeout", Label: "Time-out", Type: record.String, Default: "60s", Help: "a duration such as 60s, after which a server that sends nothing is given up"},
	}}
	return source.Kind{Info: info, Files: func(a source.Address) (source.Files, error) {
		if err := a.Options.Check(info.Options); err != nil {
			return nil, err
		}
		return open(a)
	}}
}

// place is files of one folder of a server. It holds one session, made at the first use and again when it broke.
type place struct {
	source.Place
	to *server

	mu   sync.Mutex
	open *session
}

func open(a source.Address) (*place, error) {
	to, err := serverOf(a)
	if err != nil {
		return nil, err
	}
	at, err := source.PlaceOf(remote(source.PathOf(a.URL)))
	if err != nil {
		return nil, err
	}
	return &place{Place: at, to: to}, nil
}

// remote is a path as the server takes it: /~/in is the folder in of the user's own folder.
func remote(p string) string {
	if rest, ok := strings.CutPrefix(p, "/~/"); ok {
		return rest
	}
	return p
}

// Close makes place a source.Files: it ends the session.
func (p *place) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open == nil {
		return nil
	}
	p.open.close()
	p.open = nil
	return nil
}

// Warnings makes place a source.Warner.
func (p *place) Warnings() []string {
	if !p.to.old {
		return nil
	}
	return []string{p.to.name + ": ciphers that are not safe any more are allowed"}
}

// use gives the session for as long as the context lasts, after whose end it is broken off. The function must be called
// when the use is over.
func (p *place) use(ctx context.Context) (*session, func(), error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open != nil && p.open.ended() {
		p.open.close()
		p.open = nil
	}
	if p.open == nil {
		s, err := p.to.connect(ctx)
		if err != nil {
			return nil, nil, err
		}
		p.open = s
	}
	s := p.open
	stop := context.AfterFunc(ctx, s.breakOff)
	return s, func() {
		if !stop() {
			s.broken.Store(true)
		}
	}, nil
}

// List makes place a source.Files.
func (p *place) List(ctx context.Context) ([]source.File, error) {
	s, done, err := p.use(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	at := p.Place
	if at.One() {
		file := at.Path(at.Name)
		st, err := s.Stat(file)
		if err != nil {
			return nil, s.fault(ctx, file, err)
		}
		if !st.IsDir() {
			return []source.File{listed(file, st)}, nil
		}
		at = at.Inside()
	}
	return p.list(ctx, s, at)
}

func (p *place) list(ctx context.Context, s *session, at source.Place) ([]source.File, error) {
	folder := at.Folder
	if folder == "" {
		folder = "."
	}
	entries, err := s.ReadDirContext(ctx, folder)
	if err != nil {
		return nil, s.fault(ctx, folder, err)
	}
	var out []source.File
	for _, st := range entries {
		file := at.Path(st.Name())
		if !at.Takes(st.Name()) {
			continue
		}
		if st.Mode()&fs.ModeSymlink != 0 {
			st, err = s.Stat(file)
			if errors.Is(err, fs.ErrNotExist) {
				continue // a link to nowhere
			}
			if err != nil {
				return nil, s.fault(ctx, file, err)
			}
		}
		if st.Mode().IsRegular() {
			out = append(out, listed(file, st))
		}
	}
	return out, nil
}

func listed(at string, st fs.FileInfo) source.File {
	return source.File{Path: at, Size: st.Size(), Modified: st.ModTime().UTC()}
}

// outstanding is how many bytes are asked for at a time: 32 requests of the usual 32 KB, so that a long way to the server
// does not slow the reading down.
const outstanding = 1 << 20

// Open makes place a source.Files.
func (p *place) Open(ctx context.Context, f source.File, from int64) (io.ReadCloser, error) {
	s, done, err := p.use(ctx)
	if err != nil {
		return nil, err
	}
	file, err := s.Open(f.Path)
	if err != nil {
		defer done()
		return nil, s.fault(ctx, f.Path, err)
	}
	r := &reader{Reader: bufio.NewReaderSize(file, outstanding), file: file, done: done}
	still := func() error {
		st, err := file.Stat()
		if err != nil {
			return s.fault(ctx, f.Path, err)
		}
		return f.As(listed(f.Path, st))
	}
	err = still()
	if err == nil && from > 0 {
		_, err = file.Seek(from, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return source.Exactly(r, f, from, still, func(err error) error { return s.fault(ctx, f.Path, err) }), nil
}

// reader reads a file, with many requests on their way at a time.
type reader struct {
	io.Reader
	file *sftp.File
	once sync.Once
	done func()
}

// Close makes reader an io.ReadCloser. What the server says to it is of no use: the bytes read were counted.
func (r *reader) Close() error {
	r.once.Do(func() {
		_ = r.file.Close()
		r.done()
	})
	return nil
}

// Move makes place a source.Mover. A move whose answer was lost is found to be done.
func (p *place) Move(ctx context.Context, f source.File, to string) error {
	s, done, err := p.use(ctx)
	if err != nil {
		return err
	}
	defer done()
	to = remote(to)
	there, missing := s.Stat(to)
	st, err := s.Stat(f.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && missing == nil && f.As(listed(f.Path, there)) == nil:
		return nil
	case err != nil:
		return s.fault(ctx, f.Path, err)
	case missing == nil:
		return source.Exists(to)
	}
	if err := f.As(listed(f.Path, st)); err != nil {
		return err
	}
	if err := s.MkdirAll(path.Dir(to)); err != nil {
		return s.fault(ctx, path.Dir(to), err)
	}
	return s.fault(ctx, to, s.Rename(f.Path, to))
}

// Put makes place a source.Putter. What cannot be taken away any more after a broken connection has a name that marks it
// as unfinished.
func (p *place) Put(ctx context.Context, to string, r io.Reader, replace bool) error {
	s, done, err := p.use(ctx)
	if err != nil {
		return err
	}
	defer done()
	to = remote(to)
	if _, err := s.Stat(to); err == nil && !replace {
		return source.Exists(to)
	}
	if err := s.MkdirAll(path.Dir(to)); err != nil {
		return s.fault(ctx, path.Dir(to), err)
	}
	aside := source.Aside(to)
	err = s.write(aside, source.NewFeed(ctx, r))
	if err == nil {
		err = s.name(aside, to, replace)
	}
	if err != nil {
		_ = s.Remove(aside) // it may be gone, or out of reach
		return s.fault(ctx, to, err)
	}
	return nil
}

// write writes a new file and makes sure that the server has all of it.
func (s *session) write(at string, feed *source.Feed) error {
	f, err := s.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	_, err = f.ReadFromWithConcurrency(feed, 0)
	n, own := feed.End()
	if own != nil {
		err = own
	}
	if _, ok := s.HasExtension("fsync@openssh.com"); ok && err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	st, err := s.Stat(at)
	if err == nil && st.Size() != n {
		err = fault.New(fault.Unavailable, "%s: %d bytes were sent, the server holds %d", at, n, st.Size()).WithHint("try again")
	}
	return err
}

// name gives a file its name. Servers without posix-rename replace nothing, so the older file goes first there.
func (s *session) name(at, to string, replace bool) error {
	if !replace {
		return s.Rename(at, to)
	}
	if _, ok := s.HasExtension("posix-rename@openssh.com"); ok {
		return s.PosixRename(at, to)
	}
	if err := s.Rename(at, to); err == nil {
		return nil
	}
	if err := s.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return s.Rename(at, to)
}

// fault says what is wrong with a path; faults stay as they are, and no error none.
func (s *session) fault(ctx context.Context, at string, err error) error {
	var known *fault.Error
	at = s.who + ": " + at
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		s.broken.Store(true)
		return fault.Wrap(fault.Canceled, ctx.Err(), "%s: given up", at)
	case errors.As(err, &known):
		return err
	case errors.Is(err, fs.ErrNotExist):
		return fault.Wrap(fault.NotFound, err, "%s does not exist", at).WithHint("check the path as the server shows it to this user; /~/ is the user's own folder")
	case errors.Is(err, fs.ErrPermission):
		return fault.Wrap(fault.Denied, err, "%s is not allowed", at).WithHint("the operator of the server must give this user the right")
	case errors.Is(err, fs.ErrExist):
		return source.Exists(at)
	}
	var answer *sftp.StatusError
	if !errors.As(err, &answer) {
		s.broken.Store(true)
	}
	return fault.Wrap(fault.Unavailable, err, "%s: the server or the connection failed", at).WithHint("try again; if it stays so, ask the operator of the server")
}
