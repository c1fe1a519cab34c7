import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { restoredIds, systemOf, write } from './replica-watch-fixture.ts';

t.test('Litestream that fails at its own files again and again is restarted', async (t) => {
  const { dataDir, replica, system } = await systemOf(t, { REPLICA_STALL_TIMEOUT_MS: '300' });
  t.equal((await write(system, 'a')).status, 201);
  const sidecar = join(dataDir, '.main.db-litestream');
  // Stopped, lest it begin another generation between these steps.
  process.kill(system.pidOf('litestream'), 'SIGSTOP');
  const generation = readFileSync(join(sidecar, 'generation'), 'utf8').trim();
  const shadow = join(sidecar, 'generations', generation, 'wal');
  const newest = join(shadow, readdirSync(shadow).sort().at(-1) ?? '');
  rmSync(newest);
  mkdirSync(newest);
  process.kill(system.pidOf('litestream'), 'SIGCONT');
  t.equal((await write(system, 'b')).status, 201);
  await system.stop();
  t.strictSame(await restoredIds(t, dataDir, replica), ['a', 'b']);
});
