package access

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// A user who gives a wrong password this often in a row is locked out for a while.
const (
	mostFailures = 5
	lockTime     = 15 * time.Minute
)

// Basic checks a user's password. What was verified is remembered for a minute, as long as the stored password stays
// the same. Every refusal is one fault of kind Denied that takes as long whether the user exists or not.
func (s *Service) Basic(ctx context.Context, user, password string) (*Identity, error) {
	if e, ok := s.known.find(UserTable, user, password); ok {
		m, err := s.memberOf(ctx, e.owner)
		if err != nil {
			return nil, err
		}
		if m.password == e.stored && m.mayEnter(s.db.Now()) {
			return &m.Identity, s.noteSuccess(ctx, m)
		}
	}
	return s.login(ctx, user, password)
}

// login verifies a password at full cost, against what is stored now.
func (s *Service) login(ctx context.Context, user, password string) (*Identity, error) {
	id, err := s.userID(ctx, user)
	if err != nil {
		return nil, err
	}
	m := nobody
	if id != "" {
		if m, err = s.loadMember(ctx, id); err != nil {
			return nil, err
		}
	}
	now := s.db.Now()
	stored := m.password
	if !m.mayEnter(now) {
		stored = ""
	}
	_, ok, err := s.check(ctx, claim{UserTable, user, password, id, stored})
	switch {
	case err != nil:
		return nil, err
	case ok:
		return &m.Identity, s.noteSuccess(ctx, m)
	case stored != "":
		err = s.noteFailure(ctx, id)
	}
	s.log.LogAttrs(ctx, slog.LevelWarn, "login refused", slog.String("user", clip(user)), slog.Bool("locked", m.locked))
	if err != nil {
		return nil, err
	}
	return nil, refused()
}

// clip keeps what a caller typed for a user name short and harmless in a log.
func clip(user string) string {
	const most = 40
	if len(user) > most {
		user = user[:most]
	}
	return strconv.QuoteToASCII(user)
}

// noteSuccess takes back what failed logins left.
func (s *Service) noteSuccess(ctx context.Context, m *member) error {
	if m.failures == 0 && !m.locked {
		return nil
	}
	_, _, err := s.session().Update(ctx, s.table(UserTable), m.UserID, unlocked())
	if err != nil && fault.KindOf(err) == fault.Conflict { // somebody else is at it
		return nil
	}
	return err
}

func unlocked() []record.Assignment {
	return []record.Assignment{set("failed_attempts", "0"), set("locked_out", "false"), set("locked_until", "")}
}

func set(field, value string) record.Assignment {
	return record.Assignment{Field: field, Value: record.Text(value)}
}

// noteFailure counts a wrong password, and locks the user out when it is one too many. Writers that come between are
// met by counting again.
func (s *Service) noteFailure(ctx context.Context, id string) error {
	for try := 0; ; try++ {
		err := s.session().Write(ctx, func(w *record.Writer) error { return s.countFailure(ctx, w, id) })
		if err == nil || fault.KindOf(err) != fault.Conflict || try == mostFailures {
			return err
		}
	}
}

func (s *Service) countFailure(ctx context.Context, w *record.Writer, id string) error {
	t := s.table(UserTable)
	var m *member
	for row, err := range w.Tx().Select(ctx, &record.Query{Table: t, Fields: t.Names(), Where: equal(record.SysID, id)}) {
		if err != nil {
			return err
		}
		m = memberFrom(&record.Record{Table: t, Values: row})
	}
	if m == nil {
		return nil
	}
	failures := m.failures + 1
	if m.locked { // the lock has ended: counting begins anew
		failures = 1
	}
	values := append(unlocked(), set("failed_attempts", strconv.Itoa(failures)))
	if failures >= mostFailures {
		until := w.Now().Add(lockTime).Format(record.DateTimeLayout)
		values = append(values, set("locked_out", "true"), set("locked_until", until))
		s.log.LogAttrs(ctx, slog.LevelWarn, "user locked out", slog.String("user", m.UserName), slog.String("until", until))
	}
	_, _, err := w.Update(ctx, t, id, values)
	return err
}

func number(r *record.Record, field string) int {
	n, err := strconv.Atoi(r.Get(field).Text)
	if err != nil {
		return 0
	}
	return n
}
