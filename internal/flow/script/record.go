package script

import (
	"strings"

	"github.com/dop251/goja"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// RecordOptions says how a record that the product hands to scripts behaves.
type RecordOptions struct {
	// Old is the record before the write, for changes() and its relatives; nil on insert.
	Old *record.Record
	// Operation is what operation() answers: "insert", "update", "delete" or "".
	Operation string
	// Abort is set when a script calls setAbortAction; nil where nothing can be aborted.
	Abort *bool
	// Errors collects what scripts say with setError, by field; nil keeps nothing.
	Errors map[string]string
}

// GlideRecord is a query builder, then a cursor, then the buffer of a row: the platform's record object.
type GlideRecord struct {
	s      *Scope
	name   string        // of the table, as the script gave it
	table  *record.Table // nil when there is none of that name
	secure bool          // the actor's rights hold
	obj    *goja.Object
	opt    RecordOptions

	conditions []*condition
	invalid    []string // terms that name no field
	order      []query.Order
	limit      int
	offset     int
	asking     query.Node // the whole condition of the query that ran
	cursor     cursor

	row      *record.Record // the buffer
	old      *record.Record // the row as it was read; nil for one that is not in the database
	isNew    bool           // made by newRecord
	set      map[string]bool
	guid     string // of the next insert
	quiet    bool   // setWorkflow(false)
	keepSys  bool   // autoSysFields(false)
	force    bool
	aborted  bool
	problem  string
	extras   map[string]goja.Value
	elements map[string]*goja.Object
	related  map[string]*record.Record
}

// recordClasses lists what makes the classes of records, each when it is first asked for.
func recordClasses() map[string]func(*Scope) {
	return map[string]func(*Scope){
		"GlideRecord":       func(s *Scope) { s.recordClass("GlideRecord", false) },
		"GlideRecordSecure": func(s *Scope) { s.recordClass("GlideRecordSecure", true) },
		"GlideElement": func(s *Scope) {
			s.class("GlideElement", s.elementMethod, s.madeBy("elements come from records"))
		},
		"GlideQueryCondition": func(s *Scope) {
			s.class("GlideQueryCondition", s.conditionMethod, s.madeBy("conditions come from addQuery"))
		},
		"GlideAggregate": func(s *Scope) {
			s.class("GlideAggregate", s.aggregateMethod, func(call goja.ConstructorCall) *goja.Object {
				return s.newAggregate(s.Text(call.Argument(0)))
			})
		},
	}
}

func (s *Scope) recordClass(name string, secure bool) {
	s.class(name, s.recordMethod, func(call goja.ConstructorCall) *goja.Object {
		g := s.newGlideRecord(s.Text(call.Argument(0)))
		g.secure = secure
		return g.wrap(name)
	})
}

// madeBy is the constructor of a class whose objects scripts do not make.
func (s *Scope) madeBy(message string) func(goja.ConstructorCall) *goja.Object {
	return func(goja.ConstructorCall) *goja.Object { panic(s.vm.NewTypeError(message)) }
}

func (s *Scope) newGlideRecord(name string) *GlideRecord {
	g := &GlideRecord{s: s, name: name, table: s.engine.cfg.DB.Catalog().Table(name)}
	if g.table == nil {
		s.Log(LogEntry{Level: "error", Message: "there is no table " + name})
		return g
	}
	g.clear()
	return g
}

func (g *GlideRecord) wrap(class string) *goja.Object {
	if g.obj == nil {
		g.obj = g.s.object(class, g)
	}
	return g.obj
}

// clear makes the buffer an empty row.
func (g *GlideRecord) clear() {
	if g.table == nil {
		return
	}
	g.row, g.old, g.isNew, g.set = record.NewRecord(g.table), nil, false, nil
	g.related = nil
}

// Record makes the object that scripts know as current, previous, source or target: live over r, whose values are what
// scripts assign. r need not be of a table in the database.
func (s *Scope) Record(r *record.Record, opt RecordOptions) *GlideRecord {
	return &GlideRecord{s: s, name: r.Table.Name, table: r.Table, row: r, old: opt.Old, opt: opt, isNew: opt.Operation == "insert"}
}

// Query makes the object that rules about queries know as current: a query on t, to which they add conditions. abort is set
// when one of them calls setAbortAction.
func (s *Scope) Query(t *record.Table, abort *bool) *GlideRecord {
	g := &GlideRecord{s: s, name: t.Name, table: t, opt: RecordOptions{Operation: "query", Abort: abort}}
	g.clear()
	return g
}

// Where is the condition of the query that the record is; a term that names no field finds nothing.
func (g *GlideRecord) Where() query.Node { return g.where() }

// narrowed is the condition with what rules about queries add to it, unless setWorkflow(false) turned them off. A secure
// record is narrowed where it is read.
func (g *GlideRecord) narrowed() query.Node {
	where := g.where()
	if g.quiet || g.secure {
		return where
	}
	added, err := g.s.env.Session.Narrow(g.s.ctx, g.table)
	switch {
	case err != nil:
		g.s.Throw(err)
	case added != nil && where != nil:
		return &query.And{Parts: []query.Node{where, added}}
	case added != nil:
		return added
	}
	return where
}

// Object is the record as scripts see it; always the same one.
func (g *GlideRecord) Object() *goja.Object { return g.wrap("GlideRecord") }

// RecordOf finds the record behind a value of a script.
func (s *Scope) RecordOf(v goja.Value) (*GlideRecord, bool) {
	o, ok := v.(*goja.Object)
	if !ok {
		return nil, false
	}
	g, ok := o.Export().(*GlideRecord)
	return g, ok
}

// Current is the row that the record stands on, or its buffer; nil when its table does not exist.
func (g *GlideRecord) Current() *record.Record { return g.row }

// Table is the record's table; nil when it does not exist.
func (g *GlideRecord) Table() *record.Table { return g.table }

// Use puts another row behind the record, as when a batch goes from row to row.
func (g *GlideRecord) Use(r, old *record.Record, operation string) {
	g.row, g.old, g.opt.Old, g.opt.Operation, g.related, g.set = r, old, old, operation, nil, nil
	g.isNew = operation == "insert"
}

// Get implements goja.DynamicObject: a field as an element; methods come from the prototype and win over fields.
func (g *GlideRecord) Get(name string) goja.Value {
	if v, ok := g.extras[name]; ok {
		return v
	}
	if _, ok := recordMethods[name]; ok || g.table == nil {
		return nil
	}
	if g.table.Field(name) == nil {
		return nil
	}
	return g.element(name)
}

// Set implements goja.DynamicObject.
func (g *GlideRecord) Set(name string, v goja.Value) bool {
	if g.table == nil || g.table.Field(name) == nil {
		if g.extras == nil {
			g.extras = map[string]goja.Value{}
		}
		g.extras[name] = v
		return true
	}
	g.assign(name, g.s.fieldText(v))
	return true
}

// Has implements goja.DynamicObject.
func (g *GlideRecord) Has(name string) bool { return g.table != nil && g.table.Field(name) != nil }

// Delete implements goja.DynamicObject.
func (g *GlideRecord) Delete(name string) bool { delete(g.extras, name); return true }

// Keys implements goja.DynamicObject.
func (g *GlideRecord) Keys() []string {
	if g.table == nil {
		return nil
	}
	return g.table.Names()
}

// fieldText is the text that assigning a value to a field stores.
func (s *Scope) fieldText(v goja.Value) string {
	if v == nil || goja.IsNull(v) || goja.IsUndefined(v) {
		return ""
	}
	if g, ok := s.RecordOf(v); ok { // a reference field takes a record
		return g.row.ID()
	}
	return v.String()
}

// assign sets a field of the buffer. The reserved word NULL empties it.
func (g *GlideRecord) assign(name, text string) {
	f := g.table.Field(name)
	if f == nil || g.row == nil {
		return
	}
	if text == "NULL" {
		text = ""
	}
	g.row.Set(name, g.canonical(f, text))
	if g.set == nil {
		g.set = map[string]bool{}
	}
	g.set[name] = true
}

// canonical is a text as the store keeps it. What cannot be read stays as it is: the write will refuse it and say so.
func (g *GlideRecord) canonical(f *record.Field, text string) record.Value {
	if text == "" {
		return record.Null
	}
	if f.Type.Kind() == query.Bool {
		text = map[string]string{"1": "true", "0": "false"}[text] + strings.Repeat(text, btoi(text != "1" && text != "0"))
	}
	v, err := f.Value(record.Text(text))
	if err == nil {
		return v
	}
	if g.opt.Operation != "" {
		g.s.Throw(fault.Wrap(fault.Invalid, err, "field %s.%s: %v", g.table.Name, f.Name, err))
	}
	return record.Text(text)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// session is who writes through the record.
func (g *GlideRecord) session() record.Session {
	out := g.reader()
	if g.quiet {
		out = out.Quiet("setWorkflow(false)")
	}
	if g.keepSys {
		out = out.KeepSysFields()
	}
	if g.force {
		out = out.Force()
	}
	return out
}

// reader is who reads: the actor himself in a secure record, else somebody who may read everything.
func (g *GlideRecord) reader() record.Session {
	if !g.secure {
		return g.s.env.Session.Trusted()
	}
	return g.s.env.Session.Enforced()
}

// where is the whole condition; a query with a term that names no field finds nothing, so that a mistake never means every
// record.
func (g *GlideRecord) where() query.Node {
	if len(g.invalid) > 0 {
		return &query.Or{}
	}
	parts := make([]query.Node, 0, len(g.conditions))
	for _, c := range g.conditions {
		if c.node != nil {
			parts = append(parts, c.node)
		}
	}
	switch len(parts) {
	case 0:
		return nil
	case 1:
		return parts[0]
	}
	return &query.And{Parts: parts}
}

// add parses an encoded query and adds its condition.
func (g *GlideRecord) add(text string) *condition {
	c := &condition{g: g}
	if g.table == nil {
		return c
	}
	q, err := query.Parse(text, g.table, g.s.queryEnv())
	if err != nil {
		g.s.Throw(err)
	}
	if len(q.Invalid) > 0 {
		g.invalid = append(g.invalid, q.Invalid...)
		g.s.Log(LogEntry{Level: "error", Message: "a query on " + g.name + " names no field: " + strings.Join(q.Invalid, ", ") + "; it finds nothing"})
	}
	c.node = q.Where
	g.order = append(g.order, q.OrderBy...)
	g.conditions = append(g.conditions, c)
	return c
}

func (s *Scope) queryEnv() query.Env {
	actor := s.env.Session.Actor()
	return query.Env{Now: s.engine.Now(), UserID: s.env.User, UserName: actor.Name, UserDisplay: actor.Name}
}

// term is one condition as the query language writes it.
func term(field, op, value string) string {
	return field + op + strings.ReplaceAll(value, "^", "^^")
}

// listText is the value of a condition: arrays as a list.
func (s *Scope) listText(v goja.Value) string {
	if list, ok := v.Export().([]any); ok {
		texts := make([]string, len(list))
		for i := range list {
			texts[i] = s.Text(s.vm.ToValue(list[i]))
		}
		return strings.Join(texts, ",")
	}
	return s.fieldText(v)
}

// find reads the first record of an encoded query.
func (g *GlideRecord) find(text string) bool {
	before := len(g.conditions)
	g.add(text)
	g.query()
	g.conditions = g.conditions[:before] // the next get asks anew
	return g.next()
}

// values lists what an insert writes: all that is set.
func (g *GlideRecord) values() []record.Assignment {
	var out []record.Assignment
	for i := range g.table.Fields {
		f := &g.table.Fields[i]
		if f.Name == record.SysID && g.guid != "" {
			continue
		}
		if g.row.Values[i].Valid {
			out = append(out, record.Assignment{Field: f.Name, Value: g.row.Values[i]})
		} else if g.set[f.Name] { // emptied on purpose: not the default
			out = append(out, record.Assignment{Field: f.Name, Value: record.Null})
		}
	}
	if g.guid != "" {
		out = append(out, record.Assignment{Field: record.SysID, Value: record.Text(g.guid)})
	}
	return out
}

// differing lists what an update writes.
func (g *GlideRecord) differing() []record.Assignment {
	var out []record.Assignment
	for i := range g.table.Fields {
		f := &g.table.Fields[i]
		if record.IsSystemField(f.Name) && !g.keepSys {
			continue
		}
		if !g.row.Values[i].Same(g.old.Values[i]) {
			out = append(out, record.Assignment{Field: f.Name, Value: g.row.Values[i]})
		}
	}
	return out
}

func (g *GlideRecord) insert() goja.Value {
	if g.table == nil || g.row == nil {
		return goja.Null()
	}
	return g.written(func(w *record.Writer) (*record.Record, error) { return w.Insert(g.s.ctx, g.table, g.values()) })
}

// update writes what differs of the current row; without one, it inserts.
func (g *GlideRecord) update() goja.Value {
	if g.table == nil || g.row == nil {
		return goja.Null()
	}
	if g.old == nil {
		if g.opt.Operation != "insert" {
			return g.insert()
		}
		if g.old = g.stored(); g.old == nil {
			return goja.Null() // a record about to be inserted
		}
	}
	changes := g.differing()
	if len(changes) == 0 && !g.force {
		return g.s.vm.ToValue(g.row.ID())
	}
	id := g.old.ID()
	return g.written(func(w *record.Writer) (*record.Record, error) {
		r, _, err := w.Update(g.s.ctx, g.table, id, changes)
		return r, err
	})
}

// stored reads the record as it is in the database; nil when it is not there.
func (g *GlideRecord) stored() *record.Record { return g.byID(g.table, g.row.ID()) }

// written runs a write and makes its outcome the current row. A write that is refused gives null, and getLastErrorMessage
// says why.
func (g *GlideRecord) written(write func(*record.Writer) (*record.Record, error)) goja.Value {
	var r *record.Record
	err := g.s.write(g.session(), g.table, func(w *record.Writer) (err error) { r, err = write(w); return err })
	if err != nil {
		return g.refused(err)
	}
	g.guid, g.isNew, g.set, g.related = "", false, nil, nil
	copy(g.row.Values, r.Values)
	g.old = r.Clone()
	return g.s.vm.ToValue(r.ID())
}

// refused notes why a write did not happen; errors that are about more than the record end the script.
func (g *GlideRecord) refused(err error) goja.Value {
	switch fault.KindOf(err) {
	case fault.Invalid, fault.Conflict, fault.Denied, fault.NotFound, fault.Refused:
	default:
		g.s.Throw(err)
	}
	g.problem, g.aborted = err.Error(), fault.KindOf(err) == fault.Refused
	g.s.Log(LogEntry{Level: "error", Message: g.name + ": " + g.problem})
	return goja.Null()
}

// byID reads a record as this one's reader may; nil when there is none that he may read.
func (g *GlideRecord) byID(t *record.Table, id string) *record.Record {
	if id == "" || t == nil {
		return nil
	}
	other := &GlideRecord{s: g.s, name: t.Name, table: t, secure: g.secure}
	found := other.read(&record.Query{Table: t, Fields: t.Names(), Keys: idKeys(id), Limit: 1})
	if len(found) == 0 {
		return nil
	}
	return found[0]
}

func idKeys(ids ...string) *record.Keys {
	k := &record.Keys{Fields: []string{record.SysID}, Fold: []bool{false}}
	for _, id := range ids {
		k.Tuples = append(k.Tuples, record.Text(id))
	}
	return k
}
