import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { loadConfig } from '../../../src/config/config.ts';
import { Mirror } from '../../../src/replication/failover/mirror.ts';
import { S3Store } from '../../../src/replication/store/s3-store.ts';
import { s3Environment } from '../../../src/testing/s3-server.ts';
import { command } from '../../cli/command.ts';
import { noteOf, request } from '../../support/http.ts';
import { notesIn } from '../../support/notes.ts';
import { startS3, startStoreProxy, type TestStore } from '../../support/s3.ts';
import { type RunningSystem, start, temporaryFolder } from '../../support/system.ts';

const DATABASES = ['main', 'media'];
const { signal } = new AbortController();

function storeOf(env: NodeJS.ProcessEnv, { credentials }: TestStore): S3Store {
  const { config } = loadConfig(env, '/tmp');
  if (config.replica.type !== 's3') throw new Error('expected a bucket');
  return new S3Store({ config, env: credentials }, config.replica);
}

async function write(system: RunningSystem, id: string): Promise<void> {
  const headers = { Durability: 'replicated' };
  const answer = await request(`${system.url}/note`, { method: 'POST', body: noteOf(id), headers });
  if (answer.status !== 201) throw new Error(answer.text);
}

/** Restores what a folder has by the stock binary, as from any replica. */
async function notesOf(t: Test, folder: string): Promise<unknown[]> {
  const file = join(temporaryFolder(t), 'main.db');
  const { code, stderr } = await command(['restore', '--to', file], { REPLICA_URL: `file:${folder}` });
  if (code !== 0) throw new Error(stderr);
  return notesIn(file);
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

t.test('a mirror of an epoch is a replica of its own, and follows', async (t) => {
  const store = await startS3(t);
  const proxy = await startStoreProxy(t, store);
  const shared = { ...s3Environment(store, 'app'), S3_ENDPOINT: proxy.endpoint };
  const system = await start(t, { ...s3Environment(store, 'app/e000002') });
  const folder = join(temporaryFolder(t), 'mirror');
  const clock = { nowMs: 0 };
  const disk = { freeBytes: 10 ** 12 };
  const remote = storeOf(shared, store);
  const mirror = new Mirror({
    store: remote,
    folder,
    freeBytes: () => disk.freeBytes,
    reserveBytes: 1024 * 1024,
    now: () => clock.nowMs,
  });
  const pass = (epoch = 'e000002') => mirror.sync({ folder: epoch, generations }, signal);
  /** With a look at everything. */
  const fullPass = () => {
    clock.nowMs += 10 * 60_000;
    return pass();
  };
  await write(system, 'a');
  const generations = Object.fromEntries(
    await Promise.all(
      DATABASES.map(async (name) => [name, (await remote.names(`e000002/${name}/generations`))[0]]),
    ),
  );

  const first = await pass();
  t.strictSame(await notesOf(t, join(folder, 'e000002')), ['a']);
  t.equal(first.removed, 0);
  t.equal(first.files, filesBelow(folder).length);
  t.equal(first.totalFiles, first.files);

  await t.test('only what is new is asked for, and brought', async (t) => {
    await write(system, 'b');
    const gets = proxy.counts.GET ?? 0;
    const { files, removed } = await pass();
    t.ok(files > 0 && files < first.files + 10, `${files}`);
    t.equal(removed, 0);
    t.equal(proxy.counts.GET, gets + DATABASES.length + files, 'a listing of each database, and each file');
    t.strictSame(await notesOf(t, join(folder, 'e000002')), ['a', 'b']);
  });

  await t.test('without room for it nothing is brought, and nothing goes', async (t) => {
    await write(system, 'c');
    const before = filesBelow(folder);
    disk.freeBytes = 1024 * 1024;
    await t.rejects(pass(), {
      code: 'storage_full',
      message: '1 MB are to be mirrored, and 0 MB of disk are free beside what DISK_RESERVE_MB keeps',
    });
    t.strictSame(filesBelow(folder), before);
    disk.freeBytes = 10 ** 12;
    await pass();
    t.strictSame(await notesOf(t, join(folder, 'e000002')), ['a', 'b', 'c']);
  });
  await system.stop();

  await t.test('each file has the time that the store has', async (t) => {
    await fullPass();
    for await (const { path, storedMs, sizeBytes } of remote.files('e000002/main')) {
      const found = statSync(join(folder, path));
      t.strictSame([found.mtimeMs, found.size], [storedMs, sizeBytes]);
    }
  });

  await t.test('what is half there, or was never in the store, is put right', async (t) => {
    const [one, other] = filesBelow(join(folder, 'e000002', 'main')) as [string, string];
    rmSync(one);
    writeFileSync(`${one}.part`, 'half');
    writeFileSync(other, '');
    const { files, removed } = await fullPass();
    t.strictSame([files, removed], [2, 0]);
    t.equal(existsSync(`${one}.part`), false);
    t.strictSame(await notesOf(t, join(folder, 'e000002')), ['a', 'b', 'c']);
  });

  await t.test('nothing is kept that is before the newest snapshot', async (t) => {
    const place = `e000002/main/generations/${generations.main}`;
    const newer = `${place}/snapshots/000000ff.snapshot.lz4`;
    const before = filesBelow(join(folder, 'e000002', 'main'));
    await remote.write(newer, 'snapshot', undefined);
    const { files, removed } = await fullPass();
    t.strictSame([files, removed], [1, before.length]);
    t.strictSame(filesBelow(join(folder, 'e000002', 'main')), [join(folder, newer)]);
    await remote.remove(newer);
    await fullPass();
    t.strictSame(filesBelow(join(folder, 'e000002', 'main')).sort(), before.sort());
  });

  await t.test('a store that does not answer takes nothing away', async (t) => {
    const before = filesBelow(folder);
    await proxy.become('refuse');
    await t.rejects(fullPass(), /RequestError/);
    await proxy.become('open');
    t.strictSame(filesBelow(folder), before);
  });

  await t.test('another epoch takes the place of this one', async (t) => {
    const removed = await pass('e000003');
    t.equal(removed.files, 0);
    t.strictSame(readdirSync(folder), []);
  });
});
