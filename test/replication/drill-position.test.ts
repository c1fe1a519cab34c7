import { join } from 'node:path';
import t from 'tap';
import type { Confirmation } from '../../src/replication/confirmation.ts';
import { Confirmations } from '../../src/replication/drill/confirmations.ts';
import { isCovered, isReached, notePosition } from '../../src/replication/drill/position.ts';
import { openReader, openWriter } from '../../src/sqlite/open.ts';

const AT = { salt: 'bb', offsetBytes: 1000, olderSalts: new Set(['aa']) };

function confirmation(salt: string, offsetBytes: number, database = 'main'): Confirmation {
  return { database, generation: 'g', salt, offsetBytes };
}

t.test('a position is covered by what is confirmed from it on', async (t) => {
  t.ok(isReached(AT, confirmation('bb', 1000)));
  t.notOk(isReached(AT, confirmation('bb', 999)));
  t.notOk(isReached(AT, confirmation('aa', 999_999)), 'an older WAL that is caught up with proves nothing');
  t.ok(isReached(AT, confirmation('cc', 32)), 'a newer one comes after all of this one');
  t.ok(isCovered(AT, confirmation('bb', 1000)));
  t.notOk(isCovered(AT, confirmation('cc', 32)), 'what was known before may be of any WAL that is long gone');
});

t.test('who waits is told when it is reached, or that it was not in time', async (t) => {
  const confirmations = new Confirmations();
  const { signal } = new AbortController();
  const waiting = confirmations.reached('main', AT, 10_000, signal);
  confirmations.note(confirmation('bb', 500));
  confirmations.note(confirmation('bb', 2000, 'media'));
  confirmations.note(confirmation('bb', 1500));
  t.equal(await waiting, true);
  t.equal(await confirmations.reached('main', AT, 0, signal), true, 'it is known from then on');
  t.equal(await confirmations.reached('other', AT, 1, signal), false);
  const abort = new AbortController();
  const aborted = confirmations.reached('other', AT, 10_000, abort.signal);
  abort.abort(new Error('stopped'));
  await t.rejects(aborted, /stopped/);
});

t.test('the position of a live database moves with its commits and its WALs', async (t) => {
  const path = join(t.testdir(), 'live.db');
  const db = openWriter(path);
  db.exec('CREATE TABLE rows (id INTEGER PRIMARY KEY)');
  const reader = openReader(path);
  reader.prepare('SELECT count(*) FROM rows').get();
  const insert = db.prepare('INSERT INTO rows DEFAULT VALUES');
  const first = notePosition(path);
  insert.run();
  const second = notePosition(path);
  t.equal(second.salt, first.salt);
  t.ok(second.offsetBytes > first.offsetBytes);
  db.pragma('wal_checkpoint(RESTART)');
  insert.run();
  const third = notePosition(path);
  t.not(third.salt, second.salt, 'a WAL that begins anew is another one');
  t.ok(third.offsetBytes < second.offsetBytes);
  reader.close();
  db.close();
});
