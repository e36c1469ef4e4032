// Package snws gives scripts the platform's classes for calling other systems: sn_ws.RESTMessageV2, RESTResponseV2,
// SOAPMessageV2, SOAPResponseV2, and the older RESTMessage and SOAPMessage as thin forms of them.
//
// execute calls at once and waits. In a script that runs inside a transaction it is refused: nothing is called before it
// is known that the change is kept. executeAsync makes a delivery: sent if and only if the transaction commits, tried
// again, and kept.
package snws

import (
	"github.com/dop251/goja"

	"headrace/internal/flow/attachment"
	"headrace/internal/flow/outbound"
	"headrace/internal/flow/script"
)

// Module is a script.Module.
type Module struct {
	calls *outbound.Service
	files *attachment.Files
}

// New makes the module. files takes answers that scripts save as attachments.
func New(calls *outbound.Service, files *attachment.Files) *Module {
	return &Module{calls: calls, files: files}
}

// Bind makes the classes known to a scope. They are made when a script first names them.
func (m *Module) Bind(s *script.Scope) error {
	l := &lib{Module: m, s: s, vm: s.VM()}
	if err := l.lazily("sn_ws", func() (*goja.Object, error) {
		o := l.vm.NewObject()
		for name, soap := range map[string]bool{"RESTMessageV2": false, "SOAPMessageV2": true} {
			if err := o.Set(name, l.class(name, soap, false)); err != nil {
				return nil, err
			}
		}
		return o, nil
	}); err != nil {
		return err
	}
	for name, soap := range map[string]bool{"RESTMessage": false, "SOAPMessage": true} {
		if err := l.lazily(name, func() (*goja.Object, error) { return l.class(name, soap, true), nil }); err != nil {
			return err
		}
	}
	return nil
}

// lib is the module within one scope.
type lib struct {
	*Module
	s      *script.Scope
	vm     *goja.Runtime
	inside *goja.Symbol
	answer *goja.Object // prototype of responses
}

// countKey counts the calls of a scope, so that each has a key of its own that is the same when the handler runs again.
type countKey struct{}

func (l *lib) nth() int {
	values := l.s.Env().Values
	n, _ := values[countKey{}].(int) // none yet is 0
	values[countKey{}] = n + 1
	return n
}

// lazily defines a global that is made when it is first read, and that scripts may replace.
func (l *lib) lazily(name string, build func() (*goja.Object, error)) error {
	var made goja.Value
	get := func(goja.FunctionCall) goja.Value {
		if made == nil {
			o, err := build()
			if err != nil {
				l.s.Throw(err)
			}
			made = o
		}
		return made
	}
	set := func(call goja.FunctionCall) goja.Value { made = call.Argument(0); return goja.Undefined() }
	return l.vm.GlobalObject().DefineAccessorProperty(name, l.vm.ToValue(get), l.vm.ToValue(set), goja.FLAG_TRUE, goja.FLAG_FALSE)
}

func (l *lib) symbol() *goja.Symbol {
	if l.inside == nil {
		l.inside = goja.NewSymbol("message")
	}
	return l.inside
}

// class makes a constructor of messages.
func (l *lib) class(name string, soap, old bool) *goja.Object {
	proto := l.vm.NewObject()
	for method, do := range methodsOf(soap, old) {
		l.method(proto, method, func(call goja.FunctionCall) any {
			m, ok := l.held(call.This).(*message)
			if !ok {
				panic(l.vm.NewTypeError(name + "." + method + " is called on something else"))
			}
			return do(m, arguments{l, call})
		})
	}
	ctor := l.vm.ToValue(func(call goja.ConstructorCall) *goja.Object {
		m := l.newMessage(l.s.Text(call.Argument(0)), l.s.Text(call.Argument(1)), soap)
		l.hold(call.This, m)
		m.object = call.This
		return nil
	}).(*goja.Object)
	l.check(ctor.Set("prototype", proto))
	return ctor
}

func (l *lib) method(proto *goja.Object, name string, do func(goja.FunctionCall) any) {
	l.check(proto.DefineDataProperty(name, l.vm.ToValue(func(call goja.FunctionCall) goja.Value {
		v := do(call)
		if v == nil {
			return goja.Undefined()
		}
		return l.vm.ToValue(v)
	}), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE))
}

// hold puts a Go value behind an object, out of the reach of scripts.
func (l *lib) hold(o *goja.Object, v any) { l.check(o.SetSymbol(l.symbol(), l.vm.ToValue(v))) }

func (l *lib) held(v goja.Value) any {
	o, ok := v.(*goja.Object)
	if !ok {
		return nil
	}
	if in := o.GetSymbol(l.symbol()); in != nil {
		return in.Export()
	}
	return nil
}

func (l *lib) check(err error) {
	if err != nil {
		l.s.Throw(err)
	}
}

// arguments are those of one call of a method.
type arguments struct {
	l    *lib
	call goja.FunctionCall
}

func (a arguments) text(i int) string { return a.l.s.Text(a.call.Argument(i)) }

func (a arguments) whole(i int) int64 { return a.call.Argument(i).ToInteger() }

func (a arguments) truth(i int) bool { return a.l.s.Truth(a.call.Argument(i)) }

// texts reads an array, or a text with commas.
func (a arguments) texts(i int) []string {
	var out []string
	o, ok := a.call.Argument(i).(*goja.Object)
	if !ok {
		return []string{a.text(i)}
	}
	a.l.vm.ForOf(o, func(v goja.Value) bool { out = append(out, a.l.s.Text(v)); return true })
	return out
}
