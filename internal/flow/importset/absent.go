package importset

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// AbsentPolicy says what becomes of records that a full set does not hold any more.
type AbsentPolicy string

// The policies.
const (
	IgnoreAbsent     AbsentPolicy = "ignore"
	FlagAbsent       AbsentPolicy = "flag"       // a field says so
	DeactivateAbsent AbsentPolicy = "deactivate" // the same, with active = false unless another field is named
	DeleteAbsent     AbsentPolicy = "delete"
)

// AbsentTerms say which records a full set answers for, what becomes of those that it does not hold, and how many of
// them are believed.
type AbsentTerms struct {
	Target        string       `json:"target,omitempty"` // "" is the table of the first map
	Where         string       `json:"where,omitempty"`  // encoded query: the records that the source answers for; "" is all
	Policy        AbsentPolicy `json:"policy"`
	Field         string       `json:"field,omitempty"` // that is set by flag and deactivate
	Value         string       `json:"value,omitempty"`
	MaxPercent    float64      `json:"max_percent"` // of the records answered for; more than that, or than MaxRows, is refused
	MaxRows       int64        `json:"max_rows"`
	AllowRejected bool         `json:"allow_rejected,omitempty"` // rows whose record cannot be told are taken for rows of other records
}

// AbsentRequest says of which finished run the absent records are to be dealt with.
type AbsentRequest struct {
	Run      int64
	Terms    AbsentTerms
	Allow    bool // the limits are lifted this once
	DryRun   bool // count and show, write nothing
	Batch    int  // records a transaction; 0 is undoPage
	Actor    record.Actor
	Progress func(*AbsentReport) // called after every batch; may be nil
}

// States of an AbsentReport.
const (
	AbsentPlanned = "planned" // nothing is written
	AbsentRefused = "refused" // nothing was touched; Why says why
	AbsentRunning = "running" // some batches are in; asked again, the rest follows
	AbsentDone    = "done"
)

// AbsentReport says what became of the records that no row of a run was about. It stands beside the run's ledger.
type AbsentReport struct {
	AbsentTerms
	State       string         `json:"state"`
	Records     int64          `json:"records"` // that the source answers for, before anything was done
	Absent      int64          `json:"absent"`
	Flagged     int64          `json:"flagged"`
	Deactivated int64          `json:"deactivated"`
	Deleted     int64          `json:"deleted"`
	Kept        int64          `json:"kept"` // that a rule did not let go, or that somebody changed meanwhile
	Why         string         `json:"why,omitempty"`
	Examples    []AbsentRecord `json:"examples,omitempty"` // the first ones
	List        []Refusal      `json:"kept_records,omitempty"`
}

// AbsentRecord is a record that is absent, with its display value.
type AbsentRecord struct {
	Record  string `json:"record"`
	Display string `json:"display"`
}

const mostAbsentShown = 10

// Line says the report in a few words: "absent 12 deactivated".
func (r *AbsentReport) Line() string {
	switch r.State {
	case AbsentPlanned:
		if r.Why != "" {
			return "absent would be left as they are: " + r.Why
		}
		return fmt.Sprintf("absent %s of %s would be %s", Thousands(r.Absent), Thousands(r.Records), r.Policy.done())
	case AbsentRefused:
		return "absent left as they are: " + r.Why
	}
	var words []string
	for _, n := range []struct {
		count int64
		word  string
	}{{r.Flagged, "flagged"}, {r.Deactivated, "deactivated"}, {r.Deleted, "deleted"}, {r.Kept, "kept"}} {
		if n.count > 0 {
			words = append(words, Thousands(n.count)+" "+n.word)
		}
	}
	if r.State == AbsentRunning {
		words = append(words, "interrupted, not all are done")
	}
	if len(words) == 0 {
		return "absent 0"
	}
	return "absent " + strings.Join(words, ", ")
}

func (p AbsentPolicy) done() string {
	return map[AbsentPolicy]string{FlagAbsent: "flagged", DeactivateAbsent: "deactivated", DeleteAbsent: "deleted"}[p]
}

// count adds records that the policy was carried out on.
func (r *AbsentReport) count(n int64) {
	switch r.Policy {
	case FlagAbsent:
		r.Flagged += n
	case DeactivateAbsent:
		r.Deactivated += n
	case DeleteAbsent:
		r.Deleted += n
	}
}

func (r *AbsentReport) keep(table, id, why string) {
	if len(r.List) < mostRefusals {
		r.List = append(r.List, Refusal{table, id, why})
	}
}

// Absent flags, deactivates or deletes the records of the target that no row of a run was about: records whose row is
// unchanged, or rejected for another field, are there. It wants a run that is done and read something, whose every row
// tells its record, and that is the newest of its source; and no more absent records than the terms believe. Otherwise
// nothing is touched: a fault of kind Refused, with the report. It works in batches, a transaction each, under the run's
// number, so that undoing the run brings all back; asked again after it was cut off it does the rest. Asked again after
// it is done, it gives the report of then.
func (s *Service) Absent(ctx context.Context, req AbsentRequest) (*AbsentReport, error) {
	run, err := s.Run(ctx, req.Run)
	if err != nil {
		return nil, err
	}
	before := run.Absent
	if before != nil && before.State == AbsentDone && !req.DryRun {
		return before, nil
	}
	a, err := s.absence(run, req)
	if err != nil {
		return nil, err
	}
	if before != nil && before.State == AbsentRunning {
		a.goOn(before)
	}
	err = a.mayAnswer(ctx)
	if err == nil {
		err = a.present(ctx)
	}
	if err == nil {
		err = a.look(ctx)
	}
	if req.DryRun {
		return a.report, a.planned(err)
	}
	if fault.KindOf(err) == fault.Refused && err != nil && run.State == Done {
		a.report.State, a.report.Why = AbsentRefused, err.Error()
		if before != nil && before.State == AbsentRunning && !a.resume {
			return a.report, err // what was begun on other terms can go on
		}
		return a.report, firstOf(s.noteAbsent(ctx, run, req.Actor, a.report), err)
	}
	if err != nil {
		return a.report, err
	}
	return a.report, a.carryOut(ctx)
}

// planned makes the report that of a plan. What would be refused is no error yet.
func (a *absence) planned(err error) error {
	a.report.State = AbsentPlanned
	if err != nil && fault.KindOf(err) == fault.Refused {
		a.report.Why, err = err.Error(), nil
	}
	return err
}

// settleAbsent deals with the absent records of an import that is done. That they are left as they are is no error of the
// import: its report says so.
func (s *Service) settleAbsent(ctx context.Context, run *Run, terms *AbsentTerms, actor record.Actor) error {
	if terms == nil || terms.Policy == IgnoreAbsent || terms.Policy == "" {
		return nil
	}
	report, err := s.Absent(ctx, AbsentRequest{Run: run.Number, Terms: *terms, Actor: actor})
	run.Absent = report
	if err != nil && fault.KindOf(err) == fault.Refused && report != nil {
		return nil
	}
	return err
}

// ResumeAbsent deals with the absent records of a run on the terms that were given when it was asked for first: where
// that was cut off, or, with allow, where it was refused.
func (s *Service) ResumeAbsent(ctx context.Context, req AbsentRequest) (*AbsentReport, error) {
	run, err := s.Run(ctx, req.Run)
	if err != nil {
		return nil, err
	}
	if run.Absent == nil {
		return nil, fault.New(fault.Refused, "nobody has asked what run %d does not hold", run.Number).
			WithHint("a data source with on_absent does so after each complete reading")
	}
	req.Terms = run.Absent.AbsentTerms
	return s.Absent(ctx, req)
}

// absence is one look for absent records under way.
type absence struct {
	*Service
	req       AbsentRequest
	run       *Run
	report    *AbsentReport
	t         *record.Table
	where     query.Node // of the records that are answered for and not dealt with yet
	value     record.Value
	quiet     string
	fence     *fence
	there     *idSet
	doubts    int64    // rows whose record cannot be told
	ids       []string // absent, the first ones in the order of their ids
	resume    bool     // a part is done already
	concerned bool     // some map of a plan goes into the table
}

// absence reads what is asked for.
func (s *Service) absence(run *Run, req AbsentRequest) (*absence, error) {
	if req.Terms.Target == "" {
		req.Terms.Target = run.Target
	}
	a := &absence{Service: s, req: req, run: run, there: newIDSet()}
	if err := a.settle(); err != nil {
		return nil, err
	}
	a.fence = (&importer{Service: s}).around(a.t)
	return a, nil
}

// settle reads the terms against the table.
func (a *absence) settle() (err error) {
	terms := &a.req.Terms
	if a.t, err = a.db.Table(terms.Target); err != nil {
		return err
	}
	if a.t.Bare {
		return fault.New(fault.Refused, "table %s has no records to be absent", a.t.Name)
	}
	q, err := query.Parse(terms.Where, a.t, query.Env{UserID: record.System.ID, UserName: record.System.Name, Now: a.db.Now()})
	if err != nil {
		return err
	}
	if len(q.Invalid) > 0 { // left out, they would make more records absent
		return fault.New(fault.Invalid, "absent_where on %s has terms without meaning: %s", a.t.Name, strings.Join(q.Invalid, ", ")).
			WithHint("field, operator, value, joined by ^; the fields: headrace table describe %s", a.t.Name)
	}
	parts := &query.And{Parts: []query.Node{&query.Term{Field: record.SysCreatedOn, Op: query.LessEqual, Values: []string{a.began()}}}}
	if q.Where != nil {
		parts.Parts = append(parts.Parts, q.Where)
	}
	marked, err := a.unmarked()
	if err != nil {
		return err
	}
	if marked != nil {
		parts.Parts = append(parts.Parts, marked)
	}
	a.where = parts
	a.report = &AbsentReport{AbsentTerms: *terms}
	return nil
}

// began is when the reading began: a record made since cannot be in it.
func (a *absence) began() string {
	if a.run.record == nil { // a plan
		return a.db.Now().Format(record.DateTimeLayout)
	}
	return a.run.Started.UTC().Format(record.DateTimeLayout)
}

// unmarked is the condition that a record has not the value yet that absent ones are given; nil when they are deleted.
func (a *absence) unmarked() (query.Node, error) {
	terms := &a.req.Terms
	switch terms.Policy {
	case DeleteAbsent:
		return nil, nil
	case DeactivateAbsent:
		if terms.Field == "" {
			terms.Field, terms.Value = "active", "false"
		}
	case FlagAbsent:
	default:
		return nil, fault.New(fault.Invalid, "%q is no policy for absent records", terms.Policy).WithHint("flag, deactivate, delete, or ignore, which asks for nothing")
	}
	f := a.t.Field(terms.Field)
	switch {
	case terms.Field == "":
		return nil, fault.New(fault.Invalid, "flagging absent records of %s needs a field", a.t.Name).WithHint("absent_field and absent_value say what is set")
	case f == nil:
		e := fault.New(fault.Invalid, "table %s has no field %q to tell absent records by", a.t.Name, terms.Field)
		if near := record.Nearest(terms.Field, a.t.Names()); near != "" {
			return nil, e.WithHint("did you mean %q?", near)
		}
		return nil, e.WithHint("absent_field names one")
	case record.IsSystemField(f.Name):
		return nil, fault.New(fault.Invalid, "field %s.%s is the store's own", a.t.Name, f.Name).WithHint("absent_field names another")
	}
	if terms.Value == "" && f.Type == record.Boolean {
		terms.Value = map[AbsentPolicy]string{FlagAbsent: "true", DeactivateAbsent: "false"}[terms.Policy]
	}
	var err error
	if a.value, err = f.Value(record.Value{Text: terms.Value, Valid: true}); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "absent_value of %s.%s", a.t.Name, f.Name)
	}
	if a.value.Empty() {
		return &query.Term{Field: f.Name, Op: query.IsNotEmpty}, nil
	}
	return &query.Or{Parts: []query.Node{&query.Term{Field: f.Name, Op: query.NotEqual, Values: []string{a.value.Text}},
		&query.Term{Field: f.Name, Op: query.IsEmpty}}}, nil
}

// mayAnswer tells whether the run can say what is absent at all.
func (a *absence) mayAnswer(ctx context.Context) error {
	run := a.run
	switch {
	case run.State != Done:
		return fault.New(fault.Refused, "run %d is %s: what it did not read may be there all the same", run.Number, run.State).
			WithHint("only a run that read its source to the end says what is absent")
	case run.Ledger.Read == 0:
		return emptyListing(fmt.Sprintf("run %d", run.Number))
	}
	newer, err := a.sets(ctx, &query.And{Parts: []query.Node{
		&query.Term{Field: "signature", Op: query.Equal, Values: []string{run.record.Get("signature").Text}},
		&query.Term{Field: "run", Op: query.Greater, Values: []string{strconv.FormatInt(run.Number, 10)}}}})
	if err != nil {
		return err
	}
	if n := len(newer); n > 0 {
		return fault.New(fault.Refused, "run %d has read the same source since run %d", whole(newer[n-1], "run"), run.Number).
			WithHint("the newest listing counts")
	}
	return nil
}

func emptyListing(what string) error {
	return fault.New(fault.Refused, "%s read no rows: an empty listing makes nothing absent", what).
		WithHint("if the source is really empty, delete or deactivate its records by hand")
}

// goOn takes over what an interrupted attempt has counted. Records that were kept are tried again. On the same terms the
// limits were asked for then; on others they are asked for anew.
func (a *absence) goOn(before *AbsentReport) {
	if a.resume = before.AbsentTerms == a.req.Terms; !a.resume {
		a.report.Flagged, a.report.Deactivated, a.report.Deleted = before.Flagged, before.Deactivated, before.Deleted
		return
	}
	report := *before
	report.Kept, report.List = 0, nil
	a.report = &report
}

// look finds the absent records and holds them against the limits.
func (a *absence) look(ctx context.Context) error {
	if a.doubts > 0 && !a.req.Terms.AllowRejected {
		return fault.New(fault.Refused, "the records of %s rejected or skipped rows cannot be told: they could be among the absent", Thousands(a.doubts)).
			WithHint("mend the rows (headrace run rows %d --fate rejected, --fate skipped), or set absent_rejected of the data source to true", a.run.Number)
	}
	all, absent, err := a.list(ctx, "")
	if err != nil {
		return err
	}
	if a.resume {
		return nil
	}
	a.report.Records, a.report.Absent = all, absent
	if err := a.examples(ctx); err != nil {
		return err
	}
	return a.guard()
}

// guard refuses more absent records than the terms believe. Limits are inclusive.
func (a *absence) guard() error {
	r, terms := a.report, &a.req.Terms
	if a.req.Allow {
		return nil
	}
	percent := float64(0)
	if r.Records > 0 {
		percent = 100 * float64(r.Absent) / float64(r.Records)
	}
	how := fmt.Sprintf("headrace run absent %d --allow does it this once; absent_percent and absent_rows of the data source set the limits", a.run.Number)
	switch {
	case float64(r.Absent)*100 > terms.MaxPercent*float64(r.Records):
		return fault.New(fault.Refused, "%s of %s records of %s are absent: %.1f %%, and %s %% are believed", Thousands(r.Absent), Thousands(r.Records), a.t.Name,
			percent, strconv.FormatFloat(terms.MaxPercent, 'f', -1, 64)).WithHint("%s", how)
	case r.Absent > terms.MaxRows:
		return fault.New(fault.Refused, "%s of %s records of %s are absent, and %s are believed", Thousands(r.Absent), Thousands(r.Records), a.t.Name,
			Thousands(terms.MaxRows)).WithHint("%s", how)
	}
	return nil
}

// noteAbsent keeps a report with its run.
func (s *Service) noteAbsent(ctx context.Context, run *Run, actor record.Actor, report *AbsentReport) error {
	run.Absent = report
	return s.db.As(actor).Write(ctx, func(w *record.Writer) error {
		return updateBook(ctx, w.Tx(), run.record, []record.Assignment{{Field: "absent", Value: record.Text(mustJSON(report))}})
	})
}

// absentOf reads the report that a run's record holds; nil when there is none.
func absentOf(r *record.Record) *AbsentReport {
	text := r.Get("absent").Text
	if text == "" {
		return nil
	}
	report := &AbsentReport{}
	if json.Unmarshal([]byte(text), report) != nil {
		return nil
	}
	return report
}
