package importset

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/transform"
)

// Reason codes that the transform itself does not give.
const (
	reasonDuplicate = "duplicate_key"
	reasonAmbiguous = "key_ambiguous"
	reasonConflict  = "unique_conflict"
	reasonChanged   = "target_changed"
)

// outcome is what a map makes of one row.
type outcome struct {
	fate   Fate
	target string
	reject *transform.Reject // why it is skipped or rejected
	mod    record.Value      // sys_mod_count that the matched record had
	old    []record.Assignment
	said   *transform.Verdict // what scripts want the caller of an import set API to be told
	shown  int64              // id of the staging row of an earlier run that shows the row; 0 when it is staged itself
	record sum                // target, where the row is shown
}

// matched is a block with its outcomes and what has to be written for them.
type matched struct {
	*block
	out        []outcome
	rows       []int          // which rows of the block were matched; nil is all
	deferred   []int          // rows left for another round
	values     []record.Value // of all rows, flat: a place for the id, then the map's fields
	inserts    record.Rows    // sys_id and the map's fields
	insertRows []int          // the row of each insert
	updateRows []int          // the rows to update
	created    []transform.Created
	looked     int64          // where the fence of the target stood before the look-ups
	settled    bool           // nothing is to be written but the staging rows
	sure       bool           // nothing that may be in the target has a say in it
	staged     []record.Value // the staging rows but for their fates; nil when they are yet to be laid out
	own        int            // how many those are
	memory     *memory        // what this lies in; nil when it is not to be used again
}

// memory is what a matcher uses again for a later block.
type memory struct {
	values []record.Value
	out    []outcome
	staged []record.Value
	proofs []byte // of the block's page
	text   []byte // what the store keeps of them
}

// matcher decides the fates of rows against the target. It belongs to one goroutine.
type matcher struct {
	m       *transform.Map
	seen    *seen                                                                    // nil when rows with equal keys are all applied
	earlier func(ctx context.Context, row int64) (key string, line int64, err error) // of a row before the block
	overlay func(key string) (planned, bool)                                         // what a plan would have written before; nil outside plans
	wouldBe transform.Finder                                                         // records that a plan would have created; nil outside plans
	vet     func(m *matched, i int)                                                  // may turn an outcome into a refusal; nil when nothing is planned
	newID   func(m *matched, i int) string                                           // gives the ids of new records; nil draws them
	after   func(m *matched) error                                                   // sees every matched block of a plan; nil outside plans
	fields  []string                                                                 // what is read of the target
	head    int                                                                      // how many of fields come before those of the map
	inTurn  bool                                                                     // scripts see row after row
	fence   *fence                                                                   // of the target
	// untouched reports that the target holds nothing but rows of this import, as an import that began on an empty table
	// finds it; nil when it began on others. start is where the fence stood then.
	untouched func(ctx context.Context, tx record.Tx) (bool, error)
	start     int64

	known *known // what an earlier run has proven; nil when nothing is known

	waiting map[string]int32 // memory that one round leaves to the next
	wants   []wanted
	memory  [inHand]memory
	turn    int
}

// planned is a record as a plan would leave it.
type planned struct {
	id     string
	mod    record.Value
	values []record.Value
}

func newMatcher(m *transform.Map) *matcher {
	x := &matcher{m: m, inTurn: m.RowScripts(), waiting: map[string]int32{}, fields: []string{record.SysID, record.SysModCount}}
	if m.OnAmbiguous() == "first" {
		x.fields = append(x.fields, record.SysCreatedOn)
	}
	x.head = len(x.fields)
	x.fields = append(x.fields, m.Fields...)
	if m.OnDuplicate() != "apply" && len(m.Key) > 0 {
		x.seen = newSeen()
	}
	return x
}

// second gives a matcher for the writing goroutine, which matches rows again that lost a race. Those have passed the
// look for duplicates already.
func (x *matcher) second() *matcher {
	c := newMatcher(x.m.Clone())
	c.seen, c.earlier, c.fence = nil, x.earlier, x.fence
	return c
}

// wanted is a row that waits for its record to be found.
type wanted struct {
	row    int
	values []record.Value
	ids    []string // records found so far
	oldest string   // creation time and id of the one kept

	hit     *planned // the record, for scripts to see; rows without scripts are compared as it is read
	refused *outcome // why the row is not to be mapped, all the same
}

// round is one matching of rows with distinct keys.
type round struct {
	*matched
	waiting map[string]int32 // key -> position in wants, or settled
	wants   []wanted
	groups  map[string]*record.Keys
	key     []record.Value
	alone   bool // the target holds no keys but those of rows before the block
	knows   bool // rows may be known to be unchanged
}

// settled marks a key that waits for nothing; rows with it have to wait for the next round all the same.
const settled = -1

// match decides the fates of the rows of b; only those listed in rows, unless rows is nil. Rows whose fate does not need
// the target get it at once; the others are looked up together. Where rows with equal keys are all applied, the later
// ones are left for another round, after this one is written.
func (x *matcher) match(ctx context.Context, tx record.Tx, b *block, rows []int) (*matched, error) {
	r, err := x.lookUp(ctx, tx, b, rows)
	if err != nil {
		return nil, err
	}
	for n := range r.wants {
		if w := &r.wants[n]; len(w.ids) == 0 {
			r.out[w.row] = x.fresh(r.matched, w.row)
		}
	}
	x.wants = r.wants[:0]
	x.collect(r.matched)
	r.created = x.m.TakeCreated()
	return r.matched, nil
}

// lookUp settles the rows whose fate does not need the target, and looks up the records of the others.
func (x *matcher) lookUp(ctx context.Context, tx record.Tx, b *block, rows []int) (*round, error) {
	r := x.round(b, rows)
	if x.untouched != nil {
		var err error
		if r.alone, err = x.untouched(ctx, tx); err != nil {
			return nil, err
		}
	}
	if x.known != nil && rows == nil {
		var err error
		if r.knows, err = x.known.ready(ctx, tx, x, b); err != nil {
			return nil, err
		}
	}
	if err := x.m.Prepare(ctx, x.finder(tx), b.cells); err != nil {
		return nil, err
	}
	var failed error
	each(b, rows, func(i int) {
		if failed == nil {
			failed = x.begin(ctx, r, i)
		}
	})
	if failed != nil {
		return nil, failed
	}
	return r, x.find(ctx, tx, r)
}

// inHand is how many blocks there are at most that are matched and not yet done with: one that is matched now, and two
// that are being written.
const inHand = 3

// round readies a round. What is made of a whole block lies in pieces of memory that take turns.
func (x *matcher) round(b *block, rows []int) *round {
	clear(x.waiting)
	r := &round{matched: &matched{block: b, rows: rows}, groups: map[string]*record.Keys{}, waiting: x.waiting, wants: x.wants[:0]}
	need := b.len() * (len(x.m.Fields) + 1)
	if rows != nil || x.after != nil {
		r.out, r.values = make([]outcome, b.len()), make([]record.Value, need)
		return r
	}
	x.turn = (x.turn + 1) % inHand
	r.memory = &x.memory[x.turn]
	r.memory.take(b.len(), need)
	r.out, r.values = r.memory.out, r.memory.values
	return r
}

// take makes room for rows and their values. Values are all written before they are read; outcomes begin empty.
func (y *memory) take(rows, values int) {
	clear(y.out)
	y.out = slices.Grow(y.out[:0], rows)[:rows]
	y.values = slices.Grow(y.values[:0], values)[:values]
}

// begin reads a row's key and settles the row, unless its record has to be looked up.
func (x *matcher) begin(ctx context.Context, r *round, i int) error {
	values := x.rowValues(r.matched, i)
	if reject := x.readKey(r.block, i, values); reject != nil {
		r.out[i] = outcome{fate: Rejected, reject: reject}
		return nil
	}
	var state transform.KeyState
	r.key, state = x.m.KeyOf(values, r.key[:0])
	key := keyText(r.key)
	if dup, err := x.duplicate(ctx, r.block, i, values, key, state); err != nil || dup != nil {
		if dup != nil {
			r.out[i] = *dup
		}
		return err
	}
	switch {
	case len(x.m.Key) == 0 || state == transform.KeyInsert || r.alone && state == transform.KeyFull:
		if x.inTurn {
			r.wants = append(r.wants, wanted{row: i, values: values})
			return nil
		}
		r.out[i] = x.fresh(r.matched, i)
	case state == transform.KeyEmpty:
		r.out[i] = outcome{fate: Skipped, reject: x.m.EmptyKey(values)}
	default:
		if r.knows && state == transform.KeyFull {
			if o, ok := x.known.same(r.sums[i], key); ok {
				r.out[i] = o
				return nil
			}
		}
		if _, twice := r.waiting[key]; twice {
			r.deferred = append(r.deferred, i)
			return nil
		}
		if x.overlay != nil {
			if p, ok := x.overlay(key); ok && x.inTurn {
				r.wants = append(r.wants, wanted{row: i, values: values, hit: &p})
				r.waiting[key] = settled
				return nil
			} else if ok {
				r.out[i] = x.compare(r.matched, i, p)
				r.waiting[key] = settled
				return nil
			}
		}
		r.waiting[key] = int32(len(r.wants))
		r.wants = append(r.wants, wanted{row: i, values: values})
		x.ask(r.groups, r.key, state)
	}
	return nil
}

// fresh is the outcome of a row that has no record: an insert, unless its fields cannot be read.
func (x *matcher) fresh(m *matched, i int) outcome {
	if r := x.m.RestFields(m.cells[i], x.rowValues(m, i), nil, m.isSound(i)); r != nil {
		return outcome{fate: Rejected, reject: r}
	}
	return outcome{fate: Inserted}
}

func each(b *block, rows []int, visit func(i int)) {
	if rows != nil {
		for _, i := range rows {
			visit(i)
		}
		return
	}
	for i := 0; i < b.len(); i++ {
		visit(i)
	}
}

// readKey maps the key of a row. A row that the format could not read is rejected with the format's own words.
func (x *matcher) readKey(b *block, i int, values []record.Value) *transform.Reject {
	if e := b.errs[i]; e != nil {
		return &transform.Reject{Code: e.Code, Column: e.Column, Msg: e.Msg}
	}
	return x.m.KeyFields(b.cells[i], values, b.isSound(i))
}

// keyText joins the parts of a key so that different keys stay different.
func keyText(key []record.Value) string {
	if len(key) == 1 && key[0].Valid {
		return key[0].Text
	}
	var b strings.Builder
	for _, v := range key {
		if v.Valid {
			b.WriteString(v.Text)
		} else {
			b.WriteByte(0)
		}
		b.WriteByte(0x1f)
	}
	return b.String()
}

// remember leaves the keys of rows without deciding anything.
func (x *matcher) remember(ctx context.Context, tx record.Tx, b *block) error {
	if err := x.m.Prepare(ctx, x.finder(tx), b.cells); err != nil {
		return err
	}
	values := make([]record.Value, len(x.m.Fields))
	var key []record.Value
	for i := range b.cells {
		if x.readKey(b, i, values) != nil {
			continue
		}
		var state transform.KeyState
		key, state = x.m.KeyOf(values, key[:0])
		if _, err := x.duplicate(ctx, b, i, values, keyText(key), state); err != nil {
			return err
		}
	}
	x.m.TakeCreated()
	return nil
}

// duplicate says what becomes of a row whose key an earlier row of the source had; nil when none had.
func (x *matcher) duplicate(ctx context.Context, b *block, i int, values []record.Value, key string, state transform.KeyState) (*outcome, error) {
	if x.seen == nil || state == transform.KeyEmpty || state == transform.KeyInsert {
		return nil, nil
	}
	var failed error
	var firstLine int64
	self := b.row(i)
	had := x.seen.claim(key, self, func(row int64) bool {
		if row == self {
			return false // matched a second time
		}
		same, line, err := x.sameKey(ctx, b, row, key)
		if err != nil {
			failed = err
		}
		firstLine = line
		return same || err != nil
	})
	if failed != nil {
		return nil, failed
	}
	if !had {
		return nil, nil
	}
	fate := Skipped
	if x.m.OnDuplicate() == "reject" {
		fate = Rejected
	}
	return &outcome{fate: fate, reject: &transform.Reject{Code: reasonDuplicate, Column: x.m.Column(x.m.Key[0]), Field: x.m.Fields[x.m.Key[0]],
		Value: record.Clip(values[x.m.Key[0]].Text), Msg: fmt.Sprintf("%s is on line %d already", x.m.KeyText(values), firstLine)}}, nil
}

// sameKey compares the key of an earlier row: the hash alone could be mistaken.
func (x *matcher) sameKey(ctx context.Context, b *block, row int64, key string) (bool, int64, error) {
	if at := b.find(row); at >= 0 {
		return x.keyOf(b.cells[at]) == key, b.lines[at], nil
	}
	had, line, err := x.earlier(ctx, row)
	return err == nil && had == key, line, err
}

// keyOf maps cells as far as their key; "" when it cannot be read.
func (x *matcher) keyOf(cells []record.Value) string {
	values := make([]record.Value, len(x.m.Fields))
	if x.m.KeyFields(cells, values, false) != nil {
		return ""
	}
	parts, _ := x.m.KeyOf(values, nil)
	return keyText(parts)
}

// ask adds a key to the look-ups. Partly empty keys that leave out their empty parts are looked up apart, one group for
// each set of parts.
func (x *matcher) ask(groups map[string]*record.Keys, key []record.Value, state transform.KeyState) {
	var mask string
	if state == transform.KeyPartial {
		for _, v := range key {
			mask += map[bool]string{true: "1", false: "0"}[v.Valid]
		}
	}
	g := groups[mask]
	if g == nil {
		g = &record.Keys{}
		for n, k := range x.m.Key {
			if mask == "" || mask[n] == '1' {
				g.Fields = append(g.Fields, x.m.Fields[k])
				g.Fold = append(g.Fold, x.m.Fold[n])
			}
		}
		groups[mask] = g
	}
	for n, v := range key {
		if mask == "" || mask[n] == '1' {
			g.Tuples = append(g.Tuples, v)
		}
	}
}

// find looks the keys up and compares each record found with the row that waits for it.
func (x *matcher) find(ctx context.Context, tx record.Tx, r *round) error {
	if r.alone {
		r.looked = x.start
	} else if at, err := x.fence.look(ctx, tx); err != nil {
		return err
	} else {
		r.looked = at
	}
	if r.knows {
		r.looked = x.known.im.start // what is known holds as long as nobody else has moved the fence since
	}
	r.sure = r.alone && len(r.groups) == 0
	masks := make([]string, 0, len(r.groups))
	for mask := range r.groups {
		masks = append(masks, mask)
	}
	sort.Strings(masks)
	for _, mask := range masks {
		q := &record.Query{Table: x.m.Target, Fields: x.fields, Keys: r.groups[mask]}
		for row, err := range tx.Select(ctx, q) {
			if err != nil {
				return err
			}
			r.key, _ = x.m.KeyOf(row[x.head:], r.key[:0])
			for n := range r.key {
				if mask != "" && mask[n] == '0' {
					r.key[n] = record.Null
				}
			}
			if at, ok := r.waiting[keyText(r.key)]; ok && at != settled {
				x.found(r.matched, &r.wants[at], row)
			}
		}
	}
	return nil
}

// found compares a record with the row that waits for it. A second record with the same key makes the row ambiguous, or
// takes its place when the oldest is wanted.
func (x *matcher) found(out *matched, w *wanted, row []record.Value) {
	id := row[0].Text
	age := id
	if x.head > 2 {
		age = row[2].Text + id
	}
	w.ids = append(w.ids, id)
	if len(w.ids) > 1 {
		if x.m.OnAmbiguous() == "reject" {
			w.refused = &outcome{fate: Rejected, reject: &transform.Reject{Code: reasonAmbiguous, Column: x.m.Column(x.m.Key[0]), Field: x.m.Fields[x.m.Key[0]],
				Value: record.Clip(w.values[x.m.Key[0]].Text), Msg: fmt.Sprintf("%s is on %d records: %s", x.m.KeyText(w.values), len(w.ids), strings.Join(w.ids, ", ")),
				Hint: "make the key unique in the target, or onAmbiguous: first"}}
			out.out[w.row] = *w.refused
			return
		}
		if age > w.oldest {
			return
		}
	}
	w.oldest = age
	p := planned{id: id, mod: row[1], values: row[x.head:]}
	if x.inTurn {
		p.values = slices.Clone(p.values)
		w.hit = &p
		return
	}
	out.out[w.row] = x.compare(out, w.row, p)
}

// compare gives the fate of a row whose record was found: unchanged, updated with the old values of what differs, or
// rejected when a mandatory field would end empty. Fields the row leaves alone take the record's value.
func (x *matcher) compare(m *matched, i int, p planned) outcome {
	values := x.rowValues(m, i)
	if r := x.m.RestFields(m.cells[i], values, p.values, m.isSound(i)); r != nil {
		return outcome{fate: Rejected, reject: r}
	}
	return x.differs(values, p)
}

// differs gives the fate of a row by the values that it would give its record.
func (x *matcher) differs(values []record.Value, p planned) outcome {
	o := outcome{fate: Unchanged, target: p.id, mod: p.mod}
	for i := range values {
		switch now := p.values[i]; {
		case transform.IsKeep(values[i]):
			values[i] = now
		case values[i].Text != now.Text:
			o.fate = Updated
			o.old = append(o.old, record.Assignment{Field: x.m.Fields[i], Value: now})
		}
	}
	if o.fate == Updated {
		if r := x.m.Check(values); r != nil {
			return outcome{fate: Rejected, reject: r}
		}
	}
	return o
}

// collect lists what is to be written: the inserts and updates, each after a last look at it.
func (x *matcher) collect(m *matched) {
	m.inserts = record.Rows{Fields: append([]string{record.SysID}, x.m.Fields...), Checked: true}
	idKey := x.m.IDKey() + 1 // among the fields of inserts; 0 where the sys_id is not the key
	if idKey > 0 {
		m.inserts.Fields = slices.Delete(m.inserts.Fields, idKey, idKey+1)
	}
	each(m.block, m.rows, func(i int) {
		o, values := &m.out[i], x.rowValues(m, i)
		if o.fate == Inserted {
			x.complete(m, i, values)
		}
		if x.vet != nil {
			x.vet(m, i)
		}
		switch o.fate {
		case Inserted:
			m.insertRows = append(m.insertRows, i)
			m.values[i*(len(values)+1)] = record.Text(o.target)
		case Updated:
			m.updateRows = append(m.updateRows, i)
		}
	})
	if len(m.insertRows) == m.len() && idKey == 0 { // a block of new records is laid out as it goes to the store
		m.inserts.Values = m.values
		return
	}
	w := len(x.m.Fields) + 1
	m.inserts.Values = make([]record.Value, 0, len(m.insertRows)*w)
	for _, i := range m.insertRows {
		row := m.values[i*w : (i+1)*w]
		if idKey > 0 {
			m.inserts.Values = append(m.inserts.Values, row[:idKey]...)
			row = row[idKey+1:]
		}
		m.inserts.Values = append(m.inserts.Values, row...)
	}
}

// complete readies a row for insertion: defaults where it leaves fields alone, an id, and a look at mandatory fields.
func (x *matcher) complete(m *matched, i int, values []record.Value) {
	for n := range values {
		if transform.IsKeep(values[n]) {
			values[n] = x.m.DefaultOf(n)
		}
	}
	o := &m.out[i]
	if r := x.m.Check(values); r != nil {
		*o = outcome{fate: Rejected, reject: r}
		return
	}
	if x.newID != nil {
		o.target = x.newID(m, i)
	} else {
		o.target = record.NewID()
	}
}

// rowValues are the mapped values of row i.
func (x *matcher) rowValues(m *matched, i int) []record.Value {
	w := len(x.m.Fields) + 1
	return m.values[i*w+1 : (i+1)*w : (i+1)*w]
}

func (x *matcher) finder(tx record.Tx) transform.Finder {
	if x.wouldBe != nil {
		return both{x.wouldBe, finder{tx}}
	}
	return finder{tx}
}

// both asks two finders.
type both [2]transform.Finder

// Find implements transform.Finder.
func (f both) Find(ctx context.Context, t *record.Table, field string, fold bool, texts []string) (map[string][]string, error) {
	found, err := f[0].Find(ctx, t, field, fold, texts)
	if err != nil {
		return nil, err
	}
	more, err := f[1].Find(ctx, t, field, fold, texts)
	for text, ids := range more {
		found[text] = append(ids, found[text]...)
	}
	return found, err
}

// finder answers a map's look-ups through a transaction.
type finder struct{ tx record.Tx }

// Find implements transform.Finder.
func (f finder) Find(ctx context.Context, t *record.Table, field string, fold bool, texts []string) (map[string][]string, error) {
	keys := &record.Keys{Fields: []string{field}, Fold: []bool{fold}, Tuples: make([]record.Value, len(texts))}
	for i, s := range texts {
		keys.Tuples[i] = record.Text(s)
	}
	type hit struct{ age, id string }
	hits := map[string][]hit{}
	q := &record.Query{Table: t, Fields: []string{record.SysID, record.SysCreatedOn, field}, Keys: keys}
	for row, err := range f.tx.Select(ctx, q) {
		if err != nil {
			return nil, err
		}
		text := row[2].Text
		if fold {
			text = query.Fold(text)
		}
		hits[text] = append(hits[text], hit{row[1].Text + row[0].Text, row[0].Text})
	}
	found := make(map[string][]string, len(hits))
	for text, list := range hits {
		slices.SortFunc(list, func(a, b hit) int { return strings.Compare(a.age, b.age) })
		for _, h := range list[:min(2, len(list))] {
			found[text] = append(found[text], h.id)
		}
	}
	return found, nil
}
