package importset

import (
	"context"
	"encoding/json"
	"iter"
	"slices"
	"strconv"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/transform"
)

// StagedRow is one row of a run as staging keeps it.
type StagedRow struct {
	Row    int64             `json:"row"` // from 0
	Line   int64             `json:"line"`
	Cells  []record.Value    `json:"-"`
	Fate   Fate              `json:"-"`
	Target string            `json:"target,omitempty"`
	Reject *transform.Reject `json:"-"`
	text   string            // the payload
	shown  int64             // id of the staging row that holds it
}

// sets reads records of runs, oldest first.
func (s *Service) sets(ctx context.Context, where query.Node) ([]*record.Record, error) {
	return s.find(ctx, &record.Query{Where: where, OrderBy: []query.Order{{Field: "run"}}})
}

// find reads the records of runs that q asks for.
func (s *Service) find(ctx context.Context, q *record.Query) ([]*record.Record, error) {
	t := s.db.Catalog().Table(SetTable)
	q.Table, q.Fields = t, t.Names()
	var out []*record.Record
	for row, err := range s.db.As(record.System).Select(ctx, q) {
		if err != nil {
			return nil, err
		}
		out = append(out, &record.Record{Table: t, Values: slices.Clone(row)})
	}
	return out, nil
}

func (s *Service) mapRuns(ctx context.Context, run int64) (out []MapRun, err error) {
	err = s.db.Store().Read(ctx, func(tx record.Tx) error {
		out, err = mapRunsIn(ctx, tx, s.db, run)
		return err
	})
	return out, err
}

func mapRunsIn(ctx context.Context, tx record.Tx, db *record.DB, run int64) ([]MapRun, error) {
	t := db.Catalog().Table(RunTable)
	found, err := recordsOf(ctx, tx, &record.Query{Table: t, Fields: t.Names(), OrderBy: []query.Order{{Field: "position"}},
		Where: &query.Term{Field: "run", Op: query.Equal, Values: []string{strconv.FormatInt(run, 10)}}})
	var out []MapRun
	for _, r := range found {
		out = append(out, MapRun{Map: r.Get("map").Text, Target: r.Get("target_table").Text, Ledger: ledgerOf(r), record: r})
	}
	return out, err
}

// recordsOf reads whole records.
func recordsOf(ctx context.Context, tx record.Tx, q *record.Query) ([]*record.Record, error) {
	var out []*record.Record
	for row, err := range tx.Select(ctx, q) {
		if err != nil {
			return nil, err
		}
		out = append(out, &record.Record{Table: q.Table, Values: slices.Clone(row)})
	}
	return out, nil
}

// Runs lists all runs, oldest first.
func (s *Service) Runs(ctx context.Context) ([]*Run, error) {
	sets, err := s.sets(ctx, nil)
	if err != nil {
		return nil, err
	}
	out := make([]*Run, len(sets))
	for i, r := range sets {
		out[i] = runOf(r)
		s.nameDead(out[i])
	}
	return out, nil
}

// RunsBefore lists the newest runs whose number is below before (0: all), the newest first, at most limit of them.
func (s *Service) RunsBefore(ctx context.Context, before int64, limit int) ([]*Run, error) {
	q := &record.Query{OrderBy: []query.Order{{Field: "run", Desc: true}}, Limit: limit}
	if before > 0 {
		q.Where = &query.Term{Field: "run", Op: query.Less, Values: []string{strconv.FormatInt(before, 10)}}
	}
	sets, err := s.find(ctx, q)
	if err != nil {
		return nil, err
	}
	out := make([]*Run, len(sets))
	for i, r := range sets {
		out[i] = runOf(r)
		s.nameDead(out[i])
	}
	return out, nil
}

// nameDead shows a run as halted whose process is gone.
func (s *Service) nameDead(run *Run) {
	if run.State == Running && !s.alive(run.record) {
		run.State, run.Message = Halted, "its process ended without a word; the same import resumes it"
	}
}

// Run finds a run by its number.
func (s *Service) Run(ctx context.Context, number int64) (*Run, error) {
	sets, err := s.sets(ctx, &query.Term{Field: "run", Op: query.Equal, Values: []string{strconv.FormatInt(number, 10)}})
	if err != nil {
		return nil, err
	}
	if len(sets) == 0 {
		return nil, fault.New(fault.NotFound, "there is no run %d", number).WithHint("`headrace run list` shows the runs")
	}
	run := runOf(sets[0])
	s.nameDead(run)
	run.Maps, err = s.mapRuns(ctx, number)
	return run, err
}

// Rows yields rows of a run in order, those with one of the fates, or all when none is given.
func (s *Service) Rows(ctx context.Context, run int64, fates ...Fate) iter.Seq2[*StagedRow, error] {
	return s.staged(ctx, run, 0, MaxRows, fates)
}

// RowsFrom is Rows, beginning with row number from.
func (s *Service) RowsFrom(ctx context.Context, run, from int64, fates ...Fate) iter.Seq2[*StagedRow, error] {
	return s.staged(ctx, run, from, MaxRows, fates)
}

// stagedPage is how many staging rows are read at a time.
const stagedPage = 5_000

// stagedItself yields the staging rows of a run from one number up to another.
func (s *Service) stagedItself(ctx context.Context, run, from, to int64, fates []Fate) iter.Seq2[*StagedRow, error] {
	return func(yield func(*StagedRow, error) bool) {
		for from < to {
			page, err := s.stagedPage(ctx, run, from, to, fates)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, row := range page {
				if !yield(row, nil) {
					return
				}
			}
			if len(page) < stagedPage {
				return
			}
			from = page[len(page)-1].Row + 1
		}
	}
}

func (s *Service) stagedPage(ctx context.Context, run, from, to int64, fates []Fate) ([]*StagedRow, error) {
	t := s.db.Catalog().Table(RowTable)
	id := func(row int64) []string { return []string{strconv.FormatInt(rowID(run, row), 10)} }
	where := &query.And{Parts: []query.Node{&query.Term{Field: "id", Op: query.GreaterEqual, Values: id(from)},
		&query.Term{Field: "id", Op: query.Less, Values: id(to)}}}
	if len(fates) > 0 {
		names := make([]string, len(fates))
		for i, f := range fates {
			names[i] = f.String()
		}
		where.Parts = append(where.Parts, &query.Term{Field: "state", Op: query.In, Values: names})
	}
	q := &record.Query{Table: t, Fields: []string{"id", "line", "payload", "state", "reason", "note", "target"}, Where: where,
		OrderBy: []query.Order{{Field: "id"}}, Limit: stagedPage}
	var page []*StagedRow
	for row, err := range s.db.As(record.System).Select(ctx, q) {
		if err != nil {
			return nil, err
		}
		staged, err := stagedRow(row)
		if err != nil {
			return nil, err
		}
		page = append(page, staged)
	}
	return page, nil
}

func stagedRow(v []record.Value) (*StagedRow, error) {
	id, err := strconv.ParseInt(v[0].Text, 10, 64)
	if err != nil {
		return nil, err
	}
	line, err := strconv.ParseInt(v[1].Text, 10, 64)
	if err != nil {
		return nil, err
	}
	r := &StagedRow{Row: id & MaxRows, Line: line, Target: v[6].Text, text: v[2].Text, shown: id}
	r.Fate, _ = ParseFate(v[3].Text)
	if r.Cells, err = parsePayload(v[2].Text, nil); err != nil {
		return nil, err
	}
	if v[4].Valid {
		r.Reject = &transform.Reject{}
		if err := json.Unmarshal([]byte(v[5].Text), r.Reject); err != nil {
			return nil, err
		}
		r.Reject.Code = v[4].Text
	}
	return r, nil
}

// fromStaging takes the rows of the run out of staging again, for the second and later maps.
func (p *pass) fromStaging(ctx context.Context) error {
	return p.flow(ctx, func(ctx context.Context, emit func(*block) bool) error {
		var b *block
		for row, err := range p.im.staged(ctx, p.im.run_.Number, 0, MaxRows, nil) {
			if err != nil {
				return err
			}
			if b == nil {
				b = &block{first: row.Row}
			}
			b.take(row)
			if p.im.plan != nil {
				planned, err := p.im.plan.next(ctx)
				if err != nil {
					return err
				}
				b.planned = append(b.planned, planned)
			}
			if b.len() >= int(p.im.most.Load()) {
				if !emit(b) {
					return ctx.Err()
				}
				b = nil
			}
		}
		if b != nil && !emit(b) {
			return ctx.Err()
		}
		return nil
	}, p.commit)
}

func (b *block) take(row *StagedRow) {
	b.lines = append(b.lines, row.Line)
	b.cells = append(b.cells, row.Cells)
	b.payload = append(b.payload, row.text)
	b.old = append(b.old, prior{fate: row.Fate})
}

// Cancel asks a run to stop after the batch in hand. It can be resumed.
func (s *Service) Cancel(ctx context.Context, number int64) (*Run, error) {
	run, err := s.Run(ctx, number)
	if err != nil {
		return nil, err
	}
	if run.State != Running && run.State != Halted {
		return nil, fault.New(fault.Refused, "run %d is %s", number, run.State).WithHint("only running and halted runs can be cancelled")
	}
	run.State = Cancelled
	return run, s.db.As(record.System).Write(ctx, func(w *record.Writer) error {
		return updateBook(ctx, w.Tx(), run.record, []record.Assignment{{Field: "state", Value: record.Text(string(Cancelled))}})
	})
}

// Group is rows of a run that share a cause.
type Group struct {
	Fate    string            `json:"fate"`
	Reason  string            `json:"reason"`
	Column  string            `json:"column,omitempty"`
	Rows    int64             `json:"rows"`
	Lines   []int64           `json:"lines"` // the first ones
	Example *transform.Reject `json:"example"`
}

// mostLines is how many lines a Group names.
const mostLines = 5

// Reasons groups the skipped and rejected rows of a run by cause, the largest group first.
func (s *Service) Reasons(ctx context.Context, run int64) ([]*Group, error) {
	g := groups{at: map[string]*Group{}}
	for row, err := range s.Rows(ctx, run, Skipped, Rejected) {
		if err != nil {
			return nil, err
		}
		if row.Reject != nil {
			g.add(row.Fate, row.Reject, row.Line)
		}
	}
	return g.sorted(), nil
}

// groups gathers rows by cause.
type groups struct {
	list []*Group
	at   map[string]*Group
}

func (gs *groups) add(fate Fate, reject *transform.Reject, line int64) {
	key := fate.String() + "\x00" + reject.Code + "\x00" + reject.Column
	g := gs.at[key]
	if g == nil {
		g = &Group{Fate: fate.String(), Reason: reject.Code, Column: reject.Column, Example: reject}
		gs.at[key] = g
		gs.list = append(gs.list, g)
	}
	g.Rows++
	if len(g.Lines) < mostLines {
		g.Lines = append(g.Lines, line)
	}
}

// sorted gives the groups, the largest first.
func (gs *groups) sorted() []*Group {
	slices.SortStableFunc(gs.list, func(a, b *Group) int { return int(b.Rows - a.Rows) })
	return gs.list
}
