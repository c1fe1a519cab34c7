import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t from 'tap';
import { compatibilityOf } from '../../src/sqlite/compatibility.ts';
import { COMPATIBLE_MARK, migrate } from '../../src/sqlite/migrations.ts';
import { openWriter } from '../../src/sqlite/open.ts';
import { temporaryFolder } from '../support/system.ts';

t.test('it tells what is pending and what is ahead, and changes nothing', async (t) => {
  const folder = temporaryFolder(t);
  const path = join(folder, 'main.db');
  const put = (owner: string, name: string, sql: string) => {
    mkdirSync(join(folder, owner), { recursive: true });
    writeFileSync(join(folder, owner, name), sql);
  };
  const ownerOf = (name: string) => ({ name, migrations: pathToFileURL(join(folder, name, '/')) });
  const [f, g] = [ownerOf('f'), ownerOf('g')];
  const one = { owner: 'f', name: '0001_a.sql', isCompatible: false };
  const two = { owner: 'f', name: '0002_b.sql', isCompatible: true };
  const other = { owner: 'g', name: '0001_c.sql', isCompatible: false };
  put('f', '0001_a.sql', 'CREATE TABLE a (x)');
  put('f', '0002_b.sql', `${COMPATIBLE_MARK}\nCREATE TABLE b (x)`);
  put('g', '0001_c.sql', 'CREATE TABLE c (x)');

  t.strictSame(compatibilityOf(path, [f, g]), { pending: [one, two, other], ahead: [] });
  t.notOk(existsSync(path), 'none is made');

  const db = openWriter(path);
  t.teardown(() => db.close());
  t.strictSame(compatibilityOf(path, [f]), { pending: [one, two], ahead: [] }, 'one without tables');
  migrate(db, [f]);
  const before = [readFileSync(path), readFileSync(`${path}-wal`)];
  t.strictSame(compatibilityOf(path, [f, g]), { pending: [other], ahead: [] });
  rmSync(join(folder, 'f', '0002_b.sql'));
  t.strictSame(compatibilityOf(path, [f]), { pending: [], ahead: [two] });
  t.strictSame([readFileSync(path), readFileSync(`${path}-wal`)], before);

  db.exec('ALTER TABLE migrations DROP COLUMN is_compatible');
  const unmarked = compatibilityOf(path, [f, g]);
  t.strictSame(
    { ...unmarked, refusal: undefined },
    { pending: [other], ahead: [{ ...two, isCompatible: false }], refusal: undefined },
    'older code has recorded no mark',
  );
  t.match(unmarked.refusal, /^This database has f\/0002_b\.sql, which this release does not have/);
  t.match(compatibilityOf(path, [g]).refusal, /^This database has f\/0001_a\.sql, f\/0002_b\.sql, /);
  put('f', '0001_a.sql', 'CREATE TABLE a (y)');
  t.match(
    compatibilityOf(path, [f]).refusal,
    /^f\/0001_a\.sql was applied to this database and has been edited/,
  );
});
