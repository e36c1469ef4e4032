package sqldb

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"headrace/internal/connect/format"
	"headrace/internal/connect/source"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// rows is one table or query. Every reading has a connection of its own.
type rows struct{ settings *settings }

// Close has nothing to do: a reading closes what it opened.
func (r *rows) Close() error { return nil }

// Warnings makes rows a source.Warner.
func (r *rows) Warnings() []string {
	host := r.settings.url.Hostname()
	if ip := net.ParseIP(host); r.settings.mode != "disable" || host == "" || host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return []string{host + ": the connection is not encrypted, and nobody vouches for the server; leave out tls=disable if it can"}
}

// Read begins a reading. It connects when Rows is first asked for a row.
func (r *rows) Read(ctx context.Context, since string) *source.Reading {
	g := &reading{settings: r.settings.forOne(), since: since, total: -1}
	return &source.Reading{
		Rows: func(yield func(*format.Row, error) bool) {
			if err := g.run(ctx, yield); err != nil {
				yield(nil, err)
			}
		},
		High:  func() string { return g.high.text },
		Total: func() int64 { return g.total },
	}
}

// Test does all that a reading does, up to the first row.
func (r *rows) Test(ctx context.Context) error {
	g := &reading{settings: r.settings.forOne(), trial: true}
	return g.run(ctx, func(*format.Row, error) bool { return false })
}

func (s *settings) forOne() *settings {
	own := *s
	own.idled = new(atomic.Bool)
	return &own
}

// reading is one reading under way.
type reading struct {
	*settings
	since string
	trial bool // one row is enough, whichever
	high  high
	total int64

	mark    int // index of the watermark's column, -1 when there is none
	schema  format.Schema
	noted   map[string]bool
	out     format.Row
	yield   func(*format.Row, error) bool
	stopped bool
}

// errStop ends a stream that nobody wants more of.
var errStop = errors.New("enough rows")

// errLate is why a reading that took too long was ended.
var errLate = errors.New("the time-out of the reading is over")

// run reads everything. It returns nil when the consumer stopped.
func (g *reading) run(caller context.Context, yield func(*format.Row, error) bool) error {
	ctx := caller
	if g.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(caller, g.timeout, errLate)
		defer cancel()
	}
	g.yield = yield
	err := g.read(ctx)
	switch {
	case err == nil, errors.Is(err, errStop) && g.stopped:
		return nil
	case caller.Err() != nil:
		return fault.Wrap(fault.Canceled, caller.Err(), "reading %s was cancelled", g.what())
	case context.Cause(ctx) == errLate:
		return fault.New(fault.Unavailable, "reading %s took longer than %s", g.what(), g.timeout).
			WithHint("raise the option timeout, or read less at a time with a watermark")
	}
	return g.explain(err)
}

func (g *reading) read(ctx context.Context) error {
	s, err := g.enter(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	st, err := g.plan(ctx, s)
	if err != nil {
		return err
	}
	if err := g.beginMark(ctx, s, st); err != nil {
		return err
	}
	if st.unstable {
		g.note(g.what() + " has no primary key: the order of its rows may change from reading to reading")
	}
	g.out.Sound = s.sound()
	sent, err := s.stream(ctx, st.sql, st.columns, g)
	if err != nil {
		return err
	}
	if sent >= 0 && sent != g.out.Line {
		return fault.New(fault.Unavailable, "the server says that it sent %d rows, and %d came", sent, g.out.Line)
	}
	g.total = sent
	if g.out.Line == 0 && !g.yield(&format.Row{Header: g.schema.Header()}, nil) {
		g.stopped = true
		return errStop
	}
	return nil
}

// enter connects, within the time that is given for it.
func (g *reading) enter(ctx context.Context) (session, error) {
	within, cancel := context.WithTimeoutCause(ctx, g.connecting, errConnectLate)
	defer cancel()
	s, err := g.connect(within, g.settings)
	if err != nil && context.Cause(within) == errConnectLate {
		err = errConnectLate
	}
	return s, err
}

func (g *reading) begin(columns []column) error {
	for _, c := range columns {
		g.schema.Add(c.name)
		if c.kind == blob {
			g.note(c.name + " holds bytes and is read as base64")
		}
	}
	return nil
}

func (g *reading) note(text string) {
	if g.noted == nil {
		g.noted = map[string]bool{}
	}
	if !g.noted[text] {
		g.noted[text] = true
		g.schema.Note("%s", text)
	}
}

func (g *reading) row(cells []record.Value) error {
	if g.mark >= 0 {
		g.high.see(cells[g.mark])
	}
	g.out.Header, g.out.Cells = g.schema.Header(), cells
	g.out.Line++
	if !g.yield(&g.out, nil) {
		g.stopped = true
		return errStop
	}
	return nil
}

// beginMark settles the mark that is begun with, and the most that the next one can be.
func (g *reading) beginMark(ctx context.Context, s session, st *statement) error {
	g.mark = st.mark
	g.high = high{text: g.since}
	if st.mark < 0 {
		return nil
	}
	g.high.kind = st.columns[st.mark].kind
	if !g.high.kind.isTime() {
		return nil
	}
	// A stamp of a clock that runs ahead must not carry the mark beyond what others are still to write.
	now, err := list(ctx, s, g.now)
	if err != nil {
		return err
	}
	if len(now) != 1 || len(now[0]) != 1 || len(now[0][0]) < len(time.DateTime) {
		return fault.New(fault.Unavailable, "the server does not tell its time")
	}
	g.high.limit = now[0][0]
	if g.high.kind == date {
		g.high.limit = g.high.limit[:len(time.DateOnly)]
	}
	return nil
}
