//# 5.3 addOrCondition is in the parenthesis of its condition
var gr = new GlideRecord('incident'); gr.addQuery('active', true); gr.addQuery('category', 'software').addOrCondition('priority', 1); gr.query(); gr.getRowCount()
//= 2

//# 5.3 addOrCondition chains
var gr = new GlideRecord('incident'); gr.addQuery('priority', 1).addOrCondition('priority', 3).addOrCondition('priority', '>', 3); gr.query(); gr.getRowCount()
//= 4

//# 5.3 addCondition is within the same parenthesis
var gr = new GlideRecord('incident'); var q = gr.addQuery('category', 'hardware'); q.addCondition('priority', 4); gr.query(); gr.getRowCount()
//= 1

//# 5.4 OR binds to the condition before it
var gr = new GlideRecord('incident'); gr.addEncodedQuery('active=false^category=hardware^ORcategory=inquiry'); gr.query(); gr.getRowCount()
//= 1

//# 5.4 NQ begins another query
var gr = new GlideRecord('incident'); gr.addEncodedQuery('active=false^NQcategory=software^EQ'); gr.query(); gr.getRowCount()
//= 2

//# 5.4 BETWEEN, ISEMPTY, ISNOTEMPTY, SAMEAS
function n(q) { var gr = new GlideRecord('incident'); gr.addEncodedQuery(q); gr.query(); return gr.getRowCount(); } [n('priorityBETWEEN3@4'), n('caller_idISEMPTY'), n('caller_idISNOTEMPTY'), n('prioritySAMEASpriority')].join()
//= 3,1,3,4

//# 5.4 javascript: values
var gr = new GlideRecord('incident'); gr.addEncodedQuery('caller_id=javascript:gs.getUserID()'); gr.query(); gr.getRowCount()
//@ zoe
//= 2

//# 5.4 dates: ON with a span
var gr = new GlideRecord('incident'); gr.addEncodedQuery('opened_atBETWEENjavascript:gs.dateGenerate("2026-03-01","00:00:00")@javascript:gs.dateGenerate("2026-03-02","23:59:59")'); gr.query(); gr.getRowCount()
//= 2

//# 5.4 a doubled caret is a caret
var gr = new GlideRecord('incident'); gr.initialize(); gr.short_description = 'a^b'; gr.insert(); var q = new GlideRecord('incident'); q.addEncodedQuery('short_description=' + GlideStringUtil.escapeQueryTermSeparator('a^b')); q.query(); q.getRowCount()
//= 1
