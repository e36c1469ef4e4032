// Package query is the encoded query language of the field and its tree. The tree names fields by path and knows
// nothing of tables or SQL: a Dictionary answers what a path is, a store turns the tree into SQL, Match evaluates it
// in memory. All three agree on one definition of comparison (see Fold and Compare).
package query

// Kind is how values of a field compare.
type Kind uint8

// The kinds of comparison.
const (
	Text      Kind = iota // case-blind (Fold), then by code point
	Number                // integers and decimals, exact
	Bool                  // "true", "false"
	Date                  // "2006-01-02"
	DateTime              // "2006-01-02 15:04:05" in UTC
	Reference             // an id; text operators act on the display value of the record referred to
	Exact                 // byte by byte: ids, class names; text operators are case-blind here too
)

// Dictionary tells what a path such as "assigned_to.department.name" is on the table of the query.
type Dictionary interface {
	// Kind reports how the field at path compares; ok is false when there is no such field.
	Kind(path string) (kind Kind, ok bool)
}

// Node is one node of a condition: *And, *Or, *Term, or one that looks at other tables, *Related or *Exists.
type Node interface{ node() }

// And holds when all parts do; an empty And holds always.
type And struct{ Parts []Node }

// Or holds when any part does; an empty Or holds never.
type Or struct{ Parts []Node }

// Op is an operator in its canonical spelling.
type Op string

// The operators of the language. Spellings that mean the same are folded into one by Parse.
const (
	Equal        Op = "="
	NotEqual     Op = "!="
	Less         Op = "<"
	LessEqual    Op = "<="
	Greater      Op = ">"
	GreaterEqual Op = ">="
	In           Op = "IN"
	NotIn        Op = "NOT IN"
	Between      Op = "BETWEEN"
	IsEmpty      Op = "ISEMPTY"
	IsNotEmpty   Op = "ISNOTEMPTY"
	EmptyString  Op = "EMPTYSTRING"
	Anything     Op = "ANYTHING"
	SameAs       Op = "SAMEAS"
	NotSameAs    Op = "NSAMEAS"
	GTField      Op = "GT_FIELD"
	LTField      Op = "LT_FIELD"
	GEField      Op = "GT_OR_EQUALS_FIELD"
	LEField      Op = "LT_OR_EQUALS_FIELD"
	InstanceOf   Op = "INSTANCEOF"
	StartsWith   Op = "STARTSWITH"
	EndsWith     Op = "ENDSWITH"
	Like         Op = "LIKE"
	NotLike      Op = "NOT LIKE"
	On           Op = "ON"
	NotOn        Op = "NOTON"
	DatePart     Op = "DATEPART"
	MoreThan     Op = "MORETHAN"
	LessThan     Op = "LESSTHAN"
)

// Term compares the field at Field with Values. How many values an operator takes, and what they mean:
// none for the emptiness tests and Anything; one for comparisons and text operators; any number for In and NotIn;
// two (both ends inclusive) for Between, On and NotOn; one path for the operators that compare two fields, and for
// SameAs and NotSameAs on dates perhaps a Unit behind it, to which both are cut (in UTC) before they are compared;
// unit, comparison and number for DatePart (see Part; in UTC); path, Unit, "before" or "after" and number n for
// MoreThan and LessThan: Field lies before or after the path by more than n units, or by less (see Unit.Seconds), the
// same instant included.
// Relative dates and javascript: values are already resolved to plain values by Parse, and values stand in the
// canonical form of the field's kind where they have one (see Canonical).
//
// Null is in no comparison, range or list, and in no text operator, NotLike included. NotEqual, NotIn, NotSameAs and
// NotOn hold exactly where their opposite does not, so they keep nulls; but over a dotted path they, too, want the
// record reached to exist. Equal with "" is IsEmpty, NotEqual with "" is IsNotEmpty. A value that is none of the
// field's kind equals nothing, is in no order to anything, and empty elements of a list count for nothing. A date is
// its midnight where it is compared with a date-time.
type Term struct {
	Field  string
	Op     Op
	Values []string
}

func (*And) node()  {}
func (*Or) node()   {}
func (*Term) node() {}

// Order is one sort key.
type Order struct {
	Field string
	Desc  bool
}

// Query is a parsed encoded query.
type Query struct {
	Where   Node // nil means every record
	OrderBy []Order
	GroupBy []string
	Invalid []string // terms that named no field or operator; ignored, as the platform does
}
