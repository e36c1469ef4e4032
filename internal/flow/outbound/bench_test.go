package outbound_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"headrace/internal/core/record"
	"headrace/internal/flow/outbound"
	"headrace/internal/store/storetest/stores"
)

// BenchmarkDeliveries sends to a partner that takes 20 ms, from eight writers that each enqueue in a transaction of their
// own. It reports deliveries a second, from the first enqueued to the last done.
func BenchmarkDeliveries(b *testing.B) {
	for name, config := range stores.Kinds() {
		b.Run(name, func(b *testing.B) {
			w := open(b, config(b), "routes: []", func(c *outbound.Config, _ *record.Config) { c.Clock = time.Now })
			var served sync.WaitGroup
			s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				time.Sleep(20 * time.Millisecond) // the partner's work
				rw.WriteHeader(http.StatusCreated)
				served.Done()
			}))
			b.Cleanup(s.Close)
			w.make(b, outbound.MessageTable, "m", "name", "partner", "rest_endpoint", s.URL)
			w.make(b, outbound.FunctionTable, "f", "rest_message", "@m", "function_name", "create", "http_method", "post", "content", `{"text": "${text}"}`)
			check(b, w.queue.Start(b.Context()))
			served.Add(b.N)
			b.ResetTimer()
			began := time.Now()
			enqueueAll(b, w, b.N)
			served.Wait()
			b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "deliveries/s")
			b.StopTimer()
			check(b, w.queue.Stop(context.Background()))
		})
	}
}

func enqueueAll(b *testing.B, w *world, n int) {
	const writers = 8
	var wg sync.WaitGroup
	for k := range writers {
		wg.Go(func() {
			for i := k; i < n; i += writers {
				r := create()
				r.Variables = map[string]outbound.Variable{"text": {Value: "hello"}}
				err := w.db.As(record.System).Write(b.Context(), func(wr *record.Writer) error {
					_, err := w.Enqueue(b.Context(), wr, r)
					return err
				})
				if err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
