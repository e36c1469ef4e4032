package glide

import (
	"github.com/dop251/goja"
)

// A native class is a table of methods over a Go value. Nothing of it is made before a script touches it: the class when
// its name is first used, a method when it is first called.

// class describes a native class whose instances hold a *T.
type class[T any] struct {
	name string
	// construct makes the value of a new instance.
	construct func(l *lib, args arguments) *T
	methods   map[string]func(l *lib, self *T, args arguments) any
	static    map[string]func(l *lib, args arguments) any
}

// arguments are what a script passed to a function.
type arguments struct {
	l    *lib
	list []goja.Value
}

// value is the argument at i, or undefined.
func (a arguments) value(i int) goja.Value {
	if i < len(a.list) {
		return a.list[i]
	}
	return goja.Undefined()
}

// text is the argument at i as text: a field stands for its value, null and undefined for "".
func (a arguments) text(i int) string { return a.l.text(a.value(i)) }

// given reports whether the argument at i is there and neither null nor undefined.
func (a arguments) given(i int) bool { return !missing(a.value(i)) }

func (a arguments) int(i int) int { return int(a.l.number(a.value(i))) }

func (a arguments) bool(i int) bool { return a.l.truth(a.value(i)) }

func missing(v goja.Value) bool { return v == nil || goja.IsNull(v) || goja.IsUndefined(v) }

// made is a class as one scope has it.
type made struct {
	constructor *goja.Object
	prototype   *goja.Object
}

// build makes a class in a scope.
func (c *class[T]) build(l *lib) made {
	m := made{prototype: l.lazyObject(func(name string) goja.Value {
		method, ok := c.methods[name]
		if !ok {
			return nil
		}
		return l.vm.ToValue(func(call goja.FunctionCall) goja.Value {
			self, ok := valueIn[T](l, call.This)
			if !ok {
				panic(l.vm.NewTypeError("%s.%s is called on something else", c.name, name))
			}
			return l.vm.ToValue(method(l, self, arguments{l, call.Arguments}))
		})
	})}
	m.constructor = l.vm.ToValue(func(call goja.ConstructorCall) *goja.Object {
		l.hold(call.This, c.construct(l, arguments{l, call.Arguments}))
		return nil
	}).ToObject(l.vm)
	l.hide(m.constructor, "name", l.vm.ToValue(c.name))
	if err := m.constructor.Set("prototype", m.prototype); err != nil {
		panic(err)
	}
	l.hide(m.prototype, "constructor", m.constructor)
	for name, fn := range c.static {
		l.hide(m.constructor, name, l.vm.ToValue(func(call goja.FunctionCall) goja.Value {
			return l.vm.ToValue(fn(l, arguments{l, call.Arguments}))
		}))
	}
	return m
}

// hold puts a Go value into an object.
func (l *lib) hold(object *goja.Object, value any) {
	if err := object.DefineDataPropertySymbol(l.inside, l.vm.ToValue(held{value}), goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_FALSE); err != nil {
		panic(err)
	}
}

// held keeps a Go value from being shown to scripts member by member.
type held struct{ value any }

// valueIn finds the Go value that an object holds.
func valueIn[T any](l *lib, v goja.Value) (*T, bool) {
	object, ok := v.(*goja.Object)
	if !ok {
		return nil, false
	}
	inside := object.GetSymbol(l.inside)
	if inside == nil {
		return nil, false
	}
	h, ok := inside.Export().(held)
	if !ok {
		return nil, false
	}
	value, ok := h.value.(*T)
	return value, ok
}

// instance makes an object of a class around a value of the class's type.
func instance[T any](l *lib, class string, value *T) *goja.Object {
	o := l.vm.CreateObject(l.class(class).prototype)
	l.hold(o, value)
	return o
}

// lazyObject makes an object whose members are made by find when they are first asked for; find gives nil for names that
// it does not know. Members can be replaced and added as on any object.
func (l *lib) lazyObject(find func(name string) goja.Value) *goja.Object {
	o := l.vm.NewObject()
	if err := l.under(o, find); err != nil {
		panic(err) // a new object takes any prototype
	}
	return o
}

// under gives an object that is there already members made by find, beneath those it has.
func (l *lib) under(o *goja.Object, find func(name string) goja.Value) error {
	p := l.vm.NewDynamicObject(&unmade{l: l, into: o, find: find})
	if err := p.SetPrototype(o.Prototype()); err != nil {
		return err
	}
	return o.SetPrototype(p)
}

// unmade is the prototype that makes the members of an object.
type unmade struct {
	l    *lib
	into *goja.Object
	find func(string) goja.Value
}

// Get makes a member and puts it into the object, where it is found from then on.
func (u *unmade) Get(name string) goja.Value {
	v := u.find(name)
	if v == nil {
		return nil
	}
	u.l.hide(u.into, name, v)
	return v
}

// Has reports whether there is such a member.
func (u *unmade) Has(name string) bool { return u.Get(name) != nil }

// Set is refused: members are set on the object itself.
func (u *unmade) Set(string, goja.Value) bool { return false }

// Delete does nothing.
func (u *unmade) Delete(string) bool { return true }

// Keys shows nothing, so that loops over an object's members do not see those of its class.
func (u *unmade) Keys() []string { return nil }

// hide defines a member that loops do not see and scripts may replace.
func (l *lib) hide(o *goja.Object, name string, v goja.Value) {
	if err := o.DefineDataProperty(name, v, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE); err != nil {
		panic(err)
	}
}
