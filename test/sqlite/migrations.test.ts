import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t, { type Test } from 'tap';
import { Failure } from '../../src/errors.ts';
import { migrate, readMigrations } from '../../src/sqlite/migrations.ts';
import { openWriter } from '../../src/sqlite/open.ts';

const ONE = 'CREATE TABLE a (x INTEGER) STRICT;';
const TWO = 'ALTER TABLE a ADD COLUMN y INTEGER; INSERT INTO a VALUES (1, 2);';

function setup(t: Test, files: Record<string, string>) {
  const folder = t.testdir({ sql: files });
  return {
    folder: pathToFileURL(join(folder, 'sql/')),
    put: (name: string, sql: string) => writeFileSync(join(folder, 'sql', name), sql),
    db: openWriter(join(folder, 'test.db')),
  };
}

function failureOf(run: () => unknown): Failure {
  try {
    run();
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

t.test('migrations run once, in order, and later ones join', async (t) => {
  const { folder, put, db } = setup(t, { '0001_a.sql': ONE });
  t.same(migrate(db, 'f', readMigrations(folder)), ['0001_a.sql']);
  t.same(migrate(db, 'f', readMigrations(folder)), []);
  put('0002_b.sql', TWO);
  t.same(migrate(db, 'f', readMigrations(folder)), ['0002_b.sql']);
  t.same(db.prepare('SELECT * FROM a').all(), [{ x: 1, y: 2 }]);
});

t.test('an edited past migration is refused by name and nothing is applied', async (t) => {
  const { folder, put, db } = setup(t, { '0001_a.sql': ONE });
  migrate(db, 'f', readMigrations(folder));
  put('0001_a.sql', `${ONE} -- edited`);
  put('0002_b.sql', TWO);
  const failure = failureOf(() => migrate(db, 'f', readMigrations(folder)));
  t.equal(failure.code, 'migration_mismatch');
  t.match(failure.message, /f\/0001_a\.sql .*edited/);
  t.same(db.prepare('SELECT * FROM a').all(), [], 'the later one did not run');
});

t.test('a missing past migration is refused by name', async (t) => {
  const { folder, db } = setup(t, { '0001_a.sql': ONE });
  migrate(db, 'f', readMigrations(folder));
  t.match(failureOf(() => migrate(db, 'f', [])).message, /f\/0001_a\.sql .*missing/);
});

t.test('a migration that fails half-way is undone as a whole', async (t) => {
  const { folder, db } = setup(t, { '0001_a.sql': `${ONE} INSERT INTO nowhere VALUES (1);` });
  t.match(
    failureOf(() => migrate(db, 'f', readMigrations(folder))).message,
    /0001_a\.sql failed, and everything was undone/,
  );
  t.same(db.prepare("SELECT name FROM sqlite_schema WHERE name = 'a'").all(), []);
});

t.test('one that fails takes back those that succeeded before it', async (t) => {
  const { folder, put, db } = setup(t, { '0001_a.sql': ONE });
  migrate(db, 'f', readMigrations(folder));
  put('0002_b.sql', TWO);
  put('0003_c.sql', 'INSERT INTO nowhere VALUES (1)');
  const told: string[] = [];
  const failure = failureOf(() => migrate(db, 'f', readMigrations(folder), (name) => told.push(name)));
  t.match(failure.message, /f\/0003_c\.sql failed, and everything was undone/);
  t.same(told, ['0002_b.sql', '0003_c.sql'], 'each was told of before it ran');
  t.same(db.prepare('SELECT * FROM a').all(), []);
  t.same(db.pragma('table_info(a)', { simple: false }), [
    { cid: 0, name: 'x', type: 'INTEGER', notnull: 0, dflt_value: null, pk: 0 },
  ]);
  t.equal(db.prepare('SELECT count(*) FROM migrations').pluck().get(), 1);
});

t.test('one that would end its transaction is refused, and a trigger is not', async (t) => {
  const trigger = 'CREATE TRIGGER g AFTER INSERT ON a BEGIN\n  DELETE FROM a;\nEND;';
  const { folder, put } = setup(t, { '0001_a.sql': ONE, '0002_b.sql': trigger });
  t.equal(readMigrations(folder).length, 2);
  put('0003_c.sql', 'INSERT INTO a VALUES (1); commit; BEGIN;');
  t.match(failureOf(() => readMigrations(folder)).message, /0003_c\.sql ends a transaction/);
});

t.test('a gap in the numbers is refused', async (t) => {
  const { folder } = setup(t, { '0001_a.sql': ONE, '0003_c.sql': TWO });
  t.match(failureOf(() => readMigrations(folder)).message, /0003_c\.sql stands where 0002/);
});

t.test('two owners have histories of their own', async (t) => {
  const { folder, db } = setup(t, { '0001_a.sql': 'CREATE TABLE IF NOT EXISTS b (x) ;' });
  t.same(migrate(db, 'f', readMigrations(folder)), ['0001_a.sql']);
  t.same(migrate(db, 'g', readMigrations(folder)), ['0001_a.sql']);
});
