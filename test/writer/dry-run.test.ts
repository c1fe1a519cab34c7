import { existsSync, lstatSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t, { type Test } from 'tap';
import { ownersOf } from '../../src/features/owners.ts';
import { migrate, readMigrations } from '../../src/sqlite/migrations.ts';
import { type Database, openReader, openWriter } from '../../src/sqlite/open.ts';
import { dryRun } from '../../src/writer/dry-run.ts';
import { TestChild } from '../support/child.ts';
import { noSmallDisk, smallDisk } from '../support/small-disk.ts';
import { temporaryFolder } from '../support/system.ts';

/** Two live databases, each with a table of one row, and the release's migrations. */
function setup(t: Test) {
  const root = temporaryFolder(t);
  const put = (database: string, name: string, sql: string) =>
    writeFileSync(join(root, `${database}-sql`, name), sql);
  const live = new Map<string, Database>();
  const targets = ['one', 'two'].map((database) => {
    mkdirSync(join(root, `${database}-sql`));
    put(database, '0001_a.sql', 'CREATE TABLE a (x INTEGER) STRICT; INSERT INTO a VALUES (1), (1)');
    const owners = [{ name: 'f', migrations: pathToFileURL(join(root, `${database}-sql`, '/')) }];
    const path = join(root, `${database}.db`);
    const db = openWriter(path);
    t.teardown(() => db.close());
    migrate(db, owners);
    live.set(database, db);
    return { database, path, owners };
  });
  const folder = join(root, 'tried');
  const steps: string[] = [];
  const run = (reserveMb = 0) =>
    dryRun({
      targets,
      folder,
      reserveMb,
      before: (step) => {
        steps.push(step);
      },
    });
  return { root, folder, targets, live, put, steps, run };
}

function query(path: string, sql: string): unknown {
  const db = openReader(path);
  try {
    return db.prepare(sql).pluck().get();
  } finally {
    db.close();
  }
}

t.test('what is pending is applied to a copy that stays, and what is not is a link', async (t) => {
  const { folder, live, put, steps, run } = setup(t);
  put('one', '0002_b.sql', '-- compatible: older releases go on\nALTER TABLE a ADD COLUMN y INTEGER');
  const { one, two } = run();
  t.strictSame(one!.applied, [{ owner: 'f', name: '0002_b.sql', isCompatible: true }]);
  t.strictSame(two, { applied: [], durationMs: 0 });
  t.strictSame(steps, ['copying one', 'migrating one f/0002_b.sql'], 'each is told before it');
  t.strictSame(readdirSync(folder).sort(), ['one.db', 'two.db']);
  t.equal(statSync(folder).mode & 0o777, 0o700);

  const [copyPath, linkPath] = [join(folder, 'one.db'), join(folder, 'two.db')];
  t.equal(query(copyPath, 'SELECT count(*) FROM a WHERE y IS NULL'), 2);
  t.equal(query(copyPath, 'PRAGMA journal_mode'), 'wal');
  t.throws(() => live.get('one')!.prepare('SELECT y FROM a'), /no such column/, 'the live one is as it was');
  t.ok(lstatSync(linkPath).isSymbolicLink());
  live.get('two')!.exec('INSERT INTO a VALUES (2)');
  t.equal(query(linkPath, 'SELECT max(x) FROM a'), 2, 'its last commit is seen through the link');
});

t.test('how long a migration takes is measured on the copy', async (t) => {
  const { put, run } = setup(t);
  const slow =
    'WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000) SELECT count(*) FROM n';
  put('two', '0002_b.sql', `CREATE TABLE b AS ${slow}`);
  const startMs = performance.now();
  const { one, two } = run();
  const tookMs = performance.now() - startMs;
  t.equal(one!.durationMs, 0);
  t.ok(two!.durationMs > 20 && two!.durationMs < tookMs, `${two!.durationMs} of ${Math.round(tookMs)} ms`);
});

t.test('a migration that fails on the data leaves the data as it was, and no copy', async (t) => {
  const { folder, live, put, run } = setup(t);
  put('one', '0002_b.sql', 'CREATE TABLE b (x)');
  put('two', '0002_b.sql', 'CREATE UNIQUE INDEX u ON a (x)');
  t.throws(() => run(), {
    code: 'migration_mismatch',
    message: /^f\/0002_b\.sql failed, and everything was undone: UNIQUE constraint failed/,
  });
  t.strictSame(readdirSync(folder), []);
  for (const db of live.values()) {
    t.equal(db.prepare('SELECT count(*) FROM migrations').pluck().get(), 1, 'a dry run applies nothing');
  }
  live.get('two')!.exec('DELETE FROM a WHERE rowid = 1');
  t.strictSame(Object.keys(run()), ['one', 'two']);
  t.throws(() => run(), { code: 'file_exists', message: `${folder} is not empty` });
});

t.test('what does not fit is refused before anything is copied', async (t) => {
  const { folder, put, steps, run } = setup(t);
  put('one', '0001_a.sql', 'CREATE TABLE a (y INTEGER) STRICT');
  put('two', '0002_b.sql', 'CREATE TABLE b (x)');
  t.throws(() => run(), { code: 'migration_mismatch', message: /has been edited/ });
  t.strictSame([readdirSync(folder), steps], [[], []]);
});

t.test('nothing is copied to a disk without room for it', async (t) => {
  const { folder, put, steps, run } = setup(t);
  t.strictSame(Object.keys(run(1e9)), ['one', 'two'], 'links need none');
  for (const name of readdirSync(folder)) rmSync(join(folder, name));
  put('one', '0002_b.sql', 'CREATE TABLE b (x)');
  put('two', '0002_b.sql', 'CREATE TABLE b (x)');
  t.throws(() => run(1e9), {
    code: 'storage_full',
    message: /copy of one\.db and two\.db needs 100000000\d MB .* restart: a start migrates/,
  });
  t.strictSame([readdirSync(folder), steps], [[], []]);
});

t.test(
  'a disk that fills up while the copy is made is no fault of the release',
  { skip: noSmallDisk },
  async (t) => {
    const { targets, live, put } = setup(t);
    const large =
      'WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) SELECT i FROM n';
    live.get('one')!.exec(`CREATE TABLE large AS ${large}`);
    put('one', '0002_b.sql', 'CREATE TABLE b (x)');
    const folder = smallDisk(t, 3 * 4096);
    // As whoever uses the disk as well takes it after the look at it.
    const before = () => writeFileSync(join(folder, '.taken'), Buffer.alloc(11.5 * 1024 * 1024));
    t.throws(() => dryRun({ targets, folder, reserveMb: 0, before }), {
      code: 'storage_full',
      message:
        /^copying the databases failed, and everything was undone: database or disk is full\. Free some disk/,
    });
    t.strictSame(readdirSync(folder), []);
  },
);

t.test('a database that does not exist yet is made in the folder alone', async (t) => {
  const { root, folder, targets, steps } = setup(t);
  const path = join(root, 'three.db');
  const result = dryRun({
    targets: [{ database: 'three', path, owners: targets[0]!.owners }],
    folder,
    reserveMb: 0,
    before: () => {},
  });
  t.strictSame(result.three!.applied, [{ owner: 'f', name: '0001_a.sql', isCompatible: false }]);
  t.equal(query(join(folder, 'three.db'), 'SELECT count(*) FROM a'), 2);
  t.notOk(existsSync(path));
  t.strictSame(steps, []);
});

t.test('a process tries the release on the databases, and says what it found', async (t) => {
  const dataDir = temporaryFolder(t);
  const db = openWriter(join(dataDir, 'main.db'));
  t.teardown(() => db.close());
  migrate(db, ownersOf('main'));
  const folder = join(dataDir, 'run', 'tried');
  const tryIt = () => new TestChild(t, { entry: 'writer/dry-run-main.ts', dataDir, input: { folder } });
  const child = tryIt();
  const { result } = await child.said('dry-run');
  t.equal(await child.exitCode(), 0);
  t.strictSame(result.main, { applied: [], durationMs: 0 });
  t.strictSame(
    result.media!.applied.map(({ owner }) => owner),
    ownersOf('media').flatMap(({ name, migrations }) => readMigrations(migrations).map(() => name)),
    'the other one is new',
  );
  t.equal(statSync(join(folder, 'media.db')).mode & 0o777, 0o600);
  t.equal(query(join(folder, 'media.db'), 'SELECT count(*) FROM files'), 0);

  const again = tryIt();
  t.equal((await again.said('failed')).code, 'file_exists');
  t.equal(await again.exitCode(), 73);
});

t.test('a statement of the writer that does not fit is found, with its command', async (t) => {
  const dataDir = temporaryFolder(t);
  const db = openWriter(join(dataDir, 'main.db'));
  t.teardown(() => db.close());
  migrate(db, ownersOf('main'));
  db.exec('ALTER TABLE keys RENAME COLUMN rotated_at_ms TO turned_at_ms');
  const child = new TestChild(t, {
    entry: 'writer/dry-run-main.ts',
    dataDir,
    input: { folder: join(dataDir, 'tried') },
  });
  const { code, message } = await child.said('failed');
  t.strictSame(
    { code, message },
    {
      code: 'migration_mismatch',
      message: 'The statements of keys.rotate do not fit the database: no such column: rotated_at_ms',
    },
  );
  t.equal(await child.exitCode(), 78);
});
