import { cpSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { readHistory } from '../../../src/replication/history/history.ts';
import { readMark } from '../../../src/replication/history/mark.ts';
import { ReplicaListing } from '../../../src/replication/history/replica-listing.ts';
import { commitAndDie } from '../../support/commits.ts';
import { startS3 } from '../../support/s3.ts';
import { failureOf, makeSite, s3Settings } from '../fixture.ts';
import { pathOf, prepare, run } from './settle-fixture.ts';

const PLACES = {
  'a folder': async (t: Test) => makeSite(t),
  'a bucket': async (t: Test) => makeSite(t, s3Settings(await startS3(t))),
};

/** A database and its replica there, as copies, losses and other starts leave them. */
export function settlesIn(place: keyof typeof PLACES): void {
  t.test(`in ${place}`, async (t) => {
    const site = await PLACES[place](t);
    const { DATA_DIR } = site.config;
    t.equal((await run(t, site, 'a', 3)).outcome, 'new');
    const saved = join(site.root, 'saved');
    const save = () => cpSync(DATA_DIR, saved, { recursive: true });
    const putBack = () => {
      rmSync(DATA_DIR, { recursive: true });
      renameSync(saved, DATA_DIR);
    };
    const ends = () => readHistory(pathOf(site)).last;

    await t.test('names tell the generations, and the segments from one on', async (t) => {
      const listing = new ReplicaListing({ config: site.config, database: 'main', env: site.env });
      const { segment, generations } = readMark(DATA_DIR)!.databases.main!;
      t.strictSame(await listing.generations(), generations);
      const all = await listing.segments(segment!.generation, undefined);
      t.strictSame(all.at(-1), segment);
      t.strictSame(await listing.segments(segment!.generation, segment), [segment]);
      t.strictSame(await listing.segments(segment!.generation, all[0]), all);
      const other = new ReplicaListing({ config: site.config, database: 'other', env: site.env });
      t.strictSame(await other.generations(), []);
    });
    await t.test('what fits stays, and nothing is said', async (t) => {
      const { outcome, notice } = await run(t, site, 'b', 2);
      t.strictSame({ outcome, notice }, { outcome: 'present', notice: undefined });
      t.strictSame(ends(), { session: 'b', ordinal: 5 });
    });
    await t.test('an older copy gets what the replica has beyond it', async (t) => {
      save();
      await run(t, site, 'c', 1);
      putBack();
      const { outcome, notice } = await prepare(site);
      t.equal(outcome, 'restored');
      t.match(notice, /ends with 5 \(session b\).*has commits 6 to 6 beyond/);
      t.strictSame(ends(), { session: 'c', ordinal: 6 });
      t.equal(readdirSync(join(DATA_DIR, 'replaced')).length, 1);
    });
    await t.test('a copy that has gone on elsewhere is refused, and nothing is changed', async (t) => {
      await run(t, site, 'd', 1);
      save();
      await run(t, site, 'e', 2);
      const ahead = join(site.root, 'ahead');
      cpSync(DATA_DIR, ahead, { recursive: true });
      putBack();
      await commitAndDie(pathOf(site), 'f', 1);
      const { code, message } = await failureOf(prepare(site));
      t.equal(code, 'history_unsettled');
      t.match(message, /apart after commit 7: commits 8 to 8 \(session f\).*8 to 9 \(session e\)/);
      t.strictSame(ends(), { session: 'f', ordinal: 8 });
      rmSync(DATA_DIR, { recursive: true });
      renameSync(ahead, DATA_DIR);
      t.equal((await prepare(site)).notice, undefined, 'the one that it is the replica of goes on');
    });
  });
}
