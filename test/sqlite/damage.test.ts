import t from 'tap';
import { Failure } from '../../src/platform/errors.ts';
import { FilesExchanged, isDamage } from '../../src/sqlite/damage.ts';

t.test('damage is what SQLite calls so, and files that somebody has exchanged; no other failure is', (t) => {
  const sqlite = (code: string) => Object.assign(new Error('said'), { code });
  t.ok(isDamage(sqlite('SQLITE_CORRUPT_INDEX')));
  t.ok(isDamage(sqlite('SQLITE_NOTADB')));
  t.ok(isDamage(new FilesExchanged('main.db was removed')));
  t.notOk(isDamage(sqlite('SQLITE_FULL')));
  t.notOk(isDamage(new Failure('migration_mismatch', 'alerts/0005_fail.sql failed')));
  t.notOk(isDamage(new Failure('storage_corrupt', 'it cannot be restored')));
  t.end();
});
