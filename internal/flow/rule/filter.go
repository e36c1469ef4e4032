package rule

import (
	"context"
	"regexp"
	"strings"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// changeTerm is a condition on how a field changes; other terms stay as they are.
var changeTerm = regexp.MustCompile(`^((?:OR|NQ)?)([a-z][a-z0-9_]*)(VALCHANGES|CHANGESFROM|CHANGESTO)(.*)$`)

// Prefixes of the names under which conditions on changes are looked up. Fields of tables begin with a letter.
const (
	changedPrefix = "__changed__"
	fromPrefix    = "__from__"
	toPrefix      = "__to__"
)

// plain rewrites the operators that only rules know as comparisons with fields that dictionary and lookup know.
func plain(filter string) string {
	terms := strings.Split(filter, "^")
	for i, t := range terms {
		m := changeTerm.FindStringSubmatch(t)
		if m == nil {
			continue
		}
		join, field, value := m[1], m[2], strings.TrimSpace(m[4])
		switch m[3] {
		case "VALCHANGES":
			terms[i] = join + changedPrefix + field + "=true"
		case "CHANGESFROM":
			terms[i] = join + fromPrefix + field + "=" + value
		case "CHANGESTO":
			terms[i] = join + toPrefix + field + "=" + value
		}
	}
	return strings.Join(terms, "^")
}

// dictionary is a table as filters see it: text is compared exactly, and there are the fields of plain.
type dictionary struct{ *record.Table }

// CaseSensitive makes dictionary a query.CaseSensitive.
func (dictionary) CaseSensitive() {}

// Kind makes dictionary a query.Dictionary.
func (d dictionary) Kind(path string) (query.Kind, bool) {
	if strings.HasPrefix(path, changedPrefix) {
		_, ok := d.Table.Kind(path[len(changedPrefix):])
		return query.Bool, ok
	}
	for _, prefix := range []string{fromPrefix, toPrefix} {
		path = strings.TrimPrefix(path, prefix)
	}
	kind, ok := d.Table.Kind(path)
	if kind == query.Text {
		kind = query.Exact
	}
	return kind, ok
}

// parse reads a filter on records of t; an Invalid fault names the terms that say nothing.
func parse(filter string, t *record.Table, env query.Env) (query.Node, error) {
	q, err := query.Parse(plain(filter), dictionary{t}, env)
	if err != nil {
		return nil, err
	}
	if len(q.Invalid) > 0 {
		return nil, fault.New(fault.Invalid, "the filter condition has terms that say nothing about table %s: %s", t.Name, strings.Join(q.Invalid, ", ")).
			WithHint("name fields of the table; operators are those of encoded queries, VALCHANGES, CHANGESFROM and CHANGESTO")
	}
	return q.Where, nil
}

// timeless reports whether a filter means the same at any time and to anybody.
func timeless(filter string) bool {
	return !strings.Contains(filter, "javascript:") && !strings.Contains(filter, "@") && !strings.Contains(filter, "DYNAMIC")
}

// matcher gives the test of a rule's filter on records of t.
func (u *rule) matcher(t *record.Table, env query.Env) (*query.Matcher, error) {
	if known, ok := u.filters.Load(t); ok {
		return known.(*query.Matcher), nil
	}
	where, err := parse(u.filter, t, env)
	if err != nil {
		return nil, err
	}
	m, err := query.Compile(where, dictionary{t})
	if err == nil && timeless(u.filter) {
		u.filters.Store(t, m)
	}
	return m, err
}

// matches tests the filter of a rule on a change.
func (u *rule) matches(ctx context.Context, c *record.Change, old *record.Record, env query.Env) (bool, error) {
	if u.filter == "" {
		return true, nil
	}
	r := subject(c)
	m, err := u.matcher(r.Table, env)
	if err != nil {
		return false, err
	}
	look, failed := c.Writer.Lookup(ctx, r)
	ok := m.Match(func(path string) (string, bool) {
		name, reads := strings.CutPrefix(path, changedPrefix)
		was, now := valueOf(old, name), r.Get(name)
		if reads {
			if was.Same(now) {
				return "false", true
			}
			return "true", true
		}
		if name, reads = strings.CutPrefix(path, fromPrefix); reads {
			return differing(valueOf(old, name), r.Get(name), valueOf(old, name))
		}
		if name, reads = strings.CutPrefix(path, toPrefix); reads {
			return differing(valueOf(old, name), r.Get(name), r.Get(name))
		}
		return look(path)
	})
	return ok && failed() == nil, failed()
}

// differing gives v if a field changed.
func differing(was, now, v record.Value) (string, bool) {
	if was.Same(now) {
		return "", false
	}
	return v.Text, v.Valid
}

func valueOf(r *record.Record, field string) record.Value {
	if r == nil {
		return record.Null
	}
	return r.Get(field)
}

// subject is the record that a change is of: as it will be, or as it was when it goes.
func subject(c *record.Change) *record.Record {
	if c.New != nil {
		return c.New
	}
	return c.Old
}

// apply sets the values of a template, such as state=3^assigned_toSAMEASopened_by.
func apply(template string, r *record.Record) error {
	for _, term := range strings.Split(template, "^") {
		name, value, ok := strings.Cut(term, "=")
		from, same := "", false
		if to, other, found := strings.Cut(term, "SAMEAS"); found && (!ok || len(to) < len(name)) {
			name, from, same = to, other, true
		}
		f := r.Table.Field(name)
		switch {
		case term == "" || term == "EQ":
			continue
		case f == nil || !same && !ok || same && r.Table.Field(from) == nil:
			return fault.New(fault.Invalid, "the template names no field of %s: %s", r.Table.Name, record.Clip(term))
		}
		v := record.Text(value)
		if same {
			v = r.Get(from)
		}
		v, err := f.Value(v)
		if err != nil {
			return err
		}
		r.Set(name, v)
	}
	return nil
}
