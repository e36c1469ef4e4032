package script

import (
	"slices"
	"strings"

	"github.com/dop251/goja"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// aggregate is GlideAggregate: a GlideRecord whose rows are groups.
type aggregate struct {
	*GlideRecord
	measures []record.Measure
	groups   []string
	sorts    []aggregateSort
	having   []having
	rows     [][]record.Value
	at       int
	total    bool // setGroup(false): one row for all
	ruled    bool // setAggregateWorkflow(true): rules about queries have their say
}

type aggregateSort struct {
	measure int // -1: the group field
	field   string
	desc    bool
}

type having struct {
	measure   int
	op, value string
}

// measureNames are the functions that there are, by the platform's names.
var measureNames = map[string]string{"COUNT": "count", "SUM": "sum", "AVG": "avg", "MIN": "min", "MAX": "max"}

func (s *Scope) newAggregate(table string) *goja.Object {
	g := s.newGlideRecord(table)
	a := &aggregate{GlideRecord: g, at: -1}
	g.obj = s.object("GlideAggregate", a)
	return g.obj
}

// Get implements goja.DynamicObject: the group's fields.
func (a *aggregate) Get(name string) goja.Value {
	if _, ok := aggregateMethods[name]; ok || a.at < 0 {
		return nil
	}
	if _, ok := recordMethods[name]; ok {
		return nil
	}
	if at := slices.Index(a.groups, name); at >= 0 {
		return a.element(name)
	}
	return nil
}

func (s *Scope) aggregateMethod(name string) func(goja.FunctionCall) goja.Value {
	m, ok := aggregateMethods[name]
	if !ok {
		if _, ok := recordMethods[name]; !ok {
			return nil
		}
		m = func(a *aggregate, c args) any { return recordMethods[name](a.GlideRecord, c) }
	}
	return func(call goja.FunctionCall) goja.Value {
		o, ok := call.This.(*goja.Object)
		if !ok {
			panic(s.vm.NewTypeError("%s is a method of GlideAggregate", name))
		}
		a, ok := o.Export().(*aggregate)
		if !ok {
			panic(s.vm.NewTypeError("%s is a method of GlideAggregate", name))
		}
		switch v := m(a, args{s, call}).(type) {
		case nil:
			return goja.Undefined()
		case goja.Value:
			return v
		default:
			return s.vm.ToValue(v)
		}
	}
}

var aggregateMethods = map[string]func(a *aggregate, c args) any{
	"addAggregate": func(a *aggregate, c args) any { a.measure(c.text(0), c.text(1)); return nil },
	"groupBy":      func(a *aggregate, c args) any { a.group(c.text(0)); return nil },
	"orderBy":      func(a *aggregate, c args) any { a.order(c.text(0), false); return nil },
	"orderByDesc":  func(a *aggregate, c args) any { a.order(c.text(0), true); return nil },
	"orderByAggregate": func(a *aggregate, c args) any {
		a.sorts = append(a.sorts, aggregateSort{a.measure(c.text(0), c.text(1)), "", true})
		return nil
	},
	"addHaving":               func(a *aggregate, c args) any { a.have(c); return nil },
	"setGroup":                func(a *aggregate, c args) any { a.total = !c.flag(0); return nil },
	"setAggregateWorkflow":    func(a *aggregate, c args) any { a.ruled = c.flag(0); return nil },
	"setIntervalYearIncluded": func(*aggregate, args) any { return nil },
	"addTrend": func(a *aggregate, _ args) any {
		a.s.Throw(fault.New(fault.Refused, "addTrend is not supported").WithHint("group by a date field, or count in the script"))
		return nil
	},
	"query":                    func(a *aggregate, _ args) any { a.run(); return nil },
	"_query":                   func(a *aggregate, _ args) any { a.run(); return nil },
	"next":                     func(a *aggregate, _ args) any { return a.step() },
	"_next":                    func(a *aggregate, _ args) any { return a.step() },
	"hasNext":                  func(a *aggregate, _ args) any { return a.at+1 < len(a.rows) },
	"getRowCount":              func(a *aggregate, _ args) any { return len(a.rows) },
	"getAggregate":             func(a *aggregate, c args) any { return a.result(c.text(0), c.text(1)) },
	"getTotal":                 func(a *aggregate, c args) any { return a.result(c.text(0), c.text(1)) },
	"getValue":                 func(a *aggregate, c args) any { return a.valueOf(c.text(0)) },
	"getAggregateEncodedQuery": func(a *aggregate, _ args) any { return a.groupQuery() },
}

// measure adds an aggregate, once, and gives its place.
func (a *aggregate) measure(kind, field string) int {
	f, ok := measureNames[strings.ToUpper(kind)]
	if strings.EqualFold(kind, "COUNT(DISTINCT") || strings.EqualFold(kind, "COUNT_DISTINCT") {
		f, ok = "distinct", true
	}
	if !ok {
		a.s.Throw(fault.New(fault.Refused, "the aggregate %s is not supported", kind).WithHint("there are COUNT, SUM, AVG, MIN and MAX"))
	}
	m := record.Measure{Func: f, Field: field}
	if at := slices.Index(a.measures, m); at >= 0 {
		return at
	}
	a.measures = append(a.measures, m)
	return len(a.measures) - 1
}

func (a *aggregate) group(field string) {
	if a.table == nil || slices.Contains(a.groups, field) {
		return
	}
	if _, ok := a.table.Kind(field); !ok {
		a.invalid = append(a.invalid, field)
		return
	}
	a.groups = append(a.groups, field)
}

// order sorts by a field, which joins the grouping; that is the platform's way.
func (a *aggregate) order(field string, desc bool) {
	a.group(field)
	a.sorts = append(a.sorts, aggregateSort{-1, field, desc})
}

func (a *aggregate) have(c args) {
	a.having = append(a.having, having{a.measure(c.text(0), c.text(1)), c.text(2), c.text(3)})
}

// groupByCounted groups by the fields that are counted where nothing else says how: the count of a field is that of each
// of its values.
func (a *aggregate) groupByCounted() {
	if len(a.groups) > 0 || a.total {
		return
	}
	for _, m := range a.measures {
		if m.Func == "count" && m.Field != "" {
			a.group(m.Field)
		}
	}
}

func (a *aggregate) run() {
	a.rows, a.at = nil, -1
	if a.table == nil {
		return
	}
	if len(a.measures) == 0 {
		a.measure("COUNT", "")
	}
	a.groupByCounted()
	groups := a.groups
	if a.total {
		groups = nil
	}
	where := a.where()
	if a.ruled {
		where = a.narrowed()
	}
	q := &record.Query{Table: a.table, Fields: groups, Where: where, Measures: a.measures}
	for _, r := range a.read(q) {
		if a.meets(r.Values[len(groups):]) {
			a.rows = append(a.rows, r.Values)
		}
	}
	slices.SortStableFunc(a.rows, func(x, y []record.Value) int { return a.compare(groups, x, y) })
	if a.limit > 0 && len(a.rows) > a.limit {
		a.rows = a.rows[:a.limit]
	}
}

func (a *aggregate) meets(values []record.Value) bool {
	for _, h := range a.having {
		c := query.Compare(query.Number, values[h.measure].Text, h.value)
		ok := map[string]bool{"=": c == 0, "!=": c != 0, ">": c > 0, ">=": c >= 0, "<": c < 0, "<=": c <= 0}[h.op]
		if !ok {
			return false
		}
	}
	return true
}

func (a *aggregate) compare(groups []string, x, y []record.Value) int {
	for _, o := range a.sorts {
		at, kind := len(groups)+o.measure, query.Number
		if o.measure < 0 {
			if at = slices.Index(groups, o.field); at < 0 {
				continue
			}
			kind, _ = a.table.Kind(o.field)
		}
		c := query.Compare(kind, x[at].Text, y[at].Text)
		if o.desc {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	for at, field := range groups { // groups come in order of their fields
		kind, _ := a.table.Kind(field)
		if c := query.Compare(kind, x[at].Text, y[at].Text); c != 0 {
			return c
		}
	}
	return 0
}

func (a *aggregate) step() bool {
	if a.at+1 >= len(a.rows) {
		return false
	}
	a.at++
	a.row = record.NewRecord(a.table)
	if !a.total {
		for i, field := range a.groups {
			a.row.Set(field, a.rows[a.at][i])
		}
	}
	a.related = nil
	return true
}

// result is an aggregate of the current group, as text.
func (a *aggregate) result(kind, field string) any {
	if a.at < 0 {
		return goja.Null()
	}
	at := slices.Index(a.measures, record.Measure{Func: measureNames[strings.ToUpper(kind)], Field: field})
	if at < 0 {
		return goja.Null()
	}
	groups := len(a.groups)
	if a.total {
		groups = 0
	}
	return a.rows[a.at][groups+at].Text
}

// groupQuery finds the records of the current group.
func (a *aggregate) groupQuery() string {
	parts := []string{}
	if text := a.encoded(); text != "" {
		parts = append(parts, text)
	}
	for _, field := range a.groups {
		parts = append(parts, term(field, "=", a.row.Get(field).Text))
	}
	return strings.Join(parts, "^")
}
