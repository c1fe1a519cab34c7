import { copyFileSync, cpSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readHistory } from '../../../src/replication/history/history.ts';
import { failureOf, makeSite } from '../fixture.ts';
import { pathOf, prepare, run } from './settle-fixture.ts';
import { settlesIn } from './settle-place-fixture.ts';

settlesIn('a bucket');

t.test(
  'what was begun anew is compared with what it uploaded since, and with nothing of before',
  async (t) => {
    const site = await makeSite(t);
    const { DATA_DIR } = site.config;
    const replica = join(site.root, 'replica');
    await run(t, site, 'a', 3);
    const before = join(site.root, 'before.db');
    copyFileSync(pathOf(site), before);
    copyFileSync(`${pathOf(site)}-wal`, `${before}-wal`);
    renameSync(replica, join(site.root, 'away'));
    for (const name of ['main.db', 'main.db-wal', 'main.db-shm', '.main.db-litestream'])
      rmSync(join(DATA_DIR, name), { recursive: true, force: true });
    const { message } = await failureOf(prepare(site));
    const [, emptyId] = /ALLOW_EMPTY=(\w+)/.exec(message) ?? [];
    const begun = { ...site, config: { ...site.config, ALLOW_EMPTY: emptyId } };
    t.equal((await run(t, begun, 'b', 1)).outcome, 'new');
    cpSync(join(site.root, 'away', 'main'), join(replica, 'main'), { recursive: true });
    const early = join(site.root, 'early');
    cpSync(DATA_DIR, early, { recursive: true });
    await run(t, site, 'c', 2);
    rmSync(DATA_DIR, { recursive: true });
    renameSync(early, DATA_DIR);
    const { outcome, notice } = await prepare(site);
    t.equal(outcome, 'restored');
    t.match(notice, /ends with 1 \(session b\).*has commits 2 to 3 beyond/);
    await run(t, site, 'd', 1);
    rmSync(`${pathOf(site)}-shm`, { force: true });
    copyFileSync(before, pathOf(site));
    copyFileSync(`${before}-wal`, `${pathOf(site)}-wal`);
    const back = await prepare(site);
    t.equal(back.outcome, 'restored');
    t.match(back.notice, /Only the replica has all that was told/);
    t.strictSame(readHistory(pathOf(site)).last, { session: 'd', ordinal: 4 });
  },
);
