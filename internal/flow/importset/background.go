package importset

import (
	"context"
	"sync"

	"headrace/internal/core/fault"
)

// Background runs imports, a few at a time, on behalf of callers that may leave before they end. When it stops, what is
// under way halts and can be resumed.
type Background struct {
	ctx    context.Context
	cancel context.CancelFunc
	slots  chan struct{}
	mu     sync.Mutex // guards jobs against the end
	ended  bool
	jobs   sync.WaitGroup
}

// NewBackground makes a Background that runs at most slots imports at once; others wait for their turn.
func NewBackground(slots int) *Background {
	ctx, cancel := context.WithCancel(context.Background())
	return &Background{ctx: ctx, cancel: cancel, slots: make(chan struct{}, slots)}
}

// Job is one piece of work in the background.
type Job struct {
	began  chan struct{}
	done   chan struct{}
	number int64
	run    *Run
	err    error
}

// Work is an import, an apply or the like: it calls began once its run has a number.
type Work func(ctx context.Context, began func(*Run)) (*Run, error)

// Start begins work when there is a free slot; it gives up, with a fault of kind Unavailable, when ctx is done before or
// the Background has stopped. The work itself does not end with ctx.
func (b *Background) Start(ctx context.Context, do Work) (*Job, error) {
	if !b.join() {
		return nil, stopping()
	}
	select {
	case b.slots <- struct{}{}:
	case <-b.ctx.Done():
		b.jobs.Done()
		return nil, stopping()
	case <-ctx.Done():
		b.jobs.Done()
		return nil, fault.Wrap(fault.Unavailable, ctx.Err(), "as many imports run as this server allows at once").WithHint("try again when one has ended")
	}
	j := &Job{began: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer b.jobs.Done()
		defer func() { <-b.slots }()
		j.work(b.ctx, do)
	}()
	return j, nil
}

func stopping() error {
	return fault.New(fault.Unavailable, "the server is stopping").WithHint("try again in a moment")
}

// join counts one more job, unless the end has come.
func (b *Background) join() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ended {
		b.jobs.Add(1)
	}
	return !b.ended
}

// Stop halts what is under way and returns when it has ended.
func (b *Background) Stop() {
	b.mu.Lock()
	b.ended = true
	b.mu.Unlock()
	b.cancel()
	b.jobs.Wait()
}

// work does the work. Whatever it panics over is its error: the process serves others.
func (j *Job) work(ctx context.Context, do Work) {
	defer close(j.done)
	defer func() {
		if p := recover(); p != nil {
			j.err = fault.New(fault.Internal, "the import broke off: %v", p)
		}
	}()
	var once sync.Once
	j.run, j.err = do(ctx, func(r *Run) {
		once.Do(func() {
			j.number = r.Number
			close(j.began)
		})
	})
}

// Began is closed when the run has its number; it stays open when the work ends before.
func (j *Job) Began() <-chan struct{} { return j.began }

// Number is the number of the run, once it began.
func (j *Job) Number() int64 { return j.number }

// Done is closed when the work has ended.
func (j *Job) Done() <-chan struct{} { return j.done }

// Result is what the work returned, once it is done.
func (j *Job) Result() (*Run, error) { return j.run, j.err }
