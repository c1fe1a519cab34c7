import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import t from 'tap';
import { like } from '../support/like.ts';
import { makeDrillSite } from './drill-fixture.ts';

t.test('an uploader that stands still is found', async (t) => {
  const site = await makeDrillSite(t);
  t.ok((await site.drill()).ok);
  site.litestream.kill('SIGSTOP');
  site.commit();
  const result = await site.drill({ confirmTimeoutMs: 500 });
  like(t, result, { ok: false, reason: /not in the replica yet/ });
  site.litestream.kill('SIGCONT');
  t.equal((await site.drill()).reason, undefined, 'and is well when it goes on');
});

t.test('a copy that lacks rows is found, although SQLite finds it whole', async (t) => {
  const site = await makeDrillSite(t);
  const stop = site.load();
  const tampered = (sql: string) => {
    let check: unknown;
    return {
      tamper: (_: string, path: string) => {
        const copy = new Sqlite(path);
        copy.exec(sql);
        check = copy.pragma('integrity_check', { simple: true });
        copy.close();
      },
      check: () => check,
    };
  };
  for (const [sql, said] of Object.entries({
    'DELETE FROM rows WHERE id = -1': /1 of rows missing/,
    'DELETE FROM rows WHERE id % 5 = 0': /\d+ of rows missing/,
    "UPDATE rows SET body = 'x' WHERE id = -2": /1 of rows different/,
    "INSERT INTO words VALUES ('never', NULL, 1)": /1 of words there that nobody wrote/,
    'UPDATE writer_commit SET ordinal = 1': /1 of writer_commit of an earlier commit/,
  })) {
    const { tamper, check } = tampered(sql);
    const result = await site.drill({ tamper });
    like(t, result, { ok: false, reason: said }, sql);
    t.equal(check(), 'ok', 'integrity_check is happy');
    t.notMatch(result.reason, /row \d+ \d+|never/, 'no content is told');
  }
  stop();
});

t.test('a row that only seemed wrong is none', async (t) => {
  const site = await makeDrillSite(t);
  let count = 0;
  const result = await site.drill({
    tamper: (_, path) => {
      const copy = new Sqlite(path);
      copy.prepare('INSERT INTO words VALUES (?, NULL, 1)').run(`job ${++count}`);
      copy.close();
    },
  });
  t.equal(count, 2, 'it looked twice');
  like(t, result, { ok: true, reason: undefined });
  t.ok(result.rowsSkipped >= 1);
});

t.test('a failure that passes is none', async (t) => {
  const site = await makeDrillSite(t);
  let count = 0;
  const result = await site.drill({
    tamper: () => {
      count += 1;
      if (count === 1) throw new Error('once');
    },
  });
  like(t, result, { ok: true });
});

t.test('a drill keeps its bounds', async (t) => {
  const site = await makeDrillSite(t);
  const folder = join(site.config.DATA_DIR, 'drill');
  await t.test('of the disk', async (t) => {
    const config = { ...site.config, DISK_RESERVE_MB: 1_000_000_000 };
    const result = await site.drill({
      config,
      tamper: () => void t.fail('it must not restore anything'),
    });
    like(t, result, { ok: false, reason: /skipped: \d+ MB of disk are free, and \d+ MB are needed/ });
  });
  await t.test('of the time that it keeps the WAL from beginning anew', async (t) => {
    const result = await site.drill({ snapshotAgeMaxMs: 1 });
    like(t, result, { ok: false, reason: /too long to keep the WAL/ });
  });
  await t.test('when it is stopped', async (t) => {
    const abort = new AbortController();
    const result = site.drill({ signal: abort.signal, tamper: () => abort.abort() });
    like(t, await result, { ok: false, reason: /stopped/ });
  });
  await t.test('also when an earlier one was killed', async (t) => {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'main.db'), 'half a database');
    like(t, await site.drill(), { ok: true });
  });
  t.notOk(existsSync(folder), 'nothing is left behind');
});

t.test('a database that is not there cannot be proven', async (t) => {
  const site = await makeDrillSite(t);
  const result = await site.drill({ databases: ['main', 'other'] });
  like(t, result, {
    ok: false,
    reason: /^other: there is no .*other\.db/,
    databases: { main: { ok: true }, other: { ok: false } },
  });
});
