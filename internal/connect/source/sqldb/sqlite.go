package sqldb

import (
	"context"
	"database/sql/driver"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"strings"

	"github.com/mattn/go-sqlite3"

	"headrace/internal/core/fault"
)

func sqlite() *database {
	return &database{
		name: "sqlite", label: "SQLite", schemes: []string{"sqlite"},
		connect: connectSQLite,
		quote:   doubled('"'),
		literal: func(c column, mark string) string {
			if c.kind == number {
				return mark
			}
			return quotedMark(mark)
		},
		// The driver makes of declared times and truth values what it thinks they are; an expression has no declaration.
		cell: func(c column) string { return "+" + doubled('"')(c.name) },
		keys: func(t tableName) string {
			return "SELECT name FROM pragma_table_info(" + doubled('\'')(t.last()) + ") WHERE pk > 0 ORDER BY pk"
		},
		tables:   "SELECT 'main', name FROM sqlite_master WHERE type IN ('table', 'view') LIMIT 5000",
		now:      "SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')",
		classify: classifySQLite,
	}
}

// sqlitePath is the file of an address: sqlite:///absolute, sqlite:relative.
func (s *settings) sqlitePath() (string, error) {
	path := s.url.Opaque
	if path == "" {
		path = s.url.Path
	}
	if s.url.Host != "" {
		return "", fault.New(fault.Invalid, "the address %q has a host", s.url.Redacted()).WithHint("write sqlite:///absolute/path or sqlite:relative/path")
	}
	if unescaped, err := url.PathUnescape(path); err == nil && s.url.Opaque != "" {
		path = unescaped
	}
	if path == "" {
		return "", fault.New(fault.Invalid, "the address names no file").WithHint("write sqlite:///absolute/path or sqlite:relative/path")
	}
	return path, s.onlyKnown()
}

func connectSQLite(ctx context.Context, s *settings) (session, error) {
	path, err := s.sqlitePath()
	if err != nil {
		return nil, err
	}
	if err := readableFile(path); err != nil {
		return nil, err
	}
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: "mode=ro&_query_only=1&_busy_timeout=10000"}
	conn, err := (&sqlite3.SQLiteDriver{}).Open(u.String())
	if err != nil {
		return nil, err
	}
	d := &driven{conn: conn, zone: s.zone, columnOf: sqliteColumn,
		probe: func(query string) string { return query + " LIMIT 0" },
		open: func(ctx context.Context, query string) (driver.Rows, error) {
			return conn.(driver.QueryerContext).QueryContext(ctx, query, nil)
		},
		halt: func(rows driver.Rows) { rows.Close() }}
	// A transaction that only reads begins with its first read, and lets others write in the mode WAL.
	if err := d.exec(ctx, "BEGIN"); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

func readableFile(path string) error {
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fault.New(fault.NotFound, "there is no file %q", path).WithHint("check the path; a relative one begins at the current folder")
	case errors.Is(err, fs.ErrPermission):
		return fault.New(fault.Denied, "the file %q may not be read", path).WithHint("give this process leave to read it")
	case err != nil:
		return fault.New(fault.Unavailable, "the file %q cannot be looked at: %v", path, err)
	case st.IsDir():
		return fault.New(fault.Invalid, "%q is a folder", path).WithHint("name the file of the database")
	}
	return nil
}

// sqliteColumn goes by the declaration, which binds nobody: every value says itself what it is.
func sqliteColumn(rows driver.Rows, i int) column {
	c := column{typ: typeName(rows, i)}
	base, _, _ := strings.Cut(c.typ, "(")
	switch {
	case strings.Contains(base, "int"), base == "decimal", base == "numeric":
		c.kind = number
	case strings.Contains(base, "bool"):
		c.kind = truth
	case base == "date":
		c.kind = date
	case base == "datetime", strings.HasPrefix(base, "timestamp"):
		c.kind = local
	case strings.Contains(base, "blob"):
		c.kind = blob
	case strings.Contains(base, "real"), strings.Contains(base, "floa"), strings.Contains(base, "doub"):
		c.kind = float
	}
	return c
}

func classifySQLite(err error) *fault.Error {
	var e sqlite3.Error
	if !errors.As(err, &e) {
		return nil
	}
	text := e.Error()
	switch e.Code {
	case sqlite3.ErrBusy, sqlite3.ErrLocked:
		return fault.New(fault.Unavailable, "the database is locked by another program").WithHint("try again when it has finished")
	case sqlite3.ErrNotADB:
		return fault.New(fault.Invalid, "the file is no SQLite database, or an encrypted one").WithHint("check the path")
	case sqlite3.ErrCorrupt:
		return fault.New(fault.Unavailable, "the database is damaged: %s", text).WithHint("restore it from a copy that is whole")
	case sqlite3.ErrCantOpen, sqlite3.ErrPerm, sqlite3.ErrAuth, sqlite3.ErrReadonly:
		return fault.New(fault.Denied, "the database cannot be opened: %s", text).
			WithHint("give this process leave to read the file, and in the mode WAL to write into its folder")
	case sqlite3.ErrError:
		if strings.HasPrefix(text, "no such table") {
			return fault.New(fault.NotFound, "%s", text)
		}
		return fault.New(fault.Invalid, "the database refuses the query: %s", text)
	}
	return fault.New(fault.Unavailable, "the database gave up: %s", text).WithHint("try again")
}
