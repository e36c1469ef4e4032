package record

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"headrace/internal/core/fault"
)

// notes is what a transaction has written that somebody must look at before it commits.
type notes struct {
	trace     string
	redefined []string // tables whose definitions were written
	defining  bool     // by Define itself, which needs no looking at
	product   bool     // what is defined comes with the product
}

// Define adds tables, or fields and indexes to tables, and remembers them in the dictionary. It returns the statements
// run, or with dryRun those that would be. Defining what is there already does nothing.
func (db *DB) Define(ctx context.Context, actor Actor, dryRun bool, tables ...Table) ([]string, error) {
	if err := db.As(actor).mayDefine(ctx); err != nil {
		return nil, err
	}
	next, steps, err := db.shape(ctx, dryRun, tables)
	if err != nil || dryRun {
		return steps, err
	}
	names := make([]string, len(tables))
	for i := range tables {
		names[i] = tables[i].Name
	}
	return steps, db.remember(ctx, actor, next, func(w *Writer) (bool, error) {
		return w.describe(ctx, next, next.own(names...), func(*Record) bool { return false })
	})
}

// Define is DB.Define within a transaction: the tables and fields are there when, and only if, it commits, and not before.
func (w *Writer) Define(ctx context.Context, tables ...Table) error {
	if err := w.session.mayDefine(ctx); err != nil {
		return err
	}
	next, err := w.session.db.Catalog().With(tables...)
	if err != nil {
		return err
	}
	names := make([]string, len(tables))
	for i := range tables {
		names[i] = tables[i].Name
	}
	was := w.notes.defining
	w.notes.defining = true
	changed, err := w.trusted().describe(ctx, next, next.own(names...), func(*Record) bool { return false })
	w.notes.defining = was
	if err != nil || !changed {
		return err
	}
	for _, name := range names {
		if !slices.Contains(w.notes.redefined, name) {
			w.notes.redefined = append(w.notes.redefined, name)
		}
	}
	return nil
}

// shape makes tables and columns, on top of what all processes have defined by now.
func (db *DB) shape(ctx context.Context, dryRun bool, tables []Table) (*Catalog, []string, error) {
	if err := db.catchUp(ctx); err != nil {
		return nil, nil, err
	}
	next, err := db.Catalog().With(tables...)
	if err != nil {
		return nil, nil, err
	}
	next.revision = db.Catalog().revision
	steps, err := db.store.Reshape(ctx, next, dryRun)
	return next, steps, err
}

var errNothing = errors.New("nothing to remember")

// remember writes definitions and uses the catalog that they make.
func (db *DB) remember(ctx context.Context, actor Actor, next *Catalog, describe func(*Writer) (bool, error)) error {
	now := next.revision
	err := db.store.Write(ctx, Durable, func(tx Tx) error {
		w := db.As(actor).Trusted().Quiet("definition").Writer(tx)
		w.notes.defining = true
		var err error
		if now, err = w.Bump(ctx, DictionaryTable); err != nil {
			return err
		}
		changed, err := describe(w)
		if err == nil && !changed {
			err = errNothing
		}
		return err
	})
	switch {
	case errors.Is(err, errNothing):
	case err != nil:
		return err
	case now != next.revision+1:
		return db.Reload(ctx)
	default:
		next.revision = now
	}
	db.use(next)
	return nil
}

// Declare is Define for tables that come with the product: what others have changed or removed in the dictionary stays
// as they left it, what they have not follows the product. actor is the product's own name, and nobody else's. Tables
// and fields in whose place users have made other ones are left alone and named.
func (db *DB) Declare(ctx context.Context, actor Actor, tables ...Table) (left []string, err error) {
	if err := db.catchUp(ctx); err != nil {
		return nil, err
	}
	tables, left = db.Catalog().fitting(tables)
	next, _, err := db.shape(ctx, false, tables)
	if err != nil {
		return left, err
	}
	others := func(r *Record) bool { return r.Get(SysUpdatedBy).Text != actor.Name }
	err = db.remember(ctx, actor, next, func(w *Writer) (bool, error) {
		w.notes.product = true
		changed, err := w.describe(ctx, next, tables, others)
		if err != nil {
			return false, err
		}
		linked, err := w.linkParents(ctx, next)
		return changed || linked, err
	})
	if err == nil {
		err = db.Reload(ctx) // what users changed is not in next
	}
	return left, err
}

// linkParents turns parents that older versions kept by name into references.
func (w *Writer) linkParents(ctx context.Context, c *Catalog) (changed bool, err error) {
	d, err := readDefinitions(ctx, w.tx, c)
	if err != nil {
		return false, err
	}
	ids := map[string]string{}
	for _, r := range d[ObjectTable] {
		ids[r.Get("name").Text] = r.ID()
	}
	for _, r := range d[ObjectTable] {
		if id := ids[r.Get("super_class").Text]; id != "" {
			if _, _, err := w.update(ctx, r.Table, r.ID(), []Assignment{{"super_class", Text(id)}}); err != nil {
				return false, err
			}
			changed = true
		}
	}
	return changed, nil
}

// Product lists the tables that come with the product and hold records: book-keeping is left out.
func (db *DB) Product() []Table {
	return slices.DeleteFunc(slices.Clone(db.system), func(t Table) bool { return t.Bare })
}

// fitting leaves out tables that users have made differently, those that extend them, and fields of another type.
func (c *Catalog) fitting(tables []Table) (fit []Table, left []string) {
	out := map[string]bool{}
	for _, t := range tables {
		have := c.Table(t.Name)
		switch {
		case out[t.Extends], have != nil && (have.Extends != t.Extends || t.Extendable && !have.Hierarchical()):
			out[t.Name] = true
			left = append(left, t.Name)
			continue
		case have == nil:
			have = c.Table(t.Extends)
		}
		t.Fields = slices.DeleteFunc(slices.Clone(t.Fields), func(f Field) bool {
			is := have != nil && have.Field(f.Name) != nil && have.Field(f.Name).Type != f.Type
			if is {
				left = append(left, t.Name+"."+f.Name)
			}
			return is
		})
		fit = append(fit, t)
	}
	return fit, left
}

// Reload reads the dictionary anew, for tables that another process defined.
func (db *DB) Reload(ctx context.Context) error {
	return db.store.Read(ctx, func(tx Tx) error {
		c := db.Catalog()
		n, err := revision(ctx, tx, c.Table(RevisionTable), DictionaryTable)
		if err != nil {
			return err
		}
		d, err := readDefinitions(ctx, tx, c)
		if err != nil {
			return err
		}
		next, err := db.resolve(d, n)
		if err == nil {
			db.use(next)
		}
		return err
	})
}

// resolve makes the catalog of the product's tables and those that are defined.
func (db *DB) resolve(d definitions, revision int64) (*Catalog, error) {
	c, err := NewCatalog(db.system...)
	if err != nil {
		return nil, err
	}
	if defined := d.tables(c); len(defined) > 0 {
		if c, err = c.With(defined...); err != nil {
			return nil, err
		}
	}
	c.revision = revision
	return c, nil
}

// staleFor is how long a catalog may be behind what other processes have defined.
const staleFor = time.Second

// Refresh takes over what other processes have defined, looking at most once a second: servers call it before they
// answer. A catalog that is behind is safe, tables are only ever added to; it just does not know the newest.
func (db *DB) Refresh(ctx context.Context) error {
	now := time.Now()
	last := db.checked.Load()
	if last != nil && now.Sub(*last) < staleFor || !db.checked.CompareAndSwap(last, &now) {
		return nil
	}
	return db.catchUp(ctx)
}

func (db *DB) catchUp(ctx context.Context) error {
	n, err := db.Revision(ctx, DictionaryTable)
	if err != nil || n == db.Catalog().revision {
		return err
	}
	return db.Reload(ctx)
}

// Redefines reports whether the transaction defines tables or fields: the catalog knows them only when it has committed.
func (w *Writer) Redefines() bool { return len(w.notes.redefined) > 0 }

// noteDefinition remembers that a definition was written.
func (w *Writer) noteDefinition(r *Record) {
	if name := r.Get("name").Text; isDictionary(r.Table) && !w.notes.defining && !slices.Contains(w.notes.redefined, name) {
		w.notes.redefined = append(w.notes.redefined, name)
	}
}

// redefine brings tables and catalog to what the dictionary says, after records of it were written like any others.
// What cannot be, fails the transaction.
func (w *Writer) redefine(ctx context.Context) (*Catalog, error) {
	db, names := w.session.db, w.notes.redefined
	w.notes.defining = true
	n, err := w.Bump(ctx, DictionaryTable)
	if err != nil {
		return nil, err
	}
	d, err := readDefinitions(ctx, w.tx, db.Catalog())
	if err != nil {
		return nil, err
	}
	next, err := db.resolve(d, n)
	if err != nil {
		return nil, err
	}
	if err := d.sound(next, names); err != nil {
		return nil, err
	}
	if _, err := w.tx.Reshape(ctx, next); err != nil {
		return nil, err
	}
	_, err = w.trusted().describe(ctx, next, next.own(names...), func(*Record) bool { return true })
	return next, err
}

// sound refuses definitions that say a thing twice, or something about nothing.
func (d definitions) sound(next *Catalog, names []string) error {
	seen := map[string]bool{}
	for _, table := range []string{ObjectTable, DictionaryTable, IndexTable} {
		for _, r := range d[table] {
			name, element := r.Get("name").Text, r.Get("element").Text
			if !slices.Contains(names, name) {
				continue
			}
			t := next.Table(name)
			if t == nil {
				return fault.New(fault.Invalid, "there is no table %q", name).WithHint("make the table first: a record of %s", ObjectTable)
			}
			if t.Bare {
				return fault.New(fault.Refused, "table %s is book-keeping and cannot be changed", name)
			}
			key := table + "\x00" + keyOfEntry(r)
			if seen[key] {
				return fault.New(fault.Conflict, "%s is defined already", strings.TrimSuffix(name+"."+element, "."))
			}
			seen[key] = true
			if f := t.Field(element); element != "" && !IsSystemField(element) && (f == nil || string(f.Type) != r.Get("internal_type").Text) {
				return fault.New(fault.Conflict, "field %s.%s comes with the product and stays what it is", name, element)
			}
		}
	}
	return nil
}

// fixed are the fields of the dictionary that say what a definition is about.
var fixed = map[string][]string{ObjectTable: {"name", "super_class"}, DictionaryTable: {"name", "element"},
	ChoiceTable: {"name", "element"}, IndexTable: {"name", "fields"}}

// checkDefinition refuses changes of the dictionary that tables cannot follow: they are only ever added to. A parent
// given by name is turned into its id.
func (w *Writer) checkDefinition(ctx context.Context, c *Change) error {
	t := c.table()
	if w.notes.defining || !isDictionary(t) {
		return nil
	}
	switch c.Operation {
	case Deleted:
		if t.Name == ChoiceTable {
			return nil
		}
		what := strings.Trim(c.Old.Get("name").Text+"."+c.Old.Get("element").Text, ".")
		return fault.New(fault.Refused, "%s cannot be removed: its values would go with it", what).
			WithHint("tables are only ever added to; leave it unused, or make another one")
	case Updated:
		for _, f := range fixed[t.Name] {
			if !c.Old.Get(f).Same(c.New.Get(f)) {
				return fault.New(fault.Refused, "field %s of %s cannot be changed: what it describes would be lost", f, t.Name).
					WithHint("make another one, and import into it")
			}
		}
		return nil
	}
	return w.checkNewDefinition(ctx, c.New)
}

func (w *Writer) checkNewDefinition(ctx context.Context, r *Record) error {
	name, element := r.Get("name").Text, r.Get("element").Text
	if r.Table.Name == DictionaryTable && element == "" {
		return fault.New(fault.Invalid, "the new field of table %q has no name", name).WithHint("give it as element")
	}
	if r.Table.Name != ObjectTable {
		return nil
	}
	if strings.HasPrefix(name, "sys_") {
		return fault.New(fault.Refused, "table %s: names that begin with sys_ are the product's own", name)
	}
	parent := r.Get("super_class")
	if parent.Empty() || w.session.db.Catalog().Table(parent.Text) == nil {
		return nil
	}
	ids, err := w.objectIDs(ctx, w.session.db.Catalog())
	if err == nil {
		r.Set("super_class", Text(ids(parent.Text)))
	}
	return err
}
