import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { replicateCommand } from '../../src/replication/litestream.ts';
import { like } from '../support/like.ts';
import { startS3, startStoreProxy } from '../support/s3.ts';
import { makeDrillSite } from './drill-fixture.ts';
import { s3Settings } from './fixture.ts';

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

t.test('a second Litestream on the same database for ten seconds is found', async (t) => {
  const site = await makeDrillSite(t);
  const stop = site.load();
  t.equal((await site.drill()).reason, undefined, 'all is well before');
  const { command, args } = replicateCommand(site.binary, site.configPath);
  const second = spawn(command, args, { stdio: 'ignore', env: site.env });
  t.teardown(() => second.kill('SIGKILL'));
  await delay(10_000);
  second.kill('SIGKILL');
  like(t, await site.drill(), {
    ok: false,
    reason: /not as it was written: .*rows missing|the replica is damaged/,
  });
  stop();
});
