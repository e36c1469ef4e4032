package source

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/url"
	"path"
	"strings"
	"sync"

	"headrace/internal/core/fault"
)

// Place is what an address says of files: a folder, and which of its files are meant.
type Place struct {
	Folder string // with slashes, without one at the end; "" is where the place begins
	Name   string // a file's name, or a pattern; "" is every file
}

// PathOf is the path of an address with what an URL takes for a query or a fragment: where files are meant, a question
// mark stands for any character. A password that a query holds is nothing that a path could show.
func PathOf(u *url.URL) string {
	p := u.Path
	if u.RawQuery != "" || u.ForceQuery {
		p += "?" + u.RawQuery
	}
	if u.Fragment != "" {
		p += "#" + u.Fragment
	}
	return p
}

// PlaceOf splits a path into its folder and what is meant there. A pattern is allowed in the last part only, with the
// signs * (any characters), ? (one) and [a-z] (one of these); the fault is of kind Invalid.
func PlaceOf(p string) (Place, error) {
	folder, name := path.Split(p)
	if folder != "/" {
		folder = strings.TrimSuffix(folder, "/")
	}
	if _, err := path.Match(name, ""); err != nil {
		return Place{}, fault.New(fault.Invalid, "%q is no pattern of files", name).WithHint("signs of patterns are *, ? and [a-z]; a bracket must be closed")
	}
	if isPattern(folder) {
		return Place{}, fault.New(fault.Invalid, "the folder %q holds signs of a pattern", folder).WithHint("only the last part of an address may be a pattern")
	}
	return Place{Folder: folder, Name: name}, nil
}

func isPattern(s string) bool { return strings.ContainsAny(s, "*?[") }

// One reports whether one file is meant by its name. Such a file is taken whatever it is called.
func (p Place) One() bool { return p.Name != "" && !isPattern(p.Name) }

// Path is that of a file of the folder.
func (p Place) Path(name string) string {
	switch {
	case p.Folder == "":
		return name
	case strings.HasSuffix(p.Folder, "/"):
		return p.Folder + name
	}
	return p.Folder + "/" + name
}

// Inside is the place of all files of the folder that the place names.
func (p Place) Inside() Place { return Place{Folder: p.Path(p.Name)} }

// Takes reports whether a file of the folder is meant.
func (p Place) Takes(name string) bool {
	if p.One() {
		return name == p.Name
	}
	if Unfinished(name) {
		return false
	}
	ok, err := path.Match(p.Name, name)
	return p.Name == "" || ok && err == nil
}

// Unfinished reports whether a name is one that programs give to files while they write them.
func Unfinished(name string) bool {
	if strings.HasPrefix(name, ".") {
		return true
	}
	switch strings.ToLower(path.Ext(name)) {
	case ".tmp", ".part", ".partial", ".filepart":
		return true
	}
	return false
}

// Aside is a name under which a file is written before it gets its own: in the same folder, unfinished to everybody, and
// another one at each call, so that two who write the same file do not meet.
func Aside(p string) string {
	folder, name := path.Split(p)
	return folder + "." + name + "." + strings.ToLower(rand.Text()[:10]) + ".part"
}

// As tells whether a file is still the one that was listed; it is a fault of kind Conflict when it is not. What either
// does not know is not compared.
func (f File) As(now File) error {
	switch {
	case f.Size >= 0 && now.Size >= 0 && f.Size != now.Size:
	case !f.Modified.IsZero() && !now.Modified.IsZero() && !f.Modified.Equal(now.Modified):
	case f.Version != "" && now.Version != "" && f.Version != now.Version:
	default:
		return nil
	}
	return Changed(f.Path)
}

// Changed is the fault of a file that is not any more as it was listed.
func Changed(p string) error {
	return fault.New(fault.Conflict, "%s has changed since it was listed", p).
		WithHint("somebody writes it: list it again, and have it written aside and renamed when whole")
}

// Exactly gives the bytes of r that a file has from byte from on, no fewer and no more: fewer are a fault of kind
// Unavailable, more one of kind Conflict. At the end still tells whether the file is as it was; it may be nil. Other
// errors go through wrap.
func Exactly(r io.ReadCloser, f File, from int64, still func() error, wrap func(error) error) io.ReadCloser {
	return &exact{ReadCloser: r, file: f, at: from, still: still, wrap: wrap}
}

type exact struct {
	io.ReadCloser
	file  File
	at    int64
	still func() error
	wrap  func(error) error
	err   error
}

// Read makes exact an io.Reader. What it found wrong it says again.
func (e *exact) Read(p []byte) (int, error) {
	if e.err != nil {
		return 0, e.err
	}
	n, err := e.ReadCloser.Read(p)
	e.at += int64(n)
	switch {
	case e.file.Size >= 0 && e.at > e.file.Size:
		e.err = Changed(e.file.Path)
	case err == io.EOF:
		e.err = e.end()
	case err != nil:
		e.err = e.wrap(err)
	}
	return n, e.err
}

func (e *exact) end() error {
	if e.still != nil {
		if err := e.still(); err != nil {
			return err
		}
	}
	if e.at < e.file.Size {
		return fault.New(fault.Unavailable, "%s ends after %d of %d bytes", e.file.Path, e.at, e.file.Size).WithHint("the connection may have been cut: try again")
	}
	return io.EOF
}

// Feed is what a Put reads from. It ends with the context, counts, and keeps apart what went wrong with the reading, which
// is no fault of the place. Some libraries go on reading for a while after they have given up, so a Put ends its Feed.
type Feed struct {
	ctx context.Context

	mu  sync.Mutex
	r   io.Reader
	n   int64
	err error
}

// NewFeed makes a Feed of a reader.
func NewFeed(ctx context.Context, r io.Reader) *Feed { return &Feed{ctx: ctx, r: r} }

// Read makes Feed an io.Reader.
func (f *Feed) Read(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.r == nil {
		return 0, io.ErrClosedPipe
	}
	if err := f.ctx.Err(); err != nil {
		f.err = err
		return 0, err
	}
	n, err := f.r.Read(p)
	f.n += int64(n)
	if err == nil || err == io.EOF {
		return n, err
	}
	// Some libraries take an unexpected end for an end, so it may not be seen as one.
	f.err = err
	return n, fmt.Errorf("reading what is to be put: %w", err)
}

// End lets go of the reader: a read in hand is waited for. It gives how many bytes were read, and what went wrong with the
// reader itself.
func (f *Feed) End() (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.r = nil
	return f.n, f.err
}

// Size is how many bytes a reader has left, when it can tell, else -1.
func Size(r io.Reader) int64 {
	s, ok := r.(io.Seeker)
	if !ok {
		return -1
	}
	at, err := s.Seek(0, io.SeekCurrent)
	if err != nil {
		return -1
	}
	end, err := s.Seek(0, io.SeekEnd)
	if err != nil {
		return -1
	}
	if _, err := s.Seek(at, io.SeekStart); err != nil {
		return -1
	}
	return end - at
}

// Exists is the fault of a file that would have to be written over.
func Exists(p string) error {
	return fault.New(fault.Conflict, "%s exists already", p).WithHint("give another name, put the older file away, or allow that it is replaced")
}

// Warner is a source that has something to say before it is used: that a connection is not encrypted, say.
type Warner interface {
	// Warnings are sentences for people; none is the best case.
	Warnings() []string
}
