package rest

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
)

// metrics counts what the server does.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	inFlight prometheus.Gauge
	page     http.Handler
}

func newMetrics(db *record.DB) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "headrace_http_requests_total", Help: "Requests answered."}, []string{"api", "method", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "headrace_http_request_seconds", Help: "Time from request to answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}}, []string{"api", "method"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{Name: "headrace_http_requests_in_flight", Help: "Requests being answered."}),
	}
	registry := prometheus.NewRegistry()
	for _, c := range []prometheus.Collector{m.requests, m.seconds, m.inFlight, &imports{db: db}, &sources{db: db}, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	m.page = promhttp.HandlerFor(registry, promhttp.HandlerOpts{DisableCompression: true})
	return m, nil
}

// methods bounds the values of a label that clients choose.
var methods = map[string]bool{"GET": true, "HEAD": true, "POST": true, "PUT": true, "PATCH": true, "DELETE": true, "OPTIONS": true}

func (m *metrics) request(api, method string, status int, took time.Duration) {
	if !methods[method] {
		method = "other"
	}
	m.requests.WithLabelValues(api, method, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(api, method).Observe(took.Seconds())
}

// imports reads the counts of runs and their rows from the store when somebody asks: they hold over restarts and nodes.
type imports struct{ db *record.DB }

var (
	runsDesc = prometheus.NewDesc("headrace_import_runs", "Import runs by state.", []string{"state"}, nil)
	rowsDesc = prometheus.NewDesc("headrace_import_rows", "Rows of all import runs by fate.", []string{"fate"}, nil)
)

// Describe makes imports a prometheus.Collector.
func (c *imports) Describe(out chan<- *prometheus.Desc) {
	out <- runsDesc
	out <- rowsDesc
}

// collectWithin is how long the store may take to count.
const collectWithin = 5 * time.Second

// fateFields are the counts of a run.
var fateFields = []string{"inserted", "updated", "unchanged", "skipped", "rejected"}

// Collect makes imports a prometheus.Collector.
func (c *imports) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), collectWithin)
	defer cancel()
	q := &record.Query{Table: c.db.Catalog().Table(importset.SetTable), Fields: []string{"state"}, OrderBy: []query.Order{{Field: "state"}},
		Measures: []record.Measure{{Func: "count"}}}
	for _, f := range fateFields {
		q.Measures = append(q.Measures, record.Measure{Func: "sum", Field: f})
	}
	sums := make([]float64, len(fateFields))
	for row, err := range c.db.As(record.System).Select(ctx, q) {
		if err != nil {
			out <- prometheus.NewInvalidMetric(runsDesc, err)
			return
		}
		out <- prometheus.MustNewConstMetric(runsDesc, prometheus.GaugeValue, number(row[1]), row[0].Text)
		for i := range sums {
			sums[i] += number(row[2+i])
		}
	}
	for i, f := range fateFields {
		out <- prometheus.MustNewConstMetric(rowsDesc, prometheus.GaugeValue, sums[i], f)
	}
}

func number(v record.Value) float64 {
	n, err := strconv.ParseFloat(v.Text, 64)
	if err != nil {
		return 0 // a sum over nothing is null
	}
	return n
}

// reach asks the store for something small.
func (s *server) reach(ctx context.Context) error {
	return s.DB.Store().Read(ctx, func(tx record.Tx) error {
		for _, err := range tx.Select(ctx, &record.Query{Table: s.DB.Catalog().Table(importset.SetTable), Fields: []string{"run"}, Limit: 1}) {
			return err
		}
		return nil
	})
}
