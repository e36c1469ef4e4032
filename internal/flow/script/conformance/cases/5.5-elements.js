//# 5.5 a field is an object, also when it is empty
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mouse is lost'); typeof gr.caller_id + typeof gr.priority
//= objectobject

//# 5.5 == compares the value, === the object
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mail is slow'); [gr.priority == '3', gr.priority == 3, gr.priority === '3', gr.priority > 2].join()
//= true,true,false,true

//# 5.5 a condition tests the value
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mouse is lost'); [gr.caller_id ? 'y' : 'n', !gr.caller_id, gr.category ? 'y' : 'n', gr.caller_id && 'x' || 'none'].join()
//= n,true,y,none

//# 5.5 a false boolean field is false in a condition
var gr = new GlideRecord('incident'); gr.get('short_description', 'Door is stuck'); if (!gr.active) { 'inactive'; } else { 'active'; }
//= inactive

//# 5.5 callbacks that test a field test its value
var gr = new GlideRecord('incident'); gr.orderBy('short_description'); gr.query(); var n = []; while (gr.next()) n.push(['' + gr.short_description].filter(function () { return gr.caller_id; }).length); n.join()
//= 1,1,0,1

//# 5.5 members of texts are reachable on a field that has a value
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mail is slow'); [gr.short_description.indexOf('slow'), gr.short_description.toUpperCase(), gr.short_description.length, gr.short_description.split(' ').length].join()
//= 8,MAIL IS SLOW,12,3

//# 5.5 members of texts are missing on an empty field
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mouse is lost'); gr.caller_id.indexOf('x')
//! indexOf

//# 5.5 a field is bound to the cursor: kept in a list, all show the last record
var gr = new GlideRecord('incident'); gr.orderBy('short_description'); gr.query(); var kept = [], texts = []; while (gr.next()) { kept.push(gr.short_description); texts.push(gr.short_description.toString()); } [kept[0] + '', texts[0]].join()
//= Printer on fire,Door is stuck

//# 5.5 switch needs text
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mail is slow'); var a, b; switch (gr.category) { case 'software': a = 1; } switch (gr.category + '') { case 'software': b = 1; } [a, b].join()
//= ,1

//# 5.5 a reference is its sys_id, and leads on
var gr = new GlideRecord('incident'); gr.get('short_description', 'Printer on fire'); [('' + gr.caller_id).length, '' + gr.caller_id.user_name, gr.caller_id.getDisplayValue()].join()
//= 32,zoe,Zoe Meier

//# 5.5 a walk over a missing link is empty and no error
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mouse is lost'); ['' + gr.caller_id.manager.name, gr.caller_id.manager.nil()].join()
//= ,true

//# 5.5 nil and hasValue
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mouse is lost'); [gr.caller_id.nil(), gr.category.nil(), gr.caller_id.hasValue(), gs.nil(gr.caller_id)].join()
//= true,false,false,true

//# 5.5 getRefRecord: an empty record and not null when there is none
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mouse is lost'); var none = gr.caller_id.getRefRecord(); gr.get('short_description', 'Printer on fire'); [none.isValidRecord(), gr.caller_id.getRefRecord().getValue('user_name')].join()
//= false,zoe

//# 5.5 what a field tells about itself
var gr = new GlideRecord('incident'); gr.get('short_description', 'Printer on fire'); [gr.caller_id.getName(), gr.caller_id.getReferenceTable(), gr.category.getLabel(), gr.caller_id.getTableName()].join()
//= caller_id,sys_user,Category,incident

//# 5.5 changes, changesTo and changesFrom of a record that a script has changed
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mail is slow'); gr.priority = 1; [gr.priority.changes(), gr.priority.changesFrom(3), gr.priority.changesTo(1), gr.category.changes()].join()
//= true,true,true,false

//# 5.5 dateNumericValue and getGlideObject
var gr = new GlideRecord('incident'); gr.get('short_description', 'Printer on fire'); [gr.opened_at.dateNumericValue(), gr.opened_at.getGlideObject().getNumericValue()].join()
//= 1772352000000,1772352000000

//# 5.5 journal fields collect entries
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mail is slow'); gr.work_notes = 'first'; gr.update(); gr.work_notes = 'second'; gr.update(); var b = new GlideRecord('incident'); b.get(gr.getUniqueValue()); [/second/.test(b.work_notes.getJournalEntry(1)), /first/.test(b.work_notes.getJournalEntry(1)), /first/.test(b.work_notes.getJournalEntry(-1))].join()
//= true,false,true

//# 5.5 setValue and setDisplayValue of a field
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mail is slow'); gr.category.setDisplayValue('Network'); gr.priority.setValue(4); [gr.getValue('category'), gr.getValue('priority')].join()
//= network,4

//# 5.5 instanceof GlideElement
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mail is slow'); [gr.priority instanceof GlideElement, gr.priority instanceof String].join()
//= true,false

//# 5.5 text of booleans
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mail is slow'); '' + gr.active + gr.getValue('active')
//= true1

//# 5.5 getDependent: choices depend on no other field
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mail is slow'); [gr.state.getDependent() === null, gr.state.getChoices(null).length > 0].join()
//= true,true
