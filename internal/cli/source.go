package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/spf13/pflag"

	"headrace/internal/app"
	"headrace/internal/connect/format"
	"headrace/internal/connect/source/file"
	"headrace/internal/core/fault"
	"headrace/internal/flow/importset"
)

// sourceFlags say how the bytes of a source are read.
type sourceFlags struct {
	format  string
	options map[string]string
	sugar   map[string]*string
}

func (s *sourceFlags) add(f *pflag.FlagSet) {
	f.StringVar(&s.format, "format", "", "csv, json, xml or xlsx (default: found from the content)")
	f.StringToStringVar(&s.options, "option", nil, "an option of the format, `NAME=VALUE`, any number of times")
	s.sugar = map[string]*string{}
	for name, help := range map[string]string{"sheet": "short for --option sheet=...", "path": "short for --option path=...",
		"delimiter": "short for --option delimiter=...", "charset": "short for --option charset=..."} {
		s.sugar[name] = f.String(name, "", help)
	}
}

func (s *sourceFlags) given() format.Options {
	o := format.Options{}
	for name, value := range s.options {
		o[name] = value
	}
	for name, value := range s.sugar {
		if *value != "" {
			o[name] = *value
		}
	}
	return o
}

// input is an open source: what the product reads, and how far it has read.
type input struct {
	importset.Source
	read  atomic.Int64 // bytes, of the reading under way
	spool string       // copy of what can be read only once
}

// openInput finds the source that an argument names: a path, or - for standard input.
func (c *console) openInput(ctx context.Context, name string, flags *sourceFlags) (*input, error) {
	return c.openNamed(ctx, name, flags.format, flags.given())
}

func (c *console) openNamed(ctx context.Context, name, formatName string, options format.Options) (*input, error) {
	if scheme, _, found := strings.Cut(name, "://"); found {
		return nil, fault.New(fault.Invalid, "sources at %s:// cannot be read yet", scheme).
			WithHint("fetch it first and give the path, or pipe it in: ... | headrace import -")
	}
	in := &input{Source: importset.Source{Name: name, Options: options}}
	if name != file.Stdin {
		in.Name = filepath.Clean(name)
	}
	if err := in.locate(ctx, c.in); err != nil {
		return nil, err
	}
	if err := in.Recognise(ctx, formatName, app.Formats()); err != nil {
		in.close()
		return nil, err
	}
	return in, nil
}

// locate settles where the bytes come from. What can be read only once is copied into a temporary file, because looking
// at it and importing it are two readings.
func (in *input) locate(ctx context.Context, stdin io.Reader) error {
	from := file.Source{Path: in.Name, Input: stdin}
	r, meta, err := from.Open(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	in.Size = meta.Size
	if !meta.Again {
		if in.spool, in.Size, err = spool(r); err != nil {
			return err
		}
		from = file.Source{Path: in.spool}
	}
	in.Open = func(ctx context.Context) (io.ReadCloser, error) {
		r, _, err := from.Open(ctx)
		if err != nil {
			return nil, err
		}
		in.read.Store(0)
		return &counted{ReadCloser: r, n: &in.read}, nil
	}
	return nil
}

func spool(r io.Reader) (path string, size int64, err error) {
	f, err := os.CreateTemp("", "headrace-input-*")
	if err != nil {
		return "", 0, fault.Wrap(fault.Unavailable, err, "there is no room for a temporary file").WithHint("TMPDIR names another folder")
	}
	size, err = io.Copy(f, r)
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err != nil {
		err = errors.Join(err, os.Remove(f.Name()))
		return "", 0, fault.Wrap(fault.Unavailable, err, "the input cannot be copied to a temporary file").WithHint("TMPDIR names another folder")
	}
	return f.Name(), size, nil
}

func (in *input) close() {
	if in.spool != "" {
		os.Remove(in.spool) // a temporary file: the system clears what is left
	}
}

// counted counts the bytes read, for the progress.
type counted struct {
	io.ReadCloser
	n *atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.n.Add(int64(n))
	return n, err
}
