package outbound_test

import (
	"strings"
	"testing"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/outbound"
	"headrace/internal/store/storetest/stores"
)

func TestVariablesAreEscapedByWhereTheyStand(t *testing.T) {
	const value = `a "b" & <c>/ü`
	tests := map[string]struct {
		fn   []string
		mode string
		v    outbound.Variable
		path string
		body string
	}{
		"JSON by its look":                       {[]string{"fn.content", `{"v": "${v}"}`}, "safe", outbound.Variable{Value: value}, "/", `{"v": "a \"b\" & <c>/ü"}`},
		"XML by its look":                        {[]string{"fn.content", `<v>${v}</v>`}, "safe", outbound.Variable{Value: value}, "/", `<v>a &#34;b&#34; &amp; &lt;c&gt;/ü</v>`},
		"URL":                                    {[]string{"fn.rest_endpoint", "/x/${v}?q=${v}"}, "safe", outbound.Variable{Value: value}, "/x/a%20%22b%22%20%26%20%3Cc%3E%2F%C3%BC?q=a%20%22b%22%20%26%20%3Cc%3E%2F%C3%BC", ""},
		"text is left as it is":                  {[]string{"fn.content", `v ${v}`}, "safe", outbound.Variable{Value: value}, "/", `v ` + value},
		"not escaped on demand":                  {[]string{"fn.content", `{"v": ${v}}`}, "safe", outbound.Variable{Value: `[1,"2"]`, Escape: "noescape"}, "/", `{"v": [1,"2"]}`},
		"strict is for XML":                      {[]string{"fn.content", `{"v": "${v}"}`}, "strict", outbound.Variable{Value: `R&D "x"`}, "/", `{"v": "R&amp;D &#34;x&#34;"}`},
		"strict sends what is missing literally": {[]string{"fn.content", `{"v": "${w}"}`}, "strict", outbound.Variable{}, "/", `{"v": "${w}"}`},
		"what is no name stays":                  {[]string{"fn.content", `v ${a b} $ { } ${v}`}, "safe", outbound.Variable{Value: "x"}, "/", `v ${a b} $ { } x`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := open(t, stores.SQLite(t), "routes: [{answers: [{status: 200}]}]")
			if len(tt.fn) > 1 && tt.fn[0] == "fn.rest_endpoint" {
				tt.fn[1] = w.partner.URL + tt.fn[1]
			}
			w.message(t, "post", "/", append(tt.fn, "message.mode", tt.mode)...)
			r := create()
			r.Variables = map[string]outbound.Variable{"v": tt.v}
			_, err := w.Do(t.Context(), r)
			check(t, err)
			if got := w.partner.Received()[0]; got.Path != tt.path || got.Body != tt.body {
				t.Errorf("sent %s %s, want %s %s", got.Path, got.Body, tt.path, tt.body)
			}
		})
	}
}

func TestWhatCannotBeSentIsRefusedBeforeItIs(t *testing.T) {
	tests := map[string]struct {
		change func(*outbound.Request)
		fn     []string
		want   string
	}{
		"a variable without a value": {func(*outbound.Request) {}, []string{"fn.content", "${b} ${a} ${b}"}, "no value for ${a}, ${b}"},
		"broken JSON":                {func(r *outbound.Request) { r.Variables = map[string]outbound.Variable{"a": {Value: "x y"}} }, []string{"fn.content", `{"a": ${a}}`}, "no JSON"},
		"a header with a line break": {func(r *outbound.Request) { r.Header = []outbound.Pair{{Name: "X", Value: "a\r\nY: b"}} }, nil, "no header"},
		"a user in the URL":          {func(r *outbound.Request) { r.Endpoint = "http://u:planted@h/" }, nil, "user name or password"},
		"no URL":                     {func(r *outbound.Request) { r.Endpoint = "file:///etc/passwd" }, nil, "no http"},
		"no method":                  {func(r *outbound.Request) { r.Method = "BREW" }, nil, `"BREW"`},
		"no such message":            {func(r *outbound.Request) { r.Message = "partnr" }, nil, `"partnr"`},
		"no such function":           {func(r *outbound.Request) { r.Function = "creat" }, nil, `"creat"`},
		"no such profile kind":       {func(r *outbound.Request) { r.Profile, r.ProfileID = "kerberos", "x" }, nil, `"kerberos"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := open(t, stores.SQLite(t), "routes: [{answers: [{status: 200}]}]")
			w.message(t, "post", "/", tt.fn...)
			r := create()
			tt.change(&r)
			err := w.db.As(record.System).Write(t.Context(), func(wr *record.Writer) error {
				_, err := w.Enqueue(t.Context(), wr, r)
				return err
			})
			if err == nil || !strings.Contains(err.Error(), tt.want) || fault.HintOf(err) == "" && !strings.Contains(tt.want, "no h") || strings.Contains(err.Error(), "planted") {
				t.Errorf("got %v (hint %q)", err, fault.HintOf(err))
			}
			if len(w.partner.Received()) != 0 {
				t.Error("it was sent")
			}
		})
	}
}

func TestHeadersOfTheFunctionReplaceThoseOfTheMessage(t *testing.T) {
	w := open(t, stores.SQLite(t), "routes: [{answers: [{status: 200}]}]")
	w.message(t, "post", "/x", "fn.content", "${n}")
	w.make(t, outbound.HeaderTable, "h1", "rest_message", "@partner", "name", "X-One", "value", "message")
	w.make(t, outbound.HeaderTable, "h2", "rest_message", "@partner", "name", "X-Two", "value", "message ${n}")
	w.make(t, outbound.FnHeaderTable, "h3", "rest_message_function", "@create", "name", "x-one", "value", "function")
	w.make(t, outbound.FnQueryTable, "q2", "rest_message_function", "@create", "name", "b", "value", "${n} & more", "order", "2")
	w.make(t, outbound.FnQueryTable, "q1", "rest_message_function", "@create", "name", "a", "value", "1", "order", "1")
	r := create()
	r.Variables = map[string]outbound.Variable{"n": {Value: "7"}}
	r.Query = []outbound.Pair{{Name: "c", Value: "x%20y^z"}}
	r.Trace = "0af7651916cd43dd8448eb211c80319c"
	_, err := w.Do(t.Context(), r)
	check(t, err)
	got := w.partner.Received()[0]
	if got.Path != "/x?a=1&b=7%20%26%20more&c=x%20y%5Ez" || got.Header.Get("X-One") != "function" || got.Header.Get("X-Two") != "message 7" ||
		!strings.HasPrefix(got.Header.Get("Traceparent"), "00-"+r.Trace+"-") {
		t.Errorf("sent %s %v", got.Path, got.Header)
	}
}

func TestEnvelopesLoseTheElementsOfVariablesThatAreNotSet(t *testing.T) {
	w := open(t, stores.SQLite(t), "routes: [{answers: [{status: 200}]}]")
	w.make(t, outbound.SOAPTable, "m", "name", "orders")
	w.make(t, outbound.SOAPFunctionTable, "f", "soap_message", "@m", "function_name", "Order", "soap_action", "urn:o", "soap_endpoint", w.partner.URL,
		"envelope", `<e:Envelope xmlns:e="x"><e:Body><o><id>${id}</id> <n:note a="1">${note}</n:note><both>${note} x</both></o></e:Body></e:Envelope>`)
	w.make(t, outbound.SOAPVariableTable, "v1", "soap_message_function", "@f", "name", "id")
	w.make(t, outbound.SOAPVariableTable, "v2", "soap_message_function", "@f", "name", "note", "mandatory", "false")
	r := outbound.Request{SOAP: true, Message: "orders", Function: "order", Variables: map[string]outbound.Variable{"id": {Value: "<7>"}},
		UsernameToken: &outbound.Basic{User: "u&u", Password: "p<p"}}
	_, err := w.Do(t.Context(), r)
	check(t, err)
	got := w.partner.Received()[0]
	if !strings.Contains(got.Body, "<o><id>&lt;7&gt;</id> <both> x</both></o>") || got.Header.Get("SOAPAction") != `"urn:o"` ||
		!strings.HasPrefix(got.Header.Get("Content-Type"), "text/xml") || !strings.Contains(got.Body, "<e:Header><wsse:Security") ||
		!strings.Contains(got.Body, "<wsse:Username>u&amp;u</wsse:Username>") || strings.Index(got.Body, "<e:Header>") > strings.Index(got.Body, "<e:Body>") {
		t.Errorf("sent %v %s", got.Header, got.Body)
	}
	delete(r.Variables, "id")
	if _, err := w.Do(t.Context(), r); err == nil || !strings.Contains(err.Error(), "${id}") {
		t.Errorf("a mandatory variable is missing: %v", err)
	}
}

func TestKeysAreTheSameForTheSameCallOfAHandler(t *testing.T) {
	w := open(t, stores.SQLite(t), "routes: [{answers: [{status: 200}]}]")
	w.message(t, "post", "/", "fn.content", "key ${idempotency_key}")
	r := create()
	r.KeyStem = "handler run 7"
	for range 2 {
		_, err := w.Do(t.Context(), r)
		check(t, err)
	}
	r.Nth = 1
	_, err := w.Do(t.Context(), r)
	check(t, err)
	r.Key = "mine"
	_, err = w.Do(t.Context(), r)
	check(t, err)
	got := w.partner.Received()
	key := func(i int) string { return got[i].Header.Get(outbound.DefaultKeyHeader) }
	if key(0) == "" || key(0) != key(1) || key(0) == key(2) || key(3) != "mine" || got[0].Body != "key "+key(0) {
		t.Errorf("keys %s %s %s %s", key(0), key(1), key(2), key(3))
	}
}

func TestHostsThatVariablesNameAreGuarded(t *testing.T) {
	for endpoint, guarded := range map[string]bool{"http://${host}/x": true, "${base}/x": true, "http://127.0.0.1:${port}/x": true, "LITERAL/${host}": false} {
		w := open(t, stores.SQLite(t), "routes: [{answers: [{status: 200}]}]")
		at := strings.TrimPrefix(w.partner.URL, "http://")
		w.message(t, "get", "/", "fn.rest_endpoint", strings.ReplaceAll(endpoint, "LITERAL", w.partner.URL))
		r := create()
		r.Variables = map[string]outbound.Variable{"host": {Value: at}, "base": {Value: w.partner.URL}, "port": {Value: at[strings.LastIndex(at, ":")+1:]}}
		_, err := w.Do(t.Context(), r)
		if guarded != (err != nil && strings.Contains(err.Error(), "private network")) {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
}

func TestFaultsAreRead(t *testing.T) {
	tests := map[string]struct {
		body string
		want *outbound.Fault
	}{
		"1.1": {`<s:Envelope xmlns:s="x"><s:Body><s:Fault><faultcode>s:Server</faultcode><faultstring>it broke</faultstring><detail><a>more</a></detail></s:Fault></s:Body></s:Envelope>`,
			&outbound.Fault{Code: "Server", Text: "it broke", Detail: "more"}},
		"1.2": {`<e:Envelope xmlns:e="y"><e:Header/><e:Body><e:Fault><e:Code><e:Value>e:Sender</e:Value></e:Code><e:Reason><e:Text>no</e:Text></e:Reason></e:Fault></e:Body></e:Envelope>`,
			&outbound.Fault{Code: "Sender", Text: "no"}},
		"no fault": {`<e:Envelope xmlns:e="y"><e:Body><Answer><Fault>x</Fault></Answer></e:Body></e:Envelope>`, nil},
		"a bomb":   {`<!DOCTYPE a [<!ENTITY x "y">]><e:Envelope xmlns:e="y"><e:Body><e:Fault/></e:Body></e:Envelope>`, nil},
		"a page":   {`<html><br>asleep`, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := outbound.FaultOf([]byte(tt.body))
			if (got == nil) != (tt.want == nil) || got != nil && *got != *tt.want {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestSOAPFaultOfOursIsFinalAndOneOfTheirsIsNot(t *testing.T) {
	fault := func(code string) string {
		return `{status: 500, body: '<s:Envelope xmlns:s="x"><s:Body><s:Fault><faultcode>s:` + code + `</faultcode><faultstring>f</faultstring></s:Fault></s:Body></s:Envelope>'}`
	}
	for code, want := range map[string]outbound.State{"Client": outbound.Dead, "Server": outbound.Retry} {
		w := open(t, stores.SQLite(t), "routes: [{answers: ["+fault(code)+"]}]")
		w.make(t, outbound.SOAPTable, "m", "name", "orders")
		w.make(t, outbound.SOAPFunctionTable, "f", "soap_message", "@m", "function_name", "Order", "soap_endpoint", w.partner.URL, "envelope", "<a/>")
		id := w.enqueue(t, outbound.Request{SOAP: true, Message: "orders", Function: "Order"})
		w.drain(t)
		if d := w.state(t, id, want, 1); d.Reason != "fault" {
			t.Errorf("%s: reason %s", code, d.Reason)
		}
	}
}
