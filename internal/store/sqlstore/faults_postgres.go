package sqlstore

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"headrace/internal/core/fault"
)

// fault tells what an error of PostgreSQL means to the user.
func (s *postgresStore) fault(err error) *fault.Error {
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		return s.byCode(err, pe)
	}
	var lost *lostError
	var connect *pgconn.ConnectError
	switch {
	case errors.As(err, &lost):
		return fault.Wrap(fault.Unavailable, err, "the connection to %s was lost half way", s.where).
			WithHint("nothing of this transaction was kept, unless it was lost while committing; try again")
	case errors.As(err, &connect):
		return fault.Wrap(fault.Unavailable, err, "the database %s cannot be reached", s.where).
			WithHint("start it, or correct the URL")
	case errors.Is(err, pgx.ErrTxCommitRollback):
		return fault.Wrap(fault.Internal, err, "a transaction with a failed statement was committed")
	}
	return nil
}

func (s *postgresStore) byCode(err error, pe *pgconn.PgError) *fault.Error {
	unavailable := func(hint, format string, args ...any) *fault.Error {
		return fault.Wrap(fault.Unavailable, err, format, args...).WithHint("%s", hint)
	}
	switch pe.Code {
	case "23505":
		return fault.Wrap(fault.Conflict, err, "a record with this key exists already")
	case "40001", "40P01":
		return unavailable("try again", "another transaction changed the same records and won")
	case "28P01", "28000":
		return unavailable("correct user and password in the URL", "the database %s refuses the user", s.where)
	case "3D000":
		return unavailable("make it with createdb, or correct the URL", "the database %s does not exist", s.where)
	case "42501":
		return unavailable("grant the user CREATE on the schema, or name another schema", "the user may not do that in %s", s.where)
	case "57014":
		return unavailable("look for statement_timeout, or an administrator", "the database %s stopped the statement", s.where)
	case "53100":
		return unavailable("make room: nothing of this transaction was kept", "the disk under the database %s is full", s.where)
	case "25006":
		return unavailable("name the primary server", "the database %s is read-only", s.where)
	case "54000", "54001", "54011", "54023":
		return fault.Wrap(fault.Limit, err, "the statement or a value in it is too large")
	}
	switch {
	case strings.HasPrefix(pe.Code, "08"), strings.HasPrefix(pe.Code, "57P"), strings.HasPrefix(pe.Code, "53"):
		return unavailable("try again when the server is well", "the database %s does not serve", s.where)
	}
	return fault.Wrap(fault.Internal, err, "the database refused a statement")
}
