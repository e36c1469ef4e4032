// Package file reads local files and standard input.
package file

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

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

// Info describes the file source.
func (Source) Info() source.Info {
	return source.Info{Name: "file", Label: "File", Options: []record.Field{
		{Name: "path", Label: "Path", Type: record.String, Mandatory: true, Help: "a local path, or - for standard input"},
	}}
}

// Open opens the file. A missing file is NotFound, one that may not be read Denied, a folder Invalid.
func (s Source) Open(ctx context.Context) (io.ReadCloser, source.Meta, error) {
	if err := ctx.Err(); err != nil {
		return nil, source.Meta{}, err
	}
	switch {
	case s.Path == "":
		return nil, source.Meta{}, fault.New(fault.Invalid, "no source is named").WithHint("give a path, or - for standard input")
	case s.Path == Stdin && s.Input == nil:
		return nil, source.Meta{}, fault.New(fault.Invalid, "there is no standard input here").WithHint("give a path")
	case s.Path == Stdin:
		return io.NopCloser(s.Input), source.Meta{Name: "standard input", Size: -1}, nil
	}
	f, err := os.Open(s.Path)
	if err != nil {
		return nil, source.Meta{}, openFault(s.Path, err)
	}
	st, err := f.Stat()
	if err == nil && st.IsDir() {
		err = fault.New(fault.Invalid, "%s is a folder", s.Path).WithHint("name one file in it")
	}
	if err != nil {
		return nil, source.Meta{}, errors.Join(err, f.Close())
	}
	m := source.Meta{Name: filepath.Base(s.Path), Size: -1}
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
