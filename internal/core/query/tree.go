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
	Exact                 // byte by byte: ids, class names
)

// Dictionary tells what a path such as "assigned_to.department.name" is on the table of the query.
type Dictionary interface {
	// Kind reports how the field at path compares; ok is false when there is no such field.
	Kind(path string) (kind Kind, ok bool)
}

// Node is one node of a condition: *And, *Or or *Term.
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
// two (both ends inclusive) for Between, On and NotOn; one path for the operators that compare two fields;
// unit, comparison and number for DatePart; path, unit, "before" or "after" and number for MoreThan and LessThan.
// Relative dates and javascript: values are already resolved to plain values by Parse.
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
