package http

import (
	"io"
	nethttp "net/http"
	"sync"
)

// Transport gives the network of the client to those that stream: bodies flow in both directions, each phase and each
// pause has its bound, the whole has none. Redirects are not followed. Outside says that the
// host comes from data. Errors of RoundTrip and of the body are a *Failure. The body must be closed.
func (c *Client) Transport(outside bool, limits Timeouts) nethttp.RoundTripper {
	return streaming{net: c.network(outside), limits: limits.Or(Timeouts{Connect: Defaults.Connect, TLS: Defaults.TLS,
		FirstByte: Defaults.FirstByte, Idle: Defaults.Idle})}
}

type streaming struct {
	net    nethttp.RoundTripper
	limits Timeouts
}

// RoundTrip makes streaming a RoundTripper.
func (s streaming) RoundTrip(req *nethttp.Request) (*nethttp.Response, error) {
	w := watch(req.Context(), s.limits)
	out := req.WithContext(w.traced())
	if req.Body != nil && req.Body != nethttp.NoBody {
		out.Body = &sending{ReadCloser: req.Body, w: w}
		out.GetBody = nil
	}
	answer, err := s.net.RoundTrip(out)
	if err != nil {
		f := w.failure(err)
		w.stop()
		return nil, f
	}
	answer.Body = &receiving{beating: beating{r: answer.Body, w: w}, body: answer.Body}
	answer.Request = req
	return answer, nil
}

// sending sets the clock anew with every piece that is taken.
type sending struct {
	io.ReadCloser
	w *watcher
}

func (s *sending) Read(p []byte) (int, error) {
	s.w.timer.Reset(max(s.w.limits.FirstByte, s.w.limits.Idle))
	return s.ReadCloser.Read(p)
}

// receiving is the body of an answer.
type receiving struct {
	beating
	body io.Closer
	once sync.Once
}

func (r *receiving) Read(p []byte) (int, error) {
	n, err := r.beating.Read(p)
	if err == nil || err == io.EOF {
		return n, err
	}
	f := r.w.failure(err)
	if f.Phase == Send || f.Phase == Connect || f.Phase == TLS {
		f.Phase, f.Msg = Answer, "the answer broke off: "+reason(err)
	}
	f.Sent = true
	return n, f
}

// Close makes receiving an io.ReadCloser.
func (r *receiving) Close() error {
	err := r.body.Close()
	r.once.Do(r.w.stop)
	return err
}
