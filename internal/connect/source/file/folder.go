package file

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"headrace/internal/connect/source"
	"headrace/internal/core/fault"
)

// Kind is the local file or folder as a source: a path, or a file: URL, whose last part may be a pattern. Paths that do
// not begin with a slash start at the working folder.
func Kind() source.Kind {
	info := source.Info{Name: "file", Label: "File or folder", Schemes: []string{"file"}}
	return source.Kind{Info: info, Files: func(a source.Address) (source.Files, error) {
		if err := a.Options.Check(info.Options); err != nil {
			return nil, err
		}
		return NewFolder(a)
	}}
}

// Folder is a local file, or files of one folder.
type Folder struct{ place source.Place }

// NewFolder makes a Folder of a path or a file: URL.
func NewFolder(a source.Address) (*Folder, error) {
	if a.URL.Host != "" && a.URL.Host != "localhost" {
		return nil, fault.New(fault.Invalid, "the files of %s are not local", a.URL.Host).WithHint("a local path has three slashes, file:///in/*.csv; those of another machine are reached by sftp:")
	}
	at := source.PathOf(a.URL)
	if at == "" {
		return nil, fault.New(fault.Invalid, "no file is named").WithHint("give a path, such as in/*.csv")
	}
	place, err := source.PlaceOf(at)
	if err != nil {
		return nil, err
	}
	return &Folder{place}, nil
}

// Close makes Folder a source.Files; there is nothing to close.
func (*Folder) Close() error { return nil }

// List makes Folder a source.Files. The path of a folder means the files in it.
func (f *Folder) List(ctx context.Context) ([]source.File, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	place := f.place
	if place.One() {
		at := place.Path(place.Name)
		st, err := os.Stat(at)
		if err != nil {
			return nil, openFault(at, err)
		}
		if !st.IsDir() {
			return []source.File{listed(at, st)}, nil
		}
		place = place.Inside()
	}
	return list(ctx, place)
}

func list(ctx context.Context, place source.Place) ([]source.File, error) {
	folder := place.Folder
	if folder == "" {
		folder = "."
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, openFault(folder, err)
	}
	var out []source.File
	for _, e := range entries {
		if !place.Takes(e.Name()) {
			continue
		}
		at := place.Path(e.Name())
		st, err := os.Stat(at)
		switch {
		case errors.Is(err, fs.ErrNotExist): // it went meanwhile, or is a link to nowhere
		case err != nil:
			return nil, openFault(at, err)
		case st.Mode().IsRegular():
			out = append(out, listed(at, st))
		}
	}
	return out, ctx.Err()
}

func listed(at string, st fs.FileInfo) source.File {
	if !st.Mode().IsRegular() {
		return source.File{Path: at, Size: -1}
	}
	return source.File{Path: at, Size: st.Size(), Modified: st.ModTime()}
}

// Open makes Folder a source.Files.
func (*Folder) Open(ctx context.Context, f source.File, from int64) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	opened, err := os.Open(f.Path)
	if err != nil {
		return nil, openFault(f.Path, err)
	}
	still := func() error {
		st, err := opened.Stat()
		if err != nil {
			return openFault(f.Path, err)
		}
		return f.As(listed(f.Path, st))
	}
	err = still()
	if err == nil && from > 0 {
		_, err = opened.Seek(from, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	r := struct {
		io.Reader
		io.Closer
	}{source.NewFeed(ctx, opened), opened}
	return source.Exactly(r, f, from, still, func(err error) error { return readFault(f.Path, err) }), nil
}

func readFault(at string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fault.Wrap(fault.Canceled, err, "%s: given up", at)
	}
	return fault.Wrap(fault.Unavailable, err, "%s cannot be read", at).WithHint("check the disk, or try again")
}

// Move makes Folder a source.Mover. A move that was broken off is brought to its end.
func (f *Folder) Move(ctx context.Context, file source.File, to string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	there, missing := os.Stat(to)
	st, err := os.Stat(file.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && missing == nil && file.As(listed(file.Path, there)) == nil:
		return nil
	case err != nil:
		return openFault(file.Path, err)
	case missing == nil && os.SameFile(st, there):
		return diskFault(file.Path, os.Remove(file.Path))
	}
	if err := file.As(listed(file.Path, st)); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		return diskFault(to, err)
	}
	err = name(file.Path, to, false)
	if !errors.Is(err, syscall.EXDEV) {
		return diskFault(to, err)
	}
	return f.carry(ctx, file, to)
}

// carry moves a file to another disk.
func (f *Folder) carry(ctx context.Context, file source.File, to string) error {
	r, err := f.Open(ctx, file, 0)
	if err != nil {
		return err
	}
	err = f.Put(ctx, to, r, false)
	if err := errors.Join(err, r.Close()); err != nil {
		return err
	}
	return diskFault(file.Path, os.Remove(file.Path))
}

// Put makes Folder a source.Putter. The folder of the file is made when it is missing.
func (*Folder) Put(ctx context.Context, to string, r io.Reader, replace bool) error {
	if _, err := os.Lstat(to); err == nil && !replace {
		return source.Exists(to)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		return diskFault(to, err)
	}
	aside := source.Aside(to)
	err := write(aside, source.NewFeed(ctx, r))
	if err == nil {
		err = name(aside, to, replace)
	}
	if err != nil {
		if gone := os.Remove(aside); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
		return diskFault(to, err)
	}
	return diskFault(to, syncFolder(filepath.Dir(to)))
}

func write(at string, feed *source.Feed) error {
	f, err := os.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, feed)
	if _, own := feed.End(); own != nil {
		err = own
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// name gives a file another name. A file of that name is replaced, or stays: then a link is made first, which only one can
// make. Disks that know no links get a look beforehand instead.
func name(at, to string, replace bool) error {
	if replace {
		return os.Rename(at, to)
	}
	err := os.Link(at, to)
	switch {
	case err == nil:
		return os.Remove(at)
	case errors.Is(err, fs.ErrExist):
		return source.Exists(to)
	}
	if _, err := os.Lstat(to); err == nil {
		return source.Exists(to)
	}
	return os.Rename(at, to)
}

// syncFolder makes a new name last. Some disks do not offer it for folders, which is no reason to fail.
func syncFolder(folder string) error {
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return errors.Join(err, d.Close())
	}
	return d.Close()
}

// diskFault says what is wrong with a file that is read or written; faults stay as they are, and no error none.
func diskFault(at string, err error) error {
	var f *fault.Error
	switch {
	case err == nil || errors.As(err, &f) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fault.Wrap(fault.Unavailable, err, "there is no room for %s", at).WithHint("free space on that disk")
	case errors.Is(err, fs.ErrPermission):
		return fault.Wrap(fault.Denied, err, "%s may not be written", at).WithHint("check the permissions of the folder, and the user that this runs as")
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR):
		return fault.Wrap(fault.Invalid, err, "%s is not in a folder", at).WithHint("a part of the path is a file")
	}
	return fault.Wrap(fault.Unavailable, err, "%s cannot be written", at).WithHint("check the disk, or try again")
}
