package access

import (
	"context"
	"slices"
	"strings"
	"sync"

	"headrace/internal/core/record"
)

// rule is one access control rule.
type rule struct {
	id             string
	roles          []string // any one of them; none asks for no role
	condition      string   // encoded query
	script         bool     // refuses: scripts are not run here yet
	adminOverrides bool
	deny           bool // deny unless it passes
}

// ruleBook is what was read of rules, roles and groups, with the decisions made from it.
type ruleBook struct {
	rules       map[string][]rule // operation, blank, name
	fields      map[string]bool   // names of fields that rules name, as "field"
	everyField  map[string]bool   // names of tables, or *, whose every field rules name
	roleName    map[string]string
	contains    map[string][]string
	groupParent map[string][]string
	groupRoles  map[string][]string

	mu      sync.Mutex
	decided map[question]*verdict
	asked   map[question]map[string]*verdict
}

func (s *Service) book(ctx context.Context) (*ruleBook, error) {
	return s.rules.get(ctx, "", s.loadBook)
}

func (s *Service) loadBook(ctx context.Context) (*ruleBook, error) {
	b := &ruleBook{rules: map[string][]rule{}, fields: map[string]bool{}, everyField: map[string]bool{}, roleName: map[string]string{},
		contains: map[string][]string{}, groupParent: map[string][]string{}, groupRoles: map[string][]string{},
		decided: map[question]*verdict{}, asked: map[question]map[string]*verdict{}}
	err := s.each(ctx, RoleTable, []string{record.SysID, "name"}, nil, func(row []record.Value) { b.roleName[row[0].Text] = row[1].Text })
	if err != nil {
		return nil, err
	}
	for _, edge := range []struct {
		table, from, to string
		into            map[string][]string
	}{
		{RoleContainsTable, "role", "contains", b.contains},
		{GroupTable, record.SysID, "parent", b.groupParent},
		{GroupRoleTable, "group", "role", b.groupRoles},
	} {
		err := s.each(ctx, edge.table, []string{edge.from, edge.to}, nil, func(row []record.Value) {
			edge.into[row[0].Text] = append(edge.into[row[0].Text], row[1].Text)
		})
		if err != nil {
			return nil, err
		}
	}
	return b, s.loadRules(ctx, b)
}

func (s *Service) loadRules(ctx context.Context, b *ruleBook) error {
	roles := map[string][]string{}
	err := s.each(ctx, RuleRoleTable, []string{"sys_security_acl", "sys_user_role"}, nil, func(row []record.Value) {
		// A role that is gone stands for one that nobody has: a rule must not open because a role was removed.
		roles[row[0].Text] = append(roles[row[0].Text], b.roleName[row[1].Text])
	})
	if err != nil {
		return err
	}
	fields := []string{record.SysID, "name", "operation", "condition", "script", "admin_overrides", "decision_type"}
	return s.each(ctx, RuleTable, fields, all(equal("active", "true"), equal("type", "record")), func(row []record.Value) {
		r := rule{id: row[0].Text, roles: roles[row[0].Text], condition: row[3].Text, script: strings.TrimSpace(row[4].Text) != "",
			adminOverrides: row[5].Text == "true", deny: row[6].Text == "deny"}
		b.add(row[2].Text, row[1].Text, r)
	})
}

func (b *ruleBook) add(operation, name string, r rule) {
	key := operation + " " + name
	b.rules[key] = append(b.rules[key], r)
	table, field, dotted := strings.Cut(name, ".")
	switch {
	case dotted && field == "*":
		b.everyField[table] = true
	case dotted:
		b.fields[field] = true
	}
}

// question is what a verdict depends on besides the rules.
type question struct {
	roles   string // of the actor, sorted
	table   string
	fields  int // of the table: it changes when the table is reshaped
	classes int
	access  record.Access
}

func ask(m *member, t *record.Table, a record.Access) question {
	return question{roles: strings.Join(m.Roles(), " "), table: t.Name, fields: len(t.Fields), classes: len(t.Classes), access: a}
}

// verdict is what the rules say to somebody with certain roles: free, never, or where conditions hold. Conditions are
// kept as text: what they mean depends on the user and the time.
type verdict struct {
	never bool
	free  bool
	any   []string      // at least one holds
	every []string      // and all of these
	among []verdictPart // instead of the above: by class
}

// verdictPart is the verdict on the records of some classes of a hierarchy.
type verdictPart struct {
	classes []string
	verdict verdict
}

func (v *verdict) same(o *verdict) bool {
	return v.never == o.never && v.free == o.free && slices.Equal(v.any, o.any) && slices.Equal(v.every, o.every)
}

// judge asks the rules of the levels, from the most particular on: those of the first level that has any decide, and
// passing one is enough. Rules that deny unless they pass count on every level. Without any rule the answer is open.
func judge(m *member, levels [][]rule, open bool) verdict {
	v := verdict{free: open}
	decided := false
	for _, level := range levels {
		allow := false
		for _, r := range level {
			if r.deny {
				v.unless(m, r)
			}
			allow = allow || !r.deny
		}
		if !allow || decided {
			continue
		}
		decided = true
		v.free = false
		v.allow(m, level)
	}
	switch {
	case !v.free && len(v.any) == 0:
		v.never = true
	case v.free:
		v.any = nil
	}
	v.free = v.free && !v.never && len(v.every) == 0
	return v
}

// allow takes in the rules of the level that decides.
func (v *verdict) allow(m *member, level []rule) {
	for _, r := range level {
		if r.deny {
			continue
		}
		switch pass, condition := r.passes(m); {
		case pass && condition == "":
			v.free = true
		case pass:
			v.any = append(v.any, condition)
		}
	}
}

// unless takes in a rule that denies unless it passes.
func (v *verdict) unless(m *member, r rule) {
	switch pass, condition := r.passes(m); {
	case !pass:
		v.never = true
	case condition != "":
		v.every = append(v.every, condition)
	}
}

// passes reports whether the rule lets the member through, where its condition holds. A rule with a script refuses.
func (r *rule) passes(m *member) (pass bool, condition string) {
	switch {
	case r.adminOverrides && m.roles[AdminRole]:
		return true, ""
	case r.script:
		return false, ""
	case len(r.roles) > 0 && !m.HasRole(r.roles...):
		return false, ""
	}
	return true, r.condition
}
