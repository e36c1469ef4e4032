// The documented calls of the npm package servicenow-rest, unchanged: it only knows hosts below service-now.com, which the
// test's proxy leads to the server. The library prints what it does; what is checked goes to standard error and the exit code.
const assert = require('assert');
const fs = require('fs');
const path = require('path');
const sn = require('servicenow-rest');

const [, , instance, user, password, dir] = process.argv;
console.log = () => {};

async function records() {
  const gr = () => new sn.gliderecord(instance, 'incident', user, password, 'v1');
  const made = await gr().insert({ short_description: 'Production Server down', description: 'latin words here', priority: 1 });
  assert.match(made.number, /^INC\d{7}$/);
  assert.strictEqual(made.priority, '1');
  assert.strictEqual((await gr().get(made.sys_id)).short_description, 'Production Server down');
  const changed = await gr().update(made.sys_id, { comments: 'hey whats up', urgency: 2 });
  assert.strictEqual(changed.urgency, '2');
  const list = gr();
  list.setReturnFields('number,short_description');
  list.addEncodedQuery('active=true^short_descriptionLIKEserver');
  list.setLimit(10);
  assert.deepStrictEqual(await list.query(), [{ number: made.number, short_description: 'Production Server down' }]);
  await assert.rejects(gr().get('00000000000000000000000000000000'), (body) => body.error.message === 'No Record found');
  return made;
}

async function aggregates() {
  const ga = new sn.glideaggregate(instance, 'incident', user, password);
  ga.addEncodedQuery('active=true');
  ga.addAggregate('max', 'urgency');
  ga.groupBy('state');
  ga.addHaving('count', 'state', '>', 0);
  ga.addCount(true);
  const groups = await ga.query();
  assert.deepStrictEqual(groups, [{ stats: { count: '1', max: { urgency: '2' } }, groupby_fields: [{ field: 'state', value: '1' }] }]);
}

async function attachments(incident) {
  const content = Buffer.from(Array.from({ length: 300000 }, (_, i) => i * 7));
  fs.writeFileSync(path.join(dir, 'sent.bin'), content);
  const api = () => new sn.attachment(instance, user, password, 'v1');
  const answer = await api().attachFile('incident', incident.sys_id, 'sent.bin', dir + '/');
  assert.strictEqual(answer.statusCode, 201);
  const found = await api().getAttachmentRecords('incident', incident.sys_id);
  assert.strictEqual(found.length, 1);
  assert.strictEqual(found[0].size_bytes, '300000');
  const back = path.join(dir, 'back');
  fs.mkdirSync(back);
  await api().getAttachment(found[0].sys_id, back + '/');
  for (let i = 0; i < 200 && !(fs.existsSync(path.join(back, 'sent.bin')) && fs.statSync(path.join(back, 'sent.bin')).size === content.length); i++) {
    await new Promise((done) => setTimeout(done, 25)); // the library does not wait for its own file
  }
  assert.ok(content.equals(fs.readFileSync(path.join(back, 'sent.bin'))));
}

async function main() {
  const incident = await records();
  await aggregates();
  await attachments(incident);
  const gr = new sn.gliderecord(instance, 'incident', user, password);
  assert.strictEqual(await gr.delete(incident.sys_id), 'Delete success');
  await assert.rejects(new sn.gliderecord(instance, 'incident', user, 'wrong').query(), (body) => body.error.message === 'User Not Authenticated');
}

main().catch((err) => { console.error(err); process.exit(1); });
