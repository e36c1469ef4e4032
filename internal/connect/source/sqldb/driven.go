package sqldb

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// driven is a session over a driver of database/sql, without its pool: values come as the driver made them, uncopied.
type driven struct {
	conn driver.Conn
	tx   driver.Tx
	zone *time.Location
	// columnOf says what a column is.
	columnOf func(rows driver.Rows, i int) column
	// probe makes a query of one that only shows its columns.
	probe func(query string) string
	// open runs a query.
	open func(ctx context.Context, query string) (driver.Rows, error)
	// halt ends a query that has rows left.
	halt func(rows driver.Rows)
}

// begin opens the read-only transaction.
func (d *driven) begin(ctx context.Context, o driver.TxOptions) error {
	b, ok := d.conn.(driver.ConnBeginTx)
	if !ok {
		return errors.New("the driver knows no transactions")
	}
	tx, err := b.BeginTx(ctx, o)
	d.tx = tx
	return err
}

// close gives the transaction up where that is quick: a connection that is closed ends its transaction too.
func (d *driven) close() { d.conn.Close() }

// sound is false: these databases keep any bytes as text.
func (d *driven) sound() bool { return false }

// exec runs a statement without rows.
func (d *driven) exec(ctx context.Context, statement string) error {
	e, ok := d.conn.(driver.ExecerContext)
	if !ok {
		return fmt.Errorf("the driver cannot run %q", statement)
	}
	_, err := e.ExecContext(ctx, statement, nil)
	return err
}

func (d *driven) describe(ctx context.Context, query string) ([]column, error) {
	rows, err := d.open(ctx, d.probe(query))
	if err != nil {
		return nil, err
	}
	columns := d.columns(rows)
	return columns, rows.Close()
}

func (d *driven) columns(rows driver.Rows) []column {
	names := rows.Columns()
	columns := make([]column, len(names))
	for i, name := range names {
		columns[i] = d.columnOf(rows, i)
		columns[i].name = name
	}
	return columns
}

func (d *driven) stream(ctx context.Context, query string, as []column, to sink) (int64, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	rows, err := d.open(ctx, query)
	if err != nil {
		return -1, err
	}
	if as == nil {
		as = d.columns(rows)
	}
	if err := to.begin(as); err != nil {
		d.halt(rows)
		return -1, err
	}
	err = each(rows, len(as), newCells(as, d.zone, to))
	if errors.Is(err, io.EOF) {
		return -1, rows.Close()
	}
	cancel()
	d.halt(rows)
	return -1, err
}

// each hands over row after row. It ends with io.EOF when all were there.
func each(rows driver.Rows, n int, c *cells) error {
	values := make([]driver.Value, n)
	for {
		if err := rows.Next(values); err != nil {
			return err
		}
		for _, v := range values {
			if err := c.add(v); err != nil {
				return err
			}
		}
		if err := c.flush(); err != nil {
			return err
		}
	}
}

// typeName is what the driver calls the type of a column, in lower case.
func typeName(rows driver.Rows, i int) string {
	if t, ok := rows.(driver.RowsColumnTypeDatabaseTypeName); ok {
		return strings.ToLower(t.ColumnTypeDatabaseTypeName(i))
	}
	return ""
}
