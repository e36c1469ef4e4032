package script

import (
	"sort"
	"strings"

	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/file"
	"github.com/dop251/goja/token"
	"github.com/dop251/goja/unistring"
)

// truthName is the helper that boolean positions go through: an element counts by its value, and JavaScript lets no object
// say so for itself.
const truthName = "__truth"

// globalName is the one scope, by which scripts of applications reach what is in it: global.JSUtil.
const globalName = "global"

// rewriter wraps what stands in boolean position in a call of the helper, and collects the names and members that a
// program mentions. Positions stay, so that lines in errors are true.
type rewriter struct {
	names   map[string]bool
	members map[string]bool
	// each holds the places of the loops that were written "for each": over values, not names.
	each map[file.Idx]bool
	// hoist makes functions that are declared in blocks known in the whole function around, as they are in old scripts.
	hoist bool
	vars  *[]*ast.VariableDeclaration // of the function around
}

func (r *rewriter) program(p *ast.Program) {
	r.vars = &p.DeclarationList
	r.hoist = r.hoist && !strict(p.Body)
	for i, s := range p.Body {
		p.Body[i] = r.shared(s)
	}
	for i, s := range p.Body {
		p.Body[i] = r.stmt(s)
	}
}

// shared makes a variable of what a script declares by let, const or class outside of functions: scripts of one scope may
// run many times in it, and declare the same again.
func (r *rewriter) shared(s ast.Statement) ast.Statement {
	switch s := s.(type) {
	case *ast.LexicalDeclaration:
		return r.variable(s.Idx, s.List)
	case *ast.ClassDeclaration:
		return r.variable(s.Class.Class, []*ast.Binding{{Target: s.Class.Name, Initializer: s.Class}})
	}
	return s
}

// variable declares variables of the function around.
func (r *rewriter) variable(at file.Idx, list []*ast.Binding) ast.Statement {
	*r.vars = append(*r.vars, &ast.VariableDeclaration{Var: at, List: list})
	return &ast.VariableStatement{Var: at, List: list}
}

// strict reports whether a body begins by asking for strict mode.
func strict(body []ast.Statement) bool {
	for _, s := range body {
		e, ok := s.(*ast.ExpressionStatement)
		if !ok {
			return false
		}
		text, ok := e.Expression.(*ast.StringLiteral)
		if !ok {
			return false
		}
		if text.Value.String() == "use strict" {
			return true
		}
	}
	return false
}

// block rewrites the statements of a block. Functions declared in it come first and, unless the code is strict, become
// variables of the function around.
func (r *rewriter) block(list []ast.Statement) {
	if r.hoist {
		sort.SliceStable(list, func(i, j int) bool { return declares(list[i]) != nil && declares(list[j]) == nil })
		for i, s := range list {
			if f := declares(s); f != nil {
				list[i] = r.variable(f.Function, []*ast.Binding{{Target: f.Name, Initializer: f}})
			}
		}
	}
	r.statements(list)
}

// declares gives the plain function that a statement declares, or nil.
func declares(s ast.Statement) *ast.FunctionLiteral {
	if d, ok := s.(*ast.FunctionDeclaration); ok && !d.Function.Async && !d.Function.Generator {
		return d.Function
	}
	return nil
}

// truth wraps an expression in boolean position, unless it is a boolean already.
func (r *rewriter) truth(e ast.Expression) ast.Expression {
	e = r.expr(e)
	if e == nil || plainly(e) {
		return e
	}
	at := e.Idx0()
	return &ast.CallExpression{Callee: &ast.Identifier{Name: unistring.NewFromString(truthName), Idx: at}, LeftParenthesis: at,
		ArgumentList: []ast.Expression{e}, RightParenthesis: at}
}

// plainly reports whether an expression cannot be an element.
func plainly(e ast.Expression) bool {
	switch e := e.(type) {
	case *ast.BooleanLiteral, *ast.NumberLiteral, *ast.StringLiteral, *ast.NullLiteral, *ast.TemplateLiteral, *ast.FunctionLiteral,
		*ast.ArrowFunctionLiteral, *ast.ArrayLiteral, *ast.ObjectLiteral, *ast.RegExpLiteral, *ast.ThisExpression:
		return true
	case *ast.UnaryExpression:
		return true
	case *ast.BinaryExpression:
		switch e.Operator {
		case token.LOGICAL_AND, token.LOGICAL_OR, token.COALESCE:
			return plainly(e.Left) && plainly(e.Right)
		}
		return true
	case *ast.AssignExpression:
		return e.Operator != token.ASSIGN
	}
	return false
}

func (r *rewriter) statements(list []ast.Statement) {
	for i, s := range list {
		list[i] = r.stmt(s)
	}
}

// stmt rewrites a statement, mostly in place.
func (r *rewriter) stmt(s ast.Statement) ast.Statement {
	switch s := s.(type) {
	case *ast.BlockStatement:
		r.block(s.List)
	case *ast.ExpressionStatement:
		s.Expression = r.expr(s.Expression)
	case *ast.ReturnStatement:
		s.Argument = r.expr(s.Argument)
	case *ast.ThrowStatement:
		s.Argument = r.expr(s.Argument)
	case *ast.VariableStatement:
		r.bindings(s.List)
	case *ast.LexicalDeclaration:
		r.bindings(s.List)
	case *ast.FunctionDeclaration:
		r.function(s.Function)
	case *ast.ClassDeclaration:
		r.class(s.Class)
	case *ast.LabelledStatement:
		s.Statement = r.stmt(s.Statement)
	case *ast.WithStatement:
		s.Object = r.expr(s.Object)
		s.Body = r.stmt(s.Body)
	case *ast.TryStatement:
		r.try(s)
	case *ast.SwitchStatement:
		s.Discriminant = r.expr(s.Discriminant)
		for _, c := range s.Body {
			c.Test = r.expr(c.Test)
			r.block(c.Consequent)
		}
	case *ast.ForInStatement:
		return r.overNames(s)
	default:
		r.branch(s)
	}
	return s
}

// overNames rewrites a for-in loop; one that was written "for each" goes over the values.
func (r *rewriter) overNames(s *ast.ForInStatement) ast.Statement {
	r.into(s.Into)
	s.Source, s.Body = r.expr(s.Source), r.stmt(s.Body)
	if !r.each[s.For] {
		return s
	}
	at := s.Source.Idx0()
	values := &ast.DotExpression{Left: &ast.Identifier{Name: "Object", Idx: at}, Identifier: ast.Identifier{Name: "values", Idx: at}}
	return &ast.ForOfStatement{For: s.For, Into: s.Into, Body: s.Body,
		Source: &ast.CallExpression{Callee: values, LeftParenthesis: at, ArgumentList: []ast.Expression{s.Source}, RightParenthesis: at}}
}

// branch rewrites the statements that test something, and loops.
func (r *rewriter) branch(s ast.Statement) {
	switch s := s.(type) {
	case *ast.IfStatement:
		s.Test = r.truth(s.Test)
		s.Consequent = r.stmt(s.Consequent)
		if s.Alternate != nil {
			s.Alternate = r.stmt(s.Alternate)
		}
	case *ast.WhileStatement:
		s.Test = r.truth(s.Test)
		s.Body = r.stmt(s.Body)
	case *ast.DoWhileStatement:
		s.Test = r.truth(s.Test)
		s.Body = r.stmt(s.Body)
	case *ast.ForStatement:
		r.initializer(s.Initializer)
		s.Test = r.truth(s.Test)
		s.Update = r.expr(s.Update)
		s.Body = r.stmt(s.Body)
	case *ast.ForOfStatement:
		r.into(s.Into)
		s.Source = r.expr(s.Source)
		s.Body = r.stmt(s.Body)
	}
}

func (r *rewriter) initializer(i ast.ForLoopInitializer) {
	switch i := i.(type) {
	case *ast.ForLoopInitializerExpression:
		i.Expression = r.expr(i.Expression)
	case *ast.ForLoopInitializerVarDeclList:
		r.bindings(i.List)
	case *ast.ForLoopInitializerLexicalDecl:
		r.bindings(i.LexicalDeclaration.List)
	}
}

func (r *rewriter) into(i ast.ForInto) {
	switch i := i.(type) {
	case *ast.ForIntoVar:
		i.Binding.Initializer = r.expr(i.Binding.Initializer)
	case *ast.ForIntoExpression:
		i.Expression = r.expr(i.Expression)
	}
}

func (r *rewriter) try(s *ast.TryStatement) {
	r.block(s.Body.List)
	if s.Catch != nil {
		r.block(s.Catch.Body.List)
	}
	if s.Finally != nil {
		r.block(s.Finally.List)
	}
}

func (r *rewriter) bindings(list []*ast.Binding) {
	for _, b := range list {
		r.pattern(b.Target)
		b.Initializer = r.expr(b.Initializer)
	}
}

// pattern rewrites the default values inside a destructuring.
func (r *rewriter) pattern(t ast.Expression) {
	switch t := t.(type) {
	case *ast.ArrayPattern:
		r.exprs(t.Elements)
	case *ast.ObjectPattern:
		r.properties(t.Properties)
	}
}

func (r *rewriter) function(f *ast.FunctionLiteral) {
	r.bindings(f.ParameterList.List)
	r.body(f.Body.List, &f.DeclarationList)
}

// body rewrites the statements of a function.
func (r *rewriter) body(list []ast.Statement, vars *[]*ast.VariableDeclaration) {
	outer, hoist := r.vars, r.hoist
	r.vars, r.hoist = vars, hoist && !strict(list)
	r.statements(list)
	r.vars, r.hoist = outer, hoist
}

func (r *rewriter) class(c *ast.ClassLiteral) {
	c.SuperClass = r.expr(c.SuperClass)
	hoist := r.hoist
	r.hoist = false // classes are strict
	defer func() { r.hoist = hoist }()
	for _, e := range c.Body {
		switch e := e.(type) {
		case *ast.FieldDefinition:
			e.Initializer = r.expr(e.Initializer)
		case *ast.MethodDefinition:
			r.function(e.Body)
		case *ast.ClassStaticBlock:
			r.body(e.Block.List, &e.DeclarationList)
		}
	}
}

func (r *rewriter) exprs(list []ast.Expression) {
	for i := range list {
		list[i] = r.expr(list[i])
	}
}

func (r *rewriter) properties(list []ast.Property) {
	for _, p := range list {
		switch p := p.(type) {
		case *ast.PropertyKeyed:
			if p.Computed {
				p.Key = r.expr(p.Key)
			}
			p.Value = r.expr(p.Value)
		case *ast.PropertyShort:
			r.names[p.Name.Name.String()] = true
			p.Initializer = r.expr(p.Initializer)
		case *ast.SpreadElement:
			p.Expression = r.expr(p.Expression)
		}
	}
}

// expr rewrites an expression; nil stays nil.
func (r *rewriter) expr(e ast.Expression) ast.Expression {
	switch e := e.(type) {
	case nil:
		return nil
	case *ast.Identifier:
		r.names[e.Name.String()] = true
	case *ast.ConditionalExpression:
		e.Test, e.Consequent, e.Alternate = r.truth(e.Test), r.expr(e.Consequent), r.expr(e.Alternate)
	case *ast.UnaryExpression:
		if e.Operator == token.NOT {
			e.Operand = r.truth(e.Operand)
		} else {
			e.Operand = r.expr(e.Operand)
		}
	case *ast.BinaryExpression:
		if e.Operator == token.LOGICAL_AND || e.Operator == token.LOGICAL_OR {
			e.Left = r.truth(e.Left)
		} else {
			e.Left = r.expr(e.Left)
		}
		e.Right = r.expr(e.Right)
	case *ast.AssignExpression:
		e.Left, e.Right = r.expr(e.Left), r.expr(e.Right)
	case *ast.CallExpression:
		e.Callee = r.expr(e.Callee)
		r.exprs(e.ArgumentList)
	case *ast.NewExpression:
		e.Callee = r.expr(e.Callee)
		r.exprs(e.ArgumentList)
	case *ast.DotExpression:
		r.members[e.Identifier.Name.String()] = true
		if of, ok := e.Left.(*ast.Identifier); ok && of.Name.String() == globalName {
			r.names[e.Identifier.Name.String()] = true
		}
		e.Left = r.expr(e.Left)
	case *ast.BracketExpression:
		if name, ok := e.Member.(*ast.StringLiteral); ok {
			r.members[name.Value.String()] = true
		}
		e.Left, e.Member = r.expr(e.Left), r.expr(e.Member)
	case *ast.FunctionLiteral:
		r.function(e)
	default:
		r.rarer(e)
	}
	return e
}

func (r *rewriter) rarer(e ast.Expression) {
	switch e := e.(type) {
	case *ast.ArrowFunctionLiteral:
		r.bindings(e.ParameterList.List)
		switch body := e.Body.(type) {
		case *ast.BlockStatement:
			r.body(body.List, &e.DeclarationList)
		case *ast.ExpressionBody:
			body.Expression = r.expr(body.Expression)
		}
	case *ast.RegExpLiteral:
		if strings.Contains(e.Flags, "u") {
			e.Pattern = spellOut(e.Pattern)
		}
	case *ast.ArrayLiteral:
		r.exprs(e.Value)
	case *ast.ObjectLiteral:
		r.properties(e.Value)
	case *ast.SequenceExpression:
		r.exprs(e.Sequence)
	case *ast.TemplateLiteral:
		e.Tag = r.expr(e.Tag)
		r.exprs(e.Expressions)
	case *ast.ClassLiteral:
		r.class(e)
	case *ast.OptionalChain:
		e.Expression = r.expr(e.Expression)
	case *ast.Optional:
		e.Expression = r.expr(e.Expression)
	case *ast.SpreadElement:
		e.Expression = r.expr(e.Expression)
	case *ast.PrivateDotExpression:
		e.Left = r.expr(e.Left)
	case *ast.YieldExpression:
		e.Argument = r.expr(e.Argument)
	case *ast.AwaitExpression:
		e.Argument = r.expr(e.Argument)
	case *ast.Binding:
		r.pattern(e.Target)
		e.Initializer = r.expr(e.Initializer)
	case *ast.ArrayPattern:
		r.exprs(e.Elements)
	case *ast.ObjectPattern:
		r.properties(e.Properties)
	}
}
