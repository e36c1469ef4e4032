package query

// Related counts the records of Table whose Field, a path there, refers to the record in question and which meet
// Where (nil is all of them), and compares the count by Op: Equal, NotEqual, Less, LessEqual, Greater, GreaterEqual.
type Related struct {
	Table string
	Field string
	Op    Op
	Count int
	Where Node
}

// Exists holds when some record of Table has at Path, a path there, the value that Field has here, and meets Where
// (nil is every record). A null Field equals nothing.
type Exists struct {
	Field string
	Table string
	Path  string
	Where Node
}

func (*Related) node() {}
func (*Exists) node()  {}

// Tables is what a Dictionary has besides when queries may look at other tables. Without it such terms are invalid.
type Tables interface {
	// Dictionary gives the dictionary of another table, or nil when there is no such table.
	Dictionary(table string) Dictionary
}

// Classes is what a Dictionary has besides when its tables extend each other. Without it InstanceOf holds for the
// class named alone.
type Classes interface {
	// Subclasses lists the class and all that extend it, at any distance; nothing when there is no such class.
	Subclasses(class string) []string
}
