import { existsSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { HonestClients } from '../../loadtest/support/honest-client.ts';
import { StoreProxy } from '../../loadtest/support/store-proxy.ts';
import { everyWriteIsThere } from '../support/history.ts';
import { alertOf, request } from '../support/http.ts';
import { like } from '../support/like.ts';
import { startS3 } from '../support/s3.ts';
import { launch, processesOf, type RunningSystem, start, temporaryFolder, until } from '../support/system.ts';

const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

/** Uploads a real image. @returns the path that serves it */
async function upload(system: RunningSystem): Promise<string> {
  const boundary = 'x-boundary';
  const head = `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n`;
  const answer = await request(`${system.url}/movie/image`, {
    method: 'POST',
    headers: { 'Content-Type': `multipart/form-data; boundary=${boundary}` },
    body: Buffer.concat([Buffer.from(head), PNG, Buffer.from(`\r\n--${boundary}--\r\n`)]),
  });
  return `/movie/image/${answer.json.id}`;
}

/** A store that keeps the preparing of the databases waiting until its proxy opens. */
async function slowStore(t: Test) {
  const store = await startS3(t);
  const proxy = await StoreProxy.start(store.endpoint);
  t.teardown(() => proxy.close());
  await proxy.become('slow');
  const env = {
    REPLICA_URL: `s3://${store.bucket}/some/prefix`,
    S3_ENDPOINT: proxy.endpoint,
    ...store.credentials,
  };
  return { proxy, env };
}

function deleteDatabases(dataDir: string): void {
  for (const name of ['main', 'media']) {
    for (const suffix of ['.db', '.db-wal', '.db-shm']) rmSync(join(dataDir, name + suffix), { force: true });
  }
}

t.test('one line says ready, with all that one needs to know and the warning about the disk', async (t) => {
  const system = await start(t);
  const line = await system.ready();
  like(t, line, {
    url: /^http:\/\/127\.0\.0\.1:\d+$/,
    pids: { primary: system.pid, litestream: Number, writer: Number, 'worker-1': Number, 'worker-2': Number },
    dataDir: system.dataDir,
    replica: `file:${system.dataDir}/replica`,
    warning: /same disk.*REPLICA_URL=s3:/,
  });
  for (const path of ['main.db', 'media.db', 'run/writer.sock', 'run/litestream.yml']) {
    t.equal(statSync(join(system.dataDir, path)).mode & 0o077, 0, `${path} is for its owner alone`);
  }
});

t.test('with the databases deleted, a start brings back every alert and image from a folder', async (t) => {
  const system = await start(t);
  const clients = new HonestClients({ url: system.url, connections: 10, prefix: 'f', hungAfterMs: 10_000 });
  await until(() => clients.acknowledged.length > 500, 'writes are answered');
  await clients.stop();
  const image = await upload(system);
  t.equal((await system.stop()).code, 0);
  deleteDatabases(system.dataDir);
  const next = await start(t, {}, system.dataDir);
  everyWriteIsThere(t, next.dataDir, clients.acknowledged);
  t.equal((await request(next.url + image)).status, 200);
});

t.test('with the whole data folder deleted, a start brings back every alert and image from S3', async (t) => {
  const s3 = await startS3(t);
  const env = {
    REPLICA_URL: `s3://${s3.bucket}/some/prefix`,
    S3_ENDPOINT: s3.endpoint,
    ...s3.credentials,
  };
  const system = await start(t, env);
  t.notMatch(String((await system.ready()).warning), /same disk/, 'the replica is elsewhere');
  const clients = new HonestClients({ url: system.url, connections: 10, prefix: 's', hungAfterMs: 10_000 });
  await until(() => clients.acknowledged.length > 500, 'writes are answered');
  await clients.stop();
  const image = await upload(system);
  t.equal((await system.stop()).code, 0);
  const next = await start(t, env, temporaryFolder(t));
  everyWriteIsThere(t, next.dataDir, clients.acknowledged);
  t.equal((await request(next.url + image)).status, 200);
  t.match(
    next.lines.filter((line) => /restored/.test(line.msg)).length,
    2,
    'the log tells of both databases',
  );

  t.test('no secret is in a log, a file, an argument or a worker', async (t) => {
    t.notMatch(JSON.stringify(next.lines), s3.credentials.AWS_SECRET_ACCESS_KEY);
    t.notMatch(readFileSync(join(next.dataDir, 'run', 'litestream.yml'), 'utf8'), /secret|S3RVER/);
    for (const name of ['worker-1', 'writer']) {
      t.notMatch(readFileSync(`/proc/${next.pidOf(name)}/environ`, 'utf8'), /AWS_SECRET_ACCESS_KEY/);
    }
  });
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
    const forced = await start(t, { ...env, ALLOW_EMPTY: id }, system.dataDir);
    t.equal((await request(`${forced.url}/alert`, { method: 'POST', body: alertOf('a') })).status, 201);
  },
);

t.test('a damaged database is kept aside and the replica takes its place', async (t) => {
  const system = await start(t);
  await request(`${system.url}/alert`, { method: 'POST', body: alertOf('kept') });
  t.equal((await system.stop()).code, 0);
  for (const suffix of ['.db-wal', '.db-shm']) rmSync(join(system.dataDir, `main${suffix}`));
  writeFileSync(join(system.dataDir, 'main.db'), 'this is no database, whatever its name says');
  const next = await start(t, {}, system.dataDir);
  t.equal((await request(`${next.url}/alert/movie/kept`)).status, 200);
  t.ok(
    next.lines.some((line) => /damaged/.test(JSON.stringify(line))),
    'the log says so',
  );
});

t.test('an edited past migration stops the start with its name', async (t) => {
  const system = await start(t);
  await system.stop();
  const { openWriter } = await import('../../src/sqlite/open.ts');
  const db = openWriter(join(system.dataDir, 'main.db'));
  db.prepare("UPDATE migrations SET checksum = 'other' WHERE owner = 'alerts' AND number = 1").run();
  const next = launch(t, {}, system.dataDir);
  t.equal((await next.ended()).code, 78);
  t.match(next.stderr, /alerts\/0001_.*edited/);
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

t.test('a stop while the databases are prepared ends those that wait for them', async (t) => {
  const system = launch(t, (await slowStore(t)).env);
  await until(() => processesOf(system.dataDir).length > 3, 'the processes are there');
  t.equal((await system.stop()).code, 0);
  t.same(processesOf(system.dataDir), []);
});

t.test('a port in use is said plainly, before anything is made', async (t) => {
  const system = await start(t);
  const second = launch(t, { PORT: new URL(system.url).port });
  t.equal((await second.ended()).code, 69);
  t.match(second.stderr, /Cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE.*Set HOST or PORT/);
  t.notOk(existsSync(join(second.dataDir, 'main.db')));
});

t.test('a wrong configuration lists every mistake and exits 78', async (t) => {
  const system = launch(t, { PORT: 'http', WORKERS: '0' });
  t.equal((await system.ended()).code, 78);
  t.match(system.stderr, /PORT: expected/);
  t.match(system.stderr, /WORKERS: expected/);
});

t.test('a truncated database does not start empty', async (t) => {
  const system = await start(t);
  await request(`${system.url}/alert`, { method: 'POST', body: alertOf('kept') });
  await system.stop();
  for (const suffix of ['.db-wal', '.db-shm']) rmSync(join(system.dataDir, `main${suffix}`));
  truncateSync(join(system.dataDir, 'main.db'), 0);
  const next = await start(t, {}, system.dataDir);
  t.equal((await request(`${next.url}/alert/movie/kept`)).status, 200);
});
