package script

import (
	"strings"
	"time"

	"github.com/dop251/goja"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// element is a field of a record, bound to the record's cursor: it has whatever value the current row has.
type element struct {
	g    *GlideRecord
	path string
}

// element gives the one element object of a path.
func (g *GlideRecord) element(path string) goja.Value {
	if o, ok := g.elements[path]; ok {
		return o
	}
	if _, f := g.fieldAt(path); f == nil {
		return goja.Undefined()
	}
	o := g.s.object("GlideElement", &element{g: g, path: path})
	if g.elements == nil {
		g.elements = map[string]*goja.Object{}
	}
	g.elements[path] = o
	return o
}

// text is the element's value; "" when it is empty, or a link to it is.
func (e *element) text() string {
	r, f := e.g.walk(e.path)
	if f == nil {
		return ""
	}
	return r.Get(f.Name).Text
}

func (e *element) field() *record.Field { _, f := e.g.fieldAt(e.path); return f }

// truthy is the element's truth: not empty, and no boolean that is false.
func (e *element) truthy() bool {
	text := e.text()
	return text != "" && (text != "false" || e.field().Type.Kind() != query.Bool)
}

// Get implements goja.DynamicObject: fields of the record referred to, and what texts can do when there is one.
func (e *element) Get(name string) goja.Value {
	if _, ok := elementMethods[name]; ok || name == "constructor" {
		return nil
	}
	if f := e.field(); f.Type == record.Reference && f.Reference != "" {
		if v := e.g.element(e.path + "." + name); !goja.IsUndefined(v) {
			return v
		}
	}
	text := e.text()
	if text == "" {
		return nil
	}
	vm := e.g.s.vm
	if name == "length" {
		return vm.ToValue(len([]rune(text)))
	}
	return vm.Get("String").(*goja.Object).Get("prototype").(*goja.Object).Get(name)
}

// Set implements goja.DynamicObject: a field of the record referred to cannot be set through the reference.
func (e *element) Set(string, goja.Value) bool { return true }

// Has implements goja.DynamicObject.
func (e *element) Has(name string) bool { return e.Get(name) != nil }

// Delete implements goja.DynamicObject.
func (e *element) Delete(string) bool { return true }

// Keys implements goja.DynamicObject.
func (e *element) Keys() []string { return nil }

func (s *Scope) elementMethod(name string) func(goja.FunctionCall) goja.Value {
	m, ok := elementMethods[name]
	if !ok {
		return nil
	}
	return func(call goja.FunctionCall) goja.Value {
		o, ok := call.This.(*goja.Object)
		if !ok {
			return s.vm.ToValue(s.Text(call.This))
		}
		e, ok := o.Export().(*element)
		if !ok {
			panic(s.vm.NewTypeError("%s is a method of GlideElement", name))
		}
		v := m(e, args{s, call})
		if v == nil {
			return goja.Undefined()
		}
		if value, ok := v.(goja.Value); ok {
			return value
		}
		return s.vm.ToValue(v)
	}
}

// elementMethods are the methods of GlideElement.
var elementMethods = map[string]func(e *element, a args) any{
	"toString":              func(e *element, _ args) any { return e.text() },
	"valueOf":               func(e *element, _ args) any { return e.text() },
	"toJSON":                func(e *element, _ args) any { return e.text() },
	"getValue":              func(e *element, _ args) any { return e.g.valueOf(e.path) },
	"getDisplayValue":       func(e *element, a args) any { return e.clipped(a) },
	"getDisplayValueLang":   func(e *element, _ args) any { return e.g.displayOf(e.path) },
	"getGlobalDisplayValue": func(e *element, _ args) any { return e.g.displayOf(e.path) },
	"getHTMLValue":          func(e *element, _ args) any { return e.text() },
	"getXMLValue":           func(e *element, _ args) any { return escapeXML(e.text()) },
	"getEscapedValue":       func(e *element, _ args) any { return escapeXML(e.text()) },
	"getChoiceValue":        func(e *element, _ args) any { return e.g.displayOf(e.path) },
	"setValue":              func(e *element, a args) any { e.g.setValue(e.path, a.Argument(0)); return nil },
	"setDisplayValue":       func(e *element, a args) any { e.g.setDisplay(e.path, a.text(0)); return nil },
	"nil":                   func(e *element, _ args) any { return e.text() == "" },
	"hasValue":              func(e *element, _ args) any { return e.text() != "" },
	"changes":               func(e *element, _ args) any { return e.changes() },
	"changesFrom":           func(e *element, a args) any { return e.changes() && e.before() == a.text(0) },
	"changesTo":             func(e *element, a args) any { return e.changes() && e.text() == a.text(0) },
	"getRefRecord":          func(e *element, _ args) any { return e.refRecord() },
	"getReferenceTable":     func(e *element, _ args) any { return orNull(e.field().Reference) },
	"getTableName":          func(e *element, _ args) any { return e.tableName() },
	"getBaseTableName":      func(e *element, _ args) any { return e.tableName() },
	"getName":               func(e *element, _ args) any { return e.field().Name },
	"getLabel":              func(e *element, _ args) any { return e.field().Label },
	"getED":                 func(e *element, _ args) any { return e.g.descriptor(e.path) },
	"getDependent":          func(*element, args) any { return goja.Null() }, // choices do not depend on other fields
	"getChoices":            func(e *element, _ args) any { return e.choices() },
	"getJournalEntry":       func(e *element, a args) any { return e.journal(a.int(0)) },
	"setJournalEntry":       func(e *element, a args) any { e.g.assign(e.path, a.text(0)); return nil },
	"dateNumericValue":      func(e *element, _ args) any { return e.millis() },
	"setDateNumericValue":   func(e *element, a args) any { e.setMillis(a.Argument(0).ToInteger()); return nil },
	"getGlideObject":        func(e *element, _ args) any { return e.glideObject() },
	"setError":              func(e *element, a args) any { e.setError(a.text(0)); return nil },
	"getError":              func(e *element, _ args) any { return orNull(e.g.opt.Errors[e.path]) },
	"getAttribute":          func(*element, args) any { return goja.Null() },
	"getBooleanAttribute":   func(*element, args) any { return false },
	"hasAttribute":          func(*element, args) any { return false },
	"canRead":               func(e *element, _ args) any { return e.g.may(record.Read) },
	"canWrite":              func(e *element, _ args) any { return e.g.may(record.Write) },
	"canCreate":             func(e *element, _ args) any { return e.g.may(record.Create) },
	"getDecryptedValue":     func(e *element, _ args) any { return e.text() },
}

func (e *element) clipped(a args) string {
	text := e.g.displayOf(e.path)
	if most := a.int(0); a.given(0) && most > 0 && len([]rune(text)) > most {
		return string([]rune(text)[:most])
	}
	return text
}

// before is the value of the field as the record was.
func (e *element) before() string {
	if e.g.old == nil {
		return ""
	}
	return e.g.old.Get(e.path).Text
}

func (e *element) changes() bool {
	if f := e.field(); f.Type.IsJournal() {
		return e.text() != ""
	}
	return e.text() != e.before()
}

// refRecord is the record referred to; one without a row when there is none.
func (e *element) refRecord() any {
	f := e.field()
	t := e.g.s.engine.cfg.DB.Catalog().Table(f.Reference)
	if t == nil {
		return goja.Null()
	}
	g := &GlideRecord{s: e.g.s, name: t.Name, table: t, secure: e.g.secure}
	g.clear()
	if r := e.g.relatedRecord(f, e.text()); r != nil {
		g.stand(r)
	}
	return g.Object()
}

func (e *element) tableName() string {
	t, _ := e.g.fieldAt(e.path)
	return t.Name
}

func (e *element) choices() any {
	var out []any
	for _, c := range e.field().Choices {
		out = append(out, c.Value)
	}
	return e.g.s.vm.NewArray(out...)
}

// journal gives the newest entry of a journal field, or with -1 all of them, newest first.
func (e *element) journal(which int) string {
	s := e.g.s
	t := s.engine.cfg.DB.Catalog().Table(record.JournalTable)
	g := &GlideRecord{s: s, name: t.Name, table: t, secure: e.g.secure}
	g.clear()
	g.add(term("element_id", "=", e.g.id()) + "^" + term("element", "=", e.field().Name) + "^ORDERBYDESCsys_created_on^ORDERBYDESCsys_id")
	if which > 0 {
		g.limit = which
	}
	var b strings.Builder
	for g.query(); g.next(); {
		b.WriteString(g.row.Get(record.SysCreatedOn).Text + " - " + g.row.Get(record.SysCreatedBy).Text + " (" + e.field().Label + ")\n")
		b.WriteString(g.row.Get("value").Text + "\n\n")
	}
	return b.String()
}

func (e *element) millis() any {
	at, err := time.Parse(record.DateTimeLayout, e.text())
	if err != nil {
		if at, err = time.Parse(record.DateLayout, e.text()); err != nil {
			return 0
		}
	}
	return at.UnixMilli()
}

func (e *element) setMillis(ms int64) {
	layout := record.DateTimeLayout
	if e.field().Type.Stored() == record.Date {
		layout = record.DateLayout
	}
	e.g.assign(e.path, time.UnixMilli(ms).UTC().Format(layout))
}

// glideObject is the value as the platform's own object: a GlideDateTime or its like where scripts have them.
func (e *element) glideObject() any {
	if o := e.g.s.platformObject(e.field().Type, e.text()); o != nil {
		return o
	}
	return e.text()
}

// platformClasses are the classes that stand for values of a type.
var platformClasses = map[record.Type]string{record.DateTime: "GlideDateTime", record.Date: "GlideDate", record.Duration: "GlideDuration"}

// platformObject makes the object that stands for a value of a type; nil where there is none.
func (s *Scope) platformObject(t record.Type, text string) *goja.Object {
	class := platformClasses[t]
	if class == "" {
		return nil
	}
	ctor := s.vm.Get(class)
	if ctor == nil {
		return nil
	}
	o, err := s.vm.New(ctor)
	if err != nil {
		s.Throw(err)
	}
	if text != "" {
		s.callMethod(o, "setValue", text)
	}
	return o
}

// callMethod calls a method with texts and gives its answer; undefined when there is no such method.
func (s *Scope) callMethod(o *goja.Object, name string, texts ...string) goja.Value {
	call, ok := goja.AssertFunction(o.Get(name))
	if !ok {
		return goja.Undefined()
	}
	args := make([]goja.Value, len(texts))
	for i, text := range texts {
		args[i] = s.vm.ToValue(text)
	}
	v, err := call(o, args...)
	if err != nil {
		s.Throw(err)
	}
	return v
}

// shownDate is what the user sees of a date, date-time or duration: in his zone and format, where scripts have the
// classes of dates.
func (s *Scope) shownDate(t record.Type, text string) string {
	if o := s.platformObject(t, text); o != nil {
		return s.callMethod(o, "getDisplayValue").String()
	}
	return text
}

func (e *element) setError(message string) {
	if e.g.opt.Errors != nil {
		e.g.opt.Errors[e.path] = message
	}
}

// descriptor describes a field, or the record's table, to scripts.
func (g *GlideRecord) descriptor(path string) any {
	o := g.s.vm.NewObject()
	set := func(name string, v any) {
		if err := o.Set(name, func(goja.FunctionCall) goja.Value { return g.s.vm.ToValue(v) }); err != nil {
			g.s.Throw(err)
		}
	}
	_, f := g.fieldAt(path)
	if f == nil {
		set("getName", g.name)
		set("getLabel", g.label(g.name))
		return o
	}
	set("getName", f.Name)
	set("getLabel", f.Label)
	set("getLength", f.Length)
	set("getInternalType", string(f.Type))
	set("getReference", f.Reference)
	set("isMandatory", f.Mandatory)
	set("isReference", f.Type == record.Reference)
	return o
}

var xmlEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&apos;")

func escapeXML(text string) string { return xmlEscaper.Replace(text) }
