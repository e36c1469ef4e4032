package sqlstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// shape is what exists: the physical type of each column, and the names of the indexes.
type shape struct {
	columns map[string]map[string]string // table -> column -> type
	indexes map[string]bool
}

// Reshape makes the tables, columns and indexes that want has and the database has not, in one transaction. A column of
// another type is a Conflict. Columns that want has not stay.
func (s *Store) Reshape(ctx context.Context, want *record.Catalog, dryRun bool) (statements []string, err error) {
	// Mostly there is nothing to do: find that out without a write transaction.
	err = s.Read(ctx, func(tx record.Tx) error {
		statements, err = s.missing(ctx, tx.(*Tx).c, want)
		return err
	})
	if err != nil || dryRun || len(statements) == 0 {
		return statements, err
	}
	err = s.Write(ctx, record.Durable, func(tx record.Tx) error {
		statements, err = tx.Reshape(ctx, want)
		return err
	})
	return statements, err
}

func (s *Store) missing(ctx context.Context, c conn, want *record.Catalog) ([]string, error) {
	is, err := c.shape(ctx)
	if err != nil {
		return nil, err
	}
	return s.steps(want, is)
}

// Reshape is Store.Reshape within the transaction; see record.Tx.
func (tx *Tx) Reshape(ctx context.Context, want *record.Catalog) ([]string, error) {
	if err := tx.mayWrite(); err != nil {
		return nil, err
	}
	if err := tx.c.lockShape(ctx); err != nil {
		return nil, tx.wrote(ctx, err, nil)
	}
	statements, err := tx.s.missing(ctx, tx.c, want)
	if err != nil {
		return nil, tx.wrote(ctx, err, nil)
	}
	for _, sql := range statements {
		if _, err := tx.c.exec(ctx, sql, nil); err != nil {
			return nil, tx.wrote(ctx, reshapeFault(tx.s.inside(err), sql), nil)
		}
	}
	return statements, nil
}

func reshapeFault(err error, sql string) error {
	if fault.KindOf(err) == fault.Conflict && strings.HasPrefix(sql, "CREATE UNIQUE") {
		return fault.Wrap(fault.Conflict, err, "records break the new unique index: %s", sql).
			WithHint("find the equal records and change or remove them, then try again")
	}
	return err
}

// steps compares what should be with what is.
func (s *Store) steps(want *record.Catalog, is *shape) ([]string, error) {
	var out []string
	has := map[string]map[string]string{}
	for table, columns := range is.columns {
		has[table] = map[string]string{}
		for c, t := range columns {
			has[table][c] = t
		}
	}
	for _, root := range []bool{true, false} {
		for _, name := range want.Names() {
			t := want.Table(name)
			if (physical(t) == t.Name) != root {
				continue
			}
			more, err := s.columnSteps(t, family(want, t), has)
			if err != nil {
				return nil, err
			}
			out = append(out, more...)
		}
	}
	made := map[string]bool{}
	for _, name := range want.Names() {
		t := want.Table(name)
		for _, ix := range indexesOf(t) {
			sql, err := s.indexStep(t, ix, is, made)
			if err != nil {
				return nil, err
			}
			if sql != "" {
				out = append(out, sql)
			}
		}
	}
	return out, nil
}

// family are the tables that a physical table holds the fields of: the one it is named after, then those that extend it.
func family(want *record.Catalog, t *record.Table) []*record.Table {
	all := []*record.Table{t}
	for _, name := range want.Names() {
		if other := want.Table(name); other != t && physical(other) == t.Name {
			all = append(all, other)
		}
	}
	return all
}

// mostColumns is how many columns PostgreSQL gives a table.
const mostColumns = 1600

// columnSteps makes the table, with the columns of its whole family at once, or the columns it lacks, and notes them in has.
func (s *Store) columnSteps(t *record.Table, family []*record.Table, has map[string]map[string]string) ([]string, error) {
	if len(t.Fields) > mostColumns {
		return nil, fault.New(fault.Limit, "table %s has %d fields, a table takes %d", t.Name, len(t.Fields), mostColumns).
			WithHint("import only the columns that are needed: staging keeps them all")
	}
	columns := has[physical(t)]
	if columns == nil {
		return []string{s.createTable(t, family, has)}, nil
	}
	var out []string
	for i := range t.Fields {
		f := &t.Fields[i]
		if f.Element > 0 {
			continue
		}
		name, typ := columnOf(f), s.d.physicalType(f.Type)
		was, exists := columns[name]
		switch {
		case !exists:
			out = append(out, "ALTER TABLE "+ident(physical(t))+" ADD COLUMN "+ident(name)+" "+typ)
			columns[name] = plainType(typ)
		case was != plainType(typ):
			return nil, fault.New(fault.Conflict, "field %s of table %s is kept as %s and cannot become %s", f.Name, t.Name, was, plainType(typ)).
				WithHint("make a new field and import into it: tables are only ever added to")
		}
	}
	return out, nil
}

// plainType is a physical type without its collation, as the database tells it.
func plainType(typ string) string {
	typ, _, _ = strings.Cut(typ, " COLLATE ")
	return typ
}

func (s *Store) createTable(t *record.Table, family []*record.Table, has map[string]map[string]string) string {
	key := map[string]bool{}
	var keys []string
	for _, k := range keyOf(t) {
		key[k] = true
		if f := t.Field(k); f != nil {
			keys = append(keys, ident(columnOf(f)))
		}
	}
	columns := map[string]string{}
	has[physical(t)] = columns
	var lines []string
	for _, member := range family {
		for i := range member.Fields {
			f := &member.Fields[i]
			if _, twice := columns[columnOf(f)]; twice || f.Element > 0 {
				continue
			}
			typ := s.d.physicalType(f.Type)
			columns[columnOf(f)] = plainType(typ)
			line := ident(columnOf(f)) + " " + typ
			if member == t && key[f.Name] {
				line += " NOT NULL"
			}
			lines = append(lines, line)
		}
	}
	end := s.d.tableEnd
	switch {
	case t.Bare && len(keys) > 0 && !rowNumbers(t):
		end = s.d.bareEnd
	case t.Bare:
		end = ""
	}
	if len(keys) > 0 {
		lines = append(lines, "PRIMARY KEY ("+strings.Join(keys, ", ")+")")
	}
	return "CREATE TABLE " + ident(physical(t)) + " (" + strings.Join(lines, ", ") + ")" + end
}

// rowNumbers reports whether a bare table is keyed by one integer: SQLite then keeps its rows by that number itself, which
// takes rows at the end faster than a table without row numbers does, and larger rows in one piece.
func rowNumbers(t *record.Table) bool {
	return len(t.Key) == 1 && t.Field(t.Key[0]) != nil && t.Field(t.Key[0]).Type.Stored() == record.Integer
}

// indexesOf lists the indexes of a table, those of its unique fields too.
func indexesOf(t *record.Table) []record.Index {
	out := append([]record.Index(nil), t.Indexes...)
	for i := range t.Fields {
		if t.Fields[i].Unique {
			out = append(out, record.Index{Fields: []string{t.Fields[i].Name}, Unique: true})
		}
	}
	return out
}

func uniques(t *record.Table) [][]string {
	var out [][]string
	for _, ix := range indexesOf(t) {
		if ix.Unique {
			out = append(out, ix.Fields)
		}
	}
	return append(out, keyOf(t))
}

func (s *Store) indexStep(t *record.Table, ix record.Index, is *shape, made map[string]bool) (string, error) {
	name := indexName(t, ix)
	if is.indexes[name] || made[name] {
		return "", nil
	}
	made[name] = true
	var parts []string
	for _, name := range ix.Fields {
		f := t.Field(name)
		if f == nil {
			return "", fault.New(fault.Invalid, "table %s has an index over the field %s, which it has not", t.Name, name)
		}
		kind, _ := t.Kind(name)
		c := column{sql: s.d.field("", f), kind: kind}
		if f.Element > 0 {
			c.sql = "(" + c.sql + ")"
		}
		part := c.fold()
		if !slices.Contains(keyOf(t), name) { // as orderBy has it: the order of an index must be that of a query, nulls and all
			part += s.d.first
		}
		parts = append(parts, part)
	}
	create := "CREATE INDEX "
	if ix.Unique {
		create = "CREATE UNIQUE INDEX "
	}
	return create + ident(name) + " ON " + ident(physical(t)) + " (" + strings.Join(parts, ", ") + ")", nil
}

// indexName is made of the table, the fields and a hash of both, so that it is the same everywhere and fits.
func indexName(t *record.Table, ix record.Index) string {
	columns := make([]string, len(ix.Fields))
	for i, n := range ix.Fields {
		columns[i] = n
		if f := t.Field(n); f != nil {
			columns[i] = columnOf(f)
			if f.Element > 0 {
				columns[i] += "." + itoa(f.Element)
			}
		}
	}
	sum := sha256.Sum256([]byte(physical(t) + "\x00" + strings.Join(columns, "\x00")))
	prefix := "ix_"
	if ix.Unique {
		prefix = "ux_"
	}
	name := prefix + physical(t) + "_" + strings.Join(columns, "_")
	const room = record.MaxName - 9
	if len(name) > room {
		name = name[:room]
	}
	return name + "_" + hex.EncodeToString(sum[:4])
}

// shape asks SQLite what there is.
func (c *sqliteConn) shape(ctx context.Context) (*shape, error) {
	out := &shape{columns: map[string]map[string]string{}, indexes: map[string]bool{}}
	err := c.query(ctx, `SELECT m.name, p.name, p.type FROM sqlite_schema m JOIN pragma_table_info(m.name) p WHERE m.type = 'table'`, nil,
		out.addColumn)
	if err != nil {
		return nil, err
	}
	return out, c.query(ctx, `SELECT name FROM sqlite_schema WHERE type = 'index'`, nil, out.addIndex)
}

func (s *shape) addColumn(row []record.Value) bool {
	table := row[0].Text
	if s.columns[table] == nil {
		s.columns[table] = map[string]string{}
	}
	s.columns[table][row[1].Text] = row[2].Text
	return true
}

func (s *shape) addIndex(row []record.Value) bool {
	s.indexes[row[0].Text] = true
	return true
}
