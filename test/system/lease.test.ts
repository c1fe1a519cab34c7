import { existsSync } from 'node:fs';
import t from 'tap';
import { s3Environment } from '../../src/testing/s3-server.ts';
import { startS3 } from '../support/s3.ts';
import { launch, start } from '../support/system.ts';
import { KINDS, objectPath, post, refused } from './lease-fixture.ts';

t.test('of two that start at once one is refused', async (t) => {
  const { env, record } = await KINDS['s3:']!(t);
  const systems = [launch(t, env), launch(t, env)];
  const ended = await Promise.race(
    systems.map(async (system, index) => ({ ...(await system.ended()), winner: systems[1 - index]! })),
  );
  t.equal(ended.code, 73);
  const { winner } = ended;
  await winner.ready();
  t.equal(record().pid, winner.pid);
  t.equal((await post(winner, 'a')).status, 201);
});

t.test('a replica of systems that stand by for each other is refused', async (t) => {
  const { env, record, write } = await KINDS['s3:']!(t);
  await (await start(t, env)).stop();
  for (const change of [{ epoch: 2 }, { data: 'e000001' }, { ttlMs: 12_000 }]) {
    const changed = { ...record(), ...change };
    write(changed);
    const text = await refused(t, env);
    t.ok(text.includes('a second system that takes over from that (FAILOVER=lease)'), text);
    t.strictSame(record(), changed);
    write({ ...changed, epoch: 1, data: '', ttlMs: undefined });
  }
});

t.test("a replica with epochs and without a record is nobody's to begin anew", async (t) => {
  const store = await startS3(t);
  const epoch = await start(t, s3Environment(store, 'p/e000007'));
  await epoch.stop();
  const system = launch(t, s3Environment(store, 'p'));
  const { code } = await system.ended();
  t.equal(code, 65);
  const text = system.lines.map(({ msg }) => msg).join('\n');
  t.ok(text.includes(`REPLICA_URL=s3://${store.bucket}/p/e000007`), text);
  t.equal(existsSync(objectPath(store, 'p/lease.json')), false);
});
