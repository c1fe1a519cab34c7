import { copyFileSync, readFileSync, renameSync, truncateSync, writeFileSync } from 'node:fs';
import t from 'tap';
import type { DrillSite, kinds } from './drill-fixture.ts';

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

/** Declares the test of one kind of replica. */
export function findsDamage(kind: ReturnType<typeof kinds>[number]): void {
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
