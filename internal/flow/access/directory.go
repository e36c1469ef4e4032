package access

import (
	"context"
	"maps"
	"slices"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// member is a user as read from the records: what a login needs, and the roles.
type member struct {
	Identity
	password string
	active   bool
	locked   bool
	until    string // when a lock made by failed logins ends; "" never
	failures int
	expires  string // of the API key he came by; "" never
}

// mayEnter reports whether the user may act at all.
func (m *member) mayEnter(now time.Time) bool {
	return m != nil && m.active && (!m.locked || m.until != "" && m.until <= now.Format(record.DateTimeLayout))
}

var nobody = &member{}

// memberOf reads a user by id; nobody when there is none.
func (s *Service) memberOf(ctx context.Context, id string) (*member, error) {
	return s.users.get(ctx, id, func(ctx context.Context) (*member, error) { return s.loadMember(ctx, id) })
}

func (s *Service) loadMember(ctx context.Context, id string) (*member, error) {
	r, err := s.session().Get(ctx, s.table(UserTable), id)
	switch {
	case err != nil && fault.KindOf(err) == fault.NotFound:
		return nobody, nil
	case err != nil:
		return nil, err
	}
	m := memberFrom(r)
	m.roles, err = s.rolesOf(ctx, id)
	return m, err
}

func memberFrom(r *record.Record) *member {
	m := &member{password: r.Get("user_password").Text, active: r.Get("active").Text == "true", locked: r.Get("locked_out").Text == "true",
		until: r.Get("locked_until").Text, failures: number(r, "failed_attempts")}
	name := r.Get("user_name").Text
	m.Identity = Identity{Actor: record.Actor{ID: r.ID(), Name: name}, UserID: r.ID(), UserName: name, DisplayName: r.Display(), Zone: time.UTC}
	if zone, err := time.LoadLocation(r.Get("time_zone").Text); err == nil {
		m.Zone = zone
	}
	return m
}

// rolesOf lists the roles of a user: his own, those of his groups and of the groups above them, and all that these
// contain.
func (s *Service) rolesOf(ctx context.Context, user string) (map[string]bool, error) {
	book, err := s.book(ctx)
	if err != nil {
		return nil, err
	}
	given, err := s.column(ctx, UserRoleTable, "role", equal("user", user), equal("state", "active"))
	if err != nil {
		return nil, err
	}
	groups, err := s.column(ctx, MemberTable, "group", equal("user", user))
	if err != nil {
		return nil, err
	}
	for group := range closure(groups, book.groupParent) {
		given = append(given, book.groupRoles[group]...)
	}
	names := map[string]bool{}
	for role := range closure(given, book.contains) {
		if name := book.roleName[role]; name != "" {
			names[name] = true
		}
	}
	return names, nil
}

// closure is all that can be reached from some by steps, those included.
func closure(from []string, steps map[string][]string) map[string]bool {
	reached := map[string]bool{}
	for len(from) > 0 {
		at := from[len(from)-1]
		from = from[:len(from)-1]
		if !reached[at] {
			reached[at] = true
			from = append(from, steps[at]...)
		}
	}
	return reached
}

// IdentityOf finds a user by name, without a proof: for jobs that run as somebody. A fault of kind Denied says that
// there is none, or that he is inactive or locked out.
func (s *Service) IdentityOf(ctx context.Context, userName string) (*Identity, error) {
	id, err := s.userID(ctx, userName)
	if err != nil {
		return nil, err
	}
	return s.enter(ctx, id)
}

// enter is the identity of a user who has proved who he is, if he may act.
func (s *Service) enter(ctx context.Context, id string) (*Identity, error) {
	m, err := s.memberOf(ctx, id)
	if err != nil {
		return nil, err
	}
	if !m.mayEnter(s.db.Now()) {
		return nil, refused()
	}
	return &m.Identity, nil
}

// refused says no more than that: which part was wrong is not for the caller to learn.
func refused() error {
	return fault.New(fault.Denied, "user not authenticated").WithHint("give the name and password of an active user, or a token that has not expired")
}

// userID finds the id of a user by name; "" when there is none.
func (s *Service) userID(ctx context.Context, userName string) (string, error) {
	if userName == "" {
		return "", nil
	}
	ids, err := s.column(ctx, UserTable, record.SysID, equal("user_name", userName))
	if err != nil || len(ids) == 0 {
		return "", err
	}
	return ids[0], nil
}

func equal(field, value string) query.Node {
	return &query.Term{Field: field, Op: query.Equal, Values: []string{value}}
}

func all(parts ...query.Node) query.Node {
	if len(parts) == 0 {
		return nil
	}
	return &query.And{Parts: parts}
}

// column reads one field of the records that meet all conditions.
func (s *Service) column(ctx context.Context, table, field string, where ...query.Node) ([]string, error) {
	var out []string
	err := s.each(ctx, table, []string{field}, all(where...), func(row []record.Value) { out = append(out, row[0].Text) })
	return out, err
}

// each reads fields of the records that meet a condition.
func (s *Service) each(ctx context.Context, table string, fields []string, where query.Node, visit func([]record.Value)) error {
	q := &record.Query{Table: s.table(table), Fields: fields, Where: where}
	for row, err := range s.session().Select(ctx, q) {
		if err != nil {
			return err
		}
		visit(row)
	}
	return nil
}

func sortedKeys(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }
