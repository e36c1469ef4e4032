package rule_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"headrace/internal/core/record"
	"headrace/internal/flow/event"
	"headrace/internal/store/queue"
	"headrace/internal/store/storetest/stores"
)

const clients = 8

// fromClients calls fn b.N times from several goroutines at once.
func fromClients(b *testing.B, fn func(i int)) {
	var next atomic.Int64
	var busy sync.WaitGroup
	for range clients {
		busy.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				fn(int(i))
			}
		})
	}
	busy.Wait()
}

// BenchmarkSustained compares events, each fired in a transaction of its own and handled by a script action, with bare
// jobs that do nothing, inserted and worked in the same way. The budget is half the rate.
func BenchmarkSustained(b *testing.B) {
	for name, config := range stores.Kinds() {
		b.Run(name+"/jobs", func(b *testing.B) {
			n := open(b, config(b), false)
			done := make(chan struct{}, clients)
			n.queue.Handle("nothing", func(context.Context, queue.Running) error { done <- struct{}{}; return nil })
			sustained(b, n, done, func(int) {
				err := n.store.Write(context.Background(), record.Durable, func(tx record.Tx) error {
					return n.queue.Insert(context.Background(), tx, queue.Job{Kind: "nothing", Queue: event.JobQueue, Args: []byte("1")})
				})
				if err != nil {
					b.Error(err)
				}
			})
		})
		b.Run(name+"/events", func(b *testing.B) {
			n := open(b, config(b), false)
			done := make(chan struct{}, clients)
			n.action("count", "bench", "note('x')")
			n.seen = func() { done <- struct{}{} }
			sustained(b, n, done, func(i int) {
				err := n.session().Write(context.Background(), func(w *record.Writer) error {
					_, err := n.events.Fire(context.Background(), w, event.Event{Name: "bench", Parm1: fmt.Sprint(i)})
					return err
				})
				if err != nil {
					b.Error(err)
				}
			})
		})
	}
}

// sustained measures from the first insert to the last job done.
func sustained(b *testing.B, n *node, done chan struct{}, insert func(i int)) {
	if err := n.queue.Start(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	var inserting sync.WaitGroup
	inserting.Go(func() { fromClients(b, insert) })
	for range b.N {
		<-done
	}
	inserting.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "done/s")
	if err := n.queue.Stop(context.Background()); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkChain measures insert -> rule -> event -> script action on an idle server, one after the other.
func BenchmarkChain(b *testing.B) {
	for name, config := range stores.Kinds() {
		b.Run(name, func(b *testing.B) {
			n := open(b, config(b), false)
			n.rule("tell", "after", "(function executeRule(current, previous) { gs.eventQueue('bench', current, current.title, ''); })(current, previous);", "filter_condition", "priority=1")
			n.action("hear", "bench", "note(event.parm1)")
			heard := make(chan struct{}, 1)
			n.seen = func() { heard <- struct{}{} }
			if err := n.queue.Start(context.Background()); err != nil {
				b.Fatal(err)
			}
			var slowest time.Duration
			b.ResetTimer()
			for i := range b.N {
				began := time.Now()
				n.insert("u_task", "title", fmt.Sprint(i), "priority", "1")
				<-heard
				slowest = max(slowest, time.Since(began))
			}
			b.StopTimer()
			b.ReportMetric(float64(slowest.Microseconds())/1000, "slowest-ms")
			if err := n.queue.Stop(context.Background()); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkTables compares inserts into a table without rules, where others have some, with the same database without any
// rules, and with a table that has one rule whose filter does not hold and one with a script.
func BenchmarkTables(b *testing.B) {
	for _, c := range []struct {
		name  string
		table string
		rules func(n *node)
	}{
		{"no rules anywhere", "u_plain", func(*node) {}},
		{"rules on another table", "u_plain", func(n *node) { n.rule("other", "before", "current.state = 'x'") }},
		{"a filter that does not hold", "u_task", func(n *node) { n.rule("filter", "before", "current.state = 'x'", "filter_condition", "priority=1") }},
		{"a script", "u_task", func(n *node) { n.rule("script", "before", "current.state = 'x'") }},
	} {
		b.Run(c.name, func(b *testing.B) {
			n := open(b, stores.SQLite(b), false)
			c.rules(n)
			t := n.table(c.table)
			b.ResetTimer()
			err := n.store.Write(context.Background(), record.Resumable, func(tx record.Tx) error {
				w := n.session().Writer(tx)
				for range b.N {
					if _, err := w.Insert(context.Background(), t, fields("title", "x")); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		})
	}
}
