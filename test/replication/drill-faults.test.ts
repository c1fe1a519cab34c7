import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { renderLitestreamConfig } from '../../src/replication/litestream-config.ts';
import { like } from '../support/like.ts';
import { startS3 } from '../support/s3.ts';
import { findsDamage } from './drill-faults-fixture.ts';
import { type DrillSite, kinds, makeDrillSite } from './drill-fixture.ts';

findsDamage(kinds(startS3)[0]!);

t.test('a replica in another place is not this one', async (t) => {
  const { site } = await (kinds(startS3)[0] as ReturnType<typeof kinds>[number]).make(t);
  await t.test('when there is nothing', async (t) => {
    const result = await drillElsewhere(site, join(site.root, 'replica', 'elsewhere'));
    like(t, result, { ok: false, reason: /nothing of this database/ });
  });
  await t.test("when another system's is there", async (t) => {
    const other = await makeDrillSite(t);
    await other.drill();
    const result = await drillElsewhere(site, join(other.root, 'replica'));
    like(t, result, { ok: false, reason: /nothing of this database in the generation/ });
  });
});

async function drillElsewhere(site: DrillSite, path: string) {
  mkdirSync(path, { recursive: true });
  const config = { ...site.config, replica: { type: 'file', url: `file:${path}`, path } as const };
  const configPath = join(site.root, 'elsewhere.yml');
  writeFileSync(configPath, renderLitestreamConfig(config, site.databases));
  return site.drill({ config, configPath });
}

t.test('credentials that the store does not take any more are found', async (t) => {
  const store = await startS3(t);
  const site = await (kinds(async () => store)[1] as ReturnType<typeof kinds>[number]).make(t);
  const env = { ...site.site.env, AWS_ACCESS_KEY_ID: 'REVOKED' };
  like(t, await site.site.drill({ env }), { ok: false, reason: /InvalidAccessKeyId/ });
  const waitsInVain = { whenReplicated: async () => false, confirmTimeoutMs: 0 };
  const late = 'main: what was committed 0 s ago is not in the replica yet';
  like(t, await site.site.drill({ env, ...waitsInVain }), {
    reason: new RegExp(`^${late}\\. The replica s3:.* cannot be reached: InvalidAccessKeyId`),
  });
  like(t, await site.site.drill(waitsInVain), { reason: late });
});

t.test('a Litestream that goes on and tells nothing is found', async (t) => {
  const site = await makeDrillSite(t);
  t.equal((await site.drill()).reason, undefined, 'all is well before');
  await site.settle();
  // It is heard of no more: what it confirms from now on does not arrive.
  site.litestream.stdout?.removeAllListeners('data').resume();
  site.commit();
  like(t, await site.drill({ confirmTimeoutMs: 1000 }), { ok: false, reason: /not in the replica yet/ });
});
