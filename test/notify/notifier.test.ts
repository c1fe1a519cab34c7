import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import pino from 'pino';
import t from 'tap';
import { startMessageTrap } from '../../loadtest/support/message-trap.ts';
import { sendTo } from '../../src/notify/http.ts';
import { payloadOf } from '../../src/notify/message.ts';
import { Notifier } from '../../src/notify/notifier.ts';
import type { SystemSnapshot } from '../../src/runtime/snapshot.ts';
import { temporaryFolder, until } from '../support/system.ts';

t.test('a store that is out of reach is one condition, whatever it keeps from working', async (t) => {
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
