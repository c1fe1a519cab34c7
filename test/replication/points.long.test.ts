import t, { type Test } from 'tap';
import { makeDrillSite } from './drill-fixture.ts';
import { commits, generationDirs, restoreAt, S, setClock } from './points-fixture.ts';

t.test(
  'a result is never later than asked for, however coarse and wrong the clock of the store',
  async (t) => {
    const site = await makeDrillSite(t, { REPLICA_SYNC_INTERVAL_MS: '200' });
    await site.settle();
    const done = await commits(site, 18, 500);
    site.litestream.kill('SIGKILL');
    const clocks: Record<string, (ms: number) => number> = {
      exact: (ms) => ms,
      'in whole seconds': (ms) => Math.floor(ms / S) * S,
      'a second and a half slow': (ms) => ms - 1.5 * S,
    };
    for (const [name, clock] of Object.entries(clocks)) {
      await t.test(name, async (t: Test) => {
        for (const dir of generationDirs(site)) setClock(dir, clock);
        for (const [index, { atMs, ordinal }] of done.entries()) {
          const next = done[index + 1];
          // Nearer to an end, a clock that is wrong by seconds makes it seem outside.
          if (index < 6 || index > 7 || !next) continue;
          const wantedMs = Math.floor((atMs + next.atMs) / 2);
          const { lastCommit } = await restoreAt(site, wantedMs);
          t.ok(lastCommit && lastCommit.atMs <= wantedMs, `${wantedMs}: ${lastCommit?.atMs}`);
          if (name === 'exact') t.ok((lastCommit?.ordinal ?? 0) >= ordinal - 1, 'nor much earlier');
        }
      });
    }
  },
);
