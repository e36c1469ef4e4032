//# 5.6 COUNT
var ga = new GlideAggregate('incident'); ga.addAggregate('COUNT'); ga.query(); ga.next(); typeof ga.getAggregate('COUNT') + ga.getAggregate('COUNT')
//= string4

//# 5.6 groupBy
var ga = new GlideAggregate('incident'); ga.groupBy('category'); ga.addAggregate('COUNT'); ga.orderBy('category'); ga.query(); var n = []; while (ga.next()) n.push(ga.getValue('category') + '=' + ga.getAggregate('COUNT')); n.join()
//= hardware=2,inquiry=1,software=1

//# 5.6 SUM, AVG, MIN, MAX
var ga = new GlideAggregate('incident'); ['SUM', 'AVG', 'MIN', 'MAX'].forEach(function (f) { ga.addAggregate(f, 'priority'); }); ga.setGroup(false); ga.query(); ga.next(); ['SUM', 'AVG', 'MIN', 'MAX'].map(function (f) { return +ga.getAggregate(f, 'priority'); }).join()
//= 12,3,1,4

//# 5.6 conditions
var ga = new GlideAggregate('incident'); ga.addQuery('active', true); ga.addAggregate('COUNT'); ga.query(); ga.next(); ga.getAggregate('COUNT')
//= 3

//# 5.6 addHaving
var ga = new GlideAggregate('incident'); ga.groupBy('category'); ga.addAggregate('COUNT', 'category'); ga.addHaving('COUNT', 'category', '>', 1); ga.query(); var n = []; while (ga.next()) n.push('' + ga.category); n.join()
//= hardware

//# 5.6 orderByAggregate
var ga = new GlideAggregate('incident'); ga.groupBy('priority'); ga.addAggregate('COUNT', 'priority'); ga.orderByAggregate('COUNT', 'priority'); ga.query(); ga.next(); ga.getValue('priority') + ':' + ga.getAggregate('COUNT', 'priority')
//= 4:2

//# 5.6 the number of groups
var ga = new GlideAggregate('incident'); ga.groupBy('category'); ga.addAggregate('COUNT'); ga.query(); ga.getRowCount()
//= 3

//# 5.6 GlideRecordSecure reads what the user may read
var gr = new GlideRecordSecure('sys_user'); gr.query(); typeof gr.next()
//@ zoe
//= boolean

//# 5.6 COUNT of a field counts each of its values
var ga = new GlideAggregate('incident'); ga.addAggregate('COUNT', 'category'); ga.orderByAggregate('COUNT', 'category'); ga.query(); var m = []; while (ga.next()) m.push(ga.category + ':' + ga.getAggregate('COUNT', 'category')); m[0] + ' ' + m.length
//= hardware:2 3

//# 5.6 setGroup(false) makes one total
var ga = new GlideAggregate('incident'); ga.addAggregate('COUNT', 'category'); ga.setGroup(false); ga.query(); var n = 0; while (ga.next()) n++; n
//= 1
