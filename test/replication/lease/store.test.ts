import { spawnSync } from 'node:child_process';
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { loadConfig } from '../../../src/config/config.ts';
import { FolderLock } from '../../../src/replication/lease/folder-lock.ts';
import { LeaseFile, type LeaseFileOptions, type LeaseStore } from '../../../src/replication/lease/store.ts';
import { FileStore } from '../../../src/replication/store/file-store.ts';
import { openStore } from '../../../src/replication/store/open.ts';
import type { Condition } from '../../../src/testing/s3-server.ts';
import { bare } from '../../support/bare.ts';
import { startS3, type TestStore } from '../../support/s3.ts';
import { gate } from '../../support/store-ways.ts';
import { temporaryFolder } from '../../support/system.ts';

async function s3StoreOf(t: Test, evaluated?: readonly Condition[]): Promise<LeaseFile> {
  const store = await startS3(t, 'lease-test', evaluated);
  return leaseFileAt(store, store.endpoint);
}

function leaseFileAt(store: TestStore, endpoint: string, options?: LeaseFileOptions): LeaseFile {
  const url = 's3://lease-test/some/prefix';
  const { config } = loadConfig({ REPLICA_URL: url, S3_ENDPOINT: endpoint, ...store.credentials }, '/tmp');
  return new LeaseFile(openStore({ config, env: store.credentials }), options);
}

function storeIn(path: string): LeaseFile {
  const store = new FileStore({ type: 'file', path, url: `file:${path}` });
  return new LeaseFile(store, { lock: new FolderLock(path, store) });
}

async function replaces(t: Test, store: LeaseStore): Promise<void> {
  t.equal(await store.read(), undefined);
  t.equal(await store.write('one', undefined), true);
  t.equal(await store.write('other', undefined), false, 'there is one');
  const first = await store.read();
  t.equal(first?.text, 'one');
  t.equal(await store.write('two', first), true);
  t.equal(await store.write('three', first), false, 'it is not what was read');
  t.equal((await store.read())?.text, 'two');
}

/** Whether a process cannot have the lock of a folder: within one process everybody can. */
function isLocked(folder: string): boolean {
  const url = new URL('../../../src/sqlite/lock.ts', import.meta.url).href;
  const path = JSON.stringify(join(folder, 'lease.lock'));
  const script = `const { lockFile } = await import('${url}'); process.exit(lockFile(${path}) ? 0 : 1)`;
  const { status } = spawnSync(...bare(process.execPath, ['--input-type=module', '-e', script]));
  return status === 1;
}

t.test('a bucket that evaluates conditions', async (t) => {
  const store = await s3StoreOf(t);
  await replaces(t, store);
  t.equal(await store.ignored(), undefined);
  const contenders = await Promise.all(
    Array.from({ length: 16 }, async (_, n) => store.write(`${n}`, await store.read())),
  );
  t.equal(contenders.filter((isWritten) => isWritten).length, 1, 'of many who write at once one wins');
});

t.test('a bucket that ignores a condition is found out', async (t) => {
  t.equal(await (await s3StoreOf(t, [])).ignored(), 'If-None-Match');
  t.equal(await (await s3StoreOf(t, ['if-match'])).ignored(), 'If-None-Match');
  t.equal(await (await s3StoreOf(t, ['if-none-match'])).ignored(), 'If-Match');
});

t.test(
  'a bucket that refuses conditions is written without, but not where two take over from each other',
  async (t) => {
    const s3 = await startS3(t, 'lease-test');
    const endpoint = await gate(t, s3.endpoint, ({ headers }) =>
      headers['if-match'] === undefined && headers['if-none-match'] === undefined
        ? undefined
        : [501, 'NotImplemented'],
    );
    await replaces(t, leaseFileAt(s3, endpoint, { takesNoConditions: true }));
    const strict = leaseFileAt(s3, endpoint);
    t.equal(await strict.ignored(), 'If-None-Match');
    await t.rejects(strict.write('one', undefined), /NotImplemented/);
  },
);

t.test('a folder, with the lock of the kernel', async (t) => {
  const folder = join(temporaryFolder(t), 'replica');
  const store = storeIn(folder);
  t.equal(store.lock(), true);
  await replaces(t, store);
  t.equal(statSync(join(folder, 'lease.json')).mode & 0o777, 0o600);
  store.unlock();
  t.equal(store.lock(), true, 'it can be taken again');
  t.equal(isLocked(folder), true);
  rmSync(folder, { recursive: true });
  t.equal(store.lock(), true, 'the folder was emptied');
  t.equal(isLocked(folder), true, 'and is locked again');
  store.unlock();
  t.equal(isLocked(folder), false);
});

t.test('a folder whose disk is not there', async (t) => {
  const store = storeIn(join(temporaryFolder(t), 'disk', 'replica'));
  t.throws(() => store.lock(), { code: 'ENOENT' });
});
