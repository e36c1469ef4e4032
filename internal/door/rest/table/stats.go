package table

import (
	"math/big"
	"slices"
	"strings"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/door/rest/wire"
)

// aggregate is one call of the Aggregate API.
type aggregate struct {
	plan     *plan // its columns are the fields grouped by
	measures []record.Measure
	told     int // measures of the answer; those behind it only decide
	having   []having
	orders   []groupOrder
	groups   *rows
	results  [][]record.Value // the measures of each group
}

// having keeps the groups whose measure compares so with a value.
type having struct {
	measure int
	op      string
	value   string
}

// groupOrder sorts groups by a field or a measure.
type groupOrder struct {
	field, measure int // one of them is -1
	desc           bool
}

// stats answers GET /stats/{table}.
func (a *api) stats(r *wire.Request) (*wire.Answer, error) {
	if err := a.lengthen(r); err != nil {
		return nil, err
	}
	t, err := r.Table(r.Params["table"])
	if err != nil {
		return nil, err
	}
	q, err := a.filter(r, t)
	if err != nil {
		return nil, err
	}
	g := newAggregate(r, t, a.deps)
	if len(g.measures) > 0 {
		if err := g.read(r, q); err != nil {
			return nil, err
		}
	}
	return &wire.Answer{Result: g}, nil
}

func newAggregate(r *wire.Request, t *record.Table, d wire.Deps) *aggregate {
	g := &aggregate{plan: &plan{table: t, mode: readMode(r), api: r.API(), zone: r.Identity.Zone, id: -1, server: d}}
	for name := range listed(r, "sysparm_group_by") {
		g.plan.add(name)
	}
	g.groups = newRows(g.plan)
	if r.Flag("sysparm_count") {
		g.measures = append(g.measures, record.Measure{Func: "count"})
	}
	for _, fn := range averages {
		for name := range listed(r, "sysparm_"+fn+"_fields") {
			if t.Path(name) != nil {
				g.measures = append(g.measures, record.Measure{Func: fn, Field: name})
			}
		}
	}
	g.told = len(g.measures)
	for text := range listed(r, "sysparm_having") {
		g.addHaving(text)
	}
	for text := range listed(r, "sysparm_order_by") {
		g.addOrder(text)
	}
	return g
}

// averages are the functions over fields, in the order of the answer.
var averages = []string{"avg", "min", "max", "sum"}

// listed gives the entries of a comma list.
func listed(r *wire.Request, name string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for part := range strings.SplitSeq(r.Param(name), ",") {
			if part = strings.TrimSpace(part); part != "" && !yield(part) {
				return
			}
		}
	}
}

// addHaving reads "count^priority^>^3". What cannot be read is left out, as terms of a query are.
func (g *aggregate) addHaving(text string) {
	part := strings.SplitN(text, "^", 4)
	if len(part) != 4 || !slices.Contains([]string{"=", "!=", "<", "<=", ">", ">="}, part[2]) {
		return
	}
	if m := g.measure(part[0], part[1]); m >= 0 {
		g.having = append(g.having, having{measure: m, op: part[2], value: part[3]})
	}
}

// addOrder reads "state", "state^DESC", "COUNT", "AVG^state" or "AVG^state^DESC".
func (g *aggregate) addOrder(text string) {
	name, desc := strings.CutSuffix(text, "^DESC")
	if i := slices.IndexFunc(g.plan.columns, func(c column) bool { return c.path == name }); i >= 0 {
		g.orders = append(g.orders, groupOrder{field: i, measure: -1, desc: desc})
		return
	}
	fn, field, _ := strings.Cut(name, "^")
	if m := g.measure(fn, field); m >= 0 {
		g.orders = append(g.orders, groupOrder{field: -1, measure: m, desc: desc})
	}
}

// measure is the index of a measure, which is taken if it is not there yet; -1 when it means nothing.
func (g *aggregate) measure(fn, field string) int {
	m := record.Measure{Func: strings.ToLower(fn), Field: field}
	switch {
	case m.Func == "count":
		m.Field = ""
	case !slices.Contains(averages, m.Func) || g.plan.table.Path(field) == nil:
		return -1
	}
	if i := slices.Index(g.measures, m); i >= 0 {
		return i
	}
	g.measures = append(g.measures, m)
	return len(g.measures) - 1
}

// read asks the store, keeps the groups that are wanted, and sorts them.
func (g *aggregate) read(r *wire.Request, q *query.Query) error {
	asked := &record.Query{Table: g.plan.table, Fields: g.plan.selected, Where: q.Where, Measures: g.measures}
	var kept [][]record.Value
	for row, err := range r.Session.Select(r.Context(), asked) {
		if err != nil {
			return err
		}
		if g.wanted(row[len(g.plan.selected):]) {
			kept = append(kept, slices.Clone(row))
		}
	}
	slices.SortStableFunc(kept, g.compare)
	fields := len(g.plan.selected)
	for _, row := range kept {
		g.groups.values = append(g.groups.values, row[:fields]...)
		g.groups.count++
		g.results = append(g.results, row[fields:])
	}
	if g.plan.mode == storedOnly || fields == 0 {
		return nil
	}
	var err error
	g.groups.shown, err = look(r.Context(), r.Session, g.groups)
	return err
}

func (g *aggregate) wanted(results []record.Value) bool {
	for _, h := range g.having {
		if !holds(query.Compare(query.Number, results[h.measure].Text, h.value), h.op) {
			return false
		}
	}
	return true
}

func holds(order int, op string) bool {
	switch op {
	case "=":
		return order == 0
	case "!=":
		return order != 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0
}

func (g *aggregate) compare(a, b []record.Value) int {
	for _, o := range g.orders {
		at, kind := o.field, query.Number
		if o.measure >= 0 {
			at = len(g.plan.selected) + o.measure
		} else {
			kind, _ = g.plan.table.Kind(g.plan.columns[o.field].path)
		}
		if c := query.Compare(kind, a[at].Text, b[at].Text); c != 0 {
			if o.desc {
				return -c
			}
			return c
		}
	}
	return 0
}

// AppendJSON writes the answer: an object, or a list of groups.
func (g *aggregate) AppendJSON(dst []byte) []byte {
	if len(g.plan.columns) == 0 {
		var results []record.Value
		if len(g.results) > 0 {
			results = g.results[0]
		}
		return append(g.appendStats(append(dst, '{'), results), '}')
	}
	dst = append(dst, '[')
	for i := range g.results {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = g.appendGroup(g.appendStats(append(dst, '{'), g.results[i]), i)
	}
	return append(dst, ']')
}

func (g *aggregate) appendGroup(dst []byte, i int) []byte {
	dst = append(dst, `,"groupby_fields":[`...)
	for j := range g.plan.columns {
		c, value := &g.plan.columns[j], g.groups.row(i)[j].Text
		if j > 0 {
			dst = append(dst, ',')
		}
		dst = wire.AppendString(append(dst, `{"field":`...), c.path)
		dst = wire.AppendString(append(dst, `,"value":`...), value)
		if g.plan.mode != storedOnly {
			dst = wire.AppendString(append(dst, `,"display_value":`...), g.groups.shown.text(c, value, ""))
		}
		dst = append(dst, '}')
	}
	return append(dst, `]}`...)
}

// appendStats writes the measures: the count, then an object for each function. Every number is a string.
func (g *aggregate) appendStats(dst []byte, results []record.Value) []byte {
	dst = append(dst, `"stats":{`...)
	open := ""
	for i, m := range g.measures[:min(g.told, len(results))] {
		switch {
		case m.Func == "count":
			dst = append(dst, `"count":`...)
		case m.Func == open:
			dst = append(append(dst, ','), jsonKey(m.Field)...)
		default:
			if open != "" {
				dst = append(dst, '}')
			}
			if i > 0 {
				dst = append(dst, ',')
			}
			open = m.Func
			dst = append(append(append(dst, jsonKey(m.Func)...), '{'), jsonKey(m.Field)...)
		}
		dst = wire.AppendString(dst, number(m, results[i]))
	}
	if open != "" {
		dst = append(dst, '}')
	}
	return append(dst, '}')
}

// number writes a result: averages have four decimals, and nothing averages to nothing.
func number(m record.Measure, v record.Value) string {
	if m.Func != "avg" || v.Empty() {
		return v.Text
	}
	if exact, ok := new(big.Rat).SetString(v.Text); ok {
		return exact.FloatString(4)
	}
	return v.Text
}
