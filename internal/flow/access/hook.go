package access

import (
	"context"
	"strings"

	"headrace/internal/core/record"
)

// Sees makes Service a record.Hook: on its own tables.
func (s *Service) Sees(t *record.Table) bool {
	switch t.Name {
	case UserTable, GroupTable, MemberTable, RoleTable, UserRoleTable, RoleContainsTable, GroupRoleTable,
		RuleTable, RuleRoleTable, ClientTable, TokenTable, KeyTable, RateTable:
		return true
	}
	return false
}

// Keeps makes Service a record.Keeper: passwords are hashed whatever else a write skips.
func (s *Service) Keeps() {}

// Before puts hashes in the place of passwords and client secrets, and names users by their first and last names.
func (s *Service) Before(_ context.Context, c *record.Change) error {
	if c.New == nil {
		return nil
	}
	switch c.New.Table.Name {
	case UserTable:
		nameUser(c)
		return hashField(c, "user_password")
	case ClientTable:
		return hashField(c, "client_secret")
	}
	return nil
}

// IsDigest reports whether a field holds a digest of a secret, which is only compared: it is not sealed.
func IsDigest(t *record.Table, f *record.Field) bool {
	for _, name := range chain(t) {
		switch name + "." + f.Name {
		case UserTable + ".user_password", ClientTable + ".client_secret", TokenTable + ".token", KeyTable + ".key":
			return true
		}
	}
	return false
}

// hashField hashes a secret that was set.
func hashField(c *record.Change, field string) error {
	given := c.New.Get(field)
	if given.Empty() || c.Old != nil && c.Old.Get(field) == given {
		return nil
	}
	hashed, err := hash(given.Text)
	if err == nil {
		c.New.Set(field, record.Text(hashed))
	}
	return err
}

// nameUser keeps the name that is displayed in step with its parts.
func nameUser(c *record.Change) {
	full := func(r *record.Record) string {
		return strings.Join(strings.Fields(r.Get("first_name").Text+" "+r.Get("last_name").Text), " ")
	}
	name := full(c.New)
	if c.Old != nil && full(c.Old) == name || c.Old == nil && !c.New.Get("name").Empty() {
		return
	}
	if name == "" {
		name = c.New.Get("user_name").Text
	}
	c.New.Set("name", record.Text(name))
}

// After forgets what was read of the table, now that it is another.
func (s *Service) After(_ context.Context, c *record.Change) error {
	r := c.New
	if r == nil {
		r = c.Old
	}
	switch r.Table.Name {
	case TokenTable, ClientTable:
		s.tokens.drop()
	case KeyTable:
		s.keys.drop()
	case RateTable:
		s.limits.drop()
	case UserTable, UserRoleTable, MemberTable:
		s.users.drop()
	default:
		s.Drop()
	}
	return nil
}
