import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Deployment } from '../../loadtest/chaos/deployment.ts';
import type { SystemSnapshot } from '../../src/messages/snapshot.ts';
import { command } from '../cli/command.ts';
import { DEPLOYED_APP } from '../small-app/arguments.ts';
import { request } from '../support/http.ts';
import { launch, temporaryFolder, until } from '../support/system.ts';
import { LONG, pair, peers, standsBy, written } from './failover-fixture.ts';

t.test('two systems are deployed to: the standby first, a handover, then the other one', async (t) => {
  const { env, record } = await pair(t);
  const [ofA, ofB] = await peers();
  const before = new Deployment(join(temporaryFolder(t), 'before'), DEPLOYED_APP);
  const after = new Deployment(join(temporaryFolder(t), 'after'), DEPLOYED_APP);
  const number = Number.parseInt(
    after.addMigration('add_colour', 'ALTER TABLE notes ADD COLUMN colour TEXT;', false),
    10,
  );
  const lacks = new RegExp(`^its code lacks migration ${number} of notes in main, which `);
  const member = (name: 'a' | 'b', { root }: Deployment, dataDir?: string) =>
    launch(t, { ...env, ...(name === 'a' ? ofA : ofB), ...LONG, NODE_NAME: name }, dataDir, { root });
  const statusOf = async (dataDir: string) =>
    JSON.parse((await command(['status', '--json'], { DATA_DIR: dataDir })).stdout) as SystemSnapshot;
  const isHeldBack = async (dataDir: string, why: RegExp | null) => {
    const heldBackBecause = (await statusOf(dataDir)).failover?.heldBackBecause;
    return why === null ? heldBackBecause === null : why.test(String(heldBackBecause));
  };
  const handOver = (dataDir: string) => command(['handover'], { ...env, ...ofA, DATA_DIR: dataDir });

  const leader = member('a', before);
  await leader.ready();
  await written(leader, 'one');
  const old = member('b', before);
  await standsBy(old);
  t.equal((await old.stop()).code, 0);

  const standby = member('b', after, old.dataDir);
  await standsBy(standby);
  await until(async () => (await statusOf(standby.dataDir)).lastDrill !== null, 'its migrations were tried');
  await until(() => isHeldBack(standby.dataDir, null), 'it would take over');
  t.strictSame([record().epoch, record().state], [1, 'held']);
  const there = await handOver(leader.dataDir);
  t.equal(there.code, 0, there.stderr);
  t.equal((await leader.ended()).code, 85);
  await standby.ready();
  t.equal((await request(`${standby.url}/note/one`)).status, 200);
  await written(standby, 'two');

  await t.test('older code does not take over, nor is it handed over to, and both say why', async (t) => {
    const again = member('a', before, leader.dataDir);
    await standsBy(again);
    await until(() => isHeldBack(again.dataDir, lacks), 'it says why');
    await until(
      async () => (await statusOf(standby.dataDir)).status.degraded.some(({ name }) => name === 'standby'),
      'the leader says it',
    );
    const refused = await handOver(standby.dataDir);
    t.equal(refused.code, 75);
    t.match(refused.stderr, `a would not take over: its code lacks migration ${number} of notes in main`);
    t.equal((await again.stop()).code, 0);
  });

  const next = member('a', after, leader.dataDir);
  await standsBy(next);
  await until(async () => (await statusOf(next.dataDir)).failover?.holder != null, 'it knows who leads');
  t.equal(await isHeldBack(next.dataDir, null), true);
  const back = await handOver(standby.dataDir);
  t.equal(back.code, 0, back.stderr);
  await next.ready();
  for (const id of ['one', 'two']) t.equal((await request(`${next.url}/note/${id}`)).status, 200, id);
  t.strictSame([record().epoch, record().data], [3, 'e000003']);
  t.equal((await standby.ended()).code, 85);
  const onDisk = member('b', before, standby.dataDir);
  await standsBy(onDisk);
  await until(() => isHeldBack(onDisk.dataDir, lacks), 'it runs what is on the disk, as after a stop');
});

t.test('a standby whose workers could not serve what it would migrate does not take over', async (t) => {
  const { env } = await pair(t);
  const before = new Deployment(join(temporaryFolder(t), 'before'), DEPLOYED_APP);
  const wrong = new Deployment(join(temporaryFolder(t), 'wrong'), DEPLOYED_APP);
  const number = Number.parseInt(
    wrong.addMigration('add_colour', 'ALTER TABLE notes ADD COLUMN colour TEXT;', true),
    10,
  );
  wrong.addFeature(
    'painted',
    "db.prepare('SELECT paint FROM notes'); return (ctx) => { ctx.status = 200; };",
  );
  const leader = launch(t, { ...env, ...LONG, NODE_NAME: 'a' }, undefined, { root: before.root });
  await leader.ready();
  await written(leader, 'one');
  const standby = launch(t, { ...env, ...LONG, NODE_NAME: 'b' }, undefined, { root: wrong.root });
  await standsBy(standby);
  const { promise: failover, resolve } = Promise.withResolvers<SystemSnapshot['failover']>();
  await until(async () => {
    const { stdout } = await command(['status', '--json'], { DATA_DIR: standby.dataDir });
    const snapshot = JSON.parse(stdout) as SystemSnapshot;
    if (snapshot.lastDrill === null) return false;
    resolve(snapshot.failover);
    return true;
  }, 'it was tried');
  t.equal(
    (await failover)?.heldBackBecause,
    `its code would apply migration ${number} of notes in main, and that fails: The worker of this release does not come up: The statements of painted do not fit the database: no such column: paint`,
  );
  t.equal(existsSync(join(standby.dataDir, 'drill')), false, 'nothing is left behind');
});
