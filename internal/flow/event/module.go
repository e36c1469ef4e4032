package event

import (
	"errors"
	"math"
	"strings"
	"time"

	"github.com/dop251/goja"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/script"
)

// Module adds what scripts fire events with: gs.eventQueue, gs.eventQueueScheduled, and the errors RetryLater and
// Permanent by which a handler says what is to become of its run. It binds after the module that makes gs.
func (s *Service) Module() script.Module { return &module{s} }

type module struct{ events *Service }

// thrown is where a scope keeps what its script said by RetryLater or Permanent.
type thrown struct{}

// Bind adds the names to a scope.
func (m *module) Bind(s *script.Scope) error {
	for name, f := range map[string]func(goja.FunctionCall) goja.Value{
		"gs.eventQueue":          func(c goja.FunctionCall) goja.Value { return m.eventQueue(s, c) },
		"gs.eventQueueScheduled": func(c goja.FunctionCall) goja.Value { return m.scheduled(s, c) },
	} {
		if err := s.Define(name, f); err != nil {
			return err
		}
	}
	if err := s.Define("RetryLater", func(c goja.ConstructorCall) *goja.Object {
		seconds := c.Argument(0).ToFloat()
		if math.IsNaN(seconds) || seconds < 0 {
			s.Throw(fault.New(fault.Invalid, "RetryLater takes the seconds to wait, and a reason"))
		}
		return outcome(s, c, "RetryLater", s.Text(c.Argument(1)), RetryLater(time.Duration(min(seconds, 30*86400)*float64(time.Second)), s.Text(c.Argument(1))))
	}); err != nil {
		return err
	}
	return s.Define("Permanent", func(c goja.ConstructorCall) *goja.Object {
		reason := s.Text(c.Argument(0))
		return outcome(s, c, "Permanent", reason, Permanent(errors.New(reason)))
	})
}

// outcome makes an error object that stands for err.
func outcome(s *script.Scope, c goja.ConstructorCall, name, message string, err error) *goja.Object {
	for field, v := range map[string]string{"name": name, "message": message} {
		if failed := c.This.Set(field, v); failed != nil {
			s.Throw(failed)
		}
	}
	s.Env().Values[thrown{}] = err
	return nil
}

// Thrown gives the error of a script the meaning that RetryLater or Permanent gave it.
func Thrown(s *script.Scope, err error) error {
	meant, _ := s.Env().Values[thrown{}].(error)
	var at *script.Error
	if err == nil || meant == nil || !errors.As(err, &at) {
		return err
	}
	switch {
	case strings.HasPrefix(at.Message, "Permanent"):
		return Permanent(err)
	case strings.HasPrefix(at.Message, "RetryLater"):
		var later *retryLater
		if errors.As(meant, &later) {
			return RetryLater(later.after, err.Error())
		}
	}
	return err
}

func (m *module) eventQueue(s *script.Scope, c goja.FunctionCall) goja.Value {
	e := m.event(s, c)
	e.Queue = s.Text(c.Argument(4))
	m.fire(s, e)
	return goja.Undefined()
}

func (m *module) scheduled(s *script.Scope, c goja.FunctionCall) goja.Value {
	e := m.event(s, c)
	if goja.IsUndefined(c.Argument(2)) && e.Record != nil {
		e.Parm1 = e.Record.Display()
	}
	if when := s.Text(c.Argument(4)); when != "" {
		at, err := time.Parse(record.DateTimeLayout, when)
		if err != nil {
			s.Throw(fault.New(fault.Invalid, "gs.eventQueueScheduled: %q is no date and time", record.Clip(when)).
				WithHint("give a GlideDateTime, or text like 2026-01-31 08:00:00 in UTC"))
		}
		e.At = at
	}
	m.fire(s, e)
	return goja.Undefined()
}

// event reads the arguments that both calls have.
func (m *module) event(s *script.Scope, c goja.FunctionCall) Event {
	e := Event{Name: strings.TrimSpace(s.Text(c.Argument(0))), Parm1: m.parm(s, c.Argument(2)), Parm2: m.parm(s, c.Argument(3))}
	about := c.Argument(1)
	if g, ok := s.RecordOf(about); ok {
		if g.Table() != nil {
			e.Record = g.Current()
		}
		return e
	}
	e.Instance = s.Text(about)
	return e
}

// parm is a parameter as text. An object without a text of its own is kept as JSON, not as "[object Object]".
func (m *module) parm(s *script.Scope, v goja.Value) string {
	text := s.Text(v)
	if o, ok := v.(*goja.Object); ok && text == "[object Object]" {
		if j, err := o.MarshalJSON(); err == nil {
			return string(j)
		}
	}
	return text
}

func (m *module) fire(s *script.Scope, e Event) {
	err := s.Write(func(w *record.Writer) error {
		_, err := m.events.Fire(s.Context(), w, e)
		return err
	})
	if err != nil {
		s.Throw(err)
	}
}
