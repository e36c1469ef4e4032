package query

import (
	"strconv"
	"strings"

	"headrace/internal/core/fault"
)

// Lookup gives the value at a path of one record: its canonical text, or valid false for null. Along a path whose
// link is empty everything is null. Besides fields it is asked for DisplayPath of references.
type Lookup func(path string) (text string, valid bool)

// displayName stands behind the path of a reference for the display value of the record referred to.
const displayName = "%display"

// DisplayPath is the path at which a Lookup gives the display value of the record that the reference at path refers
// to; null when there is none.
func DisplayPath(path string) string { return path + "." + displayName }

// IsDisplayPath reports whether path is one that DisplayPath made, and of which reference.
func IsDisplayPath(path string) (reference string, ok bool) {
	return strings.CutSuffix(path, "."+displayName)
}

// idField is the field that every record has a value in: how a term sees that the record reached exists.
const idField = "sys_id"

// Matcher is a condition made ready to be tested against many records. It may be used by several goroutines.
type Matcher struct{ test test }

type test func(Lookup) bool

// Match reports whether the record meets the condition.
func (m *Matcher) Match(record Lookup) bool { return m.test(record) }

// Match tests one record; it is Compile and Matcher.Match in one.
func Match(n Node, record Lookup, dict Dictionary) (bool, error) {
	m, err := Compile(n, dict)
	if err != nil {
		return false, err
	}
	return m.Match(record), nil
}

// Compile prepares a condition on the table that dict describes; nil is the condition that always holds. A fault of
// kind Invalid says that a term names no field or has not the values its operator takes, or that the condition looks
// at other tables, which takes a store.
func Compile(n Node, dict Dictionary) (*Matcher, error) {
	if n == nil {
		return &Matcher{func(Lookup) bool { return true }}, nil
	}
	t, err := compile(n, dict)
	if err != nil {
		return nil, err
	}
	return &Matcher{t}, nil
}

func compile(n Node, dict Dictionary) (test, error) {
	switch n := n.(type) {
	case *Term:
		return compileTerm(n, dict)
	case *And:
		return compileParts(n.Parts, dict, false)
	case *Or:
		return compileParts(n.Parts, dict, true)
	}
	text, _ := Encode(n)
	return nil, fault.New(fault.Invalid, "the condition %s looks at other tables", text).
		WithHint("a condition that is tested against one record can only use its fields and those of records it refers to")
}

// compileParts makes the test that stops at the first part that is stop.
func compileParts(parts []Node, dict Dictionary, stop bool) (test, error) {
	tests := make([]test, len(parts))
	for i, part := range parts {
		var err error
		if tests[i], err = compile(part, dict); err != nil {
			return nil, err
		}
	}
	return func(rec Lookup) bool {
		for _, t := range tests {
			if t(rec) == stop {
				return stop
			}
		}
		return !stop
	}, nil
}

// compiler prepares one term.
type compiler struct {
	*Term
	kind Kind
	dict Dictionary
}

func compileTerm(t *Term, dict Dictionary) (test, error) {
	kind, ok := dict.Kind(t.Field)
	if !ok {
		return nil, fault.New(fault.Invalid, "there is no field %q", t.Field)
	}
	c := compiler{t, kind, dict}
	if made := c.compile(); made != nil {
		return made, nil
	}
	return nil, fault.New(fault.Invalid, "the operator %q on %s does not take the values %q", t.Op, t.Field, t.Values)
}

// compile gives nil when the values are not what the operator takes.
func (c *compiler) compile() test {
	switch c.Op {
	case IsEmpty, IsNotEmpty, EmptyString, Anything:
		return c.emptiness(c.Op)
	case NotEqual, NotIn, NotOn:
		return c.negative()
	case SameAs, NotSameAs, GTField, LTField, GEField, LEField:
		return c.twoFields()
	case MoreThan, LessThan:
		return c.difference()
	case StartsWith, EndsWith, Like, NotLike:
		return c.textual()
	}
	if c.Op == Equal && len(c.Values) == 1 && c.Values[0] == "" {
		return c.emptiness(IsEmpty)
	}
	return positive(c.Field, c.holds(c.Op))
}

func (c *compiler) emptiness(op Op) test {
	path := c.Field
	return func(rec Lookup) bool {
		text, valid := rec(path)
		switch op {
		case IsEmpty:
			return text == "" || !valid
		case IsNotEmpty:
			return text != "" && valid
		case EmptyString:
			return text == "" && valid
		}
		return true
	}
}

// positive wants a value that holds.
func positive(path string, holds func(string) bool) test {
	if holds == nil {
		return nil
	}
	return func(rec Lookup) bool {
		text, valid := rec(path)
		return valid && holds(text)
	}
}

// negative wants the opposite of an operator, nulls included, of a record that exists.
func (c *compiler) negative() test {
	if c.Op == NotEqual && len(c.Values) == 1 && c.Values[0] == "" {
		return c.emptiness(IsNotEmpty)
	}
	holds := c.holds(map[Op]Op{NotEqual: Equal, NotIn: In, NotOn: On}[c.Op])
	if holds == nil {
		return nil
	}
	path := c.Field
	return func(rec Lookup) bool {
		if text, valid := rec(path); valid {
			return !holds(text)
		}
		return reached(rec, path)
	}
}

// reached reports whether the record that has the field at path exists.
func reached(rec Lookup, path string) bool {
	dot := strings.LastIndexByte(path, '.')
	if dot < 0 {
		return true
	}
	id, valid := rec(path[:dot+1] + idField)
	return valid && id != ""
}

// holds makes the test of a value that is not null; nil when the term's values do not fit the operator.
func (c *compiler) holds(op Op) func(text string) bool {
	switch op {
	case In:
		return c.oneOf(c.Values)
	case Between, On:
		if len(c.Values) != 2 {
			return nil
		}
		from, to := comparison(c.kind, GreaterEqual, c.Values[0]), comparison(c.kind, LessEqual, c.Values[1])
		return func(text string) bool { return from(text) && to(text) }
	case DatePart:
		return c.datePart()
	}
	if len(c.Values) != 1 {
		return nil
	}
	if op == InstanceOf {
		return c.instanceOf()
	}
	if _, known := signs[op]; !known {
		return nil
	}
	return comparison(c.kind, op, c.Values[0])
}

// signs tells which outcomes of a comparison an operator takes: smaller, same, larger.
var signs = map[Op][3]bool{
	Equal: {false, true, false}, Less: {true, false, false}, LessEqual: {true, true, false},
	Greater: {false, false, true}, GreaterEqual: {false, true, true},
	SameAs: {false, true, false}, LTField: {true, false, false}, LEField: {true, true, false},
	GTField: {false, false, true}, GEField: {false, true, true},
}

func sign(by int) int {
	switch {
	case by < 0:
		return 0
	case by > 0:
		return 2
	}
	return 1
}

func comparison(kind Kind, op Op, value string) func(string) bool {
	value, ok := Canonical(kind, value)
	if !ok {
		return func(string) bool { return false }
	}
	takes := signs[op]
	return func(text string) bool {
		by, ok := compareValues(kind, text, value)
		return ok && takes[sign(by)]
	}
}

// compareValues compares a stored value with a canonical one. ok is false when the stored one is none of the kind.
func compareValues(kind Kind, stored, value string) (by int, ok bool) {
	switch kind {
	case Text:
		return compareFold(stored, value), true
	case Number:
		if stored, ok = canonicalNumber(stored); !ok {
			return 0, false
		}
		return compareNumbers(stored, value), true
	}
	return strings.Compare(stored, value), true
}

// oneOf holds for the values of a list.
func (c *compiler) oneOf(values []string) func(string) bool {
	set := make(map[string]bool, len(values))
	for _, v := range values {
		if v, ok := Canonical(c.kind, v); ok && v != "" {
			set[c.key(v)] = true
		}
	}
	return func(text string) bool { return set[c.key(text)] }
}

// key is the same for two values if and only if they are equal.
func (c *compiler) key(text string) string {
	switch c.kind {
	case Text:
		return Fold(text)
	case Number:
		text, _ = canonicalNumber(text)
	}
	return text
}

func (c *compiler) instanceOf() func(string) bool {
	classes := []string{c.Values[0]}
	if d, ok := c.dict.(Classes); ok {
		classes = append(classes, d.Subclasses(c.Values[0])...)
	}
	return c.oneOf(classes)
}

func (c *compiler) datePart() func(string) bool {
	if len(c.Values) != 3 {
		return nil
	}
	unit := c.Values[0]
	takes, known := signs[Op(c.Values[1])]
	want, err := strconv.Atoi(c.Values[2])
	if !known || err != nil {
		return nil
	}
	return func(text string) bool {
		t, ok := parseTime(text)
		if !ok {
			return false
		}
		n, ok := Part(unit, t)
		return ok && takes[sign(n-want)]
	}
}

// CaseSensitive is what a Dictionary has besides when operators on pieces of text are to tell capitals from small letters.
type CaseSensitive interface{ CaseSensitive() }

// textual compares pieces of text, case-blind whatever the kind: of the display value for references.
func (c *compiler) textual() test {
	if len(c.Values) != 1 {
		return nil
	}
	path := c.Field
	if c.kind == Reference {
		path = DisplayPath(path)
	}
	finds := map[Op]func(string, string) bool{StartsWith: strings.HasPrefix, EndsWith: strings.HasSuffix}[c.Op]
	if finds == nil {
		finds = strings.Contains
	}
	fold := Fold
	if _, exact := c.dict.(CaseSensitive); exact {
		fold = func(text string) string { return text }
	}
	want, not := fold(c.Values[0]), c.Op == NotLike
	return positive(path, func(text string) bool { return finds(fold(text), want) != not })
}

// twoFields compares the field with another. Only NSAMEAS holds for nulls.
func (c *compiler) twoFields() test {
	if len(c.Values) == 0 || len(c.Values) > 2 {
		return nil
	}
	path, other := c.Field, c.Values[0]
	kind, ok := c.dict.Kind(other)
	read := c.reader(kind)
	if !ok || !comparableKinds(c.kind, kind) || read == nil {
		return nil
	}
	op, not := c.Op, c.Op == NotSameAs
	if not {
		op = SameAs
	}
	takes, by := signs[op], c.kind
	return func(rec Lookup) bool {
		a, aValid := rec(path)
		b, bValid := rec(other)
		if !aValid || !bValid {
			return not && reached(rec, path) && reached(rec, other)
		}
		n, ok := compareValues(by, read(a), read(b))
		return (ok && takes[sign(n)]) != not
	}
}

// reader makes what brings the values of two fields into one form; nil when the unit given is none.
func (c *compiler) reader(other Kind) func(string) string {
	if len(c.Values) == 2 {
		u := Unit(c.Values[1])
		if u.Seconds() == 0 || c.kind != Date && c.kind != DateTime {
			return nil
		}
		return func(text string) string {
			t, _ := parseTime(text)
			return u.Floor(t).Format(dateTimeLayout)
		}
	}
	as := c.kind
	if other == DateTime {
		as = DateTime
	}
	return func(text string) string {
		text, _ = Canonical(as, text)
		return text
	}
}

// difference tests how far one date lies before or after another.
func (c *compiler) difference() test {
	if len(c.Values) != 4 {
		return nil
	}
	path, other, unit := c.Field, c.Values[0], Unit(c.Values[1])
	before, more := c.Values[2] == "before", c.Op == MoreThan
	n, err := strconv.ParseInt(c.Values[3], 10, 32)
	if err != nil || unit.Seconds() == 0 || !before && c.Values[2] != "after" {
		return nil
	}
	limit := n * unit.Seconds()
	return func(rec Lookup) bool {
		a, aok := rec(path)
		b, bok := rec(other)
		from, fok := parseTime(a)
		to, tok := parseTime(b)
		if !aok || !bok || !fok || !tok {
			return false
		}
		by := from.Unix() - to.Unix()
		if before {
			by = -by
		}
		if more {
			return by > limit
		}
		return by >= 0 && by < limit
	}
}
