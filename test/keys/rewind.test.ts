import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { CommandContext } from '../../src/contract/command.ts';
import { commands } from '../../src/keys/commands.ts';
import { onRewind } from '../../src/keys/rewind.ts';
import { migrate } from '../../src/sqlite/migrations.ts';
import { type Database, openWriter } from '../../src/sqlite/open.ts';

const MIGRATIONS = new URL('../../src/keys/migrations/', import.meta.url);
const AT_MS = Date.UTC(2030, 0, 1);
const NAMES = ['same', 'revoked', 'rotated'];
const ENDS = { from: { ordinal: 2, atMs: AT_MS + 1 }, to: { ordinal: 1, atMs: AT_MS } };

function make(t: Test, name: string): Database {
  const db = openWriter(join(t.testdirName, `${name}.db`));
  t.teardown(() => db.close());
  migrate(db, [{ name: 'keys', migrations: MIGRATIONS }]);
  for (const key of NAMES) add(db, key);
  return db;
}

function add(db: Database, name: string): void {
  const key = { id: name, name, owner: 'o', scope: 'read' as const, secretHash: 'aa', expiresAtMs: null };
  commands.create.prepare(db)(key, context(AT_MS));
}

function context(nowMs: number): CommandContext {
  return { blob: undefined, nowMs, config: {} as CommandContext['config'], observe() {} };
}

function rowsOf(db: Database): unknown[] {
  return db
    .prepare(
      `SELECT id, hex(secret_hash) AS secret, hex(old_secret_hash) AS old, rotated_at_ms AS rotatedAtMs,
         revoked_at_ms AS revokedAtMs FROM keys ORDER BY id`,
    )
    .all();
}

t.test('a key that was revoked or rotated stays so when the database goes back', async (t) => {
  t.testdir({});
  const replaced = make(t, 'replaced');
  const db = make(t, 'main');
  const atMs = AT_MS + 1;
  commands.revoke.prepare(replaced)({ key: 'revoked' }, context(atMs));
  commands.rotate.prepare(replaced)({ key: 'rotated', secretHash: 'bb', graceMs: 5 }, context(atMs));
  add(replaced, 'new');
  t.equal(onRewind(db, { ...ENDS, replaced, nowMs: atMs }), '2 revoked or rotated since stay so');
  const after = [
    { id: 'revoked', secret: 'AA', old: '', rotatedAtMs: null, revokedAtMs: atMs },
    { id: 'rotated', secret: 'BB', old: 'AA', rotatedAtMs: atMs, revokedAtMs: null },
    { id: 'same', secret: 'AA', old: '', rotatedAtMs: null, revokedAtMs: null },
  ];
  t.strictSame(rowsOf(db), after);
  t.equal(onRewind(db, { ...ENDS, replaced, nowMs: atMs }), '0 revoked or rotated since stay so');
  t.equal(
    onRewind(db, { ...ENDS, replaced: make(t, 'other'), nowMs: atMs }),
    '0 revoked or rotated since stay so',
  );
  t.strictSame(rowsOf(db), after, 'what another history has not ended stays ended here');
  t.match(
    onRewind(db, { ...ENDS, replaced: undefined, nowMs: atMs }),
    /since 2030-01-01T00:00:00.000Z are as they were/,
  );
});
