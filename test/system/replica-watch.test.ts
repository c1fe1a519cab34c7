import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { restoredIds, systemOf, write } from './replica-watch-fixture.ts';

t.test('Litestream that fails at its own files again and again is restarted', async (t) => {
  const { dataDir, generations, replica, system } = await systemOf(t, { REPLICA_STALL_TIMEOUT_MS: '300' });
  t.equal((await write(system, 'a')).status, 201);
  const shadow = join(
    dataDir,
    '.main.db-litestream',
    'generations',
    readdirSync(generations)[0] ?? '',
    'wal',
  );
  const newest = join(shadow, readdirSync(shadow).sort().at(-1) ?? '');
  rmSync(newest);
  mkdirSync(newest);
  t.equal((await write(system, 'b')).status, 201);
  await system.stop();
  t.strictSame(await restoredIds(t, dataDir, replica), ['a', 'b']);
});
