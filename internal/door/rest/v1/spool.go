package v1

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"headrace/internal/connect/format"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
)

// spool is the folder where uploads wait until their import is done, and where plans are kept.
type spool struct{ dir string }

// keepFor is how long files stay that nobody asked for again: uploads of runs that were never resumed, and plans.
const keepFor = 7 * 24 * time.Hour

func newSpool(dir string) (*spool, error) {
	for _, sub := range []string{"uploads", "plans"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, fault.Wrap(fault.Unavailable, err, "the spool folder %s cannot be made", dir).WithHint("--spool names another folder")
		}
	}
	return &spool{dir}, nil
}

// Sweep removes files of the spool that are older than a week, and answers kept for repeated calls after a day.
func (a *API) Sweep(ctx context.Context) error {
	now := time.Now()
	return errors.Join(a.keys.sweep(ctx), filepath.WalkDir(a.spool.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && now.Sub(info.ModTime()) > keepFor {
			err = os.Remove(path)
		}
		return err
	}))
}

// ofRun is where the source of a run lies until it is done.
func (s *spool) ofRun(run int64) string {
	return filepath.Join(s.dir, "uploads", fmt.Sprintf("run-%d", run))
}

// plan is where a plan and what is known of it lie.
func (s *spool) plan(id, suffix string) string { return filepath.Join(s.dir, "plans", id+suffix) }

// upload is a file that somebody sent.
type upload struct {
	name string // as the sender calls it
	path string
	size int64
	sum  string // SHA-256, in hex
	kept bool   // it belongs to a run now
}

// remove takes the file away. What is left over is swept up later.
func (u *upload) remove() { _ = os.Remove(u.path) }

// keep gives the file to a run.
func (u *upload) keep(path string) error {
	if err := os.Rename(u.path, path); err != nil {
		return fault.Wrap(fault.Unavailable, err, "the upload cannot be kept")
	}
	u.path, u.kept = path, true
	return nil
}

// source is the upload as an import reads it.
func (u *upload) source(ctx context.Context, named string, options format.Options, formats []format.Format) (importset.Source, error) {
	src := importset.Source{Name: u.name, Size: u.size, Options: options, Open: func(context.Context) (io.ReadCloser, error) {
		f, err := os.Open(u.path)
		if err != nil {
			return nil, fault.Wrap(fault.Unavailable, err, "the upload is gone")
		}
		return f, nil
	}}
	return src, src.Recognise(ctx, named, formats)
}

// receive takes an upload in: a multipart body with a file and parameters, or a body that is the file itself, with its
// name in Content-Disposition.
func (s *spool) receive(r *http.Request, most int64) (*upload, url.Values, error) {
	body := http.MaxBytesReader(nil, r.Body, most)
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil && r.Header.Get("Content-Type") != "" {
		return nil, nil, &statusError{http.StatusUnsupportedMediaType, fault.Wrap(fault.Invalid, err, "the Content-Type cannot be read")}
	}
	if kind != "multipart/form-data" {
		u, err := s.save(body, nameIn(r.Header.Get("Content-Disposition")))
		return u, nil, err
	}
	r.Body = body
	return s.multipart(r)
}

// most of the parameters of a form, in bytes each and in number
const (
	maxPart  = 1 << 20
	maxParts = 64
)

func (s *spool) multipart(r *http.Request) (u *upload, form url.Values, err error) {
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, nil, fault.Wrap(fault.Invalid, err, "the multipart body cannot be read")
	}
	form = url.Values{}
	defer func() {
		if err != nil && u != nil {
			u.remove()
			u = nil
		}
	}()
	for range maxParts {
		part, err := parts.NextPart()
		if err == io.EOF {
			if u == nil {
				return nil, nil, fault.New(fault.Invalid, "the body has no part named file")
			}
			return u, form, nil
		}
		if err != nil {
			return u, nil, unread(err)
		}
		switch name := part.FormName(); {
		case name == "file" && u != nil:
			return u, nil, fault.New(fault.Invalid, "the body has two files")
		case name == "file":
			if u, err = s.save(part, part.FileName()); err != nil {
				return nil, nil, err
			}
		default:
			text, err := io.ReadAll(io.LimitReader(part, maxPart+1))
			if err != nil {
				return u, nil, unread(err)
			}
			if len(text) > maxPart {
				return u, nil, fault.New(fault.Limit, "parameter %s is longer than %d bytes", record.Clip(name), maxPart)
			}
			form.Add(name, string(text))
		}
	}
	return u, nil, fault.New(fault.Limit, "the body has more than %d parts", maxParts)
}

// save copies bytes into the spool.
func (s *spool) save(from io.Reader, name string) (*upload, error) {
	f, err := os.CreateTemp(filepath.Join(s.dir, "uploads"), "upload-*")
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "there is no room for the upload")
	}
	u := &upload{name: safeName(name), path: f.Name()}
	sum := sha256.New()
	reader := &noted{r: from}
	u.size, err = io.Copy(io.MultiWriter(f, sum), reader)
	if closing := f.Close(); err == nil {
		err = closing
	}
	u.sum = hex.EncodeToString(sum.Sum(nil))
	switch {
	case reader.err != nil:
		err = unread(reader.err)
	case err != nil:
		err = fault.Wrap(fault.Unavailable, err, "the upload cannot be kept")
	}
	if err != nil {
		u.remove()
		return nil, err
	}
	return u, nil
}

// noted remembers the error of a reader, to tell it from one of the disk.
type noted struct {
	r   io.Reader
	err error
}

func (n *noted) Read(p []byte) (int, error) {
	k, err := n.r.Read(p)
	if err != nil && err != io.EOF {
		n.err = err
	}
	return k, err
}

func nameIn(disposition string) string {
	_, params, err := mime.ParseMediaType(disposition)
	if err != nil {
		return ""
	}
	return params["filename"]
}

// safeName is a name without a path and without what drives a terminal.
func safeName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '�' {
			return -1
		}
		return r
	}, name)
	name = filepath.Base(strings.ReplaceAll(name, `\`, "/"))
	if name == "." || name == "/" || name == ".." {
		return "upload"
	}
	return shortened(name)
}

// shortened keeps the end of a name, where its suffix is.
func shortened(name string) string {
	const most = 200
	if r := []rune(name); len(r) > most {
		return string(r[len(r)-most:])
	}
	return name
}
