package datasource

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
)

// States of a source, the worst that holds. They stand apart from those of its runs: a source may be late while its last
// run was fine.
const (
	HealthHealthy = "healthy"
	HealthFailing = "failing" // the last attempt ended in an error
	HealthLate    = "late"    // nothing came for longer than expect_every
	HealthQuiet   = "quiet"   // the last reading had no rows
	HealthDrift   = "drift"   // it is not what was agreed on
)

// Kinds of alerts.
const (
	AlertFailed  = "failed"
	AlertLate    = "late"
	AlertNoRows  = "zero_rows"
	AlertUnusual = "unusual_count"
	AlertDrift   = "drift"
	AlertAbsent  = "absent_refused"
)

func healthTable() record.Table {
	n := func(name, label string) record.Field { return preset(typed(name, label, record.Integer), "0") }
	return record.Table{Name: HealthTable, Label: "Health of a data source", Fields: []record.Field{
		must(record.Field{Name: "source", Label: "Data source", Type: record.Reference, Reference: SourceTable, Unique: true}),
		choice("state", "State", HealthHealthy, "Healthy", HealthFailing, "Failing", HealthLate, "Late", HealthQuiet, "Quiet", HealthDrift, "Drift"),
		helped(typed("last_success", "Last success", record.DateTime), "when something of it was imported, or there was nothing to import"),
		helped(typed("last_data", "Last data", record.DateTime), "when rows came last"),
		typed("last_attempt", "Last attempt", record.DateTime),
		n("failures", "Failures in a row"), text("message", "Message"), typed("last_run", "Last run", record.Integer),
		n("inserted", "Inserted"), n("updated", "Updated"), n("unchanged", "Unchanged"), n("skipped", "Skipped"), n("rejected", "Rejected"),
		helped(typed("counts", "Rows of the last runs", record.JSON), "the newest last"),
		helped(typed("learnt", "Learnt contract", record.JSON), "the columns of the first good run, and what was added since")}}
}

// usual is how many runs a count is held against, and fewest how many there must be.
const (
	usual  = 10
	fewest = 3
)

// account writes how the source is after an attempt, raises the alerts that hold and resolves those that are over.
// Attempts that were stopped say nothing.
func (j *job) account(ctx context.Context, failure error) error {
	if k := fault.KindOf(failure); failure != nil && k == fault.Canceled {
		return nil
	}
	return j.DB.As(record.System).Write(context.WithoutCancel(ctx), func(w *record.Writer) error {
		h, err := j.lockHealth(ctx, w, j.src.id)
		if err != nil {
			return err
		}
		alerts := j.alerts(h, failure)
		values := j.vitals(h, w.Now(), failure)
		state, message := worst(alerts)
		came := values["last_data"] != ""
		if last := h.Get("state").Text; !came && state == HealthHealthy && last == HealthLate { // an attempt that finds nothing is no news
			state, message = last, h.Get("message").Text
		}
		values["state"], values["message"] = state, message
		if err := setHealth(ctx, w, h, values); err != nil {
			return err
		}
		judged := []string{AlertFailed}
		if failure == nil {
			judged = append(judged, AlertDrift)
			if came {
				judged = append(judged, AlertLate)
			}
			if j.brought() {
				judged = append(judged, AlertNoRows, AlertUnusual, AlertAbsent)
			}
		} else if len(j.result.Drift) > 0 {
			judged = append(judged, AlertDrift)
		}
		return j.book().Tell(ctx, w, j.src.id, j.src.name, alerts, judged)
	})
}

// brought reports whether the attempt read rows, or would have.
func (j *job) brought() bool {
	return len(j.result.Runs) > 0 || j.src.kind.Rows != nil && j.src.since == ""
}

// alerts lists what is wrong after an attempt.
func (j *job) alerts(h *record.Record, failure error) []Alert {
	var out []Alert
	if failure != nil {
		out = append(out, Alert{Kind: AlertFailed, Message: failure.Error(), Hint: fault.HintOf(failure), Run: j.lastRun()})
	}
	out = append(out, j.driftAlerts()...)
	if failure == nil && j.brought() {
		out = append(out, j.countAlerts(h)...)
	}
	switch a := j.result.Absent; {
	case a != nil && a.State == importset.AbsentRefused:
		out = append(out, Alert{Kind: AlertAbsent, Message: a.Why, Hint: fmt.Sprintf("headrace run absent %d --allow does it this once", j.lastRun()), Run: j.lastRun()})
	case j.doubt != "":
		out = append(out, Alert{Kind: AlertAbsent, Message: j.doubt, Run: j.lastRun()})
	}
	return out
}

const mostDriftAlerts = 50

// driftAlerts gives one alert for each difference, whatever number of files has it.
func (j *job) driftAlerts() []Alert {
	var out []Alert
	known := map[string]bool{}
	for n, d := range j.result.Drift {
		a := Alert{Kind: AlertDrift, Subject: d.Kind + " " + d.Column, Message: d.String(), Hint: d.Hint, Run: j.lastRun()}
		if len(out) == mostDriftAlerts {
			a = Alert{Kind: AlertDrift, Subject: "more", Message: fmt.Sprintf("and %d more differences", len(j.result.Drift)-n), Run: j.lastRun()}
		}
		if !known[a.Key()] {
			known[a.Key()] = true
			out = append(out, a)
		}
		if len(out) > mostDriftAlerts {
			break
		}
	}
	return out
}

// countAlerts holds the rows that were read against what is expected.
func (j *job) countAlerts(h *record.Record) []Alert {
	var out []Alert
	read := int64(0)
	for _, run := range j.result.Runs {
		read += run.Ledger.Read
	}
	if read == 0 && j.src.since == "" {
		if j.src.get("on_zero_rows") == "alert" {
			out = append(out, Alert{Kind: AlertNoRows, Message: "no rows came", Hint: "on_zero_rows: ok where that is normal", Run: j.lastRun()})
		}
		return out
	}
	least, change, before := number(j.src.record, "expect_rows_min"), number(j.src.record, "expect_rows_change"), countsOf(h)
	for _, run := range j.result.Runs {
		n := run.Ledger.Read
		middle := median(before)
		switch {
		case n < least:
			out = append(out, Alert{Kind: AlertUnusual, Message: fmt.Sprintf("%s rows came, and at least %s are expected", importset.Thousands(n), importset.Thousands(least)), Run: run.Number})
		case change > 0 && len(before) >= fewest && 100*abs(n-middle) > change*middle:
			out = append(out, Alert{Kind: AlertUnusual, Run: run.Number, Message: fmt.Sprintf("%s rows came, and %s are usual: more than %d %% apart",
				importset.Thousands(n), importset.Thousands(middle), change)})
		}
		before = append(before, n)
	}
	return out[max(0, len(out)-1):] // of several, the last
}

func abs(n int64) int64 { return max(n, -n) }

// median is the middle of the last counts; of an even number the lower of the two.
func median(counts []int64) int64 {
	if len(counts) == 0 {
		return 0
	}
	sorted := slices.Clone(counts[max(0, len(counts)-usual):])
	slices.Sort(sorted)
	return sorted[(len(sorted)-1)/2]
}

func countsOf(h *record.Record) []int64 {
	var out []int64
	if text := h.Get("counts").Text; text != "" && json.Unmarshal([]byte(text), &out) != nil {
		return nil
	}
	return out
}

func (j *job) lastRun() int64 {
	if n := len(j.result.Runs); n > 0 {
		return j.result.Runs[n-1].Number
	}
	return 0
}

// vitals are the fields of a source's health after an attempt.
func (j *job) vitals(h *record.Record, now time.Time, failure error) map[string]string {
	stamp := now.Format(record.DateTimeLayout)
	values := map[string]string{"last_attempt": stamp, "failures": strconv.FormatInt(number(h, "failures")+1, 10)}
	if failure == nil {
		values["failures"], values["last_success"] = "0", stamp
	}
	counts, data := countsOf(h), false
	for _, run := range j.result.Runs {
		if run.State != importset.Done {
			continue
		}
		l := run.Ledger
		values["last_run"] = strconv.FormatInt(run.Number, 10)
		for name, n := range map[string]int64{"inserted": l.Inserted, "updated": l.Updated, "unchanged": l.Unchanged, "skipped": l.Skipped, "rejected": l.Rejected} {
			values[name] = strconv.FormatInt(n, 10)
		}
		counts, data = append(counts, l.Read), true
	}
	if data || failure == nil && j.src.kind.Rows != nil { // a database that has nothing new has answered all the same
		values["last_data"] = stamp
	}
	if len(counts) > 0 {
		values["counts"] = encode(counts[max(0, len(counts)-usual):])
	}
	if j.learnt != "" {
		values["learnt"] = j.learnt
	}
	return values
}

// worst is the state that alerts make, and its message.
func worst(alerts []Alert) (state, message string) {
	for _, kind := range []struct{ alert, state string }{{AlertDrift, HealthDrift}, {AlertFailed, HealthFailing}, {AlertLate, HealthLate}, {AlertNoRows, HealthQuiet}} {
		for _, a := range alerts {
			if a.Kind == kind.alert {
				return kind.state, a.Message
			}
		}
	}
	if len(alerts) > 0 {
		return HealthHealthy, alerts[0].Message
	}
	return HealthHealthy, ""
}

// lockHealth gives the health of a source, made when missing, and holds it until the transaction ends: two processes
// must not raise one alert twice.
func (s *Service) lockHealth(ctx context.Context, w *record.Writer, sourceID string) (*record.Record, error) {
	t := s.DB.Catalog().Table(HealthTable)
	find := func() (*record.Record, error) {
		all, err := selected(ctx, w.Tx(), t, &query.Term{Field: "source", Op: query.Equal, Values: []string{sourceID}})
		if err != nil || len(all) == 0 {
			return nil, err
		}
		return all[0], nil
	}
	h, err := find()
	if err == nil && h == nil {
		err = w.Tx().Nest(ctx, func(record.Tx) error {
			_, err := w.Insert(ctx, t, []record.Assignment{{Field: "source", Value: record.Text(sourceID)}})
			return err
		})
		if err == nil || fault.KindOf(err) == fault.Conflict {
			h, err = find()
		}
	}
	if err != nil {
		return nil, err
	}
	if h == nil {
		return nil, fault.New(fault.Unavailable, "the health of the data source is being made by somebody else")
	}
	if err := setHealth(ctx, w, h, nil); err != nil {
		return nil, err
	}
	return find()
}

// setHealth writes fields of a health record. It is book-keeping, so it leaves no change row.
func setHealth(ctx context.Context, w *record.Writer, h *record.Record, values map[string]string) error {
	return rewrite(ctx, w, h, values)
}

// rewrite writes fields of a record of book-keeping.
func rewrite(ctx context.Context, w *record.Writer, r *record.Record, values map[string]string) error {
	rows := &record.Rows{Fields: []string{record.SysID, record.SysModCount, record.SysUpdatedOn},
		Values: []record.Value{record.Text(r.ID()), record.Null, record.Text(w.Now().Format(record.DateTimeLayout))}}
	for name, v := range values {
		rows.Fields, rows.Values = append(rows.Fields, name), append(rows.Values, record.Value{Text: v, Valid: v != ""})
	}
	_, err := w.Tx().Update(ctx, r.Table, rows)
	return err
}

// selected reads whole records, the oldest first.
func selected(ctx context.Context, tx record.Tx, t *record.Table, where query.Node) ([]*record.Record, error) {
	var out []*record.Record
	for row, err := range tx.Select(ctx, &record.Query{Table: t, Fields: t.Names(), Where: where, OrderBy: []query.Order{{Field: record.SysID}}}) {
		if err != nil {
			return nil, err
		}
		out = append(out, &record.Record{Table: t, Values: slices.Clone(row)})
	}
	return out, nil
}

func encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil { // numbers and texts always marshal
		panic(err)
	}
	return string(b)
}

// Overdue raises an alert for each active source from which nothing came for longer than its expect_every, and resolves
// those that are over. It is to be called each minute or so.
func (s *Service) Overdue(ctx context.Context, now time.Time) error {
	all, err := s.records(ctx, &query.Term{Field: "active", Op: query.Equal, Values: []string{"true"}})
	if err != nil {
		return err
	}
	var failed error
	for _, r := range all {
		if r.Get("expect_every").Empty() {
			continue
		}
		failed = errors.Join(failed, fault.During("data source "+r.Get("name").Text, s.overdue(ctx, r, now)))
	}
	return failed
}

func (s *Service) overdue(ctx context.Context, source *record.Record, now time.Time) error {
	every, err := time.ParseDuration(source.Get("expect_every").Text)
	if err != nil || every <= 0 {
		return fault.New(fault.Invalid, "expect_every %q is no duration", source.Get("expect_every").Text).WithHint("such as 24h or 90m")
	}
	h, err := s.health(ctx, source.ID())
	if err != nil {
		return err
	}
	since := source.Get(record.SysCreatedOn).Text
	if h != nil && !h.Get("last_data").Empty() {
		since = h.Get("last_data").Text
	}
	last, err := time.Parse(record.DateTimeLayout, since)
	if err != nil {
		return nil
	}
	var alerts []Alert
	if now.UTC().After(last.Add(every)) {
		alerts = []Alert{{Kind: AlertLate, Message: fmt.Sprintf("nothing came since %s UTC, and something is expected every %s", since, source.Get("expect_every").Text),
			Hint: "is its schedule active, and does the partner deliver?"}}
	} else if h == nil || h.Get("state").Text != HealthLate {
		return nil
	}
	return s.DB.As(record.System).Write(ctx, func(w *record.Writer) error {
		h, err := s.lockHealth(ctx, w, source.ID())
		if err != nil {
			return err
		}
		if state := h.Get("state").Text; state == HealthHealthy || state == HealthLate || state == HealthQuiet {
			late, message := worst(alerts)
			if err := setHealth(ctx, w, h, map[string]string{"state": late, "message": message}); err != nil {
				return err
			}
		}
		return s.book().Tell(ctx, w, source.ID(), source.Get("name").Text, alerts, []string{AlertLate})
	})
}

// health reads how a source is; nil when it was never tried.
func (s *Service) health(ctx context.Context, sourceID string) (h *record.Record, err error) {
	err = s.DB.Store().Read(ctx, func(tx record.Tx) error {
		all, err := selected(ctx, tx, s.DB.Catalog().Table(HealthTable), &query.Term{Field: "source", Op: query.Equal, Values: []string{sourceID}})
		if len(all) > 0 {
			h = all[0]
		}
		return err
	})
	return h, err
}
