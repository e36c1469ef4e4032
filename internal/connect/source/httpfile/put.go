package httpfile

import (
	"context"
	"io"
	nethttp "net/http"

	"headrace/internal/connect/source"
	"headrace/internal/connect/source/web"
	"headrace/internal/core/fault"
)

// Put makes place a source.Putter: it leaves a file at a path of the server. A server sees a broken request as such, so
// that it keeps no half; whether it does is its own affair.
func (p *place) Put(ctx context.Context, at string, r io.Reader, replace bool) error {
	to := *p.at
	to.Path, to.RawPath = at, ""
	send := sending{ctx: ctx, r: r, size: source.Size(r)}
	out := request{method: p.Options.Text("method", nethttp.MethodPut), at: &to, header: nethttp.Header{"Content-Type": {"application/octet-stream"}}, body: &send}
	if out.method == nethttp.MethodPut && !replace {
		out.header.Set("If-None-Match", "*")
		if err := p.free(ctx, out); err != nil {
			return err
		}
	}
	a, err := p.ask(ctx, out)
	sent, own := send.end()
	switch {
	case own != nil:
		return own
	case err != nil:
		return err
	case a.StatusCode == nethttp.StatusPreconditionFailed && !replace:
		return withClose(source.Exists(at), a.Body.Close())
	case a.StatusCode < 200 || a.StatusCode > 299:
		return a.fault(a.Body.Close())
	}
	if err := a.Body.Close(); err != nil {
		return web.Fault(p.name, err)
	}
	if out.method != nethttp.MethodPut {
		return nil
	}
	return p.verify(ctx, out, sent)
}

// sending is the body of a request, which goes out once more when credentials are made anew.
type sending struct {
	ctx  context.Context
	r    io.Reader
	size int64 // -1 when not known: then it can go out once only
	feed *source.Feed
}

// begin gives the bytes from their beginning; where they cannot be had again, ok is false.
func (s *sending) begin() (body io.Reader, ok bool) {
	if s.feed != nil {
		n, err := s.feed.End()
		back, seeks := s.r.(io.Seeker)
		if err != nil || !seeks || s.size < 0 {
			return nil, false
		}
		if _, err := back.Seek(-n, io.SeekCurrent); err != nil {
			return nil, false
		}
	}
	s.feed = source.NewFeed(s.ctx, s.r)
	return s.feed, true
}

func (s *sending) end() (int64, error) {
	if s.feed == nil {
		return 0, nil
	}
	return s.feed.End()
}

// free looks whether a path has no file yet: not every server heeds If-None-Match.
func (p *place) free(ctx context.Context, r request) error {
	a, err := p.ask(ctx, request{method: nethttp.MethodHead, at: r.at})
	switch {
	case err != nil:
		return err
	case a.StatusCode == nethttp.StatusOK:
		return source.Exists(r.at.Path)
	}
	return a.Body.Close()
}

// verify compares sizes, where the server shows what it holds.
func (p *place) verify(ctx context.Context, r request, size int64) error {
	a, err := p.ask(ctx, request{method: nethttp.MethodHead, at: r.at})
	if err != nil {
		return err
	}
	if a.StatusCode == nethttp.StatusOK && a.total > 0 && a.total != size {
		return fault.New(fault.Unavailable, "%s: %d bytes were sent, the server holds %d", p.name, size, a.total).WithHint("try again")
	}
	return a.Body.Close()
}
