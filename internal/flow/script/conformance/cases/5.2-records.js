//# 5.2 a query stands before its first record
var gr = new GlideRecord('incident'); gr.addQuery('category', 'hardware'); gr.orderBy('short_description'); gr.query(); var n = [gr.isValidRecord()]; while (gr.next()) n.push(gr.getValue('short_description')); n.join()
//= false,Mouse is lost,Printer on fire

//# 5.2 addQuery compares without regard to case
var gr = new GlideRecord('incident'); gr.addQuery('short_description', 'PRINTER ON FIRE'); gr.query(); gr.getRowCount()
//= 1

//# 5.2 operators of addQuery
function n(f, op, v) { var gr = new GlideRecord('incident'); gr.addQuery(f, op, v); gr.query(); return gr.getRowCount(); }
[n('priority', '!=', '4'), n('priority', '>', 1), n('priority', '<=', '3'), n('short_description', 'STARTSWITH', 'M'), n('short_description', 'ENDSWITH', 'fire'), n('short_description', 'CONTAINS', 'is'), n('short_description', 'DOES NOT CONTAIN', 'is'), n('category', 'IN', 'hardware,software'), n('category', 'NOT IN', 'hardware')].join()
//= 2,3,2,2,1,3,1,3,2

//# 5.2 IN takes an array
var gr = new GlideRecord('incident'); gr.addQuery('category', 'IN', ['hardware', 'inquiry']); gr.query(); gr.getRowCount()
//= 3

//# 5.2 addQuery with one argument is an encoded query
var gr = new GlideRecord('incident'); gr.addQuery('active=true^priority=1'); gr.query(); gr.getRowCount()
//= 1

//# 5.2 addQuery follows references
var gr = new GlideRecord('incident'); gr.addQuery('caller_id.user_name', 'zoe'); gr.query(); gr.getRowCount()
//= 2

//# 5.2 addEncodedQuery adds to what is there and may order
var gr = new GlideRecord('incident'); gr.addQuery('active', true); gr.addEncodedQuery('priority=3^ORpriority=4^ORDERBYDESCshort_description'); gr.query(); var n = []; while (gr.next()) n.push(gr.getValue('short_description')); n.join()
//= Mouse is lost,Mail is slow

//# 5.2 addNullQuery and addNotNullQuery: null and empty are one
function n(m) { var gr = new GlideRecord('incident'); gr[m]('caller_id'); gr.query(); return gr.getRowCount(); } n('addNullQuery') + '/' + n('addNotNullQuery')
//= 1/3

//# 5.2 addActiveQuery and addInactiveQuery
function n(m) { var gr = new GlideRecord('incident'); gr[m](); gr.query(); return gr.getRowCount(); } n('addActiveQuery') + '/' + n('addInactiveQuery')
//= 3/1

//# 5.2 addJoinQuery is a sub-query
var gr = new GlideRecord('sys_user'); gr.addJoinQuery('incident', 'sys_id', 'caller_id'); gr.addQuery('user_name', 'IN', 'zoe,abe'); gr.query(); gr.getRowCount()
//= 2

//# 5.2 orderBy several, in the order of the calls
var gr = new GlideRecord('incident'); gr.orderBy('category'); gr.orderByDesc('short_description'); gr.query(); var n = []; while (gr.next()) n.push(gr.getValue('short_description')); n.join()
//= Printer on fire,Mouse is lost,Door is stuck,Mail is slow

//# 5.2 setLimit
var gr = new GlideRecord('incident'); gr.setLimit(2); gr.query(); var n = 0; while (gr.next()) n++; n
//= 2

//# 5.2 chooseWindow: the first counted, the last not
var gr = new GlideRecord('incident'); gr.orderBy('short_description'); gr.chooseWindow(1, 3); gr.query(); var n = []; while (gr.next()) n.push(gr.getValue('short_description')); n.join()
//= Mail is slow,Mouse is lost

//# 5.2 of setLimit and chooseWindow the later counts
var gr = new GlideRecord('incident'); gr.chooseWindow(0, 3); gr.setLimit(1); gr.query(); var n = 0; while (gr.next()) n++; n
//= 1

//# 5.2 query(field, value) adds a condition
var gr = new GlideRecord('incident'); gr.query('category', 'software'); gr.next(); gr.getValue('short_description')
//= Mail is slow

//# 5.2 _query and _next are query and next
var gr = new GlideRecord('incident'); gr._query(); var n = 0; while (gr._next()) n++; n
//= 4

//# 5.2 hasNext does not move
var gr = new GlideRecord('incident'); gr.setLimit(1); gr.query(); [gr.hasNext(), gr.hasNext(), gr.next(), gr.hasNext()].join()
//= true,true,true,false

//# 5.2 get by sys_id, and false for none
var id = idOf('incident', 'short_description', 'Mail is slow'); var gr = new GlideRecord('incident'); [gr.get(id), gr.getValue('priority'), new GlideRecord('incident').get('0123456789abcdef0123456789abcdef')].join()
//= true,3,false

//# 5.2 get by field and value
var gr = new GlideRecord('incident'); [gr.get('short_description', 'Mouse is lost'), gr.getValue('category')].join()
//= true,hardware

//# 5.2 get with one value tries the display value when it is no sys_id
var gr = new GlideRecord('sys_user'); [gr.get('Zoe Meier'), gr.getValue('user_name')].join()
//= true,zoe

//# 5.2 next after get(field, value) moves to the second match
var gr = new GlideRecord('incident'); gr.get('category', 'hardware'); gr.next()
//= true

//# 5.2 insert gives the sys_id and fills defaults
var gr = new GlideRecord('incident'); gr.initialize(); gr.short_description = 'New one'; var id = gr.insert(); var back = new GlideRecord('incident'); back.get(id); [id.length, back.getValue('state'), back.getValue('number').substring(0, 3)].join()
//= 32,1,INC

//# 5.2 newRecord fills defaults and a sys_id before the insert
var gr = new GlideRecord('incident'); gr.newRecord(); [gr.isNewRecord(), gr.getUniqueValue().length, gr.getValue('state')].join()
//= true,32,1

//# 5.2 initialize gives an empty record
var gr = new GlideRecord('incident'); gr.initialize(); [gr.isNewRecord(), gr.getValue('short_description')].join()
//= false,

//# 5.2 update writes what was changed and gives the sys_id
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mail is slow'); gr.priority = 2; var id = gr.update(); var back = new GlideRecord('incident'); back.get(id); back.getValue('priority')
//= 2

//# 5.2 update of a record that is not there inserts it
var gr = new GlideRecord('incident'); gr.initialize(); gr.short_description = 'By update'; var id = gr.update(); new GlideRecord('incident').get(id)
//= true

//# 5.2 updateMultiple writes what setValue set on all matches
var gr = new GlideRecord('incident'); gr.addQuery('category', 'hardware'); gr.setValue('subcategory', 'mouse'); gr.updateMultiple(); var c = new GlideRecord('incident'); c.addQuery('subcategory', 'mouse'); c.query(); c.getRowCount()
//= 2

//# 5.2 deleteRecord
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mouse is lost'); [gr.deleteRecord(), new GlideRecord('incident').get('short_description', 'Mouse is lost')].join()
//= true,false

//# 5.2 deleteMultiple
var gr = new GlideRecord('incident'); gr.addQuery('category', 'hardware'); gr.deleteMultiple(); var c = new GlideRecord('incident'); c.query(); c.getRowCount()
//= 2

//# 5.2 deleteMultiple with a condition that is not understood deletes nothing
var gr = new GlideRecord('incident'); gr.addQuery('no_such_field', 'x'); try { gr.deleteMultiple(); } catch (e) {} var c = new GlideRecord('incident'); c.query(); c.getRowCount()
//= 4
//~ there the condition is dropped and every record is deleted

//# 5.2 a condition on a field that does not exist finds nothing
var gr = new GlideRecord('incident'); gr.addQuery('no_such_field', 'x'); gr.query(); gr.hasNext()
//= false
//~ there the condition is dropped and every record is found, unless glide.invalid_query.returns_no_rows is set

//# 5.2 getValue: null when empty or when there is no such field
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mouse is lost'); [gr.getValue('caller_id') === null, gr.getValue('no_such_field') === null].join()
//= true,true

//# 5.2 getValue of booleans is 1 or 0, as text it is true or false
var gr = new GlideRecord('incident'); gr.get('short_description', 'Door is stuck'); [gr.getValue('active'), '' + gr.active].join()
//= 0,false

//# 5.2 getValue of numbers is a text
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mail is slow'); typeof gr.getValue('priority')
//= string

//# 5.2 getDisplayValue: labels of choices, display values of references
var gr = new GlideRecord('incident'); gr.get('short_description', 'Printer on fire'); [gr.getDisplayValue('category'), gr.getDisplayValue('caller_id'), gr.getDisplayValue() === gr.getValue('number')].join()
//= Hardware,Zoe Meier,true

//# 5.2 getDisplayValue of a date-time is in the user's zone
var gr = new GlideRecord('incident'); gr.get('short_description', 'Printer on fire'); [gr.getValue('opened_at'), gr.getDisplayValue('opened_at')].join()
//@ zoe
//= 2026-03-01 08:00:00,2026-03-01 09:00:00

//# 5.2 setValue ignores null
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mail is slow'); gr.setValue('priority', null); gr.getValue('priority')
//= 3

//# 5.2 the text NULL clears a field
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mail is slow'); gr.setValue('caller_id', 'NULL'); gr.update(); var b = new GlideRecord('incident'); b.get('short_description', 'Mail is slow'); b.caller_id.nil()
//= true

//# 5.2 setDisplayValue takes what people see
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mouse is lost'); gr.setDisplayValue('caller_id', 'Abe Lake'); gr.update(); '' + gr.caller_id.user_name
//= abe

//# 5.2 getRowCount after query
var gr = new GlideRecord('incident'); gr.query(); gr.getRowCount()
//= 4

//# 5.2 isValid, isValidField
[new GlideRecord('incident').isValid(), new GlideRecord('no_such_table').isValid(), new GlideRecord('incident').isValidField('priority'), new GlideRecord('incident').isValidField('nope')].join()
//= true,false,true,false

//# 5.2 a table that does not exist finds nothing
var gr = new GlideRecord('no_such_table'); gr.query(); gr.next()
//= false

//# 5.2 getTableName and getRecordClassName
var gr = new GlideRecord('task'); gr.addQuery('short_description', 'Mail is slow'); gr.query(); gr.next(); [gr.getTableName(), gr.getRecordClassName()].join()
//= task,incident

//# 5.2 setNewGuidValue decides the next sys_id
var gr = new GlideRecord('incident'); gr.initialize(); gr.setNewGuidValue('abcdefabcdefabcdefabcdefabcdef01'); gr.short_description = 'x'; gr.insert()
//= abcdefabcdefabcdefabcdefabcdef01

//# 5.2 fields by name in brackets
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mail is slow'); var f = 'priority'; '' + gr[f]
//= 3

//# 5.2 find moves to the first match within the result
var gr = new GlideRecord('incident'); gr.orderBy('short_description'); gr.query(); [gr.find('category', 'software'), gr.getValue('short_description')].join()
//= true,Mail is slow

//# 5.2 autoSysFields(false) keeps the stamps as they are
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mail is slow'); var was = gr.getValue('sys_mod_count'); gr.autoSysFields(false); gr.priority = 5; gr.update(); var b = new GlideRecord('incident'); b.get(gr.getUniqueValue()); b.getValue('sys_updated_by') === gr.getValue('sys_updated_by')
//= true

//# 5.2 getEncodedQuery shows the conditions
var gr = new GlideRecord('incident'); gr.addQuery('active', true); gr.addQuery('priority', '>', 2); gr.getEncodedQuery()
//= active=true^priority>2

//# 5.2 applyEncodedQuery sets values of = terms
var gr = new GlideRecord('incident'); gr.initialize(); gr.applyEncodedQuery('category=network^priority=2'); [gr.getValue('category'), gr.getValue('priority')].join()
//= network,2

//# 5.2 instanceOf
var gr = new GlideRecord('incident'); [gr.instanceOf('task'), gr.instanceOf('incident'), gr.instanceOf('problem')].join()
//= true,true,false

//# 5.2 get may be called again and again
var gr = new GlideRecord('incident'), n = []; ['Mail is slow', 'Mouse is lost'].forEach(function (t) { if (gr.get('short_description', t)) n.push(gr.getValue('priority')); }); n.join()
//= 3,4

//# 5.2 setDisplayValue of a date-time is in the user's zone and format
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mail is slow'); gr.setDisplayValue('opened_at', '07/04/2026 09:00:00'); gr.getValue('opened_at')
//@ abe
//= 2026-07-04 16:00:00

//# 5.2 autoSysFields(false) lets a script say when a record was made, on update too
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mail is slow'); gr.autoSysFields(false); gr.setValue('sys_created_on', '2020-02-03 04:05:06'); gr.setValue('sys_updated_by', 'history'); gr.update(); var b = new GlideRecord('incident'); b.get(gr.getUniqueValue()); [b.sys_created_on, b.sys_updated_by].join()
//= 2020-02-03 04:05:06,history

//# 5.2 setForceUpdate(true) writes although nothing differs
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mail is slow'); var was = +gr.sys_mod_count; gr.update(); var plain = gr.sys_mod_count - was; gr.setForceUpdate(true); gr.update(); var b = new GlideRecord('incident'); b.get(gr.getUniqueValue()); [plain, b.sys_mod_count - was].join()
//= 0,1
