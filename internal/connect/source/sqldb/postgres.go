package sqldb

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"headrace/internal/core/fault"
)

func postgres() *database {
	return &database{
		name: "postgres", label: "PostgreSQL", schemes: []string{"postgres", "postgresql"}, port: "5432",
		tls: []string{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}, defaultTLS: "prefer",
		connect: connectPostgres,
		quote:   doubled('"'),
		literal: func(c column, mark string) string {
			if c.kind == number {
				return mark
			}
			return quotedMark(mark) + "::" + map[kind]string{date: "date", local: "timestamp", instant: "timestamptz"}[c.kind]
		},
		cell: postgresCell,
		keys: func(t tableName) string {
			return "SELECT a.attname FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY k(n, pos) " +
				"JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.n WHERE i.indisprimary AND i.indrelid = " +
				doubled('\'')(postgres().quoted(t)) + "::regclass ORDER BY k.pos"
		},
		tables:   "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema NOT IN ('information_schema', 'pg_catalog') LIMIT 5000",
		now:      "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')",
		classify: classifyPostgres,
	}
}

// doubled quotes with a character, which is doubled inside.
func doubled(q byte) func(string) string {
	s := string(q)
	return func(name string) string { return s + strings.ReplaceAll(name, s, s+s) + s }
}

// postgresCell has the server write what has no plain text: arrays and rows become JSON, money a number.
func postgresCell(c column) string {
	switch {
	case strings.HasSuffix(c.typ, "[]"), c.typ == "record":
		return "to_json(" + doubled('"')(c.name) + ")"
	case c.typ == "money":
		return doubled('"')(c.name) + "::numeric"
	}
	return ""
}

// pgSession reads with COPY, which sends rows as text with the least work on both sides.
type pgSession struct {
	conn *pgconn.PgConn
	*settings
}

func connectPostgres(ctx context.Context, s *settings) (session, error) {
	cfg, err := s.postgresConfig()
	if err != nil {
		return nil, err
	}
	conn, err := pgconn.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	p := &pgSession{conn: conn, settings: s}
	// In the transaction, so that it holds behind a pooler too.
	_, err = conn.Exec(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD'; "+
		"SET LOCAL IntervalStyle = 'postgres'; SET LOCAL extra_float_digits = 3; SET LOCAL bytea_output = 'hex'; "+
		"SET LOCAL standard_conforming_strings = on; SET LOCAL client_encoding = 'UTF8'").ReadAll()
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// postgresConfig leaves the address to the driver, which understands all that libpq does.
func (s *settings) postgresConfig() (*pgconn.Config, error) {
	u, rest := *s.url, url.Values{}
	maps.Copy(rest, s.rest)
	if s.modeGiven || rest.Get("sslmode") == "" {
		rest.Set("sslmode", s.mode)
	}
	if s.ca != "" {
		rest.Set("sslrootcert", s.ca)
	}
	u.RawQuery, u.User = rest.Encode(), nil
	if s.user != "" {
		u.User = url.User(s.user)
	}
	cfg, err := pgconn.ParseConfig(u.String())
	if err != nil {
		return nil, fault.New(fault.Invalid, "the address or its options are not understood: %s", s.scrub(err)).
			WithHint("write it as postgres://user@host:5432/database?sslmode=require")
	}
	if s.password != "" {
		cfg.Password = s.password
	}
	cfg.ConnectTimeout = s.connecting
	cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		return s.dial(ctx, network, address)
	}
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = "headrace"
	}
	return cfg, nil
}

func (p *pgSession) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if p.conn.Close(ctx) != nil {
		return // it is closed all the same
	}
}

// sound is what PostgreSQL sees to, unless it was told to know no encoding.
func (p *pgSession) sound() bool {
	return p.conn.ParameterStatus("server_encoding") != "SQL_ASCII"
}

// describe leaves the transaction usable when the query is wrong, so that more can be asked about it.
func (p *pgSession) describe(ctx context.Context, query string) ([]column, error) {
	if _, err := p.conn.Exec(ctx, "SAVEPOINT described").ReadAll(); err != nil {
		return nil, err
	}
	d, err := p.conn.Prepare(ctx, "", query, nil)
	if err != nil {
		_, back := p.conn.Exec(ctx, "ROLLBACK TO described").ReadAll()
		return nil, errors.Join(err, back)
	}
	columns := make([]column, len(d.Fields))
	oids := make([]string, len(d.Fields))
	for i, f := range d.Fields {
		columns[i].name = f.Name
		oids[i] = strconv.FormatUint(uint64(f.DataTypeOID), 10)
	}
	types, err := p.types(ctx, oids)
	if err != nil {
		return nil, err
	}
	for i := range columns {
		columns[i].typ = types[oids[i]]
		columns[i].kind = postgresKinds[columns[i].typ]
	}
	return columns, nil
}

// types names types: those of arrays end in [], those of rows are all called record.
func (p *pgSession) types(ctx context.Context, oids []string) (map[string]string, error) {
	if len(oids) == 0 {
		return nil, nil
	}
	results, err := p.conn.Exec(ctx, "SELECT oid, CASE WHEN typcategory = 'A' THEN typname || '[]' WHEN typtype = 'c' OR typname = 'record' THEN 'record' "+
		"ELSE typname END FROM pg_catalog.pg_type WHERE oid IN ("+strings.Join(oids, ",")+")").ReadAll()
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, row := range results[0].Rows {
		names[string(row[0])] = string(row[1])
	}
	return names, nil
}

var postgresKinds = map[string]kind{
	"int2": number, "int4": number, "int8": number, "numeric": number, "oid": number, "money": number, "float4": float, "float8": float, "bool": truth,
	"date": date, "timestamp": local, "timestamptz": instant, "time": clock, "bytea": blob,
}

func (p *pgSession) stream(ctx context.Context, query string, as []column, to sink) (int64, error) {
	if as == nil {
		var err error
		if as, err = p.describe(ctx, query); err != nil {
			return -1, err
		}
	}
	if err := to.begin(as); err != nil {
		return -1, err
	}
	in := &copied{cells: newCells(as, p.zone, to)}
	tag, err := p.conn.CopyTo(ctx, in, "COPY ("+query+"\n) TO STDOUT")
	switch {
	case in.err != nil:
		return -1, in.err
	case err != nil:
		return -1, err
	case len(in.rest) > 0:
		return -1, errors.New("the last row has no end")
	}
	if !strings.HasPrefix(tag.String(), "COPY ") {
		return -1, fmt.Errorf("COPY ended with %q", tag.String())
	}
	return tag.RowsAffected(), nil
}

func classifyPostgres(err error) *fault.Error {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return nil
	}
	switch e.Code {
	case "28P01", "28000":
		return fault.New(fault.Denied, "the server does not let us in: %s", e.Message).WithHint("check user and password, and the server's pg_hba.conf")
	case "3D000":
		return fault.New(fault.NotFound, "%s", e.Message).WithHint("the database stands behind the host: postgres://host/database")
	case "42501":
		return fault.New(fault.Denied, "%s", e.Message).WithHint("GRANT SELECT to the user that reads")
	case "42P01", "3F000":
		return fault.New(fault.NotFound, "%s", e.Message).WithHint("name the table with its schema")
	case "57014":
		return fault.New(fault.Unavailable, "the server ended the query: %s", e.Message).WithHint("look at its statement_timeout")
	}
	switch e.Code[:2] {
	case "42", "22", "21", "0A", "25":
		return fault.New(fault.Invalid, "the server refuses the query: %s", e.Message).WithHint("%s", e.Hint)
	}
	return fault.New(fault.Unavailable, "the server gave up: %s", e.Message).WithHint("try again")
}
