import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { readEvents } from '../../src/supervisor/events.ts';
import { start, temporaryFolder } from '../support/system.ts';

t.test(
  'the start after a killed primary tells when that was last known alive; after a stop it does not',
  async (t) => {
    const dataDir = temporaryFolder(t);
    const toldAtMs = () => {
      const events = readEvents(dataDir);
      const started = events.findLastIndex(({ kind }) => kind === 'start');
      const { kind, cause = '' } = events[started - 1] ?? {};
      if (kind !== 'primary-died') return undefined;
      const [, time] =
        /^the primary before was not stopped, and was last known alive at (\S+Z)$/.exec(cause) ?? [];
      return time === undefined ? undefined : Date.parse(time);
    };
    const first = await start(t, {}, dataDir);
    t.equal(toldAtMs(), undefined);
    // Longer than the second in which it is touched: the time that is told is not that of the start.
    await delay(2500);
    const killedAtMs = Date.now();
    first.kill('SIGKILL');
    await first.ended();
    await delay(1500);
    const second = await start(t, {}, dataDir);
    const toldMs = toldAtMs() ?? 0;
    t.ok(
      toldMs > killedAtMs - 2000 && toldMs <= killedAtMs,
      `${killedAtMs - toldMs} ms before it was killed`,
    );
    await second.stop();
    await start(t, {}, dataDir);
    t.equal(toldAtMs(), undefined);
  },
);
