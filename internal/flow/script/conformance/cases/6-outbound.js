//# 6.3 a message without a record: endpoint, method, header, body
var m = new sn_ws.RESTMessageV2(); m.setEndpoint('http://partner.example/echo'); m.setHttpMethod('post'); m.setRequestHeader('X-Case', 'one'); m.setRequestBody('{"a":1}'); var r = m.execute(); var b = JSON.parse(r.getBody()); [r.getStatusCode(), b.method, b.headers['X-Case'], b.body, r.haveError()].join()
//* alone
//= 200,POST,one,{"a":1},false

//# 6.3 query parameters are added
var m = new sn_ws.RESTMessageV2(); m.setEndpoint('http://partner.example/echo?x=1'); m.setHttpMethod('GET'); m.setQueryParameter('q', 'a b'); JSON.parse(m.execute().getBody()).query
//* alone
//= x=1&q=a%20b

//# 6.3 headers of the answer
var m = new sn_ws.RESTMessageV2(); m.setEndpoint('http://partner.example/echo'); m.setHttpMethod('GET'); var r = m.execute(); [r.getHeader('Content-Type'), r.getHeaders()['X-Partner']].join()
//* alone
//= application/json,yes

//# 6.3 an error status has its body
var m = new sn_ws.RESTMessageV2(); m.setEndpoint('http://partner.example/status/404'); m.setHttpMethod('GET'); var r = m.execute(); [r.getStatusCode(), JSON.parse(r.getBody()).path].join()
//* alone
//= 404,/status/404

//# 6.4 basic authentication
var m = new sn_ws.RESTMessageV2(); m.setEndpoint('http://partner.example/echo'); m.setHttpMethod('GET'); m.setBasicAuth('user', 'secret'); JSON.parse(m.execute().getBody()).headers.Authorization
//* alone
//= Basic dXNlcjpzZWNyZXQ=

//# 6.3 a message that does not exist throws
new sn_ws.RESTMessageV2('no such message', 'get')
//* alone
//! no such message

//# 6.2 a message of records: variables in endpoint and body
var id = make('sys_rest_message', {name: 'CaseMessage', rest_endpoint: 'http://partner.example/items/${id}', authentication_type: 'no_authentication'});
make('sys_rest_message_fn', {rest_message: id, function_name: 'send', http_method: 'post', content: '{"text":"${text}"}'});
var m = new sn_ws.RESTMessageV2('CaseMessage', 'send'); m.setStringParameterNoEscape('id', '7'); m.setStringParameterNoEscape('text', 'hi'); var b = JSON.parse(m.execute().getBody()); [b.path, b.body].join()
//* alone
//= /items/7,{"text":"hi"}

//# 6.2 setStringParameter escapes for XML, setStringParameterNoEscape does not
var id = make('sys_rest_message', {name: 'CaseEscapes', rest_endpoint: 'http://partner.example/echo', authentication_type: 'no_authentication'});
make('sys_rest_message_fn', {rest_message: id, function_name: 'send', http_method: 'post', content: '<a>${x}</a><b>${y}</b>'});
var m = new sn_ws.RESTMessageV2('CaseEscapes', 'send'); m.setStringParameter('x', 'a&b'); m.setStringParameterNoEscape('y', '<c/>'); JSON.parse(m.execute().getBody()).body
//* alone
//= <a>a&amp;b</a><b><c/></b>

//# 6.2 a placeholder without a value is refused, by name
var m = new sn_ws.RESTMessageV2('CaseEscapes', 'send'); m.setStringParameter('x', '1'); m.execute()
//* alone
//! no value for ${y}
//~ there it goes out as it is; messages of update sets behave so here too

//# 6.2 getEndpoint and getRequestBody show what was sent
var m = new sn_ws.RESTMessageV2(); m.setEndpoint('http://partner.example/echo/${x}'); m.setHttpMethod('POST'); m.setStringParameterNoEscape('x', '9'); m.setRequestBody('b'); m.execute(); [m.getEndpoint(), m.getRequestBody()].join()
//* alone
//= http://partner.example/echo/9,b

//# 6.3 the classes are classes
new sn_ws.RESTMessageV2() instanceof sn_ws.RESTMessageV2
//= true

//# 6.3 errors offer getMessage()
try { new sn_ws.RESTMessageV2('no such message', 'get'); } catch (ex) { /no such message/.test(ex.getMessage()) }
//= true

//# 6.5 execute inside the transaction of a write is refused
var m = new sn_ws.RESTMessageV2(); m.setEndpoint('http://partner.example/echo'); m.setHttpMethod('GET'); m.execute()
//! transaction
//~ there the call is made, and a change that fails later cannot take it back

//# 6.5 executeAsync sends when the transaction has committed
var m = new sn_ws.RESTMessageV2(); m.setEndpoint('http://partner.example/queued'); m.setHttpMethod('POST'); m.setRequestBody('x'); m.executeAsync();
//> partner('/queued')
//= 1

//# 6.9 a SOAP message: action and envelope
var m = new sn_ws.SOAPMessageV2(); m.setEndpoint('http://partner.example/echo'); m.setSOAPAction('urn:do'); m.setRequestBody('<e/>'); var b = JSON.parse(m.execute().getBody()); [b.method, b.headers.Soapaction.replace(/"/g, ''), b.headers['Content-Type'].split(';')[0], b.body].join()
//* alone
//= POST,urn:do,text/xml,<e/>
