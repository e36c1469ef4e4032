package query

import (
	"strconv"
	"strings"
	"time"
)

// operator is one spelling, the operator it means and how its value is read.
type operator struct {
	text string
	op   Op
	read func(*reader, string) ([]string, bool)
}

var operators = []operator{
	{"=", Equal, (*reader).equal}, {"!=", NotEqual, (*reader).equal},
	{"<", Less, (*reader).one}, {"<=", LessEqual, (*reader).one},
	{">", Greater, (*reader).one}, {">=", GreaterEqual, (*reader).one},
	{"IN", In, (*reader).list}, {"NOT IN", NotIn, (*reader).list}, {"NOTIN", NotIn, (*reader).list},
	{"BETWEEN", Between, (*reader).between},
	{"ISEMPTY", IsEmpty, (*reader).none}, {"EMPTY", IsEmpty, (*reader).none}, {"IS_NULL", IsEmpty, (*reader).none},
	{"ISNOTEMPTY", IsNotEmpty, (*reader).none}, {"NOTEMPTY", IsNotEmpty, (*reader).none},
	{"IS_NOT_NULL", IsNotEmpty, (*reader).none},
	{"EMPTYSTRING", EmptyString, (*reader).none}, {"ANYTHING", Anything, (*reader).none},
	{"SAMEAS", SameAs, (*reader).otherField}, {"NSAMEAS", NotSameAs, (*reader).otherField},
	{"GT_FIELD", GTField, (*reader).otherField}, {"LT_FIELD", LTField, (*reader).otherField},
	{"GT_OR_EQUALS_FIELD", GEField, (*reader).otherField}, {"LT_OR_EQUALS_FIELD", LEField, (*reader).otherField},
	{"INSTANCEOF", InstanceOf, (*reader).one}, {"DYNAMIC", In, (*reader).dynamic},
	{"STARTSWITH", StartsWith, (*reader).text}, {"ENDSWITH", EndsWith, (*reader).text}, {"%", EndsWith, (*reader).text},
	{"LIKE", Like, (*reader).text}, {"CONTAINS", Like, (*reader).text}, {"*", Like, (*reader).text},
	{"NOT LIKE", NotLike, (*reader).text}, {"NOTLIKE", NotLike, (*reader).text},
	{"DOES NOT CONTAIN", NotLike, (*reader).text}, {"!*", NotLike, (*reader).text},
	{"ON", On, (*reader).on}, {"NOTON", NotOn, (*reader).on}, {"NOT ON", NotOn, (*reader).on},
	{"RELATIVEGT", Greater, (*reader).relative}, {"RELATIVELT", Less, (*reader).relative},
	{"RELATIVEGE", GreaterEqual, (*reader).relative}, {"RELATIVEGTE", GreaterEqual, (*reader).relative},
	{"RELATIVELE", LessEqual, (*reader).relative}, {"RELATIVELTE", LessEqual, (*reader).relative},
	{"RELATIVEEE", On, (*reader).relative},
	{"DATEPART", DatePart, (*reader).datePart},
	{"MORETHAN", MoreThan, (*reader).difference}, {"LESSTHAN", LessThan, (*reader).difference},
}

// findOperator takes the longest operator that text begins with; arg is what stands behind it.
func findOperator(text string) (found operator, arg string, ok bool) {
	for i := range operators {
		if o := &operators[i]; len(o.text) > len(found.text) && strings.HasPrefix(text, o.text) {
			found = *o
		}
	}
	return found, text[len(found.text):], found.text != ""
}

// reader reads the value of one term. Its methods give the term's values, and may change the operator to a plainer
// one; ok is false when the term is invalid.
type reader struct {
	env  *Env
	dict Dictionary
	kind Kind
	op   Op
}

func (r *reader) dated() bool { return r.kind == Date || r.kind == DateTime }

func (r *reader) none(arg string) ([]string, bool) { return nil, strings.TrimSpace(arg) == "" }

// equal reads the value of = and !=, where nothing, and the word NULL, stand for emptiness.
func (r *reader) equal(arg string) ([]string, bool) {
	v, ok := r.value(arg)
	if ok && (v == "" || v == "NULL") {
		r.op = map[Op]Op{Equal: IsEmpty, NotEqual: IsNotEmpty}[r.op]
		return nil, true
	}
	return []string{v}, ok
}

func (r *reader) one(arg string) ([]string, bool) {
	v, ok := r.value(arg)
	return []string{v}, ok
}

// text reads the value of a text operator, which is a piece of a text and so has no canonical form.
func (r *reader) text(arg string) ([]string, bool) {
	kind := r.kind
	r.kind = Text
	v, ok := r.value(arg)
	r.kind = kind
	return []string{v}, ok
}

// value computes arg where it is a script and brings it into canonical form. What is no value of the kind stays as it
// is and equals nothing.
func (r *reader) value(arg string) (string, bool) {
	v := result{text: arg}
	if expr, found := strings.CutPrefix(strings.TrimSpace(arg), script); found {
		var ok bool
		if v, ok = r.env.eval(expr); !ok || strings.HasPrefix(strings.TrimSpace(v.text), script) {
			return "", false
		}
	}
	if !v.moment.IsZero() {
		return r.moment(v.moment), true
	}
	if r.kind != Text {
		v.text = strings.TrimSpace(v.text)
	}
	out, _ := Canonical(r.kind, v.text)
	return out, true
}

// moment writes t as a value of the field: the caller's day for dates, else UTC.
func (r *reader) moment(t time.Time) string {
	if r.kind == Date {
		return t.In(r.env.Zone).Format(dateLayout)
	}
	return t.UTC().Format(dateTimeLayout)
}

func (r *reader) list(arg string) ([]string, bool) {
	if strings.HasPrefix(strings.TrimSpace(arg), script) {
		all, ok := r.text(arg)
		if !ok {
			return nil, false
		}
		arg = all[0]
	}
	values := []string{}
	for v := range strings.SplitSeq(arg, ",") {
		if v = strings.TrimSpace(v); strings.HasPrefix(v, script) {
			return nil, false
		} else if v != "" {
			v, _ = Canonical(r.kind, v)
			values = append(values, v)
		}
	}
	return values, true
}

func (r *reader) between(arg string) ([]string, bool) {
	parts := splitAt(arg)
	if len(parts) != 2 {
		return nil, false
	}
	return r.both(parts[0], parts[1])
}

func (r *reader) both(from, to string) ([]string, bool) {
	a, aok := r.value(from)
	b, bok := r.value(to)
	return []string{a, b}, aok && bok && !strings.Contains(a+b, "@")
}

// splitAt cuts at each @ that is not inside the quotes of a script.
func splitAt(arg string) []string {
	var parts []string
	for {
		quoted := strings.HasPrefix(strings.TrimSpace(arg), script)
		i := indexAt(arg, quoted)
		if i < 0 {
			return append(parts, arg)
		}
		parts = append(parts, arg[:i])
		arg = arg[i+1:]
	}
}

func indexAt(s string, quotes bool) int {
	var open byte
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case open == 0 && c == '@':
			return i
		case c == open:
			open = 0
		case quotes && open == 0 && (c == '\'' || c == '"'):
			open = c
		}
	}
	return -1
}

// otherField reads the path of a second field, for SAMEAS on dates perhaps with @unit behind it.
func (r *reader) otherField(arg string) ([]string, bool) {
	path, unit, cut := strings.Cut(strings.TrimSpace(arg), "@")
	kind, ok := r.dict.Kind(path)
	if !ok || !comparableKinds(r.kind, kind) {
		return nil, false
	}
	if !cut {
		return []string{path}, true
	}
	u, ok := unitNamed(unit)
	return []string{path, string(u)}, ok && r.dated() && (r.op == SameAs || r.op == NotSameAs)
}

// comparableKinds reports whether fields of the two kinds compare with each other.
func comparableKinds(a, b Kind) bool {
	dated := func(k Kind) bool { return k == Date || k == DateTime }
	id := func(k Kind) bool { return k == Reference || k == Exact }
	return a == b || dated(a) && dated(b) || id(a) && id(b)
}

func (r *reader) dynamic(arg string) ([]string, bool) {
	if r.env.Dynamic == nil {
		return nil, false
	}
	values, ok := r.env.Dynamic(strings.TrimSpace(arg))
	if !ok {
		return nil, false
	}
	return r.list(strings.Join(values, ","))
}

// on reads label@start@end, a known label alone, or a day.
func (r *reader) on(arg string) ([]string, bool) {
	if !r.dated() {
		return nil, false
	}
	parts := splitAt(arg)
	if len(parts) == 3 {
		values, ok := r.both(parts[1], parts[2])
		return values, ok && r.isDate(values[0]) && r.isDate(values[1])
	}
	if len(parts) != 1 {
		return nil, false
	}
	if s, ok := spanOf(arg, r.env.Now); ok {
		return r.span(s)
	}
	day, err := time.ParseInLocation(dateLayout, strings.TrimSpace(arg), r.env.Zone)
	if err != nil {
		return nil, false
	}
	return r.span(around(Day, day, 0, 0))
}

func (r *reader) isDate(v string) bool {
	_, ok := Canonical(r.kind, v)
	return ok
}

func (r *reader) span(s span) ([]string, bool) {
	ok := inCalendar(s.start.UTC()) && inCalendar(s.end.UTC()) && inCalendar(s.start) && inCalendar(s.end)
	return []string{r.moment(s.start), r.moment(s.end)}, ok
}

// relative reads @unit@ago@n. "On or before" and "on or after" take in the whole unit that "on" means.
func (r *reader) relative(arg string) ([]string, bool) {
	parts := strings.Split(arg, "@")
	if len(parts) != 4 || parts[0] != "" || !r.dated() {
		return nil, false
	}
	u, ok := unitNamed(parts[1])
	n, err := strconv.Atoi(parts[3])
	if !ok || err != nil || n < 0 || n > maxDistance || parts[2] != "ago" && parts[2] != "ahead" {
		return nil, false
	}
	if parts[2] == "ago" {
		n = -n
	}
	at := u.add(r.env.Now, n)
	s := span{at, at}
	switch r.op {
	case On:
		return r.span(around(u, r.env.Now, n, n))
	case GreaterEqual:
		s.start = u.Floor(s.start)
	case LessEqual:
		s.start = u.last(s.start)
	}
	values, ok := r.span(s)
	return values[:1], ok
}

// datePart reads label@javascript:gs.datePart(unit, value, comparison).
func (r *reader) datePart(arg string) ([]string, bool) {
	parts := splitAt(arg)
	expr, found := strings.CutPrefix(strings.TrimSpace(parts[len(parts)-1]), script)
	if !found || len(parts) > 2 || !r.dated() {
		return nil, false
	}
	values, ok := parseDatePart(expr)
	return values, ok && (r.kind == DateTime || values[0] != "hour" && values[0] != "minute")
}

// difference reads path@unit@before|after@n.
func (r *reader) difference(arg string) ([]string, bool) {
	parts := strings.Split(arg, "@")
	if len(parts) != 4 || !r.dated() {
		return nil, false
	}
	kind, known := r.dict.Kind(parts[0])
	u, ok := unitNamed(parts[1])
	n, err := strconv.Atoi(parts[3])
	if !known || kind != Date && kind != DateTime || !ok || parts[2] != "before" && parts[2] != "after" {
		return nil, false
	}
	return []string{parts[0], string(u), parts[2], strconv.Itoa(n)}, err == nil && n >= 0 && n <= maxDistance
}
