package access

import (
	"context"
	"slices"
	"strings"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// UserInfo is a user as lists show him.
type UserInfo struct {
	ID       string   `json:"sys_id"`
	UserName string   `json:"user_name"`
	Name     string   `json:"name"`
	Email    string   `json:"email"`
	Active   bool     `json:"active"`
	Locked   bool     `json:"locked_out"`
	Roles    []string `json:"roles"` // given to him, not those that come by groups or other roles
}

// Users lists the users in order of name.
func (s *Service) Users(ctx context.Context) ([]UserInfo, error) {
	roles := map[string][]string{}
	err := s.each(ctx, UserRoleTable, []string{"user", "role.name"}, equal("state", "active"), func(row []record.Value) {
		roles[row[0].Text] = append(roles[row[0].Text], row[1].Text)
	})
	if err != nil {
		return nil, err
	}
	q := &record.Query{Table: s.table(UserTable), Fields: []string{record.SysID, "user_name", "name", "email", "active", "locked_out"},
		OrderBy: []query.Order{{Field: "user_name"}}}
	out := []UserInfo{}
	for row, err := range s.session().Select(ctx, q) {
		if err != nil {
			return nil, err
		}
		given := roles[row[0].Text]
		slices.Sort(given)
		out = append(out, UserInfo{ID: row[0].Text, UserName: row[1].Text, Name: row[2].Text, Email: row[3].Text, Active: row[4].Text == "true",
			Locked: row[5].Text == "true", Roles: append([]string{}, given...)})
	}
	return out, nil
}

// RoleInfo is a role as lists show it.
type RoleInfo struct {
	ID          string   `json:"sys_id"`
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Contains    []string `json:"contains"` // inherited ones included
}

// Roles lists the roles in order of name.
func (s *Service) Roles(ctx context.Context) ([]RoleInfo, error) {
	book, err := s.book(ctx)
	if err != nil {
		return nil, err
	}
	out := []RoleInfo{}
	err = s.each(ctx, RoleTable, []string{record.SysID, "name", "description"}, nil, func(row []record.Value) {
		r := RoleInfo{ID: row[0].Text, Name: row[1].Text, Description: row[2].Text, Contains: []string{}}
		for id := range closure(book.contains[r.ID], book.contains) {
			if id != r.ID {
				r.Contains = append(r.Contains, book.roleName[id])
			}
		}
		slices.Sort(r.Contains)
		out = append(out, r)
	})
	slices.SortFunc(out, func(a, b RoleInfo) int { return strings.Compare(a.Name, b.Name) })
	return out, err
}

// TokenInfo is an API key or an OAuth client as lists show it: without its secret.
type TokenInfo struct {
	ID       string `json:"sys_id"`
	Kind     string `json:"kind"` // "api key" or "oauth client"
	Name     string `json:"name"`
	UserName string `json:"user_name"`
	ClientID string `json:"client_id,omitempty"`
	Active   bool   `json:"active"`
	Expires  string `json:"expires,omitempty"` // UTC
}

// Tokens lists API keys and OAuth clients in the order in which they were made.
func (s *Service) Tokens(ctx context.Context) ([]TokenInfo, error) {
	out := []TokenInfo{}
	err := s.each(ctx, KeyTable, []string{record.SysID, "name", "user.user_name", "active", "expires"}, nil, func(row []record.Value) {
		out = append(out, TokenInfo{ID: row[0].Text, Kind: "api key", Name: row[1].Text, UserName: row[2].Text, Active: row[3].Text == "true", Expires: row[4].Text})
	})
	if err != nil {
		return nil, err
	}
	err = s.each(ctx, ClientTable, []string{record.SysID, "name", "user.user_name", "active", "client_id"}, nil, func(row []record.Value) {
		out = append(out, TokenInfo{ID: row[0].Text, Kind: "oauth client", Name: row[1].Text, UserName: row[2].Text, Active: row[3].Text == "true", ClientID: row[4].Text})
	})
	slices.SortFunc(out, func(a, b TokenInfo) int { return strings.Compare(a.ID, b.ID) })
	return out, err
}
