// Package sqldb reads rows out of databases: PostgreSQL, MySQL and MariaDB, SQL Server, SQLite. A reading is one SELECT in
// a read-only transaction, whose rows come as the server sends them; every value keeps its exact text. Which database it is
// shows in a database value, of which each has a file of its own; all else is shared.
package sqldb

import (
	"headrace/internal/connect/format"
	"headrace/internal/connect/source"
	"headrace/internal/core/record"
)

// Kinds are the databases, each a kind of source of its own.
func Kinds() []source.Kind {
	var kinds []source.Kind
	for _, db := range databases() {
		kinds = append(kinds, db.kind())
	}
	return kinds
}

func databases() []*database { return []*database{postgres(), mysql(), sqlServer(), sqlite()} }

func (db *database) kind() source.Kind {
	return source.Kind{
		Info: source.Info{Name: db.name, Label: db.label, Schemes: db.schemes, Options: db.options()},
		Rows: func(a source.Address) (source.Rows, error) {
			s, err := db.settings(a)
			if err != nil {
				return nil, err
			}
			return &rows{settings: s}, nil
		},
	}
}

// Names of the options.
const (
	optTable     = "table"
	optQuery     = "query"
	optWatermark = "watermark"
	optOverlap   = "overlap"
	optZone      = "zone"
	optOrder     = "order"
	optTimeout   = "timeout"
	optConnect   = "connect_timeout"
	optIdle      = "idle_timeout"
	optTLS       = "tls"
	optCA        = "ca"
)

func (db *database) options() []record.Field {
	fields := []record.Field{
		{Name: optTable, Label: "Table", Type: record.String, Help: "the table or view to read, with its schema where it needs one: sales.orders"},
		{Name: optQuery, Label: "Query", Type: record.String, Help: "one SELECT, in place of a table"},
		{Name: optWatermark, Label: "Watermark", Type: record.String,
			Help: "a column that grows when a row is made or changed: a time of change, or a number; rows below the last mark are left out"},
		{Name: optOverlap, Label: "Overlap", Type: record.String,
			Help: "how far below the last mark a reading begins: a duration such as 5m for times (the default), a number for numbers (default 0)"},
		{Name: optZone, Label: "Time zone", Type: record.String,
			Help: "the zone of times that are kept without one, such as Europe/Berlin or UTC; they are then read as UTC. A watermark on such a column needs it"},
		{Name: optOrder, Label: "Order", Type: record.String,
			Help: "columns, separated by commas, to sort by; none leaves the order to the database. Default: watermark, then primary key"},
		{Name: optTimeout, Label: "Time-out", Type: record.String, Help: "longest time of one reading, as 2h; 0 (the default) is without end"},
		{Name: optIdle, Label: "Idle time-out", Type: record.String, Help: "longest time without a byte from the server, as 10m (the default)"},
		{Name: optConnect, Label: "Connect time-out", Type: record.String, Help: "longest time until the server has let us in, as 15s (the default)"},
	}
	if len(db.tls) == 0 {
		return fields
	}
	return append(fields,
		record.Field{Name: optTLS, Label: "TLS", Type: record.Choice, Default: db.defaultTLS, Choices: format.Choices(db.tls...),
			Help: "disable, prefer (encrypted where the server can, default of " + db.defaultTLS + " unless set), require (encrypted, certificate not looked at), " +
				"verify-ca (certificate of a known authority), verify-full (and made for this host)"},
		record.Field{Name: optCA, Label: "Authorities", Type: record.String, Help: "path of a PEM file with the authorities to trust; default: those of the system"})
}
