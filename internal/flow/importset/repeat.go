package importset

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"slices"
	"time"

	"headrace/internal/connect/format"
	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/transform"
)

// An import of the same bytes through the same map into a table that nobody wrote to since comes to the same fates, but
// that what was written then is unchanged now. Such an import takes its rows and fates from the earlier run's staging,
// without reading, mapping and looking up again. Everything else about it is an import like any other.

// repeatRows is the block of a repeated run: small, for nothing is looked up, and reading and writing go side by side.
const repeatRows = 4000

// clockSkew is how far the clocks of processes that share a store may be apart.
const clockSkew = 5 * time.Minute

// watch makes the source tell the hash of its bytes, once its first reading has come to the end. Later readings, for late
// columns, go unwatched.
func (s *Source) watch() func() string {
	if s.Live != nil {
		return func() string { return "" }
	}
	sum, ended, begun := sha256.New(), false, false
	open := s.Open
	s.Open = func(ctx context.Context) (io.ReadCloser, error) {
		r, err := open(ctx)
		if begun || err != nil {
			return r, err
		}
		begun = true
		return &watched{r, sum, &ended}, nil
	}
	return func() string {
		if !ended {
			return ""
		}
		return hex.EncodeToString(sum.Sum(nil))
	}
}

type watched struct {
	io.ReadCloser
	sum   hash.Hash
	ended *bool
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	w.sum.Write(p[:n])
	*w.ended = *w.ended || err == io.EOF
	return n, err
}

// hashOf reads the source for its hash alone.
func (s *Source) hashOf(ctx context.Context) (string, error) {
	r, err := s.Open(ctx)
	if err != nil {
		return "", err
	}
	defer r.Close()
	sum := sha256.New()
	_, err = io.CopyBuffer(sum, r, make([]byte, 1<<20))
	return hex.EncodeToString(sum.Sum(nil)), err
}

// basis is what the fates of a run rest on, beside its bytes: the map, the table as it is declared, and how far the
// table's fence had moved.
func (im *importer) basis(moves int64) string {
	return mustJSON([]any{im.req.Maps, im.target(0).Fields, moves})
}

// moves tells how far the target's fence has moved.
func (im *importer) moves(ctx context.Context) (moves int64, err error) {
	err = im.db.Store().Read(ctx, func(tx record.Tx) error {
		moves, err = im.around(im.target(0)).look(ctx, tx)
		return err
	})
	return moves, err
}

// alone notes what the fates of a finished pass rest on, if no other import wrote to the target since start.
func (im *importer) alone(p *pass, start int64) {
	if f := p.w.fence; im.plan == nil && len(im.req.Maps) == 1 && im.run_.Resumed == 0 && f.mine > 0 && f.others <= start {
		im.mark = im.basis(f.mine)
		if p.proves && !im.unproven.Load() {
			im.proven, im.moved = true, f.mine
		}
	}
}

// same finds a run whose fates this import would come to again; nil when there is none.
func (im *importer) same(ctx context.Context) (*record.Record, error) {
	if slices.ContainsFunc(im.req.Maps, func(d transform.Def) bool { return d.HasScripts() }) {
		return nil, nil // what scripts do depends on more than the rows
	}
	src := &im.req.Source
	if im.plan != nil || im.req.Restart || src.Size <= 0 || len(im.req.Maps) != 1 || len(transform.Lookups(im.req.Maps[0], im.db.Catalog())) > 0 {
		return nil, nil
	}
	sets, err := im.sets(ctx, &query.Term{Field: "signature", Op: query.Equal, Values: []string{src.signature(im.req.Maps)}})
	if err != nil || len(sets) == 0 {
		return nil, err
	}
	r := sets[len(sets)-1]
	if State(r.Get("state").Text) != Done || r.Get("hash").Empty() || whole(r, "source_size") != src.Size {
		return nil, nil
	}
	if proven := !r.Get("moves").Empty(); !proven && (!r.Get("mapped").Empty() || im.db.Hooked(im.target(0))) {
		return nil, nil // its records may hold something else than its rows say
	}
	if still, err := im.untouched(ctx, r); err != nil || !still {
		return nil, err
	}
	if lasting, err := im.repeats(ctx, whole(r, "run")); err != nil || !lasting {
		return nil, err
	}
	sum, err := src.hashOf(ctx)
	if err != nil || sum != r.Get("hash").Text {
		return nil, nil // what is wrong with the source shows when it is read
	}
	return r, nil
}

// untouched reports whether nobody but run r has written to the target since r began.
func (im *importer) untouched(ctx context.Context, r *record.Record) (bool, error) {
	moves, err := im.moves(ctx)
	if err != nil || r.Get("basis").Text != im.basis(moves) {
		return false, err
	}
	still := false
	err = im.db.Store().Read(ctx, func(tx record.Tx) error {
		k := im.knownBy(r)
		if few, err := k.others(ctx, tx); err != nil || !few {
			return err
		}
		touched, err := k.recent(ctx, tx)
		still = len(touched) == 0
		return err
	})
	return still, err
}

// writtenDirectly reports whether anything but an import has written to the target, or a relative of it, since a moment.
// Imports move the fence; what is not an import writes its change rows under run 0.
func (im *importer) writtenDirectly(ctx context.Context, tx record.Tx, moment time.Time) (bool, error) {
	since := fmt.Sprintf("%012x", moment.Add(-clockSkew).UnixMilli()) // ids begin with their milliseconds
	for row, err := range tx.Select(ctx, &record.Query{Table: im.db.Catalog().Table(record.ChangeTable), Fields: []string{"run"}, Limit: 1,
		Where: &query.And{Parts: []query.Node{&query.Term{Field: "run", Op: query.Equal, Values: []string{"0"}},
			&query.Term{Field: "sequence", Op: query.Greater, Values: []string{since}},
			&query.Term{Field: "table_name", Op: query.In, Values: im.relatives(im.target(0))}}}}) {
		return row != nil, err
	}
	return false, nil
}

// lasting are the reasons that rest on the source and the map alone, so that they hold as long as those do.
var lasting = []string{"", reasonDuplicate, "key_empty", "row_ragged", "row_malformed", "invalid_utf8", "cell_too_long", "date_unparsable", "number_unparsable",
	"boolean_unparsable", "value_invalid", "value_too_long", "invalid_character", "choice_rejected"}

// repeats reports whether all reasons of a run last. Runs that wrote little are not looked through.
func (im *importer) repeats(ctx context.Context, number int64) (bool, error) {
	run, err := im.Run(ctx, number)
	if err != nil || run.Ledger.Skipped+run.Ledger.Rejected > run.Ledger.Read/2 {
		return false, err
	}
	reasons, err := im.Reasons(ctx, number)
	return err == nil && !slices.ContainsFunc(reasons, func(g *Group) bool { return !slices.Contains(lasting, g.Reason) }), err
}

// repeat makes a run whose rows and fates are those of an earlier one.
func (im *importer) repeat(ctx context.Context, earlier *record.Record) (*Run, error) {
	before := runOf(earlier)
	header := &format.Header{Columns: before.Columns}
	im.column, im.rests, im.mapped = before.Columns, earlier, earlier.Get("mapped").Text
	if err := im.begin(ctx, im.req.Source.signature(im.req.Maps)); err != nil {
		im.rests, im.mapped = nil, ""
		return nil, err
	}
	im.run_.Same = before.Number
	im.refers = earlier.Get("refers").Text
	im.proven, im.moved = !earlier.Get("moves").Empty(), whole(earlier, "moves")
	im.sum = func() string { return earlier.Get("hash").Text }
	im.mark = earlier.Get("basis").Text
	im.active.Store(im.run_.Number, true)
	defer im.active.Delete(im.run_.Number)
	im.announce()
	p := &pass{im: im, proves: im.mapped != "", w: &writer{rows: im.db.Catalog().Table(RowTable), fence: im.fence(im.target(0).Name)}}
	blocks, stop := produce(ctx, func(ctx context.Context, emit func(*block) bool) error {
		return im.again(ctx, before.Number, header, emit)
	})
	defer stop()
	var err error
	for b := range blocks.out {
		if err = p.commit(ctx, &matched{block: b, out: b.fates, settled: true}); err != nil {
			break
		}
	}
	stop()
	if err = firstOf(err, blocks.err()); err == nil && im.run_.Ledger.Read != before.Ledger.Read {
		err = fault.New(fault.Unavailable, "run %d, whose rows this one takes over, had %s of them, and %s are left", before.Number, Thousands(before.Ledger.Read), Thousands(im.run_.Ledger.Read)).
			WithHint("its import set was removed meanwhile: import again, and the run goes on with the source itself")
	}
	return im.run_, im.close(ctx, err)
}

// again makes blocks of the rows of an earlier run.
func (im *importer) again(ctx context.Context, run int64, h *format.Header, emit func(*block) bool) error {
	var b *block
	for row, err := range im.staged(ctx, run, 0, MaxRows, nil) {
		if err != nil {
			return err
		}
		if b == nil {
			b = &block{first: row.Row, header: h, lines: make([]int64, 0, repeatRows), payload: make([]string, 0, repeatRows), fates: make([]outcome, 0, repeatRows)}
		}
		b.repeat(row, im.mapped != "")
		if b.len() == repeatRows {
			if !emit(b) {
				return ctx.Err()
			}
			b = nil
		}
	}
	if b != nil && !emit(b) {
		return ctx.Err()
	}
	return ctx.Err()
}

// repeat takes over a row: what was written then is unchanged now. Where the run keeps pages, the same staging row shows it.
func (b *block) repeat(row *StagedRow, show bool) {
	b.lines = append(b.lines, row.Line)
	b.payload = append(b.payload, row.text)
	b.sums = append(b.sums, sumOf(row.text))
	o := outcome{target: row.Target, fate: row.Fate, reject: row.Reject}
	if o.fate == Inserted || o.fate == Updated {
		o.fate = Unchanged
	}
	if id, ok := sumID(o.target); ok && show && o.fate == Unchanged {
		o.record, o.shown = id, row.shown
	}
	b.fates = append(b.fates, o)
}
