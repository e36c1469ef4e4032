// Package file reads local files and standard input.
package file

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"headrace/internal/connect/source"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// Stdin is the path that stands for standard input.
const Stdin = "-"

// Source is one local file, or Input when Path is Stdin.
type Source struct {
	Path  string
	Input io.Reader // standard input; may be nil when Path is a file
}

// Meta is what is known of bytes before they are read.
type Meta struct {
	Name     string    // for people and for the suffix: "servers.csv", "standard input"
	Size     int64     // bytes, -1 when not known
	Modified time.Time // zero when not known
	Again    bool      // Open may be called once more and reads the same bytes, unless they change meanwhile
}

// Info describes the file source.
func (Source) Info() source.Info {
	return source.Info{Name: "file", Label: "File", Options: []record.Field{
		{Name: "path", Label: "Path", Type: record.String, Mandatory: true, Help: "a local path, or - for standard input"},
	}}
}

// Open opens the file. A missing file is NotFound, one that may not be read Denied, a folder Invalid.
func (s Source) Open(ctx context.Context) (io.ReadCloser, Meta, error) {
	if err := ctx.Err(); err != nil {
		return nil, Meta{}, err
	}
	switch {
	case s.Path == "":
		return nil, Meta{}, fault.New(fault.Invalid, "no source is named").WithHint("give a path, or - for standard input")
	case s.Path == Stdin && s.Input == nil:
		return nil, Meta{}, fault.New(fault.Invalid, "there is no standard input here").WithHint("give a path")
	case s.Path == Stdin:
		return io.NopCloser(s.Input), Meta{Name: "standard input", Size: -1}, nil
	}
	f, err := os.Open(s.Path)
	if err != nil {
		return nil, Meta{}, openFault(s.Path, err)
	}
	st, err := f.Stat()
	if err == nil && st.IsDir() {
		err = fault.New(fault.Invalid, "%s is a folder", s.Path).WithHint("name one file in it")
	}
	if err != nil {
		return nil, Meta{}, errors.Join(err, f.Close())
	}
	m := Meta{Name: filepath.Base(s.Path), Size: -1}
	if st.Mode().IsRegular() {
		m.Size, m.Modified, m.Again = st.Size(), st.ModTime(), true
	}
	return f, m, nil
}

func openFault(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fault.Wrap(fault.NotFound, err, "%s does not exist", path).WithHint("check the path; relative paths start at %s", workingFolder())
	case errors.Is(err, fs.ErrPermission):
		return fault.Wrap(fault.Denied, err, "%s may not be read", path).WithHint("check the permissions of the file and of the folders above it")
	}
	return fault.Wrap(fault.Unavailable, err, "%s cannot be opened", path)
}

func workingFolder() string {
	if dir, err := os.Getwd(); err == nil {
		return dir
	}
	return "the working folder"
}
