// Package glide is the part of the script API that is about no records: gs, dates, texts, XML, lists, attachments, and the
// helpers that scripts have used since before their language had classes. It is a script.Module; everything in it is made
// when a script first touches it, so that opening a scope stays cheap.
package glide

import (
	"time"

	"github.com/dop251/goja"

	"headrace/internal/core/record"
	"headrace/internal/flow/access"
	"headrace/internal/flow/script"
)

// Config is what the library needs.
type Config struct {
	DB     *record.DB
	Access *access.Service
	Sealer Sealer           // what GlideEncrypter uses; nil refuses
	Clock  func() time.Time // nil is time.Now
}

// Library is the script.Module.
type Library struct {
	cfg      Config
	globals  map[string]maker
	builders map[string]func(*lib) made
	book     logbook
}

// New makes the module.
func New(cfg Config) *Library {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	return &Library{cfg: cfg, globals: globals(), builders: builders()}
}

// Bind makes the library's names known to a scope. gs is there at once, because other modules add to it; all else is made
// when it is first used.
func (m *Library) Bind(s *script.Scope) error {
	vm := s.VM()
	l := &lib{Library: m, s: s, vm: vm, inside: goja.NewSymbol("inside"), classes: map[string]made{}, helped: map[string]*goja.Object{},
		nativeJSON: vm.Get("JSON")}
	if err := s.Define("gs", l.system()); err != nil {
		return err
	}
	global := vm.GlobalObject()
	if err := l.under(global, l.global); err != nil {
		return err
	}
	if err := l.under(global.Get("Object").ToObject(vm), l.onObject); err != nil {
		return err
	}
	return l.lazyJSON(global)
}

// global makes what a global name stands for; nil for a name that is not the library's. JSON is the language's, and so
// not found here.
func (l *lib) global(name string) goja.Value {
	if make, ok := l.globals[name]; ok {
		return make(l, name)
	}
	return nil
}

// onObject makes the functions that classes of old add to Object.
func (l *lib) onObject(name string) goja.Value {
	switch name {
	case "extend", "extendsObject", "clone":
		return l.helper("class", name)
	}
	return nil
}

// lazyJSON puts the JSON that is a class too in the place of the language's, when it is first read.
func (l *lib) lazyJSON(global *goja.Object) error {
	get := func(goja.FunctionCall) goja.Value {
		v := l.helper("values", "JSON")
		l.hide(global, "JSON", v)
		return v
	}
	set := func(c goja.FunctionCall) goja.Value {
		l.hide(global, "JSON", c.Argument(0))
		return goja.Undefined()
	}
	return global.DefineAccessorProperty("JSON", l.vm.ToValue(get), l.vm.ToValue(set), goja.FLAG_TRUE, goja.FLAG_FALSE)
}

// lib is the library in one scope.
type lib struct {
	*Library
	s       *script.Scope
	vm      *goja.Runtime
	inside  *goja.Symbol // under which objects keep their Go values
	classes map[string]made
	helped  map[string]*goja.Object // what the files of helpers define
	where   *locale
	who     *user
	said    messages
	// nativeJSON is the language's own.
	nativeJSON goja.Value
	client     map[string]string // what the script put into its session
}
