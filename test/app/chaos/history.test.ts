import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { alertFor, type RequestRecord } from '../../../loadtest/chaos/clients/record.ts';
import { checkHistory } from '../../../loadtest/chaos/history/check.ts';
import { openWriter } from '../../../src/sqlite/open.ts';
import { differingRows } from '../../../src/testing/chaos/restore.ts';
import { like } from '../../support/like.ts';
import { temporaryFolder } from '../../support/system.ts';

const TABLE = readFileSync(
  new URL('../../../src/app/alerts/migrations/0001_create_alerts.sql', import.meta.url),
  'utf8',
);

/** Makes a database that holds alerts, each as its client wrote it unless `change` says otherwise. */
function databaseOf(t: Test, rows: readonly { key: string; version?: number; title?: string }[]): string {
  const path = join(temporaryFolder(t), 'main.db');
  const db = openWriter(path);
  db.exec(TABLE);
  const insert = db.prepare(`
    INSERT INTO alerts
      (movie_id, email, notification_date, title, category, image_url, version, created_at_ms, updated_at_ms)
    VALUES (@movieId, @email, @notification_date, @title, @category, @imageUrl, @version, 0, 0)`);
  for (const { key, version = 1, title } of rows) {
    insert.run({ ...alertFor(key), ...(title && { title }), version });
  }
  db.close();
  return path;
}

function write(key: string, status: number | undefined, code?: string): RequestRecord {
  const [connection, failure] = ['new', status === 201 ? undefined : 'other'] as const;
  const rest = { connection, failure, port: 1, startMs: 0, latencyMs: 1, detail: undefined };
  return { kind: 'write', key, status, code, ...rest };
}

t.test('a history that the database agrees with', async (t) => {
  const path = databaseOf(t, [{ key: 'acknowledged' }, { key: 'unanswered, applied' }]);
  const found = checkHistory(path, [
    write('acknowledged', 201),
    write('unanswered, applied', undefined),
    write('unanswered, not applied', undefined),
    write('denied', 503, 'write_timeout'),
  ]);
  like(t, found, {
    acknowledged: 1,
    lost: [],
    doubled: [],
    halfApplied: [],
    deniedYetApplied: [],
    damage: [],
  });
});

t.test('every way in which a promise can be broken is found', async (t) => {
  const path = databaseOf(t, [
    { key: 'twice', version: 2 },
    { key: 'half', title: 'somebody else’s' },
    { key: 'denied' },
  ]);
  const found = checkHistory(path, [
    write('gone', 201),
    write('twice', 201),
    write('half', undefined),
    write('denied', 507, 'storage_full'),
  ]);
  t.same(found.lost, ['gone']);
  t.same(found.doubled, ['twice']);
  t.same(found.halfApplied, ['half']);
  t.same(found.deniedYetApplied, ['denied']);
});

t.test('rows that are in only one of two databases are counted', async (t) => {
  const one = databaseOf(t, [{ key: 'a' }, { key: 'b' }]);
  t.equal(differingRows(one, databaseOf(t, [{ key: 'a' }, { key: 'b' }])), 0);
  t.equal(differingRows(one, databaseOf(t, [{ key: 'a' }])), 1);
});
