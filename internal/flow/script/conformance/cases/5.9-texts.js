//# 5.9 JSON as the language has it
JSON.stringify(JSON.parse('{"a":[1,null,"x"]}'))
//= {"a":[1,null,"x"]}

//# 5.9 new JSON() encodes and decodes
var j = new JSON(); j.encode({a: 1}) + j.decode('{"b":2}').b
//= {"a":1}2

//# 5.9 new JSONParser().parse
new JSONParser().parse('{"a":5}').a
//= 5

//# 5.9 JSON.stringify takes the text of a field
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mail is slow'); JSON.stringify({c: gr.category})
//= {"c":"software"}
//~ there it is not useful; the value is what scripts mean

//# 5.9 escaping for HTML and back
[GlideStringUtil.escapeHTML('<a href="x">&</a>'), GlideStringUtil.unEscapeHTML('&lt;b&gt;')].join()
//= &lt;a href=&quot;x&quot;&gt;&amp;&lt;/a&gt;,<b>

//# 5.9 the rest of GlideStringUtil
[GlideStringUtil.dotToUnderBar('a.b'), GlideStringUtil.getNumeric('a1b2'), GlideStringUtil.isEligibleSysID('0123456789abcdef0123456789abcdef'), GlideStringUtil.isBase64('YQ=='), GlideStringUtil.newLinesToBreaks('a\nb'), GlideStringUtil.normalizeWhitespace(' a  b '), GlideStringUtil.escapeTicks("it's"), GlideStringUtil.escapeQueryTermSeparator('a^b')].join()
//= a_b,12,true,true,a<br/>b,a b,it\'s,a^^b

//# 5.9 XMLDocument2 reads and finds
var d = new XMLDocument2(); var ok = d.parseXML('<list><item id="1">a</item><item id="2">b</item></list>'); [ok, d.getNodeText('//item[2]'), d.getNode('//item').getAttribute('id'), d.getDocumentElement().getNodeName(), d.getNodeText('//none')].join()
//= true,b,1,list,

//# 5.9 XMLDocument2 of what is no XML
var d = new XMLDocument2(); [d.parseXML('<a>'), d.isValid()].join()
//= false,false

//# 5.9 XMLDocument2 walks over what it finds
var d = new XMLDocument2(), n = []; d.parseXML('<l><i>a</i><i>b</i><i>c</i></l>'); for (var x = d.getFirstNode('/l/i'); x; x = d.getNextNode(x)) n.push(x.getTextContent()); n.join()
//= a,b,c

//# 5.9 XMLDocument2 builds
var d = new XMLDocument2(); d.createElement('order'); d.createElementWithTextValue('number', 'A&B'); d.toString()
//= <?xml version="1.0" encoding="UTF-8"?><order><number>A&amp;B</number></order>

//# 5.9 XMLNode: children and attributes
var d = new XMLDocument2(), n = []; d.parseXML('<a k="v"><b/>t<c/></a>'); var it = d.getDocumentElement().getChildNodeIterator(); while (it.hasNext()) n.push(it.next().getNodeName()); [n.join('+'), d.getDocumentElement().hasAttribute('k'), d.getDocumentElement().getAttributes().k, d.getDocumentElement().getFirstChild().toString()].join()
//= b+#text+c,true,v,<b/>

//# 5.9 CDATA is told apart
var d = new XMLDocument2(); d.parseXML('<a><![CDATA[<x>]]></a>'); [d.getDocumentElement().getFirstChild().isCDATANode(), d.getDocumentElement().getTextContent()].join()
//= true,<x>

//# 5.9 entities that grow are refused
var d = new XMLDocument2(); d.parseXML('<!DOCTYPE a [<!ENTITY x "xxxx"><!ENTITY y "&x;&x;&x;">]><a>&y;</a>')
//= false

//# 5.9 XMLDocument of old
var d = new XMLDocument('<r><n>42</n><n>x</n></r>'); [d.getNodeInt('//n'), d.getNodes('//n').getLength(), d.getNodeName('/*')].join()
//= 42,2,r

//# 5.9 XMLHelper drops the root; attributes begin with @
var o = new XMLHelper('<r a="1"><b>x</b><c>1</c><c>2</c></r>').toObject(); [o['@a'], o.b, o.c.join('+')].join()
//= 1,x,1+2

//# 5.9 XMLHelper writes objects, escaped
new XMLHelper().toXMLStr({order: {'@id': '1', item: ['a', 'b<']}})
//= <order id="1"><item>a</item><item>b&lt;</item></order>
//~ there texts are not escaped and the result is no XML

//# 5.9 escaping for XML
[XMLUtilJS.escapeForXMLText('<&>'), XMLUtilJS.unescapeForXMLText('&lt;'), GlideXMLUtil.validateXML('<a/>'), GlideXMLUtil.validateXML('<a>') !== null, GlideXMLUtil.removeInvalidChars('a\u0001b')].join()
//= &lt;&amp;&gt;,<,,true,ab

//# 5.9 gs.getXMLText
gs.getXMLText('<a><b>x</b></a>', '//b')
//= x

//# 5.9 ArrayUtil: unique keeps the last of equals
new ArrayUtil().unique(['a', 'b', 'c', 'c', 'b']).join()
//= a,c,b

//# 5.9 ArrayUtil: contains, indexOf, concat
var u = new ArrayUtil(); [u.contains(['a', 'b'], 'b'), u.indexOf(['a', 'b'], 'b'), u.indexOf(['a'], 'z'), u.indexOf(['a', 'b', 'a'], 'a', 1), u.concat([1], [2]).length].join()
//= true,1,-1,2,2

//# 5.9 ArrayUtil: diff, intersect, union
var u = new ArrayUtil(), a = ['a', 'b', 'c'], b = ['c', 'f', 'g']; [u.diff(a, b).join('+'), u.intersect(a, b).join('+'), u.union(a, b).join('+')].join()
//= a+b,c,a+b+c+f+g

//# 5.9 ArrayUtil: ensureArray, convertArray
var u = new ArrayUtil(); [u.ensureArray('x').length, u.ensureArray(null).length, u.convertArray(gs.getUser().getMyGroups()).length].join()
//@ zoe
//= 1,0,1

//# 5.9 ArrayUtil finds the value of a field
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mail is slow'); new ArrayUtil().contains(['software'], gr.category)
//= true
//~ there it compares the object; scripts mean the value

//# 5.9 j2js
[j2js(gs.getUser().getMyGroups()).length, j2js('x')].join()
//@ zoe
//= 1,x

//# 5.9 JSUtil
[JSUtil.nil(''), JSUtil.notNil('x'), JSUtil.has(0), JSUtil.type_of([]), JSUtil.toBoolean('true'), JSUtil.instance_of([], 'Array')].join()
//= true,true,true,array,true,true

//# 5.9 GlideStringUtil: base64, of bytes too
[GlideStringUtil.base64Decode(GlideStringUtil.base64Encode('héllo')), GlideStringUtil.base64Encode(GlideStringUtil.base64DecodeAsBytes('AP8B')), GlideStringUtil.base64Decode('%%')].join()
//= héllo,AP8B,

//# 5.9 sn_impex.CSVParser takes a line apart
var p = new sn_impex.CSVParser(); [p.parseLineToArray('a,"b, ""c""",,d').join('|'), p.parseLineToArray("1;'2;3'", ';', "'").join('|')].join(' ')
//= a|b, "c"||d 1|2;3

//# 5.9 sn_impex.CSVParser names the values of a line by their headers
JSON.stringify(new sn_impex.CSVParser().parseLineToObject('Joe,"Smith, Sr",x', ['first_name', 'last_name'], ',', '"'))
//= {"first_name":"Joe","last_name":"Smith, Sr"}

//# 5.9 sn_impex.CSVParser wants headers for an object
new sn_impex.CSVParser().parseLineToObject('a,b', null)
//! CSVParser: Header list is empty
