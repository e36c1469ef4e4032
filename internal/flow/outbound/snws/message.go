package snws

import (
	"bytes"
	"cmp"
	"context"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/dop251/goja"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/attachment"
	"headrace/internal/flow/outbound"
	"headrace/internal/flow/script"
)

// message is a RESTMessageV2 or a SOAPMessageV2 of a script.
type message struct {
	l      *lib
	object *goja.Object
	req    outbound.Request
	sent   *outbound.Sent // what went out, once it has
	mutual string
	keep   *attachment.File // where the answer goes
	mid    bool
}

func (l *lib) newMessage(name, function string, soap bool) *message {
	m := &message{l: l, req: outbound.Request{Message: name, Function: function, SOAP: soap, Variables: map[string]outbound.Variable{}}}
	if name == "" && soap {
		m.req.Method = http.MethodPost
	}
	if name != "" {
		l.check(l.s.Read(func(tx record.Tx) error { return l.calls.Find(l.s.Context(), tx, m.req) }))
	}
	return m
}

type method = func(*message, arguments) any

// doing makes a method that only changes the message.
func doing(do func(*message, arguments)) method {
	return func(m *message, a arguments) any { do(m, a); return nil }
}

// methodsOf lists the methods of a class.
func methodsOf(soap, old bool) map[string]method {
	out := map[string]method{}
	for _, some := range []map[string]method{common, map[bool]map[string]method{false: ofREST, true: ofSOAP}[soap]} {
		for name, do := range some {
			out[name] = do
		}
	}
	if old {
		for name, do := range older {
			out[name] = do
		}
	}
	return out
}

var common = map[string]method{
	"setEndpoint":      doing(func(m *message, a arguments) { m.req.Endpoint = a.text(0) }),
	"setRequestBody":   doing(func(m *message, a arguments) { body := a.text(0); m.req.Body = &body }),
	"setRequestHeader": doing(func(m *message, a arguments) { m.setHeader(a.text(0), a.text(1)) }),
	"setStringParameter": doing(func(m *message, a arguments) {
		m.req.Variables[a.text(0)] = outbound.Variable{Value: a.text(1)}
	}),
	"setStringParameterNoEscape": doing(func(m *message, a arguments) {
		m.req.Variables[a.text(0)] = outbound.Variable{Value: a.text(1), Escape: "noescape"}
	}),
	"setBasicAuth": doing(func(m *message, a arguments) { m.req.Basic = &outbound.Basic{User: a.text(0), Password: a.text(1)} }),
	"setAuthenticationProfile": doing(func(m *message, a arguments) {
		m.req.Profile, m.req.ProfileID = strings.ToLower(a.text(0)), a.text(1)
	}),
	"setRequestorProfile": doing(func(m *message, a arguments) { m.req.Requestor = a.text(0) + ":" + a.text(1) }),
	"setMutualAuth":       doing(func(m *message, a arguments) { m.mutual = a.text(0) }),
	"setMIDServer":        doing(func(m *message, _ arguments) { m.mid = true }),
	"setEccParameter":     doing(func(*message, arguments) {}),
	"setEccCorrelator":    doing(func(*message, arguments) {}),
	"setEccTopic":         doing(func(*message, arguments) {}),
	"setHttpTimeout": doing(func(m *message, a arguments) {
		m.req.Timeout = time.Duration(min(max(a.whole(0), 0), math.MaxInt32)) * time.Millisecond
	}),
	"setLogLevel":       doing(func(m *message, a arguments) { m.req.LogLevel = strings.ToLower(a.text(0)) }),
	"setFollowRedirect": doing(func(m *message, a arguments) { follow := a.truth(0); m.req.Redirects = &follow }),
	"setAllowedRedirectURIs": doing(func(m *message, a arguments) {
		m.req.Allowed = a.texts(0)
	}),
	"disableForcedVariableSubstitution": doing(func(*message, arguments) {}),
	"getEndpoint":                       func(m *message, _ arguments) any { return m.shown().Endpoint },
	"getRequestBody":                    func(m *message, _ arguments) any { return m.shown().Body },
	"getRequestHeader": func(m *message, a arguments) any {
		for _, h := range m.shown().Header {
			if strings.EqualFold(h.Name, a.text(0)) {
				return h.Value
			}
		}
		return goja.Null()
	},
	"getRequestHeaders": func(m *message, _ arguments) any { return m.l.table(m.shown().Header) },
	"getVariables":      func(m *message, _ arguments) any { return m.variables() },
	"getParameters":     func(m *message, _ arguments) any { return m.l.table(m.req.Query) },
	"execute":           func(m *message, _ arguments) any { return m.execute() },
	"executeAsync":      func(m *message, _ arguments) any { return m.executeAsync() },
}

var ofREST = map[string]method{
	"setHttpMethod": doing(func(m *message, a arguments) { m.req.Method = strings.ToUpper(a.text(0)) }),
	"setQueryParameter": doing(func(m *message, a arguments) {
		m.req.Query = append(m.req.Query, outbound.Pair{Name: a.text(0), Value: a.text(1)})
	}),
	"setRequestBodyFromAttachment": doing(func(m *message, a arguments) { m.bodyFrom(a.text(0)) }),
	"saveResponseBodyAsAttachment": doing(func(m *message, a arguments) {
		m.keep = &attachment.File{Table: a.text(0), ID: a.text(1), Name: a.text(2), Encryption: a.text(3)}
	}),
}

var ofSOAP = map[string]method{
	"setSOAPAction": doing(func(m *message, a arguments) { action := a.text(0); m.req.SOAPAction = &action }),
	"setWSSecurity": doing(func(m *message, _ arguments) {
		m.l.s.Throw(fault.New(fault.Invalid, "messages are not signed with certificates here").WithHint("setWSSecurityUsernameToken sends a user name token"))
	}),
	"setWSSecurityUsernameToken": doing(func(m *message, a arguments) {
		m.req.UsernameToken = &outbound.Basic{User: a.text(0), Password: a.text(1)}
	}),
}

// older are the names of the classes without V2.
var older = map[string]method{
	"setRestEndPoint": common["setEndpoint"],
	"setSoapEndPoint": common["setEndpoint"],
	"setParameter":    common["setStringParameter"],
	"setXMLParameter": common["setStringParameterNoEscape"],
	"post": func(m *message, _ arguments) any {
		r := m.execute()
		return m.l.held(r).(*response).body()
	},
}

func (m *message) setHeader(name, value string) {
	for i := range m.req.Header {
		if strings.EqualFold(m.req.Header[i].Name, name) {
			m.req.Header[i].Value = value
			return
		}
	}
	m.req.Header = append(m.req.Header, outbound.Pair{Name: name, Value: value})
}

// mostAttached bounds an attachment that is sent, in bytes.
const mostAttached = 10 << 20

// bodyFrom takes the body from a file.
func (m *message) bodyFrom(id string) {
	l := m.l
	if l.files == nil {
		l.s.Throw(fault.New(fault.Invalid, "attachments are not kept here"))
	}
	file, err := l.s.Env().Session.Trusted().Get(l.s.Context(), l.calls.DB().Catalog().Table(attachment.Table), id)
	l.check(err)
	size, err := strconv.ParseInt(file.Get("size_bytes").Text, 10, 64)
	l.check(err)
	var b bytes.Buffer
	l.check(l.files.Send(l.s.Context(), l.s, &limited{b: &b, left: mostAttached}, file, 0, size))
	body := b.String()
	m.req.Body = &body
	if kind := file.Get("content_type").Text; kind != "" && len(m.req.Header) == 0 {
		m.setHeader("Content-Type", kind)
	}
}

// limited takes so many bytes and no more.
type limited struct {
	b    *bytes.Buffer
	left int
}

func (w *limited) Write(p []byte) (int, error) {
	if len(p) > w.left {
		return 0, fault.New(fault.Limit, "the attachment is larger than the %d MB that are sent", mostAttached>>20)
	}
	w.left -= len(p)
	return w.b.Write(p)
}

// shown is what went out, or, before it has, what was set.
func (m *message) shown() *outbound.Sent {
	if m.sent != nil {
		return m.sent
	}
	out := &outbound.Sent{Endpoint: m.req.Endpoint, Header: m.req.Header}
	if m.req.Body != nil {
		out.Body = *m.req.Body
	}
	return out
}

func (m *message) variables() *goja.Object {
	o := m.l.vm.NewObject()
	for name, v := range m.req.Variables {
		m.l.check(o.Set(name, v.Value))
	}
	return o
}

// table makes an object of names and values; of several with one name the last counts.
func (l *lib) table(pairs []outbound.Pair) *goja.Object {
	o := l.vm.NewObject()
	for _, p := range pairs {
		l.check(o.Set(p.Name, p.Value))
	}
	return o
}

// ready completes the request with what the scope says.
func (m *message) ready() outbound.Request {
	if m.mutual != "" {
		m.l.s.Throw(fault.New(fault.Invalid, "mutual authentication is not there yet, and the message asks for the profile %q", m.mutual))
	}
	env := m.l.s.Env()
	r := m.req
	r.KeyStem, r.Nth, r.Trace, r.Handler = env.Key, m.l.nth(), env.Trace, m.l.s.Running()
	if g, ok := m.l.s.RecordOf(m.l.s.Get("current")); ok && g.Table() != nil && g.Current() != nil {
		r.SourceTable, r.SourceID = g.Table().Name, g.Current().ID()
	}
	if m.mid {
		m.l.s.Log(script.LogEntry{Level: "warn", Message: "there are no MID servers here: the call goes out directly"})
	}
	return r
}

// execute calls at once. A call without an answer gives a response that has an error; what is wrong with the request is
// thrown.
func (m *message) execute() *goja.Object {
	s := m.l.s
	switch env := s.Env(); {
	case env.DryRun:
		s.Throw(fault.New(fault.Refused, "nothing is called in a dry run"))
	case env.Writer != nil:
		s.Throw(fault.New(fault.Refused, "execute() calls another system while a transaction is open, whose change may still be undone").
			WithHint("fire an event and call in its script action, or use executeAsync(), which sends when the change is kept"))
	}
	r := &response{l: m.l, m: m}
	got, err := m.l.calls.Do(s.Context(), m.ready())
	if err != nil && fault.KindOf(err) != fault.Unavailable {
		s.Throw(err)
	}
	r.settle(got, err)
	return m.l.respond(r)
}

// executeAsync makes a delivery: in the open transaction, or in one of its own.
func (m *message) executeAsync() *goja.Object {
	s := m.l.s
	if s.Env().DryRun && s.Env().Writer == nil {
		s.Throw(fault.New(fault.Refused, "nothing is called in a dry run"))
	}
	r := &response{l: m.l, m: m}
	req := m.ready()
	m.l.check(s.Write(func(w *record.Writer) (err error) {
		req.Trace = cmp.Or(req.Trace, w.Trace())
		r.delivery, err = m.l.calls.Enqueue(s.Context(), w, req)
		return err
	}))
	return m.l.respond(r)
}

// longestWait bounds what a script waits for an answer, as on the platform.
const longestWait = 30 * time.Second

// await waits for the answer of a delivery. Inside a transaction it can never come.
func (r *response) await(within time.Duration) {
	if r.delivery == "" || r.got != nil || r.err != nil {
		return
	}
	s := r.l.s
	if s.Env().Writer != nil {
		s.Throw(fault.New(fault.Refused, "the call is made when the transaction commits; its answer cannot be waited for inside it").
			WithHint("let the message take the answer into an import set, or wait in a script action"))
	}
	ctx, cancel := context.WithTimeout(s.Context(), min(within, longestWait))
	defer cancel()
	got, err := r.l.calls.Await(ctx, r.delivery)
	if fault.KindOf(err) == fault.Canceled && err != nil {
		s.Throw(fault.New(fault.Unavailable, "no answer within %s", min(within, longestWait)))
	}
	r.settle(got, err)
}
