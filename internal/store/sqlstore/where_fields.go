package sqlstore

import (
	"strconv"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// signs are the comparisons that may stand in a statement.
var signs = map[query.Op]string{query.Equal: " = ", query.NotEqual: " <> ", query.Less: " < ", query.LessEqual: " <= ",
	query.Greater: " > ", query.GreaterEqual: " >= ", query.SameAs: " = ", query.GTField: " > ", query.LTField: " < ",
	query.GEField: " >= ", query.LEField: " <= "}

func misused(t *query.Term) error {
	return fault.New(fault.Invalid, "the operator %q on %s does not take the values %q", t.Op, t.Field, t.Values)
}

// twoFields compares fields of one record, or of records it refers to.
func (b *builder) twoFields(c column, t *query.Term) (string, error) {
	other, err := b.column(t.Values[0])
	if err != nil {
		return "", err
	}
	left, right, ok := b.alike(c, other)
	if len(t.Values) == 2 {
		unit := query.Unit(t.Values[1])
		ok = unit.Seconds() > 0 && dated(c.kind) && dated(other.kind)
		if ok {
			left, right = b.d.floor(&c, unit), b.d.floor(&other, unit)
		}
	}
	if !ok {
		return "", misused(t)
	}
	if t.Op != query.NotSameAs {
		return left + signs[t.Op] + right, nil
	}
	out := "(" + left + " <> " + right + " OR " + left + " IS NULL OR " + right + " IS NULL)"
	for _, r := range []string{c.reached, other.reached} {
		if r != "" {
			out = "(" + r + " AND " + out + ")"
		}
	}
	return out, nil
}

func dated(k query.Kind) bool { return k == query.Date || k == query.DateTime }

// alike brings two fields into forms that compare; ok is false when their kinds do not.
func (b *builder) alike(c, other column) (left, right string, ok bool) {
	id := func(k query.Kind) bool { return k == query.Reference || k == query.Exact }
	left, right = c.fold(), other.fold()
	switch {
	case c.kind == other.kind && c.typ == other.typ:
		return left, right, true
	case c.kind == query.Number && other.kind == query.Number:
		return b.d.decimal(c), b.d.decimal(other), true
	case dated(c.kind) && dated(other.kind):
		return b.d.midnight(c), b.d.midnight(other), true
	}
	return left, right, c.kind == other.kind || id(c.kind) && id(other.kind)
}

// dates are the operators that calculate with dates.
func (b *builder) dates(c column, t *query.Term) (string, error) {
	if !dated(c.kind) {
		return "", misused(t)
	}
	if t.Op == query.DatePart {
		n, err := strconv.Atoi(t.Values[2])
		sign, known := signs[query.Op(t.Values[1])]
		if err != nil || !known {
			return "", misused(t)
		}
		part := b.d.datePart(c.sql, t.Values[0])
		if part == "" {
			return never, nil
		}
		return part + sign + itoa(n), nil
	}
	other, err := b.column(t.Values[0])
	if err != nil {
		return "", err
	}
	unit, side := query.Unit(t.Values[1]), t.Values[2]
	n, err := strconv.ParseInt(t.Values[3], 10, 32)
	if err != nil || unit.Seconds() == 0 || side != "before" && side != "after" || !dated(other.kind) {
		return "", misused(t)
	}
	from, to := c.sql, other.sql
	if side == "before" {
		from, to = to, from
	}
	by := "(" + b.d.seconds(from) + " - " + b.d.seconds(to) + ")"
	limit := strconv.FormatInt(n*unit.Seconds(), 10)
	if t.Op == query.MoreThan {
		return by + " > " + limit, nil
	}
	return "(" + by + " >= 0 AND " + by + " < " + limit + ")", nil
}

// related counts the records of another table that refer to this one.
func (b *builder) related(n *query.Related, depth int) (string, error) {
	in, err := b.other(n.Table)
	if err != nil {
		return "", err
	}
	link, err := in.column(n.Field)
	if err != nil {
		return "", err
	}
	meets, err := b.meets(in, n.Where, depth)
	if err != nil {
		return "", err
	}
	rest := " FROM " + in.source() + " WHERE " + link.sql + " = " + b.alias + "." + ident(record.SysID) + meets
	sign, known := signs[n.Op]
	switch {
	case !known:
		return "", fault.New(fault.Invalid, "a count cannot be compared by %q", n.Op)
	case n.Op == query.GreaterEqual && n.Count == 1, n.Op == query.Greater && n.Count == 0:
		return "EXISTS (SELECT 1" + rest + ")", nil
	case n.Op == query.Less && n.Count == 1, n.Op == query.Equal && n.Count == 0:
		return "NOT EXISTS (SELECT 1" + rest + ")", nil
	}
	return "(SELECT count(*)" + rest + ")" + sign + itoa(n.Count), nil
}

// exists looks for a record of another table with the same value.
func (b *builder) exists(n *query.Exists, depth int) (string, error) {
	here, err := b.column(n.Field)
	if err != nil {
		return "", err
	}
	in, err := b.other(n.Table)
	if err != nil {
		return "", err
	}
	there, err := in.column(n.Path)
	if err != nil {
		return "", err
	}
	left, right, ok := b.alike(there, here)
	if !ok {
		return "", fault.New(fault.Invalid, "field %s does not compare with %s of table %s", n.Field, n.Path, n.Table)
	}
	meets, err := b.meets(in, n.Where, depth)
	if err != nil {
		return "", err
	}
	return "EXISTS (SELECT 1 FROM " + in.source() + " WHERE " + left + " = " + right + meets + ")", nil
}

func (b *builder) other(table string) (*builder, error) {
	t := b.t.Catalog().Table(table)
	if t == nil {
		return nil, fault.New(fault.Invalid, "there is no table %s", table)
	}
	return b.inner(t), nil
}

// source is the table of a statement with all it joins.
func (b *builder) source() string {
	return ident(physical(b.t)) + " AS " + b.alias + b.joins.String()
}

// meets is the rest of the condition of a statement inside this one. Its parameters become this one's.
func (b *builder) meets(in *builder, where query.Node, depth int) (string, error) {
	in.args = b.args
	out := ""
	if c := classCondition(in.t, in.alias); c != "" {
		out = " AND " + c
	}
	if where != nil {
		w, err := in.where(where, depth+1)
		if err != nil {
			return "", err
		}
		out += " AND " + w
	}
	b.args = in.args
	return out, nil
}

func sqliteDatePart(sql, unit string) string {
	number := func(from, n int) string {
		return "CAST(substr(" + sql + ", " + itoa(from) + ", " + itoa(n) + ") AS INTEGER)"
	}
	switch unit {
	case "minute":
		return number(15, 2)
	case "hour":
		return number(12, 2)
	case "dayofweek":
		return "CAST(strftime('%u', " + sql + ") AS INTEGER)"
	case "dayofmonth":
		return number(9, 2)
	case "week":
		return "CAST(strftime('%V', " + sql + ") AS INTEGER)"
	case "month":
		return number(6, 2)
	case "quarter":
		return "((" + number(6, 2) + " + 2) / 3)"
	case "year":
		return number(1, 4)
	}
	return ""
}

func postgresDatePart(sql, unit string) string {
	field := map[string]string{"minute": "minute", "hour": "hour", "dayofweek": "isodow", "dayofmonth": "day", "week": "week",
		"month": "month", "quarter": "quarter", "year": "year"}[unit]
	if field == "" {
		return ""
	}
	return "extract(" + field + " FROM (" + sql + ")::timestamp)"
}

// sqliteFloor cuts the text of a date where the unit ends.
func sqliteFloor(c *column, unit query.Unit) string {
	sql := sqliteMidnight(*c)
	switch unit {
	case query.Week:
		return "date(" + sql + ", 'weekday 0', '-6 days')"
	case query.Quarter:
		return "(substr(" + sql + ", 1, 4) || " + sqliteDatePart(sql, "quarter") + ")"
	}
	length := map[query.Unit]int{query.Second: 19, query.Minute: 16, query.Hour: 13, query.Day: 10, query.Month: 7, query.Year: 4}
	return "substr(" + sql + ", 1, " + itoa(length[unit]) + ")"
}

func sqliteMidnight(c column) string {
	if c.kind == query.Date {
		return "(" + c.sql + " || ' 00:00:00')"
	}
	return c.sql
}

func sqliteDecimal(c column) string {
	if c.typ == record.Integer {
		return "CAST(" + c.sql + " AS TEXT) COLLATE hr_decimal"
	}
	return c.sql
}

func asItIs(c column) string { return c.sql }
