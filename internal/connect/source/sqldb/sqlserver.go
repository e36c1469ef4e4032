package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"net"
	"strconv"
	"strings"

	mssql "github.com/microsoft/go-mssqldb"
	"github.com/microsoft/go-mssqldb/msdsn"

	"headrace/internal/core/fault"
)

func sqlServer() *database {
	return &database{
		name: "sqlserver", label: "SQL Server", schemes: []string{"sqlserver", "mssql"}, port: "1433",
		tls: []string{"disable", "require", "verify-ca", "verify-full"}, defaultTLS: "verify-full",
		connect: connectSQLServer,
		quote:   func(name string) string { return "[" + strings.ReplaceAll(name, "]", "]]") + "]" },
		literal: func(c column, mark string) string {
			if c.kind == number {
				return mark
			}
			// Of the column's own type: a time that was rounded for people must be rounded in the same way to be found again.
			return "CONVERT(" + c.typ + ", " + quotedMark(strings.Replace(mark, " ", "T", 1)) + ", 126)"
		},
		keys: func(t tableName) string {
			return "SELECT c.name FROM sys.indexes i JOIN sys.index_columns k ON k.object_id = i.object_id AND k.index_id = i.index_id " +
				"JOIN sys.columns c ON c.object_id = k.object_id AND c.column_id = k.column_id " +
				"WHERE i.is_primary_key = 1 AND i.object_id = OBJECT_ID(" + sqlServerText(sqlServer().quoted(t)) + ") ORDER BY k.key_ordinal"
		},
		tables:   "SELECT TOP 5000 table_schema, table_name FROM information_schema.tables",
		now:      "SELECT CONVERT(varchar(27), SYSUTCDATETIME(), 121)",
		classify: classifySQLServer,
	}
}

func sqlServerText(text string) string { return "N" + doubled('\'')(text) }

// dialer has the driver dial as all others do.
type dialer struct{ *settings }

// DialContext is what the driver calls.
func (d dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return d.dial(ctx, network, address)
}

func connectSQLServer(ctx context.Context, s *settings) (session, error) {
	cfg, err := s.sqlServerConfig()
	if err != nil {
		return nil, err
	}
	connector := mssql.NewConnectorConfig(cfg)
	connector.Dialer = dialer{s}
	conn, err := connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	d := &driven{conn: conn, zone: s.zone, columnOf: sqlServerColumn,
		probe: func(query string) string { return "SELECT TOP 0" + strings.TrimPrefix(query, "SELECT") },
		open: func(ctx context.Context, query string) (driver.Rows, error) {
			return openSQLServer(ctx, conn, query)
		},
		halt: func(rows driver.Rows) { rows.Close() }}
	if err := d.begin(ctx, driver.TxOptions{Isolation: driver.IsolationLevel(sql.LevelReadCommitted)}); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

func openSQLServer(ctx context.Context, conn driver.Conn, query string) (driver.Rows, error) {
	prepared, err := conn.(driver.ConnPrepareContext).PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	return prepared.(driver.StmtQueryContext).QueryContext(ctx, nil)
}

func (s *settings) sqlServerConfig() (msdsn.Config, error) {
	if err := s.onlyKnown("database", "instance"); err != nil {
		return msdsn.Config{}, err
	}
	port, err := strconv.ParseUint(portOf(s.address()), 10, 16)
	if err != nil {
		return msdsn.Config{}, fault.New(fault.Invalid, "the port of the address is no number").WithHint("write sqlserver://host:1433/database")
	}
	cfg := msdsn.Config{Host: s.url.Hostname(), Port: port, Instance: s.rest.Get("instance"), User: s.user, Password: s.password,
		Database: s.databaseName(), AppName: "headrace", Workstation: "headrace", ReadOnlyIntent: true, DisableRetry: true,
		Protocols: []string{"tcp"}, PacketSize: 4096, DialTimeout: s.connecting, Parameters: map[string]string{}}
	if cfg.Database == "" {
		cfg.Database = s.rest.Get("database")
	}
	if cfg.Instance != "" && s.url.Port() == "" {
		cfg.Port = 0 // the browser of the server says where the instance listens
	}
	cfg.Encryption = msdsn.EncryptionRequired
	if cfg.TLSConfig, err = s.tlsConfig(); cfg.TLSConfig == nil {
		cfg.Encryption = msdsn.EncryptionDisabled
	}
	return cfg, err
}

func portOf(address string) string {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return ""
	}
	return port
}

func sqlServerColumn(rows driver.Rows, i int) column {
	c := column{typ: typeName(rows, i)}
	c.kind = sqlServerKinds[c.typ]
	if c.typ == "real" {
		c.size = 32
	}
	return c
}

var sqlServerKinds = map[string]kind{
	"tinyint": number, "smallint": number, "int": number, "bigint": number, "decimal": number, "money": number, "smallmoney": number,
	"real": float, "float": float, "bit": truth, "date": date, "datetime": local, "datetime2": local, "smalldatetime": local,
	"datetimeoffset": instant, "time": clock, "uniqueidentifier": uuid,
	"binary": blob, "varbinary": blob, "image": blob, "geometry": blob, "geography": blob, "hierarchyid": blob,
}

func classifySQLServer(err error) *fault.Error {
	var e mssql.Error
	if !errors.As(err, &e) {
		return nil
	}
	switch e.Number {
	case 18456, 18452, 18486, 18487, 18488:
		return fault.New(fault.Denied, "the server does not let us in: %s", e.Message).WithHint("check user and password, and that the server takes SQL logins")
	case 4060, 911:
		return fault.New(fault.NotFound, "%s", e.Message).WithHint("the database stands behind the host: sqlserver://host/database; the user must be allowed into it")
	case 229, 230, 297, 300, 916:
		return fault.New(fault.Denied, "%s", e.Message).WithHint("GRANT SELECT to the user that reads")
	case 208:
		return fault.New(fault.NotFound, "%s", e.Message).WithHint("name the table with its schema: dbo.orders")
	case 1205, 1222, 3960, 40197, 40501, 40613, 10928, 10929:
		return fault.New(fault.Unavailable, "the server gave up: %s", e.Message).WithHint("try again")
	case 1033, 156:
		return fault.New(fault.Invalid, "the server refuses the query: %s", e.Message).
			WithHint("with a watermark or an order the query becomes part of another one: leave out ORDER BY, and make a view of one that begins with WITH")
	}
	if e.Class >= 17 {
		return fault.New(fault.Unavailable, "the server gave up: %s", e.Message).WithHint("try again")
	}
	return fault.New(fault.Invalid, "the server refuses the query: %s", e.Message)
}
