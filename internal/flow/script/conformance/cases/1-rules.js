//# 1.2 a before rule sets fields without an update
rule({when: 'before', action_insert: true, script: "current.short_description = 'set by the rule';"});
//-
var gr = new GlideRecord('problem'); gr.initialize(); var id = gr.insert(); gr.get(id); gr.getValue('short_description')
//= set by the rule

//# 1.2 a rule as a function of current and previous
rule({when: 'before', action_update: true, script: "(function executeRule(current, previous) { current.description = previous.short_description + ' -> ' + current.short_description; })(current, previous);"});
//-
var gr = new GlideRecord('problem'); gr.initialize(); gr.short_description = 'old'; gr.get(gr.insert()); gr.short_description = 'new'; gr.update(); gr.getValue('description')
//= old -> new

//# 1.2 previous is null on insert
rule({when: 'before', action_insert: true, script: "current.description = '' + (previous === null);"});
//-
var gr = new GlideRecord('problem'); gr.initialize(); gr.get(gr.insert()); gr.getValue('description')
//= true

//# 1.1 execute_function calls onBefore(current, previous)
rule({when: 'before', action_insert: true, execute_function: true, script: "function onBefore(current, previous) { current.description = 'by onBefore'; }"});
//-
var gr = new GlideRecord('problem'); gr.initialize(); gr.get(gr.insert()); gr.getValue('description')
//= by onBefore

//# 1.2 an after rule writes other records
rule({when: 'after', action_insert: true, script: "var i = new GlideRecord('incident'); i.initialize(); i.short_description = 'from ' + current.short_description; i.insert();"});
//-
var gr = new GlideRecord('problem'); gr.initialize(); gr.short_description = 'p'; gr.insert(); new GlideRecord('incident').get('short_description', 'from p')
//= true

//# 1.1 a rule of a parent table fires for its children
rule({collection: 'task', when: 'before', action_insert: true, script: "current.description = 'task rule';"});
//-
var gr = new GlideRecord('problem'); gr.initialize(); gr.get(gr.insert()); gr.getValue('description')
//= task rule

//# 1.1 an inactive rule does not run
rule({active: false, when: 'before', action_insert: true, script: "current.description = 'no';"});
//-
var gr = new GlideRecord('problem'); gr.initialize(); gr.get(gr.insert()); gr.getValue('description') === null
//= true

//# 1.1 the operation must be marked
rule({when: 'before', action_update: true, script: "current.description = 'no';"});
//-
var gr = new GlideRecord('problem'); gr.initialize(); gr.get(gr.insert()); gr.getValue('description') === null
//= true

//# 1.3 a filter condition is matched in memory
rule({when: 'before', action_insert: true, filter_condition: 'priority=1^EQ', script: "current.description = 'major';"});
//-
function d(p) { var gr = new GlideRecord('problem'); gr.initialize(); gr.priority = p; gr.get(gr.insert()); return gr.getValue('description'); } [d(1), d(2)].join()
//= major,

//# 1.3 a condition script is tested by its value
rule({when: 'before', action_insert: true, condition: "current.short_description && !current.assigned_to", script: "current.description = 'yes';"});
//-
function d(t) { var gr = new GlideRecord('problem'); gr.initialize(); gr.short_description = t; gr.get(gr.insert()); return gr.getValue('description'); } [d('x'), d('')].join()
//= yes,

//# 1.3 VALCHANGES, CHANGESTO and CHANGESFROM
rule({when: 'before', action_update: true, filter_condition: 'priorityCHANGESTO2', script: "current.description = current.description + ' to';"});
rule({when: 'before', action_update: true, filter_condition: 'priorityCHANGESFROM3', script: "current.description = current.description + ' from';", order: 200});
rule({when: 'before', action_update: true, filter_condition: 'priorityVALCHANGES', script: "current.description = current.description + ' val';", order: 300});
//-
var gr = new GlideRecord('problem'); gr.initialize(); gr.priority = 3; gr.description = 'is'; gr.get(gr.insert()); gr.priority = 2; gr.update(); gr.getValue('description')
//= is to from val

//# 1.4 changes(), changesTo() and changesFrom() hold in after rules too
rule({when: 'after', action_update: true, condition: "current.priority.changesTo(1) && current.priority.changesFrom(4) && !current.short_description.changes()", script: "gs.setProperty('case.after', 'changed');"});
//-
var gr = new GlideRecord('problem'); gr.initialize(); gr.priority = 4; gr.get(gr.insert()); gr.priority = 1; gr.update(); gs.getProperty('case.after')
//= changed

//# 1.5 setAbortAction: insert gives null, nothing is written, the script goes on
rule({when: 'before', action_insert: true, order: 50, script: "current.setAbortAction(true); current.description = 'on'; gs.addErrorMessage('not now');"});
//-
var gr = new GlideRecord('problem'); gr.initialize(); gr.short_description = 'aborted'; var id = gr.insert(); [id, new GlideRecord('problem').get('short_description', 'aborted'), gr.getLastErrorMessage() !== ''].join()
//= ,false,true

//# 1.5 an aborted update leaves the record as it was
rule({when: 'before', action_update: true, condition: "current.state.changesTo(4)", script: "gs.addErrorMessage('not yet'); current.setAbortAction(true);"});
//-
var gr = new GlideRecord('problem'); gr.initialize(); gr.priority = 3; var id = gr.insert(); gr.get(id); gr.priority = 1; gr.state = 4; gr.update(); var b = new GlideRecord('problem'); b.get(id); b.getValue('priority')
//= 3

//# 1.5 an aborted delete leaves the record
rule({when: 'before', action_delete: true, script: "current.setAbortAction(true);"});
//-
var gr = new GlideRecord('problem'); gr.initialize(); var id = gr.insert(); gr.get(id); gr.deleteRecord(); new GlideRecord('problem').get(id)
//= true

//# 1.5 the abort box cancels the write
rule({when: 'before', action_insert: true, abort_action: true, filter_condition: 'priority=5'});
//-
var gr = new GlideRecord('problem'); gr.initialize(); gr.priority = 5; gr.insert()
//= null

//# 1.5 set field values
rule({when: 'before', action_insert: true, template: 'priority=2^short_description=templated^EQ'});
//-
var gr = new GlideRecord('problem'); gr.initialize(); gr.get(gr.insert()); [gr.getValue('priority'), gr.getValue('short_description')].join()
//= 2,templated

//# 1.7 a rule that updates its own record does not loop
rule({when: 'after', action_update: true, script: "current.description = current.description + '+'; current.update();"});
//-
var gr = new GlideRecord('problem'); gr.initialize(); gr.description = 'x'; var id = gr.insert(); gr.get(id); gr.priority = 1; gr.update(); var b = new GlideRecord('problem'); b.get(id); b.getValue('description')
//= x+

//# 1.8 rules run in their order, before rules first
rule({when: 'before', action_insert: true, order: 200, script: "current.description = current.description + '2';"});
rule({when: 'before', action_insert: true, order: 100, script: "current.description = current.description + '1';"});
rule({when: 'before', action_insert: true, order: 1000, script: "current.description = current.description + '3';"});
rule({when: 'after', action_insert: true, order: 1, script: "gs.setProperty('case.order', current.description + '4');"});
//-
var gr = new GlideRecord('problem'); gr.initialize(); gr.description = '0'; gr.insert(); gs.getProperty('case.order')
//= 01234

//# 1.10 setWorkflow(false) skips rules
rule({when: 'before', action_insert: true, script: "current.description = 'rule';"});
//-
var gr = new GlideRecord('problem'); gr.initialize(); gr.setWorkflow(false); gr.get(gr.insert()); gr.getValue('description') === null
//= true

//# 1.10 an update without changes writes nothing
var gr = new GlideRecord('problem'); gr.initialize(); gr.get(gr.insert()); gr.update(); var b = new GlideRecord('problem'); b.get(gr.getUniqueValue()); b.getValue('sys_mod_count')
//= 0

//# 1.10 operation() tells what is done
rule({when: 'before', action_insert: true, action_update: true, script: "current.description = current.description + current.operation();"});
//-
var gr = new GlideRecord('problem'); gr.initialize(); var id = gr.insert(); gr.get(id); gr.priority = 1; gr.update(); gr.getValue('description')
//= insertupdate

//# 1.6 an exception ends its rule; the write and the other rules go on
rule({when: 'before', action_insert: true, order: 10, script: "throw new Error('broken');"});
rule({when: 'before', action_insert: true, order: 20, script: "current.description = 'next';"});
//-
var gr = new GlideRecord('problem'); gr.initialize(); gr.get(gr.insert()); gr.getValue('description')
//= next

//# 1.5 what rules wrote goes with the write that a later rule aborts
rule({when: 'before', action_insert: true, order: 10, script: "var i = new GlideRecord('incident'); i.initialize(); i.short_description = 'orphan'; i.insert();"});
rule({when: 'before', action_insert: true, order: 20, script: "current.setAbortAction(true);"});
//-
var gr = new GlideRecord('problem'); gr.initialize(); gr.insert(); new GlideRecord('incident').get('short_description', 'orphan')
//= false
//~ there nothing is rolled back and the orphan stays

//# 1.1 a rule that cannot be read is refused when it is saved
var gr = new GlideRecord('sys_script'); gr.initialize(); gr.name = 'broken'; gr.collection = 'problem'; gr.script = 'if ('; gr.insert()
//= null
//~ there it is saved and fails when it runs

//# 1.9 an async rule runs later, with current as it is then and no previous
var p = make('problem', {short_description: 'async', description: 'start'});
rule({when: 'async_always', action_update: true, filter_condition: 'priorityVALCHANGES^sys_id=' + p, script: "var i = new GlideRecord('incident'); i.initialize(); i.short_description = 'async ' + current.priority + ' ' + previous; i.insert();"});
//-
var gr = new GlideRecord('problem'); gr.get('short_description', 'async'); gr.priority = 1; gr.update(); gr.priority = 2; gr.update();
//> (function () { var i = new GlideRecord('incident'); i.addQuery('short_description', 'STARTSWITH', 'async'); i.query(); var n = []; while (i.next()) n.push('' + i.short_description); i.query(); i.deleteMultiple(); return n.join(); })()
//= async 2 null,async 2 null

//# 1.2 a rule about queries adds conditions to what scripts find, by current
rule({collection: 'incident', when: 'before', action_query: true, condition: "gs.getUserName() == 'zoe'", script: "(function executeRule(current, previous) { current.addQuery('category', 'hardware').addOrCondition('category', 'inquiry'); })(current, previous);"});
//-
var n = []; var gr = new GlideRecord('incident'); gr.addActiveQuery(); gr.orderBy('number'); gr.query(); while (gr.next()) n.push('' + gr.short_description); var one = new GlideRecord('incident').get('short_description', 'Mail is slow'); gr = new GlideRecord('incident'); gr.query(); [n.join('+'), one, gr.getRowCount()].join()
//@ zoe
//= Printer on fire+Mouse is lost,false,3

//# 1.2 rules about queries leave others alone, and those who turn them off
rule({collection: 'task', when: 'before', action_query: true, script: "if (gs.getUserName() == 'zoe') current.addActiveQuery();"});
//-
var gr = new GlideRecord('incident'), ga = new GlideAggregate('incident'); gr.setWorkflow(false); gr.query(); ga.addAggregate('COUNT'); ga.query(); ga.next(); var ruled = new GlideAggregate('incident'); ruled.setAggregateWorkflow(true); ruled.addAggregate('COUNT'); ruled.query(); ruled.next(); var secure = new GlideRecordSecure('incident'); secure.addQuery('active', false); secure.query(); [gr.getRowCount(), ga.getAggregate('COUNT'), ruled.getAggregate('COUNT'), secure.hasNext()].join()
//@ zoe
//= 4,4,3,false

//# 1.2 a rule about queries that fails leaves nothing to be found
rule({collection: 'incident', when: 'before', action_query: true, script: "current.addQuery('no_such_field', 1);"});
//-
var gr = new GlideRecord('incident'); gr.query(); gr.hasNext()
//= false
//~ there its condition is dropped, and everything is found

//# 1.2 rules about queries are not asked about records that are referred to
rule({collection: 'sys_user', when: 'before', action_query: true, script: "current.addQuery('user_name', 'nobody');"});
//-
var gr = new GlideRecord('incident'); gr.get('short_description', 'Printer on fire'); var u = new GlideRecord('sys_user'); u.query(); [gr.caller_id.name, gr.caller_id.getDisplayValue(), u.hasNext()].join()
//= Zoe Meier,Zoe Meier,false
