import { rmSync } from 'node:fs';
import t from 'tap';
import { command } from '../commands/command.ts';
import { request } from '../support/http.ts';
import { startStoreProxy } from '../support/s3.ts';
import { processesOf, start, until } from '../support/system.ts';
import { LONG, pair, standsBy, TTL_MS, written } from './failover-fixture.ts';
import { post } from './lease-fixture.ts';

t.test(
  'of two one leads; when it is killed and its data is gone, the other serves all that was replicated',
  async (t) => {
    const { member, record } = await pair(t);
    const a = member('a');
    const b = member('b');
    await Promise.race([a.ready(), b.ready()]);
    const isA = a.lines.some(({ msg }) => msg.startsWith('ready: '));
    const [leader, standby] = isA ? [a, b] : [b, a];
    const url = await standsBy(standby);
    await written(leader, 'one');
    t.equal(record().epoch, 1);
    t.equal(record().data, 'e000001');

    await t.test('the standby answers that it stands by, and who leads', async (t) => {
      const ready = async () => request(`${url}/ready`);
      await until(async () => (await ready()).text.includes(`process ${leader.pid}`), 'a look at the record');
      const { status, json } = await ready();
      t.equal(status, 503);
      t.strictSame(json.errors, [
        { field: 'standby', message: `${isA ? 'a' : 'b'} (process ${leader.pid}) leads (standby)` },
      ]);
      t.equal((await request(`${url}/health`)).status, 200);
      t.equal((await request(`${url}/note/one`)).status, 503);
      t.equal(
        standby.lines.some(({ msg }) => msg.startsWith('ready: ')),
        false,
      );
    });

    leader.kill('SIGKILL');
    await leader.ended();
    rmSync(leader.dataDir, { recursive: true, force: true });
    await standby.ready();
    t.equal((await request(`${url}/note/one`)).status, 200);
    await written(standby, 'two');
    t.equal(record().epoch, 2);
    t.equal(record().data, 'e000002');
    t.strictSame((await request(`${url}/ready`)).json, { ready: true });
  },
);

t.test('a leader that was stopped and wakes acknowledges nothing, and ends: another one leads', async (t) => {
  const { member, record } = await pair(t);
  const leader = member('a');
  await leader.ready();
  const standby = member('b');
  await standsBy(standby);
  await written(leader, 'one');
  const all = [leader.pid, ...processesOf(leader.dataDir)];
  for (const pid of all) process.kill(pid, 'SIGSTOP');
  const stoppedMs = performance.now();
  const late = post(leader, 'late').then(
    ({ status }) => status,
    () => 'no answer',
  );
  await standby.ready();
  t.ok(performance.now() - stoppedMs > TTL_MS * 0.5, 'not before it could be gone');
  await written(standby, 'two');
  for (const pid of all) process.kill(pid, 'SIGCONT');
  t.not(await late, 201);
  t.equal((await leader.ended()).code, 85);
  t.equal((await request(`${standby.url}/note/late`)).status, 404);
  t.equal(record().epoch, 2);

  await t.test(
    'started again it stands by, and leads without what only it had when the other one is gone',
    async (t) => {
      const again = member('a', leader.dataDir);
      const url = await standsBy(again);
      standby.kill('SIGKILL');
      await again.ready();
      t.equal((await request(`${url}/note/two`)).status, 200);
      t.equal((await request(`${url}/note/late`)).status, 404);
      t.equal(record().epoch, 3);
    },
  );
});

t.test('alone, killed or stopped and started again, it keeps its epoch and its databases', async (t) => {
  const { env, member, record } = await pair(t);
  // What a single system has written is there, and goes on.
  const single = await start(t, { ...env, FAILOVER: 'off' });
  await written(single, 'single');
  t.equal((await single.stop()).code, 0);
  const first = member('a', single.dataDir);
  await first.ready();
  await written(first, 'one', 'replicated');
  first.kill('SIGKILL');
  await first.ended();
  const second = member('a', first.dataDir);
  await second.ready();
  await written(second, 'two', 'replicated');
  t.equal((await second.stop()).code, 0);
  t.equal(record().state, 'released');
  const third = member('a', first.dataDir);
  await third.ready();
  for (const id of ['single', 'one', 'two'])
    t.equal((await request(`${third.url}/note/${id}`)).status, 200, id);
  t.equal(record().epoch, 2);
  t.equal(record().data, 'e000002');
  t.strictSame((await request(`${third.url}/ready`)).json, { ready: true });
});

t.test('stopped to come back, it leads again within its time, and another one does after that', async (t) => {
  const { member, record } = await pair(t);
  const leader = member('a', undefined, LONG);
  await leader.ready();
  const standby = member('b', undefined, LONG);
  await standsBy(standby);
  await written(leader, 'one', 'local');
  const keep = async (dataDir: string) => {
    const { code, stderr } = await command(['stop', '--keep'], { DATA_DIR: dataDir });
    t.equal(code, 0, stderr);
  };
  await keep(leader.dataDir);
  t.equal((await leader.ended()).code, 0);
  t.strictSame([record().epoch, record().state], [1, 'held']);
  const again = member('a', leader.dataDir, LONG);
  await again.ready();
  t.equal(record().epoch, 1);
  await keep(again.dataDir);
  await standby.ready();
  t.equal((await request(`${standby.url}/note/one`)).status, 200);
  t.equal(record().epoch, 2);
});

t.test('a leader that is stopped before the replica has all does not give the record away', async (t) => {
  const { store, member, record } = await pair(t);
  const way = await startStoreProxy(t, store);
  const leader = member('a', undefined, {
    ...LONG,
    S3_ENDPOINT: way.endpoint,
    REPLICA_STOP_TIMEOUT_MS: '1000',
  });
  await leader.ready();
  await way.become('read-only');
  await written(leader, 'one', 'local');
  await leader.stop();
  t.strictSame([record().epoch, record().state], [1, 'held']);
});

t.test('a leader that is stopped gives the record away, and the other one does not wait', async (t) => {
  const { member, record } = await pair(t);
  const leader = member('a', undefined, LONG);
  await leader.ready();
  const standby = member('b', undefined, LONG);
  await standsBy(standby);
  await written(leader, 'one', 'local');
  t.equal((await leader.stop()).code, 0);
  await standby.ready();
  t.equal((await request(`${standby.url}/note/one`)).status, 200);
  t.equal(record().epoch, 2);
});
