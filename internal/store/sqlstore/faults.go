package sqlstore

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mattn/go-sqlite3"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// sqliteError is an error of a statement that did not go through the Go driver.
type sqliteError struct {
	code    int // the extended result code
	message string
}

func (e *sqliteError) Error() string { return fmt.Sprintf("sqlite: %s (%d)", e.message, e.code) }

// Result codes of SQLite, the low byte of the extended ones.
const (
	sqlitePerm, sqliteBusy, sqliteLocked, sqliteReadOnly, sqliteInterrupt = 3, 5, 6, 8, 9
	sqliteIOErr, sqliteCorrupt, sqliteFull, sqliteCantOpen, sqliteTooBig  = 10, 11, 13, 14, 18
	sqliteNotADB                                                          = 26
	sqliteUnique, sqlitePrimaryKey                                        = 2067, 1555
)

func sqliteCode(err error) (code int, ok bool) {
	var own *sqliteError
	if errors.As(err, &own) {
		return own.code, true
	}
	var drivers sqlite3.Error
	if errors.As(err, &drivers) {
		return max(int(drivers.ExtendedCode), int(drivers.Code)), true
	}
	return 0, false
}

// fault tells what an error of SQLite means to the user.
func (s *sqliteStore) fault(err error) *fault.Error {
	code, ok := sqliteCode(err)
	if !ok {
		return nil
	}
	if code == sqliteUnique || code == sqlitePrimaryKey {
		return fault.Wrap(fault.Conflict, err, "a record with this key exists already")
	}
	unavailable := func(format string, args ...any) *fault.Error {
		return fault.Wrap(fault.Unavailable, err, format, args...)
	}
	switch code & 0xff {
	case sqliteBusy, sqliteLocked:
		return unavailable("the database %s is locked by another process, and was for %s", s.path, s.busy).
			WithHint("wait for the other process, or end it")
	case sqliteFull:
		return unavailable("the disk under %s is full", s.path).WithHint("make room: nothing of this transaction was kept")
	case sqliteReadOnly, sqlitePerm:
		return unavailable("the database %s is read-only", s.path).WithHint("give this user the right to write to the file and its directory")
	case sqliteCantOpen:
		return unavailable("the database %s cannot be opened", s.path).WithHint("give this user the right to read and write the file and its directory")
	case sqliteNotADB:
		return fault.Wrap(fault.Invalid, err, "%s is not a database", s.path).WithHint("name another file, or move this one away")
	case sqliteCorrupt:
		return unavailable("the database %s is damaged", s.path).WithHint("restore it from a backup")
	case sqliteIOErr:
		return unavailable("reading or writing %s went wrong", s.path).WithHint("look at the disk under it")
	case sqliteInterrupt:
		return fault.Wrap(fault.Canceled, err, "the statement was interrupted")
	case sqliteTooBig:
		return fault.Wrap(fault.Limit, err, "the statement or a value in it is too large")
	}
	if strings.Contains(err.Error(), "Expression tree is too large") || strings.Contains(err.Error(), "parser stack overflow") {
		return fault.Wrap(fault.Limit, err, "the condition is too deep")
	}
	return fault.Wrap(fault.Internal, err, "the database refused a statement")
}

// conflict names the fields of t whose uniqueness is broken, as far as the error tells: databases name the index, or
// SQLite the columns where the index is on plain columns.
func conflict(t *record.Table, err error) *fault.Error {
	f := fault.Wrap(fault.Conflict, err, "table %s has a record with the same key already", t.Name)
	if strings.Contains(err.Error(), `_pkey"`) { // what PostgreSQL calls the index of a primary key
		f.Msg = fmt.Sprintf("table %s has a record with the same %s already", t.Name, strings.Join(keyOf(t), ", "))
		return f
	}
	for _, fields := range uniques(t) {
		named := indexName(t, record.Index{Fields: fields, Unique: true})
		columns := make([]string, len(fields))
		for i, name := range fields {
			columns[i] = physical(t) + "." + columnOf(t.Field(name))
		}
		if strings.Contains(err.Error(), named) || strings.Contains(err.Error()+" ", "constraint failed: "+strings.Join(columns, ", ")+" ") {
			f.Msg = fmt.Sprintf("table %s has a record with the same %s already", t.Name, strings.Join(fields, ", "))
			return f
		}
	}
	return f
}
