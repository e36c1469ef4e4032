package script

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/dop251/goja"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// Env is what the scripts of one scope run with.
type Env struct {
	Session record.Session // who acts, with run and trace. GlideRecord acts trusted, GlideRecordSecure as the actor
	// Writer is the open transaction: scripts read and write in it, each write in a savepoint of its own. Without one, reads
	// see what is committed and each write is a transaction of its own.
	Writer *record.Writer
	// ReadOnly refuses writes: for scripts that may run more often than their effect is kept.
	ReadOnly bool
	User     string // sys_id of the user; "" takes the actor's
	DryRun   bool   // no call leaves the machine; the caller rolls back
	Key      string // stem of idempotency keys, stable over retries; "" is none
	Trace    string
	Zone     string // IANA name of the zone that dates are shown in; "" is the user's
	// Looks is called before a script reads or writes records, and Wrote after it wrote some. Either may be nil.
	Looks func() error
	Wrote func()
	// Log, when given, gets what the scope's scripts log, beside the engine's own log.
	Log func(LogEntry)
	// Values are the modules' own.
	Values map[any]any
}

// Scope is one global object: scripts that run in it see each other's globals. It is used by one goroutine at a time.
type Scope struct {
	engine       *Engine
	ctx          context.Context
	cancel       context.CancelCauseFunc
	env          Env
	vm           *goja.Runtime
	watch        *watch
	loaded       map[*program]bool // programs whose names and patches are there
	patched      map[int]bool
	known        map[string]bool // names that were looked for among the script includes
	running      string          // the script under way
	depth        int
	protos       map[string]*goja.Object
	constructors map[string]*goja.Object
	includes     map[string]string     // texts by name; nil until they are needed
	asked        time.Time             // when includes were read
	open         map[*GlideRecord]bool // whose cursors are not pinned
}

// Open makes a scope: for one handler run, the rules of one write, one batch of a transform.
func (e *Engine) Open(ctx context.Context, env Env) (*Scope, error) {
	vm := goja.New()
	vm.SetMaxCallStackSize(e.cfg.Limits.Depth)
	if env.Values == nil {
		env.Values = map[any]any{}
	}
	if env.User == "" {
		env.User = env.Session.Actor().ID
	}
	s := &Scope{engine: e, open: map[*GlideRecord]bool{}, env: env, vm: vm, known: map[string]bool{}, loaded: map[*program]bool{}, patched: map[int]bool{}, protos: map[string]*goja.Object{}, constructors: map[string]*goja.Object{}}
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	s.watch = &watch{vm: vm, limits: e.cfg.Limits, ctx: s.ctx, cancel: s.cancel}
	if err := s.bind(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Scope) bind() error {
	if err := s.vm.Set(truthName, s.truth); err != nil {
		return err
	}
	if err := s.bindRecords(); err != nil {
		return err
	}
	all := s.vm.GlobalObject()
	if err := all.DefineDataProperty(globalName, all, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE); err != nil {
		return err
	}
	for _, m := range s.engine.cfg.Modules {
		if err := m.Bind(s); err != nil {
			return err
		}
	}
	return nil
}

// Close ends the scope. Its values must not be used any more.
func (s *Scope) Close() {
	s.watch.stop()
	s.cancel(nil)
}

// Rest readies the scope for the end of its transaction: records that a script still goes over are found by it, and read by
// the next. The scope can then be renewed.
func (s *Scope) Rest() error {
	if thrown := s.vm.Try(func() { s.pinned(nil) }); thrown != nil {
		return thrown
	}
	return nil
}

// Renew puts the scope into another transaction, or on behalf of somebody else: what scripts have set stays.
func (s *Scope) Renew(ctx context.Context, env Env) {
	s.cancel(nil)
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	s.watch.renew(s.ctx, s.cancel)
	env.Values, env.User = s.env.Values, cmp.Or(env.User, env.Session.Actor().ID)
	s.env = env
}

// VM is the runtime, for modules.
func (s *Scope) VM() *goja.Runtime { return s.vm }

// Env is what the scope was opened with.
func (s *Scope) Env() Env { return s.env }

// Context is that of the scope.
func (s *Scope) Context() context.Context { return s.ctx }

// Engine is the engine of the scope.
func (s *Scope) Engine() *Engine { return s.engine }

// Running names the script under way.
func (s *Scope) Running() string { return s.running }

// Set makes a global variable: a text, number, bool or nil, a map or slice of them, a goja value, a Go function.
func (s *Scope) Set(name string, v any) {
	if err := s.vm.GlobalObject().Set(name, v); err != nil {
		s.Throw(err)
	}
}

// Get reads a global variable; nil when there is none.
func (s *Scope) Get(name string) goja.Value { return s.vm.GlobalObject().Get(name) }

// Define sets a value at a path such as "sn_ws.RESTMessageV2", making the objects on the way.
func (s *Scope) Define(path string, v any) error {
	at := s.vm.GlobalObject()
	parts := strings.Split(path, ".")
	for _, name := range parts[:len(parts)-1] {
		next, ok := at.Get(name).(*goja.Object)
		if !ok {
			next = s.vm.NewObject()
			if err := at.Set(name, next); err != nil {
				return err
			}
		}
		at = next
	}
	return at.Set(parts[len(parts)-1], v)
}

// Throw raises an error in the script, with message and getMessage(). A fault of the product stays its cause.
func (s *Scope) Throw(err error) { panic(s.vm.NewGoError(err)) }

// Text is the text of a value: elements by their value, null and undefined as "".
func (s *Scope) Text(v goja.Value) string {
	if v == nil || goja.IsNull(v) || goja.IsUndefined(v) {
		return ""
	}
	return v.String()
}

// Log writes a line to the log of scripts.
func (s *Scope) Log(e LogEntry) {
	if e.Source == "" {
		e.Source = s.running
	}
	if e.Trace == "" {
		e.Trace = s.env.Trace
	}
	e.Actor = s.env.Session.Actor().Name
	if s.env.Log != nil {
		s.env.Log(e)
	}
	if s.engine.cfg.Log != nil {
		s.engine.cfg.Log(s.ctx, e)
	}
}

// Run runs a script and gives the value of its last expression. A failure is an Invalid fault with the script, line and
// column, whose cause is an *Error; a limit that was reached is a fault of kind Limit.
func (s *Scope) Run(src Source) (v goja.Value, err error) {
	p, err := s.engine.compile(src)
	if err != nil {
		return nil, err
	}
	outer := s.running
	s.running = src.Name
	defer func() { s.running = outer }()
	if err := s.load(p); err != nil {
		return nil, err
	}
	return s.run(src.Name, p.code)
}

func (s *Scope) run(name string, code *goja.Program) (v goja.Value, err error) {
	if s.depth++; s.depth == 1 {
		s.watch.begin()
		defer s.watch.end()
	}
	defer func() {
		s.depth--
		if p := recover(); p != nil {
			err = s.failure(name, fmt.Errorf("%v", p))
		}
	}()
	v, err = s.vm.RunProgram(code)
	if err != nil {
		return nil, s.failure(name, err)
	}
	return v, nil
}

// Call calls a function of the scope, for modules that keep callbacks.
func (s *Scope) Call(f goja.Callable, this goja.Value, args ...goja.Value) (goja.Value, error) {
	v, err := f(this, args...)
	if err != nil {
		return nil, s.failure(s.running, err)
	}
	return v, nil
}

// Truth is the truth of a value in a condition: elements count by their value.
func (s *Scope) Truth(v goja.Value) bool {
	if v == nil {
		return false
	}
	return s.truthOf(v).ToBoolean()
}

var elementType = reflect.TypeFor[*element]()

// truth is the helper that rewritten programs call.
func (s *Scope) truth(call goja.FunctionCall) goja.Value { return s.truthOf(call.Argument(0)) }

// truthOf gives a value whose truth is the element's; other values as they are.
func (s *Scope) truthOf(v goja.Value) goja.Value {
	o, ok := v.(*goja.Object)
	if !ok || o.ExportType() != elementType {
		return v
	}
	if e := o.Export().(*element); e.truthy() {
		return v
	}
	return s.vm.ToValue("")
}

// failure gives an error of the engine its place and its kind.
func (s *Scope) failure(name string, err error) error {
	e := &Error{Script: name, Message: err.Error()}
	var interrupted *goja.InterruptedError
	var thrown *goja.Exception
	var deep *goja.StackOverflowError
	switch {
	case errors.As(err, &interrupted):
		e.place(interrupted.Stack())
		reason, ok := interrupted.Value().(error)
		if !ok {
			reason = err
		}
		s.vm.ClearInterrupt()
		e.Message, e.Cause = reason.Error(), reason
		return fault.Wrap(fault.KindOf(reason), e, "%s", e.Error())
	case errors.As(err, &deep):
		e.place(deep.Stack())
		e.Message = fmt.Sprintf("calls went deeper than %d", s.engine.cfg.Limits.Depth)
		return fault.Wrap(fault.Limit, e, "%s", e.Error())
	case errors.As(err, &thrown):
		e.place(thrown.Stack())
		e.Stack, e.Cause = thrown.String(), thrown.Unwrap()
		e.Message = s.messageOf(thrown)
	}
	return fault.Wrap(fault.Invalid, e, "%s", e.Error())
}

// messageOf is what was thrown, as text; an error of the product in its own words.
func (s *Scope) messageOf(thrown *goja.Exception) string {
	if cause := thrown.Unwrap(); cause != nil {
		return cause.Error()
	}
	if o, ok := thrown.Value().(*goja.Object); ok {
		if m := o.Get("message"); m != nil && o.Get("name") != nil {
			return o.Get("name").String() + ": " + m.String()
		}
	}
	return thrown.Value().String()
}

// place takes the innermost frame that lies in a script.
func (e *Error) place(stack []goja.StackFrame) {
	for _, f := range stack {
		if at := f.Position(); at.Line > 0 && f.SrcName() != patchName {
			e.Script, e.Line, e.Column = f.SrcName(), at.Line, at.Column
			return
		}
	}
}

// Read runs fn in the open transaction, or over what is committed.
func (s *Scope) Read(fn func(record.Tx) error) error {
	if err := s.looks(); err != nil {
		return err
	}
	if s.env.Writer != nil {
		return fn(s.env.Writer.Tx())
	}
	return s.engine.cfg.DB.Store().Read(s.ctx, fn)
}

func (s *Scope) looks() error {
	if s.env.Looks == nil {
		return nil
	}
	return s.env.Looks()
}

// Write runs fn in a savepoint of the open transaction, or in a transaction of its own. What fn wrote vanishes when it
// fails; the transaction around it lives on.
func (s *Scope) Write(fn func(*record.Writer) error) error { return s.write(s.env.Session, nil, fn) }

// write is Write by a session, on t; a nil t may be any table.
func (s *Scope) write(session record.Session, t *record.Table, fn func(*record.Writer) error) error {
	if s.env.ReadOnly {
		return fault.New(fault.Refused, "this script may not write").WithHint("in a transform map, move what writes into an onBefore or onAfter script")
	}
	if err := s.looks(); err != nil {
		return err
	}
	s.pinned(t)
	if s.env.Wrote != nil {
		defer s.env.Wrote()
	}
	if s.env.Writer == nil {
		return session.Write(s.ctx, fn)
	}
	w := s.env.Writer.With(session)
	return w.Tx().Nest(s.ctx, func(record.Tx) error { return fn(w) })
}
