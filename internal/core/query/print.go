package query

import (
	"strconv"
	"strings"
)

// String writes the query in canonical form: aliases folded, relative dates and scripts as the values they came to,
// conditions before grouping before sorting, invalid terms left out. Parse reads it back into the same query.
func (q *Query) String() string {
	var w writer
	if q.Where != nil {
		w.node(q.Where)
	}
	for _, g := range q.GroupBy {
		w.term("GROUPBY" + g)
	}
	for _, o := range q.OrderBy {
		if o.Desc {
			w.term("ORDERBYDESC" + o.Field)
		} else {
			w.term("ORDERBY" + o.Field)
		}
	}
	return w.String()
}

// Encode writes a condition. Parse reads back every tree that it can give itself: alternatives of conditions inside
// groups. The language has no form for deeper trees; ok is false when n is one, and text is then for people only.
func Encode(n Node) (text string, ok bool) {
	if n == nil {
		return "", true
	}
	w := writer{}
	w.node(n)
	return w.String(), !w.lossy
}

type writer struct {
	strings.Builder
	join  string // what goes before the next term, besides ^
	lossy bool
}

// term writes one token; text is escaped already.
func (w *writer) term(text string) {
	if w.Len() > 0 {
		w.WriteByte('^')
		w.WriteString(w.join)
	}
	w.join = ""
	w.WriteString(text)
}

// node writes a whole condition: groups, or clauses, or one clause.
func (w *writer) node(n Node) {
	or, ok := n.(*Or)
	if !ok || allLeaves(or.Parts) {
		w.group(n)
		return
	}
	w.lossy = w.lossy || len(or.Parts) < 2
	for i, part := range or.Parts {
		if i > 0 {
			w.join = "NQ"
		}
		w.group(part)
	}
}

// group writes clauses joined by ^.
func (w *writer) group(n Node) {
	and, ok := n.(*And)
	if !ok {
		w.clause(n)
		return
	}
	w.lossy = w.lossy || len(and.Parts) < 2
	for _, part := range and.Parts {
		w.clause(part)
	}
}

// clause writes leaves joined by ^OR.
func (w *writer) clause(n Node) {
	or, ok := n.(*Or)
	if !ok {
		w.leaf(n)
		return
	}
	w.lossy = w.lossy || len(or.Parts) < 2
	for i, part := range or.Parts {
		if i > 0 {
			w.join = "OR"
		}
		w.leaf(part)
	}
}

func allLeaves(nodes []Node) bool {
	for _, n := range nodes {
		switch n.(type) {
		case *And, *Or:
			return false
		}
	}
	return true
}

func (w *writer) leaf(n Node) {
	switch n := n.(type) {
	case *Term:
		w.term(n.Field + n.text())
	case *Related:
		w.term(relatedKeyword + n.Table + "." + n.Field + "," + string(n.Op) + strconv.Itoa(n.Count))
		w.nested(n.Where, relatedEnd)
	case *Exists:
		w.term(existsKeyword + n.Field + "," + n.Path + "," + n.Table)
		w.nested(n.Where, existsEnd)
	default:
		w.lossy = true
		inner, _ := Encode(n)
		w.term("(" + inner + ")")
	}
}

func (w *writer) nested(where Node, end string) {
	if where != nil {
		w.node(where)
	}
	w.term(end)
}

// text writes operator and values.
func (t *Term) text() string {
	v := t.Values
	arg := ""
	switch t.Op {
	case In, NotIn:
		arg = strings.Join(v, ",")
	case On, NotOn:
		arg = "custom@" + strings.Join(v, "@")
	case DatePart:
		if len(v) == 3 {
			arg = "custom@" + script + "gs.datePart('" + v[0] + "','" + v[2] + "','" + letters(Op(v[1])) + "')"
		}
	default:
		arg = strings.Join(v, "@")
	}
	return string(t.Op) + strings.ReplaceAll(arg, "^", "^^")
}
