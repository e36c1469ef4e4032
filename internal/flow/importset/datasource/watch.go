package datasource

import (
	"context"
	"errors"
	"strconv"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
)

// watch is what a job notices about its source beside the rows.
type watch struct {
	ours     bool   // the source is claimed: what happens to it from here on is news about it
	whole    bool   // what is being imported is all that the source holds
	doubt    string // why records that are absent were not asked for, though the source says they should be
	proposed string // the contract as it will be when the rows are in
	learnt   string // and as it is
}

// ended judges a job that has come to its end, keeps how the source is, and gives the error that it ends with.
func (j *job) ended(ctx context.Context, r *record.Record, failure error) error {
	if failure == nil {
		failure = j.nothing()
	}
	for _, run := range j.result.Runs {
		if run.Absent != nil {
			j.result.Absent = run.Absent
		}
	}
	if j.src == nil { // its record cannot be read
		j.src, j.ours = &saved{address: &address{}, record: r, id: r.ID(), name: r.Get("name").Text}, true
	}
	if !j.ours {
		return failure
	}
	if err := j.account(ctx, failure); failure == nil {
		return err
	}
	return failure
}

// nothing is the error that a source without rows is, where its record says so.
func (j *job) nothing() error {
	if j.src.get("on_zero_rows") != "fail" || !j.brought() {
		return nil
	}
	for _, run := range j.result.Runs {
		if run.Ledger.Read > 0 {
			return nil
		}
	}
	return fault.New(fault.Refused, "data source %s: no rows came", j.src.name).WithHint("on_zero_rows: alert or ok where that may be")
}

// absentTerms are what is to become of records that the source does not hold; nil when what is imported is not all that
// it holds, or nothing is to become of them.
func (j *job) absentTerms() *importset.AbsentTerms {
	terms := j.src.absentTerms()
	switch {
	case terms == nil:
		return nil
	case j.src.get("use_last_run_datetime") == "true" || j.src.since != "":
		j.doubt = "the source is read from where the last reading ended: what is not read is not absent (use_last_run_datetime)"
		return nil
	case !j.whole:
		j.doubt = "several files came at once, so none of them is known to be the whole set (pick: newest takes one)"
		return nil
	}
	return terms
}

// absentTerms compiles what the record says of absent records; nil when they are left alone.
func (d *saved) absentTerms() *importset.AbsentTerms {
	policy := importset.AbsentPolicy(d.get("on_absent"))
	if policy == "" || policy == importset.IgnoreAbsent {
		return nil
	}
	percent, err := strconv.ParseFloat(d.get("absent_percent"), 64)
	if err != nil {
		percent = 0
	}
	return &importset.AbsentTerms{Where: d.get("absent_where"), Policy: policy, Field: d.get("absent_field"), Value: d.get("absent_value"),
		MaxPercent: percent, MaxRows: number(d.record, "absent_rows"), AllowRejected: d.get("absent_rejected") == "true"}
}

// agreed holds a file against the contract before its import begins. One that is to be set aside is settled with that.
func (l *line) agreed(ctx context.Context, d *delivery, c *copied, src *importset.Source) (aside bool, err error) {
	came, err := observe(ctx, src)
	if err == nil {
		err = l.agree(ctx, came)
	}
	var off drifted
	if !errors.As(err, &off) || !off.aside {
		return false, err
	}
	d.state, d.reason = FileQuarantined, err.Error()
	c.remove()
	return true, errors.Join(l.putAside(ctx, d, "error_folder"), l.keep(ctx, l.src.id, d))
}

// isWhole reports whether a file of the line is all that the source holds: parts of a set cannot be told from sets.
func (l *line) isWhole() bool { return l.src.get("pick") == "newest" || l.unsettled() <= 1 }

// unsettled counts the files that are there and not imported.
func (l *line) unsettled() int {
	n := 0
	for _, f := range l.listed {
		if last := latest(l.known, f.Path); !l.besides(f) && (last == nil || !last.settled() || !unchanged(f, last.File)) {
			n++
		}
	}
	return n
}

// absentAfter deals with the absent records of a run that was done when its process ended.
func (l *line) absentAfter(ctx context.Context, run *importset.Run) error {
	terms := l.absentTerms()
	if begun := run.Absent; begun != nil && begun.State == importset.AbsentRunning && l.src.absentTerms() != nil {
		terms, l.doubt = l.src.absentTerms(), "" // what came meanwhile is no part of it
	}
	if terms == nil || run.State != importset.Done {
		return nil
	}
	report, err := l.Imports.Absent(ctx, importset.AbsentRequest{Run: run.Number, Terms: *terms, Actor: importset.Importer(l.req.Actor)})
	if run.Absent = report; fault.KindOf(err) == fault.Refused && report != nil {
		return nil // the report says so
	}
	return err
}
