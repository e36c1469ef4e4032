package glide

import (
	"strconv"
	"strings"

	"github.com/dop251/goja"
)

// messages are what a script told its user, by kind, in order.
type messages struct {
	info, failures, others []string
}

var messageCalls = map[string]call{
	"addInfoMessage":     say(func(m *messages) *[]string { return &m.info }),
	"addSuccessMessage":  say(func(m *messages) *[]string { return &m.info }),
	"addErrorMessage":    say(func(m *messages) *[]string { return &m.failures }),
	"addLowMessage":      say(func(m *messages) *[]string { return &m.others }),
	"addModerateMessage": say(func(m *messages) *[]string { return &m.others }),
	"addHighMessage":     say(func(m *messages) *[]string { return &m.others }),
	"addMessage":         addMessage,
	"getInfoMessages":    func(l *lib, _ arguments) any { return l.listOf(l.said.info) },
	"getErrorMessages":   func(l *lib, _ arguments) any { return l.listOf(l.said.failures) },
	"flushMessages":      func(l *lib, _ arguments) any { l.said = messages{}; return goja.Undefined() },
	"getMessage":         func(l *lib, a arguments) any { return l.message(a) },
	"getMessageS":        func(l *lib, a arguments) any { return l.message(a) },
	"getEscapedMessage":  func(l *lib, a arguments) any { return strings.NewReplacer(`'`, `\'`, `"`, `\"`).Replace(l.message(a)) },
}

// mostMessages bounds what a script may say.
const mostMessages = 1000

func say(to func(*messages) *[]string) call {
	return func(l *lib, a arguments) any {
		if list := to(&l.said); len(*list) < mostMessages {
			*list = append(*list, a.text(0))
		}
		l.log("info", a.text(0), "message")
		return goja.Undefined()
	}
}

// addMessage is gs.addMessage(kind, text).
func addMessage(l *lib, a arguments) any {
	to := func(m *messages) *[]string { return &m.others }
	switch a.text(0) {
	case "error":
		to = func(m *messages) *[]string { return &m.failures }
	case "info":
		to = func(m *messages) *[]string { return &m.info }
	}
	a.list = a.list[min(1, len(a.list)):]
	return say(to)(l, a)
}

// message is the text of a message key, which is the key itself where nobody has written one, with its places {0}, {1}
// ... filled: from an array, or from the arguments that follow.
func (l *lib) message(a arguments) string {
	text := a.text(0)
	if r := l.find("sys_ui_message", "key", text); r != nil && !r.Get("message").Empty() {
		text = r.Get("message").Text
	}
	values := a.list[min(1, len(a.list)):]
	if len(values) == 1 {
		if items, ok := l.items(values[0]); ok {
			values = items
		}
	}
	if len(values) == 0 {
		return text
	}
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = l.text(v)
	}
	return fill(text, texts, true)
}

// items gives the elements of an array.
func (l *lib) items(v goja.Value) ([]goja.Value, bool) {
	o, ok := v.(*goja.Object)
	if !ok || o.ClassName() != "Array" {
		return nil, false
	}
	all := make([]goja.Value, o.Get("length").ToInteger())
	for i := range all {
		all[i] = o.Get(strconv.Itoa(i))
	}
	return all, true
}

// fill puts values in the places {0}, {1} ... of a text. In the form of Java's MessageFormat an apostrophe quotes and two
// stand for one.
func fill(text string, values []string, quotes bool) string {
	var b strings.Builder
	inside := false
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '\'' && quotes {
			if i+1 < len(text) && text[i+1] == '\'' {
				b.WriteByte('\'')
				i++
			} else {
				inside = !inside
			}
			continue
		}
		if c == '{' && !inside {
			if end := strings.IndexByte(text[i:], '}'); end > 0 {
				if n, err := strconv.Atoi(text[i+1 : i+end]); err == nil && n >= 0 && n < len(values) {
					b.WriteString(values[n])
					i += end
					continue
				}
			}
		}
		b.WriteByte(c)
	}
	return b.String()
}
