package record

import (
	"context"
	"iter"

	"headrace/internal/core/query"
)

// Rows is a block of rows under one shared header, stored flat: row i is Values[i*w : (i+1)*w] with w the number of
// Fields. Shared holds fields that have one value for every row of the block.
type Rows struct {
	Fields []string
	Values []Value
	Shared []Assignment
	// Checked says that the caller vouches for Values: canonical, UTF-8, no NUL character. The store does not look again.
	Checked bool
}

// Assignment gives a field a value.
type Assignment struct {
	Field string
	Value Value
}

// Len is the number of rows.
func (r *Rows) Len() int {
	if len(r.Fields) == 0 {
		return 0
	}
	return len(r.Values) / len(r.Fields)
}

// Row is row i, sharing memory with the block.
func (r *Rows) Row(i int) []Value { w := len(r.Fields); return r.Values[i*w : (i+1)*w : (i+1)*w] }

// Query asks a store for records of Table.
type Query struct {
	Table   *Table
	Fields  []string // what to return, dotted paths allowed; with Measures, the fields to group by
	Where   query.Node
	Keys    *Keys // a further condition, ANDed
	OrderBy []query.Order
	Limit   int // 0 is no limit
	Offset  int
	// Measures turn the query into an aggregate: one row per group, the group's fields first, then the measures.
	Measures []Measure
}

// Measure is an aggregate over a field: "count" (Field may be empty), "min", "max", "sum", "avg", "distinct".
type Measure struct{ Func, Field string }

// Keys holds when the fields of a record equal one of the tuples. Fold[i] compares field i case-blind (the tuples are
// then given folded). A null in a tuple equals null or the empty text.
type Keys struct {
	Fields []string
	Fold   []bool
	Tuples []Value // flat, len(Fields) a tuple
}

// Store is what a database must do. Everything else is Session's.
type Store interface {
	// Reshape brings the physical tables to what the catalog says, only ever adding. It returns the statements it ran, or,
	// with dryRun, would run.
	Reshape(ctx context.Context, want *Catalog, dryRun bool) ([]string, error)
	// Read gives fn a consistent view. Reads never wait for writers.
	Read(ctx context.Context, fn func(Tx) error) error
	// Write runs fn in one read-write transaction, committed when fn returns nil.
	Write(ctx context.Context, durability Durability, fn func(Tx) error) error
	Close() error
}

// SideBySide is a store that may have several write transactions open at once.
type SideBySide interface{ SideBySide() bool }

// Durability says what a commit survives.
type Durability uint8

const (
	// Durable commits survive the loss of power.
	Durable Durability = iota
	// Resumable commits survive the death of the process; after a loss of power the newest may be gone, whole, and
	// their writer knows how to repeat them. Only batches of an import use it.
	Resumable
)

// Tx is one transaction.
type Tx interface {
	// Select yields one slice per record, in the order of q.Fields (and q.Measures). The slice is only valid until the
	// next one; the texts in it stay valid. Writing inside the loop is not allowed.
	Select(ctx context.Context, q *Query) iter.Seq2[[]Value, error]
	// Insert adds rows. A broken unique index is a fault of kind Conflict, and none of the rows is added.
	Insert(ctx context.Context, t *Table, rows *Rows) error
	// Update sets the fields of rows on the records whose key is the row's: the first field is sys_id and the second
	// sys_mod_count, the value the caller saw (null: whatever it is). Each record written has its sys_mod_count raised
	// by one. It returns the positions of rows whose record is gone or was changed by somebody else; those are not
	// written. On bare tables the first fields are the key and there is no sys_mod_count.
	Update(ctx context.Context, t *Table, rows *Rows) (stale []int, err error)
	// Delete removes the records with these ids and tells how many there were. On bare tables keys are tuples, flat.
	Delete(ctx context.Context, t *Table, keys []Value) (int, error)
	// Reshape is Store.Reshape as part of the transaction: what it makes is there if and only if the transaction commits.
	Reshape(ctx context.Context, want *Catalog) ([]string, error)
	// Later runs fn, whose writes of single rows nobody waits for: they may be done as late as the end of the transaction,
	// what is wrong with them is said then, and updates call nothing stale.
	Later(ctx context.Context, fn func(Tx) error) error
	// Nest runs fn so that its writes vanish if it fails, while the transaction lives on.
	Nest(ctx context.Context, fn func(Tx) error) error
}
