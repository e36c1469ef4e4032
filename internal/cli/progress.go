package cli

import (
	"fmt"
	"sync/atomic"
	"time"

	"headrace/internal/flow/importset"
)

// progress tells how far a run is: on a terminal in one line that is written over, elsewhere in a line now and then.
type progress struct {
	c        *console
	began    time.Time
	told     time.Time
	every    time.Duration
	terminal bool
	read     *atomic.Int64 // bytes; nil when they mean nothing
	size     int64
	shown    bool
}

const (
	onTerminal = 100 * time.Millisecond
	elsewhere  = 10 * time.Second
)

// follow starts a progress. in may be nil where rows do not come from a source.
func (c *console) follow(in *input) *progress {
	p := &progress{c: c, began: time.Now(), every: elsewhere, terminal: isTerminal(c.err)}
	if p.terminal {
		p.every = onTerminal
	}
	p.told = p.began
	if in != nil {
		p.read, p.size = &in.read, in.Size
	}
	return p
}

// run tells how far an import is.
func (p *progress) run(r *importset.Run) {
	p.rows(fmt.Sprintf("run %d", r.Number), r.Ledger.Read, r.Resumed)
}

// rows tells how many rows are done; before of them were when the work began.
func (p *progress) rows(what string, done, before int64) {
	now := time.Now()
	if p.c.settings.Quiet || now.Sub(p.told) < p.every {
		return
	}
	p.told = now
	took := now.Sub(p.began)
	line := fmt.Sprintf("%s  %s rows", what, importset.Thousands(done))
	if done > before && took > 0 {
		line += fmt.Sprintf("  %s/s", importset.Thousands(int64(float64(done-before)/took.Seconds())))
	}
	if left, known := p.left(took); known {
		line += fmt.Sprintf("  %d %%  %s left", 100*p.read.Load()/p.size, left.Round(time.Second))
	}
	if !p.terminal {
		fmt.Fprintln(p.c.err, line)
		return
	}
	fmt.Fprintf(p.c.err, "\r%s\x1b[K", line)
	p.shown = true
}

// left estimates the time to go by the bytes of the source.
func (p *progress) left(took time.Duration) (time.Duration, bool) {
	if p.read == nil || p.size <= 0 {
		return 0, false
	}
	read := p.read.Load()
	if read <= 0 || read > p.size {
		return 0, false
	}
	return time.Duration(float64(took) * float64(p.size-read) / float64(read)), true
}

// done takes the line away.
func (p *progress) done() {
	if p.shown {
		fmt.Fprint(p.c.err, "\r\x1b[K")
	}
}
