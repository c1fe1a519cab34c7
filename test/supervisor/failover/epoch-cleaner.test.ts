import { utimesSync } from 'node:fs';
import t from 'tap';
import { loadConfig } from '../../../src/config/config.ts';
import { createLog } from '../../../src/platform/log.ts';
import { S3Store } from '../../../src/replication/store/s3-store.ts';
import { EpochCleaner } from '../../../src/supervisor/failover/epoch-cleaner.ts';
import { s3Environment } from '../../../src/testing/s3-server.ts';
import { startS3 } from '../../support/s3.ts';
import { objectPath } from '../../system/lease-fixture.ts';

const HOUR_S = 3600;

t.test('what is older than can be restored goes, once the own folder of the leader counts', async (t) => {
  const server = await startS3(t);
  const { config } = loadConfig({ ...s3Environment(server, 'app'), REPLICA_RETENTION_MS: '7200000' }, '/tmp');
  if (config.replica.type !== 's3') throw new Error('expected a bucket');
  const store = new S3Store({ config, env: server.credentials }, config.replica);
  const nowS = Date.now() / 1000;
  for (const [path, agoS] of [
    ['e000001/main/x', 9 * HOUR_S],
    ['e000002/main/x', HOUR_S],
    ['e000003/main/x', 0],
  ] as const) {
    await store.write(path, 'text', 'any');
    utimesSync(objectPath(server, `app/${path}`), nowS - agoS, nowS - agoS);
  }
  let data: string | undefined;
  const log = createLog('test', 'silent', 'json');
  const cleaner = new EpochCleaner({ config, env: server.credentials, data: () => data, log });
  await cleaner.clean();
  t.strictSame(await store.names('', 'e'), ['e000001', 'e000002', 'e000003']);
  data = 'e000003';
  await cleaner.clean();
  t.strictSame(await store.names('', 'e'), ['e000002', 'e000003']);
});
