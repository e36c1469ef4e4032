package importset

import (
	"context"
	"errors"
	"slices"

	"headrace/internal/core/record"
	"headrace/internal/flow/transform"
)

// ApplyRequest says which plan to apply.
type ApplyRequest struct {
	Path     string
	Restart  bool
	Actor    record.Actor
	Began    func(*Run) // as for Request
	Progress func(*Run)
}

// Apply does exactly what a saved plan says. A row whose record is not any more as the plan saw it is refused: rejected,
// with the reason target_changed. An apply that was interrupted goes on when asked again.
func (s *Service) Apply(ctx context.Context, req ApplyRequest) (run *Run, err error) {
	plan, err := openPlan(req.Path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, plan.close()) }()
	if err := s.makeMissing(ctx, req.Actor, plan.head.Tables); err != nil {
		return nil, err
	}
	for _, def := range plan.head.Maps {
		if _, err := s.db.Table(def.TargetTable); err != nil {
			return nil, err
		}
	}
	im := &importer{Service: s, plan: plan, req: Request{Maps: plan.head.Maps, Actor: req.Actor, Began: req.Began, Progress: req.Progress, Restart: req.Restart,
		Source: Source{Name: plan.head.Source, Size: plan.head.Size, Options: plan.head.Options, planned: plan.head.Format}}}
	if run, err = im.run(ctx); err != nil {
		return run, err
	}
	return run, s.settleAbsent(ctx, run, plan.head.Absent, req.Actor)
}

// makeMissing makes the tables of a plan that are not there yet.
func (s *Service) makeMissing(ctx context.Context, actor record.Actor, tables []record.Table) error {
	for _, t := range tables {
		if s.db.Catalog().Table(t.Name) != nil {
			continue
		}
		if _, err := s.db.Define(ctx, actor, false, t); err != nil {
			return err
		}
	}
	return nil
}

// plannedID gives a new record the id that the plan drew for it.
func plannedID(m *matched, i int) string {
	if p := &m.planned[i]; p.Fate == Inserted.String() && p.Target != "" {
		return p.Target
	}
	return record.NewID()
}

// asPlanned keeps an outcome only if it is what the plan says, to the field.
func (x *matcher) asPlanned(m *matched, i int) {
	o, p := &m.out[i], &m.planned[i]
	fate, _ := ParseFate(p.Fate)
	switch {
	case o.fate == Pending: // left for another round
	case fate == Skipped || fate == Rejected:
		*o = outcome{fate: fate, reject: p.Reject}
		if o.reject != nil {
			o.reject.Code = p.Reason
		}
	case o.fate == fate && (fate == Inserted || o.target == p.Target && sameRevision(o.mod.Text, p.Mod) && slices.EqualFunc(x.changes(m, i), p.Fields, sameChange)):
	default:
		*o = outcome{fate: Rejected, reject: x.refused(m, i, fate)}
	}
}

// sameRevision compares counts of updates. A plan does not know the count of a record that it updates itself before; it
// says so by a plus sign.
func sameRevision(now, planned string) bool {
	return now == planned || len(planned) > 0 && planned[len(planned)-1] == '+'
}

func sameChange(a, b FieldChange) bool {
	same := func(p, q *string) bool { return p == nil && q == nil || p != nil && q != nil && *p == *q }
	return a.Field == b.Field && same(a.Old, b.Old) && same(a.New, b.New)
}

// refused says how the target differs from what the plan saw.
func (x *matcher) refused(m *matched, i int, fate Fate) *transform.Reject {
	o, p := &m.out[i], &m.planned[i]
	r := &transform.Reject{Code: reasonChanged, Hint: "make the plan again"}
	if len(x.m.Key) > 0 {
		r.Column, r.Field = x.m.Column(x.m.Key[0]), x.m.Fields[x.m.Key[0]]
		r.Value = record.Clip(x.rowValues(m, i)[x.m.Key[0]].Text)
	}
	switch {
	case fate == Inserted:
		r.Msg = "a record with this key has come since the plan was made"
	case o.fate == Inserted:
		r.Msg = "record " + p.Target + " has been removed since the plan was made"
	default:
		r.Msg = "record " + p.Target + " was changed since the plan was made"
	}
	return r
}
