package glide

import (
	"slices"
	"strings"

	"github.com/dop251/goja"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/access"
)

// userCalls are about who acts.
var userCalls = map[string]call{
	"getUser":            func(l *lib, _ arguments) any { return l.userObject(l.user()) },
	"getUserID":          func(l *lib, _ arguments) any { return l.user().id },
	"getUserName":        func(l *lib, _ arguments) any { return l.user().name },
	"getUserDisplayName": func(l *lib, _ arguments) any { return l.user().display() },
	"getUserNameByUserID": func(l *lib, a arguments) any {
		return l.userNamed(a.text(0)).name
	},
	"hasRole": func(l *lib, a arguments) any { return l.hasRole(l.user(), a.text(0)) },
	"hasRoleInGroup": func(l *lib, a arguments) any {
		return l.hasRole(l.user(), a.text(0)) && l.memberOf(l.user(), a.text(1))
	},
	"isLoggedIn":      func(l *lib, _ arguments) any { return !l.user().isSystem() },
	"isInteractive":   func(*lib, arguments) any { return false },
	"isMobile":        func(*lib, arguments) any { return false },
	"getSession":      func(l *lib, _ arguments) any { return instance(l, "GlideSession", &session{}) },
	"getSessionID":    func(l *lib, _ arguments) any { return l.s.Env().Trace },
	"getSessionToken": func(l *lib, _ arguments) any { return l.s.Env().Trace },
	"getTimeZoneName": func(l *lib, _ arguments) any { return l.locale().zone.String() },
}

type userMethod = func(l *lib, u *user, a arguments) any

// userClass is GlideUser.
var userClass = &class[user]{name: "GlideUser", construct: func(l *lib, _ arguments) *user { return l.user() }, methods: map[string]userMethod{
	"getID":            func(_ *lib, u *user, _ arguments) any { return u.id },
	"getName":          func(_ *lib, u *user, _ arguments) any { return u.name },
	"getUserName":      func(_ *lib, u *user, _ arguments) any { return u.name },
	"toString":         func(_ *lib, u *user, _ arguments) any { return u.name },
	"getDisplayName":   func(_ *lib, u *user, _ arguments) any { return u.display() },
	"getFullName":      func(_ *lib, u *user, _ arguments) any { return u.display() },
	"getFirstName":     readUser("first_name"),
	"getLastName":      readUser("last_name"),
	"getEmail":         readUser("email"),
	"getTitle":         readUser("title"),
	"getCompanyID":     readUser("company"),
	"getDepartmentID":  readUser("department"),
	"getLocation":      readUser("location"),
	"getManagerID":     readUser("manager"),
	"getTimeZoneLabel": func(l *lib, u *user, _ arguments) any { return l.locale().zone.String() },
	"getTZ":            func(l *lib, u *user, _ arguments) any { return l.locale().zone.String() },
	"hasRole":          func(l *lib, u *user, a arguments) any { return l.hasRole(u, a.text(0)) },
	"hasRoles":         func(l *lib, u *user, _ arguments) any { return len(l.rolesOf(u)) > 0 },
	"getRoles":         func(l *lib, u *user, _ arguments) any { return l.listOf(l.rolesOf(u)) },
	"getUserRoles":     func(l *lib, u *user, _ arguments) any { return l.listOf(l.rolesOf(u)) },
	"isMemberOf":       func(l *lib, u *user, a arguments) any { return l.memberOf(u, a.text(0)) },
	"getMyGroups":      func(l *lib, u *user, _ arguments) any { return l.listOf(l.groupsOf(u)) },
	"getUserByID":      func(l *lib, _ *user, a arguments) any { return l.userObject(l.userNamed(a.text(0))) },
	"exists":           func(_ *lib, u *user, _ arguments) any { return u.record != nil },
	"getPreference":    func(l *lib, _ *user, a arguments) any { return l.preference(a) },
	"savePreference": func(l *lib, _ *user, a arguments) any {
		l.keep(preferenceKey+a.text(0), a.text(1))
		return goja.Undefined()
	},
	"setPreference": func(l *lib, _ *user, a arguments) any {
		l.keep(preferenceKey+a.text(0), a.text(1))
		return goja.Undefined()
	},
}}

func readUser(field string) userMethod {
	return func(_ *lib, u *user, _ arguments) any { return u.field(field) }
}

func (l *lib) userObject(u *user) *goja.Object { return instance(l, "GlideUser", u) }

func (u *user) display() string {
	if u.record == nil {
		return u.name
	}
	return u.record.Display()
}

// userNamed finds another user by name or by sys_id; one without a record when there is none.
func (l *lib) userNamed(name string) *user {
	r := l.find(access.UserTable, "user_name", name)
	if r == nil {
		r = l.find(access.UserTable, record.SysID, name)
	}
	if r == nil {
		return &user{}
	}
	return &user{id: r.ID(), name: r.Get("user_name").Text, record: r}
}

// hasRole reports whether a user has any of the roles of a list. The system has all, as admin has.
func (l *lib) hasRole(u *user, list string) bool {
	if u.isSystem() {
		return true
	}
	roles := l.rolesOf(u)
	if slices.Contains(roles, access.AdminRole) {
		return true
	}
	for role := range strings.SplitSeq(list, ",") {
		if slices.Contains(roles, strings.TrimSpace(role)) {
			return true
		}
	}
	return false
}

// rolesOf lists the roles of a user, inherited ones included; none of one who may not act.
func (l *lib) rolesOf(u *user) []string {
	if u.isSystem() {
		return []string{access.AdminRole}
	}
	if l.cfg.Access == nil || u.record == nil {
		return nil
	}
	who, err := l.cfg.Access.IdentityOf(l.s.Context(), u.name)
	if err != nil {
		return nil
	}
	return who.Roles()
}

// groupsOf lists the ids of a user's groups.
func (l *lib) groupsOf(u *user) []string {
	t := l.cfg.DB.Catalog().Table(access.MemberTable)
	if t == nil || u.record == nil {
		return nil
	}
	var ids []string
	err := l.s.Read(func(tx record.Tx) error {
		q := &record.Query{Table: t, Fields: []string{"group"}, Where: &query.Term{Field: "user", Op: query.Equal, Values: []string{u.id}}}
		for row, err := range tx.Select(l.s.Context(), q) {
			if err != nil {
				return err
			}
			ids = append(ids, row[0].Text)
		}
		return nil
	})
	if err != nil {
		l.throw(err)
	}
	return ids
}

// memberOf reports whether a user is in a group, given by name or sys_id.
func (l *lib) memberOf(u *user, group string) bool {
	ids := l.groupsOf(u)
	if slices.Contains(ids, group) {
		return true
	}
	r := l.find(access.GroupTable, "name", group)
	return r != nil && slices.Contains(ids, r.ID())
}

func (l *lib) listOf(texts []string) goja.Value {
	items := make([]any, len(texts))
	for i, s := range texts {
		items[i] = s
	}
	return l.list(items...)
}

// session is GlideSession. What scripts put into it lives as long as their scope.
type session struct{}

type sessionMethod = func(l *lib, s *session, a arguments) any

const preferenceKey = "preference:"

var sessionClass = &class[session]{name: "GlideSession", construct: func(*lib, arguments) *session { return &session{} }, methods: map[string]sessionMethod{
	"isInteractive":           func(*lib, *session, arguments) any { return false },
	"isLoggedIn":              func(l *lib, _ *session, _ arguments) any { return !l.user().isSystem() },
	"getLanguage":             func(*lib, *session, arguments) any { return "en" },
	"getTimeZoneName":         func(l *lib, _ *session, _ arguments) any { return l.locale().zone.String() },
	"getTimeZone":             func(l *lib, _ *session, _ arguments) any { return l.locale().zone.String() },
	"getRoles":                func(l *lib, _ *session, _ arguments) any { return strings.Join(l.rolesOf(l.user()), ",") },
	"getSessionID":            func(l *lib, _ *session, _ arguments) any { return l.s.Env().Trace },
	"getUser":                 func(l *lib, _ *session, _ arguments) any { return l.userObject(l.user()) },
	"getUserID":               func(l *lib, _ *session, _ arguments) any { return l.user().id },
	"getUserName":             func(l *lib, _ *session, _ arguments) any { return l.user().name },
	"hasRole":                 func(l *lib, _ *session, a arguments) any { return l.hasRole(l.user(), a.text(0)) },
	"getClientIP":             func(*lib, *session, arguments) any { return nil },
	"getCurrentApplicationId": func(*lib, *session, arguments) any { return "global" },
	"putClientData":           putData,
	"putProperty":             putData,
	"getClientData":           getData,
	"getProperty":             getData,
	"clearClientData":         clearData,
	"clearProperty":           clearData,
}}

func putData(l *lib, _ *session, a arguments) any {
	l.keep(a.text(0), a.text(1))
	return goja.Undefined()
}

func getData(l *lib, _ *session, a arguments) any {
	if v, ok := l.client[a.text(0)]; ok {
		return v
	}
	return nil
}

func clearData(l *lib, _ *session, a arguments) any {
	delete(l.client, a.text(0))
	return goja.Undefined()
}

func (l *lib) keep(key, value string) {
	if l.client == nil {
		l.client = map[string]string{}
	}
	l.client[key] = value
}

func (l *lib) preference(a arguments) any {
	if v, ok := l.client[preferenceKey+a.text(0)]; ok {
		return v
	}
	return orNil(a, 1)
}
