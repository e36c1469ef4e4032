package sqldb_test

import (
	"testing"

	"headrace/internal/connect/format"
	"headrace/internal/connect/source/sourcetest"
)

// place is what the shared suite needs of a server, whose query for large results is its own.
func (s *server) place(large string) sourcetest.Place {
	return sourcetest.Place{Kind: kindOf(s.kind), Server: s.addr, URL: s.url, Secret: secret,
		Sample: format.Options{"table": "law"}, Count: 2000, Empty: format.Options{"table": "law_empty"},
		Marked: format.Options{"table": "law", "watermark": "id"},
		Large:  format.Options{"query": large}, LargeCount: 40000, Memory: 20 << 20}
}

func TestPostgreSQLKeepsTheLaws(t *testing.T) {
	s := postgresServer
	s.table(t, "law", "CREATE TABLE law (id bigint PRIMARY KEY, name text, amount numeric(12,2), at timestamptz)",
		"INSERT INTO law SELECT i, 'name ' || i, i / 4.0, timestamptz '2026-01-01 00:00:00Z' + i * interval '1 minute' FROM generate_series(2000, 1, -1) i")
	s.table(t, "law_empty", "CREATE TABLE law_empty (LIKE law INCLUDING ALL)")
	sourcetest.Rows(t, s.place("SELECT i AS id, repeat('x', 1000) AS filler FROM generate_series(1, 40000) i"))
}

func TestMariaDBKeepsTheLaws(t *testing.T) {
	s := mariaServer
	s.table(t, "law", "CREATE TABLE law (id bigint PRIMARY KEY, name varchar(50), amount decimal(12,2), at datetime)",
		"INSERT INTO law SELECT seq, CONCAT('name ', seq), seq / 4.0, '2026-01-01' + INTERVAL seq MINUTE FROM seq_2000_to_1")
	s.table(t, "law_empty", "CREATE TABLE law_empty LIKE law")
	sourcetest.Rows(t, s.place("SELECT seq AS id, repeat('x', 1000) AS filler FROM seq_1_to_40000"))
}

func TestSQLiteKeepsTheLaws(t *testing.T) {
	s := sqliteServer(t)
	s.table(t, "law", "CREATE TABLE law (id integer PRIMARY KEY, name text, amount decimal(12,2), at datetime)",
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO law SELECT i, 'name ' || i, i / 4.0, '2026-01-01' FROM n")
	s.table(t, "law_empty", "CREATE TABLE law_empty (id integer PRIMARY KEY, name text, amount decimal(12,2), at datetime)")
	sourcetest.Rows(t, s.place("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000) "+
		"SELECT i AS id, substr(printf('%01001d', 0), 2) AS filler FROM n"))
}
