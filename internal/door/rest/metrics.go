package rest

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	counting "github.com/VictoriaMetrics/metrics"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
)

// metrics counts what the server does.
type metrics struct {
	db       *record.DB
	counts   *counting.Set
	inFlight atomic.Int64
}

// requestSeconds are the bounds of the histogram of requests.
var requestSeconds = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

func newMetrics(db *record.DB) *metrics {
	counting.ExposeMetadata(true)
	return &metrics{db: db, counts: counting.NewSet()}
}

// methods bounds the values of a label that clients choose.
var methods = map[string]bool{"GET": true, "HEAD": true, "POST": true, "PUT": true, "PATCH": true, "DELETE": true, "OPTIONS": true}

func (m *metrics) request(api, method string, status int, took time.Duration) {
	if !methods[method] {
		method = "other"
	}
	m.counts.GetOrCreateCounter(fmt.Sprintf("headrace_http_requests_total{api=%q,method=%q,status=\"%d\"}", api, method, status)).Inc()
	m.counts.GetOrCreatePrometheusHistogramExt(fmt.Sprintf("headrace_http_request_seconds{api=%q,method=%q}", api, method), requestSeconds).Update(took.Seconds())
}

// collectWithin is how long the store may take to count.
const collectWithin = 5 * time.Second

// ServeHTTP writes the metrics in the text format of Prometheus.
func (m *metrics) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), collectWithin)
	defer cancel()
	p := &page{told: map[string]bool{}}
	p.gauge("headrace_http_requests_in_flight", "Requests being answered.", float64(m.inFlight.Load()))
	err := m.imports(ctx, p)
	if err == nil {
		err = m.sources(ctx, p)
	}
	if err != nil {
		http.Error(w, "the store does not answer", http.StatusServiceUnavailable)
		return
	}
	m.counts.WritePrometheus(p)
	counting.WriteProcessMetrics(p)
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = p.WriteTo(w) // who has gone needs no answer
}

// page is metrics as they are written.
type page struct {
	bytes.Buffer
	told map[string]bool // names whose help is written
}

var labelText = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// gauge writes a value; labels are names and values in turn.
func (p *page) gauge(name, help string, value float64, labels ...string) {
	if !p.told[name] {
		p.told[name] = true
		fmt.Fprintf(p, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name)
	}
	p.WriteString(name)
	for i := 0; i < len(labels); i += 2 {
		fmt.Fprintf(p, `%s%s="%s"`, map[bool]string{true: "{", false: ","}[i == 0], labels[i], labelText.Replace(labels[i+1]))
	}
	if len(labels) > 0 {
		p.WriteByte('}')
	}
	fmt.Fprintf(p, " %s\n", strconv.FormatFloat(value, 'g', -1, 64))
}

// fateFields are the counts of a run.
var fateFields = []string{"inserted", "updated", "unchanged", "skipped", "rejected"}

// imports reads the counts of runs and their rows from the store when somebody asks: they hold over restarts and nodes.
func (m *metrics) imports(ctx context.Context, p *page) error {
	q := &record.Query{Table: m.db.Catalog().Table(importset.SetTable), Fields: []string{"state"}, OrderBy: []query.Order{{Field: "state"}},
		Measures: []record.Measure{{Func: "count"}}}
	for _, f := range fateFields {
		q.Measures = append(q.Measures, record.Measure{Func: "sum", Field: f})
	}
	sums := make([]float64, len(fateFields))
	for row, err := range m.db.As(record.System).Select(ctx, q) {
		if err != nil {
			return err
		}
		p.gauge("headrace_import_runs", "Import runs by state.", number(row[1]), "state", row[0].Text)
		for i := range sums {
			sums[i] += number(row[2+i])
		}
	}
	for i, f := range fateFields {
		p.gauge("headrace_import_rows", "Rows of all import runs by fate.", sums[i], "fate", f)
	}
	return nil
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
