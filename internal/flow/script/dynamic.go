package script

import "github.com/dop251/goja"

// prototype is an object whose methods are made when they are first asked for: a scope costs no more than what its scripts
// use.
type prototype struct {
	vm     *goja.Runtime
	method func(name string) func(goja.FunctionCall) goja.Value // nil when there is none
	made   map[string]goja.Value
}

func (p *prototype) Get(name string) goja.Value {
	if v, ok := p.made[name]; ok {
		return v
	}
	f := p.method(name)
	if f == nil {
		return nil
	}
	v := p.vm.ToValue(f)
	p.made[name] = v
	return v
}

func (p *prototype) Set(name string, v goja.Value) bool { p.made[name] = v; return true }
func (p *prototype) Has(name string) bool               { return p.Get(name) != nil }
func (p *prototype) Delete(name string) bool            { delete(p.made, name); return true }
func (p *prototype) Keys() []string                     { return nil }

// class makes a global constructor whose instances have these methods. The constructor's own prototype is the lazy one, so
// that instanceof holds and scripts may add methods of their own.
func (s *Scope) class(name string, method func(string) func(goja.FunctionCall) goja.Value, construct func(goja.ConstructorCall) *goja.Object) {
	proto := s.vm.NewDynamicObject(&prototype{vm: s.vm, method: method, made: map[string]goja.Value{}})
	s.protos[name] = proto
	ctor := s.vm.ToValue(func(call goja.ConstructorCall) *goja.Object {
		o := construct(call)
		if err := o.SetPrototype(proto); err != nil {
			s.Throw(err)
		}
		return o
	}).(*goja.Object)
	if err := ctor.Set("prototype", proto); err != nil {
		s.Throw(err)
	}
	s.constructors[name] = ctor
	if err := s.vm.GlobalObject().DefineDataProperty(name, ctor, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE); err != nil {
		s.Throw(err)
	}
}

// bindRecords puts the classes of records beneath the global object, where they are found when a script asks for one.
func (s *Scope) bindRecords() error {
	global := s.vm.GlobalObject()
	beneath := s.vm.NewDynamicObject(unmade{s})
	if err := beneath.SetPrototype(global.Prototype()); err != nil {
		return err
	}
	return global.SetPrototype(beneath)
}

// unmade holds the classes that no script has asked for yet.
type unmade struct{ s *Scope }

func (u unmade) Get(name string) goja.Value {
	define, ok := u.s.engine.classes[name]
	if !ok {
		return nil
	}
	if u.s.protos[name] == nil {
		define(u.s)
	}
	return u.s.constructors[name]
}

func (u unmade) Set(string, goja.Value) bool { return false }
func (u unmade) Has(name string) bool        { return u.s.engine.classes[name] != nil }
func (u unmade) Delete(string) bool          { return true }
func (u unmade) Keys() []string              { return nil }

// object wraps what a class is about.
func (s *Scope) object(class string, d goja.DynamicObject) *goja.Object {
	if s.protos[class] == nil {
		s.engine.classes[class](s)
	}
	o := s.vm.NewDynamicObject(d)
	if err := o.SetPrototype(s.protos[class]); err != nil {
		s.Throw(err)
	}
	return o
}
