// The world of the cases: three users, a group, some incidents. Names are short so that cases stay readable.
function make(table, values) {
  var gr = new GlideRecord(table);
  gr.initialize();
  for (var name in values) gr.setValue(name, values[name]);
  return gr.insert();
}
var zoe = make('sys_user', {user_name: 'zoe', first_name: 'Zoe', last_name: 'Meier', email: 'zoe@example.org', time_zone: 'Europe/Zurich', active: 'true'});
var abe = make('sys_user', {user_name: 'abe', first_name: 'Abe', last_name: 'Lake', email: 'abe@example.org', time_zone: 'America/Los_Angeles', date_format: 'MM/dd/yyyy', active: 'true'});
var desk = make('sys_user_group', {name: 'Service Desk', active: 'true'});
make('sys_user_grmember', {user: zoe, group: desk});
make('sys_properties', {name: 'case.text', value: 'hello'});
make('sys_properties', {name: 'case.empty', value: ''});
[
  {short_description: 'Printer on fire', priority: '1', category: 'hardware', caller_id: zoe, active: 'true', opened_at: '2026-03-01 08:00:00'},
  {short_description: 'Mail is slow', priority: '3', category: 'software', caller_id: abe, active: 'true', opened_at: '2026-03-02 09:00:00'},
  {short_description: 'Mouse is lost', priority: '4', category: 'hardware', active: 'true', opened_at: '2026-03-03 10:00:00'},
  {short_description: 'Door is stuck', priority: '4', category: 'inquiry', caller_id: zoe, active: 'false', opened_at: '2026-02-01 10:00:00'},
].forEach(function (values) { make('incident', values); });
