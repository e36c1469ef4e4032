package script

import (
	"github.com/dop251/goja"

	"headrace/internal/core/query"
)

// condition is what addQuery gives: more can be joined to it, inside its parenthesis.
type condition struct {
	g    *GlideRecord
	node query.Node
	obj  *goja.Object
}

func (c *condition) object() *goja.Object {
	if c.obj == nil {
		c.obj = c.g.s.object("GlideQueryCondition", c)
	}
	return c.obj
}

// Get implements goja.DynamicObject.
func (c *condition) Get(string) goja.Value { return nil }

// Set implements goja.DynamicObject.
func (c *condition) Set(string, goja.Value) bool { return false }

// Has implements goja.DynamicObject.
func (c *condition) Has(string) bool { return false }

// Delete implements goja.DynamicObject.
func (c *condition) Delete(string) bool { return true }

// Keys implements goja.DynamicObject.
func (c *condition) Keys() []string { return nil }

func (s *Scope) conditionMethod(name string) func(goja.FunctionCall) goja.Value {
	var join func(a, b query.Node) query.Node
	switch name {
	case "addCondition", "addSystemCondition", "addUserCondition":
		join = func(a, b query.Node) query.Node { return &query.And{Parts: []query.Node{a, b}} }
	case "addOrCondition", "addSystemOrCondition", "addUserOrCondition":
		join = func(a, b query.Node) query.Node { return &query.Or{Parts: []query.Node{a, b}} }
	default:
		return nil
	}
	return func(call goja.FunctionCall) goja.Value {
		o, ok := call.This.(*goja.Object)
		if !ok {
			panic(s.vm.NewTypeError("%s is a method of GlideQueryCondition", name))
		}
		c, ok := o.Export().(*condition)
		if !ok {
			panic(s.vm.NewTypeError("%s is a method of GlideQueryCondition", name))
		}
		c.join(args{s, call}, join)
		return o
	}
}

// join puts another term beside those that the condition has.
func (c *condition) join(a args, join func(a, b query.Node) query.Node) {
	g := c.g
	before := len(g.conditions)
	g.addQuery(a)
	added := g.conditions[before:]
	g.conditions = g.conditions[:before]
	for _, other := range added {
		switch {
		case other.node == nil:
		case c.node == nil:
			c.node = other.node
		default:
			c.node = join(c.node, other.node)
		}
	}
}
