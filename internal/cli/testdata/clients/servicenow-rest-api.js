// The documented calls of the npm package servicenow-rest-api, unchanged.
const assert = require('assert');
const ServiceNow = require('servicenow-rest-api');

const [, , host, user, password] = process.argv;
console.log = () => {};
const client = new ServiceNow(host, user, password);
const call = (name, ...args) => new Promise((done, fail) => client[name](...args, (res) => (res instanceof Error ? fail(res) : done(res))));

async function main() {
  const made = await call('createNewTask', { short_description: 'Raised by a library', urgency: '1 - High', assigned_to: 'System Administrator' }, 'incident');
  const incident = made.raw ? made.raw.data.result : made;
  assert.match(incident.number, /^INC\d{7}$/);
  assert.strictEqual(incident.urgency, '1 - High');
  assert.strictEqual(incident.assigned_to.display_value, 'System Administrator');
  const sample = await call('getSampleData', 'incident');
  assert.ok(JSON.stringify(sample).includes('Raised by a library'));
  const rows = await call('getTableData', ['number', 'short_description'], ['urgency=1', 'active=true'], 'incident');
  assert.deepStrictEqual(rows.map((r) => r.number), [incident.number]);
  assert.ok(JSON.stringify(await call('getSysId', 'incident', incident.number)).includes(incident.sys_id));
  await call('UpdateTask', 'incident', incident.number, { short_description: 'Changed by a library' });
  const after = await call('getTableData', ['short_description'], [`number=${incident.number}`], 'incident');
  assert.strictEqual(after[0].short_description, 'Changed by a library');
  await call('DeleteTask', 'incident', incident.number);
  assert.deepStrictEqual(await call('getTableData', ['number'], [`number=${incident.number}`], 'incident'), []);
}

main().catch((err) => { console.error(err); process.exit(1); });
