package sqlstore

import (
	"database/sql"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Pool is what the queue needs to work on the same database: the connections, and where the tables are. One of SQL and
// PGX is set.
type Pool struct {
	SQL    *sql.DB       // the one writing connection of SQLite; a transaction on it must be short
	PGX    *pgxpool.Pool // PostgreSQL: connections that only the queue uses
	Schema string        // PostgreSQL
	Path   string        // SQLite
}

// Pool lends the connections of the store. They are the store's to close.
func (s *Store) Pool() Pool {
	switch b := s.b.(type) {
	case *sqliteStore:
		return Pool{SQL: b.writer, Path: b.path}
	case *postgresStore:
		return Pool{PGX: b.queue, Schema: b.schema}
	}
	return Pool{}
}

// SideBySide makes Store a record.SideBySide: PostgreSQL is.
func (s *Store) SideBySide() bool {
	_, ok := s.b.(*postgresStore)
	return ok
}
