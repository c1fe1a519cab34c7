import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import pino from 'pino';
import t, { type Test } from 'tap';
import { startMessageTrap } from '../../loadtest/support/message-trap.ts';
import type { SystemSnapshot } from '../../src/messages/snapshot.ts';
import { sendTo } from '../../src/notify/http.ts';
import { payloadOf } from '../../src/notify/message.ts';
import { Notifier } from '../../src/notify/notifier.ts';
import { temporaryFolder, until } from '../support/system.ts';

/** One that tells a real server, and what that has got. */
async function notifierIn(t: Test) {
  const trap = await startMessageTrap();
  t.teardown(trap.close);
  const dataDir = temporaryFolder(t);
  mkdirSync(join(dataDir, 'run'));
  const notifier = new Notifier({
    dataDir,
    afterMs: 1000,
    targets: [
      { name: 'NOTIFY_URL', send: (message) => sendTo(`${trap.url}/messages`, payloadOf(message, 'json')) },
    ],
    log: pino({ level: 'silent' }),
  });
  return { trap, notifier };
}

t.test('a store that is out of reach is one condition, whatever it keeps from working', async (t) => {
  const { trap, notifier } = await notifierIn(t);
  const snapshotOf = (...names: string[]) =>
    ({
      status: {
        ready: true,
        notReady: [],
        degraded: names.map((name) => ({ name, reason: `${name} is cut off` })),
      },
      state: 'serving',
      events: [],
    }) as unknown as SystemSnapshot;
  const lookUntilTold = async (count: number, ...names: string[]) =>
    until(async () => {
      notifier.look(snapshotOf(...names));
      await notifier.told();
      return trap.messages().length >= count;
    }, `${count} messages`);
  notifier.look(snapshotOf('replication'));
  await lookUntilTold(1, 'replication', 'replica', 'notify');
  await lookUntilTold(2);
  t.strictSame(
    trap.messages().map(({ status, condition, cause }) => [status, condition, cause]),
    [
      ['problem', 'replication', 'replication is cut off'],
      ['ended', 'replication', 'replication is cut off'],
    ],
  );
});

t.test('of a primary that has died nothing is told by a standby, also when that is stopped', async (t) => {
  const { trap, notifier } = await notifierIn(t);
  const look = async (state: string, role: string | undefined, holder: string | null = null) => {
    notifier.look({
      status: { ready: false, notReady: [], degraded: [] },
      state,
      failover: role === undefined ? undefined : { role, holder },
      events: [{ id: 1, atMs: Date.now(), kind: 'primary-died', child: null, cause: 'killed' }],
    } as unknown as SystemSnapshot);
    await notifier.told();
    return trap.messages().map(({ condition }) => condition);
  };
  t.strictSame(await look('standby', 'standby'), [], 'it is not known who leads');
  t.strictSame(await look('stopping', 'standby', 'a'), []);
  t.strictSame(await look('serving', 'leader'), [], 'it is no news any more');
});

t.test('of a primary that has died who goes on in its place tells', async (t) => {
  const { trap, notifier } = await notifierIn(t);
  const snapshot = (role: string) =>
    ({
      status: { ready: false, notReady: [], degraded: [] },
      state: role === 'standby' ? 'standby' : 'starting',
      failover: { role, holder: null },
      events: [{ id: 1, atMs: Date.now(), kind: 'primary-died', child: null, cause: 'killed' }],
    }) as unknown as SystemSnapshot;
  notifier.look(snapshot('standby'));
  await notifier.told();
  t.equal(trap.messages().length, 0);
  notifier.look(snapshot('restoring'));
  await notifier.told();
  t.strictSame(
    trap.messages().map(({ condition, cause }) => [condition, cause]),
    [['primary', 'killed']],
  );
});
