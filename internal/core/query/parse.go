package query

import (
	"strings"
	"time"

	"headrace/internal/core/fault"
)

// MaxTerms is the most terms a query may have.
const MaxTerms = 200_000

// maxNesting is how deep queries of related records may stand in each other.
const maxNesting = 8

// Parse reads an encoded query on the table that dict describes. Terms that name no field or no operator, or whose
// value cannot be computed, are left out and listed in Invalid, as they were written: what remains is the query as if
// they were not there, except that a term joined to one by ^OR is not joined to the term before it. The only error is
// a fault of kind Limit, for more than MaxTerms terms.
func Parse(text string, dict Dictionary, env Env) (*Query, error) {
	if env.Zone == nil {
		env.Zone = time.UTC
	}
	if env.Now.IsZero() {
		env.Now = time.Now()
	}
	env.Now = env.Now.In(env.Zone).Truncate(time.Second)
	p := &parser{rest: text, env: env, query: &Query{}}
	p.query.Where = p.conditions(scope{dict: dict, sorts: dict})
	if p.terms > MaxTerms {
		return nil, fault.New(fault.Limit, "the query has more than %d terms", MaxTerms).
			WithHint("give long lists to the IN operator, which counts as one term")
	}
	return p.query, nil
}

type parser struct {
	rest  string
	terms int
	env   Env
	query *Query
}

// scope is what conditions are read against: their table, and where they end.
type scope struct {
	dict  Dictionary
	sorts Dictionary // the table that sort terms are about; nil where there can be none
	end   string     // the token that closes a nested query
	depth int
}

// next takes one token, still escaped: all up to a ^ that is not doubled.
func (p *parser) next() (token string, ok bool) {
	if p.rest == "" || p.terms > MaxTerms {
		return "", false
	}
	p.terms++
	for at := 0; ; {
		i := strings.IndexByte(p.rest[at:], '^')
		if i < 0 {
			token, p.rest = p.rest, ""
			return token, true
		}
		at += i
		if at+1 < len(p.rest) && p.rest[at+1] == '^' {
			at += 2
			continue
		}
		token, p.rest = p.rest[:at], p.rest[at+1:]
		return token, true
	}
}

// conditions reads terms to the end of the scope.
func (p *parser) conditions(in scope) Node {
	var b builder
	return p.conditionsInto(&b, in)
}

func (p *parser) conditionsInto(b *builder, in scope) Node {
	for {
		token, ok := p.next()
		if !ok || in.end != "" && strings.TrimSpace(token) == in.end {
			return b.node()
		}
		p.token(token, in, b)
	}
}

// token reads one token: perhaps NQ, perhaps OR, then a condition or a sort term.
func (p *parser) token(token string, in scope, b *builder) {
	term := strings.TrimLeft(token, " ")
	if rest, found := strings.CutPrefix(term, "NQ"); found {
		b.group()
		term = strings.TrimLeft(rest, " ")
	}
	if blank := strings.TrimRight(term, " "); blank == "" || blank == "EQ" {
		return
	}
	if p.sort(term, in, token) {
		return
	}
	term, or := strings.CutPrefix(term, "OR")
	n := p.condition(strings.TrimLeft(term, " "), in)
	if n == nil {
		p.query.Invalid = append(p.query.Invalid, token)
	}
	b.add(n, or)
}

// sort reads a sort term, and reports whether it was one.
func (p *parser) sort(term string, in scope, token string) bool {
	name, group := strings.CutPrefix(term, "GROUPBY")
	desc, by := false, false
	if !group {
		if name, desc = strings.CutPrefix(term, "ORDERBYDESC"); !desc {
			name, by = strings.CutPrefix(term, "ORDERBY")
		}
	}
	if !group && !desc && !by {
		return false
	}
	name = strings.TrimSpace(name)
	known := in.sorts != nil
	if known {
		_, known = in.sorts.Kind(name)
	}
	switch {
	case !known:
		p.query.Invalid = append(p.query.Invalid, token)
	case group:
		p.query.GroupBy = append(p.query.GroupBy, name)
	default:
		p.query.OrderBy = append(p.query.OrderBy, Order{Field: name, Desc: desc})
	}
	return true
}

// condition reads one condition. It is nil when the condition is invalid.
func (p *parser) condition(term string, in scope) Node {
	if n, ok := p.special(term, in); ok {
		return n
	}
	term = unescape(strings.TrimPrefix(term, "GOTO"))
	field, rest, kind, ok := splitField(term, in.dict)
	if !ok {
		return nil
	}
	s, arg, ok := findOperator(strings.TrimLeft(rest, " "))
	if !ok {
		return nil
	}
	r := reader{env: &p.env, dict: in.dict, kind: kind, op: s.op}
	t := &Term{Field: field, Op: s.op}
	if t.Values, ok = s.read(&r, arg); !ok {
		return nil
	}
	t.Op = r.op
	return t
}

func unescape(s string) string {
	if strings.Contains(s, "^^") {
		return strings.ReplaceAll(s, "^^", "^")
	}
	return s
}

// maxFieldName is the longest name of a field, in bytes, that is looked for, and maxPath the most names in a path.
const (
	maxFieldName = 128
	maxPath      = 16
)

// splitField finds the longest path of fields that the term begins with.
func splitField(term string, dict Dictionary) (path, rest string, kind Kind, ok bool) {
	start := 0
	for range maxPath {
		end := start
		for end < len(term) && end-start < maxFieldName && isNameByte(term[end]) {
			end++
		}
		for at := end; at > start; at-- {
			if k, known := dict.Kind(term[:at]); known {
				path, rest, kind, ok = term[:at], term[at:], k, true
				break
			}
		}
		if !strings.HasPrefix(rest, ".") || len(path) != end {
			break
		}
		start = end + 1
	}
	return path, rest, kind, ok
}

func isNameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || c == '_' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || c >= 0x80
}

// builder puts conditions together: groups of clauses, each the terms that ^OR joined.
type builder struct {
	groups  []Node
	clauses [][]Node
}

// add puts n into the query, joined to the last clause by or. A nil n, an invalid term, holds its place, so that what
// is joined to it finds no other clause.
func (b *builder) add(n Node, or bool) {
	if !or || len(b.clauses) == 0 {
		b.clauses = append(b.clauses, nil)
	}
	if n != nil {
		last := len(b.clauses) - 1
		b.clauses[last] = append(b.clauses[last], n)
	}
}

// group ends a group. One that has no valid term is as if it were not there.
func (b *builder) group() {
	var parts []Node
	for _, c := range b.clauses {
		if len(c) > 1 {
			parts = append(parts, &Or{Parts: c})
		} else {
			parts = append(parts, c...)
		}
	}
	b.clauses = nil
	if len(parts) > 1 {
		parts = []Node{&And{Parts: parts}}
	}
	b.groups = append(b.groups, parts...)
}

func (b *builder) node() Node {
	b.group()
	switch len(b.groups) {
	case 0:
		return nil
	case 1:
		return b.groups[0]
	}
	return &Or{Parts: b.groups}
}
