package rest

import (
	"io"
	"net/http"
	"time"
)

// Limits is how much and how slowly a client may send and read. The zero value is the defaults.
type Limits struct {
	Body   int64         // most bytes of any body; 0 is DefaultBody. APIs set lower limits of their own
	Read   time.Duration // how long a client may be silent within a body; 0 is 30 s
	Grace  time.Duration // how long before a body must come at Rate or more; 0 is 60 s
	Rate   int64         // bytes a second; 0 is 4 KB
	Write  time.Duration // how long a client may leave a write unread; 0 is 60 s
	Header time.Duration // how long the header of a request may take; 0 is 10 s
	Idle   time.Duration // how long a connection may wait for its next request; 0 is 2 minutes
}

// DefaultBody is the most bytes of a body: the largest file that can be uploaded.
const DefaultBody = 4 << 30

// maxHeader is the most bytes of the header of a request.
const maxHeader = 64 << 10

func (l *Limits) fill() {
	set := func(d *time.Duration, to time.Duration) {
		if *d == 0 {
			*d = to
		}
	}
	set(&l.Read, 30*time.Second)
	set(&l.Grace, time.Minute)
	set(&l.Write, time.Minute)
	set(&l.Header, 10*time.Second)
	set(&l.Idle, 2*time.Minute)
	if l.Body == 0 {
		l.Body = DefaultBody
	}
	if l.Rate == 0 {
		l.Rate = 4 << 10
	}
}

// HTTP makes a http.Server with the limits that it sets itself.
func (l Limits) HTTP(h http.Handler) *http.Server {
	l.fill()
	return &http.Server{Handler: h, ReadHeaderTimeout: l.Header, IdleTimeout: l.Idle, MaxHeaderBytes: maxHeader}
}

// limited bounds bodies in size and in time.
func (s *server) limited(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body != nil && r.Body != http.NoBody {
			b := &paced{ReadCloser: http.MaxBytesReader(w, r.Body, s.Limits.Body), control: http.NewResponseController(w), limits: &s.Limits, began: time.Now()}
			b.extend() // also for what is never read: the server reads over it at the end
			r.Body = b
		}
		next.ServeHTTP(w, r)
	})
}

// paced is a body whose sender must keep on sending: never silent for long, and not too slow on the whole.
type paced struct {
	io.ReadCloser
	control *http.ResponseController
	limits  *Limits
	began   time.Time
	read    int64
}

// Read reads on. At the end of the body the time limit is taken off: the connection is then watched for its end, and a
// limit would look like one.
func (p *paced) Read(b []byte) (int, error) {
	p.extend()
	n, err := p.ReadCloser.Read(b)
	p.read += int64(n)
	if err == io.EOF {
		_ = p.control.SetReadDeadline(time.Time{}) // writers in tests have none
	}
	return n, err
}

func (p *paced) extend() {
	now := time.Now()
	until := now.Add(p.limits.Read)
	if slow := p.began.Add(p.limits.Grace + time.Duration(float64(p.read)/float64(p.limits.Rate)*float64(time.Second))); slow.Before(until) {
		until = slow
	}
	_ = p.control.SetReadDeadline(until)
}
