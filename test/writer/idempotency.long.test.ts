import { once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import t from 'tap';
import type { WriterClient } from '../../src/writer-client/client.ts';
import { harness } from '../support/writer-harness.ts';
import { write } from './idempotency-fixture.ts';

t.test('over killed writers, writes sent again and again by all workers are applied once', async (t) => {
  const { client, connect, start, rows } = harness(t, { deadlineMs: 20_000 });
  let writer = await start();
  const clients = [client, connect(), connect()];
  const KEYS = 400;
  const values = new Map<string, Set<string>>();
  let done = 0;
  /** Sends a write until it is decided, as a client does that was told to come back. */
  const insist = async (from: WriterClient, id: string) => {
    for (;;) {
      const outcome = await write(from, 'count.add', id);
      if (outcome.code === 'idempotency_in_progress') continue;
      const known = values.get(id) ?? new Set();
      values.set(id, known.add(JSON.stringify(outcome.value ?? outcome.code)));
      done += 1;
      return;
    }
  };
  const lanes = Array.from({ length: 30 }, async (_, lane) => {
    // Three lanes, one of each client, send the same keys.
    const own = clients[lane % 3]!;
    for (let index = Math.floor(lane / 3); index < KEYS; index += 10) await insist(own, `${index}`);
  });
  const all = Promise.all(lanes);
  let kills = 0;
  const lastKillAt = 3 * KEYS * 0.9;
  while (done < lastKillAt) {
    const target = Math.min(done + 3 * KEYS * 0.12, lastKillAt);
    while (done < target) await nextTurn();
    writer.kill('SIGKILL');
    await once(writer, 'exit');
    kills += 1;
    writer = await start();
  }
  await all;
  t.ok(kills >= 5, `${kills} kills`);
  t.equal(values.size, KEYS);
  t.same(
    [...values.values()].filter((known) => known.size !== 1),
    [],
    'all were told the same',
  );
  t.equal(rows().length, KEYS);
  t.same(
    rows().filter(({ times }) => times !== 1),
    [],
    'none was applied twice',
  );
});
