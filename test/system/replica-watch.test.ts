import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readMark } from '../../src/replication/history/mark.ts';
import { until } from '../support/system.ts';
import { historyTrouble, restoredIds, systemOf, toldAfter, write } from './replica-watch-fixture.ts';

t.test(
  'a replica that loses objects gets a new generation, and counts again when that is there',
  async (t) => {
    const { dataDir, generations, replica, system } = await systemOf(t);
    t.equal((await write(system, 'a')).status, 201);
    const [first = ''] = readdirSync(generations);
    rmSync(join(generations, first, 'wal'), { recursive: true });
    const text = await toldAfter(dataDir, 0);
    t.match(text, /^The replica file:.* of main has lost .* A new generation of main begins/);
    const answer = await write(system, 'b');
    t.equal(answer.status, 201, 'when it counts again');
    t.equal(readdirSync(generations).length, 2);
    t.strictSame(await restoredIds(t, dataDir, replica), ['a', 'b']);
    // A drill has proven it.
    await until(async () => (await historyTrouble(system)) === undefined, 'it is proven');
    t.equal(readMark(dataDir)!.renewal, undefined);
    await system.stop();
  },
);

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
