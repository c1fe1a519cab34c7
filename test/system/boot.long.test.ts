import { existsSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { everyWriteIsThere } from '../support/history.ts';
import { noteOf, request } from '../support/http.ts';
import { writeNotes } from '../support/note-clients.ts';
import { launch, processesOf, startPair, until } from '../support/system.ts';
import { slowStore, upload } from './boot-fixture.ts';

function deleteDatabases(dataDir: string): void {
  for (const name of ['main', 'media']) {
    for (const suffix of ['.db', '.db-wal', '.db-shm']) rmSync(join(dataDir, name + suffix), { force: true });
  }
}

t.test('with the databases deleted, a start brings back every note and file from a folder', async (t) => {
  const system = await startPair(t);
  const clients = writeNotes(t, { url: system.url, connections: 10, prefix: 'f', hungAfterMs: 10_000 });
  await until(() => clients.acknowledged.length > 500, 'writes are answered');
  await clients.stop();
  const file = await upload(system);
  t.equal((await system.stop()).code, 0);
  deleteDatabases(system.dataDir);
  const next = await startPair(t, {}, system.dataDir);
  everyWriteIsThere(t, next.dataDir, clients.acknowledged);
  t.equal((await request(next.url + file)).status, 200);
});

t.test('a damaged database is kept aside and the replica takes its place', async (t) => {
  const system = await startPair(t);
  await request(`${system.url}/note`, { method: 'POST', body: noteOf('kept') });
  t.equal((await system.stop()).code, 0);
  for (const suffix of ['.db-wal', '.db-shm']) rmSync(join(system.dataDir, `main${suffix}`));
  writeFileSync(join(system.dataDir, 'main.db'), 'this is no database, whatever its name says');
  const next = await startPair(t, {}, system.dataDir);
  t.equal((await request(`${next.url}/note/kept`)).status, 200);
  t.ok(
    next.lines.some((line) => /damaged/.test(JSON.stringify(line))),
    'the log says so',
  );
});

t.test('an edited past migration stops the start with its name', async (t) => {
  const system = await startPair(t);
  await system.stop();
  const { openWriter } = await import('../../src/sqlite/open.ts');
  const db = openWriter(join(system.dataDir, 'main.db'));
  db.prepare("UPDATE migrations SET checksum = 'other' WHERE owner = 'notes' AND number = 1").run();
  const next = launch(t, {}, system.dataDir);
  t.equal((await next.ended()).code, 78);
  t.match(next.stderr, /notes\/0001_.*edited/);
  db.close();
});

t.test(
  'what serves has loaded while the databases are still prepared, and one that dies then is made anew',
  async (t) => {
    const { env, proxy } = await slowStore(t);
    const system = launch(t, { ...env, WORKERS: '2' });
    const pidOf = (title: string) =>
      processesOf(system.dataDir).find((pid) =>
        readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith(title),
      );
    await until(
      () => pidOf('ninelives worker-1') !== undefined && pidOf('ninelives worker-2') !== undefined,
      'the workers are there',
    );
    t.notOk(
      system.lines.some(({ msg }) => msg === 'litestream ready'),
      'the databases are not prepared yet',
    );
    const [first, second] = [pidOf('ninelives worker-1')!, pidOf('ninelives worker-2')!];
    process.kill(first, 'SIGKILL');
    await until(() => !processesOf(system.dataDir).includes(first), 'the first is gone');
    await proxy.become('open');
    await system.ready();
    t.not(system.pidOf('worker-1'), first);
    t.equal(system.pidOf('worker-2'), second);
  },
);

t.test('a port in use is said plainly, before anything is made', async (t) => {
  const system = await startPair(t);
  const second = launch(t, { PORT: new URL(system.url).port });
  t.equal((await second.ended()).code, 69);
  t.match(second.stderr, /Cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE.*Set HOST or PORT/);
  t.notOk(existsSync(join(second.dataDir, 'main.db')));
});

t.test('a truncated database does not start empty', async (t) => {
  const system = await startPair(t);
  await request(`${system.url}/note`, { method: 'POST', body: noteOf('kept') });
  await system.stop();
  for (const suffix of ['.db-wal', '.db-shm']) rmSync(join(system.dataDir, `main${suffix}`));
  truncateSync(join(system.dataDir, 'main.db'), 0);
  const next = await startPair(t, {}, system.dataDir);
  t.equal((await request(`${next.url}/note/kept`)).status, 200);
});

t.test(
  'a missing database and a replica that cannot be reached: nothing starts, and it says what to do',
  async (t) => {
    const env = {
      REPLICA_URL: 's3://bucket/prefix',
      S3_ENDPOINT: 'http://127.0.0.1:9',
      AWS_ACCESS_KEY_ID: 'x',
      AWS_SECRET_ACCESS_KEY: 'y',
    };
    const system = launch(t, env);
    t.equal((await system.ended()).code, 75);
    const [, id] = /set ALLOW_EMPTY=([0-9a-f]{8}), which works once/.exec(system.stderr) ?? [];
    t.throws(() => statSync(join(system.dataDir, 'main.db')), 'no empty database was made');
    const forced = await startPair(t, { ...env, ALLOW_EMPTY: id }, system.dataDir);
    t.equal((await request(`${forced.url}/note`, { method: 'POST', body: noteOf('a') })).status, 201);
  },
);

t.test('a stop while the databases are prepared ends those that wait for them', async (t) => {
  const system = launch(t, (await slowStore(t)).env);
  await until(() => processesOf(system.dataDir).length > 3, 'the processes are there');
  t.equal((await system.stop()).code, 0);
  t.same(processesOf(system.dataDir), []);
});
