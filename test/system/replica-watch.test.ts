import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { s3Environment } from '../../src/testing/s3-server.ts';
import { command } from '../commands/command.ts';
import { notesIn } from '../support/notes.ts';
import { startS3, startStoreProxy } from '../support/s3.ts';
import { temporaryFolder, until } from '../support/system.ts';
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

t.test('what a page has taken in the place of the store is replicated only when it is there', async (t) => {
  const store = await startS3(t);
  const proxy = await startStoreProxy(t, store);
  const env = s3Environment({ ...store, endpoint: proxy.endpoint }, 'p');
  const { system } = await systemOf(t, { ...env, REPLICATED_TIMEOUT_MS: '60000' });
  t.equal((await write(system, 'a')).status, 201);
  await proxy.become('page');
  const writing = write(system, 'b');
  await until(
    () => proxy.lost.some((url) => url.includes('/main/generations/')),
    'the page has taken an upload',
  );
  await proxy.become('open');
  t.equal((await writing).status, 201);
  await system.destroy();
  const file = join(temporaryFolder(t), 'restored.db');
  const ran = await command(['restore', '--to', file], { ...env, DATA_DIR: temporaryFolder(t) });
  t.equal(ran.code, 0, ran.stderr);
  t.ok(notesIn(file).includes('b'), 'it is in the replica');
});
