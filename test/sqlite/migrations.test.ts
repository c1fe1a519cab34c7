import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t, { type Test } from 'tap';
import { Failure } from '../../src/platform/errors.ts';
import { COMPATIBLE_MARK, migrate, readMigrations } from '../../src/sqlite/migrations.ts';
import { openWriter } from '../../src/sqlite/open.ts';
import { temporaryFolder } from '../support/system.ts';

const ONE = 'CREATE TABLE a (x INTEGER) STRICT;';
const TWO = 'ALTER TABLE a ADD COLUMN y INTEGER; INSERT INTO a VALUES (1, 2);';

function setup(t: Test, files: Record<string, string>) {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, 'sql'));
  for (const [name, sql] of Object.entries(files)) writeFileSync(join(folder, 'sql', name), sql);
  const sql = pathToFileURL(join(folder, 'sql/'));
  return {
    folder: sql,
    owners: [{ name: 'f', migrations: sql }],
    put: (name: string, sql: string) => writeFileSync(join(folder, 'sql', name), sql),
    remove: (name: string) => rmSync(join(folder, 'sql', name)),
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
  const { owners, put, db } = setup(t, { '0001_a.sql': ONE });
  t.same(migrate(db, owners), ['f/0001_a.sql']);
  t.same(migrate(db, owners), []);
  put('0002_b.sql', TWO);
  t.same(migrate(db, owners), ['f/0002_b.sql']);
  t.same(db.prepare('SELECT * FROM a').all(), [{ x: 1, y: 2 }]);
});

t.test('an edited past migration is refused by name and nothing is applied', async (t) => {
  const { owners, put, db } = setup(t, { '0001_a.sql': ONE });
  migrate(db, owners);
  put('0001_a.sql', `${ONE} -- edited`);
  put('0002_b.sql', TWO);
  const failure = failureOf(() => migrate(db, owners));
  t.equal(failure.code, 'migration_mismatch');
  t.match(failure.message, /f\/0001_a\.sql .*edited/);
  t.same(db.prepare('SELECT * FROM a').all(), [], 'the later one did not run');
});

t.test('a migration that fails half-way is undone as a whole', async (t) => {
  const { owners, db } = setup(t, { '0001_a.sql': `${ONE} INSERT INTO nowhere VALUES (1);` });
  t.match(failureOf(() => migrate(db, owners)).message, /0001_a\.sql failed, and everything was undone/);
  t.same(db.prepare("SELECT name FROM sqlite_schema WHERE name = 'a'").all(), []);
});

t.test('a full disk is no fault of a migration, and undoes it as well', async (t) => {
  const { owners, put, db } = setup(t, { '0001_a.sql': ONE });
  migrate(db, owners);
  put(
    '0002_b.sql',
    'CREATE TABLE b AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) SELECT i FROM n',
  );
  db.pragma('max_page_count = 10');
  const failure = failureOf(() => migrate(db, owners));
  t.equal(failure.code, 'storage_full');
  t.equal(
    failure.message,
    'f/0002_b.sql failed, and everything was undone: database or disk is full. Free some disk, there or where SQLite sorts (SQLITE_TMPDIR, TMPDIR, /var/tmp), and try again',
  );
  db.pragma('max_page_count = 10000');
  t.same(migrate(db, owners), ['f/0002_b.sql']);
});

t.test('neither is a file that may not grow, as the limit of a process has it', async (t) => {
  // Node.js ignores it, but for what the test runner does.
  process.on('SIGXFSZ', () => {});
  const { owners, put, db } = setup(t, { '0001_a.sql': ONE });
  migrate(db, owners);
  put('0002_b.sql', 'CREATE TABLE b AS SELECT zeroblob(1000000) AS x');
  const limit = (bytes: string) =>
    execFileSync('prlimit', ['--pid', String(process.pid), `--fsize=${bytes}:unlimited`]);
  limit('300000');
  const failure = failureOf(() => migrate(db, owners));
  limit('unlimited');
  t.equal(failure.code, 'not_ready');
  t.match(
    failure.message,
    /^the migrations failed, and everything was undone: disk I\/O error \(SQLITE_IOERR_WRITE\), .* RLIMIT_FSIZE/,
  );
  t.strictSame(migrate(db, owners), ['f/0002_b.sql']);
});

t.test('one that fails takes back those that succeeded before it', async (t) => {
  const { owners, put, db } = setup(t, { '0001_a.sql': ONE });
  migrate(db, owners);
  put('0002_b.sql', TWO);
  put('0003_c.sql', 'INSERT INTO nowhere VALUES (1)');
  const told: string[] = [];
  const failure = failureOf(() => migrate(db, owners, (name) => told.push(name)));
  t.match(failure.message, /f\/0003_c\.sql failed, and everything was undone/);
  t.same(told, ['f/0002_b.sql', 'f/0003_c.sql'], 'each was told of before it ran');
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
  put('0003_c.sql', 'INSERT INTO a VALUES (1); /* done */ -- and\n COMMIT;');
  t.match(failureOf(() => readMigrations(folder)).message, /0003_c\.sql ends a transaction/);
  put('0003_c.sql', 'INSERT INTO a VALUES (1);\n/* no\n  rollback needed */');
  t.equal(readMigrations(folder).length, 3);
});

t.test('a gap in the numbers is refused', async (t) => {
  const { folder } = setup(t, { '0001_a.sql': ONE, '0003_c.sql': TWO });
  t.match(failureOf(() => readMigrations(folder)).message, /0003_c\.sql stands where 0002/);
});

t.test('two owners have histories of their own', async (t) => {
  const { owners, folder, db } = setup(t, { '0001_a.sql': 'CREATE TABLE IF NOT EXISTS b (x) ;' });
  t.same(migrate(db, owners), ['f/0001_a.sql']);
  t.same(migrate(db, [...owners, { name: 'g', migrations: folder }]), ['g/0001_a.sql']);
});

t.test('a mark counts only as the first line, exactly', async (t) => {
  const { folder, put } = setup(t, {
    '0001_a.sql': ONE,
    '0002_b.sql': `${COMPATIBLE_MARK}\n-- Why.\n${TWO}`,
  });
  t.strictSame(
    readMigrations(folder).map(({ isCompatible }) => isCompatible),
    [false, true],
  );
  for (const sql of [
    `${ONE}\n${COMPATIBLE_MARK}\n`,
    `-- Why.\n${COMPATIBLE_MARK}\n${ONE}`,
    `${COMPATIBLE_MARK} \n${ONE}`,
    `${COMPATIBLE_MARK}\n  ${COMPATIBLE_MARK}\n${ONE}`,
    `-- Compatible: older releases go on\n${ONE}`,
    `--compatible\n${ONE}`,
  ]) {
    put('0003_c.sql', sql);
    const { code, message } = failureOf(() => readMigrations(folder));
    t.strictSame(
      { code, message },
      {
        code: 'migration_mismatch',
        message:
          '0003_c.sql has a mark that does not count. The first line must be: -- compatible: older releases go on',
      },
      sql,
    );
  }
});

t.test('older code goes on with a database whose newer migrations are marked', async (t) => {
  const { owners, put, db, remove } = setup(t, { '0001_a.sql': ONE });
  const marked = `${COMPATIBLE_MARK}\nCREATE TABLE`;
  put('0002_b.sql', `${marked} b (x)`);
  put('0003_c.sql', `${marked} c (x)`);
  const stranger = pathToFileURL(join(t.testdir({ '0001_s.sql': `${marked} s (x)` }), '/'));
  migrate(db, [...owners, { name: 's', migrations: stranger }]);
  const marks = db.prepare('SELECT is_compatible FROM migrations ORDER BY owner, number').pluck();
  t.strictSame(marks.all(), [0, 1, 1, 1]);
  remove('0002_b.sql');
  remove('0003_c.sql');
  t.strictSame(migrate(db, owners), []);
  // Its own next one, which the newer release does not have.
  put('0002_other.sql', 'CREATE TABLE other (x)');
  t.equal(
    failureOf(() => migrate(db, owners)).message,
    'This database has f/0002_b.sql, and this release has 0002_other.sql in its place. Bring 0002_b.sql back as it was applied, and give 0002_other.sql the next number that is free.',
  );
});

t.test('older code is refused by a database that has one newer migration without the mark', async (t) => {
  const unmarked = 'CREATE TABLE s (x)';
  const expected = (names: string) => ({
    code: 'migration_mismatch',
    message: `This database has ${names}, which this release does not have, and which nothing marks as compatible with older releases. What remains: start the release that has it, go back to a moment before it (restore --at, which loses what was written since), or release a fix that has the same file.`,
  });
  const { owners, put, db, remove } = setup(t, { '0001_a.sql': ONE });
  const stranger = pathToFileURL(join(t.testdir({ '0001_s.sql': unmarked }), '/'));
  put('0002_b.sql', `${COMPATIBLE_MARK}\n${TWO}`);
  put('0003_c.sql', 'CREATE TABLE c (x)');
  migrate(db, [...owners, { name: 's', migrations: stranger }]);
  const refused = () => {
    const { code, message } = failureOf(() => migrate(db, owners));
    return { code, message };
  };
  t.strictSame(refused(), expected('s/0001_s.sql'), 'of an owner that it does not know');
  remove('0003_c.sql');
  t.strictSame(refused(), expected('f/0003_c.sql, s/0001_s.sql'));
  remove('0002_b.sql');
  t.strictSame(refused(), expected('f/0003_c.sql, s/0001_s.sql'), 'the marked one is no reason');
});

t.test('a record that older code has made gets its mark, and what it holds has none', async (t) => {
  const { owners, put, db, remove } = setup(t, { '0001_a.sql': ONE });
  migrate(db, owners);
  db.exec('ALTER TABLE migrations DROP COLUMN is_compatible');
  put('0002_b.sql', `${COMPATIBLE_MARK}\n${TWO}`);
  migrate(db, owners);
  t.strictSame(db.prepare('SELECT is_compatible FROM migrations ORDER BY number').pluck().all(), [0, 1]);
  remove('0002_b.sql');
  t.strictSame(migrate(db, owners), []);
});

t.test('a gap in the record is refused', async (t) => {
  const { owners, put, db } = setup(t, { '0001_a.sql': ONE });
  put('0002_b.sql', TWO);
  migrate(db, owners);
  db.exec('DELETE FROM migrations WHERE number = 1');
  t.match(failureOf(() => migrate(db, owners)).message, /^f\/0002_b\.sql .* where number 1 was expected/);
});
