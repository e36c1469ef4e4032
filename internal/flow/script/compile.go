package script

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/dop251/goja"
	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/file"
	"github.com/dop251/goja/parser"

	"headrace/internal/core/fault"
)

// compile reads a script, with what old scripts are used to: functions declared in blocks are known outside of them, unless
// something else has the name, and loops may be written "for each".
func compile(src Source) (*program, error) {
	p, err := compileAs(src, true)
	if err != nil {
		if plain, again := compileAs(src, false); again == nil {
			return plain, nil
		}
	}
	return p, err
}

func compileAs(src Source, hoist bool) (*program, error) {
	tree, each, err := parse(src)
	if err != nil {
		return nil, syntaxError(src, err)
	}
	r := &rewriter{names: map[string]bool{}, members: map[string]bool{}, each: each, hoist: hoist}
	r.program(tree)
	code, err := goja.CompileAST(tree, false)
	if err != nil {
		return nil, syntaxError(src, err)
	}
	p := &program{code: code, needs: r.needs()}
	for name := range r.names {
		p.names = append(p.names, name)
	}
	return p, nil
}

// parse gives the syntax tree, and the places of loops written "for each".
func parse(src Source) (*ast.Program, map[file.Idx]bool, error) {
	tree, err := parser.ParseFile(nil, src.Name, src.Text, 0, parser.WithDisableSourceMaps)
	if err == nil || !strings.Contains(src.Text, "each") {
		return tree, nil, err
	}
	text, places := blankEach(src.Text)
	if len(places) == 0 {
		return nil, nil, err
	}
	tree, err = parser.ParseFile(nil, src.Name, text, 0, parser.WithDisableSourceMaps)
	each := map[file.Idx]bool{}
	for _, at := range places {
		each[file.Idx(at+1)] = true
	}
	return tree, each, err
}

// eachLoop finds "for each (", and before it whatever such words may stand in without being a loop: comments and texts.
var eachLoop = regexp.MustCompile(`//[^\n]*|/\*(?s:.*?)\*/|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|\bfor\s+(each)\s*\(`)

// blankEach puts blanks in the place of the word each, so that all else stays where it is.
func blankEach(text string) (blanked string, places []int) {
	b := []byte(text)
	for _, m := range eachLoop.FindAllStringSubmatchIndex(text, -1) {
		if m[2] >= 0 {
			copy(b[m[2]:m[3]], "    ")
			places = append(places, m[0])
		}
	}
	return string(b), places
}

// conditionalCatch is a construct of old engines that is not read.
var conditionalCatch = regexp.MustCompile(`catch\s*\(\s*\w+\s+if\b`)

// syntaxError gives an error of the compiler its place.
func syntaxError(src Source, err error) error {
	e := &Error{Script: src.Name, Message: err.Error()}
	var list parser.ErrorList
	var broken *goja.CompilerSyntaxError
	switch {
	case errors.As(err, &list) && len(list) > 0:
		e.Line, e.Column, e.Message = list[0].Position.Line, list[0].Position.Column, list[0].Message
	case errors.As(err, &broken) && broken.File != nil:
		at := broken.File.Position(broken.Offset)
		e.Line, e.Column, e.Message = at.Line, at.Column, broken.Message
	}
	f := fault.Wrap(fault.Invalid, e, "%s:%d:%d: %s", src.Name, e.Line, e.Column, e.Message)
	if line := lineOf(src.Text, e.Line); conditionalCatch.MatchString(line) {
		return f.WithHint("catch (e if ...) is not supported: write catch (e) { if (...) ... else throw e; }")
	}
	return f
}

func lineOf(text string, line int) string {
	lines := strings.Split(text, "\n")
	if line < 1 || line > len(lines) {
		return ""
	}
	return lines[line-1]
}

// patch changes what is built into the language, for scripts that mention it.
type patch struct {
	names   []string // global names
	members []string
	code    *goja.Program
}

// needs lists the patches that the program needs.
func (r *rewriter) needs() []int {
	var out []int
	for i, p := range patches {
		mentioned := func(of map[string]bool) func(string) bool { return func(name string) bool { return of[name] } }
		if slices.ContainsFunc(p.names, mentioned(r.names)) || slices.ContainsFunc(p.members, mentioned(r.members)) {
			out = append(out, i)
		}
	}
	return out
}

// patchName is the script that patches stand in, in the stacks of errors.
const patchName = "built in"

func newPatch(names, members []string, text string) patch {
	return patch{names: names, members: members, code: goja.MustCompile(patchName, text, false)}
}

// patches make callbacks in boolean position count elements by their value, keep texts from becoming so long that they
// cannot be held, and give errors what those of the platform have.
var patches = []patch{
	newPatch(nil, []string{"filter", "some", "every", "find", "findIndex", "findLast", "findLastIndex"}, `(function (truth) {
		['filter', 'some', 'every', 'find', 'findIndex', 'findLast', 'findLastIndex'].forEach(function (name) {
			var of = Array.prototype[name];
			if (!of) return;
			Object.defineProperty(Array.prototype, name, {configurable: true, writable: true, value: function (callback, self) {
				if (typeof callback !== 'function') return of.call(this, callback, self);
				return of.call(this, function (a, b, c) { return truth(callback.call(self, a, b, c)); });
			}});
		});
	})(__truth)`),
	newPatch(nil, []string{"repeat", "padStart", "padEnd", "join"}, `(function () {
		var most = 67108864;
		function bound(of, length) {
			return function (a, b) {
				if (length(this, a) > most) throw new RangeError('the text would be longer than 64 million characters');
				return of.apply(this, arguments);
			};
		}
		function put(on, name, length) {
			Object.defineProperty(on, name, {configurable: true, writable: true, value: bound(on[name], length)});
		}
		put(String.prototype, 'repeat', function (text, n) { return n * text.length; });
		put(String.prototype, 'padStart', function (text, n) { return n; });
		put(String.prototype, 'padEnd', function (text, n) { return n; });
		put(Array.prototype, 'join', function (list, by) { return list.length * (by === undefined ? 1 : String(by).length); });
	})()`),
	newPatch([]string{"Boolean"}, nil, `(function (truth) {
		var plain = Boolean;
		Boolean = function Boolean(v) { return new.target ? Reflect.construct(plain, [truth(v)], new.target) : plain(truth(v)); };
		Boolean.prototype = plain.prototype;
	})(__truth)`),
	newPatch(nil, []string{"getMessage", "lineNumber", "fileName"}, `(function () {
		function hidden(name, of) { Object.defineProperty(Error.prototype, name, Object.assign({configurable: true, enumerable: false}, of)); }
		function place(e) { return /^\s*at (?:[^\n]*\()?([^\n(]*?):(\d+):\d+/m.exec(String(e.stack)) || []; }
		hidden('getMessage', {writable: true, value: function () { return this.message; }});
		hidden('lineNumber', {get: function () { var n = place(this)[2]; return n === undefined ? undefined : Number(n); }});
		hidden('fileName', {get: function () { return place(this)[1]; }});
	})()`),
}
