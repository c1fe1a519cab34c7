import { once } from 'node:events';
import t from 'tap';
import { createLog } from '../../src/platform/log.ts';
import { Recycler } from '../../src/supervisor/recycler.ts';
import { RestartPolicy } from '../../src/supervisor/restart-policy.ts';
import { Slot } from '../../src/supervisor/slot.ts';
import { makeDeployment } from '../support/deployment.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { childOf } from '../support/scripted-child.ts';

/** Takes 100 MB, and says so when it is told a status, so that the test decides when. */
const LARGE = `
process.on('message', ({ kind }) => {
  if (kind === 'drain') process.exit();
  if (kind === 'status')
    process.send({ kind: 'beat', rssBytes: 100 * 1024 * 1024, heapUsedBytes: 0, served: 0, deltas: [] });
});
process.send({ kind: 'ready' });
`;
const STATUS = { kind: 'status', status: { ready: false, notReady: [], degraded: [] } } as const;

t.test(
  'what replaces a recycled child has a least life, which grows while the limit is too low',
  async (t) => {
    const clock = new ManualClock();
    const log = createLog('test', 'silent', 'json');
    const policy = new RestartPolicy({
      backoffMinMs: 1,
      backoffMaxMs: 1,
      intensity: 1,
      windowMs: 1,
      breakerRetryMs: 1,
      stableMs: 1,
      now: () => clock.nowMs(),
      random: () => 0,
    });
    const slot = new Slot({
      name: 'worker-1',
      deployment: makeDeployment(),
      spawn: () => childOf(t, LARGE, clock).child,
      handover: 'overlap',
      exchangeTimeoutMs: () => 1000,
      policy,
      resetAfterMs: 1000,
      log,
      clock,
    });
    const replaced: Promise<unknown>[] = [];
    const troubles: (string | undefined)[] = [];
    const recycler: Recycler = new Recycler({
      limits: { memoryMb: 90, requests: 0, ageMs: 0 },
      isServing: () => true,
      replace: (place, cause) => {
        const replacing = place.replace({ cause });
        replaced.push(replacing);
        return replacing;
      },
      random: () => 0,
      onChange: () => troubles.push(recycler.trouble),
      log,
      clock,
    });
    recycler.watch(slot);
    slot.start();
    await slot.ready();
    const beat = async () => {
      const { child } = slot;
      child!.send(STATUS);
      await once(child!, 'message');
    };
    for (const leastLifeMs of [0, 60_000, 120_000]) {
      const count = replaced.length;
      if (leastLifeMs > 0) {
        clock.advance(leastLifeMs - 1);
        await beat();
        t.equal(replaced.length, count, `not within ${leastLifeMs} ms`);
        clock.advance(1);
      }
      await beat();
      t.equal(replaced.length, count + 1);
      await replaced.at(-1);
    }
    t.same(troubles, [
      'MEMORY_LIMIT_MB=90 is below what a process takes that has just started: worker-1 took 100 MB',
      undefined,
    ]);
    await slot.stop(1000, 'the test is over');
  },
);
