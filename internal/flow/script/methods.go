package script

import (
	"slices"
	"strings"

	"github.com/dop251/goja"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// args are the arguments of a call, as texts and numbers.
type args struct {
	s *Scope
	goja.FunctionCall
}

func (a args) text(i int) string { return a.s.Text(a.Argument(i)) }
func (a args) int(i int) int     { return int(a.Argument(i).ToInteger()) }
func (a args) given(i int) bool {
	return len(a.Arguments) > i && !goja.IsUndefined(a.Arguments[i])
}

// flag is a boolean argument; not given means true.
func (a args) flag(i int) bool {
	return !a.given(i) || a.s.Truth(a.Argument(i)) && a.text(i) != "false"
}

func (s *Scope) recordMethod(name string) func(goja.FunctionCall) goja.Value {
	m, ok := recordMethods[name]
	if !ok {
		return nil
	}
	return func(call goja.FunctionCall) goja.Value {
		g, ok := s.RecordOf(call.This)
		if !ok {
			panic(s.vm.NewTypeError("%s is a method of GlideRecord", name))
		}
		v := m(g, args{s, call})
		if v == nil {
			return goja.Undefined()
		}
		if value, ok := v.(goja.Value); ok {
			return value
		}
		return s.vm.ToValue(v)
	}
}

// recordMethods are the methods of GlideRecord and GlideRecordSecure, with the platform's names and quirks. What they return
// becomes a value; nil is undefined.
var recordMethods = map[string]func(g *GlideRecord, a args) any{
	"addQuery":              func(g *GlideRecord, a args) any { return g.addQuery(a) },
	"addEncodedQuery":       func(g *GlideRecord, a args) any { g.add(a.text(0)); return nil },
	"addSystemEncodedQuery": func(g *GlideRecord, a args) any { g.add(a.text(0)); return nil },
	"addUserEncodedQuery":   func(g *GlideRecord, a args) any { g.add(a.text(0)); return nil },
	"addNullQuery":          func(g *GlideRecord, a args) any { return g.add(a.text(0) + "ISEMPTY").object() },
	"addNotNullQuery":       func(g *GlideRecord, a args) any { return g.add(a.text(0) + "ISNOTEMPTY").object() },
	"addActiveQuery":        func(g *GlideRecord, a args) any { return g.add("active=true").object() },
	"addInactiveQuery":      func(g *GlideRecord, a args) any { return g.add("active=false").object() },
	"addJoinQuery":          func(g *GlideRecord, a args) any { return g.addJoin(a) },
	"orderBy":               func(g *GlideRecord, a args) any { g.sort(a.text(0), false); return nil },
	"orderByDesc":           func(g *GlideRecord, a args) any { g.sort(a.text(0), true); return nil },
	"setLimit":              func(g *GlideRecord, a args) any { g.limit, g.offset = a.int(0), 0; return nil },
	"chooseWindow":          func(g *GlideRecord, a args) any { g.offset, g.limit = a.int(0), a.int(1)-a.int(0); return nil },
	"setNoCount":            func(*GlideRecord, args) any { return nil },
	"setCategory":           func(*GlideRecord, args) any { return nil },
	"setQueryReferences":    func(*GlideRecord, args) any { return nil },
	"setUseEngines":         func(*GlideRecord, args) any { return nil },
	"query":                 func(g *GlideRecord, a args) any { return g.runQuery(a) },
	"_query":                func(g *GlideRecord, a args) any { return g.runQuery(a) },
	"next":                  func(g *GlideRecord, _ args) any { return g.next() },
	"_next":                 func(g *GlideRecord, _ args) any { return g.next() },
	"hasNext":               func(g *GlideRecord, _ args) any { return g.hasNext() },
	"get":                   func(g *GlideRecord, a args) any { return g.get(a) },
	"find":                  func(g *GlideRecord, a args) any { return g.seek(a.text(0), a.text(1)) },
	"initialize":            func(g *GlideRecord, _ args) any { g.clear(); return nil },
	"newRecord":             func(g *GlideRecord, _ args) any { g.begin(); return nil },
	"isNewRecord":           func(g *GlideRecord, _ args) any { return g.isNew },
	"isValid":               func(g *GlideRecord, _ args) any { return g.table != nil },
	"isValidField":          func(g *GlideRecord, a args) any { return g.table != nil && g.table.Field(a.text(0)) != nil },
	"isValidRecord":         func(g *GlideRecord, _ args) any { return g.old != nil || g.opt.Operation != "" },
	"isView":                func(*GlideRecord, args) any { return false },
	"isValidEncodedQuery":   func(g *GlideRecord, a args) any { return g.understands(a.text(0)) },
	"isEncodedQueryValid":   func(g *GlideRecord, a args) any { return g.understands(a.text(0)) },
	"insert":                func(g *GlideRecord, _ args) any { return g.insert() },
	"update":                func(g *GlideRecord, _ args) any { return g.update() },
	"insertWithReferences":  func(g *GlideRecord, _ args) any { return g.insert() },
	"updateWithReferences":  func(g *GlideRecord, _ args) any { return g.update() },
	"updateMultiple":        func(g *GlideRecord, _ args) any { g.updateMultiple(); return nil },
	"deleteRecord":          func(g *GlideRecord, _ args) any { return g.deleteRecord() },
	"deleteMultiple":        func(g *GlideRecord, _ args) any { g.deleteMultiple(); return nil },
	"setValue":              func(g *GlideRecord, a args) any { g.setValue(a.text(0), a.Argument(1)); return nil },
	"setDisplayValue":       func(g *GlideRecord, a args) any { g.setDisplay(a.text(0), a.text(1)); return nil },
	"getValue":              func(g *GlideRecord, a args) any { return g.valueOf(a.text(0)) },
	"getDisplayValue":       func(g *GlideRecord, a args) any { return g.display(a) },
	"getElement":            func(g *GlideRecord, a args) any { return g.element(a.text(0)) },
	"getElements":           func(g *GlideRecord, _ args) any { return g.all() },
	"getFields":             func(g *GlideRecord, _ args) any { return g.all() },
	"getUniqueValue":        func(g *GlideRecord, _ args) any { return g.valueOf(record.SysID) },
	"getTableName":          func(g *GlideRecord, _ args) any { return g.name },
	"getRecordClassName":    func(g *GlideRecord, _ args) any { return g.className() },
	"getClassDisplayValue":  func(g *GlideRecord, _ args) any { return g.label(g.className()) },
	"getLabel":              func(g *GlideRecord, _ args) any { return g.label(g.name) },
	"getPlural":             func(g *GlideRecord, _ args) any { return g.label(g.name) + "s" },
	"getEncodedQuery":       func(g *GlideRecord, _ args) any { return g.encoded() },
	"getLink":               func(g *GlideRecord, _ args) any { return g.name + ".do?sys_id=" + g.id() },
	"getRowCount":           func(g *GlideRecord, _ args) any { return g.count() },
	"getRowNumber":          func(g *GlideRecord, _ args) any { return g.rowNumber() },
	"getLocation":           func(g *GlideRecord, _ args) any { return g.rowNumber() },
	"getLastErrorMessage":   func(g *GlideRecord, _ args) any { return g.problem },
	"getED":                 func(g *GlideRecord, _ args) any { return g.descriptor("") },
	"getAttribute":          func(*GlideRecord, args) any { return goja.Null() },
	"operation":             func(g *GlideRecord, _ args) any { return orNull(g.opt.Operation) },
	"changes":               func(g *GlideRecord, _ args) any { return g.changed() },
	"canRead":               func(g *GlideRecord, _ args) any { return g.may(record.Read) },
	"canWrite":              func(g *GlideRecord, _ args) any { return g.may(record.Write) },
	"canCreate":             func(g *GlideRecord, _ args) any { return g.may(record.Create) },
	"canDelete":             func(g *GlideRecord, _ args) any { return g.may(record.Delete) },
	"setWorkflow":           func(g *GlideRecord, a args) any { g.quiet = !a.flag(0); return nil },
	"autoSysFields":         func(g *GlideRecord, a args) any { g.keepSys = !a.flag(0); return nil },
	"setForceUpdate":        func(g *GlideRecord, a args) any { g.force = a.flag(0); return nil },
	"setAbortAction":        func(g *GlideRecord, a args) any { g.abort(a.flag(0)); return nil },
	"isActionAborted":       func(g *GlideRecord, _ args) any { return g.aborted || g.opt.Abort != nil && *g.opt.Abort },
	"setNewGuid": func(g *GlideRecord, _ args) any {
		g.guid = record.NewID()
		g.row.Set(record.SysID, record.Text(g.guid))
		return g.guid
	},
	"setNewGuidValue": func(g *GlideRecord, a args) any {
		g.guid = a.text(0)
		g.row.Set(record.SysID, record.Text(g.guid))
		return nil
	},
	"applyEncodedQuery":          func(g *GlideRecord, a args) any { g.apply(a.text(0)); return nil },
	"hasAttachments":             func(g *GlideRecord, _ args) any { return g.hasAttachments() },
	"instanceOf":                 func(g *GlideRecord, a args) any { return g.instanceOf(a.text(0)) },
	"toString":                   func(g *GlideRecord, _ args) any { return g.String() },
	"disableSysIdInOptimization": func(*GlideRecord, args) any { return nil },
}

func orNull(text string) any {
	if text == "" {
		return goja.Null()
	}
	return text
}

// String names the record in texts.
func (g *GlideRecord) String() string {
	if g.row == nil {
		return ""
	}
	return g.row.Display()
}

func (g *GlideRecord) id() string {
	if g.row == nil {
		return ""
	}
	return g.row.ID()
}

// addQuery takes a field and a value, a field, an operator and a value, or an encoded query.
func (g *GlideRecord) addQuery(a args) *goja.Object {
	switch {
	case len(a.Arguments) == 0:
		return (&condition{g: g}).object()
	case !a.given(1):
		return g.add(a.text(0)).object()
	case !a.given(2):
		return g.add(term(a.text(0), "=", a.s.listText(a.Argument(1)))).object()
	}
	return g.add(term(a.text(0), operator(a.text(1)), a.s.listText(a.Argument(2)))).object()
}

// operator is an operator of addQuery as the query language spells it.
func operator(text string) string {
	switch op := strings.ToUpper(strings.TrimSpace(text)); op {
	case "<>", "NOT":
		return "!="
	case "==":
		return "="
	default:
		return op
	}
}

// addJoin asks that some record of another table refers to this one.
func (g *GlideRecord) addJoin(a args) *goja.Object {
	table, field, other := a.text(0), record.SysID, a.text(2)
	if a.given(1) {
		field = a.text(1)
	}
	t := g.s.engine.cfg.DB.Catalog().Table(table)
	if t == nil {
		g.invalid = append(g.invalid, "JOIN "+table)
		return (&condition{g: g}).object()
	}
	if other == "" {
		for _, f := range t.Fields {
			if f.Type == record.Reference && g.table != nil && f.Reference == g.table.Name {
				other = f.Name
				break
			}
		}
	}
	c := &condition{g: g, node: &query.Exists{Field: field, Table: t.Name, Path: other}}
	g.conditions = append(g.conditions, c)
	return c.object()
}

func (g *GlideRecord) sort(field string, desc bool) {
	if g.table == nil {
		return
	}
	if _, ok := g.table.Kind(field); ok {
		g.order = append(g.order, query.Order{Field: field, Desc: desc})
	}
}

func (g *GlideRecord) runQuery(a args) any {
	if len(a.Arguments) >= 2 {
		g.add(term(a.text(0), "=", a.s.listText(a.Argument(1))))
	}
	g.query()
	return nil
}

// get finds a record by a field, by its id, or, where no id is like that, by its display value.
func (g *GlideRecord) get(a args) bool {
	if g.table == nil {
		return false
	}
	if a.given(1) {
		return g.find(term(a.text(0), "=", a.text(1)))
	}
	id := a.text(0)
	if id == "" {
		return false
	}
	before := len(g.conditions)
	if g.find(term(record.SysID, "=", id)) {
		return true
	}
	g.conditions = g.conditions[:before]
	return g.find(term(g.table.DisplayField().Name, "=", id))
}

func (g *GlideRecord) seek(field, value string) bool {
	for g.next() {
		if g.row.Get(field).Text == value {
			return true
		}
	}
	return false
}

// begin makes an empty buffer with defaults and an id.
func (g *GlideRecord) begin() {
	if g.table == nil {
		return
	}
	g.clear()
	for i := range g.table.Fields {
		if f := &g.table.Fields[i]; f.Default != "" {
			g.row.Values[i] = record.Text(f.Default)
		}
	}
	g.guid, g.isNew = record.NewID(), true
	g.row.Set(record.SysID, record.Text(g.guid))
}

func (g *GlideRecord) understands(text string) bool {
	if g.table == nil {
		return false
	}
	q, err := query.Parse(text, g.table, g.s.queryEnv())
	return err == nil && len(q.Invalid) == 0
}

func (g *GlideRecord) updateMultiple() {
	var values []record.Assignment
	for name := range g.set {
		values = append(values, record.Assignment{Field: name, Value: g.row.Get(name)})
	}
	g.eachID("updateMultiple", func(w *record.Writer, id string) error {
		_, _, err := w.Update(g.s.ctx, g.table, id, values)
		return err
	})
}

func (g *GlideRecord) deleteMultiple() {
	g.eachID("deleteMultiple", func(w *record.Writer, id string) error { return w.Delete(g.s.ctx, g.table, id) })
}

func refuse(what, table string, invalid []string) error {
	return fault.New(fault.Invalid, "%s on %s: the query names no field: %s", what, table, strings.Join(invalid, ", ")).
		WithHint("it would have meant every record")
}

func (g *GlideRecord) deleteRecord() bool {
	if g.table == nil || g.row == nil || g.row.ID() == "" {
		return false
	}
	err := g.s.write(g.session(), g.table, func(w *record.Writer) error { return w.Delete(g.s.ctx, g.table, g.row.ID()) })
	if err != nil {
		g.refused(err)
	}
	return err == nil
}

// setValue ignores null, as the platform does.
func (g *GlideRecord) setValue(name string, v goja.Value) {
	if v == nil || goja.IsNull(v) || goja.IsUndefined(v) || g.table == nil {
		return
	}
	g.assign(name, g.s.fieldText(v))
}

// valueOf is getValue: null when empty, booleans as 1 and 0.
func (g *GlideRecord) valueOf(path string) any {
	r, f := g.walk(path)
	if f == nil {
		return goja.Null()
	}
	v := r.Get(f.Name)
	switch {
	case v.Empty():
		return goja.Null()
	case f.Type.Kind() == query.Bool:
		return map[string]string{"true": "1", "false": "0"}[v.Text]
	}
	return v.Text
}

func (g *GlideRecord) display(a args) any {
	if a.given(0) {
		return g.displayOf(a.text(0))
	}
	if g.table == nil || g.row == nil {
		return goja.Null()
	}
	return g.displayOf(g.table.DisplayField().Name)
}

func (g *GlideRecord) all() any {
	if g.table == nil {
		return []any{}
	}
	out := make([]any, len(g.table.Fields))
	for i := range g.table.Fields {
		out[i] = g.element(g.table.Fields[i].Name)
	}
	list := g.s.vm.NewArray(out...)
	for name, f := range map[string]func(goja.FunctionCall) goja.Value{ // a Java list, too
		"size": func(goja.FunctionCall) goja.Value { return g.s.vm.ToValue(len(out)) },
		"get":  func(call goja.FunctionCall) goja.Value { return list.Get(call.Argument(0).String()) },
	} {
		if err := list.DefineDataProperty(name, g.s.vm.ToValue(f), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE); err != nil {
			g.s.Throw(err)
		}
	}
	return list
}

func (g *GlideRecord) className() string {
	if g.row != nil {
		if class := g.row.Get(record.SysClassName).Text; class != "" {
			return class
		}
	}
	return g.name
}

func (g *GlideRecord) label(table string) string {
	if t := g.s.engine.cfg.DB.Catalog().Table(table); t != nil {
		return t.Title()
	}
	return table
}

// encoded is the query as text, its sort keys behind it.
func (g *GlideRecord) encoded() string {
	text := ""
	if where := g.where(); where != nil {
		text, _ = query.Encode(where)
	}
	for _, o := range g.order {
		text += map[bool]string{false: "^ORDERBY", true: "^ORDERBYDESC"}[o.Desc] + o.Field
	}
	return strings.TrimPrefix(text, "^")
}

// changed reports whether any field differs from what the record was.
func (g *GlideRecord) changed() bool {
	if g.row == nil {
		return false
	}
	if g.old == nil {
		return g.opt.Operation == "insert"
	}
	return len(g.differing()) > 0
}

// may asks the Guard for the actor, who may be different from what the record itself may do.
func (g *GlideRecord) may(a record.Access) bool {
	if g.table == nil {
		return false
	}
	p, err := g.s.env.Session.Enforced().Permit(g.s.ctx, g.table, a)
	if err != nil {
		g.s.Throw(err)
	}
	if p.Free() || p.Denied || g.old == nil {
		return !p.Denied
	}
	found := g.read(&record.Query{Table: g.table, Fields: []string{record.SysID}, Where: p.Where, Keys: idKeys(g.old.ID())})
	return len(found) > 0
}

func (g *GlideRecord) abort(yes bool) {
	g.aborted = yes
	if g.opt.Abort != nil {
		*g.opt.Abort = yes
	}
}

// apply sets the fields that equality terms of an encoded query name.
func (g *GlideRecord) apply(text string) {
	if g.table == nil {
		return
	}
	q, err := query.Parse(text, g.table, g.s.queryEnv())
	if err != nil {
		g.s.Throw(err)
	}
	for _, t := range query.Needed(q.Where) {
		if t.Op == query.Equal {
			g.assign(t.Field, t.Values[0])
		}
	}
}

func (g *GlideRecord) hasAttachments() bool {
	t := g.s.engine.cfg.DB.Catalog().Table("sys_attachment")
	if t == nil || g.id() == "" {
		return false
	}
	a := &GlideRecord{s: g.s, name: t.Name, table: t, secure: g.secure}
	a.clear()
	return a.find(term("table_name", "=", g.name) + "^" + term("table_sys_id", "=", g.id()))
}

func (g *GlideRecord) instanceOf(table string) bool {
	c := g.s.engine.cfg.DB.Catalog()
	for t := c.Table(g.className()); t != nil; t = c.Table(t.Extends) {
		if t.Name == table {
			return true
		}
	}
	return false
}

// related reads the record that a reference names, once for each row.
func (g *GlideRecord) relatedRecord(f *record.Field, id string) *record.Record {
	if id == "" {
		return nil
	}
	key := f.Reference + ":" + id
	if r, ok := g.related[key]; ok {
		return r
	}
	r := g.byID(g.s.engine.cfg.DB.Catalog().Table(f.Reference), id)
	if g.related == nil {
		g.related = map[string]*record.Record{}
	}
	g.related[key] = r
	return r
}

// walk goes along a dotted path. It gives the record and the field at its end; a nil field when there is none, or a link on
// the way is empty.
func (g *GlideRecord) walk(path string) (*record.Record, *record.Field) {
	if g.table == nil || g.row == nil {
		return nil, nil
	}
	r := g.row
	for {
		name, rest, dotted := strings.Cut(path, ".")
		f := r.Table.Field(name)
		if f == nil || !dotted {
			return r, f
		}
		if r = g.relatedRecord(f, r.Get(name).Text); r == nil {
			return nil, nil
		}
		path = rest
	}
}

// fieldAt describes the field at the end of a dotted path, whatever the records on the way; nil when there is none.
func (g *GlideRecord) fieldAt(path string) (*record.Table, *record.Field) {
	t := g.table
	for t != nil {
		name, rest, dotted := strings.Cut(path, ".")
		f := t.Field(name)
		if f == nil || !dotted {
			return t, f
		}
		t, path = g.s.engine.cfg.DB.Catalog().Table(f.Reference), rest
	}
	return nil, nil
}

// displayOf is what people see of a field: labels of choices, display values of references.
func (g *GlideRecord) displayOf(path string) string {
	r, f := g.walk(path)
	if f == nil {
		return ""
	}
	text := r.Get(f.Name).Text
	if text == "" {
		return ""
	}
	if f.Type == record.Reference && f.Reference != "" {
		if to := g.relatedRecord(f, text); to != nil {
			return to.Display()
		}
		return text
	}
	if at := slices.IndexFunc(f.Choices, func(c record.Option) bool { return c.Value == text }); at >= 0 && f.Choices[at].Label != "" {
		return f.Choices[at].Label
	}
	return g.s.shownDate(f.Type, text)
}

// setDisplay sets a field by what people see.
func (g *GlideRecord) setDisplay(name, text string) {
	if g.table == nil {
		return
	}
	f := g.table.Field(name)
	if f == nil {
		return
	}
	if at := slices.IndexFunc(f.Choices, func(c record.Option) bool { return query.Fold(c.Label) == query.Fold(text) }); at >= 0 {
		text = f.Choices[at].Value
	}
	if to := g.s.engine.cfg.DB.Catalog().Table(f.Reference); f.Type == record.Reference && to != nil && text != "" {
		by := &GlideRecord{s: g.s, name: to.Name, table: to, secure: g.secure}
		by.clear()
		if !by.find(term(to.DisplayField().Name, "=", text)) {
			g.s.Log(LogEntry{Level: "warn", Message: "no " + to.Name + " is called " + text})
			return
		}
		text = by.id()
	}
	if o := g.s.platformObject(f.Type, ""); o != nil && text != "" {
		g.s.callMethod(o, "setDisplayValue", text)
		text = g.s.callMethod(o, "getValue").String()
	}
	g.assign(name, text)
}
