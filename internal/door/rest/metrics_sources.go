package rest

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset/datasource"
)

// sources reads how data sources are when somebody asks. Its labels are the names of saved sources, which are as many as
// somebody has configured.
type sources struct{ db *record.DB }

var (
	sourceSuccess  = prometheus.NewDesc("headrace_source_last_success_timestamp_seconds", "When the data source was last read to its end.", []string{"source"}, nil)
	sourceData     = prometheus.NewDesc("headrace_source_last_data_timestamp_seconds", "When something last came from the data source.", []string{"source"}, nil)
	sourceFailures = prometheus.NewDesc("headrace_source_consecutive_failures", "Attempts that failed since the last success.", []string{"source"}, nil)
	sourceRows     = prometheus.NewDesc("headrace_source_rows", "Rows of the last run by fate.", []string{"source", "fate"}, nil)
	sourceState    = prometheus.NewDesc("headrace_source_state", "1 for the state that the data source is in, 0 for the others.", []string{"source", "state"}, nil)
	sourceAlerts   = prometheus.NewDesc("headrace_source_alerts", "Open alerts by kind.", []string{"source", "kind"}, nil)
)

// sourceStates are all states, so that a series does not vanish while its state does not hold.
var sourceStates = []string{datasource.HealthHealthy, datasource.HealthFailing, datasource.HealthLate, datasource.HealthQuiet, datasource.HealthDrift}

// Describe makes sources a prometheus.Collector.
func (c *sources) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{sourceSuccess, sourceData, sourceFailures, sourceRows, sourceState, sourceAlerts} {
		out <- d
	}
}

// Collect makes sources a prometheus.Collector.
func (c *sources) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), collectWithin)
	defer cancel()
	if c.db.Catalog().Table(datasource.HealthTable) == nil {
		return
	}
	fields := append([]string{"source.name", "last_success", "last_data", "failures", "state"}, fateFields...)
	q := &record.Query{Table: c.db.Catalog().Table(datasource.HealthTable), Fields: fields}
	for row, err := range c.db.As(record.System).Select(ctx, q) {
		if err != nil {
			out <- prometheus.NewInvalidMetric(sourceState, err)
			return
		}
		if row[0].Text != "" {
			tellSource(out, row)
		}
	}
	alerts := &record.Query{Table: c.db.Catalog().Table(datasource.AlertTable), Fields: []string{"source.name", "kind"},
		Where: &query.Term{Field: "state", Op: query.Equal, Values: []string{"open"}}, Measures: []record.Measure{{Func: "count"}}}
	for row, err := range c.db.As(record.System).Select(ctx, alerts) {
		if err != nil {
			out <- prometheus.NewInvalidMetric(sourceAlerts, err)
			return
		}
		if row[0].Text != "" {
			out <- prometheus.MustNewConstMetric(sourceAlerts, prometheus.GaugeValue, number(row[2]), row[0].Text, row[1].Text)
		}
	}
}

// tellSource gives the metrics of one source.
func tellSource(out chan<- prometheus.Metric, row []record.Value) {
	name := row[0].Text
	for i, d := range []*prometheus.Desc{sourceSuccess, sourceData} {
		if at, err := time.Parse(record.DateTimeLayout, row[1+i].Text); err == nil {
			out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(at.Unix()), name)
		}
	}
	out <- prometheus.MustNewConstMetric(sourceFailures, prometheus.GaugeValue, number(row[3]), name)
	for _, s := range sourceStates {
		holds := map[bool]float64{true: 1}[s == row[4].Text]
		out <- prometheus.MustNewConstMetric(sourceState, prometheus.GaugeValue, holds, name, s)
	}
	for i, fate := range fateFields {
		out <- prometheus.MustNewConstMetric(sourceRows, prometheus.GaugeValue, number(row[5+i]), name, fate)
	}
}
