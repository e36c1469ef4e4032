package rest

import (
	"context"
	"time"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset/datasource"
	"headrace/internal/flow/outbound/export"
)

// sourceStates are all states, so that a series does not vanish while its state does not hold.
var sourceStates = []string{datasource.HealthHealthy, datasource.HealthFailing, datasource.HealthLate, datasource.HealthQuiet, datasource.HealthDrift}

// sources reads how data sources are when somebody asks. Its labels are the names of saved sources, which are as many as
// somebody has configured. The values of one metric must follow each other.
func (m *metrics) sources(ctx context.Context, p *page) error {
	if m.db.Catalog().Table(datasource.HealthTable) == nil {
		return nil
	}
	rows, err := m.rows(ctx, &record.Query{Table: m.db.Catalog().Table(datasource.HealthTable),
		Fields: append([]string{"source.name", "last_success", "last_data", "failures", "state"}, fateFields...)})
	if err != nil {
		return err
	}
	alerts, err := m.rows(ctx, &record.Query{Table: m.db.Catalog().Table(datasource.AlertTable), Fields: []string{"source.name", "kind"},
		Where: &query.Term{Field: "state", Op: query.Equal, Values: []string{"open"}}, Measures: []record.Measure{{Func: "count"}}})
	if err != nil {
		return err
	}
	moment(p, rows, 1, "headrace_source_last_success_timestamp_seconds", "When the data source was last read to its end.")
	moment(p, rows, 2, "headrace_source_last_data_timestamp_seconds", "When something last came from the data source.")
	for _, row := range rows {
		p.gauge("headrace_source_consecutive_failures", "Attempts that failed since the last success.", number(row[3]), "source", row[0].Text)
	}
	for _, row := range rows {
		for _, s := range sourceStates {
			holds := map[bool]float64{true: 1}[s == row[4].Text]
			p.gauge("headrace_source_state", "1 for the state that the data source is in, 0 for the others.", holds, "source", row[0].Text, "state", s)
		}
	}
	for _, row := range rows {
		for i, fate := range fateFields {
			p.gauge("headrace_source_rows", "Rows of the last run by fate.", number(row[5+i]), "source", row[0].Text, "fate", fate)
		}
	}
	for _, row := range alerts {
		p.gauge("headrace_source_alerts", "Open alerts by kind.", number(row[2]), "source", row[0].Text, "kind", row[1].Text)
	}
	return m.exports(ctx, p)
}

// exports reads which export sets somebody should look at.
func (m *metrics) exports(ctx context.Context, p *page) error {
	t := m.db.Catalog().Table(export.AlertTable)
	if t == nil {
		return nil
	}
	alerts, err := m.rows(ctx, &record.Query{Table: t, Fields: []string{"export_set.name", "kind"},
		Where: &query.Term{Field: "state", Op: query.Equal, Values: []string{"open"}}, Measures: []record.Measure{{Func: "count"}}})
	for _, row := range alerts {
		p.gauge("headrace_export_alerts", "Open alerts of export sets by kind.", number(row[2]), "export", row[0].Text, "kind", row[1].Text)
	}
	return err
}

// moment writes when something was last.
func moment(p *page, rows [][]record.Value, column int, name, help string) {
	for _, row := range rows {
		if at, err := time.Parse(record.DateTimeLayout, row[column].Text); err == nil {
			p.gauge(name, help, float64(at.Unix()), "source", row[0].Text)
		}
	}
}

// rows reads what a query finds, but for rows of sources that are gone.
func (m *metrics) rows(ctx context.Context, q *record.Query) (out [][]record.Value, err error) {
	for row, err := range m.db.As(record.System).Select(ctx, q) {
		if err != nil {
			return nil, err
		}
		if row[0].Text != "" {
			out = append(out, append([]record.Value(nil), row...))
		}
	}
	return out, nil
}
