package queue

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/riverqueue/river/riverdriver"
)

// bell tells the workers of this process that there are jobs, so that they need not find them by polling. It may ring
// while the transaction that inserts the jobs is open: who hears it looks through the one connection that writes, and so
// after that transaction has ended.
type bell struct {
	mu      sync.Mutex
	hearing map[*listener]chan string
}

// jobsInserted is River's name for it.
const jobsInserted = "river_insert"

// ring tells of jobs that are due.
func (b *bell) ring(jobs []Job) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.hearing) == 0 {
		return
	}
	told := map[string]bool{}
	for _, j := range jobs {
		name := j.Queue
		if name == "" {
			name = Default
		}
		if told[name] || time.Until(j.At) > 0 {
			continue
		}
		told[name] = true
		for _, heard := range b.hearing {
			select {
			case heard <- name:
			default: // it has enough to do, and polls
			}
		}
	}
}

// listener is a bell's riverdriver.Listener.
type listener struct {
	bell  *bell
	heard chan string
}

// Connect begins to hear.
func (l *listener) Connect(context.Context) error {
	l.heard = make(chan string, 64)
	l.bell.mu.Lock()
	defer l.bell.mu.Unlock()
	l.bell.hearing[l] = l.heard
	return nil
}

// Close ends hearing.
func (l *listener) Close(context.Context) error {
	l.bell.mu.Lock()
	defer l.bell.mu.Unlock()
	delete(l.bell.hearing, l)
	return nil
}

// WaitForNotification waits for the bell.
func (l *listener) WaitForNotification(ctx context.Context) (*riverdriver.Notification, error) {
	select {
	case name := <-l.heard:
		payload, err := json.Marshal(map[string]string{"queue": name})
		return &riverdriver.Notification{Topic: jobsInserted, Payload: string(payload)}, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Listen has nothing to do: there is one topic that anybody rings for.
func (l *listener) Listen(context.Context, string) error { return nil }

// Unlisten is the end of Listen.
func (l *listener) Unlisten(context.Context, string) error { return nil }

// Ping says that the listener lives.
func (l *listener) Ping(context.Context) error { return nil }

// Schema is "": SQLite has none.
func (l *listener) Schema() string { return "" }

// SetAfterConnectExec is for River's own tests.
func (l *listener) SetAfterConnectExec(string) {}
