package importset

import (
	"context"
	"hash/maphash"
	"math/bits"
	"slices"
	"strconv"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/transform"
)

// idSet remembers ids by 64 bits of their hash, in about ten bytes each. An id that looks like another is taken to be
// there, so a mistake leaves a record alone.
type idSet struct {
	seed   maphash.Seed
	shards [seenShards]shard
}

func newIDSet() *idSet { return &idSet{seed: maphash.MakeSeed()} }

// place finds the slot of an id, or the free one where it belongs.
func (s *idSet) place(id string, adding bool) (sh *shard, at int, mark uint64) {
	h := maphash.String(s.seed, id)
	sh = &s.shards[h>>56]
	mark = max(bits.RotateLeft64(h, 32), 1)
	if adding && 8*(sh.used+1) > 7*len(sh.slots) {
		sh.grow()
	}
	if len(sh.slots) == 0 {
		return sh, -1, mark
	}
	at = home(mark&^0xffffffff, len(sh.slots))
	for sh.slots[at] != 0 && sh.slots[at] != mark {
		at = after(at, len(sh.slots))
	}
	return sh, at, mark
}

func (s *idSet) add(id string) {
	if sh, at, mark := s.place(id, true); sh.slots[at] == 0 {
		sh.slots[at] = mark
		sh.used++
	}
}

func (s *idSet) has(id string) bool {
	sh, at, mark := s.place(id, false)
	return at >= 0 && sh.slots[at] == mark
}

// fatePage is how many fates are read at a time, and idPage how many records.
const (
	fatePage = 50_000
	idPage   = 20_000
)

// present gathers the records that rows of the run were about.
func (a *absence) present(ctx context.Context) error {
	stored, err := a.Stored(ctx, a.run.Number)
	if err != nil {
		return err
	}
	about := false
	for k, def := range stored.Maps {
		t, err := a.db.Table(def.TargetTable)
		if err != nil {
			return err
		}
		if t.Physical != a.t.Physical {
			continue
		}
		about = true
		x, err := a.reader(def, a.run.Columns, t)
		if err != nil {
			return err
		}
		if quietMap(def) {
			a.quiet = "map " + def.Title() + ": run business rules off"
		}
		if err := a.fates(ctx, k, len(stored.Maps) > 1, x); err != nil {
			return err
		}
	}
	if !about {
		return noMapInto(a.t)
	}
	return nil
}

// reader readies a map for telling which records its rows are about; nil when its scripts would have to run for that.
func (a *absence) reader(def transform.Def, columns []string, t *record.Table) (*matcher, error) {
	m, err := transform.Compile(def, columns, t)
	if err != nil {
		return nil, err
	}
	if len(m.Key) == 0 {
		return nil, keylessMap(def.Title())
	}
	if def.HasScripts() {
		return nil, nil
	}
	x := newMatcher(m)
	x.seen, x.fence = nil, a.fence
	return x, nil
}

func keylessMap(title string) error {
	return fault.New(fault.Refused, "map %s has no coalesce field: every row is a new record, and all others would be absent", title).
		WithHint("coalesce: true on the fields that make the key")
}

func noMapInto(t *record.Table) error {
	return fault.New(fault.Refused, "no map goes into %s: nothing is said about its records", t.Name)
}

// fates goes through what map k made of the rows.
func (a *absence) fates(ctx context.Context, k int, several bool, x *matcher) error {
	bound := func(op query.Op, row int64) query.Node {
		return &query.Term{Field: "id", Op: op, Values: []string{strconv.FormatInt(rowID(a.run.Number, row), 10)}}
	}
	for from := int64(0); from < a.run.Ledger.Read; from += fatePage {
		where := &query.And{Parts: []query.Node{bound(query.GreaterEqual, from), bound(query.Less, from+fatePage)}}
		q := &record.Query{Table: a.db.Catalog().Table(RowTable), Fields: []string{"id", "target", "reason"}, Where: where}
		if several {
			q.Table = a.db.Catalog().Table(OutcomeTable)
			where.Parts = append(where.Parts, &query.Term{Field: "position", Op: query.Equal, Values: []string{strconv.Itoa(k)}})
		}
		var open []record.Value // rows whose record is still to be found
		for row, err := range a.db.As(record.System).Select(ctx, q) {
			switch {
			case err != nil:
				return err
			case row[1].Text != "":
				a.there.add(row[1].Text)
			case unreadableRow(row[2].Text):
				a.doubts++
			case row[2].Text != reasonDuplicate: // a duplicate's record is that of the row before it
				open = append(open, row[0])
			}
		}
		if err := a.openRows(ctx, x, open); err != nil {
			return err
		}
	}
	return a.proven(ctx)
}

// proven adds the records that the pages of the run prove: those of rows that are staged with an earlier run among them.
func (a *absence) proven(ctx context.Context) error {
	t := a.db.Catalog().Table(PageTable)
	for next, n := int64(0), 1; n > 0; {
		n = 0
		err := a.db.Store().Read(ctx, func(tx record.Tx) error {
			for p, err := range pages(ctx, tx, t, a.run.Number, next, knownPages) {
				if err != nil {
					return err
				}
				for i := range p.rows() {
					if s, id := p.proof(i); s != (sum{}) {
						a.there.add(id.id())
					}
				}
				n, next = n+1, p.first+p.rows()
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// unreadableRow reports whether the format could not read a row, so that none of its cells can be trusted.
func unreadableRow(code string) bool {
	return slices.Contains([]string{"row_ragged", "row_malformed", "invalid_utf8", "cell_too_long"}, code)
}

// openRows finds the records of rows that were rejected or skipped.
func (a *absence) openRows(ctx context.Context, x *matcher, ids []record.Value) error {
	for len(ids) > 0 {
		page := ids[:min(len(ids), undoPage)]
		ids = ids[len(page):]
		b := &block{}
		q := &record.Query{Table: a.db.Catalog().Table(RowTable), Fields: []string{"line", "payload"},
			Keys: &record.Keys{Fields: []string{"id"}, Fold: []bool{false}, Tuples: page}}
		for row, err := range a.db.As(record.System).Select(ctx, q) {
			if err != nil {
				return err
			}
			cells, err := parsePayload(row[1].Text, nil)
			if err != nil {
				return err
			}
			b.cells, b.lines = append(b.cells, cells), append(b.lines, whole64(row[0]))
		}
		if err := a.about(ctx, x, b); err != nil {
			return err
		}
	}
	return nil
}

func whole64(v record.Value) int64 {
	n, err := strconv.ParseInt(v.Text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// about looks up the records that have the keys of some rows. Rows without a key that can be read are doubts.
func (a *absence) about(ctx context.Context, x *matcher, b *block) error {
	if x == nil {
		a.doubts += int64(b.len())
		return nil
	}
	if b.len() == 0 {
		return nil
	}
	return a.db.Store().Read(ctx, func(tx record.Tx) error {
		r, err := x.lookUp(ctx, tx, b, nil)
		if err != nil {
			return err
		}
		x.m.Forget()
		for i := range r.wants {
			for _, id := range r.wants[i].ids {
				a.there.add(id)
			}
		}
		a.doubts += int64(b.len() - len(r.wants) - len(r.deferred))
		x.wants = r.wants[:0]
		return nil
	})
}

// mostAbsentAtOnce bounds how many ids of absent records are held at a time.
const mostAbsentAtOnce = 200_000

// list goes through the records answered for whose id is above after. It counts them and the absent ones, and keeps the
// ids of the first of these.
func (a *absence) list(ctx context.Context, after string) (all, absent int64, err error) {
	a.ids = a.ids[:0]
	for {
		where := a.where
		if after != "" {
			where = &query.And{Parts: []query.Node{a.where, &query.Term{Field: record.SysID, Op: query.Greater, Values: []string{after}}}}
		}
		q := &record.Query{Table: a.t, Fields: []string{record.SysID}, Where: where, OrderBy: []query.Order{{Field: record.SysID}}, Limit: idPage}
		n := 0
		for row, err := range a.db.As(record.System).Select(ctx, q) {
			if err != nil {
				return 0, 0, err
			}
			n++
			after = row[0].Text
			if a.there.has(after) {
				continue
			}
			if absent++; len(a.ids) < mostAbsentAtOnce {
				a.ids = append(a.ids, after)
			}
		}
		if all += int64(n); n < idPage {
			return all, absent, nil
		}
	}
}

// examples shows the first of the absent records.
func (a *absence) examples(ctx context.Context) error {
	ids := a.ids[:min(len(a.ids), mostAbsentShown)]
	if len(ids) == 0 {
		return nil
	}
	display := record.SysID
	if f := a.t.DisplayField(); f != nil {
		display = f.Name
	}
	q := &record.Query{Table: a.t, Fields: []string{record.SysID, display}, Keys: byIDs(ids), OrderBy: []query.Order{{Field: record.SysID}}}
	for row, err := range a.db.As(record.System).Select(ctx, q) {
		if err != nil {
			return err
		}
		a.report.Examples = append(a.report.Examples, AbsentRecord{row[0].Text, row[1].Text})
	}
	return nil
}

// planAbsence readies a plan to tell what is absent; nil when nothing is to become of such records.
func (s *Service) planAbsence(run *Run, terms AbsentTerms, maps []transform.Def) (*absence, error) {
	if terms.Policy == IgnoreAbsent || terms.Policy == "" {
		return nil, nil
	}
	if terms.Target == "" {
		terms.Target = maps[0].TargetTable
	}
	return s.absence(run, AbsentRequest{Terms: terms, DryRun: true})
}

// watch gives what sees the matched blocks of a plan's pass.
func (a *absence) watch(p *pass) (func(context.Context, *matched) error, error) {
	if a == nil || p.x.m.Target.Physical != a.t.Physical {
		return func(context.Context, *matched) error { return nil }, nil
	}
	if len(p.x.m.Key) == 0 {
		return nil, keylessMap(p.x.m.Def.Title())
	}
	var x *matcher
	if !p.x.m.Def.HasScripts() {
		x = p.x.second()
	}
	a.concerned = true
	return func(ctx context.Context, m *matched) error {
		open := &block{}
		for i := range m.out {
			switch o := &m.out[i]; {
			case o.target != "":
				a.there.add(o.target)
			case o.reject != nil && unreadableRow(o.reject.Code):
				a.doubts++
			case o.reject == nil || o.reject.Code != reasonDuplicate:
				open.cells, open.lines = append(open.cells, m.cells[i]), append(open.lines, m.lines[i])
			}
		}
		return a.about(ctx, x, open)
	}, nil
}

// foresee tells what would be absent once the rows of a plan were in.
func (a *absence) foresee(ctx context.Context, l Ledger) error {
	switch {
	case l.Read == 0:
		return a.planned(emptyListing("the source"))
	case !a.concerned:
		return a.planned(noMapInto(a.t))
	}
	return a.planned(a.look(ctx))
}
