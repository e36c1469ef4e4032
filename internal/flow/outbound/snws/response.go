package snws

import (
	"bytes"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/dop251/goja"

	channel "headrace/internal/connect/channel/http"
	"headrace/internal/flow/outbound"
)

// response is a RESTResponseV2 or a SOAPResponseV2.
type response struct {
	l        *lib
	m        *message
	delivery string // of executeAsync
	got      *outbound.Response
	err      error
	saved    string // sys_id of the attachment that holds the body
	problem  string // why it could not be saved
}

// settle takes what came of the call.
func (r *response) settle(got *outbound.Response, err error) {
	r.got, r.err = got, err
	if got != nil {
		r.m.sent = &got.Request
		r.save()
	}
}

// save keeps the body as an attachment when that is wanted.
func (r *response) save() {
	f := r.m.keep
	if f == nil {
		return
	}
	if r.l.files == nil {
		r.problem = "attachments are not kept here"
		return
	}
	if f.Type = r.got.Header.Get("Content-Type"); f.Type == "" {
		f.Type = "application/octet-stream"
	}
	made, err := r.l.files.Put(r.l.s.Context(), r.l.s, *f, bytes.NewReader(r.got.Body))
	if err != nil {
		r.problem = err.Error()
		return
	}
	r.saved = made.ID()
}

// respond makes the object that scripts get.
func (l *lib) respond(r *response) *goja.Object {
	if l.answer == nil {
		l.answer = l.vm.NewObject()
		for name, do := range responseMethods {
			l.method(l.answer, name, func(call goja.FunctionCall) any {
				r, ok := l.held(call.This).(*response)
				if !ok {
					panic(l.vm.NewTypeError(name + " is called on something else"))
				}
				if name != "waitForResponse" {
					r.await(longestWait)
				}
				return do(r, arguments{l, call})
			})
		}
	}
	o := l.vm.NewObject()
	l.check(o.SetPrototype(l.answer))
	l.hold(o, r)
	return o
}

var responseMethods = map[string]func(*response, arguments) any{
	"getStatusCode": func(r *response, _ arguments) any { return r.status() },
	"getBody":       func(r *response, _ arguments) any { return r.body() },
	"getHeader": func(r *response, a arguments) any {
		if values := r.header().Values(a.text(0)); len(values) > 0 {
			return values[len(values)-1]
		}
		return goja.Null()
	},
	"getHeaders":    func(r *response, _ arguments) any { return r.l.table(r.headers()) },
	"getAllHeaders": func(r *response, _ arguments) any { return r.allHeaders() },
	"getCookies":    func(r *response, _ arguments) any { return r.cookies() },
	"haveError": func(r *response, _ arguments) any {
		return r.err != nil || r.status() >= http.StatusBadRequest || r.problem != ""
	},
	"getErrorCode":               func(r *response, _ arguments) any { return r.code() },
	"getErrorMessage":            func(r *response, _ arguments) any { return r.message() },
	"getQueryString":             func(r *response, _ arguments) any { return r.query() },
	"getResponseAttachmentSysid": func(r *response, _ arguments) any { return r.saved },
	"waitForResponse":            func(r *response, a arguments) any { r.await(time.Duration(a.whole(0)) * time.Second); return nil },
	"getDeliveryId":              func(r *response, _ arguments) any { return r.delivery },
	"getResponseAttachmentSysId": func(r *response, _ arguments) any { return r.saved },
}

func (r *response) status() int {
	if r.got == nil {
		return 0
	}
	return r.got.Status
}

func (r *response) header() http.Header {
	if r.got == nil {
		return http.Header{}
	}
	return r.got.Header
}

// body is the text of the answer. One that was saved as an attachment is there, and not here.
func (r *response) body() string {
	if r.got == nil || r.saved != "" {
		return ""
	}
	return string(r.got.Body)
}

func (r *response) headers() []outbound.Pair {
	var out []outbound.Pair
	h := r.header()
	for _, name := range names(h) {
		for _, v := range h[name] {
			out = append(out, outbound.Pair{Name: name, Value: v})
		}
	}
	return out
}

func names(h http.Header) []string {
	var out []string
	for name := range h {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func (r *response) allHeaders() *goja.Object {
	out := []any{}
	for _, p := range r.headers() {
		o := r.l.vm.NewObject()
		r.l.check(o.Set("name", p.Name))
		r.l.check(o.Set("value", p.Value))
		out = append(out, o)
	}
	return r.l.vm.NewArray(out...)
}

func (r *response) cookies() *goja.Object {
	out := []any{}
	for _, v := range r.header().Values("Set-Cookie") {
		out = append(out, v)
	}
	return r.l.vm.NewArray(out...)
}

// code is the platform's error code: 1 for an answer that did not come in time.
func (r *response) code() int {
	var f *channel.Failure
	if errors.As(r.err, &f) && (f.Phase == channel.Wait || f.Phase == channel.Total || f.Phase == channel.Answer) {
		return 1
	}
	return 0
}

func (r *response) message() string {
	switch {
	case r.err != nil:
		return r.err.Error()
	case r.problem != "":
		return r.problem
	case r.status() >= http.StatusBadRequest:
		path := r.got.Request.Endpoint
		if u, err := url.Parse(path); err == nil {
			path = u.Path
		}
		return "Method failed: (" + path + ") with code: " + strconv.Itoa(r.status())
	}
	return ""
}

func (r *response) query() string {
	if r.got == nil {
		return ""
	}
	return r.got.Request.Query
}
