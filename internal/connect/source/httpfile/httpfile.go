// Package httpfile reads a file that a web server holds, and leaves one there.
package httpfile

import (
	"cmp"
	"context"
	"io"
	nethttp "net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"headrace/internal/connect/format"
	"headrace/internal/connect/source"
	"headrace/internal/connect/source/web"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// Kind is the file at an http: or https: address as a source.
func Kind() source.Kind {
	info := source.Info{Name: "http", Label: "File over HTTP", Schemes: []string{"https", "http"}, Options: append(web.Options(),
		record.Field{Name: "max_size", Label: "Largest file", Type: record.Integer, Default: "64GB", Help: "a file of more bytes is refused; sizes may end in KB, MB, GB or TB"},
		record.Field{Name: "method", Label: "Method of putting", Type: record.Choice, Default: "PUT", Choices: format.Choices("PUT", "POST"), Help: "how a file is left: PUT or POST"})}
	return source.Kind{Info: info, Files: func(a source.Address) (source.Files, error) {
		if err := a.Options.Check(info.Options); err != nil {
			return nil, err
		}
		return open(a)
	}}
}

// place is the one file that an address means.
type place struct {
	source.Address
	net  *web.Network
	at   *url.URL // without a user
	name string   // for people: neither user nor query, which may hold secrets
	most int64    // bytes
}

func open(a source.Address) (*place, error) {
	at := *a.URL
	if at.Host == "" {
		return nil, fault.New(fault.Invalid, "the address names no host").WithHint("write https://host/path/file.csv")
	}
	if strings.Contains(at.EscapedPath(), "*") {
		return nil, fault.New(fault.Invalid, "%s: web servers give no listing, so that a pattern means nothing", at.Host).
			WithHint("name one file; an asterisk that belongs to its name is written %%2A")
	}
	if at.User != nil {
		a.Secret.User = cmp.Or(a.Secret.User, at.User.Username())
	}
	at.User, at.Fragment = nil, ""
	at.Path = cmp.Or(at.Path, "/")
	net, err := web.New(a)
	if err != nil {
		return nil, err
	}
	return &place{Address: a, net: net, at: &at, name: shown(&at), most: a.Options.Size("max_size", 64<<30)}, nil
}

func shown(u *url.URL) string { return u.Scheme + "://" + u.Host + u.Path }

// Close makes place a source.Files.
func (p *place) Close() error {
	p.net.Close()
	return nil
}

// Warnings makes place a source.Warner.
func (p *place) Warnings() []string {
	if p.at.Scheme == "https" {
		return nil
	}
	out := []string{p.name + ": the connection is not encrypted, and nobody vouches for the server; use https: if it can"}
	if p.Grant != nil || p.Secret.Password != "" {
		out = append(out, p.name+": credentials are sent over it in the clear")
	}
	return out
}

// List makes place a source.Files: it gives the one file, as the server describes it.
func (p *place) List(ctx context.Context) ([]source.File, error) {
	a, err := p.describe(ctx)
	if err != nil {
		return nil, err
	}
	f := a.file(p.at.Path)
	if f.Size > p.most {
		return nil, p.tooLarge()
	}
	return []source.File{f}, a.Body.Close()
}

// describe asks for the headers of the file. Servers that do not do so, or not well, are asked for its first byte.
func (p *place) describe(ctx context.Context) (*answer, error) {
	a, err := p.ask(ctx, request{method: nethttp.MethodHead, at: p.at})
	switch {
	case err != nil:
		return nil, err
	case a.StatusCode == nethttp.StatusOK && a.ContentLength != 0:
		return a, nil
	case a.StatusCode == nethttp.StatusUnauthorized || a.StatusCode >= 500 && a.StatusCode != nethttp.StatusNotImplemented:
		return nil, a.fault(a.Body.Close())
	}
	if err := a.Body.Close(); err != nil {
		return nil, web.Fault(p.name, err)
	}
	a, err = p.ask(ctx, request{method: nethttp.MethodGet, at: p.at, header: nethttp.Header{"Range": {"bytes=0-0"}}})
	switch {
	case err != nil:
		return nil, err
	case a.StatusCode != nethttp.StatusOK && a.StatusCode != nethttp.StatusPartialContent && a.StatusCode != nethttp.StatusRequestedRangeNotSatisfiable:
		return nil, a.fault(a.Body.Close())
	}
	return a, nil
}

// Open makes place a source.Files.
func (p *place) Open(ctx context.Context, f source.File, from int64) (io.ReadCloser, error) {
	r := request{method: nethttp.MethodGet, at: p.at, header: nethttp.Header{}}
	validator := p.validator(f)
	switch {
	case from > 0 && f.Version == "" && f.Modified.IsZero():
		return nil, fault.New(fault.Conflict, "%s: the server does not say whether the file is still the same", p.name).WithHint("begin anew")
	case from > 0 && validator != "":
		r.header.Set("Range", "bytes="+strconv.FormatInt(from, 10)+"-")
		r.header.Set("If-Range", validator)
	}
	a, err := p.ask(ctx, r)
	if err != nil {
		return nil, err
	}
	body, err := p.body(a, f, from)
	if err != nil {
		return nil, withClose(err, a.Body.Close())
	}
	return body, nil
}

// validator is what a server is given so that it goes on with the same file only: a strong tag, or a date.
func (p *place) validator(f source.File) string {
	switch {
	case f.Version != "" && !strings.HasPrefix(f.Version, "W/"):
		return f.Version
	case !f.Modified.IsZero():
		return f.Modified.UTC().Format(nethttp.TimeFormat)
	}
	return ""
}

// body finds the bytes from byte from on in an answer.
func (p *place) body(a *answer, f source.File, from int64) (io.ReadCloser, error) {
	now := a.file(f.Path)
	skip := int64(0)
	switch a.StatusCode {
	case nethttp.StatusOK:
		skip = from
	case nethttp.StatusPartialContent:
		if a.start != from {
			return nil, fault.New(fault.Unavailable, "%s: asked for bytes from %d on, the server gives them from %d", p.name, from, a.start).WithHint("try again")
		}
	case nethttp.StatusRequestedRangeNotSatisfiable:
		if now.Size != from {
			return nil, source.Changed(f.Path)
		}
		return nethttp.NoBody, f.As(now)
	default:
		return nil, a.fault(nil)
	}
	if err := f.As(now); err != nil {
		return nil, err
	}
	if now.Size > p.most {
		return nil, p.tooLarge()
	}
	r, err := p.decoded(a)
	if err == nil && from == 0 {
		r, err = p.data(a, r)
	}
	if err != nil {
		return nil, err
	}
	if f.Size < 0 {
		f.Size = now.Size
	}
	if skip > 0 {
		if _, err := io.CopyN(io.Discard, r, skip); err != nil {
			return nil, web.Fault(p.name, err)
		}
	}
	return source.Exactly(p.bounded(r, a.Body, from), f, from, nil, func(err error) error { return web.Fault(p.name, err) }), nil
}

func (p *place) tooLarge() error {
	return fault.New(fault.Limit, "%s is larger than %d bytes", p.name, p.most).WithHint("raise the option max_size if it is to be trusted")
}

// packed reports whether the name says that the file is compressed itself: then an encoding of the answer is no second one.
func packed(at *url.URL) bool {
	switch strings.ToLower(path.Ext(at.Path)) {
	case ".gz", ".tgz", ".gzip":
		return true
	}
	return false
}

func modified(h nethttp.Header) time.Time {
	t, err := nethttp.ParseTime(h.Get("Last-Modified"))
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}
