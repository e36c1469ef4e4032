//# 3 a class: arguments of the constructor reach initialize
var Greeter = Class.create(); Greeter.prototype = {initialize: function (n) { this.n = n; }, hi: function () { return 'hi ' + this.n; }, type: 'Greeter'};
new Greeter('zoe').hi() + ' ' + new Greeter('').type
//= hi zoe Greeter

//# 3 a class without initialize can be made
var Bare = Class.create(); Bare.prototype = {one: function () { return 1; }, type: 'Bare'}; new Bare().one()
//= 1
//~ there it is a TypeError; a class that can be made harms nobody

//# 3 a subclass copies the members of its base, then adds its own
var Base = Class.create(); Base.prototype = {initialize: function () { this.k = 'base'; }, a: function () { return this.k; }, b: function () { return 'b'; }, type: 'Base'};
var Sub = Class.create(); Sub.prototype = Object.extendsObject(Base, {b: function () { return 'own ' + Base.prototype.b.call(this); }, type: 'Sub'});
var s = new Sub(); [s.a(), s.b(), s.type, s instanceof Base].join()
//= base,own b,Sub,false

//# 3 Object.extendsObject takes native classes as bases
class Native { hello() { return 'hello'; } }
var Old = Class.create(); Old.prototype = Object.extendsObject(Native, {initialize: function () {}, type: 'Old'}); new Old().hello()
//= hello

//# 3 Object.extend adds members to an object that is there
var o = {a: 1}; Object.extend(o, {b: 2}); o.a + o.b
//= 3

//# 3 Object.clone copies one level
var a = {x: {y: 1}}, b = Object.clone(a); b.z = 2; b.x.y = 3; [a.z, a.x.y].join()
//= ,3

//# 3 a class is found by the name of its script include
make('sys_script_include', {name: 'CaseClass', script: "var CaseClass = Class.create(); CaseClass.prototype = {initialize: function (x) { this.x = x; }, twice: function () { return this.x * 2; }, type: 'CaseClass'};"});
reopen("new CaseClass(21).twice()")
//= 42

//# 3 a function is found by the name of its script include
make('sys_script_include', {name: 'caseSquare', script: "function caseSquare(x) { return x * x; }"});
reopen("caseSquare(7)")
//= 49

//# 3 an include that needs another finds it
make('sys_script_include', {name: 'CaseParent', script: "var CaseParent = Class.create(); CaseParent.prototype = {initialize: function () {}, who: function () { return 'parent'; }, type: 'CaseParent'};"});
make('sys_script_include', {name: 'CaseChild', script: "var CaseChild = Class.create(); CaseChild.prototype = Object.extendsObject(CaseParent, {type: 'CaseChild'});"});
reopen("new CaseChild().who()")
//= parent

//# 3 an inactive include is not found
make('sys_script_include', {name: 'CaseAsleep', active: 'false', script: "function CaseAsleep() { return 1; }"});
reopen("typeof CaseAsleep")
//= undefined

//# 3 gs.include loads by name and tells whether there is such an include
make('sys_script_include', {name: 'caseLoaded', script: "function caseLoaded() { return 5; }"});
reopen("[gs.include('caseLoaded'), this['caseLoaded'](), gs.include('caseNoSuch')].join()")
//= true,5,false

//# 3 an include that cannot be read is refused when it is saved, with its place
var gr = new GlideRecord('sys_script_include'); gr.initialize(); gr.name = 'CaseBroken'; gr.script = 'var x = ;\n'; [gr.insert(), /1:9/.test(gr.getLastErrorMessage())].join()
//= ,true
//~ there it is saved and fails when it is used

//# 3 AbstractAjaxProcessor reads parameters
var Ajax = Class.create(); Ajax.prototype = Object.extendsObject(AbstractAjaxProcessor, {greet: function () { return 'hello ' + this.getParameter('sysparm_who'); }, type: 'Ajax'});
new Ajax(null, null, {sysparm_name: 'greet', sysparm_who: 'zoe'}).process()
//= hello zoe

//# 3 global.Name reaches what is in the one scope, includes that nothing has used yet among it
make('sys_script_include', {name: 'CaseGlobal', script: "var CaseGlobal = Class.create(); CaseGlobal.prototype = Object.extendsObject(global.AbstractAjaxProcessor, {one: function () { return global.JSUtil.nil('') ? 1 : 0; }, type: 'CaseGlobal'});"});
reopen("new global.CaseGlobal().one() + typeof global.caseNoSuch")
//= 1undefined
