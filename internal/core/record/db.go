package record

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"headrace/internal/core/fault"
)

// DB is a store with a catalog over it: what everybody uses.
type DB struct {
	store   Store
	system  []Table
	catalog atomic.Pointer[Catalog]
	checked atomic.Pointer[time.Time] // when the catalog was last compared with the store
	hooks   []Hook
	guard   Guard
	narrow  Narrower
	sealer  Sealer
	clock   func() time.Time
}

// Config is what Open needs besides a store.
type Config struct {
	Tables []Table          // tables of the product, declared by the packages that own them
	Hooks  []Hook           // in the order in which they run
	Guard  Guard            // who may do what; nil allows everything
	Narrow Narrower         // what rules add to queries; nil adds nothing
	Sealer Sealer           // keeps secrets; nil keeps them as they are given
	Clock  func() time.Time // nil is time.Now
}

// Open makes the product's tables in the store, loads the tables that users defined, and gives a DB over both.
// The store stays the caller's to close.
func Open(ctx context.Context, store Store, cfg Config) (*DB, error) {
	db := &DB{store: store, hooks: cfg.Hooks, guard: cfg.Guard, narrow: cfg.Narrow, sealer: cfg.Sealer, clock: cfg.Clock}
	if db.clock == nil {
		db.clock = time.Now
	}
	db.system = append(dictionaryTables(), changeTable(), revisionTable(), numberTable(), journalTable())
	db.system = append(db.system, cfg.Tables...)
	base, err := NewCatalog(db.system...)
	if err != nil {
		return nil, err
	}
	if _, err := store.Reshape(ctx, base, false); err != nil {
		return nil, err
	}
	db.use(base)
	return db, db.Reload(ctx)
}

// use takes over a catalog, unless a newer one is in use already.
func (db *DB) use(c *Catalog) {
	for {
		was := db.catalog.Load()
		if was != nil && was.revision > c.revision || db.catalog.CompareAndSwap(was, c) {
			return
		}
	}
}

// Own reports whether a table is the product's own: declared by one of its packages, or named like one.
func (db *DB) Own(name string) bool {
	return strings.HasPrefix(name, "sys_") || slices.ContainsFunc(db.system, func(t Table) bool { return t.Name == name })
}

// Catalog gives the tables as they are now.
func (db *DB) Catalog() *Catalog { return db.catalog.Load() }

// Store gives the store, for packages that own book-keeping tables.
func (db *DB) Store() Store { return db.store }

// Now is the clock of the DB, in UTC and whole seconds.
func (db *DB) Now() time.Time { return nowUTC(db.clock) }

// As gives a session for an actor.
func (db *DB) As(actor Actor) Session { return Session{db: db, actor: actor} }

// Table finds a table; a fault of kind NotFound, with the nearest name as a hint, when there is none.
func (db *DB) Table(name string) (*Table, error) {
	c := db.Catalog()
	if t := c.Table(name); t != nil {
		return t, nil
	}
	f := fault.New(fault.NotFound, "no table %q", name)
	if near := Nearest(name, c.Names()); near != "" {
		return nil, f.WithHint("did you mean %q?", near)
	}
	return nil, f.WithHint("`headrace table list` shows the tables; --create makes one from the data")
}

// Nearest finds the name most like the one given, for a hint; "" when none is like it.
func Nearest(name string, names []string) string {
	best, at := len(name)/2+1, ""
	for _, n := range names {
		if d := distance(name, n); d < best {
			best, at = d, n
		}
	}
	return at
}

// distance is the number of edits (insert, delete, replace) between two names.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
