package sqlstore

import (
	"strconv"
	"strings"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

const (
	always = "1=1"
	never  = "1=0"

	// deepest is how far conditions may be nested. SQLite takes expressions of 1000 levels, and one of ours needs a few.
	deepest = 200
)

func itoa(n int) string { return strconv.Itoa(n) }

// where turns a condition into SQL. What SQL calls unknown counts as false, so nothing here is ever negated: every
// operator has its own complement.
func (b *builder) where(n query.Node, depth int) (string, error) {
	if depth > deepest {
		return "", fault.New(fault.Limit, "the condition is nested more than %d levels deep", deepest)
	}
	if len(b.args) > b.d.most {
		return "", fault.New(fault.Limit, "the condition has more than %d values", b.d.most).
			WithHint("ask for the values of one field with IN, or in several queries")
	}
	switch n := n.(type) {
	case nil:
		return always, nil
	case *query.And:
		return b.all(n.Parts, " AND ", always, depth)
	case *query.Or:
		return b.all(foldEquals(n.Parts), " OR ", never, depth)
	case *query.Term:
		return b.term(n)
	case *query.Related:
		return b.related(n, depth)
	case *query.Exists:
		return b.exists(n, depth)
	}
	return "", fault.New(fault.Internal, "a condition of the unknown kind %T", n)
}

func (b *builder) all(parts []query.Node, word, none string, depth int) (string, error) {
	out := make([]string, 0, len(parts))
	for _, p := range parts {
		s, err := b.where(p, depth+1)
		if err != nil {
			return "", err
		}
		out = append(out, s)
	}
	if len(out) == 0 {
		return none, nil
	}
	return balanced(out, word), nil
}

// balanced joins conditions as a tree of parentheses as flat as can be: a chain of a thousand is too deep for SQLite.
func balanced(parts []string, word string) string {
	if len(parts) == 1 {
		return parts[0]
	}
	if len(parts) <= 8 {
		return "(" + strings.Join(parts, word) + ")"
	}
	half := len(parts) / 2
	return "(" + balanced(parts[:half], word) + word + balanced(parts[half:], word) + ")"
}

// foldEquals turns the equalities of one field among alternatives into one list.
func foldEquals(parts []query.Node) []query.Node {
	if len(parts) < 3 {
		return parts
	}
	lists := map[string]*query.Term{}
	out := make([]query.Node, 0, len(parts))
	for _, p := range parts {
		t, ok := p.(*query.Term)
		if !ok || t.Op != query.Equal || len(t.Values) != 1 || t.Values[0] == "" {
			out = append(out, p)
			continue
		}
		if l := lists[t.Field]; l != nil {
			l.Values = append(l.Values, t.Values[0])
			continue
		}
		lists[t.Field] = &query.Term{Field: t.Field, Op: query.In, Values: []string{t.Values[0]}}
		out = append(out, lists[t.Field])
	}
	return out
}

func (b *builder) term(t *query.Term) (string, error) {
	if t.Op == query.Anything {
		return always, nil
	}
	c, err := b.column(t.Field)
	if err != nil {
		return "", err
	}
	if err := arity(t); err != nil {
		return "", err
	}
	switch t.Op {
	case query.IsEmpty, query.IsNotEmpty, query.EmptyString:
		return emptiness(c, t.Op), nil
	case query.Equal, query.NotEqual, query.In, query.NotIn:
		return b.equality(c, t), nil
	case query.Less, query.LessEqual, query.Greater, query.GreaterEqual:
		return b.compare(c, string(t.Op), t.Values[0]), nil
	case query.Between, query.On:
		return b.between(c, t.Values), nil
	case query.NotOn:
		return b.notOn(c, t.Values), nil
	case query.StartsWith, query.EndsWith, query.Like, query.NotLike:
		return b.textual(c, t.Op, t.Values[0]), nil
	case query.InstanceOf:
		return b.instanceOf(c, t.Values[0]), nil
	case query.SameAs, query.NotSameAs, query.GTField, query.LTField, query.GEField, query.LEField:
		return b.twoFields(c, t)
	case query.DatePart, query.MoreThan, query.LessThan:
		return b.dates(c, t)
	}
	return "", fault.New(fault.Internal, "the operator %q of field %s is not known here", t.Op, t.Field)
}

// arity guards against a tree that was not made by Parse.
func arity(t *query.Term) error {
	want := 1
	switch t.Op {
	case query.In, query.NotIn, query.IsEmpty, query.IsNotEmpty, query.EmptyString:
		return nil
	case query.Between, query.On, query.NotOn:
		want = 2
	case query.DatePart:
		want = 3
	case query.MoreThan, query.LessThan:
		want = 4
	}
	if len(t.Values) < want {
		return fault.New(fault.Invalid, "the operator %s of field %s wants %d values", t.Op, t.Field, want)
	}
	return nil
}

func emptiness(c column, op query.Op) string {
	null := c.sql + " IS NULL"
	switch {
	case op == query.EmptyString && c.isText():
		return c.fold() + " = ''"
	case op == query.EmptyString:
		return never
	case op == query.IsEmpty && c.isText():
		return "(" + c.fold() + " IS NULL OR " + c.fold() + " = '')"
	case op == query.IsEmpty:
		return null
	case c.isText():
		return c.sql + " <> ''"
	}
	return c.sql + " IS NOT NULL"
}

// unless is the complement of a condition on c: it keeps nulls, but wants the record reached to exist.
func unless(c column, differs string) string {
	out := "(" + c.sql + " IS NULL OR " + differs + ")"
	if c.reached != "" {
		out = "(" + c.reached + " AND " + out + ")"
	}
	return out
}

func (b *builder) equality(c column, t *query.Term) string {
	negative := t.Op == query.NotEqual || t.Op == query.NotIn
	if (t.Op == query.Equal || t.Op == query.NotEqual) && t.Values[0] == "" {
		if negative {
			return emptiness(c, query.IsNotEmpty)
		}
		return emptiness(c, query.IsEmpty)
	}
	var values []string
	for _, v := range t.Values {
		if k, ok := operand(c, v); ok && v != "" {
			values = append(values, k)
		}
	}
	switch {
	case len(values) == 0 && negative && c.reached != "":
		return c.reached
	case len(values) == 0 && negative:
		return always
	case len(values) == 0:
		return never
	case !negative:
		return b.in(c, values)
	case len(values) == 1:
		return unless(c, c.fold()+" <> "+b.typedArg(c.typ, values[0]))
	}
	return unless(c, "NOT "+b.in(c, values))
}

func (b *builder) in(c column, values []string) string {
	if len(values) == 1 {
		return c.fold() + " = " + b.typedArg(c.typ, values[0])
	}
	return b.d.inList(b, c.fold(), c.typ, values)
}

// operand brings a value into the form in which it equals what is stored; ok is false when it can equal nothing.
func operand(c column, v string) (string, bool) {
	if !storable(v) {
		return "", false
	}
	k, ok := query.Canonical(c.kind, v)
	switch {
	case !ok:
		return "", false
	case c.kind == query.Text:
		return query.Fold(k), true
	case c.typ == record.Integer:
		return k, validInteger(k)
	case c.typ == record.Decimal:
		return k, validDecimal(k)
	}
	return k, true
}

// compare writes an order comparison. Whole numbers are compared with whole numbers, so that indexes serve and nothing
// is rounded.
func (b *builder) compare(c column, op, v string) string {
	k, ok := query.Canonical(c.kind, v)
	if !ok || !storable(v) {
		return never
	}
	switch {
	case c.kind == query.Text:
		k = query.Fold(k)
	case c.typ == record.Integer:
		return b.compareInteger(c, op, k)
	case c.typ == record.Decimal:
		return c.sql + " " + op + " " + b.arg(record.Text(k))
	}
	return c.fold() + " " + op + " " + b.typedArg(c.typ, k)
}

const (
	largest  = "9223372036854775807"
	smallest = "-9223372036854775808"
)

func (b *builder) compareInteger(c column, op, k string) string {
	whole, _, broken := strings.Cut(k, ".")
	beyond := outside(whole)
	switch {
	case beyond != 0 && (beyond > 0) == (op[0] == '<'):
		return c.sql + " IS NOT NULL"
	case beyond != 0:
		return never
	case !broken:
		return c.sql + " " + op + " " + b.arg(record.Text(k))
	case strings.HasPrefix(k, "-") && op[0] == '<': // whole is above k: below k is below whole
		return c.sql + " < " + b.arg(record.Text(noMinusZero(whole)))
	case strings.HasPrefix(k, "-"):
		return c.sql + " >= " + b.arg(record.Text(noMinusZero(whole)))
	case op[0] == '<': // whole is below k: below k is up to whole
		return c.sql + " <= " + b.arg(record.Text(whole))
	}
	return c.sql + " > " + b.arg(record.Text(whole))
}

func noMinusZero(s string) string {
	if s == "-0" {
		return "0"
	}
	return s
}

// outside tells on which side of 64 bits a canonical whole number lies, 0 being inside.
func outside(whole string) int {
	switch {
	case query.Compare(query.Number, whole, largest) > 0:
		return 1
	case query.Compare(query.Number, whole, smallest) < 0:
		return -1
	}
	return 0
}

func (b *builder) between(c column, ends []string) string {
	return "(" + b.compare(c, ">=", ends[0]) + " AND " + b.compare(c, "<=", ends[1]) + ")"
}

func (b *builder) notOn(c column, ends []string) string {
	for _, end := range ends[:2] {
		if _, ok := query.Canonical(c.kind, end); !ok || !storable(end) {
			return unless(c, always)
		}
	}
	return unless(c, "("+b.compare(c, "<", ends[0])+" OR "+b.compare(c, ">", ends[1])+")")
}

// storable reports whether text can be in the store at all. PostgreSQL would not even take it as a parameter.
func storable(s string) bool {
	_, err := checked(&record.Field{Type: record.String}, record.Text(s))
	return err == nil
}

// textual writes the operators that look into text, literally and case-blind. On references they look at the display
// value, on other kinds at the canonical text.
func (b *builder) textual(c column, op query.Op, v string) string {
	if !storable(v) {
		if op == query.NotLike {
			return b.display(c).sql + " IS NOT NULL"
		}
		return never
	}
	c = b.display(c)
	text := c.fold()
	if c.kind != query.Text {
		text = b.d.asText(c.sql, c.typ)
		if c.isText() {
			text = "hr_fold(" + text + ")"
		}
	}
	v = query.Fold(v)
	switch {
	case v == "" && op == query.NotLike:
		return never
	case v == "":
		return c.sql + " IS NOT NULL"
	case op == query.StartsWith:
		return b.prefix(text, v)
	case op == query.EndsWith:
		return b.d.tail(text, b.arg(record.Text(itoa(len([]rune(v)))))) + " = " + b.textArg(v)
	case op == query.Like:
		return b.d.position + "(" + text + ", " + b.textArg(v) + ") > 0"
	}
	return b.d.position + "(" + text + ", " + b.textArg(v) + ") = 0"
}

// prefix is a range, so that indexes serve.
func (b *builder) prefix(text, v string) string {
	from := text + b.d.collate + " >= " + b.textArg(v)
	end := successor(v)
	if end == "" {
		return from
	}
	return "(" + from + " AND " + text + b.d.collate + " < " + b.textArg(end) + ")"
}

// successor is the least text that is greater than every text that begins with v; "" when there is none.
func successor(v string) string {
	r := []rune(v)
	for n := len(r) - 1; n >= 0; n-- {
		switch {
		case r[n] == 0xD7FF:
			r[n] = 0xE000 // over the surrogates, which are no characters
		case r[n] < 0x10FFFF:
			r[n]++
		default:
			continue
		}
		return string(r[:n+1])
	}
	return ""
}

func (b *builder) instanceOf(c column, class string) string {
	classes := []string{class}
	if cat := b.t.Catalog(); cat != nil {
		if t := cat.Table(class); t != nil && len(t.Classes) > 0 {
			classes = t.Classes
		}
	}
	return b.in(c, append([]string(nil), classes...))
}
