package snws_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/dop251/goja"

	"headrace/internal/connect/mock"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/access/vault"
	"headrace/internal/flow/attachment"
	"headrace/internal/flow/outbound"
	"headrace/internal/flow/outbound/snws"
	"headrace/internal/flow/script"
	"headrace/internal/store/queue"
	"headrace/internal/store/sqlstore"
	"headrace/internal/store/storetest/stores"
)

func TestMain(m *testing.M) { stores.Main(m) }

const partnerRoutes = `
routes:
  - path: /tickets/*
    method: POST
    match: {headers: {Authorization: "Basic dTpw"}}
    answers:
      - status: 201
        headers: {Content-Type: application/json, Set-Cookie: "a=1", X-Twice: one}
        body: '{"id":"EXT-7"}'
  - path: /quote
    method: GET
    answers: [{status: 200, json: {price: 12.5}}]
  - path: /soap
    match: {headers: {Soapaction: '"urn:order"'}}
    answers:
      - status: 500
        headers: {Content-Type: text/xml}
        body: '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault><faultcode>s:Client</faultcode><faultstring>no such order</faultstring></s:Fault></s:Body></s:Envelope>'
  - path: /nothing
    answers: [{drop: before}]
  - path: /slow
    answers: [{hold: true}]
`

type world struct {
	db      *record.DB
	engine  *script.Engine
	calls   *outbound.Service
	queue   *queue.Queue
	partner *mock.Server
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, cfg sqlstore.Config) *world {
	t.Helper()
	w := &world{}
	store := stores.Open(t, cfg)
	secrets, err := vault.FromText(strings.Repeat("0123456789abcdef", 4))
	check(t, err)
	properties := record.Table{Name: "sys_properties", Fields: []record.Field{{Name: "name", Type: record.String}, {Name: "value", Type: record.String}}}
	ticket := record.Table{Name: "u_ticket", Fields: []record.Field{{Name: "number", Type: record.String, Display: true}}}
	w.db, err = record.Open(t.Context(), store, record.Config{Tables: append(append(append(outbound.Tables(), attachmentTables()...), script.Tables()...), properties, ticket)})
	check(t, err)
	w.queue, err = queue.New(t.Context(), store, queue.Config{Queues: map[string]int{outbound.Queue: outbound.Workers}})
	check(t, err)
	w.calls = outbound.New(outbound.Config{DB: w.db, Vault: secrets, Queue: w.queue})
	w.engine = script.New(script.Config{DB: w.db, Modules: []script.Module{snws.New(w.calls, attachment.New(w.db))}})
	routes, err := mock.Parse("partner.yaml", []byte(partnerRoutes))
	check(t, err)
	w.partner, err = mock.Start(context.Background(), mock.New(routes, nil), "")
	check(t, err)
	t.Cleanup(func() { w.calls.Close(); check(t, w.partner.Close()) })
	w.insert(t, "sys_properties", "name", outbound.AllowedProperty, "value", "127.0.0.1")
	message := w.insert(t, outbound.MessageTable, "name", "Partner", "rest_endpoint", w.partner.URL+"/tickets/${kind}")
	w.insert(t, outbound.FunctionTable, "rest_message", message, "function_name", "post", "http_method", "post", "content", `{"text":"${text}"}`)
	soap := w.insert(t, outbound.SOAPTable, "name", "Orders")
	w.insert(t, outbound.SOAPFunctionTable, "soap_message", soap, "function_name", "Order", "soap_action", "urn:order", "soap_endpoint", w.partner.URL+"/soap",
		"envelope", `<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><Order><id>${id}</id></Order></e:Body></e:Envelope>`)
	return w
}

// attachmentTables are as the base tables have them.
func attachmentTables() []record.Table {
	field := func(name string, t record.Type) record.Field { return record.Field{Name: name, Type: t} }
	return []record.Table{
		{Name: attachment.Table, Fields: []record.Field{field("file_name", record.String), field("table_name", record.String), field("table_sys_id", record.Document),
			field("content_type", record.String), field("size_bytes", record.Long), field("size_compressed", record.Long), field("compressed", record.Boolean),
			field("chunk_size_bytes", record.Integer), field("hash", record.String), field("state", record.String), field("encryption_context", record.String)}},
		{Name: attachment.DocTable, Fields: []record.Field{field("sys_attachment", record.Reference), field("position", record.Integer), field("data", record.String),
			field("length", record.Integer)}},
	}
}

func (w *world) insert(t *testing.T, table string, pairs ...string) string {
	t.Helper()
	tab, err := w.db.Table(table)
	check(t, err)
	var values []record.Assignment
	for i := 0; i < len(pairs); i += 2 {
		values = append(values, record.Assignment{Field: pairs[i], Value: record.Text(pairs[i+1])})
	}
	r, err := w.db.As(record.System).Insert(t.Context(), tab, values)
	check(t, err)
	return r.ID()
}

// run runs a script outside of any transaction.
func (w *world) run(t *testing.T, env script.Env, text string) (goja.Value, error) {
	t.Helper()
	env.Session = w.db.As(record.System)
	scope, err := w.engine.Open(t.Context(), env)
	check(t, err)
	defer scope.Close()
	return scope.Run(script.Source{Name: "test", Text: strings.ReplaceAll(text, "PARTNER", w.partner.URL)})
}

func TestScriptsCallByTheNamesOfThePlatform(t *testing.T) {
	w := open(t, stores.SQLite(t))
	tests := map[string]struct{ script, want string }{
		"message with variables": {`var m = new sn_ws.RESTMessageV2('Partner', 'POST');
			m.setStringParameter('kind', 'new one'); m.setStringParameterNoEscape('text', 'a b'); m.setBasicAuth('u', 'p');
			var r = m.execute(); r.getStatusCode() + r.getBody() + m.getEndpoint().split('tickets')[1] + m.getRequestBody() + r.haveError()`,
			`201{"id":"EXT-7"}/new%20one{"text":"a b"}false`},
		"headers of the answer": {`var m = new sn_ws.RESTMessageV2('Partner', 'post'); m.setStringParameter('kind', 'k'); m.setStringParameter('text', 't'); m.setBasicAuth('u', 'p');
			var r = m.execute(); [r.getHeader('x-twice'), r.getHeaders()['X-Twice'], r.getCookies()[0], r.getAllHeaders().filter(function(h) { return h.name == 'X-Twice'; })[0].value, r.getHeader('nix')].join()`,
			"one,one,a=1,one,"},
		"everything by the script": {`var r = new sn_ws.RESTMessageV2(); r.setEndpoint('PARTNER/quote'); r.setHttpMethod('get'); r.setQueryParameter('q', 'a^b c');
			var a = r.execute(); JSON.parse(a.getBody()).price + ' ' + a.getQueryString()`, "12.5 q=a%5Eb%20c"},
		"status that is an error":    {`var r = new sn_ws.RESTMessageV2(); r.setEndpoint('PARTNER/nix'); var a = r.execute(); a.haveError() + a.getErrorMessage()`, "trueMethod failed: (/nix) with code: 404"},
		"no answer":                  {`var r = new sn_ws.RESTMessageV2(); r.setEndpoint('PARTNER/nothing'); var a = r.execute(); [a.haveError(), a.getStatusCode(), a.getErrorCode(), a.getBody()].join()`, "true,0,0,"},
		"no answer in time":          {`var r = new sn_ws.RESTMessageV2(); r.setEndpoint('PARTNER/slow'); r.setHttpTimeout(50); var a = r.execute(); [a.haveError(), a.getErrorCode()].join()`, "true,1"},
		"unknown message is thrown":  {`try { new sn_ws.RESTMessageV2('Partnr', 'post'); } catch (e) { e.getMessage() }`, `there is no REST message "Partnr"`},
		"unknown function is thrown": {`try { new sn_ws.RESTMessageV2('Partner', 'pst'); } catch (e) { e.getMessage() }`, `the message "Partner" has no function "pst"`},
		"missing variable is thrown": {`try { new sn_ws.RESTMessageV2('Partner', 'post').execute(); } catch (e) { e.getMessage() }`, "Partner.post: no value for ${kind}, ${text}"},
		"SOAP fault": {`var s = new sn_ws.SOAPMessageV2('Orders', 'Order'); s.setStringParameter('id', '<7>'); var r = s.execute();
			[r.getStatusCode(), r.haveError(), r.getBody().indexOf('no such order') > 0, s.getRequestBody().indexOf('<id>&lt;7&gt;</id>') > 0].join()`, "500,true,true,true"},
		"the older class":         {`var m = new RESTMessage('Partner', 'post'); m.setStringParameter('kind', 'k'); m.setXMLParameter('text', 't'); m.setBasicAuth('u', 'p'); m.execute().getStatusCode()`, "201"},
		"the older class of SOAP": {`var s = new SOAPMessage('Orders', 'Order'); s.setParameter('id', '7'); s.post().indexOf('no such order') > 0`, "true"},
		"instanceof":              {`new sn_ws.RESTMessageV2() instanceof sn_ws.RESTMessageV2`, "true"},
		"save the body": {`var m = new sn_ws.RESTMessageV2(); m.setEndpoint('PARTNER/quote'); m.saveResponseBodyAsAttachment('u_ticket', '00000000000000000000000000000001', 'q.json');
			var r = m.execute(); var n = new sn_ws.RESTMessageV2(); n.setEndpoint('PARTNER/nix'); n.setHttpMethod('post'); n.setRequestBodyFromAttachment(r.getResponseAttachmentSysid());
			n.execute(); r.getBody() + n.getRequestBody()`, `{"price":12.5}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := w.run(t, script.Env{}, tt.script)
			check(t, err)
			if got.String() != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
	t.Run("every member of the platform is there", func(t *testing.T) {
		got, err := w.run(t, script.Env{}, `
			var rest = 'setEndpoint setHttpMethod setRequestHeader setQueryParameter setRequestBody setRequestBodyFromAttachment setStringParameter setStringParameterNoEscape setBasicAuth setAuthenticationProfile setRequestorProfile setMutualAuth setMIDServer setEccParameter setEccCorrelator setEccTopic setHttpTimeout setLogLevel setFollowRedirect setAllowedRedirectURIs saveResponseBodyAsAttachment disableForcedVariableSubstitution getEndpoint getRequestBody getRequestHeader getRequestHeaders getVariables getParameters execute executeAsync';
			var soap = 'setEndpoint setSOAPAction setWSSecurity setWSSecurityUsernameToken setRequestHeader setRequestBody setStringParameter setStringParameterNoEscape setBasicAuth setMutualAuth setMIDServer setEccParameter setEccCorrelator setHttpTimeout setLogLevel setFollowRedirect getEndpoint getRequestBody getRequestHeader getRequestHeaders execute executeAsync';
			var answer = 'getStatusCode getBody getHeader getHeaders getAllHeaders getCookies haveError getErrorCode getErrorMessage getQueryString getResponseAttachmentSysid waitForResponse';
			var r = new sn_ws.RESTMessageV2(); r.setEndpoint('PARTNER/quote');
			var missing = function(o, names) { return names.split(' ').filter(function(n) { return typeof o[n] != 'function'; }); };
			missing(r, rest).concat(missing(new sn_ws.SOAPMessageV2(), soap), missing(r.execute(), answer)).join()`)
		check(t, err)
		if got.String() != "" {
			t.Errorf("missing: %s", got)
		}
	})
}

func TestExecuteInsideATransactionIsRefusedAndExecuteAsyncIsSentWhenItCommits(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		w := open(t, cfg)
		within := func(text string) (err error) {
			return w.db.As(record.System).Write(t.Context(), func(wr *record.Writer) error {
				_, err := w.run(t, script.Env{Writer: wr, Key: "handler run 1"}, text)
				return err
			})
		}
		err := within(`var m = new sn_ws.RESTMessageV2(); m.setEndpoint('PARTNER/quote'); m.execute()`)
		if err == nil || !strings.Contains(err.Error(), "transaction is open") || !strings.Contains(fault.HintOf(err), "executeAsync") || len(w.partner.Received()) != 0 {
			t.Errorf("got %v (%s) and %d calls", err, fault.HintOf(err), len(w.partner.Received()))
		}
		const async = `var m = new sn_ws.RESTMessageV2('Partner', 'post'); m.setStringParameter('kind', 'k'); m.setStringParameter('text', 't'); m.setBasicAuth('u', 'p'); m.executeAsync();`
		check(t, within(async))
		err = within(async + " throw 'no'")
		if err == nil {
			t.Error("a script that throws does not undo its delivery")
		}
		if _, err := w.queue.Drain(t.Context(), time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		got := w.partner.Received()
		if len(got) != 1 || got[0].Header.Get(outbound.DefaultKeyHeader) == "" {
			t.Errorf("the partner got %+v", got)
		}
	})
}

func TestScriptWaitsForTheAnswerOfADelivery(t *testing.T) {
	w := open(t, stores.SQLite(t))
	check(t, w.queue.Start(t.Context()))
	got, err := w.run(t, script.Env{}, `var m = new sn_ws.RESTMessageV2(); m.setEndpoint('PARTNER/quote'); var r = m.executeAsync(); r.waitForResponse(30); r.getBody()`)
	check(t, w.queue.Stop(t.Context()))
	check(t, err)
	if got.String() != `{"price":12.5}` {
		t.Errorf("got %s", got)
	}
}

func TestNothingIsCalledInADryRun(t *testing.T) {
	w := open(t, stores.SQLite(t))
	for _, call := range []string{"execute", "executeAsync"} {
		_, err := w.run(t, script.Env{DryRun: true}, `var m = new sn_ws.RESTMessageV2(); m.setEndpoint('PARTNER/quote'); m.`+call+`()`)
		if err == nil || !strings.Contains(err.Error(), "dry run") {
			t.Errorf("%s: %v", call, err)
		}
	}
	if n := len(w.partner.Received()); n != 0 {
		t.Errorf("%d calls", n)
	}
}

func TestHostThatAScriptNamesMayNotBePrivate(t *testing.T) {
	w := open(t, stores.SQLite(t))
	for _, host := range []string{"127.0.0.2", "localhost", "[::1]", "0.0.0.0", "169.254.169.254", "10.0.0.1"} {
		got, err := w.run(t, script.Env{}, `var m = new sn_ws.RESTMessageV2(); m.setEndpoint('http://`+host+`:1/'); m.setHttpTimeout(500); var r = m.execute(); r.getErrorMessage()`)
		check(t, err)
		if host != "localhost" && !strings.Contains(got.String(), "private network") {
			t.Errorf("%s: %s", host, got)
		}
	}
}
