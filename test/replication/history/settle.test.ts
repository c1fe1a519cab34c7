import { copyFileSync, cpSync, mkdirSync, readdirSync, renameSync, rmSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readHistory } from '../../../src/replication/history/history.ts';
import { readMark } from '../../../src/replication/history/mark.ts';
import { replaceDatabases } from '../../../src/replication/history/replace.ts';
import { ReplicaListing } from '../../../src/replication/history/replica-listing.ts';
import { makeSite } from '../fixture.ts';
import { pathOf, prepare, run } from './settle-fixture.ts';
import { settlesIn } from './settle-place-fixture.ts';

settlesIn('a folder');

t.test('without its sidecar a database that has everything begins a generation, which is told', async (t) => {
  const site = await makeSite(t);
  await run(t, site, 'a', 2);
  rmSync(join(site.config.DATA_DIR, '.main.db-litestream'), { recursive: true });
  const { outcome, notice } = await run(t, site, 'b', 1);
  t.equal(outcome, 'present');
  t.match(notice, /begins a new generation/);
  t.equal((await prepare(site)).notice, undefined);
});

t.test('a replica that lacks what was uploaded last gets everything anew, which is told', async (t) => {
  const site = await makeSite(t);
  await run(t, site, 'a', 2);
  const replica = join(site.root, 'replica');
  cpSync(replica, join(site.root, 'older'), { recursive: true });
  await run(t, site, 'b', 2);
  rmSync(replica, { recursive: true });
  renameSync(join(site.root, 'older'), replica);
  const { outcome, notice } = await prepare(site);
  t.equal(outcome, 'present');
  t.match(notice, /lacks what was uploaded last/);
  t.equal((await prepare(site)).notice, undefined, 'once, also when Litestream did not get to begin anew');
});

for (const [what, isRemembered] of [
  ['what was told is remembered', true],
  ['nothing is remembered', false],
] as const) {
  t.test(
    `a lost database comes back from the generation that has most, whatever its times: ${what}`,
    async (t) => {
      const site = await makeSite(t);
      const { DATA_DIR } = site.config;
      const forget = (...names: string[]) => {
        for (const name of names) rmSync(join(DATA_DIR, name), { recursive: true, force: true });
      };
      await run(t, site, 'a', 2);
      for (const session of ['b', 'c']) {
        forget('.main.db-litestream');
        await run(t, site, session, 2);
      }
      const generations = join(site.root, 'replica', 'main', 'generations');
      const newest = readMark(DATA_DIR)!.databases.main!.segment!.generation;
      for (const entry of readdirSync(join(generations, newest), { recursive: true, withFileTypes: true })) {
        if (entry.isFile()) utimesSync(join(entry.parentPath, entry.name), 1, 1);
      }
      forget('main.db', 'main.db-wal', 'main.db-shm', '.main.db-litestream');
      if (!isRemembered) forget('run');
      const { outcome, notice } = await prepare(site);
      t.equal(outcome, 'restored');
      t.equal(notice, undefined);
      t.strictSame(readHistory(pathOf(site)).last, { session: 'c', ordinal: 6 });
    },
  );
}

t.test('a restored earlier state is not undone by the longer history that it was cut from', async (t) => {
  const site = await makeSite(t);
  const { DATA_DIR, replica } = site.config;
  await run(t, site, 'a', 2);
  const early = join(site.root, 'early.db');
  copyFileSync(pathOf(site), early);
  copyFileSync(`${pathOf(site)}-wal`, `${early}-wal`);
  await run(t, site, 'b', 5);
  const cut = readHistory(early);
  const generations = await new ReplicaListing({
    config: site.config,
    database: 'main',
    env: site.env,
  }).generations();
  const decision = {
    kind: 'restore',
    cut,
    dismissed: generations,
    decidedBy: 'me',
    atMs: 1,
  } as const;
  const folder = join(DATA_DIR, 'replaced', 'one');
  replaceDatabases(DATA_DIR, replica.url, [
    { database: 'main', from: early, folder, decision, generations, isBecauseAhead: false },
  ]);
  await run(t, site, 'c', 1);
  rmSync(DATA_DIR, { recursive: true });
  mkdirSync(DATA_DIR);
  t.equal((await prepare(site)).outcome, 'restored');
  t.strictSame(readHistory(pathOf(site)).last, { session: 'c', ordinal: 3 });
});
