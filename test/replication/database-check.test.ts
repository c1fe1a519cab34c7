import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import t, { type Test } from 'tap';
import { Failure } from '../../src/platform/errors.ts';
import { findDamage } from '../../src/replication/database-check.ts';
import { temporaryFolder } from '../support/system.ts';

const PAGE_BYTES = 4096;
const ROW_BYTES = 3000;
/** One is checked by the process that asks, the other by one of its own. */
const SIZES = { small: 100, large: 4000 };

/** @returns the path of a database with so many rows, a page each, all of it in its WAL and in the file */
function makeDatabase(t: Test, rows: number): string {
  const path = join(temporaryFolder(t), 'main.db');
  const db = new Sqlite(path);
  db.pragma('journal_mode = WAL');
  db.exec('CREATE TABLE pages (id INTEGER PRIMARY KEY, text TEXT NOT NULL)');
  const insert = db.prepare('INSERT INTO pages (text) VALUES (?)');
  db.transaction(() => {
    for (let row = 0; row < rows; row += 1) insert.run('x'.repeat(ROW_BYTES));
  })();
  db.close();
  return path;
}

for (const [size, rows] of Object.entries(SIZES)) {
  t.test(`a ${size} database that is whole has no damage`, async (t) => {
    t.equal(await findDamage(makeDatabase(t, rows)), undefined);
  });

  t.test(`damage in a ${size} database is found and named`, async (t) => {
    const path = makeDatabase(t, rows);
    const file = openSync(path, 'r+');
    writeSync(file, Buffer.alloc(PAGE_BYTES, 0xff), 0, PAGE_BYTES, 3 * PAGE_BYTES);
    closeSync(file);
    t.match(await findDamage(path), /page 4|Page 4|malformed/);
  });

  t.test(`the check of a ${size} database ends when it is aborted`, async (t) => {
    const error = await findDamage(makeDatabase(t, rows), AbortSignal.abort()).catch((reason) => reason);
    t.ok(error instanceof Failure && error.code === 'not_ready');
  });
}
