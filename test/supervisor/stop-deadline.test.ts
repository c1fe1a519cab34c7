import { once } from 'node:events';
import t from 'tap';
import { createLog } from '../../src/platform/log.ts';
import { stopInTime } from '../../src/supervisor/stop-deadline.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { childOf } from '../support/scripted-child.ts';

const log = createLog('test', 'silent', 'json');

t.test('a stop that hangs ends at its deadline, kills what is left, and names it', async (t) => {
  const clock = new ManualClock();
  const { child } = childOf(t, "process.send({ kind: 'ready' });");
  await once(child, 'ready');
  const hanging = new Promise<void>(() => {});
  const stopped = stopInTime(hanging, { timeoutMs: 1000, living: () => [child], log, clock });
  clock.advance(999);
  t.equal(child.state, 'ready');
  clock.advance(1);
  await t.rejects(stopped, {
    code: 'stop_incomplete',
    message: `the stop has not ended within 1000 ms; left and killed: worker-1 ${child.pid} (ready)`,
  });
  await child.ended();
});

t.test('a stop that ends in time is no more', async () => {
  const clock = new ManualClock();
  await stopInTime(Promise.resolve(), { timeoutMs: 1000, living: () => [], log, clock });
  clock.advance(1000);
});
