import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import t, { type Test } from 'tap';
import { type Comparison, compare } from '../../src/replication/drill/compare.ts';
import { type Database, openReader, openWriter } from '../../src/sqlite/open.ts';

const SCHEMA = `
  CREATE TABLE plain (title TEXT COLLATE NOCASE, size REAL, body BLOB);
  CREATE TABLE keyed (a TEXT COLLATE NOCASE, b INTEGER, "odd ""name" TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID;
  CREATE TABLE hidden (rowid TEXT, _rowid_ TEXT, value INTEGER);
  CREATE TABLE computed (a INTEGER, double INTEGER GENERATED ALWAYS AS (a * 2) VIRTUAL);
  CREATE INDEX plain_by_title ON plain (title);
  CREATE VIEW titles AS SELECT title FROM plain;
  CREATE VIRTUAL TABLE words USING fts5(text);
  CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER);
  CREATE TABLE writer_commit (id INTEGER PRIMARY KEY, ordinal INTEGER, at_ms INTEGER);
  INSERT INTO plain VALUES ('one', 1.5, x'00ff'), ('two', NULL, NULL), ('größe', 9e99, randomblob(9000));
  INSERT INTO keyed VALUES ('k', 1, 'v'), ('k', 2, NULL), ('😀', 9223372036854775807, 'x');
  INSERT INTO hidden VALUES ('r', 's', 1), ('r', 's', 1);
  INSERT INTO computed (a) VALUES (1), (2);
  INSERT INTO words VALUES ('a bird in the hand');
  INSERT INTO _litestream_seq VALUES (1, 1);
  INSERT INTO writer_commit VALUES (1, 7, 1000);
`;

interface Scene {
  /** Changes the live database before the copy is taken, between copy and end, and the copy itself. */
  readonly beforeCopy?: string;
  readonly afterCopy?: string;
  readonly inCopy?: string;
}

/** Takes the copy as a restore would: a file of its own, of a state between the two looks at the live database. */
async function look(t: Test, { beforeCopy = '', afterCopy = '', inCopy = '' }: Scene): Promise<Comparison> {
  const folder = t.testdir();
  const livePath = join(folder, 'live.db');
  const restoredPath = join(folder, 'restored.db');
  const live = openWriter(livePath);
  live.exec(SCHEMA);
  const before = snapshot(livePath);
  live.exec(beforeCopy);
  const whole = new Sqlite(livePath);
  await whole.backup(restoredPath);
  whole.close();
  live.exec(afterCopy);
  const copy = new Sqlite(restoredPath);
  copy.exec(inCopy);
  copy.close();
  const after = snapshot(livePath);
  try {
    return await compare({ before, after, restoredPath, signal: new AbortController().signal });
  } finally {
    for (const db of [before, after, live]) db.close();
  }
}

function snapshot(path: string): Database {
  const db = openReader(path);
  db.exec('BEGIN');
  db.prepare('SELECT count(*) FROM sqlite_schema').get();
  return db;
}

t.test('a copy of a database at rest is the same in every table', async (t) => {
  const { differences, rowsCompared, rowsSkipped } = await look(t, {});
  t.equal(differences.describe(), undefined);
  t.equal(rowsSkipped, 0);
  t.ok(rowsCompared >= 11, `${rowsCompared} rows, those behind the full-text index among them`);
});

t.test('what is wrong in the copy is told by table and kind, and none of its content', async (t) => {
  const wrongs: Record<string, { sql: string; said: string }> = {
    'a row is missing': { sql: "DELETE FROM plain WHERE title = 'two'", said: '1 of plain missing' },
    'a row of a table without rowid is missing': {
      sql: 'DELETE FROM keyed WHERE b = 2',
      said: '1 of keyed missing',
    },
    'only the case of a text differs': {
      sql: "UPDATE plain SET title = 'ONE' WHERE title = 'one'",
      said: '1 of plain different',
    },
    'only the case of a key differs': {
      sql: "UPDATE keyed SET a = 'K' WHERE b = 1",
      said: '1 of keyed different',
    },
    'a blob differs in one byte': {
      sql: "UPDATE plain SET body = x'00fe' WHERE title = 'one'",
      said: '1 of plain different',
    },
    'a value became NULL': {
      sql: 'UPDATE hidden SET value = NULL',
      said: '2 of hidden different',
    },
    'there is one row more': {
      sql: 'INSERT INTO computed (a) VALUES (3)',
      said: '1 of computed there that nobody wrote',
    },
    'a table is gone': { sql: 'DROP TABLE hidden', said: '1 of the schema (table hidden) missing' },
    'an index is gone': {
      sql: 'DROP INDEX plain_by_title',
      said: '1 of the schema (index plain_by_title) missing',
    },
    'a table is there that nobody made': {
      sql: 'CREATE TABLE intruder (a)',
      said: '1 of the schema (table intruder) there that nobody wrote',
    },
    'the full-text index lacks a document': {
      sql: 'DELETE FROM words',
      said: '1 of words_content missing, 2 of words_data different, 1 of words_data there that nobody wrote, 1 of words_docsize missing, 1 of words_idx there that nobody wrote',
    },
    'all rows are gone': {
      sql: 'DELETE FROM keyed; DELETE FROM plain',
      said: '3 of keyed missing, 3 of plain missing',
    },
    'the last commit is an earlier one': {
      sql: 'UPDATE writer_commit SET ordinal = 6',
      said: '1 of writer_commit different, 1 of writer_commit of an earlier commit',
    },
  };
  for (const [name, { sql, said }] of Object.entries(wrongs)) {
    await t.test(name, async (t) => {
      const { differences } = await look(t, { inCopy: sql });
      t.equal(differences.describe(), `not as it was written: ${said}`);
    });
  }
});

t.test("Litestream's own table may differ", async (t) => {
  const { differences } = await look(t, { inCopy: 'UPDATE _litestream_seq SET seq = 99' });
  t.equal(differences.describe(), undefined);
});

t.test('what changes meanwhile is not held against the copy', async (t) => {
  const changes = `INSERT INTO plain VALUES ('new', 1, NULL); DELETE FROM keyed WHERE b = 1;
    UPDATE hidden SET value = value + 1; UPDATE writer_commit SET ordinal = ordinal + 1`;
  for (const scene of [
    { beforeCopy: changes },
    { afterCopy: changes },
    { beforeCopy: changes, afterCopy: changes },
  ]) {
    const { differences, rowsSkipped } = await look(t, scene);
    t.equal(differences.describe(), undefined);
    t.ok('beforeCopy' in scene ? rowsSkipped >= 4 : rowsSkipped === 0, `${rowsSkipped} rows skipped`);
  }
});

t.test('a row that changes all the time excuses no other one', async (t) => {
  const { differences } = await look(t, {
    beforeCopy: 'UPDATE writer_commit SET ordinal = ordinal + 1',
    inCopy: "DELETE FROM plain WHERE title = 'two'; UPDATE writer_commit SET ordinal = 3",
  });
  t.equal(
    differences.describe(),
    'not as it was written: 1 of plain missing, 1 of writer_commit of an earlier commit',
  );
});

t.test('a row that comes and goes is on two looks never the same one', async (t) => {
  const comesAndGoes = (key: number) =>
    look(t, {
      beforeCopy: `INSERT INTO keyed VALUES ('job', ${key}, 'x')`,
      afterCopy: "DELETE FROM keyed WHERE a = 'job'",
    });
  const first = await comesAndGoes(1);
  const second = await comesAndGoes(2);
  t.match(first.differences.describe(), /1 of keyed there that nobody wrote/);
  t.equal(second.differences.confirmedBy(first.differences).describe(), undefined);
  const again = await comesAndGoes(2);
  t.match(
    again.differences.confirmedBy(second.differences).describe(),
    /1 of keyed/,
    'unless it stays the same',
  );
});

t.test('a migration under the comparison is told apart from a difference', async (t) => {
  const { isMigrating, differences } = await look(t, { afterCopy: 'ALTER TABLE plain ADD COLUMN more TEXT' });
  t.ok(isMigrating);
  t.equal(differences.describe(), undefined);
});

t.test('neither a big difference nor a big table is kept in memory', async (t) => {
  const folder = t.testdir();
  const livePath = join(folder, 'live.db');
  const restoredPath = join(folder, 'restored.db');
  const db = openWriter(livePath);
  db.exec('CREATE TABLE many (id INTEGER PRIMARY KEY, body TEXT)');
  copyFileSync(livePath, restoredPath);
  db.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150000)
    INSERT INTO many SELECT i, 'row ' || i FROM n`);
  const [before, after] = [snapshot(livePath), snapshot(livePath)];
  const copy = new Sqlite(restoredPath);
  copy.exec('CREATE TABLE IF NOT EXISTS many (id INTEGER PRIMARY KEY, body TEXT)');
  copy.close();
  const { differences } = await compare({
    before,
    after,
    restoredPath,
    signal: new AbortController().signal,
  });
  t.match(differences.describe(), /not as it was written|more than 100000 rows/);
  t.match(differences.confirmedBy(differences).describe(), /more than 100000 rows/);
  t.ok(differences.count <= 100_000);
  const aborted = AbortSignal.abort(new Error('enough'));
  await t.rejects(compare({ before: snapshot(livePath), after, restoredPath, signal: aborted }), /enough/);
  for (const each of [before, after, db]) each.close();
});
