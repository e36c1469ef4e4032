package sqldb

import (
	"context"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// database is what differs between databases.
type database struct {
	name, label string
	schemes     []string
	port        string   // where its servers listen; "" when it has none
	tls         []string // the values of the option tls
	defaultTLS  string

	connect func(ctx context.Context, s *settings) (session, error)
	quote   func(string) string // an identifier of a name
	// literal is the SQL of a mark for a column. Only digits, signs, points, colons and spaces come in.
	literal func(c column, mark string) string
	// cell is how a column is selected, where its plain name will not do; "" where it will. May be nil.
	cell func(c column) string
	// keys and tables are queries: the names of the columns of a table's primary key in order; "schema", "table" of all tables.
	keys   func(t tableName) string
	tables string
	now    string // the query for the server's clock: 2006-01-02 15:04:05.999999 in UTC
	// classify turns what the server or driver says into a fault; nil for what it does not know.
	classify func(err error) *fault.Error
}

// session is one connection with a read-only transaction in it.
type session interface {
	// describe gives the columns of a SELECT without reading its rows.
	describe(ctx context.Context, query string) ([]column, error)
	// stream runs a SELECT and puts its rows into a sink. as says what the columns are; nil leaves that to the result. An
	// error of the sink ends the reading, stops the query at the server, and comes back as it is. The number of rows is what
	// the server says it sent, -1 when it does not say.
	stream(ctx context.Context, query string, as []column, to sink) (int64, error)
	// sound reports that texts hold neither NUL nor anything but UTF-8.
	sound() bool
	close()
}

// sink takes the rows of a query.
type sink interface {
	begin(columns []column) error
	// row gets the cells of a row, whose texts stay valid and whose slice does not.
	row(cells []record.Value) error
	// note says something about the rows that people should know; what is said twice is said once.
	note(text string)
}

// column is one column of a result.
type column struct {
	name string
	typ  string // as the database calls its type, in lower case
	kind kind
	size int // in bits, of a bit string or a floating-point number; 0 where it does not matter
}

// kind is how values of a column become text, and whether they can be marks.
type kind uint8

const (
	plain   kind = iota // text as it comes
	number              // an exact number
	float               // a binary floating-point number
	truth               // true or false
	date                // 2006-01-02
	local               // a time without a zone
	instant             // a time that is the same all over the world
	clock               // a time of day
	blob                // bytes
	uuid                // of SQL Server, whose bytes are in an order of their own
	bits                // a bit string of MySQL
)

// tableName is the name of a table, perhaps with its schema and database before it.
type tableName []string

func (t tableName) last() string { return t[len(t)-1] }

// schema is what stands before the name, "" when nothing does.
func (t tableName) schema() string {
	if len(t) < 2 {
		return ""
	}
	return t[len(t)-2]
}

// list runs a small query and gives its rows as texts.
func list(ctx context.Context, s session, query string) ([][]string, error) {
	var all lister
	_, err := s.stream(ctx, query, nil, &all)
	return all, err
}

type lister [][]string

func (l *lister) begin([]column) error { return nil }

func (l *lister) note(string) {}

func (l *lister) row(cells []record.Value) error {
	row := make([]string, len(cells))
	for i, c := range cells {
		row[i] = c.Text
	}
	*l = append(*l, row)
	return nil
}
