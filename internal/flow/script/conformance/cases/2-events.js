//# 2.2 eventQueue writes an event with the record and two texts
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mail is slow'); gs.eventQueue('case.fired', gr, 'one', 2); var e = new GlideRecord('sysevent'); e.get('name', 'case.fired'); [e.getValue('table'), e.getValue('instance') === gr.getUniqueValue(), e.getValue('parm1'), e.getValue('parm2')].join()
//= incident,true,one,2

//# 2.2 an event without a record
gs.eventQueue('case.bare', null, 'x'); var e = new GlideRecord('sysevent'); e.get('name', 'case.bare'); [e.getValue('parm1'), e.getValue('table')].join()
//= x,

//# 2.2 null and undefined become empty texts
gs.eventQueue('case.none', null, null, undefined); var e = new GlideRecord('sysevent'); e.get('name', 'case.none'); [e.parm1.nil(), e.parm2.nil()].join()
//= true,true

//# 2.2 eventQueueScheduled says when
var at = new GlideDateTime('2030-01-01 00:00:00'); gs.eventQueueScheduled('case.later', null, 'a', 'b', at); var e = new GlideRecord('sysevent'); e.get('name', 'case.later'); e.getValue('process_on')
//= 2030-01-01 00:00:00

//# 2.2 an event that was not registered is kept, and says so
gs.eventQueue('case.nobody', null); var e = new GlideRecord('sysevent'); e.get('name', 'case.nobody'); !e.note.nil()
//= true
//~ there it disappears in applications with a scope

//# 2.8 a script action is given event and current
make('sysevent_script_action', {name: 'case.seen', event_name: 'case.seen', script: "gs.setProperty('case.seen', event.parm1 + '/' + event.name + '/' + current.short_description);"});
//-
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mail is slow'); gs.eventQueue('case.seen', gr, 'p1');
//> gs.getProperty('case.seen')
//= p1/case.seen/Mail is slow

//# 2.8 a condition script decides
make('sysevent_script_action', {name: 'case.no', event_name: 'case.cond', condition_script: "event.parm1 == 'other'", script: "gs.setProperty('case.cond', 'no');"});
make('sysevent_script_action', {name: 'case.yes', event_name: 'case.cond', condition_script: "event.parm1 == 'this'", script: "gs.setProperty('case.cond', 'yes');"});
//-
gs.eventQueue('case.cond', null, 'this');
//> gs.getProperty('case.cond')
//= yes

//# 2.8 JSON goes through a parameter
make('sysevent_script_action', {name: 'case.json', event_name: 'case.json', script: "gs.setProperty('case.json', JSON.parse(event.parm1).list[1]);"});
//-
gs.eventQueue('case.json', null, JSON.stringify({list: [1, 'two']}));
//> gs.getProperty('case.json')
//= two

//# 2.8 an inactive script action does not run
make('sysevent_script_action', {name: 'case.off', event_name: 'case.off', active: 'false', script: "gs.setProperty('case.off', 'ran');"});
//-
gs.eventQueue('case.off', null);
//> gs.getProperty('case.off', 'silent')
//= silent

//# 2.9 all script actions of an event run, also when one fails
make('sysevent_script_action', {name: 'case.fails', event_name: 'case.many', order: '1', script: "throw new Permanent('no');"});
make('sysevent_script_action', {name: 'case.works', event_name: 'case.many', order: '2', script: "gs.setProperty('case.many', 'second');"});
//-
gs.eventQueue('case.many', null);
//> (function () { var e = new GlideRecord('sysevent'); e.get('name', 'case.many'); return gs.getProperty('case.many') + '/' + e.getValue('state'); })()
//= second/error

//# 2.4 a handled event is processed
make('sysevent_script_action', {name: 'case.done', event_name: 'case.done', script: "1"});
//-
gs.eventQueue('case.done', null);
//> (function () { var e = new GlideRecord('sysevent'); e.get('name', 'case.done'); return e.getValue('state'); })()
//= processed

//# 2.2 an event of a write that is aborted is not there
rule({when: 'before', action_insert: true, order: 10, script: "gs.eventQueue('case.undone', current);"});
rule({when: 'before', action_insert: true, order: 20, script: "current.setAbortAction(true);"});
//-
var gr = new GlideRecord('problem'); gr.initialize(); gr.insert(); new GlideRecord('sysevent').get('name', 'case.undone')
//= false
//~ there the event is fired whatever becomes of the write

//# 2.2 an event of an after rule is there
rule({when: 'after', action_insert: true, script: "gs.eventQueue('case.after', current, current.short_description);"});
//-
var gr = new GlideRecord('problem'); gr.initialize(); gr.short_description = 'p'; gr.insert(); var e = new GlideRecord('sysevent'); [e.get('name', 'case.after'), e.getValue('parm1')].join()
//= true,p

//# 2.3 the event tells who fired it
gs.eventQueue('case.who', null); var e = new GlideRecord('sysevent'); e.get('name', 'case.who'); e.getValue('user_name')
//@ zoe
//= zoe
