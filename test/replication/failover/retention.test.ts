import t from 'tap';
import { loadConfig } from '../../../src/config/config.ts';
import { expiredEpochs, removeEpoch } from '../../../src/replication/failover/retention.ts';
import { S3Store } from '../../../src/replication/store/s3-store.ts';
import { s3Environment } from '../../../src/testing/s3-server.ts';
import { startS3 } from '../../support/s3.ts';

/** A store whose clock says what the test wants. */
function storeWith(files: Readonly<Record<string, number>>) {
  const removed: string[] = [];
  const names = [...new Set(Object.keys(files).map((path) => path.split('/')[0] as string))];
  return {
    removed,
    names: async () => names,
    async *files(folder: string) {
      for (const [path, storedMs] of Object.entries(files))
        if (path.startsWith(`${folder}/`)) yield { path, sizeBytes: 1, storedMs };
    },
    remove: async (path: string) => void removed.push(path),
  };
}

t.test('an epoch goes when so much was stored in the one that counts since it ended', async (t) => {
  const store = storeWith({
    'main/generations/x': 0,
    'e000001/main/x': 1000,
    'e000002/main/x': 900,
    'e000002/main/y': 5000,
    'e000004/main/x': 5500,
    'e000004/media/x': 11_000,
    'e000005/main/x': 100,
    lease: 0,
  });
  t.strictSame(await expiredEpochs(store, { data: 'e000004' }, 5000), ['e000001', 'e000002']);
  t.strictSame(await expiredEpochs(store, { data: 'e000004' }, 6000), ['e000001']);
  t.strictSame(await expiredEpochs(store, { data: 'e000004' }, 10_000), []);
});

t.test('the one that counts never goes, nor what may be filled just now', async (t) => {
  const store = storeWith({ 'e000001/main/x': 1, 'e000002/main/x': 100_000 });
  t.strictSame(await expiredEpochs(store, { data: 'e000001' }, 0), []);
  t.strictSame(await expiredEpochs(store, { data: '' }, 0), [], 'the replica itself counts');
  t.strictSame(await expiredEpochs(store, { data: 'e000003' }, 0), [], 'nothing is where it should be');
});

t.test('all of an epoch is removed, and nothing beside it', async (t) => {
  const server = await startS3(t);
  const { config } = loadConfig(s3Environment(server, 'app'), '/tmp');
  if (config.replica.type !== 's3') throw new Error('expected a bucket');
  const store = new S3Store({ config, env: server.credentials }, config.replica);
  for (const path of ['e000001/main/x', 'e000001/media/generations/y', 'e000010/main/x', 'lease.json'])
    await store.write(path, 'text', 'any');
  t.strictSame(await store.names('', 'e'), ['e000001', 'e000010', 'lease.json']);
  t.equal(await removeEpoch(store, 'e000001'), 2);
  t.strictSame(await store.names('', 'e'), ['e000010', 'lease.json']);
  await t.rejects(removeEpoch(store, 'main'), /no folder of an epoch/);
});
