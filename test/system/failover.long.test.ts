import { randomBytes } from 'node:crypto';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import t from 'tap';
import { freePort } from '../../loadtest/support/free-port.ts';
import type { SystemSnapshot } from '../../src/messages/snapshot.ts';
import { command } from '../cli/command.ts';
import { startHaproxy, twoServers } from '../support/haproxy.ts';
import { noteOf, request } from '../support/http.ts';
import { writeNotes } from '../support/note-clients.ts';
import { startStoreProxy } from '../support/s3.ts';
import { processesOf, type RunningSystem, start, temporaryFolder, until } from '../support/system.ts';
import { missing } from '../support/tools.ts';
import { bothOf, LONG, pair, standsBy, TTL_MS, written } from './failover-fixture.ts';
import { post } from './lease-fixture.ts';

async function readiness({ url }: RunningSystem): Promise<{ status: number; text: string }> {
  return request(`${url}/ready`);
}

t.test('a leader that is cut from the store takes no write any more when the other one leads', async (t) => {
  const { store, member, record } = await pair(t);
  const way = await startStoreProxy(t, store);
  const leader = member('a', undefined, { S3_ENDPOINT: way.endpoint });
  await leader.ready();
  const standby = member('b');
  await standsBy(standby);
  await written(leader, 'one');
  await way.become('hang');
  await until(async () => (await readiness(leader)).status === 503, 'the leader is suspended');
  const late = post(leader, 'late').then(
    ({ status }) => status,
    () => 'no answer',
  );
  await standby.ready();
  t.equal(record().epoch, 2);
  await written(standby, 'two');
  await way.become('open');
  t.equal((await leader.ended()).code, 85);
  t.not(await late, 201);
  t.equal((await request(`${standby.url}/note/one`)).status, 200);
  t.equal((await request(`${standby.url}/note/late`)).status, 404);
});

t.test('a system that takes over waits for the databases where the store goes away meanwhile', async (t) => {
  const { store, member, record } = await pair(t);
  const way = await startStoreProxy(t, store);
  const leader = member('a');
  await leader.ready();
  const standby = member('b', undefined, { S3_ENDPOINT: way.endpoint });
  await standsBy(standby);
  await written(leader, 'one');
  way.onPassed = ({ method, url, status }) => {
    if (method === 'PUT' && url.includes('/app/lease.json') && status === 200) void way.become('unavailable');
  };
  leader.kill('SIGKILL');
  await leader.ended();
  const { msg } = await standby.waitFor((line) => line.msg.startsWith('the databases are waited for: '));
  t.ok(msg.includes('cannot be reached'), msg);
  t.notOk(msg.includes('ALLOW_EMPTY'), 'an empty database is no way out of that');
  way.onPassed = undefined;
  await way.become('open');
  await standby.ready();
  t.equal(record().epoch, 2);
  t.equal((await request(`${standby.url}/note/one`)).status, 200);
});

t.test('while nobody reaches the store the leader goes on, since its peer lets it', async (t) => {
  const { store, member, record } = await pair(t);
  const way = await startStoreProxy(t, store);
  const [portOfA, portOfB] = [await freePort(), await freePort()];
  const common = { S3_ENDPOINT: way.endpoint, PEER_SECRET: randomBytes(32).toString('hex') };
  const peers = (own: number, other: number) => ({
    ...common,
    PEER_LISTEN: `127.0.0.1:${own}`,
    PEER_URL: `http://127.0.0.1:${other}`,
  });
  const leader = member('a', undefined, peers(portOfA, portOfB));
  await leader.ready();
  const standby = member('b', undefined, peers(portOfB, portOfA));
  await standsBy(standby);
  await written(leader, 'one');
  await until(
    async () => (await request(`${await standsBy(standby)}/ready`)).text.includes(`process ${leader.pid}`),
    'the standby has seen who leads',
  );
  await way.become('refuse');
  const fromMs = performance.now();
  let writes = 0;
  while (performance.now() - fromMs < 3 * TTL_MS) {
    await written(leader, `out-${writes}`, 'local');
    writes += 1;
  }
  t.equal(record().epoch, 1, 'nobody has taken over');
  await way.become('open');
  t.equal((await post(leader, 'again')).status, 201, 'what is written then is replicated');
  t.equal(record().epoch, 1);
  leader.kill('SIGKILL');
  await standby.ready();
  for (const id of ['one', 'out-0', `out-${writes - 1}`, 'again'])
    t.equal((await request(`${standby.url}/note/${id}`)).status, 200, id);
});

t.test(
  'behind HAProxy a keyed write that finds nobody leading is applied once by the one that leads next',
  { skip: missing('haproxy') },
  async (t) => {
    const { member } = await pair(t);
    const leader = member('a');
    await leader.ready();
    const standby = member('b');
    const made = await command(['keys', 'create', '--name', 'proxy', '--scope', 'write'], {
      DATA_DIR: leader.dataDir,
    });
    const Authorization = `Bearer ${/nl_\S+/.exec(made.stdout)?.[0]}`;
    const ports = [leader.url, await standsBy(standby)].map((url) => new URL(url).port) as [string, string];
    const url = `http://127.0.0.1:${await startHaproxy(t, temporaryFolder(t), twoServers(ports))}`;
    // Not by what holds an answer against the description: HAProxy has answers of its own.
    const write = (id: string) =>
      fetch(`${url}/note`, {
        method: 'POST',
        body: JSON.stringify(noteOf(id)),
        headers: {
          Authorization,
          'Content-Type': 'application/json',
          'Idempotency-Key': id,
          Durability: 'replicated',
        },
      });
    /** @returns what each try was answered with until it was written */
    const insist = async (id: string) => {
      const statuses: number[] = [];
      await until(
        async () => {
          statuses.push((await write(id)).status);
          return statuses.at(-1) === 201;
        },
        `${id} is written`,
        30_000,
      );
      return statuses;
    };
    const first = await Promise.all(['one', 'also', 'more', 'last'].map(write));
    t.strictSame(
      first.map(({ status }) => status),
      [201, 201, 201, 201],
      'also before its first look, until which HAProxy takes both for ready',
    );
    leader.kill('SIGKILL');
    await leader.ended();
    rmSync(leader.dataDir, { recursive: true, force: true });
    const statuses = await insist('two');
    t.strictSame(
      statuses.filter((status) => ![201, 502, 503, 504].includes(status)),
      [],
    );
    t.equal((await write('two')).headers.get('idempotent-replayed'), 'true', 'it was applied once');
    for (const id of ['one', 'two']) {
      const { status } = await fetch(`${url}/note/${id}`, { headers: { Authorization } });
      t.equal(status, 200, id);
    }
  },
);

t.test('a reload of a leader fails no request, and it goes on leading', async (t) => {
  const { member, record } = await pair(t);
  const { leader, standby } = await bothOf({ member }, LONG);
  const clients = writeNotes(t, { url: leader.url, connections: 4, prefix: 'reload', hungAfterMs: 20_000 });
  t.teardown(() => clients.stop());
  await until(() => clients.acknowledged.length > 50, 'writes are answered');
  for (let round = 1; round <= 2; round += 1) {
    const { code, stderr } = await command(['reload'], { DATA_DIR: leader.dataDir });
    t.equal(code, 0, stderr);
    t.equal((await post(leader, `round-${round}`)).status, 201, 'a new writer hears what is replicated');
  }
  await clients.stop();
  t.same(clients.failed, []);
  t.strictSame([record().epoch, record().state], [1, 'held']);
  t.equal((await leader.stop()).code, 0);
  await standby.ready();
  t.same(await clients.lost(standby.url), []);
});

t.test('a leader that was stopped and wakes acknowledges nothing, and ends: another one leads', async (t) => {
  const { member, record } = await pair(t);
  const { leader, standby } = await bothOf({ member });
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

t.test('a leader whose primary alone is stopped renews nothing: another one leads', async (t) => {
  const { member, record } = await pair(t);
  const { leader, standby } = await bothOf({ member });
  await written(leader, 'one');
  process.kill(leader.pid, 'SIGSTOP');
  await standby.ready();
  t.equal((await request(`${standby.url}/note/one`)).status, 200);
  process.kill(leader.pid, 'SIGCONT');
  t.equal((await leader.ended()).code, 85);
  t.equal(record().epoch, 2);
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

t.test('a leader that is stopped gives the record away, and the other one does not wait', async (t) => {
  const { member, record } = await pair(t);
  const { leader, standby } = await bothOf({ member }, LONG);
  await written(leader, 'one', 'local');
  t.equal((await leader.stop()).code, 0);
  await standby.ready();
  t.equal((await request(`${standby.url}/note/one`)).status, 200);
  t.equal(record().epoch, 2);
});

t.test('stopped to come back, it leads again within its time, and another one does after that', async (t) => {
  const { member, record } = await pair(t);
  const { leader, standby } = await bothOf({ member }, LONG);
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

t.test(
  'who leads again with databases from before has nothing to tell but what only those have',
  async (t) => {
    const { store, member } = await pair(t);
    const way = await startStoreProxy(t, store);
    const a = member('a', undefined, { S3_ENDPOINT: way.endpoint });
    await a.ready();
    const b = member('b');
    await standsBy(b);
    await written(a, 'one');
    t.equal((await a.stop()).code, 0);
    await b.ready();
    await written(b, 'two');
    const again = member('a', a.dataDir, { S3_ENDPOINT: way.endpoint });
    await standsBy(again);
    t.equal((await b.stop()).code, 0);
    await again.ready();
    for (const id of ['one', 'two']) t.equal((await request(`${again.url}/note/${id}`)).status, 200, id);
    await until(
      async () => isDeepStrictEqual((await request(`${again.url}/ready`)).json, { ready: true }),
      'all is well',
    );
    t.strictSame(await findings(again.dataDir), []);

    await t.test('those are kept, and told until somebody has acknowledged that', async (t) => {
      const other = member('b', b.dataDir);
      await standsBy(other);
      await way.become('hang');
      t.equal((await post(again, 'lost', 'local')).status, 201);
      again.kill('SIGKILL');
      await again.ended();
      await other.ready();
      await written(other, 'three');
      await way.become('open');
      const last = member('a', a.dataDir);
      await standsBy(last);
      t.equal((await other.stop()).code, 0);
      await last.ready();
      t.equal((await request(`${last.url}/note/lost`)).status, 404);
      const [found, ...more] = await findings(last.dataDir);
      t.match(
        found,
        /^The database main and its replica s3:\S+ have gone on apart after commit \d+: commits .* are only here, .* there\. What the other system has goes on\. What was here is in \S+\/damaged\/main-\S+ and \S+\/damaged\/media-\S+; nothing removes it by itself\.$/,
      );
      t.strictSame(more, []);
      const troubles = (await request(`${last.url}/ready`)).json.degraded;
      t.strictSame(
        troubles.filter(({ name }: { name: string }) => name === 'history'),
        [{ name: 'history', reason: found }],
      );
      const { stdout, stderr } = await command(['acknowledge'], { DATA_DIR: last.dataDir });
      t.equal(stdout, 'acknowledged: 1\n', stderr);
    });
  },
);

t.test('whose folder is gone that counts nobody leads with empty databases', async (t) => {
  const { store, member } = await pair(t);
  const { leader, standby } = await bothOf({ member }, { LEASE_TTL_MS: '3000' });
  const folder = join(store.directory, store.bucket, 'app', 'e000001');
  const mirror = join(standby.dataDir, 'mirror', 'e000001');
  await written(leader, 'one');
  await until(() => existsSync(join(mirror, 'main')), 'it is mirrored');
  leader.kill('SIGKILL');
  renameSync(folder, `${folder}-away`);
  const { code } = await standby.ended();
  t.equal(code, 75);
  t.match(
    standby.lines.find(({ level }) => level === 'fatal')?.msg,
    new RegExp(
      `^The replica s3://\\S+/app/e000001 has nothing of the database main any more, though its owner's record names commits up to \\d+ as replicated\\. What this standby has mirrored of it is in ${mirror}: copy that there\\.`,
    ),
  );
  t.equal(existsSync(join(mirror, 'main')), true);
  renameSync(`${folder}-away`, folder);
  const again = member('b', standby.dataDir);
  await again.ready();
  t.equal((await request(`${again.url}/note/one`)).status, 200);
});

/** @returns what was told of the databases, and of what the replica has of them */
async function findings(dataDir: string): Promise<readonly string[]> {
  const { stdout } = await command(['status', '--json'], { DATA_DIR: dataDir });
  const { events } = JSON.parse(stdout) as SystemSnapshot;
  return events.filter(({ kind }) => kind === 'history').map(({ cause }) => cause ?? '');
}

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
