import { join } from 'node:path';
import t, { type Test } from 'tap';
import { onRewind } from '../../../src/app/alerts/rewind.ts';
import { migrate } from '../../../src/sqlite/migrations.ts';
import { type Database, openWriter } from '../../../src/sqlite/open.ts';

const MIGRATIONS = new URL('../../../src/app/alerts/migrations/', import.meta.url);
const AT_MS = Date.UTC(2030, 0, 1);
const ENDS = { from: { ordinal: 2, atMs: AT_MS + 10 }, to: { ordinal: 1, atMs: AT_MS } };
const NOW_MS = AT_MS + 20;

function make(t: Test, name: string): Database {
  const db = openWriter(join(t.testdirName, `${name}.db`));
  t.teardown(() => db.close());
  migrate(db, [{ name: 'alerts', migrations: MIGRATIONS }]);
  for (const id of ['sent', 'changed', 'anew', 'removed', 'waiting', 'other']) add(db, id, AT_MS - 1);
  return db;
}

function add(db: Database, movieId: string, createdAtMs: number): void {
  db.prepare(
    `INSERT INTO alerts
       (owner, movie_id, email, notification_date, title, category, image_url, created_at_ms, updated_at_ms)
     VALUES ('o', ?, 'a@example.org', '2030-01-01', 'T', 'drama', 'https://example.org/c.png', ?, ?)`,
  ).run(movieId, createdAtMs, createdAtMs);
}

function markSent(db: Database, movieId: string): void {
  db.prepare(
    `UPDATE alerts SET status = 'sent', sent_at_ms = ?, attempts = 1, revision = revision + 2 WHERE movie_id = ?`,
  ).run(AT_MS + 5, movieId);
}

function rowsOf(db: Database): Record<string, unknown> {
  const rows = db
    .prepare<[], { id: string; value: string }>(
      `SELECT movie_id AS id, status || ' ' || attempts || ' ' || ifnull(sent_at_ms, '') || ' ' || revision AS value FROM alerts`,
    )
    .all();
  return Object.fromEntries(rows.map(({ id, value }) => [id, value]));
}

t.test('what was sent since stays sent, and what is not known to be is not', async (t) => {
  t.testdir({});
  const replaced = make(t, 'replaced');
  const db = make(t, 'main');
  markSent(replaced, 'sent');
  // What is sent of a version counts for those before.
  replaced.exec("UPDATE alerts SET version = 2, email = 'b@example.org' WHERE movie_id = 'changed'");
  markSent(replaced, 'changed');
  replaced.exec("UPDATE alerts SET version = 2 WHERE movie_id = 'anew'");
  replaced.exec("DELETE FROM alerts WHERE movie_id IN ('removed', 'other')");
  add(replaced, 'other', AT_MS + 1);
  markSent(replaced, 'other');
  add(replaced, 'new', AT_MS + 1);
  markSent(replaced, 'new');
  replaced.exec("INSERT INTO unsubscribed VALUES ('o', x'aa', 1)");
  replaced.exec("INSERT INTO unsubscribe_key VALUES (1, x'01')");
  const context = { ...ENDS, replaced, nowMs: NOW_MS };
  t.equal(onRewind(db, context), '2 sent since stay sent, 1 unsubscribed since stays so');
  const after = {
    sent: `sent 1 ${AT_MS + 5} 4`,
    changed: `sent 1 ${AT_MS + 5} 4`,
    anew: 'scheduled 0  1',
    removed: 'scheduled 0  1',
    waiting: 'scheduled 0  1',
    other: 'scheduled 0  1',
  };
  t.strictSame(rowsOf(db), after);
  t.strictSame(db.prepare('SELECT hex(value) FROM unsubscribe_key').pluck().all(), ['01']);
  t.equal(onRewind(db, context), '0 sent since stay sent, 0 unsubscribed since stay so');
  t.strictSame(rowsOf(db), after);
});

t.test('without what was replaced it says which mails may come twice', async (t) => {
  t.testdir({});
  const db = make(t, 'main');
  const before = rowsOf(db);
  t.equal(
    onRewind(db, { ...ENDS, replaced: undefined, nowMs: NOW_MS }),
    'mails sent since 2030-01-01T00:00:00.000Z may be sent again, also to those who have unsubscribed since',
  );
  t.strictSame(rowsOf(db), before);
});
