import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t, { type Test } from 'tap';
import { Failure } from '../../src/platform/errors.ts';
import { openReader, openWriter } from '../../src/sqlite/open.ts';
import { upgrade } from '../../src/sqlite/upgrade.ts';

/** Two databases with a folder of migrations each. */
function setup(t: Test) {
  const folder = t.testdir({
    one: { '0001_a.sql': 'CREATE TABLE a (x INTEGER) STRICT' },
    two: { '0001_b.sql': 'CREATE TABLE b (x INTEGER) STRICT' },
  });
  const targets = ['one', 'two'].map((database) => {
    const db = openWriter(join(folder, `${database}.db`));
    t.teardown(() => db.close());
    const owners = [{ name: 'f', migrations: pathToFileURL(join(folder, database, '/')) }];
    return { database, db, owners };
  });
  const steps: string[] = [];
  const options = {
    before: (step: string) => {
      steps.push(step);
    },
    beforeCommit: () => {},
  };
  return {
    targets,
    steps,
    options,
    put: (path: string, sql: string) => writeFileSync(join(folder, path), sql),
    /** As another connection sees it. */
    tables(database: string): unknown[] {
      const db = openReader(join(folder, `${database}.db`));
      const names = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").pluck();
      const found = names.all();
      db.close();
      return found;
    },
  };
}

t.test('all databases are brought up to date, each step told before it', async (t) => {
  const { targets, steps, options, tables } = setup(t);
  t.same(upgrade(targets, options), ['one f/0001_a.sql', 'two f/0001_b.sql']);
  t.same(steps, [
    'migrating one f/0001_a.sql',
    'migrating two f/0001_b.sql',
    'committing the migrations of one',
    'committing the migrations of two',
  ]);
  t.same(
    [tables('one'), tables('two')],
    [
      ['a', 'migrations'],
      ['b', 'migrations'],
    ],
  );
  t.same(upgrade(targets, options), [], 'once');
  t.equal(steps.length, 4, 'nothing is told where nothing is done');
});

t.test('one that fails in the last database leaves the first as it was', async (t) => {
  const { targets, options, put, tables } = setup(t);
  upgrade(targets, options);
  put('one/0002_c.sql', 'CREATE TABLE c (x INTEGER) STRICT');
  put('two/0002_d.sql', 'CREATE TABLE d (x INTEGER) STRICT');
  put('two/0003_bad.sql', 'CREATE TABLE b (x INTEGER) STRICT');
  t.throws(() => upgrade(targets, options), {
    code: 'migration_mismatch',
    message: /f\/0003_bad\.sql failed/,
  });
  t.same(
    [tables('one'), tables('two')],
    [
      ['a', 'migrations'],
      ['b', 'migrations'],
    ],
  );
  for (const { db } of targets) t.notOk(db.inTransaction);
});

t.test('whoever has the last word sees the new tables, and can undo them', async (t) => {
  const { targets, options, tables } = setup(t);
  const beforeCommit = () => {
    t.equal(targets[1]!.db.prepare('SELECT count(*) FROM b').pluck().get(), 0);
    throw new Failure('config_invalid', 'no');
  };
  t.throws(() => upgrade(targets, { ...options, beforeCommit }), { code: 'config_invalid' });
  t.same([tables('one'), tables('two')], [[], []]);
});
