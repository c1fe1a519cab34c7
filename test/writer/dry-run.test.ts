import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import Sqlite from 'better-sqlite3';
import t from 'tap';
import { migrate } from '../../src/sqlite/migrations.ts';
import { openWriter } from '../../src/sqlite/open.ts';
import { dryRun } from '../../src/writer/dry-run.ts';

t.test('a migration that fails on the data is found on a copy, and the data stays as it was', async (t) => {
  const folder = t.testdir({ migrations: { '0001_a.sql': 'CREATE TABLE a (x INTEGER) STRICT' } });
  const migrations = pathToFileURL(`${join(folder, 'migrations')}/`);
  const owners = [{ name: 'f', migrations }];
  const path = join(folder, 'main.db');
  const scratch = join(folder, 'copy.db');
  const steps: string[] = [];
  const dryRunHere = (reserveMb = 0) =>
    dryRun({
      path,
      scratchPath: scratch,
      owners,
      reserveMb,
      before: (step) => {
        steps.push(step);
      },
    });
  dryRunHere();
  t.notOk(existsSync(path), 'a new database is nobody’s to dryRun');
  const live = openWriter(path);
  t.teardown(() => live.close());
  migrate(live, owners);
  live.exec('INSERT INTO a VALUES (1), (1)');
  dryRunHere();
  writeFileSync(new URL('0002_b.sql', migrations), 'CREATE UNIQUE INDEX u ON a (x)');
  t.throws(() => dryRunHere(), {
    code: 'migration_mismatch',
    message: /0002_b\.sql failed/,
  });
  t.equal(live.prepare("SELECT count(*) FROM sqlite_schema WHERE name = 'u'").pluck().get(), 0);
  t.same(steps, ['copying', 'f/0002_b.sql'], 'it is told before each step');
  t.throws(
    () => dryRunHere(1e9),
    { code: 'storage_full', message: /copy of main\.db needs 100000000\d MB .* restart: a start migrates/ },
    'nothing is copied to a disk without room for it',
  );
  t.equal(steps.length, 2);
  live.exec('DELETE FROM a WHERE rowid = 1');
  dryRunHere();
  t.equal(live.prepare('SELECT count(*) FROM migrations').pluck().get(), 1, 'a dry run applies nothing');
  writeFileSync(new URL('0001_a.sql', migrations), 'CREATE TABLE a (y INTEGER) STRICT');
  t.throws(() => dryRunHere(), { code: 'migration_mismatch', message: /has been edited/ });
  t.notOk(
    readdirSync(folder).some((name) => name.startsWith('copy')),
    'no copy is left',
  );
  t.equal(new Sqlite(path, { readonly: true }).pragma('integrity_check', { simple: true }), 'ok');
});
