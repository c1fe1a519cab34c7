import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readMirrorState } from '../../../src/replication/failover/mirror-state.ts';
import { s3Environment } from '../../../src/testing/s3-server.ts';
import { TestChild } from '../../support/child.ts';
import { startS3 } from '../../support/s3.ts';
import { temporaryFolder } from '../../support/system.ts';

t.test(
  'the process mirrors what it is told to follow, says what it has, and ends when it is drained',
  async (t) => {
    const store = await startS3(t);
    const dataDir = temporaryFolder(t);
    mkdirSync(join(dataDir, 'run'), { mode: 0o700 });
    const child = new TestChild(t, {
      entry: 'replication/failover/mirror-main.ts',
      dataDir,
      input: { databases: ['main'] },
      settings: s3Environment(store, 'app') as Record<string, string>,
      env: store.credentials,
    });
    await child.said('ready');
    t.equal(readMirrorState(dataDir), undefined);
    child.send({ kind: 'mirror', followed: { data: 'e000001', confirmed: {} } });
    const { gauges, trouble } = await child.said('report');
    t.strictSame(
      { ...gauges, synced_at_seconds: 0, trouble },
      { lag_seconds: 0, files: 0, bytes: 0, synced_at_seconds: 0, trouble: undefined },
    );
    t.strictSame(readMirrorState(dataDir), { folder: 'e000001', confirmed: {} });
    child.send({ kind: 'drain', timeoutMs: 5000 });
    t.equal(await child.exitCode(), 0);
  },
);
