package sqlstore

import (
	"slices"
	"strings"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// builder writes one statement over one table: its parameters, and a LEFT JOIN for every reference that is walked.
type builder struct {
	d     *dialect
	t     *record.Table
	alias string
	joins strings.Builder
	paths map[string]string // path of a reference -> alias of the table it leads to
	args  []record.Value
	names *int // aliases given so far, shared with statements inside this one
}

func newBuilder(d *dialect, t *record.Table) *builder {
	return &builder{d: d, t: t, alias: "t", paths: map[string]string{}, names: new(int)}
}

// inner begins a statement inside this one, over another table, with the same parameters.
func (b *builder) inner(t *record.Table) *builder {
	return &builder{d: b.d, t: t, alias: b.newAlias(), paths: map[string]string{}, args: b.args, names: b.names}
}

func (b *builder) newAlias() string {
	*b.names++
	return "j" + itoa(*b.names)
}

func (b *builder) arg(v record.Value) string {
	b.args = append(b.args, v)
	return b.d.param(len(b.args))
}

func (b *builder) textArg(s string) string { return b.arg(record.Text(s)) }

func (b *builder) typedArg(t record.Type, s string) string {
	return b.arg(b.d.encode(t, record.Text(s)))
}

func (b *builder) paramList(t record.Type, values []string) string {
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = b.typedArg(t, v)
	}
	return strings.Join(parts, ", ")
}

// column is a field as an expression.
type column struct {
	sql     string
	typ     record.Type
	kind    query.Kind
	field   *record.Field
	path    string
	reached string // condition that the record the path leads to exists; "" for fields of the table itself
}

// fold is the expression that indexes and comparisons of text are on.
func (c *column) fold() string {
	if c.kind == query.Text {
		return "hr_fold(" + c.sql + ")"
	}
	return c.sql
}

// isText reports whether the column is physically text, so that it can be the empty text.
func (c *column) isText() bool {
	switch c.kind {
	case query.Text, query.Reference, query.Exact:
		return true
	}
	return false
}

// mostJoins is the most references that one statement follows: SQLite joins 64 tables.
const mostJoins = 50

func (b *builder) column(path string) (column, error) {
	fields := b.t.Path(path)
	if fields == nil {
		return column{}, fault.New(fault.Invalid, "table %s has no field %s", b.t.Name, path)
	}
	last := fields[len(fields)-1]
	kind, _ := b.t.Kind(path)
	c := column{typ: last.Type.Stored(), kind: kind, field: last, path: path}
	alias := b.alias
	if dot := strings.LastIndexByte(path, '.'); dot >= 0 {
		if b.paths[path[:dot]] == "" && len(b.paths)+len(fields)-1 > mostJoins {
			return column{}, fault.New(fault.Limit, "the query follows more than %d references", mostJoins).WithHint("ask for fewer dotted fields at once")
		}
		alias = b.join(path[:dot], fields[:len(fields)-1])
		c.reached = alias + "." + ident(record.SysID) + " IS NOT NULL"
	}
	c.sql = b.d.field(alias+".", last)
	return c, nil
}

// qualify is a field of the table itself as an expression.
func (b *builder) qualify(f *record.Field) string { return b.d.field(b.alias+".", f) }

// field is a field as an expression; prefix is the alias of its table with a dot, or nothing.
func (d *dialect) field(prefix string, f *record.Field) string {
	sql := prefix + ident(columnOf(f))
	if f.Element > 0 {
		return d.element(sql, f.Element-1)
	}
	return sql
}

// join gives the alias of the record that a path of references leads to, joining what is not yet.
func (b *builder) join(path string, fields []*record.Field) string {
	if a, ok := b.paths[path]; ok {
		return a
	}
	from := b.alias
	if dot := strings.LastIndexByte(path, '.'); dot >= 0 {
		from = b.join(path[:dot], fields[:len(fields)-1])
	}
	last := fields[len(fields)-1]
	to := b.t.Catalog().Table(last.Reference)
	a := b.newAlias()
	b.paths[path] = a
	link := b.d.field(from+".", last)
	b.joins.WriteString(" LEFT JOIN " + ident(physical(to)) + " AS " + a + " ON " + a + "." + ident(record.SysID) + " = " + link)
	if c := classCondition(to, a); c != "" {
		b.joins.WriteString(" AND " + c)
	}
	return a
}

// display is the column of the display value of the record that c, a reference, refers to; c itself when the
// reference leads nowhere that is known.
func (b *builder) display(c column) column {
	if c.kind != query.Reference || b.t.Catalog() == nil {
		return c
	}
	to := b.t.Catalog().Table(c.field.Reference)
	if to == nil {
		return c
	}
	path := c.path + "." + to.DisplayField().Name
	if d, err := b.column(path); err == nil {
		return d
	}
	return c
}

// classCondition restricts a physical table to the classes of t; "" when it holds nothing else.
func classCondition(t *record.Table, alias string) string {
	if len(t.Classes) == 0 || t.Extends == "" {
		return ""
	}
	names := make([]string, len(t.Classes))
	for i, c := range t.Classes {
		names[i] = "'" + c + "'" // a valid table name: letters, digits and _
	}
	return alias + "." + ident(record.SysClassName) + " IN (" + strings.Join(names, ", ") + ")"
}

// orderBy writes the sort keys, ending with the key of the table so that the order is total.
func (b *builder) orderBy(orders []query.Order) (string, error) {
	var parts []string
	add := func(sql string, desc bool) {
		if desc {
			parts = append(parts, sql+" DESC"+b.d.last)
		} else {
			parts = append(parts, sql+b.d.first)
		}
	}
	key := keyOf(b.t)
	for _, o := range orders {
		c, err := b.column(o.Field)
		if err != nil {
			return "", err
		}
		if slices.Contains(key, o.Field) { // never null: saying where nulls go would keep PostgreSQL from the index
			direction := ""
			if o.Desc {
				direction = " DESC"
			}
			parts = append(parts, c.sql+direction)
			key = slices.DeleteFunc(slices.Clone(key), func(k string) bool { return k == o.Field })
			continue
		}
		if d := b.display(c); d.sql != c.sql {
			add(d.fold(), o.Desc)
		}
		if f := c.fold(); f != c.sql {
			add(f, o.Desc)
		}
		add(c.sql, o.Desc)
	}
	for _, k := range key {
		if f := b.t.Field(k); f != nil {
			parts = append(parts, b.qualify(f))
		}
	}
	return strings.Join(parts, ", "), nil
}
