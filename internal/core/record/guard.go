package record

import (
	"context"
	"slices"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
)

// Access is what somebody wants to do with records.
type Access string

// The accesses.
const (
	Read   Access = "read"
	Create Access = "create"
	Write  Access = "write"
	Delete Access = "delete"
)

// Permit is what an actor may do with records: nothing, it with those that meet Where, or (the zero value) all.
type Permit struct {
	Denied bool
	Where  query.Node
}

// Free reports whether the permit holds for every record.
func (p Permit) Free() bool { return !p.Denied && p.Where == nil }

// And is the permit that holds where both do.
func (p Permit) And(o Permit) Permit {
	return Permit{Denied: p.Denied || o.Denied, Where: both(p.Where, o.Where)}
}

// Guard decides who may do what. Sessions of actors that are not trusted ask it on every call; it is asked inside
// write transactions too, so it must not wait for a connection that other writers hold.
type Guard interface {
	// Records says with which records of t the actor may do that.
	Records(ctx context.Context, actor Actor, t *Table, a Access) (Permit, error)
	// Fields says the same of the fields that are restricted; fields not in the map are free.
	Fields(ctx context.Context, actor Actor, t *Table, a Access) (map[string]Permit, error)
}

// Narrower adds to what is asked of a table, whatever the actor may do: rules about queries. Sessions of actors that are not
// trusted ask it for the table of a query, not for those that the query follows references to.
type Narrower interface {
	// Narrow gives the condition that a query of the actor on t is narrowed by; nil for none.
	Narrow(ctx context.Context, actor Actor, t *Table) (query.Node, error)
}

// Narrow asks the Narrower.
func (s Session) Narrow(ctx context.Context, t *Table) (query.Node, error) {
	if s.db.narrow == nil {
		return nil, nil
	}
	return s.db.narrow.Narrow(ctx, s.actor, t)
}

// Messages of the faults of kind Denied that an enforced session gives.
const (
	DeniedQuery  = "Field(s) present in the query do not have permission to be read"
	DeniedInsert = "ACL Exception Insert Failed due to security constraints"
	DeniedUpdate = "ACL Exception Update Failed due to security constraints"
	DeniedDelete = "ACL Exception Delete Failed due to security constraints"
)

// Actor is who the session acts for.
func (s Session) Actor() Actor { return s.actor }

// Trusted gives the session of the same actor that the Guard is not asked about, for rules and for the product's own
// book-keeping.
func (s Session) Trusted() Session { s.actor.Trusted = true; return s }

// Enforced gives the session of the same actor that the Guard decides for; the system itself stays trusted.
func (s Session) Enforced() Session {
	s.actor.Trusted = s.actor.ID == System.ID
	return s
}

// guarded reports whether the Guard decides for this session.
func (s Session) guarded() bool { return s.db.guard != nil && !s.actor.Trusted }

// Hidden tells which of the fields (dotted paths allowed) the actor may not read on which of the records: doors leave
// those out of their answers. Ids that the actor may not read at all are the business of Select.
func (s Session) Hidden(ctx context.Context, t *Table, fields, ids []string) (func(field, id string) bool, error) {
	if !s.guarded() {
		return func(string, string) bool { return false }, nil
	}
	v := s.viewer()
	hidden := map[string]func(id string) bool{}
	for _, f := range fields {
		permit, err := v.path(ctx, t, f)
		if err != nil {
			return nil, err
		}
		if permit.Free() {
			continue
		}
		if hidden[f], err = s.hiddenOn(ctx, t, permit, ids); err != nil {
			return nil, err
		}
	}
	return func(field, id string) bool { return hidden[field] != nil && hidden[field](id) }, nil
}

// hiddenOn finds the records on which a permit does not hold.
func (s Session) hiddenOn(ctx context.Context, t *Table, p Permit, ids []string) (func(id string) bool, error) {
	shown := map[string]bool{}
	if !p.Denied && t.Field(SysID) != nil && len(ids) > 0 {
		q := &Query{Table: t, Fields: []string{SysID}, Where: p.Where, Keys: idKeys(ids...)}
		for row, err := range s.Trusted().Select(ctx, q) {
			if err != nil {
				return nil, err
			}
			shown[row[0].Text] = true
		}
	}
	return func(id string) bool { return !shown[id] }, nil
}

func idKeys(ids ...string) *Keys {
	k := &Keys{Fields: []string{SysID}, Fold: []bool{false}}
	for _, id := range ids {
		k.Tuples = append(k.Tuples, Text(id))
	}
	return k
}

// viewer asks the Guard during one call and remembers its answers.
type viewer struct {
	guard  Guard
	actor  Actor
	rows   map[string]Permit
	fields map[string]map[string]Permit
}

func (s Session) viewer() *viewer {
	return &viewer{guard: s.db.guard, actor: s.actor, rows: map[string]Permit{}, fields: map[string]map[string]Permit{}}
}

func (v *viewer) records(ctx context.Context, t *Table) (Permit, error) {
	if p, known := v.rows[t.Name]; known {
		return p, nil
	}
	p, err := v.guard.Records(ctx, v.actor, t, Read)
	if err == nil {
		v.rows[t.Name] = p
	}
	return p, err
}

// field says whether one field of t may be read. The id of a record is no secret to who may read the record; a Secret
// is one to everybody.
func (v *viewer) field(ctx context.Context, t *Table, f *Field) (Permit, error) {
	switch {
	case f.Type == Secret:
		return Permit{Denied: true}, nil
	case f.Name == SysID:
		return Permit{}, nil
	}
	permits, known := v.fields[t.Name]
	if !known {
		var err error
		if permits, err = v.guard.Fields(ctx, v.actor, t, Read); err != nil {
			return Permit{}, err
		}
		v.fields[t.Name] = permits
	}
	return permits[f.Name], nil
}

// path says on which records of t what lies at a dotted path may be read: every field passed and every record reached
// must be readable. A path that does not exist is the store's to refuse.
func (v *viewer) path(ctx context.Context, t *Table, path string) (Permit, error) {
	if f := t.Field(path); f != nil { // which most paths are
		return v.field(ctx, t, f)
	}
	if reference, ok := query.IsDisplayPath(path); ok {
		path = displayPath(t, reference)
	}
	steps := t.Path(path)
	var permit Permit
	prefix := ""
	for i, f := range steps {
		p, err := v.field(ctx, t, f)
		if err != nil {
			return Permit{}, err
		}
		permit = permit.And(p.behind(prefix))
		if i == len(steps)-1 || steps[i+1].Name == SysID && i == len(steps)-2 {
			break
		}
		prefix += f.Name + "."
		t = t.catalog.Table(f.Reference)
		if p, err = v.records(ctx, t); err != nil {
			return Permit{}, err
		}
		permit = permit.And(p.behind(prefix))
	}
	return permit, nil
}

// displayPath is the path of the field that stands for the record referred to.
func displayPath(t *Table, reference string) string {
	steps := t.Path(reference)
	if len(steps) == 0 || t.catalog == nil {
		return reference
	}
	if other := t.catalog.Table(steps[len(steps)-1].Reference); other != nil {
		return reference + "." + other.DisplayField().Name
	}
	return reference
}

// behind gives the permit on a record reached over references as one on the record that has them. Where there is no
// reference there is nothing to hide. A condition that cannot be said from there refuses.
func (p Permit) behind(prefix string) Permit {
	if prefix == "" || p.Where == nil {
		return p
	}
	where, ok := prefixed(p.Where, prefix)
	if !ok {
		return Permit{Denied: true}
	}
	unset := &query.Term{Field: prefix[:len(prefix)-1], Op: query.IsEmpty}
	return Permit{Denied: p.Denied, Where: &query.Or{Parts: []query.Node{unset, where}}}
}

// prefixed moves a condition behind a reference. ok is false for conditions on related records, whose form has no
// place for a path.
func prefixed(n query.Node, prefix string) (query.Node, bool) {
	switch n := n.(type) {
	case *query.And:
		parts, ok := prefixedParts(n.Parts, prefix)
		return &query.And{Parts: parts}, ok
	case *query.Or:
		parts, ok := prefixedParts(n.Parts, prefix)
		return &query.Or{Parts: parts}, ok
	case *query.Term:
		t := *n
		t.Field = prefix + t.Field
		if comparesFields(t.Op) && len(t.Values) > 0 {
			t.Values = slices.Clone(t.Values)
			t.Values[0] = prefix + t.Values[0]
		}
		return &t, true
	case *query.Exists:
		e := *n
		e.Field = prefix + e.Field
		return &e, true
	}
	return nil, false
}

func prefixedParts(parts []query.Node, prefix string) ([]query.Node, bool) {
	out := make([]query.Node, len(parts))
	for i, part := range parts {
		var ok bool
		if out[i], ok = prefixed(part, prefix); !ok {
			return nil, false
		}
	}
	return out, true
}

// comparesFields reports whether the operator's first value is the path of another field.
func comparesFields(op query.Op) bool {
	switch op {
	case query.GTField, query.LTField, query.GEField, query.LEField, query.SameAs, query.NotSameAs, query.MoreThan, query.LessThan:
		return true
	}
	return false
}

// both is the condition that holds where a and b do; nil is every record.
func both(a, b query.Node) query.Node {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return &query.And{Parts: []query.Node{a, b}}
}

// never holds on no record.
func never() query.Node { return &query.Or{} }

func denied(message string) error { return fault.New(fault.Denied, "%s", message) }
