import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type Config, loadConfig } from '../../../src/config/config.ts';
import { replicaIn } from '../../../src/replication/failover/lineage.ts';
import { databasesIn } from '../../../src/replication/store/databases-in.ts';
import { openStore } from '../../../src/replication/store/open.ts';
import { s3Environment } from '../../../src/testing/s3-server.ts';
import { startS3 } from '../../support/s3.ts';
import { temporaryFolder } from '../../support/system.ts';

async function namesOf(config: Config, env: NodeJS.ProcessEnv, files: readonly string[]) {
  const store = openStore({ config, env });
  for (const file of files) await store.write(file, 'x', 'any');
  const inEpoch = { ...config, replica: replicaIn(config.replica, 'e000002') };
  return [await databasesIn(config, env), await databasesIn(inEpoch, env)];
}

t.test('a bucket tells which databases a replica has, and a folder of an epoch its own', async (t) => {
  const store = await startS3(t);
  const root = temporaryFolder(t);
  const env = s3Environment(store, 'deep/app');
  const { config } = loadConfig({ ...env, DATA_DIR: root }, root);
  t.strictSame(await namesOf(config, env, []), [[], []]);
  const names = await namesOf(config, env, [
    'media/0000/0000000000000001-0000000000000001.ltx',
    'main/generations/0123456789abcdef/snapshots/00000000.snapshot.lz4',
    'e000002/keys/generations/0123456789abcdef/wal/00000000/00000000.wal.lz4',
    'ninelives-owner.json',
    'other/notes.txt',
  ]);
  t.strictSame(names, [['main', 'media'], ['keys']]);
});

t.test('so does a folder', async (t) => {
  const root = temporaryFolder(t);
  const { config } = loadConfig({ DATA_DIR: root, REPLICA_URL: `file:${join(root, 'r')}` }, root);
  for (const folder of ['main/generations', 'media/ltx', 'e000002/keys/ltx', 'other'])
    mkdirSync(join(root, 'r', folder), { recursive: true });
  t.strictSame(await namesOf(config, {}, ['owner.json']), [['main', 'media'], ['keys']]);
});
