package sqldb

import (
	"context"
	"database/sql/driver"
	"errors"
	"net/url"
	"slices"
	"time"

	"github.com/mattn/go-sqlite3"

	"headrace/internal/connect/source"
	"headrace/internal/core/fault"
)

// Double is a kind of database whose tables are read from a SQLite file, for tests of what reads it. Address and options
// are checked as the kind itself does. A table is found without its schema, times without a zone are UTC unless the option
// says otherwise, and a query is SQLite's to understand. clock is that of its server.
func Double(k source.Kind, path string, clock func() time.Time) source.Kind {
	all := databases()
	db := all[slices.IndexFunc(all, func(db *database) bool { return db.name == k.Info.Name })]
	k.Rows = func(a source.Address) (source.Rows, error) {
		s, err := db.settings(a)
		if err != nil {
			return nil, err
		}
		s.database, s.url, s.rest = sqlite(), &url.URL{Scheme: "sqlite", Path: path}, nil
		s.now = "SELECT '" + clock().UTC().Format("2006-01-02 15:04:05.000") + "'"
		if s.table != nil {
			s.table = s.table[len(s.table)-1:]
		}
		if s.zone == nil {
			s.zone = time.UTC
		}
		return &rows{settings: s}, nil
	}
	return k
}

// Fill runs statements on a SQLite file, which is made when it is missing: what a double holds, and how that changes.
func Fill(ctx context.Context, path, statements string) error {
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: "_busy_timeout=10000"}
	conn, err := (&sqlite3.SQLiteDriver{}).Open(u.String())
	if err != nil {
		return err
	}
	_, err = conn.(driver.ExecerContext).ExecContext(ctx, statements, nil)
	if f := classifySQLite(err); f != nil {
		f.Kind, err = fault.Invalid, f
	}
	return errors.Join(err, conn.Close())
}
