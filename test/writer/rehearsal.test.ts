import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import Sqlite from 'better-sqlite3';
import t from 'tap';
import { migrate, readMigrations } from '../../src/sqlite/migrations.ts';
import { openWriter } from '../../src/sqlite/open.ts';
import { rehearse } from '../../src/writer/rehearsal.ts';

t.test('a migration that fails on the data is found on a copy, and the data stays as it was', async (t) => {
  const folder = t.testdir({ migrations: { '0001_a.sql': 'CREATE TABLE a (x INTEGER) STRICT' } });
  const migrations = pathToFileURL(`${join(folder, 'migrations')}/`);
  const owners = [{ name: 'f', migrations }];
  const path = join(folder, 'main.db');
  const scratch = join(folder, 'copy.db');
  const steps: string[] = [];
  const rehearsal = (reserveMb = 0) =>
    rehearse({
      path,
      scratchPath: scratch,
      owners,
      reserveMb,
      before: (step) => {
        steps.push(step);
      },
    });
  rehearsal();
  t.notOk(existsSync(path), 'a new database is nobody’s to rehearse');
  const live = openWriter(path);
  t.teardown(() => live.close());
  migrate(live, 'f', readMigrations(migrations));
  live.exec('INSERT INTO a VALUES (1), (1)');
  rehearsal();
  writeFileSync(new URL('0002_b.sql', migrations), 'CREATE UNIQUE INDEX u ON a (x)');
  t.throws(() => rehearsal(), {
    code: 'migration_mismatch',
    message: /0002_b\.sql failed/,
  });
  t.equal(live.prepare("SELECT count(*) FROM sqlite_schema WHERE name = 'u'").pluck().get(), 0);
  t.same(steps, ['copying', 'f/0002_b.sql'], 'it is told before each step');
  t.throws(
    () => rehearsal(1e9),
    { code: 'storage_full', message: /copy of main\.db needs 100000000\d MB .* restart: a start migrates/ },
    'nothing is copied to a disk without room for it',
  );
  t.equal(steps.length, 2);
  live.exec('DELETE FROM a WHERE rowid = 1');
  rehearsal();
  t.equal(live.prepare('SELECT count(*) FROM migrations').pluck().get(), 1, 'a rehearsal applies nothing');
  writeFileSync(new URL('0001_a.sql', migrations), 'CREATE TABLE a (y INTEGER) STRICT');
  t.throws(() => rehearsal(), { code: 'migration_mismatch', message: /has been edited/ });
  t.notOk(
    readdirSync(folder).some((name) => name.startsWith('copy')),
    'no copy is left',
  );
  t.equal(new Sqlite(path, { readonly: true }).pragma('integrity_check', { simple: true }), 'ok');
});
