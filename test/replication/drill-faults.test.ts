import { copyFileSync, mkdirSync, readFileSync, renameSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { renderLitestreamConfig } from '../../src/replication/litestream-config.ts';
import { like } from '../support/like.ts';
import { startS3 } from '../support/s3.ts';
import { type DrillSite, kinds, makeDrillSite } from './drill-fixture.ts';

/**
 * An LZ4 block ends with bytes that stand for themselves; the frame's end mark and checksum follow it, four bytes each.
 * In the midst of a block, another distance to a text that repeats can make the very same content, which is no damage.
 */
const LAST_LITERAL_FROM_END_BYTES = 9;

const faults: Record<string, (path: string) => void> = {
  'is missing': (path) => renameSync(path, `${path}.gone`),
  'is cut off': (path) => truncateSync(path, Math.floor(readFileSync(path).length / 2)),
  'has one byte flipped': (path) => {
    const content = readFileSync(path);
    const at = content.length - LAST_LITERAL_FROM_END_BYTES;
    content[at] = (content[at] as number) ^ 0x10;
    writeFileSync(path, content);
  },
};

for (const kind of kinds(startS3)) {
  t.test(`a damaged object in ${kind.name} is found by one drill`, async (t) => {
    const { site, files } = await kind.make(t);
    // Several segments, each with rows that no later one has.
    const firstOfEach: (string | undefined)[] = [];
    for (let count = 0; count < 4; count += 1) {
      await site.settle();
      const before = files.list().segments.length;
      site.commit();
      await site.settle();
      firstOfEach.push(files.list().segments[before]);
    }
    // From here on nothing is uploaded that could make up for a fault, and nothing changes that could excuse one.
    site.litestream.kill('SIGSTOP');
    t.equal((await drillStopped(site)).reason, undefined, 'all is well before');
    const { snapshots, segments } = files.list();
    const objects = {
      'the snapshot': snapshots.at(-1),
      'the first segment': segments[0],
      'a segment in the middle': firstOfEach[1],
      'the last segment with rows': firstOfEach[3],
    };
    for (const [which, path = ''] of Object.entries(objects)) {
      for (const [what, breakIt] of Object.entries(faults)) {
        copyFileSync(path, `${path}.kept`);
        breakIt(path);
        const result = await drillStopped(site);
        t.notOk(result.ok, `${which} ${what}: ${result.reason}`);
        renameSync(`${path}.kept`, path);
      }
    }
    t.equal((await drillStopped(site)).reason, undefined, 'mended, all is well again');
  });
}

/** A drill of what the replica has, with nothing under way: as one without a running system. */
async function drillStopped(site: DrillSite) {
  return site.drill({ whenReplicated: undefined });
}

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
