package glide

import (
	"encoding/base64"
	"maps"
	"net/url"
	"strings"
	"time"

	"github.com/dop251/goja"

	"headrace/internal/core/record"
)

// call is a function of gs.
type call = func(l *lib, a arguments) any

// systemCalls are the functions of gs, by name.
var systemCalls = allSystemCalls()

func allSystemCalls() map[string]call {
	all := map[string]call{}
	for _, group := range []map[string]call{logCalls, userCalls, propertyCalls, messageCalls, valueCalls, scopeCalls, dateCalls(), relativeDateCalls()} {
		maps.Copy(all, group)
	}
	return all
}

// system makes gs.
func (l *lib) system() *goja.Object {
	return l.lazyObject(func(name string) goja.Value {
		fn, ok := systemCalls[name]
		if !ok {
			return nil
		}
		return l.vm.ToValue(func(c goja.FunctionCall) goja.Value { return l.vm.ToValue(fn(l, arguments{l, c.Arguments})) })
	})
}

// valueCalls are about values, texts and tables.
var valueCalls = map[string]call{
	"nil":                func(_ *lib, a arguments) any { return a.text(0) == "" },
	"generateGUID":       func(*lib, arguments) any { return record.NewID() },
	"base64Encode":       func(_ *lib, a arguments) any { return base64.StdEncoding.EncodeToString([]byte(a.text(0))) },
	"base64Decode":       base64Decode,
	"urlEncode":          func(_ *lib, a arguments) any { return url.QueryEscape(a.text(0)) },
	"urlDecode":          urlDecode,
	"xmlToJSON":          func(l *lib, a arguments) any { return l.xmlToJSON(a.text(0)) },
	"getXMLText":         getXMLText,
	"getXMLNodeList":     getXMLNodeList,
	"tableExists":        func(l *lib, a arguments) any { return l.cfg.DB.Catalog().Table(a.text(0)) != nil },
	"getDisplayColumn":   func(l *lib, a arguments) any { return l.displayColumn(a.text(0)) },
	"getDisplayValueFor": displayValueFor,
	"sleep":              sleep,
}

func base64Decode(l *lib, a arguments) any {
	decoded, err := decode64(a.text(0))
	if err != nil {
		return nil
	}
	return string(decoded)
}

// decode64 reads base64 with or without line breaks and padding.
func decode64(text string) ([]byte, error) {
	text = strings.TrimRight(strings.Join(strings.Fields(text), ""), "=")
	return base64.RawStdEncoding.DecodeString(text)
}

func urlDecode(_ *lib, a arguments) any {
	text, err := url.QueryUnescape(a.text(0))
	if err != nil {
		return a.text(0)
	}
	return text
}

func (l *lib) displayColumn(table string) any {
	t := l.cfg.DB.Catalog().Table(table)
	if t == nil {
		return nil
	}
	return t.DisplayField().Name
}

// displayValueFor is gs.getDisplayValueFor(table, sys_id, field).
func displayValueFor(l *lib, a arguments) any {
	r := l.find(a.text(0), record.SysID, a.text(1))
	if r == nil {
		return nil
	}
	if !a.given(2) || a.text(2) == "" {
		return r.Display()
	}
	return r.Get(a.text(2)).Text
}

// longestSleep bounds one call of gs.sleep.
const longestSleep = 30 * time.Second

// sleep waits, at most longestSleep.
func sleep(l *lib, a arguments) any {
	timer := time.NewTimer(min(longestSleep, milliseconds(l.number(a.value(0)))))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.s.Context().Done():
		l.throw(l.s.Context().Err())
	}
	return goja.Undefined()
}

// scopeCalls are about applications. There is one scope.
var scopeCalls = map[string]call{
	"getCurrentScopeName":     func(*lib, arguments) any { return "rhino.global" },
	"getCallerScopeName":      func(*lib, arguments) any { return nil },
	"getCurrentApplicationId": func(*lib, arguments) any { return "global" },
	"include":                 include,
	"isDebugging":             func(l *lib, _ arguments) any { return l.debugging() },
}

// include loads a script include by name and reports whether there is one.
func include(l *lib, a arguments) any {
	found, err := l.s.Include(a.text(0))
	if err != nil {
		l.throw(err)
	}
	return found
}

// propertyCalls read and set system properties.
var propertyCalls = map[string]call{
	"getProperty":        getProperty,
	"getEscapedProperty": func(l *lib, a arguments) any { return escapedOrNil(getProperty(l, a)) },
	"setProperty":        setProperty,
	"getPreference":      func(_ *lib, a arguments) any { return orNil(a, 1) },
}

func orNil(a arguments, i int) any {
	if a.given(i) {
		return a.value(i)
	}
	return nil
}

func escapedOrNil(v any) any {
	if s, ok := v.(string); ok {
		return escapeXML(s, true)
	}
	return v
}

// getProperty gives the value of a property as text, else the default, else null.
func getProperty(l *lib, a arguments) any {
	if r := l.find(propertyTable, "name", a.text(0)); r != nil && !r.Get("value").Empty() {
		return r.Get("value").Text
	}
	return orNil(a, 1)
}

func setProperty(l *lib, a arguments) any {
	values := []record.Assignment{{Field: "value", Value: record.Text(a.text(1))}}
	if a.given(2) {
		values = append(values, record.Assignment{Field: "description", Value: record.Text(a.text(2))})
	}
	t, err := l.cfg.DB.Table(propertyTable)
	if err != nil {
		l.throw(err)
	}
	there := l.find(propertyTable, "name", a.text(0))
	err = l.s.Write(func(w *record.Writer) error {
		if there != nil {
			_, _, err := w.Update(l.s.Context(), t, there.ID(), values)
			return err
		}
		_, err := w.Insert(l.s.Context(), t, append(values, record.Assignment{Field: "name", Value: record.Text(a.text(0))}))
		return err
	})
	if err != nil {
		l.throw(err)
	}
	return goja.Undefined()
}
