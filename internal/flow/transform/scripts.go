package transform

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/dop251/goja"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/script"
)

// The moments of a transform script, with the names of the platform. MapScript is the map's own "run script".
const (
	OnStart         = "onStart"
	OnBefore        = "onBefore"
	OnAfter         = "onAfter"
	OnForeignInsert = "onForeignInsert"
	OnChoiceCreate  = "onChoiceCreate"
	OnReject        = "onReject"
	OnComplete      = "onComplete"
	MapScript       = "map"
)

var moments = []string{OnStart, OnBefore, OnAfter, OnForeignInsert, OnChoiceCreate, OnReject, OnComplete, MapScript}

// orderOf is the place of a script among those of its moment.
func (s Script) order() int {
	if s.Order == 0 {
		return 100
	}
	return s.Order
}

// HasScripts reports whether the map as it is written has scripts of any kind.
func (d *Def) HasScripts() bool {
	return len(d.Scripts) > 0 || slices.ContainsFunc(d.Fields, func(f FieldDef) bool { return f.UseSourceScript })
}

// bindScripts sorts the map's scripts by moment and order.
func (m *Map) bindScripts() error {
	all := slices.Clone(m.Def.Scripts)
	slices.SortStableFunc(all, func(a, b Script) int { return a.order() - b.order() })
	for _, s := range all {
		when := s.When
		if when == "" {
			when = OnAfter // the platform's default
		}
		if !slices.Contains(moments, when) {
			f := fault.New(fault.Invalid, "map %s: there is no moment %q", m.Def.Title(), when)
			return f.WithHint("one of %s", strings.Join(moments, ", "))
		}
		if m.scripts == nil {
			m.scripts = map[string][]script.Source{}
		}
		m.aliased = m.aliased || strings.Contains(s.Script, "u_")
		m.scripts[when] = append(m.scripts[when], script.Source{Name: when + " script of map " + m.Def.Title(), Text: s.Script})
	}
	return nil
}

// scriptField readies the source script of a field map.
func (m *Map) scriptField(e *entry, d *FieldDef) {
	e.source = -1
	e.script = &script.Source{Name: "source script of field " + d.Target + " of map " + m.Def.Title(), Text: d.SourceScript}
	m.answers = true
	m.aliased = m.aliased || strings.Contains(d.SourceScript, "u_")
	m.apart = m.apart || doesMore.MatchString(d.SourceScript)
}

// doesMore finds source scripts that may do more than to make a value out of the row: make objects, such as a GlideRecord or
// a script include, look at the target, or call the system.
var doesMore = regexp.MustCompile(`\bnew\b|\btarget\b|\baction\b|\bgs\s*\.\s*(eventQueue|include|setProperty)|\bsn_`)

// widen adds the fields that the map does not fill, for scripts may set any of them.
func (m *Map) widen() {
	for i := range m.Target.Fields {
		f := &m.Target.Fields[i]
		if record.IsSystemField(f.Name) || slices.Contains(m.Fields, f.Name) {
			continue
		}
		m.Fields = append(m.Fields, f.Name)
		m.entries = append(m.entries, entry{source: -1, field: f, free: true})
	}
}

// Scripted reports whether the map has scripts of any kind.
func (m *Map) Scripted() bool { return m.answers || len(m.scripts) > 0 }

// RowScripts reports whether scripts see each row beside its target, so that rows are taken one after the other, each seeing
// what the ones before it did.
func (m *Map) RowScripts() bool {
	for _, when := range []string{OnBefore, OnAfter, MapScript, OnForeignInsert, OnChoiceCreate, OnReject} {
		if len(m.scripts[when]) > 0 {
			return true
		}
	}
	return m.apart
}

// Has reports whether the map has scripts of a moment.
func (m *Map) Has(when string) bool { return len(m.scripts[when]) > 0 }

// CheckScripts compiles the map's scripts; the error of the first that cannot be names its place.
func (m *Map) CheckScripts(engine *script.Engine) error {
	if !m.Scripted() {
		return nil
	}
	if engine == nil {
		return m.noEngine()
	}
	for _, when := range moments {
		for _, source := range m.scripts[when] {
			if err := engine.Check(source); err != nil {
				return err
			}
		}
	}
	for i := range m.entries {
		if e := &m.entries[i]; e.script != nil {
			if err := engine.Check(*e.script); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *Map) noEngine() error {
	return fault.New(fault.Refused, "map %s has scripts, and nothing here runs them", m.Def.Title())
}

// ImportSet is what scripts see of the import set.
type ImportSet struct {
	Record *record.Record
	// Resumed says that an earlier attempt was cut off: onStart runs again then.
	Resumed bool
}

// Verdict is what scripts said of a row, or of the whole transform.
type Verdict struct {
	Ignore, Error bool
	Thrown        bool   // an exception; Message has its text
	Message       string // error_message, or the text of an exception
	Status        string // status_message
	Response      map[string]string
}

// Row is what scripts of a row see beside its source.
type Row struct {
	Action string         // "insert" or "update"
	Target *record.Record // as it is now; scripts may set its fields
	// Name and Value tell onForeignInsert, onChoiceCreate and onReject of the field and its text.
	Name, Value string
}

// Run is the scripts of a map over the rows of one transaction: one scope of the engine. While it is in use, its map's field
// scripts run in it.
type Run struct {
	m      *Map
	scope  *script.Scope
	source *record.Record
	object *script.GlideRecord
	row    Row
}

// Begin opens the scripts of a map. env says on whose behalf, and in which transaction. Close ends them.
func (m *Map) Begin(ctx context.Context, engine *script.Engine, env script.Env, set ImportSet) (*Run, error) {
	if engine == nil {
		return nil, m.noEngine()
	}
	scope, err := engine.Open(ctx, env)
	if err != nil {
		return nil, err
	}
	table, err := m.sourceTable()
	if err != nil {
		scope.Close()
		return nil, err
	}
	r := &Run{m: m, scope: scope, source: record.NewRecord(table)}
	r.know(set)
	r.object = scope.Record(r.source, script.RecordOptions{})
	scope.Set("source", r.object.Object())
	for _, name := range []string{"target", "action"} { // scripts name them before there are any
		scope.Set(name, goja.Undefined())
	}
	scope.Set("map", map[string]any{"name": m.Def.Name, "sys_id": record.IDFrom("map", m.Def.Title()), "source_table": m.Def.SourceTable,
		"target_table": m.Def.TargetTable, "order": m.Def.Order, "resumed": set.Resumed})
	if err := scope.Define("log", r.log()); err != nil {
		scope.Close()
		return nil, err
	}
	m.run = r
	return r, nil
}

// Keeps reports whether the map's scripts of all transactions share one scope: what onStart sets is there for the rows, and
// what those leave is there for onComplete.
func (m *Map) Keeps() bool { return m.Has(OnStart) || m.Has(OnComplete) }

// Rest ends the scripts of a transaction; what they set stays for Resume.
func (r *Run) Rest() error {
	r.m.run = nil
	return r.scope.Rest()
}

// Resume goes on with the scripts in another transaction.
func (r *Run) Resume(ctx context.Context, env script.Env, set ImportSet) {
	r.m.run = r
	r.scope.Renew(ctx, env)
	r.know(set)
}

// know makes the import set known to scripts.
func (r *Run) know(set ImportSet) {
	if set.Record != nil {
		r.scope.Set("import_set", r.scope.Record(set.Record, script.RecordOptions{}).Object())
	}
}

// Close ends the scripts.
func (r *Run) Close() {
	r.m.run = nil
	r.scope.Close()
}

// log gives scripts the import log.
func (r *Run) log() map[string]any {
	out := map[string]any{}
	for _, level := range []string{"info", "warn", "error"} {
		out[level] = func(text string) { r.scope.Log(script.LogEntry{Level: level, Message: text}) }
	}
	return out
}

// Take makes cells the source row that scripts see.
func (r *Run) Take(cells []record.Value) {
	for i := range r.source.Values {
		r.source.Values[i] = record.Null
	}
	for i, at := range r.m.columns {
		if i >= len(cells) {
			break
		}
		r.source.Values[at[0]] = cells[i]
		if at[1] >= 0 {
			r.source.Values[at[1]] = cells[i]
		}
	}
}

// Cells are the source row as scripts left it: cells itself when they changed nothing.
func (r *Run) Cells(cells []record.Value) []record.Value {
	out := cells
	for i, at := range r.m.columns {
		if i >= len(cells) {
			break
		}
		now := r.source.Values[at[0]]
		if at[1] >= 0 && now == cells[i] {
			now = r.source.Values[at[1]]
		}
		if now == cells[i] {
			continue
		}
		if &out[0] == &cells[0] {
			out = slices.Clone(cells)
		}
		out[i] = now
	}
	return out
}

// See makes the target and the action known to scripts.
func (r *Run) See(row Row) {
	r.row = row
	r.scope.Set("action", row.Action)
	if row.Target != nil {
		r.scope.Set("target", r.scope.Record(row.Target, script.RecordOptions{}).Object())
	} else {
		r.scope.Set("target", nil)
	}
}

// At runs the scripts of a moment, in their order, and gives their verdict. An exception is a verdict of error, with the
// script, the line and what was thrown.
func (r *Run) At(when string) Verdict {
	var v Verdict
	if !r.m.Has(when) {
		return v
	}
	r.reset()
	for _, source := range r.m.scripts[when] {
		if _, err := r.scope.Run(source); err != nil {
			return Verdict{Error: true, Thrown: true, Message: err.Error()}
		}
	}
	v.Ignore, v.Error = r.flag("ignore"), r.flag("error")
	v.Message, v.Status = r.text("error_message"), r.text("status_message")
	v.Response = r.response(when)
	return v
}

// reset gives the variables by which scripts answer their first values.
func (r *Run) reset() {
	r.scope.Set("ignore", false)
	r.scope.Set("error", false)
	r.scope.Set("error_message", "")
	r.scope.Set("status_message", "")
	r.scope.Set("name", r.row.Name)
	r.scope.Set("value", r.row.Value)
	r.scope.Set("response", map[string]any{})
}

func (r *Run) flag(name string) bool {
	v := r.scope.Get(name)
	return v != nil && v.ToBoolean() && v.String() != "false"
}

func (r *Run) text(name string) string { return r.scope.Text(r.scope.Get(name)) }

// response reads what the map script added to the answer of an import set API.
func (r *Run) response(when string) map[string]string {
	if when != MapScript {
		return nil
	}
	fields, ok := r.scope.Get("response").Export().(map[string]any)
	if !ok || len(fields) == 0 {
		return nil
	}
	out := map[string]string{}
	for name := range fields {
		out[name] = r.scope.Text(r.scope.VM().ToValue(fields[name]))
	}
	return out
}

// Run gives the scripts that are open, or nil.
func (m *Map) Run() *Run { return m.run }

// answer runs the source script of a field and gives what it left in answer.
func (m *Map) answer(e *entry, cells []record.Value) (string, *Reject) {
	r := m.run
	if r == nil {
		return "", &Reject{Code: "script_error", Field: e.field.Name, Msg: "its script is not open"}
	}
	if e.key || !m.RowScripts() { // keys are read before their row takes its turn
		r.Take(cells)
	}
	r.scope.Set("answer", nil)
	if _, err := r.scope.Run(*e.script); err != nil {
		return "", &Reject{Code: "script_error", Field: e.field.Name, Msg: err.Error()}
	}
	text := r.text("answer")
	if e.refs == nil || text == "" {
		return text, nil
	}
	if err := m.learn(e.refs, text); err != nil {
		return "", &Reject{Code: "script_error", Field: e.field.Name, Value: record.Clip(text), Msg: err.Error()}
	}
	return text, nil
}

// sourceTable describes the source row to scripts: a field for each column, by its staging name, and again with u_ before
// it where scripts say that.
func (m *Map) sourceTable() (*record.Table, error) {
	t := &record.Table{Name: "import_set_row", Label: "Import set row"}
	names := ColumnNames(m.headers)
	alias := make([]string, len(names))
	for i, name := range names {
		t.Fields = append(t.Fields, record.Field{Name: name, Label: name, Type: record.String})
		if m.aliased && !strings.HasPrefix(name, "u_") && !slices.Contains(names, "u_"+name) {
			alias[i] = "u_" + name
			t.Fields = append(t.Fields, record.Field{Name: alias[i], Label: name, Type: record.String})
		}
	}
	c, err := record.NewCatalog(*t)
	if err != nil {
		return nil, err
	}
	t = c.Table(t.Name)
	all := t.Names()
	m.columns = make([][2]int, len(names))
	for i, name := range names {
		m.columns[i] = [2]int{slices.Index(all, name), slices.Index(all, alias[i])}
	}
	return t, nil
}

// mayCreate asks the scripts of a moment whether a referenced record, or a choice, is to be created. They may say to leave
// the field alone, or refuse the row.
func (m *Map) mayCreate(when string, e *entry, text string) (keep bool, reject *Reject) {
	if m.run == nil || !m.Has(when) {
		return false, nil
	}
	m.run.row.Name, m.run.row.Value = e.field.Name, text
	v := m.run.At(when)
	if v.Error {
		return false, &Reject{Code: "script_error", Column: e.column, Field: e.field.Name, Value: record.Clip(text), Msg: v.Message}
	}
	return v.Ignore, nil
}
