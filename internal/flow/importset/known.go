package importset

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sort"
	"strconv"
	"sync/atomic"
	"time"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/transform"
)

// known is what an earlier run through the same map has proven of its rows, for an import that meets many of them again.
// A row is known to be unchanged when the earlier run had one with the same cells, whose record nobody has touched since,
// and whose key no record has got since. Comparing mapped values stays the law: where anything else than the cells and
// the record may have a say, nothing is known (see provable).
type known struct {
	im     *importer
	set    *record.Record // of the earlier run
	run    int64          // its number
	since  string         // change rows with a higher sequence may be younger than the run
	beside []string       // numbers of the runs that may have written since, 0 for what is no run

	tables   []string // that hold the target's records
	referred []string // that hold what the map refers to

	pages  []*keptPage
	next   int64 // the row where the next page to be read begins
	slots  []uint64
	cursor int64 // the earlier run's row that probably comes next

	touched map[sum]bool    // records
	keys    map[string]bool // that touched records have now

	off       bool
	overtaken atomic.Bool // another import has written to the target: the writing goroutine has seen it
}

const (
	knownRows   = 1 << 19           // rows of the earlier run that are in memory, at some 50 bytes
	knownAhead  = knownRows * 3 / 4 // of them, how many lie ahead of the row that has as many before it
	knownPages  = 8                 // that are read at a time
	mostTouched = 20_000            // beyond that, the records are read again
	mostBeside  = 1_000             // the same for runs
)

// provable reports whether what a map makes of a row rests on its cells, its record, and tables that it refers to and that
// the import leaves alone.
func (im *importer) provable(m *transform.Map) bool {
	d := im.req.Maps[0]
	creates := func(f transform.FieldDef) bool { return f.ChoiceAction == "create" }
	within := func(t *record.Table) bool { return t.Physical == im.target(0).Physical }
	return len(im.req.Maps) == 1 && im.plan == nil && !im.planning && len(m.Key) > 0 && m.IDKey() < 0 &&
		d.Mode != "strict" && !d.HasScripts() && m.OnDuplicate() != "apply" && !slices.ContainsFunc(d.Fields, creates) && !slices.ContainsFunc(im.referred(), within)
}

// referred lists the tables that the map looks records up in.
func (im *importer) referred() []*record.Table {
	var out []*record.Table
	for _, l := range transform.Lookups(im.req.Maps[0], im.db.Catalog()) {
		if t := im.db.Catalog().Table(l.Table); !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out
}

// referredMoves tells how far the fences of those tables have moved.
func (im *importer) referredMoves(ctx context.Context, tx record.Tx) (string, error) {
	moves := map[string]int64{}
	for _, t := range im.referred() {
		at, err := im.around(t).look(ctx, tx)
		if err != nil {
			return "", err
		}
		moves[t.Physical] = at
	}
	return mustJSON(moves), nil
}

// relatives names the tables that hold the same records as t.
func (im *importer) relatives(t *record.Table) []string {
	if root := im.db.Catalog().Table(t.Physical); root != nil && len(root.Classes) > 0 {
		return root.Classes
	}
	return []string{t.Name}
}

// through names all that has a say in what a row's cells map to: the map, where its columns lie in the row, the fields of
// the target, the rules of its time zones, and the program itself.
func (im *importer) through(m *transform.Map) string {
	t := im.target(0)
	all := sha256.Sum256([]byte(mustJSON([]any{edition(), im.req.Maps[0], m.Sources(), t.Name, t.Physical, t.Fields,
		transform.ZoneRules(im.req.Maps[0]), transform.Lookups(im.req.Maps[0], im.db.Catalog())})))
	return hex.EncodeToString(all[:16])
}

// edition tells builds of the program apart: another may read a cell otherwise.
func edition() []string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil
	}
	out := []string{info.GoVersion, info.Main.Version}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" || s.Key == "vcs.modified" {
			out = append(out, s.Value)
		}
	}
	return out
}

// recall finds the newest run that the import can rest on; nil when there is none. Nobody but that run may have moved the
// target's fence since it began.
func (im *importer) recall(ctx context.Context, m *transform.Map) error {
	if !im.provable(m) {
		return nil
	}
	im.mapped = im.through(m)
	err := im.db.Store().Read(ctx, func(tx record.Tx) (err error) {
		im.refers, err = im.referredMoves(ctx, tx)
		return err
	})
	if err != nil || im.req.Restart {
		return err
	}
	sets, err := im.find(ctx, &record.Query{Where: &query.And{Parts: []query.Node{&query.Term{Field: "mapped", Op: query.Equal, Values: []string{im.mapped}},
		&query.Term{Field: "moves", Op: query.IsNotEmpty}}},
		OrderBy: []query.Order{{Field: "run", Desc: true}}, Limit: 1})
	if err != nil || len(sets) == 0 || !im.restsOn(sets[0]) {
		return err
	}
	k := im.knownBy(sets[0])
	k.slots = make([]uint64, slotsFor(min(whole(sets[0], "read"), knownRows)))
	im.known, im.rests = k, sets[0]
	return nil
}

// knownBy readies what a run has proven.
func (im *importer) knownBy(set *record.Record) *known {
	k := &known{im: im, set: set, run: whole(set, "run"), since: idsSince(set.ID()), touched: map[sum]bool{}, keys: map[string]bool{}, beside: []string{"0"}}
	k.tables = im.relatives(im.target(0))
	for _, t := range im.referred() {
		k.referred = append(k.referred, im.relatives(t)...)
	}
	return k
}

// restsOn reports whether a run's proofs hold as far as imports are concerned.
func (im *importer) restsOn(set *record.Record) bool {
	return State(set.Get("state").Text) == Done && !set.Get("moves").Empty() && whole(set, "moves") == im.start &&
		set.Get("refers").Text == im.refers
}

// idsSince gives the text that is below every id drawn since the given one was, allowing for clocks that differ.
func idsSince(id string) string {
	const digits = 12 // of milliseconds, which ids begin with
	millis, err := strconv.ParseInt(id[:min(digits, len(id))], 16, 64)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%012x", millis-clockSkew.Milliseconds())
}

// others lists the runs that may have touched the target since the earlier one began, by way of rules or of records that
// they create for references. A run through one map into the target's own hierarchy is not among them: each of its
// transactions moves the fence, and nobody but the earlier run has. It reports whether the others are few.
func (k *known) others(ctx context.Context, tx record.Tx) (bool, error) {
	began, err := time.Parse(record.DateTimeLayout, k.set.Get("started").Text)
	if err != nil {
		return false, nil
	}
	q := &record.Query{Table: k.set.Table, Fields: []string{"run", "target_table", "maps"}, Limit: mostBeside, Where: &query.Or{Parts: []query.Node{
		&query.Term{Field: "completed", Op: query.IsEmpty},
		&query.Term{Field: "completed", Op: query.GreaterEqual, Values: []string{began.Add(-clockSkew).Format(record.DateTimeLayout)}}}}}
	looked := 0
	for row, err := range tx.Select(ctx, q) {
		if err != nil {
			return false, err
		}
		looked++
		if t := k.im.db.Catalog().Table(row[1].Text); t == nil || t.Physical != k.im.target(0).Physical || !single(row[2].Text) {
			k.beside = append(k.beside, row[0].Text)
		}
	}
	return looked < mostBeside, nil
}

// single reports whether the maps of a run, as its record keeps them, are one.
func single(maps string) bool {
	var list []struct{}
	return json.Unmarshal([]byte(maps), &list) == nil && len(list) == 1
}

// ready prepares for a block: what has been touched since, and the proofs of rows that may come. It reports whether
// anything is known.
func (k *known) ready(ctx context.Context, tx record.Tx, x *matcher, b *block) (bool, error) {
	k.off = k.off || k.overtaken.Load() || !k.im.session(0).Writer(tx).Verbatim(x.m.Target, x.m.Fields)
	from := time.Now()
	if !k.off {
		if err := k.look(ctx, tx, x); err != nil {
			return false, err
		}
	}
	if k.off {
		k.pages, k.slots = nil, nil
		return false, nil
	}
	k.since = fmt.Sprintf("%012x", from.Add(-clockSkew).UnixMilli())
	return true, k.read(ctx, tx, b.first)
}

// look adds the records that were touched since the last look, whoever did it, and the keys that they have now. When a
// table that the map refers to was touched, nothing is known any more.
func (k *known) look(ctx context.Context, tx record.Tx, x *matcher) error {
	refers, err := k.im.referredMoves(ctx, tx)
	if err != nil {
		return err
	}
	fresh, err := k.recent(ctx, tx)
	if err != nil {
		return err
	}
	for _, text := range fresh {
		if id, ok := sumID(text); ok {
			k.touched[id] = true
		}
	}
	k.off = k.off || refers != k.im.refers || len(fresh) > mostTouched || len(k.touched) > mostTouched
	if k.off {
		return nil
	}
	return k.keysOf(ctx, tx, x, fresh)
}

// recent lists the records of the target that have change rows since the last look.
func (k *known) recent(ctx context.Context, tx record.Tx) ([]string, error) {
	late, err := k.im.lateRuns(ctx, tx)
	if err != nil {
		return nil, err
	}
	late = slices.DeleteFunc(late, func(run string) bool { return run == strconv.FormatInt(k.run, 10) }) // its own target has the fence
	by := []query.Node{&query.Term{Field: "run", Op: query.In, Values: append(late, k.beside...)}}
	if k.im.run_ != nil {
		by = append(by, &query.Term{Field: "run", Op: query.Greater, Values: []string{strconv.FormatInt(k.im.run_.Number, 10)}})
	}
	var fresh []string
	for _, by := range by {
		q := &record.Query{Table: k.im.db.Catalog().Table(record.ChangeTable), Fields: []string{"record", "table_name"}, Limit: mostTouched + 1,
			Where: &query.And{Parts: []query.Node{by, &query.Term{Field: "sequence", Op: query.Greater, Values: []string{k.since}},
				&query.Term{Field: "table_name", Op: query.In, Values: append(slices.Clone(k.referred), k.tables...)}}}}
		for row, err := range tx.Select(ctx, q) {
			if err != nil {
				return nil, err
			}
			k.off = k.off || slices.Contains(k.referred, row[1].Text)
			fresh = append(fresh, row[0].Text)
		}
	}
	return fresh, nil
}

// keysOf notes the keys of records: a row with one of them may be about two records now.
func (k *known) keysOf(ctx context.Context, tx record.Tx, x *matcher, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	values, key := make([]record.Value, len(x.m.Fields)), []record.Value(nil)
	for row, err := range tx.Select(ctx, &record.Query{Table: x.m.Target, Fields: keyFields(x.m), Keys: byIDs(ids)}) {
		if err != nil {
			return err
		}
		for n, at := range x.m.Key {
			values[at] = row[n]
		}
		key, _ = x.m.KeyOf(values, key[:0])
		k.keys[keyText(key)] = true
	}
	return nil
}

// read brings the window to where row number feed is met: knownAhead rows ahead of it, and as many behind it as there is
// room for.
func (k *known) read(ctx context.Context, tx record.Tx, feed int64) error {
	t, last := k.im.db.Catalog().Table(PageTable), whole(k.set, "read")
	for k.next < min(feed+knownAhead, last) {
		n := 0
		for p, err := range pages(ctx, tx, t, k.run, k.next, knownPages) {
			if err != nil {
				return err
			}
			k.add(p)
			n++
		}
		if n == 0 { // blocks without a page at the end
			k.next = last
		}
	}
	for len(k.pages) > 1 && k.next-k.pages[1].first >= knownRows {
		k.pages = slices.Delete(k.pages, 0, 1)
	}
	return nil
}

func (k *known) add(p *keptPage) {
	k.pages = append(k.pages, p)
	k.next = p.first + p.rows()
	for i := range p.rows() {
		if s, _ := p.proof(i); s != (sum{}) {
			k.enter(s, p.first+i)
		}
	}
}

// Rows that come out of their order are found by slots: tag and row number in one word, two places for each hash. A new
// row takes the place of the older of two others. What is forgotten that way is looked up in the target, as without proofs.

func slotsFor(rows int64) int {
	n := 64
	for int64(n) < 2*rows {
		n *= 2
	}
	return n
}

const slotRow = 1<<32 - 1 // the part of a slot that is the row's number, from 1; 0 is free

func (k *known) slot(s sum) (at, tag uint64) {
	h := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
	return h & uint64(len(k.slots)-1), h &^ slotRow
}

func (k *known) enter(s sum, row int64) {
	if row >= slotRow {
		return
	}
	at, tag := k.slot(s)
	if k.slots[at] != 0 && (k.slots[at^1] == 0 || k.slots[at^1]&slotRow < k.slots[at]&slotRow) {
		at ^= 1
	}
	k.slots[at] = tag | uint64(row+1)
}

// same finds the outcome of a row with these cells and this key, if it is known.
func (k *known) same(s sum, key string) (o outcome, ok bool) {
	if len(k.keys) > 0 && k.keys[key] {
		return o, false
	}
	if o, ok = k.row(k.cursor, s); ok {
		return o, ok
	}
	at, tag := k.slot(s)
	for _, slot := range [2]uint64{k.slots[at], k.slots[at^1]} {
		if slot&^slotRow == tag && slot != 0 {
			if o, ok = k.row(int64(slot&slotRow)-1, s); ok {
				return o, ok
			}
		}
	}
	return o, false
}

// row gives the outcome of a row with these cells if that row of the earlier run had them.
func (k *known) row(n int64, s sum) (o outcome, ok bool) {
	p := k.page(n)
	if p == nil {
		return o, false
	}
	had, id := p.proof(n - p.first)
	if had != s {
		return o, false
	}
	k.cursor = n + 1
	if len(k.touched) > 0 && k.touched[id] {
		return o, false
	}
	return outcome{fate: Unchanged, record: id, shown: p.shows(k.run, n-p.first)}, true
}

// page finds the page of a row of the earlier run, if it is in memory.
func (k *known) page(row int64) *keptPage {
	n := sort.Search(len(k.pages), func(n int) bool { return k.pages[n].first > row }) - 1
	if n < 0 || row >= k.pages[n].first+k.pages[n].rows() {
		return nil
	}
	return k.pages[n]
}

// shows is the id of the staging row that shows the page's row i.
func (p *keptPage) shows(run, i int64) int64 {
	n := sort.Search(len(p.stretch_), func(n int) bool { return p.stretch_[n].at > i }) - 1
	if n >= 0 && i < p.stretch_[n].at+p.stretch_[n].rows {
		return p.stretch_[n].shown + i - p.stretch_[n].at
	}
	return rowID(run, p.first+i)
}

// errForgotten says that the run whose rows were to be shown again is being removed.
var errForgotten = errors.New("the earlier run is forgotten")

// stillThere makes sure, in the transaction that begins the run, that the earlier run's rows are kept, and lists what ran
// beside it. A run that begins to rest on another, and the removal of that other, pass the same fence.
func (im *importer) stillThere(ctx context.Context, tx record.Tx) error {
	if im.rests == nil {
		return nil
	}
	now, err := read(ctx, tx, im.rests.Table, []string{im.rests.ID()})
	if err != nil {
		return err
	}
	set := now[im.rests.ID()]
	there := set != nil && State(set.Get("state").Text) == Done
	switch {
	case im.known != nil && there && im.restsOn(set):
		there, err = im.known.others(ctx, tx)
	case im.known != nil:
		there = false
	case !there || set.Get("hash").Empty():
		return errForgotten
	}
	if !there {
		im.known, im.rests = nil, nil
	}
	return err
}
