package record

import (
	"context"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
)

// guardedInsert is insert as far as the actor may. A condition on new records is asked of the record as stored; when
// it does not hold the record vanishes again, while the transaction lives on.
func (w *Writer) guardedInsert(ctx context.Context, t *Table, values []Assignment) (*Record, error) {
	permit, err := w.mayCreate(ctx, t, values)
	if err != nil {
		return nil, err
	}
	if permit.Denied {
		return nil, denied(DeniedInsert)
	}
	if values, err = w.creatable(ctx, t, values); err != nil {
		return nil, err
	}
	if permit.Where == nil {
		r, err := w.insert(ctx, t, values)
		return w.shown(ctx, r, err)
	}
	var r *Record
	err = w.tx.Nest(ctx, func(Tx) error {
		var err error
		if r, err = w.insert(ctx, t, values); err != nil {
			return err
		}
		if ok, err := w.holds(ctx, t, r.ID(), permit.Where); err != nil || ok {
			return err
		}
		return denied(DeniedInsert)
	})
	return w.shown(ctx, r, err)
}

// mayCreate asks for the class of the new record too, when it is not t.
func (w *Writer) mayCreate(ctx context.Context, t *Table, values []Assignment) (Permit, error) {
	guard, actor := w.session.db.guard, w.session.actor
	permit, err := guard.Records(ctx, actor, t, Create)
	if err != nil || !t.Hierarchical() {
		return permit, err
	}
	for _, a := range values {
		class := t.catalog.Table(a.Value.Text)
		if a.Field != SysClassName || class == nil || class.Name == t.Name {
			continue
		}
		more, err := guard.Records(ctx, actor, class, Create)
		if err != nil {
			return Permit{}, err
		}
		permit = permit.And(more)
	}
	return permit, nil
}

// creatable leaves out the values of fields that the actor may not give to a new record. Conditions on fields are
// asked of the record as it would be; one that takes a store to decide refuses.
func (w *Writer) creatable(ctx context.Context, t *Table, values []Assignment) ([]Assignment, error) {
	permits, err := w.session.db.guard.Fields(ctx, w.session.actor, t, Create)
	if err != nil || len(permits) == 0 {
		return values, err
	}
	draft, err := newDraft(t, values)
	if err != nil {
		return nil, err
	}
	var out []Assignment
	for _, a := range values {
		p := permits[a.Field]
		ok := p.Free()
		if !p.Denied && !ok {
			if ok, err = w.matches(ctx, draft, p.Where); err != nil {
				return nil, err
			}
		}
		if ok {
			out = append(out, a)
		}
	}
	return out, nil
}

// matches tests a condition on a record that is not in the store; records it refers to are.
func (w *Writer) matches(ctx context.Context, r *Record, where query.Node) (bool, error) {
	m, err := query.Compile(where, r.Table)
	if err != nil {
		return false, nil
	}
	look, failed := w.Lookup(ctx, r)
	ok := m.Match(look)
	return ok && failed() == nil, failed()
}

// Lookup gives what a condition is tested on: a record that need not be in the store, and those that it refers to. failed
// tells afterwards whether one of them could not be read.
func (w *Writer) Lookup(ctx context.Context, r *Record) (look query.Lookup, failed func() error) {
	var first error
	look = func(path string) (string, bool) {
		v, err := w.follow(ctx, r, path)
		if err != nil && first == nil {
			first = err
		}
		return v.Text, v.Valid
	}
	return look, func() error { return first }
}

// follow reads what lies at a dotted path of a record; null where a reference leads nowhere.
func (w *Writer) follow(ctx context.Context, r *Record, path string) (Value, error) {
	if reference, ok := query.IsDisplayPath(path); ok {
		path = displayPath(r.Table, reference)
	}
	steps := r.Table.Path(path)
	for i, f := range steps {
		v := r.Get(f.Name)
		if i == len(steps)-1 || v.Empty() {
			return v, nil
		}
		var err error
		r, err = get(ctx, w.tx, r.Table.catalog.Table(f.Reference), v.Text)
		switch {
		case err != nil && fault.KindOf(err) == fault.NotFound:
			return Null, nil
		case err != nil:
			return Null, err
		}
	}
	return Null, nil
}

// holds reports whether the record in the store meets the condition.
func (w *Writer) holds(ctx context.Context, t *Table, id string, where query.Node) (bool, error) {
	q := &Query{Table: t, Fields: []string{SysID}, Where: where, Keys: idKeys(id)}
	for _, err := range w.tx.Select(ctx, q) {
		return err == nil, err
	}
	return false, nil
}

// mayChange refuses when the actor may not read the record (it is then not found) or not do that with it.
func (w *Writer) mayChange(ctx context.Context, t *Table, id string, a Access, message string) error {
	guard, actor := w.session.db.guard, w.session.actor
	for _, access := range []Access{Read, a} {
		p, err := guard.Records(ctx, actor, t, access)
		if err != nil {
			return err
		}
		ok := !p.Denied
		if ok && p.Where != nil {
			if ok, err = w.holds(ctx, t, id, p.Where); err != nil {
				return err
			}
		}
		switch {
		case !ok && access == Read:
			return noRecord(t, id)
		case !ok:
			if _, err := get(ctx, w.tx, t, id); err != nil { // what is not there cannot be refused
				return err
			}
			return denied(message)
		}
	}
	return nil
}

// guardedUpdate is update as far as the actor may.
func (w *Writer) guardedUpdate(ctx context.Context, t *Table, id string, values []Assignment) (*Record, bool, error) {
	if err := w.mayChange(ctx, t, id, Write, DeniedUpdate); err != nil {
		return nil, false, err
	}
	values, err := w.writable(ctx, t, id, values)
	if err != nil {
		return nil, false, err
	}
	r, changed, err := w.update(ctx, t, id, values)
	r, err = w.shown(ctx, r, err)
	return r, changed, err
}

// writable leaves out the values of fields that the actor may not write on the record as it is.
func (w *Writer) writable(ctx context.Context, t *Table, id string, values []Assignment) ([]Assignment, error) {
	permits, err := w.session.db.guard.Fields(ctx, w.session.actor, t, Write)
	if err != nil || len(permits) == 0 {
		return values, err
	}
	var out []Assignment
	for _, a := range values {
		p := permits[a.Field]
		ok := p.Free()
		if !p.Denied && !ok {
			if ok, err = w.holds(ctx, t, id, p.Where); err != nil {
				return nil, err
			}
		}
		if ok {
			out = append(out, a)
		}
	}
	return out, nil
}

// guardedDelete is delete when the actor may.
func (w *Writer) guardedDelete(ctx context.Context, t *Table, id string) error {
	if err := w.mayChange(ctx, t, id, Delete, DeniedDelete); err != nil {
		return err
	}
	return w.delete(ctx, t, id)
}

// shown is a record just written as its writer may see it: only the id when he may not read it.
func (w *Writer) shown(ctx context.Context, r *Record, err error) (*Record, error) {
	if err != nil {
		return nil, err
	}
	t := r.Table
	sight, err := w.session.see(ctx, byID(t, r.ID()))
	if err != nil || sight.free && sight.masks == nil {
		return r, err
	}
	seen, err := pick(ctx, w.tx, sight)
	if err != nil && fault.KindOf(err) == fault.NotFound {
		seen = NewRecord(t)
		seen.Set(SysID, Text(r.ID()))
		return seen, nil
	}
	return seen, err
}

// deleteEach removes records one by one; those that are gone, or hidden, are passed over.
func (w *Writer) deleteEach(ctx context.Context, t *Table, olds []*Record) (n int, err error) {
	for _, r := range olds {
		switch err := w.Delete(ctx, t, r.ID()); {
		case err == nil:
			n++
		case fault.KindOf(err) != fault.NotFound:
			return 0, err
		}
	}
	return n, nil
}

// mayDefine refuses actors who may not make tables.
func (s Session) mayDefine(ctx context.Context) error {
	if !s.guarded() {
		return nil
	}
	for _, name := range []string{ObjectTable, DictionaryTable} {
		p, err := s.db.guard.Records(ctx, s.actor, s.db.Catalog().Table(name), Create)
		if err != nil {
			return err
		}
		if !p.Free() {
			return denied(DeniedInsert)
		}
	}
	return nil
}
