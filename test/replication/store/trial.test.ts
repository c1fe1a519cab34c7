import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { loadConfig } from '../../../src/config/config.ts';
import { openStore } from '../../../src/replication/store/open.ts';
import type { ReplicaStore } from '../../../src/replication/store/store.ts';
import { removeOldTrials, trialName } from '../../../src/replication/store/trial.ts';
import { startS3 } from '../../support/s3.ts';
import { temporaryFolder } from '../../support/system.ts';

async function removesOld(t: Test, store: ReplicaStore, make: (folder: string) => void): Promise<void> {
  const name = trialName();
  const kept = [name.slice(0, 20), '.doctor-x', 'main'];
  for (const folder of [name, ...kept]) {
    make(`${folder}/generations`);
    await store.write(`${folder}/generations/a`, 'one', 'any');
  }
  await removeOldTrials(store);
  t.strictSame(
    [...(await store.names(''))].sort(),
    [name, ...kept].sort(),
    'one that may still be at work stays',
  );
  await removeOldTrials(store, Date.now() + 3_700_000);
  t.strictSame([...(await store.names(''))].sort(), kept.sort(), 'and nothing else goes');
}

t.test('what a killed check has left in a folder is removed when it is old', async (t) => {
  const root = temporaryFolder(t);
  const { config } = loadConfig({ DATA_DIR: root, REPLICA_URL: `file:${join(root, 'r')}` }, root);
  await removesOld(t, openStore({ config, env: {} }), (folder) =>
    mkdirSync(join(root, 'r', folder), { recursive: true }),
  );
});

t.test('and in a bucket', async (t) => {
  const s3 = await startS3(t);
  const settings = { REPLICA_URL: `s3://${s3.bucket}/p`, S3_ENDPOINT: s3.endpoint, ...s3.credentials };
  const { config } = loadConfig(settings, temporaryFolder(t));
  await removesOld(t, openStore({ config, env: s3.credentials }), () => {});
});
