package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"headrace/internal/app"
	"headrace/internal/connect/format"
	"headrace/internal/connect/source/file"
	"headrace/internal/core/fault"
	"headrace/internal/flow/importset"
	"headrace/internal/flow/importset/datasource"
)

// sourceFlags say how a source is read, and who asks for it.
type sourceFlags struct {
	format           string
	options          map[string]string
	sugar            map[string]*string
	user, credential string
}

// sourcePasswordVariable holds the password for a source: one on the command line could be seen by others on the machine.
const sourcePasswordVariable = "HEADRACE_SOURCE_PASSWORD"

func (s *sourceFlags) add(f *pflag.FlagSet) {
	f.StringVar(&s.format, "format", "", "csv, json, xml or xlsx (default: found from the content)")
	f.StringToStringVar(&s.options, "option", nil, "an option of the source or of its format, `NAME=VALUE`, any number of times")
	f.StringVar(&s.user, "user", "", "who asks at an address, `NAME`; the password comes from "+sourcePasswordVariable+", the terminal or the address")
	f.StringVar(&s.credential, "credential", "", "the `NAME` of a saved credential for an address")
	s.sugar = map[string]*string{}
	for name, help := range map[string]string{"sheet": "short for --option sheet=...", "path": "short for --option path=...",
		"delimiter": "short for --option delimiter=...", "charset": "short for --option charset=...",
		"table": "of a database, short for --option table=...", "query": "of a database, short for --option query=..."} {
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
	read   atomic.Int64       // bytes, of the reading under way
	spool  string             // copy of what can be read only once
	opened *datasource.Opened // what is not a local path
}

// openInput finds the source that an argument names: a path, - for standard input, an address, or a saved data source.
func (c *console) openInput(ctx context.Context, a *app.App, name string, flags *sourceFlags) (*input, error) {
	if isPath(name) || !datasource.IsAddress(name) && unpathed(name) != nil && !saves(ctx, a, name) {
		return c.openPath(ctx, name, flags.format, flags.given())
	}
	given := datasource.Given{Options: flags.given(), Format: flags.format, User: flags.user, Credential: flags.credential,
		Notes: func(note string) { c.note("  %s", note) }}
	var err error
	if given.Password, err = c.sourcePassword(name, flags); err != nil {
		return nil, err
	}
	opened, err := a.Sources.Open(ctx, name, given)
	if err != nil {
		return nil, err
	}
	in := &input{Source: opened.Source, opened: opened}
	if in.Open != nil {
		in.counted(opened.Open)
	}
	return in, nil
}

// isPath reports whether an argument can only be a path.
func isPath(name string) bool {
	if datasource.IsAddress(name) {
		return false
	}
	return name == file.Stdin || strings.ContainsAny(name, `/\`) || unpathed(name) == nil
}

// unpathed is why nothing lies at a path.
func unpathed(name string) error {
	_, err := os.Stat(name)
	return err
}

// saves reports whether a data source of that name is saved. What cannot be asked for is said by whoever opens it.
func saves(ctx context.Context, a *app.App, name string) bool {
	names, err := a.Sources.Names(ctx)
	return err != nil || slices.Contains(names, name)
}

// sourcePassword finds the password of an address: in the environment, or asked for at a terminal where a user is named. "" leaves
// it to the address.
func (c *console) sourcePassword(name string, flags *sourceFlags) (string, error) {
	given, known := os.LookupEnv(sourcePasswordVariable)
	switch {
	case known && (datasource.IsAddress(name) || flags.user != ""):
		return given, nil
	case flags.user == "" || !isTerminal(c.in) || !isTerminal(c.err):
		return "", nil
	}
	fmt.Fprintf(c.err, "password of %s: ", flags.user)
	text, err := term.ReadPassword(int(c.in.(*os.File).Fd()))
	fmt.Fprintln(c.err)
	if err != nil {
		return "", fault.Wrap(fault.Invalid, err, "no password was given").WithHint("%s holds one", sourcePasswordVariable)
	}
	return string(text), nil
}

func (c *console) openPath(ctx context.Context, name, formatName string, options format.Options) (*input, error) {
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
	in.counted(func(ctx context.Context) (io.ReadCloser, error) {
		r, _, err := from.Open(ctx)
		return r, err
	})
	return nil
}

// counted makes open the way to the bytes, and counts them.
func (in *input) counted(open func(context.Context) (io.ReadCloser, error)) {
	in.Open = func(ctx context.Context) (io.ReadCloser, error) {
		r, err := open(ctx)
		if err != nil {
			return nil, err
		}
		in.read.Store(0)
		return &counted{ReadCloser: r, n: &in.read}, nil
	}
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
	if in.opened != nil {
		_ = in.opened.Close() // its copy lies in a folder that is swept
	}
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
