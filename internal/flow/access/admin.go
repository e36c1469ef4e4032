package access

import (
	"context"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// AdminUser is the name of the first user.
const AdminUser = "admin"

// NewUser describes a user to be made.
type NewUser struct {
	UserName, FirstName, LastName, Email string
	Password                             string // "" makes a user who cannot log in by password
	TimeZone                             string
	WebServiceOnly                       bool
	Roles                                []string
}

// CreateAdmin makes the user admin with the role admin on the first start, and installs the shipped roles and rules.
// It tells whether the user was made: one that is there stays as he is, password included.
func (s *Service) CreateAdmin(ctx context.Context, password string) (made bool, err error) {
	if err := Seed(ctx, s.db); err != nil {
		return false, err
	}
	id, err := s.userID(ctx, AdminUser)
	if err != nil || id != "" {
		return false, err
	}
	_, err = s.CreateUser(ctx, NewUser{UserName: AdminUser, FirstName: "System", LastName: "Administrator", Password: password, Roles: []string{AdminRole}})
	if err != nil && fault.KindOf(err) == fault.Conflict { // another node was first
		return false, nil
	}
	return err == nil, err
}

// CreateUser makes a user with roles and gives the record.
func (s *Service) CreateUser(ctx context.Context, u NewUser) (*record.Record, error) {
	if u.UserName == "" {
		return nil, fault.New(fault.Invalid, "a user needs a name")
	}
	if _, err := time.LoadLocation(u.TimeZone); err != nil {
		return nil, fault.New(fault.Invalid, "there is no time zone %q", u.TimeZone).WithHint("one such as Europe/Zurich")
	}
	id, err := s.userID(ctx, u.UserName)
	if err != nil {
		return nil, err
	}
	if id != "" {
		return nil, fault.New(fault.Conflict, "there is a user %s already", u.UserName).WithHint("headrace user list")
	}
	roles := make([]string, len(u.Roles))
	for i, name := range u.Roles {
		if roles[i], err = s.roleID(ctx, name); err != nil {
			return nil, err
		}
	}
	values := []record.Assignment{set("user_name", u.UserName), set("first_name", u.FirstName), set("last_name", u.LastName),
		set("email", u.Email), set("user_password", u.Password), set("time_zone", u.TimeZone)}
	if u.WebServiceOnly {
		values = append(values, set("web_service_access_only", "true"))
	}
	var made *record.Record
	err = s.session().Write(ctx, func(w *record.Writer) error {
		if made, err = w.Insert(ctx, s.table(UserTable), values); err != nil {
			return err
		}
		for _, role := range roles {
			if _, err := w.Insert(ctx, s.table(UserRoleTable), []record.Assignment{set("user", made.ID()), set("role", role)}); err != nil {
				return err
			}
		}
		return nil
	})
	return made, err
}

// SetPassword gives a user another password and ends a lock-out and his tokens.
func (s *Service) SetPassword(ctx context.Context, userName, password string) error {
	if password == "" {
		return fault.New(fault.Invalid, "the password is empty")
	}
	id, err := s.mustUser(ctx, userName)
	if err != nil {
		return err
	}
	tokens, err := s.column(ctx, TokenTable, record.SysID, equal("user", id))
	if err != nil {
		return err
	}
	return s.session().Write(ctx, func(w *record.Writer) error {
		for _, token := range tokens {
			if err := w.Delete(ctx, s.table(TokenTable), token); err != nil && fault.KindOf(err) != fault.NotFound {
				return err
			}
		}
		_, _, err := w.Update(ctx, s.table(UserTable), id, append(unlocked(), set("user_password", password)))
		return err
	})
}

// SetActive lets a user in, or no longer.
func (s *Service) SetActive(ctx context.Context, userName string, active bool) error {
	text := "false"
	if active {
		text = "true"
	}
	return s.changeUser(ctx, userName, set("active", text))
}

// Unlock ends a lock-out.
func (s *Service) Unlock(ctx context.Context, userName string) error {
	return s.changeUser(ctx, userName, unlocked()...)
}

func (s *Service) changeUser(ctx context.Context, userName string, values ...record.Assignment) error {
	id, err := s.mustUser(ctx, userName)
	if err != nil {
		return err
	}
	_, _, err = s.session().Update(ctx, s.table(UserTable), id, values)
	return err
}

func (s *Service) mustUser(ctx context.Context, userName string) (string, error) {
	id, err := s.userID(ctx, userName)
	if err == nil && id == "" {
		err = fault.New(fault.NotFound, "there is no user %q", userName).WithHint("headrace user list")
	}
	return id, err
}

func (s *Service) roleID(ctx context.Context, name string) (string, error) {
	ids, err := s.column(ctx, RoleTable, record.SysID, equal("name", name))
	if err != nil {
		return "", err
	}
	if len(ids) > 0 {
		return ids[0], nil
	}
	names, err := s.column(ctx, RoleTable, "name")
	if err != nil {
		return "", err
	}
	f := fault.New(fault.NotFound, "there is no role %q", name)
	if near := record.Nearest(name, names); near != "" {
		return "", f.WithHint("did you mean %q?", near)
	}
	return "", f.WithHint("headrace role list")
}

// AddRole gives a user a role; it tells whether he did not have it.
func (s *Service) AddRole(ctx context.Context, userName, role string) (bool, error) {
	user, roleID, given, err := s.grants(ctx, userName, role)
	if err != nil || len(given) > 0 {
		return false, err
	}
	_, err = s.session().Insert(ctx, s.table(UserRoleTable), []record.Assignment{set("user", user), set("role", roleID)})
	return err == nil, err
}

// RemoveRole takes a role from a user; it tells whether he had it. Roles that come by a group stay.
func (s *Service) RemoveRole(ctx context.Context, userName, role string) (bool, error) {
	_, _, given, err := s.grants(ctx, userName, role)
	if err != nil {
		return false, err
	}
	for _, id := range given {
		if err := s.session().Delete(ctx, s.table(UserRoleTable), id); err != nil {
			return false, err
		}
	}
	return len(given) > 0, nil
}

// grants finds the records that give a user a role.
func (s *Service) grants(ctx context.Context, userName, role string) (user, roleID string, given []string, err error) {
	if user, err = s.mustUser(ctx, userName); err != nil {
		return "", "", nil, err
	}
	if roleID, err = s.roleID(ctx, role); err != nil {
		return "", "", nil, err
	}
	given, err = s.column(ctx, UserRoleTable, record.SysID, equal("user", user), equal("role", roleID))
	return user, roleID, given, err
}

// CreateKey makes an API key that acts for a user. The key is shown this once: only its digest is kept. A zero expires
// is never.
func (s *Service) CreateKey(ctx context.Context, name, userName string, expires time.Time) (id, key string, err error) {
	user, err := s.mustUser(ctx, userName)
	if err != nil {
		return "", "", err
	}
	random, err := randomText(32)
	if err != nil {
		return "", "", err
	}
	id = record.NewID()
	key = keyPrefix + id + random
	values := []record.Assignment{set(record.SysID, id), set("name", name), set("user", user), set("key", digest(key)), set("prefix", keyPrefix+id[:12])}
	if !expires.IsZero() {
		values = append(values, set("expires", expires.UTC().Format(record.DateTimeLayout)))
	}
	_, err = s.session().Insert(ctx, s.table(KeyTable), values)
	return id, key, err
}

// CreateClient makes an OAuth client. Its secret is shown this once. userName is whom client_credentials act for; ""
// is nobody.
func (s *Service) CreateClient(ctx context.Context, name, userName string) (id, clientID, secret string, err error) {
	user := ""
	if userName != "" {
		if user, err = s.mustUser(ctx, userName); err != nil {
			return "", "", "", err
		}
	}
	if secret, err = randomText(32); err != nil {
		return "", "", "", err
	}
	clientID = record.NewID()
	r, err := s.session().Insert(ctx, s.table(ClientTable), []record.Assignment{set("name", name), set("client_id", clientID),
		set("client_secret", secret), set("user", user)})
	if err != nil {
		return "", "", "", err
	}
	return r.ID(), clientID, secret, nil
}

// RemoveToken ends an API key or an OAuth client, with the tokens it was given, by sys_id.
func (s *Service) RemoveToken(ctx context.Context, id string) error {
	tokens, err := s.column(ctx, TokenTable, record.SysID, equal("oauth_entity", id))
	if err != nil {
		return err
	}
	return s.session().Write(ctx, func(w *record.Writer) error {
		for _, token := range tokens {
			if err := w.Delete(ctx, s.table(TokenTable), token); err != nil && fault.KindOf(err) != fault.NotFound {
				return err
			}
		}
		err := w.Delete(ctx, s.table(KeyTable), id)
		if err != nil && fault.KindOf(err) == fault.NotFound {
			err = w.Delete(ctx, s.table(ClientTable), id)
		}
		if err != nil && fault.KindOf(err) == fault.NotFound {
			return fault.New(fault.NotFound, "there is no API key and no OAuth client %q", id).WithHint("headrace token list")
		}
		return err
	})
}
