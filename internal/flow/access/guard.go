package access

import (
	"context"
	"time"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// Records makes Service a record.Guard: with which records of t the actor may do that. Records of tables that extend t
// are judged by the rules of their own class, so that a rule on a table holds by whatever table it is read.
// Who is not an active user may do nothing.
func (s *Service) Records(ctx context.Context, actor record.Actor, t *record.Table, a record.Access) (record.Permit, error) {
	m, book, err := s.actor(ctx, actor)
	if err != nil || book == nil {
		return record.Permit{Denied: true}, err
	}
	permit, err := s.permit(m, t, book.records(m, t, a))
	if err != nil || permit.Denied || t.Name != record.JournalTable || a != record.Read || m.roles[AdminRole] {
		return permit, err
	}
	entries, err := s.entries(ctx, actor)
	return permit.And(entries), err
}

// Fields makes Service a record.Guard: which fields of t are restricted for the actor, and where.
func (s *Service) Fields(ctx context.Context, actor record.Actor, t *record.Table, a record.Access) (map[string]record.Permit, error) {
	m, book, err := s.actor(ctx, actor)
	if err != nil || book == nil {
		return nil, err // no record is open to him
	}
	verdicts := book.restricted(m, t, a)
	if len(verdicts) == 0 {
		return nil, nil
	}
	out := make(map[string]record.Permit, len(verdicts))
	for name, v := range verdicts {
		if out[name], err = s.permit(m, t, v); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// actor finds who acts, and the rules; no rules for somebody who may not act.
func (s *Service) actor(ctx context.Context, actor record.Actor) (*member, *ruleBook, error) {
	m, err := s.memberOf(ctx, actor.ID)
	if err != nil || !m.mayEnter(s.db.Now()) {
		return nil, nil, err
	}
	book, err := s.book(ctx)
	return m, book, err
}

// records gives the verdict on the records of t.
func (b *ruleBook) records(m *member, t *record.Table, a record.Access) *verdict {
	b.mu.Lock()
	defer b.mu.Unlock()
	q := ask(m, t, a)
	v := b.decided[q]
	if v == nil {
		v = byClass(classesOf(t, a), func(class *record.Table) verdict { return judge(m, b.recordLevels(class, a), m.roles[AdminRole]) })
		b.decided[q] = v
	}
	return v
}

// classesOf lists the classes whose rules count; a new record has one class.
func classesOf(t *record.Table, a record.Access) []*record.Table {
	if a == record.Create || len(t.Classes) < 2 {
		return []*record.Table{t}
	}
	var out []*record.Table
	for _, name := range t.Classes {
		out = append(out, t.Catalog().Table(name))
	}
	return out
}

// byClass judges every class and puts those together that are judged alike.
func byClass(classes []*record.Table, of func(*record.Table) verdict) *verdict {
	var parts []verdictPart
	for _, class := range classes {
		v := of(class)
		at := -1
		for i := range parts {
			if parts[i].verdict.same(&v) {
				at = i
			}
		}
		if at < 0 {
			parts, at = append(parts, verdictPart{verdict: v}), len(parts)
		}
		parts[at].classes = append(parts[at].classes, class.Name)
	}
	if len(parts) == 1 {
		return &parts[0].verdict
	}
	return &verdict{among: parts}
}

// chain is a table and those it extends.
func chain(t *record.Table) []string {
	names := []string{t.Name}
	for t.Extends != "" {
		t = t.Catalog().Table(t.Extends)
		names = append(names, t.Name)
	}
	return names
}

const wildcard = "*"

func (b *ruleBook) recordLevels(t *record.Table, a record.Access) [][]rule {
	var levels [][]rule
	for _, name := range append(chain(t), wildcard) {
		levels = append(levels, b.rules[string(a)+" "+name])
	}
	return levels
}

// restricted gives the verdicts on the fields of t that are not free.
func (b *ruleBook) restricted(m *member, t *record.Table, a record.Access) map[string]*verdict {
	b.mu.Lock()
	defer b.mu.Unlock()
	q := ask(m, t, a)
	if known, ok := b.asked[q]; ok {
		return known
	}
	out := map[string]*verdict{}
	classes := classesOf(t, a)
	wide := b.namesEveryField(classes)
	for i := range t.Fields {
		name := t.Fields[i].Name
		if !wide && !b.fields[name] {
			continue
		}
		v := byClass(classes, func(class *record.Table) verdict { return judge(m, b.fieldLevels(class, name, a), true) })
		if !v.free {
			out[name] = v
		}
	}
	b.asked[q] = out
	return out
}

func (b *ruleBook) namesEveryField(classes []*record.Table) bool {
	if b.everyField[wildcard] {
		return true
	}
	for _, class := range classes {
		for _, name := range chain(class) {
			if b.everyField[name] {
				return true
			}
		}
	}
	return false
}

// fieldLevels lists the rules on a field: those that name it, on the table, on those it extends, on any; then those
// that name every field. For new records the last of these counts what is said of writing, too.
func (b *ruleBook) fieldLevels(t *record.Table, field string, a record.Access) [][]rule {
	var levels [][]rule
	tables := append(chain(t), wildcard)
	for _, suffix := range []string{"." + field, ".*"} {
		for _, name := range tables {
			levels = append(levels, b.rules[string(a)+" "+name+suffix])
		}
	}
	if a == record.Create {
		last := len(levels) - 1
		levels[last] = append(levels[last][:len(levels[last]):len(levels[last])], b.rules[string(record.Write)+" *.*"]...)
	}
	return levels
}

// permit makes a permit of a verdict, for the member and the present.
func (s *Service) permit(m *member, t *record.Table, v *verdict) (record.Permit, error) {
	if v.among == nil {
		return s.conditions(m, t, v)
	}
	var parts []query.Node
	for i := range v.among {
		p, err := s.conditions(m, t, &v.among[i].verdict)
		if err != nil {
			return record.Permit{}, err
		}
		if p.Denied {
			continue
		}
		classes := &query.Term{Field: record.SysClassName, Op: query.In, Values: v.among[i].classes}
		if p.Where == nil {
			parts = append(parts, classes)
		} else {
			parts = append(parts, &query.And{Parts: []query.Node{classes, p.Where}})
		}
	}
	return record.Permit{Denied: len(parts) == 0, Where: &query.Or{Parts: parts}}, nil
}

// conditions parses what a verdict asks for. A condition that means nothing on the table is not met.
func (s *Service) conditions(m *member, t *record.Table, v *verdict) (record.Permit, error) {
	if v.never || v.free {
		return record.Permit{Denied: v.never}, nil
	}
	env := query.Env{Now: s.db.Now(), Zone: zone(m), UserID: m.UserID, UserName: m.UserName, UserDisplay: m.DisplayName}
	var every, any []query.Node
	open := len(v.any) == 0
	for _, text := range v.any {
		q, err := query.Parse(text, t, env)
		if err != nil {
			return record.Permit{}, err
		}
		switch {
		case len(q.Invalid) > 0:
		case q.Where == nil:
			open = true
		default:
			any = append(any, q.Where)
		}
	}
	if !open {
		every = append(every, &query.Or{Parts: any})
	}
	for _, text := range v.every {
		q, err := query.Parse(text, t, env)
		if err != nil || len(q.Invalid) > 0 {
			return record.Permit{Denied: true}, err
		}
		if q.Where != nil {
			every = append(every, q.Where)
		}
	}
	return record.Permit{Denied: !open && len(any) == 0, Where: all(every...)}, nil
}

func zone(m *member) *time.Location {
	if m.Zone == nil {
		return time.UTC
	}
	return m.Zone
}
