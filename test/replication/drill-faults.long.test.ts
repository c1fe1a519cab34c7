import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { liveGeneration } from '../../src/replication/history/sidecar.ts';
import { replicateCommand } from '../../src/replication/litestream.ts';
import { restoreDatabase } from '../../src/replication/restore.ts';
import { openReader } from '../../src/sqlite/open.ts';
import { like } from '../support/like.ts';
import { startS3, startStoreProxy } from '../support/s3.ts';
import { findsDamage } from './drill-faults-fixture.ts';
import { kinds, makeDrillSite } from './drill-fixture.ts';
import { keepingLog, s3Settings } from './fixture.ts';

findsDamage(kinds(startS3)[1]!);

t.test(
  'credentials that may only read are found, although everything of before can be restored',
  async (t) => {
    const store = await startS3(t);
    const proxy = await startStoreProxy(t, store);
    const site = await makeDrillSite(t, s3Settings({ ...store, endpoint: proxy.endpoint }));
    t.equal((await site.drill()).reason, undefined, 'all is well before');
    await proxy.become('read-only');
    site.commit();
    like(t, await site.drill({ confirmTimeoutMs: 1000 }), { ok: false, reason: /not in the replica yet/ });
    await proxy.become('open');
    t.equal((await site.drill()).reason, undefined, 'mended, all is well again');
  },
);

t.test(
  'what a second Litestream on the same database does in ten seconds costs nothing, or is found',
  async (t) => {
    const site = await makeDrillSite(t);
    const stop = site.load();
    t.equal((await site.drill()).reason, undefined, 'all is well before');
    const { command, args } = replicateCommand(site.binary, site.configPath);
    const second = spawn(command, args, { stdio: 'ignore', env: site.env });
    t.teardown(() => second.kill('SIGKILL'));
    await delay(10_000);
    second.kill('SIGKILL');
    stop();
    await site.settle();
    const outputPath = join(site.root, 'restored.db');
    const restored = await restoreDatabase({
      ...{ ...site, outputPath, database: 'main', scratchDir: join(site.root, 'scratch') },
      ...{ log: keepingLog().log, selection: { generation: liveGeneration(site.db.name) } },
    });
    const isWhole = restored?.faults.length === 0 && contentOf(outputPath) === contentOf(site.db.name);
    // Both upload the same, mostly: what is there twice is left out. Where both began the WAL anew, a part is missing.
    t.equal((await site.drill()).ok, isWhole);
  },
);

function contentOf(path: string): string {
  const db = openReader(path);
  try {
    return JSON.stringify([
      db.prepare('SELECT * FROM rows ORDER BY id').all(),
      db.prepare('SELECT ordinal FROM writer_commit').get(),
    ]);
  } finally {
    db.close();
  }
}
