package sqlstore

import (
	"math/big"
	"slices"
	"strings"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// statement is a SELECT with its parameters and what to do to each column read.
type statement struct {
	sql     string
	args    []record.Value
	decode  []decoder
	finish  func([]record.Value) []record.Value // makes measures of what was read; nil when the columns are the answer
	columns int
}

// selection writes the statement that answers q.
func (s *Store) selection(q *record.Query) (*statement, error) {
	b := newBuilder(s.d, q.Table)
	st := &statement{}
	var list []string
	for _, f := range q.Fields {
		c, err := b.column(f)
		if err != nil {
			return nil, err
		}
		list = append(list, c.sql)
		st.decode = append(st.decode, s.d.decode(c.typ))
	}
	groups := list
	list, err := b.measures(q, st, list)
	if err != nil {
		return nil, err
	}
	where, err := b.conditions(q)
	if err != nil {
		return nil, err
	}
	tail, err := b.tail(q, groups)
	if err != nil {
		return nil, err
	}
	from := ident(physical(q.Table)) + " AS " + b.alias
	if len(list) == 0 {
		list = []string{"1"}
	}
	st.sql = "SELECT " + strings.Join(list, ", ") + " FROM " + from + b.joins.String() + where + tail
	st.args = b.args
	st.columns = len(list)
	return st, nil
}

func (b *builder) conditions(q *record.Query) (string, error) {
	var parts []string
	if q.Keys != nil {
		k, err := b.keys(q.Keys)
		if err != nil {
			return "", err
		}
		parts = append(parts, k)
	}
	if c := classCondition(q.Table, b.alias); c != "" {
		parts = append(parts, c)
	}
	if q.Where != nil {
		w, err := b.where(q.Where, 0)
		if err != nil {
			return "", err
		}
		if w != always {
			parts = append(parts, w)
		}
	}
	if len(parts) == 0 {
		return "", nil
	}
	return " WHERE " + strings.Join(parts, " AND "), nil
}

// tail writes grouping, order and window. Without an order asked for and without a window, the order is left open.
func (b *builder) tail(q *record.Query, groups []string) (string, error) {
	var out strings.Builder
	if len(q.Measures) > 0 {
		if len(groups) > 0 {
			out.WriteString(" GROUP BY " + strings.Join(groups, ", "))
			if err := b.groupOrder(&out, q, groups); err != nil {
				return "", err
			}
		}
	} else if len(q.OrderBy) > 0 || q.Limit > 0 || q.Offset > 0 {
		order, err := b.orderBy(q.OrderBy)
		if err != nil {
			return "", err
		}
		if order != "" {
			out.WriteString(" ORDER BY " + order)
		}
	}
	switch {
	case q.Limit > 0:
		out.WriteString(" LIMIT " + itoa(q.Limit))
	case q.Offset > 0 && b.d.name == "sqlite":
		out.WriteString(" LIMIT -1")
	}
	if q.Offset > 0 {
		out.WriteString(" OFFSET " + itoa(q.Offset))
	}
	return out.String(), nil
}

// groupOrder sorts groups by those of their fields that are asked for, then by the others.
func (b *builder) groupOrder(out *strings.Builder, q *record.Query, groups []string) error {
	desc := map[string]bool{}
	var order []string
	for _, o := range q.OrderBy {
		c, err := b.column(o.Field)
		if err != nil {
			return err
		}
		order = append(order, c.sql)
		desc[c.sql] = o.Desc
	}
	var parts []string
	for _, g := range append(order, groups...) {
		switch {
		case !slices.Contains(groups, g):
			return fault.New(fault.Invalid, "groups can only be sorted by the fields they are grouped by")
		case desc[g]:
			parts = append(parts, g+" DESC"+b.d.last)
		default:
			parts = append(parts, g+b.d.first)
		}
	}
	out.WriteString(" ORDER BY " + strings.Join(parts, ", "))
	return nil
}

// measures adds the aggregates. An average is read as a sum and a count and divided here, so that both stores round
// alike.
func (b *builder) measures(q *record.Query, st *statement, list []string) ([]string, error) {
	width := len(q.Fields)
	averages := map[int]bool{}
	for _, m := range q.Measures {
		if m.Func == "count" && m.Field == "" {
			list = append(list, "count(*)")
			st.decode = append(st.decode, nil)
			continue
		}
		c, err := b.column(m.Field)
		if err != nil {
			return nil, err
		}
		number := c.kind == query.Number
		var decode decoder
		var sql string
		switch m.Func {
		case "count":
			sql = "count(" + c.sql + ")"
		case "distinct":
			sql = "count(DISTINCT " + c.sql + ")"
		case "min", "max":
			sql, decode = b.d.minmax(m.Func, c.sql, c.typ), b.d.decode(c.typ)
		case "sum", "avg":
			if !number {
				return nil, fault.New(fault.Invalid, "field %s is no number and has no %s", m.Field, m.Func)
			}
			sql, decode = b.d.sum+"("+c.sql+")", trimDecimal
		default:
			return nil, fault.New(fault.Invalid, "there is no aggregate %q", m.Func).WithHint("count, min, max, sum, avg, distinct")
		}
		list, st.decode = append(list, sql), append(st.decode, decode)
		if m.Func == "avg" {
			averages[len(list)-1] = true
			list, st.decode = append(list, "count("+c.sql+")"), append(st.decode, nil)
		}
	}
	if len(averages) > 0 {
		st.finish = divider(width+len(q.Measures), averages)
	}
	return list, nil
}

// averagePlaces is how many digits an average has behind the point, at most: as many as a decimal has.
const averagePlaces = 18

// divider turns the sum and the count at each of the places into their quotient.
func divider(width int, averages map[int]bool) func([]record.Value) []record.Value {
	out := make([]record.Value, width)
	return func(row []record.Value) []record.Value {
		for to, at := 0, 0; to < width; to, at = to+1, at+1 {
			out[to] = row[at]
			if averages[at] {
				out[to] = quotient(row[at], row[at+1])
				at++
			}
		}
		return out
	}
}

// quotient divides exactly and rounds half away from zero.
func quotient(sum, count record.Value) record.Value {
	total, ok := new(big.Rat).SetString(sum.Text)
	n, ok2 := new(big.Rat).SetString(count.Text)
	if !sum.Valid || !ok || !ok2 || n.Sign() == 0 {
		return record.Null
	}
	return record.Text(trimDecimal(total.Quo(total, n).FloatString(averagePlaces)))
}
