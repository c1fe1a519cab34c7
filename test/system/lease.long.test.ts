import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readMark } from '../../src/replication/history/mark.ts';
import { s3Environment } from '../../src/testing/s3-server.ts';
import { command } from '../cli/command.ts';
import { request } from '../support/http.ts';
import { like } from '../support/like.ts';
import { startS3, startStoreProxy } from '../support/s3.ts';
import { launch, type RunningSystem, start, until } from '../support/system.ts';
import { KINDS, objectPath, post, refused, tellsNothing } from './lease-fixture.ts';

/** @returns whether a start has watched nobody's record */
function tookAtOnce({ lines }: RunningSystem): boolean {
  return !lines.some(({ msg }) => msg.includes('was last held by'));
}

for (const [kind, placeOf] of Object.entries(KINDS)) {
  t.test(`${kind} a second system is refused, and what nobody owns any more is taken at once`, async (t) => {
    const { env, record } = await placeOf(t);
    const first = await start(t, env);
    const { session, pid, state } = record();
    t.strictSame({ pid, state }, { pid: first.pid, state: 'held' });
    const text = await refused(t, env);
    t.ok(text.includes(`is used by`), text);
    t.ok(text.includes(`(process ${first.pid})`), 'it names the first');
    t.equal(record().session, session, 'the record stays');
    await first.killChild('lease');
    const isTold = () => JSON.stringify(record().confirmed).includes('"ordinal":2');
    t.equal((await post(first, 'a')).status, 201);
    await until(isTold, 'another process goes on with the record, and tells how far the replica is');
    t.strictSame(
      Object.keys((record() as Record<string, Record<string, object>>).schema!.main!).sort(),
      ['keys', 'notes', 'writer'],
      'and which migrations there are',
    );
    t.equal(record().session, session);
    t.equal((await post(first, 'b')).status, 201);

    const before = record();
    first.kill('SIGKILL');
    await first.ended();
    t.equal(record().state, 'held');
    const again = await start(t, env, first.dataDir);
    t.ok(tookAtOnce(again), 'the same folder after a kill');
    t.not(record().session, before.session);
    again.kill('SIGKILL');
    await again.ended();
    const elsewhere = await start(t, env);
    t.ok(tookAtOnce(elsewhere), 'another folder: the process is gone');
    t.equal((await request(`${elsewhere.url}/note/a`)).status, 200);
    await elsewhere.stop();
    t.equal(record().state, 'released');
    t.ok(tookAtOnce(await start(t, env)), 'after a stop');
  });
}

async function isGone(pid: number): Promise<void> {
  await until(() => !existsSync(`/proc/${pid}`), 'the process is gone');
}

for (const [kind, placeOf] of Object.entries(KINDS)) {
  t.test(`${kind} a system that finds itself replaced adds nothing more, and serves reads`, async (t) => {
    const { env, record, write } = await placeOf(t);
    // Litestream is stopped, and nobody starts it again.
    const system = await start(t, { ...env, REPLICA_STALL_TIMEOUT_MS: '60000' });
    t.equal((await post(system, 'a')).status, 201);
    await until(() => {
      const media = readMark(system.dataDir)?.databases.media;
      return media?.replicated !== undefined && media.replicated.ordinal === media.local?.ordinal;
    }, 'the database that nobody waited for is replicated, too');
    process.kill(system.pidOf('litestream'), 'SIGSTOP');
    t.equal((await post(system, 'b', 'local')).status, 201);
    await until(() => {
      const main = readMark(system.dataDir)?.databases.main;
      return main?.local?.ordinal === 3 && main.replicated?.ordinal === 2;
    }, 'the primary knows of both commits');
    const other = { ...record(), session: 'other', name: 'elsewhere', pid: 7, bootId: 'other' };
    write(other);
    const reloaded = await command(['reload'], { DATA_DIR: system.dataDir });
    like(t, reloaded, { code: 73, stderr: /elsewhere/ }, 'a reload looks at once');
    const line = await system.waitFor((line) => line.code === 'replica_in_use');
    t.ok(line.msg.includes('is used by elsewhere (process 7)'), line.msg);
    t.match(
      line.msg,
      /\. Only here are, as far as known: commit 3 of main\. Writes are refused, reads go on\.$/,
    );
    await isGone(system.pidOf('litestream'));
    const answer = await post(system, 'c', 'local');
    t.strictSame([answer.status, answer.json.code], [503, 'replica_in_use']);
    t.equal((await request(`${system.url}/note/b`)).status, 200, 'what is here can be read');
    const ready = await request(`${system.url}/ready`);
    t.equal(ready.status, 503);
    t.ok(ready.text.includes('is used by elsewhere'), ready.text);
    await system.killChild('writer');
    t.equal((await post(system, 'd', 'local')).status, 503, 'the next writer refuses, too');
    t.equal((await system.stop()).code, 0);
    t.strictSame(record(), other, 'the record is not its to release');
    t.match(
      readFileSync(join(system.dataDir, 'run', 'events.jsonl'), 'utf8'),
      /"kind":"replica-lost","child":null,"pid":null,"cause":"The replica .* is used by elsewhere/,
    );
  });

  t.test(`${kind} a replica is taken over when that is said, and the first system gives way`, async (t) => {
    const { env, record } = await placeOf(t);
    const first = await start(t, env);
    t.equal((await post(first, 'a')).status, 201);
    const second = await start(t, env, undefined, { args: ['--take-over'] });
    t.equal(record().pid, second.pid);
    await first.waitFor((line) => line.code === 'replica_in_use');
    t.equal((await post(first, 'b', 'local')).status, 503);
    t.equal((await post(second, 'b')).status, 201);
    const { msg } = await second.waitFor((line) => line.msg.includes('is this system'));
    t.ok(msg.endsWith(`it was taken over from ${record().name} (process ${first.pid})`), msg);
  });
}

t.test('after a reboot it serves at once, and adds to the replica when nobody else shows life', async (t) => {
  const { env, record, write } = await KINDS['file:']!(t);
  const first = await start(t, env);
  t.equal((await post(first, 'a')).status, 201);
  first.kill('SIGKILL');
  await first.ended();
  const left = { ...record(), bootId: 'the boot before' };
  write(left);
  const system = await start(t, env, first.dataDir);
  t.strictSame(record(), left, 'it waits');
  t.ok(Number.isNaN(system.pidOf('litestream')), 'and Litestream does not run');
  t.equal((await post(system, 'b', 'local')).status, 201);
  like(
    t,
    (await request(`${system.url}/ready?verbose`)).json.degraded.find(
      ({ name }: { name: string }) => name === 'replica',
    ),
    { reason: /^it was last held by / },
  );
  await system.waitFor(({ msg }) => msg === 'litestream ready', 0, 90_000);
  t.equal((await post(system, 'c')).status, 201);
  t.ok(
    readFileSync(join(system.dataDir, 'run', 'events.jsonl'), 'utf8').includes('"kind":"replica-taken"'),
    readFileSync(join(system.dataDir, 'run', 'events.jsonl'), 'utf8'),
  );
  t.notOk(/"name":"replica"/.test((await request(`${system.url}/ready?verbose`)).text));
});

t.test('of a machine that is dead the replica is restored and taken', async (t) => {
  const { env, record, write } = await KINDS['s3:']!(t);
  const first = await start(t, env);
  t.equal((await post(first, 'a')).status, 201);
  first.kill('SIGKILL');
  await first.ended();
  const left = { ...record(), bootId: 'other', instance: 'other', name: 'dead', pid: 7 };
  write(left);
  const system = launch(t, env);
  await system.waitFor(({ msg }) => /^database media: restored/.test(msg));
  t.strictSame(record(), left, 'it is restored while it is waited for');
  await system.waitFor(({ msg }) => msg.startsWith('ready: '), 0, 90_000);
  t.equal(record().pid, system.pid);
  t.equal((await request(`${system.url}/note/a`)).status, 200);
  t.ok(
    readFileSync(join(system.dataDir, 'run', 'events.jsonl'), 'utf8').includes(
      '"cause":"it was taken from dead (process 7), which showed no life for 30 s"',
    ),
    readFileSync(join(system.dataDir, 'run', 'events.jsonl'), 'utf8'),
  );
});

t.test('with the store silent it serves, and owns the replica before anything is added to it', async (t) => {
  const store = await startS3(t);
  const proxy = await startStoreProxy(t, store);
  const env = { ...s3Environment(store, 'p'), S3_ENDPOINT: proxy.endpoint };
  const first = await start(t, env);
  t.equal((await post(first, 'a')).status, 201);
  // Where nothing is remembered yet, a start waits for the store.
  await until(() => readMark(first.dataDir)?.databases.main?.local !== undefined, 'it is remembered');
  first.kill('SIGKILL');
  await first.ended();
  await proxy.become('hang');
  const system = await start(t, env, first.dataDir);
  t.equal((await post(system, 'b', 'local')).status, 201);
  const passed = proxy.counts.PUT;
  t.ok(
    (await request(`${system.url}/ready?verbose`)).text.includes('whose it is cannot be found out'),
    (await request(`${system.url}/ready?verbose`)).text,
  );
  t.ok(Number.isNaN(system.pidOf('litestream')));
  t.equal(proxy.counts.PUT, passed);
  await proxy.become('open');
  await system.waitFor(({ msg }) => msg === 'litestream ready');
  t.equal((await post(system, 'c')).status, 201);
  const record = JSON.parse(readFileSync(objectPath(store, 'p/lease.json'), 'utf8'));
  t.equal(record.pid, system.pid);
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

t.test('s3: nothing is told as replicated once another system has the replica', (t) =>
  tellsNothing(t, 's3:'),
);

t.test('a folder: nothing is told as replicated once another system has the replica', (t) =>
  tellsNothing(t, 'file:'),
);
