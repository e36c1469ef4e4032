package glide

import (
	"cmp"
	"time"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/access"
)

// locale is how dates look to the user.
type locale struct {
	zone       *time.Location
	dateFormat string
	timeFormat string
}

func (w *locale) dateTimeFormat() string { return w.dateFormat + " " + w.timeFormat }

// locale is the user's, and where he has none that of the properties.
func (l *lib) locale() *locale {
	if l.where != nil {
		return l.where
	}
	u := l.user()
	l.where = &locale{zone: time.UTC,
		dateFormat: cmp.Or(u.field("date_format"), l.property("glide.sys.date_format"), "yyyy-MM-dd"),
		timeFormat: cmp.Or(u.field("time_format"), l.property("glide.sys.time_format"), "HH:mm:ss")}
	if zone, err := time.LoadLocation(cmp.Or(l.s.Env().Zone, u.field("time_zone"), l.property("glide.sys.default.tz"))); err == nil {
		l.where.zone = zone
	}
	return l.where
}

// property reads a system property; "" when there is none. It is read each time, in the script's transaction: what the
// script has just set counts.
func (l *lib) property(name string) string {
	r := l.find(propertyTable, "name", name)
	if r == nil {
		return ""
	}
	return r.Get("value").Text
}

const propertyTable = "sys_properties"

// find reads the first record of a table whose field is a value, as the script's transaction sees it; nil when there is
// none or no such table.
func (l *lib) find(table, field, value string) *record.Record {
	t := l.cfg.DB.Catalog().Table(table)
	if t == nil || value == "" {
		return nil
	}
	var found *record.Record
	err := l.s.Read(func(tx record.Tx) error {
		q := &record.Query{Table: t, Fields: t.Names(), Where: &query.Term{Field: field, Op: query.Equal, Values: []string{value}},
			OrderBy: []query.Order{{Field: record.SysCreatedOn}, {Field: record.SysID}}, Limit: 1}
		for row, err := range tx.Select(l.s.Context(), q) {
			if err != nil {
				return err
			}
			found = &record.Record{Table: t, Values: append([]record.Value(nil), row...)}
		}
		return nil
	})
	if err != nil {
		l.throw(err)
	}
	return found
}

// user is who acts: a record of sys_user, or nobody's for the system itself.
type user struct {
	id, name string
	record   *record.Record // nil for the system and for users without a record
}

func (u *user) field(name string) string {
	if u == nil || u.record == nil {
		return ""
	}
	return u.record.Get(name).Text
}

// user gives the acting user, read on first use.
func (l *lib) user() *user {
	if l.who != nil {
		return l.who
	}
	actor := l.s.Env().Session.Actor()
	l.who = &user{id: cmp.Or(l.s.Env().User, actor.ID), name: actor.Name}
	l.who.record = l.find(access.UserTable, record.SysID, l.who.id)
	if r := l.who.record; r != nil {
		l.who.name = r.Get("user_name").Text
	}
	return l.who
}

// isSystem reports whether nobody in particular acts: the command line, a job.
func (u *user) isSystem() bool { return u.id == record.System.ID }
