package script

import (
	"context"
	"runtime"
	"runtime/metrics"
	"sync"
	"time"

	"github.com/dlclark/regexp2/v2"
	"github.com/dop251/goja"

	"headrace/internal/core/fault"
)

// watch bounds the time and, roughly, the memory of the script under way. It looks at scripts that run longer than watchEvery
// alone: short ones cost nothing.
type watch struct {
	vm     *goja.Runtime
	limits Limits
	ctx    context.Context
	cancel context.CancelCauseFunc

	mu      sync.Mutex
	began   time.Time // when the script under way began; zero: none
	runs    int       // scripts begun
	heap    uint64    // what the heap held when the script was first looked at
	told    bool      // that it is to end
	timer   *time.Timer
	armed   bool
	stopped bool
}

// watchEvery is how often a script that runs long is looked at; nativeGrace is how long a call that JavaScript cannot be
// interrupted in, such as a query, may go on when the script is to end.
const (
	watchEvery  = 10 * time.Millisecond
	nativeGrace = time.Second
)

func (w *watch) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.vm.ClearInterrupt()
	w.began, w.heap, w.told = time.Now(), 0, false
	w.runs++
	switch {
	case w.armed:
	case w.timer == nil:
		w.timer = time.AfterFunc(watchEvery, w.look)
	default:
		w.timer.Reset(watchEvery)
	}
	w.armed = true
}

// renew gives the watch another context to cut off.
func (w *watch) renew(ctx context.Context, cancel context.CancelCauseFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ctx, w.cancel = ctx, cancel
}

func (w *watch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.began = time.Time{}
}

func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped = true; w.timer != nil {
		w.timer.Stop()
	}
}

// look ends a script that has run too long, whose caller gave up, or while which the heap of the process grew too much.
func (w *watch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped || w.began.IsZero() {
		w.armed = false
		return
	}
	ran := time.Since(w.began)
	switch {
	case w.told:
		if ran > w.limits.Time+nativeGrace {
			w.cancel(fault.New(fault.Limit, "it ran longer than %s", w.limits.Time))
		}
	case w.ctx.Err() != nil:
		w.interrupt(fault.Wrap(fault.Canceled, context.Cause(w.ctx), "it was given up"))
	case ran > w.limits.Time:
		w.interrupt(fault.New(fault.Limit, "it ran longer than %s", w.limits.Time))
	default:
		w.lookAtMemory()
	}
	if !w.stopped {
		w.timer.Reset(watchEvery)
	}
}

func (w *watch) interrupt(why error) {
	w.told = true
	w.vm.Interrupt(why)
}

// lookAtMemory ends the script when the heap has grown by more than the limit and a garbage collection does not help.
// Others use the same heap: where it grew by their doing, the scripts that run meanwhile are the ones that end.
func (w *watch) lookAtMemory() {
	now := heap()
	if w.heap == 0 {
		w.heap = now
	}
	if now <= w.heap+w.limits.Memory {
		return
	}
	run := w.runs
	w.mu.Unlock()
	runtime.GC()
	now = heap()
	w.mu.Lock()
	if w.runs == run && !w.began.IsZero() && now > w.heap+w.limits.Memory {
		w.interrupt(fault.New(fault.Limit, "memory grew by more than %d MB while it ran", w.limits.Memory>>20))
	}
}

// patternTime is how long a regular expression that goes back and forth (with look-around or back references) may search.
// No interrupt reaches it; when it returns, an engine with this limit or a shorter one ends the script.
const patternTime = defaultTime

// boundPatterns bounds such searches. The engine of JavaScript has no other place to say so.
var boundPatterns = sync.OnceFunc(func() { regexp2.DefaultMatchTimeout = patternTime })

// heap is the memory that live and dead objects of the process take.
func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
