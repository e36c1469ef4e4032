package importset

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"headrace/internal/connect/format"
	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/transform"
)

// FieldChange is one field that would change.
type FieldChange struct {
	Field string  `json:"field"`
	Old   *string `json:"old"`
	New   *string `json:"new"`
}

// PlannedChange is one record that would change.
type PlannedChange struct {
	Line   int64         `json:"line"`
	Fate   string        `json:"fate"`
	Target string        `json:"target,omitempty"`
	Key    string        `json:"key,omitempty"`
	Fields []FieldChange `json:"fields"`
}

// PlanReport is what an import would do.
type PlanReport struct {
	Source  string           `json:"source"`
	Ledger  Ledger           `json:"ledger"`
	Maps    []MapRun         `json:"maps"`
	Groups  []*Group         `json:"groups,omitempty"`
	Changes []PlannedChange  `json:"changes,omitempty"` // the first ones
	Created map[string]int64 `json:"created,omitempty"` // referenced records that would be created, by table
	Path    string           `json:"path,omitempty"`
	Notes   []string         `json:"notes,omitempty"`
	Absent  *AbsentReport    `json:"absent,omitempty"` // of a full set: the records that it does not hold
}

// mostChanges is how many changes a PlanReport shows.
const mostChanges = 20

// HasChanges reports whether applying the plan would write any record.
func (r *PlanReport) HasChanges() bool {
	return r.Ledger.Inserted+r.Ledger.Updated > 0 || r.Absent != nil && r.Absent.Absent > 0 && r.Absent.Why == ""
}

// Plan runs an import against the target as it is, writes nothing to the store, and reports what would happen. With a
// path it saves the plan there, for Apply: the file holds the rows too, so the source is not needed any more.
func (s *Service) Plan(ctx context.Context, req Request, path string) (*PlanReport, error) {
	maps, err := s.order(req.Maps)
	if err != nil {
		return nil, err
	}
	req.Maps = maps
	pl := &planner{report: &PlanReport{Source: req.Source.Name, Path: path, Created: map[string]int64{}}}
	req.Notes = func(note string) { pl.report.Notes = append(pl.report.Notes, note) }
	pl.im = &importer{Service: s, req: req, run_: &Run{Source: req.Source.Name, State: Running}, began: time.Now(), planning: true}
	pl.im.book = &book{im: pl.im}
	pl.im.most.Store(blockRows)
	if req.Absent != nil {
		if pl.absent, err = s.planAbsence(pl.im.run_, *req.Absent, maps); err != nil {
			return nil, err
		}
	}
	if path == "" {
		return pl.report, pl.run(ctx)
	}
	return pl.report, pl.save(ctx, path)
}

// save runs the plan into a file that appears under its name only when it is whole.
func (pl *planner) save(ctx context.Context, path string) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".plan-*")
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "the plan cannot be saved as %s", path)
	}
	pl.file = newPlanWriter(file)
	err = pl.run(ctx)
	if err == nil {
		err = pl.file.end(pl.report)
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		if fault.KindOf(err) == fault.Internal {
			err = fault.Wrap(fault.Unavailable, err, "the plan cannot be saved as %s", path)
		}
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}

// planner is one plan being made.
type planner struct {
	im      *importer
	file    *planWriter // nil when the plan is not saved
	report  *PlanReport
	fates   []Fate // of the rows, when there are several maps
	keys    *keyLog
	wouldBe wouldBe
	groups  groups
	absent  *absence // nil when nobody asks what is absent
}

func (pl *planner) run(ctx context.Context) error {
	pl.wouldBe = wouldBe{}
	pl.groups = groups{at: map[string]*Group{}}
	for k := range pl.im.req.Maps {
		if err := pl.pass(ctx, k); err != nil {
			return err
		}
	}
	pl.report.Groups = pl.groups.sorted()
	if !pl.report.Ledger.Balances() {
		return fault.New(fault.Internal, "the plan does not balance: %s", pl.report.Ledger)
	}
	if pl.absent != nil {
		pl.report.Absent = pl.absent.report
		return pl.absent.foresee(ctx, pl.report.Ledger)
	}
	return nil
}

// pass plans one map over the whole source.
func (pl *planner) pass(ctx context.Context, k int) (err error) {
	blocks, stop := pl.im.read(ctx)
	defer stop()
	first, ok := <-blocks.out
	if !ok {
		return blocks.err()
	}
	if k == 0 {
		if _, err := pl.im.compileAll(ctx, first.header); err != nil {
			return err
		}
		pl.im.column = first.header.Columns
	}
	m, err := pl.im.req.Source.compile(ctx, pl.im.req.Maps[k], first.header.Columns, pl.im.target(k))
	if err != nil {
		return err
	}
	if err := pl.begin(ctx, k, first.header); err != nil {
		return err
	}
	if pl.keys, err = newKeyLog(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pl.keys.close()) }()
	p := pl.im.pass(k, m)
	pl.watch(p, k)
	seen, err := pl.absent.watch(p)
	if err != nil {
		return err
	}
	return p.between(ctx, func() error {
		return p.flow(ctx, blocks.after(first), func(ctx context.Context, b *matched) error {
			return firstOf(pl.take(p, k, b), seen(ctx, b))
		})
	})
}

// begin writes what stands before the rows of map k. Rows out of a plan have all columns from the start, so those of a
// source that shows them bit by bit are looked for first.
func (pl *planner) begin(ctx context.Context, k int, h *format.Header) (err error) {
	def := pl.im.req.Maps[k]
	pl.report.Maps = append(pl.report.Maps, MapRun{Map: def.Title(), Target: def.TargetTable})
	pl.im.run_.Maps = pl.report.Maps
	if pl.file == nil {
		return nil
	}
	if k > 0 {
		return pl.file.mark(k)
	}
	src, columns := &pl.im.req.Source, h.Columns
	if src.grows() {
		if columns, err = src.columns(ctx); err != nil {
			return err
		}
	}
	return pl.file.begin(planHead{Version: planVersion, Source: src.Name, Size: src.Size, Format: src.formatName(), Options: src.Options,
		Columns: columns, Maps: pl.im.req.Maps, Tables: pl.im.req.Tables, Absent: pl.im.req.Absent, Made: pl.im.db.Now().Format(time.RFC3339), ID: record.NewID()})
}

// watch makes a pass see what the plan would have written so far.
func (pl *planner) watch(p *pass, k int) {
	x := p.x
	p.sequential = false
	x.earlier = func(_ context.Context, row int64) (string, int64, error) { return pl.keys.read(row) }
	x.wouldBe = pl.wouldBe
	var written map[string]planned
	if x.seen == nil && len(x.m.Key) > 0 {
		written = map[string]planned{}
		x.overlay = func(key string) (planned, bool) { p, ok := written[key]; return p, ok }
	}
	referred := pl.referred(k)
	var key []record.Value
	x.after = func(m *matched) error {
		var failed error
		each(m.block, m.rows, func(i int) {
			o, values := &m.out[i], x.rowValues(m, i)
			key, _ = x.m.KeyOf(values, key[:0])
			if m.rows == nil && x.seen != nil {
				failed = firstOf(failed, pl.keys.add(keyText(key), m.lines[i]))
			}
			if written != nil && (o.fate == Inserted || o.fate == Updated) {
				written[keyText(key)] = planned{id: o.target, mod: record.Text(revisionAfter(o)), values: slices.Clone(values)}
			}
			if o.fate == Inserted {
				pl.wouldBe.add(x.m, referred, o.target, values)
			}
		})
		return failed
	}
}

// revisionAfter is the count of updates that a record would have; the plus sign says that the plan itself updates it.
func revisionAfter(o *outcome) string {
	if o.fate == Inserted {
		return "0"
	}
	return o.mod.Text + "+"
}

// referred lists the fields of map k's target by which later maps look its records up.
func (pl *planner) referred(k int) []transform.Lookup {
	var out []transform.Lookup
	for _, def := range pl.im.req.Maps[k+1:] {
		for _, l := range transform.Lookups(def, pl.im.db.Catalog()) {
			if l.Table == pl.im.target(k).Name {
				out = append(out, l)
			}
		}
	}
	return out
}

// take counts a matched block, keeps examples, and writes its rows to the plan.
func (pl *planner) take(p *pass, k int, b *matched) error {
	top, of := &pl.report.Ledger, &pl.report.Maps[k].Ledger
	for _, c := range b.created {
		pl.report.Created[c.Table.Name]++
	}
	for i := range b.out {
		o := &b.out[i]
		of.Read++
		of.count(o.fate)
		switch {
		case k == 0:
			top.Read++
			top.count(o.fate)
			if len(pl.im.req.Maps) > 1 {
				pl.fates = append(pl.fates, o.fate)
			}
		case o.fate > pl.fates[b.row(i)]:
			top.move(pl.fates[b.row(i)], o.fate)
			pl.fates[b.row(i)] = o.fate
		}
		if o.reject != nil {
			pl.groups.add(o.fate, o.reject, b.lines[i])
		}
		row := planRow{Row: b.row(i), Line: b.lines[i], Fate: o.fate.String(), Target: o.target, Mod: o.mod.Text, Fields: p.x.changes(b, i), Reject: o.reject}
		if o.reject != nil {
			row.Reason = o.reject.Code
		}
		if k == 0 {
			row.Cells = json.RawMessage(b.payload[i])
		}
		if len(pl.report.Changes) < mostChanges && o.fate == Updated {
			pl.report.Changes = append(pl.report.Changes, PlannedChange{Line: row.Line, Fate: row.Fate, Target: o.target, Key: p.x.m.KeyText(p.x.rowValues(b, i)), Fields: row.Fields})
		}
		if pl.file != nil {
			if err := pl.file.row(&row); err != nil {
				return err
			}
		}
	}
	pl.im.run_.Ledger = *top
	pl.im.progress()
	return nil
}

// changes lists the fields that differ, old and new.
func (x *matcher) changes(m *matched, i int) []FieldChange {
	values := x.rowValues(m, i)
	var out []FieldChange
	for _, a := range m.out[i].old {
		out = append(out, FieldChange{Field: a.Field, Old: optional(a.Value), New: optional(values[slices.Index(x.m.Fields, a.Field)])})
	}
	return out
}

func optional(v record.Value) *string {
	if !v.Valid {
		return nil
	}
	return &v.Text
}

// wouldBe finds records that a plan would have inserted: table and field, then text, then ids.
type wouldBe map[string]map[string][]string

func (w wouldBe) add(m *transform.Map, by []transform.Lookup, id string, values []record.Value) {
	for _, l := range by {
		at := slices.Index(m.Fields, l.Field)
		if at < 0 || values[at].Empty() {
			continue
		}
		text := values[at].Text
		if l.Fold {
			text = query.Fold(text)
		}
		key := l.Table + "." + l.Field
		if w[key] == nil {
			w[key] = map[string][]string{}
		}
		w[key][text] = append(w[key][text], id)
	}
}

// Find implements transform.Finder.
func (w wouldBe) Find(_ context.Context, t *record.Table, field string, _ bool, texts []string) (map[string][]string, error) {
	found := map[string][]string{}
	known := w[t.Name+"."+field]
	for _, text := range texts {
		if ids := known[text]; len(ids) > 0 {
			found[text] = slices.Clone(ids[:min(2, len(ids))])
		}
	}
	return found, nil
}
