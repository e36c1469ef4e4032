package query

import (
	"strconv"
	"strings"
)

// The keywords of conditions on records of other tables.
const (
	relatedKeyword = "RLQUERY"
	relatedEnd     = "ENDRLQUERY"
	existsKeyword  = "SUBQUERY"
	existsEnd      = "ENDSUBQUERY"
	joinKeyword    = "JOIN"
)

// special reads a condition on records of other tables; ok is false when the term is none. The node is nil when the
// condition is invalid.
func (p *parser) special(term string, in scope) (n Node, ok bool) {
	if head, found := strings.CutPrefix(term, relatedKeyword); found {
		return p.related(unescape(head), in), true
	}
	if head, found := strings.CutPrefix(term, existsKeyword); found {
		return p.exists(unescape(head), in), true
	}
	if head, found := strings.CutPrefix(term, joinKeyword); found {
		return p.join(unescape(head), in), true
	}
	return nil, false
}

// related reads RLQUERY{table}.{field},{op}{n}, the conditions behind it and its end.
func (p *parser) related(head string, in scope) Node {
	table, head, dot := strings.Cut(head, ".")
	field, count, comma := strings.Cut(head, ",")
	op, ok := countOp(&count)
	n, err := strconv.Atoi(count)
	inner, known := p.enter(in, table, relatedEnd)
	if !dot || !comma || !ok || err != nil || n < 0 || !known || !has(inner.dict, field) {
		p.skip(relatedEnd)
		return nil
	}
	return &Related{Table: table, Field: field, Op: op, Count: n, Where: p.conditions(inner)}
}

func countOp(text *string) (Op, bool) {
	for _, op := range []Op{GreaterEqual, LessEqual, NotEqual, Equal, Greater, Less} {
		if rest, found := strings.CutPrefix(*text, string(op)); found {
			*text = strings.TrimSpace(rest)
			return op, true
		}
	}
	return "", false
}

// exists reads SUBQUERY{field},{field there},{table}, the conditions behind it and its end.
func (p *parser) exists(head string, in scope) Node {
	parts := strings.Split(head, ",")
	if len(parts) == 3 {
		inner, known := p.enter(in, parts[2], existsEnd)
		if known && has(in.dict, parts[0]) && has(inner.dict, parts[1]) {
			return &Exists{Field: parts[0], Path: parts[1], Table: parts[2], Where: p.conditions(inner)}
		}
	}
	p.skip(existsEnd)
	return nil
}

// join reads JOIN{table}.{field}={table there}.{field there}!{conditions}. The conditions go to the end of the query;
// sort terms among them are about the outer table.
func (p *parser) join(head string, in scope) Node {
	names, first, bang := strings.Cut(head, "!")
	here, there, equals := strings.Cut(names, "=")
	_, field, dot := strings.Cut(here, ".")
	table, path, dotThere := strings.Cut(there, ".")
	inner, known := p.enter(in, table, "")
	if !bang || !equals || !dot || !dotThere || !known || in.depth > 0 || !has(in.dict, field) || !has(inner.dict, path) {
		return nil
	}
	inner.sorts = in.sorts
	var b builder
	p.token(strings.ReplaceAll(first, "^", "^^"), inner, &b)
	return &Exists{Field: field, Table: table, Path: path, Where: p.conditionsInto(&b, inner)}
}

// enter gives the scope of a query on another table.
func (p *parser) enter(in scope, table, end string) (scope, bool) {
	tables, ok := in.dict.(Tables)
	if !ok || in.depth >= maxNesting {
		return scope{}, false
	}
	dict := tables.Dictionary(table)
	return scope{dict: dict, end: end, depth: in.depth + 1}, dict != nil
}

func has(dict Dictionary, path string) bool {
	_, ok := dict.Kind(path)
	return ok
}

// skip passes over a nested query that cannot be read, and what is nested in it.
func (p *parser) skip(end string) {
	keyword := strings.TrimPrefix(end, "END")
	for open := 1; open > 0; {
		token, ok := p.next()
		if !ok {
			return
		}
		token = strings.TrimSpace(token)
		if token == end {
			open--
		}
		token = strings.TrimPrefix(strings.TrimPrefix(token, "NQ"), "OR")
		if strings.HasPrefix(token, keyword) {
			open++
		}
	}
}
