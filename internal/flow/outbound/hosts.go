package outbound

import (
	"context"
	nethttp "net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	channel "headrace/internal/connect/channel/http"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// hosts lets each host have its share: so many calls at once, so many a second, and none while its circuit is open. Who
// may not call yet is told when to ask again; nobody waits here, so no worker is held. Each node keeps its own count.
type hosts struct {
	s  *Service
	mu sync.Mutex
	by map[string]*gate

	inside atomic.Int64 // calls under way, to all hosts
}

// mostHosts bounds how many hosts are remembered.
const mostHosts = 10_000

// gate is what is known of one host.
type gate struct {
	mu       sync.Mutex
	read     time.Time // when the limits were read
	limits   limits
	failures int       // in a row
	openTill time.Time // the circuit is open
	probing  bool      // one call tries whether the host is back
	rate     *rate.Limiter
	tickets  map[string]time.Time // when deliveries that wait for the rate have their turn
	inside   int
	left     time.Time     // when the last one left
	pace     time.Duration // between two that leave while others wait
	line     time.Time     // when the last of those who wait for room has its turn
	usual    time.Duration // how long calls take
}

// limits is a record of HostTable.
type limits struct {
	concurrency, burst, failures int
	rate                         float64
	open                         time.Duration
}

var presetLimits = limits{concurrency: 32, burst: 1, failures: 5, open: 30 * time.Second}

// hold says why a delivery must wait, and how long.
type hold struct {
	after       time.Duration
	reason, msg string
}

// turn is a call that may be made.
type turn struct {
	h     *hosts
	g     *gate
	probe bool
}

// limitsFor is how long limits that were read count as current.
const limitsFor = time.Second

// enter asks for a turn. Without one, hold says when to ask again.
func (h *hosts) enter(ctx context.Context, id, name string) (*turn, hold, error) {
	g := h.gate(name)
	now := h.s.clock()
	if err := g.refresh(ctx, h.s, name, now); err != nil {
		return nil, hold{}, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inside >= h.share(g) {
		return nil, g.full(now), nil
	}
	if wait := g.slot(id, now); wait > 0 {
		return nil, hold{wait, "rate", "the host takes only so many calls a second"}, nil
	}
	probe, wait := g.circuit(now)
	if wait > 0 {
		g.tickets[id] = now // its turn is not lost
		return nil, hold{wait, "circuit", "the host has failed repeatedly; it is left alone for a while"}, nil
	}
	delete(g.tickets, id)
	g.inside++
	h.inside.Add(1)
	return &turn{h, g, probe}, hold{}, nil
}

// share is how many calls a host may have under way: what it is given, and never more than half of the workers that the
// others leave. So a few slow hosts cannot take them all.
func (h *hosts) share(g *gate) int {
	free := Workers - int(h.inside.Load()) + g.inside
	return min(g.limits.concurrency, max(1, free/2))
}

// circuit is how long calls must wait because the host is down. When it has been left alone long enough, one call tries.
func (g *gate) circuit(now time.Time) (probe bool, wait time.Duration) {
	switch {
	case g.openTill.IsZero():
		return false, 0
	case now.Before(g.openTill):
		return false, g.openTill.Sub(now)
	case g.probing:
		return false, time.Second
	}
	g.probing = true
	return true, 0
}

func (h *hosts) gate(name string) *gate {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.by == nil || len(h.by) >= mostHosts {
		h.by = map[string]*gate{}
	}
	if h.by[name] == nil {
		h.by[name] = &gate{tickets: map[string]time.Time{}}
	}
	return h.by[name]
}

// full says when there may be room: each that is turned away is given a time behind the one before, by the pace at which
// others leave, so that those who wait come one after the other and not all at once, again and again.
func (g *gate) full(now time.Time) hold {
	const least, most = 5 * time.Millisecond, 10 * time.Minute
	pace := max(g.pace, max(g.usual, least)/time.Duration(g.limits.concurrency))
	if g.line.Before(now) {
		g.line = now.Add(max(g.usual, least) / 2)
	}
	g.line = g.line.Add(pace)
	return hold{min(g.line.Sub(now), most), "busy", "the host has as many calls under way as it is given"}
}

// slot is how long a delivery must wait for the rate. Its turn is reserved, so that deliveries come one after the other
// and none is turned away twice.
func (g *gate) slot(id string, now time.Time) time.Duration {
	if g.rate == nil {
		return 0
	}
	at, waiting := g.tickets[id]
	if !waiting {
		at = now.Add(g.rate.ReserveN(now, 1).DelayFrom(now))
		if len(g.tickets) >= mostHosts {
			clear(g.tickets)
		}
		g.tickets[id] = at
	}
	return at.Sub(now)
}

// refresh reads the limits of a host, at most once a second.
func (g *gate) refresh(ctx context.Context, s *Service, name string, now time.Time) error {
	g.mu.Lock()
	known := !g.read.IsZero() && now.Sub(g.read) < limitsFor && !now.Before(g.read)
	g.mu.Unlock()
	if known {
		return nil
	}
	l, err := s.limitsOf(ctx, name)
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.read = now
	g.use(l, now)
	return nil
}

// use takes over limits.
func (g *gate) use(l limits, now time.Time) {
	switch {
	case l == g.limits:
	case l.rate <= 0:
		g.rate = nil
	case g.rate == nil:
		g.rate = rate.NewLimiter(rate.Limit(l.rate), max(l.burst, 1))
	default:
		g.rate.SetLimitAt(now, rate.Limit(l.rate))
		g.rate.SetBurstAt(now, max(l.burst, 1))
	}
	g.limits = l
}

func (s *Service) limitsOf(ctx context.Context, name string) (limits, error) {
	l := presetLimits
	t := s.db.Catalog().Table(HostTable)
	bare, _, _ := strings.Cut(name, ":")
	q := &record.Query{Table: t, Fields: t.Names(), Where: &query.Term{Field: "name", Op: query.In, Values: []string{name, bare}}}
	exact := false
	for row, err := range s.db.As(record.System).Select(ctx, q) {
		if err != nil {
			return l, err
		}
		r := &record.Record{Table: t, Values: row}
		if exact {
			continue
		}
		exact = r.Get("name").Text == name
		l = limits{concurrency: max(number(r, "concurrency"), 1), burst: number(r, "burst"), failures: number(r, "breaker_failures"), rate: decimal(r, "rate"),
			open: time.Duration(number(r, "breaker_seconds")) * time.Second}
	}
	return l, nil
}

// told says how the call went. Only a host that is down or overloaded fails: an answer that says what is wrong with the
// request, a SOAP fault among them, comes from one that works.
func (t *turn) told(s *sending, now time.Time) {
	g := t.g
	g.mu.Lock()
	defer g.mu.Unlock()
	g.usual = (3*g.usual + s.took) / 4
	if s.credential != nil {
		return
	}
	if !s.down() {
		g.failures, g.openTill = 0, time.Time{}
		return
	}
	if g.failures++; g.limits.failures > 0 && g.failures >= g.limits.failures {
		g.openTill = now.Add(g.limits.open)
	}
}

// down reports whether the host could not do its work.
func (g *sending) down() bool {
	if g.failure != nil {
		switch g.failure.Phase {
		case channel.Connect, channel.TLS, channel.Send, channel.Wait, channel.Answer, channel.Total:
			return true
		}
		return false
	}
	return g.resp.Status >= nethttp.StatusInternalServerError && g.fault == nil
}

func (t *turn) leave() {
	t.g.mu.Lock()
	defer t.g.mu.Unlock()
	if t.probe {
		t.g.probing = false
	}
	now := t.h.s.clock()
	if t.g.line.After(now) { // others wait
		t.g.pace = (7*t.g.pace + min(now.Sub(t.g.left), t.g.usual)) / 8
	}
	t.g.left = now
	t.g.inside--
	t.h.inside.Add(-1)
}
