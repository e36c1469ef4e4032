package glide

import (
	"embed"
	"fmt"
	"math"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/dop251/goja"
)

// maker makes what a global name stands for, when a script first uses it.
type maker func(l *lib, name string) goja.Value

// globals are the names that scripts find, but for gs.
func globals() map[string]maker {
	all := map[string]maker{}
	for file, names := range helperFiles {
		for _, name := range names {
			all[name] = func(l *lib, name string) goja.Value { return l.helper(file, name) }
		}
	}
	for name := range builders() {
		all[name] = func(l *lib, name string) goja.Value { return l.class(name).constructor }
	}
	return all
}

// builders make the native classes.
func builders() map[string]func(*lib) made {
	return map[string]func(*lib) made{
		"GlideDateTime":      dateTimeClass.build,
		"GlideDate":          dateClass.build,
		"GlideTime":          timeClass.build,
		"GlideDuration":      durationClass.build,
		"GlideStringUtil":    stringUtilClass.build,
		"GlideXMLUtil":       xmlUtilClass.build,
		"XMLDocument2":       documentClass.build,
		"XMLDocument":        legacyDocumentClass.build,
		"XMLNode":            nodeClass.build,
		"GlideUser":          userClass.build,
		"GlideSession":       sessionClass.build,
		"GlideSysAttachment": attachmentClass.build,
		"GlideTextReader":    readerClass.build,
		"GlideEncrypter":     encrypterClass.build,
	}
}

// class gives a native class, made on first use.
func (l *lib) class(name string) made {
	m, ok := l.classes[name]
	if !ok {
		m = l.builders[name](l)
		l.classes[name] = m
	}
	return m
}

//go:embed lib/*.js
var helpers embed.FS

// helperFiles says which file of helpers, written in JavaScript, defines which names.
var helperFiles = map[string][]string{
	"class":  {"Class", "AbstractAjaxProcessor"},
	"values": {"JSON", "JSONParser", "j2js", "JSUtil", "ArrayUtil"},
	"record": {"GlideRecordUtil", "TableUtils"},
	"xml":    {"XMLHelper", "XMLUtilJS"},
	"impex":  {"sn_impex"},
}

// compiled gives the programs of the helpers.
var compiled = sync.OnceValues(func() (map[string]*goja.Program, error) {
	all := map[string]*goja.Program{}
	for file := range helperFiles {
		source, err := helpers.ReadFile("lib/" + file + ".js")
		if err != nil {
			return nil, err
		}
		if all[file], err = goja.Compile(file+".js", string(source), true); err != nil {
			return nil, fmt.Errorf("helpers of %s: %w", file, err)
		}
	}
	return all, nil
})

// helper gives a name that a file of helpers defines; the file is run on first use.
func (l *lib) helper(file, name string) goja.Value {
	defined, ok := l.helped[file]
	if !ok {
		defined = l.run(file)
		l.helped[file] = defined
	}
	return defined.Get(name)
}

func (l *lib) run(file string) *goja.Object {
	programs, err := compiled()
	if err != nil {
		panic(l.vm.NewGoError(err))
	}
	define, err := l.vm.RunProgram(programs[file])
	if err != nil {
		panic(err)
	}
	call, _ := goja.AssertFunction(define)
	host := l.host()
	if file != "class" {
		l.hide(host, "list", l.helper("class", "list"))
	}
	defined, err := call(goja.Undefined(), host)
	if err != nil {
		panic(err)
	}
	return defined.ToObject(l.vm)
}

// host is what helpers in JavaScript get from Go.
func (l *lib) host() *goja.Object {
	o := l.vm.NewObject()
	for name, fn := range map[string]func(a arguments) any{
		"text":        func(a arguments) any { return a.text(0) },
		"isHost":      func(a arguments) any { return l.isHost(a.value(0)) },
		"escapeXML":   func(a arguments) any { return escapeXML(a.text(0), a.bool(1)) },
		"unescapeXML": func(a arguments) any { return unescapeXML(a.text(0)) },
		"log":         func(a arguments) any { l.log("info", a.text(0), ""); return goja.Undefined() },
		"table":       func(a arguments) any { return l.tableInfo(a.text(0)) },
		"xmlToObject": func(a arguments) any { return l.xmlToObject(a.text(0)) },
		"objectToXML": func(a arguments) any { return l.objectToXML(a.value(0)) },
	} {
		l.hide(o, name, l.vm.ToValue(func(call goja.FunctionCall) goja.Value { return l.vm.ToValue(fn(arguments{l, call.Arguments})) }))
	}
	l.hide(o, "JSON", l.nativeJSON)
	return o
}

var dynamicType = reflect.TypeFor[goja.DynamicObject]()

// isHost reports whether a value is an object of the platform: a field, a record, a date.
func (l *lib) isHost(v goja.Value) bool {
	o, ok := v.(*goja.Object)
	if !ok {
		return false
	}
	if t := o.ExportType(); t != nil && t.Implements(dynamicType) {
		return true
	}
	return o.GetSymbol(l.inside) != nil
}

// text is a value as text: a field stands for its value; null and undefined are "".
func (l *lib) text(v goja.Value) string { return l.s.Text(v) }

// number is a value as a number; what is none is 0.
func (l *lib) number(v goja.Value) float64 {
	n, ok := toNumber(v)
	if !ok {
		n = l.vm.ToValue(l.text(v)).ToFloat()
	}
	if math.IsNaN(n) {
		return 0
	}
	return n
}

// toNumber gives what is a number already.
func toNumber(v goja.Value) (float64, bool) {
	if missing(v) {
		return 0, false
	}
	switch n := v.Export().(type) {
	case int64:
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}

// truth tests a value as scripts mean it: a field by what is in it.
func (l *lib) truth(v goja.Value) bool {
	if missing(v) {
		return false
	}
	if l.isHost(v) {
		text := l.text(v)
		return text != "" && text != "false" && text != "0"
	}
	if s, ok := v.Export().(string); ok {
		return s != "" && !strings.EqualFold(s, "false")
	}
	return v.ToBoolean()
}

// now is the present by the library's clock.
func (l *lib) now() time.Time { return l.cfg.Clock().UTC() }

// throw ends the script's call with an error that it can catch.
func (l *lib) throw(err error) { l.s.Throw(err) }

// list makes an array that can also be used as scripts use the lists of Java: size(), get(i), contains(x).
func (l *lib) list(items ...any) goja.Value {
	return l.call("class", "list", l.vm.NewArray(items...))
}

// call calls a function of the helpers.
func (l *lib) call(file, name string, args ...goja.Value) goja.Value {
	fn, _ := goja.AssertFunction(l.helper(file, name))
	v, err := fn(goja.Undefined(), args...)
	if err != nil {
		panic(err)
	}
	return v
}
