package record

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strconv"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
)

// Actor is who acts. Trusted sessions (rules, jobs, the command line) are not asked by the Guard.
type Actor struct {
	ID, Name string
	Trusted  bool
}

// System is the actor of the command line without a server, of jobs and of imports.
var System = Actor{ID: "system", Name: "system", Trusted: true}

// Session reads and writes records on behalf of an actor. It is a value: the With methods give changed copies.
type Session struct {
	db    *DB
	actor Actor
	run   int64
	trace string
	quiet string
	kept  bool // system fields are left as they are
	force bool // updates that change nothing are written
}

// ForRun gives a session whose change rows belong to an import run.
func (s Session) ForRun(run int64) Session { s.run = run; return s }

// WithTrace gives a session whose change rows carry a trace id.
func (s Session) WithTrace(trace string) Session { s.trace = trace; return s }

// Quiet gives a session whose writes skip hooks, but for those of a Keeper. why names the suppression, such as
// "setWorkflow(false)"; the change rows, which are written all the same, keep it.
func (s Session) Quiet(why string) Session { s.quiet = why; return s }

// KeepSysFields gives a session whose writes do not say who changed a record and when: the values given for those fields
// stand, and on update the others stay. The change rows say it all the same.
func (s Session) KeepSysFields() Session { s.kept = true; return s }

// Force gives a session whose updates are written although they change nothing: stamped, with a change row and after hooks.
func (s Session) Force() Session { s.force = true; return s }

// Writer changes records within one transaction.
type Writer struct {
	session Session
	tx      Tx
	now     time.Time
	notes   *notes
}

// Write runs fn in one transaction.
func (s Session) Write(ctx context.Context, fn func(*Writer) error) error {
	return s.WriteAs(ctx, Durable, fn)
}

// WriteAs is Write with a chosen durability.
func (s Session) WriteAs(ctx context.Context, d Durability, fn func(*Writer) error) error {
	var next *Catalog
	err := s.db.store.Write(ctx, d, func(tx Tx) error {
		w := s.Writer(tx)
		err := s.db.refresh(ctx, tx)
		if err == nil {
			err = fn(w)
		}
		if err == nil && len(w.notes.redefined) > 0 {
			next, err = w.redefine(ctx)
		}
		return err
	})
	if err == nil && next != nil {
		s.db.use(next)
	}
	return err
}

// Writer gives a Writer inside a transaction that is open already.
func (s Session) Writer(tx Tx) *Writer {
	return &Writer{session: s, tx: tx, now: nowUTC(s.db.clock), notes: &notes{}}
}

// trusted is the writer that hooks get: rules write on the actor's behalf, whatever he may do himself.
func (w *Writer) trusted() *Writer {
	if w.session.actor.Trusted {
		return w
	}
	return &Writer{session: w.session.Trusted(), tx: w.tx, now: w.now, notes: w.notes}
}

// Tx is the transaction, for the book-keeping tables that packages own.
func (w *Writer) Tx() Tx { return w.tx }

// Now is the time of the transaction.
func (w *Writer) Now() time.Time { return w.now }

// Session is the session that the Writer writes for, as far as it can be used outside the transaction too.
func (w *Writer) Session() Session { return w.session }

// With gives a Writer of another session in the same transaction.
func (w *Writer) With(s Session) *Writer {
	return &Writer{session: s, tx: w.tx, now: w.now, notes: w.notes}
}

// Trace is the id that change rows, events and calls of this transaction have in common: the session's, or one drawn
// when it is first asked for. Change rows written before that have none.
func (w *Writer) Trace() string {
	if w.session.trace != "" {
		return w.session.trace
	}
	if w.notes.trace == "" {
		w.notes.trace = NewID()
	}
	return w.notes.trace
}

// traced is the trace id as far as there is one.
func (w *Writer) traced() string { return cmp.Or(w.session.trace, w.notes.trace) }

// Get reads one record by id, fields that the actor may not read being null; a fault of kind NotFound when there is
// none, or none that he may read.
func (s Session) Get(ctx context.Context, t *Table, id string) (*Record, error) {
	sight, err := s.see(ctx, byID(t, id))
	if err != nil {
		return nil, err
	}
	var found *Record
	err = s.db.store.Read(ctx, func(tx Tx) error {
		var err error
		found, err = pick(ctx, tx, sight)
		return err
	})
	return found, err
}

func byID(t *Table, id string) *Query { return &Query{Table: t, Fields: t.Names(), Keys: idKeys(id)} }

// get reads a record whoever asks.
func get(ctx context.Context, tx Tx, t *Table, id string) (*Record, error) {
	return pick(ctx, tx, &sight{query: byID(t, id)})
}

// pick reads the one record of a query byID.
func pick(ctx context.Context, tx Tx, s *sight) (*Record, error) {
	t := s.query.Table
	for row, err := range tx.Select(ctx, s.query) {
		if err != nil {
			return nil, err
		}
		return &Record{Table: t, Values: slices.Clone(s.show(t, row))}, nil
	}
	return nil, noRecord(t, s.query.Keys.Tuples[0].Text)
}

func noRecord(t *Table, id string) error {
	return fault.New(fault.NotFound, "no record %s in table %s", id, t.Name)
}

// Select reads the records that the actor may read; see Tx.Select. Fields that he may not read come back null; a
// condition, an order or a group by over them is a fault of kind Denied. The rows are only valid inside the loop.
func (s Session) Select(ctx context.Context, q *Query) iter.Seq2[[]Value, error] {
	return func(yield func([]Value, error) bool) {
		sight, err := s.see(ctx, q)
		if err != nil {
			yield(nil, err)
			return
		}
		stopped := false
		err = s.db.store.Read(ctx, func(tx Tx) error {
			for row, err := range tx.Select(ctx, sight.query) {
				if err != nil {
					return err
				}
				if stopped = !yield(sight.show(q.Table, row), nil); stopped {
					return nil
				}
			}
			return nil
		})
		if err != nil && !stopped {
			yield(nil, err)
		}
	}
}

// Count counts records.
func (s Session) Count(ctx context.Context, t *Table, where query.Node) (int64, error) {
	for row, err := range s.Select(ctx, &Query{Table: t, Where: where, Measures: []Measure{{Func: "count"}}}) {
		if err != nil {
			return 0, err
		}
		return strconv.ParseInt(row[0].Text, 10, 64)
	}
	return 0, nil
}

// Insert adds one record in a transaction of its own. Defaults are filled in; values are brought into canonical form.
func (s Session) Insert(ctx context.Context, t *Table, values []Assignment) (r *Record, err error) {
	err = s.Write(ctx, func(w *Writer) error { r, err = w.Insert(ctx, t, values); return err })
	return r, err
}

// Update changes fields of one record in a transaction of its own. It returns the record as it is then, and whether
// anything differed; an update that changes nothing writes nothing.
func (s Session) Update(ctx context.Context, t *Table, id string, values []Assignment) (r *Record, changed bool, err error) {
	err = s.Write(ctx, func(w *Writer) error { r, changed, err = w.Update(ctx, t, id, values); return err })
	return r, changed, err
}

// Delete removes one record in a transaction of its own.
func (s Session) Delete(ctx context.Context, t *Table, id string) error {
	return s.Write(ctx, func(w *Writer) error { return w.Delete(ctx, t, id) })
}

// Insert adds one record; see Session.Insert. Values for fields that the actor may not write are left out.
func (w *Writer) Insert(ctx context.Context, t *Table, values []Assignment) (*Record, error) {
	if w.session.guarded() {
		return w.guardedInsert(ctx, t, values)
	}
	return w.insert(ctx, t, values)
}

// newDraft makes the record that is to be inserted: defaults, then the values given.
func newDraft(t *Table, values []Assignment) (*Record, error) {
	r := NewRecord(t)
	for i := range t.Fields {
		if f := &t.Fields[i]; f.Default != "" {
			r.Values[i] = Text(f.Default)
		}
	}
	return r, assign(r, values, true)
}

func (w *Writer) insert(ctx context.Context, t *Table, values []Assignment) (*Record, error) {
	r, err := newDraft(t, values)
	if err != nil {
		return nil, err
	}
	if r.ID() == "" {
		r.Set(SysID, Text(NewID()))
	}
	if err := w.numberRecord(ctx, r); err != nil {
		return nil, err
	}
	c := &Change{Operation: Inserted, New: r, Writer: w.trusted()}
	if err := w.before(ctx, c); err != nil {
		return nil, err
	}
	if err := checkMandatory(r); err != nil {
		return nil, err
	}
	if err := w.sealNew(r); err != nil {
		return nil, err
	}
	entries := takeJournal(r)
	w.stampInsert(r)
	w.keepGiven(r, values)
	rows := &Rows{Fields: t.Names(), Values: r.Values}
	if err := w.tx.Insert(ctx, t, rows); err != nil {
		return nil, err
	}
	log := w.changeRows(t)
	addChange(log, t, r.ID(), Inserted, "0", nil)
	if err := w.insertChanges(ctx, log); err != nil {
		return nil, err
	}
	return r, w.afterWith(ctx, c, entries)
}

// Update changes fields of one record; see Session.Update. Values for fields that the actor may not write are left out.
func (w *Writer) Update(ctx context.Context, t *Table, id string, values []Assignment) (*Record, bool, error) {
	if w.session.guarded() {
		return w.guardedUpdate(ctx, t, id, values)
	}
	return w.update(ctx, t, id, values)
}

func (w *Writer) update(ctx context.Context, t *Table, id string, values []Assignment) (*Record, bool, error) {
	old, err := get(ctx, w.tx, t, id)
	if err != nil {
		return nil, false, err
	}
	r := old.Clone()
	if err := assign(r, values, false); err != nil {
		return nil, false, err
	}
	c := &Change{Operation: Updated, Old: old, New: r, Writer: w.trusted()}
	if err := w.before(ctx, c); err != nil {
		return nil, false, err
	}
	before := append(difference(old, r), w.keepGiven(r, values)...)
	if len(before) == 0 && !w.session.force {
		return old, false, nil
	}
	if err := checkMandatory(r); err != nil {
		return nil, false, err
	}
	if err := w.sealChanged(r, before); err != nil {
		return nil, false, err
	}
	entries := takeJournal(r)
	rows := &Rows{Fields: []string{SysID, SysModCount}, Values: []Value{Text(id), old.Get(SysModCount)}, Shared: w.stampUpdate()}
	for _, a := range before {
		rows.Fields = append(rows.Fields, a.Field)
		rows.Values = append(rows.Values, r.Get(a.Field))
	}
	if err := w.updateRows(ctx, t, rows, func(int) []Assignment { return before }); err != nil {
		return nil, false, err
	}
	if r, err = get(ctx, w.tx, t, id); err != nil {
		return nil, false, err
	}
	c.New = r
	return r, true, w.afterWith(ctx, c, entries)
}

func (w *Writer) updateRows(ctx context.Context, t *Table, rows *Rows, old func(int) []Assignment) error {
	stale, err := w.writeUpdates(ctx, t, rows, old)
	if err == nil && len(stale) > 0 {
		err = fault.Wrap(fault.Conflict, ErrStale, "record %s of %s was changed by somebody else meanwhile", rows.Row(stale[0])[0].Text, t.Name).
			WithHint("read it again and repeat the change")
	}
	return err
}

// Delete removes one record; see Session.Delete.
func (w *Writer) Delete(ctx context.Context, t *Table, id string) error {
	if w.session.guarded() {
		return w.guardedDelete(ctx, t, id)
	}
	return w.delete(ctx, t, id)
}

func (w *Writer) delete(ctx context.Context, t *Table, id string) error {
	old, err := get(ctx, w.tx, t, id)
	if err != nil {
		return err
	}
	c := &Change{Operation: Deleted, Old: old, Writer: w.trusted()}
	if err := w.before(ctx, c); err != nil {
		return err
	}
	if _, err := w.tx.Delete(ctx, t, []Value{Text(id)}); err != nil {
		return err
	}
	log := w.changeRows(t)
	addChange(log, t, id, Deleted, old.Get(SysModCount).Text, everything(old))
	if err := w.insertChanges(ctx, log); err != nil {
		return err
	}
	return w.after(ctx, c)
}

func (w *Writer) insertChanges(ctx context.Context, log *Rows) error {
	if log.Len() == 0 {
		return nil
	}
	return w.tx.Insert(ctx, w.session.db.Catalog().Table(ChangeTable), log)
}

// assign brings values into canonical form and sets them. System fields are only taken on insert.
func assign(r *Record, values []Assignment, inserting bool) error {
	for _, a := range values {
		f := r.Table.Field(a.Field)
		if f == nil {
			return fault.New(fault.Invalid, "table %s has no field %q", r.Table.Name, a.Field).
				WithHint("its fields: %v", r.Table.Names())
		}
		if IsSystemField(f.Name) && (!inserting || f.Name != SysID && f.Name != SysClassName) {
			continue
		}
		v, err := f.Value(a.Value)
		if err != nil {
			return fault.Wrap(fault.Invalid, err, "field %s.%s", r.Table.Name, f.Name)
		}
		r.Set(f.Name, v)
	}
	return nil
}

// Value brings v into canonical form and checks choices; empty text becomes null, as in the field's platform.
func (f *Field) Value(v Value) (Value, error) {
	if v.Empty() {
		return Null, nil
	}
	text, err := f.Canonical(v.Text)
	if err != nil {
		return Null, err
	}
	if f.Chosen() && !f.HasChoice(text) {
		return Null, valueError("choice_rejected", "%q is not one of the choices", Clip(text))
	}
	return Text(text), nil
}

func checkMandatory(r *Record) error {
	for i := range r.Table.Fields {
		if f := &r.Table.Fields[i]; f.Mandatory && r.Values[i].Empty() {
			return fault.Wrap(fault.Invalid, &MandatoryError{Field: f}, "field %s.%s is mandatory and empty", r.Table.Name, f.Name)
		}
	}
	return nil
}

// difference lists the fields of r that differ from old, with the old values.
func difference(old, r *Record) []Assignment {
	var out []Assignment
	for i := range old.Values {
		if name := old.Table.Fields[i].Name; !IsSystemField(name) && !old.Values[i].Same(r.Values[i]) {
			out = append(out, Assignment{name, old.Values[i]})
		}
	}
	return out
}

func everything(r *Record) []Assignment {
	var out []Assignment
	for i, v := range r.Values {
		if v.Valid && r.Table.Fields[i].Name != SysID {
			out = append(out, Assignment{r.Table.Fields[i].Name, v})
		}
	}
	return out
}

// Same reports whether two values are equal; null and the empty text are the same.
func (v Value) Same(o Value) bool { return v.Text == o.Text }

func (w *Writer) stampInsert(r *Record) {
	for _, a := range w.stampNew() {
		r.Set(a.Field, a.Value)
	}
	if r.Get(SysClassName).Empty() {
		r.Set(SysClassName, Text(r.Table.Name))
	}
}

// keepGiven takes the system fields of a record from what was given, where the session keeps them. It gives the values of
// those that had another.
func (w *Writer) keepGiven(r *Record, values []Assignment) (before []Assignment) {
	if !w.session.kept {
		return nil
	}
	for _, a := range values {
		switch a.Field {
		case SysCreatedOn, SysCreatedBy, SysUpdatedOn, SysUpdatedBy:
			if was := r.Get(a.Field); !a.Value.Empty() && !a.Value.Same(was) {
				before = append(before, Assignment{a.Field, was})
				r.Set(a.Field, a.Value)
			}
		}
	}
	return before
}

// stampNew gives the system fields of new records.
func (w *Writer) stampNew() []Assignment {
	now, by := Text(w.now.Format(DateTimeLayout)), Text(w.session.actor.Name)
	return []Assignment{{SysCreatedOn, now}, {SysCreatedBy, by}, {SysUpdatedOn, now}, {SysUpdatedBy, by}, {SysModCount, Text("0")}}
}

// stampUpdate gives the system fields that an update sets; the count of updates is the store's.
func (w *Writer) stampUpdate() []Assignment {
	if w.session.kept {
		return nil
	}
	return []Assignment{{SysUpdatedOn, Text(w.now.Format(DateTimeLayout))}, {SysUpdatedBy, Text(w.session.actor.Name)}}
}

func (w *Writer) before(ctx context.Context, c *Change) error {
	if err := w.eachHook(c, func(h Hook) error { return h.Before(ctx, c) }); err != nil {
		return err
	}
	if c.New != nil {
		if err := w.checkCounter(c.New); err != nil {
			return err
		}
	}
	return w.checkDefinition(ctx, c)
}

func (w *Writer) after(ctx context.Context, c *Change) error {
	w.noteDefinition(c.record())
	return w.eachHook(c, func(h Hook) error { return h.After(ctx, c) })
}

func (w *Writer) eachHook(c *Change, call func(Hook) error) error {
	t := c.table()
	for _, h := range w.session.db.hooks {
		if w.heeds(h) && h.Sees(t) {
			if err := call(h); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Change) table() *Table { return c.record().Table }

func (c *Change) record() *Record {
	if c.New != nil {
		return c.New
	}
	return c.Old
}
