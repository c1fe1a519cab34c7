import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { loadConfig } from '../../../src/config/config.ts';
import type { Confirmation } from '../../../src/messages/confirmation.ts';
import { openStore } from '../../../src/replication/store/open.ts';
import { UploadCheck } from '../../../src/replication/watch/upload-check.ts';
import { startS3, startStoreProxy } from '../../support/s3.ts';
import { temporaryFolder, until } from '../../support/system.ts';

const FIRST = '0000000000000001';
const SECOND = '0000000000000002';

function uploadOf(generation: string, offsetBytes: number): Confirmation {
  const segment = { generation, index: 0, offsetBytes };
  return { database: 'main', generation, salt: generation, offsetBytes, segment };
}

async function checkOf(t: Test, REPLICA_URL: string, env: Record<string, string>) {
  const { config } = loadConfig({ DATA_DIR: temporaryFolder(t), REPLICA_URL, ...env }, '/');
  const store = openStore({ config, env });
  const found: string[] = [];
  const told: (string | undefined)[] = [];
  const owner = { isOwner: true, asked: 0 };
  const check = new UploadCheck({
    config,
    env,
    async isOwner() {
      owner.asked += 1;
      return owner.isOwner;
    },
    onFound: ({ generation, offsetBytes }) => found.push(`${generation.at(-1)}:${offsetBytes}`),
    onTrouble: (reason) => {
      if (reason !== told.at(-1)) told.push(reason);
    },
  });
  const put = (generation: string, file: string, text = 'x') =>
    store.write(`main/generations/${generation}/${file}`, text, 'any');
  const begin = (generation: string) => put(generation, 'snapshots/00000000.snapshot.lz4');
  const segment = (generation: string, offsetBytes: number, text?: string) =>
    put(generation, `wal/00000000_${offsetBytes.toString(16).padStart(8, '0')}.wal.lz4`, text);
  return { check, found, told, owner, begin, segment };
}

t.test('what is not there does not count, nor what comes after it', async (t) => {
  const s3 = await startS3(t);
  const proxy = await startStoreProxy(t, s3);
  const { check, found, owner, begin, segment } = await checkOf(t, `s3://${s3.bucket}/p`, {
    S3_ENDPOINT: proxy.endpoint,
    ...s3.credentials,
  });
  const looked = async () => {
    const { asked } = owner;
    await until(() => owner.asked > asked + 1, 'it was looked for');
  };
  await segment(FIRST, 32);
  check.add(uploadOf(FIRST, 32));
  await looked();
  t.strictSame(found, [], 'without a snapshot it is nothing');
  await begin(FIRST);
  await until(() => found.length === 1, 'it is there');
  await segment(FIRST, 96);
  for (const offsetBytes of [64, 96]) check.add(uploadOf(FIRST, offsetBytes));
  await looked();
  t.strictSame(found, ['1:32']);
  await segment(FIRST, 64, '');
  await looked();
  t.strictSame(found, ['1:32'], 'an object without a byte is none');
  await segment(FIRST, 64);
  await until(() => found.length === 3, 'it is there');
  t.strictSame(found, ['1:32', '1:64', '1:96']);

  check.add(uploadOf(FIRST, 128));
  await begin(SECOND);
  await segment(SECOND, 32);
  check.add(uploadOf(SECOND, 32));
  await until(() => found.includes('2:32'), 'another generation has all');
  const before = { ...proxy.counts };
  await segment(SECOND, 64);
  check.add(uploadOf(SECOND, 64));
  await until(() => found.includes('2:64'), 'it is there');
  t.equal(proxy.counts.GET! - before.GET!, 1, 'each is one request');
});

t.test('nothing counts as long as a page answers in the place of the store, and why is told', async (t) => {
  const s3 = await startS3(t);
  const proxy = await startStoreProxy(t, s3);
  const { check, found, told, begin, segment } = await checkOf(t, `s3://${s3.bucket}/p`, {
    S3_ENDPOINT: proxy.endpoint,
    ...s3.credentials,
  });
  await begin(FIRST);
  await segment(FIRST, 32);
  await proxy.become('page');
  check.add(uploadOf(FIRST, 32));
  await until(() => told.length > 0, 'it is told');
  t.strictSame(told, [
    'what answers there is no S3 store. Check S3_ENDPOINT, and whether a proxy or a page to log in on answers in its place.',
  ]);
  t.strictSame(found, []);
  await proxy.become('open');
  await until(() => found.length > 0, 'it is there');
  t.strictSame([told.length, told.at(-1)], [2, undefined]);
});

t.test('nothing counts that is in the replica of another system by now', async (t) => {
  const folder = temporaryFolder(t);
  const { check, found, owner, begin, segment } = await checkOf(t, `file:${join(folder, 'r')}`, {});
  for (const name of ['snapshots', 'wal'])
    mkdirSync(join(folder, 'r/main/generations', FIRST, name), { recursive: true });
  await begin(FIRST);
  await segment(FIRST, 32);
  owner.isOwner = false;
  check.add(uploadOf(FIRST, 32));
  await until(() => owner.asked > 1, 'it was asked again');
  t.strictSame(found, []);
  owner.isOwner = true;
  await until(() => found.length > 0, 'it counts');
});
