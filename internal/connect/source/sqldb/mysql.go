package sqldb

import (
	"context"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	mysqldriver "github.com/go-sql-driver/mysql"

	"headrace/internal/core/fault"
)

func mysql() *database {
	return &database{
		name: "mysql", label: "MySQL or MariaDB", schemes: []string{"mysql", "mariadb"}, port: "3306",
		tls: []string{"disable", "prefer", "require", "verify-ca", "verify-full"}, defaultTLS: "prefer",
		connect: connectMySQL,
		quote:   doubled('`'),
		literal: func(c column, mark string) string {
			switch c.kind {
			case date:
				return "DATE" + quotedMark(mark)
			case local, instant:
				return "TIMESTAMP" + quotedMark(mark)
			}
			return mark
		},
		keys: func(t tableName) string {
			return "SELECT column_name FROM information_schema.key_column_usage WHERE constraint_name = 'PRIMARY' AND " +
				mysqlTable(t) + " ORDER BY ordinal_position"
		},
		tables: "SELECT table_schema, table_name FROM information_schema.tables " +
			"WHERE table_schema NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys') LIMIT 5000",
		now:      "SELECT CAST(UTC_TIMESTAMP(6) AS CHAR)",
		classify: classifyMySQL,
	}
}

// mysqlText writes a text so that no setting of the server makes something else of its backslashes.
func mysqlText(text string) string {
	return "CONVERT(X'" + hex.EncodeToString([]byte(text)) + "' USING utf8mb4)"
}

// mysqlTable is the condition of the information schema for one table.
func mysqlTable(t tableName) string {
	schema := "DATABASE()"
	if t.schema() != "" {
		schema = mysqlText(t.schema())
	}
	return "table_schema = " + schema + " AND table_name = " + mysqlText(t.last())
}

// mysqlSession can stop a query from beside: the server of a closed connection goes on until it next writes.
type mysqlSession struct {
	driven
	settings *settings
	id       string // of the connection
}

func connectMySQL(ctx context.Context, s *settings) (session, error) {
	conn, err := dialMySQL(ctx, s)
	if err != nil {
		return nil, err
	}
	m := &mysqlSession{settings: s, driven: driven{conn: conn, zone: s.zone, columnOf: mysqlColumn,
		probe: func(query string) string { return query + " LIMIT 0" }}}
	m.driven.open, m.driven.halt = m.query, m.kill
	if err := m.begin(ctx); err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

func dialMySQL(ctx context.Context, s *settings) (driver.Conn, error) {
	if err := s.onlyKnown(); err != nil {
		return nil, err
	}
	cfg := mysqldriver.NewConfig()
	cfg.User, cfg.Passwd, cfg.Net, cfg.Addr, cfg.DBName = s.user, s.password, "tcp", s.address(), s.databaseName()
	cfg.Logger, cfg.DialFunc, cfg.Collation = &mysqldriver.NopLogger{}, s.dial, ""
	var err error
	if cfg.TLS, err = s.tlsConfig(); err != nil {
		return nil, err
	}
	cfg.AllowFallbackToPlaintext = s.mode == "prefer"
	connector, err := mysqldriver.NewConnector(cfg)
	if err != nil {
		return nil, err
	}
	return connector.Connect(ctx)
}

func (m *mysqlSession) begin(ctx context.Context) error {
	for _, statement := range []string{
		"SET NAMES utf8mb4", "SET time_zone = '+00:00'",
		"SET net_write_timeout = 3600", // the server must bear that rows are taken slowly
		"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "START TRANSACTION READ ONLY",
	} {
		if err := m.exec(ctx, statement); err != nil {
			return err
		}
	}
	id, err := list(ctx, m, "SELECT CONNECTION_ID()")
	if err != nil {
		return err
	}
	if len(id) == 1 {
		m.id = id[0][0]
	}
	return nil
}

// query prepares every query: only so do floating-point numbers come with all their digits.
func (m *mysqlSession) query(ctx context.Context, query string) (driver.Rows, error) {
	prepared, err := m.conn.(driver.ConnPrepareContext).PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	return prepared.(driver.StmtQueryContext).QueryContext(ctx, nil)
}

// kill ends what the connection does. Reading the rest would last as long as there are rows.
func (m *mysqlSession) kill(driver.Rows) {
	m.close()
	if _, err := strconv.ParseUint(m.id, 10, 64); err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	conn, err := dialMySQL(ctx, m.settings)
	if err != nil {
		return // the server finds out by itself when it writes
	}
	beside := &driven{conn: conn}
	defer beside.close()
	if beside.exec(ctx, "KILL "+m.id) != nil {
		return // it had ended already
	}
}

// describe asks the dictionary too: what of a number is a truth value stands only there.
func (m *mysqlSession) describe(ctx context.Context, query string) ([]column, error) {
	columns, err := m.driven.describe(ctx, query)
	if err != nil || m.settings.table == nil {
		return columns, err
	}
	types, err := list(ctx, m, "SELECT column_name, column_type FROM information_schema.columns WHERE "+mysqlTable(m.settings.table))
	if err != nil {
		return nil, err
	}
	full := map[string]string{}
	for _, t := range types {
		full[t[0]] = strings.ToLower(t[1])
	}
	for i := range columns {
		switch columns[i].typ = full[columns[i].name]; columns[i].typ {
		case "tinyint(1)":
			columns[i].kind = truth
		case "bit(1)":
			columns[i].size = 1
		}
	}
	return columns, nil
}

func mysqlColumn(rows driver.Rows, i int) column {
	c := column{typ: typeName(rows, i)}
	c.kind = mysqlKinds[strings.TrimPrefix(c.typ, "unsigned ")]
	if scale, ok := rows.(driver.RowsColumnTypePrecisionScale); ok && c.kind == number {
		if _, digits, has := scale.ColumnTypePrecisionScale(i); has && digits == math.MaxInt64 {
			c.kind = float
		}
	}
	return c
}

var mysqlKinds = map[string]kind{
	"tinyint": number, "smallint": number, "mediumint": number, "int": number, "bigint": number, "year": number, "decimal": number,
	"float": float, "double": float, "date": date, "datetime": local, "timestamp": instant, "time": clock, "bit": bits,
	"binary": blob, "varbinary": blob, "tinyblob": blob, "blob": blob, "mediumblob": blob, "longblob": blob, "geometry": blob, "vector": blob,
}

func classifyMySQL(err error) *fault.Error {
	var e *mysqldriver.MySQLError
	if !errors.As(err, &e) {
		return nil
	}
	switch e.Number {
	case 1045, 1698, 1251, 2054:
		return fault.New(fault.Denied, "the server does not let us in: %s", e.Message).WithHint("check user and password, and from which hosts the user may come")
	case 1049:
		return fault.New(fault.NotFound, "%s", e.Message).WithHint("the database stands behind the host: mysql://host/database")
	case 1046:
		return fault.New(fault.Invalid, "no database is named").WithHint("put it behind the host: mysql://host/database")
	case 1044, 1142, 1143, 1227, 1370:
		return fault.New(fault.Denied, "%s", e.Message).WithHint("GRANT SELECT to the user that reads")
	case 1146, 1109:
		return fault.New(fault.NotFound, "%s", e.Message).WithHint("name the table with its database")
	case 1040, 1203, 1226:
		return fault.New(fault.Unavailable, "the server has too many connections: %s", e.Message).WithHint("try again later")
	case 1317, 1969, 3024, 1927:
		return fault.New(fault.Unavailable, "the server ended the query: %s", e.Message).WithHint("look at its max_statement_time")
	case 1205, 1213, 1053, 1152, 1158, 1159, 1160, 1161:
		return fault.New(fault.Unavailable, "the server gave up: %s", e.Message).WithHint("try again")
	}
	if e.Number >= 1000 && e.Number < 2000 {
		return fault.New(fault.Invalid, "the server refuses the query: %s", e.Message)
	}
	return fault.New(fault.Unavailable, "the server gave up: %s", e.Message).WithHint("try again")
}
